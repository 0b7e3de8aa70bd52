"""Test-wise deletion in the compiled module against causal-learn's mv_fisherz, test by test and mark by mark."""

from __future__ import annotations

import numpy as np
import pytest

from pyvalue import _core

pytestmark = pytest.mark.filterwarnings("ignore:The number of features:UserWarning")


def linear_sample(rng: np.random.Generator, n: int, d: int, density: float) -> np.ndarray:
    weights = np.tril(rng.random((d, d)) < density, -1) * rng.uniform(0.2, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    sample = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    return sample[:, rng.permutation(d)]


def with_gaps(rng: np.random.Generator, x: np.ndarray, kind: str) -> np.ndarray:
    """Scattered and blocks are missing completely at random; driven: large values of column 0 hide the others."""
    n, d = x.shape
    x = x.copy()
    if kind == "scattered":
        x[rng.random((n, d)) < rng.uniform(0.02, 0.2)] = np.nan
    elif kind == "blocks":
        for columns in np.array_split(rng.permutation(d), 3):
            x[np.ix_(rng.random(n) < 0.2, columns)] = np.nan
    elif kind == "driven":
        for column in range(1, d):
            chance = 0.5 / (1 + np.exp(-2 * (x[:, 0] - 1)))
            x[rng.random(n) < chance, column] = np.nan
    return x


def missing_test(x: np.ndarray, n: float | None = None, alpha: float = 0.05) -> _core.CITest:
    return _core.MissingSource(_core.Table(x)).test(float(len(x)) if n is None else n, alpha)


def naive_p(x: np.ndarray, a: int, b: int, given: list[int], n_per_row: float = 1.0) -> float:
    rows = x[:, [a, b, *given]]
    rows = rows[~np.isnan(rows).any(axis=1)]
    size = len(given) + 2
    return _core.fisher_z(np.corrcoef(rows.T), len(rows) * n_per_row).p_value(0, 1, list(range(2, size)))


@pytest.mark.parametrize("kind", ["scattered", "blocks", "driven"])
def test_p_values_are_causal_learns(kind: str) -> None:
    cit = pytest.importorskip("causallearn.utils.cit")
    rng = np.random.default_rng(1)
    for _ in range(25):
        n, d = int(rng.integers(40, 600)), int(rng.integers(3, 9))
        x = with_gaps(rng, linear_sample(rng, n, d, 0.5), kind)
        ours, theirs = missing_test(x), cit.CIT(x, "mv_fisherz")
        for _ in range(20):
            a, b, *rest = (int(column) for column in rng.permutation(d))
            given = rest[: int(rng.integers(0, 4))]
            assert ours.p_value(a, b, given) == pytest.approx(theirs(a, b, tuple(given)), abs=1e-10)


@pytest.mark.parametrize("kind", ["scattered", "blocks", "driven"])
def test_graphs_are_causal_learns(kind: str) -> None:
    pc = pytest.importorskip("causallearn.search.ConstraintBased.PC").pc
    rng = np.random.default_rng(2)
    edges = arrows = 0
    for _ in range(40):
        n, d = int(rng.integers(60, 1200)), int(rng.integers(4, 8))
        x = with_gaps(rng, linear_sample(rng, n, d, float(rng.uniform(0.2, 0.7))), kind)
        marks, *_ = _core.pc(missing_test(x))
        reference = pc(x, 0.05, "mv_fisherz", stable=True, uc_rule=0, uc_priority=2, show_progress=False)
        np.testing.assert_array_equal(marks, reference.G.graph)
        edges += int(np.count_nonzero(marks)) // 2
        arrows += int(np.count_nonzero(marks == 1))
    assert edges > 100 and arrows > 50


def test_without_gaps_it_is_fisher_z() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        x = linear_sample(rng, 150, 6, 0.5)
        fisher_z = _core.fisher_z(_core.correlation(_core.Table(x)), 150.0)
        ours = missing_test(x)
        assert ours.p_value(0, 1, [2, 3]) == pytest.approx(fisher_z.p_value(0, 1, [2, 3]), abs=1e-12)
        np.testing.assert_array_equal(_core.pc(ours)[0], _core.pc(fisher_z)[0])


def test_patterns_and_rows_agree() -> None:
    """Rows with a single value are in no test, but with 70 of them there are too many patterns to sum by pattern."""
    rng = np.random.default_rng(4)
    lonely = np.full((70, 70), np.nan)
    np.fill_diagonal(lonely, 0.0)
    for _ in range(3):
        x = with_gaps(rng, linear_sample(rng, 500, 70, 0.04), "blocks")
        assert len(np.unique(np.isnan(x), axis=0)) <= 64
        by_pattern, by_row = missing_test(x), missing_test(np.vstack([x, lonely]))
        for _ in range(200):
            a, b, *given = (int(column) for column in rng.permutation(70)[: rng.integers(2, 7)])
            assert by_row.p_value(a, b, given) == pytest.approx(by_pattern.p_value(a, b, given), abs=1e-12)
        one, other = _core.pc(by_pattern), _core.pc(by_row)
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_equal(one[1:], other[1:])


def test_memory_order_and_number_type() -> None:
    rng = np.random.default_rng(5)
    x = with_gaps(rng, np.round(4 * linear_sample(rng, 200, 6, 0.5)), "scattered")
    whole = np.round(4 * linear_sample(rng, 200, 1, 0.5))[:, 0] + 0.0
    expected = _core.pc(missing_test(np.column_stack([x, whole])))
    for same in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.astype(np.float32)):
        columns = [same[:, column] for column in range(6)] + [whole.astype(np.int16)]
        found = _core.pc(_core.MissingSource(_core.Table(columns)).test(200.0))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_equal(found[1:], expected[1:])


@pytest.mark.parametrize("kind", ["scattered", "blocks"])
def test_replicate_is_the_test_on_the_drawn_rows(kind: str) -> None:
    rng = np.random.default_rng(6)
    x = with_gaps(rng, linear_sample(rng, 250, 6, 0.5), kind)
    resampling = _core.Resampling(250, seed=3)
    source = _core.MissingSource(_core.Table(x))
    for replicate in range(10):
        drawn = np.repeat(x, resampling.draw(replicate), axis=0)
        marks, *_ = _core.pc(missing_test(drawn, 125.0))
        counts = _core.bootstrap(source, resampling, 1, 125.0, first_replicate=replicate, shuffle_columns=False)
        np.testing.assert_array_equal(counts["directed"], (marks == -1) & (marks.T == 1))
        assert missing_test(drawn, 125.0).p_value(0, 1, [2]) == pytest.approx(naive_p(drawn, 0, 1, [2], 0.5), abs=1e-11)


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(7)
    x = with_gaps(rng, linear_sample(rng, 300, 8, 0.4), "scattered")
    source, resampling = _core.MissingSource(_core.Table(x)), _core.Resampling(300, seed=1)
    one, more = (_core.bootstrap(source, resampling, 60, 150.0, threads=threads, keep=True) for threads in (1, 5))
    np.testing.assert_array_equal(one["kinds"], more["kinds"])


def test_tests_without_enough_rows() -> None:
    rng = np.random.default_rng(8)
    x = rng.standard_normal((50, 4))
    x[:25, 0] = np.nan
    x[25:, 1] = np.nan
    x[25:, 2] = 7.1  # one value where column 0 is present
    x[4:, 3] = np.nan
    test = missing_test(x)
    assert np.isnan(test.p_value(0, 1))  # no complete row
    assert np.isnan(test.p_value(0, 2))  # a constant
    assert test.p_value(1, 2, [3]) == 1.0  # 4 - 1 - 3 = 0
    marks, _, _, without_answer, _ = _core.pc(test)
    assert marks[0, 1] != 0 and without_answer > 0


def test_infinite_values_are_refused() -> None:
    x = np.ones((10, 3))
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match="column 1 holds an infinite value"):
        _core.MissingSource(_core.Table(x))


def test_a_constant_replicate_column_is_untestable() -> None:
    rng = np.random.default_rng(9)
    x = rng.standard_normal((60, 3))
    x[:, 2] = np.nan
    x[:3, 2] = [1.0, 1.0, 2.0]
    counts = _core.bootstrap(_core.MissingSource(_core.Table(x)), _core.Resampling(60, seed=1), 100, 30.0)
    assert 0 < counts["untestable"][2, 2] < 100
    assert counts["untestable"][0, 0] == 0


@pytest.mark.parametrize("kind", ["scattered", "blocks"])
def test_calibration(kind: str) -> None:
    """Independent columns: p-values below 5% on all rows, and in replicates told of half of them."""
    rng = np.random.default_rng(10)
    small = small_in_replicates = tests = 0
    for seed in range(1500):
        x = with_gaps(rng, rng.standard_normal((200, 5)), kind)
        test = missing_test(x)
        drawn = np.repeat(x, _core.Resampling(200, seed=seed).draw(0), axis=0)
        replicate = missing_test(drawn, 100.0)
        for a in range(5):
            for b in range(a):
                given = [(a + 1) % 5] if (a + 1) % 5 != b else []
                small += test.p_value(a, b, given) <= 0.05
                small_in_replicates += replicate.p_value(a, b, given) <= 0.05
                tests += 1
    assert abs(small / tests - 0.05) < 0.015
    assert abs(small_in_replicates / tests - 0.05) < 0.015
