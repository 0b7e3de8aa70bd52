"""Valid sets of parents: exactly those that occur in the DAGs of the class, found by trying all orientations."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from equivalence_class import dags, members
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.effects import valid_parents
from pyvalue.effects.causal_relations import relations
from pyvalue.effects.valid_parents import TooManySetsError, joint_parent_sets, most_directed, valid_parent_sets


def parents(dag: np.ndarray, node: int) -> tuple[int, ...]:
    return tuple(np.flatnonzero(dag[:, node]).tolist())


@settings(max_examples=60, deadline=None)
@given(dags())
def test_sets_of_one_value_are_those_of_the_class(dag: np.ndarray) -> None:
    marks, class_ = cpdag_of_dag(dag), list(members(dag))
    for node in range(len(dag)):
        found = valid_parent_sets(marks, node)
        assert len({one.parents for one in found}) == len(found)
        assert {one.parents[0] for one in found} == {parents(member, node) for member in class_}


@settings(max_examples=60, deadline=None)
@given(dags(), st.data())
def test_with_known_edges(dag: np.ndarray, data: st.DataObject) -> None:
    edges = np.argwhere(dag)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges)))
    known = np.zeros_like(dag)
    known[tuple(edges[np.array(chosen, dtype=bool)].T)] = True
    marks, class_ = cpdag_of_dag(dag, known=known), list(members(dag, known))
    for node in range(len(dag)):
        found = {one.parents[0] for one in valid_parent_sets(marks, node)}
        assert found == {parents(member, node) for member in class_}


@settings(max_examples=60, deadline=None)
@given(dags(least=3), st.data())
def test_sets_of_several_values_are_those_of_the_class(dag: np.ndarray, data: st.DataObject) -> None:
    nodes = data.draw(st.permutations(range(len(dag))))[: data.draw(st.integers(2, 3))]
    found = joint_parent_sets(cpdag_of_dag(dag), nodes)
    assert len({one.parents for one in found}) == len(found)
    wanted = {tuple(parents(member, node) for node in nodes) for member in members(dag)}
    assert {one.parents for one in found} == wanted


@settings(max_examples=60, deadline=None)
@given(dags(least=3), st.data())
def test_reached_is_what_follows_in_some_dag_with_these_parents(dag: np.ndarray, data: st.DataObject) -> None:
    nodes = data.draw(st.permutations(range(len(dag))))[: data.draw(st.integers(1, 2))]
    wanted: dict[tuple[tuple[int, ...], ...], tuple[np.ndarray, np.ndarray]] = {}
    for member in members(dag):
        key = tuple(parents(member, node) for node in nodes)
        reached, past = wanted.setdefault(key, tuple(np.zeros((2, len(nodes), len(dag)), dtype=bool)))
        for place, node in enumerate(nodes):
            reached[place, [node, *nx.descendants(nx.DiGraph(member), node)]] = True
            cut = nx.DiGraph(member)
            cut.remove_nodes_from(set(nodes) - {node})
            past[place, [node, *nx.descendants(cut, node)]] = True
    for one in joint_parent_sets(cpdag_of_dag(dag), nodes):
        np.testing.assert_array_equal(one.reached, wanted[one.parents][0])
        np.testing.assert_array_equal(one.past_others, wanted[one.parents][1])


def test_a_graph_with_knowledge_that_does_not_say_all_it_implies() -> None:
    """0 → 1 is known and 1 — 2 left open, though 1 → 2 follows: no set with 2 among the parents of 1."""
    marks = np.zeros((3, 3), dtype=np.int8)
    marks[0, 1], marks[1, 0] = -1, 1
    marks[1, 2] = marks[2, 1] = -1
    closed = most_directed(marks)
    assert closed is not None and (closed[1, 2], closed[2, 1]) == (-1, 1)
    assert [one.parents for one in valid_parent_sets(marks, 1)] == [((0,),)]
    assert [one.parents for one in valid_parent_sets(marks, 2)] == [((1,),)]


def test_a_large_star_has_few_sets_and_a_large_clique_too_many() -> None:
    star = np.zeros((31, 31), dtype=np.int8)
    star[0, 1:] = star[1:, 0] = -1
    assert len(valid_parent_sets(star, 0)) == 31
    clique = -np.ones((14, 14), dtype=np.int8) + np.eye(14, dtype=np.int8)
    assert len(valid_parent_sets(clique, 3, limit=1 << 13)) == 1 << 13
    with pytest.raises(TooManySetsError, match="13 undirected neighbours has more than 4096 sets"):
        valid_parent_sets(clique, 3)
    with pytest.raises(TooManySetsError, match="sets of parents"):
        joint_parent_sets(clique[:8, :8], [0, 1, 2], limit=100)


def test_too_many_combinations_are_refused_before_any_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    clique = -np.ones((11, 11), dtype=np.int8) + np.eye(11, dtype=np.int8)
    for size, nodes in [(5, [0, 3]), (5, [4, 1, 2]), (6, [0, 1])]:
        found = joint_parent_sets(clique[:size, :size], nodes)
        assert len(found) == valid_parents._least_combinations(clique[:size, :size], nodes)  # a clique reaches it
    monkeypatch.setattr(valid_parents, "_oriented", None)
    with pytest.raises(TooManySetsError, match="2 values have more than 4096 combinations"):
        joint_parent_sets(clique, [0, 1])


@settings(max_examples=60, deadline=None)
@given(dags(least=3), st.data())
def test_the_least_number_of_combinations_is_never_above_the_number(dag: np.ndarray, data: st.DataObject) -> None:
    nodes = data.draw(st.permutations(range(len(dag))))[: data.draw(st.integers(2, 3))]
    marks = cpdag_of_dag(dag)
    assert valid_parents._least_combinations(marks, nodes) <= len(joint_parent_sets(marks, nodes))


def test_no_class_no_sets() -> None:
    cycle = np.zeros((3, 3), dtype=np.int8)
    for a, b in [(0, 1), (1, 2), (2, 0)]:
        cycle[a, b], cycle[b, a] = -1, 1
    assert most_directed(cycle) is None
    with pytest.raises(ValueError, match="extends to a DAG"):
        valid_parent_sets(cycle, 0)
    with pytest.raises(ValueError, match="extends to a DAG"):
        joint_parent_sets(cycle, [0, 1])
    with pytest.raises(ValueError, match="distinct"):
        joint_parent_sets(np.zeros((3, 3), dtype=np.int8), [1, 1])


def by_enumeration(class_: list[np.ndarray]) -> np.ndarray:
    """(d, d) "definite", "possible", "none": in how many of the DAGs the column is a descendant of the row."""
    d = len(class_[0])
    count = np.zeros((d, d), dtype=int)
    for member in class_:
        for node in range(d):
            count[node, list(nx.descendants(nx.DiGraph(member), node))] += 1
    found = np.where(count == len(class_), "definite", np.where(count > 0, "possible", "none"))
    np.fill_diagonal(found, "self")
    return found


@settings(max_examples=150, deadline=None)
@given(dags(least=3, most=6), st.data())
def test_relations_are_those_of_all_dags_of_the_class(dag: np.ndarray, data: st.DataObject) -> None:
    edges = np.argwhere(dag)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges)))
    known = np.zeros_like(dag)
    known[tuple(edges[np.array(chosen, dtype=bool)].T)] = True
    for only in (None, known):
        np.testing.assert_array_equal(
            relations(cpdag_of_dag(dag, known=only)), by_enumeration(list(members(dag, only)))
        )


def test_a_value_can_follow_in_every_dag_without_one_path_that_is_in_all() -> None:
    """0 — 1 → 3 ← 2 — 0: one of 1 and 2 is no parent of 0, because both would make a collider."""
    dag = np.zeros((4, 4), dtype=bool)
    dag[0, 1] = dag[0, 2] = dag[1, 3] = dag[2, 3] = True
    found = relations(cpdag_of_dag(dag))
    assert found[0].tolist() == ["self", "possible", "possible", "definite"]
    assert found[1].tolist() == ["possible", "self", "possible", "definite"]
