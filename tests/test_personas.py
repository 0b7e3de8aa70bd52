"""Personas are seeded, distinct, and come back from JSON as they went in."""

from __future__ import annotations

import json

import pytest

from pyvalue.measurement.personas import NO_PERSONA, load_personas, make_personas, save_personas


def test_the_first_personas_do_not_depend_on_the_count():
    assert make_personas(40, seed=3)[:11] == make_personas(10, seed=3)
    assert make_personas(10, seed=3) != make_personas(10, seed=4)


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


def test_json_gives_the_personas_back(tmp_path):
    people = make_personas(5, seed=2)
    save_personas(people, tmp_path / "people.json")
    assert load_personas(tmp_path / "people.json") == people


def test_the_papers_format_is_read(tmp_path):
    entries = {"Ana": {"bio3": "c", "bio2": "a"}, "Bo": {"mini_trait": "b", "bio3": "c"}, "Cy": "plain"}
    (tmp_path / "p.json").write_text(json.dumps(entries))
    found = {person.name: person.text for person in load_personas(tmp_path / "p.json")}
    assert found == {"Ana": "a", "Bo": "b", "Cy": "plain"}


def test_the_papers_players_are_read(shared_data):
    people = load_personas(shared_data / "paper" / "players25.json")
    assert len(people) == 25
    assert all(person.text for person in people)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "expected a JSON object"),
        ("{}", "expected a JSON object"),
        ("{", "cannot be read as JSON"),
        ('{"Ana": {"age": 3}}', "'Ana' has no text"),
        ('{"Ana": 3}', "'Ana' has no text"),
    ],
)
def test_bad_files_are_refused(tmp_path, content, message):
    path = tmp_path / "people.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        load_personas(path)


def test_a_missing_file_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json"):
        load_personas(tmp_path / "none.json")
