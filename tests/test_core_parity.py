"""The compiled search against causal-learn, mark for mark and separating set for separating set."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from pyvalue.discovery import DegenerateDataWarning, discover

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"

pytestmark = pytest.mark.filterwarnings("ignore:The number of features:UserWarning")


def linear_sample(rng: np.random.Generator, n: int, d: int, density: float) -> np.ndarray:
    weights = np.tril(rng.random((d, d)) < density, -1) * rng.uniform(0.2, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    sample = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    return sample[:, rng.permutation(d)]


def assert_same(x: np.ndarray, **options: object) -> int:
    pytest.importorskip("causallearn")
    ours = discover(x, **options)
    theirs = discover(x, backend="causal-learn", **options)
    np.testing.assert_array_equal(ours.marks, theirs.marks)
    assert ours.separating_sets == theirs.separating_sets
    return int(np.count_nonzero(ours.marks == 1))


@pytest.mark.parametrize("n", [8, 15, 40, 150, 1000])
@pytest.mark.parametrize("density", [0.15, 0.4, 0.9])
def test_random_graphs(n: int, density: float) -> None:
    rng = np.random.default_rng([n, int(100 * density)])
    arrows = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # more values than rows
        for _ in range(30):
            x = linear_sample(rng, n, int(rng.integers(4, 10)), density)
            arrows += assert_same(x, alpha=float(rng.choice([0.01, 0.05, 0.2, 0.5])))
    assert arrows > 0


def test_few_level_scores() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        x = np.clip(np.round(linear_sample(rng, 80, 6, 0.5)), -2, 2)
        assert_same(x, test="fisherz")


def test_nearly_collinear_columns() -> None:
    rng = np.random.default_rng(2)
    for noise in (1e-2, 1e-3, 1e-4):
        for _ in range(10):
            x = linear_sample(rng, 100, 6, 0.5)
            x[:, 3] = x[:, 0] - x[:, 1] + noise * x[:, 3]
            assert_same(x)


@pytest.mark.parametrize("max_depth", [0, 1, 2])
def test_max_depth(max_depth: int) -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        assert_same(linear_sample(rng, 200, 8, 0.7), max_depth=max_depth)


@pytest.mark.parametrize("alpha", [1e-20, 1e-15, 1e-6, 0.9, 0.999])
def test_extreme_levels(alpha: float) -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        assert_same(linear_sample(rng, 60, 6, 0.5), alpha=alpha)


def test_a_p_value_next_to_alpha() -> None:
    """alpha one step below and at the p-value of a pair: the edge goes only where p > alpha."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        x = rng.standard_normal((50, 2))
        r = np.corrcoef(x.T)[0, 1]
        from scipy.stats import norm

        p = 2 * (1 - norm.cdf(np.sqrt(47) * abs(0.5 * np.log((1 + r) / (1 - r)))))
        for alpha in (p * (1 - 1e-9), p * (1 + 1e-9)):
            assert_same(x, alpha=alpha)
        assert discover(x, alpha=p * (1 - 1e-9)).marks[0, 1] == 0
        assert discover(x, alpha=p * (1 + 1e-9)).marks[0, 1] != 0


def test_bootstrap_counts() -> None:
    """The same resampled rows through the library itself, replicate by replicate."""
    pytest.importorskip("causallearn")
    rng = np.random.default_rng(6)
    x = linear_sample(rng, 90, 6, 0.5)
    for scheme in ("bootstrap", "naive"):
        ours = discover(x, bootstrap=40, scheme=scheme, seed=7)
        theirs = discover(x, bootstrap=40, scheme=scheme, seed=7, backend="causal-learn")
        assert ours.bootstrap == theirs.bootstrap


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference data lie beside the checkout, not in it")
def test_published_oracle() -> None:
    """The graph that causal-learn's own test suite expects on its linear data with uc_rule 0, uc_priority 2."""
    folder = SHARED / "causal_learn"
    data = np.loadtxt(folder / "data_linear_10.txt", skiprows=1)
    expected = np.loadtxt(folder / "linear_10_pc_fisherz_0.05_stable_0_2.txt")
    np.testing.assert_array_equal(discover(data).marks, expected)
