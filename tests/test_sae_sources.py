"""What ``load_sae`` takes for a source: live objects, releases, and every way to ask for the wrong thing."""

from __future__ import annotations

import builtins
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

from sae_files import HOOK, D, F, assert_same_function, residuals, write_folder  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models import sae as sae_module  # noqa: E402
from pyvalue.models.sae import load_sae  # noqa: E402


@pytest.fixture(scope="module")
def sae_lens():
    return pytest.importorskip("sae_lens", reason="sae-lens is not installed")


def live_sae(sae_lens, normalisation: str = "none"):
    metadata = sae_lens.saes.sae.SAEMetadata(hook_name=HOOK, model_name="tiny")
    return sae_lens.StandardSAE(
        sae_lens.StandardSAEConfig(d_in=D, d_sae=F, normalize_activations=normalisation, metadata=metadata)
    )


# Live objects.


def test_a_live_sae_is_copied(sae_lens):
    theirs = live_sae(sae_lens)
    ours = load_sae(theirs)
    assert ours.name == "tiny/blocks.3.hook_resid_post"
    assert_same_function(ours, theirs)
    before = ours.encode(residuals())
    theirs.fold_activation_norm_scaling_factor(3.0)
    assert torch.equal(ours.encode(residuals()), before)
    assert not ours.W_enc.requires_grad


def test_a_subclass_of_the_user_counts_as_live(sae_lens):
    class Mine(sae_lens.StandardSAE):
        pass

    theirs = Mine(live_sae(sae_lens).cfg)
    assert_same_function(load_sae(theirs), theirs)


def test_another_object_of_sae_lens_is_refused(sae_lens):
    with pytest.raises(TypeError, match=r"must be a sae_lens\.SAE, got sae_lens.*StandardSAEConfig"):
        load_sae(live_sae(sae_lens).cfg)


def test_an_unfolded_live_sae_is_refused(sae_lens):
    with pytest.raises(ModelError, match=r"the StandardSAE tiny.*norm_factor="):
        load_sae(live_sae(sae_lens, "expected_average_only_in"))


def test_files_are_read_without_importing_sae_lens(tmp_path):
    folder = write_folder(tmp_path / "sae")
    code = f"import sys, pyvalue; pyvalue.load_sae({str(folder)!r}); sys.exit('sae_lens' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Releases.


def test_a_release_comes_through_sae_lens(sae_lens, monkeypatch):
    asked = {}

    def from_pretrained(release, sae_id, **options):
        asked.update(options, release=release, sae_id=sae_id)
        return live_sae(sae_lens)

    monkeypatch.setattr(sae_lens.SAE, "from_pretrained", from_pretrained)
    ours = load_sae(release="gemma-2b-it-res-jb", sae_id="blocks.12.hook_resid_post", dtype="bfloat16")
    assert (asked["release"], asked["sae_id"]) == ("gemma-2b-it-res-jb", "blocks.12.hook_resid_post")
    assert asked["dtype"] == "float32"  # folds are made before the rounding
    assert ours.name == "gemma-2b-it-res-jb/blocks.12.hook_resid_post"
    assert ours.W_enc.dtype == torch.bfloat16


def test_a_release_whose_factor_sae_lens_does_not_know_needs_it(sae_lens, monkeypatch):
    """There sae-lens only warns and goes on with a silent identity."""
    monkeypatch.setattr(
        sae_lens.SAE, "from_pretrained", lambda *_, **__: live_sae(sae_lens, "expected_average_only_in")
    )
    with pytest.raises(ModelError, match="norm_factor="):
        load_sae(release="r", sae_id="s")
    theirs = live_sae(sae_lens, "expected_average_only_in")
    theirs.fold_activation_norm_scaling_factor(0.5)
    assert load_sae(release="r", sae_id="s", norm_factor=0.5).config.normalize_activations == "none"


def test_an_unknown_release_says_what_sae_lens_says(sae_lens):
    with pytest.raises(ModelError, match=r"cannot load release 'no-such', sae_id 'x': ValueError: Release no-such"):
        load_sae(release="no-such", sae_id="x")


def test_a_failed_download_is_a_model_error(sae_lens, monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(sae_lens.SAE, "from_pretrained", offline)
    with pytest.raises(ModelError, match="OSError: no route to host"):
        load_sae(release="r", sae_id="s")


def test_without_sae_lens_a_release_names_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "sae_lens":
            raise ModuleNotFoundError("No module named 'sae_lens'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelError, match=r"pip install 'pyvalue\[sae\]'"):
        load_sae(release="r", sae_id="s")


# Misuse.


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({}, ValueError, r"source is missing\. Give a folder or file, a sae_lens\.SAE or 'demo', or else release="),
        ({"source": "x", "release": "r", "sae_id": "s"}, ValueError, "give one of them"),
        ({"source": "x", "sae_id": "s"}, ValueError, "give one of them"),
        ({"release": "r"}, ValueError, "sae_id= is missing: release= alone"),
        ({"sae_id": "s"}, ValueError, "release= is missing: sae_id= alone"),
        ({"release": 1, "sae_id": "s"}, TypeError, "release must be a string, got int"),
        ({"source": 3}, TypeError, "source must be a path, a sae_lens.SAE or 'demo', got int 3"),
        ({"source": ""}, TypeError, "source must be a path"),
        ({"source": torch.nn.Linear(2, 2)}, TypeError, "got Linear"),
        (
            {"source": "demo", "dtype": "int8"},
            ValueError,
            "dtype must be one of float32, bfloat16, float16, got 'int8'",
        ),
        ({"source": "demo", "device": "toaster"}, ValueError, "device must be one that torch finds.*'toaster'"),
        ({"source": "demo", "hook": 12}, TypeError, "hook must be a string.*got int"),
        ({"source": "demo", "hook": "blocks.1.hook_mlp_out"}, ValueError, "hook must be blocks.L.hook_resid_post"),
        ({"source": "demo", "norm_factor": 0.5}, ValueError, "says 'none'; leave norm_factor out"),
    ],
)
def test_arguments_that_do_not_go_together(arguments, error, words):
    with pytest.raises(error, match=words):
        load_sae(**arguments)


@pytest.mark.parametrize(
    "factor, error, words",
    [
        (0.0, ValueError, "above 0, got 0.0"),
        (-1, ValueError, "above 0, got -1"),
        (float("nan"), ValueError, "finite"),
        (float("inf"), ValueError, "finite"),
        ("0.5", TypeError, "must be a number, got str '0.5'"),
        (True, TypeError, "must be a number, got bool"),
    ],
)
def test_a_norm_factor_that_is_none(tmp_path, factor, error, words):
    write_folder(tmp_path, normalize_activations="expected_average_only_in")
    with pytest.raises(error, match=words):
        load_sae(tmp_path, norm_factor=factor)


@pytest.mark.parametrize("name", ["sae.pt", "model.bin", "layer0.sae.pt"])
def test_pickled_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04N.")
    with pytest.raises(ModelError, match=r"Pickled files .* are never loaded"):
        load_sae(tmp_path / name)


def test_a_folder_of_many_saes_names_them(tmp_path):
    for l0 in (82, 445):
        (tmp_path / f"average_l0_{l0}").mkdir()
    with pytest.raises(ModelError, match="It has the folders average_l0_445, average_l0_82"):
        load_sae(tmp_path)


def test_the_weights_file_of_a_native_folder_stands_for_the_folder(tmp_path):
    folder = write_folder(tmp_path / "sae")
    whole = load_sae(folder)
    for name in ("sae_weights.safetensors", "cfg.json"):
        assert load_sae(folder / name).content_hash == whole.content_hash


def test_the_hook_of_the_caller_counts(tmp_path):
    sae = load_sae(write_folder(tmp_path, metadata={}), hook="blocks.1.hook_resid_pre")
    assert (sae.layer, sae.hook_point) == (1, "resid_pre")


def test_the_demo_sae_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(sae_module, "DEMO_FOLDER", tmp_path / "demo_sae")
    with pytest.raises(ModelError, match="demo_sae"):
        load_sae("demo")
    write_folder(tmp_path / "demo_sae")
    assert load_sae("demo").name == "demo"
