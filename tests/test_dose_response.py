"""Dose-response against scikit-learn, SciPy, curves whose half-maximum is known, and hand-made collapses."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.isotonic import IsotonicRegression

from pyvalue.evaluation.dose_response import dose_response
from pyvalue.evaluation.dose_response_curve import from_zero, half_maximum, isotonic, rank_correlation
from pyvalue.evaluation.dose_response_source import strengths_of

VALUES = ["Power", "Benevolence", "Security"]
DOSES = {"a": 0.1, "b": 0.2, "c": 0.4, "d": 0.8}


def hill(strength: float) -> float:
    """Grows to 1, with half of what it reaches at .8 a little above .13."""
    return strength / (0.2 + strength)


def rows(curves, n=20, spread=0.2, seed=0, doses=DOSES) -> pd.DataFrame:
    """Scores (edit, persona) x values; ``curves`` are functions of strength, one a value."""
    random = np.random.default_rng(seed)
    own = random.normal(0, 0.3, (n, len(VALUES)))
    parts = {"": own} | {
        label: own + [curve(strength) for curve in curves] + random.normal(0, spread, own.shape)
        for label, strength in doses.items()
    }
    index = pd.MultiIndex.from_product([parts, [f"p{i}" for i in range(n)]], names=["edit", "persona"])
    return pd.DataFrame(np.vstack(list(parts.values())), index=index, columns=VALUES)


curves_of = st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=8)


@given(curves_of)
@settings(max_examples=100, deadline=None)
def test_isotonic_is_sklearns_and_scipys(curve):
    found = isotonic(np.array([curve, curve[::-1]]))
    for own, given_ in zip(found, (curve, curve[::-1]), strict=True):
        by_sklearn = IsotonicRegression().fit_transform(np.arange(len(given_)), given_)
        np.testing.assert_allclose(own, by_sklearn, atol=1e-9)
        np.testing.assert_allclose(own, optimize.isotonic_regression(given_).x, atol=1e-9)
        weights = [1e9, *[1.0] * len(given_)]
        anchored = IsotonicRegression(y_min=0).fit(np.arange(len(weights)), [0, *given_], weights)
        expected = anchored.predict(np.arange(len(weights)))
        np.testing.assert_allclose(from_zero(np.array([0, *given_])), expected, atol=1e-6)


@given(curves_of)
@settings(max_examples=100, deadline=None)
def test_half_maximum_is_where_numpy_interpolates_half(curve):
    fitted = from_zero(np.array([0.0, *curve]))
    strengths = np.cumsum(np.arange(len(fitted), dtype=float))
    found = float(half_maximum(strengths, fitted))
    if fitted[-1] <= 0:
        assert math.isnan(found)
        return
    top = max(fitted[-1], 0)
    grid = np.linspace(0, strengths[-1], 20001)
    values = np.interp(grid, strengths, fitted)
    by_grid = grid[np.argmax(values >= top / 2 - 1e-12)]
    assert found == pytest.approx(by_grid, abs=2 * grid[1] + 1e-9)


def test_rank_correlation_is_scipys():
    random = np.random.default_rng(0)
    curves, x = random.integers(0, 4, (20, 6)).astype(float), np.array([0, 1, 3, 4, 9, 10.0])
    expected = [stats.spearmanr(x, curve).statistic for curve in curves]
    np.testing.assert_allclose(rank_correlation(x, curves), expected)
    assert math.isnan(rank_correlation(x, np.ones((1, 6)))[0])


def test_a_curve_without_noise():
    found = dose_response(rows([hill, lambda s: -s / 2, lambda s: 0], spread=0.0), {"Power": 1}, strengths=DOSES)
    row = found.of()
    x, y = np.array([0, *DOSES.values()]), np.array([hill(s) for s in (0, *DOSES.values())])
    expected = np.interp(y[-1] / 2, y, x)
    assert row["half"] == pytest.approx(expected)
    assert row["half_low"] == pytest.approx(expected) == row["half_high"]
    assert row["largest"] == pytest.approx(y[-1]) and row["rank"] == pytest.approx(1) == row["rank_low"]
    assert row["monotone_to"] == 0.8 and math.isnan(row["collapse"]) and row["reason"] == ""
    fallen = found.of("Benevolence")
    assert fallen["direction"] == -1 and fallen["half"] == pytest.approx(0.4)
    assert fallen["largest"] == pytest.approx(0.4)
    flat = found.of("Security")
    assert math.isnan(flat["half"]) and math.isnan(flat["rank"]) and flat["largest"] == 0
    others = found.curve[found.curve["effect"] == "all others"].set_index("strength")["mean"]
    assert others[0.8] == pytest.approx(math.sqrt(0.4**2 / 2))


def test_the_interval_of_the_half_maximum_covers():
    x, y = np.array([0, *DOSES.values()]), np.array([hill(s) for s in (0, *DOSES.values())])
    truth = np.interp(y[-1] / 2, y, x)
    hits = []
    for seed in range(40):
        table = rows([hill, lambda s: 0, lambda s: 0], n=16, spread=0.25, seed=seed)
        row = dose_response(table, {"Power": 1}, strengths=DOSES, resamples=200, seed=seed).of()
        hits.append(row["half_low"] <= truth <= row["half_high"])
    assert np.mean(hits) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 40)


def test_intervals_of_the_curve_are_students():
    table = rows([hill, lambda s: s, lambda s: 0])
    curve = dose_response(table, {"Power": 1}, strengths=DOSES, resamples=20).curve
    change = table.loc["c", "Power"] - table.loc["", "Power"]
    at = curve[(curve["effect"] == "target") & (curve["strength"] == 0.4)].iloc[0]
    expected = stats.ttest_1samp(change, 0).confidence_interval()
    assert (at["mean"], at["low"], at["high"]) == pytest.approx((change.mean(), expected.low, expected.high))


def test_size_of_the_others_has_its_noise_taken_off():
    squares = {"mean": [], "middle": []}
    for seed in range(40):
        table = rows([hill, lambda s: 0.0, lambda s: 0.0], n=10, spread=0.5, seed=seed)
        curve = dose_response(table, {"Power": 1}, strengths=DOSES, resamples=200).curve
        at = curve[(curve["effect"] == "all others") & (curve["strength"] == 0.8)].iloc[0]
        squares["mean"].append(math.copysign(at["mean"] ** 2, at["mean"]))
        assert at["low"] <= at["high"]
        squares["middle"].append(at["low"] < 0 < at["high"])
    assert abs(np.mean(squares["mean"])) < 3 * stats.sem(squares["mean"])
    assert np.mean(squares["middle"]) > 0.8


def test_an_effect_that_falls_back_collapses():
    table = rows([lambda s: hill(s) if s < 0.8 else 0.1, lambda s: 0, lambda s: 0], spread=0.1)
    row = dose_response(table, {"Power": 1}, strengths=DOSES).of()
    assert row["collapse"] == 0.8 and row["monotone_to"] == 0.4
    assert row["reason"].startswith("falls back at 0.8: +0") and "at 0.4" in row["reason"]


def test_false_falls_are_rare():
    """A curve that only grows is called fallen in at most about 1 - confidence of the studies."""
    fallen = [
        not math.isnan(
            dose_response(rows([lambda s: 0.3, lambda s: 0, lambda s: 0], n=8, seed=seed), {"Power": 1},
                          strengths=DOSES, resamples=2).of()["collapse"]
        )
        for seed in range(60)
    ]  # fmt: skip
    assert stats.binomtest(sum(fallen), 60, 0.05, alternative="greater").pvalue > 0.001


def test_an_effect_that_is_not_there_has_no_half():
    found = []
    for seed in range(40):
        summary = dose_response(
            rows([hill, lambda s: 0, lambda s: 0], n=10, seed=seed), {"Power": 1}, strengths=DOSES, resamples=100
        ).summary.set_index("effect")["half"]
        found.append([summary["target"], summary["Benevolence"], summary["all others"]])
    there = np.isfinite(found).sum(axis=0)
    # The direction of a single value is that in which it went, so that both tails count.
    assert there[0] == 40
    assert stats.binomtest(int(there[1]), 40, 0.05, alternative="greater").pvalue > 0.001
    assert stats.binomtest(int(there[2]), 40, 0.05, alternative="greater").pvalue > 0.001


def test_broken_strengths_are_listed_and_in_no_fit():
    table = rows([hill, lambda s: 0, lambda s: 0])
    table.loc["d"] = 0.0
    found = dose_response(table, {"Power": 1}, strengths=DOSES)
    row = found.of()
    assert row["collapse"] == 0.8 and row["reason"].startswith("broken at 0.8") and row["monotone_to"] == 0.4
    assert list(found.facts["broken"]) == ["0.8"]
    last = found.curve[found.curve["strength"] == 0.8]
    assert last["broken"].all() and last["mean"].isna().all()
    for label in "abc":
        table.loc[label] = 0.0
    with pytest.raises(ValueError, match="broken at every strength"):
        dose_response(table, {"Power": 1}, strengths=DOSES)


def test_the_wrong_way_has_no_half():
    row = dose_response(rows([hill, lambda s: 0, lambda s: 0]), {"Power": -1}, strengths=DOSES).of()
    assert math.isnan(row["half"]) and row["rank"] < 0 and row["largest"] == 0


def test_negative_strengths_count_by_their_size():
    table = rows([hill, lambda s: 0, lambda s: 0])
    minus = dose_response(table, {"Power": 1}, strengths={k: -v for k, v in DOSES.items()})
    pd.testing.assert_frame_equal(minus.curve, dose_response(table, {"Power": 1}, strengths=DOSES).curve)
    assert minus.facts["sign"] == -1


def test_one_persona_and_missing_scores():
    one = dose_response(rows([hill, lambda s: 0, lambda s: 0], n=1, spread=0.0), {"Power": 1}, strengths=DOSES)
    row = one.of()
    assert row["half"] > 0 and math.isnan(row["half_low"]) and one.facts["personas"] == 1
    table = rows([hill, lambda s: s, lambda s: 0])
    table.loc[("b", "p0"), "Power"] = np.nan
    found = dose_response(table, {"Power": 1}, strengths=DOSES).of()
    without = table.drop("p0", level="persona")
    assert found["largest"] == pytest.approx(dose_response(without, {"Power": 1}, strengths=DOSES).of()["largest"])


def test_same_seed_same_result_in_any_order_of_edits():
    table = rows([hill, lambda s: s, lambda s: 0])
    first = dose_response(table, {"Power": 1}, strengths=DOSES, seed=3)
    other = pd.concat([table.loc[[k]] for k in ("d", "", "b", "c", "a")])
    pd.testing.assert_frame_equal(first.summary, dose_response(other, {"Power": 1}, strengths=DOSES, seed=3).summary)


def edit_facts(strength, feature=1):
    return {"feature": feature, "op": "add", "unit": "raw", "positions": "all", "strength": strength}


def test_a_sweep_of_texts():
    from pyvalue.steering.sweep_table import COLUMNS, SweepResult

    words = {"": 1, "w1": 2, "w2": 4, "gone": 0}
    table = pd.DataFrame(
        [
            {
                "prompt": f"q{p}", "edit": label, "control": False, "control_of": "", "repeat": 0, "seed": 0,
                "text": "na na na " * 20 if label == "gone" else "yes " * (count + p),
                "n_tokens": 3, "finished": True, "log_probability": -1.0, "repetition": 0.0,
            }
            for label, count in words.items()
            for p in range(4)
        ],
        columns=list(COLUMNS),
    )  # fmt: skip
    configurations = {label: [edit_facts(s)] for label, s in (("w1", 1.0), ("w2", 3.0), ("gone", 9.0))}
    sweep = SweepResult(table, {"study": {"configurations": {"": [], **configurations}, "prompts": {}}})
    found = dose_response(
        sweep, {"words": 1}, text_scores={"words": lambda t: len(t.split()), "e": lambda t: t.count("e")}
    )
    row = found.of()
    assert row["largest"] == pytest.approx(3) and row["half"] == pytest.approx(1.5)
    assert row["collapse"] == 9.0 and found.facts["unit"] == "prompts" and found.facts["personas"] == 4
    assert found.of("e")["largest"] == pytest.approx(3)
    with pytest.raises(TypeError, match="text_scores: a sweep holds texts"):
        dose_response(sweep, {"words": 1})


def test_strengths_from_the_facts_of_a_study():
    edits = {"": [], "x": [edit_facts(0.5)], "y": [edit_facts(0.7)], "control 1 of x (f3)": [edit_facts(1, 3)]}
    listed = [{"label": label, "edits": made} for label, made in edits.items()]
    study = SimpleNamespace(facts={"study": {"configurations": listed}})
    assert strengths_of(study) == {"x": 0.5, "y": 0.7}
    listed.append({"label": "z", "edits": [edit_facts(0.5, feature=2)]})
    with pytest.raises(ValueError, match="edits of 2 kinds"):
        strengths_of(study)
    with pytest.raises(ValueError, match=r"pass \{label: strength\}"):
        dose_response(rows([hill] * 3), {"Power": 1})


def test_it_prints_and_saves(tmp_path):
    found = dose_response(rows([hill, lambda s: -s, lambda s: 0]), {"Power": 1}, strengths=DOSES)
    assert str(found).startswith("Dose-response of +Power: 20 personas, 1000 resamples")
    saved = json.loads(found.save(tmp_path / "x.json").read_text())
    assert saved["summary"][0]["half"] == pytest.approx(found.of()["half"]) and saved["target"] == {"Power": 1}
    with pytest.raises(ValueError, match="effect: expected one of"):
        found.of("Joy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strengths": {"a": 0.1}}, "2 strengths or more, got 1"),
        ({"strengths": {"a": 0.1, "b": -0.2}}, "all of one sign"),
        ({"strengths": {"a": 0.1, "b": 0.1}}, "expected different ones"),
        ({"strengths": {"a": 0.1, "q": 0.1}}, "'q' not in the source"),
        ({"strengths": {"a": 0.1, "b": math.nan}}, "finite numbers"),
        ({"target": {}}, "target: expected at least one"),
        ({"target": {"Power": 3}}, r"target: expected \+1 or -1"),
        ({"target": {"Joy": 1}}, "target: Joy not in the source"),
        ({"confidence": 2}, "confidence: expected"),
        ({"resamples": 0}, "resamples: expected"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"resamples": 2.5}, r"resamples: expected a whole number of at least 1, got 2\.5"),
        ({"target": "Power"}, "target: expected a mapping"),
        ({"strengths": ["a", "b"]}, "strengths: expected a mapping"),
    ],
)
def test_bad_input_is_named(changes, words):
    arguments = {"target": {"Power": 1}, "strengths": DOSES} | changes
    with pytest.raises((ValueError, TypeError), match=words):
        dose_response(rows([hill] * 3, n=4), arguments.pop("target"), **arguments)
    with pytest.raises(TypeError, match="only a sweep holds texts"):
        dose_response(rows([hill] * 3, n=4), {"Power": 1}, strengths=DOSES, text_scores={"x": len})


def test_the_picture_shows_means_halves_and_what_broke():
    from pyvalue.reporting.side_effects_plot import draw_dose_response

    table = rows([hill, lambda s: s, lambda s: 0])
    table.loc["d"] = 0.0
    found = dose_response(table, {"Power": 1}, strengths=DOSES)
    lines = {line.get_label(): line for line in draw_dose_response(found).axes[0].lines}
    curve = found.curve[(found.curve["effect"] == "target") & ~found.curve["broken"].astype(bool)]
    np.testing.assert_allclose(lines["target"].get_ydata(), curve["mean"].astype(float))
    assert "all others" in lines and "broke the model" in lines
    assert "Benevolence" in {
        line.get_label() for line in draw_dose_response(found, effects=["Benevolence"]).axes[0].lines
    }
    with pytest.raises(ValueError, match="effects: expected some of target"):
        draw_dose_response(found, effects=["Joy"])
