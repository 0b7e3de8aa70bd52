"""Answers in other libraries' tables and back, with every column, type, missing value and fact."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.responses import COLUMNS, make_table

pl = pytest.importorskip("polars")
datasets = pytest.importorskip("datasets")
datasets.disable_progress_bars()

FACTS = {"study": {"model": "m", "seeds": [1, 2]}, "note": 'é "\n'}
TEXT = st.one_of(
    st.sampled_from(["", "NA", "nan", "007", "1.0", "=1+1", 'a"b', "a,b", "a\nb", "a\r\nb", " a ", "None", "\\N"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)  # fmt: skip
NUMBER = st.one_of(st.just(float("nan")), st.floats(0, 1))


@st.composite
def answers(draw: st.DrawFn) -> pv.Responses:
    n = draw(st.integers(1, 5))

    def column(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=n, max_size=n))

    rows = {
        "model": column(TEXT), "edit": column(TEXT), "persona": column(TEXT), "item": [f"i{k}" for k in range(n)],
        "value": column(TEXT), "keying": column(st.sampled_from([-1, 0, 1])), "text": column(TEXT),
        "answer": column(TEXT), "repeat": column(st.integers(0, 32767)), "wording": column(st.integers(0, 9)),
        "status": column(st.sampled_from(["yes", "no", "unsure", "invalid", "refused"])),
        "p_yes": column(NUMBER), "mass": column(NUMBER), "score": column(NUMBER), "perplexity": column(NUMBER),
    }  # fmt: skip
    return pv.Responses(make_table(rows), FACTS)


def check_same(back: pv.Responses, original: pv.Responses) -> None:
    pd.testing.assert_frame_equal(back.table, original.table, check_exact=True)
    assert list(back.table.columns) == list(COLUMNS) and back.facts == original.facts


@settings(deadline=None, max_examples=25)
@given(answers())
def test_frames_and_back(original: pv.Responses) -> None:
    check_same(pv.Responses.from_frame(original.to_pandas()), original)
    check_same(pv.Responses.from_frame(original.to_arrow()), original)
    check_same(pv.Responses.from_frame(original.to_polars(), original.facts), original)
    check_same(pv.Responses.from_frame(original.to_polars().lazy(), original.facts), original)


@settings(deadline=None, max_examples=15)
@given(answers())
def test_files_and_back(original: pv.Responses) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        check_same(pv.Responses.from_csv(original.to_csv(path / "a.csv"), original.facts), original)
        check_same(pv.Responses.load(original.save(path / "a.parquet")), original)
        original.to_polars().write_parquet(path / "polars.parquet")
        check_same(pv.Responses.from_frame(pl.read_parquet(path / "polars.parquet"), original.facts), original)


@settings(deadline=None, max_examples=15)
@given(answers())
def test_datasets_and_back(original: pv.Responses) -> None:
    check_same(pv.Responses.from_dataset(original.to_dataset()), original)


@pytest.fixture(scope="module")
def small() -> pv.Responses:
    rng = np.random.default_rng(0)
    n = 40
    rows = {
        "model": "m", "edit": "", "persona": [f"p{k // 4}" for k in range(n)], "item": [f"i{k % 4}" for k in range(n)],
        "value": [("A", "A", "B", "B")[k % 4] for k in range(n)], "keying": [(1, -1)[k % 2] for k in range(n)],
        "text": "?", "status": "yes", "p_yes": rng.random(n), "mass": 1.0, "score": 0.0,
    }  # fmt: skip
    rows["score"] = np.array(rows["keying"]) * (2 * rows["p_yes"] - 1)
    return pv.Responses(make_table(rows), FACTS)


def test_datasets_as_their_users_treat_them(small: pv.Responses, tmp_path: Path) -> None:
    ours = small.to_dataset()
    ours.save_to_disk(tmp_path / "saved")
    check_same(pv.Responses.from_dataset(datasets.load_from_disk(tmp_path / "saved")), small)
    chosen = ours.shuffle(seed=1).select(range(7))
    back = pv.Responses.from_dataset(chosen)
    assert back.table["item"].tolist() == chosen["item"][:] and back.facts == FACTS
    assert back.table["p_yes"].tolist() == chosen["p_yes"][:]
    labelled = ours.class_encode_column("status")
    assert isinstance(labelled.features["status"], datasets.ClassLabel)
    check_same(pv.Responses.from_dataset(labelled), small)
    with pytest.raises(TypeError, match=r"choose a split, such as dataset\['train'\]"):
        pv.Responses.from_dataset(datasets.DatasetDict(train=ours))
    with pytest.raises(TypeError, match="read it whole"):
        pv.Responses.from_dataset(ours.to_iterable_dataset())
    with pytest.raises(TypeError, match=r"expected a datasets\.Dataset, got list"):
        pv.Responses.from_dataset([])


def test_discover_takes_every_table() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((100, 3)), columns=["a", "b", "c"])
    frame["c"] += frame["a"] + frame["b"]
    frame["group"] = rng.choice(["x", "y"], 100)
    expected = pv.discover(frame, drop=["group"])
    assert expected.directed_edges() == [("a", "c"), ("b", "c")]
    whole = datasets.Dataset.from_pandas(frame)
    for table in (whole, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        assert pv.discover(table, drop=["group"]) == expected
    assert pv.discover(whole.select(range(60)), drop=["group"]) == pv.discover(frame.head(60), drop=["group"])
    labelled = whole.class_encode_column("group")
    assert pv.discover(labelled, cluster=None) == pv.discover(frame)
    with pytest.raises(TypeError, match="choose a split"):
        pv.discover(datasets.DatasetDict(train=whole))


def test_names_of_others(small: pv.Responses) -> None:
    theirs = small.table[["persona", "item", "value", "keying", "status"]].rename(
        columns={"persona": "participant", "status": "said"}
    )
    theirs.loc[3, "said"] = "refused"
    theirs.loc[4, "said"] = "unsure"
    theirs["age"] = 30
    for table in (theirs, pl.from_pandas(theirs), pa.Table.from_pandas(theirs)):
        found = pv.Responses.from_frame(table, columns={"participant": "persona", "said": "status"})
        assert found.table["mode"].eq("generate").all() and found.table["model"].eq("unknown").all()
        expected = np.where(theirs["said"] == "yes", theirs["keying"], np.nan)
        expected[4] = 0
        np.testing.assert_array_equal(found.table["score"], expected)
        assert found.table["age"].eq(30).all() and found.personas == small.personas and found.facts == {}


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        ({}, {"who": "persona"}, "the table has no column 'who'"),
        ({}, {"item": "question"}, "'question' is no column of answers"),
        ({}, {"item": "persona"}, "more than one column would be 'persona'"),
        ({"repeat": 70000}, {}, "'repeat': expected whole numbers from -32768 to 32767, got 70000"),
        ({"repeat": 0.5}, {}, "'repeat': expected whole numbers"),
        ({"item": "i"}, {}, "of rows that repeat a question, number the column repeat"),
        ({"status": "maybe"}, {}, "column 'status': expected one of"),
    ],
)
def test_tables_that_are_none(small: pv.Responses, change: Any, columns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pv.Responses.from_frame(small.table.assign(**change), columns=columns)


def test_what_is_no_table(small: pv.Responses) -> None:
    with pytest.raises(TypeError, match="expected a table of pandas, polars, pyarrow or datasets"):
        pv.Responses.from_frame([1, 2])
    with pytest.raises(ValueError, match="missing columns status"):
        pv.Responses.from_frame(small.table.drop(columns="status"))
    with pytest.raises(TypeError, match="facts: expected what JSON can hold"):
        pv.Responses(small.table, {"a": {1}}).to_arrow()
    with pytest.raises(TypeError, match="facts: expected a dict"):
        pv.Responses.from_frame(small.table, facts=[1])  # type: ignore[arg-type]


@pytest.mark.parametrize(("package", "method"), [("polars", "to_polars"), ("datasets", "to_dataset")])
def test_packages_that_are_not_there(
    small: pv.Responses, monkeypatch: pytest.MonkeyPatch, package: str, method: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
        getattr(small, method)()


def test_csv_of_others(tmp_path: Path) -> None:
    text = "participant;item;value;keying;status;p_yes\nNA;i;A;1;yes;0,75\n007;i;A;-1;no;\n"
    (tmp_path / "theirs.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = pv.Responses.from_csv(tmp_path / "theirs.csv", columns={"participant": "persona"})
    assert found.personas == ("NA", "007") and found.table["score"].tolist()[0] == 0.5
    assert np.isnan(found.table["score"].tolist()[1])
    (tmp_path / "bad.csv").write_text("persona,item,value,keying,status,p_yes\np,i,A,1,yes,high\n")
    with pytest.raises(TypeError, match="'p_yes': expected numbers"):
        pv.Responses.from_csv(tmp_path / "bad.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(pv.StoreError, match="cannot be read"):
        pv.Responses.from_csv(tmp_path / "empty.csv")


# -- people's ratings --------------------------------------------------------------------------------------------

KEY = {"q1": ("A", 1), "q2": ("A", -1), "q3": ("B", 1), "q4": ("B", 1)}


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(*[st.integers(1, 7)] * 4), min_size=2, max_size=8))
def test_ratings_are_means_of_keyed_items(rows: list[tuple[int, ...]]) -> None:
    """As a scoring key of a questionnaire has it: reverse, mean over the items, and centre about the own mean."""
    table = pd.DataFrame(rows, columns=list(KEY))
    scores = pv.Responses.from_ratings(pl.from_pandas(table), KEY, scale=(1, 7)).matrix("corrected")
    keyed = table.assign(q2=8 - table.q2)
    by_hand = np.column_stack([keyed[["q1", "q2"]].mean(axis=1), keyed[["q3", "q4"]].mean(axis=1)])
    np.testing.assert_allclose(scores.to_numpy(), (by_hand - 4) / 3, atol=1e-12)
    reversed_ = pv.Responses.from_ratings(8 - table, KEY, scale=(7, 1)).matrix("ipsatised")
    np.testing.assert_allclose(reversed_, scores.sub(scores.mean(axis=1), axis=0), atol=1e-12)


def test_reliability_of_ratings_is_cronbachs() -> None:
    pingouin = pytest.importorskip("pingouin")
    rng = np.random.default_rng(0)
    trait = rng.standard_normal((300, 1))
    table = pd.DataFrame(np.clip(np.round(3 + trait + rng.standard_normal((300, 4))), 1, 5), columns=list("abcd"))
    answers_ = pv.Responses.from_ratings(table, {name: ("A", 1) for name in "abcd"})
    alpha = answers_.quality().values.set_index("value").loc["A", "alpha"]
    assert alpha == pytest.approx(pingouin.cronbach_alpha(table)[0])


def test_ratings_with_holes_and_names() -> None:
    table = pd.DataFrame({"who": ["x", "y"], "q1": [5, 99], "q2": [3, np.nan], "age": [20, 30]})
    found = pv.Responses.from_ratings(table, {"q1": ("A", 1), "q2": ("A", 1)}, missing=[99], persona="who")
    assert found.personas == ("x", "y") and found.table["status"].tolist() == ["yes", "invalid", "unsure", "invalid"]
    assert found.table["answer"].tolist() == ["5", "", "3", ""] and found.facts["scale"] == [1, 5]
    assert found.matrix().loc[("", "x"), "A"] == 0.5


@pytest.mark.parametrize(
    ("items", "options", "fault", "message"),
    [
        ({"q9": ("A", 1)}, {}, ValueError, "no column 'q9'"),
        ({"q1": ("A", 2)}, {}, ValueError, "keying 1 or -1"),
        ({"q1": "A"}, {}, TypeError, "items: expected"),
        ({"q1": ("A", 1)}, {"scale": (1, 3)}, ValueError, r"got 5 in 1 rows; .* missing=\[5\]"),
        ({"q1": ("A", 1)}, {"scale": (1, 1)}, ValueError, "two different numbers"),
        ({"q1": ("A", 1)}, {"scale": "1-5"}, TypeError, "scale: expected"),
        ({"who": ("A", 1)}, {}, TypeError, "column 'who': expected ratings in numbers"),
        ({"q1": ("A", 1)}, {"persona": "twice"}, ValueError, "comes twice"),
        ({}, {}, ValueError, "at least one"),
        (["q1"], {}, TypeError, "or an Inventory, got list"),
    ],
)
def test_ratings_that_are_refused(items: Any, options: Any, fault: type[Exception], message: str) -> None:
    table = pd.DataFrame({"who": ["x", "y"], "q1": [5, 2], "twice": ["z", "z"]})
    with pytest.raises(fault, match=message):
        pv.Responses.from_ratings(table, items, **options)


def test_a_named_index_of_ratings_names_the_people():
    table = pd.DataFrame({"who": ["Ann", "Bo"], "q1": [1, 5]}).set_index("who")
    assert pv.Responses.from_ratings(table, {"q1": ("A", 1)}).personas == ("Ann", "Bo")
    assert pv.Responses.from_ratings(table.rename_axis(None), {"q1": ("A", 1)}).personas == ("1", "2")
