"""Sampling in which every row of a batch has its own seed, for ``generate`` of transformers. Asks no model itself.

The noise of a token is a function of (row's seed, step, token id) and of nothing else, so that a row samples the same
text alone, in any batch, in any order, and after an interruption. ``torch.Generator`` cannot do that for a batch: it
hands out its numbers in the order in which rows stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, TopPLogitsWarper

from pyvalue.models.row_seed import row_seed

__all__ = ["RowSampler", "row_seed", "splitmix64", "uniform_noise"]

# SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"), as signed 64-bit numbers.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FIRST = 0xBF58476D1CE4E5B9 - 2**64
_SECOND = 0x94D049BB133111EB - 2**64

# Entries of (rows, vocabulary) that get their noise at a time: 2^23 of 8 bytes are 64 MB a tensor.
_CHUNK = 2**23


def splitmix64(keys: torch.Tensor, n: int) -> torch.Tensor:
    """The first ``n`` numbers of every key's stream of SplitMix64.

    Args:
        keys: (b,) int64.
        n: numbers a key.

    Returns:
        (b, n) int64, whose bits are those of the unsigned numbers.
    """
    steps = torch.arange(1, n + 1, dtype=torch.int64, device=keys.device) * _GAMMA
    return _mix(keys.unsqueeze(1) + steps)


def uniform_noise(seeds: torch.Tensor, step: int, n: int) -> torch.Tensor:
    """Uniform numbers (b, n), float64, above 0 and below 1, for one step of every row.

    Args:
        seeds: (b,) int64, one a row.
        step: number of the generated token, from 0.
        n: numbers a row.
    """
    # The step goes through the mixer too, else row seeds that differ by a multiple of _GAMMA would share noise.
    moved = _mix(torch.tensor([(step + 1) * _GAMMA % 2**63], dtype=torch.int64, device=seeds.device))
    bits = splitmix64(_mix(seeds ^ moved), n)
    # 52 bits and a half: with 53 the largest would round to 1.
    return (_shift_right(bits, 12).double() + 0.5) * 2.0**-52


class RowSampler(LogitsProcessor):
    """Chooses every row's next token, and notes the model's own log-probability of it.

    Give it to ``generate(logits_processor=[sampler], do_sample=False)``; transformers then takes the choice as it is.
    A token is drawn as the largest of ``logit / temperature + Gumbel noise``, which is a draw from the softmax
    (Maddison et al. 2014). Scores that differ in their last bits, as another batch's may, change a draw only where two
    tokens are as close as that.

    Args:
        seeds: one a row, from 0 to 2^63 - 1; unused at temperature 0.
        prompt_length: columns of the padded prompts.
        temperature: 0 takes the most likely token.
        top_p: draw among the most likely tokens that together have at least this probability.
    """

    def __init__(self, seeds: Sequence[int], prompt_length: int, temperature: float = 1.0, top_p: float = 1.0) -> None:
        self._seeds = torch.tensor(list(seeds), dtype=torch.int64)
        self._prompt_length = prompt_length
        self._temperature = temperature
        self._nucleus = TopPLogitsWarper(top_p) if top_p < 1 else None
        self._log_probabilities: list[torch.Tensor] = []

    @property
    def log_probabilities(self) -> torch.Tensor:
        """(b, steps) float32 log-probability of every token chosen so far, at temperature 1 over all tokens."""
        if not self._log_probabilities:
            return torch.zeros(len(self._seeds), 0)
        return torch.stack(self._log_probabilities, dim=1)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (b, vocabulary) that are 0 at the token chosen and minus infinity elsewhere."""
        if self._temperature == 0:
            chosen = scores.argmax(dim=-1, keepdim=True)
        else:
            chosen = self._draw(input_ids, scores)
        logits = scores.float()
        self._log_probabilities.append((logits.gather(1, chosen) - logits.logsumexp(-1, keepdim=True)).squeeze(1))
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen, 0.0)

    def _draw(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = input_ids.shape[1] - self._prompt_length
        seeds = self._seeds.to(scores.device)
        rows = max(1, _CHUNK // scores.shape[1])
        chosen = []
        for start in range(0, scores.shape[0], rows):
            logits = scores[start : start + rows].double() / self._temperature
            if self._nucleus is not None:
                logits = self._nucleus(input_ids[start : start + rows], logits)
            noise = uniform_noise(seeds[start : start + rows], step, scores.shape[1])
            chosen.append((logits - (-noise.log()).log()).argmax(dim=-1, keepdim=True))
        return torch.cat(chosen)


def _mix(bits: torch.Tensor) -> torch.Tensor:
    """The finaliser of SplitMix64; int64 products wrap around, as its unsigned ones do."""
    bits = (bits ^ _shift_right(bits, 30)) * _FIRST
    bits = (bits ^ _shift_right(bits, 27)) * _SECOND
    return bits ^ _shift_right(bits, 31)


def _shift_right(bits: torch.Tensor, by: int) -> torch.Tensor:
    """Shift without the sign: torch shifts copies of it in."""
    return (bits >> by) & ((1 << (64 - by)) - 1)
