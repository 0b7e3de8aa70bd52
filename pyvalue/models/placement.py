"""Which list of edits each token of a batch names: in prompts by position, in generated text by row. Edits nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pyvalue.errors import ModelError
from pyvalue.models.edit_lists import NO_LIST, EditLists
from pyvalue.models.edits import Edit
from pyvalue.models.positions import Span, special_tokens, token_positions


@dataclass(frozen=True, eq=False)
class Placement:
    """Lists of the tokens of a batch of ``b`` prompts and of what follows them.

    Attributes:
        prompt: (b, longest prompt) int32 by position in the prompt, padding not counted.
        length: (b,) long, tokens of each prompt.
        generated: (b,) int32, list of every token after the prompt.
    """

    prompt: torch.Tensor
    length: torch.Tensor
    generated: torch.Tensor

    def lists(self, position: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """List of every token of a forward pass.

        Args:
            position: (rows, s) long, position in its row's text, padding not counted; ``rows`` is ``b`` or a multiple
                of it (beams, several sequences a prompt), the rows of one prompt side by side.
            valid: (rows, s) bool, false at padding.

        Returns:
            (rows, s) int32.

        Raises:
            ModelError: the rows are no multiple of the prompts.
        """
        rows, prompts = position.shape[0], self.length.shape[0]
        if rows % prompts:
            raise ModelError(f"the forward pass has {rows} rows, but the edits were placed in {prompts} prompts.")
        row = torch.arange(rows, device=position.device) // (rows // prompts)
        inside = position < self.length[row].unsqueeze(1)
        of_prompt = self.prompt[row.unsqueeze(1), position.clamp(0, self.prompt.shape[1] - 1)]
        found = torch.where(inside, of_prompt, self.generated[row].unsqueeze(1))
        return torch.where(valid & (position >= 0), found, NO_LIST)

    def to(self, device: torch.device) -> Placement:
        """The same on ``device``."""
        return Placement(self.prompt.to(device), self.length.to(device), self.generated.to(device))


def place_prompts(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    rows: Sequence[Sequence[int]],
    edits: Sequence[Edit],
    lists: EditLists,
    tokenizer: Any = None,
) -> Placement:
    """Find where the edits of each prompt act.

    Args:
        input_ids: (b, s) token ids.
        attention_mask: (b, s), 0 at padding, on whichever side.
        rows: for every prompt, the numbers of its edits.
        edits: that the numbers mean.
        lists: numbers the sets of edits that occur.
        tokenizer: knows special tokens, and for spans the text; without it no token counts as special.

    Raises:
        ValueError: a span or an index is not in a prompt.
        ModelError: a span without a tokenizer.
    """
    batch = input_ids.shape[0]
    mask = attention_mask.bool().cpu()
    ids = input_ids.cpu()
    special = torch.zeros_like(mask) if tokenizer is None else special_tokens(ids, tokenizer)
    known: dict[tuple[Any, ...], np.ndarray[Any, np.dtype[np.int32]]] = {}
    found = []
    for b in range(batch):
        prompt = ids[b][mask[b]]
        key = (tuple(rows[b]), prompt.numpy().tobytes())
        if key not in known:
            try:
                hits = _hits(prompt, special[b][mask[b]], [edits[e] for e in rows[b]], tokenizer)
            except ValueError as error:
                raise ValueError(f"prompt {b}: {error}") from None
            known[key] = lists.numbers(rows[b], hits)
        found.append(known[key])
    length = torch.tensor([len(row) for row in found], dtype=torch.long)
    prompts = torch.full((batch, max(1, int(length.max()))), NO_LIST, dtype=torch.int32)
    for b, row in enumerate(found):
        prompts[b, : len(row)] = torch.from_numpy(row)
    after = [lists.number(e for e in row if edits[e].positions in ("all", "generated")) for row in rows]
    return Placement(prompts, length, torch.tensor(after, dtype=torch.int32))


def _hits(
    ids: torch.Tensor, special: torch.Tensor, edits: Sequence[Edit], tokenizer: Any
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(edits, tokens) where each edit acts in one prompt."""
    needs_text = any(isinstance(edit.positions, Span) for edit in edits)
    text, offsets = prompt_text(ids.tolist(), tokenizer) if needs_text else ("", [(0, 0)] * len(ids))
    found = {
        positions: token_positions(text, offsets, special, positions).numpy()
        for positions in dict.fromkeys(edit.positions for edit in edits)
    }
    return np.array([found[edit.positions] for edit in edits], dtype=bool).reshape(len(edits), len(ids))


def prompt_text(ids: Sequence[int], tokenizer: Any) -> tuple[str, list[tuple[int, int]]]:
    """Text of a prompt and the characters of every token, from the token ids.

    The text is tokenised again, which gives the tokenizer's own offsets; where that does not give the same ids back
    (a prompt that was put together from pieces), offsets are the lengths of the decoded beginnings.

    Raises:
        ModelError: no tokenizer.
    """
    if tokenizer is None:
        raise ModelError(
            "an edit at a span needs the tokenizer to find it: use model.edit(...) of a LanguageModel, or "
            "ResidualEdits(..., tokenizer=tokenizer)."
        )
    text = _decode(tokenizer, ids)
    again = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    if list(again["input_ids"]) == list(ids):
        return text, list(again["offset_mapping"])
    # A token may be one byte of a character, which a decoded beginning shows as something else until it is whole.
    ends = [_shared(_decode(tokenizer, ids[:i]), text) for i in range(len(ids) + 1)]
    ends = list(itertools.accumulate(ends, max))
    offsets = []
    for start, end in itertools.pairwise(ends):
        if end == start:
            end = next((later for later in ends if later > start), len(text))
        offsets.append((start, end))
    return text, offsets


def _shared(beginning: str, text: str) -> int:
    """Characters that both begin with."""
    differs = (i for i, (a, b) in enumerate(zip(beginning, text, strict=False)) if a != b)
    return next(differs, min(len(beginning), len(text)))


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))


def places_from_mask(attention_mask: torch.Tensor, seq: int, past: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(position, valid), each (rows, seq), of the columns from ``past`` on of a mask (rows, past + seq or more).

    By the running sum of the mask, never by the column: under left padding the two differ from row to row.
    """
    valid = attention_mask.bool()
    position = valid.long().cumsum(dim=1) - 1
    return position[:, past : past + seq], valid[:, past : past + seq]
