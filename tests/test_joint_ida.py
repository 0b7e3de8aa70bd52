"""IDA and joint IDA: the effects over valid parents are those of every DAG of the class, by products along paths."""

from __future__ import annotations

import numpy as np
import pytest
from equivalence_class import dags, fitted_weights, members, path_effects
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_sems import random_model

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.effects import ida
from pyvalue.effects.ida import coefficients, effects_given, effects_over_sets
from pyvalue.effects.joint_ida import joint_effects
from pyvalue.effects.valid_parents import joint_parent_sets, valid_parent_sets


def population(dag: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = dag * rng.uniform(0.3, 1, dag.shape) * rng.choice([-1, 1], dag.shape)
    total = np.linalg.inv(np.eye(len(dag)) - weights)
    return total.T @ np.diag(rng.uniform(0.5, 2, len(dag))) @ total


def assert_same_set(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    for ours in found:
        assert any(np.allclose(ours, theirs, atol=1e-9) for theirs in wanted), ours
    for theirs in wanted:
        assert any(np.allclose(ours, theirs, atol=1e-9) for ours in found), theirs


@settings(max_examples=50, deadline=None)
@given(dags(), st.integers(0, 99))
def test_effects_of_one_value_are_those_of_the_class(dag: np.ndarray, seed: int) -> None:
    covariance, marks = population(dag, seed), cpdag_of_dag(dag)
    totals = [path_effects(fitted_weights(covariance, member)) for member in members(dag)]
    for cause in range(len(dag)):
        found = [effects_given(covariance, cause, one) for one in valid_parent_sets(marks, cause)]
        assert_same_set(found, [total[cause] for total in totals])
        plain = [coefficients(covariance, cause, one.parents[0]) for one in valid_parent_sets(marks, cause)]
        assert_same_set(plain, found)  # the zeros by the graph are those of the population


@settings(max_examples=50, deadline=None)
@given(dags(least=3), st.integers(0, 99), st.data())
def test_joint_effects_are_those_of_the_class(dag: np.ndarray, seed: int, data: st.DataObject) -> None:
    causes = data.draw(st.permutations(range(len(dag))))[: data.draw(st.integers(2, 3))]
    covariance = population(dag, seed)
    found = [joint_effects(covariance, causes, one) for one in joint_parent_sets(cpdag_of_dag(dag), causes)]
    wanted = [
        path_effects(fitted_weights(covariance, member), held=tuple(causes))[list(causes)] for member in members(dag)
    ]
    assert_same_set(found, wanted)


def test_joint_effects_of_a_large_known_dag_are_the_cut_inverse() -> None:
    model = random_model(np.random.default_rng(3), 30, degree=5)
    everything_known = np.where(model.dag, -1, 0) + np.where(model.dag.T, 1, 0)
    causes = [4, 11, 17, 25]
    (sets,) = joint_parent_sets(everything_known.astype(np.int8), causes)
    found = joint_effects(model.covariance(), causes, sets)
    np.testing.assert_allclose(found, path_effects(model.weights, held=tuple(causes))[causes], atol=1e-9)


def test_a_stack_is_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    dag = np.triu(rng.random((6, 6)) < 0.6, 1)
    stack = np.array([population(dag, seed) for seed in range(5)])
    for sets in joint_parent_sets(cpdag_of_dag(dag), [1, 3]):
        together = joint_effects(stack, [1, 3], sets)
        np.testing.assert_allclose(together, [joint_effects(one, [1, 3], sets) for one in stack], atol=1e-12)


def test_collinear_parents_give_no_effect_and_spoil_no_other() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 50))
    singular, regular = np.cov([a, a, b]), np.cov(rng.standard_normal((3, 50)))
    found = coefficients(np.array([singular, regular, np.zeros((3, 3))]), 0, [1])
    assert np.isnan(found[[0, 2]]).all()
    np.testing.assert_allclose(found[1], coefficients(regular, 0, [1]))


def test_sets_in_one_go_are_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    stack = np.array([population(np.triu(np.ones((6, 6), dtype=bool), 1), seed) for seed in range(4)])
    stack[2, :, 1] = stack[2, 1, :] = np.nan  # a value that the rows lack
    sets = [tuple(k for k in range(6) if number >> k & 1) for number in range(64)]
    shuffled = [sets[k] for k in rng.permutation(64) if len(sets[k]) < 6]
    wanted = {one: [k for k in range(6) if k not in one] for one in shuffled}
    for most in (ida._MOST, 0):
        monkeypatch.setattr(ida, "_MOST", most)
        compared = 0
        for parents, causes, found in effects_over_sets(stack, wanted):
            for place, cause in enumerate(causes):
                np.testing.assert_allclose(found[:, place], coefficients(stack, cause, parents), atol=1e-9)
                compared += 1
        assert compared == 6 * 32
