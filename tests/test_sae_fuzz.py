"""Damaged SAE files: whatever a few bytes become, ``load_sae`` reads them or raises ModelError, nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="SAEs need torch")

import numpy as np  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from sae_files import random_weights, write_folder  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from pyvalue.errors import ModelError  # noqa: E402
from pyvalue.models.sae import SAE, load_sae  # noqa: E402

fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Most of a file is numbers, in which damage cannot be seen; the structure is at the ends.
places = st.one_of(st.integers(0, 700), st.integers(-700, -1), st.integers(0, 10**6))
changes = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
# Small, so that a few layers of nesting come up; the shape of settings is what matters.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=4,
)
KEYS = [
    "architecture", "d_in", "d_sae", "apply_b_dec_to_input", "normalize_activations", "reshape_activations", "metadata",
    "k", "activation_fn", "activation_fn_kwargs", "activation_fn_str", "hook_name", "hook_point",
    "rescale_acts_by_decoder_norm",
]  # fmt: skip


class Whole(dict):
    """Kept out of hypothesis' reports, where it would fill pages."""

    def __repr__(self) -> str:
        return "Whole(...)"


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """Path and bytes of undamaged files, by kind."""
    folder = tmp_path_factory.mktemp("fuzz") / "layer_12" / "average_l0_82"
    folder.mkdir(parents=True)
    weights = random_weights("jumprelu")
    arrays = {key: value.numpy() for key, value in weights.items()}
    np.savez(folder / "params.npz", **arrays)
    np.savez_compressed(folder / "compressed.npz", **arrays)
    save_file(weights, folder / "params.safetensors")
    paths = [folder / name for name in ("params.npz", "compressed.npz", "params.safetensors")]
    native = write_folder(folder / "native", "topk")
    return Whole({path.name: (path, path.read_bytes()) for path in [*paths, native / "cfg.json"]})


def read_or_refuse(source) -> None:
    try:
        assert isinstance(load_sae(source), SAE)
    except ModelError as error:
        assert str(source.name) in str(error) or str(source.parent) in str(error)


@pytest.mark.parametrize("name", ["params.npz", "compressed.npz", "params.safetensors", "cfg.json"])
@given(damage=changes)
@fuzz
def test_damaged_bytes(whole_files, name, damage):
    path, content = whole_files[name]
    damaged = bytearray(content)
    for place, value in damage:
        damaged[place % len(damaged)] = value
    path.write_bytes(bytes(damaged))
    read_or_refuse(path)


@given(key=st.sampled_from(KEYS), value=json_values, kind=st.sampled_from(["standard", "gated", "jumprelu", "topk"]))
@fuzz
def test_settings_of_any_type(tmp_path, key, value, kind):
    read_or_refuse(write_folder(tmp_path / "sae", kind, **{key: value}))
