"""A sparse autoencoder as an immutable value, and ``load_sae``, which finds its reader. Trains and hooks nothing."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from pyvalue.errors import ModelError
from pyvalue.file_faults import file_faults
from pyvalue.models.encoder_columns import EncoderColumn, EncoderColumns, encoder_columns, folded_encoder
from pyvalue.models.max_activations import check_max_activations, save_max_activations
from pyvalue.models.normalisation import Normalised, normalise
from pyvalue.models.sae_config import NORMALISATIONS, SAEConfig
from pyvalue.models.sae_sources import check_hook, find_sae
from pyvalue.models.stored_sae import check_finite, check_shapes, finish, tensor_shapes

__all__ = [
    "DEMO_FOLDER",
    "SAE",
    "EncoderColumn",
    "EncoderColumns",
    "Normalised",
    "load_sae",
    "save_max_activations",
]

DEMO_FOLDER = Path(__file__).parent.parent / "data" / "demo_sae"
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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
        max_activations: (f,) each feature's typical maximum in the units of ``encode``, or None if nobody measured it.

    Raises:
        ValueError: a tensor is missing, has the wrong shape or holds NaN or infinity, or the normalisation is unknown.
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
    max_activations: torch.Tensor | None = None

    def __post_init__(self) -> None:
        if self.config.normalize_activations not in NORMALISATIONS:
            raise ValueError(
                f"config.normalize_activations must be one of {', '.join(NORMALISATIONS)}, "
                f"got {self.config.normalize_activations!r}."
            )
        tensors = {name: getattr(self, name) for name in tensor_shapes(self.config)}
        check_shapes(self.config, tensors)
        check_finite(self.config, tensors)
        if self.max_activations is not None:
            check_max_activations(self.max_activations, self.config.d_sae)

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
        c = self.config
        digest = hashlib.sha256()
        what = (c.architecture, c.hook_name, c.apply_b_dec_to_input, c.normalize_activations, c.k)
        digest.update(repr(what).encode())
        for key in tensor_shapes(c):
            tensor: torch.Tensor = getattr(self, key)
            digest.update(key.encode())
            digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().data)
        return digest.hexdigest()

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Feature activations (..., f) of a residual ``x`` (..., d), in the dtype of the weights."""
        normalised = self.normalise(x.to(self.W_enc)).x
        if self.config.apply_b_dec_to_input:
            normalised = normalised - self.b_dec
        products = normalised @ self.W_enc
        pre = products + self.b_enc
        if self.config.architecture in ("topk", "abstopk"):
            return _top_k(pre, self.config.k or 0, signed=self.config.architecture == "abstopk")
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
        _check_width("features", features, self.config.d_sae)
        decoded = features.to(self.W_dec) @ self.W_dec + self.b_dec
        if self.config.normalize_activations == "none":
            return decoded
        if like is None:
            raise ValueError(
                f"like is missing: this SAE normalises its input ({self.config.normalize_activations}), so "
                "that decoding needs the residual that was encoded: sae.decode(features, like=x)."
            )
        _check_width("like", like, self.config.d_in)
        _, mean, scale = self.normalise(like.to(self.W_enc))
        return decoded * scale + mean

    def normalise(self, x: torch.Tensor) -> Normalised:
        """What the encoder reads of a residual ``x`` (..., d), before any decoder bias, in the dtype of ``x``."""
        _check_width("x", x, self.config.d_in)
        return normalise(x, self.config.normalize_activations)

    def encoder_column(self, feature: int) -> EncoderColumn:
        """What reads one feature from the residual; ``encoder_columns`` of one feature, as plain numbers.

        Raises:
            ValueError: no such feature.
            ModelError: an ``abstopk`` SAE, whose features may be negative.
        """
        columns = self.encoder_columns([feature])
        bias, threshold, gain, offset = (float(values[0]) for values in columns[1:5])
        return EncoderColumn(columns.weight[0], bias, threshold, gain, offset, columns.k)

    def encoder_columns(self, features: Sequence[int]) -> EncoderColumns:
        """What reads ``features`` (n of them, repeats allowed) from the residual, the rest of the SAE left alone.

        Returns:
            Weights (n, d) and biases, thresholds, gains and offsets (n,), float32 on the SAE's device; the decoder bias
            is folded into the bias in float64. ``k`` is 0, or the number of active features of a TopK SAE.

        Raises:
            ValueError: no such feature.
            TypeError: a feature is no integer.
            ModelError: an ``abstopk`` SAE, whose features may be negative.
        """
        try:
            indices = [operator.index(feature) for feature in features]
        except TypeError:
            raise TypeError(f"features must be integers, got {list(features)!r}.") from None
        for feature in indices:
            self.check_feature(feature)
        return encoder_columns(self, indices)

    def folded_encoder(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole encoder as ``u = normalised @ weight.T + bias``; computed once and kept, do not write into it.

        Returns:
            weight (f, d), contiguous, in the dtype of the weights; bias (f,) float32 with the decoder bias folded in,
            of a gated SAE the bias of the gate.

        Raises:
            ModelError: an ``abstopk`` SAE, whose features may be negative.
        """
        return self._folded_encoder

    @cached_property
    def _folded_encoder(self) -> tuple[torch.Tensor, torch.Tensor]:
        return folded_encoder(self)

    def with_max_activations(self, max_activations: torch.Tensor) -> SAE:
        """The same SAE that knows each feature's typical maximum.

        Args:
            max_activations: (f,) in the units of ``encode``, finite and at least 0.

        Raises:
            ValueError: the shape is wrong, or a value is not finite or below 0.
            TypeError: it is no tensor of floating point numbers.
        """
        check_max_activations(max_activations, self.config.d_sae)
        # Not dataclasses.replace, which would check gigabytes of weights again and drop what is computed from them.
        sae = copy(self)
        object.__setattr__(sae, "max_activations", max_activations.detach().to(self.W_dec.device, torch.float32))
        return sae

    def check_feature(self, feature: int) -> None:
        """Raise ValueError unless ``feature`` is an index of a feature."""
        if not 0 <= feature < self.config.d_sae:
            raise ValueError(f"feature must be from 0 to {self.config.d_sae - 1} for this SAE, got {feature}.")


def load_sae(
    source: Any = None,
    *,
    release: str | None = None,
    sae_id: str | None = None,
    hook: str | None = None,
    norm_factor: float | None = None,
    dtype: str = "float32",
    device: str = "cpu",
) -> SAE:
    """Read an SAE from files, from a published release, or from an SAE that sae-lens holds.

    Args:
        source: a folder of sae-lens (``cfg.json``, ``sae_weights.safetensors``); a folder or file of Gemma Scope
            (``params.npz`` or ``params.safetensors``); a live ``sae_lens.SAE``; or ``"demo"`` for the bundled SAE of
            SmolLM2-135M-Instruct.
        release: name of a published release, instead of ``source``; downloaded through sae-lens (``pyvalue[sae]``).
        sae_id: name of the SAE within ``release``.
        hook: where it reads, such as ``"blocks.12.hook_resid_post"``; default what the files or folder names say.
        norm_factor: factor on the residual that is not folded into the weights yet (``expected_average_only_in``).
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"`` in memory, whatever the file holds.
        device: where the weights go; default the CPU.

    Raises:
        ModelError: a file or tensor is missing, damaged, of the wrong shape, or of a kind that is not supported.
        ValueError: an argument is out of range, or they do not go together.
        TypeError: an argument has the wrong type.
    """
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype!r}.")
    target = _device(device)
    if hook is not None:
        check_hook(hook)
    demo = isinstance(source, str) and source == "demo"
    with file_faults("SAE", ModelError):
        stored = find_sae(DEMO_FOLDER if demo else source, release, sae_id, hook)
        config, weights = finish(stored, norm_factor=norm_factor, hook=hook, dtype=_DTYPES[dtype], device=target)
    maxima = stored.max_activations
    try:
        sae = SAE(config, **weights, name="demo" if demo else stored.name)
        return sae if maxima is None else sae.with_max_activations(maxima)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{stored.where}: {error}") from error


def _device(device: str) -> torch.device:
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    # torch answers with any of these where a device is unknown, or known but not there.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be one that torch finds here, such as 'cpu', got {device!r}: {error}") from error
    return target


def _check_width(name: str, tensor: torch.Tensor, width: int) -> None:
    if tensor.ndim < 1 or tensor.shape[-1] != width:
        raise ValueError(f"{name} must have {width} columns for this SAE, got shape {tuple(tensor.shape)}.")


def _top_k(pre: torch.Tensor, k: int, *, signed: bool) -> torch.Tensor:
    if signed:
        indices = pre.abs().topk(k, dim=-1, sorted=False).indices
        return torch.zeros_like(pre).scatter_(-1, indices, pre.gather(-1, indices))
    values, indices = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, indices, torch.relu(values))
