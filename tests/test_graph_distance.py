"""Distances of graphs, compared with causal-learn, gadjid and, by force, with the definition; and reference graphs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.evaluation.graph_distance import _has_cycle, adjacency, graph_distance
from pyvalue.evaluation.reference_graphs import load_reference_graphs, theory_distances, theory_graph
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.schwartz_circle import circular_distance

PAPER = Path(__file__).resolve().parents[2] / "shared" / "data" / "paper"
gadjid = pytest.importorskip("gadjid")


def graph(marks: np.ndarray, names: str | None = None) -> ValueGraph:
    letters = names or "abcdefghij"[: len(marks)]
    return ValueGraph(tuple(letters), marks, DiscoverySettings(alpha=0.05, n=100))


def arrows(edges: list[str], names: str = "abcd") -> ValueGraph:
    """A graph from texts such as "a>b", "a-b" and "a=b" for ↔."""
    marks = np.zeros((len(names), len(names)), dtype=np.int8)
    ends = {">": (-1, 1), "-": (-1, -1), "=": (1, 1)}
    for one, kind, other in edges:
        marks[names.index(one), names.index(other)], marks[names.index(other), names.index(one)] = ends[kind]
    return graph(marks, names)


def random_dag(rng: np.random.Generator, d: int, density: float = 0.4) -> np.ndarray:
    order = rng.permutation(d)
    upper = np.triu(rng.random((d, d)) < density, 1)
    dag = np.zeros((d, d), dtype=bool)
    dag[np.ix_(order, order)] = upper
    return dag


def marks_of(dag: np.ndarray) -> np.ndarray:
    return np.where(dag, -1, 0).astype(np.int8) + dag.T.astype(np.int8)


@given(st.integers(0, 10_000), st.integers(2, 8), st.booleans())
@settings(max_examples=40, deadline=None)
def test_shd_is_that_of_causal_learn(seed: int, d: int, classes: bool) -> None:
    shd = pytest.importorskip("causallearn.graph.SHD")
    rng = np.random.default_rng(seed)
    make = cpdag_of_dag if classes else marks_of
    one, other = (graph(make(random_dag(rng, d))) for _ in range(2))
    found = graph_distance(one, other)
    assert found.shd == shd.SHD(one.to_causallearn(), other.to_causallearn()).get_shd()
    assert found.shd == graph_distance(other, one).shd and graph_distance(one, one).shd == 0
    assert found.shd_skeleton <= found.shd <= found.pairs == d * (d - 1) // 2


def test_what_counts_once() -> None:
    truth = arrows(["a>b", "b-c"])
    for changed in (["b>a", "b-c"], ["a-b", "b-c"], ["b-c"], ["a>b", "b>c"], ["a=b", "b-c"], ["a>b", "b-c", "c>d"]):
        assert graph_distance(truth, arrows(changed)).shd == 1


def test_precision_and_recall_by_hand() -> None:
    found = graph_distance(arrows(["a>b", "b>c", "c-d"]), arrows(["a>b", "c>b"]))
    adjacency_, arrow = found.adjacencies, found.arrows
    assert (adjacency_.first, adjacency_.second, adjacency_.common) == (3, 2, 2)
    assert (adjacency_.precision, adjacency_.recall, adjacency_.f1) == pytest.approx((1, 2 / 3, 0.8))
    assert (arrow.first, arrow.second, arrow.common, arrow.f1) == (2, 2, 1, 0.5)
    empty = graph_distance(arrows([]), arrows(["a>b"]))
    assert np.isnan(empty.adjacencies.recall) and empty.adjacencies.precision == 0
    assert json.loads(json.dumps(empty.to_dict()))["adjacencies"]["recall"] is None


def wrong_by_parents(truth: np.ndarray, guess: np.ndarray) -> int:
    """Pairs whose effect the guess's parents do not identify, from the adjustment criterion and d-separation."""
    true = nx.from_numpy_array(truth, create_using=nx.DiGraph)
    errors = 0
    for i, j in itertools.permutations(range(len(truth)), 2):
        descendants = nx.descendants(true, i)
        parents = set(np.flatnonzero(guess[:, i]).tolist())
        if j in parents:  # the guess says: no effect
            errors += j in descendants
            continue
        causal = {k for k in descendants if k == j or j in nx.descendants(true, k)}
        forbidden = causal.union(*(nx.descendants(true, k) for k in causal))
        behind = true.copy()
        behind.remove_edges_from([(i, k) for k in causal if true.has_edge(i, k)])
        errors += bool(parents & forbidden) or not nx.is_d_separator(behind, {i}, {j}, parents)
    return errors


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_parent_distance_of_dags_is_its_definition(seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = random_dag(rng, d), random_dag(rng, d)
    found = graph_distance(graph(marks_of(truth)), graph(marks_of(guess)))
    assert found.parent_aid is not None and found.sid is not None
    assert found.parent_aid.errors == found.sid.errors == wrong_by_parents(truth, guess)
    assert found.parent_aid.share == pytest.approx(found.parent_aid.errors / (d * (d - 1)))


@given(st.integers(0, 10_000), st.integers(3, 7))
@settings(max_examples=30, deadline=None)
def test_distances_do_not_depend_on_the_order_of_values(seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (cpdag_of_dag(random_dag(rng, d)) for _ in range(2))
    names = "abcdefg"[:d]
    order = rng.permutation(d)
    turned = graph(other[np.ix_(order, order)], "".join(names[k] for k in order))
    first, second = graph_distance(graph(one, names), graph(other, names)), graph_distance(graph(one, names), turned)
    assert first == second
    for name in ("parent_aid", "ancestor_aid", "oset_aid"):
        distance = getattr(first, name)
        assert 0 <= distance.share <= 1
        assert getattr(graph_distance(graph(one, names), graph(one, names)), name).errors == 0


def test_code_of_gadjid() -> None:
    assert adjacency(arrows(["a>b", "c-b"], "abc").marks).tolist() == [[0, 1, 0], [0, 0, 2], [0, 0, 0]]


def test_some_cpdags_by_hand() -> None:
    chain, collider = arrows(["a-b", "b-c"], "abc"), arrows(["a>b", "c>b"], "abc")
    found = graph_distance(chain, collider)
    assert found.sid is None and "two DAGs" in found.notes[0]
    # in the class of the chain no effect between neighbours is identified; the collider claims all of them
    assert found.parent_aid is not None and found.parent_aid.errors == 6
    full = graph_distance(arrows(["a>b"], "ab"), arrows(["b>a"], "ab"))
    assert full.parent_aid is not None and full.parent_aid.errors == 2


@pytest.mark.parametrize(
    ("edges", "why"),
    [
        (["a>b", "b>c", "c>a"], "second graph has a directed cycle"),
        (["a=b"], "second graph has bidirected edges"),
        (["a-b", "b-c", "c-d", "a-d"], "second graph has no DAG with its edges and colliders"),
        (["a>b", "b-c"], "second graph has undirected edges and is not the CPDAG of a DAG"),
    ],
)
def test_graphs_without_effects_are_named_and_edges_still_compared(edges: list[str], why: str) -> None:
    found = graph_distance(arrows(["a>b", "c>b"]), arrows(edges))
    assert found.parent_aid is None and why in found.notes[0]
    assert found.shd > 0 and np.isfinite(found.adjacencies.f1)
    frame = found.to_frame().set_index("measure")
    assert np.isnan(frame.loc["parent_aid", "share"]) and frame.loc["SHD", "count"] == found.shd


def test_values_of_one_graph_only_are_named() -> None:
    found = graph_distance(arrows(["a>b", "b>c"], "abc"), arrows(["b>c", "c>x"], "bcx"))
    assert (found.names, found.only_first, found.only_second) == (("b", "c"), ("a",), ("x",))
    assert found.shd == 0 and found.pairs == 1
    with pytest.raises(ValueError, match="at least 2 values in common with one, got c"):
        graph_distance(arrows([], "abc"), arrows([], "cxy"))
    with pytest.raises(TypeError, match="other: expected a ValueGraph, got str"):
        graph_distance(arrows([]), "b")  # type: ignore[arg-type]


def test_without_gadjid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = graph_distance(arrows(["a>b"]), arrows([]))
    assert found.shd == 1 and found.parent_aid is None and "pip install 'pyvalue[distance]'" in found.notes[0]


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_cycles_are_those_of_networkx(seed: int, d: int) -> None:
    directed = np.random.default_rng(seed).random((d, d)) < 0.3
    np.fill_diagonal(directed, False)
    assert _has_cycle(directed) != nx.is_directed_acyclic_graph(nx.from_numpy_array(directed, create_using=nx.DiGraph))


# -- references ------------------------------------------------------------------------------------------------------


def test_graphs_are_read_from_a_file_and_its_folder(tmp_path: Path) -> None:
    edges = {"mine": [["b", "a", 1, "single-arrow"], ["b", "c", 1, "x"], ["c", "b", 1, "x"]], "empty": []}
    (tmp_path / "graphs.json").write_text(json.dumps({"edges": edges}))
    found = load_reference_graphs(tmp_path, values=["d", "c"])
    assert found == load_reference_graphs(tmp_path / "graphs.json", values=["d", "c"])
    assert found["mine"].names == ("d", "c", "a", "b") and found["empty"].names == ("d", "c")
    assert found["mine"].directed_edges() == [("b", "a")] and found["mine"].undirected_edges() == [("c", "b")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "expected"),
        ('{"edges": {"g": [["a"]]}}', "the graph 'g' in .* has an edge"),
        ('{"edges": {"g": [["a", "a", 1, "x"]]}}', "from 'a' to itself"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "graphs.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_reference_graphs(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"graphs\.json"):
        load_reference_graphs(tmp_path)


def test_graphs_of_the_paper() -> None:
    if not PAPER.is_dir():
        pytest.skip("the paper's public files are not here")
    found = load_reference_graphs(PAPER)
    assert {"gemma", "human1", "reference"} <= set(found)
    assert len(found["human1"].directed_edges()) == 18 and len(found["gemma"].undirected_edges()) == 3
    distance = graph_distance(found["human1"], found["gemma"])
    assert set(distance.only_second) == set(found["gemma"].names) - set(found["human1"].names)
    assert 0 < distance.shd <= distance.pairs


def test_the_theory_as_distances_and_as_a_graph() -> None:
    table = theory_distances()
    assert table.loc["Power", "Universalism"] == 160 == circular_distance("Power", "Universalism")
    ring = theory_graph(layout="equal")
    assert nx.is_isomorphic(nx.Graph(ring.undirected_edges()), nx.cycle_graph(10))
    joined = theory_graph()
    assert joined.has_edge("Conformity", "Tradition") and joined.has_edge("Tradition", "Security")
    assert len(joined.undirected_edges()) == 9 + 3
    assert "first graph has no DAG" in graph_distance(ring, ring).notes[0] and graph_distance(ring, ring).shd == 0
    some = theory_graph(["power", "Benevolence", "Self_Direction"])
    assert len(some.undirected_edges()) == 3
    with pytest.raises(ValueError, match="at least 3 of the ten basic values, got Wit"):
        theory_graph(["Wit"])
