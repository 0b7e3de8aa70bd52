"""ReplicateGraphs: the codes mean the marks that they should, come back from JSON, and refuse what is no graph."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyvalue.discovery import discover
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import StoreError
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.replicate_graphs import ReplicateGraphs

SETTINGS = DiscoverySettings(alpha=0.05, n=100)

# Pairs of four values in order: ab ac ad bc bd cd.
TWO = ReplicateGraphs(np.array([[1, 2, 3, 4, 5, 0], [0, 0, 1, 0, 0, 1]], dtype=np.uint8))


@st.composite
def replicate_graphs(draw: st.DrawFn) -> ReplicateGraphs:
    size, replicates = draw(st.integers(0, 6)), draw(st.integers(1, 5))
    pairs = size * (size - 1) // 2
    codes = draw(st.lists(st.integers(0, 5), min_size=pairs * replicates, max_size=pairs * replicates))
    return ReplicateGraphs(np.array(codes, dtype=np.uint8).reshape(replicates, pairs))


def codes_of(graph: ValueGraph) -> NDArray[np.uint8]:
    """The codes of a graph, pair by pair, from the edges that it lists."""
    size = len(graph.names)
    place = {pair: column for column, pair in enumerate((i, j) for i in range(size) for j in range(i + 1, size))}
    codes = np.zeros(len(place), dtype=np.uint8)
    for a, b, kind in graph.edges():
        i, j = graph.names.index(a), graph.names.index(b)
        codes[place[min(i, j), max(i, j)]] = {"directed": 1 if i < j else 2, "undirected": 3, "bidirected": 4}[kind]
    return codes


def test_marks_of_every_code() -> None:
    graph = ValueGraph(tuple("abcd"), TWO.marks(0), SETTINGS)
    assert graph.directed_edges() == [("a", "b"), ("c", "a")]
    assert graph.undirected_edges() == [("a", "d")]
    assert graph.bidirected_edges() == [("b", "c")]
    assert not graph.has_edge("b", "d") and not graph.has_edge("c", "d")
    assert TWO.marks(0).dtype == np.int8


def test_marks_of_graphs_that_were_found() -> None:
    rng = np.random.default_rng(0)
    graphs = [discover(rng.standard_normal((80, 6)) @ rng.uniform(-1, 1, (6, 6)), alpha=0.1) for _ in range(20)]
    kept = ReplicateGraphs(np.stack([codes_of(graph) for graph in graphs]))
    assert len(kept) == 20 and kept.n_values == 6
    for graph, marks in zip(graphs, kept, strict=True):
        np.testing.assert_array_equal(marks, graph.marks)


def test_length_and_position() -> None:
    assert len(TWO) == 2 and len(list(TWO)) == 2
    np.testing.assert_array_equal(TWO[-1], TWO.marks(1))
    assert np.argwhere(TWO[1] == -1).tolist() == [[0, 3], [2, 3]]
    for outside in (2, -3):
        with pytest.raises(IndexError, match=f"below the number of replicates, 2, got {outside}"):
            TWO.marks(outside)
    with pytest.raises(TypeError):
        TWO[0.5]  # type: ignore[index]


def test_share_of_what_concerns_several_edges() -> None:
    def reaches_d(marks: NDArray[np.int8]) -> bool:
        arrows = nx.from_numpy_array((marks == -1) & (marks.T == 1), create_using=nx.DiGraph)
        return nx.has_path(arrows, 2, 3)

    assert TWO.share(reaches_d) == 0.5
    assert TWO.share(lambda marks: bool(marks[0, 3] == -1)) == 1.0
    assert TWO.share(lambda marks: False) == 0.0


@settings(deadline=None)
@given(replicate_graphs())
def test_dictionary_and_pickle_give_the_same_graphs(graphs: ReplicateGraphs) -> None:
    text = json.dumps(graphs.to_dict())
    for same in (
        ReplicateGraphs.from_dict(json.loads(text)),
        pickle.loads(pickle.dumps(graphs)),
        copy.deepcopy(graphs),
    ):
        assert same == graphs and hash(same) == hash(graphs)
        assert not same.codes.flags.writeable
    assert [len(row) for row in json.loads(text)["replicates"]] == [graphs.codes.shape[1]] * len(graphs)


def test_digits() -> None:
    assert TWO.to_dict() == {"replicates": ["123450", "001001"]}


def test_equality() -> None:
    changed = TWO.codes.copy()
    changed[1, 5] = 2
    assert ReplicateGraphs(changed) != TWO
    assert ReplicateGraphs(TWO.codes[:1]) != TWO
    assert TWO != "TWO"


def test_immutable() -> None:
    codes = TWO.codes.copy()
    graphs = ReplicateGraphs(codes)
    codes[:] = 0
    assert graphs == TWO
    with pytest.raises(ValueError, match="read-only"):
        graphs.codes[0, 0] = 0
    with pytest.raises(AttributeError):
        graphs.codes = codes  # type: ignore[misc]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([1, 2, 3], r"shape \(R, d\(d-1\)/2\).*got shape \(3,\)"),
        (np.zeros((0, 3)), "at least one"),
        ([[0, 1]], "no d has 2 pairs"),
        ([[0, 1, 6]], "codes must be 0"),
        ([[0, 1, -1]], "codes must be 0"),
        ([[0, 1, 0.5]], "codes must be 0"),
    ],
)
def test_bad_codes(codes: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ReplicateGraphs(codes)  # type: ignore[arg-type]


def graph_with(graphs: ReplicateGraphs | None, size: int = 4, bootstrap: EdgeFrequencies | None = None) -> ValueGraph:
    marks = np.zeros((size, size), dtype=np.int8)
    return ValueGraph(tuple("abcdefgh"[:size]), marks, SETTINGS, bootstrap=bootstrap, replicate_graphs=graphs)


def test_value_graph_keeps_them(tmp_path: Path) -> None:
    graph = graph_with(TWO)
    assert ValueGraph.load(graph.save(tmp_path / "graph.json")) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph
    assert graph != graph_with(None) and graph_with(None).replicate_graphs is None
    assert len({graph, graph_with(TWO)}) == 1
    assert "replicate_graphs" not in graph_with(None).to_dict()
    assert graph.to_dict()["schema_version"] == 1


def test_value_graph_checks_their_shape() -> None:
    with pytest.raises(ValueError, match="replicate_graphs is over 4 values, names has 3"):
        graph_with(TWO, size=3)
    none = np.zeros((4, 4), dtype=np.uint32)
    counts = EdgeFrequencies(3, none, none, none, none + 3, none)
    with pytest.raises(ValueError, match="replicate_graphs has 2 replicates, bootstrap has 3"):
        graph_with(TWO, bootstrap=counts)
    single = ReplicateGraphs(np.zeros((2, 0), dtype=np.uint8))
    assert graph_with(single, size=1).replicate_graphs == single


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (["000000"], "must be an object with replicates"),
        ({"replicates": [1]}, "a list of strings of digits"),
        ({"replicates": ["00000é"]}, "a list of strings of digits"),
        ({"replicates": ["000000", "00"]}, r"the first has 6 digits, others \[2\]"),
        ({"replicates": ["00000a"]}, "codes must be 0"),
        ({"replicates": ["00000 "]}, "codes must be 0"),
        ({"replicates": []}, "at least one"),
        ({"replicates": ["000"]}, "is over 3 values, names has 4"),
    ],
)
def test_load_says_what_is_wrong(tmp_path: Path, entry: object, message: str) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph_with(TWO).to_dict() | {"replicate_graphs": entry}))
    with pytest.raises(StoreError, match=message):
        ValueGraph.load(path)


def test_repr() -> None:
    assert repr(TWO) == "ReplicateGraphs(2 replicates, 4 values)"
