"""Perplexity of questions against transformers' own loss, one prompt at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="runs a model of transformers")

from pyvalue.measurement import perplexity  # noqa: E402
from pyvalue.measurement.perplexity import perplexities, question_perplexity  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.models.edits import Edit  # noqa: E402

QUESTIONS = ["Should I rest?", "Is it a mistake to follow your values, even when nobody is watching?", "Why?"]


def prompts_of(model):
    prompts = [render_prompt(model.tokenizer, make_personas(1)[1], question) for question in QUESTIONS]
    places = [(prompt.rfind(q), prompt.rfind(q) + len(q)) for prompt, q in zip(prompts, QUESTIONS, strict=True)]
    return prompts, places


def by_loss(model, prompts, places, edits=()) -> np.ndarray:
    found = []
    for prompt, (start, end) in zip(prompts, places, strict=True):
        encoded = model.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
        ids = torch.tensor([encoded.input_ids])
        inside = torch.tensor([[first < end and last > start for first, last in encoded.offset_mapping]])
        with torch.inference_mode(), model.edit(edits):
            loss = model.network(ids, labels=torch.where(inside, ids, -100)).loss
        found.append(math.exp(loss))
    return np.array(found)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_equal_to_the_models_own_loss(tiny_model, batch_size):
    prompts, places = prompts_of(tiny_model)
    expected = by_loss(tiny_model, prompts, places)
    assert expected.std() > 0
    found = question_perplexity(tiny_model, prompts, places, batch_size=batch_size)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_under_edits_and_in_small_passes(tiny_model, tiny_sae, monkeypatch):
    prompts, places = prompts_of(tiny_model)
    configurations = [[], [Edit(feature=3, strength=0.9, unit="relative", sae=tiny_sae)]]
    expected = np.array([by_loss(tiny_model, prompts, places, edits) for edits in configurations])
    assert not np.allclose(expected[0], expected[1], rtol=1e-2)
    np.testing.assert_allclose(perplexities(tiny_model, prompts, places, configurations), expected, rtol=1e-4)
    monkeypatch.setattr(perplexity, "_LOGITS_BYTES", 1)
    np.testing.assert_allclose(perplexities(tiny_model, prompts, places, configurations), expected, rtol=1e-4)


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary(tiny_model):
    prompts, places = prompts_of(tiny_model)
    head = tiny_model.network.lm_head
    handle = head.register_forward_hook(lambda module, args, output: torch.zeros_like(output))
    try:
        found = question_perplexity(tiny_model, prompts, places)
    finally:
        handle.remove()
    np.testing.assert_allclose(found, len(tiny_model.tokenizer), rtol=1e-5)


def test_bad_arguments_are_refused(tiny_model):
    prompts, places = prompts_of(tiny_model)
    with pytest.raises(ValueError, match="questions: expected one for each"):
        question_perplexity(tiny_model, prompts, places[:1])
    with pytest.raises(ValueError, match="questions: expected one for each"):
        question_perplexity(tiny_model, [], [])
    with pytest.raises(ValueError, match="questions: expected characters"):
        question_perplexity(tiny_model, prompts, [(5000, 5001)] * 3)
