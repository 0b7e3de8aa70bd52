"""Quality of simulated answers whose reliability, bias, breakage and agreement between modes are known."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import pyvalue as pv
from pyvalue.agreement import icc
from pyvalue.broken_edits import edit_table, split_broken
from pyvalue.common_factor import common_factor
from pyvalue.convergence import multitrait_matrix
from pyvalue.discovery.degenerate import DegenerateDataWarning
from pyvalue.reliability import cronbach_alpha
from pyvalue.responses import Responses, make_table
from pyvalue.steering.plan import SteeringPlan

VALUES = ("Power", "Security", "Hedonism", "Tradition")


def simulate(
    personas=60, items=8, trait=1.0, noise=1.0, bias=0.0, level=0.0, seed=0, mode="score", edits=("",), wordings=1,
    orders=("yes-no",), order_shift=0.0, repeats=1, free=4, keys=(1, -1), invalid=0.0, status="invalid",
    perplexity=math.nan, values=VALUES,
):  # fmt: skip
    """Answers whose log odds of yes are keying * (trait of the person + noise) + bias of the person + level.

    ``trait``, ``noise`` and ``bias`` are standard deviations. Traits depend on ``seed`` alone, so that two modes share
    them; noise is of every answer.
    """
    random = np.random.default_rng(seed)
    mind = trait * random.normal(size=(personas, len(values)))
    lean = level + bias * random.normal(size=personas)
    random = np.random.default_rng([seed, len(mode), len(edits[0])])
    asked = [(v, i, keys[i % len(keys)]) for v in range(len(values)) for i in range(items)]
    asked += [(-1, i, 0) for i in range(free)]
    rows = []
    for edit in edits:
        for p in range(personas):
            for v, i, keying in asked:
                for wording in range(wordings):
                    for order in orders:
                        for repeat in range(repeats):
                            odds = lean[p] + (order_shift if order == "yes-no" else 0.0)
                            odds += keying * (mind[p, v] + noise * random.normal()) if keying else 0.0
                            yes = 1 / (1 + math.exp(-odds))
                            yes = yes if mode == "score" else float(yes > 0.5)
                            gone = random.random() < invalid
                            rows.append(
                                {
                                    "model": "m", "edit": edit, "persona": f"p{p}", "mode": mode, "wording": wording,
                                    "order": order, "repeat": repeat, "text": f"{v}-{i}-{wording}",
                                    "item": f"{values[v]}-{i}" if keying else f"free-{i}",
                                    "value": values[v] if keying else "", "keying": keying,
                                    "kind": "keyed" if keying else "content-free" if i % 2 else "nonsense",
                                    "status": status if gone else "yes" if yes >= 0.5 else "no",
                                    "p_yes": math.nan if gone else yes, "mass": 0.8, "perplexity": perplexity,
                                    "score": keying * (2 * yes - 1) if keying and not gone else math.nan,
                                }
                            )  # fmt: skip
    return Responses(make_table(pd.DataFrame(rows).to_dict("list")))


def of(table, **equal):
    """The one row with these entries."""
    for name, value in equal.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


# -- values ------------------------------------------------------------------------------------------------------


def test_alpha_is_that_of_the_items_scores():
    responses = simulate()
    quality = responses.quality("raw")
    own = responses.table[responses.table["value"] == "Security"]
    items = own.pivot(index="persona", columns="item", values="score")
    expected = cronbach_alpha(items.to_numpy())
    row = of(quality.values, value="Security")
    assert (row["alpha"], row["alpha_low"]) == pytest.approx((expected.value, expected.low))
    assert row["items"] == 8 and row["personas"] == 60 and row["reason"] == ""
    assert row["split_half"] == pytest.approx(expected.value, abs=0.03)
    assert row["icc"] == pytest.approx(0.5, abs=0.1)  # as much trait as noise, less a little by the logistic curve


def test_correction_makes_reliable_what_a_bias_had_spoilt():
    responses = simulate(bias=2.0, trait=0.7, noise=0.3)
    raw, corrected = (responses.quality(score) for score in ("raw", "corrected"))
    assert corrected.values["alpha"].min() > 0.9 > raw.values["alpha"].min() + 0.2
    assert raw.bias["content_free"].iloc[0] == pytest.approx(raw.bias["nonsense"].iloc[0])


def test_plus_minus_and_the_levels_of_yes_show_acquiescence():
    quality = simulate(level=1.0, trait=0.2, noise=0.2).quality("raw")
    assert (quality.values["plus_minus"] > 0.5).all()
    row = quality.bias.iloc[0]
    assert row["content_free_log_odds"] == pytest.approx(1.0) and row["nonsense_log_odds"] == pytest.approx(1.0)
    assert row["keyed_log_odds"] == pytest.approx(1.0, abs=0.05) and 0.6 < row["keyed"] < 0.8
    assert np.abs(simulate(level=1.0).quality().values["plus_minus"]).max() < 0.15


def test_one_factor_is_seen_and_taken_off():
    # Unequal keys: a bias of the person then moves all values the same way.
    quality = simulate(personas=200, bias=2.0, trait=0.5, keys=(1, 1, 1, -1)).quality()
    r = quality.factor.set_index("score")["mean_correlation"]
    assert r["raw"] > 0.5 and abs(r["corrected"]) < 0.1
    assert r["ipsatised"] == pytest.approx(-1 / 3, abs=0.05)
    assert any("One factor runs through all raw value scores" in warning for warning in quality.warnings)
    assert not any("leaves most of it" in warning for warning in quality.warnings)


def test_common_factor_of_known_correlations():
    independent = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 5)) - 0)[0]
    independent = np.linalg.qr(independent - independent.mean(axis=0))[0]
    apart = common_factor(pd.DataFrame(independent[:, :4]))
    assert apart["mean_correlation"] == pytest.approx(0, abs=1e-9) and apart["first_component"] == pytest.approx(0.25)
    together = common_factor(pd.DataFrame(independent[:, :1] + np.zeros((1, 4))))
    assert together["mean_correlation"] == pytest.approx(1) and together["first_component"] == pytest.approx(1)
    assert math.isnan(common_factor(pd.DataFrame(independent[:2]))["mean_correlation"])


def test_repeats_wordings_and_orders_are_told_apart():
    quality = simulate(wordings=3, orders=("yes-no", "no-yes"), repeats=2, order_shift=0.8, personas=40).quality("raw")
    row = of(quality.values, value="Power")
    assert row["retest"] > 0.9 and row["wording"] > 0.9  # means over many answers of equal noise
    bias = quality.bias.iloc[0]
    assert bias["order_low"] > 0.05 and bias["order_effect"] < 0.25
    assert 0.05 < bias["paraphrase_spread"] < 0.25
    assert any("order of the options matters" in warning for warning in quality.warnings)
    plain = simulate(personas=20).quality()
    assert plain.values[["retest", "wording", "order_effect"]].isna().all().all()
    assert plain.bias[["order_effect", "paraphrase_spread"]].isna().all().all()


def test_items_that_few_personas_answered_are_left_out_and_said():
    responses = simulate(personas=20)
    table = responses.table.copy()
    gone = (table["item"] == "Power-3") & table["persona"].isin([f"p{i}" for i in range(15)])
    table.loc[gone, ["p_yes", "score"]] = math.nan
    table.loc[gone, "status"] = "refused"
    quality = Responses(table).quality()
    row = of(quality.values, value="Power")
    assert row["items"] == 7 and row["items_left_out"] == 1 and math.isfinite(row["alpha"])
    assert row["valid"] == pytest.approx(1 - 15 / 160)
    assert any("left out of reliability: Power 1" in warning for warning in quality.warnings)
    assert of(quality.edits, edit="")["refused"] == 15


def test_saturated_answers_are_counted():
    quality = simulate(trait=20.0, personas=30).quality("raw")
    assert (quality.values["saturated"] > 0.6).all()
    assert any("very end of their range" in warning for warning in quality.warnings)


def test_values_are_of_the_unedited_answers_or_of_the_edit_asked_for():
    responses = Responses.concat([simulate(), simulate(edits=("up",), trait=0.01)])
    assert responses.quality().facts["edit"] == ""
    assert responses.quality().values["alpha"].min() > 0.7 > responses.quality(edit="up").values["alpha"].max()
    assert (simulate().quality().values["effective_n"] == 60).all()
    same = Responses.concat([simulate(), simulate(edits=("down",))])  # rows of one persona repeat each other
    assert same.quality().values["effective_n"].between(60, 75).all()


# -- warnings ----------------------------------------------------------------------------------------------------


def said(quality):
    return " ".join(quality.warnings)


def test_good_answers_raise_no_objection():
    assert simulate(personas=80, trait=1.5).quality().warnings == ()


def test_objections_in_words():
    assert "hang together less than α = 0.70: " in said(simulate(trait=0.1).quality())
    assert "Only 12 personas were asked" in said(simulate(personas=12).quality())
    assert "All items of Power, Security, Hedonism and Tradition are keyed the same way" in said(
        simulate(keys=(1,)).quality()
    )
    assert "corrected scores equal raw ones" in said(simulate(free=0).quality())
    assert "refused" in said(simulate(invalid=0.2, status="refused").quality())
    assert "sum to 0" in said(simulate().quality("ipsatised"))
    assert "cannot be had: Power, Security, Hedonism and Tradition (at least 2 items are needed, got 1)." in said(
        simulate(items=1, personas=5).quality()
    )
    assert "below 0 with its whole interval" in said(simulate(bias=3.0, trait=0.05, noise=0.2).quality("raw"))


def coins(personas=150, values=5, items=4, keys=(1,), free=4, mode="generate", seed=0):
    """Written answers that are fair coins: nothing at all is measured."""
    named = tuple(f"V{i}" for i in range(values))
    table = simulate(personas, items, values=named, keys=keys, free=free, mode=mode).table
    yes = np.random.default_rng(seed).integers(0, 2, len(table)).astype(float)
    score = np.where(table["keying"] != 0, table["keying"] * (2 * yes - 1), np.nan)
    return Responses(table.assign(p_yes=yes, score=score, status=np.where(yes > 0, "yes", "no")))


def test_a_factor_that_the_correction_makes_is_said():
    responses = coins()
    r = responses.quality().factor.set_index("score")["mean_correlation"]
    assert abs(r["raw"]) < 0.05 and r["corrected"] > 0.3  # of noise alone
    told = said(responses.quality())
    assert "go together more (mean correlation 0." in told and "noise of the content-free answers" in told
    assert "noise of the content-free answers" not in said(responses.quality("raw"))
    assert "noise of the content-free answers" not in said(coins(keys=(1, -1)).quality())
    assert "noise of the content-free answers" not in said(simulate(personas=15).quality())


def spoil(responses, gone):
    table = responses.table.copy()
    table.loc[gone, ["p_yes", "score"]] = math.nan
    table.loc[gone, "status"] = "invalid"
    return Responses(table)


def by_chance(responses, share, seed=0):
    """A quarter, or so, of the keyed answers invalid."""
    random = np.random.default_rng(seed)
    keyed = (responses.table["keying"] != 0).to_numpy()
    return spoil(responses, keyed & (random.random(len(keyed)) < share))


def test_identical_repeats_and_wordings_agree_whatever_is_missing():
    once = simulate(personas=40)
    for column in ("repeat", "wording"):
        table = pd.concat([once.table, once.table.assign(**{column: 1})], ignore_index=True)
        quality = by_chance(Responses(table), 0.25).quality("raw")
        agreed = quality.values["retest" if column == "repeat" else "wording"]
        np.testing.assert_allclose(agreed, 1.0, atol=1e-9)
        assert "rank" not in said(quality)


def test_wordings_that_share_no_question_are_not_compared():
    whole = simulate(personas=30, wordings=2, free=0)
    item = whole.table["item"].str[-1].astype(int)
    apart = Responses(whole.table[item % 2 == whole.table["wording"]].reset_index(drop=True))
    assert apart.quality("raw").values["wording"].isna().all()


def test_missing_answers_are_counted_and_cost_no_rows():
    responses = by_chance(simulate(personas=100, items=4), 0.2)
    quality = responses.quality()
    few = (responses.answered_share() < 0.5).sum().sum()
    assert quality.values["too_few"].sum() == few > 0
    assert quality.values["incomplete"].sum() == (responses.answered_share() < 1).sum().sum() - few
    assert f"of 400 scores rest on some of their questions alone, corrected for which were answered, and {few}" in (
        said(quality)
    )
    assert (quality.values["icc_personas"] < 50).all() and "less than half: Power" in said(quality)
    pairs = responses.matrix("raw").corr().to_numpy()[np.triu_indices(4, 1)]
    raw = of(quality.factor, score="raw")
    assert raw["mean_correlation"] == pytest.approx(pairs.mean()) and raw["rows"] > 80
    thin = by_chance(simulate(personas=40, items=1), 0.5).quality()
    assert "of 40 personas, the others lacking one of both scores" in said(thin)


def test_the_order_effect_of_a_value_is_on_p_yes_and_does_not_cancel_by_keying():
    responses = simulate(personas=30, orders=("yes-no", "no-yes"), order_shift=1.0, trait=0.3, noise=0.3)
    quality = responses.quality("raw")
    assert quality.values["order_effect"].min() > 0.15
    assert quality.values["order_effect"].mean() == pytest.approx(
        responses.quality("corrected").values["order_effect"].mean()
    )


def test_saturated_content_free_items_are_named():
    responses = simulate(personas=30)
    table = responses.table.copy()
    table.loc[table["item"].isin(["free-0", "free-2"]), "p_yes"] = 1.0
    quality = Responses(table).quality()
    assert "the content-free items free-0 and free-2 with a probability at the very end" in said(quality)
    assert of(quality.bias, edit="")["content_free_saturated"] == 0.5
    assert "very end" not in said(responses.quality()) and "very end" not in said(Responses(table).quality("raw"))


def test_the_true_reason_for_missing_corrected_scores_is_given():
    base, up = simulate(personas=10), simulate(personas=10, edits=("up",))
    unasked = Responses(up.table.query("keying != 0").reset_index(drop=True))
    quality = Responses.concat([base, unasked]).quality(edit="up")
    assert "320 valid answers have no corrected score, since no content-free item was asked there" in said(quality)
    silent = spoil(base, (base.table["keying"] == 0) & (base.table["persona"] == "p3")).quality()
    assert "32 valid answers have no corrected score, since no content-free answer of the persona" in said(silent)
    assert "no corrected score" not in said(Responses.concat([base, unasked]).quality("raw", edit="up"))
    written = simulate(personas=10, mode="generate", free=0)
    both = Responses.concat([base, written]).quality()
    assert "No content-free items were asked in mode generate" in said(both)


# -- broken edits ------------------------------------------------------------------------------------------------


def edited(label, **options):
    return simulate(personas=20, edits=(label,), **options)


def test_an_edit_is_broken_by_its_valid_answers_or_its_perplexity():
    base = edited("", perplexity=10.0, invalid=0.1)
    fine = edited("fine", perplexity=20.0, invalid=0.12)
    mute = edited("mute", perplexity=11.0, invalid=0.6, status="degenerate")
    mad = edited("mad", perplexity=50.0)
    edits = edit_table(Responses.concat([base, fine, mute, mad]).table).set_index("edit")
    assert list(edits["broken"]) == [False, False, True, True]
    assert edits.loc["mad", "perplexity_ratio"] == pytest.approx(5)
    assert edits.loc["fine", "valid_ratio"] == pytest.approx(edits.loc["fine", "valid"] / edits.loc["", "valid"])
    assert edits.loc["mute", "degenerate"] == round((1 - edits.loc["mute", "valid"]) * edits.loc["mute", "answers"])
    assert "of the share without an edit (less than 0.9)" in edits.loc["mute", "reason"]
    assert "5.0 times that without an edit (more than 4)" in edits.loc["mad", "reason"]


def test_thresholds_are_arguments():
    both = Responses.concat([edited("", perplexity=10.0), edited("up", perplexity=20.0, invalid=0.05)])
    assert both.without_broken().edits == ("", "up")
    assert both.without_broken(max_perplexity_ratio=1.5).edits == ("",)
    assert both.without_broken(min_valid_ratio=0.99).edits == ("",)
    with pytest.raises(ValueError, match="min_valid_ratio: expected a number between 0 and 1, got 2"):
        both.without_broken(min_valid_ratio=2)
    with pytest.raises(ValueError, match="max_perplexity_ratio"):
        both.quality(max_perplexity_ratio=0.5)


def test_without_unedited_answers_half_must_be_valid():
    edits = edit_table(Responses.concat([edited("fair", invalid=0.4), edited("poor", invalid=0.7)]).table)
    assert list(edits["broken"]) == [False, True] and edits["valid_ratio"].isna().all()
    assert "less than 50%" in edits["reason"].iloc[1]
    assert edit_table(edited("", invalid=0.9).table)["broken"].tolist() == [False]


def test_modes_break_apart_and_compare_the_same_questions():
    base = edited("", perplexity=10.0)
    hard = Responses(base.table.assign(perplexity=np.where(base.table["value"] == "Power", 100.0, 10.0)))
    part = Responses(base.table.query("value == 'Power'").assign(edit="up", perplexity=100.0))
    table = Responses.concat([hard, part, simulate(personas=20, mode="generate", edits=("up",), invalid=0.9)]).table
    edits = edit_table(table)
    assert of(edits, edit="up", mode="score")["perplexity_ratio"] == pytest.approx(1)
    assert of(edits, edit="up", mode="generate")["broken"] and not of(edits, edit="up", mode="score")["broken"]
    kept, told = split_broken(Responses(table))
    assert set(kept.table["mode"]) == {"score"} and "'up' (generate)" in told[0]


def test_discover_leaves_broken_edits_out_and_says_so():
    # Two working edits keep rows enough for the search.
    parts = [simulate(edits=("",)), simulate(edits=("down",)), simulate(edits=("up",), invalid=0.4)]
    whole, working = Responses.concat(parts), Responses.concat(parts[:2])
    with pytest.warns(DegenerateDataWarning):
        graph, expected = (pv.discover(responses) for responses in (whole, working))
    assert graph.settings.n == expected.settings.n == 120
    assert sorted(graph.edges()) == sorted(expected.edges())
    assert [note for note in graph.notes if "'up' (score) were left out" in note]
    assert not [note for note in expected.notes if "left out" in note]


def test_discover_from_a_file_leaves_broken_edits_out(tmp_path):
    whole = Responses.concat([simulate(), simulate(edits=("up",), invalid=0.4)])
    graph = pv.discover(whole.save(tmp_path / "answers.parquet"))
    assert graph.settings.n == 60 and any("'up' (score)" in note for note in graph.notes)


def test_discover_of_nothing_but_broken_edits_is_refused(tmp_path):
    broken = simulate(edits=("up",), invalid=0.9)
    broken.table.to_csv(tmp_path / "answers.csv", index=False)
    for source in (broken, broken.save(tmp_path / "answers.parquet"), tmp_path / "answers.csv"):
        with pytest.raises(ValueError, match=r"no answers of a working model.*'up'"):
            pv.discover(source)


def with_valid(edit, valid, n=200):
    """One persona's answers to n questions, this many of them valid."""
    table = simulate(personas=1, items=n, values=("Power",), free=0, edits=(edit,)).table.copy()
    table.loc[valid:, ["p_yes", "score"]] = math.nan
    table.loc[valid:, "status"] = "invalid"
    return Responses(table)


def test_chance_alone_seldom_breaks_an_edit():
    random = np.random.default_rng(0)
    drawn = random.binomial(200, 0.5, size=(60, 2))
    tables = [Responses.concat([with_valid("", a), with_valid("up", b)]).table for a, b in drawn]
    by_chance = sum(bool(edit_table(table)["broken"].any()) for table in tables)
    assert by_chance <= 3 < (drawn[:, 1] / drawn[:, 0] < 0.9).sum()  # the ratio alone would break more


def test_the_drop_is_tested_as_scipys_chi_squared_tests_it():
    # One-sided p of two proportions: 110 and 90 of 200 give z = -2.0, p = 0.023; 120 and 90 give z = -3.0, p = 0.0013.
    for before, after, broken in ((110, 90, False), (120, 90, True)):
        pooled = stats.chi2_contingency([[before, 200 - before], [after, 200 - after]], correction=False)
        assert (pooled.pvalue / 2 < 0.01) == broken
        edits = edit_table(Responses.concat([with_valid("", before), with_valid("up", after)]).table)
        assert edits["valid_ratio"].iloc[1] < 0.9 and edits["broken"].iloc[1] == broken


def test_evaluate_warns_of_a_broken_edit():
    plan = SteeringPlan({"Power": 1}, {value: "target" if value == "Power" else "unaffected" for value in VALUES})
    with pytest.warns(UserWarning, match="the edit 'up' broke the model"):
        outcome = pv.evaluate(plan, edited(""), edited("up", invalid=0.5))
    assert "of its answers are valid" in outcome.facts["broken"]
    assert "broken" not in pv.evaluate(plan, edited(""), edited("up")).facts


# -- two modes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_modes():
    return Responses.concat([simulate(personas=300), simulate(personas=300, mode="generate")])


def test_modes_that_measure_the_same_converge(two_modes):
    quality = two_modes.quality()
    table = quality.convergent
    assert list(table["value"]) == list(VALUES) and set(table["mode_a"] + table["mode_b"]) == {"scoregenerate"}
    assert (table["low"] > 0.6).all() and (table["disattenuated"] > table["correlation"]).all()
    assert table["disattenuated"].to_numpy() == pytest.approx(1, abs=0.08)
    assert (table["above_other_modes"] == 1).all() and (table["above_other_values"] == 1).all()
    matrix = quality.multitrait
    assert matrix.shape == (8, 8) and np.allclose(matrix, matrix.T)
    alpha = of(quality.values, mode="generate", value="Power")["alpha"]
    assert matrix.loc[("generate", "Power"), ("generate", "Power")] == alpha
    theirs = two_modes.only(mode="score").matrix()["Power"].corr(two_modes.only(mode="generate").matrix()["Security"])
    assert matrix.loc[("score", "Power"), ("generate", "Security")] == pytest.approx(theirs)


def test_modes_that_measure_other_things_do_not(two_modes):
    other = simulate(personas=300, mode="generate", seed=9)
    quality = Responses.concat([two_modes.only(mode="score"), other]).quality()
    assert np.abs(quality.convergent["correlation"]).max() < 0.2
    assert "do not demonstrably agree between score and generate" in said(quality)
    assert "at least as well as with themselves" in said(quality)


def test_one_mode_has_nothing_to_converge():
    quality = simulate(personas=20).quality()
    assert quality.convergent.empty and quality.multitrait.empty
    assert multitrait_matrix({}, {}).empty


# -- the object --------------------------------------------------------------------------------------------------

ODD = {
    "one persona": simulate(personas=1),
    "one item": simulate(items=1, values=("Power",), personas=6),
    "all invalid": simulate(personas=5, invalid=1.0),
    "equal answers": simulate(personas=5, trait=0.0, noise=0.0),
    "content-free alone": simulate(personas=5, items=0),
    "an edit alone": simulate(personas=5, edits=("up",)),
}


@pytest.mark.parametrize("responses", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("score", ["raw", "corrected", "centred", "ipsatised"])
@pytest.mark.filterwarnings("error")
def test_odd_answers_are_assessed_without_fault(responses, score):
    if score == "centred" and len(responses.values) == 1:
        with pytest.raises(ValueError, match="at least 2 values, got Power alone"):
            responses.quality(score)
        return
    quality = responses.quality(score)
    json.dumps(quality.to_dict(), allow_nan=False)
    assert len(quality.values) == len(responses.values)
    assert (quality.values["alpha"].notna() | (quality.values["reason"] != "")).all()
    assert quality.summary in repr(quality)


def test_repr_is_a_table_with_the_warnings(two_modes):
    text = repr(two_modes.quality())
    assert "Quality(m, corrected scores): 100.0% of the answers are valid. α of 8 scales: 0." in text
    assert len([line for line in text.splitlines() if "Power" in line and line.strip()[0] != "!"]) == 2
    assert "generate" in text and "nan" not in text.lower()
    assert max(map(len, repr(simulate(personas=12).quality()).splitlines()[:6])) < 120


def test_the_order_of_the_rows_does_not_matter():
    responses = simulate(personas=12, invalid=0.1)
    shuffled = Responses(responses.table.sample(frac=1, random_state=0).reset_index(drop=True))
    one, other = (r.quality().values.set_index("value").drop(columns="lowest_item") for r in (responses, shuffled))
    pd.testing.assert_frame_equal(one, other.loc[one.index], check_exact=False, rtol=1e-9)


def test_bad_arguments_are_named():
    responses = simulate(personas=3)
    two = Responses(pd.concat([responses.table, responses.table.assign(model="n")], ignore_index=True))
    for call, what in (
        (lambda: responses.quality("mean"), "score: expected 'raw'"),
        (lambda: responses.quality(edit="down"), "edit: expected one of '', got 'down'"),
        (lambda: responses.quality(confidence=95), "confidence"),
        (lambda: responses.only(edit="none").quality(), "empty table"),
        (two.quality, "one model, got m, n"),
    ):
        with pytest.raises(ValueError, match=what):
            call()


def test_a_habit_of_answering_is_named():
    habit = said(simulate(level=-3.0, trait=0.3, noise=0.3).quality())
    assert "“No” is 100% of the valid answers, and p(yes) is 0.05 where nothing is asked about a value" in habit
    assert "of the valid answers" not in said(simulate().quality())


def test_a_model_that_would_say_something_else_is_named():
    answers = simulate()
    rare = Responses(answers.table.assign(mass=0.2))
    assert "Yes and no together have 0.20 of the probability" in said(rare.quality())
    written = Responses(answers.table.assign(mass=np.nan, p_yes=(answers.table["p_yes"] > 0.5).astype(float)))
    assert "offers no probabilities" in said(written.quality())
    assert "very end of their range" not in said(written.quality())


def test_broken_edits_and_one_signed_values_are_marked():
    both = Responses.concat([simulate(perplexity=20.0), simulate(edits=("mad",), perplexity=100.0)])
    assert list(both.quality().broken) == ["mad"]
    assert simulate().quality().broken == {}
    assert " (one-signed)" in repr(simulate(keys=(1,)).quality())
    assert " (one-signed)" not in repr(simulate().quality())


def test_an_interval_holds_its_estimate():
    for seed in range(30):
        found = icc(np.random.default_rng(seed).normal(size=(6, 3)))
        assert math.isnan(found.low) or found.low <= found.value <= found.high
