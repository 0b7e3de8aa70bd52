"""All cheap predictors together: a logistic regression on what each says, learnt on edits that none of them has seen.

Stacking (Wolpert 1992): of the training edits some are set aside in turn, the base predictors are fitted on the
others, and the weights are learnt from what happened under those set aside. The tested edit takes no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pyvalue.evaluation.predictors import Prediction, Predictor, Training
from pyvalue.evaluation.predictors_graph import GraphReach
from pyvalue.evaluation.predictors_known import (
    Correlation,
    MarginalRate,
    MarginalSize,
    NameSimilarity,
    UneditedDisagreement,
    WithinEditCorrelation,
)
from pyvalue.evaluation.predictors_learnt import ChangeRegression, ConditionalRate, change_counts

Floats = npt.NDArray[np.float64]

_BASES: tuple[Predictor, ...] = (
    MarginalRate(),
    MarginalSize(),
    UneditedDisagreement(),
    ConditionalRate(),
    ChangeRegression(),
    GraphReach("definite"),
    GraphReach("possible"),
    Correlation(),
    WithinEditCorrelation(),
    NameSimilarity(),
)


@dataclass(frozen=True)
class Stacked:
    """Logistic regression with a ridge on the standardised scores of other predictors; it has no sign.

    The weights are learnt on the training items, on which the marginal rate is surer than on others.

    Attributes:
        parts: groups of training edits that are set aside in turn.
        penalty: of the ridge, per cell of an edit.
    """

    parts: int = 5
    penalty: float = 1.0
    name: str = "stacked"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 3 training edits."""
        edits = len(train.study.edits)
        if edits < 3:
            return None
        usable = [base for base in _BASES if base.fit(train) is not None]
        order = np.random.default_rng([train.seed, 2]).permutation(edits)
        apart = ~np.eye(len(train.study.values), dtype=bool)
        hits, misses = change_counts(train)
        tables, yes, no = [], [], []
        for part in np.array_split(order, min(self.parts, edits)):
            others = sorted(set(range(edits)) - set(part.tolist()))
            table = features(usable, replace(train, study=train.study.only(edits=others), before=train.study.rest))[
                apart
            ]
            tables.append(table)
            yes.append(hits[part].sum(axis=0)[apart])
            no.append(misses[part].sum(axis=0)[apart])
        weights = logistic(np.concatenate(tables), np.concatenate(yes), np.concatenate(no), self.penalty)
        return Prediction(train.study.values, features(usable, train) @ weights[1:] + weights[0])


def features(bases: Sequence[Predictor], train: Training) -> Floats:
    """(V, V, K) scores of the bases, each with mean 0 and standard deviation 1 over the pairs; 0 where it has none."""
    apart = ~np.eye(len(train.study.values), dtype=bool)
    columns = []
    for base in bases:
        made = base.fit(train)
        score = np.zeros(apart.shape) if made is None else made.scores()
        spread = score[apart].std()
        columns.append((score - score[apart].mean()) / spread if spread > 1e-12 else np.zeros_like(score))
    return np.stack(columns, axis=-1)


def logistic(x: Floats, yes: Floats, no: Floats, penalty: float, steps: int = 50) -> Floats:
    """Weights (1 + K,), the first without a penalty, of a logistic regression with counts, by Newton's steps.

    Minimises the negative log likelihood plus ``penalty / 2`` times the squared weights.
    """
    wide = np.column_stack([np.ones(len(x)), x])
    ridge = np.full(wide.shape[1], penalty)
    ridge[0] = 1e-9
    n = yes + no
    share = (yes.sum() + 0.5) / (n.sum() + 1)
    weights = np.zeros(wide.shape[1])
    weights[0] = np.log(share / (1 - share))
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(wide @ weights, -30, 30)))
        slope = wide.T @ (yes - n * p) - ridge * weights
        bend = (wide * (n * p * (1 - p))[:, None]).T @ wide + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        weights = weights + step / max(1.0, float(np.abs(step).max()) / 5)
        if np.abs(step).max() < 1e-8:
            break
    return weights
