"""Hook points in tiny random models of every family, against hidden states, torch's own hooks and TransformerLens."""

from __future__ import annotations

import copy
import functools

import pytest

torch = pytest.importorskip("torch", reason="hooks need torch")
transformers = pytest.importorskip("transformers", reason="the hooks are for models of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.hook_points import add_change, decoder_layers, remove_change, residual_site  # noqa: E402
from pyvalue.models.sae_config import parse_residual_hook  # noqa: E402

D, LAYERS, VOCABULARY = 24, 3, 60

_TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": D, "intermediate_size": 32, "num_hidden_layers": LAYERS,
    "num_attention_heads": 2, "num_key_value_heads": 1, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_NEOX = {key: value for key, value in _TEXT.items() if key != "num_key_value_heads"}
_GPT2 = {
    "vocab_size": VOCABULARY, "n_embd": D, "n_layer": LAYERS, "n_head": 2, "n_positions": 64, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
_VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
_HEAD = {"head_dim": 12}
# Name in transformers, settings, where the layers lie, and the norm behind the last one.
FAMILIES = {
    "llama": (_TEXT, "model.layers", "model.norm"),
    "gemma": (_TEXT | _HEAD, "model.layers", "model.norm"),
    "gemma2": (_TEXT | _HEAD, "model.layers", "model.norm"),
    "gemma3_text": (_TEXT | _HEAD, "model.layers", "model.norm"),
    "gemma3": (
        {"text_config": _TEXT | _HEAD, "vision_config": _VISION, "mm_tokens_per_image": 4, "boi_token_index": 57,
         "eoi_token_index": 58, "image_token_index": 59},
        "model.language_model.layers",
        "model.language_model.norm",
    ),
    "qwen2": (_TEXT, "model.layers", "model.norm"),
    "qwen3": (_TEXT | _HEAD, "model.layers", "model.norm"),
    "mistral": (_TEXT, "model.layers", "model.norm"),
    "gpt2": (_GPT2, "transformer.h", "transformer.ln_f"),
    "gpt_neox": (_NEOX, "gpt_neox.layers", "gpt_neox.final_layer_norm"),
    "phi": (_TEXT, "model.layers", "model.final_layernorm"),
    "phi3": (_TEXT, "model.layers", "model.norm"),
}  # fmt: skip
every_family = pytest.mark.parametrize("family", FAMILIES)


@functools.cache
def made(family: str):
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **copy.deepcopy(FAMILIES[family][0]))
    return transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)


def make_model(family: str):
    return copy.deepcopy(made(family))


def ids(batch: int = 3, seq: int = 7):
    return torch.randint(3, 50, (batch, seq), generator=torch.Generator().manual_seed(1))


def direction(seed: int = 2):
    return torch.randn(D, generator=torch.Generator().manual_seed(seed))


class Added:
    """A change that adds a vector and counts how often it ran."""

    def __init__(self, vector) -> None:
        self.vector, self.calls = vector, 0

    def __call__(self, hidden):
        self.calls += 1
        assert hidden.shape[-1] == D
        return hidden + self.vector


def layer_outputs(model, tokens):
    """What leaves every layer, seen by torch's own hooks placed behind all others; and the result."""
    seen = []

    def record(module, args, output):
        seen.append((output if isinstance(output, torch.Tensor) else output[0]).clone())

    handles = [layer.register_forward_hook(record) for layer in decoder_layers(model)]
    result = model(tokens, output_hidden_states=True)
    for handle in handles:
        handle.remove()
    return seen, result


@every_family
def test_the_layers_are_found_where_the_family_keeps_them(family):
    model = make_model(family)
    layers = decoder_layers(model)
    assert len(layers) == LAYERS
    assert layers is model.get_submodule(FAMILIES[family][1])


@pytest.mark.parametrize("layer", range(LAYERS))
@every_family
def test_resid_post_is_the_hidden_state_behind_the_layer(family, layer):
    model, tokens, change = make_model(family), ids(), Added(direction())
    base_outputs, base = layer_outputs(model, tokens)
    add_change(decoder_layers(model)[layer], "resid_post", change)
    outputs, changed = layer_outputs(model, tokens)
    assert change.calls == 1
    assert torch.equal(outputs[layer], base_outputs[layer] + change.vector)
    # All that comes before is the same to the last bit.
    for before in range(layer):
        assert torch.equal(outputs[before], base_outputs[before])
    for before in range(layer + 1):
        assert torch.equal(changed.hidden_states[before], base.hidden_states[before])
    shown = changed.hidden_states[layer + 1]
    if layer < LAYERS - 1:
        assert torch.equal(shown, base.hidden_states[layer + 1] + change.vector)
    else:
        # transformers shows the last one behind the final norm.
        torch.testing.assert_close(shown, model.get_submodule(FAMILIES[family][2])(outputs[layer]))
    assert not torch.equal(changed.logits, base.logits)


@pytest.mark.parametrize("layer", range(1, LAYERS))
@every_family
def test_resid_pre_is_resid_post_of_the_layer_before(family, layer):
    tokens, results = ids(), []
    for number, point in ((layer, "resid_pre"), (layer - 1, "resid_post")):
        model, change = make_model(family), Added(direction())
        add_change(decoder_layers(model)[number], point, change)
        results.append(model(tokens).logits)
        assert change.calls == 1
    assert torch.equal(*results)


@every_family
def test_resid_pre_of_the_first_layer_is_what_the_embedding_gives(family):
    model, tokens, seen = make_model(family), ids(), []
    base = model(tokens, output_hidden_states=True)
    add_change(decoder_layers(model)[0], "resid_pre", lambda hidden: seen.append(hidden.clone()) or hidden * 2)
    changed = model(tokens)
    assert torch.equal(seen[0], base.hidden_states[0])
    assert not torch.equal(changed.logits, base.logits)


@every_family
def test_removed_changes_leave_no_trace(family):
    model, tokens, first, second = make_model(family), ids(), Added(direction()), Added(direction(3))
    base = model(tokens).logits
    layer = decoder_layers(model)[1]
    for point in ("resid_pre", "resid_post"):
        add_change(layer, point, first)
        add_change(layer, point, second)
        both = model(tokens).logits
        remove_change(layer, point, first)
        assert not torch.equal(model(tokens).logits, both)
        remove_change(layer, point, second)
        assert torch.equal(model(tokens).logits, base)
    assert not layer._forward_hooks and not layer._forward_pre_hooks


@pytest.mark.parametrize("point", ["resid_pre", "resid_post"])
@every_family
def test_generation_runs_the_change_once_a_step(family, point):
    model, change = make_model(family), Added(direction())
    add_change(decoder_layers(model)[1], point, change)
    tokens = ids()
    model.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=4, min_new_tokens=4, do_sample=False,
        pad_token_id=0,
    )  # fmt: skip
    assert change.calls == 4


@pytest.mark.parametrize("point", ["resid_pre", "resid_post"])
def test_hooks_that_were_there_before_see_the_changed_residual(point):
    model, tokens, seen = make_model("llama"), ids(), []
    layer = decoder_layers(model)[1]

    def before(module, args, kwargs):
        seen.append((args[0] if args else kwargs["hidden_states"]).clone())

    if point == "resid_pre":
        layer.register_forward_pre_hook(before, with_kwargs=True)
    else:
        layer.register_forward_hook(lambda module, args, output: seen.append(output.clone()))
    model(tokens)
    add_change(layer, point, Added(direction()))
    model(tokens)
    assert torch.equal(seen[1], seen[0] + direction())


def test_changes_run_in_their_order():
    model, tokens = make_model("llama"), ids()
    base = layer_outputs(model, tokens)[0][1]
    layer = decoder_layers(model)[1]
    add_change(layer, "resid_post", Added(direction()))
    add_change(layer, "resid_post", lambda hidden: hidden * 2)
    assert torch.equal(layer_outputs(model, tokens)[0][1], (base + direction()) * 2)


# Names.


# Without the multimodal wrapper, for which TransformerLens wants an image processor; its layers are gemma3_text's.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "gemma3"])
def test_names_mean_what_transformer_lens_means_by_them(family, tmp_path, tokenizer_of):
    """The same change at the same name, made by its hooks and by ours, gives the same logits."""
    bridges = pytest.importorskip("transformer_lens.model_bridge", reason="needs transformer-lens 3, the oracle")
    model, tokenizer, tokens = make_model(family), tokenizer_of(), ids()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    tokenizer.init_kwargs["name_or_path"] = str(tmp_path)
    theirs = bridges.TransformerBridge.boot_transformers(
        str(tmp_path), hf_model=copy.deepcopy(model), tokenizer=tokenizer
    )
    vector = direction()
    base = model(tokens).logits
    for name in (f"blocks.{layer}.hook_resid_{side}" for layer in range(LAYERS) for side in ("pre", "post")):
        change = Added(vector)
        site = residual_site(model, name)
        add_change(site.layer, site.point, change)
        ours = model(tokens).logits
        remove_change(site.layer, site.point, change)
        wanted = theirs.run_with_hooks(tokens, fwd_hooks=[(name, lambda value, hook: value + vector)])
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)
        assert float((ours - base).abs().max()) > 1e-3


@every_family
def test_names_give_the_path_of_the_module(family):
    model = make_model(family)
    site = residual_site(model, "blocks.2.hook_resid_pre")
    assert (site.point, site.path) == ("resid_pre", f"{FAMILIES[family][1]}.2")
    assert model.get_submodule(site.path) is site.layer is decoder_layers(model)[2]


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("blocks.0.hook_resid_pre", (0, "resid_pre")),
        ("blocks.25.hook_resid_post", (25, "resid_post")),
        ("model.layers.12", (12, "resid_post")),
        ("model.layers.12.output", (12, "resid_post")),
        ("model.language_model.layers.3", (3, "resid_post")),
        ("transformer.h.5", (5, "resid_post")),
        ("gpt_neox.layers.5", (5, "resid_post")),
    ],
)
def test_names_of_both_kinds(name, wanted):
    assert parse_residual_hook(name) == wanted


@pytest.mark.parametrize(
    "name", ["", "blocks.1.hook_resid_mid", "blocks.1.attn.hook_z", "blocks.-1.hook_resid_post", "model.layers.1.mlp",
             "blocks.1.hook_resid_post ", "xblocks.1.hook_resid_post", "hook_embed"]
)  # fmt: skip
def test_names_that_are_no_place_in_the_residual_stream(name):
    with pytest.raises(ModelError, match=r"expected blocks\.L\.hook_resid_post or blocks\.L\.hook_resid_pre"):
        residual_site(make_model("llama"), name)


def test_a_layer_that_the_model_has_not():
    with pytest.raises(ModelError, match="the model has layers 0 to 2"):
        residual_site(make_model("llama"), "blocks.3.hook_resid_post")


# What cannot be.


def unknown(family: str):
    small = {"vocab_size": VOCABULARY, "hidden_size": D, "num_hidden_layers": 2, "num_layers": 2}
    if family == "t5":
        config = transformers.AutoConfig.for_model("t5", vocab_size=VOCABULARY, d_model=D, d_ff=32, num_layers=2,
                                                   num_heads=2, d_kv=12)  # fmt: skip
        return transformers.AutoModelForSeq2SeqLM.from_config(config)
    if family == "bert":
        settings = small | {"num_attention_heads": 2, "intermediate_size": 32}
        return transformers.AutoModelForMaskedLM.from_config(transformers.AutoConfig.for_model("bert", **settings))
    return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model("mamba", **small))


@pytest.mark.parametrize(
    "family, tree",
    [
        ("t5", r"encoder \(T5Stack: .*block.*decoder \(T5Stack"),
        ("mamba", r"backbone \(MambaModel: embeddings, layers"),
        ("bert", r"bert \(BertModel: embeddings, encoder"),
    ],
)
def test_an_unknown_family_is_shown_its_own_modules(family, tree):
    with pytest.raises(ModelError, match=rf"(?s)model\.layers \(Llama.*It has: .*{tree}"):
        decoder_layers(unknown(family))


@pytest.mark.parametrize(
    "model", ["openai:gpt-4o", object(), None, {"url": "x"}], ids=lambda model: type(model).__name__
)
def test_a_black_box_cannot_be_edited(model):
    for ask in (lambda: decoder_layers(model), lambda: residual_site(model, "blocks.0.hook_resid_post")):
        with pytest.raises(ModelError, match=rf"edits need open weights: .*got {type(model).__name__}"):
            ask()


def test_points_and_changes_that_are_not_there():
    layer, change = decoder_layers(make_model("llama"))[0], Added(direction())
    with pytest.raises(ValueError, match="point must be one of resid_pre, resid_post, got 'resid_mid'"):
        add_change(layer, "resid_mid", change)
    with pytest.raises(ValueError, match="removed, or never added"):
        remove_change(layer, "resid_post", change)
    add_change(layer, "resid_post", change)
    with pytest.raises(ValueError, match="removed, or never added"):
        remove_change(layer, "resid_pre", change)
    remove_change(layer, "resid_post", change)
    assert not layer._forward_hooks


def test_a_layer_that_returns_something_else_is_named():
    class Odd(torch.nn.Module):
        def forward(self, hidden):
            return {"hidden": hidden}

    layer = Odd()
    add_change(layer, "resid_post", Added(direction()))
    with pytest.raises(ModelError, match="a Odd returned dict, expected a tensor or a tuple"):
        layer(torch.zeros(1, 2, D))
