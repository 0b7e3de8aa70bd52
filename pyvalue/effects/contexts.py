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
from pyvalue.effects.contexts_graphs import ContextGraphs, edge_signs
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
    edits: Sequence[str] | None = None,
    scheme: Scheme = "pairs",
    score: Score = "corrected",
    alpha: float = 0.05,
    cluster: str | None = "persona",
    test: Any = "auto",
    uc_rule: int | str = "majority",
    uc_priority: int = 2,
    max_depth: int | None = None,
    knowledge: Knowledge | None = None,
    threads: int | None = None,
) -> ContextGraphs:
    """Search for the graph between values with edits as variables that nothing causes.

    Args:
        data: with unedited rows and rows under edits; see ``pyvalue.wide_scores.score_rows``. Edits that broke the
            model are left out and named.
        edits: labels to use; None for all.
        scheme: "pairs": one graph for each edit, from the rows without an edit and the rows under it, with one 0/1
            column; then a vote. "joint": one graph from all rows, with a 0/1 column for each edit. "regime": one graph
            from all rows, with one column of categories that says which edit; it has an arrow to a value that any
            edit changes. In 200 simulated studies (bench/bench_contexts.py) "joint" directed 65% of the true edges
            rightly, "pairs" 58%, and observation of as many rows 49%; with errors of measurement 61%, 44% and 47%.
            "pairs" shows where edits disagree, and an edit that does more than shift means spoils its own graph only.
        score: of ``Responses``.
        alpha: level of the tests.
        cluster: "persona": rows of a persona belong together. Only personas with all rows of a graph are used, and
            changes are judged within personas. None: rows are taken for independent, which is right where every row
            has a persona of its own; with personas repeated over edits, tests of an edit miss what it does.
        test: "auto": the linear test of ``pyvalue.effects.contexts_test`` with ``cluster``; Fisher's z without;
            degenerate_gaussian for "regime". Others are those of ``pyvalue.discover``.
        uc_rule: as in ``pyvalue.discover``. The default takes more tests than that of ``discover``. In 30 simulated
            studies it lowered the wrong arrows of scheme "joint" from 29% to 19% of the true edges that were found.
        uc_priority: as in ``pyvalue.discover``.
        max_depth: as in ``pyvalue.discover``.
        knowledge: about the values, besides.
        threads: as in ``pyvalue.discover``; never changes the result.

    Raises:
        ValueError: there are no unedited rows, no edit is left, fewer than 10 personas have the rows, or an
            argument is out of range.
        TypeError: ``data``, ``edits`` or ``knowledge`` is of the wrong type.
    """
    _check(scheme, cluster, knowledge)
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
    if scheme == "pairs":
        return _pairs(tables, names, values, search, left_out, notes)
    return _one_graph(scheme, tables, names, values, search, left_out, notes)


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
    if not graphs:
        raise ValueError(f"data: no edit could be used: {'; '.join(f'{e}: {why}' for e, why in left_out.items())}")
    table = tally(graphs, values)
    marks, conflicts = vote(table, values)
    settings = replace(
        next(iter(graphs.values())).settings,
        n=sum(graph.settings.n for graph in graphs.values()),
        test_reason=f"vote of {len(graphs)} graphs",
        knowledge=search.knowledge or None,
    )
    combined = ValueGraph(tuple(values), marks, settings)
    return _result("pairs", graphs, contexts, combined, table, conflicts, left_out, notes)


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
    settings = replace(graph.settings, knowledge=search.knowledge or None)
    combined = ValueGraph(
        tuple(graph.names[i] for i in kept), graph.marks[np.ix_(kept, kept)], settings, excluded=graph.excluded
    )
    return _result(scheme, {scheme: graph}, contexts, combined, tally({scheme: graph}, values), [], left_out, notes)


def _result(
    scheme: str,
    graphs: dict[str, ValueGraph],
    contexts: dict[str, str],
    combined: ValueGraph,
    table: pd.DataFrame,
    conflicts: list[str],
    left_out: dict[str, str],
    notes: list[str],
) -> ContextGraphs:
    told = {note: None for graph in graphs.values() for note in graph.notes}
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
    # A value that is missing throughout one condition is of no use in any.
    lacking = [c for c in tables[""].columns if any(tables[edit][c].isna().all() for edit in ["", *edits])]
    parts = {edit: tables[edit].drop(columns=lacking).dropna() for edit in ["", *edits]}
    notes = [f"left out {', '.join(map(str, lacking))}: missing in every row of a condition"] if lacking else []
    before = max(len(tables[edit]) for edit in parts)
    if paired:
        shared = parts[""].index
        for part in parts.values():
            shared = shared[shared.isin(part.index)]
        if len(shared) < FEWEST_CLUSTERS:
            raise ValueError(
                f"{len(shared)} personas have complete rows without an edit and under {', '.join(edits)}, at least "
                f"{FEWEST_CLUSTERS} are needed; measure more personas, or choose edits with the same ones"
            )
        parts = {edit: part.loc[shared] for edit, part in parts.items()}
        if len(shared) < before:
            notes.append(f"left out {before - len(shared)} personas without complete rows in every condition")
    sizes = [len(part) for part in parts.values()]
    personas = np.tile(np.arange(sizes[0]), len(sizes)) if paired else np.arange(sum(sizes))
    return parts, personas, notes


def _free_name(name: str, values: Sequence[str]) -> str:
    while name in values:
        name = f"({name})"
    return name


def _check(scheme: Any, cluster: Any, knowledge: Any) -> None:
    if scheme not in SCHEMES:
        raise ValueError(f"scheme: expected one of {', '.join(SCHEMES)}, got {scheme!r}")
    if cluster not in ("persona", None):
        raise ValueError(f"cluster: expected 'persona' or None, got {cluster!r}")
    if knowledge is not None and not isinstance(knowledge, Knowledge):
        raise TypeError(f"knowledge: expected a pyvalue.Knowledge or None, got {knowledge!r}")
