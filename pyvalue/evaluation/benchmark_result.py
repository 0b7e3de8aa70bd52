"""What a prediction benchmark found: a table of metrics, one a predictor and level, and a sentence that sums it up."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyvalue.atomic_files import write_json
from pyvalue.evaluation.benchmark_verdict import difference_of, verdict_of
from pyvalue.plotted import Plotted

#: in the order of tables
METRICS = ("AUROC", "AUPRC", "pooled AUROC", "sign accuracy", "coverage", "width")


@dataclass(frozen=True)
class PredictionBenchmark(Plotted):
    """How well side effects were told before steering.

    Attributes:
        table: one row a predictor, level and metric: ``predictor, level, metric``; ``knows_items``, whether it knows
            the tested items; ``is_baseline``; ``compared_with``, the best baseline by AUROC at that level that knows
            as much (of other metrics the first such baseline), "" for itself or none; ``estimate``; ``low, high``, the
            interval over personas under the same edits; ``wide_low, wide_high``, over personas and edits; ``p``,
            one-sided, of the same predictions with the names of the values permuted; ``difference`` to
            ``compared_with`` on the same cells with ``difference_low, difference_high, difference_wide_low,
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
        """Whether any predictor ranks values better than the best baseline that knows as much, in words.

        Better: the difference to the baseline (``difference_p``) and what the predictor gains over itself with permuted
        names (``p``) both hold after Holm's correction for the number of predictors at that level.
        """
        return " ".join(verdict_of(self.table, level, self.facts) for level in ("edit", "row"))

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
            parts += _printed(rows)
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


def _held(held: dict[str, bool | None]) -> str:
    said = {True: "yes", False: "no", None: "unknown"}
    return ", ".join(f"{name} {said[known]}" for name, known in held.items())


def _printed(rows: pd.DataFrame) -> list[str]:
    """The table of a level; with two kinds of predictors, each under a line that names its baseline."""
    metrics = [m for m in METRICS if ((rows["metric"] == m) & rows["estimate"].notna()).any()]
    by = rows.set_index(["predictor", "metric"])
    lines = [["predictor", "AUROC [wide interval]", "p", "less the baseline", *metrics[1:]]]
    kinds: list[bool] = []
    for name in dict.fromkeys(rows["predictor"]):
        one = by.loc[(name, "AUROC")]
        kinds.append(bool(one["knows_items"]))
        cells = [name, f"{one['estimate']:.3f} [{one['wide_low']:.2f}, {one['wide_high']:.2f}]", f"{one['p']:.3f}"]
        cells.append("" if not np.isfinite(one["difference"]) else difference_of(one))
        for metric in metrics[1:]:
            value = by.loc[(name, metric), "estimate"] if (name, metric) in by.index else np.nan
            cells.append(f"{value:.3f}" if np.isfinite(value) else "")
        lines.append(cells)
    widths = [max(len(row[i]) for row in lines) for i in range(len(lines[0]))]
    head, *text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in lines]
    said = [head]
    for knows in dict.fromkeys(kinds):
        baseline = next((name for name in rows.loc[rows["knows_items"] == knows, "compared_with"] if name), "none")
        what = "" if len(set(kinds)) == 1 else f"{'knows' if knows else 'does not know'} the tested items; "
        said.append(f"-- {what}baseline: {baseline}")
        said += [line for line, own in zip(text, kinds, strict=True) if own == knows]
    return said


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()} for row in rows]
