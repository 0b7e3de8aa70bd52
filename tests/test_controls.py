"""Controls push as hard as what they control for, elsewhere; measured in the residual stream of a running model."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="edits need torch")
pytest.importorskip("transformers", reason="edits need transformers")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from pyvalue.models.edits import Direction, Edit, indices, span  # noqa: E402
from pyvalue.models.hook_points import add_change, decoder_layers, remove_change  # noqa: E402
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402
from pyvalue.steering.controls import SIMILAR, control_configurations, random_controls  # noqa: E402

D, F = 60, 63


def make_sae(*, seed: int = 0, norm: str = "none", maxima: bool = True) -> SAE:
    """Decoder rows of lengths from about 1 to 8, the last one zeros; the first five features never fired."""
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(F, D, generator=g) * torch.logspace(-1, 0, F, base=8).unsqueeze(1)
    rows[-1] = 0
    weights = [torch.randn(D, F, generator=g), torch.randn(F, generator=g), rows, torch.randn(D, generator=g)]
    config = SAEConfig("standard", D, F, "blocks.1.hook_resid_post", normalize_activations=norm)
    sae = SAE(config, *weights, name="random")
    top = torch.rand(F, generator=g) * 10 + 0.5
    top[:5] = 0
    return sae.with_max_activations(top) if maxima else sae


SAES = {"maxima": make_sae(), "none": make_sae(maxima=False)}


def pushed_by(edit: Edit) -> float:
    """Length of what an ``add`` adds to a residual of length 1, from the definition of its unit, in float64."""
    row = edit.sae.W_dec[edit.feature].double()
    factor = {
        "raw": lambda: 1.0,
        "unit": lambda: 1 / row.norm(),
        "relative": lambda: 1 / row.norm(),
        "max_act": lambda: edit.sae.max_activations[edit.feature].double(),
    }[edit.unit]()
    return abs(float(edit.strength * factor * row.norm()))


@given(
    feature=st.integers(5, F - 2),
    unit=st.sampled_from(["raw", "unit", "relative", "max_act"]),
    strength=st.floats(-0.9, 0.9).filter(lambda c: abs(c) > 1e-3),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60, deadline=None)
def test_an_added_control_is_as_long(feature, unit, strength, seed):
    edit = Edit(feature=feature, strength=strength, unit=unit, sae=SAES["maxima"], positions="generated")
    controls = random_controls(edit, 9, seed)
    drawn = [control.feature for control in controls]
    assert len(set(drawn)) == 9 and feature not in drawn and min(drawn) >= 5 and F - 1 not in drawn
    for control in controls:
        assert pushed_by(control) == pytest.approx(pushed_by(edit), rel=1e-6)
        assert (control.strength > 0) == (strength > 0)
        assert (control.op, control.unit, control.positions, control.sae) == ("add", unit, "generated", edit.sae)


@pytest.mark.parametrize("norm", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("unit", ["raw", "unit", "relative", "max_act"])
def test_the_residual_moves_as_far(tiny_model, norm, unit):
    """Read behind the edit in the running model."""
    g = torch.Generator().manual_seed(1)
    rows = torch.randn(F, 64, generator=g) * torch.logspace(-1, 0, F, base=8).unsqueeze(1)
    config = SAEConfig("standard", 64, F, "blocks.1.hook_resid_post", normalize_activations=norm)
    sae = SAE(config, torch.randn(64, F, generator=g), torch.zeros(F), rows, torch.zeros(64))
    sae = sae.with_max_activations(torch.rand(F, generator=g) + 0.5)
    edit = Edit(feature=7, strength=0.5, unit=unit, sae=sae)
    ids = torch.tensor([tiny_model.tokenizer("Should I help a neighbour who asks for it?")["input_ids"]])

    def residual(edits):
        seen = []
        layer = decoder_layers(tiny_model.network)[2]  # its input is what the edit left

        def look(hidden):
            seen.append(hidden.clone())
            return hidden

        add_change(layer, "resid_pre", look)
        try:
            with tiny_model.edit(edits):
                tiny_model.network(ids)
        finally:
            remove_change(layer, "resid_pre", look)
        return seen[0].double()

    plain = residual([])
    wanted = (residual([edit]) - plain).norm(dim=-1)
    assert (wanted > 0).all()
    for control in random_controls(edit, 4, seed=3):
        torch.testing.assert_close((residual([control]) - plain).norm(dim=-1), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("op", ["set", "min", "max", "scale", "ablate"])
@pytest.mark.parametrize("known", ["maxima", "none"])
def test_what_is_clamped_is_of_like_size(op, known):
    sae = SAES[known]
    length = sae.W_dec.norm(dim=1).double()
    size = length if sae.max_activations is None else length * sae.max_activations.double()
    edit = Edit(feature=30, op=op, strength=None if op == "ablate" else 3.0, sae=sae, positions=indices(-1))
    controls = random_controls(edit, 8)
    for control in controls:
        assert 1 / SIMILAR <= float(size[control.feature] / size[30]) <= SIMILAR
        assert (control.op, control.positions) == (op, edit.positions)
        if op in ("scale", "ablate"):
            assert control.strength == edit.strength
        else:  # what the activation is set to is as long in the residual
            assert control.strength * float(length[control.feature]) == pytest.approx(3.0 * float(length[30]))
    alike = ((size >= size[30] / SIMILAR) & (size <= size[30] * SIMILAR)).sum() - 1
    assert len({c.feature for c in random_controls(edit, int(alike))}) == alike  # all of them can be drawn
    with pytest.raises(ValueError, match=f"n is {alike + 1}, but .* has only {alike} other features"):
        random_controls(edit, int(alike) + 1)


def test_a_draw_can_be_repeated_and_continued():
    edit = Edit(feature=30, strength=1.0, sae=SAES["maxima"])
    numbers = [c.feature for c in random_controls(edit, 6, seed=2)]
    assert [c.feature for c in random_controls(edit, 6, seed=2)] == numbers
    assert [c.feature for c in random_controls(edit, 3, seed=2)] == numbers[:3]
    assert [c.feature for c in random_controls(replace(edit, strength=9.0), 6, seed=2)] == numbers
    assert [c.feature for c in random_controls(edit, 6, seed=3)] != numbers
    assert [c.feature for c in random_controls(replace(edit, feature=31), 6, seed=2)] != numbers
    rest = [c.feature for c in random_controls(edit, 5, seed=2, exclude=numbers[:1])]
    assert rest == numbers[1:]


def test_every_feature_is_drawn_equally_often():
    from scipy import stats

    edit = Edit(feature=30, strength=1.0, sae=SAES["maxima"])
    drawn = [c.feature for seed in range(600) for c in random_controls(edit, 2, seed)]
    counts = torch.bincount(torch.tensor(drawn), minlength=F)
    usable = [f for f in range(5, F - 1) if f != 30]
    assert counts.sum() == counts[usable].sum()
    assert stats.chisquare(counts[usable].numpy()).pvalue > 1e-3


def test_directions_turn():
    vector = torch.randn(D, generator=torch.Generator().manual_seed(0)) * 3
    edit = Edit(op="direction", strength=2.0, direction=Direction(vector, "blocks.2.hook_resid_pre", "mean"))
    controls = random_controls(edit, 40, seed=1)
    turned = torch.stack([c.direction.vector for c in controls]).double()
    torch.testing.assert_close(turned.norm(dim=1), vector.double().norm().expand(40), rtol=1e-6, atol=0)
    cosines = torch.nn.functional.cosine_similarity(turned[:, None], turned[None], dim=-1) - torch.eye(40)
    assert cosines.abs().max() < 5 / D**0.5
    assert torch.nn.functional.cosine_similarity(turned, vector.double()[None]).abs().max() < 5 / D**0.5
    assert all((c.strength, c.direction.hook) == (2.0, "blocks.2.hook_resid_pre") for c in controls)
    again = random_controls(edit, 3, seed=1)
    assert [c.direction.content_hash for c in again] == [c.direction.content_hash for c in controls[:3]]
    assert random_controls(edit, 1, seed=2)[0].direction.content_hash != controls[0].direction.content_hash


def test_names_say_what_they_control_for():
    edit = Edit(feature=30, strength=1.0, sae=SAES["none"], positions=span("your values"))
    first, second = random_controls(edit, 2)
    assert first.label == f"control 1 of f30 add 1 @'your values' (f{first.feature})"
    assert second.label == f"control 2 of f30 add 1 @'your values' (f{second.feature})"


def test_edits_made_together_are_replaced_together():
    sae = SAES["none"]
    clamp = Edit(feature=30, op="min", strength=1.0, sae=sae), Edit(feature=30, op="max", strength=2.0, sae=sae)
    others = [Edit(feature=f, strength=1.0, sae=sae) for f in (31, 32)]
    splice = Edit(op="splice", strength=0.5, sae=sae)
    direction = Direction(torch.ones(D), "blocks.1.hook_resid_post")
    turn = [Edit(op="direction", strength=c, direction=direction, positions=p) for c, p in [(1, "prompt"), (2, "all")]]
    made = control_configurations([*clamp, splice, *others, *turn], 5, seed=4)
    assert len(made) == 5
    for low, high, kept, one, two, before, after in made:
        assert low.feature == high.feature and (low.op, high.op) == ("min", "max")
        assert len({low.feature, one.feature, two.feature} | {30, 31, 32}) == 6
        assert kept is splice
        assert before.direction.content_hash == after.direction.content_hash != direction.content_hash
    assert len({row[0].feature for row in made}) == len({row[3].feature for row in made}) == 5
    with pytest.raises(ValueError, match="'splice' alone"):
        control_configurations([splice], 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("edit", 1), TypeError, "edit must be an Edit, got str"),
        ((Edit(feature=1, strength=1.0, sae=SAES["none"]), 0), ValueError, "n must be at least 1, got 0"),
        ((Edit(feature=1, strength=1.0, sae=SAES["none"]), 1.0), TypeError, "n must be an integer, got float"),
        ((Edit(feature=1, strength=1.0, sae=SAES["none"]), 1, -1), ValueError, "seed must be at least 0"),
        ((Edit(feature=1, strength=1.0, sae=SAES["none"]), F), ValueError, "has only 61 other features"),
        ((Edit(feature=1, op="set", strength=1.0, sae=SAES["maxima"]), 1), ValueError, "has only 0 other features"),
        ((Edit(op="splice", sae=SAES["none"]), 1), ValueError, "'splice' changes no single feature"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        random_controls(*arguments)
