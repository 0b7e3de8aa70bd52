"""SAEs against sae-lens, class by class: what it saves we read, what it holds we take over, and compute the same."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")
sae_lens = pytest.importorskip("sae_lens", reason="sae-lens, the oracle of these tests, is not installed")

from sae_files import HOOK, D, F, assert_same_function, random_weights, relative_error, residuals, write_folder  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import load_sae  # noqa: E402

INFERENCE = ["StandardSAE", "GatedSAE", "JumpReLUSAE", "TopKSAE", "AbsTopKSAE"]
TRAINING = [
    "StandardTrainingSAE",
    "GatedTrainingSAE",
    "JumpReLUTrainingSAE",
    "TopKTrainingSAE",
    "AbsTopKTrainingSAE",
    "BatchTopKTrainingSAE",
    "MatryoshkaBatchTopKTrainingSAE",
]
REFUSED = {
    "Transcoder": "reads one place and writes another",
    "SkipTranscoder": "reads one place and writes another",
    "JumpReLUTranscoder": "reads one place and writes another",
    "JumpReLUSkipTranscoder": "reads one place and writes another",
    "TemporalSAE": "reads several tokens at once",
    "MatchingPursuitSAE": "no encoder to read one with",
    "MatchingPursuitTrainingSAE": "no encoder to read one with",
}
ABSTRACT = {"SAE", "TrainingSAE"}
FACTOR = 0.37


def make(name: str, **config):
    """An SAE of the class ``name`` of sae-lens with random weights."""
    config_class = getattr(sae_lens, name + "Config")
    config |= {"k": 7} if "TopK" in name else {}
    config |= {"matryoshka_widths": [20, F]} if "Matryoshka" in name else {}
    metadata = sae_lens.saes.sae.SAEMetadata(hook_name=HOOK, model_name="tiny")
    theirs = getattr(sae_lens, name)(config_class(d_in=D, d_sae=F, metadata=metadata, **config))
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for key, parameter in theirs.named_parameters():
            scale = 0.3 if key == "r_mag" else 1.0
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    if hasattr(theirs, "topk_threshold"):
        theirs.topk_threshold = torch.tensor(0.05, dtype=torch.double)
    return theirs


def test_every_class_that_sae_lens_exports_is_covered_or_refused():
    exported = {
        name
        for name in sae_lens.__all__
        if isinstance(getattr(sae_lens, name), type) and issubclass(getattr(sae_lens, name), sae_lens.SAE)
    }
    assert exported == {*INFERENCE, *TRAINING, *REFUSED, *ABSTRACT}


@pytest.mark.parametrize("normalisation", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("folded_bias", [True, False], ids=["b_dec in", "b_dec out"])
@pytest.mark.parametrize("name", INFERENCE)
def test_saved_for_inference_and_live(tmp_path, name, folded_bias, normalisation):
    theirs = make(name, apply_b_dec_to_input=folded_bias, normalize_activations=normalisation)
    theirs.save_model(tmp_path)
    saved, live = load_sae(tmp_path), load_sae(theirs)
    assert (saved.layer, saved.hook_point, saved.config.model_name) == (3, "resid_post", "tiny")
    assert saved.content_hash == live.content_hash
    assert_same_function(saved, theirs)
    assert_same_function(saved, sae_lens.SAE.load_from_disk(tmp_path))


@pytest.mark.parametrize("rescaled", [True, False], ids=["decoder norm folded", "as is"])
@pytest.mark.parametrize("name", TRAINING)
def test_trained_then_saved_for_inference_as_a_checkpoint_and_live(tmp_path, name, rescaled):
    if "TopK" in name:
        theirs = make(name, rescale_acts_by_decoder_norm=rescaled)
    else:
        theirs = make(name)
    theirs.save_inference_model(tmp_path / "inference")
    theirs.save_model(tmp_path / "checkpoint")
    reference = sae_lens.SAE.load_from_disk(tmp_path / "inference")
    for source in (tmp_path / "inference", tmp_path / "checkpoint", theirs):
        ours = load_sae(source)
        assert ours.config.architecture == reference.cfg.architecture()
        assert_same_function(ours, reference)


@pytest.mark.parametrize("name", ["TopKSAE", "AbsTopKSAE"])
def test_activations_in_units_of_decoder_rows_of_length_one(tmp_path, name):
    theirs = make(name, rescale_acts_by_decoder_norm=True)
    theirs.save_model(tmp_path)
    ours = load_sae(tmp_path)
    assert_same_function(ours, theirs)
    torch.testing.assert_close(ours.W_dec.norm(dim=-1), torch.ones(F))


def test_a_feature_without_a_decoder_row_is_no_nan(tmp_path):
    weights = random_weights("topk")
    weights["W_dec"][3] = 0.0
    ours = load_sae(write_folder(tmp_path, "topk", weights=weights, rescale_acts_by_decoder_norm=True))
    assert bool(torch.isfinite(ours.decode(ours.encode(residuals()))).all())


# The factor of expected_average_only_in.


@pytest.mark.parametrize("folded_bias", [True, False], ids=["b_dec in", "b_dec out"])
@pytest.mark.parametrize("name", INFERENCE)
def test_an_unfolded_norm_factor_is_folded_as_sae_lens_does(tmp_path, name, folded_bias):
    make(name, apply_b_dec_to_input=folded_bias, normalize_activations="expected_average_only_in").save_model(tmp_path)
    theirs = sae_lens.SAE.load_from_disk(tmp_path)
    ours = load_sae(tmp_path, norm_factor=FACTOR)
    live = load_sae(theirs, norm_factor=FACTOR)
    unfolded = theirs.encode(residuals()).detach()
    theirs.fold_activation_norm_scaling_factor(FACTOR)
    assert_same_function(ours, theirs)
    assert ours.content_hash == live.content_hash
    assert load_sae(theirs).content_hash == ours.content_hash
    assert ours.config.normalize_activations == "none"
    # What the refusal spares: unfolded, sae-lens computes something else and says nothing.
    assert relative_error(unfolded, theirs.encode(residuals()).detach()) > 0.1


@pytest.mark.parametrize("rescaled", [True, False], ids=["decoder norm folded", "as is"])
@pytest.mark.parametrize("name", TRAINING)
def test_a_checkpoint_with_its_norm_factor_is_what_training_would_have_saved(tmp_path, name, rescaled):
    settings = {"rescale_acts_by_decoder_norm": rescaled} if "TopK" in name else {}
    theirs = make(name, normalize_activations="expected_average_only_in", **settings)
    theirs.save_model(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "activation_scaler.json").write_text(json.dumps({"scaling_factor": FACTOR}))
    with pytest.raises(ModelError, match=r"norm_factor=.*activation_scaler\.json: 0\.37"):
        load_sae(tmp_path / "checkpoint")
    ours = load_sae(tmp_path / "checkpoint", norm_factor=FACTOR)
    theirs.fold_activation_norm_scaling_factor(FACTOR)
    theirs.save_inference_model(tmp_path / "final")
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path / "final"))


# Older layouts.


def test_flat_layout_of_old_releases(tmp_path):
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


def test_flat_layout_with_topk_as_an_activation(tmp_path):
    write_folder(tmp_path)
    old = {
        "architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}, "d_in": D,
        "d_sae": F, "dtype": "float32", "hook_name": HOOK, "normalize_activations": "none",
    }  # fmt: skip
    (tmp_path / "cfg.json").write_text(json.dumps(old))
    ours = load_sae(tmp_path)
    assert (ours.config.architecture, ours.config.k) == ("topk", 4)
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path))


def test_a_checkpoint_of_an_older_jumprelu_stores_the_logarithm(tmp_path):
    weights = random_weights("jumprelu")
    weights["threshold"] = weights["threshold"].abs()
    write_folder(tmp_path, "jumprelu", weights=weights)
    reference = sae_lens.SAE.load_from_disk(tmp_path)
    weights["log_threshold"] = weights.pop("threshold").log()
    save_file(weights, tmp_path / "sae_weights.safetensors")
    assert_same_function(load_sae(tmp_path), reference)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", ["standard", "gated", "jumprelu", "topk"])
def test_half_precision_files(tmp_path, kind, stored):
    weights = {name: tensor.to(stored) for name, tensor in random_weights(kind).items()}
    write_folder(tmp_path, kind, weights=weights)
    ours = load_sae(tmp_path)
    assert {ours.W_enc.dtype, ours.b_dec.dtype} == {torch.float32}
    assert_same_function(ours, sae_lens.SAE.load_from_disk(tmp_path, dtype="float32"))


# What cannot be.


@pytest.mark.parametrize("name", REFUSED)
def test_refused_classes_say_why(tmp_path, name):
    config_class = getattr(sae_lens, name + "Config")
    arguments = {"d_out": D, "apply_b_dec_to_input": False} if "Transcoder" in name else {}
    arguments |= {"n_heads": 2, "bottleneck_factor": 3} if name == "TemporalSAE" else {}
    arguments |= {"decoder_init_norm": 1.0} if name == "MatchingPursuitTrainingSAE" else {}
    theirs = getattr(sae_lens, name)(config_class(d_in=D, d_sae=F, **arguments))
    theirs.save_model(tmp_path)
    for source in (tmp_path, theirs):
        with pytest.raises(ModelError, match=rf"architecture '\w+' is not supported: .*{REFUSED[name]}"):
            load_sae(source)
