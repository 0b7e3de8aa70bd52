"""The cells that predictions are judged on: one stratum an edit and split, within which scores are compared.

Scores of one fit are never compared with those of another: a predictor must tell which values move more than others
under the same edit. Leaving an edit out makes the marginal rate low exactly where that edit moves much, so a
comparison across edits would be biased against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.detectable_change import moved
from pyvalue.evaluation.held_out import Fold
from pyvalue.evaluation.predictors import Prediction

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stratum:
    """One tested edit in one split.

    Attributes:
        edit: its label.
        fold: number of the split.
        personas: places, among all tested personas, of the rows of ``change``.
        change: (P, V) measured changes.
        target: place of the value that the edit is said to move; -1 where it moves none.
        known: change of the target that predictors are told.
        noise: (V,) standard error that the mean change is expected to have, by the training rows.
        predictions: one a predictor; None where it could not be fitted. Where there is one for each part of the
            personas, this is their mean.
        parts: (P,) part that each row is of.
        by_part: for every predictor, scores (parts, V, V) of rows where they differ between parts, else None.
    """

    edit: str
    fold: int
    personas: npt.NDArray[np.int_] = field(repr=False)
    change: Floats = field(repr=False)
    target: int
    known: float
    noise: Floats = field(repr=False)
    predictions: tuple[Prediction | None, ...] = field(repr=False)
    parts: npt.NDArray[np.int_] = field(repr=False)
    by_part: tuple[Floats | None, ...] = field(repr=False)

    def only(self, predictors: Sequence[int]) -> Stratum:
        """Some predictors, by place."""
        return replace(
            self,
            predictions=tuple(self.predictions[k] for k in predictors),
            by_part=tuple(self.by_part[k] for k in predictors),
        )

    def row_counts(self, threshold: float) -> tuple[Floats, Floats]:
        """(P, V V) flags: i changed and j did; i changed and j, which is known, did not. 0 where i is j."""
        known = np.isfinite(self.change)
        changed = known & (np.abs(self.change) > threshold)
        pairs = changed[:, :, None] & ~np.eye(self.change.shape[1], dtype=bool)
        hits = pairs & changed[:, None, :]
        misses = pairs & (known & ~changed)[:, None, :]
        return hits.reshape(len(hits), -1).astype(float), misses.reshape(len(misses), -1).astype(float)

    def row_signs(self, threshold: float) -> tuple[Floats, Floats]:
        """(P, V V) of the rows in which both changed: sign of Δi Δj, and sign of Δj; 0 elsewhere."""
        hits, _ = self.row_counts(threshold)
        sign = np.sign(np.nan_to_num(self.change))
        product = (sign[:, :, None] * sign[:, None, :]).reshape(hits.shape)
        return hits * product, hits * np.repeat(sign[:, None, :], sign.shape[1], axis=1).reshape(hits.shape)

    def edit_outcomes(self, weights: Floats, confidence: float) -> tuple[Floats, Floats]:
        """(R, V) whether the mean change is detectable (NaN: unknown, or the target), and the mean change.

        Args:
            weights: (R, personas of all strata), how often each was drawn.
            confidence: of the minimal detectable effect; Bonferroni over the values other than the target.
        """
        above, mean = moved(self.change, weights[:, self.personas], confidence, max(self.change.shape[1] - 1, 1))
        if self.target >= 0:
            above[:, self.target] = np.nan
        else:
            above[:] = np.nan
        return above, mean


def strata_of(
    fold: Fold,
    number: int,
    personas: Sequence[str],
    noise: Floats,
    made: Sequence[Sequence[Prediction | None]],
    targets: dict[str, str] | None,
) -> list[Stratum]:
    """The strata of one split.

    Args:
        fold: the split.
        number: its place among the splits.
        personas: all tested ones.
        noise: (V,) see ``Stratum``.
        made: for every predictor one prediction, or one for each of ``fold.items``.
        targets: edit -> value.
    """
    predictions = tuple(mean_prediction(own) for own in made)
    tables = tuple(
        np.stack([own.scores() for own in parts if own is not None]) if one is not None and len(parts) > 1 else None
        for one, parts in zip(predictions, made, strict=True)
    )
    part = np.zeros(len(fold.test.personas), dtype=int)
    for k, answers in enumerate(fold.items):
        part[list(answers.personas)] = k
    place = {name: i for i, name in enumerate(personas)}
    where = np.array([place[name] for name in fold.test.personas])
    found = []
    for edit, change, known in zip(fold.test.edits, fold.test.change, fold.known, strict=True):
        target = _target(edit, known, fold.test.values, targets)
        rows = np.isfinite(change).any(axis=1)
        if not rows.any():
            continue
        moved_by = float(known[target]) if target >= 0 else np.nan
        found.append(
            Stratum(edit, number, where[rows], change[rows], target, moved_by, noise, predictions, part[rows], tables)
        )
    return found


def mean_prediction(made: Sequence[Prediction | None]) -> Prediction | None:
    """One prediction for all personas; None where one of them could not be made."""
    known = [one for one in made if one is not None]
    if len(known) < len(made) or not known:
        return None
    if len(known) == 1:
        return known[0]
    return Prediction(known[0].values, np.mean([one.scores() for one in known], axis=0))


def _target(edit: str, known: Floats, values: Sequence[str], targets: dict[str, str] | None) -> int:
    if targets is not None and edit in targets:
        at = list(values).index(targets[edit])
        return at if np.isfinite(known[at]) and known[at] != 0 else -1
    size = np.nan_to_num(np.abs(known))
    return int(size.argmax()) if size.max() > 0 else -1
