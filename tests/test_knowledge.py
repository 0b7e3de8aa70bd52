"""Knowledge under a d-separation oracle gives exactly the directions that all DAGs it admits share."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from d_separation import oracle, random_dag

import pyvalue as pv
from pyvalue import _core
from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery.options import COLLIDER_RULES

NAMES = tuple("abcdefg")


def shared_directions(dag: np.ndarray, forbidden: np.ndarray, required: np.ndarray) -> np.ndarray:
    """Marks of the DAGs of the equivalence class that the knowledge admits, by trying every orientation."""
    cpdag = cpdag_of_dag(dag)
    open_edges = np.argwhere(np.triu((cpdag == -1) & (cpdag.T == -1)))
    fixed = (cpdag == -1) & (cpdag.T == 1)
    votes, admitted = np.zeros(dag.shape, dtype=int), 0
    for flips in product((False, True), repeat=len(open_edges)):
        one = fixed.copy()
        for (i, j), flip in zip(open_edges, flips, strict=True):
            one[(j, i) if flip else (i, j)] = True
        if not nx.is_directed_acyclic_graph(nx.DiGraph(one)) or (cpdag_of_dag(one) != cpdag).any():
            continue
        if (one & (forbidden > 0)).any() or (~one & (required > 0)).any():
            continue
        votes += one
        admitted += 1
    marks = np.where(cpdag != 0, -1, 0).astype(np.int8)
    marks[(votes == admitted).T & (cpdag != 0)] = 1
    return marks


def search(dag: np.ndarray, knowledge: pv.Knowledge, rule: str = "sepset") -> np.ndarray:
    forbidden, required = knowledge.matrices(NAMES[: len(dag)])
    marks, *_ = _core.pc(oracle(dag), rule=COLLIDER_RULES[rule], forbidden=forbidden, required=required)
    return marks


@pytest.mark.parametrize("rule", list(COLLIDER_RULES))
@pytest.mark.parametrize("kind", ["tiers", "forbidden", "required", "all"])
def test_oracle(kind: str, rule: str) -> None:
    rng = np.random.default_rng(len(kind))
    more = 0
    for _ in range(30):
        dag = random_dag(rng, int(rng.integers(3, 7)), 0.5)
        names = NAMES[: len(dag)]
        options: dict[str, list] = {}
        if kind in ("tiers", "all"):
            order = list(nx.lexicographical_topological_sort(nx.DiGraph(dag)))
            cut = int(rng.integers(1, len(order)))
            options["tiers"] = [[names[i] for i in order[:cut]], [names[i] for i in order[cut:]]]
        edges = [(names[i], names[j]) for i, j in np.argwhere(dag)]
        if edges and kind in ("required", "all"):
            options["required"] = [edges[int(rng.integers(len(edges)))]]
        if edges and kind in ("forbidden", "all"):
            options["forbidden"] = [edges[int(rng.integers(len(edges)))][::-1]]
        knowledge = pv.Knowledge(**options)
        marks = search(dag, knowledge, rule)
        np.testing.assert_array_equal(marks, shared_directions(dag, *knowledge.matrices(names)))
        more += int((marks == 1).sum() > (cpdag_of_dag(dag) == 1).sum())
    assert more > 3  # knowledge did direct edges


def test_closure_of_a_dag_is_the_shared_directions() -> None:
    """What averaged graphs use: the same answer from the DAG itself."""
    rng = np.random.default_rng(9)
    for _ in range(60):
        dag = random_dag(rng, int(rng.integers(3, 7)), 0.5)
        known = dag & (rng.random(dag.shape) < 0.3)
        expected = shared_directions(dag, known.T.astype(np.uint8), np.zeros(dag.shape, dtype=np.uint8))
        np.testing.assert_array_equal(cpdag_of_dag(dag, known), expected)


def test_averaged_graph_keeps_what_is_known(tmp_path) -> None:
    rng = np.random.default_rng(10)
    age = rng.standard_normal(400)
    power = age + rng.standard_normal(400)
    x = np.column_stack([power, age, power + rng.standard_normal(400)])
    graph = pv.discover(x, names=["Power", "age", "Wealth"], knowledge=pv.Knowledge(context=["age"]), bootstrap=100)
    assert graph.averaged().directed_edges() == [("Power", "Wealth"), ("age", "Power")]
    assert pv.discover(x, bootstrap=100).averaged().directed_edges() == []
    assert pv.ValueGraph.load(graph.save(tmp_path / "graph.json")) == graph


@pytest.mark.parametrize("rule", list(COLLIDER_RULES))
def test_rule_4_is_needed(rule: str) -> None:
    """Meek's fourth rule: b — d is directed only because c → d and d → a are known."""
    # a — b, b — c, b — d undirected; knowledge c → d → a forces b → a.
    dag = np.zeros((4, 4), dtype=bool)
    for i, j in [("b", "a"), ("b", "c"), ("b", "d"), ("c", "d"), ("d", "a")]:
        dag["abcd".index(i), "abcd".index(j)] = True
    knowledge = pv.Knowledge(required=[("c", "d"), ("d", "a")])
    expected = shared_directions(dag, *knowledge.matrices(NAMES[:4]))
    np.testing.assert_array_equal(search(dag, knowledge, rule), expected)
    assert search(dag, knowledge, rule)[0, 1] == 1


def test_required_edges_against_the_data_make_no_false_collider() -> None:
    """a → b is so weak that the data deny it; a and c are then independent, which says nothing of b."""
    rng = np.random.default_rng(11)
    reversed_ = 0
    for _ in range(100):
        a = rng.standard_normal(500)
        b = 0.06 * a + rng.standard_normal(500)
        c = b + rng.standard_normal(500)
        known = pv.Knowledge(required=[("a", "b")])
        graph = pv.discover(np.column_stack([a, b, c]), names=list("abc"), knowledge=known)
        assert ("a", "b") in graph.directed_edges()
        reversed_ += ("c", "b") in graph.directed_edges()
    assert reversed_ < 20


def test_pairs_kept_apart_make_no_false_collider() -> None:
    """a and c are dependent through b, are never tested, and b is no collider for that."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal(2000)
    b = a + 0.5 * rng.standard_normal(2000)
    c = b + 0.5 * rng.standard_normal(2000)
    graph = pv.discover(np.column_stack([a, b, c]), names=["a", "b", "c"],
                        knowledge=pv.Knowledge(forbidden=[("a", "c"), ("c", "a")]))  # fmt: skip
    assert graph.undirected_edges() == [("a", "b"), ("b", "c")] and not graph.directed_edges()


def test_wrong_arrows_never_appear() -> None:
    """Whatever true non-edges are named, no direction contradicts the DAG."""
    rng = np.random.default_rng(1)
    for _ in range(80):
        dag = random_dag(rng, 6, 0.4)
        apart = np.argwhere(np.triu(~(dag | dag.T), k=1))
        chosen = apart[rng.random(len(apart)) < 0.5]
        pairs = [(NAMES[i], NAMES[j]) for i, j in chosen]
        marks = search(dag, pv.Knowledge(forbidden=pairs + [(j, i) for i, j in pairs]))
        np.testing.assert_array_equal(marks != 0, dag | dag.T)
        directed = (marks == -1) & (marks.T == 1)
        assert not (directed & dag.T).any()


def test_context_variables() -> None:
    rng = np.random.default_rng(2)
    edit, language = rng.integers(0, 2, (2, 3000)).astype(float)
    power = edit + rng.standard_normal(3000)
    security = power + rng.standard_normal(3000)
    x = np.column_stack([security, power, edit, language])
    names = ["Security", "Power", "edit", "language"]
    without = pv.discover(x, names=names, test="fisherz")
    assert ("Power", "Security") not in without.directed_edges()
    graph = pv.discover(x, names=names, test="fisherz", knowledge=pv.Knowledge(context=["edit", "language"]))
    assert graph.directed_edges() == [("Power", "Security"), ("edit", "Power")]
    assert not graph.has_edge("edit", "language")


def test_required_edges_stay() -> None:
    x = np.random.default_rng(3).standard_normal((500, 3))
    graph = pv.discover(x, knowledge=pv.Knowledge(required=[("X3", "X1")]), bootstrap=50)
    assert ("X3", "X1") in graph.directed_edges()
    row = graph.strengths().set_index(["source", "target"]).loc["X3", "X1"]
    assert row.strength == 1.0 and row.forward == 1.0


def test_replicates_obey() -> None:
    x = np.random.default_rng(4).standard_normal((200, 5)) @ np.random.default_rng(5).uniform(-1, 1, (5, 5))
    graph = pv.discover(x, knowledge=pv.Knowledge(tiers=[["X4"], ["X1", "X2"]]), bootstrap=100, alpha=0.3)
    frequencies = graph.bootstrap
    assert frequencies is not None
    for earlier, later in ((3, 0), (3, 1)):
        assert frequencies.directed[later, earlier] == frequencies.undirected[later, earlier] == 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: pv.Knowledge(tiers=["ab"]), TypeError, "tiers must be a list such as .*, got 'ab'"),
        (lambda: pv.Knowledge(tiers=[["a"], ["a"]]), ValueError, "every value once, got 'a' twice"),
        (lambda: pv.Knowledge(forbidden=[("a",)]), ValueError, "pairs .* got"),
        (lambda: pv.Knowledge(required=[("a", "a")]), ValueError, "pairs .* two values"),
        (lambda: pv.Knowledge(context=[1]), TypeError, "context must name values by strings"),
        (lambda: pv.Knowledge(tiers=[["x"]]).matrices("abc"), ValueError, "knowledge names 'x', which is no column"),
        (
            lambda: pv.Knowledge(required=[("a", "b")], context=["b"]).matrices("abc"),
            ValueError,
            "requires 'a' → 'b', which its tiers, forbidden pairs or context forbid",
        ),
        (
            lambda: pv.Knowledge(required=[("a", "b"), ("b", "c"), ("c", "a")]).matrices("abc"),
            ValueError,
            "requires a cycle",
        ),
    ],
)
def test_bad_knowledge(make, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_bad_knowledge_in_discover() -> None:
    x = np.random.default_rng(0).standard_normal((50, 3))
    with pytest.raises(ValueError, match="knowledge names 'Power', which is no column; the columns are X1, X2, X3"):
        pv.discover(x, knowledge=pv.Knowledge(tiers=[["Power"]]))
    with pytest.raises(TypeError, match=r"knowledge must be a pyvalue\.Knowledge"):
        pv.discover(x, knowledge={"tiers": []})
    with pytest.raises(ValueError, match="takes no knowledge"):
        pv.discover(x, knowledge=pv.Knowledge(tiers=[["X1"], ["X2"]]), backend="causal-learn")
    constant = np.column_stack([x, np.ones(50)])
    with pytest.warns(Warning, match="left out 'X4'"):
        pv.discover(constant, knowledge=pv.Knowledge(tiers=[["X1"], ["X4"]]))
