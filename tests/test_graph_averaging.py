"""Averaged and ensemble graphs: the threshold is the minimiser, the graph is bnlearn's, the rules are Tetrad's."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery import discover
from pyvalue.edge_frequencies import EdgeFrequencies
from pyvalue.errors import PyvalueError
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.replicate_graphs import ReplicateGraphs

SETTINGS = DiscoverySettings(alpha=0.05, n=100)
ABSENT, FORWARD, BACKWARD, LINE, BOTH, UNTESTABLE = range(6)


def graph_of(codes: Any, **options: Any) -> ValueGraph:
    """A graph without edges whose bootstrap has the replicates ``codes`` (R, pairs), counted one by one."""
    replicates = ReplicateGraphs(np.asarray(codes, dtype=np.uint8))
    size = replicates.n_values
    count = {code: np.zeros((size, size), dtype=np.uint32) for code in range(6)}
    for row in replicates.codes:
        for (i, j), code in zip(itertools.combinations(range(size), 2), row.tolist(), strict=True):
            if code in (FORWARD, BACKWARD):
                count[FORWARD][(i, j) if code == FORWARD else (j, i)] += 1
            else:
                count[code][i, j] += 1
                count[code][j, i] += 1
    counts = EdgeFrequencies(
        len(replicates), count[FORWARD], count[LINE], count[BOTH], count[ABSENT], count[UNTESTABLE]
    )
    names = tuple("abcdefgh"[:size])
    return ValueGraph(names, np.zeros((size, size)), SETTINGS, bootstrap=counts, **options)


def pairs_of(size: int, **pairs: dict[int, int]) -> list[list[int]]:
    """Replicates by pair, ``ab={FORWARD: 3}``: three times a → b and absent in what is left of ten replicates."""
    columns = []
    for pair in itertools.combinations("abcdefgh"[:size], 2):
        column = [code for code, times in pairs.get("".join(pair), {}).items() for _ in range(times)]
        columns.append(column + [ABSENT] * (10 - len(column)))
    return np.array(columns).T.tolist()


def edges(graph: ValueGraph) -> set[str]:
    return {a + {"directed": ">", "undirected": "-", "bidirected": "="}[kind] + b for a, b, kind in graph.edges()}


def skeleton(graph: ValueGraph) -> set[frozenset[str]]:
    return {frozenset((a, b)) for a, b, _ in graph.edges()}


def shares(graph: ValueGraph) -> dict[frozenset[str], Fraction]:
    """Exact strengths of the tested pairs, from the table."""
    rows = graph.strengths().itertuples()
    return {frozenset((r.source, r.target)): Fraction(round(r.strength * r.tested), r.tested) for r in rows if r.tested}


@st.composite
def any_bootstrap(draw: st.DrawFn) -> ValueGraph:
    """Replicates that are no graphs at all, to reach what a search would never return."""
    size, replicates = draw(st.integers(2, 6)), draw(st.integers(1, 8))
    pairs = size * (size - 1) // 2
    common = draw(st.lists(st.sampled_from([ABSENT, FORWARD, BACKWARD, LINE]), min_size=pairs, max_size=pairs))
    flips = draw(st.lists(st.integers(0, 5), min_size=pairs * replicates, max_size=pairs * replicates))
    keep = draw(st.lists(st.booleans(), min_size=pairs * replicates, max_size=pairs * replicates))
    rows = np.where(keep, np.tile(common, replicates), flips).reshape(replicates, pairs)
    return graph_of(rows)


def random_dag(rng: np.random.Generator, size: int, density: float) -> NDArray[np.bool_]:
    order = rng.permutation(size)
    return np.triu(rng.random((size, size)) < density, k=1)[np.ix_(order, order)]


def replicates_around(rng: np.random.Generator, size: int, replicates: int, cpdags: bool) -> NDArray[np.uint8]:
    """DAGs that share most of a base DAG, as DAGs or as their CPDAGs, in codes."""
    base, rows = random_dag(rng, size, 0.5), []
    i, j = np.triu_indices(size, k=1)
    for _ in range(replicates):
        dag = np.where(rng.random((size, size)) < 0.8, base, False)
        flipped = random_dag(rng, size, 0.2)
        joined = nx.from_numpy_array(dag, create_using=nx.DiGraph)
        for a, b in np.argwhere(flipped).tolist():
            if not dag[a, b] and not dag[b, a] and not nx.has_path(joined, b, a):
                dag[a, b] = True
                joined.add_edge(a, b)
        marks = cpdag_of_dag(dag) if cpdags else np.where(dag, -1, np.where(dag.T, 1, 0))
        near, far = marks[i, j], marks[j, i]
        rows.append(np.select([(near == -1) & (far == 1), (near == 1) & (far == -1), near != 0], [1, 2, 3], 0))
    return np.array(rows, dtype=np.uint8)


# -- threshold ---------------------------------------------------------------------------------------------------


def l1_distance(strengths: list[Fraction], t: Fraction) -> Fraction:
    """Exactly, between the empirical distribution on [0, 1] and the one that is t below 1."""
    knots = sorted({Fraction(0), *strengths, Fraction(1)})
    return sum(
        (
            (right - left) * abs(Fraction(sum(s <= left for s in strengths), len(strengths)) - t)
            for left, right in itertools.pairwise(knots)
        ),
        Fraction(0),
    )


@settings(deadline=None, max_examples=60)  # the first example imports pandas
@given(any_bootstrap())
def test_threshold_is_the_quantile_at_the_exact_minimiser(graph: ValueGraph) -> None:
    strengths = sorted(shares(graph).values())
    threshold = graph.strength_threshold()
    if not strengths:
        assert threshold == 0.0
        return
    # The distance is convex and piecewise linear in t, with its kinks where the distribution jumps.
    candidates = [Fraction(k, len(strengths)) for k in range(len(strengths) + 1)]
    least = min(l1_distance(strengths, t) for t in candidates)
    quantiles = {
        float(strengths[max(int(np.ceil(t * len(strengths))) - 1, 0)])
        for t in candidates
        if l1_distance(strengths, t) == least
    }
    assert threshold in quantiles


def test_threshold_is_bnlearns_up_to_its_optimiser() -> None:
    bnlearn = pytest.importorskip("pybnlearn")
    rng = np.random.default_rng(0)
    same = 0
    for _ in range(200):
        size, replicates = int(rng.integers(2, 8)), int(rng.choice([10, 50]))
        likely = rng.beta(0.5, 0.5, size * (size - 1) // 2)
        graph = graph_of(np.where(rng.random((replicates, len(likely))) < likely, FORWARD, ABSENT))
        threshold, theirs = graph.strength_threshold(), bnlearn.inclusion_threshold(table_for(graph))
        known = sorted(set(graph.strengths().strength))
        above = [strength for strength in known if strength > threshold]
        # Brent's method stops within 1e-4 of the minimiser; above it, the quantile is the next strength.
        assert theirs in (threshold, *above[:1])
        same += theirs == threshold
    assert same > 100


def test_threshold_by_hand() -> None:
    assert graph_of(pairs_of(3, ab={LINE: 9}, ac={LINE: 4}, bc={LINE: 1})).strength_threshold() == 0.4
    assert graph_of(pairs_of(3, ab={LINE: 9}, ac={LINE: 5}, bc={LINE: 6})).strength_threshold() == 0.5
    assert graph_of(pairs_of(3, ab={LINE: 9}, ac={LINE: 8}, bc={LINE: 7})).strength_threshold() == 0.7
    assert graph_of(pairs_of(3, ab={LINE: 9}, ac={LINE: 5}, bc={LINE: 1})).strength_threshold() == 0.5
    # Of what was tested: 4 of 5 here, not 4 of 10; and a pair that was never tested has no strength, not 0.
    tested = pairs_of(3, ab={LINE: 4, UNTESTABLE: 5}, ac={LINE: 9}, bc={UNTESTABLE: 10})
    assert graph_of(tested).strength_threshold() == 0.8
    assert graph_of([[UNTESTABLE]]).strength_threshold() == 0.0
    assert graph_of(np.zeros((3, 0))).strength_threshold() == 0.0


# -- averaged ----------------------------------------------------------------------------------------------------


def table_for(graph: ValueGraph, turned: bool = False) -> Any:
    """The bootstrap as pybnlearn's table, both directions of each pair; ``turned`` gives strong edges weak strength."""
    import pandas as pd

    rows = []
    for row in graph.strengths().itertuples():
        halves = (row.undirected + row.bidirected) / 2
        strength = row.strength
        if turned and strength > 0:
            strength = 1.05 - strength
        for a, b, share in ((row.source, row.target, row.forward), (row.target, row.source, row.backward)):
            rows.append((a, b, strength, (share + halves) / row.strength if row.strength else 0.0))
    table = pd.DataFrame(rows, columns=["from", "to", "strength", "direction"])
    table.attrs.update(nodes=list(graph.names), method="bootstrap")
    return table


def cpdag_edges(bnlearn: Any, network: Any) -> set[str]:
    """Edges of pybnlearn's own CPDAG of a network."""
    arcs = set(bnlearn.cpdag(network).arcs)
    return {f"{min(a, b)}-{max(a, b)}" if (b, a) in arcs else f"{a}>{b}" for a, b in arcs}


def majority_arrows(graph: ValueGraph, threshold: float) -> list[tuple[str, str]]:
    """Pairs above the threshold or unanimous, in their more frequent direction, strongest first; none with a tie."""
    rows = []
    for row in graph.strengths().itertuples():
        if row.tested and (row.strength > threshold or row.strength == 1) and row.forward != row.backward:
            pair = (row.source, row.target) if row.forward > row.backward else (row.target, row.source)
            share = (max(row.forward, row.backward) + (row.undirected + row.bidirected) / 2) / row.strength
            rows.append((-row.strength, -round(share, 12), sorted(pair), pair))
    return [pair for *_, pair in sorted(rows)]


@settings(deadline=None, max_examples=60)  # the first example imports pandas
@given(any_bootstrap(), st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0])))
def test_averaged_is_a_cpdag_of_the_significant_edges(graph: ValueGraph, threshold: float | None) -> None:
    result = graph.averaged(threshold, "bnlearn")
    assert result.is_valid_cpdag()
    limit = graph.strength_threshold() if threshold is None else threshold
    significant = {pair for pair, share in shares(graph).items() if float(share) > limit or share == 1}
    kept: nx.DiGraph = nx.DiGraph()
    kept.add_nodes_from(graph.names)
    cyclic = []
    for source, target in majority_arrows(graph, limit):
        if nx.has_path(kept, target, source):
            cyclic.append((source, target))
        else:
            kept.add_edge(source, target)
    assert skeleton(result) == significant - {frozenset(pair) for pair in cyclic}
    assert all(f"{source} → {target}" in result.notes[-1] for source, target in cyclic)
    assert ("left out" in result.notes[-1]) == bool(cyclic)
    # The result never turns one of its arrows against the majority, unless lines had to make colliders.
    if "further colliders" not in result.notes[-1]:
        assert not {(b, a) for a, b in result.directed_edges()} & set(kept.edges)


@pytest.mark.parametrize("cpdags", [False, True])
def test_averaged_is_bnlearns_where_no_cycle_and_no_tie(cpdags: bool) -> None:
    bnlearn = pytest.importorskip("pybnlearn")
    rng = np.random.default_rng(1)
    compared = arrows = 0
    for _ in range(30):
        graph = graph_of(replicates_around(rng, size=6, replicates=25, cpdags=cpdags))
        table = table_for(graph)
        for threshold in (0.3, 0.5, 0.7):
            majority = majority_arrows(graph, threshold)
            ties = (table.strength > threshold) & (np.abs(table.direction - 0.5) < 1e-9)
            if ties.any() or not nx.is_directed_acyclic_graph(nx.DiGraph(majority)):
                continue
            expected = cpdag_edges(bnlearn, bnlearn.averaged_network(table, threshold))
            assert edges(graph.averaged(threshold, "bnlearn")) == expected
            compared += 1
            arrows += sum(">" in edge for edge in expected)
    assert compared > 50 and arrows > 50


def test_averaged_leaves_out_what_bnlearn_does_in_our_order() -> None:
    """bnlearn adds edges from the weakest to the strongest; with strengths turned round, its order is ours."""
    bnlearn = pytest.importorskip("pybnlearn")
    rng = np.random.default_rng(2)
    cyclic = 0
    for _ in range(60):
        codes = np.full((40, 15), ABSENT)
        for column, times in enumerate(rng.choice(np.arange(11, 40), size=15, replace=False)):  # distinct strengths
            codes[:times, column] = rng.choice([FORWARD, BACKWARD])
        graph = graph_of(codes)
        result = graph.averaged(0.0)
        expected = bnlearn.averaged_network(table_for(graph, turned=True), 0.0)
        assert edges(result) == cpdag_edges(bnlearn, expected)
        cyclic += "left out" in result.notes[-1]
    assert cyclic > 30


def test_directions_and_strengths_are_bnlearns() -> None:
    """Undirected edges count half: pybnlearn counts the replicates itself here."""
    bnlearn = pytest.importorskip("pybnlearn")
    rng = np.random.default_rng(3)
    names = list("abcde")
    for _ in range(20):
        codes = replicates_around(rng, size=5, replicates=20, cpdags=True)
        networks = []
        for marks in ReplicateGraphs(codes):
            arcs = [(names[i], names[j]) for i, j in np.argwhere(marks == -1)]  # — has a tail at both ends: two arcs
            networks.append(bnlearn.BayesianNetwork(names, arcs))
        theirs = bnlearn.custom_strength(networks, names, cpdag=False).set_index(["from", "to"])
        ours = table_for(graph_of(codes)).set_index(["from", "to"]).loc[theirs.index]
        np.testing.assert_allclose(ours.strength, theirs.strength)
        np.testing.assert_allclose(ours.direction, theirs.direction)


def test_the_weakest_edge_of_a_cycle_is_left_out() -> None:
    cycle = pairs_of(3, ab={FORWARD: 9}, bc={FORWARD: 8}, ac={BACKWARD: 7})
    result = graph_of(cycle).averaged(0.5)
    assert edges(result) == {"a-b", "b-c"}
    assert result.notes[-1] == (
        "averaged over 10 bootstrap replicates: edges in more than 0.500 of them (given threshold); "
        "left out, because they close a cycle of stronger arrows: c → a"
    )
    # As strong, but surer of its direction: now a → b goes.
    cycle = pairs_of(3, ab={FORWARD: 7, BACKWARD: 1}, bc={FORWARD: 8}, ac={BACKWARD: 7, LINE: 1})
    assert edges(graph_of(cycle).averaged(0.5)) == {"b-c", "a-c"}
    # As strong and as sure: column order, so the last pair goes.
    cycle = pairs_of(3, ab={FORWARD: 8}, bc={FORWARD: 8}, ac={BACKWARD: 8})
    assert edges(graph_of(cycle).averaged(0.5)) == {"a-b", "a-c"}


def test_colliders_stay_and_ties_are_lines() -> None:
    collider = pairs_of(4, ac={FORWARD: 6, BACKWARD: 3}, bc={FORWARD: 9}, cd={LINE: 8, BACKWARD: 1, FORWARD: 1})
    assert edges(graph_of(collider).averaged()) == {"a>c", "b>c", "c>d"}  # c → d, else d makes a collider too
    assert edges(graph_of(pairs_of(3, ab={FORWARD: 4, BACKWARD: 4, LINE: 2})).averaged()) == {"a-b"}
    # ↔ counts half either way, so one arrow decides, and c is a collider.
    both = pairs_of(3, ac={BOTH: 8, FORWARD: 1}, bc={BOTH: 8, FORWARD: 1})
    assert edges(graph_of(both).averaged()) == {"a>c", "b>c"}


def test_rare_arrows_do_not_outvote_lines() -> None:
    """a — b — c in two thirds of the replicates; where there are arrows they look like a collider."""
    pairs = pairs_of(3, ab={LINE: 6, FORWARD: 3, BACKWARD: 1}, bc={LINE: 6, FORWARD: 1, BACKWARD: 3})
    assert edges(graph_of(pairs).averaged()) == {"a-b", "b-c"}
    assert edges(graph_of(pairs).averaged(rule="bnlearn")) == {"a>b", "c>b"}
    with pytest.raises(ValueError, match="rule must be one of plurality, bnlearn, got 'all'"):
        graph_of(pairs).averaged(rule="all")  # type: ignore[arg-type]


def test_lines_close_no_cycle() -> None:
    """Where bnlearn leaves out one line of a triangle as soon as there is an arrow elsewhere."""
    triangle = pairs_of(4, ab={LINE: 9}, bc={LINE: 8}, ac={LINE: 7}, cd={FORWARD: 6})
    assert edges(graph_of(triangle).averaged(0.5)) == {"a-b", "a-c", "b-c", "c-d"}


def test_lines_without_a_dag_make_a_collider_and_say_so() -> None:
    square = pairs_of(4, ab={LINE: 9}, bc={LINE: 9}, cd={LINE: 9}, ad={LINE: 9})
    result = graph_of(square).averaged(0.5)
    assert result.is_valid_cpdag() and len(skeleton(result)) == 4
    assert edges(result) == {"a-b", "b-c", "a>d", "c>d"}
    assert "further colliders" in result.notes[-1]
    # With arrows, lines go along them: d is before a, and not behind it as its column is.
    arrows = pairs_of(5, ab={LINE: 9}, bc={LINE: 9}, cd={LINE: 9}, ad={BACKWARD: 9}, ae={FORWARD: 9}, de={FORWARD: 9})
    result = graph_of(arrows).averaged(0.5)
    assert result.is_valid_cpdag() and len(skeleton(result)) == 6


def test_threshold_of_one_keeps_what_every_replicate_has() -> None:
    graph = graph_of(pairs_of(3, ab={LINE: 10}, bc={LINE: 9}))
    assert edges(graph.averaged(1.0)) == {"a-b"}
    assert edges(graph.averaged(0.9)) == {"a-b"}
    assert edges(graph.averaged(0.89)) == {"a-b", "b-c"}
    assert "edges in more than 0.000 of them (L1 threshold: none lies between" in graph.averaged().notes[-1]


def test_averaged_finds_the_cpdag_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    a, b, c, d = rng.standard_normal((4, 2000))
    x = np.column_stack([a, b, a + b + 0.5 * c, a + b + 0.5 * c + d])
    result = discover(x, names=list("abcd"), bootstrap=100).averaged()
    assert edges(result) == {"a>c", "b>c", "c>d"}


# -- ensemble ----------------------------------------------------------------------------------------------------

RULES = ("preserved", "highest", "majority")


@pytest.mark.parametrize(
    ("counts", "preserved", "highest", "majority"),
    [
        ({FORWARD: 1}, "a>b", "", ""),  # one in ten
        ({FORWARD: 6}, "a>b", "a>b", "a>b"),
        ({BACKWARD: 6}, "b>a", "b>a", "b>a"),
        ({BOTH: 6}, "a=b", "a=b", "a=b"),
        ({LINE: 5, FORWARD: 2, BACKWARD: 1}, "a-b", "a-b", ""),  # half is no majority
        ({FORWARD: 3, BACKWARD: 2, BOTH: 1}, "a>b", "", ""),  # 4 absent
        ({FORWARD: 4, BACKWARD: 4}, "a>b", "a>b", ""),  # → from the earlier column comes first
        ({LINE: 3, FORWARD: 3, BACKWARD: 3}, "a-b", "a-b", ""),  # — before either arrow
        ({BACKWARD: 5, BOTH: 5}, "b>a", "b>a", ""),
        ({FORWARD: 5}, "a>b", "", ""),  # as many absent
        ({FORWARD: 3, UNTESTABLE: 5}, "a>b", "a>b", "a>b"),  # 3 of 5 tested
        ({}, "", "", ""),
        ({UNTESTABLE: 10}, "", "", ""),
    ],
)
def test_ensemble_of_one_pair(counts: dict[int, int], preserved: str, highest: str, majority: str) -> None:
    graph = graph_of(pairs_of(2, ab=counts))
    for rule, expected in zip(RULES, (preserved, highest, majority), strict=True):
        assert edges(graph.ensemble(rule)) == ({expected} if expected else set()), rule


@settings(deadline=None, max_examples=60)  # the first example imports pandas
@given(any_bootstrap())
def test_ensembles_follow_their_definitions(graph: ValueGraph) -> None:
    results = {rule: graph.ensemble(rule) for rule in RULES}
    assert skeleton(results["majority"]) <= skeleton(results["highest"]) <= skeleton(results["preserved"])
    for row in graph.strengths().itertuples():
        kinds = {f"{row.source}>{row.target}": row.forward, f"{row.target}>{row.source}": row.backward}
        ends = "".join(sorted((row.source, row.target)))
        kinds |= {f"{ends[0]}-{ends[1]}": row.undirected, f"{ends[0]}={ends[1]}": row.bidirected}
        for rule, result in results.items():
            kind = next((edge for edge in edges(result) if set(edge) >= set(ends)), None)
            if not row.tested:
                assert kind is None
            elif rule == "preserved":
                assert (kind is None) == (row.strength == 0)
                assert kind is None or kinds[kind] == max(kinds.values())
            elif rule == "highest":
                assert (row.absent if kind is None else kinds[kind]) == max(row.absent, *kinds.values())
            else:
                assert (kind is None) == (max(kinds.values()) <= 0.5)
                assert kind is None or kinds[kind] > 0.5


def test_ensemble_need_not_be_a_cpdag() -> None:
    cycle = graph_of(pairs_of(3, ab={FORWARD: 9}, bc={FORWARD: 9}, ac={BACKWARD: 9})).ensemble("majority")
    assert edges(cycle) == {"a>b", "b>c", "c>a"} and not cycle.is_valid_cpdag()


# -- what both keep, and refuse ----------------------------------------------------------------------------------


def test_results_keep_what_is_not_the_marks() -> None:
    codes = pairs_of(3, ab={LINE: 9})
    options = {"excluded": {"k": "constant"}, "notes": ("dropped 2 rows",), "separating_sets": {("a", "c"): ("b",)}}
    graph = graph_of(codes, replicate_graphs=ReplicateGraphs(np.array(codes)), **options)
    for result in (graph.averaged(), graph.ensemble("highest")):
        assert (result.names, result.settings, result.bootstrap) == (graph.names, graph.settings, graph.bootstrap)
        assert result.excluded == graph.excluded and result.replicate_graphs == graph.replicate_graphs
        assert result.separating_sets == {}
        assert result.notes[0] == "dropped 2 rows" and len(result.notes) == 2
        assert result.strengths().in_graph.sum() == 1
        assert ValueGraph.from_dict(result.to_dict()) == result
    assert "'highest'" in graph.ensemble("highest").notes[-1]


def test_refusals() -> None:
    graph = graph_of(pairs_of(2, ab={LINE: 9}))
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(
            ValueError, match=rf"threshold must be a share of the replicates in \[0, 1\], got {threshold}"
        ):
            graph.averaged(threshold)
    with pytest.raises(ValueError, match="rule must be one of preserved, highest, majority, got 'threshold'"):
        graph.ensemble("threshold")  # type: ignore[arg-type]
    bare = ValueGraph(("a", "b"), np.zeros((2, 2)), SETTINGS)
    for ask in (bare.strength_threshold, bare.averaged, lambda: bare.ensemble("highest")):
        with pytest.raises(PyvalueError, match="bootstrap=1000"):
            ask()
