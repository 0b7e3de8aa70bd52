"""The mean score of every persona on every value, made comparable where personas left out different questions.

A plain mean of the answers that happen to be valid confounds persons with questions: who skips the hard questions of a
value seems to hold it more. Works on arrays of codes; knows nothing of models.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ValueMeans:
    """Means by row (a persona under an edit) and value.

    Attributes:
        mean: (rows, values), NaN where nothing was answered.
        share: of the questions asked of a row that it answered, (rows, values); NaN where nothing was asked.
        adjusted: where ``mean`` was corrected for which questions were answered, (rows, values).
    """

    mean: Floats
    share: Floats
    adjusted: npt.NDArray[np.bool_]


def value_means(scores: Floats, row: Codes, value: Codes, cell: Codes, block: Codes) -> ValueMeans:
    """Means of the answers, corrected for unanswered questions.

    Within a block and value, scores are taken as row effect + question effect + noise, fitted by least squares
    (a two-way layout with empty cells: Searle 1987, "Linear Models for Unbalanced Data", chapter 4). A row that
    answered all of its questions keeps its plain mean. Another's is lessened by the mean effect of the questions that
    it answered, so that it stands for all questions that the rows have in common, directly or through other rows.

    Args:
        scores: (n,), NaN where not answered; one entry a question asked.
        row: code of the persona and edit, (n,), 0, 1, ... without gaps.
        value: code of the value, (n,), without gaps.
        cell: code of the question: item, wording, order and repeat, (n,).
        block: code of the edit, (rows,): rows are compared within a block alone.
    """
    rows, values = len(block), int(value.max(initial=-1)) + 1
    place = row * values + value
    known = np.isfinite(scores)
    asked = np.bincount(place, minlength=rows * values).astype(float)
    answered = np.bincount(place[known], minlength=rows * values).astype(float)
    mean = np.full(rows * values, np.nan)
    plain = pd.Series(scores[known]).groupby(place[known]).mean()  # compensated sums, unlike those of bincount
    mean[plain.index.to_numpy()] = plain.to_numpy()
    share = np.divide(answered, asked, out=np.full_like(asked, np.nan), where=asked > 0)
    adjusted = np.zeros(rows * values, dtype=bool)
    uneven = np.zeros((int(block.max(initial=-1)) + 1, values), dtype=bool)
    # A block needs no correction where each of its rows answered all that any of them was asked.
    partial = np.flatnonzero((answered < asked) & (answered > 0))
    uneven[block[partial // values], partial % values] = True
    group = block[row] * values + value
    taken = np.flatnonzero(known & uneven.ravel()[group])
    taken = taken[np.argsort(group[taken], kind="stable")]
    for part in np.split(taken, np.flatnonzero(np.diff(group[taken])) + 1) if len(taken) else []:
        places, effect = _question_effects(scores[part], place[part], cell[part])
        short = answered[places] < asked[places]
        mean[places[short]] -= effect[short]
        adjusted[places[short]] = True
    shape = (rows, values)
    return ValueMeans(mean.reshape(shape), share.reshape(shape), adjusted.reshape(shape))


def _question_effects(scores: Floats, place: Codes, cell: Codes) -> tuple[Codes, Floats]:
    """The rows of one block and value, and the mean effect of the questions that each answered."""
    places, i = np.unique(place, return_inverse=True)
    cells, j = np.unique(cell, return_inverse=True)
    known = np.zeros((len(places), len(cells)))
    known[i, j] = 1.0
    filled = np.zeros_like(known)
    filled[i, j] = scores
    count = known.sum(axis=1)
    residual = known * (filled - (filled.sum(axis=1) / count)[:, None])
    # Normal equations of the questions after the rows are swept out. The pseudoinverse gives effects of sum 0 in every
    # set of questions that rows connect, so sets without a row in common are not compared.
    normal = np.diag(known.sum(axis=0)) - known.T @ (known / count[:, None])
    effects = np.linalg.pinv(normal, rcond=1e-10, hermitian=True) @ residual.sum(axis=0)
    return places, known @ effects / count


def below_share(share: Floats, least: float) -> npt.NDArray[np.bool_]:
    """Where fewer than a share of the questions were answered, but some.

    Raises:
        ValueError: ``least`` is outside of [0, 1].
    """
    if isinstance(least, bool) or not isinstance(least, int | float) or math.isnan(least) or not 0 <= least <= 1:
        raise ValueError(f"min_share: expected a number between 0 and 1, got {least!r}")
    below: npt.NDArray[np.bool_] = (share > 0) & (share < least)
    return below
