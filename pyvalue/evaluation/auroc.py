"""How well scores rank what happened above what did not: areas under the ROC and the precision-recall curve.

It only ranks: no curves, and no intervals, because rows of one persona go together and a caller knows how.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def auroc(score: npt.ArrayLike, label: npt.ArrayLike) -> Any:
    """Probability that a positive row has a higher score than a negative one; a tie counts one half.

    The area under the ROC curve by mid-ranks, which is the Mann-Whitney statistic over its maximum (Hanley & McNeil
    1982, Radiology 143).

    Args:
        score: (..., n) finite numbers; each vector along the last axis is ranked by itself.
        label: (n,) booleans, or numbers 0 and 1.

    Returns:
        A float for one vector, else an array (...); NaN where all labels are the same or there are none.

    Raises:
        ValueError: the shapes do not fit, a score is not finite, or a label is neither 0 nor 1.
    """
    values, positive = _checked(score, label)
    hits = int(positive.sum())
    misses = positive.size - hits
    if not hits or not misses:
        return _shaped(np.full(values.shape[:-1], np.nan))
    from scipy.stats import rankdata  # a second to import

    ranks = rankdata(values, axis=-1)
    return _shaped((ranks[..., positive].sum(axis=-1) - hits * (hits + 1) / 2) / (hits * misses))


def auprc(score: npt.ArrayLike, label: npt.ArrayLike) -> Any:
    """Average precision: the mean over positive rows of the precision among all rows with at least their score.

    The step-wise area under the precision-recall curve, without interpolation; rows with equal scores come in together.
    A constant score gives the share of positive rows.

    Args:
        score: (..., n) finite numbers; each vector along the last axis is ranked by itself.
        label: (n,) booleans, or numbers 0 and 1.

    Returns:
        A float for one vector, else an array (...); NaN where no label or every label is positive.

    Raises:
        ValueError: as ``auroc``.
    """
    values, positive = _checked(score, label)
    hits = int(positive.sum())
    if not hits or hits == positive.size:
        return _shaped(np.full(values.shape[:-1], np.nan))
    order = np.argsort(-values, axis=-1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=-1)
    found = positive[order]
    n = positive.size
    last = np.ones(ordered.shape, dtype=bool)
    last[..., :-1] = ordered[..., 1:] != ordered[..., :-1]
    # The place of the last row that ties with each row: from the right, the nearest end of a run of ties.
    end = np.where(last, np.arange(n), n)
    end = np.minimum.accumulate(end[..., ::-1], axis=-1)[..., ::-1]
    precision = np.take_along_axis(found.cumsum(axis=-1), end, axis=-1) / (end + 1)
    return _shaped((precision * found).sum(axis=-1) / hits)


def _checked(score: npt.ArrayLike, label: npt.ArrayLike) -> tuple[Floats, npt.NDArray[np.bool_]]:
    values, labels = np.asarray(score, dtype=float), np.asarray(label)
    if labels.ndim != 1 or values.ndim < 1 or values.shape[-1] != labels.shape[0]:
        raise ValueError(f"score, label: expected shapes (..., n) and (n,), got {values.shape} and {labels.shape}")
    if not np.isfinite(values).all():
        raise ValueError("score: expected finite numbers, got a missing or infinite one; leave such rows out")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("label: expected booleans or numbers 0 and 1, got others")
    return values, labels.astype(bool)


def _shaped(area: Any) -> Any:
    return float(area) if np.ndim(area) == 0 else area
