"""Graphs by hand and from networkx, held to networkx."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyvalue.given_graphs import as_value_graph, graph_from_edges, graph_from_networkx
from pyvalue.graph import ValueGraph


def test_edges_are_those_that_were_given() -> None:
    graph = graph_from_edges(["a", "b", "c", "d"], [("c", "a")], [("d", "b")], origin="a talk with a colleague")
    assert graph.directed_edges() == [("c", "a")] and graph.undirected_edges() == [("b", "d")]
    assert graph.settings.test_reason == "a talk with a colleague"
    assert ValueGraph.from_dict(graph.to_dict()) == graph


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1])))
def test_reachability_is_that_of_networkx(pairs: set[tuple[int, int]]) -> None:
    theirs: nx.DiGraph = nx.DiGraph()
    theirs.add_nodes_from(range(6))
    theirs.add_edges_from(pairs)
    ours = as_value_graph(theirs)
    for node in theirs:
        assert ours.possible_descendants(str(node)) == {str(other) for other in nx.descendants(theirs, node)}
    assert as_value_graph(ours) is ours


@pytest.mark.parametrize(
    ("arguments", "fault", "message"),
    [
        ((["a", "b"], [("a", "x")]), ValueError, "directed: 'x' is not among the values a, b"),
        ((["a", "b"], [("a", "a")]), ValueError, "directed: expected edges between two values"),
        ((["a", "b"], [("a", "b")], [("b", "a")]), ValueError, "undirected: there is more than one edge"),
        ((["a", "b"], ["ab"]), TypeError, "directed must hold pairs"),
        (("ab",), TypeError, "values must be a list"),
        ((["a", "a"],), ValueError, "names must be distinct"),
    ],
)
def test_edges_that_make_no_graph(arguments: tuple[Any, ...], fault: type[Exception], message: str) -> None:
    with pytest.raises(fault, match=message):
        graph_from_edges(*arguments)


def test_lines_of_networkx_are_undirected() -> None:
    assert graph_from_networkx(nx.Graph([("a", "b")])).undirected_edges() == [("a", "b")]


def test_other_graphs_are_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a ValueGraph, a graph of networkx, .* got list"):
        as_value_graph([])
    with pytest.raises(TypeError, match="expected a networkx Graph or DiGraph, got list"):
        graph_from_networkx([])
