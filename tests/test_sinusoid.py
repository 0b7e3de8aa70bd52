"""Sinusoids of profiles, compared with SciPy's curve_fit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from pyvalue.evaluation.sinusoid import profile_table, sinusoid
from pyvalue.schwartz_circle import CIRCLE, angle

ANGLES = np.array([angle(name) for name in CIRCLE])


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10).filter(lambda r: np.ptp(r) > 0.01))
@settings(max_examples=40, deadline=None)
def test_equal_to_curve_fit(r: list[float]) -> None:
    found = sinusoid(dict(zip(CIRCLE, r, strict=True)))

    def curve(turn: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
        return a + b * np.cos(turn) + c * np.sin(turn)

    (a, b, c), _ = curve_fit(curve, np.radians(ANGLES), r)
    left = np.sum((r - curve(np.radians(ANGLES), a, b, c)) ** 2)
    assert found.elevation == pytest.approx(a, abs=1e-6)
    assert found.amplitude * np.cos(np.radians(found.peak)) == pytest.approx(b, abs=1e-6)
    assert found.amplitude * np.sin(np.radians(found.peak)) == pytest.approx(c, abs=1e-6)
    assert found.r_squared == pytest.approx(1 - left / np.sum((r - np.mean(r)) ** 2), abs=1e-6)


@given(st.floats(-0.5, 0.5), st.floats(0.05, 0.5), st.floats(0, 359.99))
@settings(max_examples=40, deadline=None)
def test_a_perfect_curve_is_found_again(elevation: float, amplitude: float, peak: float) -> None:
    profile = {name: elevation + amplitude * math.cos(math.radians(angle(name) - peak)) for name in CIRCLE}
    found = sinusoid(profile)
    assert found.elevation == pytest.approx(elevation) and found.amplitude == pytest.approx(amplitude)
    assert math.cos(math.radians(found.peak - peak)) == pytest.approx(1)
    assert found.r_squared == pytest.approx(1) and found.points == 10
    np.testing.assert_allclose(found.at(ANGLES), list(profile.values()), atol=1e-9)


def test_some_values_only_and_missing_ones() -> None:
    profile = {"Power": 0.5, "Security": 0.2, "Benevolence": -0.4, "Hedonism": 0.1, "Universalism": math.nan}
    assert sinusoid(profile).points == 4 and 0 <= sinusoid(profile).r_squared <= 1
    three = sinusoid({name: profile[name] for name in ("Power", "Security", "Benevolence")})
    assert math.isnan(three.r_squared)  # the curve goes through any three points
    assert math.isnan(sinusoid(dict.fromkeys(CIRCLE, 0.3)).r_squared)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"Power": 1.0, "Security": 0.0}, "3 different angles at least, got those of Power, Security"),
        ({"Power": 1.0, "Conformity": 0.0, "Tradition": 0.2}, "3 different angles"),
        ({"Wit": 1.0}, "expected one of Self-Direction"),
    ],
)
def test_what_cannot_be_fitted_is_named(profile: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sinusoid(profile)


def test_values_of_a_perfect_circle_peak_at_their_own_place() -> None:
    turn = np.radians(ANGLES)
    table = profile_table(0.1 + 0.6 * np.cos(turn[:, None] - turn), CIRCLE, ANGLES)
    np.testing.assert_allclose(table["displacement"], 0, atol=1e-6)
    np.testing.assert_allclose(table["amplitude"], 0.6)
    np.testing.assert_allclose(table["r_squared"], 1)
