"""Read sae-lens' native folder: ``cfg.json`` beside ``sae_weights.safetensors``. Folds and computes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from pyvalue.errors import ModelError
from pyvalue.models.max_activations import read_max_activations
from pyvalue.models.stored_sae import StoredSAE

CONFIG_NAME = "cfg.json"
WEIGHTS_NAME = "sae_weights.safetensors"
# Where sae-lens' trainer keeps the norm factor of a checkpoint, which it folds only when training ends.
_SCALER_NAME = "activation_scaler.json"


def read_sae_folder(folder: Path) -> StoredSAE:
    """Settings and tensors of a native folder.

    Raises:
        ModelError: a file is missing or damaged.
    """
    settings = read_json_object(folder / CONFIG_NAME)
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise ModelError(f"{weights} is missing. An SAE folder holds {CONFIG_NAME} and {WEIGHTS_NAME}.")
    return StoredSAE(
        settings, read_safetensors(weights), folder.name, str(weights), read_max_activations(folder), _norm_hint(folder)
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises ModelError where it does not."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. An SAE folder holds {path.name}.") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path} must hold a JSON object, got {type(raw).__name__}.")
    return raw


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a safetensors file, on the CPU. Raises ModelError where it is damaged."""
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a readable safetensors file: {error}") from error


def _norm_hint(folder: Path) -> str:
    scaler = folder / _SCALER_NAME
    if not scaler.is_file():
        return ""
    return f" (in {scaler.name}: {read_json_object(scaler).get('scaling_factor')})"
