"""The same search by causal-learn, for comparison. Imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.bootstrap import notes_on_replicates
from pyvalue.discovery.choice import has_missing
from pyvalue.discovery.options import COLLIDER_RULES, BootstrapOptions, SearchOptions
from pyvalue.discovery.progress import ProgressOption, bootstrap_progress
from pyvalue.discovery.study import Found, Study
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import NumericsError
from pyvalue.replicate_graphs import ReplicateGraphs

Marks = NDArray[np.int8]

_TEST = "pyvalue_fisherz_effective_n"
_RULES = tuple(COLLIDER_RULES)[:3]


def run(study: Study, search: SearchOptions, replicates: BootstrapOptions, progress: ProgressOption) -> Found:
    """causal-learn's ``pc`` with ``stable=True`` on the data, and on the rows that the compiled search would draw.

    Raises:
        ModuleNotFoundError: causal-learn is not installed; the message has the command.
        ValueError: an option that it does not have.
        NumericsError: causal-learn met a singular correlation matrix.
    """
    _check(study, search)
    columns = study.data.columns
    x = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values])
    test = study.test
    if test == "fisherz" and any(has_missing(column) for column in columns.values):
        test = "mv_fisherz"
    found = _search(x, test, study.rows.n, search)
    names = columns.names
    sets: dict[tuple[str, str], tuple[str, ...]] = {}
    for i, j in np.argwhere(np.triu(found.G.graph == 0, k=1)).tolist():
        if members := sorted({int(member) for given in found.sepset[i, j] or () for member in given}):
            sets[names[i], names[j]] = tuple(names[member] for member in members)
    marks = found.G.graph.astype(np.int8)
    if study.replication is None:
        return Found(marks, sets)
    frequencies, graphs = _bootstrap(x, test, study, search, replicates, progress)
    return Found(marks, sets, frequencies, graphs, tuple(notes_on_replicates(frequencies, columns.names)))


def _check(study: Study, search: SearchOptions) -> None:
    if study.test not in ("fisherz", "chisq", "gsq"):
        raise ValueError(
            f"backend='causal-learn' runs test='fisherz', 'chisq' and 'gsq' of that library, got {study.test!r}; pass "
            "backend='fast'"
        )
    if search.uc_rule not in _RULES:
        raise ValueError(f"backend='causal-learn' has uc_rule {', '.join(_RULES)}, got {search.uc_rule!r}")
    if study.flags is not None:
        raise ValueError("backend='causal-learn' takes no knowledge: there it means another thing; pass backend='fast'")
    clustered = study.rows.shares is not None
    if clustered:
        raise ValueError("backend='causal-learn' cannot tell pairs of columns apart; pass backend='fast' with cluster")
    if study.test != "fisherz" and (study.replication is not None or study.rows.n != study.data.columns.n):
        raise ValueError(
            f"backend='causal-learn' cannot tell test={study.test!r} how many rows a replicate or a cluster is worth; "
            "pass backend='fast'"
        )


def _bootstrap(
    x: NDArray[np.float64],
    test: str,
    study: Study,
    search: SearchOptions,
    options: BootstrapOptions,
    progress: ProgressOption,
) -> tuple[EdgeFrequencies, ReplicateGraphs | None]:
    replication = study.replication
    assert replication is not None
    if test == "mv_fisherz":
        raise ValueError("backend='causal-learn' has no bootstrap with missing='test-wise'; pass missing='drop'")
    d = x.shape[1]
    i, j = np.triu_indices(d, k=1)
    kinds = np.empty((options.replicates, len(i)), dtype=np.uint8)
    own = np.zeros(d, dtype=np.uint32)
    with bootstrap_progress(progress, options.replicates) as report:
        for replicate in range(options.replicates):
            rows = np.repeat(x, replication.resampling.draw(replicate), axis=0)
            varies = np.flatnonzero(np.ptp(rows, axis=0) > 0)
            own += ~np.isin(np.arange(d), varies)
            if options.shuffle_columns:
                varies = np.array(_core.shuffle_columns(options.seed, replicate, varies.tolist()), dtype=np.intp)
            full = np.full((d, d), _UNTESTABLE)
            if len(varies) > 1:
                full[np.ix_(varies, varies)] = _search(rows[:, varies], test, replication.rows.n, search).G.graph
            kinds[replicate] = _kinds(full[i, j], full[j, i])
            if report is not None:
                report(replicate + 1)
    directed = np.zeros((d, d), dtype=np.uint32)
    directed[i, j] = (kinds == 1).sum(axis=0)
    directed[j, i] = (kinds == 2).sum(axis=0)
    undirected, bidirected, absent, untestable = np.zeros((4, d, d), dtype=np.uint32)
    for counts, kind in ((undirected, 3), (bidirected, 4), (absent, 0), (untestable, 5)):
        counts[i, j] = counts[j, i] = (kinds == kind).sum(axis=0)
    np.fill_diagonal(untestable, own)
    frequencies = EdgeFrequencies(options.replicates, directed, undirected, bidirected, absent, untestable)
    return frequencies, ReplicateGraphs(kinds) if options.keep_replicates else None


_UNTESTABLE = np.int8(9)


def _kinds(at_i: NDArray[np.int8], at_j: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Codes of ``ReplicateGraphs`` from the marks at both ends of pairs."""
    kinds = np.zeros(len(at_i), dtype=np.uint8)
    kinds[(at_i == -1) & (at_j == 1)] = 1
    kinds[(at_i == 1) & (at_j == -1)] = 2
    kinds[(at_i == -1) & (at_j == -1)] = 3
    kinds[(at_i == 1) & (at_j == 1)] = 4
    kinds[at_i == _UNTESTABLE] = 5
    return kinds


def _search(x: NDArray[np.float64], test: str, n: float, search: SearchOptions) -> Any:
    pc = _causal_learn()
    extra = {"effective_n": n} if test == "fisherz" else {}
    try:
        return pc(
            np.ascontiguousarray(x),
            search.alpha,
            _TEST if test == "fisherz" else test,
            True,
            _RULES.index(search.uc_rule),
            search.uc_priority,
            max_k=search.max_depth,
            show_progress=False,
            verbose=False,
            **extra,
        )
    except ValueError as error:
        if "singular" not in str(error):
            raise
        raise NumericsError(f"causal-learn met a singular correlation matrix of {x.shape[1]} values") from error


def _causal_learn() -> Callable[..., Any]:
    try:
        from causallearn.search.ConstraintBased.PC import pc
        from causallearn.utils.cit import FisherZ, register_ci_test
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "backend='causal-learn' needs causal-learn: pip install causal-learn==0.1.4.8"
        ) from error

    class EffectiveFisherZ(FisherZ):  # type: ignore[misc]
        """causal-learn's Fisher-z, told of another number of rows."""

        def __init__(self, data: NDArray[np.float64], effective_n: float, **options: Any) -> None:
            super().__init__(data, **options)
            self.sample_size = effective_n

        def __call__(self, X: int, Y: int, condition_set: Any = None) -> float:
            # Beyond this order the test has no degrees of freedom left; the compiled search calls that independent.
            if self.sample_size - len(condition_set or ()) - 3 <= 0:
                return 1.0
            return float(super().__call__(X, Y, condition_set))

    register_ci_test(_TEST, EffectiveFisherZ)
    return pc  # type: ignore[no-any-return]
