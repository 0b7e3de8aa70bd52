"""The bundled inventories are balanced, parts stay so, files come back, and a bad one is refused with its line."""

from __future__ import annotations

import csv
import itertools
import os
import re
import tomllib
import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.errors import StoreError
from pyvalue.measurement.inventory import BUNDLED, Inventory, load_inventory
from pyvalue.measurement.inventory_checks import words_of
from pyvalue.measurement.items import Item

HEADER = "questionnaire,item,value,agreement,question\n"
GOOD = HEADER + 'q,a,Power,1,"Should I lead?"\nq,b,Power,-1,Should I follow?\nq,c,,0,Is this a sentence?\n'
TOML = """
name = "q"
[[items]]
id = "a"
value = "Power"
keying = 1
question = "Should I lead?"
paraphrases = ["Ought I to lead?"]
[[items]]
id = "c"
keying = 0
kind = "nonsense"
question = "Should I wug?"
"""
#: how the question and its three paraphrases begin in the bundled inventories
OPENINGS = ("Should I", "Would it be good for me to", "Would you advise me to", "Do you think I ought to")
# Two items of a value are warned of in almost every file here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fewer than 3 items")


@pytest.fixture
def load_text(tmp_path):
    def load(text: str | bytes, name: str = "own.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_inventory(tmp_path / name)

    return load


def signs(inventory) -> dict[str, Counter]:
    found: dict[str, Counter] = {}
    for item in inventory.items:
        if item.keying:
            found.setdefault(item.value, Counter())[item.keying] += 1
    return found


@pytest.mark.parametrize(("name", "values"), [("portrait", 10), ("seventeen", 17)])
def test_a_bundled_inventory_has_eight_items_a_value_half_of_each_sign(name, values):
    found = signs(load_inventory(name))
    assert len(found) == values
    assert all(count == {1: 4, -1: 4} for count in found.values())


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_inventory_has_three_paraphrases_an_item_and_no_sentence_twice(name):
    inventory = load_inventory(name)
    texts = [text for item in inventory.items for text in item.wordings]
    assert all(len(item.paraphrases) == 3 for item in inventory.items)
    assert len({words_of(text) for text in texts}) == len(texts)
    assert all(re.fullmatch(r"[A-Z][A-Za-z',-]*( [A-Za-z'-]+,?)+\?", text) for text in texts)
    kinds = Counter(item.kind for item in inventory.items)
    assert kinds["content-free"] >= 8 and kinds["nonsense"] >= 8


def test_the_bundled_inventories_share_no_sentence_with_each_other_or_with_valuebench(shared_data):
    with open(shared_data / "valuebench" / "value_orientation.csv", newline="", encoding="utf-8") as file:
        theirs = {words_of(row[column]) for row in csv.DictReader(file) for column in ("item", "question")}
    ours = [words_of(text) for name in BUNDLED for item in load_inventory(name).items for text in item.wordings]
    assert len(set(ours)) == len(ours)
    assert not theirs & set(ours)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_paraphrase_has_other_words(name):
    for item in load_inventory(name).items:
        words = [set(words_of(text).split()) for text in item.wordings]
        alike = [len(a & b) / len(a | b) for i, a in enumerate(words) for b in words[:i]]
        assert max(alike) < 0.7, item


@pytest.mark.parametrize("name", BUNDLED)
def test_the_way_a_question_begins_tells_its_wording_and_neither_value_nor_sign(name):
    for item in load_inventory(name).items:
        assert all(text.startswith(f"{begin} ") for begin, text in zip(OPENINGS, item.wordings, strict=True)), item


@pytest.mark.parametrize("name", BUNDLED)
def test_a_question_holds_none_of_its_answers(name):
    for item in load_inventory(name).items:
        for text in item.wordings:
            assert not re.search(r"\byes\b|\b(?:say|answer)(?:ing)? no\b|\bunsure\b", text, re.IGNORECASE), text


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_inventory_raises_no_warning_and_passes_its_own_check(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = load_inventory(name).check()
    assert (table["remarks"] == "").all() and (table["wordings"] == 4).all()


def test_seventeen_asks_about_the_papers_values(shared_data):
    answers = (shared_data / "paper" / "ans_gemma_train_formal.csv").open(encoding="utf-8").readline()
    values = load_inventory("seventeen").values
    assert len(values) == 17 and all(value in answers for value in values)


@pytest.mark.parametrize("per_value", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_subset_is_balanced_and_in_file_order(per_value, seed):
    whole = load_inventory()
    part = whole.subset(per_value, content_free=3, seed=seed)
    assert all(sum(c.values()) == per_value and abs(c[1] - c[-1]) <= 1 for c in signs(part).values())
    assert len(part.content_free) == 3
    assert [i for i in whole.items if i in set(part.items)] == list(part.items)


def test_subset_depends_on_the_seed_alone():
    whole = load_inventory()
    assert whole.subset(4, seed=5) == whole.subset(4, seed=5)
    assert whole.subset(4, seed=5) != whole.subset(4, seed=6)


@pytest.mark.parametrize(("name", "per_value"), [("portrait", 1), ("portrait", 3), ("seventeen", 1), ("seventeen", 5)])
def test_the_spare_item_of_a_subset_alternates_in_sign_from_a_drawn_start(name, per_value):
    whole = load_inventory(name)
    starts = Counter()
    for seed in range(40):
        spare = [c[1] - c[-1] for c in signs(whole.subset(per_value, seed=seed)).values()]
        assert set(map(abs, spare)) == {1}
        assert all(a == -b for a, b in itertools.pairwise(spare))
        starts[spare[0]] += 1
    assert min(starts[1], starts[-1]) >= 10


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(any), min_size=1, max_size=8),
    st.integers(1, 8),
    st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_a_subset_is_as_balanced_as_its_items_allow(numbers, per_value, seed):
    items = [
        Item(f"{value} {sign} {k}", f"v{value}", sign, f"Is it {value} {sign} {k}?")
        for value, both in enumerate(numbers)
        for sign, count in zip((1, -1), both, strict=True)
        for k in range(count)
    ]
    whole = Inventory("q", tuple(items))
    if per_value > min(map(sum, numbers)):
        with pytest.raises(ValueError, match="fewer than the"):
            whole.subset(per_value, seed=seed)
        return
    found = signs(whole.subset(per_value, seed=seed))
    for value, (positive, negative) in enumerate(numbers):
        count = found[f"v{value}"]
        assert count.total() == per_value
        assert abs(count[1] - count[-1]) == max(per_value % 2, per_value - 2 * min(positive, negative))
    if all(min(both) > per_value // 2 for both in numbers):
        assert abs(sum(count[1] - count[-1] for count in found.values())) <= 1


@pytest.mark.parametrize(
    ("arguments", "fault", "message"),
    [
        ((0,), ValueError, "per_value: expected at least 1, got 0"),
        ((99,), ValueError, "per_value: Self-Direction has 8 items, fewer than the 99"),
        ((2, -1), ValueError, "content_free: expected at least 0, got -1"),
        ((2, 1, -1), ValueError, "seed: expected at least 0, got -1"),
        ((1.5,), TypeError, "per_value: expected an integer, got 1.5"),
        (("2",), TypeError, "per_value: expected an integer, got '2'"),
        ((True,), TypeError, "per_value: expected an integer, got True"),
        ((2, 1.5), TypeError, "content_free: expected an integer, got 1.5"),
        ((2, 1, None), TypeError, "seed: expected an integer, got None"),
    ],
)
def test_subset_refuses_impossible_counts(arguments, fault, message):
    with pytest.raises(fault, match=message):
        load_inventory().subset(*arguments)


def test_a_whole_number_of_numpy_is_a_count():
    whole = load_inventory()
    assert whole.subset(np.int64(2), np.int64(3), np.int64(4)) == whole.subset(2, 3, 4)


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
        (b"\x89PNG\x80" * 50, "line 1: not UTF-8 text"),
        (
            GOOD.encode() + "q,d,Power,1,Should I rule in K\xf6ln?".encode("latin-1"),
            "line 5: not UTF-8 .* save the file as",
        ),
        (GOOD.encode("utf-16") + b"\x00", "not UTF-16 text"),
        (GOOD.replace(",", ";"), "separated by semicolons; save the file with commas"),
        (GOOD.replace(",", "\t"), "separated by tabs"),
        (GOOD.replace("item,", "item,value,", 1), "column 'value' occurs more than once"),
        (GOOD.replace("question\n", "question,paraphrase_10\n"), "unknown column 'paraphrase_10'"),
        (GOOD + "q,d,Power,1,Should I, of all, lead?\n", "line 5: has 7 cells, the header 5; put"),
        (GOOD + '\nq,d,Power,1,"Should I\nrule?"\nq,e,Power,3,Why?\n', "line 8: agreement must be"),
        (GOOD + 'q,d,Power,1,"Should I" rule?\n', "line 5: not a readable CSV"),
        (HEADER.replace("value", "kind,value") + "q,a,content-free,Power,1,Should I lead?\n", "line 2: kind must be"),
        (HEADER.replace("value", "kind,value") + "q,a,odd,,0,Should I lead?\n", "line 2: kind must be .* got 'odd'"),
        (HEADER.replace("value", "kind,value") + "q,a,keyed,,0,Should I lead?\n", "line 2: kind must be"),
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


def test_the_name_is_the_questionnaire_or_the_file(load_text):
    assert load_text(GOOD).name == "q"
    assert load_text(GOOD.replace("q,b", "r,b")).name == "own"


def test_a_file_from_a_spreadsheet_is_read(load_text):
    plain = load_text(GOOD)
    assert load_text("\ufeff" + GOOD.replace("\n", "\r\n") + ",,,,\r\n") == plain
    assert load_text(GOOD.encode("utf-16")) == plain
    assert load_text(GOOD.replace("question\n", "question , note\n")) == plain


def test_paraphrases_and_kinds_are_read_from_csv_and_toml_alike(load_text):
    text = HEADER.replace("question\n", "question,paraphrase_1,paraphrase_2,kind\n")
    rows = "q,a,Power,1,Should I lead?,Ought I to lead?,,\nq,c,,0,Should I wug?,,,nonsense\n"
    with pytest.warns(UserWarning, match="one sign"):
        from_csv, from_toml = load_text(text + rows), load_text(TOML, "own.toml")
    assert from_csv == from_toml
    assert from_toml.items[0].wordings == ("Should I lead?", "Ought I to lead?")
    assert [item.kind for item in from_toml.items] == ["keyed", "nonsense"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("keying = 1", "keying = 2", "item 1: keying must be 1, -1 or 0, got 2"),
        ("keying = 1", "keying = true", "item 1: keying must be"),
        ("keying = 0", "keying = -1", "item 2: a value goes with"),
        ('value = "Power"', "value = 3", "item 1: value must be a text, got 3"),
        ('["Ought I to lead?"]', '"Ought I to lead?"', "item 1: paraphrases must be a list of texts"),
        ('["Ought I to lead?"]', '["Ought I to lead?", " "]', "item 1: question, paraphrases: .* empty one"),
        ('"Should I wug?"', '" "', "item 2: the question is empty"),
        ('id = "c"', 'id = "a"', "item 2: has the id 'a' of item 1"),
        ('id = "c"', "", "item 2: missing key 'id'"),
        ("keying = 0", "keying = 0\nagreement = 0", "item 2: unknown key 'agreement'"),
        ('name = "q"', "name = 1", "expected a text 'name'"),
        ('name = "q"', 'title = "q"', "expected a text 'name' and .*items.*, got title"),
        ("[[items]]", "[items]", "not a readable TOML|expected a text 'name'"),
        ('"nonsense"', '"odd"', "item 2: kind must be"),
        ('"Power"', '"Power', r"not a readable TOML file .*line"),
    ],
)
def test_a_bad_toml_file_is_refused_with_the_number_of_the_item(load_text, old, new, message):
    assert old in TOML
    with pytest.raises(ValueError, match=message):
        load_text(TOML.replace(old, new), "own.toml")


words = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() == text)


@st.composite
def inventories(draw) -> Inventory:
    count = draw(st.integers(1, 5))
    ids = draw(st.lists(words, min_size=count, max_size=count, unique=True))
    questions = draw(st.lists(words, min_size=count, max_size=count, unique_by=words_of))
    items = []
    for number, (name, question) in enumerate(zip(ids, questions, strict=True)):
        keying = draw(st.sampled_from([-1, 1] if number == 0 else [-1, 0, 1]))
        value = draw(words) if keying else ""
        paraphrases = tuple(draw(st.lists(words, max_size=9)))
        items.append(Item(name, value, keying, question, paraphrases, not keying and draw(st.booleans())))
    return Inventory(draw(words), tuple(items))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("ending", [".csv", ".toml"])
@given(inventory=inventories())
@settings(max_examples=150, deadline=None)
def test_what_is_saved_comes_back(ending, inventory, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"saved{ending}"
    inventory.save(path)
    assert load_inventory(path) == inventory


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_inventory_comes_back_and_toml_reads_it_as_tables(name, tmp_path):
    whole = load_inventory(name)
    for ending in ("csv", "toml"):
        whole.save(tmp_path / f"own.{ending}")
        assert load_inventory(tmp_path / f"own.{ending}") == whole
    tables = tomllib.loads((tmp_path / "own.toml").read_text(encoding="utf-8"))["items"]
    assert [table["paraphrases"] for table in tables] == [list(item.paraphrases) for item in whole.items]


def test_saving_refuses_what_it_cannot_hold_and_leaves_the_old_file(tmp_path):
    item = Item("a", "Power", 1, "Should I lead?", tuple(f"Paraphrase {i}?" for i in range(10)))
    with pytest.raises(ValueError, match=r"9 paraphrases an item, got 10; save as \.toml"):
        Inventory("q", (item,)).save(tmp_path / "own.csv")
    with pytest.raises(ValueError, match=r"ending in \.csv or \.toml"):
        Inventory("q", (item,)).save(tmp_path / "own.xlsx")
    with pytest.raises(StoreError, match="cannot write"):
        Inventory("q", (item,)).save(tmp_path / "nowhere" / "own.toml")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "fault", "message"),
    [
        (("a", "Power", 2, "Why?"), ValueError, "keying"),
        (("a", "", 1, "Why?"), ValueError, "value"),
        (("a", "Power", 0, "Why?"), ValueError, "value"),
        (("a", "Power", 1, " "), ValueError, "question"),
        ((" ", "Power", 1, "Why?"), ValueError, "id"),
        (("a", "Power", 1, None), TypeError, "question"),
        (("a", "Power", 1, "Why?", "How?"), TypeError, "paraphrases"),
        (("a", "Power", 1, "Why?", (), True), ValueError, "nonsense"),
    ],
)
def test_an_impossible_item_is_refused(arguments, fault, message):
    with pytest.raises(fault, match=message):
        Item(*arguments)


def test_an_inventory_has_a_name_and_unique_ids():
    item = Item("a", "Power", 1, "Why?")
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        Inventory("q", (item, item))
    with pytest.raises(ValueError, match="name"):
        Inventory(" ", (item,))


def test_only_keeps_the_values_in_file_order_and_all_items_without_one():
    whole = load_inventory()
    part = whole.only(["Tradition", "Power"])
    assert part.values == ("Power", "Tradition")
    assert part.content_free == whole.content_free
    assert len(part.items) == 16 + len(whole.content_free)
    assert whole.only("Power").values == ("Power",)


def test_only_names_the_nearest_of_an_unknown_value():
    with pytest.raises(ValueError, match="nothing about 'Hedonsim'; it has for example 'Hedonism'"):
        load_inventory().only("Hedonsim")
    with pytest.raises(ValueError, match="at least one"):
        load_inventory().only(())


def test_check_counts_and_remarks():
    items = (
        Item("a", "Power", 1, "Should I lead?", ("Should I lead", "Ought I to rule?")),
        Item("b", "Power", -1, "Should I follow?"),
        Item("c", "Power", 1, "Should I rule?", ("Should I follow!", "Ought I?")),
        Item("d", "power", 1, "Ought I to rule?"),
        Item("e", "Thrift", 1, "Should I save?"),
        Item("f", "Thrift", 1, "Should I SAVE?"),
        Item("g", "Thrift", 1, "Should I spend little?"),
        Item("h", "Thrift", -1, "Should I lead?"),
        Item("w", "", 0, "Should I wug?", nonsense=True),
    )
    table = Inventory("q", items).check().set_index("value")
    assert list(table.index) == ["Power", "power", "Thrift", "nonsense"]
    assert table.loc["Power"].tolist()[:4] == [3, 2, 1, 1]
    remarks = {value: set(text.split("; ")) for value, text in table["remarks"].items()}
    assert remarks == {
        "Power": {
            "another value has this name in other letters",
            "shares a question with another value",
            "a paraphrase repeats",
            "a paraphrase is another item's wording",
        },
        "power": {"one sign only", "fewer than 3 items", "another value has this name in other letters"},
        "Thrift": {"unequal keying", "a question counts twice", "shares a question with another value"},
        "nonsense": {""},
    }


def test_every_finding_is_warned_of_once_and_names_the_value(load_text):
    text = HEADER.replace("question\n", "question,paraphrase_1,paraphrase_2\n")
    lines = [
        f"q,{v}{k},Value {v},1,Should I {v} {k}?,Ought I to {v} {k}?,Ought I to {v} {k}!"
        for v in range(9)
        for k in "ab"
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_text(text + "\n".join(lines))
    said = [str(w.message) for w in caught]
    assert [part in text for part, text in zip(("one sign", "fewer than", "twice"), said, strict=True)] == [True] * 3
    assert all("Value 0, Value 1, Value 2, Value 3, Value 4 and 4 more" in text for text in said)


def test_a_questionnaire_of_many_is_taken_with_the_ids_of_the_whole(tmp_path):
    text = GOOD + "r,a,Power,1,Should I rule?\nr,z,Power,-1,Should I obey?\ns,y,Power,1,Should I win?\n"
    path = tmp_path / "own.csv"
    path.write_text(text)
    assert load_inventory(path, questionnaire="r").name == "r"
    assert [item.id for item in load_inventory(path, questionnaire="r").items] == ["a (2)", "z"]
    both = load_inventory(path, questionnaire=("r", "q"))
    assert both.name == "own" and [item.id for item in both.items] == ["a", "b", "c", "a (2)", "z"]
    with pytest.raises(ValueError, match=r"expected some of 'q', 'r', 's' of own\.csv, got 'R'"):
        load_inventory(path, questionnaire="R")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_valuebench_loads_whole(shared_data):
    inventory = load_inventory(shared_data / "valuebench" / "value_orientation.csv")
    assert len(inventory.items) == 1988
    assert Counter(item.keying for item in inventory.items) == {1: 1358, -1: 630}
    assert len({item.id for item in inventory.items}) == 1988
    assert len(inventory.values) == 224
    assert inventory.name == "value_orientation"
    table = inventory.check()
    assert table["items"].sum() == 1988 and len(table) == 224


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_valuebench_is_the_sum_of_its_questionnaires(shared_data):
    path = shared_data / "valuebench" / "value_orientation.csv"
    with open(path, newline="", encoding="utf-8") as file:
        counts = Counter(row["questionnaire"] for row in csv.DictReader(file))
    assert len(counts) == 36
    parts = {name: load_inventory(path, questionnaire=name) for name in counts}
    assert {name: len(part.items) for name, part in parts.items()} == counts
    assert {i.id for part in parts.values() for i in part.items} == {i.id for i in load_inventory(path).items}
    paper = load_inventory("seventeen").values
    assert load_inventory(path).only(paper).check()["value"].isin(paper).sum() == 17


def test_valuebench_is_warned_of(shared_data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_inventory(shared_data / "valuebench" / "value_orientation.csv")
    text = " | ".join(str(w.message) for w in caught)
    assert len(caught) == 6
    assert "have one sign" in text and "several values" in text and "more than once for one value" in text
    assert all(w.filename == __file__ for w in caught)
