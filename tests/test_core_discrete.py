"""Tests of categorical columns against causal-learn and SciPy, and whole graphs mark for mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency

from pyvalue import _core

CAUSAL_LEARN = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "causal_learn"
STATISTICS = pytest.mark.parametrize("statistic", ["chisq", "gsq"])

# causal-learn warns of samples that are small beside the number of columns.
pytestmark = pytest.mark.filterwarnings("ignore:The number of features:UserWarning")


def ranked(codes: np.ndarray) -> np.ndarray:
    """Codes 0 .. levels - 1 without gaps, column by column."""
    return np.stack([np.unique(column, return_inverse=True)[1] for column in codes.T], axis=1)


def source_of(codes: np.ndarray, statistic: str) -> _core.DiscreteSource:
    return _core.DiscreteSource(_core.Table(codes), [int(top) + 1 for top in codes.max(axis=0)], statistic)


def categorical_sample(rng: np.random.Generator, n: int, levels: np.ndarray, density: float, skew: float) -> np.ndarray:
    """Rows of a random DAG: given its parents' codes, a column has probabilities that are drawn once."""
    codes = np.zeros((n, len(levels)), dtype=np.int64)
    for column, count in enumerate(levels):
        parents = [other for other in range(column) if rng.random() < density][-3:]
        stratum = np.zeros(n, dtype=np.int64)
        for parent in parents:
            stratum = stratum * levels[parent] + codes[:, parent]
        _, stratum = np.unique(stratum, return_inverse=True)
        cumulative = np.cumsum(rng.dirichlet(np.full(count, skew), stratum.max() + 1), axis=1)[stratum]
        codes[:, column] = np.minimum((rng.random((n, 1)) > cumulative).sum(axis=1), count - 1)
    return ranked(codes[:, rng.permutation(len(levels))])


@STATISTICS
@pytest.mark.parametrize("n", [5, 63, 64, 65, 1000])
@pytest.mark.parametrize("most_levels", [2, 5, 30])
def test_p_values_are_those_of_causal_learn(statistic: str, n: int, most_levels: int) -> None:
    cit = pytest.importorskip("causallearn.utils.cit")
    rng = np.random.default_rng([n, most_levels])
    compared = 0
    for _ in range(10):
        codes = categorical_sample(rng, n, rng.integers(1, most_levels + 1, 5), 0.5, 1.0)
        reference = cit.CIT(codes, statistic)
        test = source_of(codes, statistic).test(n)
        for given in ([], [2], [3, 2], [2, 3, 4]):
            expected = float(reference(0, 1, given))
            ours = test.p_value(0, 1, given)
            np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-280)
            np.testing.assert_allclose(test.p_value(1, 0, given), ours, rtol=1e-12, atol=1e-280)
            compared += 0.0 < expected < 1.0
    assert compared > 0


@STATISTICS
def test_p_values_are_those_of_scipy(statistic: str) -> None:
    rng = np.random.default_rng(1)
    lambda_ = "pearson" if statistic == "chisq" else "log-likelihood"
    for _ in range(30):
        codes = ranked(rng.integers(0, rng.integers(2, 8, 3), (500, 3)))
        codes[:, 1] = np.where(rng.random(500) < 0.1, codes[:, 0] % 2, codes[:, 1])
        test = source_of(codes, statistic).test(500)
        total, freedom = 0.0, 0
        for stratum in [None, *np.unique(codes[:, 2])]:
            chosen = codes if stratum is None else codes[codes[:, 2] == stratum]
            counts = np.zeros((8, 8), dtype=int)
            np.add.at(counts, (chosen[:, 0], chosen[:, 1]), 1)
            counts = counts[counts.any(axis=1)][:, counts.any(axis=0)]
            expected = chi2_contingency(counts, correction=False, lambda_=lambda_)
            if stratum is None:
                np.testing.assert_allclose(test.p_value(0, 1), expected.pvalue, rtol=1e-12)
            else:
                total, freedom = total + expected.statistic, freedom + expected.dof
        np.testing.assert_allclose(test.p_value(0, 1, [2]), chi2.sf(total, freedom), rtol=1e-12)


@pytest.mark.parametrize("freedom", [1, 10, 39, 40, 400, 20_000])
def test_upper_tail_is_that_of_scipy(freedom: int) -> None:
    for p in (0.999, 0.5, 0.05, 1e-3, 1e-9):
        statistic = chi2.isf(p, freedom)
        np.testing.assert_allclose(
            _core.chi_squared_upper_tail(statistic, freedom), chi2.sf(statistic, freedom), rtol=1e-12
        )


def test_nothing_to_test_is_independence() -> None:
    codes = np.array([[0, 0, 0], [1, 0, 1], [2, 0, 2], [0, 0, 3]])
    test = source_of(codes, "chisq").test(4)
    assert test.p_value(0, 1) == 1.0
    assert test.p_value(0, 2, [1]) < 1.0
    assert test.p_value(0, 1, [2]) == 1.0  # one row a stratum


@STATISTICS
@pytest.mark.parametrize("kind", ["few rows", "many levels", "skewed", "plain"])
def test_random_graphs_are_those_of_causal_learn(statistic: str, kind: str) -> None:
    pc = pytest.importorskip("causallearn.search.ConstraintBased.PC").pc
    rng = np.random.default_rng([ord(letter) for letter in statistic + kind])
    arrows = 0
    for _ in range(25):
        n = int(rng.integers(8, 60)) if kind == "few rows" else int(rng.integers(100, 500))
        levels = rng.integers(2, 13 if kind == "many levels" else 5, int(rng.integers(4, 8)))
        codes = categorical_sample(rng, n, levels, 0.5, 0.3 if kind == "skewed" else 1.0)
        alpha = float(rng.choice([0.01, 0.05, 0.2]))
        expected = pc(codes, alpha, statistic, True, 0, 2, show_progress=False).G.graph
        marks = _core.pc(source_of(codes, statistic).test(n, alpha))[0]
        np.testing.assert_array_equal(marks, expected)
        arrows += np.count_nonzero(expected == 1)
    assert arrows > 0


@pytest.mark.parametrize(
    ("data", "statistic"),
    [
        ("data_discrete_10", "chisq"),
        ("data_discrete_10", "gsq"),
        ("asia", "chisq"),
        ("child", "chisq"),
        ("alarm", "chisq"),
    ],
)
def test_graphs_of_causal_learns_own_suite(data: str, statistic: str) -> None:
    if not CAUSAL_LEARN.is_dir():
        pytest.skip("causal-learn's files lie beside the checkout, not in it")
    codes = ranked(np.loadtxt(CAUSAL_LEARN / f"{data}.txt", skiprows=1))
    result = f"{data.removeprefix('data_')}_pc_{statistic}_0.05_stable_0_-1.txt"
    marks = _core.pc(
        source_of(codes, statistic).test(len(codes)),
        rule=_core.ColliderRule.sepset,
        priority=_core.ColliderPriority.stronger,
    )[0]
    np.testing.assert_array_equal(marks, np.loadtxt(CAUSAL_LEARN / result))


@STATISTICS
def test_replicates_are_calibrated(statistic: str) -> None:
    """Independent columns: told of n / 2 rows, replicates keep their edges at the level of the test."""
    rng = np.random.default_rng(5)
    n, d, data_sets, replicates = 600, 8, 60, 20
    kept = {n / 2: 0, float(n): 0}
    for seed in range(data_sets):
        codes = ranked(rng.choice(3, (n, d), p=[0.3, 0.3, 0.4]))
        resampling = _core.Resampling(n, _core.Scheme.with_replacement, seed)
        for effective_n in kept:
            counts = _core.bootstrap(source_of(codes, statistic), resampling, replicates, effective_n, max_depth=0)
            pairs = np.triu_indices(d, 1)
            kept[effective_n] += replicates * len(pairs[0]) - int(counts["absent"][pairs].sum())
    drawn = data_sets * replicates * d * (d - 1) // 2
    assert abs(kept[n / 2] / drawn - 0.05) < 0.015
    assert kept[float(n)] / drawn > 0.1


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_any_type_and_order_of_memory(dtype: type) -> None:
    codes = np.random.default_rng(6).integers(0, 4, (100, 6))
    expected = source_of(codes, "chisq").test(100).p_value(0, 2, [4])
    assert source_of(codes.astype(dtype), "chisq").test(100).p_value(0, 2, [4]) == expected
    assert source_of(np.asfortranarray(codes.astype(dtype))[:, ::2], "chisq").test(100).p_value(0, 1, [2]) == expected


@STATISTICS
def test_threads_do_not_matter(statistic: str) -> None:
    rng = np.random.default_rng(7)
    codes = categorical_sample(rng, 3000, rng.integers(2, 5, 20), 0.15, 1.0)
    test = source_of(codes, statistic).test(len(codes))
    one, two = _core.pc(test, threads=1), _core.pc(test, threads=2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_equal(one[1:], two[1:])


def test_invalid_input_is_refused_by_name() -> None:
    codes = np.array([[0, 1], [1, 2], [0, 0]])
    with pytest.raises(ValueError, match=r"column 1 must hold whole codes 0 to 1, got 2\.0 in row 1"):
        _core.DiscreteSource(_core.Table(codes), [2, 2], "chisq")
    with pytest.raises(ValueError, match=r"column 0 must hold whole codes 0 to 1, got 0\.5 in row 0"):
        _core.DiscreteSource(_core.Table(codes + 0.5), [2, 4], "chisq")
    with pytest.raises(ValueError, match="1 levels, 2 columns"):
        _core.DiscreteSource(_core.Table(codes), [2], "chisq")
    with pytest.raises(ValueError, match="column 1 must have 1 to 65536 levels, got 0"):
        _core.DiscreteSource(_core.Table(codes), [2, 0], "chisq")
    with pytest.raises(ValueError, match="'chisq' or 'gsq', got 'fisherz'"):
        _core.DiscreteSource(_core.Table(codes), [2, 3], "fisherz")
