"""The paired invariance test: against statsmodels and scikit-learn's kind of instruments, its level and its power."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from d_separation import random_dag

from pyvalue.cpdag import consistent_extension, cpdag_of_dag
from pyvalue.effects.invariance import direct_effect
from pyvalue.effects.invariance_parents import possible_parents

SLOPES = ("paired", "unedited", "repeated")


def simulated(
    rng: np.random.Generator, n: int, conditions: int = 9, *, hit: float = 0.0, noise: float = 0.0, spread: bool = False
) -> tuple[np.ndarray, ...]:
    """A value with two parents, which every edit moves by .8, and the value itself by ``hit``."""
    persona = np.sqrt(0.5) * rng.standard_normal((n, 3))
    own = np.sqrt(0.5) * rng.standard_normal((conditions, n, 3))
    if spread:  # personas differ in how much they vary, and in how far the edit moves them
        own *= 0.3 + np.abs(persona[:, :1])
        own[1:, :, :2] += 0.6 * rng.standard_normal((conditions - 1, n, 2))
    x = persona + own
    x[1:] += [0.8, 0.8, hit]
    parents = x[:, :, :2]
    value = x[:, :, 2] + parents @ [0.7, 0.5]
    value, parents = (
        value + noise * rng.standard_normal(value.shape),
        parents + noise * rng.standard_normal(parents.shape),
    )
    return value[1] - value[0], parents[1] - parents[0], value, parents


def test_slopes_from_changes_are_statsmodels_hc3() -> None:
    sm = pytest.importorskip("statsmodels.api")
    for n, seed in ((12, 0), (80, 1)):
        change, parent_change, value, parents = simulated(np.random.default_rng(seed), n, spread=True)
        found = direct_effect(change, parent_change, value, parents, "paired")
        theirs = sm.OLS(change, sm.add_constant(parent_change)).fit(cov_type="HC3", use_t=True)
        assert found.estimate == pytest.approx(theirs.params[0], rel=1e-9)
        assert found.error == pytest.approx(theirs.bse[0], rel=1e-9)
        assert found.p == pytest.approx(theirs.pvalues[0], rel=1e-7)
        np.testing.assert_allclose(found.slopes, theirs.params[1:])
        assert found.interval(0.9) == pytest.approx(tuple(theirs.conf_int(0.1)[0]), rel=1e-7)


def test_without_parents_it_is_the_paired_t_test() -> None:
    from scipy import stats

    rng = np.random.default_rng(3)
    before, after = rng.standard_normal((2, 30))
    for slopes in SLOPES:
        found = direct_effect(
            after - before, np.empty((30, 0)), np.stack([before, after]), np.empty((2, 30, 0)), slopes
        )
        # The jackknife of a mean is its usual error times √(n / (n - 1)).
        t = stats.ttest_rel(after, before).statistic * np.sqrt(29 / 30)
        assert found.p == pytest.approx(2 * stats.t.sf(abs(t), 29), rel=1e-9)


def two_stage(value: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Two-stage least squares over two conditions stacked, the parents' scores in the other as instruments."""
    x, z = (np.concatenate([part - part.mean(axis=0) for part in order]) for order in (parents, parents[::-1]))
    y = np.concatenate([part - part.mean() for part in value])
    fitted = z @ np.linalg.lstsq(z, x, rcond=None)[0]
    return np.linalg.lstsq(fitted, y, rcond=None)[0]


def test_repeated_slopes_are_two_stage_least_squares() -> None:
    change, parent_change, value, parents = simulated(np.random.default_rng(4), 60, 2)
    found = direct_effect(change, parent_change, value, parents, "repeated")
    slopes = two_stage(value, parents)
    np.testing.assert_allclose(found.slopes, slopes, rtol=1e-8)
    assert found.estimate == pytest.approx((change - parent_change @ slopes).mean(), rel=1e-8)
    left_out = []
    for i in range(60):
        keep = np.arange(60) != i
        beta = two_stage(value[:, keep], parents[:, keep])
        left_out.append((change[keep] - parent_change[keep] @ beta).mean())
    assert found.error == pytest.approx(np.sqrt(((np.array(left_out) - found.estimate) ** 2).sum()), rel=1e-8)


def test_unedited_slopes_are_a_regression_over_personas() -> None:
    change, parent_change, value, parents = simulated(np.random.default_rng(5), 50, 3)
    found = direct_effect(change, parent_change, value, parents, "unedited")
    design = np.column_stack([np.ones(50), parents[0]])
    np.testing.assert_allclose(found.slopes, np.linalg.lstsq(design, value[0], rcond=None)[0][1:], rtol=1e-9)


def test_repeated_slopes_are_not_diluted() -> None:
    rng = np.random.default_rng(6)
    *_, value, parents = case = simulated(rng, 20_000, 4, noise=1.0)
    np.testing.assert_allclose(direct_effect(*case, "repeated").slopes, [0.7, 0.5], atol=0.06)
    assert (direct_effect(*case, "paired").slopes < [0.3, 0.25]).all()
    assert direct_effect(*case, "repeated").strength > 100
    # They are the same whichever condition the change is of, for all conditions serve.
    other = value[3] - value[0], parents[3] - parents[0], value, parents
    np.testing.assert_allclose(direct_effect(*other, "repeated").slopes, direct_effect(*case, "repeated").slopes)


@pytest.mark.parametrize(("n", "spread"), [(100, False), (30, True)], ids=["even", "uneven"])
def test_level_where_scores_are_exact(n: int, spread: bool) -> None:
    """Nominal 5% within a point of error above; instruments, which are weaker, may find less."""
    rng = np.random.default_rng(n)
    runs = 1500
    below = dict.fromkeys(SLOPES, 0)
    for _ in range(runs):
        case = simulated(rng, n, spread=spread)
        for slopes in SLOPES:
            below[slopes] += direct_effect(*case, slopes).p < 0.05
    # Three standard errors of a share of 5% in 1,500 are .017.
    assert max(below.values()) / runs < 0.05 + 0.01 + 0.011
    assert below["paired"] / runs > 0.05 - 0.01 - 0.011


def test_errors_of_measurement_make_false_hits_except_with_repeated_slopes() -> None:
    rng = np.random.default_rng(7)
    runs = 300
    below = dict.fromkeys(SLOPES, 0)
    for _ in range(runs):
        case = simulated(rng, 100, noise=1.0)
        for slopes in SLOPES:
            below[slopes] += direct_effect(*case, slopes).p < 0.05
    assert below["paired"] / runs > 0.3 and below["unedited"] / runs > 0.15
    assert below["repeated"] / runs < 0.08


def test_power_and_coverage() -> None:
    rng = np.random.default_rng(8)
    runs = 300
    covered = dict.fromkeys(SLOPES, 0)
    seen = dict.fromkeys(SLOPES, 0)
    for _ in range(runs):
        case = simulated(rng, 100, hit=0.5)
        for slopes in SLOPES:
            found = direct_effect(*case, slopes)
            low, high = found.interval(0.95)
            covered[slopes] += low <= 0.5 <= high
            seen[slopes] += found.p < 0.05
    for slopes in SLOPES:
        assert 0.91 < covered[slopes] / runs < 0.985
    assert seen["paired"] / runs > 0.8 and seen["unedited"] / runs > 0.8 and seen["repeated"] / runs > 0.6


def test_personas_that_do_not_differ_find_little_and_say_so() -> None:
    rng = np.random.default_rng(9)
    below, strengths = 0, []
    for _ in range(300):
        *_, value, parents = simulated(rng, 60)
        shuffled = np.stack([rng.permutation(60) for _ in range(9)])
        value, parents = (np.stack([part[i] for part, i in zip(x, shuffled, strict=True)]) for x in (value, parents))
        found = direct_effect(value[1] - value[0], parents[1] - parents[0], value, parents, "repeated")
        below += found.p < 0.05
        strengths.append(found.strength)
    assert below / 300 < 0.06 and np.median(strengths) < 3


def test_missing_scores_are_passed_over() -> None:
    change, parent_change, value, parents = simulated(np.random.default_rng(10), 200)
    change[3] = np.nan
    parent_change[5, 0] = value[4, 7] = parents[2, 9, 1] = np.nan
    for slopes in SLOPES:
        whole = direct_effect(*simulated(np.random.default_rng(10), 200), slopes)
        found = direct_effect(change, parent_change, value, parents, slopes)
        assert found.freedom == 195 and found.estimate == pytest.approx(whole.estimate, abs=0.05)


@pytest.mark.parametrize("slopes", SLOPES)
def test_what_cannot_be_tested_is_named(slopes: str) -> None:
    change, parent_change, value, parents = simulated(np.random.default_rng(11), 30)
    with pytest.raises(ValueError, match="4 personas have the changes of it and its 2 parents, at least 5 are needed"):
        direct_effect(np.where(np.arange(30) < 4, change, np.nan), parent_change, value, parents, slopes)
    with pytest.raises(ValueError, match="its change does not vary"):
        direct_effect(np.zeros(30), np.zeros((30, 0)), value, parents[:, :, :0], slopes)
    twice = (np.repeat(parent_change[:, :1], 2, axis=1), np.repeat(parents[:, :, :1], 2, axis=2))
    with pytest.raises(ValueError, match="do not vary enough between personas, apart from each other"):
        direct_effect(change, twice[0], value, twice[1], slopes)


def test_repeated_slopes_need_a_second_condition() -> None:
    change, parent_change, value, parents = simulated(np.random.default_rng(12), 30)
    with pytest.raises(ValueError, match="no persona has its scores in two conditions"):
        direct_effect(change, parent_change, value[:1], parents[:1], "repeated")


# -- sets of parents ---------------------------------------------------------------------------------------------------


def parents_in_the_class(dag: np.ndarray, node: int) -> set[tuple[int, ...]]:
    """By trying every orientation of the undirected edges of the CPDAG."""
    cpdag = cpdag_of_dag(dag)
    open_edges = np.argwhere(np.triu((cpdag == -1) & (cpdag.T == -1)))
    found = set()
    for flips in itertools.product((False, True), repeat=len(open_edges)):
        one = (cpdag == -1) & (cpdag.T == 1)
        for (i, j), flip in zip(open_edges, flips, strict=True):
            one[(j, i) if flip else (i, j)] = True
        if nx.is_directed_acyclic_graph(nx.DiGraph(one)) and (cpdag_of_dag(one) == cpdag).all():
            found.add(tuple(np.flatnonzero(one[:, node]).tolist()))
    return found


def test_parents_are_those_of_all_dags_of_the_class() -> None:
    rng = np.random.default_rng(13)
    several = 0
    for _ in range(40):
        dag = random_dag(rng, int(rng.integers(2, 7)), 0.5)
        marks = cpdag_of_dag(dag)
        for node in range(len(dag)):
            found = possible_parents(marks, node)
            assert len(found) == len(set(found)) and set(found) == parents_in_the_class(dag, node)
            several += len(found) > 1
    assert several > 30


def test_known_directions_leave_at_least_the_true_parents() -> None:
    rng = np.random.default_rng(14)
    for _ in range(60):
        dag = random_dag(rng, 6, 0.5)
        marks = cpdag_of_dag(dag, dag & (rng.random(dag.shape) < 0.3))
        assert consistent_extension(marks) is not None
        for node in range(6):
            assert tuple(np.flatnonzero(dag[:, node]).tolist()) in possible_parents(marks, node)


def test_cycles_and_crowds() -> None:
    marks = np.zeros((4, 4), dtype=np.int8)
    for i, j in ((0, 1), (1, 2), (2, 0), (2, 3)):
        marks[i, j], marks[j, i] = -1, 1
    for node in (0, 1, 2):
        with pytest.raises(ValueError, match="directed cycle"):
            possible_parents(marks, node)
    assert possible_parents(marks, 3) == [(2,)]
    crowd = -np.ones((10, 10), dtype=np.int8) + np.eye(10, dtype=np.int8)
    with pytest.raises(ValueError, match="its 9 undirected neighbours allow more than 256 sets"):
        possible_parents(crowd, 0)
    both = np.array([[0, 1], [1, 0]], dtype=np.int8)
    assert possible_parents(both, 0) == [()]
