"""The folder of a trained sparse autoencoder: half precision, threshold, largest activations, what it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.sae_quality import SAEQuality, largest_activations, measure_sae

#: tokens on which the threshold is set; 2 million activations, far more than a quantile needs
THRESHOLD_TOKENS = 65_536
WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"


def write_sae(
    sae: Any, model: LanguageModel, activations: Any, held_out: Sequence[str], folder: Path, active: int
) -> SAEQuality:
    """Write the folder, then measure what was written: half precision is part of the quality.

    Args:
        sae: sae-lens' trained SAE, its scale and decoder norms folded in.
        model: whose residual stream it encodes.
        activations: (n, d) that it was trained on.
        held_out: texts that it was not trained on.
        folder: for ``cfg.json``, ``sae_weights.safetensors`` and ``max_activations.safetensors``.
        active: mean number of active features a token that the threshold is set for.

    Raises:
        ModelError: a weight does not fit half precision.
    """
    import torch
    from safetensors.torch import load_file, save_file

    from pyvalue.models.sae import load_sae, save_max_activations

    sae.save_inference_model(folder)
    weights = {name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelError("the trained weights do not fit half precision; train on another layer")
    _make_portable(folder)
    save_file(weights, folder / WEIGHTS)
    device = str(model.device)
    weights["threshold"] = _threshold(load_sae(folder, device=device), activations, active)
    save_file(weights, folder / WEIGHTS)
    written = load_sae(folder, device=device)
    save_max_activations(folder, largest_activations(written, activations))
    return measure_sae(model, written, held_out)


def _threshold(sae: Any, activations: Any, active: int) -> Any:
    """The threshold (f,), the same for all features, at which ``active`` of them are active a token.

    The trainer's own is a running mean of each batch's smallest activation, which is lower or higher by some percent.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    some = activations[torch.randperm(len(activations), generator=generator)[:THRESHOLD_TOKENS].sort().values]
    kept = []
    with torch.inference_mode():
        for chunk in some.split(2048):
            pre = (chunk.to(sae.W_enc) - sae.b_dec) @ sae.W_enc + sae.b_enc
            wanted = min(pre.numel(), 2 * active * len(chunk))  # twice the mean holds the best of any chunk
            kept.append(torch.relu(pre).flatten().topk(wanted).values.cpu())
    largest = torch.cat(kept).sort(descending=True).values
    place = min(active * len(some), len(largest) - 1)
    return torch.full((sae.config.d_sae,), float(largest[place]), dtype=torch.float16)


def _make_portable(folder: Path) -> None:
    """Say "cpu" in the configuration, whatever the training ran on: readers put the weights there."""
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8")) | {"device": "cpu"}
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def complete_config(folder: Path, training: dict[str, Any], quality: SAEQuality) -> None:
    """Add to the metadata in ``cfg.json`` how the SAE was trained, and its quality to four digits."""
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config.setdefault("metadata", {}).update(
        training=training | {"trainer": "sae-lens BatchTopK"},
        quality={name: round(figure, 4) for name, figure in asdict(quality).items()},
    )
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
