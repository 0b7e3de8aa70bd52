"""An SAE as a value, and every way its native folder can be wrong. Against sae-lens: test_sae_against_sae_lens."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from sae_files import HOOK, D, F, random_weights, write_folder  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import SAE, load_sae  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402


def test_jumprelu_threshold_is_strict():
    config = SAEConfig("jumprelu", 1, 1, HOOK)
    one = torch.ones(1)
    sae = SAE(config, one.view(1, 1), 0 * one, one.view(1, 1), 0 * one, threshold=2 * one)
    assert sae.encode(torch.tensor([[2.0], [2.5]])).flatten().tolist() == [0.0, 2.5]


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_read_as_float32_unless_asked(tmp_path, stored):
    weights = {name: tensor.to(stored) for name, tensor in random_weights("standard").items()}
    write_folder(tmp_path, weights=weights)
    sae = load_sae(tmp_path)
    assert {sae.W_enc.dtype, sae.b_dec.dtype} == {torch.float32}
    assert torch.equal(sae.W_enc, weights["W_enc"].float())
    half = load_sae(tmp_path, dtype="bfloat16")
    assert half.encode(torch.randn(3, D)).dtype == torch.bfloat16


def test_content_hash_tells_weights_apart_and_ignores_the_place(tmp_path):
    first = load_sae(write_folder(tmp_path / "a"))
    same = load_sae(write_folder(tmp_path / "b"))
    other = load_sae(write_folder(tmp_path / "c", weights=random_weights("standard", seed=1)))
    moved = load_sae(write_folder(tmp_path / "d", apply_b_dec_to_input=False))
    assert (first.name, same.name) == ("a", "b")
    assert first.content_hash == same.content_hash
    assert len({first.content_hash, other.content_hash, moved.content_hash}) == 3


def test_an_sae_cannot_be_changed(tmp_path):
    sae = load_sae(write_folder(tmp_path))
    with pytest.raises(dataclasses.FrozenInstanceError):
        sae.W_enc = torch.zeros(D, F)
    with pytest.raises(TypeError):
        sae.config.metadata["hook_name"] = "elsewhere"


@pytest.mark.parametrize("normalisation", ["layer_norm", "constant_norm_rescale"])
def test_decoding_a_normalising_sae_needs_the_residual(tmp_path, normalisation):
    sae = load_sae(write_folder(tmp_path, normalize_activations=normalisation))
    with pytest.raises(ValueError, match=r"like=x"):
        sae.decode(torch.zeros(2, F))


def test_wrong_widths_are_refused(tmp_path):
    sae = load_sae(write_folder(tmp_path))
    with pytest.raises(ValueError, match="x must have 24 columns"):
        sae.encode(torch.zeros(2, D + 1))
    with pytest.raises(ValueError, match="features must have 60 columns"):
        sae.decode(torch.zeros(2, F + 1))
    with pytest.raises(ValueError, match="from 0 to 59"):
        sae.encoder_column(F)


@pytest.mark.parametrize(
    "hook, wanted",
    [("blocks.0.hook_resid_pre", (0, "resid_pre")), ("blocks.11.hook_resid_post", (11, "resid_post"))],
)
def test_hook_points(tmp_path, hook, wanted):
    sae = load_sae(write_folder(tmp_path, metadata={"hook_name": hook}))
    assert (sae.layer, sae.hook_point) == wanted


@pytest.mark.parametrize("hook", ["", "blocks.3.hook_mlp_out", "blocks.3.hook_resid_mid"])
def test_an_sae_off_the_residual_stream_has_no_layer(tmp_path, hook):
    sae = load_sae(write_folder(tmp_path, metadata={"hook_name": hook}))
    with pytest.raises(ModelError, match=r"blocks\.L\.hook_resid_post"):
        _ = sae.layer


@pytest.mark.parametrize(
    "config, words",
    [
        ({"normalize_activations": "expected_average_only_in"}, "fold_activation_norm_scaling_factor"),
        ({"normalize_activations": True}, "fold_activation_norm_scaling_factor"),
        ({"normalize_activations": "covariance_whitening"}, "fold_activation_whitening"),
        ({"normalize_activations": "batch_norm"}, "none, layer_norm, constant_norm_rescale"),
        ({"architecture": "crosscoder"}, "reads several layers at once"),
        ({"architecture": "clt"}, "other layers than it reads"),
        ({"architecture": "mystery"}, "Expected one of standard, jumprelu, gated, topk, abstopk"),
        ({"activation_fn": "tanh-relu"}, "activation_fn 'tanh-relu'"),
        ({"reshape_activations": "hook_z"}, "attention heads"),
        ({"d_in": "24"}, "d_in must be a positive integer"),
        ({"d_sae": 0}, "d_sae must be a positive integer"),
        ({"metadata": [1]}, "metadata must be an object"),
        ({"architecture": "topk", "k": None}, "k must be a positive integer"),
        ({"architecture": "topk", "k": F + 1}, "more than d_sae"),
        ({"architecture": "topk", "k": 5.0}, "k must be a positive integer"),
        ({"architecture": "topk", "activation_fn_kwargs": "k=5"}, "k must be a positive integer"),
        ({"architecture": "jumprelu"}, "lacks threshold"),
        ({"architecture": "gated"}, "lacks b_gate, b_mag, r_mag"),
        ({"d_in": D + 1}, r"W_enc has shape \(24, 60\)"),
        ({"d_sae": F - 1}, r"call for \(24, 59\)"),
    ],
)
def test_configurations_that_cannot_be_used(tmp_path, config, words):
    with pytest.raises(ModelError, match=words):
        load_sae(write_folder(tmp_path, **config))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["W_enc", "b_enc", "W_dec", "b_dec", "threshold"])
def test_weights_that_are_not_finite(tmp_path, name, value):
    weights = random_weights("jumprelu")
    weights[name].view(-1)[3] = value
    with pytest.raises(ModelError, match=f"{name} holds NaN or infinity"):
        load_sae(write_folder(tmp_path, "jumprelu", weights=weights))


def test_a_fine_tuned_scaling_factor_is_refused(tmp_path):
    weights = random_weights("standard") | {"scaling_factor": torch.full((F,), 1.1)}
    with pytest.raises(ModelError, match="scaling_factor"):
        load_sae(write_folder(tmp_path, weights=weights))


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(ModelError, match=r"No SAE folder or file at .*nowhere"):
        load_sae(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no SAE folder: it holds neither cfg\.json .* nor params\.safetensors"):
        load_sae(tmp_path)
    write_folder(tmp_path)
    weights, config = tmp_path / "sae_weights.safetensors", tmp_path / "cfg.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        load_sae(tmp_path)
    weights.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        load_sae(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match=r"sae_weights\.safetensors is missing"):
        load_sae(tmp_path)
    config.write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_sae(tmp_path)
    config.write_text("[]")
    with pytest.raises(ModelError, match="JSON object, got list"):
        load_sae(tmp_path)
    config.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match="not valid JSON"):
        load_sae(tmp_path)


def test_missing_tensor_is_named_beside_what_is_there(tmp_path):
    weights = random_weights("standard")
    del weights["W_dec"]
    with pytest.raises(ModelError, match=r"lacks W_dec.*holds W_enc, b_dec, b_enc"):
        load_sae(write_folder(tmp_path, weights=weights))


def test_an_unknown_dtype_is_refused(tmp_path):
    with pytest.raises(ValueError, match="dtype must be one of float32"):
        load_sae(write_folder(tmp_path), dtype="int8")


def test_reading_does_not_touch_the_file(tmp_path):
    write_folder(tmp_path)
    load_sae(tmp_path).encode(torch.randn(2, D))
    assert torch.equal(load_file(tmp_path / "sae_weights.safetensors")["W_enc"], random_weights("standard")["W_enc"])


def test_repr_shows_no_tensors(tiny_sae) -> None:
    assert repr(tiny_sae) == "SAE('random', standard, 64 -> 32 features, blocks.1.hook_resid_post)"
