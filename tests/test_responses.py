"""Scores against a hand computation, and what the corrections promise, for random answers."""

from __future__ import annotations

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
    """(personas, values), one persona and one item at a time."""
    table = np.full((len(odds), len(VALUES)), np.nan)
    for p in range(len(odds)):
        free = [odds[p, i] for i in range(len(ITEMS), len(ITEMS) + FREE) if valid[p, i]]
        bias = np.mean(free) if free and score != "raw" else 0.0
        if score == "centred":
            levels = [
                [np.mean([odds[p, i] for i, (n, k, _) in enumerate(ITEMS) if (n, k) == (value, sign) and valid[p, i]])
                 for sign in (1, -1)]
                for value in VALUES
            ]  # fmt: skip
            bias = np.nanmean(np.mean(levels, axis=1))
        for v, value in enumerate(VALUES):
            scores = [
                keying * (2 * sigmoid(odds[p, i] - bias) - 1)
                for i, (name, keying, _) in enumerate(ITEMS)
                if name == value and valid[p, i]
            ]
            table[p, v] = np.mean(scores) if scores else np.nan
        if score == "ipsatised":
            table[p] -= np.nanmean(table[p])
    return table


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("score", ["raw", "corrected", "centred", "ipsatised"])
@pytest.mark.parametrize("invalid_share", [0.0, 0.3])
def test_matrix_equals_a_hand_computation(score, invalid_share):
    odds = random_odds(1, personas=6)
    invalid = np.random.default_rng(2).random(odds.shape) < invalid_share
    got = responses_of(odds, invalid).matrix(score)
    assert list(got.columns) == list(VALUES)
    assert list(got.index) == [("", f"p{p}") for p in range(6)]
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
