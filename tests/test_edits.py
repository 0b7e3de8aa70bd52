"""Edits: what they refuse, how they are described, what they do to a residual, and which tokens they reach."""

from __future__ import annotations

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch", reason="edits need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pyvalue.kernels.sae_edit import sae_edit  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.edits import Edit, Span, edit_table, span, special_tokens, token_positions  # noqa: E402
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


# What an edit does.


@pytest.mark.parametrize("normalisation", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("folded_bias", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated"])
def test_set_equals_the_splice_with_error(architecture, folded_bias, normalisation):
    sae = random_sae(architecture, apply_b_dec_to_input=folded_bias, normalize_activations=normalisation)
    edits = [Edit(feature=f, op="set", strength=s, sae=sae) for f, s in [(3, 10.0), (59, 0.0), (7, -2.0)]]

    def change(features):
        features[..., 3], features[..., 59], features[..., 7] = 10.0, 0.0, -2.0
        return features

    x = torch.randn(200, D) * 3
    torch.testing.assert_close(sae_edit(x, edit_table(edits)).double(), spliced(x, sae, change), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("normalisation", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated", "topk"])
def test_add_equals_the_splice_with_error(architecture, normalisation):
    sae = random_sae(architecture, normalize_activations=normalisation)
    edits = [Edit(feature=f, strength=s, sae=sae) for f, s in [(3, 10.0), (7, -2.0)]]

    def change(features):
        features[..., 3] += 10
        features[..., 7] -= 2
        return features

    x = torch.randn(200, D) * 3
    torch.testing.assert_close(sae_edit(x, edit_table(edits)).double(), spliced(x, sae, change), rtol=1e-4, atol=1e-4)


def test_units():
    sae = random_sae()
    x = torch.randn(5, D)
    row = sae.W_dec[3]

    def change(unit: str) -> torch.Tensor:
        return sae_edit(x, edit_table([Edit(feature=3, strength=2.5, unit=unit, sae=sae)])) - x

    torch.testing.assert_close(change("raw"), (2.5 * row).expand(5, D), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(change("unit").norm(dim=-1), torch.full((5,), 2.5))
    torch.testing.assert_close(change("relative").norm(dim=-1), 2.5 * x.norm(dim=-1))
    torch.testing.assert_close(change("relative") / x.norm(dim=-1, keepdim=True), change("unit"), rtol=1e-4, atol=1e-5)


def test_edits_of_several_saes_share_a_table():
    first, second = random_sae(), random_sae("gated", seed=5, normalize_activations="layer_norm")
    edits = [Edit(feature=3, op="set", strength=4, sae=s) for s in (first, second)]
    x = torch.randn(9, D)
    apart = sum(sae_edit(x, edit_table([edit])) - x for edit in edits)
    torch.testing.assert_close(sae_edit(x, edit_table(edits)) - x, apart, rtol=1e-4, atol=1e-4)


def test_a_table_needs_edits_of_one_width():
    with pytest.raises(ValueError, match="empty"):
        edit_table([])
    cfg = SAEConfig("standard", 8, 10, HOOK)
    other = SAE(cfg, torch.zeros(8, 10), torch.zeros(10), torch.zeros(10, 8), torch.zeros(8))
    with pytest.raises(ValueError, match=r"widths \[8, 24\]"):
        edit_table([Edit(feature=0, strength=1, sae=random_sae()), Edit(feature=0, strength=1, sae=other)])


# How an edit is described.


@pytest.mark.parametrize(
    "arguments, label",
    [
        ({"feature": 41, "strength": 20, "positions": span("your values")}, "f41 add 20 @'your values'"),
        ({"feature": 41, "strength": -0.1, "op": "set"}, "f41 set -0.1 @all"),
        ({"feature": 41, "strength": 1.5, "unit": "relative"}, "f41 add 1.5 relative @all"),
        ({"feature": 41, "strength": 1e-7, "positions": span("it's", -1)}, 'f41 add 1e-07 @"it\'s"#-1'),
        ({"feature": 41, "strength": 1, "name": "kindness"}, "kindness"),
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
        ({"unit": "percent"}, ValueError, "unit must be one of raw, unit, relative"),
        ({"unit": "relative", "op": "set"}, ValueError, "'relative' is for op 'add' only"),
        ({"positions": "prompt"}, ValueError, "positions must be 'all' or span"),
        ({"sae": None}, TypeError, "sae must be an SAE"),
        ({"sae": random_sae("topk"), "op": "set"}, ModelError, "'topk' SAE cannot be read"),
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


def test_padding_is_never_reached():
    offsets, special = [(0, 0), (0, 0), *OFFSETS], [1, 1, *SPECIAL]
    assert reached(span("your values", 0), offsets, special) == [5, 6]
    # A token of no characters in the middle of the span, as some tokenizers make.
    assert reached(span("your values", 0), [*OFFSETS[:4], (16, 16), *OFFSETS[4:]], [*SPECIAL, 0]) == [3, 5]
    assert reached("all", torch.tensor(offsets), torch.tensor(special, dtype=torch.bool)) == list(range(3, 14))


def test_a_span_that_is_missing_is_named_beside_the_prompt():
    with pytest.raises(ValueError, match=r"'your worth' is not in the prompt, which begins '<s>What are"):
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
