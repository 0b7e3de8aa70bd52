"""SAEs against sae-lens: what it saves we read, and compute the same. Then every way a folder can be wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from safetensors.torch import load_file, save_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models import sae as sae_module  # noqa: E402
from pyvalue.models.sae import SAE, load_sae  # noqa: E402
from pyvalue.models.sae_config import SAEConfig  # noqa: E402

D, F = 24, 60
HOOK = "blocks.3.hook_resid_post"


def random_weights(architecture: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors as they are stored."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    weights = {"W_enc": normal(D, F), "W_dec": normal(F, D), "b_dec": normal(D)}
    if architecture == "gated":
        return weights | {"b_gate": normal(F), "b_mag": normal(F), "r_mag": normal(F) * 0.3}
    weights["b_enc"] = normal(F)
    if architecture == "jumprelu":
        weights["threshold"] = normal(F)  # some negative, so that the ReLU inside counts
    return weights


def write_folder(folder, kind="standard", weights=None, **config):
    """A native folder in the current layout with weights of ``kind``; ``config`` may say otherwise."""
    folder.mkdir(exist_ok=True)
    cfg = {
        "architecture": kind,
        "d_in": D,
        "d_sae": F,
        "dtype": "float32",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": HOOK, "model_name": "tiny", "sae_lens_version": "6.0.0"},
    }
    if kind == "topk":
        cfg["k"] = 5
    (folder / "cfg.json").write_text(json.dumps(cfg | config))
    save_file(weights or random_weights(kind), folder / "sae_weights.safetensors")
    return folder


# Against sae-lens.


@pytest.fixture(scope="module")
def sae_lens():
    return pytest.importorskip("sae_lens", reason="sae-lens, the oracle of these tests, is not installed")


def saved_by_sae_lens(sae_lens, folder, architecture, **config):
    """An SAE of sae-lens with random weights, and the folder that it wrote."""
    names = {"standard": "StandardSAE", "jumprelu": "JumpReLUSAE", "gated": "GatedSAE", "topk": "TopKSAE"}
    sae_class = getattr(sae_lens, names[architecture])
    config_class = getattr(sae_lens, names[architecture] + "Config")
    metadata = sae_lens.saes.sae.SAEMetadata(hook_name=HOOK, model_name="tiny")
    theirs = sae_class(config_class(d_in=D, d_sae=F, metadata=metadata, **config))
    theirs.load_state_dict(random_weights(architecture))
    theirs.save_model(folder)
    return theirs


def assert_same_function(ours: SAE, theirs, rows: int = 50) -> None:
    x = torch.randn(2, rows, D, generator=torch.Generator().manual_seed(9)) * 3
    with torch.no_grad():
        wanted = theirs.encode(x)
        wanted_residual = theirs.decode(wanted)
    assert bool((wanted > 0).any())
    features = ours.encode(x)
    assert relative_error(features, wanted) <= 1e-5
    assert torch.equal(features != 0, wanted != 0)
    assert relative_error(ours.decode(wanted, like=x), wanted_residual) <= 1e-5


def relative_error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("normalisation", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("folded_bias", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated", "topk"])
def test_encode_and_decode_equal_sae_lens(sae_lens, tmp_path, architecture, folded_bias, normalisation):
    k = {"k": 7} if architecture == "topk" else {}
    theirs = saved_by_sae_lens(
        sae_lens, tmp_path, architecture, apply_b_dec_to_input=folded_bias, normalize_activations=normalisation, **k
    )
    ours = load_sae(tmp_path)
    assert (ours.layer, ours.hook_point, ours.config.model_name) == (3, "resid_post", "tiny")
    assert_same_function(ours, theirs)


def test_topk_rescaled_by_decoder_norm_equals_sae_lens(sae_lens, tmp_path):
    theirs = saved_by_sae_lens(sae_lens, tmp_path, "topk", k=7, rescale_acts_by_decoder_norm=True)
    ours = load_sae(tmp_path)
    assert_same_function(ours, theirs)
    torch.testing.assert_close(ours.W_dec.norm(dim=-1), torch.ones(F))


def test_batchtopk_is_read_as_the_jumprelu_that_sae_lens_saves(sae_lens, tmp_path):
    trained = sae_lens.BatchTopKTrainingSAE(sae_lens.BatchTopKTrainingSAEConfig(d_in=D, d_sae=F, k=5))
    trained.topk_threshold = torch.tensor(0.05, dtype=torch.double)
    trained.save_inference_model(tmp_path)
    ours = load_sae(tmp_path)
    assert ours.config.architecture == "jumprelu"
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path))


def test_flat_layout_of_old_releases(sae_lens, tmp_path):
    """sae-lens 3 to 5 wrote one flat object, the oldest with ``hook_point`` and a scaling factor of ones."""
    weights = random_weights("standard") | {"scaling_factor": torch.ones(F)}
    write_folder(tmp_path, weights=weights)
    old = {
        "d_in": D, "d_sae": F, "dtype": "float32", "device": "cpu", "model_name": "gpt2-small", "hook_point": HOOK,
        "hook_point_layer": 3, "activation_fn_str": "relu", "apply_b_dec_to_input": False, "prepend_bos": True,
        "normalize_activations": False, "finetuning_scaling_factor": False, "context_size": 128,
    }  # fmt: skip
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    ours = load_sae(tmp_path)
    assert (ours.layer, ours.config.model_name, ours.config.apply_b_dec_to_input) == (3, "gpt2-small", False)
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path))


def test_flat_layout_with_topk_as_an_activation(sae_lens, tmp_path):
    write_folder(tmp_path)
    old = {
        "architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}, "d_in": D,
        "d_sae": F, "dtype": "float32", "hook_name": HOOK, "normalize_activations": "none",
    }  # fmt: skip
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    ours = load_sae(tmp_path)
    assert (ours.config.architecture, ours.config.k) == ("topk", 4)
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path))


# On its own.


def test_jumprelu_threshold_is_strict():
    config = SAEConfig("jumprelu", 1, 1, HOOK)
    one = torch.ones(1)
    sae = SAE(config, one.view(1, 1), 0 * one, one.view(1, 1), 0 * one, threshold=2 * one)
    assert sae.encode(torch.tensor([[2.0], [2.5]])).flatten().tolist() == [0.0, 2.5]


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "gated"])
@pytest.mark.parametrize("folded_bias", [True, False])
def test_one_column_reads_what_the_whole_encoder_reads(tmp_path, architecture, folded_bias):
    sae = load_sae(write_folder(tmp_path, architecture, apply_b_dec_to_input=folded_bias))
    x = torch.randn(40, D)
    whole = sae.encode(x)
    for feature in range(F):
        weight, bias, threshold, gain, offset = sae.encoder_column(feature)
        u = x @ weight + bias
        activation = torch.where(u > threshold, torch.relu(u * gain + offset), 0.0)
        torch.testing.assert_close(activation, whole[:, feature], rtol=1e-4, atol=1e-4)


def test_a_topk_column_is_refused_with_what_works_instead(tmp_path):
    sae = load_sae(write_folder(tmp_path, "topk"))
    with pytest.raises(ModelError, match=r"(?s)topk.*standard, jumprelu .*'add' works with every SAE"):
        sae.encoder_column(0)


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
        ({"normalize_activations": "covariance_whitening"}, "none, layer_norm, constant_norm_rescale"),
        ({"architecture": "matching_pursuit"}, "standard, jumprelu, gated, topk"),
        ({"activation_fn": "tanh-relu"}, "activation_fn 'tanh-relu'"),
        ({"reshape_activations": "hook_z"}, "attention heads"),
        ({"d_in": "24"}, "d_in must be a positive integer"),
        ({"d_sae": 0}, "d_sae must be a positive integer"),
        ({"metadata": [1]}, "metadata must be an object"),
        ({"architecture": "topk", "k": None}, "k must be a positive integer"),
        ({"architecture": "topk", "k": F + 1}, "more than d_sae"),
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
    with pytest.raises(ModelError, match=r"No SAE folder at .*nowhere"):
        load_sae(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"Cannot read .*cfg\.json"):
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


def test_the_demo_sae_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sae_module, "DEMO_FOLDER", tmp_path / "demo_sae")
    with pytest.raises(ModelError, match="demo_sae"):
        load_sae("demo")
    write_folder(tmp_path / "demo_sae")
    assert load_sae("demo").name == "demo"


def test_reading_does_not_touch_the_file(tmp_path):
    write_folder(tmp_path)
    load_sae(tmp_path).encode(torch.randn(2, D))
    assert torch.equal(load_file(tmp_path / "sae_weights.safetensors")["W_enc"], random_weights("standard")["W_enc"])


def test_repr_shows_no_tensors(tiny_sae) -> None:
    assert repr(tiny_sae) == "SAE('random', standard, 64 -> 32 features, blocks.1.hook_resid_post)"
