"""``discover``: from responses to a graph between values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyvalue.discovery import compiled
from pyvalue.discovery.bootstrap import plan_replication
from pyvalue.discovery.choice import check_columns, choose_test, has_missing, takes_effective_n
from pyvalue.discovery.columns import read_columns
from pyvalue.discovery.degenerate import DegenerateDataWarning, UsableData, check_independent, usable_data
from pyvalue.discovery.effective_n import design_effect, effective_rows, small_sample_share
from pyvalue.discovery.memory import check_memory
from pyvalue.discovery.options import BootstrapOptions, SearchOptions, bootstrap_options, search_options
from pyvalue.discovery.progress import ProgressOption
from pyvalue.discovery.study import Found, Study
from pyvalue.engines import Engine, read_engine
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.knowledge import Knowledge


def discover(
    responses: Any,
    *,
    names: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    test: Any = "auto",
    alpha: float = 0.05,
    backend: str = "fast",
    max_depth: int | None = None,
    uc_rule: int | str = "sepset",
    uc_priority: int = 2,
    knowledge: Knowledge | None = None,
    cluster: Any = None,
    missing: str = "raise",
    on_degenerate: str = "exclude",
    bootstrap: int = 0,
    scheme: str | None = None,
    replicate_size: int | None = None,
    shuffle_columns: bool = True,
    keep_replicates: bool = False,
    seed: int = 0,
    threads: int | None = None,
    progress: ProgressOption = None,
    engine: Engine = "local",
) -> ValueGraph:
    """Learn the CPDAG between values with PC-stable.

    PC with order-independent skeleton: Colombo & Maathuis (2014), "Order-independent constraint-based causal structure
    learning", JMLR 15. The graph equals that of causal-learn 0.1.4.8's ``pc(stable=True)`` with the same ``uc_rule``
    and ``uc_priority`` mark for mark. It is always learnt from all rows; the bootstrap adds edge strengths and changes
    no mark.

    Args:
        responses: a ``Responses`` object; a DataFrame of pandas, polars or pyarrow; an (n, d) array; or the path of a
            CSV or Parquet file: n observations (rows) of d values (columns). Texts are categories. Of ``Responses``,
            and of a file with the columns of its table, answers under edits that broke the model are left out, and
            ``graph.notes`` says which and why (labels in ``cluster`` are then of the rows that remain); to keep them,
            pass ``responses.matrix()``.
        names: the d columns of an array; ``X1 ... Xd`` by default. Frames and files bring their own.
        drop: columns that are no values, such as an index.
        test: the test of conditional independence. "fisherz" (continuous), "spearman" (ordinal or skewed: Spearman's
            ρ as 2·sin(πρ/6) in Fisher's z), "polychoric" (few ordered levels of something normal underneath), "chisq"
            or "gsq" (categories), "degenerate_gaussian" (numbers and categories), "rcot" (non-linear), a test of your
            own (:func:`pyvalue.ci_test`), or "auto": chisq where all columns are categories, degenerate_gaussian where
            some are, polychoric where all have at most 7 different values, spearman where at least half have, else
            fisherz. ``graph.settings.test`` says which it was, and ``test_reason`` why.
        alpha: level of the tests, in (0, 1). A larger alpha keeps more edges.
        backend: "fast", compiled; or "causal-learn", that library itself on the same options, for comparison.
        max_depth: largest conditioning set to test; None for no limit. Like causal-learn, the rules "maxp" and
            "definite-maxp" and the priorities 3 and 4 go through larger sets all the same.
        uc_rule: what makes an unshielded triple a collider. 0 or "sepset": its middle is in no separating set that was
            found. 1 or "maxp", 2 or "definite-maxp": the largest p-value over sets without the middle is above that
            over sets with it. "conservative": no separating set among the neighbours' subsets has the middle.
            "majority": fewer than half of them have it. All but the first test again, and are slower.
        uc_priority: where two colliders disagree: 0 the last one wins, 1 both (↔), 2 the first one wins, 3 and 4 the
            one with more evidence; -1 is the rule's own, as in causal-learn.
        knowledge: what is known of edges beforehand.
        cluster: what rows share, for example "persona": a column (then no value), an index level, or n labels; or a
            pair of these for two crossed clusterings. The tests are told of the effective number of rows, and
            replicates draw whole clusters; both for each pair of columns. See :mod:`pyvalue.discovery.effective_n`.
        missing: what to do with rows that have missing entries: "raise"; "drop" them and say so in ``graph.notes``; or
            "test-wise": leave a row out of those tests that need the missing entry, with Fisher's z.
        on_degenerate: what to do with constant columns and with repeats of an earlier column: "exclude" them from
            the graph with a warning and an entry in ``graph.excluded`` (the graph over the rest is the same with or
            without them), or "raise". Linearly dependent columns are an error under Fisher's z: which of them to drop
            changes the graph.
        bootstrap: number of replicates for edge strengths; 0 for none.
        scheme: what a replicate is. "bootstrap": n of n rows with replacement, worth n/2 independent ones. "m-of-n":
            ``replicate_size`` of n with replacement, worth m / (1 + m/n). "subsample": ``replicate_size`` (n // 2)
            without replacement. "complementary-pairs": the same, replicates 2k and 2k + 1 without a row in common.
            "naive": like "bootstrap", but the tests believe in n rows and find about 16.6% false edges at alpha = 0.05
            instead of 5%; it is here to compare with other tools. None: "bootstrap", or "subsample" for a test that
            cannot be told how many rows a replicate is worth (rcot, and your own).
        replicate_size: rows, or clusters, that a replicate draws.
        shuffle_columns: whether each replicate sees the columns in an order of its own, so that what depends on their
            order shows as instability.
        keep_replicates: whether ``graph.replicate_graphs`` holds the graph of every replicate.
        seed: of the replicates, 0 <= seed < 2^64. Replicate r depends on (seed, r) alone.
        threads: None for all processors that this process may use. Never changes the result.
        progress: None for a bar where stderr is a terminal; True or False to force it; or a callback
            ``(done, total)`` for the replicates, which may raise to end the search.
        engine: where the replicates run: ``"local"``, in this process; or ``"ray"`` or a ``RayEngine``, on the workers
            of a Ray cluster, which get the data once. Never changes the result.

    Returns:
        The graph. It is never a silently wrong one: see Raises and Warns.

    Raises:
        ValueError: an argument is out of range, or the data admit no test (see :mod:`pyvalue.discovery.degenerate`);
            the message names the columns or rows and says what to do.
        TypeError: an argument or a column is of the wrong type.
        NumericsError: a test had no answer, or your own test failed; the message names it and its variables.
        ClusterError: Ray is not installed, its cluster cannot be reached, or a worker failed.
        KeyboardInterrupt: within a second of Ctrl-C; nothing half-made is returned.

    Warns:
        DegenerateDataWarning: columns or rows were left out, or there are as many values as rows.

    Example:
        >>> rng = numpy.random.default_rng(0)
        >>> a, b = rng.normal(size=(2, 500))
        >>> discover(numpy.column_stack([a, b, a + b + rng.normal(size=500)]), names=["a", "b", "c"]).directed_edges()
        [('a', 'c'), ('b', 'c')]
    """
    search = search_options(
        test, alpha, backend, max_depth, uc_rule, uc_priority, knowledge, missing, on_degenerate, threads
    )
    replicates = bootstrap_options(bootstrap, scheme, replicate_size, shuffle_columns, keep_replicates, seed)
    workers = read_engine(engine)
    if workers is not None:
        _check_engine(search, replicates)
    study = _prepare(responses, names, drop, cluster, search, replicates)
    if backend == "causal-learn":
        from pyvalue.discovery import reference

        found = reference.run(study, search, replicates, progress)
    else:
        found = compiled.run(study, search, replicates, progress, workers)
    return _graph(study, found, search, replicates)


def _check_engine(search: SearchOptions, replicates: BootstrapOptions) -> None:
    """Raise ValueError where a cluster has nothing to do, or cannot do it."""
    if not replicates.replicates:
        raise ValueError("engine='ray' is about replicates; pass bootstrap=1000 as well")
    if search.backend != "fast":
        raise ValueError(f"engine='ray' is for backend='fast', got backend={search.backend!r}")
    if not isinstance(search.test, str):
        raise ValueError(
            f"engine='ray' is for the tests of pyvalue, and {search.test.name!r} lives in this process; pass its name, "
            "or engine='local'"
        )


def _prepare(
    responses: Any,
    names: Sequence[str] | None,
    drop: Sequence[str],
    cluster: Any,
    search: SearchOptions,
    replicates: BootstrapOptions,
) -> Study:
    responses, left_out = _without_broken(responses)
    columns = read_columns(responses, names, cluster, drop)
    columns = replace(columns, notes=(*left_out, *columns.notes))
    check_memory(columns.n, columns.d, search.threads, replicates.replicates, replicates.keep_replicates)
    data = usable_data(columns, search.missing, search.on_degenerate, search.threads)
    test, why = search.test, "as asked"
    if test == "auto":
        test, why = choose_test(data.columns, search.missing, search.backend)
    check_columns(test, data.columns)
    if data.columns.clusters and not takes_effective_n(test):
        raise ValueError(
            f"cluster needs a test that can be told how many rows the clustered ones are worth, and {_name(test)!r} "
            "only sees rows; pass test='fisherz' or 'spearman', or give it one row a cluster"
        )
    if test == "fisherz":
        check_independent(data)
    _check_missing(test, data)
    effect = design_effect(data.columns.values, data.columns.levels, data.columns.clusters)
    share = small_sample_share(data.columns.clusters, search.alpha)
    rows = effective_rows(share * data.columns.n, effect.sample)
    if rows.n <= 3:
        raise ValueError(
            f"cluster {data.columns.cluster_names} leaves {data.columns.n} rows worth {rows.n:.1f} independent ones, "
            "too few for a test; collect more clusters"
        )
    replication = None
    if replicates.replicates:
        replication = plan_replication(replicates, data.columns, effect, takes_effective_n(test))
    flags = None
    if search.knowledge:
        flags = search.knowledge.matrices(data.columns.names, data.excluded)
    return Study(data, test, why, rows, flags, replication)


def _without_broken(responses: Any) -> tuple[Any, tuple[str, ...]]:
    """Responses without the answers of broken edits, and a note for each; anything else as it is."""
    if not callable(getattr(responses, "without_broken", None)):
        return responses, ()
    from pyvalue.broken_edits import working_answers  # here, so that an array needs no pandas

    return working_answers(responses)


def _check_missing(test: Any, data: UsableData) -> None:
    if test == "fisherz":
        return
    columns = data.columns
    holes = [
        name
        for name, values, levels in zip(columns.names, columns.values, columns.levels, strict=True)
        if (has_missing(values) if levels is None else bool((values < 0).any()))
    ]
    if holes:
        raise ValueError(
            f"missing='test-wise' is for numbers and test='fisherz', got {_name(test)!r} and missing entries in "
            f"{', '.join(holes)}; pass missing='drop'"
        )


def _graph(study: Study, found: Found, search: SearchOptions, replicates: BootstrapOptions) -> ValueGraph:
    columns = study.data.columns
    for note in found.notes:
        warnings.warn(note, DegenerateDataWarning, stacklevel=3)
    replication = study.replication
    settings = DiscoverySettings(
        alpha=search.alpha,
        n=columns.n,
        test=_name(study.test),
        test_reason=study.why,
        backend=search.backend,
        max_depth=search.max_depth,
        uc_rule=search.uc_rule,
        uc_priority=search.uc_priority,
        effective_n=study.rows.n,
        cluster=columns.cluster_names,
        knowledge=search.knowledge,
        replicates=replicates.replicates,
        scheme=replication.scheme if replication else None,
        replicate_size=replicates.replicate_size if replication else None,
        replicate_effective_n=replication.rows.n if replication else None,
        shuffle_columns=replicates.shuffle_columns if replication else None,
        seed=replicates.seed if replication else None,
        threads=search.threads,
    )
    return ValueGraph(
        columns.names,
        found.marks,
        settings,
        found.sets,
        found.frequencies,
        study.data.excluded,
        (*study.data.notes, *found.notes),
        replicate_graphs=found.replicate_graphs,
    )


def _name(test: Any) -> str:
    return test if isinstance(test, str) else test.name
