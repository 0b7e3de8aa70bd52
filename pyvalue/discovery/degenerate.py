"""Data on which a test has no answer, or a misleading one: each is an error, or left out by name.

Why the defaults are what they are. A constant column carries no information about any edge, and a repeated column
carries none that its twin does not: leaving them out changes nothing in the graph over the rest, so that is what
``on_degenerate="exclude"`` does, with a warning and an entry in ``graph.excluded``. Three or more columns that are
linearly dependent are another matter: which one goes changes the graph, and only the user can say which. That is
always an error, where the test is Fisher's z.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.clusters import check_cluster_count
from pyvalue.discovery.columns import Columns

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
        columns: without constant or repeated ones, and without infinite or unwanted missing entries.
        correlation: Pearson's (d, d), where all columns are numbers without missing ones.
        excluded: columns that were left out, with the reason.
        notes: what the user was warned of besides.
    """

    columns: Columns
    correlation: NDArray[np.float64] | None
    excluded: Mapping[str, str]
    notes: tuple[str, ...]


def usable_data(columns: Columns, missing: str, on_degenerate: str, threads: int) -> UsableData:
    """Check columns, and leave out what the options allow to leave out.

    Raises:
        ValueError: see the module; the message names the columns and says what to do.
    """
    _check_shape(columns)
    notes = list(columns.cautions)
    columns, (nan, low, high), note = _complete(columns, missing)
    if note:
        notes.append(note)

    excluded: dict[str, str] = {}
    constant = (high - low) <= _CONSTANT * np.maximum(np.abs(high), np.abs(low))
    if constant.any():
        reasons = {
            columns.names[i]: f"constant: every row is {_shown(columns, i, low[i])}"
            for i in np.flatnonzero(constant).tolist()
        }
        columns = _leave_out(columns, reasons, on_degenerate, excluded)
    if reasons := _row_names(columns):
        columns = _leave_out(columns, reasons, on_degenerate, excluded)
    correlation = None
    if nan.any():
        _check_common_rows(columns)
    if not nan.any() and all(levels is None for levels in columns.levels):
        correlation = _core.correlation(_core.Table(list(columns.values)), threads)
        reasons = _repeated_numbers(columns.names, correlation)
    else:
        reasons = _repeated_columns(columns)
    if reasons:
        kept = [i for i, name in enumerate(columns.names) if name not in reasons]
        columns = _leave_out(columns, reasons, on_degenerate, excluded)
        if correlation is not None:
            correlation = np.ascontiguousarray(correlation[np.ix_(kept, kept)])

    n, d = columns.n, columns.d
    if d >= n:
        notes.append(
            f"{d} values but only {n} rows: sets of more than {n - 4} values cannot be tested, and the graph is "
            "unreliable; collect more rows or fewer values"
        )
    # Of a column that is left out it need not be said, too, that it looks like an identifier.
    notes = [note for note in notes if not note.startswith(tuple(f"column {name!r} " for name in excluded))]
    for note in [*(f"left out {name!r} ({reason})" for name, reason in excluded.items()), *notes]:
        warnings.warn(note, DegenerateDataWarning, stacklevel=4)
    return UsableData(columns, correlation, excluded, (*columns.notes, *notes))


def check_independent(data: UsableData) -> None:
    """Raise ValueError where columns are linearly dependent, so that Fisher's z has no answer given all of them."""
    if data.correlation is None or data.columns.d >= data.columns.n:
        return
    dependencies = _core.find_dependencies(data.correlation, _COLLINEAR)
    if not dependencies:
        return
    columns = data.columns
    column, terms = dependencies[0]
    involved = sorted([column, *(i for i, _ in terms)])
    listed = ", ".join(repr(columns.names[i]) for i in involved)
    more = f" ({len(dependencies) - 1} more such columns follow)" if len(dependencies) > 1 else ""
    total = np.sum([columns.values[i].astype(np.float64) for i in involved], axis=0)
    if np.ptp(total) <= 1e-6 * max(np.abs(columns.values[i]).max() for i in involved):
        raise ValueError(
            f"columns {listed} sum to the same number in every row{more}: scores that were centred within a row "
            "(ipsatised) are correlated by construction. Use the raw scores, or drop one of the columns"
        )
    raise ValueError(
        f"columns {listed} are linearly dependent{more}: each is a combination of the others, so that no test given "
        "all of them has an answer. Drop one of them; which one is yours to say, because the graph depends on it"
    )


def _check_shape(columns: Columns) -> None:
    if columns.d < 2:
        raise ValueError(
            f"responses must have at least 2 columns (values) to have an edge, got {columns.d}: {columns.names}"
        )
    if columns.n < _FEWEST_ROWS:
        raise ValueError(f"responses must have at least {_FEWEST_ROWS} rows for a test, got {columns.n}")


_Figures = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]


def _complete(columns: Columns, missing: str) -> tuple[Columns, _Figures, str]:
    """The columns with missing entries dealt with; their counts of missing ones, least and greatest values; a note."""
    figures = _summary(columns)
    if not figures[0].any():
        return columns, figures, ""
    if missing == "test-wise":
        listed = _listed_missing(columns, figures[0])
        return columns, figures, f"tests leave out rows in which one of their values is missing, in columns {listed}"
    columns, note = _without_missing_rows(columns, figures[0], missing)
    _check_shape(columns)
    for name, codes in zip(columns.cluster_names, columns.clusters, strict=True):
        check_cluster_count(name, codes)
    return columns, _summary(columns), note


def _summary(columns: Columns) -> _Figures:
    nan, infinite, low, high = _core.summarise_columns(_core.Table(list(columns.values)))
    if infinite.any():
        _raise_infinite(columns, int(np.flatnonzero(infinite)[0]))
    for i, levels in enumerate(columns.levels):
        if levels is not None:
            nan[i] = np.count_nonzero(columns.values[i] < 0)
            low[i], high[i] = 0, len(levels) - 1
    return nan, low, high


def _raise_infinite(columns: Columns, column: int) -> None:
    row = int(np.flatnonzero(np.isinf(columns.values[column]))[0])
    raise ValueError(
        f"responses must be finite, got {columns.values[column][row]} in row {columns.label(row)!r}, "
        f"column {columns.names[column]!r}; correct it, or make it NaN and pass missing='drop'"
    )


#: columns with missing entries that may be none of the values, such as an age
_FEW = 3


def _listed_missing(columns: Columns, nan: NDArray[Any]) -> str:
    return ", ".join(f"{columns.names[i]} ({nan[i]})" for i in np.flatnonzero(nan))


def _without_missing_rows(columns: Columns, nan: NDArray[Any], missing: str) -> tuple[Columns, str]:
    incomplete = np.zeros(columns.n, dtype=bool)
    for i in np.flatnonzero(nan):
        column = columns.values[i]
        incomplete |= np.isnan(column) if columns.levels[i] is None else column < 0
    count, n = int(incomplete.sum()), columns.n
    listed = _listed_missing(columns, nan)
    if missing == "raise":
        first = columns.label(int(np.argmax(incomplete)))
        lacking = [columns.names[i] for i in np.flatnonzero(nan)]
        # Many columns with gaps are values of people who left questions out.
        few = len(lacking) <= _FEW and len(lacking) < len(columns.names) / 2
        dropping = f", or drop={lacking} where the columns are no values" if few else ""
        raise ValueError(
            f"responses have {int(nan.sum())} missing entries in {count} of {n} rows, in columns {listed}; the first "
            f"is in row {first!r}. Pass missing='drop' to leave these rows out{',' if few else ', or'} "
            "missing='test-wise' to leave a row out of the tests that need its missing entry alone" + dropping
        )
    note = f"dropped {count} of {n} rows with missing entries, in columns {listed}"
    return columns.take_rows(np.flatnonzero(~incomplete)), note


def _shown(columns: Columns, column: int, value: float) -> str:
    levels = columns.levels[column]
    return f"{value:g}" if levels is None else repr(levels[0])


def _leave_out(columns: Columns, reasons: Mapping[str, str], on_degenerate: str, excluded: dict[str, str]) -> Columns:
    listed = "; ".join(f"{name!r} ({reason})" for name, reason in reasons.items())
    if on_degenerate == "raise":
        raise ValueError(f"responses have unusable columns: {listed}. Drop them, or pass on_degenerate='exclude'")
    kept = [i for i, name in enumerate(columns.names) if name not in reasons]
    if len(kept) < 2:
        raise ValueError(f"responses have {len(kept)} usable columns, and a graph needs 2; unusable: {listed}")
    excluded.update(reasons)
    return columns.take_columns(kept)


def _row_names(columns: Columns) -> dict[str, str]:
    """Texts that differ in every row: names of rows, which no test can use."""
    return {
        name: "a text that differs in every row"
        for name, levels in zip(columns.names, columns.levels, strict=True)
        if levels is not None and len(levels) == columns.n
    }


def _check_common_rows(columns: Columns) -> None:
    """Raise ValueError where two columns have too few rows in common for a test of the two."""
    holes = [i for i, values in enumerate(columns.values) if values.dtype.kind == "f" and np.isnan(values).any()]
    for a, i in enumerate(holes):
        present = ~np.isnan(columns.values[i])
        for j in [i, *holes[a + 1 :]]:
            common = int(np.count_nonzero(present & ~np.isnan(columns.values[j])))
            if common < _FEWEST_ROWS:
                which = f"column {columns.names[i]!r} has"
                if i != j:
                    which = f"columns {columns.names[i]!r} and {columns.names[j]!r} have, in common,"
                raise ValueError(
                    f"{which} {common} entries in {columns.n} rows, and a test needs {_FEWEST_ROWS}; drop one of the "
                    "columns, or collect more answers"
                )


def _repeated_numbers(names: Sequence[str], correlation: NDArray[np.float64]) -> dict[str, str]:
    if np.count_nonzero(1.0 - correlation**2 <= _COLLINEAR) == len(names):  # the diagonal alone
        return {}
    reasons: dict[str, str] = {}
    for j in range(len(names)):
        for i in range(j):
            if names[i] not in reasons and 1.0 - correlation[i, j] ** 2 <= _COLLINEAR:
                reasons[names[j]] = f"same as {names[i]!r} up to scale: correlation {correlation[i, j]:+.0f}"
                break
    return reasons


def _repeated_columns(columns: Columns) -> dict[str, str]:
    """Columns that are an earlier one over again, number for number, or category for category under other labels."""
    seen: dict[bytes, str] = {}
    reasons: dict[str, str] = {}
    for name, values, levels in zip(columns.names, columns.values, columns.levels, strict=True):
        if levels is None:
            content = values.astype(np.float64).tobytes()
        else:
            _, first, codes = np.unique(values, return_index=True, return_inverse=True)
            content = np.argsort(np.argsort(first))[codes].tobytes()
        key = blake2b(content, person=b"numbers" if levels is None else b"categories").digest()
        if (twin := seen.setdefault(key, name)) != name:
            reasons[name] = f"same as {twin!r} in every row"
    return reasons
