"""Perplexity and divergence against transformers' own loss, torch's kl_div and SciPy; rates against hand counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="runs a model of transformers")
from model_families import family_model  # noqa: E402
from scipy import stats  # noqa: E402

from pyvalue.errors import NumericsError  # noqa: E402
from pyvalue.measurement.personas import NO_PERSONA  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.measurement.steered_text import COLUMNS, distinct_share, text_costs  # noqa: E402
from pyvalue.measurement.text_cost import (  # noqa: E402
    Condition,
    next_token_divergence,
    text_log_probabilities,
)
from pyvalue.models.direction import Direction  # noqa: E402
from pyvalue.models.edits import Edit  # noqa: E402
from pyvalue.models.row_generation import GenerationRow, Sampling, write_rows  # noqa: E402

TEXTS = ["Yes, always.", "No", "I follow the rules of my neighbour, even on an evening."]


@pytest.fixture(scope="module")
def prompts(tiny_model):
    questions = ["Should I rest?", "Is it a mistake to follow your values, even when nobody is watching?", "Why?"]
    return [render_prompt(tiny_model.tokenizer, NO_PERSONA, question) for question in questions]


def logits_of(model, prompt, text, edits=()):
    """(text tokens, vocabulary) logits where each token of the text is to come, and the tokens; without padding."""
    before, after = (model.tokenizer(part, add_special_tokens=False).input_ids for part in (prompt, text))
    with torch.inference_mode(), model.edit(list(edits)):
        logits = model.network(torch.tensor([before + after])).logits[0]
    return logits[len(before) - 1 : -1].double(), torch.tensor(after)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_perplexity_is_transformers_loss(tiny_model, prompts, batch_size):
    found = text_log_probabilities(tiny_model, TEXTS, Condition(prompts), batch_size)
    for logs, prompt, text in zip(found, prompts, TEXTS, strict=True):
        before, after = (tiny_model.tokenizer(part, add_special_tokens=False).input_ids for part in (prompt, text))
        labels = torch.tensor([[-100] * len(before) + after])
        with torch.inference_mode():
            loss = tiny_model.network(torch.tensor([before + after]), labels=labels).loss
        assert len(logs) == len(after)
        assert -logs.mean() == pytest.approx(float(loss), rel=1e-4)


def test_divergence_is_torchs_and_scipys(tiny_model, tiny_sae, prompts):
    edits = [Edit(feature=3, strength=0.6, unit="relative", sae=tiny_sae)]
    found = next_token_divergence(tiny_model, TEXTS, Condition(prompts, edits), Condition(prompts), batch_size=2)
    for kl, prompt, text in zip(found, prompts, TEXTS, strict=True):
        ours, theirs = (torch.log_softmax(logits_of(tiny_model, prompt, text, e)[0], -1) for e in (edits, ()))
        by_torch = torch.nn.functional.kl_div(theirs, ours, reduction="none", log_target=True).sum(-1)
        np.testing.assert_allclose(kl, by_torch, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(kl, stats.entropy(ours.exp(), theirs.exp(), axis=-1), rtol=1e-3, atol=1e-6)
        assert kl.min() > 0.01
    none = next_token_divergence(tiny_model, TEXTS, Condition(prompts), Condition(prompts))
    assert max(map(np.max, none)) == 0


def test_an_edit_of_generated_tokens_acts_on_the_text_alone(tiny_model, tiny_sae, prompts):
    edits = [Edit(feature=3, strength=0.6, unit="relative", positions="generated", sae=tiny_sae)]
    rows = [GenerationRow(tuple(tiny_model.tokenizer(p, add_special_tokens=False).input_ids), tuple(edits))
            for p in prompts]  # fmt: skip
    kl = next_token_divergence(tiny_model, TEXTS, Condition(prompts, edits), Condition(prompts))
    assert all(row[0] < 1e-9 for row in kl) and kl[0][1:].min() > 1e-4
    for numbers, written in write_rows(tiny_model, rows, Sampling(6, 0.0, 1.0)):
        for number, one in zip(numbers, written, strict=True):
            again = tiny_model.tokenizer(one.text, add_special_tokens=False).input_ids
            if len(again) != one.n_tokens:
                continue  # not every chain of tokens comes out of its own text
            logs = text_log_probabilities(tiny_model, [one.text], Condition([prompts[number]], edits))[0]
            assert logs.mean() == pytest.approx(one.log_probability, rel=1e-3)


@pytest.mark.parametrize("family", ["gpt2", "gemma2"])
def test_other_families(tokenizer_of, family):
    model = family_model(family, tokenizer_of())
    prompts = ["Should I rest?", "Why should I always follow the rules?"]
    found = text_log_probabilities(model, TEXTS[:2], Condition(prompts))
    for logs, prompt, text in zip(found, prompts, TEXTS[:2], strict=True):
        logits, tokens = logits_of(model, prompt, text)
        expected = -torch.nn.functional.cross_entropy(logits, tokens, reduction="none")
        np.testing.assert_allclose(logs, expected, rtol=1e-3, atol=1e-4)


def test_a_table_of_costs(tiny_model, tiny_sae, prompts):
    edits = {name: [Edit(feature=3, strength=s, unit="relative", sae=tiny_sae)] for name, s in
             (("weak", 0.05), ("strong", 0.9))}  # fmt: skip
    told = {"told": [p.replace("system", "system Be kind.") for p in prompts]}
    table = text_costs(tiny_model, prompts, edits, other_prompts=told, max_new_tokens=12)
    assert list(table.index) == ["", "weak", "strong", "told"] and list(table.columns) == list(COLUMNS)
    assert table.loc["", "perplexity_ratio"] == 1 and table.loc["", "kl"] == 0
    assert 0 < table.loc["weak", "kl"] < table.loc["strong", "kl"]
    assert table.loc["strong", "perplexity_ratio"] > 1 and table.loc["told", "kl"] > 0
    again = text_costs(tiny_model, prompts, edits, other_prompts=told, max_new_tokens=12, batch_size=1)
    np.testing.assert_allclose(again.astype(float), table.astype(float), rtol=1e-3)
    assert not table["broken"].any()


def test_costs_of_texts_that_were_written_already(tiny_model, tiny_sae, prompts):
    edits = {"x": [Edit(feature=3, strength=0.5, unit="relative", sae=tiny_sae)]}
    texts = {"": TEXTS, "x": ["no no no no no no no no " * 4, "", "I cannot answer that."]}
    row = text_costs(tiny_model, prompts, edits, texts=texts).loc["x"]
    logs = text_log_probabilities(tiny_model, texts["x"], Condition(prompts))
    assert [len(one) > 0 for one in logs] == [True, False, True]
    assert row["perplexity"] == pytest.approx(math.exp(-np.concatenate(logs).mean()))
    assert row[["degenerate", "refused", "empty"]].tolist() == pytest.approx([1 / 3] * 3)
    empty = text_costs(tiny_model, prompts, {"x": ()}, texts={"": TEXTS, "x": [""] * 3}).loc["x"]
    assert math.isnan(empty["perplexity"]) and empty["empty"] == 1 and empty["kl"] == 0 and empty["broken"]
    assert not row["broken"]


def huge(model) -> Edit:
    """Pushes so far that the network has no number left."""
    direction = Direction(torch.full((64,), 1e30), "blocks.1.hook_resid_post", "huge")
    return Edit(op="direction", direction=direction, strength=1e38, unit="raw", name="huge")


def test_an_edit_that_leaves_no_numbers_is_broken_and_not_harmless(tiny_model, prompts):
    kl = next_token_divergence(tiny_model, TEXTS, Condition(prompts, (huge(tiny_model),)), Condition(prompts))
    assert all(np.isnan(row).all() for row in kl)
    texts = {"": TEXTS, "huge": TEXTS}
    table = text_costs(tiny_model, prompts, {"huge": [huge(tiny_model)]}, texts=texts)
    assert math.isnan(table.loc["huge", "kl"]) and table["broken"].tolist() == [False, True]


def test_an_unsteered_model_without_numbers_is_an_error(tiny_model, prompts, monkeypatch):
    import pyvalue.measurement.steered_text as steered_text

    monkeypatch.setattr(steered_text, "text_log_probabilities", lambda *a: [np.array([np.nan])])
    with pytest.raises(NumericsError, match="the unsteered model gives texts of '' no probability"):
        text_costs(tiny_model, prompts, {}, texts={"": TEXTS})


def test_tokens_ruled_out_count_as_they_should(tiny_model, prompts, monkeypatch):
    """A token that the steered side rules out adds nothing; one that only the other rules out is infinitely far."""
    import pyvalue.measurement.text_cost as text_cost

    ours, theirs = torch.tensor([[0.5, 0.5, 0.0]]).log(), torch.tensor([[0.5, 0.25, 0.25]]).log()
    both = iter([[ours], [theirs], [theirs], [ours]])
    monkeypatch.setattr(text_cost, "_batch", lambda *a: next(both))
    for expected in (0.5 * math.log(2), math.inf):
        kl = next_token_divergence(tiny_model, ["No"], Condition(prompts[:1]), Condition(prompts[:1]), batch_size=1)
        assert kl[0] == pytest.approx(expected)


def test_distinct_pairs():
    assert distinct_share([1, 2, 1, 2, 1], 2) == 0.5 and distinct_share([1, 2, 3], 2) == 1
    assert distinct_share([1], 2) == 1 and distinct_share([5, 5, 5, 5], 1) == 0.25


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([], {}), ValueError, "prompts: expected a non-empty"),
        ((["a"], []), TypeError, "edits: expected a mapping"),
    ],
)
def test_bad_arguments_are_named(tiny_model, arguments, error, words):
    with pytest.raises(error, match=words):
        text_costs(tiny_model, *arguments)


def test_bad_texts_are_named(tiny_model, prompts):
    with pytest.raises(ValueError, match="texts: expected some of 'x'"):
        text_costs(tiny_model, prompts, {"x": ()}, texts={"": TEXTS})
    with pytest.raises(ValueError, match="expected one for each of 3 prompts, got 1"):
        text_costs(tiny_model, prompts, {}, texts={"": ["a"]})
    with pytest.raises(ValueError, match=r"other_prompts\['x'\]: expected one for each"):
        text_costs(tiny_model, prompts, {}, other_prompts={"x": ["a"]})
    with pytest.raises(ValueError, match="the unsteered model"):
        text_costs(tiny_model, prompts, {}, other_prompts={"": prompts})
    with pytest.raises(ValueError, match="prompt 0 has none"):
        text_log_probabilities(tiny_model, ["a"], Condition([""]))
    with pytest.raises(ValueError, match="texts: expected at least one"):
        text_log_probabilities(tiny_model, [], Condition([]))


@pytest.mark.model
def test_on_the_bundled_model(smol):
    prompt = render_prompt(smol.tokenizer, NO_PERSONA, "Should I rest on Sunday?")
    text = "Yes, rest is good for you."
    logits, tokens = logits_of(smol, prompt, text)
    expected = -torch.nn.functional.cross_entropy(logits, tokens, reduction="none")
    found = text_log_probabilities(smol, [text, "No."], Condition([prompt, prompt]))
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-4)
    other = prompt.replace("honestly", "briefly")
    kl = next_token_divergence(smol, [text], Condition([other]), Condition([prompt]))[0]
    ours, theirs = (torch.softmax(logits_of(smol, p, text)[0], -1) for p in (other, prompt))
    np.testing.assert_allclose(kl, stats.entropy(ours, theirs, axis=-1), rtol=1e-3, atol=1e-6)
