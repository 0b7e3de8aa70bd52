"""What a forward pass is given, as far as edits need it: its tokens, their places, its cache. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pyvalue.errors import ModelError
from pyvalue.models.generate_hook import PACKED
from pyvalue.models.placement import places_from_mask

OTHER_CACHE = (
    "a forward pass goes on from a cache that was filled outside of this block, or for other prompts than those given "
    "last, so that edits cannot tell where its tokens stand: fill it again inside the block, one batch of prompts at a "
    "time."
)
# Where a cache notes for which prompts of which block it was filled; a copy of the cache keeps it.
_MARK = "_pyvalue_prompts"


def mark_cache(output: Any, block: int, prompts: int) -> None:
    """Note on the cache that a pass returned for which prompts of which block it was filled."""
    cache = getattr(output, "past_key_values", None)
    if hasattr(cache, "__dict__"):
        cache.__dict__.setdefault(_MARK, {})[block] = prompts


@dataclass(frozen=True, eq=False)
class ForwardPass:
    """One pass of a model over (b, s) tokens.

    Attributes:
        ids: (b, s) token ids, None where the pass was given embeddings.
        shape: (b, s).
        mask: the attention mask as it was given.
        position_ids: as they were given.
        cache: keys and values of earlier passes, None for none.
        past: tokens in the cache.
    """

    ids: torch.Tensor | None
    shape: tuple[int, int]
    mask: Any
    position_ids: torch.Tensor | None
    cache: Any
    past: int

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> ForwardPass:
        """From the arguments of a model's ``forward``.

        Raises:
            ModelError: the pass is one of continuous batching.
        """
        if "cu_seq_lens_q" in arguments:
            raise ModelError(PACKED)
        ids = arguments.get("input_ids")
        batch, seq = (ids if ids is not None else arguments["inputs_embeds"]).shape[:2]
        cache = arguments.get("past_key_values")
        past = 0 if cache is None else int(cache.get_seq_length())
        mask, position = arguments.get("attention_mask"), arguments.get("position_ids")
        return cls(ids, (int(batch), int(seq)), mask, position, cache, past)

    def prompts(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(token ids, mask of padding) of a pass that begins new prompts.

        Raises:
            ModelError: the tokens are not given as ids, or several prompts are packed into a row.
        """
        if self.ids is None:
            raise ModelError("edits need token ids: a forward pass with inputs_embeds alone cannot be placed.")
        if self.mask is not None:
            return self.ids, self._columns()
        position = self.position_ids
        if position is not None and position.ndim == 2 and bool((position[:, 1:] < position[:, :-1]).any()):
            raise ModelError(PACKED)
        return self.ids, torch.ones_like(self.ids)

    def places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(position, valid), each (b, s), of a pass that goes on from its cache."""
        batch, seq = self.shape
        if self.mask is not None:
            self._columns()
            return places_from_mask(self.mask, seq, self.past)
        position = torch.arange(self.past, self.past + seq).unsqueeze(0)
        if self.position_ids is not None and self.position_ids.ndim == 2:
            position = self.position_ids
        return position.expand(batch, seq), torch.ones(batch, seq, dtype=torch.bool)

    def check_cache(self, block: int, prompts: int | None = None) -> None:
        """Raise ModelError unless the block filled the cache, and for these prompts where they matter."""
        if self.past == 0:
            return
        marked = getattr(self.cache, _MARK, {}).get(block)
        if marked is None or prompts not in (None, marked):
            raise ModelError(OTHER_CACHE)

    def _columns(self) -> torch.Tensor:
        """The mask's columns of this pass (b, s)."""
        batch, seq = self.shape
        if self.mask.ndim != 2:
            raise ModelError(
                f"attention_mask has {self.mask.ndim} dimensions: under edits give one of (batch, tokens), in which "
                "padding can be told from text."
            )
        if self.mask.shape[0] != batch or self.mask.shape[1] < self.past + seq:
            raise ValueError(
                f"attention_mask must be ({batch}, {self.past + seq}), the tokens in the cache included, got "
                f"{tuple(self.mask.shape)}."
            )
        found: torch.Tensor = self.mask[:, self.past : self.past + seq]
        return found
