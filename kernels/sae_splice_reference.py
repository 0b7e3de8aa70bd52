"""Plain-torch reference of ``sae_splice``: the definition that the kernel is tested against, and the path on CPU."""

from __future__ import annotations

import torch

from .edit_table import LAYER_NORM_EPS, NORM_CONSTANT, NORM_LAYER
from .splice_weights import SpliceWeights

CHUNK_BYTES = 64 * 2**20
"""Activations are held this many bytes at a time, of one token at least."""


def sae_encode(x: torch.Tensor, weights: SpliceWeights) -> torch.Tensor:
    """Activations of every feature for a residual ``x`` (t, d): (t, f), float32 (float64 for float64 ``x``)."""
    read, _, _ = _normalise(_widen(x), weights.norm)
    u = read @ weights.encoder.to(read.dtype).T + weights.bias.to(read.dtype)
    if weights.k:
        values, features = u.topk(weights.k, dim=-1, sorted=False)
        return torch.zeros_like(u).scatter(-1, features, torch.relu(values))
    above = u
    if weights.gain is not None and weights.offset is not None:
        above = u * weights.gain.to(u.dtype) + weights.offset.to(u.dtype)
    threshold = 0.0 if weights.threshold is None else weights.threshold.to(u.dtype)
    # Written as "<= is off", so that a NaN in the residual stays visible.
    return torch.where(u <= threshold, 0.0, torch.relu(above))


def sae_decode(features: torch.Tensor, weights: SpliceWeights, like: torch.Tensor) -> torch.Tensor:
    """Reconstruction (t, d) from activations (t, f), in their type.

    ``like`` (t, d) is the residual that was encoded, whose mean and scale are put back where the SAE normalises.
    """
    _, mean, scale = _normalise(like.to(features.dtype), weights.norm)
    decoded = features @ weights.decoder.to(features.dtype) + weights.decoder_bias.to(features.dtype)
    return decoded * scale + mean


def sae_splice_reference(x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor) -> torch.Tensor:
    """``x + strength[:, None] * (decode(encode(x)) - x)``; arguments and result as ``sae_splice.sae_splice``.

    Differentiable in ``x`` and ``strength``. Tokens of strength 0 cost nothing. A token's last bit may depend on the
    number of tokens, as in any matrix product of torch.
    """
    tokens = strength.nonzero().squeeze(-1)
    if tokens.shape[0] == 0:
        return x.clone(memory_format=torch.contiguous_format)
    bytes_a_token = weights.n_features * (8 if x.dtype == torch.float64 else 4)
    spliced = [
        _splice(_widen(x[chosen]), weights, strength[chosen, None]).to(x.dtype)
        for chosen in tokens.split(max(1, CHUNK_BYTES // bytes_a_token))
    ]
    return x.clone(memory_format=torch.contiguous_format).index_copy(0, tokens, torch.cat(spliced))


def _splice(x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor) -> torch.Tensor:
    reconstruction = sae_decode(sae_encode(x, weights), weights, x)
    return x + strength.to(x.dtype) * (reconstruction - x)


def _widen(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def _normalise(x: torch.Tensor, code: int) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor | float]:
    """What the SAE reads of ``x`` (t, d), and the mean and scale (t, 1) that take its output back."""
    if code == NORM_LAYER:
        mean = x.mean(dim=-1, keepdim=True)
        std = x.std(dim=-1, keepdim=True)
        return (x - mean) / (std + LAYER_NORM_EPS), mean, std
    if code == NORM_CONSTANT:
        root_mean_square = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return x / root_mean_square, 0.0, root_mean_square
    return x, 0.0, 1.0
