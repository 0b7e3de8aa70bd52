"""Triton kernel of ``sae_edit`` and its launcher. Imported only where Triton runs; use ``sae_edit.sae_edit``."""

# Triton is untyped, and its kernels' arguments are not Python values.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .ahead_of_time import variant
from .edit_table import (
    ADD,
    LAYER_NORM_EPS,
    MAX,
    MIN,
    NORM_CONSTANT,
    NORM_LAYER,
    NORMED,
    RANKED,
    READS,
    SCALE,
    EditTable,
)

_ADD, _MIN, _MAX, _SCALE = tl.constexpr(ADD), tl.constexpr(MIN), tl.constexpr(MAX), tl.constexpr(SCALE)
_NORM_LAYER = tl.constexpr(NORM_LAYER)
_NORM_CONSTANT = tl.constexpr(NORM_CONSTANT)
_EPS = tl.constexpr(LAYER_NORM_EPS)


@triton.jit
def sae_edit_kernel(
    x_ptr,
    out_ptr,
    token_list_ptr,
    rank_ptr,
    hits_ptr,
    encoder_ptr,
    bias_ptr,
    threshold_ptr,
    gain_ptr,
    offset_ptr,
    decoder_ptr,
    feature_ptr,
    op_ptr,
    norm_ptr,
    strength_ptr,
    k_ptr,
    list_start_ptr,
    list_edit_ptr,
    x_stride,
    out_stride,
    rank_stride,
    d_model,
    BLOCK_D: tl.constexpr,
    BLOCK_E: tl.constexpr,
    READS: tl.constexpr,
    NORMED: tl.constexpr,
    RANKED: tl.constexpr,
):
    """``out[t] = x[t] + sum over e in list token_list[t] of scale * c_e * decoder[feature[e]]``; one program a token.

    Takes BLOCK_E edits at once, so that their rows are on the way together: one after the other, each would wait for
    memory anew. Pointers: x, out (t, d_model) with unit column stride, any one float type; token_list (t,) int32; rank
    (t, m) int32 with unit column stride; hits (e,) int64; encoder, decoder (r, d_model) contiguous, float; bias,
    threshold, gain, offset (r,) float; feature, op, norm, k (e,) int32; strength (e,) float; list_start, list_edit
    int32.
    """
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK_D)
    inside = column < d_model
    number = tl.load(token_list_ptr + token)
    stored = tl.load(x_ptr + token * x_stride + column, mask=inside, other=0.0)
    begin = tl.load(list_start_ptr + number, mask=number >= 0, other=0)
    end = tl.load(list_start_ptr + number + 1, mask=number >= 0, other=0)
    x = stored.to(tl.float32)
    delta = tl.zeros((BLOCK_D,), dtype=tl.float32)

    if NORMED:
        mean = tl.sum(x, axis=0) / d_model
        centred = tl.where(inside, x - mean, 0.0)
        std = tl.sqrt(tl.sum(centred * centred, axis=0) / (d_model - 1))
        root_mean_square = tl.sqrt(tl.sum(x * x, axis=0) / d_model)

    for first in range(begin, end, BLOCK_E):
        entry = first + tl.arange(0, BLOCK_E)
        present = entry < end
        edit = tl.load(list_edit_ptr + entry, mask=present, other=0)
        feature = tl.load(feature_ptr + edit, mask=present, other=0)
        strength = tl.load(strength_ptr + edit, mask=present, other=0.0).to(tl.float32)
        place = feature.to(tl.int64)[:, None] * d_model + column[None, :]
        wanted_here = present[:, None] & inside[None, :]
        decoder = tl.load(decoder_ptr + place, mask=wanted_here, other=0.0)
        change = strength
        if NORMED:
            norm = tl.load(norm_ptr + edit, mask=present, other=0)
            shift = tl.where(norm == _NORM_LAYER, mean, 0.0)
            divisor = tl.where(
                norm == _NORM_LAYER, std + _EPS, tl.where(norm == _NORM_CONSTANT, root_mean_square, 1.0)
            )
            scale = tl.where(norm == _NORM_LAYER, std, divisor)
        if READS:
            op = tl.load(op_ptr + edit, mask=present, other=_ADD)
            encoder = tl.load(encoder_ptr + place, mask=wanted_here & (op != _ADD)[:, None], other=0.0).to(tl.float32)
            bias = tl.load(bias_ptr + feature, mask=present, other=0.0).to(tl.float32)
            threshold = tl.load(threshold_ptr + feature, mask=present, other=0.0).to(tl.float32)
            gain = tl.load(gain_ptr + feature, mask=present, other=0.0).to(tl.float32)
            offset = tl.load(offset_ptr + feature, mask=present, other=0.0).to(tl.float32)
            if NORMED:
                u = tl.sum((x[None, :] - shift[:, None]) * encoder, axis=1) / divisor + bias
            else:
                u = tl.sum(x[None, :] * encoder, axis=1) + bias
            above = u * gain + offset
            # "Off where <=" twice, so that a NaN in the residual stays visible.
            above = tl.where(above <= 0.0, 0.0, above)
            activation = tl.where(u <= threshold, 0.0, above)
            if RANKED:
                k = tl.load(k_ptr + edit, mask=present, other=0)
                rank = tl.load(rank_ptr + token * rank_stride + (entry - begin), mask=present & (k > 0), other=0)
                activation = tl.where((k > 0) & (rank >= k), 0.0, activation)
            wanted = tl.where(op == _SCALE, strength * activation, strength)
            # Compared so that a NaN activation wins.
            wanted = tl.where((op == _MIN) & ~(activation <= strength), activation, wanted)
            wanted = tl.where((op == _MAX) & ~(activation >= strength), activation, wanted)
            change = tl.where(op == _ADD, strength, wanted - activation)
        if NORMED:
            change = change * scale
        change = tl.where(present, change, 0.0)
        delta += tl.sum(change[:, None] * decoder.to(tl.float32), axis=0)
        tl.atomic_add(hits_ptr + edit, tl.full((BLOCK_E,), 1, dtype=tl.int64), mask=present, sem="relaxed")

    edited = (x + delta).to(out_ptr.dtype.element_ty)
    # The stored bits, not a round trip through x + 0, which would turn -0 into +0.
    result = tl.where(end > begin, edited, stored)
    tl.store(out_ptr + token * out_stride + column, result, mask=inside)


def launch_options(d_model: int) -> tuple[int, int, int]:
    """(BLOCK_D, BLOCK_E, number of warps) for rows of ``d_model``.

    A thread holds 8 columns of 4 edits, encoder and decoder: about 120 registers. Eight edits at once would spill at
    16 warps.
    """
    block = triton.next_power_of_2(d_model)
    return block, max(1, 4 * 4096 // max(block, 4096)), max(1, min(16, block // 256))


def sae_edit_triton(
    x: torch.Tensor, table: EditTable, token_list: torch.Tensor, rank: torch.Tensor | None, hits: torch.Tensor
) -> torch.Tensor:
    """Launch the kernel; arguments and result as ``sae_edit_reference``, ``x`` of at most 32 bits."""
    if x.stride(-1) != 1:
        x = x.contiguous()
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if x.shape[0] == 0:
        return out
    if rank is not None and rank.stride(-1) != 1:
        rank = rank.contiguous()
    block, edits, warps = launch_options(table.d_model)
    sae_edit_kernel[(x.shape[0],)](
        x, out, token_list.contiguous(),
        table.op if rank is None else rank,  # without TopK features any pointer does: it is not read
        hits,
        table.encoder, table.bias, table.threshold, table.gain, table.offset, table.decoder,
        table.feature, table.op, table.norm, table.strength, table.k, table.list_start, table.list_edit,
        x.stride(0), out.stride(0), 0 if rank is None else rank.stride(0), table.d_model,
        BLOCK_D=block,
        BLOCK_E=edits,
        READS=bool(table.flags & READS),
        NORMED=bool(table.flags & NORMED),
        RANKED=bool(table.flags & RANKED) and rank is not None,
        num_warps=warps,
    )  # fmt: skip
    return out


def ahead_of_time_variants(widths=(576, 2048, 4096, 8192), dtypes=("bf16", "fp16", "fp32")):
    """What ``compile_ahead`` compiles: every width and dtype, without and with everything that a table can need."""
    integers = ("token_list_ptr", "rank_ptr", "feature_ptr", "op_ptr", "norm_ptr", "k_ptr", "list_start_ptr")
    variants = []
    for width in widths:
        for dtype in dtypes:
            for every in (False, True):
                block, edits, warps = launch_options(width)
                pointers = dict.fromkeys(("x_ptr", "out_ptr", "encoder_ptr", "decoder_ptr"), dtype)
                pointers |= dict.fromkeys((*integers, "list_edit_ptr"), "i32") | {"hits_ptr": "i64"}
                made = variant(
                    sae_edit_kernel,
                    {"BLOCK_D": block, "BLOCK_E": edits, "READS": True, "NORMED": every, "RANKED": every},
                    pointers,
                    aligned=("x_stride", "out_stride", "d_model"),
                    options={"num_warps": warps},
                    labels={"dtype": dtype, "d_model": width, "normed": every},
                )
                variants.append(made)
    return variants
