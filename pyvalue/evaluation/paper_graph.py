"""The value graph of Kang et al. (2025): PC with Fisher's z at level .05 over the training answers.

All rows of all kept features go into one table, as in the paper, although edits and personas are no independent draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pyvalue.discovery.api import discover
from pyvalue.discovery.degenerate import DegenerateDataWarning
from pyvalue.errors import PyvalueError
from pyvalue.evaluation.paper_comparison import CAUSAL_LEARN, Comparison, absent
from pyvalue.evaluation.paper_files import PaperFiles
from pyvalue.evaluation.paper_published import Published
from pyvalue.graph import ValueGraph

_WHATS = ("graph: directed edges", "graph: undirected edges", "graph: who reaches whom")


def paper_graph(files: PaperFiles, features: Sequence[str]) -> ValueGraph | str:
    """The graph, or why there is none.

    Args:
        files: with training answers.
        features: edits whose rows go in, beside the unedited ones.
    """
    if files.train is None:
        return files.lack("train") or ""
    rows = files.train[files.train.index.get_level_values("edit").isin(["", *features])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # graph.excluded and graph.notes say the same
        try:
            return discover(rows.reset_index(drop=True), test="fisherz", alpha=0.05)
        except (ValueError, PyvalueError) as fault:
            return str(fault)


def reachability(edges: Iterable[tuple[str, str]], values: Sequence[str]) -> pd.DataFrame:
    """Cause by effect: whether a path leads from one to the other along the arrows; never from a value to itself.

    Args:
        edges: arrows (cause, effect); an undirected edge is two of them.
        values: rows and columns of the table.
    """
    place = {value: index for index, value in enumerate(values)}
    reach = np.zeros((len(place), len(place)), dtype=bool)
    for cause, effect in edges:
        reach[place[cause], place[effect]] = True
    for middle in range(len(place)):  # Warshall (1962)
        reach |= reach[:, [middle]] & reach[[middle], :]
    np.fill_diagonal(reach, False)
    return pd.DataFrame(reach, index=list(values), columns=list(values))


def graph_reachability(graph: ValueGraph, values: Sequence[str]) -> pd.DataFrame:
    """``reachability`` of a graph; undirected edges are taken both ways, values left out are on no path."""
    both = [way for one, other in graph.undirected_edges() for way in ((one, other), (other, one))]
    return reachability([*graph.directed_edges(), *both], values)


def compare_graph(files: PaperFiles, graph: ValueGraph | str, stated: Published) -> list[Comparison]:
    """The rows of the reproduction that are about the graph."""
    if isinstance(graph, str):
        return [absent(what, graph) for what in _WHATS]
    directed, undirected = graph.directed_edges(), graph.undirected_edges()
    note = "; ".join([*(f"{name} is left out: {why}" for name, why in graph.excluded.items()), *graph.notes])
    if stated.directed is None:
        edges = [
            Comparison(_WHATS[0], None, str(len(directed)), None, note or "no published figure"),
            Comparison(_WHATS[1], None, _named(undirected), None, "no published figure"),
        ]
    else:
        found = frozenset(map(frozenset, undirected))
        # The repository does not list the edges of the graph, so they are compared with those of another library.
        same = (len(directed) == stated.directed, found == stated.undirected)
        edges = [
            Comparison(_WHATS[0], str(stated.directed), str(len(directed)), same[0], note, CAUSAL_LEARN),
            Comparison(_WHATS[1], _named(stated.undirected), _named(undirected), same[1], source=CAUSAL_LEARN),
        ]
    return [*edges, _compare_reachability(files, graph)]


def _compare_reachability(files: PaperFiles, graph: ValueGraph) -> Comparison:
    values = [*graph.names, *graph.excluded]
    own = graph_reachability(graph, values).to_numpy()
    computed = f"{int(own.sum())} ordered pairs"
    if files.graphs is None or files.model not in files.graphs:
        why = files.lack("graphs") or f"graphs.json has no graph {files.model!r}"
        return Comparison(_WHATS[2], None, computed, None, why)
    theirs = reachability(files.graphs[files.model], values).to_numpy()
    note = "undirected edges taken both ways"
    if not np.array_equal(own, theirs):
        note += f"; {int((own & ~theirs).sum())} pairs too many, {int((theirs & ~own).sum())} too few"
    return Comparison(_WHATS[2], f"{int(theirs.sum())} ordered pairs", computed, np.array_equal(own, theirs), note)


def _named(pairs: Iterable[Iterable[str]]) -> str:
    names = sorted(" – ".join(sorted(pair)) for pair in pairs)
    return f"{len(names)}: {', '.join(names)}" if names else "0"
