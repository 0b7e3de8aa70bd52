"""``sae_edit`` in plain torch: the definition that the kernel is tested against, and the path on CPU.

Lists of one length that reach equally many tokens are edited together in two batched products, so that the number of
different lists in a batch costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .edit_table import ADD, LAYER_NORM_EPS, MAX, MIN, NORM_CONSTANT, NORM_LAYER, NORMED, READS, SCALE, EditTable


def sae_edit_reference(
    x: torch.Tensor,
    table: EditTable,
    token_list: torch.Tensor,
    rank: torch.Tensor | None = None,
    hits: torch.Tensor | None = None,
) -> torch.Tensor:
    """``x[t] + sum over the edits e of list token_list[t] of scale * c_e * decoder_e``.

    ``c_e`` is ``strength`` for ADD and otherwise ``g_e(a_e) - a_e``, the change of the feature's activation; ``scale``
    undoes the SAE's normalisation. Every activation is read from the incoming ``x`` before any edit is made, and the
    SAE's error is kept by construction. Sums are in float32 (float64 for float64 input) and rounded once. Tokens
    without edits come back bit for bit. Differentiable in ``x``. The last bit of a sum may depend on how many tokens
    share a list, as in any matrix product of torch.

    Args:
        x: (t, d) residual stream, float; any strides.
        table: edits of width ``d``, on the device of ``x``.
        token_list: (t,) int32, the list of each token, -1 for none.
        rank: (t, m) int32, at column i the number of features of its SAE with a larger pre-activation than that of the
            i-th edit of the token's list; needed where ``k`` > 0.
        hits: (e,) int64, gains one for every token that an edit acts on; written in place.

    Returns:
        (t, d), a new tensor in the dtype of ``x``.
    """
    out = x.clone()
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    for tokens, edits in _groups(token_list, table):
        if hits is not None:
            hits.scatter_add_(0, edits.flatten(), torch.full_like(edits, tokens.shape[1]).flatten())
        picked = x[tokens].to(wide)
        ranks = None if rank is None else rank[tokens][..., : edits.shape[1]]
        change = _coefficients(picked, table, edits, ranks) @ table.decoder[table.feature[edits]].to(wide)
        out[tokens] = (picked + change).to(x.dtype)
    return out


def _groups(token_list: torch.Tensor, table: EditTable) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Tokens (u, c) and edits (u, m) of u lists that reach c tokens and hold m edits each, group by group."""
    tokens = (token_list >= 0).nonzero().squeeze(1)
    if tokens.numel() == 0:
        return
    lists, inverse, counts = token_list[tokens].unique(return_inverse=True, return_counts=True)
    tokens = tokens[inverse.argsort(stable=True)]
    first = counts.cumsum(0) - counts
    begin = table.list_start[lists].long()
    sizes = table.list_start[lists + 1].long() - begin
    for count, size in sorted(set(zip(counts.tolist(), sizes.tolist(), strict=True))):
        if size == 0:
            continue
        chosen = (counts == count) & (sizes == size)
        of_list = first[chosen].unsqueeze(1) + torch.arange(count, device=tokens.device)
        of_edit = begin[chosen].unsqueeze(1) + torch.arange(size, device=tokens.device)
        yield tokens[of_list], table.list_edit[of_edit].long()


def _coefficients(
    x: torch.Tensor, table: EditTable, edits: torch.Tensor, rank: torch.Tensor | None
) -> torch.Tensor:
    """(u, c, m) coefficients of the decoder rows for ``x`` (u, c, d) under ``edits`` (u, m), all read from ``x``."""
    strength = table.strength[edits].to(x.dtype).unsqueeze(1)
    if not table.flags:
        return strength.expand(-1, x.shape[1], -1)
    op = table.op[edits].unsqueeze(1)
    shift, divisor, scale = None, None, None
    if table.flags & NORMED:
        shift, divisor, scale = _normalisation(x, table.norm[edits].unsqueeze(1))
    change: torch.Tensor = strength
    if table.flags & READS:
        activation = _activations(x, table, edits, shift, divisor, rank)
        wanted = torch.where(op == SCALE, strength * activation, strength)
        wanted = torch.where(op == MIN, torch.maximum(activation, strength), wanted)
        wanted = torch.where(op == MAX, torch.minimum(activation, strength), wanted)
        change = torch.where(op == ADD, strength, wanted - activation)
    return (change if scale is None else change * scale).expand(-1, x.shape[1], -1)


def _activations(
    x: torch.Tensor,
    table: EditTable,
    edits: torch.Tensor,
    shift: torch.Tensor | None,
    divisor: torch.Tensor | None,
    rank: torch.Tensor | None,
) -> torch.Tensor:
    """(u, c, m) activations of the features of the edits."""
    feature = table.feature[edits]
    encoder = table.encoder[feature].to(x.dtype)

    def column(values: torch.Tensor) -> torch.Tensor:
        return values.to(x.dtype).unsqueeze(1)

    u = x @ encoder.mT
    if shift is not None:
        # The mean is the same in every column: (x - mean) @ w = x @ w - mean * sum(w).
        u = (u - shift * encoder.sum(dim=-1).unsqueeze(1)) / divisor
    u = u + column(table.bias[feature])
    activation = torch.relu(u * column(table.gain[feature]) + column(table.offset[feature]))
    # Written as "<= is off", so that a NaN in the residual stays visible.
    activation = torch.where(u <= column(table.threshold[feature]), 0.0, activation)
    if rank is None:
        return activation
    k = table.k[edits].unsqueeze(1)
    return torch.where((k > 0) & (rank >= k), 0.0, activation)


def _normalisation(x: torch.Tensor, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(shift, divisor, scale), each (u, c, m): an SAE reads ``(x - shift) / divisor``, and writes times ``scale``."""
    std = x.std(dim=-1, keepdim=True)
    root_mean_square = x.norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5
    layer, constant = code == NORM_LAYER, code == NORM_CONSTANT
    shift = torch.where(layer, x.mean(dim=-1, keepdim=True), 0.0)
    divisor = torch.where(layer, std + LAYER_NORM_EPS, torch.where(constant, root_mean_square, 1.0))
    return shift, divisor, torch.where(layer, std, divisor)
