"""Personas are seeded, distinct, tell what they should, and come back from JSON as they went in."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyvalue.errors import StoreError
from pyvalue.measurement.persona_files import load_personas, save_personas
from pyvalue.measurement.persona_texts import ATTRIBUTES, distinct
from pyvalue.measurement.personas import NO_PERSONA, Attributes, Persona, make_personas, persona_table

PAPER = ("gender", "job", "mbti")


def test_a_seed_means_the_same_texts_in_every_version():
    first, second = make_personas(2, seed=0, include_none=False)
    assert first.name == "Mateo Novak"
    assert first.text == (
        "You are Mateo Novak, a 34-year-old man from Kenya, a banker. "
        "Your personality type is INTP; people call you curious and devout."
    )
    assert second.text == (
        "You are Tomas Novak, a 55-year-old man from Iran, a fisher. "
        "Your personality type is ESTJ; people call you loyal and anxious."
    )
    text = "\n".join(f"{p.name}\t{p.text}" for p in make_personas(400, seed=7))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "cbdb16646fc02fa3"


@pytest.mark.parametrize("form", [{}, {"attributes": PAPER}, {"text": "You are {age} and from {country}."}])
def test_the_first_personas_do_not_depend_on_the_count(form):
    assert make_personas(40, seed=3, **form)[:11] == make_personas(10, seed=3, **form)
    assert make_personas(10, seed=3, **form) != make_personas(10, seed=4, **form)


def test_names_are_unique_and_texts_name_the_person():
    people = make_personas(300, seed=1, include_none=False)
    assert len({p.name for p in people}) == 300
    assert all(p.text.startswith(f"You are {p.name}, a ") for p in people)
    assert not any("{" in p.text or "  " in p.text for p in people)


def test_no_persona_comes_first_or_not_at_all():
    assert make_personas(2)[0] == NO_PERSONA
    assert make_personas(0) == (NO_PERSONA,)
    assert NO_PERSONA not in make_personas(2, include_none=False)


@pytest.mark.parametrize("count", [-1, 10**9])
def test_impossible_counts_are_refused(count):
    with pytest.raises(ValueError, match="count: expected 0 to"):
        make_personas(count)


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (PAPER, "You are a man, a banker. Your personality type is INTP."),
        (("mbti", "job", "gender"), "You are a man, a banker. Your personality type is INTP."),
        (("age", "country"), "You are a 34-year-old person from Kenya."),
        ("traits", "People call you curious and devout."),
        (("traits", "mbti"), "Your personality type is INTP; people call you curious and devout."),
        (("job",), "You are a banker."),
        (("name",), "You are Mateo Novak."),
        (ATTRIBUTES, make_personas(1, include_none=False)[0].text),
    ],
)
def test_what_is_told_is_chosen(told, text):
    (persona,) = make_personas(1, include_none=False, attributes=told)
    assert persona.text == text
    assert persona.name == "Mateo Novak"
    assert set(persona.attributes) == set(
        ATTRIBUTES if told == ATTRIBUTES else [told] if told == "traits" else told
    ) - {"name"}


def test_an_engineer_has_an():
    people = make_personas(300, include_none=False, attributes=["job", "country"])
    assert any("an engineer." in p.text for p in people) and not any(" a e" in p.text for p in people)


def test_a_text_of_ones_own_is_filled_and_its_attributes_are_known():
    text = "{name} ({age}) is a {job} {{really}}, {traits}. {name}!"
    (persona,) = make_personas(1, include_none=False, text=text)
    assert persona.text == "Mateo Novak (34) is a banker {really}, curious and devout. Mateo Novak!"
    assert dict(persona.attributes) == {"age": 34, "job": "banker", "traits": ("curious", "devout")}


@pytest.mark.parametrize("form", [{"attributes": ("gender", "mbti")}, {"text": "MBTI: {mbti}, a {gender}."}])
def test_no_two_personas_are_told_the_same(form):
    people = make_personas(32, include_none=False, **form)
    assert len({p.text for p in people}) == len({p.name for p in people}) == 32
    with pytest.raises(ValueError, match=r"expected 0 to 32 .*gender, mbti"):
        make_personas(33, **form)


def test_all_distinct_personas_can_be_drawn():
    assert distinct(ATTRIBUTES) == distinct(["name"]) == 1040
    assert len(make_personas(1040, include_none=False)) == 1040
    assert len(make_personas(1, include_none=False, text="You are someone.")) == 1
    with pytest.raises(ValueError, match=r"expected 0 to 1 .*no attribute"):
        make_personas(2, text="You are someone.")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"attributes": ["gender", "shoes"]}, r"attributes: expected some of name, age.*got gender, shoes"),
        ({"attributes": []}, "attributes: .*got none"),
        ({"attributes": ["job"], "text": "{job}"}, "expected one of them, got both"),
        ({"text": " "}, "text: .*an empty one"),
        ({"text": "You are {"}, "text: expected a text with some of {name}, .*write {{ for a brace"),
        ({"text": "You are {}"}, r"text: .*got \{\}"),
        ({"text": "You are {0}"}, r"text: .*got \{0\}"),
        ({"text": "You are {shoes}"}, r"text: .*got \{shoes\}"),
        ({"text": "{name.__class__}"}, r"text: .*got \{name.__class__\}"),
        ({"text": "{traits[0]}"}, "text"),
        ({"text": "{age:>9999999999}"}, r"text: .*got \{age:>9999999999\}"),
        ({"text": "{name!r}"}, r"text: .*got \{name!r\}"),
    ],
)
def test_impossible_forms_are_refused(form, message):
    with pytest.raises(ValueError, match=message):
        make_personas(1, **form)


words = st.text(min_size=1, max_size=15)
finite = st.floats(allow_nan=False, allow_infinity=False)
known = st.dictionaries(
    words, st.one_of(st.text(), st.integers(), st.booleans(), finite, st.tuples(words, words)), max_size=4
)


@given(st.lists(st.builds(Persona, words, st.text(), known), min_size=1, max_size=5, unique_by=lambda p: p.name))
@settings(max_examples=150, deadline=None)
def test_what_is_saved_comes_back(tmp_path_factory, people):
    path = tmp_path_factory.getbasetemp() / "people.json"
    save_personas(people, path)
    again = load_personas(path)
    assert list(again) == people
    assert [[*map(type, p.attributes.values())] for p in again] == [[*map(type, p.attributes.values())] for p in people]


def test_made_personas_come_back(tmp_path):
    for form in ({}, {"attributes": PAPER}, {"attributes": ["name"]}):
        people = make_personas(5, seed=2, **form)
        save_personas(people, tmp_path / "people.json")
        assert load_personas(tmp_path / "people.json") == people


def test_saving_loses_no_persona_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "people.json"
    save_personas(make_personas(1), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="'Ana' occurs more than once"):
        save_personas([Persona("Ana", "a"), Persona("Ana", "b")], path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["people.json"]
    with pytest.raises(StoreError, match="cannot write"):
        save_personas(make_personas(1), tmp_path / "nowhere" / "people.json")


def test_the_papers_format_is_read(tmp_path):
    entries = {"Ana": {"bio3": "c", "bio2": "a"}, "Bo": {"mini_trait": "b", "bio3": "d"}, "Cy": "plain"}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(entries))
    assert {p.name: p.text for p in load_personas(path)} == {"Ana": "a", "Bo": "b", "Cy": "plain"}
    with pytest.raises(ValueError, match="'Cy' has no text; expected an object with a string bio3"):
        load_personas(path, key="bio3")
    path.write_text(json.dumps({name: entry for name, entry in entries.items() if name != "Cy"}))
    assert {p.name: p.text for p in load_personas(path, key="bio3")} == {"Ana": "c", "Bo": "d"}


@pytest.mark.parametrize("key", ["bio2", "bio3", "mini_trait"])
def test_the_papers_players_are_read(shared_data, key):
    path = shared_data / "paper" / "players25.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    people = load_personas(path, key=key)
    assert [(p.name, p.text) for p in people] == [(name, entry[key]) for name, entry in entries.items()]
    assert len(people) == 25


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "expected a JSON object"),
        ("{}", "expected a JSON object"),
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"Ana": {"age": 3}}', "'Ana' has no text"),
        ('{"Ana": 3}', "'Ana' has no text"),
        ('{"Ana": {"text": 3}}', "'Ana' has no text"),
        ('{"Ana": "a", "Bo": "b", "Ana": "c"}', "the name 'Ana' occurs more than once"),
        ('{"Ana": {"text": "a", "text": "b"}}', "the name 'text' occurs more than once"),
        ('{"Ana": {"text": "a", "attributes": [3]}}', r"'Ana': attributes must be an object, got \[3\]"),
        ('{"Ana": {"text": "a", "attributes": {"age": null}}}', "'Ana': attributes: age must be a text, a number"),
        ('{"Ana": {"text": "a", "attributes": {"age": NaN}}}', "'Ana': attributes: age must be finite"),
        ('{"Ana": {"text": "a", "attributes": {"traits": ["a", 3]}}}', "'Ana': attributes: traits must be"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path, content, message):
    path = tmp_path / "people.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load_personas(path)


def test_a_missing_file_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json"):
        load_personas(tmp_path / "none.json")


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    (tmp_path / "p.json").write_bytes(b'\xef\xbb\xbf{"Ana": "a"}')
    assert load_personas(tmp_path / "p.json") == (Persona("Ana", "a"),)


def test_attributes_cannot_be_changed_and_have_a_hash():
    given_attributes = {"age": 3, "traits": ["a", "b"]}
    persona = Persona("Ana", "text", given_attributes)
    given_attributes["age"] = 4
    assert persona.attributes == {"age": 3, "traits": ("a", "b")}
    assert hash(persona) == hash(Persona("Ana", "text", {"traits": ("a", "b"), "age": 3}))
    assert persona != Persona("Ana", "text")
    with pytest.raises(TypeError):
        persona.attributes["age"] = 4
    with pytest.raises(AttributeError):
        persona.attributes._pairs = ()
    assert pickle.loads(pickle.dumps(persona)) == copy.deepcopy(persona) == persona
    assert eval(repr(persona), {"Persona": Persona, "Attributes": Attributes}) == persona


@pytest.mark.parametrize(
    "arguments", [("Ana", None), (3, "a"), ("Ana", "a", {"x": object()}), ("Ana", "a", {"x": [3]})]
)
def test_a_persona_of_the_wrong_type_is_refused(arguments):
    with pytest.raises(TypeError, match=r"expected a text|must be a text"):
        Persona(*arguments)


def test_the_table_has_a_row_a_persona_and_what_is_known_of_them():
    people = [NO_PERSONA, *make_personas(20, seed=5, include_none=False), Persona("Ana", "a", {"shoes": 39})]
    table = persona_table(people)
    assert table["persona"].tolist() == [p.name for p in people]
    assert list(table.columns) == ["persona", "age", "gender", "country", "job", "mbti", "traits", "shoes"]
    for row, person in zip(table.to_dict("records"), people, strict=True):
        for name in table.columns[1:]:
            expected = person.attributes.get(name)
            expected = ", ".join(expected) if isinstance(expected, tuple) else expected
            assert pd.isna(row[name]) if expected is None else row[name] == expected
    assert np.all(table["traits"].iloc[1:-1].str.get_dummies(", ").sum(axis=1) == 2)


def test_the_table_of_nobody_and_of_a_bad_name():
    assert list(persona_table([]).columns) == ["persona"]
    with pytest.raises(ValueError, match="'persona', the name of the first column"):
        persona_table([Persona("Ana", "a", {"persona": "x"})])


def test_an_unknown_key_and_twins_are_named(tmp_path):
    path = tmp_path / "people.json"
    path.write_text('{"Ana": {"text": "You are Ana.", "job": "nurse"}}')
    with pytest.raises(ValueError, match=r"'Ana': unknown key 'job'.*attributes"):
        load_personas(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="got an empty one"):
        load_personas(path)
    path.write_text('{"Ana": "You are kind.", "Bo": "You are kind."}')
    with pytest.warns(UserWarning, match="'Bo' that of 'Ana'"):
        assert len(load_personas(path)) == 2
