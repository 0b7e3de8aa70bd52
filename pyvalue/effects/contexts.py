"""Causal discovery with edits as context variables: assigned from outside, caused by nothing that is measured.

Joint Causal Inference (Mooij, Magliacane & Claassen 2020, JMLR 21), with PC as the search. Edits are assigned and
crossed with personas, so assumptions 1 to 3 hold by design: no value causes an edit, nothing causes both an edit and
a value, and what edits have to do with each other is known. Which values an edit changes need not be known. It finds
directions and targets; the sizes of effects are :mod:`pyvalue.effects.direct_hits`.

What the tests see of an edit is a shift of means. An edit that changes only spreads or slopes is not noticed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.discovery.api import discover
from pyvalue.discovery.clusters import FEWEST_CLUSTERS
from pyvalue.effects.contexts_graphs import ContextGraphs, edge_signs, established, stable_shares
from pyvalue.effects.contexts_rows import chosen_edits, unchanged_values, without_broken
from pyvalue.effects.contexts_test import clustered_test
from pyvalue.effects.contexts_vote import tally, vote
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.knowledge import Knowledge
from pyvalue.responses import Score
from pyvalue.wide_scores import score_rows

Scheme = Literal["pairs", "joint", "regime"]
SCHEMES = ("pairs", "joint", "regime")

#: what "regime" calls its one column, and its targets
ANY_EDIT = "any edit"


@dataclass(frozen=True)
class _Search:
    """How every graph is searched."""

    options: dict[str, Any]
    test: Any
    paired: bool
    knowledge: Knowledge


def discover_with_contexts(
    data: Any,
    *,
    edits: Sequence[str | int] | None = None,
    scheme: Scheme = "joint",
    score: Score = "corrected",
    alpha: float = 0.05,
    cluster: str | None = "persona",
    test: Any = "auto",
    uc_rule: int | str = "majority",
    uc_priority: int = 4,
    max_depth: int | None = None,
    knowledge: Knowledge | None = None,
    threads: int | None = None,
    orders: int = 0,
) -> ContextGraphs:
    """Search for the graph between values with edits as variables that nothing causes.

    Args:
        data: with unedited rows and rows under edits; see ``pyvalue.wide_scores.score_rows``. Edits that broke the
            model are left out and named.
        edits: labels to use; None for all.
        scheme: "joint": one graph from all rows, with a 0/1 column for each edit; where fewer than 10 personas have
            all of these rows, "pairs" is taken, and ``notes`` say so. "pairs": one graph for each edit, from the rows
            without an edit and the rows under it, with one 0/1 column; then a vote. "regime": one graph from all rows,
            with one column of categories that says which edit; it has an arrow to a value that any edit changes.
            In 200 simulated studies (bench/bench_contexts.py) "joint" directed 68% of the true edges rightly, "pairs"
            60%, and observation of as many rows 49%; with errors of measurement 61%, 45% and 49%. "pairs" shows where
            edits disagree, and an edit that does more than shift means spoils its own graph only; but it misses more,
            and calls more values a target that are none.
        score: of ``Responses``.
        alpha: level of the tests.
        cluster: "persona": rows of a persona belong together. Only personas with all rows of a graph are used, and
            changes are judged within personas. None: rows are taken for independent, which is right where every row
            has a persona of its own; with personas repeated over edits, tests of an edit miss what it does.
        test: "auto": the linear test of ``pyvalue.effects.contexts_test`` with ``cluster``; Fisher's z without;
            degenerate_gaussian for "regime". Others are those of ``pyvalue.discover``.
        uc_rule: as in ``pyvalue.discover``. The default takes more tests than that of ``discover``. In 30 simulated
            studies it lowered the wrong arrows of scheme "joint" from 29% to 19% of the true edges that were found.
        uc_priority: as in ``pyvalue.discover``. The default, the collider with more evidence, depends least on the
            order of the columns (see ``orders``).
        max_depth: as in ``pyvalue.discover``.
        knowledge: about the values, besides.
        threads: as in ``pyvalue.discover``; never changes the result.
        orders: other orders of the columns to search as well, each for as long as the first. Where tests contradict
            each other, directions can depend on the order; ``orientations["stable"]`` is the share of these searches
            that give a pair the same edge in ``combined``.

    Raises:
        ValueError: there are no unedited rows, no edit is left, fewer than 10 personas have the rows, or an
            argument is out of range.
        TypeError: ``data``, ``edits`` or ``knowledge`` is of the wrong type.
    """
    _check(scheme, cluster, knowledge, orders)
    kept, left_out = without_broken(data, score)
    rows = score_rows(kept, score)
    labels = rows.index.get_level_values("edit")
    if not (labels == "").any():
        raise ValueError(
            "data: expected rows without an edit (an empty label), to compare the edits with, got none; measure the "
            "same personas unedited and add them"
        )
    chosen = chosen_edits(labels, edits, left_out)
    tables = {edit: rows.xs(edit, level="edit") for edit in ["", *chosen]}
    notes = [f"edit {edit!r} changed no score" for edit in chosen if unchanged_values(tables[""], tables[edit])]
    search = _Search(
        {"alpha": alpha, "uc_rule": uc_rule, "uc_priority": uc_priority, "max_depth": max_depth, "threads": threads},
        test,
        cluster is not None,
        knowledge or Knowledge(),
    )
    values = [str(name) for name in rows.columns]
    names = {_free_name(f"edit {edit}", values): edit for edit in chosen}
    if scheme == "joint" and search.paired:
        tables, names = _with_enough(tables, names, left_out)
        if short := _too_few(tables, list(names.values())):
            scheme = "pairs"
            notes.append(f'scheme "pairs" instead of "joint": {short}')
    one = _by_scheme(scheme, tables, names, values, search, left_out, notes)
    others = []
    for order in _orders(len(values), orders):
        turned = {edit: table.iloc[:, order] for edit, table in tables.items()}
        others.append(_by_scheme(scheme, turned, names, [values[i] for i in order], search, {}, []).combined)
    return replace(one, orientations=one.orientations.assign(stable=stable_shares(one.orientations, others)))


def _by_scheme(scheme: str, tables: dict[str, pd.DataFrame], *rest: Any) -> ContextGraphs:
    return _pairs(tables, *rest) if scheme == "pairs" else _one_graph(scheme, tables, *rest)


def _orders(count: int, orders: int) -> list[list[int]]:
    """Orders of the columns: the reverse, which turns every pair around, and then random ones."""
    rng = np.random.default_rng(0)
    return [rng.permutation(count).tolist() if number else list(range(count))[::-1] for number in range(orders)]


def _with_enough(
    tables: dict[str, pd.DataFrame], names: dict[str, str], left_out: dict[str, str]
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Without edits that have too few personas even by themselves; a single one stays, to be complained of."""
    few = {edit: why for edit in names.values() if (why := _too_few(tables, [edit]))}
    if len(few) == len(names):
        return tables, names
    left_out.update(few)
    return (
        {edit: table for edit, table in tables.items() if edit not in few},
        {name: edit for name, edit in names.items() if edit not in few},
    )


def _too_few(tables: dict[str, pd.DataFrame], edits: list[str]) -> str:
    """Why no graph can be made from the rows of these edits together, or ""."""
    shared = len(_complete(tables, edits)[1])
    if shared >= FEWEST_CLUSTERS:
        return ""
    return (
        f"{shared} personas have complete rows without an edit and under {', '.join(edits)}, at least "
        f"{FEWEST_CLUSTERS} are needed; measure more personas, or choose edits with the same ones"
    )


def _pairs(
    tables: dict[str, pd.DataFrame],
    names: dict[str, str],
    values: list[str],
    search: _Search,
    left_out: dict[str, str],
    notes: list[str],
) -> ContextGraphs:
    graphs, contexts = {}, {}
    for name, edit in names.items():
        try:
            graphs[edit] = _search(tables, [edit], {name: [edit]}, values, search)
        except ValueError as fault:
            if len(names) == 1:
                raise
            left_out[edit] = str(fault)
            continue
        contexts[name] = edit
    if not graphs and len(alike := {left_out[edit] for edit in names.values()}) == 1:
        raise ValueError(alike.pop())  # of an argument, and not of edits
    if not graphs:
        raise ValueError(f"data: no edit could be used: {'; '.join(f'{e}: {why}' for e, why in left_out.items())}")
    table = tally(graphs, values)
    marks, conflicts = vote(table, values)
    settings = replace(
        next(iter(graphs.values())).settings,
        n=sum(graph.settings.n for graph in graphs.values()),
        test_reason=f"vote of {len(graphs)} graphs",
    )
    combined = established(ValueGraph(tuple(values), marks, settings), search.knowledge)
    personas = min(graph.settings.n // 2 for graph in graphs.values()) if search.paired else None
    return _result("pairs", graphs, contexts, combined, table, conflicts, left_out, notes, personas)


def _one_graph(
    scheme: str,
    tables: dict[str, pd.DataFrame],
    names: dict[str, str],
    values: list[str],
    search: _Search,
    left_out: dict[str, str],
    notes: list[str],
) -> ContextGraphs:
    edits = list(names.values())
    if scheme == "joint":
        columns, contexts = {name: [edit] for name, edit in names.items()}, dict(names)
    else:
        name = _free_name("edit", values)
        columns, contexts = {name: edits}, {name: ANY_EDIT}
    graph = _search(tables, edits, columns, values, search)
    kept = [i for i, name in enumerate(graph.names) if name not in contexts]
    own = ValueGraph(
        tuple(graph.names[i] for i in kept), graph.marks[np.ix_(kept, kept)], graph.settings, excluded=graph.excluded
    )
    combined = established(own, search.knowledge)
    personas = graph.settings.n // (1 + len(edits)) if search.paired else None
    table = tally({scheme: graph}, values)
    return _result(scheme, {scheme: graph}, contexts, combined, table, [], left_out, notes, personas)


def _result(
    scheme: str,
    graphs: dict[str, ValueGraph],
    contexts: dict[str, str],
    combined: ValueGraph,
    table: pd.DataFrame,
    conflicts: list[str],
    left_out: dict[str, str],
    notes: list[str],
    personas: int | None,
) -> ContextGraphs:
    told = {note: None for graph in (*graphs.values(), combined) for note in graph.notes}
    targets: dict[str, tuple[str, ...]] = {}
    for key, graph in graphs.items():
        for name, edit in contexts.items():
            if name in graph.names:
                targets[edit] = tuple(b for a, b in graph.directed_edges() if a == name)
            elif scheme != "pairs" or key == edit:
                targets[edit] = ()
    return ContextGraphs(
        scheme,
        graphs,
        contexts,
        targets,
        combined,
        table.assign(edge=edge_signs(combined, table)),
        tuple(conflicts),
        left_out,
        (*notes, *told),
        personas,
    )


def _search(
    tables: dict[str, pd.DataFrame],
    edits: list[str],
    columns: dict[str, list[str]],
    values: list[str],
    search: _Search,
) -> ValueGraph:
    """One graph from the rows without an edit and those under ``edits``.

    Args:
        columns: name of a context column -> the edit that it is 1 for, or the edits whose labels it holds.
    """
    parts, personas, dropped = _rows(tables, edits, search.paired)
    frame = pd.concat(parts.values(), ignore_index=True)
    label = np.repeat(list(parts), [len(part) for part in parts.values()])
    for name, own in columns.items():
        # Named, because labels such as "14351" and "" would be read as numbers with a hole.
        frame[name] = (label == own[0]).astype(float) if len(own) == 1 else [f"edit {one}" for one in label]
    regime = len(edits) > 1 and len(columns) == 1
    test = search.test
    if test == "auto":
        test = "degenerate_gaussian" if regime else clustered_test(personas) if search.paired else "fisherz"
    own_clusters = search.paired and isinstance(test, str)
    knowledge = replace(search.knowledge, context=(*search.knowledge.context, *columns))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        graph = discover(
            frame, test=test, knowledge=knowledge, cluster=personas if own_clusters else None, **search.options
        )
    notes = dict.fromkeys([*graph.notes, *dropped, *(str(warning.message) for warning in told)])
    reason = "robust to clusters of one persona's rows" if not isinstance(test, str) else graph.settings.test_reason
    settings: DiscoverySettings = replace(
        graph.settings, test_reason=reason, cluster=("persona",) if search.paired else ()
    )
    return replace(graph, settings=settings, notes=tuple(notes))


def _rows(
    tables: dict[str, pd.DataFrame], edits: list[str], paired: bool
) -> tuple[dict[str, pd.DataFrame], NDArray[np.int64], list[str]]:
    """Complete rows of each condition, the persona's number of every row, and what was left out."""
    parts, shared, lacking = _complete(tables, edits)
    notes = [f"left out {', '.join(map(str, lacking))}: missing in every row of a condition"] if lacking else []
    before = max(len(tables[edit]) for edit in parts)
    if paired:
        if short := _too_few(tables, edits):
            raise ValueError(short)
        parts = {edit: part.loc[shared] for edit, part in parts.items()}
        if len(shared) < before:
            notes.append(
                f"left out {before - len(shared)} of {before} personas without complete rows in every condition"
            )
    sizes = [len(part) for part in parts.values()]
    personas = np.tile(np.arange(sizes[0]), len(sizes)) if paired else np.arange(sum(sizes))
    return parts, personas, notes


def _complete(tables: dict[str, pd.DataFrame], edits: list[str]) -> tuple[dict[str, pd.DataFrame], pd.Index, list[Any]]:
    """Complete rows of each condition, the personas with all of them, and values that no row of a condition has."""
    conditions = ["", *edits]
    # A value that is missing throughout one condition is of no use in any.
    lacking = [c for c in tables[""].columns if any(tables[edit][c].isna().all() for edit in conditions)]
    parts = {edit: tables[edit].drop(columns=lacking).dropna() for edit in conditions}
    shared = parts[""].index
    for part in parts.values():
        shared = shared[shared.isin(part.index)]
    return parts, shared, lacking


def _free_name(name: str, values: Sequence[str]) -> str:
    while name in values:
        name = f"({name})"
    return name


def _check(scheme: Any, cluster: Any, knowledge: Any, orders: Any) -> None:
    if not isinstance(orders, int) or isinstance(orders, bool) or orders < 0:
        raise ValueError(f"orders: expected a whole number of at least 0, got {orders!r}")
    if scheme not in SCHEMES:
        raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)}, got {scheme!r}")
    if cluster not in ("persona", None):
        raise ValueError(f"cluster: expected 'persona' or None, got {cluster!r}")
    if knowledge is not None and not isinstance(knowledge, Knowledge):
        raise TypeError(f"knowledge: expected a pyvalue.Knowledge or None, got {knowledge!r}")
