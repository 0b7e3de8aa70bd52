"""From the tensors that a file holds to those that an SAE computes with: names, shapes, folds. Reads no file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from pyvalue.errors import ModelError
from pyvalue.models.sae_config import UNFOLDED, SAEConfig, parse_sae_config

# sae-lens' bound, so that a feature without a decoder row divides by no zero.
_SMALLEST_NORM = 1e-8


@dataclass(frozen=True)
class StoredSAE:
    """What a reader found, in sae-lens' names.

    Attributes:
        settings: as in ``cfg.json``.
        tensors: by the names of sae-lens' state dict, any floating point type.
        name: what to call the SAE.
        where: the file or object, for messages.
        max_activations: (f,), where they are stored beside the weights.
        norm_hint: where the caller finds the norm factor, for the message that asks for it.
    """

    settings: Mapping[str, Any]
    tensors: Mapping[str, torch.Tensor]
    name: str
    where: str
    max_activations: torch.Tensor | None = None
    norm_hint: str = ""


def tensor_shapes(config: SAEConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that an SAE of this architecture has, in a fixed order."""
    d, f = config.d_in, config.d_sae
    shapes: dict[str, tuple[int, ...]] = {"W_enc": (d, f), "b_enc": (f,), "W_dec": (f, d), "b_dec": (d,)}
    if config.architecture == "jumprelu":
        shapes["threshold"] = (f,)
    if config.architecture == "gated":
        shapes |= {"r_mag": (f,), "b_mag": (f,)}
    return shapes


def check_shapes(config: SAEConfig, tensors: Mapping[str, torch.Tensor | None]) -> None:
    """Raise ValueError unless every tensor of the architecture is there, has its shape and is of floating point."""
    for key, shape in tensor_shapes(config).items():
        tensor = tensors[key]
        if tensor is None:
            raise ValueError(f"{key} is missing: a {config.architecture} SAE has it, shape {shape}.")
        if tensor.shape != shape:
            raise ValueError(
                f"{key} has shape {tuple(tensor.shape)}, but d_in {config.d_in} and d_sae {config.d_sae} "
                f"call for {shape}."
            )
        if not tensor.dtype.is_floating_point:
            raise ValueError(f"{key} holds {tensor.dtype}, expected floating point numbers.")


def check_finite(config: SAEConfig, tensors: Mapping[str, torch.Tensor]) -> None:
    """Raise ValueError where a tensor of the architecture holds NaN or infinity."""
    for key in tensor_shapes(config):
        if not bool(torch.isfinite(tensors[key]).all()):
            raise ValueError(
                f"{key} holds NaN or infinity; the weights are damaged or overflowed when they were saved."
            )


def finish(
    stored: StoredSAE, *, norm_factor: float | None, hook: str | None, dtype: torch.dtype, device: torch.device
) -> tuple[SAEConfig, dict[str, torch.Tensor]]:
    """Settings and tensors of the SAE, everything folded that the settings ask to be folded.

    Args:
        stored: what a reader found.
        norm_factor: of an SAE whose factor is not folded yet, else None.
        hook: where it reads, instead of what the settings say.
        dtype: of the tensors; the folds are made in float32 before.
        device: of the tensors.

    Raises:
        ModelError: a tensor is missing or of another shape, or the settings ask for what cannot be done.
        ValueError: ``norm_factor`` is out of range or has nothing to fold into.
    """
    config = parse_sae_config(stored.settings, stored.where)
    if hook is not None:
        if config.hook_name not in ("", hook):
            warnings.warn(
                f"{stored.where} says that it reads {config.hook_name}; hook={hook!r} is used instead", stacklevel=4
            )
        config = replace(config, hook_name=hook)
    factor = _check_norm_factor(config, stored, norm_factor)
    weights = _named(config, stored)
    try:
        check_shapes(config, weights)
    except ValueError as error:
        raise ModelError(f"{stored.where}: {error}") from error
    if factor is not None or config.rescale_acts_by_decoder_norm:
        weights = {name: tensor.float() for name, tensor in weights.items()}
    if factor is not None:
        _fold_norm_factor(weights, factor)
        if config.architecture == "jumprelu" and config.rescale_acts_by_decoder_norm:
            # The threshold of a BatchTopK checkpoint is in units of the decoder norm, which has just shrunk.
            weights["threshold"] = weights["threshold"] / factor
        config = replace(config, normalize_activations="none")
    if config.rescale_acts_by_decoder_norm:
        _fold_decoder_norm(weights)
        config = replace(config, rescale_acts_by_decoder_norm=False)
    return config, {name: tensor.to(device, dtype) for name, tensor in weights.items()}


def _check_norm_factor(config: SAEConfig, stored: StoredSAE, norm_factor: float | None) -> float | None:
    if norm_factor is None:
        if config.normalize_activations == UNFOLDED:
            raise ModelError(
                f"{stored.where}: normalize_activations is {UNFOLDED!r}, whose scaling factor is not in the file, so "
                "that every activation would be wrong without a sign. Pass load_sae(..., norm_factor=...), sqrt(d_in) "
                f"by the mean norm of the residual{stored.norm_hint}, or fold it in sae-lens: "
                "sae.fold_activation_norm_scaling_factor(factor), then save."
            )
        return None
    if isinstance(norm_factor, bool) or not isinstance(norm_factor, int | float):
        raise TypeError(f"norm_factor must be a number, got {type(norm_factor).__name__} {norm_factor!r}.")
    if not math.isfinite(norm_factor) or norm_factor <= 0:
        raise ValueError(f"norm_factor must be finite and above 0, got {norm_factor}.")
    if config.normalize_activations != UNFOLDED:
        raise ValueError(
            f"norm_factor is for an SAE saved with normalize_activations {UNFOLDED!r}, but {stored.where} says "
            f"{config.normalize_activations!r}; leave norm_factor out."
        )
    return float(norm_factor)


def _named(config: SAEConfig, stored: StoredSAE) -> dict[str, torch.Tensor]:
    """The stored tensors under our names, older and training-time forms translated."""
    tensors = dict(stored.tensors)
    if config.architecture == "jumprelu" and "threshold" not in tensors:
        if "log_threshold" in tensors:
            tensors["threshold"] = tensors["log_threshold"].exp()
        elif "topk_threshold" in tensors:
            # One number for all features; float32, as sae-lens saves it for inference.
            tensors["threshold"] = tensors["topk_threshold"].float().reshape(-1)[:1].expand(config.d_sae).clone()
    stored_names = {
        name: "b_gate" if name == "b_enc" and config.architecture == "gated" else name for name in tensor_shapes(config)
    }
    missing = sorted(set(stored_names.values()) - set(tensors))
    if missing:
        raise ModelError(
            f"{stored.where} lacks {', '.join(missing)}, which a {config.architecture} SAE has; it holds "
            f"{', '.join(sorted(tensors)) or 'nothing'}."
        )
    factor = tensors.get("scaling_factor", tensors.get("finetuning_scaling_factor"))
    if factor is not None and not torch.allclose(factor.float(), torch.ones_like(factor.float())):
        raise ModelError(f"{stored.where} holds a fine-tuned scaling_factor, which is not supported.")
    return {name: tensors[stored_name] for name, stored_name in stored_names.items()}


def _fold_norm_factor(weights: dict[str, torch.Tensor], factor: float) -> None:
    weights["W_enc"] = weights["W_enc"] * factor
    weights["W_dec"] = weights["W_dec"] / factor
    weights["b_dec"] = weights["b_dec"] / factor


def _fold_decoder_norm(weights: dict[str, torch.Tensor]) -> None:
    """Activations in units of unit-norm rows: the same function, and every decoder row then means what it says."""
    norms = weights["W_dec"].norm(dim=-1).clamp(min=_SMALLEST_NORM)
    weights["W_dec"] = weights["W_dec"] / norms.unsqueeze(-1)
    weights["W_enc"] = weights["W_enc"] * norms
    weights["b_enc"] = weights["b_enc"] * norms
