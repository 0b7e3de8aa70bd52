"""Random edit tables, and the edit written as a plain loop in double precision. Shared by the kernels' tests."""

from __future__ import annotations

import torch
from pyvalue.kernels.edit_table import (
    ADD,
    MAX,
    MIN,
    NORM_CONSTANT,
    NORM_LAYER,
    NORM_NONE,
    SCALE,
    SET,
    EditTable,
)

LISTS = 4


def make_table(
    n_edits: int, d_model: int, *, seed: int = 0, norms: bool = False, k: int = 0, device: str = "cpu"
) -> EditTable:
    """``n_edits`` edits of every operation over fewer features, in ``LISTS`` lists; the second list is empty."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    n_features = max(1, n_edits - 1)
    codes = [NORM_NONE, NORM_LAYER, NORM_CONSTANT] if norms else [NORM_NONE]
    lists = [[e for e in range(n_edits) if torch.rand((), generator=generator) < 0.6] for _ in range(LISTS)]
    lists[0], lists[1] = list(range(n_edits)), []

    def codes_of(cycle: list[int]) -> torch.Tensor:
        return torch.tensor([cycle[i % len(cycle)] for i in range(n_edits)], dtype=torch.int32)

    return EditTable.of(
        encoder=normal(n_features, d_model) / d_model**0.5,
        bias=normal(n_features),
        threshold=normal(n_features).abs() * 0.1,
        gain=normal(n_features).abs(),
        offset=normal(n_features) * 0.1,
        decoder=normal(n_features, d_model),
        feature=torch.randint(n_features, (n_edits,), generator=generator, dtype=torch.int32),
        op=codes_of([SET, ADD, MIN, SCALE, MAX]),
        norm=codes_of(codes),
        strength=normal(n_edits) * 3,
        k=codes_of([0, k]),
        list_start=torch.tensor([0, *torch.tensor([len(x) for x in lists]).cumsum(0).tolist()], dtype=torch.int32),
        list_edit=torch.tensor([e for x in lists for e in x], dtype=torch.int32),
    ).to(device)


def make_input(rows: int, table: EditTable, dtype: torch.dtype, *, seed: int = 1) -> tuple[torch.Tensor, ...]:
    """Residual (rows, d), the list of every token (rows,), and ranks (rows, edits)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, table.d_model, generator=generator).to(dtype)
    token_list = torch.randint(-1, LISTS, (rows,), generator=generator, dtype=torch.int32)
    rank = torch.randint(0, 6, (rows, table.n_edits), generator=generator, dtype=torch.int32)
    device = table.decoder.device
    return x.to(device), token_list.to(device), rank.to(device)


def edits_of(table: EditTable, number: int) -> list[int]:
    """Edits of one list; none for list -1."""
    if number < 0:
        return []
    start, end = table.list_start[number : number + 2].tolist()
    return table.list_edit[start:end].tolist()


def naive(
    x: torch.Tensor, table: EditTable, token_list: torch.Tensor, rank: torch.Tensor | None = None
) -> torch.Tensor:
    """Token by token, edit by edit, in float64."""
    result = x.double().cpu().clone()
    names = ("encoder", "bias", "threshold", "gain", "offset", "decoder", "strength")
    encoder, bias, threshold, gain, offset, decoder, strength = (getattr(table, n).double().cpu() for n in names)
    for t in range(x.shape[0]):
        row = x[t].double().cpu()
        for slot, e in enumerate(edits_of(table, int(token_list[t]))):
            f = int(table.feature[e])
            read, scale = row, torch.tensor(1.0, dtype=torch.float64)
            if table.norm[e] == NORM_LAYER:
                scale = row.std()
                read = (row - row.mean()) / (scale + 1e-5)
            elif table.norm[e] == NORM_CONSTANT:
                scale = (row**2).mean().sqrt()
                read = row / scale
            u = (read * encoder[f]).sum() + bias[f]
            a = max(float(u * gain[f] + offset[f]), 0.0) if u > threshold[f] else 0.0
            if rank is not None and table.k[e] > 0 and rank[t, slot] >= table.k[e]:
                a = 0.0
            c = float(strength[e])
            op = int(table.op[e])
            change = {ADD: c, SET: c - a, MIN: max(a, c) - a, MAX: min(a, c) - a, SCALE: c * a - a}[op]
            result[t] += scale * change * decoder[f]
    return result


def rmse_ratio(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """Root mean square of the error over that of the wanted values."""
    assert torch.isfinite(got).all()
    error = (got.double().cpu() - wanted).pow(2).mean().sqrt()
    return float(error / wanted.pow(2).mean().sqrt())


def bits(x: torch.Tensor) -> torch.Tensor:
    """The bytes of a tensor: tells -0.0 from 0.0, and NaN from NaN."""
    return x.contiguous().view(torch.uint8)
