"""Which prompts of a persona run together: batches of like length, with little padding. Runs no model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pyvalue.measurement.shared_tokens import Family, SharedTokens

if TYPE_CHECKING:
    from pyvalue.models.loading import LanguageModel

# What a forward pass costs beside its tokens, in tokens. On a CPU it reads the weights once more; on a GPU a short pass
# takes as long as its launches. Estimates: a factor of four either way moves few batches.
_PASS = {"cpu": 20, "cuda": 1000}
#: most tokens of a pass on a CPU, where more gain nothing
_CPU_TOKENS = 1024


def batches(shared: SharedTokens, rows: int, device: str = "cpu") -> list[list[Family]]:
    """Families in batches, by length, so that padding and the number of passes together cost least.

    Args:
        shared: what to run.
        rows: most prompts of a batch; a family is not split here, and may be larger.
        device: kind of device.
    """
    found = []
    by_kind = itertools.groupby(
        sorted(shared.families, key=lambda family: family.lengths), lambda family: len(family.stem) > 0
    )
    for _, kind in by_kind:
        levels = [list(level) for _, level in itertools.groupby(kind, lambda family: family.lengths)]
        for run in _runs(levels, _PASS.get(device, _PASS["cuda"])) if shared.padding else [[level] for level in levels]:
            found += list(_limited(list(itertools.chain.from_iterable(run)), rows))
    return found


def rows_of_a_batch(model: LanguageModel, shared: SharedTokens) -> int:
    """Prompts that a batch may hold where nobody says: what fits on a GPU, what is fast on a CPU."""
    from pyvalue.models.memory import automatic_batch

    if model.device.type == "cuda":
        return automatic_batch(model, shared.longest)
    return max(1, _CPU_TOKENS // max(sum(family.lengths) for family in shared.families))


def _runs(levels: Sequence[list[Family]], a_pass: int) -> list[Sequence[list[Family]]]:
    """Split levels of equal length into runs, one batch each, at the least cost."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(levels) + 1):
        costs = ((best[begin][0] + _cost(levels[begin:end], a_pass), begin) for begin in range(end))
        best.append(min(costs))
    found, end = [], len(levels)
    while end:
        begin = best[end][1]
        found.append(levels[begin:end])
        end = begin
    return found[::-1]


def _cost(run: Sequence[list[Family]], a_pass: int) -> float:
    families = [family for level in run for family in level]
    stem, tail = (max(level[0].lengths[part] for level in run) for part in (0, 1))
    prompts = sum(len(family.tails) for family in families)
    return len(families) * stem + prompts * tail + a_pass * (2 if stem else 1)


def _limited(run: list[Family], rows: int) -> Iterator[list[Family]]:
    """In batches of about equal size that hold at most ``rows`` prompts, if a family does."""
    prompts = sum(len(family.tails) for family in run)
    most = -(-prompts // max(1, -(-prompts // rows)))
    batch: list[Family] = []
    for family in run:
        if batch and sum(len(other.tails) for other in batch) + len(family.tails) > most:
            yield batch
            batch = []
        batch.append(family)
    yield batch
