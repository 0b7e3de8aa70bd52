"""How the ten basic values go with something else, such as age, an answer or a score, along the circle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.evaluation.circumplex_moments import Floats, bootstrap_counts, persona_moments
from pyvalue.evaluation.circumplex_options import check_numbers, check_share
from pyvalue.evaluation.circumplex_rows import circle_rows
from pyvalue.evaluation.sinusoid import Sinusoid, fit_sinusoids, sinusoid
from pyvalue.plotted import Plotted
from pyvalue.responses import Score
from pyvalue.schwartz_circle import Layout, angle


@dataclass(frozen=True)
class ExternalProfile(Plotted):
    """Correlations of the basic values with one variable over personas, and the sinusoid through them.

    Attributes:
        table: one row a value: ``value, angle, r, low, high, fitted``; percentile intervals over resamples of personas.
        curve: the sinusoid. Its peak is the direction of the circle that the variable goes with.
        amplitude_p: share of random deals of the variable to the personas with an amplitude as large: p that it has
            nothing to do with the circle.
        personas: how many have both.
        left_out: column -> why it was not used.
    """

    table: pd.DataFrame = field(repr=False)
    curve: Sinusoid
    amplitude_p: float
    personas: int
    left_out: Mapping[str, str]


def external_profile(
    source: Any,
    variable: Mapping[str, float] | pd.Series,
    *,
    score: Score = "corrected",
    edit: str | None = "",
    centre: bool = True,
    layout: Layout = "theory",
    permutations: int = 1999,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> ExternalProfile:
    """Correlate basic values with a variable of the personas, and fit the sinusoid.

    Schwartz (1992): what goes with one value should go with its neighbours, too, and against those across.

    Args:
        source: as of ``circumplex``; of several rows of a persona the mean is taken.
        variable: persona -> number; personas without one are left out.
        score, edit, centre, layout: as of ``circumplex``.
        permutations: of the variable over personas; p = (1 + #) / (1 + permutations).
        resamples: of personas.
        confidence: of the intervals.
        seed: of both.

    Raises:
        ValueError: fewer than 4 personas have both, the variable does not vary over them, or the values that there are
            lie at fewer than 3 angles.
        TypeError: the variable is not of numbers.
    """
    check_share("confidence", confidence)
    check_numbers(permutations=(permutations, 1), resamples=(resamples, 0), seed=(seed, 0))
    rows = circle_rows(source, score, edit=edit, centre=centre)
    try:
        known = pd.Series(variable, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"variable: expected a number for each persona: {error}") from error
    known.index = known.index.astype(str)
    moments = persona_moments(rows.scores, rows.persona, rows.weights)
    x = known.reindex(list(rows.labels)).to_numpy(dtype=float)
    has = np.isfinite(x)
    if has.sum() < 4 or np.ptp(x[has]) < 1e-12:
        raise ValueError(
            f"variable: expected numbers that differ for at least 4 personas of the source, got {int(has.sum())} of "
            f"{rows.personas} personas with one; its names must be those of the personas, such as {rows.labels[0]!r}"
        )
    angles = np.array([angle(name, layout) for name in rows.names])
    if len(set(angles.tolist())) < 3:
        raise ValueError(
            f"source: a sinusoid needs values at 3 different angles of the circle at least, got {', '.join(rows.names)}"
        )
    x, weight = x[has], moments.weight[has]
    means = moments.total[has] / weight[:, None]
    both = np.column_stack([means, (x - x.mean()) / x.std()])
    of_all = persona_moments(both - both.mean(axis=0), np.arange(len(x)), weight)
    r = of_all.correlations(np.ones((1, len(x))))[0, :-1, -1]
    curve = sinusoid(dict(zip(rows.names, r, strict=True)), layout)
    rng = np.random.default_rng(seed)
    dealt = rng.permuted(np.tile(x, (permutations, 1)), axis=1)
    amplitude = fit_sinusoids(_correlations(means, weight, dealt), angles)[1]
    low = high = np.full(len(r), math.nan)
    if resamples > 0:
        blocks = [of_all.correlations(counts)[:, :-1, -1] for counts in bootstrap_counts(len(x), resamples, seed)]
        low, high = np.nanquantile(np.concatenate(blocks), [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    columns = {"value": rows.names, "angle": angles, "r": r, "low": low, "high": high, "fitted": curve.at(angles)}
    p = (1 + (amplitude >= curve.amplitude - 1e-9).sum()) / (1 + permutations)
    return ExternalProfile(pd.DataFrame(columns), curve, float(p), len(x), rows.left_out)


def _correlations(means: Floats, weight: Floats, variables: Floats) -> Floats:
    """(R, d) weighted correlations of values (P, d) with variables (R, P)."""
    share = weight / weight.sum()
    values = means - share @ means
    values /= np.sqrt(share @ values**2)
    others = variables - (variables @ share)[:, None]
    others /= np.sqrt(others**2 @ share)[:, None]
    return np.asarray((others * share) @ values)
