"""Data on which the Fisher-z test has no answer, or a misleading one: each is an error, or left out by name.

Why the defaults are what they are. A constant column carries no information about any edge, and a repeated column
carries none that its twin does not: leaving them out changes nothing in the graph over the rest, so that is what
``on_degenerate="exclude"`` does, with a warning and an entry in ``graph.excluded``. Three or more columns that are
linearly dependent are another matter: which one goes changes the graph, and only the user can say which. That is
always an error.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.table import Table

# A column whose range is this small beside its values varies by rounding alone.
_CONSTANT = 1e-12

# Least share of a column's variance that the others may leave. Below, a partial correlation has lost ten digits.
_COLLINEAR = 1e-10

# Fisher-z has n - |S| - 3 degrees of freedom, and PC starts with an empty S.
_FEWEST_ROWS = 4


class DegenerateDataWarning(UserWarning):
    """Something in the data limits what the graph can say; the graph's notes repeat it."""


@dataclass(frozen=True)
class UsableData:
    """What is left to search.

    Attributes:
        table: finite, without constant or repeated columns.
        correlation: (d, d) of its columns.
        excluded: columns that were left out, with the reason.
        notes: what the user was warned of besides.
    """

    table: Table
    correlation: NDArray[np.float64]
    excluded: Mapping[str, str]
    notes: tuple[str, ...]


def usable_data(table: Table, missing: str, on_degenerate: str, threads: int) -> UsableData:
    """Check a table, and leave out what the options allow to leave out.

    Raises:
        ValueError: see the module; the message names the columns and says what to do.
    """
    _check_shape(table)
    nan, infinite, low, high = _core.summarise_columns(table.values)
    if infinite.any():
        _raise_infinite(table, int(np.flatnonzero(infinite)[0]))
    notes: list[str] = []
    if nan.any():
        table, note = _without_missing_rows(table, nan, missing)
        notes.append(note)
        _check_shape(table)
        _, _, low, high = _core.summarise_columns(table.values)

    excluded: dict[str, str] = {}
    constant = (high - low) <= _CONSTANT * np.maximum(np.abs(high), np.abs(low))
    if constant.any():
        reasons = {table.names[i]: f"constant: every row is {low[i]:g}" for i in np.flatnonzero(constant)}
        table = _leave_out(table, reasons, on_degenerate, excluded)
    correlation = _core.correlation(table.values, threads)
    if reasons := _repeated_columns(table.names, correlation):
        kept = [i for i, name in enumerate(table.names) if name not in reasons]
        table = _leave_out(table, reasons, on_degenerate, excluded)
        correlation = np.ascontiguousarray(correlation[np.ix_(kept, kept)])

    n, d = table.values.shape
    if d >= n:
        notes.append(
            f"{d} values but only {n} rows: sets of more than {n - 4} values cannot be tested, and the graph is "
            "unreliable; collect more rows or fewer values"
        )
    else:
        _check_independent(table, correlation)
    for note in [*(f"left out {name!r} ({reason})" for name, reason in excluded.items()), *notes]:
        warnings.warn(note, DegenerateDataWarning, stacklevel=4)
    return UsableData(table, correlation, excluded, tuple(notes))


def _check_shape(table: Table) -> None:
    n, d = table.values.shape
    if d < 2:
        raise ValueError(f"responses must have at least 2 columns (values) to have an edge, got {d}: {table.names}")
    if n < _FEWEST_ROWS:
        raise ValueError(f"responses must have at least {_FEWEST_ROWS} rows for the Fisher-z test, got {n}")


def _raise_infinite(table: Table, column: int) -> None:
    row = int(np.flatnonzero(np.isinf(table.values[:, column]))[0])
    raise ValueError(
        f"responses must be finite, got {table.values[row, column]} in row {table.label(row)!r}, "
        f"column {table.names[column]!r}; correct it, or make it NaN and pass missing='drop'"
    )


def _without_missing_rows(table: Table, nan: NDArray[np.uint64], missing: str) -> tuple[Table, str]:
    columns = ", ".join(f"{table.names[i]} ({nan[i]})" for i in np.flatnonzero(nan))
    incomplete = np.isnan(table.values).any(axis=1)
    count, n = int(incomplete.sum()), len(table.values)
    if missing == "raise":
        first = table.label(int(np.argmax(incomplete)))
        raise ValueError(
            f"responses have {int(nan.sum())} missing entries in {count} of {n} rows, in columns {columns}; the first "
            f"is in row {first!r}. Pass missing='drop' to leave these rows out, or drop the columns"
        )
    note = f"dropped {count} of {n} rows with missing entries, in columns {columns}"
    return table.take_rows(np.flatnonzero(~incomplete)), note


def _leave_out(table: Table, reasons: Mapping[str, str], on_degenerate: str, excluded: dict[str, str]) -> Table:
    listed = "; ".join(f"{name!r} ({reason})" for name, reason in reasons.items())
    if on_degenerate == "raise":
        raise ValueError(f"responses have unusable columns: {listed}. Drop them, or pass on_degenerate='exclude'")
    kept = [i for i, name in enumerate(table.names) if name not in reasons]
    if len(kept) < 2:
        raise ValueError(f"responses have {len(kept)} usable columns, and a graph needs 2; unusable: {listed}")
    excluded.update(reasons)
    return table.take_columns(kept)


def _repeated_columns(names: Sequence[str], correlation: NDArray[np.float64]) -> dict[str, str]:
    if np.count_nonzero(1.0 - correlation**2 <= _COLLINEAR) == len(names):  # the diagonal alone
        return {}
    reasons: dict[str, str] = {}
    for j in range(len(names)):
        for i in range(j):
            if names[i] not in reasons and 1.0 - correlation[i, j] ** 2 <= _COLLINEAR:
                reasons[names[j]] = f"same as {names[i]!r} up to scale: correlation {correlation[i, j]:+.0f}"
                break
    return reasons


def _check_independent(table: Table, correlation: NDArray[np.float64]) -> None:
    dependencies = _core.find_dependencies(correlation, _COLLINEAR)
    if not dependencies:
        return
    column, terms = dependencies[0]
    involved = sorted([column, *(i for i, _ in terms)])
    listed = ", ".join(repr(table.names[i]) for i in involved)
    more = f" ({len(dependencies) - 1} more such columns follow)" if len(dependencies) > 1 else ""
    total = table.values[:, involved].sum(axis=1)
    if np.ptp(total) <= 1e-6 * np.abs(table.values[:, involved]).max():
        raise ValueError(
            f"columns {listed} sum to the same number in every row{more}: scores that were centred within a row "
            "(ipsatised) are correlated by construction. Use the raw scores, or drop one of the columns"
        )
    raise ValueError(
        f"columns {listed} are linearly dependent{more}: each is a combination of the others, so that no test given "
        "all of them has an answer. Drop one of them; which one is yours to say, because the graph depends on it"
    )
