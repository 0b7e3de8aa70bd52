"""Edit SAE features of a residual stream in one pass, the SAE's error kept: Triton on CUDA, torch elsewhere.

Registered as ``torch.ops.pyvalue.sae_edit``: ``torch.compile`` keeps it in the graph, CUDA graphs capture it.
"""

from __future__ import annotations

import torch

from .edit_table import RANKED, EditTable
from .sae_edit_reference import sae_edit_reference

TRITON_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def sae_edit(
    x: torch.Tensor,
    table: EditTable,
    token_list: torch.Tensor,
    rank: torch.Tensor | None = None,
    hits: torch.Tensor | None = None,
) -> torch.Tensor:
    """``x`` with each token's list of edits made; see ``sae_edit_reference`` for the definition.

    Args:
        x: (..., d) residual stream, float; never written.
        table: edits of width ``d``, on the device of ``x``.
        token_list: (...) int32, the list of each token, -1 for none.
        rank: (..., m) int32 from ``topk_rank`` for features of TopK SAEs, ``m`` at least the longest list.
        hits: (e,) int64 counter of the tokens that each edit acted on, written in place: proof that the edits ran.

    Returns:
        (..., d), a new tensor in the dtype of ``x``. Tokens without edits are bit-identical to ``x``.

    Raises:
        ValueError: a shape, dtype or device does not fit, or a table with TopK features comes without ``rank``.
    """
    _check(x, table, token_list, rank, hits)
    rows = x.reshape(-1, table.d_model)
    lists = token_list.reshape(-1)
    ranks = None if rank is None else rank.reshape(-1, rank.shape[-1])
    differentiable = torch.is_grad_enabled() and x.requires_grad
    # Outside of a compiled graph the operator would only add its own cost, a fifth of a step of 64 rows on a CPU.
    plain = not x.is_cuda and not torch.compiler.is_compiling()
    if differentiable or plain:
        return sae_edit_reference(rows, table, lists, ranks, hits).view(x.shape)
    counter = torch.zeros(table.n_edits, dtype=torch.int64, device=x.device) if hits is None else hits
    edited: torch.Tensor = sae_edit_op(
        rows, lists, ranks, counter,
        table.encoder, table.bias, table.threshold, table.gain, table.offset, table.decoder,
        table.feature, table.op, table.norm, table.strength, table.k, table.list_start, table.list_edit, table.flags,
    )  # fmt: skip
    return edited.view(x.shape)


@torch.library.custom_op("pyvalue::sae_edit", mutates_args=("hits",))
def sae_edit_op(
    x: torch.Tensor,
    token_list: torch.Tensor,
    rank: torch.Tensor | None,
    hits: torch.Tensor,
    encoder: torch.Tensor,
    bias: torch.Tensor,
    threshold: torch.Tensor,
    gain: torch.Tensor,
    offset: torch.Tensor,
    decoder: torch.Tensor,
    feature: torch.Tensor,
    op: torch.Tensor,
    norm: torch.Tensor,
    strength: torch.Tensor,
    k: torch.Tensor,
    list_start: torch.Tensor,
    list_edit: torch.Tensor,
    flags: int,
) -> torch.Tensor:
    """(t, d) edited residual; the fields of ``EditTable`` spelled out, as the dispatcher of torch wants them."""
    table = EditTable(
        encoder, bias, threshold, gain, offset, decoder, feature, op, norm, strength, k, list_start, list_edit, flags
    )
    if x.is_cuda and x.dtype in TRITON_DTYPES:
        # Triton is imported late: it is absent on some CPU-only platforms and slow to import.
        from .sae_edit_triton import sae_edit_triton

        return sae_edit_triton(x, table, token_list, rank, hits)
    return sae_edit_reference(x, table, token_list, rank, hits)


@sae_edit_op.register_fake
def _(x: torch.Tensor, *_fields: object) -> torch.Tensor:
    return x.new_empty(x.shape)


def _check(
    x: torch.Tensor,
    table: EditTable,
    token_list: torch.Tensor,
    rank: torch.Tensor | None,
    hits: torch.Tensor | None,
) -> None:
    if not x.is_floating_point():
        raise ValueError(f"x must be floating point, got {x.dtype}.")
    if x.ndim < 1 or x.shape[-1] != table.d_model:
        raise ValueError(f"x has shape {tuple(x.shape)}, but the edits are of width {table.d_model}.")
    if table.decoder.device != x.device:
        raise ValueError(f"table is on {table.decoder.device}, but x on {x.device}; use table.to(x.device).")
    for name, tensor, shape, dtype in (
        ("token_list", token_list, x.shape[:-1], torch.int32),
        ("rank", rank, x.shape[:-1], torch.int32),
        ("hits", hits, (table.n_edits,), torch.int64),
    ):
        if tensor is None:
            continue
        found = tensor.shape[:-1] if name == "rank" else tensor.shape
        if found != shape or tensor.dtype != dtype:
            tail = ", m" if name == "rank" else ""
            wanted = ", ".join(map(str, shape)) + tail
            raise ValueError(f"{name} must be {dtype} ({wanted}), got {tensor.dtype} {tuple(tensor.shape)}.")
        if tensor.device != x.device:
            raise ValueError(f"{name} is on {tensor.device}, but x on {x.device}.")
    if table.flags & RANKED and rank is None:
        raise ValueError("rank is missing: the table has features of a TopK SAE, which need topk_rank's result.")
