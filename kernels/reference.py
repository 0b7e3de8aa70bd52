"""Plain-torch references of the kernels: the definition that each kernel is tested against, and the path on CPU."""

from __future__ import annotations

import torch

from .edit_table import LAYER_NORM_EPS, NORM_CONSTANT, NORM_LAYER, SET, EditTable


def sae_edit_reference(
    x: torch.Tensor, table: EditTable, active: torch.Tensor | None = None, out: torch.Tensor | None = None
) -> torch.Tensor:
    """``x + sum_e active_e * scale * (strength_e - (a_e if op_e is SET else 0)) * decoder_e``, the SAE's error kept.

    Every activation is read from the incoming ``x`` before any edit is made. Sums are in float32 (float64 for float64
    input) and rounded once. Rows that no edit selects come back bit for bit. Differentiable in ``x`` unless ``out`` is
    given. A row's last bit may depend on the number of selected rows, as in any matrix product of torch.

    Args:
        x: (rows, d) residual stream, float; any strides.
        table: ``k`` edits of width ``d``, on the device of ``x``.
        active: (rows, k) bool, where each edit acts; default everywhere.
        out: (rows, d) tensor that receives the edited rows and keeps its others, ``x`` itself for an edit in place;
            default a new tensor.

    Returns:
        (rows, d) in the dtype of ``x``.
    """
    if out is None:
        out = x.clone()
    if active is None:
        rows: torch.Tensor | slice = slice(None)
    else:
        rows = active.any(dim=-1).nonzero().squeeze(-1)
        active = active[rows]
    selected = x[rows]
    if selected.shape[0] == 0:
        return out
    selected = selected.to(torch.float64 if x.dtype == torch.float64 else torch.float32)
    coefficient = _coefficients(selected, table)
    if active is not None:
        # Not a product with the mask: an activation that overflowed must not leak through 0 * inf.
        coefficient = torch.where(active, coefficient, 0.0)
    edited = selected + coefficient @ table.decoder.to(selected.dtype)
    out[rows] = edited.to(x.dtype)
    return out


def _coefficients(x: torch.Tensor, table: EditTable) -> torch.Tensor:
    """(n, k) coefficients of the decoder rows for ``x`` (n, d), all edits read from the same ``x``."""
    coefficient = table.strength.to(x.dtype).expand(x.shape[0], -1)
    if table.norm_codes == (0,) and not table.reads_activations:
        return coefficient
    columns = []
    for code in table.norm_codes:
        chosen = (table.norm == code).nonzero().squeeze(-1)
        normalised, scale = _normalise(x, code)
        wanted = coefficient[:, chosen]
        if table.reads_activations:
            activation = _activations(normalised, table, chosen)
            wanted = torch.where(table.op[chosen] == SET, wanted - activation, wanted)
        columns.append((chosen, wanted * scale))
    order = torch.cat([chosen for chosen, _ in columns]).argsort()
    return torch.cat([values for _, values in columns], dim=1)[:, order]


def _activations(normalised: torch.Tensor, table: EditTable, chosen: torch.Tensor) -> torch.Tensor:
    """(n, len(chosen)) activations of the features of the chosen edits."""
    dtype = normalised.dtype
    u = normalised @ table.encoder[chosen].to(dtype).T + table.bias[chosen].to(dtype)
    active = torch.relu(u * table.gain[chosen].to(dtype) + table.offset[chosen].to(dtype))
    # Written as "<= is off", so that a NaN in the residual stays visible.
    return torch.where(u <= table.threshold[chosen].to(dtype), 0.0, active)


def _normalise(x: torch.Tensor, code: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What the SAE reads of ``x`` (n, d), and the factor (n, 1) that takes a decoder row back to the scale of ``x``."""
    if code == NORM_LAYER:
        centred = x - x.mean(dim=-1, keepdim=True)
        std = centred.std(dim=-1, keepdim=True)
        return centred / (std + LAYER_NORM_EPS), std
    if code == NORM_CONSTANT:
        root_mean_square = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
        return x / root_mean_square, root_mean_square
    return x, x.new_ones(x.shape[0], 1)
