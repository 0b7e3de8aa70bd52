"""Made-up studies whose effects of edits are known, for the tests of the prediction benchmark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pyvalue.graph import DiscoverySettings, ValueGraph
from pyvalue.responses import Responses, make_table


def graph_of(dag: np.ndarray, names: list[str]) -> ValueGraph:
    """A graph with exactly these arrows."""
    marks = np.zeros(dag.shape, dtype=np.int8)
    marks[dag | dag.T] = -1
    marks[dag.T] = 1
    return ValueGraph(tuple(names), marks, DiscoverySettings(0.05, 100))


def pairs_dag(values: int) -> np.ndarray:
    """0 -> 1, 2 -> 3, ...: every value is in one pair."""
    dag = np.zeros((values, values), dtype=bool)
    dag[np.arange(0, values - 1, 2), np.arange(1, values, 2)] = True
    return dag


def linear_study(
    dag: np.ndarray, edits: int, personas: int, seed: int, *, weight: float = 0.9, size: float = 1.0, noise: float = 0.3
) -> pd.DataFrame:
    """Rows (edit, persona) of a linear model: an edit moves one cause, everything below it follows.

    Unedited scores are draws of the model; under an edit they are answered again with noise of their own.
    """
    rng = np.random.default_rng(seed)
    values = len(dag)
    total = np.linalg.inv(np.eye(values) - weight * dag)  # row: shock, column: what it adds up to
    before = rng.normal(size=(personas, values)) @ total
    causes = np.flatnonzero(dag.any(axis=1))
    tables = {"": before}
    for e in range(edits):
        shock = np.zeros(values)
        shock[causes[e % len(causes)]] = size * rng.choice([-1, 1]) * rng.uniform(0.7, 1.3)
        tables[f"e{e:02d}"] = before + shock @ total + noise * rng.normal(size=(personas, values))
    index = pd.MultiIndex.from_product(
        [list(tables), [f"p{i:03d}" for i in range(personas)]], names=["edit", "persona"]
    )
    return pd.DataFrame(np.concatenate(list(tables.values())), index=index, columns=[f"v{i}" for i in range(values)])


def balanced_null(values: int, personas: int, seed: int) -> pd.DataFrame:
    """Every value is moved once as a target and once as a side effect, which is drawn at random: nothing can be told.

    What moved under the other edits does not move under the one left out, so a rate of the others is worse than chance.
    """
    rng = np.random.default_rng(seed)
    before = np.round(2 * rng.normal(size=(personas, values))) / 2
    tables = [before]
    for target, side in zip(rng.permutation(values), rng.permutation(values), strict=True):
        shift = np.zeros(values)
        shift[target] += 1.5 * rng.choice([-1, 1])
        shift[side] += rng.choice([-1, 1])
        taken = rng.random(before.shape) < 0.8
        tables.append(before + shift * taken + 0.5 * np.round(0.6 * rng.normal(size=before.shape)))
    labels = ["", *(f"e{i:02d}" for i in range(values))]
    index = pd.MultiIndex.from_product([labels, [f"p{i:02d}" for i in range(personas)]], names=["edit", "persona"])
    return pd.DataFrame(np.concatenate(tables), index=index, columns=[f"v{i}" for i in range(values)])


def answered(rows: pd.DataFrame, items: int, seed: int, spread: float = 0.5) -> Responses:
    """Answers to so many items a value, half of them keyed against it, whose probabilities follow the scores."""
    rng = np.random.default_rng(seed)
    names = list(rows.columns)
    shift = spread * rng.normal(size=(len(names), items))
    records = []
    for (edit, persona), row in zip(rows.index, rows.to_numpy(), strict=True):
        for v, name in enumerate(names):
            for k in range(items):
                keying = 1 if k % 2 == 0 else -1
                logit = keying * (row[v] + shift[v, k]) + 0.1 * rng.normal()
                records.append((edit, persona, f"{name}-{k}", name, keying, 1 / (1 + np.exp(-logit))))
    table = pd.DataFrame(records, columns=["edit", "persona", "item", "value", "keying", "p_yes"])
    p = table["p_yes"].to_numpy()
    return Responses(
        make_table(
            {
                **{name: table[name].to_numpy() for name in ("edit", "persona", "item", "value", "keying", "p_yes")},
                "model": "made up", "kind": "keyed", "text": table["item"].to_numpy(), "mass": 1.0,
                "status": np.where(p >= 0.5, "yes", "no"), "score": table["keying"].to_numpy() * (2 * p - 1),
            }
        )
    )  # fmt: skip
