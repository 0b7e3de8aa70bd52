"""Edge strengths from replicates, with the number of rows that a replicate is really worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.columns import Columns
from pyvalue.discovery.effective_n import DesignEffect, EffectiveRows, effective_rows
from pyvalue.discovery.options import COLLIDER_PRIORITIES, COLLIDER_RULES, BootstrapOptions, SearchOptions
from pyvalue.discovery.progress import ProgressOption, bootstrap_progress
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.replicate_graphs import ReplicateGraphs

_COMPILED_SCHEMES = {
    "bootstrap": _core.Scheme.with_replacement,
    "m-of-n": _core.Scheme.with_replacement,
    "naive": _core.Scheme.with_replacement,
    "subsample": _core.Scheme.without_replacement,
    "complementary-pairs": _core.Scheme.complementary_pairs,
}
_WITHOUT_REPLACEMENT = ("subsample", "complementary-pairs")


@dataclass(frozen=True)
class Replication:
    """How replicates are drawn, and what they are worth.

    Attributes:
        scheme: one of ``pyvalue.discovery.options.SCHEMES``.
        rows: that the tests inside a replicate are told of.
        resampling: the draws themselves.
    """

    scheme: str
    rows: EffectiveRows
    resampling: _core.Resampling


@dataclass(frozen=True)
class Counted:
    """What replicates say.

    Attributes:
        counts: (5, d, d): of directed, undirected, bidirected, absent and untestable pairs.
        singular_tests: tests without an answer.
        repairs: matrices of correlations that belonged to no data.
        kinds: (replicates or 0, pairs) kinds of edges of every replicate, where they are kept.
    """

    counts: NDArray[np.uint32]
    singular_tests: int
    repairs: int
    kinds: NDArray[np.uint8]

    @classmethod
    def joined(cls, parts: Sequence[Counted]) -> Counted:
        """Of ranges of replicates, in their order."""
        return cls(
            np.sum([part.counts for part in parts], axis=0, dtype=np.uint32),
            sum(part.singular_tests for part in parts),
            sum(part.repairs for part in parts),
            np.concatenate([part.kinds for part in parts]),
        )


def effective_sample_size(
    scheme: str,
    n: int,
    *,
    units: int | None = None,
    drawn: int | None = None,
    effect: DesignEffect | None = None,
) -> EffectiveRows:
    """Rows to tell the tests inside a replicate of n rows; see :mod:`pyvalue.discovery.effective_n`.

    Args:
        scheme: "bootstrap", "m-of-n", "subsample", "complementary-pairs"; or "naive", n whatever is drawn, which is
            what most tools do and rejects true independence in about 16.6% of replicates at alpha = 0.05
            (2·Φ(-1.96/√2)).
        n: rows of the sample.
        units: what is drawn: the n rows by default, or clusters.
        drawn: units a replicate draws; all of them, or half without replacement, by default.
        effect: of clusters on correlations; None for independent rows.
    """
    effect = effect or DesignEffect()
    units = n if units is None else units
    if scheme == "naive":
        return EffectiveRows(float(n))
    if scheme in _WITHOUT_REPLACEMENT:
        share = (units // 2 if drawn is None else drawn) / units
        return effective_rows(n * share, effect.sample)
    return effective_rows(n, effect.sample + effect.draw * units / (units if drawn is None else drawn))


def plan_replication(
    options: BootstrapOptions, columns: Columns, effect: DesignEffect, takes_effective_n: bool
) -> Replication:
    """Choose the scheme where the user did not, check it, and make the draws.

    Raises:
        ValueError: the scheme does not fit the test or the clusters, or leaves too few rows.
    """
    scheme = options.scheme or ("bootstrap" if takes_effective_n else "subsample")
    if not takes_effective_n and scheme in ("bootstrap", "m-of-n"):
        raise ValueError(
            f"scheme={scheme!r} needs a test that can be told how many rows a replicate is worth, and this test only "
            "sees rows; pass scheme='subsample' or 'complementary-pairs', whose replicates are smaller samples"
        )
    if len(columns.clusters) == 2 and scheme in _WITHOUT_REPLACEMENT:
        raise ValueError(f"two-way clusters are drawn with replacement; pass scheme='bootstrap', got {scheme!r}")
    units = min((int(codes.max()) + 1 for codes in columns.clusters), default=columns.n)
    size = options.replicate_size
    if size is not None and len(columns.clusters) == 2:
        raise ValueError(f"replicate_size is for rows or one clustering, got {size} with two-way clusters")
    if size is not None and (size > units or (size == units and scheme in _WITHOUT_REPLACEMENT)):
        least = "below" if scheme in _WITHOUT_REPLACEMENT else "at most"
        raise ValueError(f"replicate_size must be {least} the {units} rows, or clusters, that there are, got {size}")
    rows = effective_sample_size(scheme, columns.n, units=units, drawn=size, effect=effect)
    if rows.n <= 3:
        raise ValueError(
            f"bootstrap needs replicates worth more than 3 rows, and with scheme={scheme!r} one of {columns.n} rows is "
            f"worth {rows.n:.1f}; collect more rows"
        )
    return Replication(scheme, rows, make_resampling(scheme, columns, options))


def make_resampling(scheme: str, columns: Columns, options: BootstrapOptions) -> _core.Resampling:
    """The draws of a checked scheme."""
    clusters = [codes.astype(np.uint32) for codes in columns.clusters]
    return _core.Resampling(columns.n, _COMPILED_SCHEMES[scheme], options.seed, options.replicate_size, clusters)


def count_replicates(
    source: _core.TestSource,
    replication: Replication,
    search: SearchOptions,
    options: BootstrapOptions,
    knowledge: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
    *,
    first: int = 0,
    many: int | None = None,
    report: Callable[[int], object] | None = None,
) -> Counted:
    """Count the kinds of edges over replicates ``first`` to ``first + many``, by default all.

    Replicate r draws from its own random stream (seed, r): the counts are the same for any number of threads, and
    those of ranges add up.
    """
    forbidden, required = knowledge or (None, None)
    before = source.repairs if isinstance(source, _core.CorrelationSource) else 0
    found = _core.bootstrap(
        source,
        replication.resampling,
        options.replicates if many is None else many,
        replication.rows.n,
        search.alpha,
        max_depth=search.max_depth,
        rule=COLLIDER_RULES[search.uc_rule],
        priority=COLLIDER_PRIORITIES[search.uc_priority],
        forbidden=forbidden,
        required=required,
        shuffle_columns=options.shuffle_columns,
        threads=search.threads,
        first_replicate=first,
        keep=options.keep_replicates,
        shares=replication.rows.shares,
        progress=report,
    )
    repairs = source.repairs - before if isinstance(source, _core.CorrelationSource) else 0
    counts = [found[kind] for kind in ("directed", "undirected", "bidirected", "absent", "untestable")]
    return Counted(np.stack(counts), found["singular_tests"], repairs, found["kinds"])


def run_bootstrap(
    source: _core.TestSource,
    replication: Replication,
    search: SearchOptions,
    options: BootstrapOptions,
    knowledge: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None,
    progress: ProgressOption,
) -> Counted:
    """Count the kinds of edges over all replicates, in this process."""
    with bootstrap_progress(progress, options.replicates) as report:
        return count_replicates(source, replication, search, options, knowledge, report=report)


def frequencies_of(counted: Counted, options: BootstrapOptions) -> tuple[EdgeFrequencies, ReplicateGraphs | None]:
    """Counts as edge frequencies; and the replicates themselves, if they are to be kept."""
    directed, undirected, bidirected, absent, untestable = counted.counts
    frequencies = EdgeFrequencies(
        options.replicates, directed, undirected, bidirected, absent, untestable, counted.singular_tests
    )
    return frequencies, ReplicateGraphs(counted.kinds) if options.keep_replicates else None


def notes_on_replicates(frequencies: EdgeFrequencies, names: Sequence[str]) -> list[str]:
    """What a reader of the strengths should know."""
    notes = []
    constant = np.diagonal(frequencies.untestable)
    if constant.any():
        listed = ", ".join(f"{names[i]} ({constant[i]})" for i in np.flatnonzero(constant).tolist())
        notes.append(
            f"constant in some of {frequencies.replicates} replicates, which say nothing about their edges: {listed}"
        )
    if frequencies.singular_tests:
        notes.append(f"{frequencies.singular_tests} tests inside replicates had no answer and removed no edge")
    return notes
