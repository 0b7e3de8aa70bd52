"""Leakage against arithmetic on true means, SciPy's intervals, and coverage in simulations."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.effects.change_moments import Moments
from pyvalue.effects.leakage import leakage, prediction_groups
from pyvalue.effects.ratio_interval import ratio_interval
from pyvalue.effects.size_interval import size_interval

VALUES = ["Power", "Benevolence", "Universalism", "Security", "Mirth"]


def changes(mean, spread=0.5, n=20, seed=0, missing=0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    cells = random.normal(mean, spread, (n, len(mean)))
    cells[random.random(cells.shape) < missing] = np.nan
    return pd.DataFrame(cells, index=[f"p{i}" for i in range(n)], columns=VALUES[: len(mean)])


def test_without_noise_it_is_the_ratio_of_root_mean_squares():
    found = leakage(changes([0.5, 0.3, -0.4, 0.0, 0.1], spread=0.0), {"Power": 1}, groups={"expected": ["Security"]})
    assert found.gain == pytest.approx(0.5) and not found.reason
    assert found.estimate()[0] == pytest.approx(math.sqrt((0.3**2 + 0.4**2 + 0.1**2) / 4) / 0.5)
    assert found.estimate("expected") == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    row = found.table.set_index("group").loc["all"]
    assert row["plain"] == pytest.approx(0.2 / 0.5) and row["signed"] == pytest.approx(0.0)


def test_moments_are_those_of_each_sample_without_one():
    table = changes([0.5, 0.3, -0.4], missing=0.2, n=12).to_numpy()
    found = Moments.of(table)
    for row in range(len(table) + 1):
        left = table if row == 0 else np.delete(table, row - 1, axis=0)
        np.testing.assert_allclose(found.mean[row], np.nanmean(left, axis=0))
        error = stats.sem(left, axis=0, nan_policy="omit")
        np.testing.assert_allclose(found.square[row], np.nanmean(left, axis=0) ** 2 - error**2)


def test_the_interval_of_the_gain_is_students():
    table = changes([0.5, 0.3], n=15)
    found = leakage(table, {"Power": 1})
    expected = stats.ttest_1samp(table["Power"], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    lowered = leakage(table, {"Power": -1})
    assert (lowered.gain, lowered.low) == pytest.approx((-found.gain, -found.high))
    assert lowered.estimate() == pytest.approx(found.estimate())  # steered the wrong way, and leaked as much


def test_a_symmetric_ratio_interval_is_fiellers():
    """Fieller (1954): the ratios r for which t² = (a - r b)² / var(a - r b) is within its quantile."""
    a, b, va, vb, rho, t = 0.4, 0.9, 0.04, 0.03, 0.5, 2.1
    low, high = ratio_interval(a, a - t * va**0.5, a + t * va**0.5, b, t * vb**0.5, rho)
    for r in (low, high):
        variance = va + r * r * vb - 2 * r * rho * (va * vb) ** 0.5
        assert (a - r * b) ** 2 / variance == pytest.approx(t * t)
    assert low < a / b < high


def test_noise_alone_does_not_leak():
    """200 edits that move the target only: the plain measure is far from 0, the corrected one is not."""
    found = [leakage(changes([1.0, 0, 0, 0, 0], n=12, seed=seed), {"Power": 1}) for seed in range(200)]
    squares = [np.sign(e) * e**2 for e in (f.estimate()[0] for f in found)]
    assert abs(np.mean(squares)) < 3 * stats.sem(squares)
    assert np.mean([f.table["plain"][0] for f in found]) > 0.1


def together(mean, n, shared, seed) -> pd.DataFrame:
    """Changes of variance 1 of which any two correlate by ``shared``."""
    random = np.random.default_rng(seed)
    noise = shared**0.5 * random.normal(size=(n, 1)) + (1 - shared) ** 0.5 * random.normal(size=(n, len(mean)))
    return pd.DataFrame(mean + noise, columns=[f"v{i}" for i in range(len(mean))])


@pytest.mark.parametrize("shared", [0.0, 0.7])
@pytest.mark.parametrize(
    ("mean", "n"),
    [
        ([3, 0.15], 60),
        ([3, 0.3], 20),
        ([3, 0.15, 0.15], 60),
        ([3, 0.2, 0.2, 0.2, 0.2], 20),
        ([0.5, *[0.3] * 6], 20),
        ([1, *[0.3] * 20], 8),
        ([2, *[0] * 6], 20),
        ([0.8, 0.3, -0.4, 0.2, 0], 15),
    ],
)
def test_intervals_cover(mean, n, shared):
    """Among edits with an interval; the estimate is always in it."""
    truth = math.sqrt(np.mean(np.square(mean[1:]))) / mean[0]
    hits = []
    for seed in range(300):
        found = leakage(together(mean, n, shared, seed), {"v0": 1})
        if not found.reason:
            estimate, low, high = found.estimate()
            assert low <= estimate <= high
            hits.append(low <= truth <= high)
    assert len(hits) > 150
    assert np.mean(hits) > 0.945 - 2 * math.sqrt(0.95 * 0.05 / len(hits))


@pytest.mark.parametrize("sign", [1, -1])
def test_one_other_value_has_fiellers_interval_and_leakage_the_same_without_the_sign(sign):
    table = together([sign * 1.0, -0.8], 25, 0.8, 3)
    row = leakage(table, {"v0": sign}).table.iloc[0]
    x, y = table["v1"], table["v0"] * sign
    t = stats.t.ppf(0.975, 24)
    for ratio in (row["signed_low"], row["signed_high"]):
        assert abs(stats.ttest_1samp(x - ratio * y, 0).statistic) == pytest.approx(t)
    assert (row["low"], row["high"]) == pytest.approx((-row["signed_high"], -row["signed_low"]))
    both = leakage(together([1.0, 0.1], 25, 0.0, 1), {"v0": 1}).table.iloc[0]
    assert both["signed_low"] < 0 < both["signed_high"] and both["low"] <= 0
    assert both["high"] == pytest.approx(max(-both["signed_low"], both["signed_high"]))


@pytest.mark.parametrize("way", [1, -1])
def test_what_moves_with_the_target_has_a_ratio_known_better_than_either(way):
    """Whatever others do is half of the gain, persona by persona: their errors cancel in the ratio, and only there."""
    random = np.random.default_rng(0)
    gain = way + random.normal(size=30)
    table = pd.DataFrame({"t": gain, "a": 0.5 * gain, "b": -0.5 * gain}) + 0.01 * random.normal(size=(30, 3))
    mixed = table.copy()
    mixed[["a", "b"]] = table[["a", "b"]].to_numpy()[random.permutation(30)]
    widths = []
    for rows in (table, mixed):
        found = leakage(rows, {"t": 1}, groups={"a": ["a"]})
        _, low, high = found.estimate()
        one = found.table.set_index("group").loc["a"]
        widths.append((high - low, one["signed_high"] - one["signed_low"]))
        assert low < 0.5 < high
    assert widths[0][0] < 0.5 * widths[1][0] and widths[0][1] < 0.1 * widths[1][1]


@pytest.mark.parametrize("length", [2.0, 4.0, 9.0])
def test_ends_of_a_size_are_those_of_a_noncentral_chi_square(length):
    """Independent estimates of variance 1: so much is as rare at the lower end as it should be, so little or rarer at
    the upper."""
    k = 6
    means = np.full(k, math.sqrt(length**2 / k))
    found = size_interval(means, length**2 - k, np.eye(k), 10**6, 0.95)
    rare = 0.025
    if found.low:
        assert stats.ncx2.sf(length**2, k, found.low**2) == pytest.approx(rare, abs=0.006)
    else:
        assert stats.chi2.sf(length**2, k) > rare
    seen = max(length**2, k)
    assert 0.004 < stats.ncx2.cdf(seen, k, found.high**2) < rare + 0.003
    # The same seen from any side, and in any unit.
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(k, k)))[0]
    other = size_interval(3 * turn @ means, 9 * (length**2 - k), 9 * np.eye(k), 10**6, 0.95)
    assert (other.low, other.high) == pytest.approx((3 * found.low, 3 * found.high))


def test_opposed_values_are_those_of_the_theory_and_turned_to_the_target():
    table = changes([0.5, -0.2, -0.4, 0.1, 0.9], spread=0.0)
    row = leakage(table, {"Power": 1}).table.set_index("group").loc["opposed"]
    assert row["values"] == 2 and row["signed"] == pytest.approx(-0.3 / 0.5)
    lowered = leakage(-table, {"Power": -1}).table.set_index("group").loc["opposed"]
    assert lowered["signed"] == pytest.approx(-0.3 / 0.5)
    assert "opposed" not in leakage(table, {"Mirth": 1}).groups
    assert "opposed" not in leakage(table, {"Power": 1, "Benevolence": -1, "Universalism": 1}).groups
    with pytest.raises(ValueError, match="group: expected one of all"):
        leakage(table, {"Mirth": 1}).estimate("opposed")


@given(st.integers(0, 10_000), st.sampled_from([0.5, 2.0, 10.0]))
@settings(max_examples=25, deadline=None)
def test_order_of_rows_and_the_unit_of_scores_do_not_matter(seed, scale):
    table = changes([0.8, 0.3, 0.1, -0.2, 0], seed=seed, missing=0.1)
    found = leakage(table, {"Power": 1}).table.drop(columns="group")
    for other in (table.iloc[::-1], table[VALUES[::-1]], table * scale):
        np.testing.assert_allclose(leakage(other, {"Power": 1}).table.drop(columns="group"), found, rtol=1e-8)


def test_undefined_where_the_gain_is_not_known_to_differ_from_0():
    found = leakage(changes([0.0, 0.5, 0.5], n=10), {"Power": 1})
    assert found.low < 0 < found.high and found.reason == "the interval of the gain has 0"
    assert np.isnan(found.estimate()).all()
    assert np.isnan(found.table["plain"]).all() and "nan" not in str(found).lower()
    still = leakage(changes([0.0, 0.5, 0.5], spread=0.0), {"Power": 1})
    assert still.gain == 0 and still.reason and np.isnan(still.table["plain"]).all()


def test_one_persona_has_a_gain_and_nothing_else():
    found = leakage(changes([0.5, 0.3, -0.4]).iloc[:1], {"Power": 1})
    assert found.personas == 1 and "1 personas have a change of the target" in found.reason
    assert np.isfinite(found.gain) and np.isnan(found.table[["leakage", "plain"]]).all(axis=None)
    assert json.loads(json.dumps(found.to_dict()))["low"] is None


def test_values_with_few_answers_are_named_and_left_out():
    table = changes([0.9, 0.3, -0.4, 0.2, 0.1])
    table.loc[table.index[2:], "Benevolence"] = np.nan
    found = leakage(table, {"Power": 1}, groups={"expected": ["Benevolence", "Thrift"]})
    assert found.facts["too_few"] == ["Benevolence"] and found.facts["not_asked"] == ["Thrift"]
    assert math.isnan(found.estimate("expected")[0])
    assert found.estimate() == pytest.approx(leakage(table.drop(columns="Benevolence"), {"Power": 1}).estimate())


def test_groups_of_a_plan():
    groups = prediction_groups({"a": "target", "b": "definite", "c": "possible", "d": "unaffected", "e": "unknown"})
    assert groups == {"expected": ("b", "c"), "unexpected": ("d",)}


def test_it_prints_and_saves(tmp_path):
    found = leakage(changes([0.9, 0.3, -0.4]), {"Power": 1})
    assert str(found).startswith("Leakage of +Power: gain +0.") and "opposed" in str(found)
    saved = json.loads(found.save(tmp_path / "x.json").read_text())
    assert saved["table"][0]["leakage"] == pytest.approx(found.estimate()[0])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([1.0], {"Power": 1}), TypeError, "change: expected a DataFrame"),
        ((changes([0.5]), ["Power"]), TypeError, "target: expected a mapping of values"),
        ((changes([0.5]), "Power"), TypeError, "target: expected a mapping of values"),
        ((changes([0.5]), {}), ValueError, "target: expected at least one"),
        ((changes([0.5]), {"Power": 2}), ValueError, r"target: expected \+1 or -1"),
        ((changes([0.5]), {"Joy": 1}), ValueError, "target: Joy not among"),
        ((pd.concat([changes([0.5])] * 2), {"Power": 1}), ValueError, "one row a persona"),
        ((changes([np.inf]), {"Power": 1}), ValueError, "infinite"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        leakage(*arguments)


@pytest.mark.parametrize(
    ("groups", "error", "words"),
    [({"all": []}, ValueError, "name of a row"), ({"expected": "Power"}, TypeError, "sequence of values")],
)
def test_bad_groups_are_named(groups, error, words):
    with pytest.raises(error, match=words):
        leakage(changes([0.5, 0.1]), {"Power": 1}, groups=groups)
    with pytest.raises(ValueError, match="confidence: expected"):
        leakage(changes([0.5]), {"Power": 1}, confidence=95)
