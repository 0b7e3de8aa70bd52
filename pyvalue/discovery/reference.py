"""The same search by causal-learn, for comparison. Imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import NumericsError

Marks = NDArray[np.int8]
SeparatingSets = dict[tuple[int, int], tuple[int, ...]]

_TEST = "pyvalue_fisherz_effective_n"


def search(x: NDArray[np.float64], alpha: float, max_depth: int | None) -> tuple[Marks, SeparatingSets]:
    """causal-learn's ``pc`` with ``stable=True, uc_rule=0, uc_priority=2`` on (n, d) data.

    Returns:
        End marks (d, d) and, for i < j, the union of causal-learn's non-empty separating sets.

    Raises:
        ModuleNotFoundError: causal-learn is not installed; the message has the command.
        NumericsError: causal-learn met a singular correlation matrix.
    """
    found = _run(x, alpha, max_depth, float(len(x)))
    sets: SeparatingSets = {}
    for i, j in zip(*np.nonzero(np.triu(found.G.graph == 0, k=1)), strict=True):
        if members := sorted({int(member) for given in found.sepset[i, j] or () for member in given}):
            sets[int(i), int(j)] = tuple(members)
    return found.G.graph.astype(np.int8), sets


def bootstrap(
    x: NDArray[np.float64],
    replicates: int,
    seed: int,
    alpha: float,
    effective_n: float,
    max_depth: int | None,
    progress: Callable[[int], object] | None,
) -> EdgeFrequencies:
    """causal-learn on the same resampled rows that the compiled search draws, one replicate after the other."""
    d = x.shape[1]
    directed, undirected, bidirected, absent, untestable = np.zeros((5, d, d), dtype=np.uint32)
    for replicate in range(replicates):
        rows = np.repeat(x, _core.resample_counts(len(x), seed, replicate), axis=0)
        varies = np.ptp(rows, axis=0) > 0
        untestable += ~np.logical_and.outer(varies, varies)
        if varies.sum() < 2:
            continue
        marks = _run(rows[:, varies], alpha, max_depth, effective_n).G.graph
        tested = np.ix_(varies, varies)
        directed[tested] += (marks == -1) & (marks.T == 1)
        undirected[tested] += (marks == -1) & (marks.T == -1)
        bidirected[tested] += (marks == 1) & (marks.T == 1)
        absent[tested] += (marks == 0) & ~np.eye(len(marks), dtype=bool)
        if progress is not None:
            progress(replicate + 1)
    return EdgeFrequencies(replicates, directed, undirected, bidirected, absent, untestable)


def _run(x: NDArray[np.float64], alpha: float, max_depth: int | None, n: float) -> Any:
    pc = _causal_learn()
    options = {"uc_rule": 0, "uc_priority": 2, "max_k": max_depth, "show_progress": False, "verbose": False}
    try:
        return pc(np.ascontiguousarray(x), alpha, _TEST, True, effective_n=n, **options)
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
