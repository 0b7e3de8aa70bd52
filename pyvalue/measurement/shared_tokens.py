"""What the prompts of one persona have in common, so that it is computed once. Runs no model.

A plan has three levels: the beginning of all prompts; stems, beginnings that some prompts share after it (a question
asked with "yes or no" and "no or yes"); and tails, the rest of every prompt.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyvalue.models.edits import Edit, special_ids, token_positions
from pyvalue.models.prompt_tokens import check_text

# Stems cost passes of their own; below this share of all tokens they gain nothing.
_LEAST_GAIN = 0.1
# Most prompts on one stem: they run in one batch, if it holds as many.
_LARGEST_FAMILY = 8
_Marks = Sequence[Sequence[tuple[int, bytes]]]
# Numbers of prompts, and where the stem that they share ends.
_Group = tuple[tuple[int, ...], int]


@dataclass(frozen=True, eq=False)
class Segment:
    """Tokens in a row: ids (tokens,), and where each edit acts on them (edits, tokens)."""

    ids: npt.NDArray[np.int64]
    hit: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> Segment:
        return Segment(self.ids[part], self.hit[:, part])


@dataclass(frozen=True, eq=False)
class Family:
    """Prompts that share a stem, which may be empty; each with its number and its tail."""

    stem: Segment
    numbers: tuple[int, ...]
    tails: tuple[Segment, ...]

    @property
    def lengths(self) -> tuple[int, int]:
        """Tokens of the stem and of the longest tail."""
        return len(self.stem), max(map(len, self.tails))


@dataclass(frozen=True, eq=False)
class SharedTokens:
    """The prompts of a persona, taken apart.

    Attributes:
        beginning: of all prompts.
        families: what comes after it.
        padding: whether tails of different length may stand in one batch.
    """

    beginning: Segment
    families: tuple[Family, ...]
    padding: bool = True

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return len(self.beginning) + max(sum(family.lengths) for family in self.families)

    def hit_by(self, edits: Sequence[int]) -> bool:
        """Whether one of these edits, by number, acts on any token."""
        parts = itertools.chain([self.beginning], *([family.stem, *family.tails] for family in self.families))
        return any(bool(part.hit[list(edits)].any()) for part in parts)


def tokenise(tokenizer: Any, prompts: Sequence[str], edits: Sequence[Edit]) -> list[Segment]:
    """Every prompt as one segment.

    Raises:
        ValueError: a prompt without tokens or with half of a character, or an edit's text span is not in a prompt.
    """
    for prompt in prompts:
        check_text(prompt)
    encoded = tokenizer(list(prompts), add_special_tokens=False, return_offsets_mapping=True)
    marks = list(special_ids(tokenizer))
    places = list(dict.fromkeys(edit.positions for edit in edits))
    found = []
    for prompt, ids, offsets in zip(prompts, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        if not ids:
            raise ValueError(f"prompts: expected texts of at least one token, got {prompt!r}")
        special = np.isin(ids, marks)
        masks = {place: np.asarray(token_positions(prompt, offsets, special, place)) for place in places}
        hit = np.array([masks[edit.positions] for edit in edits], dtype=bool).reshape(len(edits), len(ids))
        found.append(Segment(np.array(ids, dtype=np.int64), hit))
    return found


def whole_prompts(rows: Sequence[Segment]) -> SharedTokens:
    """Prompts that share nothing, and run in batches of equal length."""
    return SharedTokens(rows[0][:0], tuple(Family(row[:0], (i,), (row,)) for i, row in enumerate(rows)), padding=False)


def share_tokens(
    rows: Sequence[Segment], most: int | None = None, stems: bool = True, padding: bool = True
) -> SharedTokens:
    """Take prompts apart.

    They share a token only where the edits hit it alike: the last occurrence of a span, for example, is in the
    beginning of one prompt and in the question of another. The last token of a prompt is always its tail's.

    Args:
        rows: the prompts.
        most: longest beginning; default as long as it is shared.
        stems: look for stems too.
        padding: whether tails of different length may stand in one batch.
    """
    # Equal marks: the same token, hit by the same edits.
    marks = [[(token, hit.tobytes()) for token, hit in zip(row.ids.tolist(), row.hit.T, strict=True)] for row in rows]
    start = _common(marks, range(len(rows)), 0)
    start = start if most is None else min(start, most)
    groups: list[_Group] = [((i,), start) for i in range(len(rows))]
    if stems:
        gain, found = _stems(marks, tuple(range(len(rows))), start, start)
        if gain >= _LEAST_GAIN * (start + sum(len(row) - start for row in rows)):
            groups = found
    families = []
    for members, end in groups:
        for i in range(0, len(members), _LARGEST_FAMILY):
            part = members[i : i + _LARGEST_FAMILY]
            until = end if len(part) > 1 else start
            tails = tuple(rows[row][until:] for row in part)
            families.append(Family(rows[part[0]][start:until], part, tails))
    return SharedTokens(rows[0][:start], tuple(families), padding)


def _common(marks: _Marks, members: Sequence[int], start: int) -> int:
    """Where prompts that agree up to ``start`` first differ, short of the last token of the shortest."""
    end = min(len(marks[row]) for row in members) - 1
    while start < end and len({marks[row][start] for row in members}) == 1:
        start += 1
    return start


def _stems(marks: _Marks, members: tuple[int, ...], start: int, depth: int) -> tuple[int, list[_Group]]:
    """A grouping that saves much, with the tokens that it saves.

    Goes down the tree of the prompts' tokens. At each node its prompts share all that they can, or its children do.
    """
    if len(members) == 1:
        return 0, [(members, start)]
    depth = _common(marks, members, depth)
    together = (len(members) - 1) * (depth - start)
    children: dict[Any, list[int]] = {}
    for row in members:
        is_last = depth >= len(marks[row]) - 1
        children.setdefault(("last", row) if is_last else marks[row][depth], []).append(row)
    parts = [_stems(marks, tuple(rows), start, depth) for rows in children.values()]
    apart = sum(gain for gain, _ in parts)
    if together >= apart:
        return together, [(members, depth)]
    return apart, list(itertools.chain.from_iterable(groups for _, groups in parts))
