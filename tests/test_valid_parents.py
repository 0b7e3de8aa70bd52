"""Valid sets of parents: exactly those that occur in the DAGs of the class, found by trying all orientations."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from equivalence_class import dags, members
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.cpdag import cpdag_of_dag
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
def test_nothing_that_a_value_reaches_is_called_out_of_reach(dag: np.ndarray, data: st.DataObject) -> None:
    nodes = data.draw(st.permutations(range(len(dag))))[: data.draw(st.integers(1, 2))]
    reached = {one.parents: one.reached for one in joint_parent_sets(cpdag_of_dag(dag), nodes)}
    for member in members(dag):
        graph = nx.DiGraph(member)
        mask = reached[tuple(parents(member, node) for node in nodes)]
        for place, node in enumerate(nodes):
            assert mask[place, [node, *nx.descendants(graph, node)]].all()


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
