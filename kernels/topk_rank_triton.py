"""Triton kernels of ``topk_rank`` and their launcher. Imported only where Triton runs; use ``topk_rank.topk_rank``."""

# Triton is untyped, and its kernels' arguments are not Python values.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .ahead_of_time import Variant, variant
from .tile_product_triton import TileOptions, share_half_type, tile_options, tile_product


@triton.jit
def asked_pre_activation_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    feature_ptr,
    listed_ptr,
    asked_ptr,
    rank_ptr,
    x_stride,
    feature_token_stride,
    feature_slot_stride,
    n_tokens,
    n_slots,
    n_features,
    d_model,
    BLOCK_F: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
):
    """``asked = (x * weight[feature]).sum() + bias[feature]``, +inf where there is no feature; ``rank = 0``.

    ``listed`` is ``feature`` with -1 for every number that is no feature.

    One program per BLOCK_T tokens and BLOCK_F (token, slot) pairs of theirs. It computes the pairs' features for all of
    its tokens and keeps one of BLOCK_T sums: the price of summing in the very order of ``count_above_kernel``, so that
    equal pre-activations compare equal. Pointers: x (n_tokens, d_model) with unit column stride; weight (n_features,
    d_model) contiguous; bias (n_features,) float; feature (n_tokens, n_slots) int32; listed int32, asked float32 and
    rank int32, all (n_slots, n_tokens) contiguous.
    """
    first_token = tl.program_id(0) * BLOCK_T
    pair = tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)
    # Pairs are numbered token by token within a slot, as what this writes is stored.
    own_token = pair % BLOCK_T
    slot = pair // BLOCK_T
    token = (first_token + own_token).to(tl.int64)
    exists = (token < n_tokens) & (slot < n_slots)
    feature = tl.load(feature_ptr + token * feature_token_stride + slot * feature_slot_stride, mask=exists, other=-1)
    valid = (feature >= 0) & (feature < n_features)
    asked_at = slot.to(tl.int64) * n_tokens + token
    tl.store(listed_ptr + asked_at, tl.where(valid, feature, -1), mask=exists)
    tl.store(rank_ptr + asked_at, tl.zeros((BLOCK_F,), dtype=tl.int32), mask=exists)
    tl.store(asked_ptr + asked_at, tl.full((BLOCK_F,), float("inf"), dtype=tl.float32), mask=exists & (valid == 0))
    if tl.sum(valid.to(tl.int32), axis=0) == 0:
        return

    column_token = tl.arange(0, BLOCK_T)
    x_rows = tl.minimum(first_token + column_token, n_tokens - 1).to(tl.int64)
    weight_rows = tl.where(valid, feature, 0).to(tl.int64)
    product = tile_product(
        x_ptr, x_rows, x_stride, weight_ptr, weight_rows, d_model, d_model, BLOCK_T, BLOCK_F, BLOCK_D, EVEN, WIDE
    )
    own = tl.sum(tl.where(column_token[:, None] == own_token[None, :], product, 0.0), axis=0)
    asked = own + tl.load(bias_ptr + weight_rows).to(tl.float32)
    tl.store(asked_ptr + asked_at, asked, mask=exists & valid)


@triton.jit
def count_above_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    listed_ptr,
    asked_ptr,
    rank_ptr,
    x_stride,
    n_tokens,
    n_slots,
    n_features,
    d_model,
    BLOCK_F: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
):
    """``rank += (pre > asked).sum()`` over BLOCK_F features, the asked one left out; one program per BLOCK_T tokens.

    Pointers as ``asked_pre_activation_kernel``, which must have run. Integers are added, so that their order does not
    matter. Programs of the same features are neighbours: they find the encoder's rows in the L2 cache.
    """
    token = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    exists = token < n_tokens
    row = tl.minimum(token, n_tokens - 1).to(tl.int64)
    asked_for = tl.zeros((BLOCK_T,), dtype=tl.int32)
    slot_start = tl.full((), 0, dtype=tl.int64)
    for _ in range(n_slots):
        listed = tl.load(listed_ptr + slot_start + token, mask=exists, other=-1)
        asked_for += (listed >= 0).to(tl.int32)
        slot_start += n_tokens
    if tl.sum(asked_for, axis=0) == 0:
        return

    candidate = tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)
    weight_rows = tl.minimum(candidate, n_features - 1).to(tl.int64)
    # Tokens first: a thread holds few of them, so that what was asked fits into its registers and it counts by itself.
    product = tile_product(
        x_ptr, row, x_stride, weight_ptr, weight_rows, d_model, d_model, BLOCK_T, BLOCK_F, BLOCK_D, EVEN, WIDE
    )
    pre = product + tl.load(bias_ptr + weight_rows).to(tl.float32)[None, :]
    # Rows beyond the last feature are above nothing.
    pre = tl.where((candidate < n_features)[None, :], pre, float("-inf"))
    slot_start = tl.full((), 0, dtype=tl.int64)
    for _ in range(n_slots):
        listed = tl.load(listed_ptr + slot_start + token, mask=exists, other=-1)
        asked = tl.load(asked_ptr + slot_start + token, mask=exists, other=float("inf"))
        # The asked feature is left out by its number: its two sums need not be trusted to agree.
        above = (pre > asked[:, None]) & (candidate[None, :] != listed[:, None])
        count = tl.sum(above.to(tl.int32), axis=1)
        tl.atomic_add(rank_ptr + slot_start + token, count, mask=exists & (count > 0), sem="relaxed")
        slot_start += n_tokens


def _tile_options(n_tokens: int, d_model: int, half: bool) -> TileOptions:
    # Tokens are the side of which the tensor core's instruction takes 64.
    return tile_options(max(64, n_tokens), d_model, half)


def topk_rank_triton(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, feature: torch.Tensor) -> torch.Tensor:
    """Launch both kernels; arguments and result as ``topk_rank.topk_rank``, ``x`` and ``weight`` of at most 32 bits.

    Nothing is read back to the host and all shapes are fixed, so that a CUDA graph can hold it.
    """
    if x.stride(-1) != 1:
        x = x.contiguous()
    weight, bias = weight.contiguous(), bias.contiguous()
    (n_tokens, n_slots), (n_features, d_model) = feature.shape, weight.shape
    # Slot by slot, so that the tokens of a tile lie side by side for the atomic additions.
    rank = torch.empty(n_slots, n_tokens, dtype=torch.int32, device=x.device)
    if rank.numel() == 0:
        return rank.view(n_tokens, n_slots)
    listed = torch.empty_like(rank)
    asked = torch.empty(n_slots, n_tokens, dtype=torch.float32, device=x.device)
    options = _tile_options(n_tokens, d_model, share_half_type(x, weight))
    token_tiles = triton.cdiv(n_tokens, options.block_t)
    launch = {**options.constants(), "num_warps": options.warps, "num_stages": options.stages}
    asked_pre_activation_kernel[(token_tiles, triton.cdiv(options.block_t * n_slots, options.block_f))](
        x,
        weight,
        bias,
        feature,
        listed,
        asked,
        rank,
        x.stride(0),
        feature.stride(0),
        feature.stride(1),
        n_tokens,
        n_slots,
        n_features,
        d_model,
        **launch,
    )
    count_above_kernel[(token_tiles, triton.cdiv(n_features, options.block_f))](
        x, weight, bias, listed, asked, rank, x.stride(0), n_tokens, n_slots, n_features, d_model, **launch
    )
    return rank.t().contiguous()


def ahead_of_time_variants() -> list[Variant]:
    """Both kernels at the widths and batch sizes that matter, for ``compile_ahead``."""
    cases = [("bf16", 576, 16), ("bf16", 2048, 16), ("bf16", 2048, 64), ("bf16", 2048, 128), ("bf16", 4096, 512)]
    cases += [("fp32", 576, 16), ("fp32", 4096, 64)]
    variants = []
    for dtype, d_model, n_tokens in cases:
        options = _tile_options(n_tokens, d_model, dtype != "fp32")
        for kernel in (asked_pre_activation_kernel, count_above_kernel):
            variants.append(
                variant(
                    kernel,
                    options.constants(),
                    {"x_ptr": dtype, "weight_ptr": dtype, "feature_ptr": "i32", "listed_ptr": "i32", "rank_ptr": "i32"},
                    aligned=("x_stride", "n_features", "d_model"),
                    options={"num_warps": options.warps, "num_stages": options.stages},
                    labels={"dtype": dtype, "d_model": d_model, "tokens": n_tokens},
                )
            )
    return variants
