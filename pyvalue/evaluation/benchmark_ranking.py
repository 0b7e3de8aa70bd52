"""Areas under curves of cells that hold counts, for many replicates of the counts at once.

With one count a cell they are those of ``pyvalue.evaluation.auroc``; here the counts differ between replicates (a
bootstrap of personas, a permutation of names) while the order of the cells stays the same, so that it is found once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Areas:
    """Sums that areas are made of, one entry a replicate; strata add up.

    Attributes:
        won: pairs of a hit and a miss in which the hit has the higher score; ties count one half.
        pairs: pairs of a hit and a miss.
        precision: sum over hits of the precision at their score; hits: number of hits. Both 0 where there is no miss.
    """

    won: Floats
    pairs: Floats
    precision: Floats
    hits: Floats


def ranked(score: Floats) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Order of the cells from the highest score down, and the places at which a new score begins."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    # Scores that differ by rounding alone are ties, whatever the order of the sums that made them.
    fresh = np.abs(np.diff(ordered)) > 1e-12 * max(float(np.abs(score).max(initial=0.0)), 1e-300)
    return order, np.concatenate([[0], np.flatnonzero(fresh) + 1])


def wins(score: Floats, hits: Floats, misses: Floats) -> Floats:
    """Pairs of a hit of one row and a miss of another in which the hit has the higher score; ties count one half.

    Areas of rows that were drawn w times each are ``w @ wins @ w``, so that their cells are sorted and summed once.

    Args:
        score: (C,) finite, one a cell.
        hits, misses: (P, C) counts of every row.

    Returns:
        (P, P): rows that hit, columns that miss.
    """
    order, starts = ranked(score)
    yes, no = (np.add.reduceat(counts[:, order], starts, axis=1) for counts in (hits, misses))
    below = no.sum(axis=1, keepdims=True) - no.cumsum(axis=1) + no / 2
    return np.asarray(yes @ below.T)


def areas(score: Floats, hits: Floats, misses: Floats) -> Areas:
    """Areas of one stratum.

    Args:
        score: (C,) finite, one a cell.
        hits, misses: (R, C) counts or weights.
    """
    order, starts = ranked(score)
    yes, no = (counts[:, order] for counts in (hits, misses))
    if len(starts) < len(order):
        yes, no = (np.add.reduceat(counts, starts, axis=1) for counts in (yes, no))
    yes_so_far, no_so_far = yes.cumsum(axis=1), no.cumsum(axis=1)
    all_yes, all_no = yes_so_far[:, -1], no_so_far[:, -1]
    won = (yes * (all_no[:, None] - no_so_far + no / 2)).sum(axis=1)
    seen = yes_so_far + no_so_far
    precision = (yes * yes_so_far / np.where(seen > 0, seen, 1.0)).sum(axis=1)
    usable = all_no > 0
    return Areas(won, all_yes * all_no, np.where(usable, precision, 0.0), np.where(usable, all_yes, 0.0))
