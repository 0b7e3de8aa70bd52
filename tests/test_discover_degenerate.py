"""Every degenerate input is an error that names its columns, or an exclusion that is recorded and warned of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyvalue import _core
from pyvalue.discovery import DegenerateDataWarning, discover
from pyvalue.errors import NumericsError

RNG = np.random.default_rng(0)
GOOD = pd.DataFrame(RNG.standard_normal((60, 4)) @ RNG.uniform(0.2, 1, (4, 4)), columns=list("abcd"))


@pytest.mark.parametrize("value", [0.0, 1e9, 0.1])
def test_constant_column_is_left_out_and_changes_nothing_else(value: float) -> None:
    frame = GOOD.assign(k=value)[["a", "k", "b", "c", "d"]]
    with pytest.warns(DegenerateDataWarning, match="left out 'k' .constant"):
        graph = discover(frame)
    assert dict(graph.excluded) == {"k": f"constant: every row is {value:g}"}
    assert graph.names == ("a", "b", "c", "d")
    np.testing.assert_array_equal(graph.marks, discover(GOOD).marks)


def test_constant_up_to_rounding() -> None:
    frame = GOOD.assign(k=np.where(np.arange(60) % 2 == 0, 0.3, 0.1 + 0.2))
    with pytest.warns(DegenerateDataWarning, match="constant"):
        assert "k" not in discover(frame).names


@pytest.mark.parametrize("factor", [1.0, -2.5])
def test_repeated_column_is_left_out_and_changes_nothing_else(factor: float) -> None:
    with pytest.warns(DegenerateDataWarning, match="left out 'twin' .same as 'b'"):
        graph = discover(GOOD.assign(twin=factor * GOOD.b + 3))
    assert list(graph.excluded) == ["twin"]
    np.testing.assert_array_equal(graph.marks, discover(GOOD).marks)


def test_exclusions_are_kept_on_disk(tmp_path: object) -> None:
    from pyvalue.graph import ValueGraph

    with pytest.warns(DegenerateDataWarning):
        graph = discover(GOOD.assign(k=1.0))
    assert ValueGraph.load(graph.save(f"{tmp_path}/graph.json")).excluded == graph.excluded


def test_raise_instead_of_exclude() -> None:
    for frame, message in (
        (GOOD.assign(k=1.0), "unusable columns: 'k' .constant.*Drop them, or pass on_degenerate='exclude'"),
        (GOOD.assign(twin=GOOD.a), "unusable columns: 'twin' .same as 'a'"),
    ):
        with pytest.raises(ValueError, match=message):
            discover(frame, on_degenerate="raise")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_linearly_dependent_columns(dtype: type) -> None:
    frame = GOOD.assign(e=2 * GOOD.a - GOOD.c).astype(dtype)
    with pytest.raises(ValueError, match=r"columns 'a', 'c', 'e' are linearly dependent.*Drop one"):
        discover(frame)


def test_ipsatised_scores() -> None:
    centred = GOOD.sub(GOOD.mean(axis=1), axis=0)
    with pytest.raises(ValueError, match=r"'a', 'b', 'c', 'd' sum to the same number.*ipsatised.*raw scores"):
        discover(centred)
    with pytest.raises(ValueError, match="ipsatised"):
        discover(centred.round(12))
    discover(centred[["a", "b", "c"]])  # what the message recommends works


def test_nan_is_an_error_that_says_where() -> None:
    frame = GOOD.copy()
    frame.index = [f"person {i}" for i in range(60)]
    frame.loc["person 5", "b"] = np.nan
    frame.loc["person 9", ["b", "d"]] = np.nan
    message = r"3 missing entries in 2 of 60 rows, in columns b \(2\), d \(1\).*first is in row 'person 5'.*'drop'"
    with pytest.raises(ValueError, match=message):
        discover(frame)


def test_nan_rows_are_dropped_on_request() -> None:
    frame = GOOD.copy()
    frame.loc[[5, 9], "b"] = np.nan
    with pytest.warns(DegenerateDataWarning, match="dropped 2 of 60 rows"):
        graph = discover(frame, missing="drop")
    assert graph.settings.n == 58
    assert graph.notes == ("dropped 2 of 60 rows with missing entries, in columns b (2)",)
    np.testing.assert_array_equal(graph.marks, discover(GOOD.drop(index=[5, 9])).marks)


def test_column_without_any_entry() -> None:
    with pytest.raises(ValueError, match="column 'e' has no entry"):
        discover(GOOD.assign(e=np.nan), missing="drop")


@pytest.mark.parametrize("missing", ["raise", "drop"])
def test_infinity_names_row_and_column(missing: str) -> None:
    frame = GOOD.copy()
    frame.loc[17, "c"] = -np.inf
    with pytest.raises(ValueError, match="must be finite, got -inf in row 17, column 'c'"):
        discover(frame, missing=missing)


def test_too_few_rows_and_columns() -> None:
    for rows in (0, 1, 3):
        with pytest.raises(ValueError, match=f"at least 4 rows for a test, got {rows}"):
            discover(GOOD.iloc[:rows, :2])
    for columns in (0, 1):
        with pytest.raises(ValueError, match=f"at least 2 columns .* got {columns}"):
            discover(GOOD.iloc[:, :columns])
    with pytest.raises(ValueError, match="1 usable columns, and a graph needs 2"):
        discover(GOOD[["a"]].assign(k=1.0))


def test_too_few_rows_for_a_bootstrap() -> None:
    with pytest.raises(ValueError, match=r"worth more than 3 rows.*scheme='bootstrap' one of 6 rows is worth 3.0"):
        discover(GOOD.iloc[:6, :2], bootstrap=10)


def test_more_values_than_rows_is_said() -> None:
    wide = RNG.standard_normal((8, 12))
    with pytest.warns(DegenerateDataWarning, match="12 values but only 8 rows"):
        graph = discover(wide)
    assert "12 values but only 8 rows" in graph.notes[0]


def test_repeats_are_found_among_more_values_than_rows() -> None:
    wide = RNG.standard_normal((8, 12))
    wide[:, 7] = wide[:, 2]
    with pytest.warns(DegenerateDataWarning):
        assert dict(discover(wide).excluded) == {"X8": "same as 'X3' up to scale: correlation +1"}


def test_singular_test_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only reached with more values than rows, where the check of the whole matrix cannot be made."""
    x = RNG.standard_normal((2000, 4)) + RNG.standard_normal((2000, 1))
    x = np.column_stack([x, x[:, :3].sum(axis=1)])
    monkeypatch.setattr(_core, "find_dependencies", lambda *_: [])
    with pytest.raises(NumericsError, match=r"had no answer .*with 5 values and 2000 rows"):
        discover(x)
