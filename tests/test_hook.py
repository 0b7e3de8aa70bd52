"""Edits inside tiny random models of three families: only what should change changes, and by the right amount."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.edits import Edit, span  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402
from pyvalue.models.hook_points import decoder_layers  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

D, F, LAYERS = 24, 60, 4
FAMILIES = {
    "llama": lambda: transformers.LlamaConfig(
        vocab_size=50, hidden_size=D, intermediate_size=32, num_hidden_layers=LAYERS, num_attention_heads=2
    ),
    "gpt2": lambda: transformers.GPT2Config(vocab_size=50, n_embd=D, n_layer=LAYERS, n_head=2, n_positions=64),
    "neox": lambda: transformers.GPTNeoXConfig(
        vocab_size=50, hidden_size=D, intermediate_size=32, num_hidden_layers=LAYERS, num_attention_heads=2
    ),
    "gemma2": lambda: transformers.Gemma2Config(
        vocab_size=50, hidden_size=D, intermediate_size=32, num_hidden_layers=LAYERS, num_attention_heads=2,
        num_key_value_heads=1, head_dim=12,
    ),
}  # fmt: skip
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


def make_model(family: str = "llama", device: str = "cpu"):
    torch.manual_seed(0)
    config = FAMILIES[family]()
    config.pad_token_id, config.eos_token_id, config.bos_token_id = 0, None, None
    return transformers.AutoModelForCausalLM.from_config(config).eval().requires_grad_(False).to(device)


def make_sae(hook: str = "blocks.1.hook_resid_post", d: int = D, seed: int = 0) -> SAE:
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(*shape, generator=g) for shape in [(d, F), (F,), (F, d), (d,)]]
    return SAE(SAEConfig("standard", d, F, hook), *weights)


def ids(batch: int = 3, seq: int = 7) -> torch.Tensor:
    return torch.randint(1, 50, (batch, seq), generator=torch.Generator().manual_seed(1))


def residuals(model, tokens) -> list[torch.Tensor]:
    """Input of layer 0, then the output of every layer, seen by hooks placed after any edit."""
    seen: list[torch.Tensor] = []

    def first(module, args, kwargs):
        seen.append((args[0] if args else kwargs["hidden_states"]).clone())

    def after(module, args, output):
        seen.append((output if isinstance(output, torch.Tensor) else output[0]).clone())

    layers = decoder_layers(model)
    handles = [layers[0].register_forward_pre_hook(first, with_kwargs=True)]
    handles += [layer.register_forward_hook(after) for layer in layers]
    model(tokens)
    for handle in handles:
        handle.remove()
    return seen


def hook_count(model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def spliced(x: torch.Tensor, sae: SAE, feature: int, value: float) -> torch.Tensor:
    features = sae.encode(x)
    error = x - sae.decode(features)
    features[..., feature] = value
    return sae.decode(features) + error


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("hook", ["blocks.2.hook_resid_post", "blocks.3.hook_resid_pre"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_residual_is_spliced_at_its_place_and_nowhere_before(family, hook, device):
    model, sae, tokens = make_model(family, device), make_sae(hook), ids().to(device)
    base = residuals(model, tokens)
    mask = torch.zeros(3, 7, dtype=torch.bool)
    mask[0, 2:4] = mask[1, 5] = True
    with ResidualEdits(model, [Edit(feature=3, op="set", strength=8, sae=sae)]) as steer:
        steer.set_positions(mask)
        edited = residuals(model, tokens)
    assert steer.calls == (1,)
    # Entry 3 is the output of layer 2. The input of layer 3 is edited inside its hook, so it shows from entry 4 on.
    place = 3 if hook.endswith("post") else 4
    assert all(torch.equal(a, b) for a, b in zip(base[:place], edited[:place], strict=True))
    if hook.endswith("post"):
        wanted = spliced(base[3].cpu(), sae, 3, 8.0)
        torch.testing.assert_close(edited[3].cpu()[mask], wanted[mask], rtol=1e-4, atol=1e-4)
        assert torch.equal(edited[3].cpu()[~mask], base[3].cpu()[~mask])
    assert not torch.equal(base[-1][:2], edited[-1][:2])
    assert torch.equal(base[-1][2], edited[-1][2])


def test_the_input_of_the_first_layer_can_be_edited():
    model, tokens = make_model(), ids()
    before = residuals(model, tokens)
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae("blocks.0.hook_resid_pre"))]):
        after = residuals(model, tokens)
    torch.testing.assert_close(after[0], before[0] + 8 * make_sae().W_dec[3])


@pytest.mark.parametrize("family", FAMILIES)
def test_after_the_block_the_model_is_as_before(family):
    model, tokens = make_model(family), ids()
    base, hooks = model(tokens).logits, hook_count(model)
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]):
        assert hook_count(model) == hooks + 1
        assert not torch.equal(model(tokens).logits, base)
    assert hook_count(model) == hooks
    assert torch.equal(model(tokens).logits, base)


def test_hooks_go_with_an_exception():
    model = make_model()
    with pytest.raises(KeyError), ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]):
        raise KeyError
    assert hook_count(model) == 0


def test_no_edits_touch_nothing():
    model = make_model()
    with ResidualEdits(model, []) as steer:
        assert hook_count(model) == 0
        steer.set_positions(None)
    assert steer.calls == ()


def test_edits_of_one_hook_point_are_joint_and_those_of_two_follow_the_layers():
    model, tokens = make_model(), ids()
    base = residuals(model, tokens)
    first, last = make_sae(), make_sae("blocks.3.hook_resid_post", seed=4)
    edits = [
        Edit(feature=3, op="set", strength=8, sae=first),
        Edit(feature=5, op="set", strength=9, sae=last),
        Edit(feature=4, op="set", strength=7, sae=first),
    ]
    with ResidualEdits(model, edits) as steer:
        edited = residuals(model, tokens)
    both = spliced(base[2], first, 3, 8.0) + spliced(base[2], first, 4, 7.0) - base[2]
    torch.testing.assert_close(edited[2], both, rtol=1e-4, atol=1e-4)
    assert steer.calls == (1, 1, 1)


def test_nested_blocks_run_from_the_outer_to_the_inner():
    model, tokens, sae = make_model(), ids(), make_sae()
    base = residuals(model, tokens)[2]
    # A feature that reads what it writes, so that the order of adding and setting it shows.
    feature = int((sae.W_enc.T * sae.W_dec).sum(dim=1).argmax())
    with ResidualEdits(model, [Edit(feature=feature, strength=8, sae=sae)]) as outer:
        with ResidualEdits(model, [Edit(feature=feature, op="set", strength=5, sae=sae)]) as inner:
            edited = residuals(model, tokens)[2]
            assert hook_count(model) == 1
        alone = residuals(model, tokens)[2]
    shifted = base + 8 * sae.W_dec[feature]
    torch.testing.assert_close(alone, shifted)
    torch.testing.assert_close(edited, spliced(shifted, sae, feature, 5.0), rtol=1e-4, atol=1e-4)
    assert (outer.calls, inner.calls) == ((2,), (1,))
    assert hook_count(model) == 0


def test_the_same_edits_cannot_be_entered_twice_at_once_but_again_later():
    model = make_model()
    edits = ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())])
    with edits, pytest.raises(RuntimeError, match="entered already"), edits:
        pass
    with edits:
        model(ids())
    assert edits.calls == (1,)
    assert hook_count(model) == 0


def test_hidden_states_of_transformers_show_the_edit_whenever_they_were_first_asked_for():
    """transformers records them by hooks that it installs once and keeps."""
    tokens, sae = ids(), make_sae()
    for asked_before in (False, True):
        model = make_model()
        if asked_before:
            model(tokens, output_hidden_states=True)
        base = residuals(model, tokens)[2]
        with ResidualEdits(model, [Edit(feature=3, strength=8, sae=sae)]):
            shown = model(tokens, output_hidden_states=True).hidden_states[2]
        torch.testing.assert_close(shown, base + 8 * sae.W_dec[3])


def test_the_tensor_of_the_layer_is_not_written():
    """The layer's own output is not written: a hook that ran inside the layer still holds the unedited one."""
    model, tokens, kept = make_model(), ids(), []
    layer = decoder_layers(model)[1]
    inner = layer.forward
    layer.forward = lambda *args, **kwargs: kept.append(inner(*args, **kwargs)) or kept[-1]
    base = residuals(model, tokens)[2]
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]):
        model(tokens)
    assert torch.equal(kept[-1], base)


# Positions.


def test_each_edit_has_its_own_mask_and_rows_without_any_are_bit_identical():
    model, tokens, sae = make_model(), ids(), make_sae()
    base = residuals(model, tokens)
    masks = torch.zeros(2, 3, 7, dtype=torch.bool)
    masks[0, 0, 2], masks[1, 1, :] = True, True
    edits = [Edit(feature=3, strength=8, positions=span("x"), sae=sae), Edit(feature=4, strength=2, sae=sae)]
    for given in (masks, list(masks)):
        with ResidualEdits(model, edits) as steer:
            steer.set_positions(given)
            edited = residuals(model, tokens)
        change = edited[2] - base[2]
        torch.testing.assert_close(change[0, 2], 8 * sae.W_dec[3], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(change[1], (2 * sae.W_dec[4]).expand(7, D), rtol=1e-4, atol=1e-4)
        assert torch.equal(edited[-1][2], base[-1][2])
        assert torch.equal(edited[-1][0, :2], base[-1][0, :2])


def test_a_mask_that_selects_nothing_counts_as_no_call():
    model, tokens = make_model(), ids()
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]) as steer:
        steer.set_positions(torch.zeros(3, 7, dtype=torch.bool))
        model(tokens)
        assert steer.calls == (0,)
        steer.set_positions(torch.ones(3, 7, dtype=torch.bool))
        model(tokens)
        model(tokens)
    assert steer.calls == (2,)


def test_a_span_without_a_mask_is_an_error():
    model = make_model()
    edit = Edit(feature=3, strength=8, positions=span("your values"), sae=make_sae())
    with pytest.raises(ValueError, match=r"'your values'.*call set_positions"), ResidualEdits(model, [edit]):
        model(ids())
    assert hook_count(model) == 0


@pytest.mark.parametrize("batch, seq", [(3, 6), (2, 7), (3, 1)])
def test_a_mask_of_another_shape_is_an_error(batch, seq):
    model = make_model()
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]) as steer:
        steer.set_positions(torch.ones(3, 7, dtype=torch.bool))
        with pytest.raises(ValueError, match=rf"\(3, 7\).*\({batch}, {seq}\)"):
            model(ids(batch, seq))


@pytest.mark.parametrize(
    "masks, words",
    [
        (torch.ones(3, 7), "must be bool"),
        (torch.ones(7, dtype=torch.bool), r"\(batch, seq\) or \(1, batch, seq\)"),
        (torch.ones(2, 3, 7, dtype=torch.bool), r"got shape \(2, 3, 7\)"),
        ([torch.ones(3, 7, dtype=torch.bool)] * 2, "for each of 1 edits, got 2"),
    ],
)
def test_bad_masks(masks, words):
    with pytest.raises(ValueError, match=words):
        ResidualEdits(make_model(), [Edit(feature=3, strength=8, sae=make_sae())]).set_positions(masks)


# Generation.


def generate(model, tokens, steps: int = 5) -> torch.Tensor:
    return model.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=steps, min_new_tokens=steps, do_sample=False
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_with_a_cache_equals_generation_without(family):
    """ "All" acts on generated tokens as well, a span on the prompt only; recomputing everything must agree."""
    model, tokens, sae = make_model(family), ids(), make_sae()
    edits = [
        Edit(feature=3, op="set", strength=30, positions=span("x"), sae=sae),
        Edit(feature=4, strength=1, unit="relative", sae=sae),
    ]
    masks = torch.zeros(2, 3, 7, dtype=torch.bool)
    masks[0, :2, 2:4], masks[1, :2, 1:] = True, True
    with ResidualEdits(model, edits) as steer:
        steer.set_positions(masks)
        fast = generate(model, tokens)
        assert steer.calls == (1, 5)
        slow = tokens
        for step in range(5):
            # Generated tokens: no span, and "all" only in the rows that it was given.
            new = torch.zeros(2, 3, step, dtype=torch.bool)
            new[1, :2] = True
            steer.set_positions(torch.cat([masks, new], dim=2))
            slow = torch.cat([slow, model(slow).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(fast, slow)
    plain = generate(model, tokens)
    assert torch.equal(fast[2], plain[2])
    assert not torch.equal(fast[:2], plain[:2])


def test_generation_without_a_mask_edits_everywhere():
    model, tokens = make_model(), ids()
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]) as steer, torch.inference_mode():
        generate(model, tokens, 4)
    assert steer.calls == (4,)
    with steer:
        model(tokens)
    assert steer.calls == (5,)


# Precision and fit.


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_are_edited_in_float32_and_rounded_once(dtype, device):
    model, tokens, sae = make_model(device=device).to(dtype), ids().to(device), make_sae()
    base = residuals(model, tokens)[2]
    with ResidualEdits(model, [Edit(feature=3, op="set", strength=8, sae=sae)]):
        edited = residuals(model, tokens)[2]
    assert edited.dtype == dtype
    wanted = spliced(base.cpu().double().float(), sae, 3, 8.0)
    torch.testing.assert_close(edited.cpu().float(), wanted, rtol=torch.finfo(dtype).eps, atol=1e-4)


def test_an_sae_of_another_model_is_refused():
    model = make_model()
    with pytest.raises(ModelError, match="d_in 16, but the model's residual stream is 24 wide"):
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae(d=16))])
    with pytest.raises(ModelError, match="reads layer 4, but the model has layers 0 to 3"):
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae("blocks.4.hook_resid_post"))])


def test_an_unknown_family_is_shown_its_own_tree():
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = torch.nn.Sequential(torch.nn.Linear(2, 2))

    with pytest.raises(ModelError, match=r"model\.layers \(Llama.*It has: trunk \(Sequential: 0\)"):
        ResidualEdits(Odd(), [Edit(feature=3, strength=8, sae=make_sae())])
