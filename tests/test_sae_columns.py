"""Single features read by encoder columns, and the whole encoder folded: both must say what ``encode`` says."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from sae_files import HOOK, D, F, random_weights, residuals, write_folder  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import SAE, load_sae  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

READABLE = ["standard", "jumprelu", "gated", "topk"]
NORMALISATIONS = ["none", "layer_norm", "constant_norm_rescale"]


def make_sae(architecture: str, **config) -> SAE:
    stored = random_weights(architecture)
    if "b_gate" in stored:
        stored["b_enc"] = stored.pop("b_gate")
    k = 5 if architecture in ("topk", "abstopk") else None
    return SAE(SAEConfig(architecture, D, F, HOOK, k=k, **config), **stored)


def activations(columns, u: torch.Tensor, every_u: torch.Tensor, features: list[int]) -> torch.Tensor:
    """What the columns say for the pre-activations ``u`` (..., n); ``every_u`` (..., f) ranks those of TopK."""
    read = torch.where(u > columns.threshold, torch.relu(u * columns.gain + columns.offset), 0.0)
    if columns.k == 0:
        return read
    # Other features only: two products may round one feature's own pre-activation differently.
    others = torch.arange(F) != torch.tensor(features).unsqueeze(-1)
    larger = ((every_u.unsqueeze(-2) > u.unsqueeze(-1)) & others).sum(dim=-1)
    return torch.where(larger < columns.k, read, 0.0)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("folded_bias", [True, False])
@pytest.mark.parametrize("architecture", READABLE)
def test_columns_read_what_the_whole_encoder_reads(architecture, folded_bias, normalisation):
    sae = make_sae(architecture, apply_b_dec_to_input=folded_bias, normalize_activations=normalisation)
    x, chosen = residuals(), [59, 0, 7, 7, 31]
    normalised = sae.normalise(x).x
    weight, bias = sae.folded_encoder()
    every_u = normalised @ weight.T + bias
    columns = sae.encoder_columns(chosen)
    u = normalised @ columns.weight.T + columns.bias
    torch.testing.assert_close(u, every_u[..., chosen], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        activations(columns, u, every_u, chosen), sae.encode(x)[..., chosen], rtol=1e-4, atol=1e-4
    )
    assert columns.k == (5 if architecture == "topk" else 0)


@pytest.mark.parametrize("architecture", READABLE)
def test_one_column_is_one_row_of_many(architecture):
    sae = make_sae(architecture)
    many = sae.encoder_columns(range(F))
    for feature in (0, 31, 59):
        one = sae.encoder_column(feature)
        assert torch.equal(one.weight, many.weight[feature])
        assert one[1:5] == tuple(float(values[feature]) for values in many[1:5])
        assert one.k == many.k


@given(st.integers(0, 2**31), st.floats(1.0, 1e4))
@settings(max_examples=25, deadline=None)
def test_the_decoder_bias_is_folded_in_double(seed, length):
    """A decoder bias thousands long cancels in float32; the folded bias is right to its own rounding."""
    g = torch.Generator().manual_seed(seed)
    weights = [torch.randn(*shape, generator=g) for shape in [(D, F), (F,), (F, D), (D,)]]
    weights[3] *= length
    sae = SAE(SAEConfig("standard", D, F, HOOK), *weights)
    exact = weights[1].double() - weights[3].double() @ weights[0].double()
    for bias in (sae.encoder_columns(range(F)).bias, sae.folded_encoder()[1]):
        assert bias.dtype == torch.float32
        assert torch.equal(bias, exact.float()) or float((bias.double() - exact).abs().max()) <= 1e-6 * length


def test_the_folded_encoder_is_made_once_and_contiguous():
    sae = make_sae("gated")
    weight, bias = sae.folded_encoder()
    assert weight.shape == (F, D) and weight.is_contiguous() and bias.shape == (F,)
    assert sae.folded_encoder()[0] is weight
    assert sae.with_max_activations(torch.ones(F)).folded_encoder()[0] is weight
    plain = make_sae("standard", apply_b_dec_to_input=False)
    assert torch.equal(plain.folded_encoder()[1], plain.b_enc)


def test_columns_of_half_precision_weights_are_float32(tmp_path):
    sae = load_sae(write_folder(tmp_path, "jumprelu"), dtype="bfloat16")
    columns = sae.encoder_columns([3])
    assert {values.dtype for values in columns[:5]} == {torch.float32}
    assert torch.equal(columns.weight[0], sae.W_enc[:, 3].float())
    assert sae.folded_encoder()[0].dtype == torch.bfloat16
    assert sae.folded_encoder()[1].dtype == torch.float32


def test_no_features_are_no_columns():
    columns = make_sae("standard").encoder_columns([])
    assert columns.weight.shape == (0, D) and columns.bias.shape == (0,)


@pytest.mark.parametrize("feature", [-1, F])
def test_a_feature_that_is_not_there(feature):
    with pytest.raises(ValueError, match="from 0 to 59"):
        make_sae("standard").encoder_columns([0, feature])


@pytest.mark.parametrize("features", [[1.5], ["1"], [None]])
def test_a_feature_that_is_no_integer(features):
    with pytest.raises(TypeError, match="features must be integers"):
        make_sae("standard").encoder_columns(features)


def test_a_feature_with_a_sign_is_refused_with_what_works_instead():
    sae = make_sae("abstopk")
    for read in (lambda: sae.encoder_column(0), lambda: sae.encoder_columns([0]), sae.folded_encoder):
        with pytest.raises(ModelError, match=r"may be negative.*'add' works with every SAE"):
            read()


# The way in and back.


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_normalise_against_its_definition_in_double(normalisation):
    sae = make_sae("standard", normalize_activations=normalisation)
    x = residuals().double() + 2
    values, mean, scale = sae.normalise(x)
    if normalisation == "layer_norm":
        mu = x.sum(-1, keepdim=True) / D
        std = (((x - mu) ** 2).sum(-1, keepdim=True) / (D - 1)).sqrt()
        wanted = (x - mu) / (std + 1e-5)
    elif normalisation == "constant_norm_rescale":
        wanted = x * D**0.5 / (x**2).sum(-1, keepdim=True).sqrt()
    else:
        wanted = x
    torch.testing.assert_close(values, wanted, rtol=1e-12, atol=1e-12)
    back = values * scale + mean
    torch.testing.assert_close(back, x, rtol=1e-4 if normalisation == "layer_norm" else 1e-12, atol=1e-4)


def test_an_sae_of_an_unknown_or_unfolded_normalisation_cannot_be_made():
    sae = make_sae("standard")
    with pytest.raises(ValueError, match=r"config\.normalize_activations must be one of none, layer_norm"):
        replace(sae, config=replace(sae.config, normalize_activations="expected_average_only_in"))
