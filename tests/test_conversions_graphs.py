"""Graphs in other libraries' terms and back: nothing lost, held to what those libraries read."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.cpdag import cpdag_of_dag
from pyvalue.given_graphs import as_value_graph

pydot = pytest.importorskip("pydot")

AWKWARD = st.one_of(
    st.sampled_from(
        ['"', '\\"', "\\", "a\nb", "-->", "a -> b", "a;b", "[dir=none]", "", " ", "<b>", "&amp;", "graph", "é", "\\n"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
KINDS = {"none": (0, 0), "forward": (-1, 1), "back": (1, -1), "undirected": (-1, -1), "bidirected": (1, 1)}


@st.composite
def mixed_graphs(draw: st.DrawFn, bidirected: bool = True, names: st.SearchStrategy[str] = AWKWARD) -> pv.ValueGraph:
    named = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    kinds = [kind for kind in KINDS if bidirected or kind != "bidirected"]
    marks = np.zeros((len(named), len(named)), dtype=np.int8)
    for i, j in itertools.combinations(range(len(named)), 2):
        marks[i, j], marks[j, i] = KINDS[draw(st.sampled_from(kinds))]
    return pv.ValueGraph(tuple(named), marks, pv.graph_from_edges(["a"], origin="test").settings)


@st.composite
def cpdags(draw: st.DrawFn) -> tuple[pv.ValueGraph, nx.DiGraph]:
    """A CPDAG and a DAG of its class."""
    d = draw(st.integers(2, 6))
    dag = np.triu(np.array(draw(st.lists(st.booleans(), min_size=d * d, max_size=d * d))).reshape(d, d), 1)
    names = tuple(f"V{number}" for number in draw(st.permutations(range(d))))
    graph = pv.ValueGraph(names, cpdag_of_dag(dag), pv.graph_from_edges(["a"]).settings)
    arrows = nx.DiGraph()
    arrows.add_nodes_from(names)
    arrows.add_edges_from((names[i], names[j]) for i, j in np.argwhere(dag))
    return graph, arrows


def same_structure(one: pv.ValueGraph, other: pv.ValueGraph) -> bool:
    return one.names == other.names and np.array_equal(one.marks, other.marks)


@pytest.fixture(scope="module")
def bootstrapped() -> pv.ValueGraph:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((200, 5))
    data[:, 2] += data[:, 0] + data[:, 1]
    data[:, 3] += data[:, 2]
    names = ["Power", 'say "hi"', "a\r\nb", "-->", "Ruhe & Ordnung"]
    return pv.discover(data, names=names, bootstrap=50, keep_replicates=True, cluster=np.arange(200) // 4)


# -- every format gives back what it was given -------------------------------------------------------------------


@settings(deadline=None)
@given(mixed_graphs())
def test_networkx_and_back(graph: pv.ValueGraph) -> None:
    assert pv.ValueGraph.from_networkx(graph.to_networkx()) == graph


@settings(deadline=None)
@given(mixed_graphs())
def test_causallearn_and_back(graph: pv.ValueGraph) -> None:
    assert same_structure(pv.ValueGraph.from_causallearn(graph.to_causallearn()), graph)


@settings(deadline=None)
@given(mixed_graphs())
def test_dot_and_back(graph: pv.ValueGraph) -> None:
    assert same_structure(pv.ValueGraph.from_dot(graph.to_dot()), graph)


@settings(deadline=None, max_examples=40)
@given(mixed_graphs())
def test_graphml_and_back(graph: pv.ValueGraph) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.graphml"
        try:
            graph.to_graphml(path)
        except ValueError as fault:
            assert "XML" in str(fault)
            assert any(ord(mark) < 32 or ord(mark) > 0xFFFD for name in graph.names for mark in name)
            return
        assert pv.ValueGraph.from_graphml(path) == graph


@settings(deadline=None, max_examples=30)
@given(mixed_graphs(bidirected=False))
def test_pgmpy_and_back(graph: pv.ValueGraph) -> None:
    pytest.importorskip("pgmpy")
    assert same_structure(pv.ValueGraph.from_pgmpy(graph.to_pgmpy()), graph)


def test_a_bootstrapped_graph_comes_back_whole(bootstrapped: pv.ValueGraph, tmp_path: Path) -> None:
    path = bootstrapped.to_graphml(tmp_path / "graph.graphml")
    for back in (pv.ValueGraph.from_graphml(path), pv.ValueGraph.from_networkx(bootstrapped.to_networkx())):
        assert back == bootstrapped and back.separating_sets == bootstrapped.separating_sets
        assert back.bootstrap == bootstrapped.bootstrap and back.replicate_graphs == bootstrapped.replicate_graphs


def test_what_other_readers_of_our_graphml_see(bootstrapped: pv.ValueGraph, tmp_path: Path) -> None:
    theirs = nx.read_graphml(bootstrapped.to_graphml(tmp_path / "graph.graphml"))
    table = bootstrapped.strengths().set_index(["source", "target"])
    drawn = {frozenset(edge[:2]) for edge in bootstrapped.edges()}
    assert {frozenset(edge) for edge in theirs.edges} == drawn and drawn
    for (source, target), row in table[table.in_graph].iterrows():
        edge = theirs.edges[source, target]
        assert edge["strength"] == row.strength and edge["forward"] == row.forward and edge["absent"] == row.absent
    dag = pv.graph_from_edges(["b", "a", "c"], [("a", "b"), ("c", "b")]).to_graphml(tmp_path / "dag.graphml")
    assert nx.read_graphml(dag).is_directed() and set(nx.read_graphml(dag).edges) == {("a", "b"), ("c", "b")}
    open_edges = pv.graph_from_edges(["b", "a"], undirected=[("a", "b")]).to_graphml(tmp_path / "open.graphml")
    assert not nx.read_graphml(open_edges).is_directed()


def test_values_changed_elsewhere_lose_what_was_true_of_the_old(bootstrapped: pv.ValueGraph) -> None:
    theirs = bootstrapped.to_networkx()
    theirs.remove_node("Power")
    back = pv.ValueGraph.from_networkx(theirs)
    assert back.bootstrap is None and back.settings == bootstrapped.settings
    assert "changed outside" in back.notes[-1]
    added = bootstrapped.to_networkx()
    missing = next(iter(nx.non_edges(added)))
    added.add_edge(*missing, kind="undirected")
    assert pv.ValueGraph.from_networkx(added).bootstrap == bootstrapped.bootstrap


# -- structures as other libraries understand them ---------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(cpdags(), st.data())
def test_separation_is_theirs(case: tuple[pv.ValueGraph, nx.DiGraph], data: st.DataObject) -> None:
    """A DAG that pgmpy or causal-learn makes of the CPDAG has the d-separations of the one that it came from."""
    pytest.importorskip("pgmpy")
    from causallearn.utils.PDAG2DAG import pdag2dag

    graph, dag = case
    a, b = data.draw(st.permutations(graph.names))[:2]
    given_ = set(data.draw(st.lists(st.sampled_from(graph.names), unique=True))) - {a, b}
    apart = nx.is_d_separator(dag, {a}, {b}, given_)
    assert graph.to_pgmpy().to_dag().is_dconnected(a, b, observed=list(given_)) != apart
    theirs = pdag2dag(graph.to_causallearn())
    node = {one.get_name(): one for one in theirs.get_nodes()}
    assert theirs.is_dseparated_from(node[a], node[b], [node[name] for name in given_]) == apart


@settings(deadline=None)
@given(mixed_graphs())
def test_causallearn_reads_the_same_edges(graph: pv.ValueGraph) -> None:
    theirs = graph.to_causallearn()
    node = {one.get_name(): one for one in theirs.get_nodes()}
    for a, b in itertools.permutations(graph.names, 2):
        assert theirs.is_directed_from_to(node[a], node[b]) == ((a, b) in graph.directed_edges())
        assert theirs.is_adjacent_to(node[a], node[b]) == graph.has_edge(a, b)


@settings(deadline=None, max_examples=30)
@given(mixed_graphs(bidirected=False))
def test_pgmpy_reads_the_same_edges(graph: pv.ValueGraph) -> None:
    pytest.importorskip("pgmpy")
    theirs = graph.to_pgmpy()
    for a, b in itertools.permutations(graph.names, 2):
        assert theirs.has_directed_edge(a, b) == ((a, b) in graph.directed_edges())
        assert theirs.is_adjacent(a, b) == graph.has_edge(a, b)
    same = type(theirs)(graph.directed_edges(), graph.undirected_edges())
    same.add_nodes_from(graph.names)
    assert theirs == same


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the parser that pydot uses
@settings(deadline=None, max_examples=15)
@given(mixed_graphs(names=st.text('abc "\n;->é[]{}', max_size=5)))
def test_pydot_reads_our_dot(graph: pv.ValueGraph) -> None:
    (theirs,) = pydot.graph_from_dot_data(graph.to_dot())
    plain = {f'"{name}"'.replace('"', "").replace("\\", ""): name for name in graph.names}
    if len(plain) < len(graph.names) or any("\n" in name for name in graph.names):
        return  # pydot keeps quotes and escapes as they are written; names that differ in these alone are one to it
    edges = {
        (
            *(plain[end.replace('"', "").replace("\\", "")] for end in (e.get_source(), e.get_destination())),
            e.get("dir"),
        )
        for e in theirs.get_edges()
    }
    kinds = {"directed": None, "undirected": "none", "bidirected": "both"}
    assert edges == {(a, b, kinds[kind]) for a, b, kind in graph.edges()}


def test_graphs_of_searches_elsewhere() -> None:
    """What causal-learn's and pgmpy's own searches return is taken, and is what ours finds on the same data."""
    from causallearn.search.ConstraintBased.PC import pc

    rng = np.random.default_rng(1)
    data = rng.standard_normal((500, 4))
    data[:, 2] += data[:, 0] + data[:, 1]
    data[:, 3] += data[:, 2]
    theirs = pc(data, 0.001, show_progress=False, node_names=["a", "b", "c", "d"])
    ours = pv.discover(data, names=["a", "b", "c", "d"], alpha=0.001)
    assert same_structure(as_value_graph(theirs), ours) and same_structure(as_value_graph(theirs.G), ours)
    assert ours.directed_edges() == [("a", "c"), ("b", "c"), ("c", "d")]


def test_dot_of_causallearn_has_names_as_labels() -> None:
    from causallearn.utils.GraphUtils import GraphUtils

    graph = pv.graph_from_edges(["a b", 'c"', "d", "e"], [("d", "a b")], [("a b", 'c"')], bidirected=[("d", "e")])
    source = GraphUtils.to_pydot(graph.to_causallearn()).to_string()
    assert same_structure(pv.ValueGraph.from_dot(source, names="label"), graph)


# -- what others write -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "edges"),
    [
        ("digraph { a -> b -> c; }", [("a", "b", "directed"), ("b", "c", "directed")]),
        ("graph G { a -- b; b -- c }", [("a", "b", "undirected"), ("b", "c", "undirected")]),
        ("digraph { a -> b; b -> a }", [("a", "b", "undirected")]),
        ("digraph { b -> a [dir=back] }", [("a", "b", "directed")]),
        (
            "digraph { edge [dir=none]; a -> b; edge [dir=back] b -> c }",
            [("c", "b", "directed"), ("a", "b", "undirected")],
        ),
        ("strict digraph { a -> b; a -> b }", [("a", "b", "directed")]),
        ('# by hand\ndigraph /* x -> y */ {\n a -> b [color="#ff0000"]; // b -> a\n}', [("a", "b", "directed")]),
        ("DIGRAPH { rankdir=LR; node [shape=box]; 1 -> -.5 }", [("1", "-.5", "directed")]),
        ('digraph { a -> b [dir=both, arrowhead=none, arrowtail=vee] }', [("b", "a", "directed")]),
        ('digraph { "a\\\nb" -> c }', [("ab", "c", "directed")]),
    ],
)  # fmt: skip
def test_dot_of_others(source: str, edges: list[tuple[str, str, str]]) -> None:
    assert pv.ValueGraph.from_dot(source).edges() == edges


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digraph { subgraph x { a } }", "line 1: expected a name, got a subgraph"),
        ("digraph {\n {a b} -> c }", "line 2: expected a name, got a subgraph"),
        ("digraph { a:n -> b }", "got a port"),
        ("digraph { a [label=<b>] }", "got an HTML text"),
        ("digraph { a -- b }", "expected -> in this kind of graph, got '--'"),
        ("digraph { a -> b", "got the end"),
        ('digraph { "a -> b }', "a text without its end"),
        ("digraph { a -> b } digraph { }", "expected one graph and nothing behind it"),
        ("dag { a -> b }", "expected graph or digraph, got 'dag'"),
        ("digraph { a -> b [dir=up] }", "dir is 'up'"),
        ("digraph { a -> b [arrowhead=odot] }", "arrowhead is 'odot'"),
        ("digraph { a -> a }", "'a' with itself"),
        ("digraph { a -> b; a -> b }", "more than one edge"),
        ("", "expected graph or digraph, got the end"),
    ],
)
def test_dot_that_is_refused(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pv.ValueGraph.from_dot(source)


@settings(deadline=None)
@given(st.text('digraph{}[]->=";,ab \n\\/*#<:', max_size=60))
def test_no_text_is_more_than_refused(source: str) -> None:
    for text in (source, f"digraph {{{source}}}"):
        try:
            pv.ValueGraph.from_dot(text)
        except ValueError as fault:
            assert str(fault)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([nx.Graph, nx.DiGraph]), st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_graphml_of_networkx(kind: Any, pairs: set[tuple[int, int]]) -> None:
    theirs = kind([pair for pair in pairs if pair[0] != pair[1]])
    theirs.add_nodes_from(range(5), colour="red")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "theirs.graphml"
        nx.write_graphml(theirs, path)
        graph = pv.ValueGraph.from_graphml(path)
    for a, b in itertools.permutations(range(5), 2):
        assert graph.has_edge(str(a), str(b)) == (theirs.has_edge(a, b) or theirs.has_edge(b, a))
        arrow = theirs.is_directed() and theirs.has_edge(a, b) and not theirs.has_edge(b, a)
        assert ((str(a), str(b)) in graph.directed_edges()) == arrow


def test_names_in_an_attribute(tmp_path: Path) -> None:
    theirs = nx.DiGraph([("n0", "n1")])
    nx.set_node_attributes(theirs, {"n0": "Power", "n1": "Wealth"}, "label")
    nx.write_graphml(theirs, tmp_path / "yed.graphml")
    graph = pv.ValueGraph.from_graphml(tmp_path / "yed.graphml", names="label")
    assert graph.directed_edges() == [("Power", "Wealth")]
    with pytest.raises(ValueError, match="node 'n0' has no attribute 'title'"):
        pv.ValueGraph.from_graphml(tmp_path / "yed.graphml", names="title")


# -- what is no value graph, or means harm -----------------------------------------------------------------------

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><graphml><graph><node id="&c;"/></graph></graphml>'
)
OUTSIDE = '<!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]><graphml><graph><node id="n"/>&x;</graph></graphml>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS.removeprefix('<?xml version="1.0"?>'), "declares a document type"),
        (OUTSIDE, "declares a document type"),
        ('<!DOCTYPE graphml SYSTEM "http://127.0.0.1:9/graphml.dtd"><graphml/>', "declares a document type"),
        ("<a>" * 100_000, "elements within one another"),
        ("<graphml><graph>", "is not XML"),
        ("<html/>", "is not GraphML"),
        ("no xml at all", "is not XML"),
    ],
)
def test_hostile_graphml(tmp_path: Path, text: str, message: str, encoding: str) -> None:
    (tmp_path / "hostile.graphml").write_bytes(text.encode(encoding))
    with pytest.raises(pv.StoreError, match=message):
        pv.ValueGraph.from_graphml(tmp_path / "hostile.graphml")


@pytest.mark.parametrize(
    "damage",
    [
        ("settings", "[1]"), ("settings", '{"alpha": "x", "n": 1}'), ("bootstrap", "[]"), ("names", "7"),
        ("names", "[[1]]"),
        ("bootstrap", '{"replicates": 1e999}'), ("separating_sets", '[{"pair": [1], "set": []}]'), ("notes", "{not"),
        ("pyvalue", "99"), ("replicate_graphs", "{}"), ("excluded", "3"), ("settings", "[" * 100_000),
    ],
)  # fmt: skip
def test_damaged_facts(bootstrapped: pv.ValueGraph, tmp_path: Path, damage: tuple[str, str]) -> None:
    theirs = bootstrapped.to_networkx()
    theirs.graph[damage[0]] = damage[1]
    nx.write_graphml(theirs, tmp_path / "damaged.graphml")
    with pytest.raises((pv.StoreError, ValueError)):
        pv.ValueGraph.from_graphml(tmp_path / "damaged.graphml")


def test_what_a_format_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PDAG of pgmpy can hold, got a <-> b"):
        pv.graph_from_edges(["a", "b"], bidirected=[("a", "b")]).to_pgmpy()
    with pytest.raises(ValueError, match="which XML cannot"):
        pv.graph_from_edges(["a\x01"]).to_graphml(tmp_path / "g.graphml")
    with pytest.raises(ValueError, match="ends of lines"):
        pv.graph_from_edges(["a\r", "a\n"]).to_graphml(tmp_path / "g.graphml")
    with pytest.raises(ValueError, match="NUL"):
        pv.graph_from_edges(["a\0"]).to_dot()
    assert not list(tmp_path.iterdir())


def test_what_a_value_graph_cannot_say() -> None:
    from causallearn.graph.Edge import Edge
    from causallearn.graph.Endpoint import Endpoint
    from causallearn.graph.GeneralGraph import GeneralGraph
    from causallearn.graph.GraphNode import GraphNode

    nodes = [GraphNode("a"), GraphNode("b")]
    ancestral = GeneralGraph(nodes)
    ancestral.add_edge(Edge(nodes[0], nodes[1], Endpoint.CIRCLE, Endpoint.ARROW))
    with pytest.raises(ValueError, match="got CIRCLE; partial ancestral graphs"):
        as_value_graph(ancestral)
    with pytest.raises(ValueError, match=r"convert it: nx\.DiGraph"):
        as_value_graph(nx.MultiDiGraph([("a", "b")]))
    with pytest.raises(ValueError, match="has the kind 'friends'"):
        as_value_graph(nx.Graph([("a", "b", {"kind": "friends"})]))
    with pytest.raises(ValueError, match="source and target"):
        as_value_graph(nx.Graph([("a", "b", {"kind": "directed"})]))
    with pytest.raises(ValueError, match="names must be distinct"):
        as_value_graph(nx.Graph([(1, "1")]))
    with pytest.raises(TypeError, match="expected causal-learn's GeneralGraph"):
        pv.ValueGraph.from_causallearn(nx.Graph())
    with pytest.raises(TypeError, match="expected a DAG or PDAG of pgmpy, got DiGraph"):
        pv.ValueGraph.from_pgmpy(nx.DiGraph())


def test_graphs_of_pgmpy() -> None:
    base = pytest.importorskip("pgmpy.base")
    dag = as_value_graph(base.DAG([("a", "b"), ("c", "b")], latents={"c"}))
    assert dag.directed_edges() == [("a", "b"), ("c", "b")] and dag.notes == ("latent in pgmpy's graph: c",)
    network = pytest.importorskip("pgmpy.models").DiscreteBayesianNetwork([("a", "b")])
    assert as_value_graph(network).directed_edges() == [("a", "b")]
    assert as_value_graph(base.PDAG([("a", "b")], [("b", "c")])).undirected_edges() in ([("b", "c")], [("c", "b")])
    for other in (base.ADMG([("a", "b")], [("b", "c")]), base.UndirectedGraph([("a", "b")])):
        with pytest.raises(TypeError, match="expected a DAG or PDAG of pgmpy"):
            as_value_graph(other)


def test_files_are_taken_as_graphs(tmp_path: Path) -> None:
    graph = pv.graph_from_edges(["a", "b"], [("b", "a")])
    (tmp_path / "g.dot").write_text(graph.to_dot())
    for path in (graph.save(tmp_path / "g.json"), graph.to_graphml(tmp_path / "g.graphml"), tmp_path / "g.dot"):
        assert same_structure(as_value_graph(path), graph) and same_structure(as_value_graph(str(path)), graph)
    with pytest.raises(ValueError, match=r"expected a file \.json"):
        as_value_graph("g.txt")
    with pytest.raises(FileNotFoundError):
        as_value_graph(tmp_path / "none.graphml")
