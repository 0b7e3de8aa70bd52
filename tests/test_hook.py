"""Edits inside tiny random models of three families: only what should change changes, and by the right amount."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the hook needs torch")
transformers = pytest.importorskip("transformers", reason="the hook edits models of transformers")

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.edits import Edit, indices, span  # noqa: E402
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


def lists_of(steer: ResidualEdits, *masks: torch.Tensor) -> torch.Tensor:
    """Lists (batch, seq) of the edits that act where their masks (batch, seq) say."""
    hit = torch.stack(masks).flatten(1).numpy()
    return torch.from_numpy(steer.numbers(hit)).view(masks[0].shape)


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
        steer.use(lists_of(steer, mask))
        edited = residuals(model, tokens)
    assert steer.hits == (3,)
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
        assert hook_count(model) == hooks + 3  # at the layer, and where a pass begins and ends
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
        steer.use(None)
    assert steer.hits == ()


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
    assert steer.hits == steer.asked == (21, 21, 21)


def test_nested_blocks_run_from_the_outer_to_the_inner():
    model, tokens, sae = make_model(), ids(), make_sae()
    base = residuals(model, tokens)[2]
    # A feature that reads what it writes, so that the order of adding and setting it shows.
    feature = int((sae.W_enc.T * sae.W_dec).sum(dim=1).argmax())
    with ResidualEdits(model, [Edit(feature=feature, strength=8, sae=sae)]) as outer:
        with ResidualEdits(model, [Edit(feature=feature, op="set", strength=5, sae=sae)]) as inner:
            edited = residuals(model, tokens)[2]
            assert hook_count(model) == 5  # one at the layer, which runs both
        alone = residuals(model, tokens)[2]
    shifted = base + 8 * sae.W_dec[feature]
    torch.testing.assert_close(alone, shifted)
    torch.testing.assert_close(edited, spliced(shifted, sae, feature, 5.0), rtol=1e-4, atol=1e-4)
    assert (outer.hits, inner.hits) == ((42,), (21,))
    assert hook_count(model) == 0


def test_the_same_edits_cannot_be_entered_twice_at_once_but_again_later():
    model = make_model()
    edits = ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())])
    with (
        pytest.warns(UserWarning, match="acted on no token"),
        edits,
        pytest.raises(RuntimeError, match="entered already"),
        edits,
    ):
        pass
    for _ in range(2):
        with edits:
            model(ids())
        assert edits.hits == (21,)
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


# Rows and positions.


def test_every_row_has_its_own_edits_and_rows_without_any_are_bit_identical():
    model, tokens, sae = make_model(), ids(), make_sae()
    base = residuals(model, tokens)
    first, second = Edit(feature=3, strength=8, sae=sae), Edit(feature=4, op="scale", strength=2, sae=sae)
    with ResidualEdits(model, [[first], [], [second, first]]) as steer:
        edited = residuals(model, tokens)
    for row, edits in enumerate([[first], [], [second, first]]):
        if not edits:
            assert all(torch.equal(a[row], b[row]) for a, b in zip(edited, base, strict=True))
            continue
        with ResidualEdits(model, edits):
            alone = residuals(model, tokens[row : row + 1])
        for a, b in zip(edited, alone, strict=True):
            torch.testing.assert_close(a[row], b[0], rtol=1e-5, atol=1e-5)
    assert steer.hits == (14, 7)


def test_lists_given_are_taken_as_they_are():
    model, tokens, sae = make_model(), ids(), make_sae()
    base = residuals(model, tokens)
    masks = torch.zeros(2, 3, 7, dtype=torch.bool)
    masks[0, 0, 2], masks[1, 1, :] = True, True
    edits = [Edit(feature=3, strength=8, positions=span("x"), sae=sae), Edit(feature=4, strength=2, sae=sae)]
    with ResidualEdits(model, edits) as steer:
        steer.use(lists_of(steer, *masks))
        edited = residuals(model, tokens)
    change = edited[2] - base[2]
    torch.testing.assert_close(change[0, 2], 8 * sae.W_dec[3], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(change[1], (2 * sae.W_dec[4]).expand(7, D), rtol=1e-4, atol=1e-4)
    assert torch.equal(edited[-1][2], base[-1][2])
    assert torch.equal(edited[-1][0, :2], base[-1][0, :2])


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_and_indices(side):
    """Positions count a row's own tokens, wherever its padding is."""
    model, sae = make_model(), make_sae()
    tokens, mask = ids(), torch.ones(3, 7, dtype=torch.long)
    pads = slice(0, 2) if side == "left" else slice(5, 7)
    mask[1, pads] = 0
    edits = [Edit(feature=3, strength=8, positions=indices(0, -1), sae=sae), Edit(feature=4, strength=2, sae=sae)]
    kept = []
    with ResidualEdits(model, edits) as steer:
        site = steer._buffers._sites[0]
        inner, site.change = site.change, lambda x, lists: kept.append(lists) or inner(x, lists)
        model(tokens, attention_mask=mask)
    hit = kept[0]
    assert (hit[1, pads] == -1).all()
    both, second = hit[0, 0], hit[0, 1]
    assert hit[0].tolist() == [both] + [second] * 5 + [both]
    assert hit[1][mask[1].bool()].tolist() == [both] + [second] * 3 + [both]
    assert steer.hits == (6, 19)


def test_other_edits_of_those_given_can_be_chosen_later():
    model, tokens, sae = make_model(), ids(), make_sae()
    first, second = Edit(feature=3, strength=8, sae=sae), Edit(feature=4, op="scale", strength=2, sae=sae)
    with ResidualEdits(model, [first, second]) as steer:
        buffers = [tensor.data_ptr() for tensor in steer._buffers._sites[0].table.tensors()]
        for rows in ([[first], [], [second, first]], [second]):
            steer.choose(rows)
            chosen = model(tokens).logits
            with ResidualEdits(model, rows):
                # Nested edits would add up: the outer ones make none meanwhile.
                steer.choose([])
                torch.testing.assert_close(model(tokens).logits, chosen)
        assert [tensor.data_ptr() for tensor in steer._buffers._sites[0].table.tensors()] == buffers
        with pytest.raises(ValueError, match=r"'f5 add 1 @all' was not given at the start"):
            steer.choose([Edit(feature=5, strength=1, sae=sae)])


def test_a_span_without_a_tokenizer_is_an_error():
    model = make_model()
    edit = Edit(feature=3, strength=8, positions=span("your values"), sae=make_sae())
    with pytest.raises(ModelError, match=r"needs the tokenizer.*tokenizer=tokenizer"), ResidualEdits(model, [edit]):
        model(ids())
    assert hook_count(model) == 0


@pytest.mark.parametrize("batch, seq", [(3, 6), (2, 7), (3, 1)])
def test_lists_of_another_shape_are_an_error(batch, seq):
    model = make_model()
    with (
        pytest.raises(ValueError, match=rf"\(3, 7\).*\({batch}, {seq}\)"),
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]) as steer,
    ):
        steer.use(lists_of(steer, torch.ones(3, 7, dtype=torch.bool)))
        model(ids(batch, seq))


def test_a_batch_with_other_rows_than_the_edits_is_an_error():
    edit = Edit(feature=3, strength=8, sae=make_sae())
    model = make_model()
    with (
        pytest.raises(ValueError, match="edits has 2 rows, but the batch 3 prompts"),
        ResidualEdits(model, [[edit], []]),
    ):
        model(ids())
    with pytest.raises(ValueError, match="every row was given its own"):
        ResidualEdits(model, [[edit], []]).numbers(torch.ones(1, 3, dtype=torch.bool).numpy())


@pytest.mark.parametrize("edits", [[1], [[1]], "ab", ["a", []]])
def test_what_is_no_edit_is_refused(edits):
    with pytest.raises(TypeError, match="edits must hold edits only"):
        ResidualEdits(make_model(), edits)
    with pytest.raises(TypeError, match=r"write \[edit\]"):
        ResidualEdits(make_model(), Edit(feature=3, strength=8, sae=make_sae()))


def test_a_pass_that_goes_around_the_hook_is_noticed():
    """A replaced forward of the layer, as some optimisers install, must not leave results silently unsteered."""
    model = make_model()
    with (
        pytest.raises(ModelError, match="acted on 0 tokens, but 21 were to be edited"),
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]),
    ):
        layer = decoder_layers(model)[1]
        hooks, layer._forward_hooks = layer._forward_hooks, type(layer._forward_hooks)()
        model(ids())
        layer._forward_hooks = hooks


def test_a_layer_run_on_its_own_is_refused():
    model = make_model("gpt2")
    with ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]):
        with pytest.raises(ModelError, match="not single layers"):
            decoder_layers(model)[1](torch.zeros(2, 3, D))
        model(ids())


def test_a_cache_from_before_the_edits_is_refused():
    model = make_model()
    past = model(ids(), use_cache=True).past_key_values
    with (
        pytest.raises(ModelError, match=r"cache that was filled outside of this block"),
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]),
    ):
        model(ids(3, 1), past_key_values=past)


# A manual loop, and compiled passes.


@pytest.mark.parametrize("family", FAMILIES)
def test_steps_on_a_cache_equal_one_pass(family):
    model, tokens, sae = make_model(family), ids(), make_sae()
    edits = [
        Edit(feature=3, op="set", strength=30, positions="prompt", sae=sae),
        Edit(feature=4, strength=0.4, unit="relative", sae=sae),
        Edit(feature=5, op="min", strength=3, positions="generated", sae=sae),
    ]
    mask = torch.zeros(3, 3, 7, dtype=torch.bool)
    mask[0, :, :4], mask[1], mask[2, :, 4:] = True, True, True
    with ResidualEdits(model, edits) as steer:
        steer.use(lists_of(steer, *mask))
        whole = model(tokens).logits[:, -1]
    with ResidualEdits(model, edits) as steer:
        past = model(tokens[:, :4], use_cache=True).past_key_values
        for step in range(4, 7):
            last = model(tokens[:, step : step + 1], past_key_values=past).logits[:, -1]
    torch.testing.assert_close(last, whole, rtol=1e-4, atol=1e-4)
    assert steer.hits == (12, 21, 9)


@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_pass_reads_the_buffer_and_is_counted():
    model, tokens, sae = make_model(), ids(), make_sae()
    with ResidualEdits(model, [Edit(feature=3, op="set", strength=8, sae=sae)]), torch.no_grad():
        wanted = model(tokens).logits
    with ResidualEdits(model, [[Edit(feature=3, op="set", strength=8, sae=sae)]] * 3) as steer, torch.no_grad():
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        steer.place(tokens)
        torch.testing.assert_close(compiled(input_ids=tokens).logits, wanted)
        steer.place(ids().flip(0))
        torch.testing.assert_close(compiled(input_ids=tokens.flip(0)).logits, wanted.flip(0))
        steer.check()
        assert steer.hits == steer.asked == (42,)


@pytest.mark.usefixtures("fresh_compiler")
def test_a_compiled_pass_that_was_not_placed_is_noticed():
    """Without care it would run on what the buffer held last."""
    model, tokens = make_model(), ids()
    with (
        pytest.raises(ModelError, match="acted on 42 tokens, but 21"),
        ResidualEdits(model, [Edit(feature=3, strength=8, sae=make_sae())]) as steer,
        torch.no_grad(),
    ):
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        steer.place(tokens)
        compiled(input_ids=tokens)
        compiled(input_ids=tokens)


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
    with pytest.raises(ModelError, match="is 16 wide, but the model's residual stream 24"):
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
