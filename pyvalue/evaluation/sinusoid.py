"""The sinusoid of a profile: values next to each other on the circle should correlate alike with anything.

Along the circle, the correlations of the ten basic values with one variable should rise to the values that it goes with
and fall to those across (Schwartz 1992). The curve r = elevation + amplitude · cos(angle − peak) says so in three
numbers, and its R² how well it holds (Gurtman 1992, "Construct validity of interpersonal personality measures", JPSP
63).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.schwartz_circle import Layout, angle

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sinusoid:
    """A cosine fitted by least squares.

    Attributes:
        elevation: mean level of the curve.
        amplitude: half of what it rises and falls, at least 0.
        peak: where it is highest, degrees in [0, 360).
        r_squared: share of the profile's variance that the curve takes up; NaN with fewer than 4 points, which any
            such curve goes through, and for a flat profile.
        points: number of values.
    """

    elevation: float
    amplitude: float
    peak: float
    r_squared: float
    points: int

    def at(self, degrees: Any) -> Floats:
        """Height of the curve at angles in degrees."""
        turn = np.radians(np.asarray(degrees, dtype=float) - self.peak)
        return np.asarray(self.elevation + self.amplitude * np.cos(turn))


def sinusoid(profile: Mapping[str, float] | pd.Series, layout: Layout = "theory") -> Sinusoid:
    """Fit the curve to a number for each of some basic values, such as their correlations with age.

    Args:
        profile: basic value -> number; missing ones are passed over.
        layout: of the circle; see ``pyvalue.schwartz_circle.angle``.

    Raises:
        ValueError: a name is no basic value, or fewer than 3 different angles have a number.
    """
    known = {name: float(number) for name, number in profile.items() if math.isfinite(number)}
    angles = np.array([angle(str(name), layout) for name in known])
    if len(set(angles.tolist())) < 3:
        raise ValueError(
            f"profile: a curve with three parameters needs numbers at 3 different angles at least, got those of "
            f"{', '.join(map(str, known)) or 'no value'}"
        )
    heights = np.array(list(known.values()))
    elevation, amplitude, peak, r_squared = (part[0] for part in fit_sinusoids(heights[None], angles))
    return Sinusoid(float(elevation), float(amplitude), float(peak), float(r_squared), len(known))


def fit_sinusoids(profiles: Floats, angles: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Elevation, amplitude, peak in degrees and R² of profiles (..., p) at angles (p,) in degrees.

    The curve is linear in 1, cos and sin of the angle, so its least squares solution is exact.
    """
    turn = np.radians(angles)
    design = np.stack([np.ones_like(turn), np.cos(turn), np.sin(turn)], axis=1)
    solved = profiles @ np.linalg.pinv(design).T
    elevation, cosine, sine = (solved[..., k] for k in range(3))
    left = ((profiles - solved @ design.T) ** 2).sum(axis=-1)
    total = ((profiles - profiles.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    known = (total > 1e-20) & (len(angles) > 3)
    r_squared = np.where(known, 1 - left / np.where(known, total, 1.0), np.nan)
    return elevation, np.hypot(cosine, sine), np.degrees(np.arctan2(sine, cosine)) % 360.0, r_squared


def profiles_of(correlation: Floats, angles: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The same four numbers (..., d) of every value's correlations with the others: (..., d, d) and (d,) angles."""
    parts = []
    for own in range(len(angles)):
        others = np.arange(len(angles)) != own
        parts.append(fit_sinusoids(correlation[..., own, others], angles[others]))
    elevation, amplitude, peak, r_squared = (np.stack(column, axis=-1) for column in zip(*parts, strict=True))
    return elevation, amplitude, peak, r_squared


def profile_table(correlation: Floats, names: Sequence[str], angles: Floats) -> pd.DataFrame:
    """One row a value: ``value, angle, elevation, amplitude, peak, displacement, r_squared``.

    ``displacement``: how far, in degrees from -180 to 180, the peak is from the value's own place on the circle.
    """
    elevation, amplitude, peak, r_squared = profiles_of(correlation, angles)
    columns = {
        "value": list(names),
        "angle": angles,
        "elevation": elevation,
        "amplitude": amplitude,
        "peak": peak,
        "displacement": (peak - angles + 180.0) % 360.0 - 180.0,
        "r_squared": r_squared,
    }
    return pd.DataFrame(columns)
