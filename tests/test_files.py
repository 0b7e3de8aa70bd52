"""A file gives the columns of the frame that it was written from; what pandas would mend in silence is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyvalue.discovery.columns import Columns, read_columns
from pyvalue.responses import Responses, make_table

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.standard_normal((30, 3)), columns=["a", "b", "long name"]).assign(
    answer=RNG.choice(["yes", "no", "it depends, often"], 30), level=RNG.integers(-3, 3, 30), flag=RNG.random(30) < 0.5
)
ANY_FOLDER = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def assert_same(one: Columns, other: Columns) -> None:
    assert (one.names, one.levels) == (other.names, other.levels)
    for name, a, b in zip(one.names, one.values, other.values, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


# Delimited text


@ANY_FOLDER
@given(
    st.lists(st.lists(st.floats(allow_infinity=False, width=64) | st.none(), min_size=3, max_size=3), min_size=2),
    st.sampled_from([(",", ".csv"), (";", ".csv"), ("\t", ".tsv"), ("|", ".txt"), ("\t", ".txt"), (",", ".TXT")]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_numbers_come_back_bit_for_bit(
    tmp_path: Path, rows: list[list[float | None]], separator: tuple[str, str], encoding: str, newline: str
) -> None:
    frame = pd.DataFrame([[0.5, 0.25, 1e-300], *rows], columns=["a", "b b", "ü"], dtype=float)
    path = tmp_path / f"data{separator[1]}"
    frame.to_csv(path, sep=separator[0], index=False, encoding=encoding, lineterminator=newline)
    columns = read_columns(path)
    assert_same(columns, read_columns(frame))
    expected = (separator[1], separator[0]) in ((".csv", ","), (".tsv", "\t"))
    assert bool([note for note in columns.notes if "separated by" in note]) is not expected


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("index", [True, False])
def test_texts_integers_booleans_and_the_index(tmp_path: Path, separator: str, index: bool) -> None:
    path = tmp_path / "data.csv"
    FRAME.to_csv(path, sep=separator, index=index)
    columns = read_columns(str(path))
    assert_same(columns, read_columns(FRAME))
    assert [column.dtype.str[1:] for column in columns.values] == ["f8", "f8", "f8", "i4", "i8", "u1"]
    assert any("left out the first column" in note for note in columns.notes) is index
    assert columns.label(4) == 5


def test_a_decimal_comma(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    FRAME.to_csv(path, sep=";", decimal=",", index=False)
    columns = read_columns(path)
    assert_same(columns, read_columns(FRAME))
    assert columns.notes == ("columns of data.csv are separated by ;", "read 1,5 as 1.5: a decimal comma")


@pytest.mark.parametrize(
    "text",
    ["a;b\n1,5;2.5\n2,5;3.5\n", "a;b\n1,5;x\n2.5;y\n3,5;x\n", 'a,b\n"1,5",2\n"2,5",1\n'],
)
def test_decimal_commas_beside_points_are_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="column 'a' holds numbers written as text, such as '1,5' in row 1"):
        read_columns(write(tmp_path, text))


def test_an_index_is_only_what_counts_rows_without_a_name(tmp_path: Path) -> None:
    for header, first, dropped in (
        ("", (0, 1, 2), True),
        ("", (1, 2, 3), True),
        ("Unnamed: 0", (0, 1, 2), True),
        ("", (2, 1, 3), False),
        ("", (1.5, 2.5, 3.5), False),
        ("k", (0, 1, 2), False),
    ):
        rows = "".join(f"{entry},{i / 3},7\n" for i, entry in enumerate(first))
        columns = read_columns(write(tmp_path, f"{header},a,b\n{rows}"))
        assert (columns.d == 2) is dropped and columns.names[-2:] == ("a", "b")
        assert dropped is any("left out the first column" in note for note in columns.notes)


def test_space_blank_lines_and_quotes(tmp_path: Path) -> None:
    text = '\n a , "b, c" \n\n1, "x\ny"\n  \n2,"z; ""w"""\n'
    columns = read_columns(write(tmp_path, text))
    assert columns.names == ("a", "b, c") and columns.levels == (None, ("x\ny", 'z; "w"'))


def test_missing_cells(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "a,b,c\n1,,x\n,NA,\n3,4,y\n"))
    np.testing.assert_array_equal(columns.values[:2], [[1, np.nan, 3], [np.nan, np.nan, 4]])
    np.testing.assert_array_equal(columns.values[2], [0, -1, 1])


def test_an_accident_in_a_late_row(tmp_path: Path) -> None:
    rows = [f"{i / 7},{i % 5}" for i in range(400)]
    rows[298] = "12.5 (sic),3"
    with pytest.raises(
        ValueError, match=r"'a' looks like numbers in 399 of 400 entries, but row 299 holds '12.5 \(sic\)'"
    ):
        read_columns(write(tmp_path, "\n".join(["a,b", *rows])))


@pytest.mark.parametrize("late", [1, 80])
@pytest.mark.parametrize("last", ["1,2,3,4", "1,2", "1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_ragged_rows(tmp_path: Path, late: int, last: str, separator: str) -> None:
    text = "a,b,c\n" + "0.5,2,3\n" * late + last + "\n" + "1,2,3.5\n"
    with pytest.raises(ValueError, match=f"line {late + 2} has {last.count(',') + 1} fields, but the header has 3"):
        read_columns(write(tmp_path, text.replace(",", separator)))


def test_long_rows_do_not_make_an_index(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2 has 3 fields, but the header has 2"):
        read_columns(write(tmp_path, "a,b\n1,2,3\n4,5,6\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; expected a line of column names"),
        ("\n  \n", "is empty"),
        ("a,b\n", "has a header and no rows"),
        ("a\n1\n2\n", "has one column, 'a'; expected columns separated by"),
        ("a b c\n1 2 3\n", "has one column, 'a b c'"),
        ("a,b,a\n1,2,3\n", "column names must be distinct, got more than one a in the header"),
        ("a, a\n1,2\n", "column names must be distinct, got more than one a"),
        ("1.5,2.5\n1,2\n", "must begin with a line of column names, got numbers: 1.5, 2.5"),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), "line 3 is not UTF-8; save the file as"),
        ("é,b\n1,2\n".encode("latin-1"), "line 1 is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1 is not UTF-8"),
        (b"a,b\n" + b"1,2\n" * 50_000 + b"\xff,1\n", "line 50002 is not UTF-8"),
        ("a,b\n1,\n2,\n", "column 'b' has no entry: all 2 rows are missing"),
        ('a,b\n1,2\n"3,4\n', "cannot be read as delimited text|line 3 has 1 fields"),
    ],
)
def test_files_that_are_not_well_formed(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_columns(write(tmp_path, content))


def test_numbers_for_names_are_noted(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, "0,1,2\n0.5,1,3\n0.25,1,1\n"))
    assert columns.names == ("0", "1", "2")
    assert columns.notes == (
        "the first line of data.csv is taken for column names, though they are numbers: 0, 1, ...",
    )


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("none.csv", FileNotFoundError, "no such file: .*none.csv"),
        ("none.parquet", FileNotFoundError, "no such file: .*none.parquet"),
        ("data.xlsx", ValueError, r"ends in .csv, .tsv, .txt, .parquet, .pq, got '.*data.xlsx'"),
        (".", ValueError, "must be a file, got the folder"),
    ],
)
def test_paths(tmp_path: Path, path: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_columns(tmp_path / path)


def test_clusters_of_a_file(tmp_path: Path) -> None:
    frame = FRAME.assign(who=[f"p{i % 10}" for i in range(30)])
    frame.to_csv(tmp_path / "data.csv", index=False)
    frame.to_parquet(tmp_path / "data.pq", index=False)
    for name in ("data.csv", "data.pq"):
        columns = read_columns(tmp_path / name, cluster="who")
        assert columns.names == tuple(FRAME.columns)
        np.testing.assert_array_equal(columns.clusters[0], np.arange(30) % 10)
    with pytest.raises(ValueError, match="cluster 'whom' is not a column"):
        read_columns(tmp_path / "data.csv", cluster="whom")


# Parquet


@pytest.mark.parametrize("rows_a_group", [7, 1000])
def test_parquet_gives_the_frame_it_was_written_from(tmp_path: Path, rows_a_group: int) -> None:
    order = ["mid", "low", "never"]
    frame = FRAME.assign(
        grade=pd.Categorical(RNG.choice(order[:2], 30), order, ordered=True),
        f=FRAME["a"].astype("float32"),
        i=pd.array([None, *range(29)], "Int16"),
    )
    frame.to_parquet(tmp_path / "pandas.parquet", row_group_size=rows_a_group)
    assert_same(read_columns(tmp_path / "pandas.parquet"), read_columns(frame))
    polars = pl.from_pandas(FRAME)
    polars.write_parquet(tmp_path / "polars.parquet")
    assert_same(read_columns(tmp_path / "polars.parquet"), read_columns(polars))


def test_parquet_brings_index_levels_back(tmp_path: Path) -> None:
    frame = FRAME.set_axis(pd.MultiIndex.from_product([["", "edit"], map(str, range(15))], names=["edit", "persona"]))
    frame.to_parquet(tmp_path / "data.parquet")
    columns = read_columns(tmp_path / "data.parquet", cluster="persona")
    assert_same(columns, read_columns(frame, cluster="persona"))
    np.testing.assert_array_equal(columns.clusters[0], np.arange(30) % 15)
    assert columns.label(16) == ("edit", "1")


def test_parquet_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.parquet cannot be read as Parquet"):
        read_columns(write(tmp_path, "a,b\n1,2\n", "data.parquet"))
    pq.write_table(pa.table({"a": [1.0], "when": [pd.Timestamp("2020")]}), tmp_path / "dates.parquet")
    with pytest.raises(TypeError, match="column 'when' must hold numbers"):
        read_columns(tmp_path / "dates.parquet")


def test_saved_responses_give_their_matrix(tmp_path: Path) -> None:
    answers: dict[str, Any] = dict.fromkeys(["edit", "text"], "") | {"model": "m", "status": "yes", "repeat": 0}
    answers["persona"] = np.repeat([f"p{i}" for i in range(12)], 3)
    answers |= {name: ["x", "y", "z"] * 12 for name in ("item", "value")}
    answers |= {"keying": 1, "mass": 1.0, "p_yes": RNG.random(36)}
    responses = Responses(make_table(answers | {"score": 2 * answers["p_yes"] - 1}))
    columns = read_columns(responses.save(tmp_path / "answers.parquet"), cluster="persona")
    assert_same(columns, read_columns(responses, cluster="persona"))
    assert columns.names == ("x", "y", "z") and columns.n == 12 and columns.cluster_names == ("persona",)
    assert "mean corrected score" in columns.notes[0]


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_answers_as_text_are_read_like_parquet(tmp_path: Path, ending: str) -> None:
    answers: dict[str, Any] = {"edit": "", "text": 'Is "a, b" so?', "model": "m", "status": "yes", "repeat": 0}
    answers["persona"] = np.repeat([*[f"p{i}" for i in range(10)], "NA", "None"], 3)  # names, and not missing
    answers |= {name: ["x", "y", "z"] * 12 for name in ("item", "value")}
    answers |= {"keying": 1, "mass": 1.0, "p_yes": RNG.random(36)}
    responses = Responses(make_table(answers | {"score": 2 * answers["p_yes"] - 1}))
    path = tmp_path / f"answers{ending}"
    responses.table.to_csv(path, index=False, sep={".csv": ",", ".tsv": "\t"}[ending])
    columns = read_columns(path, cluster="persona")
    assert_same(columns, read_columns(responses.save(tmp_path / "answers.parquet"), cluster="persona"))
    assert columns.n == 12 and "holds answers" in columns.notes[0]
    responses.table.assign(status="Yes").to_csv(path, index=False, sep={".csv": ",", ".tsv": "\t"}[ending])
    with pytest.raises(ValueError, match=r"answers\..*has the columns of answers.*'status'.*got 'Yes'"):
        read_columns(path)
