"""Random SAEs in the layouts that other projects write, for several test files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

D, F = 24, 60
HOOK = "blocks.3.hook_resid_post"


def random_weights(architecture: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors as sae-lens stores them."""
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


def write_folder(folder: Path, kind: str = "standard", weights: Any = None, **config: Any) -> Path:
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
    if kind in ("topk", "abstopk"):
        cfg["k"] = 5
    (folder / "cfg.json").write_text(json.dumps(cfg | config))
    save_file(weights or random_weights(kind), folder / "sae_weights.safetensors")
    return folder


def residuals(rows: int = 63) -> torch.Tensor:
    """(2, rows, D), three times as long as the weights."""
    return torch.randn(2, rows, D, generator=torch.Generator().manual_seed(9)) * 3


def relative_error(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got.double() - wanted.double()).norm() / wanted.double().norm())


def assert_same_function(ours: Any, theirs: Any) -> None:
    """Ours encodes and decodes as an SAE of sae-lens, to 1e-5 of the length, and the same features fire."""
    x = residuals()
    with torch.no_grad():
        wanted = theirs.encode(x)
        wanted_residual = theirs.decode(wanted)
    assert bool((wanted > 0).any()) and bool((wanted == 0).any())
    features = ours.encode(x)
    assert torch.equal(features != 0, wanted != 0)
    assert relative_error(features, wanted) <= 1e-5
    assert relative_error(ours.decode(wanted, like=x), wanted_residual) <= 1e-5
