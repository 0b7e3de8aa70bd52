"""Logits of yes and no computed again against the model's own, over families, formats and tokenizers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="runs a model of transformers")

from model_families import FAMILIES, family_model  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.measurement.answer_logits import AnswerLogits, form_ids  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402

IDS = torch.arange(40).view(4, 10) + 3


def read(model, ids=IDS) -> np.ndarray:
    answers = AnswerLogits(model)
    with torch.inference_mode(), answers.listening():
        return answers.read(model.network(ids, logits_to_keep=1).logits[:, -1]).numpy()


def softmax(model, ids=IDS) -> np.ndarray:
    forms = [form_ids(model.tokenizer, words) for words in (("Yes", "yes", "YES"), ("No", "no", "NO"))]
    with torch.inference_mode():
        chances = torch.softmax(model.network(ids).logits[:, -1].double(), dim=-1)
    return np.stack([chances[:, part].sum(dim=-1).numpy() for part in forms], axis=1)


@pytest.mark.parametrize("name", FAMILIES)
def test_equal_to_the_models_own_in_float32(tokenizer_of, name):
    model = family_model(name, tokenizer_of())
    np.testing.assert_allclose(read(model), softmax(model), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["llama", "gemma2", "granite", "cohere"])
def test_nearer_to_float32_than_a_head_in_bfloat16(tokenizer_of, name):
    """The head alone is in bfloat16, so that all of the difference is its rounding."""
    model = family_model(name, tokenizer_of())
    head = model.network.get_output_embeddings()
    # Not shared with the embedding, and exact in bfloat16.
    head.weight = torch.nn.Parameter((6 * head.weight).bfloat16().float(), requires_grad=False)
    truth = softmax(model)

    def rounded(module, args, output):
        return torch.nn.functional.linear(args[0].bfloat16(), module.weight.bfloat16())

    handle = head.register_forward_hook(rounded)
    try:
        own, found = softmax(model), read(model)
    finally:
        handle.remove()
    # Of the two words' shares, which the rest of the vocabulary does not enter.
    share, own_share, true_share = (part[:, 0] / part.sum(axis=1) for part in (found, own, truth))
    assert np.abs(share - true_share).max() < 0.02 * np.abs(own_share - true_share).max()


def test_a_model_that_does_something_else_to_its_logits_is_believed(tokenizer_of):
    model = family_model("llama", tokenizer_of())
    head = model.network.get_output_embeddings()
    own = head.register_forward_hook(lambda module, args, output: 1.5 * output - 1)
    try:
        np.testing.assert_allclose(read(model), softmax(model), rtol=0, atol=1e-6)
    finally:
        own.remove()


def test_a_setting_that_scales_hidden_states_does_not_scale_logits_twice(tokenizer_of):
    """As in MiniCPM 3, whose ``logits_scaling`` comes before the head."""
    model = family_model("llama", tokenizer_of())
    model.network.config.logits_scaling = 4.0
    np.testing.assert_allclose(read(model), softmax(model), rtol=0, atol=1e-6)


def test_probabilities_sum_to_at_most_one_where_yes_is_nearly_certain(tokenizer_of):
    model = family_model("llama", tokenizer_of())
    network = model.network.bfloat16()
    weight = network.get_output_embeddings().weight
    weight[form_ids(model.tokenizer, ("Yes",))] *= 40
    found = read(LanguageModel("sure", network, model.tokenizer))
    assert found.max() > 0.9 and found.sum(axis=1).max() <= 1 + 1e-12


def sentencepiece(add_space: bool):
    """A tokenizer as SentencePiece makes them, which may put a space before every text (Llama 2) or not (Gemma)."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "▁", "Yes", "▁Yes", "yes", "▁no", "No", "▁No", "Y", "es", "▁yes"]
    core = Tokenizer(models.Unigram([(piece, -float(i > 7) - 1) for i, piece in enumerate(pieces)], unk_id=0))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always" if add_space else "never", split=False)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")


@pytest.mark.parametrize("add_space", [True, False])
def test_forms_of_a_sentencepiece_tokenizer_are_those_with_and_without_a_space(add_space):
    tokenizer = sentencepiece(add_space)
    pieces = tokenizer.convert_ids_to_tokens(form_ids(tokenizer, ("Yes", "yes", "YES")))
    assert pieces == ["Yes", "▁Yes", "yes", "▁yes"]  # "YES" would be several tokens
    assert len(tokenizer.encode(" YES")) > 1
    assert tokenizer.convert_ids_to_tokens(form_ids(tokenizer, ("No", "no", "NO"))) == ["▁no", "No", "▁No"]


def test_a_word_of_several_tokens_is_no_form(tokenizer_of):
    with pytest.raises(ModelError, match="no single token for 'Perhaps'"):
        form_ids(tokenizer_of(), ("Perhaps",))
