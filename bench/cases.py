"""Data of the discovery benches, and how far a graph is from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pyvalue.cpdag import cpdag_of_dag

PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
KEPT_FEATURES = (14351, 1025, 2965, 10096, 1341, 1975, 10605, 14049, 1312, 4752)
ALPHA = 0.05

Marks = NDArray[np.int8]


@dataclass(frozen=True)
class Case:
    """A table (n, d), and the CPDAG that made it where it is known."""

    name: str
    x: NDArray[np.float64]
    truth: Marks | None = None


@lru_cache
def paper() -> Case:
    """The published responses: 1,111 rows of 17 values. Skips where they are not beside the checkout."""
    if not PAPER.is_dir():
        pytest.skip("the paper's files lie beside the checkout, not in it")
    import pandas as pd

    table = pd.read_csv(PAPER / "ans_gemma_train_formal.csv")
    values = [name for name in table.columns[2:] if ":" not in name and name not in ("stds", "scstds")]
    rows = table.steer_dim.isna() | table.steer_dim.isin(KEPT_FEATURES)
    return Case("paper, 1,111 x 17", np.ascontiguousarray(table.loc[rows, values].to_numpy(dtype=float)))


@lru_cache
def linear(n: int, d: int, degree: float = 4.0, seed: int = 0) -> Case:
    """Linear Gaussian data on a random DAG, weights ±U(.3, 1), unit noise."""
    rng = np.random.default_rng(seed)
    parents = np.tril(rng.random((d, d)) < degree / (d - 1), -1)
    weights = parents * rng.uniform(0.3, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    x = rng.standard_normal((n, d)) @ np.linalg.inv(np.eye(d) - weights).T
    return Case(f"{n:,} x {d}, mean degree {degree:g}", np.ascontiguousarray(x), cpdag_of_dag(parents.T))


@lru_cache
def categories(n: int = 10_000, d: int = 17, levels: int = 5, seed: int = 0) -> Case:
    """Columns of a few categories: each follows its parents in some rows and is drawn at random in the others."""
    rng = np.random.default_rng(seed)
    parents = np.tril(rng.random((d, d)) < 3 / (d - 1), -1)
    codes = rng.integers(0, levels, (n, d))
    for j in range(d):
        for i in np.flatnonzero(parents[j]):
            follows = rng.random(n) < 0.25
            codes[follows, j] = (codes[follows, i] + j) % levels
    return Case(f"chi-squared, {n:,} x {d}, {levels} levels", codes.astype(float), cpdag_of_dag(parents.T))


def accuracy(marks: Marks, truth: Marks | None) -> dict[str, float]:
    """Adjacency F1, and the number of pairs whose edge differs from the truth's."""
    if truth is None:
        return {}
    upper = np.triu_indices(len(truth), 1)
    found, true = (marks != 0)[upper], (truth != 0)[upper]
    different = (marks != truth)[upper] | (marks.T != truth.T)[upper]
    return {"adjacency_f1": float(2 * (found & true).sum() / (found.sum() + true.sum())), "shd": int(different.sum())}
