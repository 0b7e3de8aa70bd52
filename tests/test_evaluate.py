"""Intervals that cover what they should, agree with SciPy's, and refuse comparisons that mean nothing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pyvalue.effects.leakage import leakage
from pyvalue.evaluation.magnitude import summarise
from pyvalue.evaluation.prediction import evaluate
from pyvalue.evaluation.prediction_intervals import agrees, predicted_columns
from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import Responses, make_table
from pyvalue.steering.plan import SteeringPlan, plan

#: the columns that this file fills; the others take their defaults
COLUMNS = ("model", "edit", "persona", "item", "value", "keying", "repeat", "text", "status", "p_yes", "mass", "score")
VALUES = ("A", "B", "C", "D")
PLAN = SteeringPlan({"A": 1}, {"A": "target", "B": "definite", "C": "unaffected", "D": "unaffected"})


def answers(scores: np.ndarray, edit: str = "", model: str = "m") -> Responses:
    """One item a value; scores of shape (personas, values), NaN for an invalid answer."""
    people, values = scores.shape
    flat = scores.ravel()
    names = list(VALUES[:values]) * people
    columns = (model, edit, np.repeat([f"p{i}" for i in range(people)], values), names, names, 1, 0, "?",
               np.where(np.isnan(flat), "invalid", "yes"), (flat + 1) / 2, 1.0, flat)  # fmt: skip
    return Responses(make_table(dict(zip(COLUMNS, columns, strict=True))))


def pair(seed: int, shift, people: int = 40, noise: float = 0.1):
    random = np.random.default_rng(seed)
    before = random.uniform(-0.3, 0.3, (people, len(VALUES)))
    return answers(before), answers(before + shift + random.normal(0, noise, before.shape), "up")


def test_intervals_cover_a_known_shift():
    shift = np.array([0.2, 0.1, 0.0, -0.05])
    runs = 40
    covered = np.zeros(4)
    for seed in range(runs):
        effects = evaluate(PLAN, *pair(seed, shift), score="raw").effects
        covered += (effects["low"].to_numpy() <= shift) & (shift <= effects["high"].to_numpy())
    assert abs(covered.sum() / (4 * runs) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / (4 * runs))


def test_the_change_interval_is_scipys_paired_t_interval():
    base, steered = pair(1, 0.1)
    effects = evaluate(PLAN, base, steered, score="raw", confidence=0.9).effects.set_index("value")
    before, after = (r.table["score"].to_numpy().reshape(-1, len(VALUES)) for r in (base, steered))
    for i, value in enumerate(VALUES):
        theirs = stats.ttest_rel(after[:, i], before[:, i]).confidence_interval(0.9)
        got = effects.loc[value, ["pairs", "change", "low", "high"]].astype(float)
        np.testing.assert_allclose(got, [40, (after - before)[:, i].mean(), theirs.low, theirs.high], atol=1e-12)


@pytest.mark.parametrize("people", [3, 4, 10])
def test_few_personas_do_not_make_chance_a_change(people):
    runs = 20
    found = sum(evaluate(PLAN, *pair(seed, 0.0, people), score="raw").effects["changed"].sum() for seed in range(runs))
    assert found <= stats.binom.ppf(0.999, 4 * runs, 0.05)


def lose(responses: Responses, value: str, personas: list[str]) -> Responses:
    table = responses.table.copy()
    gone = (table["value"] == value) & table["persona"].isin(personas)
    table.loc[gone, ["p_yes", "score"]] = np.nan
    table.loc[gone, "status"] = "invalid"
    return Responses(table)


def test_values_with_few_pairs_are_said_and_not_called_changed():
    base, steered = pair(10, 0.3, people=5, noise=0.01)
    with pytest.warns(UserWarning, match=r"fewer than 3 personas have a score both times.* of D \(1\)"):
        found = evaluate(PLAN, base, lose(steered, "D", ["p0", "p1", "p2", "p4"]), score="raw")
    row = found.effects.set_index("value").loc["D"]
    assert row["pairs"] == 1 and np.isnan([row["low"], row["high"]]).all() and not row["changed"]
    assert found.facts["too_few"] == ["D"] and found.personas == 5
    others = SteeringPlan(PLAN.target, {v: PLAN.predicted[v] for v in "ABC"})
    expected = evaluate(others, base, steered, score="raw").summary
    pd.testing.assert_frame_equal(found.summary, expected)


def test_one_persona_is_no_comparison():
    """Of the unedited personas all have their scores, but under the edit one alone."""
    base, steered = pair(11, 0.3, people=4)
    for value in VALUES:
        steered = lose(steered, value, ["p1", "p2", "p3"])
    with pytest.raises(ValueError, match="have a raw score both times, got 1 of 4"):
        evaluate(PLAN, base, steered, score="raw")


def test_the_gains_interval_counts_the_personas_who_have_the_target():
    base, steered = pair(12, 0.2, people=8)
    partial = lose(steered, "A", ["p0", "p1", "p2"])
    change = (steered.table["score"] - base.table["score"]).to_numpy().reshape(-1, len(VALUES))[3:, 0]
    theirs = stats.ttest_1samp(change, 0).confidence_interval(0.95)
    got = evaluate(PLAN, base, partial, score="raw").estimate("target gain")
    assert got == pytest.approx((change.mean(), theirs.low, theirs.high), abs=1e-9)


def test_the_summary_is_what_it_says():
    found = evaluate(PLAN, *pair(2, np.array([0.3, 0.2, 0.0, -0.1]), noise=1e-9), score="raw")
    for name, expected in [
        ("target gain", 0.3), ("expected change", 0.2), ("unexpected change", 0.1 / np.sqrt(2)),
        ("contrast", np.sqrt(0.2**2 - 0.1**2 / 2)),
        ("leakage", np.sqrt((0.2**2 + 0.1**2) / 3) / 0.3),
    ]:  # fmt: skip
        assert found.estimate(name) == pytest.approx((expected,) * 3, abs=1e-6)
    assert dict(zip(found.effects["value"], found.effects["changed"], strict=True))["A"]


def test_lowering_counts_as_gain():
    lower = SteeringPlan({"A": -1}, PLAN.predicted)
    assert evaluate(lower, *pair(3, -0.2), score="raw").estimate("target gain")[0] > 0.1


def test_leakage_is_undefined_where_the_gain_may_be_zero():
    found = evaluate(PLAN, *pair(4, 0.0), score="raw")
    low, high = found.estimate("target gain")[1:]
    assert low < 0 < high
    assert np.isnan(found.estimate("leakage")).all()
    assert np.isfinite(found.estimate("unexpected change")).all()


def test_rows_in_another_order_give_the_same_changes():
    base, steered = pair(5, 0.1)
    shuffled = Responses(steered.table.sample(frac=1, random_state=0).reset_index(drop=True))
    a, b = (evaluate(PLAN, base, s, score="raw").effects for s in (steered, shuffled))
    pd.testing.assert_frame_equal(a, b)


def test_questions_invalid_once_are_left_out_on_both_sides():
    """Two items of A far apart; under the edit the high one is never valid. Nothing else changes."""
    low, high = np.full((5, 4), -0.5), np.full((5, 4), 0.5)
    second = [answers(high), answers(np.where(np.arange(4) == 0, np.nan, high), "up")]
    both = []
    for first, other in zip((answers(low), answers(low, "up")), second, strict=True):
        renamed = other.table.assign(item=other.table["item"] + "-2")
        both.append(Responses(pd.concat([first.table, renamed], ignore_index=True)))
    effects = evaluate(PLAN, *both, score="raw").effects
    np.testing.assert_allclose(effects["change"], 0.0, atol=1e-12)


def test_it_saves_valid_json(tmp_path):
    evaluate(PLAN, *pair(7, 0.0)).save(tmp_path / "e.json")
    text = (tmp_path / "e.json").read_text()
    assert "NaN" not in text and json.loads(text)["personas"] == 40


def test_comparisons_that_mean_nothing_are_refused():
    base, steered = pair(8, 0.1)
    with pytest.raises(ValueError, match=r"at least 3 personas in common.*got 2 of 2"):
        evaluate(PLAN, base.only(personas=["p0", "p1"]), steered)
    with pytest.raises(ValueError, match="at least 3 personas"):
        evaluate(PLAN, steered, steered)  # no unedited answers
    with pytest.raises(ValueError, match="answers of one model, got m, other"):
        evaluate(PLAN, base, answers(np.zeros((5, 4)), "up", "other"))
    with pytest.raises(ValueError, match="one edit, got 2"):
        evaluate(PLAN, base, Responses(pd.concat([base.table, steered.table], ignore_index=True)))
    with pytest.raises(ValueError, match="steered: expected answers under an edit, got unedited ones"):
        evaluate(PLAN, base, base)
    with pytest.raises(TypeError, match=r"steered: expected Responses, got DataFrame; for a table .* pv.side_effects"):
        evaluate(PLAN, base, steered.matrix("raw"))
    with pytest.raises(TypeError, match="base: expected Responses, got str"):
        evaluate(PLAN, "base.csv", steered)
    with pytest.raises(TypeError, match=r"plan: expected a SteeringPlan, such as of pv\.plan, got dict"):
        evaluate({}, base, steered)
    with pytest.raises(ValueError, match="the target Z was not asked"):
        evaluate(SteeringPlan({"Z": 1}, {"Z": "target", **PLAN.predicted}), base, steered)


@pytest.mark.parametrize("arguments", [{"confidence": 1.0}, {"confidence": 0}, {"score": "best"}])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        evaluate(PLAN, *pair(9, 0.1), **arguments)


@pytest.mark.parametrize("noise", [0.5, 1.0, 2.0])
def test_the_contrast_finds_nothing_where_nothing_but_the_target_moves(noise):
    random = np.random.default_rng(5)
    sign = np.array([1.0] + [0.0] * 9)
    expected = np.array([False] + [True] * 4 + [False] * 5)
    groups = {"expected": expected, "unexpected": ~expected & (sign == 0)}
    runs, found = 300, 0
    for _ in range(runs):
        change = random.normal(0, np.where(expected, noise, 1.0) * 0.05, (31, 10)) + 0.1 * sign
        row = summarise(change, sign, groups, 0.95).set_index("quantity").loc["contrast"]
        found += (row["low"] > 0) or (row["high"] < 0)
    assert found <= stats.binom.ppf(0.999, runs, 0.05)


def test_the_contrast_finds_a_difference_that_is_there():
    change = np.random.default_rng(6).normal([0.1, 0.05, 0.05, 0.0, 0.0], 0.05, (31, 5))
    sign = np.array([1.0, 0, 0, 0, 0])
    groups = {"expected": np.array([0, 1, 1, 0, 0], bool), "unexpected": np.array([0, 0, 0, 1, 1], bool)}
    row = summarise(change, sign, groups, 0.95).set_index("quantity").loc["contrast"]
    assert 0 < row["low"] < 0.05 < row["high"] < 0.1


# -- predicted intervals -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(3, 12), st.floats(-1, 1), st.floats(0, 0.6), st.sampled_from([0.8, 0.95]),
    st.floats(-0.3, 0.3),
)  # fmt: skip
def test_agreement_is_some_t_test_in_the_interval_that_does_not_reject(seed, n, low, width, confidence, shift):
    random = np.random.default_rng(seed)
    gain = random.normal(0.2, 0.15, n)
    change = 0.5 * gain + random.normal(shift, 0.1, n)
    tried = np.linspace(low, low + width, 201)
    p = stats.ttest_1samp(change[:, None] - tried * gain[:, None], 0).pvalue
    found = agrees(change, gain, low, low + width, confidence)
    # Between two points of the grid p can be larger by a little, never smaller at a point that does not reject.
    if (p >= 1 - confidence).any():
        assert found
    elif (p < 0.97 * (1 - confidence)).all():
        assert not found


def test_a_true_ratio_agrees_as_often_as_it_should():
    random = np.random.default_rng(3)
    runs, held = 750, 0
    for _ in range(runs):
        gain = random.normal(0.1, 0.2, 8)  # so noisy that its interval often holds 0
        held += bool(agrees(0.7 * gain + random.normal(0, 0.1, 8), gain, 0.7, 0.7, 0.95))
    assert abs(held / runs - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)


def test_few_or_missing_changes_say_nothing():
    assert agrees(np.array([0.1, 0.2, np.nan]), np.ones(3), 0.0, 1.0, 0.95) is None
    assert agrees(np.ones(4), np.ones(4), np.nan, np.nan, 0.95) is None
    assert agrees(np.full(4, 0.5), np.ones(4), 0.5, 0.5, 0.95)
    assert not agrees(np.full(4, 0.5), np.ones(4), 0.6, 0.7, 0.95)


def test_predicted_intervals_cover_what_a_clean_intervention_does():
    """A causes C (0.7), C causes D (0.6), B stands apart; an edit moves A alone, and the rest follows."""
    marks = np.zeros((4, 4), dtype=np.int8)
    for cause, effect in ((0, 2), (1, 2), (2, 3)):
        marks[cause, effect], marks[effect, cause] = -1, 1
    graph = ValueGraph(tuple("ABCD"), marks, DiscoverySettings(0.05, 100))
    random, runs = np.random.default_rng(0), 40
    held = np.zeros(4)
    for _ in range(runs):
        x = random.normal(0, 0.2, (4, 150))
        x[2] += 0.7 * x[0] - 0.5 * x[1]
        x[3] += 0.6 * x[2]
        index = pd.MultiIndex.from_product([[""], range(150)], names=["edit", "persona"])
        unit = plan(graph, ["A"], base=pd.DataFrame(x.T, index, list("ABCD"))).unit_changes
        gain = random.normal(0.2, 0.1, 20)
        change = gain[:, None] * [1, 0, 0.7, 0.42] + random.normal(0, 0.1, (20, 4)) * [0, 1, 1, 1]
        covered = predicted_columns(unit, list("ABCD"), change, np.array([1.0, 0, 0, 0]), 0.95)["covered"]
        held += covered.fillna(False).to_numpy(float)
    assert held[0] == 0  # the target's change was wished, not predicted
    assert abs(held[1] / runs - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)
    assert (held[2:] >= stats.binom.ppf(0.001, runs, 0.95)).all()


def numbered(target=1, **intervals) -> SteeringPlan:
    """``PLAN`` with predicted intervals per unit of the target."""
    rows = [("A", "target", float(target), float(target))]
    rows += [(v, PLAN.predicted[v], *intervals.get(v, (0.0, 0.0))) for v in "BCD"]
    unit = pd.DataFrame(rows, columns=["value", "relation", "low", "high"])
    unit = unit.assign(minimum=unit["low"], maximum=unit["high"])
    return SteeringPlan({"A": target}, PLAN.predicted, unit_changes=unit)


def test_intervals_are_scaled_by_the_measured_change_and_judged():
    plan = numbered(B=(0.5, 0.8), C=(0.0, 0.0), D=(0.1, 0.3))
    found = evaluate(plan, *pair(20, np.array([0.3, 0.2, 0.0, -0.1]), noise=0.02), score="raw")
    effects = found.effects.set_index("value")
    gain = effects.loc["A", "change"]
    assert effects.loc["B", ["predicted_low", "predicted_high"]].astype(float).tolist() == [0.5 * gain, 0.8 * gain]
    assert effects["covered"].drop("A").tolist() == [True, True, False] and effects.loc["A", "covered"] is pd.NA
    assert np.isnan(effects.loc["A", "predicted_low"])
    assert found.estimate("coverage")[0] == pytest.approx(2 / 3)
    assert found.estimate("coverage of no change")[0] == pytest.approx(1 / 3)
    assert found.estimate("sign accuracy")[0] == pytest.approx(1 / 2)  # B right, D wrong, C without a sign
    # Intervals written by hand come without the effects that expected leakage is computed from.
    assert found.facts["expected"] == {"coverage": 0.95, "sign accuracy": 0.5}


def test_signs_are_not_judged_where_the_target_may_not_have_moved():
    """Everything else rose, and the target's change is noise: which way others should go turns with its sign."""
    plan, shift = numbered(B=(0.5, 0.8), D=(0.1, 0.3)), np.array([0.0, 0.2, 0.2, 0.2])
    for seed in (23, 24, 25):
        base, steered = pair(seed, shift, noise=0.02)
        own = steered.table["value"] == "A"
        noise = np.random.default_rng(seed).normal(0, 0.1, own.sum())
        table = steered.table.copy()
        table.loc[own, "score"] = base.table.loc[own, "score"].to_numpy() + noise - noise.mean() + 0.001
        found = evaluate(plan, base, Responses(table), score="raw")
        low, high = found.estimate("target gain")[1:]
        assert low < 0 < high and found.effects["changed"].sum() == 3
        assert np.isnan(found.estimate("sign accuracy")[0]) and np.isfinite(found.estimate("coverage")[0])


@pytest.fixture(scope="module")
def real_plan() -> SteeringPlan:
    """A causes B by 0.6, C stands apart, D was not in the graph; with effects."""
    marks = np.zeros((3, 3), dtype=np.int8)
    marks[0, 1], marks[1, 0] = -1, 1
    graph = ValueGraph(tuple("ABC"), marks, DiscoverySettings(0.05, 100), excluded={"D": "constant"})
    x = np.random.default_rng(1).normal(0, 0.2, (80, 3))
    x[:, 1] += 0.6 * x[:, 0]
    index = pd.MultiIndex.from_product([[""], range(80)], names=["edit", "persona"])
    return plan(graph, ["A"], base=pd.DataFrame(x, index, list("ABC")))


def test_expected_and_measured_leakage_are_over_the_same_values(real_plan):
    base, steered = pair(30, np.array([0.3, 0.1, 0.05, 0.4]))
    found = evaluate(real_plan, base, steered, score="raw")
    change = (steered.matrix("raw").droplevel("edit") - base.matrix("raw").droplevel("edit"))[list("ABC")]
    assert found.estimate("leakage") == pytest.approx(leakage(change, {"A": 1}).estimate())
    assert found.facts["expected"]["leakage"] == real_plan.expected_leakage_on(["B", "C"])._asdict()
    assert found.facts["not_in_leakage"] == ["D"]
    assert "leakage, measured and expected, leaves out D: no prediction" in str(found)
    with pytest.warns(UserWarning, match="fewer than 3"):
        less = evaluate(real_plan, base, lose(steered, "C", [f"p{i}" for i in range(38)]), score="raw")
    assert less.facts["not_in_leakage"] == ["C", "D"]
    assert less.estimate("leakage") == pytest.approx(leakage(change[["A", "B"]], {"A": 1}).estimate())
    assert less.facts["expected"]["leakage"] == real_plan.expected_leakage_on(["B"])._asdict()
    assert real_plan.expected_leakage_on(["B"]).minimum > real_plan.expected_leakage.minimum


def test_a_target_that_fell_turns_the_intervals_around():
    plan = numbered(target=-1, B=(0.5, 0.8))
    for shift in (np.array([-0.3, 0.2, 0, 0]), np.array([0.3, -0.2, 0, 0])):
        effects = evaluate(plan, *pair(21, shift, noise=0.02), score="raw").effects.set_index("value")
        row = effects.loc["B"]
        assert row["covered"] and row["predicted_low"] < row["change"] < row["predicted_high"]


def test_without_numbers_nothing_is_said_of_intervals():
    found = evaluate(PLAN, *pair(22, 0.1), score="raw")
    assert "coverage" not in set(found.summary["quantity"]) and "expected" not in found.facts
    assert found.effects["covered"].isna().all() and "nan" not in str(found).lower()


def test_prints_predicted_against_measured(tmp_path):
    plan = numbered(B=(0.5, 0.8), D=(0.1, 0.3))
    found = evaluate(plan, *pair(20, np.array([0.3, 0.2, 0.0, -0.1]), noise=0.02), score="raw")
    text = str(found)
    for row in found.effects.to_dict("records"):
        line = next(line for line in text.splitlines() if line.startswith(row["value"] + " "))
        assert f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]" in line
        if row["value"] != "A":
            low, high = row["predicted_low"], row["predicted_high"]
            assert (f"[{low:+.3f}, {high:+.3f}]" if low < high else "  0  ") in line
            assert line.endswith("yes" if row["covered"] else "no")
    assert "expected by the graph" not in text and "67% (expected: 95% or more)" in text
    saved = json.loads(found.save(tmp_path / "outcome.json").read_text(encoding="utf-8"))
    assert [row["covered"] for row in saved["effects"]] == [None, True, True, False]


def test_expected_leakage_is_printed_with_its_interval(real_plan, tmp_path):
    from pyvalue.reporting.html import report

    found = evaluate(real_plan, *pair(30, np.array([0.3, 0.1, 0.05, 0.4])), score="raw")
    leaks = real_plan.expected_leakage
    told = f"{leaks.minimum:.2f} [{leaks.low:.2f}, {leaks.high:.2f}]"
    assert f"(expected by the graph: {told})" in str(found)
    page = report([real_plan, found], tmp_path).read_text(encoding="utf-8")
    assert f"(expected {told})" in page and page.count(told) >= 3
    json.loads(found.save(tmp_path / "outcome.json").read_text(encoding="utf-8"))


def test_the_page_shows_predicted_beside_measured(tmp_path):
    from pyvalue.reporting.html import report
    from pyvalue.reporting.plots import draw_effects

    plan = numbered(B=(0.5, 0.8), D=(0.1, 0.3))
    found = evaluate(plan, *pair(20, np.array([0.3, 0.2, 0.0, -0.1]), noise=0.02), score="raw")
    page = report([plan, found], tmp_path).read_text(encoding="utf-8").replace("−", "-")
    row = found.effects.set_index("value").loc["B"]
    assert f"[{row['predicted_low']:+.3f}, {row['predicted_high']:+.3f}]" in page
    assert "agree with what was measured for 2 of 3 values (not D)" in page and "no change had been predicted" in page
    axes = draw_effects(found).axes[0]
    bars = {round(bar.get_x(), 9): bar.get_width() for bar in axes.patches if bar.get_width() > 0}
    effects = found.effects.dropna(subset="predicted_low")
    wide = effects[effects["predicted_high"] > effects["predicted_low"]]
    assert bars == {
        round(r.predicted_low, 9): pytest.approx(r.predicted_high - r.predicted_low) for r in wide.itertuples()
    }
