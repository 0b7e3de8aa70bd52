"""Triton kernel of ``sae_edit`` and its launcher. Imported only where Triton runs; use ``sae_edit.sae_edit``."""

# Triton is untyped, and its kernels' arguments are not Python values.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .edit_table import LAYER_NORM_EPS, NORM_CONSTANT, NORM_LAYER, NORM_NONE, SET, EditTable

_SET = tl.constexpr(SET)
_NORM_LAYER = tl.constexpr(NORM_LAYER)
_NORM_CONSTANT = tl.constexpr(NORM_CONSTANT)
_EPS = tl.constexpr(LAYER_NORM_EPS)


@triton.jit
def sae_edit_kernel(
    x_ptr,
    out_ptr,
    active_ptr,
    encoder_ptr,
    decoder_ptr,
    bias_ptr,
    threshold_ptr,
    gain_ptr,
    offset_ptr,
    op_ptr,
    norm_ptr,
    strength_ptr,
    x_stride,
    out_stride,
    active_row_stride,
    active_edit_stride,
    n_edits,
    d_model,
    BLOCK_D: tl.constexpr,
    HAS_ACTIVE: tl.constexpr,
    READS: tl.constexpr,
    NORMED: tl.constexpr,
    COPY: tl.constexpr,
):
    """``out = x + where(active, scale * (strength - where(op == SET, a, 0)), 0) @ decoder``; one program a row.

    Pointers: x, out (rows, d_model) with unit column stride, any one float type; active (rows, n_edits) uint8;
    encoder, decoder (n_edits, d_model) contiguous; bias, threshold, gain, offset, strength (n_edits,) float; op, norm
    (n_edits,) int32. COPY writes rows that no edit selects through unchanged; without it they are not written.
    """
    row = tl.program_id(0).to(tl.int64)
    if HAS_ACTIVE:
        touched = 0
        for edit in range(n_edits):
            touched |= tl.load(active_ptr + row * active_row_stride + edit * active_edit_stride).to(tl.int32)
        if not COPY:  # noqa: SIM102 - COPY is known when compiling
            if touched == 0:
                return
    else:
        touched = 1

    column = tl.arange(0, BLOCK_D)
    inside = column < d_model
    stored = tl.load(x_ptr + row * x_stride + column, mask=inside, other=0.0)
    x = stored.to(tl.float32)
    delta = tl.zeros((BLOCK_D,), dtype=tl.float32)

    if NORMED:
        mean = tl.sum(x, axis=0) / d_model
        centred = tl.where(inside, x - mean, 0.0)
        std = tl.sqrt(tl.sum(centred * centred, axis=0) / (d_model - 1))
        root_mean_square = tl.sqrt(tl.sum(x * x, axis=0) / d_model)

    edit_start = tl.full((), 0, dtype=tl.int64)
    for edit in range(n_edits):
        selected = touched
        if HAS_ACTIVE:
            selected = tl.load(active_ptr + row * active_row_stride + edit * active_edit_stride).to(tl.int32)
        if selected != 0:
            coefficient = tl.load(strength_ptr + edit).to(tl.float32)
            shift = 0.0
            divisor = 1.0
            scale = 1.0
            if NORMED:
                norm = tl.load(norm_ptr + edit)
                shift = tl.where(norm == _NORM_LAYER, mean, 0.0)
                divisor = tl.where(
                    norm == _NORM_LAYER, std + _EPS, tl.where(norm == _NORM_CONSTANT, root_mean_square, 1.0)
                )
                scale = tl.where(norm == _NORM_LAYER, std, divisor)
            if READS:  # noqa: SIM102 - READS is known when compiling
                if tl.load(op_ptr + edit) == _SET:
                    encoder = tl.load(encoder_ptr + edit_start + column, mask=inside, other=0.0).to(tl.float32)
                    u = tl.sum((x - shift) * encoder, axis=0) / divisor + tl.load(bias_ptr + edit).to(tl.float32)
                    above = u * tl.load(gain_ptr + edit).to(tl.float32) + tl.load(offset_ptr + edit).to(tl.float32)
                    # "Off where <=" twice, so that a NaN in the residual stays visible.
                    above = tl.where(above <= 0.0, 0.0, above)
                    activation = tl.where(u <= tl.load(threshold_ptr + edit).to(tl.float32), 0.0, above)
                    coefficient -= activation
            decoder = tl.load(decoder_ptr + edit_start + column, mask=inside, other=0.0).to(tl.float32)
            delta += scale * coefficient * decoder
        edit_start += d_model

    edited = (x + delta).to(out_ptr.dtype.element_ty)
    # The stored bits, not a round trip through x + 0, which would turn -0 into +0.
    result = tl.where(touched != 0, edited, stored)
    tl.store(out_ptr + row * out_stride + column, result, mask=inside)


def launch_options(d_model: int) -> tuple[int, int]:
    """(BLOCK_D, number of warps) for a row of ``d_model``: up to 16 elements a thread, at most 16 warps."""
    block = triton.next_power_of_2(d_model)
    return block, max(1, min(16, block // 512))


def sae_edit_triton(
    x: torch.Tensor, table: EditTable, active: torch.Tensor | None = None, out: torch.Tensor | None = None
) -> torch.Tensor:
    """Launch the kernel; arguments and result as ``reference.sae_edit_reference``, ``x`` of at most 32 bits."""
    if x.stride(-1) != 1:
        x = x.contiguous()
    copy = out is None
    if out is None:
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    if x.shape[0] == 0:
        return out
    # Triton has no pointer to bool; the view costs nothing. Without a mask any pointer does: it is not read.
    mask = table.op if active is None else active.view(torch.uint8)
    block, warps = launch_options(table.d_model)
    sae_edit_kernel[(x.shape[0],)](
        x,
        out,
        mask,
        table.encoder,
        table.decoder,
        table.bias,
        table.threshold,
        table.gain,
        table.offset,
        table.op,
        table.norm,
        table.strength,
        x.stride(0),
        out.stride(0),
        0 if active is None else active.stride(0),
        0 if active is None else active.stride(1),
        table.n_edits,
        table.d_model,
        BLOCK_D=block,
        HAS_ACTIVE=active is not None,
        READS=table.reads_activations,
        NORMED=table.norm_codes != (NORM_NONE,),
        COPY=copy,
        num_warps=warps,
    )
    return out
