"""Edits as the rows of the table that the kernel reads: strengths in decoder rows, encoders folded. Runs no kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pyvalue.kernels.edit_table import ADD, MAX, MIN, NORM_CONSTANT, NORM_LAYER, NORM_NONE, SCALE, SET, EditTable
from pyvalue.models.edits import Edit
from pyvalue.models.sae import SAE

_OP_CODES = {"add": ADD, "set": SET, "min": MIN, "max": MAX, "scale": SCALE, "ablate": SET, "direction": ADD}
NORM_CODES = {"none": NORM_NONE, "layer_norm": NORM_LAYER, "constant_norm_rescale": NORM_CONSTANT}

_FEATURE_COLUMNS = ("encoder", "bias", "threshold", "gain", "offset", "decoder")


@dataclass(frozen=True, eq=False)
class EditRows:
    """The edits of one place of the residual stream, without lists; float32 on the CPU.

    Attributes:
        edits: as given; an edit of op ``splice`` has a row too, which adds nothing.
        columns: the tensors of ``EditTable`` for features and edits.
    """

    edits: tuple[Edit, ...]
    columns: dict[str, torch.Tensor]

    def table(self, lists: Sequence[Sequence[int]]) -> EditTable:
        """The table with these lists, each of positions in ``edits``."""
        starts, entries = compressed(lists)
        return EditTable.of(**self.columns, list_start=starts, list_edit=entries)


def compressed(lists: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """(where each list begins, the entries of all), int32: the ``list_start`` and ``list_edit`` of ``EditTable``."""
    starts = torch.tensor([0, *(len(row) for row in lists)], dtype=torch.int32).cumsum(0).int()
    return starts, torch.tensor([entry for row in lists for entry in row], dtype=torch.int32)


def reads(edit: Edit) -> bool:
    """Whether the edit depends on the activation of its feature."""
    return edit.op not in ("add", "direction", "splice")


def edit_rows(edits: Sequence[Edit]) -> EditRows:
    """Rows of the edits of one place, in the order given.

    Raises:
        ValueError: no edits, or SAEs of different widths.
        ModelError: an edit reads a feature of an SAE whose features cannot be read one at a time.
    """
    if not edits:
        raise ValueError("edits is empty; a table needs at least one.")
    widths = sorted({edit.d_in for edit in edits})
    if len(widths) > 1:
        raise ValueError(f"edits at one place must share one width, got widths {widths}.")
    features, row_of = _features(edits, widths[0])
    amounts = [_amount(edit) for edit in edits]
    return EditRows(
        tuple(edits),
        features
        | {
            "feature": _whole(row_of),
            "op": _whole([_OP_CODES.get(edit.op, ADD) for edit in edits]),
            "norm": _whole([norm for norm, _ in amounts]),
            "strength": torch.tensor([strength for _, strength in amounts], dtype=torch.float32),
            "k": _whole([edit.sae.config.k or 0 if edit.sae and reads(edit) else 0 for edit in edits]),
        },
    )


def _features(edits: Sequence[Edit], width: int) -> tuple[dict[str, torch.Tensor], list[int]]:
    """Feature columns of the table, each feature of each SAE once, and the row of every edit's feature."""
    sources: dict[SAE | Edit, dict[int, int]] = {}
    for edit in edits:
        numbers = sources.setdefault(_source(edit), {})
        numbers.setdefault(edit.feature or 0, len(numbers))
    first: dict[SAE | Edit, int] = {}
    parts: list[dict[str, torch.Tensor]] = []
    for source, numbers in sources.items():
        first[source] = sum(len(part["bias"]) for part in parts)
        if isinstance(source, Edit):
            vector = torch.zeros(width) if source.direction is None else source.direction.vector
            parts.append(_unread(vector.unsqueeze(0)))
        else:
            parts.append(_sae_features(source, list(numbers), any(e.sae is source and reads(e) for e in edits)))
    row_of = [first[_source(edit)] + sources[_source(edit)][edit.feature or 0] for edit in edits]
    return {name: torch.cat([part[name] for part in parts]) for name in _FEATURE_COLUMNS}, row_of


def _source(edit: Edit) -> SAE | Edit:
    """What an edit's rows come from: its SAE, or the edit itself where no feature is involved."""
    return edit if edit.sae is None or edit.feature is None else edit.sae


def _sae_features(sae: SAE, numbers: Sequence[int], read: bool) -> dict[str, torch.Tensor]:
    decoder = sae.W_dec[torch.tensor(numbers, device=sae.W_dec.device)].to("cpu", torch.float32)
    if not read:
        return _unread(decoder)
    found = sae.encoder_columns(numbers)
    columns = dict(zip(_FEATURE_COLUMNS, found[:5], strict=False))
    return {name: tensor.to("cpu", torch.float32) for name, tensor in columns.items()} | {"decoder": decoder}


def _unread(decoder: torch.Tensor) -> dict[str, torch.Tensor]:
    """Rows that are only added: the kernel never looks at their encoders."""
    nothing = torch.zeros(decoder.shape[0])
    decoder = decoder.to("cpu", torch.float32)
    return {
        "encoder": torch.zeros_like(decoder),
        "bias": nothing,
        "threshold": nothing,
        "gain": nothing + 1,
        "offset": nothing,
        "decoder": decoder,
    }


def _amount(edit: Edit) -> tuple[int, float]:
    """(normalisation code, strength in decoder rows)."""
    if edit.op == "splice":
        return NORM_NONE, 0.0
    if edit.direction is not None:
        norm, row = NORM_NONE, edit.direction.vector.double()
    else:
        assert edit.sae is not None and edit.feature is not None
        norm = NORM_CODES[edit.sae.config.normalize_activations]
        row = edit.sae.W_dec[edit.feature].double()
    if edit.unit == "raw":
        return norm, edit.amount
    if edit.unit == "max_act":
        assert edit.sae is not None and edit.sae.max_activations is not None and edit.feature is not None
        return norm, edit.amount * float(edit.sae.max_activations[edit.feature])
    strength = edit.amount / float(row.norm())
    if edit.unit == "relative":
        # The kernel's factor of this code is ||x|| / sqrt(d): exactly the residual's own length, up to the constant.
        return NORM_CONSTANT, strength * math.sqrt(row.shape[0])
    return norm, strength


def _whole(values: Sequence[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)
