"""The edits of one place of a model, in buffers on its device, and the change that they make. Decides no positions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.kernels.edit_table import EditTable
from pyvalue.kernels.sae_edit import sae_edit
from pyvalue.models.edit_rows import compressed, edit_rows, reads
from pyvalue.models.edited_layer import begin_editing, end_editing
from pyvalue.models.edits import Edit
from pyvalue.models.hook_points import Change, add_change, remove_change
from pyvalue.models.whole_sae import RankedSAE, SplicedSAE

# Room beyond what is asked for, so that a few more lists need no new buffers (and no new CUDA graph).
_SPARE = 2
_LEAST_LISTS, _LEAST_ENTRIES = 32, 64


class EditSite:
    """One place of the residual stream: its edits, their table on the device, and a counter that proves they ran.

    Args:
        layer: decoder layer.
        place: (number of the layer, ``"resid_post"`` or ``"resid_pre"``).
        edits: number among all edits -> edit, of this place.
    """

    @torch.inference_mode(False)  # buffers made in inference mode could not be written outside of it
    def __init__(self, layer: nn.Module, place: tuple[int, str], edits: dict[int, Edit]) -> None:
        self.layer = layer
        self.place = place
        self.numbers = tuple(edits)
        self._own = {number: i for i, number in enumerate(edits)}
        self._rows = edit_rows(list(edits.values()))
        self._change: Change | None = None
        parameter = next(layer.parameters(), None)
        device = torch.device("cpu") if parameter is None else parameter.device
        if device.type == "meta":  # offloaded by accelerate, which brings the weights when the layer runs
            device = torch.device(getattr(getattr(layer, "_hf_hook", None), "execution_device", None) or "cpu")
        # On a GPU rows in the model's own half precision are half the memory to move; the sums are in float32.
        half = parameter is not None and parameter.is_cuda and parameter.dtype in (torch.bfloat16, torch.float16)
        self._weights = parameter.dtype if half and parameter is not None else torch.float32
        self.hits = keep_address(torch.zeros(len(edits), dtype=torch.int64, device=device))
        # Tokens that came by, edited or not: a pass that nobody announced shows in it.
        self.seen = keep_address(torch.zeros(1, dtype=torch.int64, device=device))
        self.table: EditTable | None = None
        self._lists: list[list[int]] = []
        known = [edit for edit in edits.values() if edit.sae is not None]
        ranked = dict.fromkeys(edit.sae for edit in known if edit.sae and edit.sae.config.k and reads(edit))
        spliced = dict.fromkeys(edit.sae for edit in known if edit.op == "splice")
        self._ranked = [RankedSAE(sae, device) for sae in ranked if sae is not None]
        self._spliced = [SplicedSAE(sae, device) for sae in spliced if sae is not None]

    def __str__(self) -> str:
        number, point = self.place
        return f"blocks.{number}.hook_{point}"

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self._rows.edits[0].d_in

    @torch.inference_mode(False)
    def load(self, lists: Iterable[Sequence[int]]) -> None:
        """Take more lists of edits (by their numbers among all edits), numbered on from those that are there."""
        own = self._lists
        for row in lists:
            own.append([self._own[number] for number in row if number in self._own])
        starts, entries = compressed(own)
        if self.table is None or not self.table.load_lists(starts, entries):
            found = self._rows.table(own)
            self.table = EditTable.capacity(
                self.d_model, found.n_features, found.n_edits, _SPARE * max(len(own), _LEAST_LISTS),
                _SPARE * max(len(entries), _LEAST_ENTRIES), self.hits.device, found.flags, self._weights,
            )  # fmt: skip
            self.table.load(found)
            for tensor in self.table.tensors():
                keep_address(tensor)
        columns = max(1, *(len(row) for row in own)) if own else 1
        for ranked in self._ranked:
            ranked.load(self._rows.edits, own, self.table.n_lists, columns)
        for spliced in self._spliced:
            spliced.load(self._rows.edits, own, self.table.n_lists)

    def change(self, hidden: torch.Tensor, token_list: torch.Tensor) -> torch.Tensor:
        """Residual (b, s, d) after the edits of each token's list, ``token_list`` (b, s) int32."""
        if hidden.ndim != 3 or hidden.shape[-1] != self.d_model:
            raise ModelError(
                f"expected a residual of shape (batch, seq, {self.d_model}) at {self}, got {tuple(hidden.shape)}."
            )
        self.seen.add_(hidden.shape[0] * hidden.shape[1])
        if self.table is None:
            raise RuntimeError("no lists were loaded; call load(lists) first.")
        rank = None
        for ranked in self._ranked:
            found = ranked.rank(hidden, token_list)
            rank = found if rank is None else rank + found
        edited: torch.Tensor = sae_edit(hidden, self.table, token_list, rank, self.hits)
        for spliced in self._spliced:
            edited = spliced.splice(hidden, edited, token_list)
        return edited

    def enter(self, change: Change) -> None:
        """Make ``change`` in every forward pass from now on."""
        add_change(self.layer, self.place[1], change)
        self._change = change
        begin_editing(self.layer)

    def leave(self) -> None:
        """Undo ``enter``."""
        if self._change is not None:
            remove_change(self.layer, self.place[1], self._change)
            self._change = None
            end_editing(self.layer)


def keep_address(tensor: torch.Tensor) -> torch.Tensor:
    """Tell ``torch.compile`` that a buffer stays where it is: a CUDA graph then reads and counts in it directly, where
    it would refuse a graph that writes into what it takes for an ordinary input."""
    if tensor.is_cuda:
        torch._dynamo.mark_static_address(tensor)
    return tensor
