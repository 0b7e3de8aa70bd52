"""What a sparse autoencoder's ``cfg.json`` says, in sae-lens' current layout and older ones. Holds no weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyvalue.errors import ModelError

ARCHITECTURES = ("standard", "jumprelu", "gated", "topk")
NORMALISATIONS = ("none", "layer_norm", "constant_norm_rescale")

# Names that older sae-lens releases gave to what is now called otherwise.
_OLD_NAMES = {"hook_point": "hook_name", "activation_fn_str": "activation_fn"}
_RESIDUAL_HOOK = re.compile(r"blocks\.(\d+)\.hook_(resid_post|resid_pre)")


@dataclass(frozen=True)
class SAEConfig:
    """Shape, architecture and place of a sparse autoencoder.

    Attributes:
        architecture: one of ``ARCHITECTURES``; BatchTopK SAEs are saved as ``jumprelu``.
        d_in: width of the residual stream.
        d_sae: number of features.
        hook_name: where it reads, for example ``blocks.12.hook_resid_post``.
        apply_b_dec_to_input: whether the decoder bias is subtracted before encoding.
        normalize_activations: one of ``NORMALISATIONS``.
        k: active features of a ``topk`` SAE, else None.
        rescale_acts_by_decoder_norm: of a ``topk`` SAE, as saved; the reader folds the norms into the weights.
        model_name: the model that it was trained on, "" where the file does not say.
        metadata: the rest of the file, read-only.
    """

    architecture: str
    d_in: int
    d_sae: int
    hook_name: str = ""
    apply_b_dec_to_input: bool = True
    normalize_activations: str = "none"
    k: int | None = None
    rescale_acts_by_decoder_norm: bool = False
    model_name: str = ""
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def residual_hook(self) -> tuple[int, str]:
        """(layer, ``"resid_post"`` or ``"resid_pre"``) that the SAE reads.

        Raises:
            ModelError: the SAE does not read the residual stream between layers.
        """
        found = _RESIDUAL_HOOK.fullmatch(self.hook_name)
        if found is None:
            raise ModelError(
                f"hook_name is {self.hook_name!r}, expected blocks.L.hook_resid_post or blocks.L.hook_resid_pre: "
                "only SAEs of the residual stream can be edited."
            )
        return int(found.group(1)), found.group(2)


def read_sae_config(path: Path) -> SAEConfig:
    """Read ``cfg.json``; ``path`` is the file.

    Raises:
        ModelError: the file is missing, is no JSON object, lacks a width, or asks for what is not supported.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}. An SAE folder holds cfg.json.") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ModelError(f"{path} must hold a JSON object, got {type(raw).__name__}.")
    config = _parse(raw, path)
    _refuse_unsupported(config, raw, path)
    return config


def _parse(raw: dict[str, Any], path: Path) -> SAEConfig:
    flat = {_OLD_NAMES.get(key, key): value for key, value in raw.items()}
    nested = flat.pop("metadata", None) or {}
    if not isinstance(nested, dict):
        raise ModelError(f"{path}: metadata must be an object, got {type(nested).__name__}.")
    # Current files keep the hook under "metadata", older ones at the top.
    metadata = {**flat, **nested}
    arguments = flat.get("activation_fn_kwargs") or {}
    k = flat.get("k", arguments.get("k"))
    architecture = str(flat.get("architecture") or "standard")
    if architecture == "standard" and flat.get("activation_fn") == "topk":
        architecture = "topk"
    return SAEConfig(
        architecture=architecture,
        d_in=_width(flat, "d_in", path),
        d_sae=_width(flat, "d_sae", path),
        hook_name=str(metadata.get("hook_name") or ""),
        apply_b_dec_to_input=bool(flat.get("apply_b_dec_to_input", True)),
        normalize_activations=_normalisation(flat.get("normalize_activations")),
        k=_width({"k": k}, "k", path) if architecture == "topk" else None,
        rescale_acts_by_decoder_norm=architecture == "topk" and bool(flat.get("rescale_acts_by_decoder_norm", False)),
        model_name=str(metadata.get("model_name") or ""),
        metadata=MappingProxyType(metadata),
    )


def _width(values: dict[str, Any], name: str, path: Path) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{path}: {name} must be a positive integer, got {value!r}.")
    return value


def _normalisation(value: object) -> str:
    # A flag in the oldest files; absent means none.
    if value is None or value is False:
        return "none"
    return "expected_average_only_in" if value is True else str(value)


def _refuse_unsupported(config: SAEConfig, raw: dict[str, Any], path: Path) -> None:
    if config.architecture not in ARCHITECTURES:
        raise ModelError(
            f"{path}: architecture {config.architecture!r} is not supported, expected one of "
            f"{', '.join(ARCHITECTURES)}."
        )
    if config.normalize_activations == "expected_average_only_in":
        raise ModelError(
            f"{path}: normalize_activations is 'expected_average_only_in', whose scaling factor is not in the file, so "
            "that every activation would be wrong without a sign. Fold it first: in sae-lens "
            "sae.fold_activation_norm_scaling_factor(factor), then save."
        )
    if config.normalize_activations not in NORMALISATIONS:
        raise ModelError(
            f"{path}: normalize_activations {config.normalize_activations!r} is not supported, expected one of "
            f"{', '.join(NORMALISATIONS)}."
        )
    activation = raw.get("activation_fn", raw.get("activation_fn_str", "relu"))
    if activation not in ("relu", "topk"):
        raise ModelError(f"{path}: activation_fn {activation!r} is not supported, expected 'relu' or 'topk'.")
    if raw.get("reshape_activations", "none") != "none" or config.hook_name.endswith("hook_z"):
        raise ModelError(f"{path}: an SAE of attention heads (hook_z) is not supported, only of the residual stream.")
    if config.k is not None and config.k > config.d_sae:
        raise ModelError(f"{path}: k is {config.k}, more than d_sae {config.d_sae}.")
