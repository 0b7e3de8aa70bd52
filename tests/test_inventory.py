"""The bundled inventory is balanced, subsets stay so, and a bad file is refused with its line."""

from __future__ import annotations

import warnings
from collections import Counter

import pandas as pd
import pytest

from pyvalue.measurement.inventory import load_inventory

HEADER = "questionnaire,item,value,agreement,question\n"
GOOD = HEADER + 'q,a,Power,1,"Should I lead?"\nq,b,Power,-1,Should I follow?\nq,c,,0,Is this a sentence?\n'


@pytest.fixture
def load_text(tmp_path):
    def load(text: str | bytes, name: str = "own.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_inventory(path)

    return load


def signs(inventory) -> dict[str, Counter]:
    found: dict[str, Counter] = {}
    for item in inventory.items:
        if item.keying:
            found.setdefault(item.value, Counter())[item.keying] += 1
    return found


def test_portrait_asks_ten_values_with_balanced_keying():
    found = signs(load_inventory())
    assert len(found) == 10
    assert all(sum(count.values()) >= 8 and count[1] == count[-1] for count in found.values())


def test_portrait_asks_every_question_once_and_has_content_free_items():
    inventory = load_inventory("portrait")
    assert len({item.question for item in inventory.items}) == len(inventory.items)
    assert len({item.id for item in inventory.items}) == len(inventory.items)
    assert len(inventory.content_free) >= 8
    assert all(item.question.endswith("?") for item in inventory.items)


def test_portrait_raises_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_inventory()


@pytest.mark.parametrize("per_value", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_subset_is_balanced_and_in_file_order(per_value, seed):
    whole = load_inventory()
    part = whole.subset(per_value, content_free=3, seed=seed)
    assert all(sum(c.values()) == per_value and 0 <= c[1] - c[-1] <= 1 for c in signs(part).values())
    assert len(part.content_free) == 3
    assert [i for i in whole.items if i in set(part.items)] == list(part.items)


def test_subset_depends_on_the_seed_alone():
    whole = load_inventory()
    assert whole.subset(4, seed=5) == whole.subset(4, seed=5)
    assert whole.subset(4, seed=5) != whole.subset(4, seed=6)


@pytest.mark.parametrize("arguments", [(0,), (99,), (2, -1)])
def test_subset_refuses_impossible_counts(arguments):
    with pytest.raises(ValueError, match=r"per_value|content_free"):
        load_inventory().subset(*arguments)


def test_digest_follows_what_is_asked(load_text):
    first = load_text(GOOD)
    assert first.digest == load_text(GOOD).digest
    assert first.digest != load_text(GOOD.replace("lead", "rule")).digest
    assert first.digest != load_text(GOOD.replace("Power,1", "Power,-1").replace("Power,-1,S", "Power,1,S", 1)).digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("agreement", "sign"), "missing columns agreement"),
        (GOOD.replace("Power,1", "Power,2"), "line 2: agreement must be 1, -1 or 0, got '2'"),
        (GOOD.replace("Power,1", "Power,0.5"), "line 2: agreement"),
        (GOOD.replace("Power,1", "Power,inf"), "line 2: agreement"),
        (GOOD.replace("Power,1", "Power,"), "line 2: agreement"),
        (GOOD.replace("Power,1", "Power,0"), "line 2: a value goes with"),
        (GOOD.replace("Should I follow?", "  "), "line 3: the question is empty"),
        (HEADER + "q,a,Power,1\n", "line 2: the question is empty"),
        (HEADER + "q,c,,0,Is this a sentence?\n", "no item with agreement 1 or -1"),
        (HEADER, "no item"),
        ("", "not a readable CSV"),
        (b"\xff\xfe\x00\x01\x80PNG" * 50, "not a readable CSV|missing columns"),
        (GOOD + "q,d,Power,-1,Should I lead?\n", "both 1 and -1"),
    ],
)
def test_a_bad_file_is_refused(load_text, text, message):
    with pytest.raises(ValueError, match=message):
        load_text(text)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'portrat'.*portrait"):
        load_inventory("portrat")
    with pytest.raises(ValueError, match="portrait"):
        load_inventory(tmp_path)


def test_one_sign_is_warned_of_by_name(load_text):
    with pytest.warns(UserWarning, match="all items of Security have one sign"):
        load_text(GOOD + "q,d,Security,1,Should I lock the door?\n")


def test_a_question_of_two_values_is_kept_and_warned_of(load_text):
    with pytest.warns(UserWarning, match="belong to several values"):
        inventory = load_text(GOOD + "q,a,Benevolence,1,Should I lead?\nq,e,Benevolence,-1,Should I rest?\n")
    assert [i.value for i in inventory.items if i.question == "Should I lead?"] == ["Power", "Benevolence"]


def test_a_question_twice_for_one_value_is_warned_of(load_text):
    with pytest.warns(UserWarning, match="more than once for one value"):
        assert len(load_text(GOOD + "q,z,Power,1,Should I lead?\n").items) == 4


def test_ids_stay_unique_when_a_number_is_taken(load_text):
    rows = ["x (2),Power,1,A?", "x,Power,-1,B?", "x,Power,1,C?", "x,Power,-1,D?", "x (2),Power,1,E?"]
    inventory = load_text(HEADER + "".join(f"q,{row}\n" for row in rows))
    ids = [item.id for item in inventory.items]
    assert len(set(ids)) == 5
    assert ids[:2] == ["x (2)", "x"]


def test_more_cells_than_columns_do_not_shift_the_columns(load_text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        inventory = load_text(HEADER + "q,a,Power,1,Should I lead?,extra\nq,b,Power,-1,Should I follow?,extra\n")
    assert [item.value for item in inventory.items] == ["Power", "Power"]


def test_the_name_is_the_questionnaire_or_the_file(load_text):
    assert load_text(GOOD).name == "q"
    assert load_text(GOOD.replace("q,b", "r,b")).name == "own"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_valuebench_loads_whole(shared_data):
    inventory = load_inventory(shared_data / "valuebench" / "value_orientation.csv")
    assert len(inventory.items) == 1988
    assert Counter(item.keying for item in inventory.items) == {1: 1358, -1: 630}
    assert len({item.id for item in inventory.items}) == 1988
    assert len(inventory.values) == 224
    assert inventory.name == "value_orientation"


def test_valuebench_is_warned_of(shared_data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_inventory(shared_data / "valuebench" / "value_orientation.csv")
    text = " | ".join(str(w.message) for w in caught)
    assert "have one sign" in text and "several values" in text and "more than once for one value" in text
    assert all(w.filename == __file__ for w in caught)
