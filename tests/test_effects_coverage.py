"""95% intervals hold the true effects of simulated linear models as often as they say, given the true CPDAG."""

from __future__ import annotations

import pytest
from linear_sems import coverage, joint_coverage


@pytest.mark.parametrize(
    ("n", "d", "personas"), [(200, 6, None), (1000, 6, None), (400, 6, 40)], ids=["200", "1000", "400 of 40 personas"]
)
def test_coverage(n: int, d: int, personas: int | None) -> None:
    found = coverage(250, n, d, personas, seed=1, resamples=200)
    assert found["identified effects"] > 450
    assert abs(found["identified"] - 0.95) < 0.027  # 2.6 Monte-Carlo errors of so few: a false alarm in 1%
    assert found["several"] > 0.95


def test_coverage_of_two_values_changed_together() -> None:
    found = joint_coverage(200, 300, 6, known=True, resamples=150)
    assert abs(found["coverage"] - 0.95) < 0.037  # twice the Monte-Carlo error of so few
    assert joint_coverage(50, 300, 6, resamples=100)["coverage"] > 0.95


@pytest.mark.parametrize(
    ("edits", "least", "most"), [("within", 0.92, 0.98), ("unedited", 0.92, 0.98), ("pooled", 0, 0.8)]
)
def test_coverage_under_edits_that_hit_several_values(edits: str, least: float, most: float) -> None:
    found = coverage(120, 0, 6, 60, seed=1, resamples=150, edited=(8, 4, 1.0), edits=edits)
    assert found["identified effects"] > 210
    assert least < found["identified"] < most  # .95 give or take two Monte-Carlo errors of so few


def test_rows_of_a_persona_taken_for_independent_are_found_out() -> None:
    """The simulation can fail: with clusters ignored, the intervals are far too narrow."""
    found = coverage(100, 400, 6, 20, resamples=100, cluster=None)
    assert found["identified"] < 0.85
