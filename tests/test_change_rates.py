"""Conditional change rates, against counting row by row and against pandas and NumPy means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyvalue.evaluation.change_rates import conditional_change_rates, expected_and_unexpected

_CHANGES = arrays(
    np.float64,
    st.tuples(st.integers(0, 8), st.integers(1, 5)),
    elements=st.sampled_from([0.0, 0.0, 1 / 3, -2 / 3, 1e-17, float("nan")]),
)


def _counted(change: np.ndarray, threshold: float) -> np.ndarray:
    """By the definition, one pair and one row at a time."""
    n, d = change.shape
    rates = np.full((d, d), np.nan)
    for i in range(d):
        for j in range(d):
            rows = [r for r in range(n) if abs(change[r, i]) > threshold and change[r, j] == change[r, j]]
            if rows:
                rates[i, j] = sum(abs(change[r, j]) > threshold for r in rows) / len(rows)
    return rates


@given(_CHANGES, st.sampled_from([0.0, 0.1, 0.5]))
def test_rates_are_those_of_counting(change: np.ndarray, threshold: float) -> None:
    np.testing.assert_array_equal(conditional_change_rates(change, threshold), _counted(change, threshold))


@given(_CHANGES, st.integers(0, 1000))
def test_order_of_rows_does_not_matter(change: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(change))
    np.testing.assert_array_equal(conditional_change_rates(change), conditional_change_rates(change[order]))


def test_a_value_that_never_changed_has_no_rates() -> None:
    rates = conditional_change_rates([[0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(rates, [[np.nan, np.nan], [0.0, 1.0]])


def test_the_smallest_difference_counts_at_threshold_zero() -> None:
    change = [[0.1 + 0.2 - 0.3, 1.0]]  # 5.6e-17
    assert conditional_change_rates(change)[0, 1] == 1.0
    assert np.isnan(conditional_change_rates(change, 1e-9)[0, 1])


@given(st.integers(1, 6), st.integers(0, 1000))
def test_means_are_those_of_numpy(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rates = rng.random((d, d))
    rates[rng.random((d, d)) < 0.2] = np.nan
    reach = rng.random((d, d)) < 0.5
    expected, unexpected = expected_and_unexpected(rates, reach)
    for i in range(d):
        others = [j for j in range(d) if j != i and rates[i, j] == rates[i, j]]
        for mean, group in ((expected, True), (unexpected, False)):
            entries = [rates[i, j] for j in others if reach[i, j] == group]
            if entries:
                assert mean[i] == pytest.approx(np.mean(entries), abs=1e-15)
            else:
                assert np.isnan(mean[i])


@pytest.mark.parametrize(
    ("change", "threshold", "message"),
    [
        ([1.0, 2.0], 0.0, "2 dimensions"),
        ([[np.inf]], 0.0, "infinite"),
        ([[1.0]], -0.1, "at least 0"),
        ([[1.0]], np.nan, "at least 0"),
    ],
)
def test_bad_changes_are_named(change: list, threshold: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conditional_change_rates(change, threshold)


def test_bad_reach_is_named() -> None:
    with pytest.raises(ValueError, match="square of one size"):
        expected_and_unexpected(np.ones((2, 2)), np.ones((3, 3), dtype=bool))
    with pytest.raises(TypeError, match="booleans"):
        expected_and_unexpected(np.ones((2, 2)), np.ones((2, 2)))
