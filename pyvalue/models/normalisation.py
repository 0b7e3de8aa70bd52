"""How an SAE scales the residual before it encodes, and the way back. Knows nothing of weights."""

from __future__ import annotations

from typing import NamedTuple

import torch

from pyvalue.kernels.edit_table import LAYER_NORM_EPS


class Normalised(NamedTuple):
    """A residual as the encoder reads it, and the way back: ``residual = x * scale + mean``.

    Of ``layer_norm`` the way back misses the residual by the epsilon of the way in; sae-lens decodes just so.
    """

    x: torch.Tensor
    """(..., d) what the encoder reads"""
    mean: torch.Tensor
    """(..., 1), or () where none is subtracted"""
    scale: torch.Tensor
    """(..., 1), or () where nothing is scaled"""


def normalise(x: torch.Tensor, how: str) -> Normalised:
    """A residual ``x`` (..., d) as an SAE of the normalisation ``how`` reads it, in the dtype of ``x``.

    Args:
        x: residual.
        how: one of ``sae_config.NORMALISATIONS``: ``"none"``; ``"layer_norm"``, ``(x - mean) / (std + 1e-5)`` with the
            unbiased std; ``"constant_norm_rescale"``, ``x * sqrt(d) / ||x||``.

    Raises:
        ValueError: an unknown ``how``.
    """
    if how == "none":
        return Normalised(x, x.new_zeros(()), x.new_ones(()))
    if how == "layer_norm":
        mean = x.mean(dim=-1, keepdim=True)
        centred = x - mean
        std = centred.std(dim=-1, keepdim=True)
        return Normalised(centred / (std + LAYER_NORM_EPS), mean, std)
    if how == "constant_norm_rescale":
        scale = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return Normalised(x / scale, x.new_zeros(()), scale)
    raise ValueError(f"how must be 'none', 'layer_norm' or 'constant_norm_rescale', got {how!r}.")
