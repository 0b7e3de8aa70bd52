"""ValueGraph: what it says, what it converts to, what it refuses."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from pyvalue.discovery import discover
from pyvalue.edge_frequencies import EdgeFrequencies, wilson_interval
from pyvalue.errors import PyvalueError, StoreError
from pyvalue.graph import ARROW, TAIL, DiscoverySettings, ValueGraph

SETTINGS = DiscoverySettings(alpha=0.05, n=100)


def graph_of(edges: str, **options: object) -> ValueGraph:
    """Edges like "a>b b-c c=d" for a → b, b — c, c ↔ d, over all letters up to the last."""
    names = tuple("abcdefgh"[: max("abcdefgh".index(c) for edge in edges.split() for c in edge[::2]) + 1])
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    for a, kind, b in edges.split():
        i, j = names.index(a), names.index(b)
        marks[i, j], marks[j, i] = {">": (TAIL, ARROW), "-": (TAIL, TAIL), "=": (ARROW, ARROW)}[kind]
    return ValueGraph(names, marks, options.pop("settings", SETTINGS), **options)


MIXED = graph_of("a>b b-c c>d d=e f>b", separating_sets={("a", "c"): ("b",)}, notes=("a note",), excluded={"k": "why"})


@pytest.fixture(scope="module")
def bootstrapped() -> ValueGraph:
    rng = np.random.default_rng(0)
    a, b, c, d = rng.standard_normal((4, 300))
    x = np.column_stack([a, b, a + b + 0.5 * c, d, 0.2 * a + d + c[::-1]])
    return discover(x, names=["a", "b", "c", "d", "e"], bootstrap=200)


def test_edges() -> None:
    assert MIXED.directed_edges() == [("a", "b"), ("c", "d"), ("f", "b")]
    assert MIXED.undirected_edges() == [("b", "c")]
    assert MIXED.bidirected_edges() == [("d", "e")]
    assert MIXED.has_edge("c", "b") and not MIXED.has_edge("a", "c")


def test_separating_set() -> None:
    assert MIXED.separating_set("c", "a") == ("b",)
    assert MIXED.separating_set("a", "f") == ()
    assert MIXED.separating_set("a", "b") is None


def test_descendants() -> None:
    assert MIXED.definite_descendants("a") == {"b"}
    assert MIXED.possible_descendants("a") == {"b", "c", "d"}
    assert MIXED.possible_descendants("d") == set()  # ↔ is no path
    assert MIXED.possible_descendants("b") == {"c", "d"}
    with pytest.raises(ValueError, match="'z' is not in the graph; it has a, b, c, d, e, f"):
        MIXED.definite_descendants("z")


def test_descendants_on_long_and_cyclic_paths() -> None:
    assert graph_of("a>b b>c c>d d>e").definite_descendants("a") == {"b", "c", "d", "e"}
    assert graph_of("a>b b>c c>a").definite_descendants("a") == {"b", "c"}


def test_descendants_match_networkx() -> None:
    rng = np.random.default_rng(1)
    for seed in range(20):
        graph = discover(rng.standard_normal((60, 7)) @ rng.uniform(-1, 1, (7, 7)), alpha=0.1, seed=seed)
        walks = nx.DiGraph(graph.directed_edges())
        walks.add_nodes_from(graph.names)
        possible = nx.DiGraph(walks)
        possible.add_edges_from([pair[::order] for pair in graph.undirected_edges() for order in (1, -1)])
        for value in graph.names:
            assert graph.definite_descendants(value) == nx.descendants(walks, value)
            assert graph.possible_descendants(value) == nx.descendants(possible, value)
            assert graph.definite_descendants(value) <= graph.possible_descendants(value)


def test_valid_cpdag() -> None:
    assert graph_of("a>c b>c").is_valid_cpdag()
    assert graph_of("a-b b-c").is_valid_cpdag()
    assert not graph_of("a>b b>c c>a").is_valid_cpdag()
    assert not graph_of("a>b").is_valid_cpdag()
    assert not MIXED.is_valid_cpdag()


def test_immutable() -> None:
    with pytest.raises(AttributeError):
        MIXED.names = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        MIXED.marks[0, 1] = 0
    with pytest.raises(TypeError):
        MIXED.excluded["a"] = "b"  # type: ignore[index]
    marks = MIXED.marks.copy()
    graph = ValueGraph(MIXED.names, marks, SETTINGS)
    marks[:] = 0
    assert len(graph.directed_edges()) == 3


def test_equality_ignores_threads_alone() -> None:
    same = graph_of("a>b", settings=DiscoverySettings(alpha=0.05, n=100, threads=8))
    assert same == graph_of("a>b") and hash(same) == hash(graph_of("a>b"))
    assert graph_of("a>b") != graph_of("b>a")
    assert graph_of("a>b") != graph_of("a>b", settings=DiscoverySettings(alpha=0.01, n=100))
    assert graph_of("a>b") != graph_of("a>b", notes=("note",))
    assert graph_of("a>b") != "a>b"


def test_repr() -> None:
    assert repr(graph_of("a>b b-c")) == "ValueGraph(3 values, 1 directed, 1 undirected, fisherz, alpha=0.05, n=100)"
    assert "1 bidirected" in repr(MIXED)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (np.zeros((3, 3)), r"shape \(2, 2\).*got \(3, 3\)"),
        ([[0, 2], [1, 0]], "marks must be 0"),
        ([[0, 0.5], [1, 0]], "marks must be 0"),
        ([[0, 1], [0, 0]], "at both ends"),
        ([[1, 0], [0, 0]], "0 on the diagonal"),
    ],
)
def test_bad_marks(marks: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ValueGraph(("a", "b"), marks, SETTINGS)  # type: ignore[arg-type]


def test_bad_names() -> None:
    with pytest.raises(ValueError, match="distinct strings"):
        ValueGraph(("a", "a"), np.zeros((2, 2), np.int8), SETTINGS)


def test_strengths_add_up_and_follow_the_arrow(bootstrapped: ValueGraph) -> None:
    table = bootstrapped.strengths()
    assert len(table) == 10
    kinds = table[["forward", "backward", "undirected", "bidirected", "absent"]]
    np.testing.assert_allclose(kinds.sum(axis=1), 1.0)
    np.testing.assert_allclose(table.strength, 1 - table.absent)
    present = table[table.strength > 0]
    np.testing.assert_allclose(present.direction, present.forward / present.strength)
    assert (table.strength_low <= table.strength).all() and (table.strength <= table.strength_high).all()
    assert table.strength.is_monotonic_decreasing
    assert (table.tested == 200).all()
    arrows = set(bootstrapped.directed_edges())
    rows = set(zip(table.source, table.target, strict=True))
    assert arrows and arrows <= rows
    free = [row for row in table.itertuples() if (row.source, row.target) not in arrows]
    assert all(row.forward >= row.backward for row in free)


def test_directions_have_the_interval_of_their_own_count() -> None:
    from scipy.stats import binomtest

    directed = np.array([[0, 6], [1, 0]], dtype=np.uint32)
    pair = np.array([[0, 1], [1, 0]], dtype=np.uint32)
    counts = EdgeFrequencies(12, directed, pair, 0 * pair, 2 * pair, 2 * pair)
    for edges, order in (("a>b", (6, 1)), ("b>a", (1, 6))):
        row = graph_of(edges, bootstrap=counts).strengths().iloc[0]
        for name, count in zip(("forward", "backward"), order, strict=True):
            expected = binomtest(count, 10).proportion_ci(method="wilson")  # 10 of the 12 replicates tested the pair
            assert row[name] == count / 10
            assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((expected.low, expected.high))


def test_strengths_need_a_bootstrap() -> None:
    with pytest.raises(PyvalueError, match="bootstrap=1000"):
        MIXED.strengths()


def test_counts_must_add_up() -> None:
    zero = np.zeros((2, 2), dtype=np.uint32)
    with pytest.raises(ValueError, match="add up to replicates = 3"):
        EdgeFrequencies(3, zero, zero, zero, zero, zero)
    with pytest.raises(ValueError, match=r"absent must be a \(2, 2\)"):
        EdgeFrequencies(3, zero, zero, zero, np.zeros((3, 3), dtype=np.uint32), zero)


def test_wilson_interval_is_scipys() -> None:
    from scipy.stats import binomtest

    for successes, trials in ((0, 10), (3, 10), (10, 10), (500, 1000)):
        low, high = wilson_interval(np.array([float(successes)]), np.array([float(trials)]))
        expected = binomtest(successes, trials).proportion_ci(method="wilson")
        assert low[0] == pytest.approx(expected.low) and high[0] == pytest.approx(expected.high)


def test_to_frame() -> None:
    frame = MIXED.to_frame()
    assert list(frame.columns) == ["source", "target", "edge"]
    assert frame.edge.value_counts().to_dict() == {"directed": 3, "undirected": 1, "bidirected": 1}


def test_to_networkx(bootstrapped: ValueGraph) -> None:
    graph = MIXED.to_networkx()
    assert not graph.is_directed() and set(graph) == set(MIXED.names) and graph.number_of_edges() == 5
    assert graph.edges["b", "c"] == {"kind": "undirected"}
    assert graph.edges["b", "a"] == {"kind": "directed", "source": "a", "target": "b"}
    arrows = MIXED.to_networkx(directed_only=True)
    assert arrows.is_directed() and set(arrows) == set(MIXED.names)
    assert set(arrows.edges) == set(MIXED.directed_edges())
    assert all(0 < strength <= 1 for *_, strength in bootstrapped.to_networkx().edges(data="strength"))


def test_to_dot() -> None:
    dot = MIXED.to_dot()
    assert '"a" -> "b";' in dot and '"b" -> "c" [dir=none];' in dot and '"d" -> "e" [dir=both];' in dot
    assert '"c" -> "b"' not in dot
    quoted = ValueGraph(('say "hi"', "b\\"), np.zeros((2, 2), np.int8), SETTINGS).to_dot()
    assert '"say \\"hi\\""' in quoted and '"b\\\\"' in quoted


def test_to_causallearn() -> None:
    pytest.importorskip("causallearn")
    theirs = MIXED.to_causallearn()
    assert theirs.get_node_names() == list(MIXED.names)
    np.testing.assert_array_equal(theirs.graph, MIXED.marks)


def test_to_causallearn_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "causallearn.graph.Edge", None)
    with pytest.raises(ModuleNotFoundError, match="pip install causal-learn"):
        MIXED.to_causallearn()


def test_save_and_load(tmp_path: Path, bootstrapped: ValueGraph) -> None:
    for graph in (MIXED, bootstrapped):
        path = graph.save(tmp_path / "graph.json")
        assert ValueGraph.load(path) == graph
        assert [file.name for file in tmp_path.iterdir()] == ["graph.json"]
        assert pickle.loads(pickle.dumps(graph)) == graph
        assert copy.deepcopy(graph) == graph


def test_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = MIXED.save(tmp_path / "graph.json")

    def no_space(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", no_space)
    with pytest.raises(StoreError, match="no space"):
        graph_of("a>b").save(path)
    assert ValueGraph.load(path) == MIXED
    assert [file.name for file in tmp_path.iterdir()] == ["graph.json"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema_version is 99; this version of pyvalue reads 1"),
        ({"names": None}, "names must be a list, got NoneType"),
        ({"names": ["a", "b"]}, "'c' is not among names"),
        ({"edges": [{"source": "a", "target": "b", "edge": "dotted"}]}, "edge is 'dotted'"),
        ({"edges": [{"source": "a", "edge": "directed"}]}, "target is missing"),
        ({"edges": [{"source": "a", "target": "a", "edge": "directed"}]}, "must be two values"),
        ({"settings": {"alpha": 0.05}}, "settings.n must be a number"),
        ({"settings": {"alpha": 0.05, "n": 3, "colour": 1}}, "unknown entries colour"),
        ({"separating_sets": [{"pair": ["a", "z"], "set": []}]}, "'z' is not among names"),
        ({"bootstrap": {"replicates": 3}}, "bootstrap lacks directed"),
    ],
)
def test_load_says_what_is_wrong(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(MIXED.to_dict() | change))
    with pytest.raises(StoreError, match=message):
        ValueGraph.load(path)


def test_load_of_what_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text("{")
    with pytest.raises(StoreError, match="is not a saved ValueGraph"):
        ValueGraph.load(path)
    with pytest.raises(FileNotFoundError):
        ValueGraph.load(tmp_path / "absent.json")
