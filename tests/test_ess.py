"""Files of the European Social Survey: made up here, never real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pyvalue as pv
from pyvalue.evaluation.ess import ITEMS, KEY, load_ess
from pyvalue.schwartz_circle import CIRCLE


def survey(folder: Path, n: int = 60, suffix: str = "", **columns: object) -> tuple[Path, pd.DataFrame]:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.integers(1, 7, size=(n, 21)), columns=[item + suffix for item in ITEMS])
    table.insert(0, "cntry", ["DE", "FR"] * (n // 2))
    table.insert(1, "idno", range(1, n + 1))
    table["pspwght"] = rng.uniform(0.3, 3, n)
    for name, values in columns.items():
        table[name] = values
    path = folder / "ess.csv"
    table.to_csv(path, index=False)
    return path, table


def test_key_has_every_portrait_once_and_every_value() -> None:
    assert sorted(number for numbers in KEY.values() for number in numbers) == list(range(1, 22))
    assert set(KEY) == set(CIRCLE)


def test_scores_by_hand(tmp_path: Path) -> None:
    path, table = survey(tmp_path)
    found = load_ess(path).rows
    assert list(found.columns) == list(CIRCLE)
    np.testing.assert_allclose(found["Power"], 7 - (table["imprich"] + table["iprspot"]) / 2)
    np.testing.assert_allclose(found["Universalism"], 7 - (table["ipeqopt"] + table["ipudrst"] + table["impenv"]) / 3)
    np.testing.assert_allclose(found["Conformity"], 7 - (table["ipfrule"] + table["ipbhprp"]) / 2)
    np.testing.assert_allclose(found["Tradition"], 7 - (table["ipmodst"] + table["imptrad"]) / 2)


def test_centred_about_the_mean_of_all_portraits(tmp_path: Path) -> None:
    path, table = survey(tmp_path)
    plain, centred = load_ess(path).rows, load_ess(path, centre=True).rows
    mean = (7 - table[list(ITEMS)]).mean(axis=1).to_numpy()
    np.testing.assert_allclose(centred, plain.sub(mean, axis=0))


@pytest.mark.parametrize("suffix", ["", "a"])
@pytest.mark.parametrize("upper", [False, True])
def test_names_of_old_and_new_rounds(tmp_path: Path, suffix: str, upper: bool) -> None:
    path, table = survey(tmp_path, suffix=suffix)
    if upper:
        table.rename(columns=str.upper).to_csv(path, index=False)
    expected = 7 - (table["impenv" + suffix] + table["ipeqopt" + suffix] + table["ipudrst" + suffix]) / 3
    np.testing.assert_allclose(load_ess(path).rows["Universalism"], expected)


def test_missing_answers(tmp_path: Path) -> None:
    path, table = survey(tmp_path)
    table = table.astype({item: float for item in ITEMS})
    table.loc[0, list(ITEMS[:5])] = [66, 77, 88, 99, 7]  # five missing: stays
    table.loc[1, list(ITEMS[:6])] = [8, 9, 77, 88, 99, np.nan]  # six: goes
    table.loc[2, list(ITEMS)] = 3  # one answer to everything: goes
    table.loc[3, ["impenv"]] = 8  # a value from the answers that are there
    table.loc[4, ["imprich", "iprspot"]] = 9  # a value without an answer
    table.to_csv(path, index=False)
    found = load_ess(path)
    assert found.facts["left_out"] == {
        "more than 5 answers missing": 1,
        "the same answer to everything": 1,
        "no weight above 0": 0,
    }
    rows = found.rows.droplevel("edit")
    assert "DE-1" in rows.index and "FR-2" not in rows.index and "DE-3" not in rows.index
    assert rows.loc["FR-4", "Universalism"] == pytest.approx(
        7 - (table.loc[3, "ipeqopt"] + table.loc[3, "ipudrst"]) / 2
    )
    assert np.isnan(rows.loc["DE-5", "Power"]) and np.isfinite(rows.loc["DE-5", "Security"])


def test_weights_and_countries(tmp_path: Path) -> None:
    path, table = survey(tmp_path)
    table.loc[0, "pspwght"] = 0
    table.to_csv(path, index=False)
    found = load_ess(path, country="DE", weights="pspwght")
    german = table[(table["cntry"] == "DE") & (table["pspwght"] > 0)]
    assert found.facts["left_out"]["no weight above 0"] == 1 and len(found.rows) == len(german) == 29
    expected = np.average(7 - (german["imprich"] + german["iprspot"]) / 2, weights=german["pspwght"])
    assert found.means()["Power"] == pytest.approx(expected)


def test_a_respondent_who_comes_twice_is_told_apart(tmp_path: Path) -> None:
    path, _ = survey(tmp_path, idno=1)
    assert load_ess(path).rows.index.is_unique


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"impfun": None}, {}, "missing: impfun"),
        ({}, {"weights": "anweight"}, "weights: expected a column 'anweight'.*pspwght"),
        ({}, {"country": "XX"}, "country: .* has nobody of XX; it has DE, FR"),
        ({"impfun": 12}, {}, "answer 12 to impfun in row 1"),
        ({item: 9 for item in ITEMS}, {}, "no respondent of 60 is left"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict, options: dict, message: str) -> None:
    path, table = survey(tmp_path)
    for name, value in change.items():
        if value is None:
            del table[name]
        else:
            table[name] = value
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        load_ess(path, **options)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ess\.sikt\.no"):
        load_ess(tmp_path / "none.csv")


def test_a_table_is_taken_as_its_file_is(tmp_path: Path) -> None:
    path, table = survey(tmp_path)
    found, read = load_ess(table.rename(columns=str.upper), weights="pspwght"), load_ess(path, weights="pspwght")
    pd.testing.assert_frame_equal(found.rows, read.rows)
    pd.testing.assert_series_equal(found.weights, read.weights)
    assert found.facts["file"] == "a DataFrame"
    with pytest.raises(ValueError, match=r"impfun.*in a DataFrame; missing: impfun"):
        load_ess(table.drop(columns="impfun"))
    with pytest.raises(TypeError, match="path: expected the path of a CSV file or a DataFrame of it, got list"):
        load_ess([1])  # type: ignore[arg-type]


def test_a_survey_goes_wherever_rows_go(tmp_path: Path) -> None:
    people = load_ess(survey(tmp_path, 120)[0])
    graph = pv.discover(people)
    assert graph.names == CIRCLE and graph.settings.n == 120
    assert pv.circumplex(people, map_permutations=1, resamples=0).facts["personas"] == 120
    assert pv.priorities(people, resamples=0).facts["personas"] == 120
