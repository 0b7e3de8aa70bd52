"""A sparse autoencoder as an immutable value, and its reader for sae-lens' native folder. Trains and hooks nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open

from pyvalue.errors import ModelError
from pyvalue.kernels.edit_table import LAYER_NORM_EPS
from pyvalue.models.sae_config import SAEConfig, read_sae_config

WEIGHTS_NAME = "sae_weights.safetensors"
CONFIG_NAME = "cfg.json"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
DEMO_FOLDER = Path(__file__).parent.parent / "data" / "demo_sae"


class EncoderColumn(NamedTuple):
    """One feature's encoder: ``a = relu(u * gain + offset) if u > threshold else 0``, ``u = x @ weight + bias``.

    ``x`` is the normalised residual; the decoder bias is folded into ``bias``.
    """

    weight: torch.Tensor
    """(d_in,)"""
    bias: float
    threshold: float
    gain: float
    offset: float


@dataclass(frozen=True, eq=False)
class SAE:
    """A sparse autoencoder of ``f = config.d_sae`` features on a residual stream of width ``d = config.d_in``.

    Attributes:
        config: architecture, widths, hook.
        W_enc: (d, f).
        b_enc: (f,) encoder bias; of a gated SAE the bias of the gate.
        W_dec: (f, d).
        b_dec: (d,).
        threshold: (f,) of a JumpReLU SAE, else None.
        r_mag: (f,) log slope of a gated SAE's magnitude, else None.
        b_mag: (f,) bias of a gated SAE's magnitude, else None.
        name: where it came from, for labels and manifests.

    Raises:
        ValueError: a tensor is missing, has the wrong shape or holds NaN or infinity.
    """

    config: SAEConfig
    W_enc: torch.Tensor
    b_enc: torch.Tensor
    W_dec: torch.Tensor
    b_dec: torch.Tensor
    threshold: torch.Tensor | None = None
    r_mag: torch.Tensor | None = None
    b_mag: torch.Tensor | None = None
    name: str = ""

    def __post_init__(self) -> None:
        for key, shape in _shapes(self.config).items():
            tensor: torch.Tensor | None = getattr(self, key)
            if tensor is None:
                raise ValueError(f"{key} is missing: a {self.config.architecture} SAE has it, shape {shape}.")
            if tensor.shape != shape:
                raise ValueError(
                    f"{key} has shape {tuple(tensor.shape)}, but d_in {self.config.d_in} and d_sae {self.config.d_sae} "
                    f"call for {shape}."
                )
            if not bool(torch.isfinite(tensor).all()):
                raise ValueError(
                    f"{key} holds NaN or infinity; the weights are damaged or overflowed when they were saved."
                )

    def __repr__(self) -> str:
        c = self.config
        return f"SAE({self.name!r}, {c.architecture}, {c.d_in} -> {c.d_sae} features, {c.hook_name})"

    @property
    def layer(self) -> int:
        """Layer that it reads, from 0. Raises ModelError where that is not the residual stream."""
        return self.config.residual_hook()[0]

    @property
    def hook_point(self) -> str:
        """``"resid_post"`` (output of the layer) or ``"resid_pre"`` (its input)."""
        return self.config.residual_hook()[1]

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of what the SAE computes: its configuration and weights in float32, not its name or place."""
        digest = hashlib.sha256()
        config = self.config
        digest.update(
            repr(
                (
                    config.architecture,
                    config.hook_name,
                    config.apply_b_dec_to_input,
                    config.normalize_activations,
                    config.k,
                )
            ).encode()
        )
        for key in _shapes(config):
            tensor: torch.Tensor = getattr(self, key)
            digest.update(key.encode())
            digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
        return digest.hexdigest()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Feature activations (..., f) of a residual ``x`` (..., d), in the dtype of the weights."""
        self._check_width("x", x, self.config.d_in)
        normalised, _, _ = self._normalise(x.to(self.W_enc))
        if self.config.apply_b_dec_to_input:
            normalised = normalised - self.b_dec
        products = normalised @ self.W_enc
        pre = products + self.b_enc
        if self.config.architecture == "topk":
            return _top_k(pre, self.config.k or 0)
        if self.r_mag is not None and self.b_mag is not None:
            return torch.relu(products * self.r_mag.exp() + self.b_mag) * (pre > 0)
        if self.threshold is not None:
            return torch.relu(pre) * (pre > self.threshold)
        return torch.relu(pre)

    def decode(self, features: torch.Tensor, like: torch.Tensor | None = None) -> torch.Tensor:
        """Residual (..., d) that ``features`` (..., f) stand for.

        Args:
            features: activations.
            like: the residual (..., d) that was encoded. Needed where the SAE normalises its input, since the mean and
                scale to put back are those of the residual.

        Raises:
            ValueError: the width is wrong, or ``like`` is missing.
        """
        self._check_width("features", features, self.config.d_sae)
        decoded = features.to(self.W_dec) @ self.W_dec + self.b_dec
        if self.config.normalize_activations == "none":
            return decoded
        if like is None:
            raise ValueError(
                f"like is missing: this SAE normalises its input ({self.config.normalize_activations}), so "
                "that decoding needs the residual that was encoded: sae.decode(features, like=x)."
            )
        self._check_width("like", like, self.config.d_in)
        _, mean, scale = self._normalise(like.to(self.W_enc))
        return decoded * scale + mean

    def encoder_column(self, feature: int) -> EncoderColumn:
        """What reads one feature from the residual, the rest of the SAE left alone.

        Raises:
            ValueError: no such feature.
            ModelError: a ``topk`` SAE, whose features cannot be read one at a time.
        """
        self.check_feature(feature)
        if self.config.architecture == "topk":
            raise ModelError(
                "A single feature of a 'topk' SAE cannot be read without all others; op 'set' works with standard, "
                "jumprelu (also saved by BatchTopK) and gated SAEs. Op 'add' works with every SAE."
            )
        weight = self.W_enc[:, feature]
        # In double: the fold cancels large terms where the decoder bias is large.
        shift = float(self.b_dec.double() @ weight.double()) if self.config.apply_b_dec_to_input else 0.0
        gate_bias = float(self.b_enc[feature])
        bias = gate_bias - shift
        if self.r_mag is not None and self.b_mag is not None:
            gain = float(self.r_mag[feature].double().exp())
            # relu(p * gain + b_mag) in terms of u = p + gate_bias, so that one dot product serves gate and magnitude.
            return EncoderColumn(weight, bias, 0.0, gain, float(self.b_mag[feature]) - gate_bias * gain)
        return EncoderColumn(weight, bias, 0.0 if self.threshold is None else float(self.threshold[feature]), 1.0, 0.0)

    def check_feature(self, feature: int) -> None:
        """Raise ValueError unless ``feature`` is an index of a feature."""
        if not 0 <= feature < self.config.d_sae:
            raise ValueError(f"feature must be from 0 to {self.config.d_sae - 1} for this SAE, got {feature}.")

    def _normalise(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor | float]:
        """(what the encoder reads, mean and scale that take it back)."""
        if self.config.normalize_activations == "layer_norm":
            mean = x.mean(dim=-1, keepdim=True)
            std = x.std(dim=-1, keepdim=True)
            return (x - mean) / (std + LAYER_NORM_EPS), mean, std
        if self.config.normalize_activations == "constant_norm_rescale":
            scale = x.norm(dim=-1, keepdim=True) / self.config.d_in**0.5
            return x / scale, 0.0, scale
        return x, 0.0, 1.0

    def _check_width(self, name: str, tensor: torch.Tensor, width: int) -> None:
        if tensor.ndim < 1 or tensor.shape[-1] != width:
            raise ValueError(f"{name} must have {width} columns for this SAE, got shape {tuple(tensor.shape)}.")


def load_sae(folder: str | Path, *, dtype: str = "float32", device: str = "cpu") -> SAE:
    """Read an SAE from sae-lens' native folder: ``cfg.json`` beside ``sae_weights.safetensors``.

    Args:
        folder: the folder, or ``"demo"`` for the bundled SAE of SmolLM2-135M-Instruct.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"`` in memory, whatever the file holds.
        device: where the weights go; default the CPU.

    Raises:
        ModelError: a file or tensor is missing, damaged, of the wrong shape, or of a kind that is not supported.
        ValueError: an unknown ``dtype``.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype!r}.")
    path = DEMO_FOLDER if str(folder) == "demo" else Path(folder).expanduser()
    if not path.is_dir():
        raise ModelError(f"No SAE folder at {path}. Give a folder that holds {CONFIG_NAME} and {WEIGHTS_NAME}.")
    config = read_sae_config(path / CONFIG_NAME)
    weights = _read_weights(path / WEIGHTS_NAME, config, _DTYPES[dtype], device)
    if config.rescale_acts_by_decoder_norm:
        # Activations in units of unit-norm rows: the same function, and every decoder row then means what it says.
        norms = weights["W_dec"].norm(dim=-1)
        weights["W_dec"] = weights["W_dec"] / norms.unsqueeze(-1)
        weights["W_enc"] = weights["W_enc"] * norms
        weights["b_enc"] = weights["b_enc"] * norms
        config = replace(config, rescale_acts_by_decoder_norm=False)
    try:
        return SAE(config, **weights, name="demo" if str(folder) == "demo" else path.name)
    except ValueError as error:
        raise ModelError(f"{path / WEIGHTS_NAME}: {error}") from error


def _shapes(config: SAEConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that an SAE of this architecture has, in a fixed order."""
    d, f = config.d_in, config.d_sae
    shapes: dict[str, tuple[int, ...]] = {"W_enc": (d, f), "b_enc": (f,), "W_dec": (f, d), "b_dec": (d,)}
    if config.architecture == "jumprelu":
        shapes["threshold"] = (f,)
    if config.architecture == "gated":
        shapes |= {"r_mag": (f,), "b_mag": (f,)}
    return shapes


def _read_weights(path: Path, config: SAEConfig, dtype: torch.dtype, device: str) -> dict[str, torch.Tensor]:
    stored_names = {
        name: "b_gate" if name == "b_enc" and config.architecture == "gated" else name for name in _shapes(config)
    }
    if not path.is_file():
        raise ModelError(f"{path} is missing. An SAE folder holds {CONFIG_NAME} and {WEIGHTS_NAME}.")
    try:
        with safe_open(str(path), framework="pt", device=device) as file:
            present = set(file.keys())
            missing = sorted(set(stored_names.values()) - present)
            if missing:
                raise ModelError(
                    f"{path} lacks {', '.join(missing)}, which a {config.architecture} SAE has; it holds "
                    f"{', '.join(sorted(present)) or 'nothing'}."
                )
            weights = {name: file.get_tensor(stored).to(dtype) for name, stored in stored_names.items()}
            factor = file.get_tensor("scaling_factor") if "scaling_factor" in present else None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a readable safetensors file: {error}") from error
    if factor is not None and not torch.allclose(factor.float(), torch.ones_like(factor.float())):
        raise ModelError(f"{path} holds a fine-tuned scaling_factor, which is not supported.")
    return weights


def _top_k(pre: torch.Tensor, k: int) -> torch.Tensor:
    values, indices = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, indices, torch.relu(values))
