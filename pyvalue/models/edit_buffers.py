"""What the hooks of a model read: every token's list of edits, the tables that it points into, counts of both sides.

Everything that a forward pass needs is in buffers on the device, filled before it begins: a compiled or captured pass
runs no Python. Decides neither which tokens are edited nor when.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.edit_lists import NO_LIST, EditLists
from pyvalue.models.edit_site import EditSite, keep_address
from pyvalue.models.edits import Edit
from pyvalue.models.hook_points import decoder_layers


class EditBuffers:
    """The buffers of all places that some edits change.

    Args:
        model: a ``transformers`` model.
        edits: at least one.

    Attributes:
        edits: as given.
        lists: the sets of edits that tokens name.
        token_list: int32 on the device; the first b * s entries are those of a pass over (b, s) tokens.

    Raises:
        ModelError: the model's layers are not found, or an SAE does not fit its width or depth.
    """

    @torch.inference_mode(False)
    def __init__(self, model: nn.Module, edits: Sequence[Edit]) -> None:
        self.edits = tuple(edits)
        self.lists = EditLists()
        layers = decoder_layers(model)
        config: Any = model.config
        width = int(config.get_text_config().hidden_size)
        for edit in self.edits:
            _check_fit(edit, width, len(layers))
        self._sites: list[EditSite] = []
        for place in dict.fromkeys(edit.place for edit in self.edits):
            chosen = {i: edit for i, edit in enumerate(self.edits) if edit.place == place}
            self._sites.append(EditSite(layers[place[0]], place, chosen))
        device = self._sites[0].hits.device
        self.token_list = keep_address(torch.full((1,), NO_LIST, dtype=torch.int32, device=device))
        self._asked = torch.zeros(1, dtype=torch.int64, device=device)
        self._loaded = 0
        self._shape: tuple[int, ...] | None = None
        self._written = 0
        self._foreign = False
        # The pass that was written last and is not known to be over, and whether it began under our eyes.
        self._pending: torch.Tensor | None = None
        self._begun = False

    @property
    def hits(self) -> tuple[int, ...]:
        """For every edit, the number of tokens that it acted on, counted where it acts."""
        found = [0] * len(self.edits)
        for site in self._sites:
            for number, count in zip(site.numbers, site.hits.tolist(), strict=True):
                found[number] = count
        return tuple(found)

    @property
    def asked(self) -> tuple[int, ...]:
        """For every edit, the number of tokens that it was to act on, counted where that is decided."""
        counts = self._asked.cpu().numpy()[1 : 1 + len(self.lists)]
        sizes = np.fromiter((len(row) for row in self.lists), dtype=np.int64, count=len(self.lists))
        entries = np.fromiter((edit for row in self.lists for edit in row), dtype=np.int64, count=int(sizes.sum()))
        found = np.zeros(len(self.edits), dtype=np.int64)
        np.add.at(found, entries, counts[: len(sizes)].repeat(sizes))
        return tuple(found.tolist())

    def enter(self) -> None:
        """Hook the model, with counts from zero."""
        self.refresh()
        self.forget()
        try:
            for site in self._sites:
                site.enter(partial(self._change, site))
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Unhook it."""
        for site in self._sites:
            site.leave()

    def forget(self) -> None:
        """Count from zero on both sides."""
        self._pending, self._begun, self._written = None, False, 0
        self._asked.zero_()
        for site in self._sites:
            site.hits.zero_()
            site.seen.zero_()

    @torch.inference_mode(False)
    def write(self, token_lists: torch.Tensor) -> None:
        """Take the lists (b, s) int32 of the next pass. They are counted as asked for once ``commit`` says it ran."""
        if self._pending is not None:
            self._settle()
        self.refresh()
        flat = token_lists.to(self.token_list.device).reshape(-1)
        if flat.numel() > self.token_list.numel():
            self.token_list = keep_address(torch.full_like(flat, NO_LIST))
        self.token_list[: flat.numel()].copy_(flat)
        self._pending, self._begun = flat, False
        self._shape = tuple(token_lists.shape)

    def began(self) -> None:
        """The pass that was written begins, in Python."""
        self._begun = True

    @torch.inference_mode(False)
    def commit(self) -> None:
        """The pass that was written ran to its end."""
        if self._pending is not None:
            ones = torch.ones_like(self._pending, dtype=torch.int64)
            self._asked.scatter_add_(0, self._pending.long() + 1, ones)
            self._written += self._pending.numel()
            self._pending = None

    def check(self) -> None:
        """Make sure that every edit ran wherever it was to run.

        Raises:
            ModelError: it did not: a forward pass went around the hooks, or came by without being announced.
        """
        if self._pending is not None and self._begun:
            self._settle()
        self.commit()
        for edit, ran, wanted in zip(self.edits, self.hits, self.asked, strict=True):
            if ran != wanted:
                raise ModelError(
                    f"the edit {edit.label!r} acted on {ran} tokens, but {wanted} were to be edited: some forward pass "
                    "went around the hook, so that its results are not steered; please report the model and the call."
                )
        for site in self._sites:
            if not self._foreign and int(site.seen) != self._written:
                raise ModelError(
                    f"{int(site.seen)} tokens came by {site}, but the places of {self._written} were known: a forward "
                    "pass that you compiled must be announced by place(...), and its steps by assign(...)."
                )

    def _settle(self) -> None:
        """Decide whether the pass written last ran. One that began in Python and did not end failed midway; of one that
        did not, what came by the hooks tells."""
        assert self._pending is not None
        expected = self._written + self._pending.numel()
        if not self._begun and all(int(site.seen) == expected for site in self._sites):
            self.commit()
        elif self._begun:
            self.forget()
        self._pending = None

    def read(self, buffer: torch.Tensor, shape: tuple[int, int]) -> None:
        """Let the next passes over ``shape`` tokens read another buffer, which somebody else fills."""
        self.token_list = buffer
        self._shape = shape
        self._foreign = True

    def count(self, tokens: torch.Tensor) -> None:
        """Add (lists,) int64 to what was asked: tokens that named each list in a buffer of ``read``."""
        self._asked[1 : 1 + tokens.numel()] += tokens.to(self._asked.device)

    @torch.inference_mode(False)
    def refresh(self) -> None:
        """Load lists that came up since the last time."""
        if len(self.lists) == self._loaded and self._loaded:
            return
        new = self.lists.since(self._loaded)
        for site in self._sites:
            site.load(new)
        self._loaded = len(self.lists)
        if self._loaded + 1 > self._asked.numel():
            more = torch.zeros(2 * self._loaded + 1, dtype=torch.int64, device=self._asked.device)
            more[: self._asked.numel()] = self._asked
            self._asked = more

    def _change(self, site: EditSite, hidden: torch.Tensor) -> torch.Tensor:
        batch, seq = hidden.shape[:2]
        if not torch.compiler.is_compiling() and self._shape != (batch, seq):
            raise ModelError(
                f"a forward pass of {batch} x {seq} tokens reached the edits without their knowing which; run the "
                "model or its base model as a whole, not single layers, or call use(token_lists) first."
            )
        token_list = self.token_list[: batch * seq].view(batch, seq)
        if hidden.device != token_list.device:
            token_list = token_list.to(hidden.device)
        return site.change(hidden, token_list)


def _check_fit(edit: Edit, width: int, n_layers: int) -> None:
    source = "direction" if edit.sae is None else "SAE"
    if edit.d_in != width:
        raise ModelError(
            f"the {source} of the edit {edit.label!r} is {edit.d_in} wide, but the model's residual stream {width}; it "
            "belongs to another model."
        )
    if edit.place[0] >= n_layers:
        raise ModelError(
            f"the {source} of the edit {edit.label!r} reads layer {edit.place[0]}, but the model has layers 0 to "
            f"{n_layers - 1}; it belongs to another model."
        )
