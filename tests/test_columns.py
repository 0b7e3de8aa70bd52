"""Every kind of input in memory gives the columns that its own library says it has, and gives them as views."""

from __future__ import annotations

import datetime
import decimal
import subprocess
import sys
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyvalue.discovery.columns import Columns, read_columns

DTYPES = ("f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.standard_normal((40, 3)), columns=list("abc"))
TEXTS = st.lists(st.sampled_from(["low", "mid", "high", "", "Ünïcode", None]), min_size=1, max_size=30)


def decoded(columns: Columns, name: str) -> list[Any]:
    """A column as Python objects, None for missing."""
    i = columns.names.index(name)
    values, levels = columns.values[i], columns.levels[i]
    if levels is not None:
        assert values.dtype == np.int32
        return [None if code < 0 else levels[code] for code in values]
    return [None if entry != entry else entry for entry in values.tolist()]


def same(one: Columns, other: Columns) -> bool:
    return (one.names, one.levels, one.cluster_names) == (other.names, other.levels, other.cluster_names) and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in zip((*one.values, *one.clusters), (*other.values, *other.clusters), strict=True)
    )


# Numbers stay where they are


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_array_columns_are_views_of_any_layout(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    x = data.draw(hnp.arrays(dtype, data.draw(hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8))))
    x = np.asarray(x, order=data.draw(st.sampled_from("CF")))[:: data.draw(st.sampled_from([1, 2, -1]))]
    x = x[:, :: data.draw(st.sampled_from([1, 2, -1]))]
    if x.dtype.kind == "f":
        x[np.isnan(x)] = 0
    columns = read_columns(x)
    assert (columns.n, columns.d) == x.shape and columns.names == tuple(f"X{i + 1}" for i in range(x.shape[1]))
    for i, column in enumerate(columns.values):
        assert column.dtype == x.dtype and np.shares_memory(column, x) and not column.flags.writeable
        np.testing.assert_array_equal(column, x[:, i])
    assert x.flags.writeable


def test_arrays_of_other_types_are_converted_without_loss() -> None:
    x = RNG.standard_normal((6, 2))
    for given_dtype, expected in ((">f8", "f8"), (">i4", "i4"), ("f2", "f4"), (np.longdouble, "f8")):
        column = read_columns(x.astype(given_dtype)).values[1]
        assert column.dtype == np.dtype(expected)
        np.testing.assert_array_equal(column, x.astype(given_dtype)[:, 1])
    packed = np.zeros(6, dtype=[("flag", "u1"), ("x", "f8", 2)])["x"]
    assert not packed.flags.aligned and read_columns(packed).values[0].flags.aligned
    assert read_columns(x > 0).values[0].dtype == np.uint8
    assert np.shares_memory(read_columns(x > 0, names=["a", "b"]).values[0], x) is False
    assert read_columns(x.tolist(), names=["a", "b"]).names == ("a", "b")


def test_masked_entries_are_missing() -> None:
    x = np.ma.masked_equal(np.arange(6).reshape(3, 2), 4)
    assert decoded(read_columns(x), "X1") == [0, 2, None]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pandas_block_is_not_copied(dtype: str, order: str) -> None:
    x = np.asarray(RNG.integers(0, 9, (12, 3)).astype(dtype), order=order)
    frame = pd.DataFrame(x, copy=False)
    for i, column in enumerate(read_columns(frame).values):
        assert np.shares_memory(column, x) and column.dtype == x.dtype
        np.testing.assert_array_equal(column, x[:, i])


def test_columns_without_missing_values_are_not_copied() -> None:
    nullable = pd.DataFrame({"i": pd.array([1, 5], "Int64"), "f": pd.array([0.1, 5.0], "Float32")})
    columns = read_columns(nullable)
    assert [column.dtype for column in columns.values] == ["i8", "f4"]
    for name, column in zip("if", columns.values, strict=True):
        assert np.shares_memory(column, nullable[name].to_numpy(dtype=column.dtype))
    arrow = pa.table({"f": [0.1, 5.0], "i": pa.array([1, 5], pa.uint16())})
    for frame, native in (
        (pl.DataFrame({"f": [0.1, 5.0], "i": pl.Series([1, 5], dtype=pl.Int16)}), lambda frame, name: frame[name]),
        (arrow, lambda frame, name: frame[name].chunk(0)),
        (arrow.to_pandas(types_mapper=pd.ArrowDtype), lambda frame, name: frame[name].array.__arrow_array__().chunk(0)),
    ):
        for name, column in zip("fi", read_columns(frame).values, strict=True):
            assert np.shares_memory(column, native(frame, name).to_numpy())


def test_booleans_are_zero_and_one() -> None:
    frame = pd.DataFrame({"a": [True, False], "b": [False, False]})
    column = read_columns(frame).values[0]
    assert column.dtype == np.uint8 and np.shares_memory(column, frame["a"].to_numpy())
    for other in (pl.from_pandas(frame), pa.Table.from_pandas(frame), frame.astype("boolean"), frame.astype(object)):
        assert decoded(read_columns(other), "a") == [1, 0]
    assert decoded(read_columns(pd.DataFrame({"a": [True, None, False]})), "a") == [1, None, 0]


def test_missing_numbers_become_nan_in_their_column_alone() -> None:
    content = {"i": [1, None, 3], "f": [None, 0.5, 2.0], "b": [True, False, None], "whole": [4, 5, 9]}
    frames = (
        pl.DataFrame(content),
        pa.table(content),
        pd.DataFrame(content).convert_dtypes(),
        pd.DataFrame(content).astype({"b": object, "i": object}),
        pa.table(content).to_pandas(types_mapper=pd.ArrowDtype),
        pd.DataFrame({"i": pd.arrays.SparseArray([1.0, np.nan, 3.0]), "f": content["f"]}).assign(
            b=[1, 0, None], whole=4
        ),
    )
    for frame in frames:
        columns = read_columns(frame)
        assert decoded(columns, "i") == [1, None, 3]
        assert decoded(columns, "f") == [None, 0.5, 2]
        assert decoded(columns, "b") == [1, 0, None]
        assert [column.dtype for column in columns.values] == ["f8", "f8", "f8", "i8"]


def test_rare_kinds_of_numbers() -> None:
    content = {"d": [decimal.Decimal("1.5"), None, decimal.Decimal(3)], "h": np.array([1, 0.5, 2], np.float16)}
    for frame in (pd.DataFrame(content), pl.DataFrame(content), pa.table(content)):
        columns = read_columns(frame)
        assert decoded(columns, "d") == [1.5, None, 3] and decoded(columns, "h") == [1, 0.5, 2]
        assert columns.values[1].dtype == np.float32
    chunks = pa.table({"x": pa.chunked_array([[1.0, 2.0], [3.5]])})
    assert decoded(read_columns(chunks), "x") == decoded(read_columns(pl.from_arrow(chunks)), "x") == [1, 2, 3.5]


# Texts and categoricals


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_texts_become_sorted_levels_in_every_library(texts: list[str | None]) -> None:
    if not any(texts) and set(texts) == {None}:
        texts = ["low", *texts]
    number = np.arange(len(texts)) * 0.3
    frames = (
        pd.DataFrame({"t": pd.Series(texts, dtype=object), "x": number}),
        pd.DataFrame({"t": pd.Series(texts, dtype="string"), "x": number}),
        pd.DataFrame({"t": pd.Series(texts, dtype="category"), "x": number}),
        pl.DataFrame({"t": texts, "x": number}, schema_overrides={"t": pl.String}),
        pl.DataFrame({"t": texts, "x": number}, schema_overrides={"t": pl.Categorical}),
        pa.table({"t": pa.array(texts, pa.string()), "x": number}),
        pa.table({"t": pa.array(texts, pa.string()).dictionary_encode(), "x": number}),
        pd.DataFrame({"t": pd.Series(texts, dtype=pd.ArrowDtype(pa.string())), "x": number}),
    )
    expected = read_columns(frames[0])
    assert decoded(expected, "t") == texts
    assert expected.levels == (tuple(sorted({text for text in texts if text is not None})), None)
    assert all(same(read_columns(frame), expected) for frame in frames[1:])


def test_ordered_levels_are_numbers() -> None:
    texts, order = ["mid", "low", "mid", None], ["low", "never", "mid"]
    categorical = pd.Series(pd.Categorical(texts, order, ordered=True))
    frames = (
        categorical.to_frame("t"),
        pl.DataFrame({"t": pl.Series(texts, dtype=pl.Enum(order))}),
        pa.Table.from_pandas(categorical.to_frame("t")),
    )
    for frame in frames:
        columns = read_columns(frame)
        assert columns.levels == (None,)
        np.testing.assert_array_equal(columns.values[0], [2, 0, 2, np.nan])


def test_mixed_objects_are_texts() -> None:
    columns = read_columns(pd.DataFrame({"m": [True, "maybe", None, False, 3]}))
    assert columns.levels == (("3", "False", "True", "maybe"),)
    assert decoded(columns, "m") == ["True", "maybe", None, "False", "3"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1, max_size=20))
def test_numbers_as_texts_are_an_error(numbers: list[float]) -> None:
    for frame in (pd.DataFrame({"x": map(str, numbers)}), pl.DataFrame({"x": [str(number) for number in numbers]})):
        with pytest.raises(ValueError, match=r"column 'x' holds numbers written as text, such as .* in row [01];"):
            read_columns(frame)


def test_an_accident_among_numbers_is_named() -> None:
    texts = [*map(str, range(18)), "n.a.", "1,5", None]
    with pytest.raises(ValueError, match=r"'x' looks like numbers in 19 of 20 entries, but row 'r18' holds 'n.a.'"):
        read_columns(pd.DataFrame({"x": texts}, index=[f"r{i}" for i in range(21)]))
    with pytest.raises(ValueError, match=r"but row 19 holds 'n.a.'"):
        read_columns(pl.DataFrame({"x": texts}))
    assert read_columns(pl.DataFrame({"x": ["1", "2", "three"] * 3})).levels == (("1", "2", "three"),)  # two of three
    with pytest.raises(ValueError, match="such as '1,5' in row 1"):
        read_columns(pl.DataFrame({"x": ["1,5", "1.000,5", "2,25"]}))


@pytest.mark.parametrize(
    "entries",
    [
        [datetime.datetime(2020, 1, 1)] * 3,
        [datetime.date(2020, 1, 1)] * 3,
        [datetime.timedelta(1)] * 3,
        [[1], [2], [3]],
        [{"a": 1}] * 3,
        [b"a", b"b", b"c"],
    ],
)
def test_other_columns_are_an_error(entries: list[Any]) -> None:
    content = {"x": [1.0, 2.5, 3.0], "when": entries}
    for frame in (pd.DataFrame(content), pl.DataFrame(content), pa.table(content)):
        with pytest.raises(TypeError, match=r"'when' must hold numbers, booleans or texts, got .*; drop it or"):
            read_columns(frame)


def test_objects_and_complex_numbers_are_an_error() -> None:
    for frame in (
        pd.DataFrame({"o": [object(), 1]}),
        pd.DataFrame({"o": [1j, 2j]}),
        pl.DataFrame({"o": pl.Series([object(), object()], dtype=pl.Object)}),
        pl.DataFrame({"o": pl.Series([1, 2], dtype=pl.Int128)}),
    ):
        with pytest.raises(TypeError, match="column 'o' must hold numbers"):
            read_columns(frame)


@pytest.mark.parametrize("dtype", ["float64", "Int64", "object", "string", "category", "boolean"])
def test_column_without_an_entry(dtype: str) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "gone": pd.Series([None, None], dtype=dtype)})
    for given_frame in (frame, pl.DataFrame({"x": [1, 2], "gone": [None, None]}), pa.Table.from_pandas(frame)):
        with pytest.raises(ValueError, match="column 'gone' has no entry: all 2 rows are missing; drop it"):
            read_columns(given_frame)
    with pytest.raises(ValueError, match="column 'X2' has no entry"):
        read_columns([[1, np.nan], [2, np.nan]])


# Sources


def test_all_sources_agree() -> None:
    class HasMatrix:
        def matrix(self) -> pd.DataFrame:
            return FRAME

    expected = read_columns(FRAME)
    polars = pl.from_pandas(FRAME)
    arrow = pa.Table.from_pandas(FRAME)
    for responses in (HasMatrix(), polars, polars.lazy(), nw.from_native(polars), arrow, arrow.to_batches()[0]):
        assert same(read_columns(responses), expected)
    assert same(read_columns(FRAME.to_numpy(), names=list("abc")), expected)
    assert read_columns(FRAME.set_axis([1, "b", ("x", 2)], axis=1)).names == ("1", "b", "('x', 2)")


def test_arrow_table_brings_the_index_of_pandas_back() -> None:
    frame = FRAME.set_axis(pd.MultiIndex.from_product([["", "edit"], map(str, range(20))], names=["edit", "persona"]))
    columns = read_columns(pa.Table.from_pandas(frame), cluster="persona")
    assert columns.names == tuple("abc") and columns.label(20) == ("edit", "0")
    assert same(columns, read_columns(frame, cluster="persona"))
    assert read_columns(pa.Table.from_pandas(FRAME.set_axis(np.arange(40) * 2))).label(3) == 6


@pytest.mark.parametrize(
    ("responses", "names", "error", "message"),
    [
        (np.zeros(3), None, ValueError, r"2 dimensions, rows and values, got 1: shape \(3,\)"),
        (FRAME["a"], None, ValueError, "2 dimensions"),
        ([["a", "b"]], None, TypeError, "got list of <U1"),
        ({"a": [1]}, None, TypeError, "got dict of object"),
        (np.zeros((4, 2)), ["a"], ValueError, r"Length of names \(1\) must match number of columns in responses \(2\)"),
        (
            np.zeros((4, 2)),
            ["a", "a"],
            ValueError,
            "column names must be distinct, got more than one a; rename or drop",
        ),
        (np.zeros((4, 2)), "ab", TypeError, "names must be a sequence of strings, got 'ab'"),
        (np.zeros((4, 2)), [1, 2], TypeError, "names must be a sequence of strings"),
        (np.zeros((4, 0)), None, ValueError, r"at least 2 columns \(values\) to have an edge, got 0"),
        (pl.DataFrame(), None, ValueError, "at least 2 columns"),
        (FRAME, list("abc"), ValueError, r"names is for arrays; a DataFrame's columns have names: frame.set_axis"),
        (pl.DataFrame({"a": [1]}), ["a"], ValueError, "names is for arrays"),
        (pa.table({"a": [1]}), ["a"], ValueError, "names is for arrays"),
        ("some.csv", ["a"], ValueError, "names is for arrays"),
        (FRAME.set_axis(["a", "b", "a"], axis=1), None, ValueError, "distinct, got more than one a"),
        (FRAME.set_axis([1, "b", "1"], axis=1), None, ValueError, "distinct, got more than one 1"),
        (pa.table([[1], [2]], names=["a", "a"]), None, ValueError, "distinct, got more than one a"),
    ],
)
def test_bad_responses(responses: Any, names: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_columns(responses, names)


def test_identifiers_are_noted_and_kept() -> None:
    frame = FRAME.assign(
        count=RNG.permutation(40) + 1,
        Participant=np.arange(40) * 7 + 100,
        index=RNG.standard_normal(40),
        who=[f"p{i}" for i in range(40)],
        likert=np.arange(40) % 7,
        subject=np.arange(40) % 20,
    )
    columns = read_columns(frame)
    assert columns.names == tuple(frame.columns)
    note = "column {!r} holds a different {} in every row: if it is an identifier, drop it"
    kinds = {"count": "whole number", "Participant": "whole number", "index": "number", "who": "text"}
    assert columns.cautions == tuple(note.format(name, kind) for name, kind in kinds.items())
    assert len(read_columns(np.column_stack([np.arange(100.0), RNG.standard_normal(100)])).cautions) == 1


# Rows and columns


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_taking_rows_is_reading_those_rows(data: st.DataObject) -> None:
    frame = FRAME.assign(t=RNG.choice(["u", "v", "w"], 40), g=np.arange(40) % 12).set_axis(
        [f"r{i}" for i in range(40)]
    )
    columns = read_columns(frame, cluster="g")
    rows = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=40))
    taken, expected = columns.take_rows(rows), read_columns(frame.iloc[rows].drop(columns="g"))
    assert taken.levels == expected.levels and taken.n == len(rows)
    for one, other in zip(taken.values, expected.values, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(taken.clusters[0], pd.factorize(frame["g"].iloc[rows])[0])
    assert [taken.label(i) for i in range(len(rows))] == list(frame.index[rows])
    again = taken.take_columns([3, 0])
    assert again.names == ("t", "a") and again.levels == (taken.levels[3], None) and again.values[1] is taken.values[0]


def test_rows_without_labels_are_counted_from_one_and_keep_their_numbers() -> None:
    columns = read_columns(FRAME.to_numpy())
    assert columns.label(2) == 3
    assert columns.take_rows(np.array([4, 7])).take_rows([1]).label(0) == 8
    assert repr(read_columns(FRAME).label(2)) == "2"  # the index of the frame


# Clusters


@settings(max_examples=60, deadline=None)
@given(st.permutations(list(range(10)) * 4), st.sampled_from([int, str, float]))
def test_cluster_codes_are_those_of_factorize(labels: list[int], kind: type) -> None:
    labels = [kind(label) for label in labels]
    expected = pd.factorize(pd.Series(labels))[0]
    frame = FRAME.assign(g=labels)
    for columns in (
        read_columns(frame, cluster="g"),
        read_columns(pl.from_pandas(frame), cluster="g"),
        read_columns(pa.Table.from_pandas(frame), cluster=["g"]),
        read_columns(FRAME.set_index(pd.Index(labels, name="g")), cluster="g"),
        read_columns(FRAME, cluster=frame["g"]),
        read_columns(FRAME.to_numpy(), names=list("abc"), cluster=pl.Series("g", labels)),
    ):
        assert columns.names == tuple("abc") and columns.cluster_names == ("g",)
        np.testing.assert_array_equal(columns.clusters[0], expected)
        assert columns.clusters[0].dtype == np.int64
    for given_labels in (labels, tuple(labels), np.array(labels), pa.array(labels), pd.Index(labels)):
        columns = read_columns(FRAME, cluster=given_labels)
        assert columns.cluster_names == ("cluster",)
        np.testing.assert_array_equal(columns.clusters[0], expected)


def test_pairs_of_clusters() -> None:
    frame = FRAME.assign(g=np.arange(40) % 10, h=[f"h{i // 2}" for i in range(40)], when=pd.Timestamp("2020"))
    columns = read_columns(frame.drop(columns="when"), cluster=("g", "h"))
    assert columns.names == tuple("abc") and columns.cluster_names == ("g", "h")
    np.testing.assert_array_equal(columns.clusters, [np.arange(40) % 10, np.arange(40) // 2])
    assert read_columns(FRAME, cluster=[np.arange(40), list("abcdefghij") * 4]).cluster_names == (
        "cluster 1",
        "cluster 2",
    )
    assert read_columns(frame[["a", "b", "g"]], cluster=["g", np.arange(40) % 20]).cluster_names == ("g", "cluster 2")
    named = FRAME.set_axis(pd.MultiIndex.from_arrays([frame["h"], frame["g"]], names=["edit", "persona"]))
    assert read_columns(named, cluster=("persona", "edit")).cluster_names == ("persona", "edit")


def test_a_column_that_names_clusters_may_be_of_any_type() -> None:
    when = pd.date_range("2020", periods=20).repeat(2)
    for frame in (FRAME.assign(day=when), pl.from_pandas(FRAME.assign(day=when))):
        np.testing.assert_array_equal(read_columns(frame, cluster="day").clusters[0], np.arange(40) // 2)


def test_clusters_of_one_row_are_noted() -> None:
    assert read_columns(FRAME, cluster=np.arange(40)).cautions == (
        "cluster is different in every row, so that its clusters are the rows themselves",
    )


@pytest.mark.parametrize(
    ("cluster", "error", "message"),
    [
        (
            "h",
            ValueError,
            "cluster 'h' is not a column or index level.*columns are 'a', 'b', 'c'; its index levels .*'who'",
        ),
        (("a", "b", "c"), ValueError, "at most two, got 3"),
        ([np.arange(40)] * 3, ValueError, "at most two, got 3"),
        ([], ValueError, "at most two, got 0"),
        (np.arange(39), ValueError, "cluster has 39 labels, but the responses have 40 rows"),
        (np.zeros((40, 2)), ValueError, r"labels have 1 dimension, got shape \(40, 2\)"),
        ([None, *range(39)], ValueError, "cluster has 1 missing labels, the first in row 'p0'"),
        (np.arange(40) % 6, ValueError, "cluster has 6 clusters; resampling whole clusters needs at least 10;"),
        (("a", "a"), ValueError, "two different ways .* got 'a' twice"),
        (5, TypeError, "cluster must be a name, labels for all rows, or a pair of such, got int"),
        ({1, 2}, TypeError, "got set"),
        ({"a": 1}, TypeError, "got dict"),
        (pd.Series(np.arange(40)), ValueError, r"another index than the responses; pass cluster.reindex"),
    ],
)
def test_bad_clusters(cluster: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_columns(FRAME.set_axis(pd.Index([f"p{i}" for i in range(40)], name="who")), cluster=cluster)


def test_clusters_take_the_last_column() -> None:
    with pytest.raises(ValueError, match="at least 2 columns"):
        read_columns(FRAME[["a"]], cluster="a")


def test_arrays_need_nothing_but_numpy() -> None:
    code = (
        "import sys, numpy; from pyvalue.discovery.columns import read_columns; read_columns(numpy.eye(4)); "
        "heavy = {'pandas', 'pyarrow', 'narwhals', 'polars'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
