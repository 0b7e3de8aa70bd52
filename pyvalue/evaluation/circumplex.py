"""Do the values of a model, or of people, hang together as Schwartz' circle says?

Puts the parts together: the order of correlations, the sinusoids, the map, and circle against simple structure. It asks
how values go together over personas; which of them matter most is ``priorities``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.evaluation.circumplex_moments import Floats, PersonaMoments, bootstrap_counts, persona_moments
from pyvalue.evaluation.circumplex_order import OrderFit, falls, order_fit, order_statistics
from pyvalue.evaluation.circumplex_rows import CircleRows, circle_rows
from pyvalue.evaluation.circumplex_structure import structure_tests
from pyvalue.evaluation.scaling import Level, Scaling, procrustes_fit, scale, smacof
from pyvalue.evaluation.sinusoid import profile_table, profiles_of
from pyvalue.responses import Score
from pyvalue.schwartz_circle import Layout, angle, basic_value, circle_order, circular_distance, position

#: resamples whose map is made; a map takes much longer than the rest
MAPPED_RESAMPLES = 200
#: the first two are linear in the correlations, the others say how good a fit is
QUANTITIES = (
    "fall of r across the circle",
    "amplitude at own place",
    "correlation with closeness",
    "correspondence index",
    "mean sinusoid R²",
    "fit of the map",
)
_LOWEST = np.array([-np.inf, -np.inf, -1.0, -1.0, 0.0, 0.0])
_HIGHEST = np.array([np.inf, np.inf, 1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Circumplex:
    """How well correlations between basic values fit the circle.

    Attributes:
        names: the d basic values that were used, in the order of the circle.
        angles: (d,) their angles in the theory, degrees.
        correlation: (d, d).
        order: whether correlations fall with distance; see ``circumplex_order``.
        profiles: the sinusoid of every value; None with fewer than 4. See ``sinusoid.profile_table``.
        scaling: the map; None with fewer than 4. See ``scaling``.
        tests: circle against simple structure; None with fewer than 4 or where the number of rows is unknown.
        intervals: one row a quantity of ``QUANTITIES``: ``quantity, estimate, low, high``; see Intervals.
        left_out: column -> why it was not used.
        notes: what could not be computed, and why.
        facts: personas, rows, layout, score, seed and the like.

    Intervals are from resamples of whole personas. "fall of r across the circle" (how much higher the slope of r on
    distance puts a value's twin than its opposite) and "amplitude at own place" (mean over values of the height of
    their sinusoid, at the value's own angle, above its mean) are linear in the correlations and have percentile
    intervals. The others measure fit: noise lowers a good one in the sample and once more in a resample. They have
    basic intervals (twice the estimate less the quantiles), which undo this once. In 200 simulations each of a perfect
    circle, 95% intervals of the three without a map held 94-100% of the time with 200 personas; with 50 and noise of
    twice the signal's spread 47-75%, with 100 and three times 11-38%. Where personas are few or noisy, go by
    the p-values. The map starts from the theory, and fits it by .3 to .85 in pure noise: never read its fit without p.
    """

    names: tuple[str, ...]
    angles: Floats = field(repr=False)
    correlation: Floats = field(repr=False)
    order: OrderFit
    profiles: pd.DataFrame | None = field(repr=False)
    scaling: Scaling | None = field(repr=False)
    tests: pd.DataFrame | None = field(repr=False)
    intervals: pd.DataFrame = field(repr=False)
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(repr=False)

    def correlations(self) -> pd.DataFrame:
        """The correlations with names."""
        return pd.DataFrame(self.correlation, self.names, self.names)

    def summary(self) -> pd.DataFrame:
        """One row a quantity: ``quantity, estimate, low, high, p``; missing where there is none."""
        p = {
            "fall of r across the circle": self.order.correlation_p,  # one test: arrangements change no spread of r
            "correlation with closeness": self.order.correlation_p,
            "correspondence index": self.order.index_p,
            "fit of the map": self.scaling.fit_p if self.scaling else math.nan,
        }
        return self.intervals.assign(p=[p.get(quantity, math.nan) for quantity in self.intervals["quantity"]])

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        tables = {"profiles": self.profiles, "tests": self.tests, "summary": self.summary()}
        scaling = None
        if self.scaling is not None:
            own = {k: v for k, v in vars(self.scaling).items() if k not in ("names", "theory", "coordinates")}
            scaling = {**own, "coordinates": self.scaling.coordinates.tolist()}
        return {
            "names": list(self.names),
            "angles": self.angles.tolist(),
            "correlation": self.correlation.tolist(),
            "order": vars(self.order),
            "scaling": scaling,
            **{name: None if table is None else _records(table) for name, table in tables.items()},
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "facts": dict(self.facts),
        }

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __repr__(self) -> str:
        fit = "" if self.scaling is None else f", map fits {self.scaling.fit:.2f} (p={self.scaling.fit_p:.3g})"
        return (
            f"Circumplex({len(self.names)} values: {self.order.met} of {self.order.predictions} order predictions met "
            f"(p={self.order.index_p:.3g}), r with closeness {self.order.correlation:.2f}{fit})"
        )


def circumplex(
    source: Any,
    *,
    score: Score = "corrected",
    edit: str | None = "",
    centre: bool = True,
    layout: Layout = "theory",
    level: Level = "ordinal",
    permutations: int = 10_000,
    map_permutations: int = 199,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Circumplex:
    """Compare correlations over personas with Schwartz' circle of ten basic values.

    Args:
        source: ``Responses``, rows of scores (see ``score_rows``), what ``load_ess`` gives, or a correlation matrix: a
            DataFrame with the same names in rows and columns. A matrix has no personas, so it gets no intervals.
        score: of ``Responses``.
        edit: label of the edit whose rows are taken; "" for unsteered ones, None for all rows.
        centre: whether every row's mean over its basic values is taken off first, as Schwartz prescribes. Centring
            alone makes correlations -1/(d - 1) on average.
        layout: "theory" (nine wedges, Tradition behind Conformity) or "equal" (ten steps).
        level: of the map, "ordinal" or "interval".
        permutations: arrangements of the values that the order is compared with, where there are more than 50,000.
        map_permutations: of the tests of the map.
        resamples: of personas, for the intervals; 0 for none. The map is made of the first 200.
        confidence: of the intervals.
        seed: of everything random.

    Raises:
        ValueError: fewer than 3 of the ten values vary, too few complete rows, or an argument is out of range.
        TypeError: ``source`` is nothing of the above.

    Example:
        >>> circumplex(pv.measure(model, "portrait", personas)).summary()
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, got {confidence}")
    for name, number in (("map_permutations", map_permutations), ("permutations", permutations)):
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    if resamples < 0:
        raise ValueError(f"resamples: expected 0 or more, got {resamples}")
    rows, names, r, left_out = _correlations(source, score, edit, centre)
    angles = np.array([angle(name, layout) for name in names])
    distance = np.array([[circular_distance(a, b, layout) for b in names] for a in names])
    theory = np.array([position(name, layout) for name in names])
    order = order_fit(r, distance, permutations=permutations, seed=seed)
    profiles = scaling = tests = None
    notes = []
    if len(names) >= 4:
        profiles = profile_table(r, names, angles)
        scaling = scale(r, names, theory, level=level, permutations=map_permutations, seed=seed)
    else:
        notes.append("sinusoids, the map and the tests of structure need 4 values; the order of correlations does not")
    if rows is not None and len(names) >= 4:
        tests = structure_tests(r, angles, rows.personas, centred=centre, seed=seed)
    if rows is None:
        notes.append(
            "a correlation matrix has no personas: no intervals, and no tests of circle against simple structure"
        )
    estimates = _fits(r[None], distance, angles)[:, 0]
    estimates[-1] = scaling.fit if scaling else np.nan
    spread = _bootstrapped(rows, distance, angles, theory, level, resamples, seed)
    facts = {
        "score": score, "edit": edit, "centred": centre, "layout": layout, "level": level, "seed": seed,
        "confidence": confidence, "resamples": 0 if spread is None else resamples,
        "personas": None if rows is None else rows.personas, "rows": None if rows is None else len(rows.scores),
    }  # fmt: skip
    intervals = _intervals(estimates, spread, confidence)
    return Circumplex(names, angles, r, order, profiles, scaling, tests, intervals, left_out, tuple(notes), facts)


def _correlations(
    source: Any, score: Score, edit: str | None, centre: bool
) -> tuple[CircleRows | None, tuple[str, ...], Floats, dict[str, str]]:
    if isinstance(source, pd.DataFrame) and len(source) and list(source.index) == list(source.columns):
        names, r, left_out = _given_matrix(source)
        return None, names, r, left_out
    rows = circle_rows(source, score, edit=edit, centre=centre)
    if rows.personas < 3:
        raise ValueError(
            f"source: correlations are over personas and need 3 of them at least, got {rows.personas}; priorities "
            f"works with one"
        )
    r = _moments(rows).correlations(np.ones((1, rows.personas)))[0]
    if not np.isfinite(r).all():
        flat = [name for name, number in zip(rows.names, np.diagonal(r), strict=True) if not np.isfinite(number)]
        raise ValueError(f"source: {', '.join(flat)} do not vary once every row's mean is taken off; drop them")
    return rows, rows.names, r, dict(rows.left_out)


def _given_matrix(table: pd.DataFrame) -> tuple[tuple[str, ...], Floats, dict[str, str]]:
    given = table.to_numpy(dtype=float)
    if not np.allclose(given, given.T, equal_nan=True) or np.nanmax(np.abs(given)) > 1 + 1e-9:
        raise ValueError("source: a matrix of correlations must be symmetric and within -1 and 1")
    left_out = {str(n): "is not one of the ten basic values" for n in table.columns if basic_value(str(n)) is None}
    order = circle_order(str(name) for name in table.columns if np.isfinite(table.loc[name]).any())
    r = table.set_axis([str(n) for n in table.columns], axis=1).set_axis([str(n) for n in table.index])
    known = r.loc[order, order].to_numpy(dtype=float)
    if len(order) < 3 or not np.isfinite(known).all():
        raise ValueError(
            f"source: expected correlations of at least 3 of the ten basic values, none missing, got "
            f"{', '.join(order) or 'none of them'}"
        )
    return tuple(str(basic_value(name)) for name in order), known, left_out


def _moments(rows: CircleRows) -> PersonaMoments:
    middle = np.average(rows.scores, axis=0, weights=rows.weights)
    return persona_moments(rows.scores - middle, rows.persona, rows.weights)


def _fits(r: Floats, distance: Floats, angles: Floats) -> Floats:
    """(6, B) quantities of correlations (B, d, d), all but the last, which needs a map."""
    found = np.full((len(QUANTITIES), len(r)), np.nan)
    found[0] = falls(r, distance)
    found[2:4] = order_statistics(r, distance)
    if len(angles) >= 4:
        _, amplitude, peak, r_squared = profiles_of(r, angles)
        found[1] = (amplitude * np.cos(np.radians(peak - angles))).mean(axis=1)
        found[4] = r_squared.mean(axis=1)
    return found


def _bootstrapped(
    rows: CircleRows | None, distance: Floats, angles: Floats, theory: Floats, level: Level, resamples: int, seed: int
) -> Floats | None:
    """(6, B) quantities of the resamples that every value varies in."""
    if rows is None or resamples == 0:
        return None
    moments = _moments(rows)
    r = np.concatenate([moments.correlations(counts) for counts in bootstrap_counts(rows.personas, resamples, seed)])
    r = r[np.isfinite(r).all(axis=(1, 2))]
    found = _fits(r, distance, angles)
    if len(angles) >= 4:
        some = r[:MAPPED_RESAMPLES]
        start = np.broadcast_to(theory, (len(some), *theory.shape))
        found[-1, : len(some)] = procrustes_fit(smacof(1.0 - some, start, level)[0], start)
    return found


def _intervals(estimates: Floats, spread: Floats | None, confidence: float) -> pd.DataFrame:
    low, high = np.full((2, len(QUANTITIES)), np.nan)
    known = np.zeros(len(QUANTITIES), dtype=bool) if spread is None else np.isfinite(spread).sum(axis=1) > 1
    if spread is not None and known.any():
        tail = (1 - confidence) / 2
        low[known], high[known] = np.nanquantile(spread[known], [tail, 1 - tail], axis=1)
        basic = np.arange(len(QUANTITIES)) >= 2
        low[basic], high[basic] = (2 * estimates - high)[basic], (2 * estimates - low)[basic]
        low, high = np.clip(low, _LOWEST, _HIGHEST), np.clip(high, _LOWEST, _HIGHEST)
    return pd.DataFrame({"quantity": QUANTITIES, "estimate": estimates, "low": low, "high": high})


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        for row in plain.to_dict("records")
    ]
