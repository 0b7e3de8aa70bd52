"""Baselines against a difference of means by hand, transformers' hidden states, and norms as they are felt."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
pytest.importorskip("transformers", reason="runs a model of transformers")

import pyvalue as pv  # noqa: E402
from pyvalue.edit_changes import paired_changes  # noqa: E402
from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.personas import NO_PERSONA, Persona, make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.models.edits import Edit, indices  # noqa: E402
from pyvalue.schwartz_circle import CIRCLE  # noqa: E402
from pyvalue.steering.baselines import measure_steering, steering_baselines  # noqa: E402
from pyvalue.steering.baselines_directions import (  # noqa: E402
    as_large,
    change_norm,
    difference_of_means,
    last_residuals,
)
from pyvalue.steering.baselines_prompts import in_the_role_of, instruction_sentence, role_sentence, told  # noqa: E402

PEOPLE = make_personas(2, seed=1)


def hidden(model, text, layer):
    ids = torch.tensor([model.tokenizer(text, add_special_tokens=False).input_ids])
    with torch.inference_mode():
        return model.network(ids, output_hidden_states=True).hidden_states[layer + 1][0]


@pytest.mark.parametrize("batch_size", [1, 16])
def test_residuals_are_transformers_hidden_states(tiny_model, batch_size):
    texts = ["Should I rest?", "No", "Is it a mistake to follow the rules, even when nobody is watching?"]
    found = last_residuals(tiny_model, texts, 1, batch_size=batch_size)
    expected = torch.stack([hidden(tiny_model, text, 1)[-1] for text in texts])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    before = last_residuals(tiny_model, texts, 2, "resid_pre")
    np.testing.assert_allclose(before, expected, rtol=1e-3, atol=1e-4)


def test_difference_of_means_by_hand(tiny_model, small_inventory):
    found = difference_of_means(tiny_model, small_inventory, "Power", PEOPLE, layer=1)
    halves = []
    for item in small_inventory.items:
        if item.value != "Power":
            continue
        prompts = [render_prompt(tiny_model.tokenizer, p, item.question) for p in PEOPLE]
        yes, no = (torch.stack([hidden(tiny_model, p + a, 1)[-1] for p in prompts]).mean(0) for a in ("Yes", "No"))
        halves.append(item.keying * (yes - no))
    np.testing.assert_allclose(found.vector, sum(halves) / 2, rtol=1e-3, atol=1e-4)
    assert found.place == (1, "resid_post")
    assert difference_of_means(tiny_model, small_inventory, "Power").place[0] == 2


def test_the_word_yes_cancels_where_signs_do(tiny_model, small_inventory):
    """One question asked in both signs: what it shares with "yes" is taken off exactly."""
    from pyvalue.measurement.inventory import Inventory, Item

    twice = Inventory("x", tuple(Item(f"{k}", "Power", k, "Should I rest?") for k in (1, -1)))
    with pytest.raises(ModelError, match="leave the same residual"):
        difference_of_means(tiny_model, twice, "Power", layer=1)
    with pytest.warns(UserWarning, match="all items on Power have the keying"):
        difference_of_means(tiny_model, Inventory("y", twice.items[:1]), "Power", layer=1)


@pytest.mark.parametrize("op", ["add", "set", "ablate"])
@pytest.mark.parametrize("positions", ["all", indices(-1)])
def test_a_matched_edit_changes_the_residual_as_much(tiny_model, tiny_sae, small_inventory, op, positions):
    strength = {"add": -2.0, "set": 4.0, "ablate": None}[op]
    edit = Edit(feature=3, op=op, strength=strength, sae=tiny_sae, positions=positions)
    direction = difference_of_means(tiny_model, small_inventory, "Power", layer=1)
    prompts = [render_prompt(tiny_model.tokenizer, p, "Should I rest?") for p in make_personas(4)]
    other = as_large(tiny_model, edit, direction, prompts)
    size = change_norm(tiny_model, prompts, edit)
    assert size > 0 and change_norm(tiny_model, prompts, other) == pytest.approx(size, rel=1e-4)
    assert other.positions == edit.positions
    if op == "add":
        assert size == pytest.approx(2 * float(tiny_sae.W_dec[3].norm()), rel=1e-4)


def test_a_relative_edit_is_matched_token_by_token(tiny_model, tiny_sae, small_inventory):
    edit = Edit(feature=3, strength=-0.4, unit="relative", sae=tiny_sae)
    direction = difference_of_means(tiny_model, small_inventory, "Power", layer=1)
    other = as_large(tiny_model, edit, direction, ["Should I rest?"])
    assert (other.amount, other.unit) == (0.4, "relative")
    for prompt in ("Should I rest?", "No"):
        assert change_norm(tiny_model, [prompt], other) == pytest.approx(
            change_norm(tiny_model, [prompt], edit), rel=1e-4
        )
    with pytest.raises(ModelError, match="changes no token"):
        change_norm(tiny_model, ["No"], Edit(feature=3, strength=1.0, positions="generated", sae=tiny_sae))


@pytest.mark.parametrize("value", [*CIRCLE, "self_direction", "Uncertainty Avoidance"])
def test_sentences(value):
    for sentence in (role_sentence, instruction_sentence):
        assert sentence(value) != sentence(value, -1) and sentence(value).endswith(".")
        with pytest.raises(ValueError, match=r"sign: expected \+1 or -1"):
            sentence(value, 0)
    assert value.replace("_", " ").replace("-", " ").lower() in instruction_sentence(value)


def test_personas_keep_their_own_text():
    found = told([NO_PERSONA, Persona("Ana", "You are Ana.")], "You like order.")
    assert [p.text for p in found] == ["You like order.", "You are Ana. You like order."]
    assert [p.name for p in found] == ["none", "Ana"]
    assert in_the_role_of(found, Persona("Bo", "You are Bo."))[1].text.endswith("someone else now. You are Bo.")
    with pytest.raises(ValueError, match="no text"):
        in_the_role_of(found, NO_PERSONA)


@pytest.fixture(scope="module")
def methods(tiny_model, tiny_sae, small_inventory):
    edit = Edit(feature=3, strength=0.4, unit="relative", sae=tiny_sae, name="mine")
    base = pv.measure(tiny_model, small_inventory, PEOPLE, min_mass=0, progress=False)
    return steering_baselines(tiny_model, small_inventory, "Power", PEOPLE, edit=edit, n_random=2, base=base)


def test_all_baselines(methods):
    labels = list(methods)
    assert labels[0] == "mine" and labels[3:5] == ["role prompt", "instruction"] and len(labels) == 9
    assert labels[5].startswith("role of ") and labels[5] != "role of none"
    assert labels[6] == "difference of means" and all("control" in labels[i] for i in (1, 2, 7, 8))
    edits = [method[0] for method in methods.values() if isinstance(method[0], Edit)]
    assert {edit.place for edit in edits} == {(1, "resid_post")} and {edit.unit for edit in edits} == {"relative"}
    assert {edit.amount for edit in edits} == {0.4}


def test_lowering_turns_the_direction(tiny_model, small_inventory):
    up, down = (steering_baselines(tiny_model, small_inventory, "Power", PEOPLE, sign=s, n_random=0) for s in (1, -1))
    assert up["difference of means"][0].amount == -down["difference of means"][0].amount == 0.3
    assert up["role prompt"][0].text != down["role prompt"][0].text


def test_they_can_all_be_measured_and_compared(tiny_model, small_inventory, methods, tmp_path):
    options = {"min_mass": 0, "progress": False}
    found = measure_steering(tiny_model, small_inventory, PEOPLE, methods, folder=tmp_path, **options)
    assert found.edits == ("", *(label for label, m in methods.items() if isinstance(m[0], Edit)),
                           *(label for label, m in methods.items() if isinstance(m[0], Persona)))  # fmt: skip
    changes = paired_changes(found)
    assert set(changes.edits) == set(methods) and np.isfinite(changes.change).all(axis=None)
    direct = pv.measure(tiny_model, small_inventory, methods["instruction"], **options).matrix()
    np.testing.assert_allclose(found.only(edit="instruction").matrix().to_numpy(), direct.to_numpy())


@pytest.mark.parametrize(
    ("methods_", "error", "words"),
    [
        ({"": (Edit,)}, ValueError, "expected a label"),
        ({"x": ()}, TypeError, "sequence of edits or of personas"),
        ({"x": (Persona("Bo", ""),)}, ValueError, "expected the personas none"),
    ],
)
def test_bad_methods_are_named(tiny_model, small_inventory, methods_, error, words):
    with pytest.raises(error, match=words):
        measure_steering(tiny_model, small_inventory, PEOPLE, methods_)


def test_bad_arguments_are_named(tiny_model, small_inventory):
    with pytest.raises(ValueError, match="value: expected one of"):
        steering_baselines(tiny_model, small_inventory, "Joy", PEOPLE)
    with pytest.raises(ValueError, match="personas: expected at least one"):
        steering_baselines(tiny_model, small_inventory, "Power", [])
    with pytest.raises(ValueError, match="layer: expected one from 0 to 3"):
        difference_of_means(tiny_model, small_inventory, "Power", layer=4)
    with pytest.raises(ValueError, match="n_random"):
        steering_baselines(tiny_model, small_inventory, "Power", PEOPLE, n_random=-1)
