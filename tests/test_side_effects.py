"""Side effects of made-up edits whose effects are known, against SciPy and counts by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pyvalue.edit_changes import paired_changes
from pyvalue.effects.leakage import leakage
from pyvalue.evaluation.side_effects import COLUMNS, side_effects
from pyvalue.responses import Responses, make_table

VALUES = ["Power", "Benevolence", "Security", "Mirth"]
TARGET = {"Power": 1}


def rows(effects: dict[str, list[float]], n: int = 20, spread: float = 0.2, seed: int = 0) -> pd.DataFrame:
    """Scores (edit, persona) x values; every edit adds its effect and noise to a persona's own scores."""
    random = np.random.default_rng(seed)
    own = random.normal(0, 0.3, (n, len(VALUES)))
    parts = {"": own} | {
        label: own + np.array(effect) + random.normal(0, spread, own.shape) for label, effect in effects.items()
    }
    index = pd.MultiIndex.from_product([parts, [f"p{i}" for i in range(n)]], names=["edit", "persona"])
    return pd.DataFrame(np.vstack(list(parts.values())), index=index, columns=VALUES)


def controls_of(label: str, n: int, size: float = 0.0) -> dict[str, list[float]]:
    return {f"control {k + 1} of {label} (f{k})": [size * (-1) ** k, 0.4, -0.4, 0.4] for k in range(n)}


def test_gain_leakage_and_wrong_ways():
    table = rows({"good": [0.6, -0.1, 0.0, 0.0], "leaky": [0.3, 0.3, -0.3, 0.3]})
    found = side_effects(table, TARGET, groups={"expected": ["Benevolence"], "unexpected": ["Security", "Mirth"]})
    rows_of = found.table.set_index("edit")
    for label in ("good", "leaky"):
        change = paired_changes(table).of(label)
        row, expected = rows_of.loc[label], leakage(change, TARGET)
        assert row["gain"] == pytest.approx(change["Power"].mean())
        assert (row["leakage"], row["leakage_low"], row["leakage_high"]) == pytest.approx(expected.estimate())
        count = int((change["Power"] < 0).sum())
        interval = stats.binomtest(count, len(change)).proportion_ci(method="wilson")
        assert row["wrong"] == count / len(change)
        assert (row["wrong_low"], row["wrong_high"]) == pytest.approx((interval.low, interval.high))
    assert rows_of.loc["good", "leakage"] < 0.4 < 0.8 < rows_of.loc["leaky", "leakage"]
    groups = ["expected", "unexpected", "opposed"]
    assert [name for name in found.table.columns if name not in groups] == list(COLUMNS)
    assert set(groups) <= set(found.table.columns)
    assert found.table["controls"].eq(0).all() and found.table["p_gain"].isna().all()


def test_side_change_is_free_of_noise_and_of_the_target():
    effect = [0.9, 0.3, -0.4, 0.0]
    squares = []
    for seed in range(60):
        row = side_effects(rows({"x": effect}, spread=0.5, seed=seed), TARGET).table.iloc[0]
        squares.append(math.copysign(row["side_change"] ** 2, row["side_change"]))
    assert abs(np.mean(squares) - np.mean(np.square(effect[1:]))) < 3 * stats.sem(squares)


def test_ranks_among_controls():
    table = rows({"good": [0.6, 0.1, 0.0, 0.0], **controls_of("good", 9, 0.3)})
    found = side_effects(table, TARGET)
    row = found.table.iloc[0]
    assert len(found.table) == 1 and row["controls"] == 9 == len(found.controls)
    assert row["p_gain"] == row["p_leakage"] == row["p_side"] == 0.1
    assert set(found.controls["control_of"]) == {"good"}
    by_hand = [(paired_changes(table).of(c)["Power"] < 0).mean() for c in found.controls["edit"]]
    assert row["control_wrong"] == pytest.approx(np.mean(by_hand))
    worse = side_effects(table, {"Power": -1}).table.iloc[0]
    assert worse["p_gain"] == 1 and worse["p_leakage"] == 1 and worse["wrong"] > 0.9


def test_the_rank_is_uniform_where_the_edit_is_one_of_its_controls():
    """p of exchangeable edits: at most .2 in about one fifth of the studies."""
    small = []
    for seed in range(80):
        effects = {"x": [0.0] * 4} | {f"control {k} of x (f{k})": [0.0] * 4 for k in range(1, 5)}
        row = side_effects(rows(effects, n=8, seed=seed), TARGET).table.iloc[0]
        small.append([row["p_gain"] <= 0.2, row["p_side"] <= 0.2])
    for count in np.sum(small, axis=0):
        assert stats.binomtest(int(count), 80, 0.2).pvalue > 0.001


def test_controls_may_be_given():
    table = rows({"a": [0.6, 0, 0, 0], "b": [0.5, 0, 0, 0], "r1": [0, 0.2, 0, 0], "r2": [0.1, 0, 0.2, 0]})
    both = side_effects(table, TARGET, controls=["r1", "r2"])
    assert both.table["edit"].tolist() == ["a", "b"] and both.table["controls"].tolist() == [2, 2]
    one = side_effects(table, TARGET, controls={"a": ["r1"]}, edit="a")
    assert one.table["edit"].tolist() == ["a"] and one.controls["edit"].tolist() == ["r1"]
    assert side_effects(table, TARGET).table["edit"].tolist() == ["a", "b", "r1", "r2"]
    with pytest.raises(ValueError, match="controls: 'r9' not in the source"):
        side_effects(table, TARGET, controls=["r9"])
    with pytest.raises(TypeError, match="controls: expected labels"):
        side_effects(table, TARGET, controls="r1")
    with pytest.raises(ValueError, match="edit: 'z' not in the source"):
        side_effects(table, TARGET, edit="z")


def test_edits_that_do_nothing_and_few_personas_are_named():
    table = rows({"still": [0.0] * 4, "real": [0.6, 0, 0, 0]})
    table.loc["still"] = table.loc[""].to_numpy()
    found = side_effects(table, TARGET).table.set_index("edit")
    assert found.loc["still", "note"] == "changed no score at all"
    assert found.loc["still", "unchanged"] == 1 and found.loc["still", "wrong"] == 0
    assert math.isnan(found.loc["still", "leakage"]) and found.loc["real", "note"] == ""
    one = side_effects(rows({"x": [0.5, 0.2, 0, 0]}, n=1), TARGET).table.iloc[0]
    assert one["personas"] == 1 and math.isfinite(one["plain"])
    assert one["note"] == "intervals need 3 personas with a change of the target; there is 1"
    missing = rows({"x": [0.5, 0.2, 0, 0]})
    missing.loc["x", "Power"] = np.nan
    row = side_effects(missing, TARGET).table.iloc[0]
    assert row["personas"] == 0 and math.isnan(row["gain"]) and "there are 0" in row["note"]


def test_everybody_who_is_missing_is_counted_and_no_nan_is_printed():
    table = rows({"x": [0.5, 0.2, 0.0, 0.0], "one": [0.5, 0.2, 0.0, 0.0]}, n=40)
    table = table.drop([("", f"p{i}") for i in range(20)])
    table = table.drop([("one", f"p{i}") for i in range(40) if i not in (5, 30)])
    table.loc[("x", ["p30", "p31"]), "Security"] = np.nan
    table.loc[("x", "p32"), "Power"] = np.nan
    found = side_effects(table, TARGET)
    by = found.table.set_index("edit")
    assert by.loc["x", ["personas", "asked"]].tolist() == [19, 40] and by.loc[
        "one", ["personas", "asked"]
    ].tolist() == [1, 2]
    text = str(found)
    assert "x: 19 personas; gain +" in text and "one: 1 persona; gain +" in text and "nan" not in text
    assert "21 of 40 personas lack a score of the target without or under the edit" in text
    assert "2 of 19 personas lack a change of some other value" in text and "there is 1" in text
    missing = rows({"x": [0.5, 0.2, 0.0, 0.0]})
    missing.loc["x", "Mirth"] = np.nan
    assert "not counted, with fewer than 3 personas: Mirth" in str(side_effects(missing, TARGET))
    missing.loc["x", "Power"] = np.nan
    told = str(side_effects(missing, TARGET))
    assert "0 personas" in told and "nan" not in told


def test_no_negative_zero_is_printed():
    table = rows({"x": [0.5, 0.2, 0.0, 0.0]})
    table.loc["x", "Power"] = table.loc["", "Power"].to_numpy() + np.tile([0.1, -0.10001], 10)
    assert "-0.000" not in str(side_effects(table, TARGET)) and "gain +0.000" in str(side_effects(table, TARGET))


def test_features_are_named_by_their_numbers_and_a_target_is_a_mapping():
    table = rows({"17": [0.5, 0.2, 0.0, 0.0], "18": [0.0] * 4})
    assert side_effects(table, TARGET, edit=17, controls=[18]).table["edit"].tolist() == ["17"]
    assert side_effects(table, TARGET, edit=[17, 18]).table["edit"].tolist() == ["17", "18"]
    with pytest.raises(TypeError, match="target: expected a mapping of values"):
        side_effects(table, "Security")


def test_broken_edits_of_a_table_are_left_out_and_listed():
    table = rows({"fine": [0.3, 0, 0, 0], "dead": [0.0] * 4, "control 1 of fine (f1)": [0.0] * 4})
    for label in ("dead", "control 1 of fine (f1)"):
        table.loc[label] = 0.0
    found = side_effects(table, TARGET)
    assert found.table["edit"].tolist() == ["fine"] and found.table["controls"].tolist() == [0]
    assert set(found.broken) == {"dead", "control 1 of fine (f1)"}
    assert "broken, left out: dead" in str(found)
    only_dead = side_effects(table.loc[["", "dead"]], TARGET)
    assert only_dead.table.empty and list(only_dead.broken) == ["dead"]


def answers(status: dict[str, list[str]], shift: dict[str, float], personas: int = 6) -> Responses:
    """Two questions a value and persona; p(yes) of the unedited ones differs by persona."""
    random = np.random.default_rng(1)
    found = []
    for persona in range(personas):
        for value in VALUES[:3]:
            for number in range(2):
                level = random.uniform(0.3, 0.5)
                for edit, kinds in status.items():
                    kind = kinds[(2 * persona + number) % len(kinds)]
                    p = level + shift[edit] * (value == "Power") + random.uniform(0, 0.05) * bool(edit)
                    valid = kind in ("yes", "no")
                    found.append(
                        {
                            "model": "m", "edit": edit, "persona": f"p{persona}", "item": f"{value}{number}",
                            "value": value, "keying": 1, "text": "?", "status": kind, "p_yes": p if valid else np.nan,
                            "mass": 1.0, "score": 2 * p - 1 if valid else np.nan, "perplexity": 3.0 + 3.0 * bool(edit),
                        }
                    )  # fmt: skip
    return Responses(make_table({name: [row[name] for row in found] for name in found[0]}))


def test_rates_of_answers_and_broken_edits():
    status = {"": ["no"], "odd": ["no"] * 11 + ["refused"], "gone": ["invalid", "degenerate", "no"]}
    found = side_effects(answers(status, {"": 0, "odd": 0.3, "gone": 0.3}), TARGET)
    row = found.table.iloc[0]
    assert found.table["edit"].tolist() == ["odd"] and "of its answers are valid" in found.broken["gone"]
    assert row["refused"] == pytest.approx(1 / 12) and row["valid"] == pytest.approx(11 / 12)
    assert row["perplexity_ratio"] == pytest.approx(2) and row["invalid"] == 0
    assert row["gain"] > 0.5 and "92% valid" in str(found)
    assert side_effects(answers({"": ["no"], "x": ["invalid"]}, {"": 0, "x": 0}), TARGET).table.empty


def test_it_saves(tmp_path):
    found = side_effects(rows({"good": [0.6, 0.1, 0.0, 0.0], **controls_of("good", 3)}), TARGET)
    saved = json.loads(found.save(tmp_path / "x.json").read_text())
    assert saved["table"][0]["gain"] == pytest.approx(found.table["gain"][0]) and len(saved["controls"]) == 3
    assert saved["table"][0]["valid"] is None and saved["leakages"]["good"]["target"] == TARGET
    assert repr(found) == "SideEffects(1 edits, 3 controls, 0 broken)"
    assert "p among 3 controls" in str(found)


def test_without_unedited_rows():
    with pytest.raises(ValueError, match="expected rows without an edit"):
        side_effects(rows({"x": [0.1] * 4}).loc[["x"]], TARGET)


def test_the_picture_shows_edits_controls_and_rays():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from pyvalue.reporting.side_effects_plot import draw_side_effects

    found = side_effects(rows({"good": [0.6, 0.1, 0, 0], "odd": [0.1, 0.5, 0, 0], **controls_of("good", 5)}), TARGET)
    ax = draw_side_effects(found).axes[0]
    points = {line.get_label(): line for line in ax.lines}
    for row in found.table.to_dict("records"):
        line = points[row["edit"]]
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (row["gain"], row["side_change"])
    hollow = [line for line in ax.lines if len(line.get_xdata()) == 5]
    np.testing.assert_allclose(sorted(hollow[0].get_xdata()), sorted(found.controls["gain"]))
    assert {text.get_text() for text in ax.texts} == {"leakage 0.5", "leakage 1", "leakage 2"}
    shown = [*found.table["gain_low"], *found.table["gain_high"], *found.controls["gain"]]
    left, right = ax.get_xlim()
    assert left < min(shown) and right > max(shown)
    # No empty half: what is left of all points is a margin.
    assert min(*shown, 0) - left < 0.15 * (right - left)
    good = side_effects(rows({"good": [0.6, 0.1, 0, 0], "better": [0.8, 0.5, 0, 0]}, spread=0.02), TARGET)
    ax = draw_side_effects(good).axes[0]
    assert -0.15 * ax.get_xlim()[1] < ax.get_xlim()[0] < 0
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    inside = ax.get_window_extent()
    for text in ax.texts:
        box = text.get_window_extent(canvas.get_renderer())
        assert inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
    dead = rows({"dead": [0.0] * 4})
    dead.loc["dead"] = 0.0
    nothing = side_effects(dead, TARGET)
    assert nothing.table["gain"].empty and draw_side_effects(nothing).axes


def test_a_comparison_on_a_tiny_model(tiny_model, tiny_sae, small_inventory):
    from pyvalue.evaluation.side_effects_comparison import TEXT_COLUMNS, compare_steering, comparison_table
    from pyvalue.measurement.personas import make_personas
    from pyvalue.measurement.prompts import FREE, render_prompt
    from pyvalue.measurement.steered_text import text_costs
    from pyvalue.models.edits import Edit
    from pyvalue.steering.baselines import measure_steering, steering_baselines

    people = make_personas(3, seed=1)
    edit = Edit(feature=3, strength=0.3, unit="relative", sae=tiny_sae, name="mine")
    methods = steering_baselines(tiny_model, small_inventory, "Power", people, edit=edit, n_random=2)
    options = {"min_mass": 0, "progress": False}
    answers_ = measure_steering(tiny_model, small_inventory, people, methods, **options)
    size = {"text_personas": 2, "text_items": 2, "max_new_tokens": 8}
    found = compare_steering(
        tiny_model, small_inventory, people, TARGET, methods, responses=answers_, **size, **options
    )
    table = found.table.set_index("edit")
    assert list(table.index) == ["mine", "difference of means", "role prompt", "instruction"]
    assert table.loc["mine", "controls"] == 2 == table.loc["difference of means", "controls"]
    without = side_effects(answers_, TARGET).table
    pd.testing.assert_frame_equal(found.table[without.columns], without)
    asked = [item.question for item in small_inventory.items if item.id in ("Security+1", "Power+1")]
    for label, persons in (("mine", people), ("role prompt", methods["role prompt"])):
        plain, told = ([render_prompt(tiny_model.tokenizer, p, q, FREE) for p in of[:2] for q in asked]
                       for of in (people, persons))  # fmt: skip
        made = {"mine": [edit]} if label == "mine" else {}
        costs = text_costs(tiny_model, plain, made, other_prompts={} if made else {label: told}, max_new_tokens=8)
        for name, shown in TEXT_COLUMNS.items():
            assert table.loc[label, shown] == pytest.approx(costs.loc[label, name], rel=1e-3)
    assert comparison_table(found)["gain"].is_monotonic_decreasing and not table["text_broken"].any()
    fewer = {label: method for label, method in methods.items() if label != "mine"}
    with pytest.raises(ValueError, match="responses: have answers under 'mine', which the methods lack"):
        compare_steering(tiny_model, small_inventory, people, TARGET, fewer, responses=answers_, **size)
    with pytest.raises(ValueError, match=r"responses: have no answers under 'mine', .* of the methods"):
        other = answers_.only(edit="")
        compare_steering(tiny_model, small_inventory, people, TARGET, methods, responses=other, **size)
    assert (
        "kl"
        not in compare_steering(
            tiny_model, small_inventory, people, TARGET, methods, responses=answers_, text_items=0
        ).table
    )
