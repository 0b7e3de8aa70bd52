"""Typical maxima beside an SAE's weights: they come back, they are checked, and they are no part of its identity."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from sae_files import F, write_folder  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import load_sae, save_max_activations  # noqa: E402


def test_written_and_read_back_and_no_part_of_the_hash(tmp_path):
    folder = write_folder(tmp_path / "sae")
    plain = load_sae(folder)
    assert plain.max_activations is None
    maxima = torch.arange(F, dtype=torch.float64) / 7
    path = save_max_activations(folder, maxima)
    assert path == folder / "max_activations.safetensors"
    assert sorted(load_file(path)) == ["max_activations"]
    read = load_sae(folder, dtype="bfloat16").max_activations
    assert read is not None and read.dtype == torch.float32
    assert torch.equal(read, maxima.float())
    assert load_sae(folder).content_hash == plain.content_hash
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_an_sae_with_maxima_is_a_copy():
    from test_sae_columns import make_sae

    sae = make_sae("gated")
    before = sae.content_hash
    known = sae.with_max_activations(torch.ones(F))
    assert sae.max_activations is None
    assert known.max_activations is not None and known.max_activations.tolist() == [1.0] * F
    assert known.W_enc is sae.W_enc
    assert known.content_hash == before


BAD = {
    "short": (torch.ones(F - 1), ValueError, r"shape \(59,\), expected \(60,\)"),
    "square": (torch.ones(F, F), ValueError, r"shape \(60, 60\)"),
    "negative": (torch.full((F,), -1.0), ValueError, "at least 0"),
    "NaN": (torch.full((F,), float("nan")), ValueError, "finite"),
    "infinite": (torch.full((F,), float("inf")), ValueError, "finite"),
    "integers": (torch.ones(F, dtype=torch.long), TypeError, "floating point numbers, got torch.int64"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_maxima(tmp_path, case):
    maxima, error, words = BAD[case]
    folder = write_folder(tmp_path / "sae")
    with pytest.raises(error, match=words):
        load_sae(folder).with_max_activations(maxima)
    if case != "short":  # writing does not know the width
        with pytest.raises(error):
            save_max_activations(folder, maxima)
    save_file({"max_activations": maxima}, folder / "max_activations.safetensors")
    with pytest.raises(ModelError, match=words):
        load_sae(folder)


def test_bad_files(tmp_path):
    folder = write_folder(tmp_path / "sae")
    path = folder / "max_activations.safetensors"
    save_file({"other": torch.ones(F)}, path)
    with pytest.raises(ModelError, match="lacks the tensor max_activations"):
        load_sae(folder)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match=r"max_activations\.safetensors is not a readable safetensors file"):
        load_sae(folder)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="folder of an SAE"):
        save_max_activations(tmp_path / "nowhere", torch.ones(F))


def test_no_tensor(tmp_path):
    with pytest.raises(TypeError, match="got list"):
        save_max_activations(tmp_path, [1.0])
