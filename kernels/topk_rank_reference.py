"""Plain-torch reference of ``topk_rank``: the definition that the kernel is tested against, and the path on CPU."""

from __future__ import annotations

import torch

CHUNK_BYTES = 64 * 2**20
"""Pre-activations, and weights taken to the type of the sum, are held this many bytes at a time."""


def topk_rank_reference(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor
) -> torch.Tensor:
    """How many features are above the asked one; arguments and result as ``topk_rank.topk_rank``.

    Raises:
        ValueError: ``feature`` holds a number outside -1 .. f - 1.
    """
    n_features = weight.shape[0]
    if feature.numel() and not -1 <= int(feature.min()) <= int(feature.max()) < n_features:
        raise ValueError(
            f"feature must hold -1 (none) or 0 .. {n_features - 1}, got {int(feature.min())} .. {int(feature.max())}."
        )
    rank = torch.zeros(feature.shape, dtype=torch.int32, device=x.device)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    tokens_a_chunk = max(1, CHUNK_BYTES // (n_features * dtype.itemsize))
    # Tokens that ask for nothing cost nothing.
    asking = (feature >= 0).any(dim=1).nonzero().squeeze(1)
    for rows in asking.split(tokens_a_chunk):
        rank[rows] = _rank(_pre_activations(x[rows].to(dtype), weight, bias), feature[rows].long())
    return rank


def _pre_activations(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """(n, f) ``x @ weight.T + bias`` in the type of ``x``, never all weights converted at once."""
    pre = x.new_empty(x.shape[0], weight.shape[0])
    features_a_slice = max(1, CHUNK_BYTES // (weight.shape[1] * x.itemsize))
    for start in range(0, weight.shape[0], features_a_slice):
        columns = slice(start, start + features_a_slice)
        torch.addmm(bias[columns].to(x.dtype), x, weight[columns].to(x.dtype).T, out=pre[:, columns])
    return pre


def _rank(pre: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    # Read from the very matrix that is counted, so that a feature never ranks below itself.
    asked = pre.gather(1, feature.clamp(min=0))
    above = [(pre > asked[:, i, None]).sum(dim=1, dtype=torch.int32) for i in range(feature.shape[1])]
    if not above:
        return feature.int()
    return torch.where(feature >= 0, torch.stack(above, dim=1), 0)
