"""Rows of scores and paired changes, from answers, tables and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyvalue.edit_changes import paired_changes
from pyvalue.responses import Responses, make_table
from pyvalue.wide_scores import edit_labels, score_rows


def wide(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"steer_dim": [np.nan, np.nan, 7.0], "player_name": [np.nan, "Ann", "Ann"], **columns})


def answers(p_of: dict[tuple[str, str, str], float | None]) -> Responses:
    """(edit, persona, item) -> p_yes; None for an invalid answer. Items are named value/number."""
    keys = list(p_of)
    p = [np.nan if value is None else value for value in p_of.values()]
    return Responses(
        make_table(
            {
                "model": "m",
                "edit": [edit for edit, _, _ in keys],
                "persona": [persona for _, persona, _ in keys],
                "item": [item for _, _, item in keys],
                "value": [item.split("/")[0] for _, _, item in keys],
                "keying": 1,
                "kind": "keyed",
                "text": [item for _, _, item in keys],
                "status": ["invalid" if np.isnan(q) else "yes" for q in p],
                "p_yes": p,
                "mass": 1.0,
                "score": [2 * q - 1 for q in p],
            }
        )
    )


def test_files_in_the_format_of_the_paper(tmp_path: Path) -> None:
    table = wide(**{"Power": [0.1, 0.2, 0.5], "Power:scstd": [-1, -1, -1], "stds": [1, 1, 1]})
    table.to_csv(tmp_path / "ans.csv", index=False)
    rows = score_rows(tmp_path / "ans.csv")
    assert list(rows.columns) == ["Power"]
    assert list(rows.index) == [("", "none"), ("", "Ann"), ("7", "Ann")]
    changes = paired_changes(tmp_path / "ans.csv")
    assert changes.edits == ("7",) and changes.personas == ("Ann",)
    assert changes.of("7").loc["Ann", "Power"] == pytest.approx(0.3)


def test_a_change_is_never_a_change_of_questions() -> None:
    given = answers(
        {
            ("", "Ann", "Power/1"): 0.2,
            ("", "Ann", "Power/2"): 0.9,
            ("e", "Ann", "Power/1"): 0.3,
            ("e", "Ann", "Power/2"): None,
        }
    )
    changes = paired_changes(given, "raw")
    assert changes.of("e").loc["Ann", "Power"] == pytest.approx(0.2)
    assert changes.before.loc[("e", "Ann"), "Power"] == pytest.approx(-0.6)


def test_cube_has_holes_where_a_persona_was_not_asked() -> None:
    rows = pd.DataFrame(
        {"a": [0.0, 1.0, 0.5, 0.25]},
        index=pd.MultiIndex.from_tuples([("", "x"), ("", "y"), ("e", "x"), ("f", "y")], names=["edit", "persona"]),
    )
    cube = paired_changes(rows).cube()
    np.testing.assert_array_equal(cube[:, :, 0], [[0.5, np.nan], [np.nan, -0.75]])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (wide(), "at least one value"),
        (wide(Power=["x", "y", "z"]), "got others in Power"),
        (wide(Power=[0.0, np.inf, 0.0]), "infinite"),
        (wide(Power=[0.0, 0.0, 0.0]).assign(steer_dim=7.0), "comes twice"),
        (pd.DataFrame({"edit": ["e"], "a": [1.0]}), "expected a column persona"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "more than one column a"),
    ],
)
def test_bad_tables_are_named(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_rows(table)


def test_without_unedited_rows_or_edits_there_is_nothing_to_compare() -> None:
    table = wide(Power=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="rows without an edit"):
        paired_changes(table.iloc[2:])
    with pytest.raises(ValueError, match="unedited ones only"):
        paired_changes(table.iloc[:2])


def test_answers_of_people_need_neither_edits_nor_names(tmp_path: Path) -> None:
    table = pd.DataFrame({"person": ["x", "y"], "Power": [0.1, 0.2]})
    table.to_csv(tmp_path / "people.csv", index=False)
    assert list(score_rows(tmp_path / "people.csv", persona="person").index) == [("", "x"), ("", "y")]
    assert list(score_rows(tmp_path / "people.csv", drop=["person"]).index) == [("", "1"), ("", "2")]
    with pytest.raises(ValueError, match=r"got others in person; name the .*; in Python: pv.score_rows\(source, drop="):
        score_rows(tmp_path / "people.csv")
    with pytest.raises(ValueError, match="persona: there is no column 'who'; there are person, Power"):
        score_rows(tmp_path / "people.csv", persona="who")


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ","), ("\t", "."), ("|", ".")])
def test_separators_and_marks(tmp_path: Path, separator: str, decimal: str) -> None:
    table = pd.DataFrame({"edit": ["", "0"], "persona": ["NA", "NA"], "Power": [0.25, np.nan]})
    path = tmp_path / "study.csv"
    table.to_csv(path, sep=separator, decimal=decimal, encoding="utf-8-sig")  # with a column of row numbers
    rows = score_rows(path)
    assert list(rows.columns) == ["Power"] and list(rows.index) == [("", "NA"), ("0", "NA")]
    np.testing.assert_array_equal(rows["Power"], [0.25, np.nan])


def test_labels_are_texts_whatever_they_were(tmp_path: Path) -> None:
    index = pd.MultiIndex.from_tuples([("Ann", np.nan), ("Ann", 0), ("Ann", 7.0)], names=["persona", "edit"])
    rows = score_rows(pd.DataFrame({"Power": [0.0, 0.1, 0.2]}, index=index))
    assert list(rows.index) == [("", "Ann"), ("0", "Ann"), ("7", "Ann")]
    changes = paired_changes(rows)
    assert changes.edits == ("0", "7") and changes.only(edits=[7]).edits == ("7",)
    assert edit_labels([14351, "x", 2.0]) == ("14351", "x", "2")
    with pytest.raises(TypeError, match=r"edits must be a list of labels, got 'e1'; write \['e1'\]"):
        edit_labels("e1")


def test_saved_answers_are_read_as_answers(tmp_path: Path) -> None:
    given = answers({("", "Ann", "Power/1"): 0.2, ("e", "Ann", "Power/1"): 0.3})
    path = given.save(tmp_path / "answers.parquet")
    pd.testing.assert_frame_equal(score_rows(path, "raw"), given.matrix("raw"))
    assert paired_changes(path, "raw").of("e").loc["Ann", "Power"] == pytest.approx(0.2)


def test_a_column_that_is_no_value_is_pointed_out() -> None:
    table = wide(Power=[0.1, 0.2, 0.5], Security=[0.1, 0.3, 0.2], age=[20, 40, 60])
    with pytest.warns(UserWarning, match=r"age spreads more than 10 times.*drop=\['age'\]"):
        score_rows(table)
    assert list(score_rows(table, drop=["age"]).columns) == ["Power", "Security"]


def test_unknown_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="score: expected one of raw, corrected, centred, ipsatised, got 'zzz'"):
        score_rows(wide(Power=[0.1, 0.2, 0.5]), "zzz")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"), [("", "is empty"), ("a\n1\n", "has one column, 'a'"), ("a,a\n1,2\n", "than one")]
)
def test_files_that_are_no_tables(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        score_rows(tmp_path / "x.csv")
