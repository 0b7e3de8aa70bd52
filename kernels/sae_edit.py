"""Edit SAE features of a residual stream in one pass, the SAE's error kept: Triton on CUDA, torch elsewhere."""

from __future__ import annotations

import torch

from .edit_table import EditTable
from .reference import sae_edit_reference

TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def sae_edit(
    x: torch.Tensor, table: EditTable, active: torch.Tensor | None = None, out: torch.Tensor | None = None
) -> torch.Tensor:
    """``x`` with the edits of ``table`` made where ``active``; see ``reference.sae_edit_reference`` for the definition.

    Args:
        x: (..., d) residual stream, float; never written unless it is also ``out``.
        table: ``k`` edits of width ``d``, on the device of ``x``.
        active: (..., k) bool, where each edit acts; default everywhere.
        out: shape, dtype and device of ``x``, contiguous: receives the edited rows and keeps its others; default a new
            tensor.

    Returns:
        (..., d) in the dtype of ``x``: ``out`` where given. Rows that no edit selects are bit-identical to ``x``.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    _check(x, table, active, out)
    rows = x.reshape(-1, table.d_model)
    flat_active = None if active is None else active.reshape(-1, table.n_edits)
    flat_out = None if out is None else out.view(-1, table.d_model)
    differentiable = torch.is_grad_enabled() and x.requires_grad
    if x.is_cuda and x.dtype in TRITON_DTYPES and not differentiable:
        # Triton is imported late: it is absent on some CPU-only platforms and slow to import.
        from .sae_edit_triton import sae_edit_triton

        return sae_edit_triton(rows, table, flat_active, flat_out).view(x.shape)
    return sae_edit_reference(rows, table, flat_active, flat_out).view(x.shape)


def _check(x: torch.Tensor, table: EditTable, active: torch.Tensor | None, out: torch.Tensor | None) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x must be floating point, got {x.dtype}.")
    if x.ndim < 1 or x.shape[-1] != table.d_model:
        raise ValueError(f"x has shape {tuple(x.shape)}, but the edits are of width {table.d_model}.")
    if table.decoder.device != x.device:
        raise ValueError(f"table is on {table.decoder.device}, but x on {x.device}; use table.to(x.device).")
    if active is not None:
        wanted = (*x.shape[:-1], table.n_edits)
        if active.shape != wanted or active.dtype != torch.bool:
            raise ValueError(f"active must be bool {wanted}, got {active.dtype} {tuple(active.shape)}.")
        if active.device != x.device:
            raise ValueError(f"active is on {active.device}, but x on {x.device}.")
    if out is None:
        return
    if out.shape != x.shape or out.dtype != x.dtype or out.device != x.device:
        raise ValueError(
            f"out must be {x.dtype} {tuple(x.shape)} on {x.device}, got {out.dtype} {tuple(out.shape)} on {out.device}."
        )
    if not out.is_contiguous():
        raise ValueError(f"out must be contiguous, got strides {out.stride()}; leave it out to get a new tensor.")
