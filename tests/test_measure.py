"""A run folder gives what memory gives, whatever interrupts it; a fault is named and leaves old answers alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="measuring runs a model")
pytest.importorskip("transformers", reason="measuring runs a model of transformers")

from pyvalue.errors import StoreError
from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona, make_personas
from pyvalue.measurement.score_asking import ScoreAsker
from pyvalue.models.edits import Edit, span

PEOPLE = make_personas(5, seed=1)


@pytest.fixture
def ask(tiny_model, small_inventory):
    def run(folder=None, **changes):
        arguments = {"model": tiny_model, "inventory": small_inventory, "personas": PEOPLE, "min_mass": 0.0, **changes}
        return measure(**arguments, folder=folder, progress=False)

    return run


def parts(folder):
    return sorted((folder / "responses").glob("part-*.parquet"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_folder_gives_the_same_table_as_memory(ask, tmp_path):
    in_memory, stored, again = ask(), ask(tmp_path / "run"), ask(tmp_path / "run")
    pd.testing.assert_frame_equal(stored.table, in_memory.table, check_exact=True)
    pd.testing.assert_frame_equal(again.table, in_memory.table, check_exact=True)
    assert stored.facts == again.facts == in_memory.facts


def test_answers_stand_in_the_order_of_personas_and_items(ask, small_inventory):
    table = ask().table
    expected = [(person.name, item.id) for person in PEOPLE for item in small_inventory.items]
    assert list(zip(table["persona"], table["item"], strict=True)) == expected
    assert table["status"].isin(["yes", "no"]).all()
    keyed = table[table["keying"] != 0]
    np.testing.assert_allclose(keyed["score"], keyed["keying"] * (2 * keyed["p_yes"] - 1), atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_does_not_matter(ask, batch_size):
    np.testing.assert_allclose(ask(batch_size=batch_size).table["p_yes"], ask().table["p_yes"], rtol=0, atol=1e-5)


def test_a_low_mass_is_invalid_and_missing_not_zero(ask):
    mass = ask().table["mass"]
    table = ask(min_mass=float(mass.median())).table
    low = table["mass"] < mass.median()
    assert 0 < low.sum() < len(table)
    assert ((table["status"] == "invalid") == low).all()
    assert table.loc[low, ["p_yes", "score"]].isna().all(axis=None)
    assert table.loc[~low, "p_yes"].notna().all()


def test_nothing_is_asked_twice(ask, tmp_path, monkeypatch):
    ask(tmp_path)
    parts(tmp_path)[3].unlink()
    before = contents(tmp_path / "responses")
    asked, real = [], ScoreAsker.ask
    monkeypatch.setattr(ScoreAsker, "ask", lambda *arguments: asked.append(arguments[1]) or real(*arguments))
    ask(tmp_path)
    assert asked == [PEOPLE[3]]
    assert before.items() <= contents(tmp_path / "responses").items()


def test_an_interrupt_leaves_a_folder_that_resumes(ask, tmp_path, monkeypatch):
    real, calls = ScoreAsker.ask, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ScoreAsker, "ask", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(tmp_path)
    assert len(parts(tmp_path)) == 3
    pd.testing.assert_frame_equal(ask(tmp_path).table, ask().table, check_exact=True)


def test_a_folder_of_another_study_is_refused_by_what_differs(ask, tiny_model, tiny_sae, small_inventory, tmp_path):
    ask(tmp_path)
    before = contents(tmp_path)
    edit = Edit(feature=1, strength=2.0, positions=span("your values"), sae=tiny_sae)
    smaller = Inventory("small", small_inventory.items[1:])
    for changes, named in [
        ({"personas": PEOPLE[:3]}, "personas.count, personas.digest"),
        ({"inventory": smaller}, "inventory.digest, inventory.items"),
        ({"edits": [edit]}, "configurations"),
        ({"min_mass": 0.5}, "min_mass"),
        ({"model": replace(tiny_model, name="other")}, "model.name"),
    ]:
        with pytest.raises(StoreError, match=rf"another study \(differs in: {named}\)"):
            ask(tmp_path, **changes)
    assert contents(tmp_path) == before


def test_other_weights_under_the_same_name_are_another_study(ask, tiny_model, tmp_path):
    import copy

    import torch

    ask(tmp_path)
    network = copy.deepcopy(tiny_model.network)
    with torch.no_grad():
        network.lm_head.weight.mul_(1.01)
    with pytest.raises(StoreError, match=r"differs in: model\.weights"):
        ask(tmp_path, model=replace(tiny_model, network=network))


def test_bad_arguments_are_refused(ask, tiny_sae):
    with pytest.raises(ValueError, match="'Ana' occurs more than once"):
        ask(personas=[Persona("Ana", "a"), Persona("Bo", "b"), Persona("Ana", "c")])
    with pytest.raises(ValueError, match="personas: expected at least one"):
        ask(personas=[])
    with pytest.raises(ValueError, match="label: expected a name"):
        ask(edits=[Edit(feature=1, strength=2.0, sae=tiny_sae)], label="")
