"""The ranking of values against a reference, compared with SciPy and with all orders by force."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.evaluation.ess import SurveyValues
from pyvalue.evaluation.priorities import PAN_CULTURAL, priorities, spearman_p
from pyvalue.schwartz_circle import CIRCLE


def table(scores: np.ndarray, names: tuple[str, ...] = CIRCLE, personas: list[str] | None = None) -> pd.DataFrame:
    labels = personas or [f"p{i}" for i in range(len(scores))]
    index = pd.MultiIndex.from_arrays([[""] * len(scores), labels], names=["edit", "persona"])
    return pd.DataFrame(scores, index=index, columns=list(names))


@given(st.lists(st.integers(0, 4), min_size=3, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_p_of_spearman_is_the_share_of_all_orders(ties: list[int], random: object) -> None:
    one = stats.rankdata(ties)
    if len(set(ties)) == 1:
        return
    other = np.arange(1.0, len(ties) + 1)
    random.shuffle(other)  # type: ignore[attr-defined]
    rho = stats.spearmanr(one, other).statistic
    every = [stats.spearmanr(one, order).statistic for order in itertools.permutations(other)]
    assert spearman_p(one, other) == pytest.approx(np.mean(np.abs(every) >= abs(rho) - 1e-9))


def test_p_of_ten_values_is_near_that_of_many_random_orders() -> None:
    rng = np.random.default_rng(0)
    one, other = np.arange(1.0, 11), np.array([2.0, 1, 3, 6, 4, 5, 10, 7, 8, 9])
    orders = rng.permuted(np.tile(other, (200_000, 1)), axis=1)
    far = np.abs(orders @ one - 302.5) >= abs(one @ other - 302.5)
    assert spearman_p(one, other) == pytest.approx(far.mean(), rel=0.3)
    assert spearman_p(one, one) == pytest.approx(2 / 3_628_800)


def test_ranks_and_coefficients_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(40, 10)) + np.linspace(0, 3, 10)
    found = priorities(table(scores), resamples=200)
    centred = scores - scores.mean(axis=1, keepdims=True)
    mean = pd.Series(centred.mean(axis=0), CIRCLE)
    assert list(found.table["value"]) == list(mean.sort_values(ascending=False).index)
    np.testing.assert_allclose(found.table.set_index("value")["mean"], mean[found.table["value"]])
    reference = [PAN_CULTURAL[name] for name in CIRCLE]
    assert found.spearman == pytest.approx(stats.spearmanr(-mean, reference).statistic)
    tau = stats.kendalltau(-mean, reference)
    assert (found.kendall, found.kendall_p) == pytest.approx((tau.statistic, tau.pvalue))
    assert found.spearman_low <= found.spearman <= found.spearman_high


def test_the_reference_itself_agrees_and_its_reverse_disagrees() -> None:
    rng = np.random.default_rng(2)
    level = np.array([-PAN_CULTURAL[name] for name in CIRCLE])
    same = priorities(table(level + rng.normal(0, 0.1, (20, 10))))
    assert same.spearman == pytest.approx(1) and same.spearman_p == pytest.approx(2 / 3_628_800)
    assert list(same.table["rank_low"]) == list(same.table["rank_high"]) == list(range(1, 11))
    against = priorities(table(-level + rng.normal(0, 0.1, (20, 10))))
    assert against.spearman == pytest.approx(-1) and against.kendall == pytest.approx(-1)


def test_means_of_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    truth = np.linspace(-1, 1, 10)
    held = []
    for _ in range(100):
        rows = priorities(table(truth + rng.normal(size=(40, 10))), resamples=200).table.set_index("value")
        held.append((rows.loc[list(CIRCLE), "low"].to_numpy() <= truth) & (truth <= rows.loc[list(CIRCLE), "high"]))
    assert 0.91 < np.mean(held) < 0.97


def test_rows_of_a_persona_stay_together() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(20, 10))
    once = priorities(table(scores)).table
    labels = pd.MultiIndex.from_product(
        [["", *map(str, range(9))], [f"p{i}" for i in range(20)]], names=["edit", "persona"]
    )
    ten = pd.DataFrame(np.tile(scores, (10, 1)), index=labels, columns=list(CIRCLE))
    pd.testing.assert_frame_equal(priorities(ten, edit=None).table, once)


def test_order_of_rows_and_saying_yes_to_everything_change_nothing() -> None:
    rng = np.random.default_rng(5)
    rows = table(rng.normal(size=(30, 10)))
    shuffled = rows.iloc[rng.permutation(30)].add(rng.normal(size=30) * 5, axis=0)
    pd.testing.assert_frame_equal(priorities(rows).table, priorities(shuffled).table)


def test_a_survey_and_its_weights() -> None:
    rng = np.random.default_rng(6)
    rows = table(rng.normal(size=(30, 10)))
    weights = pd.Series(rng.uniform(0.1, 4, 30), rows.index)
    survey = SurveyValues(rows, weights, {"file": "made-up.csv", "read": 30, "weights": "w"})
    found = priorities(survey, survey, resamples=10)
    centred = rows.sub(rows.mean(axis=1), axis=0)
    expected = np.average(centred, axis=0, weights=weights)
    np.testing.assert_allclose(found.table.set_index("value")["mean"][list(CIRCLE)], expected)
    assert found.facts["reference"] == "made-up.csv"


def test_few_personas_values_that_do_not_vary_and_others(tmp_path: Path) -> None:
    rows = table(np.array([[1.0, 2, 3, 0], [1.5, 2, 3, 0]]), ("power", "Security", "Benevolence", "Wit"))
    found = priorities(rows)
    assert np.isnan(found.spearman_low) and found.table["low"].isna().all()
    assert list(found.table["value"]) == ["Benevolence", "Security", "Power"] and found.spearman == pytest.approx(1)
    assert found.left_out == {"Wit": "is not one of the ten basic values"}
    assert json.loads(found.save(tmp_path / "p.json").read_text())["spearman_low"] is None


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("european", ValueError, "reference: expected 'pan-cultural'"),
        ({"Wit": 1}, ValueError, "ten basic values once at most, got Wit"),
        ({"Power": 1, "Security": 2}, ValueError, "at least 3 values in common, got Power, Security"),
        (3, TypeError, "got int"),
        ({"Power": 1, "Security": np.nan, "Hedonism": 3}, ValueError, "got nan for 'Security'; leave it out"),
        ({"Power": 1, "Security": "second", "Hedonism": 3}, ValueError, "got 'second' for 'Security'"),
        ({"Power": 1, "Security": 1, "Hedonism": 1}, ValueError, "ranks that differ"),
    ],
)
def test_wrong_references(reference: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        priorities(table(np.eye(10)), reference)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"resamples": -1}, ValueError, "resamples: expected at least 0, got -1"),
        ({"resamples": "a"}, TypeError, "resamples: expected a whole number of at least 0, got 'a'"),
        ({"confidence": 95}, ValueError, "confidence: expected a number between 0 and 1, got 95"),
    ],
)
def test_wrong_numbers(options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        priorities(table(np.eye(10)), **options)


def test_what_is_printed_is_short() -> None:
    level = np.array([-PAN_CULTURAL[name] for name in CIRCLE])
    found = priorities(table(level + np.random.default_rng(2).normal(0, 0.1, (20, 10))))
    assert (
        repr(found)
        == str(found)
        == (
            "Priorities(10 values, first Benevolence, Self-Direction, Universalism; rank correlation with "
            "Schwartz & Bardi (2001) 1.00 [1.00, 1.00], p=5.5e-07)"
        )
    )
    assert "[" not in repr(priorities(table(np.arange(20.0).reshape(2, 10))))  # too few personas for an interval


def test_too_few_basic_values() -> None:
    with pytest.raises(ValueError, match=r"at least 3 of the ten basic values .*, got 1 \(Power\)\. Wit is not one"):
        priorities(table(np.eye(3)[:, :2], ("Power", "Wit")))
