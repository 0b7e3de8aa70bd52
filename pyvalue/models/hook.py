"""Edit a Hugging Face model's residual stream in every forward pass of a ``with`` block. Loads and asks no model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.kernels.edit_table import EditTable
from pyvalue.kernels.sae_edit import sae_edit
from pyvalue.models.edits import Edit, edit_table
from pyvalue.models.hook_points import Change, add_change, decoder_layers, remove_change


class ResidualEdits:
    """Makes edits in every forward pass while entered; leaves the model as it was.

    Edits at one hook point act jointly: all read the residual that arrives, then their changes are summed. In nested
    blocks the inner one edits what the outer one left.

    Positions: without ``set_positions`` an ``"all"`` edit acts on every position, and a span edit is an error. With it,
    the first forward pass takes the mask as it is. Later ones of a single token are steps of generation, in which
    ``"all"`` edits act on the rows that the mask selected anywhere and span edits on none; later ones of the mask's
    shape take it again.

    Args:
        model: a ``transformers`` model of a family listed in ``pyvalue.models.hook_points``.
        edits: made together; none leaves the model untouched.

    Raises:
        ModelError: the model's layers are not found, or an SAE does not fit its width or depth.
    """

    def __init__(self, model: nn.Module, edits: Sequence[Edit]) -> None:
        self.edits = tuple(edits)
        self._masks: torch.Tensor | None = None
        self._sites: list[_Site] = []
        self._entered = False
        if not self.edits:
            return
        layers = decoder_layers(model)
        for edit in self.edits:
            _check_fit(edit, model, len(layers))
        for layer, point in dict.fromkeys((edit.sae.layer, edit.sae.hook_point) for edit in self.edits):
            chosen = [i for i, edit in enumerate(self.edits) if (edit.sae.layer, edit.sae.hook_point) == (layer, point)]
            self._sites.append(_Site(layers[layer], point, chosen, [self.edits[i] for i in chosen]))

    @property
    def calls(self) -> tuple[int, ...]:
        """For every edit, the number of forward passes in which it changed at least one position."""
        counts = [0] * len(self.edits)
        for site in self._sites:
            for index, count in zip(site.indices, site.calls.tolist(), strict=True):
                counts[index] = count
        return tuple(counts)

    def set_positions(self, masks: torch.Tensor | Sequence[torch.Tensor] | None) -> None:
        """Say where the edits act from the next forward pass on.

        Args:
            masks: (batch, seq) bool for every edit alike; (edits, batch, seq), or a sequence of one (batch, seq) mask
                an edit, for each its own; None for every position. ``edits.token_positions`` makes the rows.

        Raises:
            ValueError: the shape or type is wrong.
        """
        for site in self._sites:
            site.forwards = 0
        self._masks = None if masks is None else _per_edit(masks, len(self.edits))

    def __enter__(self) -> ResidualEdits:
        if self._entered:
            raise RuntimeError("these ResidualEdits are entered already; make new ones to nest.")
        self._entered = True
        for site in self._sites:
            site.enter(partial(self._edit, site))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        for site in self._sites:
            site.leave()

    def _edit(self, site: _Site, hidden: torch.Tensor) -> torch.Tensor:
        if hidden.ndim != 3 or hidden.shape[-1] != site.table.d_model:
            raise ModelError(
                f"expected a residual of shape (batch, seq, {site.table.d_model}) at {site}, got {tuple(hidden.shape)}."
            )
        if self._masks is not None:
            # Kept there, so that the steps of a generation copy nothing.
            self._masks = self._masks.to(hidden.device)
        active = self._active(site, hidden.shape[0], hidden.shape[1])
        site.forwards += 1
        site.count(active)
        edited: torch.Tensor = sae_edit(hidden, site.on(hidden.device), active)
        return edited

    def _active(self, site: _Site, batch: int, seq: int) -> torch.Tensor | None:
        """(batch, seq, edits of the site) bool, or None for everywhere."""
        if self._masks is None:
            spans = [edit.label for edit in site.edits if edit.positions != "all"]
            if spans:
                raise ValueError(
                    f"the edit {spans[0]!r} acts on a span: call set_positions(mask) before the forward pass."
                )
            return None
        masks = self._masks[site.indices].movedim(0, -1)
        if site.forwards > 0 and seq == 1 and masks.shape[0] == batch:
            everywhere = torch.tensor([edit.positions == "all" for edit in site.edits], device=masks.device)
            return masks.any(dim=1, keepdim=True) & everywhere
        if masks.shape[:2] != (batch, seq):
            raise ValueError(
                f"the mask has shape {tuple(masks.shape[:2])}, but the forward pass (batch, seq) = {(batch, seq)}: "
                "call set_positions with a mask of the padded batch, repeated for every returned sequence."
            )
        return masks


class _Site:
    """The edits of one hook point of one layer."""

    def __init__(self, module: nn.Module, point: str, indices: list[int], edits: list[Edit]) -> None:
        self.module = module
        self.point = point
        self.indices = indices
        self.edits = edits
        parameter = next(module.parameters(), None)
        self.table = edit_table(edits).to("cpu" if parameter is None else parameter.device)
        self.calls = torch.zeros(len(edits), dtype=torch.long, device=self.table.decoder.device)
        self.forwards = 0
        self._change: Change | None = None

    def __str__(self) -> str:
        return self.edits[0].sae.config.hook_name

    def on(self, device: torch.device) -> EditTable:
        self.table = self.table.to(device)
        return self.table

    def count(self, active: torch.Tensor | None) -> None:
        # On the device and not in place: no synchronisation, and safe across inference_mode.
        ran: torch.Tensor | int = 1 if active is None else active.flatten(0, 1).any(dim=0)
        self.calls = self.calls.to(active.device) + ran if isinstance(active, torch.Tensor) else self.calls + ran

    def enter(self, change: Change) -> None:
        add_change(self.module, self.point, change)
        self._change = change

    def leave(self) -> None:
        if self._change is not None:
            remove_change(self.module, self.point, self._change)
            self._change = None


def _check_fit(edit: Edit, model: nn.Module, n_layers: int) -> None:
    config: Any = model.config
    width = int(config.get_text_config().hidden_size)
    if edit.sae.config.d_in != width:
        raise ModelError(
            f"the SAE of the edit {edit.label!r} has d_in {edit.sae.config.d_in}, but the model's residual stream is "
            f"{width} wide; the SAE belongs to another model."
        )
    if edit.sae.layer >= n_layers:
        raise ModelError(
            f"the SAE of the edit {edit.label!r} reads layer {edit.sae.layer}, but the model has layers 0 to "
            f"{n_layers - 1}; the SAE belongs to another model."
        )


def _per_edit(masks: torch.Tensor | Sequence[torch.Tensor], n_edits: int) -> torch.Tensor:
    """(edits, batch, seq) bool."""
    if not isinstance(masks, torch.Tensor):
        shapes = sorted({tuple(mask.shape) for mask in masks})
        if len(masks) != n_edits or len(shapes) != 1:
            raise ValueError(
                f"masks must be one (batch, seq) mask for each of {n_edits} edits, got {len(masks)} of {shapes}."
            )
        masks = torch.stack(list(masks))
    elif masks.ndim == 2:
        masks = masks.expand(n_edits, -1, -1)
    if masks.dtype != torch.bool:
        raise ValueError(f"masks must be bool, got {masks.dtype}; use mask.bool().")
    if masks.ndim != 3 or masks.shape[0] != n_edits:
        raise ValueError(f"masks must be (batch, seq) or ({n_edits}, batch, seq), got shape {tuple(masks.shape)}.")
    return masks
