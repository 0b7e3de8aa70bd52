"""What a prediction benchmark found: a table of metrics, one a predictor and level, and a sentence that sums it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json

#: in the order of tables
METRICS = ("AUROC", "AUPRC", "pooled AUROC", "sign accuracy", "coverage", "width")


@dataclass(frozen=True)
class PredictionBenchmark:
    """How well side effects were told before steering.

    Attributes:
        table: one row a predictor, level and metric: ``predictor, level, metric, estimate``; ``low, high``, the
            interval over personas under the same edits; ``wide_low, wide_high``, over personas and edits; ``p``,
            one-sided, of the same predictions with the names of the values permuted; ``difference`` to the first
            predictor (the marginal rate) on the same cells with ``difference_low, difference_high, difference_wide_low,
            difference_wide_high``; ``difference_p``, two-sided, by the wide interval; ``cells`` and
            ``events``, how many of them changed. Missing numbers are NaN.
        per_edit: one row a level, edit and predictor: ``level, edit, target, change`` (of the target, as the predictors
            were told), ``moved`` (of the values at which this could be told, the share that did), ``predictor``,
            ``AUROC``, ``sign accuracy``; means over the splits.
        facts: settings and sizes, what was held out, the threshold, and what each p and interval means.
        notes: what was left out or could not be done.
    """

    table: pd.DataFrame = field(repr=False)
    per_edit: pd.DataFrame = field(repr=False)
    facts: dict[str, Any] = field(repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)

    def estimate(self, predictor: str, metric: str = "AUROC", level: str = "row") -> pd.Series:
        """One row of the table.

        Raises:
            ValueError: there is no such row.
        """
        chosen = (self.table[["predictor", "level", "metric"]] == [predictor, level, metric]).all(axis=1)
        if not chosen.any():
            raise ValueError(
                f"predictor, metric, level: no row {predictor!r}, {metric!r}, {level!r}; the predictors are "
                f"{', '.join(dict.fromkeys(self.table['predictor']))}"
            )
        return self.table[chosen].iloc[0]

    @property
    def verdict(self) -> str:
        """Whether any predictor ranks values better than the first one, in words.

        Better: the difference is above 0 after Holm's correction for the number of predictors, and so is what the
        predictor gains over itself with permuted names (``p``, one-sided, uncorrected).
        """
        return " ".join(_verdict(self.table, level, self.facts) for level in ("edit", "row"))

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; missing numbers are null."""
        tables = {name: _records(getattr(self, name)) for name in ("table", "per_edit")}
        return {**tables, "facts": self.facts, "notes": list(self.notes), "verdict": self.verdict}

    def save(self, path: str | Path) -> Path:
        """Write JSON, whole or not at all."""
        write_json(path, self.to_dict())
        return Path(path)

    def __str__(self) -> str:
        facts = self.facts
        parts = [
            f"Prediction of side effects: {facts['edits']} edits, {facts['personas']} tested personas, "
            f"{facts['values']} values; held out: {_held(facts['held_out'])}"
        ]
        for level, what in _LEVELS.items():
            rows = self.table[self.table["level"] == level]
            if rows["estimate"].isna().all():
                parts.append(f"\n{what}: nothing to rank, see the notes")
                continue
            first = rows[rows["metric"] == "AUROC"].iloc[0]
            parts.append(f"\n{what}: {int(first['events'])} of {int(first['cells'])} cells")
            parts.append(_printed(rows))
        parts.append(f"\n{self.verdict}")
        parts += [f"note: {note}" for note in self.notes]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return (
            f"PredictionBenchmark({self.facts['edits']} edits x {self.facts['personas']} personas, "
            f"{self.facts['values']} values, {self.table['predictor'].nunique()} predictors)"
        )


_LEVELS = {
    "edit": "Mean change of an edit above the minimal detectable effect",
    "row": "A persona's value changed, given that another one did",
}


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979, Scandinavian Journal of Statistics 6); NaN stays."""
    given = np.asarray(p, dtype=float)
    found = np.full(len(given), np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    scaled = given[order] * np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return found


def _verdict(table: pd.DataFrame, level: str, facts: dict[str, Any]) -> str:
    rows = table[(table["level"] == level) & (table["metric"] == "AUROC")].reset_index(drop=True)
    where = {"edit": "Mean changes", "row": "Persona rows"}[level]
    first = rows.iloc[0]
    if not np.isfinite(first["estimate"]):
        return f"{where}: no cells to rank."
    others = rows.iloc[1:].reset_index(drop=True)
    name, base = first["predictor"], f"{first['estimate']:.3f}"
    if others.empty:
        return f"{where}: the {name} has AUROC {base}, and there is nothing to compare it with."
    adjusted = holm(others["difference_p"])
    # Leaving an edit out lowers the marginal rates of what it moves, to below chance where edits share the values among
    # them; so a predictor must be better than its own with permuted names as well.
    level_of_tests = 1 - facts["confidence"]
    better = others[(adjusted < level_of_tests) & (others["difference"] > 0) & (others["p"] <= level_of_tests)]
    if len(better):
        best = better.loc[better["difference"].idxmax()]
        listed = "; ".join(better["predictor"])
        return (
            f"{where}: better than the {name} ({base}) after Holm's correction, and than with permuted names: "
            f"{listed}. The best is {best['predictor']} with {best['estimate']:.3f} (difference {_difference(best)})."
        )
    if others["difference"].isna().all():
        return f"{where}: nothing can be compared with the {name} ({base})."
    best = others.loc[others["difference"].idxmax()]
    if not np.isfinite(adjusted).any():
        return (
            f"{where}: the best is {best['predictor']} with {best['estimate']:.3f} against {base} of the {name}, with "
            "too few personas or edits to say whether the difference holds."
        )
    return (
        f"{where}: nothing is better than the {name} ({base}) both after Holm's correction and than with permuted "
        f"names; the nearest is {best['predictor']} with {best['estimate']:.3f} (difference {_difference(best)}, p "
        f"{best['difference_p']:.3f} before correction)."
    )


def _difference(row: pd.Series) -> str:
    return f"{row['difference']:+.3f} [{row['difference_wide_low']:+.3f}, {row['difference_wide_high']:+.3f}]"


def _held(held: dict[str, bool | None]) -> str:
    said = {True: "yes", False: "no", None: "unknown"}
    return ", ".join(f"{name} {said[known]}" for name, known in held.items())


def _printed(rows: pd.DataFrame) -> str:
    metrics = [m for m in METRICS if ((rows["metric"] == m) & rows["estimate"].notna()).any()]
    by = rows.set_index(["predictor", "metric"])
    names = list(dict.fromkeys(rows["predictor"]))
    heads = ["predictor", "AUROC [wide interval]", "p", "less the first", *metrics[1:]]
    lines = []
    for name in names:
        one = by.loc[(name, "AUROC")]
        cells = [name, f"{one['estimate']:.3f} [{one['wide_low']:.2f}, {one['wide_high']:.2f}]", f"{one['p']:.3f}"]
        cells.append("" if name == names[0] else _difference(one))
        for metric in metrics[1:]:
            value = by.loc[(name, metric), "estimate"] if (name, metric) in by.index else np.nan
            cells.append(f"{value:.3f}" if np.isfinite(value) else "")
        lines.append(cells)
    widths = [max(len(row[i]) for row in [heads, *lines]) for i in range(len(heads))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in [heads, *lines]
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]
