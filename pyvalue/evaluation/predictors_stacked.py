"""All cheap predictors together: a logistic regression on what each says, learnt on edits that none of them has seen.

Stacking (Wolpert 1992): of the training edits some are set aside in turn, the base predictors are fitted on the
others, and the weights are learnt from what happened under those set aside. The tested edit takes no part in it.

No weight is negative (Breiman 1996, "Stacked regressions", Machine Learning 24): every score is larger where a change
is likelier. Where a study moves every value equally often, a value that moved under the other edits is less likely to
move under the one left out; a negative weight would learn that design, which says nothing of side effects.
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
    WithinEditCorrelation,
)
from pyvalue.evaluation.predictors_learnt import ChangeRegression, ConditionalRate, change_counts

Floats = npt.NDArray[np.float64]

_BASES: tuple[Predictor, ...] = (
    MarginalRate(),
    MarginalSize(),
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
    """Logistic regression with a ridge and without negative weights on the standardised scores of others. No sign.

    The weights are learnt on the training items, on which the marginal rate is surer than on others.

    Attributes:
        bases: predictors that take part; none of them knows the tested items.
        parts: groups of training edits that are set aside in turn.
        penalty: of the ridge, per cell of an edit.
    """

    bases: tuple[Predictor, ...] = _BASES
    parts: int = 5
    penalty: float = 1.0
    name: str = "stacked"

    def fit(self, train: Training) -> Prediction | None:
        """None with fewer than 3 training edits."""
        edits = len(train.study.edits)
        if edits < 3:
            return None
        fitted = [(base, base.fit(train)) for base in self.bases]
        usable = [base for base, made in fitted if made is not None]
        if not usable:
            return None
        order = np.random.default_rng([train.seed, 2]).permutation(edits)
        apart = ~np.eye(len(train.study.values), dtype=bool)
        hits, misses = change_counts(train)
        tables, yes, no = [], [], []
        for part in np.array_split(order, min(self.parts, edits)):
            others = sorted(set(range(edits)) - set(part.tolist()))
            nested = replace(train, study=train.study.only(edits=others), before=None, items=None)
            tables.append(features([base.fit(nested) for base in usable], nested)[apart])
            yes.append(hits[part].sum(axis=0)[apart])
            no.append(misses[part].sum(axis=0)[apart])
        weights = logistic(np.concatenate(tables), np.concatenate(yes), np.concatenate(no), self.penalty)
        table = features([made for _, made in fitted if made is not None], train)
        return Prediction(train.study.values, table @ weights[1:] + weights[0])


def features(fitted: Sequence[Prediction | None], train: Training) -> Floats:
    """(V, V, K) scores of the bases, each with mean 0 and standard deviation 1 over the pairs; 0 where it has none."""
    apart = ~np.eye(len(train.study.values), dtype=bool)
    columns = []
    for made in fitted:
        score = np.zeros(apart.shape) if made is None else made.scores()
        spread = score[apart].std()
        columns.append((score - score[apart].mean()) / spread if spread > 1e-12 else np.zeros_like(score))
    return np.stack(columns, axis=-1)


def logistic(x: Floats, yes: Floats, no: Floats, penalty: float) -> Floats:
    """Weights (1 + K,) of a logistic regression with counts; the first has no penalty, the others are not negative.

    Minimises the negative log likelihood plus ``penalty / 2`` times the squared weights.
    """
    from scipy.optimize import minimize

    wide = np.column_stack([np.ones(len(x)), x])
    n = yes + no
    share = (yes.sum() + 0.5) / (n.sum() + 1)
    ridge = np.full(wide.shape[1], penalty)
    ridge[0] = 0.0
    scale = max(float(n.sum()), 1.0)  # so that tolerances are of the mean

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = wide @ weights
        value = float(n @ np.logaddexp(0.0, z) - yes @ z + (ridge * weights**2).sum() / 2)
        slope = wide.T @ (n / (1 + np.exp(-np.clip(z, -500, 500))) - yes) + ridge * weights
        return value / scale, slope / scale

    start = np.zeros(wide.shape[1])
    start[0] = np.log(share / (1 - share))
    bounds = [(None, None), *[(0.0, None)] * x.shape[1]]
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, dtype=float)
