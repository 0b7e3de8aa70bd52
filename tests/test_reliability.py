"""Reliability against pingouin and SciPy, against theory, and on input that admits none."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.agreement import FORMS, correlation, disattenuated, effective_n, icc, retest
from pyvalue.reliability import (
    cronbach_alpha,
    item_rest,
    omega_total,
    saturated_share,
    split_half,
    standardised_alpha,
)

# Table 2 of Shrout & Fleiss (1979): six persons, four raters; their Table 4 has the six correlations.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
PUBLISHED = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}
EVERY = (cronbach_alpha, standardised_alpha, omega_total, split_half, icc)


def parallel(persons, items, between, seed=0, noise=1.0):
    """Items of equal loading: variance ``between`` of persons, ``noise`` of each answer."""
    random = np.random.default_rng(seed)
    person = math.sqrt(between) * random.normal(size=(persons, 1))
    return person + math.sqrt(noise) * random.normal(size=(persons, items))


# -- against others ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("persons", "items", "between"), [(20, 4, 1.0), (200, 8, 0.2), (6, 2, 3.0), (30, 5, 0.0)])
def test_alpha_and_its_interval_equal_pingouin(persons, items, between):
    pingouin = pytest.importorskip("pingouin", reason="needs pingouin")
    scores = parallel(persons, items, between, seed=persons)
    got = cronbach_alpha(scores, confidence=0.9)
    alpha, (low, high) = pingouin.cronbach_alpha(pd.DataFrame(scores), ci=0.9)
    assert got.value == pytest.approx(alpha, abs=1e-12)
    assert (got.low, got.high) == pytest.approx((low, high), abs=6e-4)  # it rounds to three places
    assert got.n == persons


@pytest.mark.parametrize("missing", ["listwise", "pairwise"])
def test_alpha_with_missing_scores_equals_pingouin(missing):
    pingouin = pytest.importorskip("pingouin", reason="needs pingouin")
    scores = parallel(60, 5, 1.0)
    scores[np.random.default_rng(1).random(scores.shape) < 0.1] = np.nan
    theirs, _ = pingouin.cronbach_alpha(pd.DataFrame(scores), nan_policy=missing)
    assert cronbach_alpha(scores, missing=missing).value == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_intraclass_correlations_equal_pingouin(seed):
    pingouin = pytest.importorskip("pingouin", reason="needs pingouin")
    scores = parallel(12 + 10 * seed, 3 + seed, 0.5 * seed, seed) + np.arange(3 + seed)
    long = pd.DataFrame(scores).reset_index().melt("index")
    table = pingouin.intraclass_corr(long, targets="index", raters="variable", ratings="value")
    for form, row in zip(FORMS, table.to_dict("records"), strict=True):
        got = icc(scores, form)
        assert got.value == pytest.approx(row["ICC"], abs=1e-9), form
        assert (got.low, got.high) == pytest.approx(tuple(row["CI95"]), abs=0.0051), form  # it rounds to two places


def test_intraclass_correlations_of_the_published_example():
    for form, published in PUBLISHED.items():
        assert round(icc(SHROUT_FLEISS, form).value, 2) == published


def test_icc_3k_is_alpha_with_its_interval():
    scores = parallel(40, 6, 0.7)
    one, other = icc(scores, "3,k"), cronbach_alpha(scores)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-12)


def test_covariances_of_pairs_equal_pandas():
    scores = parallel(30, 4, 1.0)
    scores[np.random.default_rng(2).random(scores.shape) < 0.2] = np.nan
    cov = pd.DataFrame(scores).cov().to_numpy()
    expected = 4 / 3 * (1 - np.trace(cov) / cov.sum())
    assert cronbach_alpha(scores, missing="pairwise").value == pytest.approx(expected, abs=1e-12)
    r = (pd.DataFrame(scores).cov().pipe(lambda c: c / np.outer(*[np.sqrt(np.diag(c))] * 2))).to_numpy()
    mean = r[np.triu_indices(4, 1)].mean()
    assert standardised_alpha(scores, missing="pairwise").value == pytest.approx(4 * mean / (1 + 3 * mean))


def test_item_rest_equals_scipy():
    scores = parallel(25, 5, 1.0)
    expected = [stats.pearsonr(scores[:, i], np.delete(scores, i, axis=1).sum(axis=1)).statistic for i in range(5)]
    np.testing.assert_allclose(item_rest(scores), expected, atol=1e-12)


def test_correlation_and_its_interval_equal_scipy():
    x, y = parallel(30, 2, 1.0).T
    x[3], y[4] = np.nan, np.nan
    both = np.isfinite(x) & np.isfinite(y)
    theirs = stats.pearsonr(x[both], y[both])
    interval = theirs.confidence_interval(0.9)
    got = correlation(x, y, confidence=0.9)
    assert (got.value, got.low, got.high, got.n) == pytest.approx((theirs.statistic, interval.low, interval.high, 28))


# -- against theory ----------------------------------------------------------------------------------------------


def test_alpha_of_many_persons_is_the_reliability_of_the_sum():
    for between, items in ((1.0, 4), (0.1, 10)):
        truth = items * between / (items * between + 1)
        assert cronbach_alpha(parallel(200_000, items, between)).value == pytest.approx(truth, abs=0.006)
        assert split_half(parallel(200_000, items, between)).value == pytest.approx(truth, abs=0.006)


def test_intervals_of_alpha_and_icc_hold_the_truth_as_often_as_they_say():
    between, items, persons, rounds = 0.25, 6, 30, 1500
    alpha, single = items * between / (items * between + 1), between / (between + 1)
    held = np.zeros(3)
    for seed in range(rounds):
        scores = parallel(persons, items, between, seed)
        found = [(cronbach_alpha(scores), alpha), (icc(scores, "1,1"), single), (icc(scores, "3,1"), single)]
        held += [estimate.low <= truth <= estimate.high for estimate, truth in found]
    error = 3 * math.sqrt(0.95 * 0.05 / rounds)  # of a binomial share
    np.testing.assert_allclose(held / rounds, 0.95, atol=error)


def test_the_interval_of_icc_21_holds_the_truth_of_crossed_effects():
    rounds, held = 600, 0
    for seed in range(rounds):
        random = np.random.default_rng(seed)
        scores = random.normal(size=(40, 1)) + 0.7 * random.normal(size=(1, 8)) + random.normal(size=(40, 8))
        found = icc(scores, "2,1")
        held += found.low <= 1 / (1 + 0.49 + 1) <= found.high
    assert held / rounds == pytest.approx(0.95, abs=0.03)


def test_omega_recovers_the_loadings_of_a_population():
    loadings, unique = np.array([0.9, 0.7, 0.5, 0.3, 0.8]), np.array([0.3, 0.5, 0.8, 1.0, 0.2])
    random = np.random.default_rng(0)
    white = random.normal(size=(50, 6))
    white -= white.mean(axis=0)
    factors = np.linalg.qr(white)[0] * math.sqrt(49)  # exactly uncorrelated, so the sample is the population
    scores = factors[:, :1] * loadings + factors[:, 1:] * np.sqrt(unique)
    truth = loadings.sum() ** 2 / (loadings.sum() ** 2 + unique.sum())
    assert omega_total(scores).value == pytest.approx(truth, abs=1e-6)
    assert cronbach_alpha(scores).value < truth  # a lower bound where loadings differ


@pytest.mark.parametrize("items", [2, 4, 6, 8])
def test_the_mean_of_flanagans_coefficient_over_all_splits_is_alpha(items):
    scores = parallel(15, items, 0.5, seed=items) * np.arange(1, items + 1)
    got = split_half(scores, formula="flanagan").value
    assert got == pytest.approx(cronbach_alpha(scores).value, abs=1e-12)


def test_split_half_equals_halves_by_hand():
    scores = parallel(20, 4, 1.0)
    each = []
    for half in itertools.combinations(range(4), 2):
        other = [i for i in range(4) if i not in half]
        r = stats.pearsonr(scores[:, list(half)].sum(axis=1), scores[:, other].sum(axis=1)).statistic
        each.append(2 * r / (1 + r))
    assert split_half(scores).value == pytest.approx(np.mean(each), abs=1e-12)


def test_strata_are_halved_and_seeds_repeat():
    # One bias enters the items of each sign with its sign: halves of equal signs are free of it.
    random = np.random.default_rng(0)
    person, bias = random.normal(size=(2, 4000, 1))
    keys = np.array([1, 1, 1, 1, -1, -1, -1, -1])
    scores = person + 3 * bias * keys + random.normal(size=(4000, 8))
    balanced = split_half(scores, strata=list(keys), splits=200).value
    assert balanced == pytest.approx(8 / 9, abs=0.02)
    assert split_half(scores, splits=30).value < 0.8
    assert balanced == split_half(scores, strata=list(keys), splits=200).value
    assert balanced != split_half(scores, strata=list(keys), splits=200, seed=1).value


def test_retest_tells_shifts_from_disagreement():
    first = np.random.default_rng(0).normal(size=100)
    shifted = retest(np.column_stack([first, first + 2]))
    assert shifted.correlation.value == pytest.approx(1) and shifted.consistency.value == pytest.approx(1)
    assert shifted.agreement.value < 0.5
    noisy = retest(parallel(5000, 3, 1.0))
    for estimate in (noisy.correlation, noisy.consistency, noisy.agreement):
        assert estimate.value == pytest.approx(0.5, abs=0.03)


def test_disattenuation_undoes_noise():
    random = np.random.default_rng(0)
    true = random.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=200_000)
    seen = true + random.normal(size=true.shape) * [0.7, 1.2]
    r = correlation(*seen.T).value
    assert disattenuated(r, 1 / 1.49, 1 / 2.44) == pytest.approx(0.6, abs=0.01)
    assert math.isnan(disattenuated(r, -0.2, 0.5)) and math.isnan(disattenuated(r, math.nan, 0.5))


def test_effective_n_is_what_the_variance_of_the_mean_says():
    persons, edits = 30, 12
    random = np.random.default_rng(0)
    who, what = (label.ravel() for label in np.meshgrid(range(persons), range(edits), indexing="ij"))
    means, found = [], []
    for _ in range(400):
        scores = random.normal(size=persons)[who] + 0.5 * random.normal(size=edits)[what] + random.normal(size=who.size)
        means.append(scores.mean())
        found.append(effective_n(scores, who, what).value)
    truth = (1 + 0.25 + 1) / (1 / persons + 0.25 / edits + 1 / who.size)
    assert np.median(found) == pytest.approx(truth, rel=0.1)
    assert np.var(means) == pytest.approx(2.25 / truth, rel=0.25)


def test_effective_n_of_extremes():
    scores = np.random.default_rng(0).normal(size=20)
    assert effective_n(scores, range(20)).value == 20
    assert effective_n(np.repeat(scores, 5), np.repeat(range(20), 5)).value == pytest.approx(20)
    assert effective_n(scores).value == 20


def test_saturation_counts_both_ends():
    assert saturated_share([0.0, 0.01, 0.5, 0.989, 0.99, np.nan]) == pytest.approx(3 / 5)
    assert saturated_share([0.2, 0.9], low=0.2, high=0.8) == 1
    assert math.isnan(saturated_share([np.nan]))


# -- input that admits no number ---------------------------------------------------------------------------------

HOPELESS = {
    "nobody": np.zeros((0, 3)),
    "one person": np.array([[1.0, 2.0, 3.0]]),
    "one item": np.arange(5.0)[:, None],
    "no items": np.zeros((5, 0)),
    "equal answers": np.ones((5, 3)) / 3,
    "all missing": np.full((5, 3), np.nan),
    "nobody has all": np.where(np.eye(3, dtype=bool), np.nan, np.arange(9.0).reshape(3, 3)),
}


@pytest.mark.parametrize("scores", HOPELESS.values(), ids=HOPELESS.keys())
@pytest.mark.parametrize("function", EVERY)
def test_no_number_comes_with_a_reason(function, scores):
    got = function(scores)
    assert math.isnan(got.value) and math.isnan(got.low) and got.reason


@pytest.mark.parametrize("scores", HOPELESS.values(), ids=HOPELESS.keys())
def test_nothing_else_fails_on_hopeless_input(scores):
    assert np.isnan(item_rest(scores)).all() and item_rest(scores).shape == (scores.shape[1],)
    assert retest(scores).agreement.reason
    for function in (cronbach_alpha, omega_total, split_half):
        function(scores, missing="pairwise")


@pytest.mark.filterwarnings("error")
@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 5), st.integers(0, 4), st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from(["listwise", "pairwise"]),
)  # fmt: skip
def test_every_number_is_finite_or_has_a_reason(persons, items, seed, gone, missing):
    random = np.random.default_rng(seed)
    scores = random.integers(0, 3, size=(persons, items)).astype(float)
    scores[random.random(scores.shape) < gone] = np.nan
    found = [f(scores, missing=missing) for f in (cronbach_alpha, standardised_alpha, omega_total, split_half)]
    found += [icc(scores, form) for form in FORMS]
    for estimate in found:
        assert math.isfinite(estimate.value) != bool(estimate.reason)


@pytest.mark.filterwarnings("error")
def test_persons_who_answer_alike_have_no_icc_of_fixed_raters():
    alike = np.tile([0.0, 1.0, 3.0], (5, 1))
    assert icc(alike, "3,1").reason == icc(alike, "3,k").reason == "the scores do not vary between persons"
    assert icc(alike, "2,1").value == 0 and icc(alike, "1,1").value < 0


@pytest.mark.filterwarnings("error")
def test_a_constant_item_is_named():
    scores = parallel(10, 4, 1.0)
    scores[:, 2] = 0.5
    assert standardised_alpha(scores).reason == "item 3 does not vary between persons"
    assert math.isfinite(cronbach_alpha(scores).value)
    assert np.isnan(item_rest(scores)).tolist() == [False, False, True, False]


def test_bad_arguments_are_named():
    for call, name in (
        (lambda: cronbach_alpha(np.zeros(3)), "scores"),
        (lambda: cronbach_alpha(np.zeros((3, 3)), missing="drop"), "missing"),
        (lambda: split_half(np.zeros((3, 3)), formula="rulon"), "formula"),
        (lambda: split_half(np.zeros((3, 3)), splits=0), "splits"),
        (lambda: split_half(parallel(5, 3, 1.0), strata=[1, 2]), "strata"),
        (lambda: icc(np.zeros((3, 3)), "4,1"), "form"),
    ):
        with pytest.raises(ValueError, match=f"^{name}:"):
            call()
