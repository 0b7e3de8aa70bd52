"""RCoT: level, power, thread-safety, and agreement with causal-learn's."""

from __future__ import annotations

import ctypes
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="needs numba")

from pyvalue.discovery.rcot import rcot
from pyvalue.discovery.weighted_chi_squares import gamma_tail, weighted_chi_squares_tail

DOUBLES = ctypes.POINTER(ctypes.c_double)
SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_double, DOUBLES, DOUBLES, DOUBLES, ctypes.c_int64, ctypes.c_int64)


def call(x, y, z):
    columns = [np.ascontiguousarray(values, dtype=np.float64) for values in (x, y, z.T)]
    return SIGNATURE(rcot().address)(*(column.ctypes.data_as(DOUBLES) for column in columns), *z.shape)


def nothing(n):
    return np.empty((n, 0))


def confounded(rng, n, k):
    """x and y, each a curve of z with noise: independent given z, and only then."""
    z = rng.normal(size=(n, k))
    return np.sin(2 * z[:, 0]) + rng.normal(size=n), np.tanh(2 * z).sum(axis=1) + rng.normal(size=n), z


@pytest.mark.parametrize("k", [0, 1, 3])
def test_level_under_the_null(k):
    rng = np.random.default_rng(k)
    n, trials = 500, 300
    p = np.array(
        [call(*confounded(rng, n, k)) if k else call(*rng.normal(size=(2, n)), nothing(n)) for _ in range(trials)]
    )
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], trials, 0.05)
    assert low <= (p < 0.05).sum() <= high
    assert (p < 0.001).sum() < 5
    assert scipy.stats.kstest(p, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("n", [100, 200])
def test_level_with_few_rows(n):
    rng = np.random.default_rng(n)
    p = np.array([call(*confounded(rng, n, 3)) for _ in range(300)])
    low, high = scipy.stats.binom.ppf([0.0005, 0.9995], len(p), 0.05)
    assert low <= (p < 0.05).sum() <= high


def test_confounding_shows_without_z():
    rng = np.random.default_rng(0)
    x, y, _ = confounded(rng, 500, 1)
    assert call(x, y, nothing(500)) < 1e-6


def test_power():
    rng = np.random.default_rng(1)
    n, found = 500, np.zeros(4)
    for _ in range(50):
        x, noise = rng.normal(size=(2, n))
        _, _, z = confounded(rng, n, 1)
        found += [
            call(x, x**2 + noise, nothing(n)) < 0.05,  # uncorrelated
            call(x, np.exp(0.3 * x) * noise, nothing(n)) < 0.05,  # variance alone
            call(np.sin(z[:, 0]) + x, np.tanh(z[:, 0]) + 0.5 * x**2 + noise, z) < 0.05,
            call(z[:, 0] ** 2 + x, z[:, 0] + np.abs(x) + 0.5 * noise, np.column_stack([z, rng.normal(size=(n, 2))]))
            < 0.05,
        ]
    assert (found >= 45).all()


def test_agrees_with_causal_learn():
    module = pytest.importorskip("causallearn.utils.RCIT.RCIT", reason="needs causal-learn")
    rng = np.random.default_rng(2)
    np.random.seed(2)
    n, ours, theirs = 300, [], []
    for strength in np.linspace(0.0, 0.6, 60):
        x, y, z = confounded(rng, n, 2)
        y = y + strength * x
        ours.append(call(x, y, z))
        theirs.append(module.RCIT(rcit=False).compute_pvalue(x[:, None], y[:, None], z)[0])
    assert scipy.stats.spearmanr(ours, theirs).statistic > 0.85


def test_plain_python_computes_the_same():
    x, y, z = confounded(np.random.default_rng(3), 200, 2)
    assert rcot()(x, y, z) == pytest.approx(call(x, y, z), rel=1e-9)
    assert rcot()(x, y, nothing(200)) == pytest.approx(call(x, y, nothing(200)), rel=1e-9)


def test_threads_give_the_same_values():
    rng = np.random.default_rng(4)
    data = [confounded(rng, 300, k) for k in (1, 2, 3, 4) for _ in range(10)]
    serial = [call(*arrays) for arrays in data]
    np.random.seed(0)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda arrays: call(*arrays), data)) == serial


def test_scale_shift_and_order_of_the_pair_do_not_matter():
    x, y, z = confounded(np.random.default_rng(5), 300, 2)
    p = call(x, y, z)
    assert call(y, x, z) == pytest.approx(p, rel=1e-6)
    assert call(1e6 * x - 5.0, 1e-6 * y, z * [1e3, 1e-3] + 7.0) == pytest.approx(p, rel=1e-4)
    assert call(1e200 * x, y, z) == pytest.approx(p, rel=1e-4)


def test_constants_and_numbers_that_are_none():
    x, y, z = confounded(np.random.default_rng(6), 300, 2)
    constant = np.full(300, 0.1)
    assert call(constant, y, z) == 1.0
    assert call(x, constant, nothing(300)) == 1.0
    assert call(x, y, np.column_stack([constant, z])) == call(x, y, z)
    assert call(x, y, constant[:, None]) == call(x, y, nothing(300))
    for bad in (np.nan, np.inf):
        for column in range(4):
            rows = np.column_stack([x, y, z])
            rows[0, column] = bad
            assert math.isnan(call(rows[:, 0], rows[:, 1], rows[:, 2:]))
            rows[1:, column] = 1.0
            assert math.isnan(call(rows[:, 0], rows[:, 1], rows[:, 2:]))
    assert math.isnan(call(np.full(300, np.inf), y, z))


def test_few_levels_repeats_and_short_data_give_p_values():
    rng = np.random.default_rng(7)
    x, y, z = confounded(rng, 300, 2)
    for arrays in [
        (np.round(x), np.round(y), np.round(z)),
        (x > 0, y > 0, z > 0),
        (z[:, 0], y, z),
        (x, x, z),
        *[(x[:n], y[:n], z[:n]) for n in (2, 3, 5, 10)],
    ]:
        assert 0.0 <= call(*arrays) <= 1.0
    assert call(x, x, z) < 1e-6


def test_many_conditions():
    rng = np.random.default_rng(8)
    z = rng.normal(size=(500, 25))
    x, y = rng.normal(size=(2, 500))
    assert 0.0 <= call(x, y, z) <= 1.0
    # The 21st column shares the first one's weights and still counts for itself.
    swapped = z.copy()
    swapped[:, [0, 20]] = z[:, [20, 0]]
    assert call(x, y, swapped) != call(x, y, z)


@settings(max_examples=300, deadline=None)
@given(st.floats(0.05, 50.0), st.floats(0.0, 300.0))
def test_gamma_tail_is_scipys(shape, x):
    expected = scipy.special.gammaincc(shape, x)
    assert gamma_tail(shape, x) == pytest.approx(expected, rel=1e-10, abs=1e-15)


def test_gamma_tail_at_the_edges():
    assert gamma_tail(2.0, -1.0) == 1.0
    assert gamma_tail(2.0, math.inf) == 0.0
    assert math.isnan(gamma_tail(math.nan, 1.0)) and math.isnan(gamma_tail(1.0, math.nan))


def test_tail_of_weighted_chi_squares():
    assert weighted_chi_squares_tail(18.307, np.eye(10)) == pytest.approx(scipy.stats.chi2.sf(18.307, 10), rel=1e-9)
    assert weighted_chi_squares_tail(1.0, np.zeros((2, 2))) == 1.0
    rng = np.random.default_rng(9)
    factor = rng.normal(size=(25, 25)) * 0.7 ** np.arange(25)
    covariance = factor @ factor.T
    draws = (rng.normal(size=(100_000, 25)) ** 2 @ np.linalg.eigvalsh(covariance)).ravel()
    for level in (0.5, 0.1, 0.05, 0.01):
        assert weighted_chi_squares_tail(np.quantile(draws, 1 - level), covariance) == pytest.approx(level, rel=0.1)


def test_always_the_same_object():
    assert rcot() is rcot()
    assert rcot().name == "rcot"
