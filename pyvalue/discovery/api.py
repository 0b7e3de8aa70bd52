"""``discover``: from responses to a graph between values."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.bootstrap import SCHEMES, effective_sample_size, run_bootstrap
from pyvalue.discovery.degenerate import DegenerateDataWarning, UsableData, usable_data
from pyvalue.discovery.progress import ProgressOption
from pyvalue.discovery.table import read_table
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import NumericsError
from pyvalue.graph import DiscoverySettings, ValueGraph

BACKENDS = ("fast", "causal-learn")


def discover(
    responses: Any,
    *,
    names: Sequence[str] | None = None,
    alpha: float = 0.05,
    backend: str = "fast",
    max_depth: int | None = None,
    bootstrap: int = 0,
    scheme: str = "bootstrap",
    seed: int = 0,
    missing: str = "raise",
    on_degenerate: str = "exclude",
    threads: int | None = None,
    progress: ProgressOption = None,
) -> ValueGraph:
    """Learn the CPDAG between values with PC-stable and the Fisher-z test.

    PC with order-independent skeleton: Colombo & Maathuis (2014), "Order-independent constraint-based causal structure
    learning", JMLR 15. The graph equals that of causal-learn 0.1.4.8's ``pc(stable=True, uc_rule=0, uc_priority=2)``
    mark for mark. It is always learnt from all rows; the bootstrap adds edge strengths and changes no mark.

    Args:
        responses: a ``Responses`` object (or anything whose ``.matrix()`` gives a DataFrame), a DataFrame, or an
            (n, d) array: n observations (rows) of d values (columns), floats, integers or booleans.
        names: the d columns of an array; ``X1 ... Xd`` by default. A DataFrame brings its own.
        alpha: level of the tests, in (0, 1). A larger alpha keeps more edges.
        backend: "fast", compiled; or "causal-learn", that library itself on the same options, for comparison.
        max_depth: largest conditioning set to test; None for no limit.
        bootstrap: number of replicates for edge strengths; 0 for none.
        scheme: what a replicate's tests take for their sample size. Rows are drawn n of n with replacement either
            way. "bootstrap" uses n_eff = m / (1 + m/n) = n/2, because a replicate's correlation varies by the draw as
            well as by the sample: 1/n + 1/m. "naive" uses n and so finds about 16.6% false edges at alpha = 0.05
            instead of 5%; it is here to compare with other tools. See
            :func:`pyvalue.discovery.bootstrap.effective_sample_size`.
        seed: of the replicates, 0 <= seed < 2^64. Replicate r depends on (seed, r) alone.
        missing: what to do with rows that have NaN: "raise", or "drop" them and say so in ``graph.notes``.
        on_degenerate: what to do with constant columns and with repeats of an earlier column: "exclude" them from
            the graph with a warning and an entry in ``graph.excluded`` (the graph over the rest is the same with or
            without them), or "raise". Linearly dependent columns are an error either way: which of them to drop
            changes the graph.
        threads: None for all processors that this process may use. Never changes the result.
        progress: None for a bar during a bootstrap where stderr is a terminal; True or False to force it; or a
            callback ``(done, total)``, which may raise to end the search.

    Returns:
        The graph. It is never a silently wrong one: see Raises and Warns.

    Raises:
        ValueError: an argument is out of range, or the data admit no test (see :mod:`pyvalue.discovery.degenerate`);
            the message names the columns or rows and says what to do.
        TypeError: an argument or a column is of the wrong type.
        NumericsError: a test met a singular matrix, possible with about as many values as rows.
        KeyboardInterrupt: within a second of Ctrl-C; nothing half-made is returned.

    Warns:
        DegenerateDataWarning: columns or rows were left out, or there are as many values as rows.

    Example:
        >>> rng = numpy.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 500))
        >>> discover(numpy.column_stack([a, b, a + b + rng.normal(size=500)]), names=["a", "b", "c"]).directed_edges()
        [('a', 'c'), ('b', 'c')]
    """
    _check_options(alpha, backend, max_depth, bootstrap, scheme, seed, missing, on_degenerate)
    workers = _thread_count(threads)
    data = usable_data(read_table(responses, names), missing, on_degenerate, workers)
    x = data.table.values
    marks, sets = _search(data, alpha, backend, max_depth, workers)
    frequencies = None
    notes = data.notes
    if bootstrap > 0:
        frequencies = run_bootstrap(
            x,
            backend=backend,
            replicates=bootstrap,
            scheme=scheme,
            seed=seed,
            alpha=alpha,
            max_depth=max_depth,
            threads=workers,
            progress=progress,
        )
        notes += _notes_on_replicates(frequencies, data.table.names)
    settings = DiscoverySettings(
        alpha=float(alpha),
        n=len(x),
        backend=backend,
        max_depth=max_depth,
        replicates=int(bootstrap),
        scheme=scheme if bootstrap else None,
        effective_n=effective_sample_size(scheme, len(x)) if bootstrap else None,
        seed=int(seed) if bootstrap else None,
        threads=workers,
    )
    return ValueGraph(
        data.table.names, marks, settings, _named(sets, data.table.names), frequencies, data.excluded, notes
    )


def _search(
    data: UsableData, alpha: float, backend: str, max_depth: int | None, threads: int
) -> tuple[NDArray[np.int8], Mapping[tuple[int, int], tuple[int, ...]]]:
    x = data.table.values
    if backend == "causal-learn":
        from pyvalue.discovery import reference

        return reference.search(x, alpha, max_depth)
    marks, sets, _, singular, rounds = _core.pc(data.correlation, float(len(x)), alpha, max_depth, threads)
    if singular:
        raise NumericsError(
            f"{singular} tests met a singular correlation matrix, with {x.shape[1]} values and {len(x)} rows; drop "
            f"values, or pass max_depth below {rounds - 1}"
        )
    return marks, sets


def _named(
    sets: Mapping[tuple[int, int], tuple[int, ...]], names: tuple[str, ...]
) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(names[i], names[j]): tuple(names[member] for member in given) for (i, j), given in sets.items()}


def _notes_on_replicates(frequencies: EdgeFrequencies, names: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    constant = np.diagonal(frequencies.untestable)
    if constant.any():
        listed = ", ".join(f"{names[i]} ({constant[i]})" for i in np.flatnonzero(constant))
        notes.append(
            f"constant in some of {frequencies.replicates} replicates, which say nothing about their edges: {listed}"
        )
    if frequencies.singular_tests:
        notes.append(f"{frequencies.singular_tests} tests inside replicates met a singular matrix and removed no edge")
    for note in notes:
        warnings.warn(note, DegenerateDataWarning, stacklevel=3)
    return tuple(notes)


def _check_options(
    alpha: float,
    backend: str,
    max_depth: int | None,
    bootstrap: int,
    scheme: str,
    seed: int,
    missing: str,
    on_degenerate: str,
) -> None:
    _check_choice("backend", backend, BACKENDS)
    _check_choice("scheme", scheme, SCHEMES)
    _check_choice("missing", missing, ("raise", "drop"))
    _check_choice("on_degenerate", on_degenerate, ("exclude", "raise"))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.floating):
        raise TypeError(f"alpha must be a number between 0 and 1, got {alpha!r}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be between 0 and 1, both excluded, got {alpha}")
    if max_depth is not None:
        _check_integer("max_depth", max_depth, 0, "or None for no limit")
    _check_integer("bootstrap", bootstrap, 0, "the number of replicates")
    _check_integer("seed", seed, 0, "below 2^64")
    if seed >= 2**64:
        raise ValueError(f"seed must be below 2^64, got {seed}")


def _check_choice(argument: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _check_integer(argument: str, value: Any, least: int, hint: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{argument} must be an integer ({hint}), got {value!r}")
    if value < least:
        raise ValueError(f"{argument} must be at least {least} ({hint}), got {value}")


def _thread_count(threads: int | None) -> int:
    if threads is not None:
        _check_integer("threads", threads, 1, "or None for all processors")
        return int(threads)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
