"""Edits as context variables: the test against SciPy, the search against causal-learn and known truth, the vote."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bench_contexts import directions
from hypothesis import given, settings
from hypothesis import strategies as st
from intervention_cases import study
from scipy import stats
from test_docs import check

from pyvalue.discovery import discover
from pyvalue.effects.contexts import discover_with_contexts
from pyvalue.effects.contexts_graphs import edge_signs, established
from pyvalue.effects.contexts_test import clustered_test
from pyvalue.effects.contexts_vote import tally, vote
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.knowledge import Knowledge

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT = ["14351", "1025", "2965", "10096", "1341", "1975", "10605", "14049", "1312", "4752"]


def chain(n: int = 200, seed: int = 0, edits: int = 2) -> pd.DataFrame:
    """Power → Wealth → Status; edit e0 shifts Power, e1 Wealth."""
    rng = np.random.default_rng(seed)
    tables = {}
    persona = rng.standard_normal((n, 3))
    for edit in ["", *(f"e{i}" for i in range(edits))]:
        own = persona + rng.standard_normal((n, 3))
        if edit:
            own[:, int(edit[1:])] += 1.5
        power = own[:, 0]
        wealth = 0.8 * power + own[:, 1]
        tables[edit] = pd.DataFrame(
            {"Status": 0.8 * wealth + own[:, 2], "Power": power, "Wealth": wealth}, index=[f"p{i}" for i in range(n)]
        )
    return pd.concat(tables, names=["edit", "persona"])


# -- the test ----------------------------------------------------------------------------------------------------------


def test_an_edit_without_conditions_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    before = rng.standard_normal(40)
    after = before + 0.3 + rng.standard_normal(40)
    test = clustered_test(np.tile(np.arange(40), 2))
    edit = np.repeat([0.0, 1.0], 40)
    p = test(edit, np.concatenate([before, after]), np.empty((80, 0)))
    assert p == pytest.approx(stats.ttest_rel(after, before).pvalue, rel=1e-12)


def test_it_is_a_t_test_of_the_sums_of_residual_products() -> None:
    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 30, 90)
    clusters[:30] = np.arange(30)
    x, y, *z = rng.standard_normal((5, 90))
    z = np.column_stack(z)
    design = np.column_stack([np.ones(90), z])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    sums = pd.Series(left[0] * left[1]).groupby(clusters).sum()
    t = stats.ttest_1samp(sums, 0).statistic * np.sqrt(26 / 29)
    assert clustered_test(clusters)(x, y, z) == pytest.approx(2 * stats.t.sf(abs(t), 26), rel=1e-10)


@pytest.mark.parametrize(("persons", "conditions"), [(25, 1), (60, 3)])
def test_its_level(persons: int, conditions: int) -> None:
    """5% of independent pairs are called dependent: values that personas share, skewed changes, and edits."""
    rng = np.random.default_rng(persons)
    clusters = np.tile(np.arange(persons), 2)
    test = clustered_test(clusters).function
    edit = np.repeat([0.0, 1.0], persons)
    runs = 1500
    below = np.zeros(3)
    for _ in range(runs):
        x = np.tile(rng.standard_normal((persons, conditions + 2)), (2, 1)) * 1.5
        x += rng.standard_normal(x.shape)
        spread = np.abs(x[:, :1])  # unequal variances
        for k, p in enumerate(
            (
                test(x[:, 0], x[:, 1], x[:, 2:]),
                test(edit, x[:, 0], x[:, 2:]),
                test(edit, x[:, 1] * spread[:, 0], x[:, 2:]),
            )
        ):
            below[k] += p < 0.05
    assert (below / runs < 0.065).all() and (below[:2] / runs > 0.035).all()


def test_it_stands_conditions_that_depend_on_each_other() -> None:
    rng = np.random.default_rng(2)
    x, y, z = rng.standard_normal((3, 60))
    test = clustered_test(np.arange(60))
    once = test(x, y, z[:, None])
    assert 0 <= test(x, y, np.column_stack([z, 2 * z])) <= 1
    assert test(x, z, z[:, None]) == 1.0
    assert 0 < once <= 1
    with pytest.raises(ValueError, match="at least 3, got 2"):
        clustered_test(np.array([0, 1, 1]))


# -- the search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["pairs", "joint"])
def test_a_chain_that_observation_leaves_undirected(scheme: str) -> None:
    rows = chain()
    assert discover(rows.xs(""), test="fisherz").directed_edges() == []
    found = discover_with_contexts(rows, scheme=scheme)
    assert sorted(found.combined.directed_edges()) == [("Power", "Wealth"), ("Wealth", "Status")]
    assert found.targets == {"e0": ("Power",), "e1": ("Wealth",)}
    assert found.conflicts == () and found.left_out == {}
    assert list(found.contexts.values()) == ["e0", "e1"]
    table = found.against(discover(rows.xs(""), test="fisherz"))
    assert set(table["verdict"]) == {"directed"}


def test_a_regime_says_that_some_edit_hits() -> None:
    found = discover_with_contexts(chain(400), scheme="regime")
    assert set(found.targets["any edit"]) == {"Power", "Wealth"}
    assert ("Wealth", "Status") in found.combined.directed_edges()
    assert found.graphs["regime"].settings.test == "degenerate_gaussian"


@pytest.fixture(scope="module")
def simulated() -> dict[str, pd.DataFrame]:
    """One row a study: directions by each way, and of scheme "joint" the targets."""
    each: dict[str, list[dict[str, float]]] = {"observed": [], "pairs": [], "joint": [], "targets": []}
    for seed in range(1000, 1020):
        one = study(seed, values=5, edits=5, shift=1.0, degree=2.0)
        if not one.dag.any():
            continue
        observed = discover(one.more, test="fisherz", uc_rule="majority", threads=1)
        each["observed"].append(directions(observed.marks, one.dag))
        for scheme in ("pairs", "joint"):
            found = discover_with_contexts(one.rows, scheme=scheme, threads=1)
            each[scheme].append(directions(found.combined.marks, one.dag))
        said = np.array([[v in found.targets[f"e{i}"] for v in one.rows.columns] for i in range(5)])
        each["targets"].append({"true": one.hits.sum(), "said": said.sum(), "both": (said & one.hits).sum()})
    return {name: pd.DataFrame(rows) for name, rows in each.items()}


@pytest.mark.parametrize("scheme", ["pairs", "joint"])
def test_more_edges_are_directed_rightly_than_by_observation_of_as_many_rows(
    simulated: dict[str, pd.DataFrame], scheme: str
) -> None:
    """Over 40 studies the share rises by .36 ± .06 and .32 ± .07; the bench has larger ones."""
    gain = (simulated[scheme] - simulated["observed"]).mean()
    assert gain["right"] > 0.1 and gain["shd"] < 0


def test_targets_are_found_and_followers_are_not(simulated: dict[str, pd.DataFrame]) -> None:
    """Over 40 studies recall is .88 and precision .92."""
    count = simulated["targets"].sum()
    assert count["both"] / count["true"] > 0.8 and count["both"] / count["said"] > 0.85


def causal_learn(x: np.ndarray, names: list[str], context: int) -> np.ndarray:
    """Marks by causal-learn's PC, told that nothing causes the context."""
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.search.ConstraintBased.PC import pc
    from causallearn.utils.PCUtils.BackgroundKnowledge import BackgroundKnowledge

    nodes = [GraphNode(name) for name in names]
    known = BackgroundKnowledge()
    for other in range(len(names)):
        if other != context:
            known.add_forbidden_by_node(nodes[other], nodes[context])
    found = pc(x, 0.01, "fisherz", True, 0, 2, background_knowledge=known, show_progress=False, node_names=names)
    order = [found.G.get_node_map()[found.G.get_node(name)] for name in names]
    return found.G.graph[np.ix_(order, order)].astype(np.int8)


def test_against_causal_learn_with_background_knowledge() -> None:
    """The same context data, test and rule: the same edges, and no arrow the other way."""
    pytest.importorskip("causallearn")
    same = compared = 0
    for seed in range(6):
        one = study(seed, personas=1000, values=5, edits=1, shift=1.0)
        found = discover_with_contexts(
            one.rows, scheme="pairs", cluster=None, alpha=0.01, uc_rule="sepset", uc_priority=2
        )
        ours = found.graphs["e0"]
        x = np.column_stack([one.rows.to_numpy(), np.repeat([0.0, 1.0], 1000)])
        theirs = causal_learn(x, list(ours.names), 5)
        np.testing.assert_array_equal(ours.marks != 0, theirs != 0)
        reverse = (ours.marks == -1) & (ours.marks.T == 1) & (theirs.T == -1) & (theirs == 1)
        assert not reverse.any()
        same += int((ours.marks == theirs).sum())
        compared += ours.marks.size
    assert same / compared > 0.95


def test_clusters_are_what_makes_small_shifts_visible() -> None:
    """Personas differ much, the edit moves everyone a little."""
    rng = np.random.default_rng(0)
    seen = {"persona": 0, None: 0}
    for _ in range(20):
        persona = 3 * rng.standard_normal((50, 2))
        before, after = (persona + rng.standard_normal((50, 2)) for _ in range(2))
        after[:, 0] += 1.0
        rows = pd.concat({"": pd.DataFrame(before), "e": pd.DataFrame(after)}, names=["edit", "persona"])
        rows.columns = ["Power", "Wealth"]
        for cluster in seen:
            seen[cluster] += "Power" in discover_with_contexts(rows, cluster=cluster).targets["e"]
    assert seen["persona"] >= 18 and seen[None] <= 10


def test_the_order_of_rows_and_threads_change_nothing() -> None:
    rows = chain(60)
    mixed = rows.iloc[np.random.default_rng(0).permutation(len(rows))]
    one, other = discover_with_contexts(rows, threads=1), discover_with_contexts(mixed, threads=2, edits=["e0", "e1"])
    np.testing.assert_array_equal(one.combined.marks, other.combined.marks)
    assert one.targets == {edit: other.targets[edit] for edit in one.targets}


def test_knowledge_of_values_is_kept() -> None:
    known = Knowledge(forbidden=[("Power", "Wealth")])
    found = discover_with_contexts(chain(), knowledge=known)
    assert ("Power", "Wealth") not in found.combined.directed_edges()
    expected = Knowledge(forbidden=[("Power", "Wealth")], context=["edit e0", "edit e1"])
    assert found.graphs["joint"].settings.knowledge == expected
    assert ("Power", "Wealth") in found.combined.settings.knowledge.forbidden


def test_edits_of_other_personas_are_searched_one_by_one() -> None:
    rows = chain(60)
    keep = [e == "" or (int(p[1:]) < 30) == (e == "e0") for e, p in rows.index]
    found = discover_with_contexts(rows[keep])
    assert found.scheme == "pairs" and set(found.graphs) == {"e0", "e1"} and found.personas == 30
    assert any(note.startswith('scheme "pairs" instead of "joint": 0 personas have complete') for note in found.notes)
    assert discover_with_contexts(rows).scheme == "joint"


def test_labels_may_be_numbers() -> None:
    rows = chain(60)
    named = rows.rename(index={"e0": 0, "e1": 14351}, level="edit")
    expected = discover_with_contexts(rows).targets
    assert discover_with_contexts(named).targets == {"0": expected["e0"], "14351": expected["e1"]}
    assert set(discover_with_contexts(named, edits=[14351]).targets) == {"14351"}
    assert set(discover_with_contexts(named, edits=[0], scheme="pairs").targets) == {"0"}


def test_a_fault_of_an_argument_is_told_once() -> None:
    with pytest.raises(ValueError, match=r"^uc_rule must be"):
        discover_with_contexts(chain(20), scheme="pairs", uc_rule="foo")


@pytest.mark.parametrize("scheme", ["pairs", "joint"])
def test_what_contexts_direct_is_known_to_a_later_search(scheme: str) -> None:
    rows = chain()
    combined = discover_with_contexts(rows, scheme=scheme).combined
    known = combined.settings.knowledge
    assert set(known.forbidden) == {("Wealth", "Power"), ("Status", "Wealth")} and not known.context
    again = discover(rows.xs(""), test="fisherz", knowledge=known)
    assert sorted(again.directed_edges()) == [("Power", "Wealth"), ("Wealth", "Status")]


def test_how_much_depends_on_the_order_of_columns_is_told() -> None:
    """Weak edges, small samples: the share is that of graphs found with the columns in these orders."""
    one = study(4, personas=40, values=6, edits=3, noise=0.7)
    options = {"uc_rule": "sepset", "uc_priority": 2, "threads": 1}
    found = discover_with_contexts(one.rows, orders=1, **options)
    turned = discover_with_contexts(one.rows.iloc[:, ::-1], **options).combined
    expected = [
        1.0 if {(a, b): "→", (b, a): "←"}.get(edge, edge) == sign else 0.0
        for (a, b, edge), sign in zip(
            found.orientations[["a", "b", "edge"]].itertuples(index=False),
            edge_signs(turned, found.orientations),
            strict=True,
        )
    ]
    assert found.orientations["stable"].tolist() == expected
    assert discover_with_contexts(one.rows, threads=1).orientations["stable"].isna().all()


def test_evidence_decides_more_than_the_order_of_columns() -> None:
    changed = {2: 0, 4: 0}
    for seed in range(8):
        one = study(seed, personas=60, values=6, edits=4)
        for priority in changed:
            found = discover_with_contexts(one.rows, orders=2, uc_rule="sepset", uc_priority=priority, threads=1)
            changed[priority] += int((found.orientations["stable"] < 1).sum())
    assert changed[4] < 0.5 * changed[2]


# -- the vote ----------------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d")


def graph_of(*edges: str) -> ValueGraph:
    """Edges such as "a>b" and "a-b"."""
    marks = np.zeros((4, 4), dtype=np.int8)
    for edge in edges:
        i, j = NAMES.index(edge[0]), NAMES.index(edge[2])
        marks[i, j] = marks[j, i] = -1
        if edge[1] == ">":
            marks[j, i] = 1
    return ValueGraph(NAMES, marks, DiscoverySettings(alpha=0.05, n=10))


def test_undirected_edges_have_no_say_in_directions() -> None:
    graphs = {
        "1": graph_of("a-b", "c>d"),
        "2": graph_of("a-b", "d>c"),
        "3": graph_of("a>b", "c>d"),
        "4": graph_of("b>c"),
    }
    table = tally(graphs, NAMES)
    assert table.set_index(["a", "b"]).loc[("a", "b"), ["forward", "undirected", "absent"]].tolist() == [1, 2, 1]
    marks, conflicts = vote(table, NAMES)
    combined = ValueGraph(NAMES, marks, DiscoverySettings(alpha=0.05, n=10))
    assert combined.directed_edges() == [("a", "b"), ("c", "d")] and combined.undirected_edges() == []
    assert conflicts == ["c and d: 2 of the graphs have c → d, 1 d → c"]


def test_a_tie_is_undirected_and_named() -> None:
    graphs = {"1": graph_of("a>b"), "2": graph_of("b>a")}
    marks, conflicts = vote(tally(graphs, NAMES), NAMES)
    assert marks[0, 1] == marks[1, 0] == -1 and len(conflicts) == 1


def test_what_votes_compel_is_directed_and_what_no_dag_has_is_noted() -> None:
    plain = DiscoverySettings(alpha=0.05, n=10)
    closed = established(graph_of("a>b", "b-c"), Knowledge())
    assert closed.directed_edges() == [("a", "b"), ("b", "c")]  # else b would be a new collider
    assert closed.settings == replace(plain, knowledge=Knowledge(forbidden=[("b", "a"), ("c", "b")]))
    assert closed.notes == ("1 arrows of the combined graph follow from the others (Meek's rules)",)
    square = established(graph_of("a-b", "b-c", "c-d", "a-d"), Knowledge())
    assert square.settings.knowledge is None and "no DAG agrees" in square.notes[0]


def test_a_cycle_is_not_voted_in() -> None:
    graphs = {str(i): graph_of("a>b", "b>c") for i in range(3)} | {"x": graph_of("c>a", "a>b"), "y": graph_of("c>a")}
    graphs |= {"z": graph_of("c>a", "b>c"), "w": graph_of("c>a")}
    marks, conflicts = vote(tally(graphs, NAMES), NAMES)
    directed = (marks == -1) & (marks.T == 1)
    assert directed.sum() == 2 and any("would close a cycle" in one for one in conflicts)


@given(st.lists(st.lists(st.sampled_from(["", ">", "<", "-"]), min_size=6, max_size=6), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_votes_are_acyclic_and_never_against_a_majority(kinds: list[list[str]]) -> None:
    import networkx as nx

    pairs = list(itertools.combinations(NAMES, 2))
    edges = [
        [f"{a}{k}{b}" if k != "<" else f"{b}>{a}" for (a, b), k in zip(pairs, row, strict=True) if k] for row in kinds
    ]
    graphs = {str(i): graph_of(*row) for i, row in enumerate(edges)}
    marks, _ = vote(tally(graphs, NAMES), NAMES)
    assert ((marks != 0) == (marks.T != 0)).all() and not ((marks == 1) & (marks.T == 1)).any()
    assert nx.is_directed_acyclic_graph(nx.DiGraph((marks == -1) & (marks.T == 1)))
    for place, (a, b) in enumerate(pairs):
        said = [row[place] for row in kinds]
        i, j = NAMES.index(a), NAMES.index(b)
        assert bool(marks[i, j]) == (2 * said.count("") < len(said))
        if marks[j, i] == 1:
            assert said.count(">") > said.count("<")
        if marks[i, j] == 1:
            assert said.count("<") > said.count(">")


# -- what is odd is named ----------------------------------------------------------------------------------------------


def test_broken_and_incomplete_edits_are_named() -> None:
    rows = chain(40)
    broken = rows.xs("e1").copy() * 0
    few = rows.xs("e1").iloc[:5]
    idle = rows.xs("")
    rows = pd.concat([rows, *(pd.concat({k: t}, names=["edit"]) for k, t in [("b", broken), ("f", few), ("i", idle)])])
    rows.index.names = ["edit", "persona"]
    found = discover_with_contexts(rows)
    assert set(found.targets) == set(discover_with_contexts(rows, scheme="pairs").graphs) == {"e0", "e1", "i"}
    assert found.left_out["b"].startswith("broke the model")
    assert found.left_out["f"].startswith("5 personas have complete rows")
    assert "edit 'i' changed no score" in found.notes and found.targets["i"] == ()
    with pytest.raises(ValueError, match="none is left to look at: b broke the model"):
        discover_with_contexts(rows, edits=["b"])
    with pytest.raises(ValueError, match="5 personas have complete rows"):
        discover_with_contexts(rows, edits=["f"])


def test_missing_scores_and_constant_values_are_named() -> None:
    rows = chain(60)
    rows.loc[("e0", "p3"), "Power"] = np.nan
    rows.loc["e1", "Status"] = np.nan
    rows["Calm"] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = discover_with_contexts(rows, scheme="pairs")
    assert any("1 of 60 personas without complete rows" in note for note in found.graphs["e0"].notes)
    assert "Status" not in found.graphs["e1"].names and any("Status: missing" in note for note in found.notes)
    assert "Calm" in found.graphs["e0"].excluded and any("Calm" in note for note in found.notes)
    row = found.orientations.set_index(["a", "b"]).loc[("Status", "Wealth")]
    assert row["untested"] == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"scheme": "all"}, ValueError, "scheme: expected one of pairs, joint, regime, got 'all'"),
        ({"cluster": "edit"}, ValueError, "cluster: expected 'persona' or None"),
        ({"knowledge": {}}, TypeError, "knowledge: expected a pyvalue.Knowledge"),
        ({"edits": "e0"}, TypeError, "edits must be a list of labels"),
        ({"orders": -1}, ValueError, "orders: expected a whole number of at least 0, got -1"),
        ({"edits": ["e9"]}, ValueError, "no rows under e9; the data have e0, e1"),
        ({"alpha": 2.0}, ValueError, "alpha must be between 0 and 1"),
    ],
)
def test_bad_arguments(change: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        discover_with_contexts(chain(20), **change)


def test_no_unedited_rows() -> None:
    with pytest.raises(ValueError, match="expected rows without an edit"):
        discover_with_contexts(chain(20).drop("", level="edit"))


def test_it_can_be_saved(tmp_path: Path) -> None:
    import json

    found = discover_with_contexts(chain(), orders=2)
    kept = json.loads(found.save(tmp_path / "contexts.json").read_text(encoding="utf-8"))
    assert kept["targets"] == {"e0": ["Power"], "e1": ["Wealth"]}
    assert ValueGraph.from_dict(kept["combined"]) == found.combined
    assert "2 contexts with 2 direct targets, 200 personas" in repr(found)
    assert kept["orientations"][0]["stable"] == 1.0 and kept["personas"] == 200


def test_the_papers_data() -> None:
    if not PAPER.is_dir():
        pytest.skip("the paper's files lie beside the checkout, not in it")
    found = discover_with_contexts(PAPER / "ans_gemma_train_formal.csv", edits=KEPT, scheme="joint", max_depth=1)
    assert set(found.targets) == set(KEPT) and all(found.targets.values())
    assert "Positive coping" in found.combined.names


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("interventions.md", tmp_path, monkeypatch, least=3)
