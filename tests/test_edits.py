"""Edits: what they refuse, how they are described, what they do to a residual, and which tokens they reach."""

from __future__ import annotations

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch", reason="edits need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.edit_rows import edit_rows  # noqa: E402
from pyvalue.models.edit_site import EditSite  # noqa: E402
from pyvalue.models.edits import (  # noqa: E402
    Direction,
    Edit,
    Indices,
    Span,
    indices,
    span,
    special_tokens,
    token_positions,
)
from pyvalue.models.sae import SAE  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

D, F = 24, 60
HOOK = "blocks.1.hook_resid_post"


def random_sae(architecture: str = "standard", seed: int = 0, hook: str = HOOK, **config) -> SAE:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    extra = {}
    if architecture == "jumprelu":
        extra = {"threshold": normal(F)}
    if architecture == "gated":
        extra = {"r_mag": normal(F) * 0.3, "b_mag": normal(F)}
    config = {"k": 5, **config} if architecture == "topk" else config
    cfg = SAEConfig(architecture, D, F, hook, **config)
    return SAE(cfg, normal(D, F), normal(F), normal(F, D), normal(D), **extra, name="random")


def spliced(x: torch.Tensor, sae: SAE, change) -> torch.Tensor:
    """decode(change(encode(x))) plus the reconstruction error, in double precision."""
    exact = dataclasses.replace(
        sae,
        **{
            name: tensor.double()
            for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold", "r_mag", "b_mag")
            if (tensor := getattr(sae, name)) is not None
        },
    )
    x = x.double()
    features = exact.encode(x)
    error = x - exact.decode(features, like=x)
    return exact.decode(change(features.clone()), like=x) + error


def edited(x: torch.Tensor, edits: list[Edit]) -> torch.Tensor:
    """``x`` (n, d) with the edits made at every token."""
    site = EditSite(torch.nn.Linear(D, D), (1, "resid_post"), dict(enumerate(edits)))
    site.load([list(range(len(edits)))])
    return site.change(x.unsqueeze(0), torch.zeros(1, len(x), dtype=torch.int32))[0]


# What an edit does.

ARCHITECTURES = ["standard", "jumprelu", "gated", "topk"]
NORMALISATIONS = ["none", "layer_norm", "constant_norm_rescale"]
FEATURES = (3, 59, 7, 20)
CHANGES = {
    "add": lambda a, c: a + c,
    "set": lambda a, c: torch.full_like(a, c),
    "min": lambda a, c: a.clamp(min=c),
    "max": lambda a, c: a.clamp(max=c),
    "scale": lambda a, c: a * c,
    "ablate": lambda a, c: torch.zeros_like(a),
}


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("folded_bias", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("op", CHANGES)
def test_every_operation_equals_the_splice_with_error(op, architecture, folded_bias, normalisation):
    sae = random_sae(architecture, apply_b_dec_to_input=folded_bias, normalize_activations=normalisation)
    strengths = dict.fromkeys(FEATURES) if op == "ablate" else dict(zip(FEATURES, [2.0, 0.0, -2.0, 0.5], strict=True))
    edits = [Edit(feature=f, op=op, strength=c, sae=sae) for f, c in strengths.items()]

    def change(features):
        for f, c in strengths.items():
            features[..., f] = CHANGES[op](features[..., f], c)
        return features

    x = torch.randn(200, D, generator=torch.Generator().manual_seed(5)) * 3
    wanted = spliced(x, sae, change)
    torch.testing.assert_close(edited(x, edits).double(), wanted, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(wanted, x.double())


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("share", [None, 1.0, 0.25])
def test_splice_moves_to_the_reconstruction_with_its_features_edited(share, architecture, normalisation):
    sae = random_sae(architecture, normalize_activations=normalisation)
    edits = [Edit(op="splice", strength=share, sae=sae), Edit(feature=3, op="set", strength=4.0, sae=sae)]

    def change(features):
        features[..., 3] = 4.0
        return features

    x = torch.randn(60, D) * 3
    error = x - sae.decode(sae.encode(x), like=x)
    wanted = spliced(x, sae, change) - (1.0 if share is None else share) * error.double()
    torch.testing.assert_close(edited(x, edits).double(), wanted, rtol=1e-4, atol=1e-4)


def test_a_direction_is_added():
    x, v = torch.randn(5, D), torch.randn(D)

    def change(unit: str) -> torch.Tensor:
        direction = Direction(v, HOOK)
        return edited(x, [Edit(op="direction", direction=direction, strength=0.5, unit=unit)]) - x

    torch.testing.assert_close(change("raw"), (0.5 * v).expand(5, D))
    torch.testing.assert_close(change("unit"), (0.5 * v / v.norm()).expand(5, D))
    torch.testing.assert_close(change("relative"), 0.5 * x.norm(dim=-1, keepdim=True) * v / v.norm())


def test_units():
    sae = random_sae().with_max_activations(torch.arange(F).float())
    x = torch.randn(5, D)
    row = sae.W_dec[3]

    def change(unit: str) -> torch.Tensor:
        return edited(x, [Edit(feature=3, strength=0.5, unit=unit, sae=sae)]) - x

    torch.testing.assert_close(change("raw"), (0.5 * row).expand(5, D), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(change("max_act"), (0.5 * 3 * row).expand(5, D), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(change("unit").norm(dim=-1), torch.full((5,), 0.5))
    torch.testing.assert_close(change("relative").norm(dim=-1), 0.5 * x.norm(dim=-1))
    torch.testing.assert_close(change("relative") / x.norm(dim=-1, keepdim=True), change("unit"), rtol=1e-4, atol=1e-5)


def test_set_in_units_of_the_maximum_and_of_the_row():
    sae = random_sae().with_max_activations(torch.arange(F).float())
    x = torch.randn(5, D)
    raw = edited(x, [Edit(feature=7, op="set", strength=3.5, sae=sae)])
    length = float(sae.W_dec[7].norm())
    torch.testing.assert_close(edited(x, [Edit(feature=7, op="set", strength=0.5, unit="max_act", sae=sae)]), raw)
    torch.testing.assert_close(
        edited(x, [Edit(feature=7, op="set", strength=3.5 * length, unit="unit", sae=sae)]), raw, rtol=1e-4, atol=1e-5
    )


def test_edits_of_several_saes_act_together():
    first, second = random_sae(), random_sae("gated", seed=5, normalize_activations="layer_norm")
    third, fourth = random_sae("topk", seed=6), random_sae("topk", seed=7, k=9)
    edits = [Edit(feature=3, op="set", strength=4, sae=s) for s in (first, second, third, fourth)]
    edits.append(Edit(op="splice", strength=0.5, sae=first))
    x = torch.randn(9, D)
    apart = sum(edited(x, [edit]) - x for edit in edits)
    torch.testing.assert_close(edited(x, edits) - x, apart, rtol=1e-4, atol=1e-4)


def test_a_feature_is_stored_once_however_many_edits_share_it():
    sae = random_sae()
    rows = edit_rows([Edit(feature=f, strength=s, sae=sae) for f in (3, 4) for s in (1, 2, 3)])
    assert rows.columns["decoder"].shape == (2, D)
    assert rows.columns["feature"].tolist() == [0, 0, 0, 1, 1, 1]


def test_edits_of_one_place_need_one_width():
    with pytest.raises(ValueError, match="empty"):
        edit_rows([])
    cfg = SAEConfig("standard", 8, 10, HOOK)
    other = SAE(cfg, torch.zeros(8, 10), torch.zeros(10), torch.zeros(10, 8), torch.zeros(8))
    with pytest.raises(ValueError, match=r"widths \[8, 24\]"):
        edit_rows([Edit(feature=0, strength=1, sae=random_sae()), Edit(feature=0, strength=1, sae=other)])


# How an edit is described.


@pytest.mark.parametrize(
    "arguments, label",
    [
        ({"feature": 41, "strength": 20, "positions": span("your values")}, "f41 add 20 @'your values'"),
        ({"feature": 41, "strength": -0.1, "op": "set"}, "f41 set -0.1 @all"),
        ({"feature": 41, "strength": 0.5, "unit": "relative"}, "f41 add 0.5 relative @all"),
        ({"feature": 41, "strength": 1e-7, "positions": span("it's", -1)}, 'f41 add 1e-07 @"it\'s"#-1'),
        ({"feature": 41, "strength": 1, "name": "kindness"}, "kindness"),
        ({"feature": 41, "op": "ablate", "positions": "prompt"}, "f41 ablate @prompt"),
        ({"feature": 41, "op": "scale", "strength": 2, "positions": indices(0, -1)}, "f41 scale 2 @[0,-1]"),
        ({"op": "splice"}, "splice @all"),
    ],
)
def test_labels(arguments, label):
    assert Edit(**arguments, sae=random_sae()).label == label


def test_the_record_is_json_with_the_identity_of_the_sae():
    sae = random_sae()
    record = Edit(feature=3, strength=100, positions=span("your values", 0), sae=sae).to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["positions"] == {"span": "your values", "occurrence": 0}
    assert record["sae"]["sha256"] == sae.content_hash
    assert (record["sae"]["name"], record["sae"]["hook_name"], record["strength"]) == ("random", HOOK, 100.0)


def test_the_record_of_a_direction_and_of_indices():
    direction = Direction(torch.ones(D), HOOK, name="kind - cruel")
    edit = Edit(op="direction", direction=direction, strength=2, positions=indices(-1))
    record = edit.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["positions"] == {"indices": [-1]}
    assert record["direction"] == {
        "name": "kind - cruel", "sha256": direction.content_hash, "hook_name": HOOK, "d_in": D,
    }  # fmt: skip
    assert edit.label == "kind - cruel direction 2 @[-1]"
    assert Direction(2 * torch.ones(D), HOOK).content_hash != direction.content_hash


def test_edits_are_values():
    sae = random_sae()
    edit = Edit(feature=3, strength=1, sae=sae)
    assert edit == Edit(feature=3, strength=1.0, sae=sae)
    assert len({edit, Edit(feature=3, strength=1.0, sae=sae), Edit(feature=4, strength=1, sae=sae)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        edit.strength = 2


# What an edit refuses.


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ({"feature": F}, ValueError, "feature must be from 0 to 59"),
        ({"feature": -1}, ValueError, "got -1"),
        ({"feature": 1.5}, TypeError, "feature must be an integer"),
        ({"feature": True}, TypeError, "feature must be an integer"),
        ({"strength": float("nan")}, ValueError, "strength must be finite"),
        ({"strength": float("inf")}, ValueError, "strength must be finite"),
        ({"strength": "much"}, TypeError, "strength must be a number"),
        ({"op": "multiply"}, ValueError, "op must be one of add, set"),
        ({"unit": "percent"}, ValueError, "unit must be one of raw, unit, max_act, relative"),
        ({"unit": "relative", "op": "set"}, ValueError, "unit of op 'set' must be one of 'raw', 'unit', 'max_act'"),
        ({"unit": "unit", "op": "scale"}, ValueError, "unit of op 'scale' must be one of 'raw'"),
        ({"unit": "max_act"}, ValueError, "needs the maximum of every feature"),
        ({"strength": None}, ValueError, "strength is missing: op 'add' needs one"),
        ({"op": "ablate"}, ValueError, "op 'ablate' takes none, got 1"),
        ({"op": "splice"}, ValueError, "op 'splice' concerns the whole SAE"),
        ({"op": "splice", "feature": None, "strength": 1.5}, ValueError, "above 0 and at most 1, got 1.5"),
        ({"feature": None}, TypeError, "feature must be an integer, got None"),
        ({"positions": "answer"}, ValueError, "positions must be one of 'all', 'prompt', 'generated', span"),
        ({"sae": None}, TypeError, "sae must be an SAE.*got none"),
        ({"op": "direction"}, TypeError, "direction must be a Direction"),
        ({"direction": Direction(torch.ones(D), HOOK)}, ValueError, "direction is for op 'direction' only"),
        ({"op": "direction", "direction": Direction(torch.ones(D), HOOK)}, ValueError, "op 'direction' uses neither"),
        ({"sae": random_sae(hook="blocks.1.hook_mlp_out")}, ModelError, "only SAEs of the residual stream"),
    ],
)
def test_bad_edits(arguments, kind, words):
    with pytest.raises(kind, match=words):
        Edit(**{"feature": 1, "strength": 1.0, "sae": random_sae(), **arguments})


def test_a_decoder_row_of_zeros_has_no_unit():
    sae = random_sae()
    sae.W_dec[4] = 0
    with pytest.raises(ValueError, match="feature 4 has a decoder row of zeros"):
        Edit(feature=4, strength=1, unit="unit", sae=sae)


@pytest.mark.parametrize("strength, warns", [(1.0, False), (-1.5, True)])
def test_an_absurd_relative_strength_is_warned_of(strength, warns, recwarn):
    Edit(feature=4, strength=strength, unit="relative", sae=random_sae())
    assert [str(w.message)[:20] for w in recwarn] == ["strength -1.5 relativ"[:20]] * warns


@pytest.mark.parametrize(
    "vector, hook, kind, words",
    [
        ([1.0], HOOK, TypeError, "vector must be a torch tensor, got list"),
        (torch.ones(2, 3), HOOK, ValueError, r"vector must be \(d,\)"),
        (torch.ones(3, dtype=torch.int), HOOK, ValueError, "floating point"),
        (torch.zeros(3), HOOK, ValueError, "not all zeros"),
        (torch.tensor([1.0, float("nan")]), HOOK, ValueError, "finite"),
        (torch.ones(3), "blocks.1.hook_mlp_out", ModelError, "hook is 'blocks.1.hook_mlp_out'"),
    ],
)
def test_bad_directions(vector, hook, kind, words):
    with pytest.raises(kind, match=words):
        Direction(vector, hook)


@pytest.mark.parametrize("numbers", [(), (1.5,), (True,), ("0",)])
def test_bad_indices(numbers):
    with pytest.raises(ValueError, match="numbers must be at least one integer"):
        indices(*numbers)


@pytest.mark.parametrize("text, occurrence", [("", "all"), (None, "all"), ("x", "first"), ("x", 1.5), ("x", True)])
def test_bad_spans(text, occurrence):
    with pytest.raises(ValueError, match=r"text must be|occurrence must be"):
        span(text, occurrence)


# Which tokens an edit reaches.

PROMPT = "<s>What are your values? Do your values matter?"
#           <s>      What    are      your      values    ?         Do        your      va        lues      matter   ?
OFFSETS = [
    (0, 3),
    (3, 7),
    (7, 11),
    (11, 16),
    (16, 23),
    (23, 24),
    (24, 27),
    (27, 32),
    (32, 35),
    (35, 39),
    (39, 46),
    (46, 47),
]
SPECIAL = [1] + [0] * 11


def reached(positions, offsets=OFFSETS, special=SPECIAL) -> list[int]:
    return token_positions(PROMPT, offsets, special, positions).nonzero().flatten().tolist()


@pytest.mark.parametrize(
    "positions, tokens",
    [
        ("all", list(range(1, 12))),
        (span("your values"), [3, 4, 7, 8, 9]),
        (span("your values", 0), [3, 4]),
        (span("your values", -1), [7, 8, 9]),
        (span("alu"), [4, 8, 9]),
        (span("<s>What"), [1]),
    ],
)
def test_positions_by_character(positions, tokens):
    assert reached(positions) == tokens


def test_positions_by_kind():
    assert reached("prompt") == reached("all") == list(range(1, 12))
    assert reached("generated") == []
    # The one way to reach a special token: by its number.
    assert reached(indices(0, 2, -1)) == [0, 2, 11]
    with pytest.raises(ValueError, match="index 12 is beyond the prompt, which has 12 tokens"):
        reached(Indices((12,)))


def test_padding_is_never_reached():
    offsets, special = [(0, 0), (0, 0), *OFFSETS], [1, 1, *SPECIAL]
    assert reached(span("your values", 0), offsets, special) == [5, 6]
    # A token of no characters in the middle of the span, as some tokenizers make.
    assert reached(span("your values", 0), [*OFFSETS[:4], (16, 16), *OFFSETS[4:]], [*SPECIAL, 0]) == [3, 5]
    assert reached("all", torch.tensor(offsets), torch.tensor(special, dtype=torch.bool)) == list(range(3, 14))


def test_a_span_that_is_missing_is_named_beside_the_prompt():
    with pytest.raises(ValueError, match=r"'your worth' is not in the prompt, which begins '<s>What are.*one piece"):
        reached(span("your worth"))
    with pytest.raises(ValueError) as caught:
        token_positions("x" * 500, [(0, 500)], [0], span("y"))
    assert "x" * 80 in str(caught.value)
    assert "x" * 81 not in str(caught.value)
    with pytest.raises(ValueError, match=r"occurrence 2 of the span 'your values'.*has 2 of it"):
        reached(span("your values", 2))


def test_a_truncated_prompt_is_noticed():
    with pytest.raises(ValueError, match=r"no token covers .* truncated"):
        reached(span("matter"), OFFSETS[:9], SPECIAL[:9])


def test_offsets_and_special_mask_must_agree():
    with pytest.raises(ValueError, match=r"special_mask has shape \(3,\), but offsets has 12 tokens"):
        reached("all", special=[0, 0, 0])


@settings(deadline=None, max_examples=100)
@given(words=st.lists(st.text("ab ", min_size=1, max_size=4), min_size=1, max_size=8), data=st.data())
def test_reached_tokens_are_those_that_share_a_character_with_the_span(words, data):
    prompt = "".join(words)
    start = data.draw(st.integers(0, len(prompt) - 1))
    text = prompt[start : data.draw(st.integers(start + 1, len(prompt)))]
    bounds, at = [], 0
    for word in words:
        bounds.append((at, at + len(word)))
        at += len(word)
    first = prompt.index(text)
    wanted = [bool(set(range(*b)) & set(range(first, first + len(text)))) for b in bounds]
    assert token_positions(prompt, bounds, [0] * len(words), Span(text, 0)).tolist() == wanted


def test_special_tokens_are_found_by_id_and_padding_by_the_attention_mask():
    class Tokenizer:
        all_special_ids = [0, 2]  # noqa: RUF012

    ids = torch.tensor([[2, 5, 0, 7], [9, 9, 2, 5]])
    attention = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    assert special_tokens(ids, Tokenizer()).tolist() == [[True, False, True, False], [False, False, True, False]]
    assert special_tokens(ids, Tokenizer(), attention)[1].tolist() == [True, True, True, False]
