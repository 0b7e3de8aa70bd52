"""Scores against a hand computation, and what the corrections promise, for random answers."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.errors import StoreError
from pyvalue.responses import Responses, make_table

#: the columns that this file fills; the others take their defaults
FILLED = ("model", "edit", "persona", "item", "value", "keying", "repeat", "text", "status", "p_yes", "mass", "score")
VALUES = ("Power", "Security", "Hedonism")
ITEMS = [(value, keying, copy) for value in VALUES for keying in (1, -1) for copy in range(2)]
FREE = 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def responses_of(odds: np.ndarray, invalid: np.ndarray | None = None, edits=("",), model="m") -> Responses:
    """Answers with these log odds of yes, of shape (edits, personas, items and then content-free items)."""
    rows = []
    for e, p, i in np.ndindex(*odds.shape):
        value, keying = (ITEMS[i][0], ITEMS[i][1]) if i < len(ITEMS) else ("", 0)
        bad = invalid is not None and bool(invalid[e, p, i])
        p_yes = np.nan if bad else sigmoid(odds[e, p, i])
        rows.append(
            (model, edits[e], f"p{p}", f"item-{i}", value, keying, 0, f"q{i}?",
             "invalid" if bad else "yes" if p_yes >= 0.5 else "no", p_yes, 0.0 if bad else 0.9,
             keying * (2 * p_yes - 1) if keying else np.nan)
        )  # fmt: skip
    return Responses(make_table(dict(zip(FILLED, map(list, zip(*rows, strict=True)), strict=True))))


def random_odds(seed: int, personas: int = 4, edits: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (edits, personas, len(ITEMS) + FREE))


def by_hand(odds: np.ndarray, valid: np.ndarray, score: str) -> np.ndarray:
    """(personas, values): biases one persona at a time, then least squares with a dummy for every persona and item."""
    answers = np.full((len(odds), len(ITEMS)), np.nan)
    for p in range(len(odds)):
        free = [odds[p, i] for i in range(len(ITEMS), len(ITEMS) + FREE) if valid[p, i]]
        levels = {
            value: np.mean([
                np.mean([odds[p, i] for i, (n, k, _) in enumerate(ITEMS) if (n, k) == (value, sign) and valid[p, i]])
                for sign in (1, -1)
            ])
            for value in VALUES
        }  # fmt: skip
        for i, (name, keying, _) in enumerate(ITEMS):
            bias = np.mean(free) if score in ("corrected", "ipsatised") else 0.0
            if score == "centred":
                bias = np.nanmean([level for value, level in levels.items() if value != name])
            if valid[p, i]:
                answers[p, i] = keying * (2 * sigmoid(odds[p, i] - bias) - 1)
    table = np.column_stack([additive([i for i, item in enumerate(ITEMS) if item[0] == v], answers) for v in VALUES])
    return table - np.nanmean(table, axis=1, keepdims=True) if score == "ipsatised" else table


def additive(items: list[int], answers: np.ndarray) -> np.ndarray:
    """Score of every persona: its fitted mean over all items; missing below half of the items."""
    people, count = len(answers), len(items)
    known = np.argwhere(np.isfinite(answers[:, items]))
    design = np.zeros((len(known), people + count))
    design[np.arange(len(known)), known[:, 0]] = 1
    design[np.arange(len(known)), people + known[:, 1]] = 1
    fitted = np.linalg.lstsq(design, answers[:, items][tuple(known.T)], rcond=None)[0]
    scores = fitted[:people] + fitted[people:].mean()
    return np.where(np.isfinite(answers[:, items]).mean(axis=1) < 0.5, np.nan, scores)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("score", ["raw", "corrected", "centred", "ipsatised"])
@pytest.mark.parametrize("invalid_share", [0.0, 0.3])
def test_matrix_equals_a_hand_computation(score, invalid_share):
    odds = random_odds(1, personas=6)
    invalid = np.random.default_rng(2).random(odds.shape) < invalid_share
    got = responses_of(odds, invalid).matrix(score)
    assert list(got.columns) == list(VALUES)
    assert list(got.index) == [("", f"p{p}") for p in range(6)]
    assert got.isna().any(axis=None) == (invalid_share > 0)
    np.testing.assert_allclose(got.to_numpy(), by_hand(odds[0], ~invalid[0], score), rtol=0, atol=1e-12)


odds_of_one = st.lists(st.floats(-8, 8), min_size=len(ITEMS) + FREE, max_size=len(ITEMS) + FREE)


@settings(max_examples=40, deadline=None)
@given(odds_of_one, st.floats(-8, 8))
def test_a_shift_of_all_log_odds_leaves_corrected_scores_unchanged(odds, shift):
    first, second = (np.array(odds)[None, None] + s for s in (0.0, shift))
    for score in ("corrected", "centred", "ipsatised"):
        a, b = (responses_of(x).answers(score).to_numpy() for x in (first, second))
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_the_shift_is_taken_off_within_edit_and_persona():
    odds = random_odds(3, personas=3, edits=2)
    shifted = odds + np.array([[0.0, 1.0, -2.0], [3.0, -1.0, 0.5]])[..., None]
    a, b = (responses_of(x, edits=("", "up")).matrix() for x in (odds, shifted))
    np.testing.assert_allclose(a.to_numpy(), b.to_numpy(), atol=1e-12)
    assert not np.allclose(*(responses_of(x, edits=("", "up")).matrix("raw").to_numpy() for x in (odds, shifted)))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.6))
def test_ipsatised_rows_have_mean_zero_over_the_values(seed, invalid_share):
    odds = random_odds(seed, personas=3, edits=2)
    invalid = np.random.default_rng(seed).random(odds.shape) < invalid_share
    rows = responses_of(odds, invalid, edits=("", "up")).matrix("ipsatised")
    answered = rows[rows.notna().any(axis=1)]
    np.testing.assert_allclose(answered.mean(axis=1), 0.0, atol=1e-12)


def test_corrected_is_raw_without_content_free_items():
    responses = responses_of(random_odds(4))
    asked = Responses(responses.table.query("keying != 0").reset_index(drop=True))
    pd.testing.assert_frame_equal(asked.matrix("corrected"), asked.matrix("raw"), rtol=1e-9)


def test_scores_ignore_the_order_and_index_of_the_rows():
    table = responses_of(random_odds(5)).table
    shuffled = Responses(table.sample(frac=1, random_state=0))
    for score in ("raw", "corrected", "ipsatised"):
        expected = Responses(table).answers(score)
        pd.testing.assert_series_equal(shuffled.answers(score).sort_index(), expected, check_names=False)


def test_invalid_answers_are_missing_and_not_zero():
    odds = np.full((1, 3, len(ITEMS) + FREE), 2.0)
    invalid = np.zeros(odds.shape, dtype=bool)
    invalid[0, 0, :4] = True
    responses = responses_of(odds, invalid)
    assert np.isnan(responses.matrix("raw").iloc[0, 0])
    assert responses.answers("raw").isna().sum() == 4 + 3 * FREE
    assert responses.valid_share == pytest.approx(1 - 4 / odds.size)


def test_content_free_items_carry_no_score():
    responses = responses_of(random_odds(6))
    for score in ("raw", "corrected", "ipsatised"):
        assert responses.answers(score)[responses.table["keying"] == 0].isna().all()


def test_matrix_keeps_the_order_of_first_appearance():
    table = responses_of(random_odds(7, personas=3, edits=2), edits=("zulu", "alpha")).table
    got = Responses(table.iloc[::-1].reset_index(drop=True)).matrix()
    assert list(got.index) == [(edit, p) for edit in ("alpha", "zulu") for p in ("p2", "p1", "p0")]
    assert list(got.columns) == ["Hedonism", "Security", "Power"]


def test_matrix_has_no_row_for_pairs_that_were_not_asked():
    table = responses_of(random_odds(8, personas=2, edits=2), edits=("", "up")).table
    part = Responses(table[~((table["edit"] == "up") & (table["persona"] == "p0"))])
    assert list(part.matrix().index) == [("", "p0"), ("", "p1"), ("up", "p1")]


def test_matrix_does_not_mix_models():
    tables = [responses_of(random_odds(9), model=model).table for model in ("one", "two")]
    with pytest.raises(ValueError, match="one, two"):
        Responses(pd.concat(tables, ignore_index=True)).matrix()


def test_only_selects_edits_and_personas():
    responses = responses_of(random_odds(10, personas=3, edits=2), edits=("", "up"))
    part = responses.only(edit="up", personas=["p2", "p0"])
    assert part.edits == ("up",) and part.personas == ("p0", "p2")
    assert responses.only(edit="nothing").matrix().empty


def test_save_and_load_give_the_table_back(tmp_path):
    invalid = np.random.default_rng(0).random((1, 4, len(ITEMS) + FREE)) < 0.2
    responses = responses_of(random_odds(11), invalid)
    path = responses.save(tmp_path / "answers.parquet")
    pd.testing.assert_frame_equal(Responses.load(path).table, responses.table, check_exact=True)
    assert [file.name for file in tmp_path.iterdir()] == ["answers.parquet"]


def test_missing_columns_are_named(tmp_path):
    table = responses_of(random_odds(12)).table.drop(columns=["p_yes", "mass"])
    with pytest.raises(ValueError, match="missing columns p_yes, mass"):
        Responses(table)
    table.to_parquet(tmp_path / "old.parquet")
    with pytest.raises(StoreError, match=r"old\.parquet.*missing columns"):
        Responses.load(tmp_path / "old.parquet")


def test_loading_nothing_is_a_store_error(tmp_path):
    with pytest.raises(StoreError, match="no responses"):
        Responses.load(tmp_path)
    with pytest.raises(StoreError, match=r"none\.parquet"):
        Responses.load(tmp_path / "none.parquet")


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match="'raw', 'corrected', 'centred' or 'ipsatised'"):
        responses_of(random_odds(13)).matrix("centered")


# -- several measurements, and files of other times --------------------------------------------------------------


def test_matrix_does_not_mix_modes():
    score = responses_of(random_odds(14))
    written = Responses(score.table.assign(mode="generate", p_yes=score.table["p_yes"].round()))
    both = Responses.concat([score, written])
    with pytest.raises(ValueError, match=r"score, generate; choose with \.only\(mode='score'\)"):
        both.matrix()
    pd.testing.assert_frame_equal(both.only(mode="score").matrix(), score.matrix())
    assert set(both.only(mode="generate").table["mode"]) == {"generate"}


def test_ipsatised_rows_have_mean_zero_in_every_mode():
    score = responses_of(random_odds(15))
    written = Responses(score.table.assign(mode="generate", p_yes=score.table["p_yes"].round()))
    both = Responses.concat([score, written])
    answers = both.table.assign(scored=both.answers("ipsatised")).query("keying != 0")
    by_value = answers.groupby(["mode", "persona", "value"])["scored"].mean()
    np.testing.assert_allclose(by_value.groupby(level=["mode", "persona"]).mean(), 0, atol=1e-12)


def test_concat_keeps_every_answer_and_the_facts():
    both = responses_of(random_odds(16, edits=2), edits=("", "up"))
    parts = [Responses(both.only(edit=edit).table, {"study": edit}) for edit in ("", "up")]
    joined = Responses.concat(parts)
    pd.testing.assert_frame_equal(joined.table, both.table)
    assert joined.facts == {"parts": [{"study": ""}, {"study": "up"}]}
    assert Responses.concat([parts[0]]).facts == {"study": ""}
    with pytest.raises(ValueError, match="at least one"):
        Responses.concat([])


def test_concat_refuses_an_answer_that_comes_twice():
    responses = responses_of(random_odds(17))
    with pytest.raises(
        ValueError, match=r"56 of them twice, the first of model 'm', edit '', persona 'p0', item 'item-0'"
    ):
        Responses.concat([responses, responses])
    again = Responses(responses.table.assign(repeat=1))
    assert len(Responses.concat([responses, again]).table) == 2 * len(responses.table)


def test_concat_refuses_an_item_of_two_meanings():
    responses = responses_of(random_odds(18))
    other = responses.table.assign(edit="up", keying=-responses.table["keying"])
    with pytest.raises(ValueError, match="'item-0' has two values, keyings or texts"):
        Responses.concat([responses, Responses(other)])


def test_facts_are_saved_and_read_back(tmp_path):
    facts = {"study": {"model": {"name": "m"}, "note": "Schwartz’ values", "numbers": [1, 2.5, None]}}
    responses = Responses(responses_of(random_odds(19)).table, facts)
    assert Responses.load(responses.save(tmp_path / "a.parquet")).facts == facts
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), responses.table, check_dtype=False)
    with pytest.raises(TypeError, match="facts: expected what JSON can hold"):
        Responses(responses.table, {"at": object()}).save(tmp_path / "b.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_a_run_folder_is_read_with_its_study(tmp_path):
    responses = responses_of(random_odds(20, personas=2))
    (tmp_path / "responses").mkdir()
    for number, persona in enumerate(responses.personas):
        responses.only(personas=[persona]).save(tmp_path / "responses" / f"part-{number:06d}.parquet")
    assert Responses.load(tmp_path).facts == {}
    (tmp_path / "manifest.json").write_text('{"schema": 2, "study": {"model": "m"}}')
    for folder in (tmp_path, tmp_path / "responses"):
        loaded = Responses.load(folder)
        assert loaded.facts == {"study": {"model": "m"}}
        pd.testing.assert_frame_equal(loaded.table, responses.table)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read"):
        Responses.load(tmp_path)


def test_files_without_the_newer_columns_are_read(tmp_path):
    responses = responses_of(random_odds(21))
    old = responses.table[list(FILLED)].astype({"keying": "int64", "repeat": "int64"})
    old.to_parquet(tmp_path / "old.parquet", index=False)
    loaded = Responses.load(tmp_path / "old.parquet")
    pd.testing.assert_frame_equal(loaded.table[list(responses.table.columns)], responses.table)
    assert set(loaded.table["kind"]) == {"keyed", "content-free"} and set(loaded.table["mode"]) == {"score"}
    pd.testing.assert_frame_equal(loaded.matrix(), responses.matrix())


# -- missing answers ---------------------------------------------------------------------------------------------


def uneven(personas=200, items=8, level_sd=2.0, trait_sd=0.3, seed=0, edits=("",)) -> tuple[Responses, np.ndarray]:
    """Answers to items of very different levels, and which of them to lose: a quarter, by chance."""
    random = np.random.default_rng(seed)
    levels = level_sd * random.normal(size=items)
    rows = []
    for edit in edits:
        for p in range(personas):
            odds = levels + trait_sd * random.normal() + 0.2 * random.normal(size=items)
            rows += [("m", edit, f"p{p}", f"i{i}", "Power", 1, 0, f"{i}?", "yes", sigmoid(o), 0.9, 2 * sigmoid(o) - 1)
                     for i, o in enumerate(odds)]  # fmt: skip
    table = make_table(dict(zip(FILLED, map(list, zip(*rows, strict=True)), strict=True)))
    return Responses(table), random.random(len(table)) < 0.25


def without(responses: Responses, gone: np.ndarray) -> Responses:
    table = responses.table.copy()
    table.loc[gone, ["p_yes", "score"]] = np.nan
    table.loc[gone, "status"] = "invalid"
    return Responses(table)


def test_missing_answers_do_not_turn_hard_items_into_strong_values():
    whole, gone = uneven()
    partial = without(whole, gone).matrix("raw")["Power"]
    plain = without(whole, gone).table.groupby("persona", sort=False)["score"].mean()
    full = whole.matrix("raw")["Power"]
    assert full.corr(partial) > 0.85 > np.corrcoef(full[partial.notna()], plain[partial.notna().to_numpy()])[0, 1] + 0.1


def test_complete_tables_and_single_personas_have_plain_means():
    whole, gone = uneven(personas=5, edits=("", "up"))
    plain = whole.table.groupby(["edit", "persona"], sort=False)["score"].mean()
    np.testing.assert_array_equal(whole.matrix("raw")["Power"], plain)
    one = without(whole, gone).only(edit="", personas=["p1"])
    assert one.table["score"].isna().any()
    assert one.matrix("raw").iloc[0, 0] == pytest.approx(one.table["score"].mean(), abs=1e-12)


def test_an_edit_is_corrected_by_its_own_answers_alone():
    whole, gone = uneven(personas=30, edits=("", "up"))
    partial = without(whole, gone)
    for edit in ("", "up"):
        pd.testing.assert_frame_equal(partial.matrix("raw").loc[[edit]], partial.only(edit=edit).matrix("raw"))
    of_edit = gone & (whole.table["edit"] == "up").to_numpy()
    untouched = without(whole, of_edit).matrix("raw").loc[""]
    pd.testing.assert_frame_equal(untouched, whole.matrix("raw").loc[""], check_exact=True)


def test_questions_that_no_persona_shares_are_not_compared():
    whole, _ = uneven(personas=2)
    item = whole.table["item"].str[1:].astype(int)
    apart = whole.table[(item < 4) == (whole.table["persona"] == "p0")].reset_index(drop=True)
    got = Responses(apart).matrix("raw")["Power"]
    np.testing.assert_allclose(got, apart.groupby("persona", sort=False)["score"].mean(), atol=1e-12)


def test_a_value_is_missing_below_a_share_of_its_questions():
    whole, _ = uneven(personas=10)
    gone = (whole.table["persona"] == "p0") & (whole.table["item"] != "i0")
    partial = without(whole, gone.to_numpy())
    assert np.isnan(partial.matrix("raw").iloc[0, 0]) and partial.matrix("raw").notna().sum().item() == 9
    assert np.isfinite(partial.matrix("raw", min_share=0.125).iloc[0, 0])
    assert partial.answered_share("raw").iloc[0, 0] == 1 / 8
    for share in (-0.1, 1.1, float("nan"), "half"):
        with pytest.raises(ValueError, match="min_share: expected a number between 0 and 1"):
            partial.matrix(min_share=share)


# -- the bias, order by order ------------------------------------------------------------------------------------


def in_two_orders(seed=30, personas=3) -> pd.DataFrame:
    """The same answers in both orders."""
    table = responses_of(random_odds(seed, personas)).table
    return pd.concat([table, table.assign(order="no-yes")], ignore_index=True)


def test_an_order_without_content_free_answers_takes_those_of_the_other():
    both = in_two_orders()
    kept = (both["keying"] != 0) | (both["order"] == "yes-no")
    got = Responses(both[kept]).answers()
    # The answers of the two orders are equal here, and so is their bias.
    np.testing.assert_array_equal(got, Responses(both).answers()[kept])
    assert got.notna().sum() == (both["keying"] != 0).sum()


def test_a_mode_without_content_free_items_stays_raw_beside_one_with():
    scored = responses_of(random_odds(31))
    written = Responses(scored.table.query("keying != 0").assign(mode="generate").reset_index(drop=True))
    both = Responses.concat([scored, written])
    of_mode = both.answers()[(both.table["mode"] == "generate").to_numpy()]
    np.testing.assert_array_equal(of_mode, written.answers())
    np.testing.assert_array_equal(of_mode, written.answers("raw"))


def test_an_edit_without_content_free_items_is_missing_beside_one_with():
    both = responses_of(random_odds(32, edits=2), edits=("", "up")).table
    part = Responses(both[(both["edit"] == "") | (both["keying"] != 0)].reset_index(drop=True))
    assert part.matrix().loc["up"].isna().all(axis=None) and part.matrix().loc[""].notna().all(axis=None)


def test_centring_leaves_pure_noise_unreliable():
    # With a value's own items in what is taken off, two items of one value agree perfectly.
    random = np.random.default_rng(33)
    rows = [("m", "", f"p{p}", f"{v}{k}", v, k, 0, f"{v}{k}", "yes", sigmoid(0.3 * random.normal()), 0.9, 0.0)
            for p in range(2000) for v in ("A", "B") for k in (1, -1)]  # fmt: skip
    responses = Responses(make_table(dict(zip(FILLED, map(list, zip(*rows, strict=True)), strict=True))))
    wide = responses.table.assign(s=responses.answers("centred")).pivot(index="persona", columns="item", values="s")
    # The level of the other value has half the variance of an answer, and enters the two signs with opposite signs.
    assert wide["A1"].corr(wide["A-1"]) == pytest.approx(-1 / 3, abs=0.05)
    with pytest.raises(ValueError, match="at least 2 values, got A alone"):
        Responses(responses.table.query("value == 'A'")).answers("centred")


# -- tables from elsewhere ---------------------------------------------------------------------------------------


def test_a_csv_file_gives_the_same_answers():
    for frame in (responses_of(random_odds(34, edits=2), edits=("", "up")), uneven(personas=8)[0]):
        again = Responses(pd.read_csv(io.StringIO(frame.table.to_csv(index=False))))
        assert again.edits == frame.edits and again.values == frame.values
        pd.testing.assert_frame_equal(again.matrix(), frame.matrix())
        assert (again.table["answer"] == "").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "Yes"}, r"'status': expected one of 'yes', 'no', .*, got 'Yes'"),
        ({"mode": "scored"}, r"'mode': expected one of 'score', 'generate', 'free', got 'scored'"),
        ({"order": "yes/no"}, r"'order': expected .*, got 'yes/no'"),
        ({"keying": 2}, r"'keying': expected one of -1, 0, 1, got 2"),
        ({"kind": "filler"}, r"'kind': expected .*, got 'filler'"),
        ({"p_yes": 1.7}, r"'p_yes': expected probabilities between 0 and 1, got 1.7 in 1 of"),
        ({"p_yes": -0.1}, r"'p_yes': expected probabilities"),
        ({"persona": None}, r"'persona': expected a name in every row, got 1 rows without"),
    ],
)
def test_what_is_no_answer_is_refused(change, message):
    table = responses_of(random_odds(35)).table.astype({"keying": "int64"})
    for name, value in change.items():
        table.loc[3, name] = value
    with pytest.raises(ValueError, match=f"table: column {message}"):
        Responses(table)


def test_an_answer_that_comes_twice_is_refused(tmp_path):
    table = responses_of(random_odds(36)).table
    twice = Responses(pd.concat([table, table.iloc[[5]]], ignore_index=True))
    for call in (twice.matrix, twice.quality, lambda: Responses.concat([twice])):
        with pytest.raises(ValueError, match=r"1 of them twice, the first of .*persona 'p0', item 'item-5'"):
            call()
    with pytest.raises(StoreError, match="1 of them twice"):
        Responses.load(twice.save(tmp_path / "twice.parquet"))
