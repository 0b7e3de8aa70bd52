"""Several configurations of edits in one call against each alone in plain forward passes, over model families."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="runs a model")
transformers = pytest.importorskip("transformers", reason="runs a model of transformers")

from model_families import FAMILIES, family_model  # noqa: E402
from test_scoring import plain  # noqa: E402

from pyvalue.measurement import lower_layers, shared_configurations  # noqa: E402
from pyvalue.measurement.personas import make_personas  # noqa: E402
from pyvalue.measurement.prompts import render_prompt  # noqa: E402
from pyvalue.measurement.scoring import score_configurations, score_prompts  # noqa: E402
from pyvalue.models.edits import Direction, Edit, span  # noqa: E402
from pyvalue.models.hook_points import decoder_layers  # noqa: E402
from pyvalue.models.loading import LanguageModel  # noqa: E402
from pyvalue.models.shared_layers import can_resume, kept, resumed  # noqa: E402

QUESTIONS = ["Should I rest?", "Is it a mistake to follow your values, even when nobody is watching?", "Why?",
             "Should I always follow the rules of the people who came here before me?"]  # fmt: skip


@pytest.fixture(scope="module")
def family(tokenizer_of):
    """Makes each family's model once."""
    known = {}

    def of(name):
        if name not in known:
            known[name] = family_model(name, tokenizer_of())
        return known[name]

    return of


def push(place: str, positions="all", seed=0, width=32, strength=0.7, unit="relative") -> Edit:
    vector = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    direction = Direction(vector, f"blocks.{place}", name=f"{place}-{seed}")
    return Edit(op="direction", strength=strength, unit=unit, positions=positions, direction=direction)


def prompts_of(model, orders=("yes-no",)) -> list[str]:
    who = make_personas(1)[1]
    return [render_prompt(model.tokenizer, who, question, order=order) for question in QUESTIONS for order in orders]


CONFIGURATIONS = [
    (),
    (push("1.hook_resid_post"),),
    (push("2.hook_resid_pre", span("your values"), seed=1, strength=20.0, unit="raw"),),
    (push("3.hook_resid_post", seed=2), push("1.hook_resid_post", span("your values", -1), seed=3)),
    (push("0.hook_resid_pre", seed=4),),
    (push("3.hook_resid_post", seed=5),),
]


@pytest.mark.parametrize(
    ("name", "unedited"), [*((name, True) for name in FAMILIES), ("llama", False), ("gemma2", False), ("gpt2", False)]
)
def test_configurations_equal_each_alone(family, name, unedited):
    model = family(name)
    assert all(can_resume(model.network, depth) for depth in range(1, 5))
    prompts = prompts_of(model, orders=("yes-no", "no-yes"))
    configurations = CONFIGURATIONS if unedited else CONFIGURATIONS[1:]
    together = score_configurations(model, prompts, configurations, batch_size=3)
    alone = [score_prompts(model, prompts, edits) for edits in configurations]
    for edits, found, other in zip(configurations, together, alone, strict=True):
        expected = plain(model, prompts, edits)
        np.testing.assert_allclose(np.stack([found.yes, found.no], axis=1), expected, rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(found.yes, other.yes, rtol=0, atol=1e-6)
    chances = np.array([found.yes for found in together])
    assert np.abs(chances / chances[0] - 1).max(axis=1)[1:].min() > 1e-3  # each edit does something


def test_lower_layers_run_once_for_all_configurations(tiny_model, monkeypatch):
    model = tiny_model
    edits = [(push("1.hook_resid_post", width=64, seed=seed),) for seed in range(4)]
    prompts = prompts_of(model)
    layers = decoder_layers(model.network)
    tokens = [0] * len(layers)
    score_configurations(model, prompts, [(), *edits])  # what is tried once a model
    attention = [layer.self_attn for layer in layers]

    def count(number):
        def hook(module, args, kwargs):
            tokens[number] += kwargs["hidden_states"].shape[:2].numel()

        return hook

    handles = [part.register_forward_pre_hook(count(i), with_kwargs=True) for i, part in enumerate(attention)]
    try:
        score_configurations(model, prompts, [(), *edits])
        once, five = tokens[0], tokens[3]
        assert tokens == [once, once, five, five] and five == 5 * once
        tokens[:] = [0] * 4
        score_configurations(model, prompts, edits)
        assert tokens == [once, once, 4 * once, 4 * once]  # and upper layers only under edits
    finally:
        for handle in handles:
            handle.remove()


def test_prompts_in_parts_of_bounded_memory(tiny_model, monkeypatch):
    edits = [(), (push("1.hook_resid_post", width=64),), (push("2.hook_resid_pre", width=64, seed=1),)]
    prompts = prompts_of(tiny_model)
    whole = score_configurations(tiny_model, prompts, edits)
    most = []
    keeps = lower_layers.LowerLayers.keeping

    def keeping(self, rows):
        most.append(len(self._hidden))
        return keeps(self, rows)

    monkeypatch.setattr(lower_layers.LowerLayers, "keeping", keeping)
    monkeypatch.setattr(shared_configurations, "_KEPT_BYTES", 64 * 4 * 2 * 30)
    parts = score_configurations(tiny_model, prompts, edits)
    assert most.count(0) > 1  # several parts, each from nothing
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.yes, other.yes, rtol=0, atol=1e-6)


def test_a_model_whose_upper_layers_read_lower_ones_shares_none(tiny_model, tokenizer_of):
    network = transformers.LlamaForCausalLM(tiny_model.network.config).float().eval().requires_grad_(False)
    layers = decoder_layers(network)
    seen = []
    layers[0].mlp.register_forward_hook(lambda module, args, output: seen.append(output))
    layers[3].register_forward_hook(lambda module, args, output: output + seen[-1])
    model = LanguageModel("skips", network, tokenizer_of())
    network(torch.tensor([[3, 4, 5]]))
    assert not can_resume(network, 2)
    prompts = prompts_of(model)
    configurations = [(), (push("1.hook_resid_post", width=64),)]
    for edits, found in zip(configurations, score_configurations(model, prompts, configurations), strict=True):
        expected = plain(model, prompts, edits)
        np.testing.assert_allclose(np.stack([found.yes, found.no], axis=1), expected, rtol=0, atol=1e-5)


def test_kept_is_what_leaves_the_layers_and_the_model_is_left_as_it_was(tiny_model):
    network, ids = tiny_model.network, torch.tensor([[3, 4, 5, 6]])
    expected = network(ids, output_hidden_states=True)
    with kept(network, [1, 3]) as found:
        network(ids)
    for depth, hidden in found.items():
        torch.testing.assert_close(hidden, expected.hidden_states[depth], rtol=0, atol=0)
    with resumed(network, 3, found[3]):  # the tokens do not matter any more
        torch.testing.assert_close(network(ids * 0, use_cache=False).logits, expected.logits, rtol=0, atol=0)
    torch.testing.assert_close(network(ids).logits, expected.logits, rtol=0, atol=0)
    assert not any("forward" in vars(layer) for layer in decoder_layers(network))


def test_layers_come_back_after_an_error(tiny_model):
    with pytest.raises(RuntimeError, match="mine"), kept(tiny_model.network, [2], stop=True):
        raise RuntimeError("mine")
    assert not any("forward" in vars(layer) for layer in decoder_layers(tiny_model.network))
