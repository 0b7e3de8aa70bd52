"""A run folder gives what memory gives, whatever interrupts it; a fault is named and leaves old answers alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="measuring runs a model")
pytest.importorskip("transformers", reason="measuring runs a model of transformers")

from pyvalue.errors import ModelError, StoreError  # noqa: E402
from pyvalue.measurement.api import measure  # noqa: E402
from pyvalue.measurement.design import Design  # noqa: E402
from pyvalue.measurement.inventory import Inventory  # noqa: E402
from pyvalue.measurement.personas import Persona, make_personas  # noqa: E402
from pyvalue.measurement.prompts import PromptStyle  # noqa: E402
from pyvalue.measurement.score_asking import ScoreAsker  # noqa: E402
from pyvalue.models.edits import Edit, span  # noqa: E402

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
    ask(tmp_path)
    network = copy.deepcopy(tiny_model.network)
    with torch.no_grad():
        network.lm_head.weight.mul_(1.01)
    with pytest.raises(StoreError, match=r"differs in: model\.weights"):
        ask(tmp_path, model=replace(tiny_model, network=network))


def other_tokenizer(model):
    tokenizer = copy.deepcopy(model.tokenizer)
    tokenizer.add_tokens(["neighbour"])
    return replace(model, tokenizer=tokenizer)


def other_rope(model):
    network = copy.deepcopy(model.network)
    network.config.rope_parameters["rope_theta"] = 99.0
    return replace(model, network=network)


def other_row(model):
    network = copy.deepcopy(model.network)
    with torch.no_grad():
        network.lm_head.weight[13].neg_()
    return replace(model, network=network)


def same_sum(model):
    network = copy.deepcopy(model.network)
    with torch.no_grad():
        network.lm_head.weight[[7, 13]] = network.lm_head.weight[[13, 7]].clone()
    return replace(model, network=network)


@pytest.mark.parametrize(
    ("changed", "named"),
    [(other_tokenizer, "tokenizer"), (other_rope, "config"), (other_row, "weights"), (same_sum, "weights")],
)
def test_a_model_that_answers_otherwise_is_another_study(ask, tiny_model, tmp_path, changed, named):
    ask(tmp_path)
    with pytest.raises(StoreError, match=rf"differs in: model\.{named}"):
        ask(tmp_path, model=changed(tiny_model))


def test_padding_asked_for_elsewhere_is_the_same_study(ask, tiny_model, tmp_path):
    ask(tmp_path)
    tiny_model.tokenizer(["a", "a b c"], padding=True)
    ask(tmp_path)


@pytest.mark.parametrize("mode", ["score", "generate"])
def test_a_block_of_edits_around_it_is_refused(ask, tiny_model, tiny_sae, mode):
    with tiny_model.edit([Edit(feature=1, strength=2.0, sae=tiny_sae)]):
        with pytest.raises(ModelError, match="not be on record"):
            ask(mode=mode)
        tiny_model.generate(["a"], max_new_tokens=1)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"min_mass": float("nan")}, "min_mass"), ({"min_mass": -3}, "min_mass"), ({"folder": ""}, "folder"),
     ({"edits": {1: []}}, "edits: expected labels"), ({"edits": {}}, "edits: expected at least one"),
     ({"temperature": 1.0}, "temperature: for written answers"), ({"mode": "yes"}, "mode: expected one of"),
     ({"mode": "free"}, "judge: expected a model"), ({"design": Design(repeats=2)}, "repeats: expected 1")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(ask, changes, named):
    with pytest.raises((ValueError, TypeError), match=named):
        ask(**changes)


def test_digests_tell_texts_apart_that_join_alike():
    assert PromptStyle("a", "x\ny", "{question}").digest != PromptStyle("a", "x", "y\n{question}").digest


def test_bad_arguments_are_refused(ask, tiny_sae):
    with pytest.raises(ValueError, match="'Ana' occurs more than once"):
        ask(personas=[Persona("Ana", "a"), Persona("Bo", "b"), Persona("Ana", "c")])
    with pytest.raises(ValueError, match="personas: expected at least one"):
        ask(personas=[])
    with pytest.raises(ValueError, match="label: expected a name"):
        ask(edits=[Edit(feature=1, strength=2.0, sae=tiny_sae)], label="")
