"""Which tokens of a prompt an edit acts on, found by characters. Tokenises nothing itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy.typing as npt
import torch


@dataclass(frozen=True)
class Span:
    """The tokens that overlap a piece of the prompt's text; made by ``span``.

    Attributes:
        text: what to find, exactly.
        occurrence: ``"all"``, or the index of one occurrence: 0 is the first, -1 the last.
    """

    text: str
    occurrence: Literal["all"] | int = "all"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or not self.text:
            raise ValueError(f"text must be a non-empty string, got {self.text!r}.")
        whole = isinstance(self.occurrence, int) and not isinstance(self.occurrence, bool)
        if self.occurrence != "all" and not whole:
            raise ValueError(f"occurrence must be 'all' or an index such as 0 or -1, got {self.occurrence!r}.")

    def __str__(self) -> str:
        return f"{self.text!r}" if self.occurrence == "all" else f"{self.text!r}#{self.occurrence}"


def span(text: str, occurrence: Literal["all"] | int = "all") -> Span:
    """Positions of an edit: the tokens of ``text`` in the prompt, for example ``span("your values")``.

    Args:
        text: found exactly, by characters.
        occurrence: ``"all"``, or the index of one occurrence: 0 is the first, -1 the last.

    Raises:
        ValueError: ``text`` is empty, or ``occurrence`` is neither.
    """
    return Span(text, occurrence)


@dataclass(frozen=True)
class Indices:
    """Tokens of the prompt by number; made by ``indices``.

    Attributes:
        numbers: from 0 at the first token of the prompt, from -1 backwards at its last; padding does not count.
    """

    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.numbers or not all(isinstance(n, int) and not isinstance(n, bool) for n in self.numbers):
            raise ValueError(f"numbers must be at least one integer, got {self.numbers!r}.")

    def __str__(self) -> str:
        return f"[{','.join(map(str, self.numbers))}]"


def indices(*numbers: int) -> Indices:
    """Positions of an edit by number: ``indices(0)`` is the prompt's first token, ``indices(-1)`` its last.

    The only positions that can name a special token, since somebody asked for that very one.

    Raises:
        ValueError: no numbers, or one that is no integer.
    """
    return Indices(numbers)


Positions: TypeAlias = Literal["all", "prompt", "generated"] | Span | Indices


def token_positions(
    prompt_text: str,
    offsets: Sequence[tuple[int, int]] | npt.NDArray[Any] | torch.Tensor,
    special_mask: Sequence[int] | npt.NDArray[Any] | torch.Tensor,
    positions: Positions,
) -> torch.Tensor:
    """Where an edit acts in one prompt, found by characters: a word's token ids depend on what stands before it.

    Args:
        prompt_text: the text as it was tokenised.
        offsets: (tokens, 2) first and one-past-last character of every token, as fast tokenizers give with
            ``return_offsets_mapping``.
        special_mask: (tokens,) true at special tokens and padding, which no edit touches. ``special_tokens`` makes one.
        positions: where the edit acts; ``"generated"`` is nowhere in a prompt.

    Returns:
        (tokens,) bool.

    Raises:
        ValueError: the span is not in the prompt, has too few occurrences, or no token covers it; an index is beyond
            the prompt.
    """
    bounds = torch.as_tensor(offsets, dtype=torch.long).reshape(-1, 2)
    special = torch.as_tensor(special_mask).to(torch.bool)
    if special.shape != bounds.shape[:1]:
        raise ValueError(f"special_mask has shape {tuple(special.shape)}, but offsets has {bounds.shape[0]} tokens.")
    if positions in ("all", "prompt"):
        return ~special
    if positions == "generated":
        return torch.zeros_like(special)
    if isinstance(positions, Indices):
        return _numbered(positions, bounds.shape[0])
    assert isinstance(positions, Span)
    start, end = bounds.unbind(dim=1)
    mask = torch.zeros_like(special)
    for first, last in _occurrences(prompt_text, positions):
        covered = (start < last) & (end > first) & (start < end) & ~special
        if not bool(covered.any()):
            raise ValueError(f"no token covers the span {positions} (characters {first} to {last}); truncated?")
        mask |= covered
    return mask


def _numbered(wanted: Indices, tokens: int) -> torch.Tensor:
    mask = torch.zeros(tokens, dtype=torch.bool)
    for number in wanted.numbers:
        if not -tokens <= number < tokens:
            raise ValueError(f"index {number} is beyond the prompt, which has {tokens} tokens.")
        mask[number] = True
    return mask


def _occurrences(prompt_text: str, wanted: Span) -> list[tuple[int, int]]:
    # Looked for at every character, so that occurrences may overlap.
    starts = [match.start() for match in re.finditer(f"(?={re.escape(wanted.text)})", prompt_text)]
    found = [(start, start + len(wanted.text)) for start in starts]
    if not found:
        raise ValueError(
            f"the span {wanted.text!r} is not in the prompt, which begins {prompt_text[:80]!r}; it must stand there "
            "in one piece, not split over two messages of a chat template."
        )
    if wanted.occurrence == "all":
        return found
    if not -len(found) <= wanted.occurrence < len(found):
        raise ValueError(
            f"occurrence {wanted.occurrence} of the span {wanted.text!r} is not in the prompt, which has "
            f"{len(found)} of it and begins {prompt_text[:80]!r}."
        )
    return [found[wanted.occurrence]]


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Ids of all tokens that are marks, not text.

    ``all_special_ids`` alone misses marks that have no role of their own, such as those around the headers of Llama 3's
    chat template.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return frozenset(tokenizer.all_special_ids) | {number for number, token in added.items() if token.special}


def special_tokens(input_ids: torch.Tensor, tokenizer: Any, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
    """Mask of special tokens and padding, of the shape of ``input_ids``.

    By token id: a tokenizer's own ``return_special_tokens_mask`` misses those that a chat template has written as text.

    Args:
        input_ids: (..., tokens) token ids.
        tokenizer: a ``transformers`` tokenizer.
        attention_mask: 0 at padding; default no padding beyond the tokenizer's own token.
    """
    known = torch.tensor(sorted(special_ids(tokenizer)), dtype=input_ids.dtype, device=input_ids.device)
    special = torch.isin(input_ids, known)
    return special if attention_mask is None else special | (attention_mask == 0)
