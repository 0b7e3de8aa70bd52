"""Graphs that no DAG agrees with: found as networkx and an enumeration find them, and what is offered instead."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from equivalence_class import colliders
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_sems import graph_of_marks, random_model

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery import discover
from pyvalue.effects.graph_soundness import graph_soundness
from pyvalue.effects.refitted_effects import refitted_effects
from pyvalue.effects.sound_graph import sound_graph
from pyvalue.errors import PyvalueError
from pyvalue.graph import ValueGraph
from pyvalue.knowledge import Knowledge

ENDS = {"": (0, 0), ">": (-1, 1), "<": (1, -1), "-": (-1, -1)}


def graph_of(text: str, size: int) -> ValueGraph:
    marks = np.zeros((size, size), dtype=np.int8)
    for a, kind, b in text.split():
        ends = ENDS.get(kind, (1, 1))
        marks[int(a), int(b)], marks[int(b), int(a)] = ends
    return graph_of_marks(marks)


@st.composite
def mixed_graphs(draw: st.DrawFn) -> np.ndarray:
    d = draw(st.integers(3, 4))
    marks = np.zeros((d, d), dtype=np.int8)
    for i in range(d):
        for j in range(i):
            marks[i, j], marks[j, i] = ENDS[draw(st.sampled_from(list(ENDS)))]
    return marks


def agreeing(marks: np.ndarray) -> list[np.ndarray]:
    """All DAGs with the graph's edges, arrows and unshielded colliders."""
    arrows = (marks == -1) & (marks.T == 1)
    loose = np.argwhere(np.triu((marks == -1) & (marks.T == -1)))
    found = []
    for turns in product([False, True], repeat=len(loose)):
        dag = arrows.copy()
        for (i, j), turned in zip(loose, turns, strict=True):
            dag[(j, i) if turned else (i, j)] = True
        shielded = marks != 0
        ours = {
            (a, m, b)
            for m in range(len(marks))
            for a in range(len(marks))
            for b in range(a + 1, len(marks))
            if arrows[a, m] and arrows[b, m] and not shielded[a, b]
        }
        if nx.is_directed_acyclic_graph(nx.DiGraph(dag)) and colliders(dag) == ours:
            found.append(dag)
    return found


@settings(max_examples=150, deadline=None)
@given(mixed_graphs())
def test_as_by_enumeration(marks: np.ndarray) -> None:
    graph = graph_of_marks(marks)
    found, dags = graph_soundness(graph), agreeing(marks)
    assert found.extendable == bool(dags)
    assert found.valid_cpdag == any(np.array_equal(cpdag_of_dag(dag), marks) for dag in dags)
    assert found.valid_cpdag == graph.is_valid_cpdag()
    on_cycle = {node for cycle in nx.simple_cycles(nx.DiGraph((marks == -1) & (marks.T == 1))) for node in cycle}
    listed = {int(name[1:]) for cycle in found.cycles for name in cycle}
    assert listed == on_cycle
    assert found.extendable or found.cycles or found.bidirected or found.conflicts
    assert (found.reason == "a valid CPDAG") == found.valid_cpdag
    assert not {f"v{node}" for node in on_cycle} & set(found.determined)


def test_faults_are_named() -> None:
    cycle = graph_soundness(graph_of("0>1 1>2 2>0 3>4", 5))
    assert cycle.cycles == (("v0", "v1", "v2"),)
    assert cycle.reason == "no DAG agrees with it: directed cycle v0 → v1 → v2 → v0"
    assert cycle.determined == ("v3", "v4")
    both = graph_soundness(graph_of("0=1 1>2", 3))
    assert both.bidirected == (("v0", "v1"),) and "two arrowheads v0 ↔ v1" in both.reason
    assert both.determined == ("v2",)
    pushed = graph_soundness(graph_of("0>1 1-2 3>2", 4))
    assert pushed.conflicts == (("v1", "v2", "arrows on both sides compel it both ways"),)
    further = graph_soundness(graph_of("0>1 1-2 2-3 4>3", 5))
    assert [edge[:2] for edge in further.conflicts] == [("v1", "v2"), ("v3", "v2")]
    assert "v1 — v2 cannot be turned: the arrows turn it into a new collider" in further.reason
    square = graph_soundness(graph_of("0-1 1-2 2-3 3-0", 4))
    assert len(square.conflicts) == 4 and "without a chord" in square.reason
    known = graph_soundness(graph_of("0>1", 2))
    assert known.extendable and known.not_compelled == (("v0", "v1"),) and "no collider compels v0 → v1" in known.reason
    left = graph_soundness(graph_of("0>1 2>1 1-3", 4))
    assert left.undecided == (("v1", "v3"),) and not left.valid_cpdag
    assert set(left.to_dict()) == set(left.__dataclass_fields__)
    assert repr(square).startswith("GraphSoundness(no DAG")


def test_many_cycles_are_listed_shortest_first() -> None:
    d = 9
    graph = graph_of(" ".join(f"{i}>{(i + step) % d}" for i in range(d) for step in (1, 2)), d)
    cycles = graph_soundness(graph).cycles
    assert [len(cycle) for cycle in cycles] == sorted(len(cycle) for cycle in cycles)
    assert len(cycles[0]) == 5  # nine steps in twos and a one
    for cycle in cycles:
        assert all(graph.marks[int(a[1]), int(b[1])] == -1 for a, b in zip(cycle, cycle[1:] + cycle[:1], strict=True))


def unsound(seed: int) -> tuple[ValueGraph, np.ndarray]:
    """Rows of a dense model, and PC's graph of them, that no DAG agrees with."""
    for number in range(seed, seed + 100):
        rng = np.random.default_rng(number)
        rows = random_model(rng, 8, degree=4).rows(rng, 300).to_numpy()
        graph = discover(rows, names=[f"v{k}" for k in range(8)], test="fisherz")
        if not graph_soundness(graph).extendable:
            return graph, rows
    raise AssertionError("PC's graphs are all sound")


def test_another_rule_gives_a_sound_graph() -> None:
    graph, rows = unsound(0)
    found = sound_graph(graph, rows, names=list(graph.names))
    assert found.graph is not None and found.rule != "as given"
    assert graph_soundness(found.graph).extendable
    assert next(iter(found.tried)) == "as given" and list(found.tried)[-1] == found.rule
    np.testing.assert_array_equal(found.graph.marks != 0, graph.marks != 0)  # the skeleton stays
    assert repr(found).startswith(f"SoundGraph({found.rule}: ")
    assert sound_graph(found.graph, rows).rule == "as given"
    none = sound_graph(graph, rows, names=list(graph.names), rules=())
    assert none.graph is None and none.rule is None and "none found" in repr(none)
    with pytest.raises(PyvalueError, match="cannot be learnt again"):
        sound_graph(graph, rows, names=["v0"])


def test_effects_over_graphs_that_are_learnt_again() -> None:
    """A collider with strong edges is found in every half: the interval is that of a fixed graph, about the truth."""
    rng = np.random.default_rng(0)
    a, b, e = rng.standard_normal((3, 2000))
    rows = np.column_stack([a, b, 0.8 * a + 0.8 * b + e])
    graph = discover(rows, names=["a", "b", "c"], test="fisherz", alpha=0.001)
    found = refitted_effects(graph, rows, halves=100)
    assert found.sound == 1 and found.reached[0, 2] == 1 and found.answered.all()
    assert found.low[0, 2] < 0.8 < found.high[0, 2]
    error = 1.96 / np.sqrt(2000)
    assert 0.7 * 2 * error < found.high[0, 2] - found.low[0, 2] < 1.4 * 2 * error
    assert found.low[2, 0] == found.high[2, 0] == 0
    again = refitted_effects(graph, rows[::-1], halves=100)
    np.testing.assert_array_equal(found.low, again.low)
    assert list(found.table()) == ["source", "target", "low", "high", "reached", "answered"]
    assert "100 halves of 2000 clusters, 100% of the graphs sound" in repr(found)


def test_a_chance_graph_gives_wider_intervals_when_learnt_again() -> None:
    from pyvalue.effects.total_effects import estimate_effects

    rng = np.random.default_rng(3)
    model = random_model(rng, 5)
    rows = model.rows(rng, 150).to_numpy()
    graph = discover(rows, names=list(model.graph().names), test="fisherz")
    fixed, again = estimate_effects(graph, rows, resamples=200), refitted_effects(graph, rows, halves=60)
    assert np.nansum(again.high - again.low) > 1.5 * np.nansum(fixed.high - fixed.low)


def test_what_learning_again_refuses() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((60, 3))
    graph = discover(rows, names=["a", "b", "c"], test="fisherz")
    for options, message in [({"halves": 3}, "halves"), ({"confidence": 2.0}, "confidence")]:
        with pytest.raises(ValueError, match=message):
            refitted_effects(graph, rows, **options)
    with pytest.raises(ValueError, match="cannot be learnt again from half of the rows"):
        refitted_effects(graph, rows[:6], halves=40)


def test_arrows_that_knowledge_compels_are_no_fault() -> None:
    knowledge = Knowledge(required=[("v0", "v1")], forbidden=[("v3", "v2"), ("v0", "v3")])
    plain = graph_of("0>1 1>2 3-2", 4)
    graph = ValueGraph(plain.names, plain.marks, replace(plain.settings, knowledge=knowledge))
    found = graph_soundness(graph)  # 2 → 3 is known and left open, 1 → 2 follows
    assert found.by_knowledge == (("v0", "v1"), ("v1", "v2")) and not found.not_compelled
    assert "knowledge" in found.to_dict()["reason"] or "known beforehand" in found.reason
    assert "no collider compels" not in found.reason
    assert graph_soundness(plain).not_compelled == (("v0", "v1"), ("v1", "v2"))


def test_refits_keep_clusters_knowledge_and_the_order_of_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyvalue.effects import refitted_effects as module

    rows = random_model(np.random.default_rng(3), 4).edited_rows(np.random.default_rng(0), 40, 2, 2, 1.0)
    knowledge = Knowledge(forbidden=[("v0", "v1")])
    graph = discover(rows, test="fisherz", cluster="persona", knowledge=knowledge, alpha=0.2)
    seen = []

    def spy(half: np.ndarray, **options: object) -> ValueGraph:
        seen.append((half, options))
        return discover(half, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "discover", spy)
    found = refitted_effects(graph, rows, halves=40)
    for half, options in seen:
        assert options["knowledge"] is knowledge
        np.testing.assert_array_equal(np.bincount(options["cluster"])[np.unique(options["cluster"])], 3)  # type: ignore[call-overload]
        np.testing.assert_allclose(half.sum(axis=0), 0, atol=1e-9)  # the means of edits are out
        assert len(half) == 60
    known = np.isfinite(found.low)
    assert known.any() and (found.low <= found.high)[known].all()


def test_refitted_ends_are_outer_quantiles_of_the_ranges() -> None:
    """a — b in every half: the least effect is 0, the largest the slope; the quantiles span both."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal(400)
    rows = np.column_stack([a, 0.8 * a + rng.standard_normal(400)])
    found = refitted_effects(discover(rows, names=["a", "b"], test="fisherz"), rows, halves=40)
    slope = np.polyfit(*rows.T, 1)[0]
    assert found.low[0, 1] == 0 and found.high[0, 1] > slope


def test_graphs_whose_test_is_bound_to_their_rows() -> None:
    rows = random_model(np.random.default_rng(3), 3).edited_rows(np.random.default_rng(0), 40, 2, 1, 1.0)
    graph = discover(rows, test="fisherz", cluster="persona")
    bound = ValueGraph(graph.names, graph.marks, replace(graph.settings, test="clustered"))
    with pytest.raises(ValueError, match="pass test='fisherz'"):
        refitted_effects(bound, rows, halves=40)
    assert refitted_effects(bound, rows, halves=40, test="fisherz").facts["test"] == "fisherz"
    given = graph_of("0>1", 3)
    with pytest.raises(ValueError, match=r"it was given, not learnt.*pass test and alpha"):
        refitted_effects(ValueGraph(given.names, given.marks, replace(given.settings, backend="given")), rows)


def test_a_sound_graph_from_a_table_with_labels() -> None:
    graph, rows = unsound(0)
    names = list(graph.names)
    table = pd.DataFrame(rows, columns=names).assign(edit="", persona=[f"p{k}" for k in range(len(rows))], age=9.0)
    plain = sound_graph(graph, rows)
    found = sound_graph(graph, table)
    assert plain.graph is not None and found.graph is not None and found.rule == plain.rule
    np.testing.assert_array_equal(found.graph.marks, plain.graph.marks)
    with pytest.raises(TypeError, match="ValueGraph"):
        graph_soundness(graph.marks)  # type: ignore[arg-type]
