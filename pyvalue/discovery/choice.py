"""Which test fits the columns, and the compiled source of each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.columns import Columns

if TYPE_CHECKING:
    from pyvalue.discovery.custom_test import CITest

#: A Likert item has seven points at most.
FEW_LEVELS = 7

#: With more levels than this, and fewer than ten rows a level, a table of counts says nothing.
_MOST_LEVELS = 20

#: A table of all levels against all levels is kept; beyond, levels lose nothing as numbers.
_MOST_ORDERED_LEVELS = 50

_NEED_NUMBERS = ("fisherz", "spearman", "polychoric", "rcot")
_NEED_CODES = ("polychoric", "chisq", "gsq")


def choose_test(columns: Columns, missing: str, backend: str) -> tuple[str, str]:
    """The test for ``test="auto"``, and why.

    All columns categorical: chisq. Some: degenerate_gaussian. All numbers: polychoric where every column has at most 7
    different values, spearman where at least half have, else fisherz. Why polychoric: cut at few levels, a common
    cause no longer explains all of what its effects share. Where z moves x and y (loadings .6, n = 1,000, alpha = .05),
    x and y given z are found dependent in 8% of samples of five even levels by the polychoric test, in 12% by
    Spearman's and in 17% by Pearson's; of five skewed levels in 9%, 44% and 33% (bench/bench_discovery_accuracy.py).
    """
    categorical = sum(levels is not None for levels in columns.levels)
    if categorical == columns.d:
        return "chisq", "all columns are categorical"
    if categorical:
        return "degenerate_gaussian", f"{categorical} of {columns.d} columns are categorical"
    if missing == "test-wise":
        return "fisherz", "the one test with test-wise deletion of missing numbers"
    few = sum(_has_few_levels(column) for column in columns.values)
    if few == columns.d and backend == "fast":
        return "polychoric", f"all columns have at most {FEW_LEVELS} different values"
    if 2 * few >= columns.d and backend == "fast":
        return "spearman", f"{few} of {columns.d} columns have at most {FEW_LEVELS} different values"
    return "fisherz", "numbers"


def check_columns(test: str | CITest, columns: Columns) -> None:
    """Raise TypeError or ValueError where a column is of the wrong kind for the test."""
    name_of_test = test if isinstance(test, str) else test.name
    for name, values, levels in zip(columns.names, columns.values, columns.levels, strict=True):
        if levels is not None and (not isinstance(test, str) or test in _NEED_NUMBERS):
            raise TypeError(
                f"column {name!r} must hold numbers for test={name_of_test!r}, got {len(levels)} categories such as "
                f"{levels[0]!r}; number them, or make the column an ordered categorical, or drop it, or pass "
                "test='chisq' or 'degenerate_gaussian'"
            )
        if test in _NEED_CODES or (test == "degenerate_gaussian" and levels is not None):
            count = len(np.unique(values)) if levels is None else len(levels)
            most = _MOST_ORDERED_LEVELS if test == "polychoric" else max(_MOST_LEVELS, len(values) // 10)
            if count > most:
                raise ValueError(
                    f"column {name!r} has {count} different values in {len(values)} rows, too many for "
                    f"test={name_of_test!r}, which counts each; cut it into a few levels, drop it, or pass "
                    "test='fisherz' or 'spearman' if it holds numbers"
                )


def make_source(test: str | CITest, columns: Columns) -> _core.TestSource:
    """The compiled source of a test that :func:`choose_test` or the user named."""
    table = _core.Table(list(columns.values))
    if test == "fisherz":
        if any(has_missing(column) for column in columns.values):
            return _core.MissingSource(table)
        return _core.PearsonSource(table)
    if test == "spearman":
        return _core.SpearmanSource(table)
    if test in _NEED_CODES:
        coded = [_codes(column, levels) for column, levels in zip(columns.values, columns.levels, strict=True)]
        codes, counts = _core.Table([codes for codes, _ in coded]), [count for _, count in coded]
        if test == "polychoric":
            return _core.PolychoricSource(codes, counts)
        return _core.DiscreteSource(codes, counts, test)
    if test == "degenerate_gaussian":
        counts = [0 if levels is None else len(levels) for levels in columns.levels]
        return _core.DegenerateGaussianSource(table, counts)
    if test == "rcot":
        from pyvalue.discovery.rcot import rcot

        test = rcot()
    assert not isinstance(test, str)
    return _core.CallbackSource(table, _guarded(test) if test.address is None else test.address)


def _guarded(test: CITest) -> Callable[..., float]:
    """The plain function with what compiled ones have: closed arrays, and -1 (no p-value) where it raises."""

    def run(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> float:
        for values in (x, y, z):
            values.flags.writeable = False
        try:
            return float(test.function(x, y, z))
        except Exception:
            return -1.0  # the search stops there, and explain_failure runs it again

    return run


def takes_effective_n(test: str | CITest) -> bool:
    """Whether the test can be told of another number of rows than it sees."""
    return isinstance(test, str) and test != "rcot"


def has_missing(column: NDArray[Any]) -> bool:
    """Whether a column of numbers has NaN."""
    return column.dtype.kind == "f" and bool(np.isnan(column).any())


def _has_few_levels(column: NDArray[Any]) -> bool:
    most = min(FEW_LEVELS, len(column) // 5)  # a handful of rows has few values of anything
    start = column[:1000]
    if len(np.unique(start)) > most:
        return False
    return len(column) == len(start) or len(np.unique(column)) <= most


def _codes(column: NDArray[Any], levels: tuple[str, ...] | None) -> tuple[NDArray[Any], int]:
    if levels is not None:
        return column, len(levels)
    if column.dtype.kind in "iu":
        low, high = int(column.min()), int(column.max())
        if high - low < len(column):  # ten times faster than sorting
            shifted = column.astype(np.int64) - low
            rank = np.cumsum(np.bincount(shifted) > 0) - 1
            return rank[shifted].astype(np.int32), int(rank[-1]) + 1
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int32), len(values)
