"""Gemma Scope's parameter files: read as sae-lens' own loader reads them; damaged and hostile ones are refused."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from sae_files import D, F, assert_same_function, random_weights, residuals  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import load_sae  # noqa: E402

PLACE = "layer_12/width_16k/average_l0_82"


def write_params(folder: Path, name: str = "params.npz", weights=None, **changes) -> Path:
    """A parameter file; ``changes`` replace tensors, None drops one."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {**(weights or random_weights("jumprelu")), **changes}
    weights = {key: value for key, value in weights.items() if value is not None}
    path = folder / name
    if name.endswith(".npz"):
        np.savez(path, **{key: np.asarray(value) for key, value in weights.items()})
    else:
        save_file(weights, path)
    return path


def lower(weights):
    """Gemma Scope 2 names the matrices w_enc and w_dec."""
    return {key.lower() if key.startswith("W_") else key: value for key, value in weights.items()}


@pytest.mark.parametrize("name", ["params.npz", "params.safetensors"])
@pytest.mark.parametrize("names", [dict, lower], ids=["W_enc", "w_enc"])
@pytest.mark.parametrize("whole_path", [True, False], ids=["file", "folder"])
def test_equals_the_jumprelu_of_sae_lens(tmp_path, name, names, whole_path):
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens, the oracle of this test, is not installed")
    weights = random_weights("jumprelu")
    path = write_params(tmp_path / PLACE, name, names(weights))
    ours = load_sae(path if whole_path else path.parent)
    assert (ours.layer, ours.hook_point, ours.name) == (12, "resid_post", PLACE)
    config = sae_lens.JumpReLUSAEConfig(d_in=D, d_sae=F, apply_b_dec_to_input=False)
    theirs = sae_lens.JumpReLUSAE(config)
    theirs.load_state_dict(weights)
    assert_same_function(ours, theirs)


def test_equals_what_sae_lens_own_loader_makes_of_the_same_file(tmp_path, monkeypatch):
    """Its loader of Gemma Scope, the download replaced by the file at hand."""
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens, the oracle of this test, is not installed")
    from sae_lens.loading import pretrained_sae_loaders as loaders

    path = write_params(tmp_path / "gemma-scope-2b-pt-res" / PLACE)
    monkeypatch.setattr(loaders, "hf_hub_download", lambda **_: str(path))
    settings, state, _ = loaders.gemma_2_sae_huggingface_loader("google/gemma-scope-2b-pt-res", PLACE)
    ours = load_sae(path)
    assert (ours.config.hook_name, ours.config.model_name) == (settings["hook_name"], settings["model_name"])
    assert ours.config.apply_b_dec_to_input is settings["apply_b_dec_to_input"] is False
    theirs = sae_lens.JumpReLUSAE(sae_lens.JumpReLUSAEConfig(d_in=D, d_sae=F, apply_b_dec_to_input=False))
    theirs.load_state_dict(state)
    assert_same_function(ours, theirs)


@pytest.mark.parametrize(
    "place, hook, model",
    [
        (PLACE, "blocks.12.hook_resid_post", ""),
        ("gemma-scope-9b-it-res/layer_31/width_131k/average_l0_63", "blocks.31.hook_resid_post", "gemma-2-9b-it"),
        ("models--google--gemma-scope-2b-pt-res/snapshots/ab12/layer_0/width_16k/average_l0_9",
         "blocks.0.hook_resid_post", "gemma-2-2b"),
        ("gemma-scope-2-1b-it/resid_post/layer_13_width_16k_l0_medium", "blocks.13.hook_resid_post", "gemma-3-1b-it"),
        ("gemma-scope-2-4b-pt/resid_post_all/layer_5_width_16k_l0_big", "blocks.5.hook_resid_post", "gemma-3-4b-pt"),
        ("gemma-scope-2b-pt-mlp/layer_4/width_16k/average_l0_9", "blocks.4.hook_mlp_out", "gemma-2-2b"),
        ("gemma-scope-2-1b-it/mlp_out/layer_4_width_16k_l0_big", "blocks.4.hook_mlp_out", "gemma-3-1b-it"),
    ],
)  # fmt: skip
def test_the_place_comes_from_the_folders(tmp_path, place, hook, model):
    config = load_sae(write_params(tmp_path / place)).config
    assert (config.hook_name, config.model_name) == (hook, model)


def test_a_relative_path_is_enough(tmp_path, monkeypatch):
    write_params(tmp_path / PLACE)
    monkeypatch.chdir(tmp_path / PLACE)
    assert load_sae("params.npz").layer == 12
    assert load_sae(".").layer == 12


def test_an_sae_of_an_mlp_encodes_but_cannot_be_edited(tmp_path):
    sae = load_sae(write_params(tmp_path / "gemma-scope-2b-pt-mlp/layer_4/width_16k/average_l0_9"))
    assert sae.encode(residuals()).shape[-1] == F
    with pytest.raises(ModelError, match="only SAEs of the residual stream"):
        _ = sae.layer


@pytest.mark.parametrize(
    "place, words",
    [
        ("gemma-scope-2b-pt-att/layer_4/width_16k/average_l0_9", "SAE of attention heads"),
        ("gemma-scope-2-1b-it/attn_out/layer_4_width_16k_l0_big", "SAE of attention heads"),
        ("gemma-scope-2b-pt-transcoders/layer_4/width_16k/average_l0_9", "a transcoder"),
        ("gemma-scope-2-1b-it/transcoder_all/layer_4_width_16k_l0_big", "a transcoder"),
        ("gemma-scope-2-1b-it/clt/width_16k_l0_big", "a transcoder"),
        ("gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6", "SAE of the embedding"),
        ("downloads", r"no folder above it is named like layer_12\. Pass hook='blocks\.12\.hook_resid_post'"),
    ],
)
def test_other_places_are_refused_and_an_unknown_one_asks_for_the_hook(tmp_path, place, words):
    with pytest.raises(ModelError, match=words):
        load_sae(write_params(tmp_path / place))


def test_the_hook_of_the_caller_counts(tmp_path):
    bare = write_params(tmp_path / "downloads", "mine.npz")
    sae = load_sae(bare, hook="blocks.7.hook_resid_pre")
    assert (sae.layer, sae.hook_point, sae.name) == (7, "resid_pre", "mine")
    assert load_sae(write_params(tmp_path / PLACE), hook="blocks.7.hook_resid_pre").layer == 7


@pytest.mark.parametrize(
    "config, wanted",
    [
        ({"hf_hook_point_in": "model.layers.9.output"}, "blocks.9.hook_resid_post"),
        ({"hf_hook_point_in": "model.language_model.layers.9.output"}, "blocks.9.hook_resid_post"),
        ({"hf_hook_point_in": "model.layers.9.self_attn.o_proj.input"}, None),
        ({"hf_hook_point_in": "model.layers.9.output", "hf_hook_point_out": "model.layers.9.mlp.output"}, None),
        ({}, None),
    ],
)
def test_config_json_of_gemma_scope_2_comes_first(tmp_path, config, wanted):
    path = write_params(tmp_path / PLACE, "params.safetensors")
    (path.parent / "config.json").write_text(json.dumps(config))
    if wanted is None:
        with pytest.raises(ModelError, match="Only SAEs of the residual stream"):
            load_sae(path)
    else:
        assert load_sae(path).config.hook_name == wanted


def test_double_precision_and_a_foreign_byte_order_are_read(tmp_path):
    weights = {key: np.asarray(value) for key, value in random_weights("jumprelu").items()}
    plain = load_sae(write_params(tmp_path / "a" / PLACE, weights=weights))
    for kind in (">f4", "<f8"):
        other = load_sae(
            write_params(tmp_path / kind[1:] / PLACE, weights={k: v.astype(kind) for k, v in weights.items()})
        )
        assert other.content_hash == plain.content_hash


# Damaged and hostile files.


def test_missing_tensors_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"lacks b_dec, threshold, .*holds W_dec, W_enc, b_enc"):
        load_sae(write_params(tmp_path / PLACE, b_dec=None, threshold=None))


@pytest.mark.parametrize("name", ["params.npz", "params.safetensors"])
@pytest.mark.parametrize(
    "changes, words",
    [
        ({"W_dec": torch.zeros(F, D + 1)}, "a transcoder"),
        ({"affine_skip_connection": torch.zeros(D, D)}, "a transcoder"),
        ({"W_dec": torch.zeros(F, 3, D)}, "a cross-layer transcoder"),
        ({"W_enc": torch.zeros(D)}, r"W_enc has shape \(24,\), expected \(d_in, d_sae\)"),
        ({"threshold": torch.zeros(F - 1)}, r"threshold has shape \(59,\)"),
        ({"b_enc": torch.full((F,), float("nan"))}, "b_enc holds NaN"),
        ({"W_dec": torch.full((F, D), float("inf"))}, "W_dec holds NaN or infinity"),
        ({"W_enc": torch.ones(D, F, dtype=torch.int8)}, r"W_enc holds .*int8, expected floating point"),
        ({"scaling_factor": torch.full((F,), 2.0)}, "fine-tuned scaling_factor"),
    ],
)
def test_tensors_that_cannot_be_used(tmp_path, name, changes, words):
    with pytest.raises(ModelError, match=words):
        load_sae(write_params(tmp_path / PLACE, name, **changes))


@pytest.mark.parametrize("kept", [0, 10, 500, 5000, -40])
def test_truncated_files(tmp_path, kept):
    for name, words in (("params.npz", r"not a readable \.npz"), ("params.safetensors", "not a readable safetensors")):
        path = write_params(tmp_path / PLACE, name)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(ModelError, match=words):
            load_sae(path)


def test_flipped_bytes_in_the_archive(tmp_path):
    path = write_params(tmp_path / PLACE)
    content = bytearray(path.read_bytes())
    content[2000:2040] = bytes(byte ^ 0xFF for byte in content[2000:2040])
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=r"not a readable \.npz"):
        load_sae(path)


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (self.place,)


def test_a_pickled_object_in_the_archive_is_never_loaded(tmp_path):
    burst = tmp_path / "burst"
    path = write_params(tmp_path / PLACE)
    np.savez(path, **{**random_weights("jumprelu"), "b_dec": np.array([Bomb(str(burst))], dtype=object)})
    with pytest.raises(ModelError, match="pickled objects are never loaded"):
        load_sae(path)
    assert not burst.exists()
    # The bomb is live, else the test above shows nothing.
    with np.load(path, allow_pickle=True) as data:
        _ = data["b_dec"]
    assert burst.exists()


def test_a_bare_pickle_or_array_under_the_name_of_an_archive(tmp_path):
    import pickle

    burst = tmp_path / "burst"
    path = write_params(tmp_path / PLACE)
    path.write_bytes(pickle.dumps(Bomb(str(burst))))
    with pytest.raises(ModelError, match="pickled objects are never loaded"):
        load_sae(path)
    assert not burst.exists()
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="holds one array"):
        load_sae(path)


def test_an_array_that_claims_a_size_that_it_has_not(tmp_path):
    """A header that asks for 8 PB: refused, neither allocated nor crashed."""
    path = write_params(tmp_path / PLACE)
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W_enc.npy", buffer.getvalue())
    with pytest.raises(ModelError, match=r"not a readable \.npz"):
        load_sae(path)
