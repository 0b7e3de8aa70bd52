"""What a prediction benchmark comes to, in words: whether any predictor ranks better than the baseline of its like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_LEVELS = {"edit": "Mean changes", "row": "Persona rows"}
_KNOWS = {False: "without knowing the tested items", True: "knowing the tested items"}


def holm(p: Sequence[float]) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979, Scandinavian Journal of Statistics 6); NaN stays."""
    given = np.asarray(p, dtype=float)
    found = np.full(len(given), np.nan)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    scaled = given[order] * np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return found


def judged(table: pd.DataFrame, level: str) -> pd.DataFrame:
    """AUROC of the predictors that are no baselines, with ``adjusted``: Holm's correction of the larger of both p.

    To be better, a predictor must beat its baseline (``difference_p``) and itself with permuted names (``p``): leaving
    an edit out lowers the rates of what it moves, to below chance where edits share the values among them, so that a
    constant is better than a rate. The larger p is that of "not both"; all predictors of a level are one family.
    """
    rows = table[(table["level"] == level) & (table["metric"] == "AUROC") & ~table["is_baseline"]]
    both = rows[["difference_p", "p"]].max(axis=1, skipna=False)
    return rows.assign(adjusted=holm(both))


def verdict_of(table: pd.DataFrame, level: str, facts: dict[str, Any]) -> str:
    """One sentence for each kind of predictors."""
    rows = table[(table["level"] == level) & (table["metric"] == "AUROC")]
    where = _LEVELS[level]
    if not np.isfinite(rows["estimate"]).any():
        return f"{where}: no cells to rank."
    others = judged(table, level)
    kinds = list(dict.fromkeys(rows["knows_items"]))
    said = []
    for knows in kinds:
        title = where if len(kinds) == 1 else f"{where}, {_KNOWS[knows]}"
        said.append(_of_kind(title, rows[rows["knows_items"] == knows], others[others["knows_items"] == knows], facts))
    return " ".join(said)


def _of_kind(where: str, rows: pd.DataFrame, others: pd.DataFrame, facts: dict[str, Any]) -> str:
    own = rows[rows["is_baseline"]]
    if own.empty:
        return f"{where}: no baseline to compare with {'; '.join(rows['predictor'])}."
    first = own.loc[own["estimate"].idxmax()] if own["estimate"].notna().any() else own.iloc[0]
    name, base = first["predictor"], f"{first['estimate']:.3f}"
    if others.empty:
        return f"{where}: the {name} has AUROC {base}, and there is nothing to compare it with."
    better = others[(others["adjusted"] < 1 - facts["confidence"]) & (others["difference"] > 0)]
    if len(better):
        best = better.loc[better["difference"].idxmax()]
        listed = "; ".join(better["predictor"])
        return (
            f"{where}: better than the {name} ({base}), and than with permuted names, after Holm's correction: "
            f"{listed}. The best is {best['predictor']} with {best['estimate']:.3f} (difference {difference_of(best)})."
        )
    if others["difference"].isna().all():
        return f"{where}: nothing can be compared with the {name} ({base})."
    best = others.loc[others["difference"].idxmax()]
    if not np.isfinite(others["adjusted"]).any():
        return (
            f"{where}: the best is {best['predictor']} with {best['estimate']:.3f} against {base} of the {name}, with "
            "too few personas or edits to say whether the difference holds."
        )
    return (
        f"{where}: nothing is better than the {name} ({base}), and than with permuted names, after Holm's correction; "
        f"the nearest is {best['predictor']} with {best['estimate']:.3f} (difference {difference_of(best)}, "
        f"p {best['difference_p']:.3f}, by permuted names {best['p']:.3f}, both uncorrected)."
    )


def difference_of(row: pd.Series) -> str:
    """With its wide interval."""
    return f"{row['difference']:+.3f} [{row['difference_wide_low']:+.3f}, {row['difference_wide_high']:+.3f}]"
