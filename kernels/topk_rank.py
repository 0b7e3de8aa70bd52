"""Rank of asked features among all pre-activations of an SAE, without a sort: Triton on CUDA, torch elsewhere."""

from __future__ import annotations

import torch

from .topk_rank_reference import topk_rank_reference

TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def topk_rank(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    """``#{j != feature : pre[t, j] > pre[t, feature]}`` where ``pre = x @ weight.T + bias``.

    A feature of a TopK SAE is active iff its rank is below ``k`` and its pre-activation above 0. Sums are in float32
    (float64 for float64 ``x``), and the rank is a count of integers, the same on every call. Among equal
    pre-activations none is above another, so that a tie that straddles ``k`` counts as active on both sides, where
    ``torch.topk`` keeps an arbitrary one; pre-activations that are equal but for rounding may come out in either order.
    A comparison with NaN is false: a feature whose pre-activation is NaN has rank 0, and NaN is above nothing.

    The Triton path never holds all pre-activations; the reference holds 64 MB of them at a time. No gradient.

    Args:
        x: (t, d) what the SAE reads (normalised where it normalises), float; any strides.
        weight: (f, d) encoder, transposed, float. Copied on CUDA unless it is contiguous.
        bias: (f,) encoder bias, float, with the decoder bias folded in.
        feature: (t, m) int32 features to rank, -1 for none. On CUDA a number of f or more reads as -1, since checking
            it would stall the device.

    Returns:
        (t, m) int32, 0 where ``feature`` is -1.

    Raises:
        ValueError: a shape, dtype or device does not fit, or on CPU a feature that does not exist.
    """
    _check(x, weight, bias, feature)
    result: torch.Tensor = _topk_rank_op(x.detach(), weight.detach(), bias.detach(), feature)
    return result


@torch.library.custom_op(
    "pyvalue::topk_rank", mutates_args=(), schema="(Tensor x, Tensor weight, Tensor bias, Tensor feature) -> Tensor"
)
def _topk_rank_op(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    if x.is_cuda and x.dtype in TRITON_DTYPES and weight.dtype in TRITON_DTYPES:
        # Triton is imported late: it is absent on some CPU-only platforms and slow to import.
        from .topk_rank_triton import topk_rank_triton

        return topk_rank_triton(x, weight, bias, feature)
    return topk_rank_reference(x, weight, bias, feature)


@_topk_rank_op.register_fake
def _(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    return torch.empty(feature.shape, dtype=torch.int32, device=feature.device)


def _check(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor) -> None:
    for name, tensor in (("x", x), ("weight", weight), ("bias", bias)):
        if not tensor.is_floating_point():
            raise ValueError(f"{name} must be floating point, got {tensor.dtype}.")
    if weight.ndim != 2 or weight.shape[0] == 0:
        raise ValueError(f"weight must be (f, d) with f >= 1, got shape {tuple(weight.shape)}.")
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"x must be (t, {weight.shape[1]}) for weight {tuple(weight.shape)}, got shape {tuple(x.shape)}."
        )
    if bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias must be ({weight.shape[0]},) for weight {tuple(weight.shape)}, got {tuple(bias.shape)}."
        )
    if feature.dtype != torch.int32 or feature.ndim != 2 or feature.shape[0] != x.shape[0]:
        raise ValueError(
            f"feature must be int32 ({x.shape[0]}, m), one row a token, got {feature.dtype} {tuple(feature.shape)}."
        )
    for name, tensor in (("weight", weight), ("bias", bias), ("feature", feature)):
        if tensor.device != x.device:
            raise ValueError(f"{name} is on {tensor.device}, but x on {x.device}; move it there.")
