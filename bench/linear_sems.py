"""Random linear models with known effects, rows drawn from them, and how often the intervals of effects hold these."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.cpdag import cpdag_of_dag
from pyvalue.discovery import discover
from pyvalue.effects.refitted_effects import refitted_effects
from pyvalue.effects.total_effects import EffectsWarning, estimate_effects
from pyvalue.effects.valid_parents import joint_parent_sets
from pyvalue.graph import DiscoverySettings, ValueGraph


@dataclass(frozen=True)
class LinearModel:
    """x = B'x + noise over d values: ``weights[i, j]`` is the direct effect of i on j; ``noise`` (d,) variances."""

    weights: np.ndarray
    noise: np.ndarray

    @property
    def dag(self) -> np.ndarray:
        return self.weights != 0

    def total(self) -> np.ndarray:
        """(d, d) true total effects, 1 on the diagonal."""
        return np.linalg.inv(np.eye(len(self.weights)) - self.weights)

    def covariance(self) -> np.ndarray:
        """(d, d) of the population."""
        total = self.total()
        return total.T @ np.diag(self.noise) @ total

    def graph(self) -> ValueGraph:
        """The true CPDAG."""
        return graph_of_marks(cpdag_of_dag(self.dag))

    def rows(self, rng: np.random.Generator, n: int, personas: int | None = None) -> pd.DataFrame:
        """n rows; with personas, half of the noise's variance is that of the persona, and sizes differ by fourfold."""
        noise = rng.standard_normal((n, len(self.noise)))
        names = [f"v{k}" for k in range(len(self.noise))]
        if personas is None:
            return pd.DataFrame(noise * np.sqrt(self.noise) @ self.total(), columns=names)
        share = rng.uniform(1, 4, personas)
        persona = np.sort(np.append(np.arange(personas), rng.choice(personas, n - personas, p=share / share.sum())))
        shared = rng.standard_normal((personas, len(self.noise)))[persona]
        x = (noise + shared) * np.sqrt(self.noise / 2) @ self.total()
        return pd.DataFrame(x, columns=names, index=pd.Index([f"p{k}" for k in persona], name="persona"))

    def edited_rows(self, rng: np.random.Generator, personas: int, edits: int, hits: int, shift: float) -> pd.DataFrame:
        """Rows (edit, persona): every persona without and under each edit, which shifts ``hits`` values by ±shift."""
        d = len(self.noise)
        shared = rng.standard_normal((personas, d))
        parts = {}
        for edit in range(edits + 1):
            moved = np.zeros(d)
            if edit:
                moved[rng.choice(d, hits, replace=False)] = shift * rng.choice([-1, 1], hits)
            noise = (rng.standard_normal((personas, d)) + shared) * np.sqrt(self.noise / 2)
            names = [f"v{k}" for k in range(d)]
            parts[f"f{edit}" if edit else ""] = pd.DataFrame((noise + moved) @ self.total(), columns=names)
        return pd.concat(parts, names=["edit", "persona"])


def graph_of_marks(marks: np.ndarray) -> ValueGraph:
    return ValueGraph(tuple(f"v{k}" for k in range(len(marks))), marks, DiscoverySettings(alpha=0.05, n=100))


def random_model(rng: np.random.Generator, d: int, degree: float = 2.5) -> LinearModel:
    """A random order, each pair joined so that a value has ``degree`` neighbours on average, weights ±[0.3, 1]."""
    order = rng.permutation(d)
    joined = np.triu(rng.random((d, d)) < degree / (d - 1), 1)
    weights = joined * rng.uniform(0.3, 1.0, (d, d)) * rng.choice([-1, 1], (d, d))
    return LinearModel(weights[np.ix_(order, order)], rng.uniform(0.5, 1.5, d))


def coverage(
    simulations: int,
    n: int,
    d: int,
    personas: int | None = None,
    seed: int = 0,
    resamples: int = 300,
    edited: tuple[int, int, float] | None = None,
    **options: Any,
) -> dict[str, float]:
    """Share of 95% intervals that hold the true effect, of pairs of which one can follow from the other.

    Args:
        edited: edits, values that each shifts, and by how much; then every persona is there without and under each
            edit, and ``n`` is not looked at.

    Returns:
        "identified": of effects with a single valid set of parents; "several": of the others; each with its Monte-Carlo
        standard error over simulations ("... error") and the number of effects ("... effects"); "width", their mean.
    """
    held: dict[str, list[tuple[int, int]]] = {"identified": [], "several": []}
    widths: list[float] = []
    for number in range(simulations):
        rng = np.random.default_rng([seed, number])
        model = random_model(rng, d)
        graph = model.graph()
        rows = model.rows(rng, n, personas) if edited is None else model.edited_rows(rng, personas or 60, *edited)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EffectsWarning)  # that edits are pooled
            effects = estimate_effects(graph, rows, resamples=resamples, seed=number, **options)
        truth = model.total()
        inside = (effects.low <= truth + 1e-12) & (truth - 1e-12 <= effects.high)
        asked = np.isin(effects.relations(), ["definite", "possible"])
        widths += (effects.high - effects.low)[asked].tolist()
        sets = np.array([effects.facts["sets"][name] for name in effects.names])[:, None]
        for kind, of_kind in (("identified", asked & (sets == 1)), ("several", asked & (sets > 1))):
            held[kind].append((int(inside[of_kind].sum()), int(of_kind.sum())))
    found: dict[str, float] = {"width": float(np.mean(widths))}
    for kind, counts in held.items():
        share, spread, total = _share(counts)
        found |= {kind: share, f"{kind} error": spread, f"{kind} effects": total}
    return found


def coverage_of_learnt_graphs(simulations: int, n: int, d: int, seed: int = 0, halves: int = 60) -> dict[str, float]:
    """Share of intervals that hold a true effect other than 0, where PC learns the graph from the same rows.

    Returns:
        "fixed": of the intervals that take the graph for granted; "learnt again": of those over graphs from halves;
        "sound": share of all graphs that some DAG agrees with.
    """
    held: dict[str, list[bool]] = {"fixed": [], "learnt again": []}
    sound = []
    for number in range(simulations):
        rng = np.random.default_rng([seed, number])
        model = random_model(rng, d)
        rows = model.rows(rng, n)
        graph, truth = discover(rows, test="fisherz"), model.total()
        asked = (truth != 0) & ~np.eye(d, dtype=bool)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EffectsWarning)
            fixed = estimate_effects(graph, rows, resamples=200)
        again = refitted_effects(graph, rows, halves=halves)
        for kind, found in (("fixed", fixed), ("learnt again", again)):
            inside = (found.low <= truth + 1e-12) & (truth - 1e-12 <= found.high)
            held[kind] += inside[asked & np.isfinite(found.low)].tolist()
        sound.append(again.sound)
    return {kind: float(np.mean(hits)) for kind, hits in held.items()} | {"sound": float(np.mean(sound))}


def joint_coverage(
    simulations: int, n: int, d: int, known: bool = False, seed: int = 0, resamples: int = 200
) -> dict[str, float]:
    """Share of intervals of ``predict`` for two values changed together that hold what the model does.

    Args:
        known: every direction is known, so that each effect has one combination of parents; else the true CPDAG.

    Returns:
        "coverage", over values that one of the changed ones can reach past the other; "error", its Monte-Carlo standard
        error over simulations; and "effects", their number.
    """
    held: list[tuple[int, int]] = []
    for number in range(simulations):
        rng = np.random.default_rng([seed, number])
        model = random_model(rng, d)
        directed = np.where(model.dag, -1, 0) + np.where(model.dag.T, 1, 0)
        graph = graph_of_marks(directed.astype(np.int8)) if known else model.graph()
        causes = rng.choice(d, 2, replace=False)
        amounts = rng.uniform(-1, 1, 2)
        cut = model.weights.copy()
        cut[:, causes] = 0
        truth = amounts @ np.linalg.inv(np.eye(d) - cut)[causes]
        effects = estimate_effects(graph, model.rows(rng, n), resamples=resamples, seed=number)
        found = effects.predict({effects.names[k]: x for k, x in zip(causes, amounts, strict=True)})
        low, high = found["low"].to_numpy(), found["high"].to_numpy()
        inside = (low <= truth + 1e-12) & (truth - 1e-12 <= high)
        sets = joint_parent_sets(graph.marks, causes.tolist())
        asked = np.any([one.past_others.any(axis=0) for one in sets], axis=0) & ~np.isin(np.arange(d), causes)
        held.append((int(inside[asked].sum()), int(asked.sum())))
    share, spread, total = _share(held)
    return {"coverage": share, "error": spread, "effects": total}


def _share(counts: list[tuple[int, int]]) -> tuple[float, float, float]:
    """Share of hits over simulations whose effects have one sample in common, its standard error, and all effects."""
    good, total = np.array(counts).T
    share = good.sum() / total.sum()
    return float(share), float(np.sqrt(((good - share * total) ** 2).sum()) / total.sum()), float(total.sum())
