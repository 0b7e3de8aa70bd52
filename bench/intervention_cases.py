"""Studies with a known truth: personas asked without an edit and under edits that shift one or two values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Study:
    """Rows (edit, persona) by values, and what made them.

    Attributes:
        rows: as ``pyvalue.wide_scores.score_rows`` gives.
        dag: (d, d), ``dag[i, j]`` for i → j.
        hits: (e, d) whether each edit shifts each value directly.
        more: (e + 1) · n rows of as many personas without an edit: what observation alone could have had.
    """

    rows: pd.DataFrame
    dag: NDArray[np.bool_]
    hits: NDArray[np.bool_]
    more: pd.DataFrame


def study(
    seed: int,
    *,
    personas: int = 100,
    edits: int = 8,
    values: int = 8,
    degree: float = 2.5,
    shift: float = 0.5,
    noise: float = 0.0,
    items: int = 0,
    factor: float = 0.0,
    item_error: float = 0.0,
) -> Study:
    """A linear model on a random DAG, weights ±U(.4, .9). Half of each value's own variance of 1 is the persona's.

    Args:
        degree: mean number of edges at a value.
        shift: of a hit value, in standard deviations of its own part; the sign is random.
        noise: standard deviation of an error of measurement that is added to every score.
        factor: standard deviation of a trait of personas that acts on every value alike, such as saying yes.
        item_error: of what a persona always answers to a value's items and that is not of the value.
        items: answers -1, 0 or 1 that a score is the mean of; 0 for scores without steps.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(values)
    parents = np.tril(rng.random((values, values)) < degree / (values - 1), -1)
    weights = (parents * rng.uniform(0.4, 0.9, parents.shape) * rng.choice([-1, 1], parents.shape))[
        np.ix_(order, order)
    ]
    mixing = np.linalg.inv(np.eye(values) - weights).T
    hits = np.zeros((edits, values), dtype=bool)
    moved = np.zeros((edits + 1, values))
    for edit in range(edits):
        targets = rng.choice(values, rng.integers(1, 3), replace=False)
        hits[edit, targets] = True
        moved[edit + 1, targets] = shift * rng.choice([-1, 1], len(targets))
    half = np.sqrt(0.5)
    persona = half * rng.standard_normal((personas, values))
    own = half * rng.standard_normal((edits + 1, personas, values))
    if factor:
        persona = persona + factor * rng.standard_normal((personas, 1))
    scores = (persona + own + moved[:, None]) @ mixing
    more = rng.standard_normal(((edits + 1) * personas, values)) @ mixing
    scores, more = (_measured(x, scores[0].std(axis=0), noise, items, rng) for x in (scores, more))
    if item_error:
        scores = scores + item_error * rng.standard_normal((personas, values))
    names = [f"v{i}" for i in range(values)]
    index = pd.MultiIndex.from_product(
        [["", *(f"e{i}" for i in range(edits))], [f"p{i}" for i in range(personas)]], names=["edit", "persona"]
    )
    rows = pd.DataFrame(scores.reshape(-1, values), index=index, columns=names)
    return Study(rows, (weights != 0).T, hits, pd.DataFrame(more, columns=names))


def _measured(
    x: NDArray[np.float64], scale: NDArray[np.float64], noise: float, items: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    if items:
        answers = (
            x / scale + rng.standard_normal((items, *x.shape)) + np.linspace(-1, 1, items).reshape(-1, *[1] * x.ndim)
        )
        x = (np.sign(answers) * (np.abs(answers) > 0.3)).mean(axis=0)
    return x + noise * rng.standard_normal(x.shape)
