"""The pies of Kang et al. (2025): of how many personas a value went up, stayed or went down when it was to be moved.

Which SAE feature is to move which value was picked by the authors by hand, after seeing Table 1: the pies show how well
steering can do on values and personas that it was chosen with a view to, not how well it does on new ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyvalue.evaluation.paper_comparison import Comparison, absent, figures
from pyvalue.evaluation.paper_files import PaperFiles
from pyvalue.evaluation.paper_published import Published

DIRECTIONS = ("positive", "negative")
MEANS = ("SAE", "hard prompt")
SLICES = ("up", "same", "down")


def pie_counts(files: PaperFiles, chosen: Mapping[str, Mapping[str, str]]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Count pairs of a persona and a value by the sign of the change, over the values that a feature was chosen for.

    Args:
        files: with test answers, for all; and with those under hard prompts, for these.
        chosen: direction -> value -> feature.

    Returns:
        Rows (direction, means), columns ``up, same, down``, integers; and (direction, means) as "positive, SAE" -> why
        a row is not there. A score that is missing counts nowhere.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    why: dict[str, str] = {}
    for direction in DIRECTIONS:
        for means in MEANS:
            key = f"{direction}, {means}"
            change = _changes(files, chosen.get(direction, {}), direction, means)
            if isinstance(change, str):
                why[key] = change
            elif np.isnan(change).all():
                why[key] = "no persona has a score before and after"
            else:
                counts[direction, means] = [int((np.sign(change) == sign).sum()) for sign in (1, 0, -1)]
    index = pd.MultiIndex.from_tuples(counts, names=["direction", "means"]) if counts else pd.MultiIndex(
        levels=[[], []], codes=[[], []], names=["direction", "means"]
    )  # fmt: skip
    return pd.DataFrame(list(counts.values()), index=index, columns=list(SLICES)), why


def compare_pies(counts: pd.DataFrame, why: Mapping[str, str], stated: Published) -> list[Comparison]:
    """The rows of the reproduction that are about the pies."""
    rows = []
    for direction in DIRECTIONS:
        for means in MEANS:
            key = f"{direction}, {means}"
            what = f"pie: {direction}, {means}, up / same / down"
            if key in why:
                rows.append(absent(what, why[key]))
                continue
            own = counts.loc[(direction, means)]
            shares = (100 * own / own.sum()).tolist()
            published = None if stated.pies is None else stated.pies.get((direction, means))
            note = f"of {own.sum()} pairs of persona and value"
            rows.append(figures(what, list(published) if published else None, shares, 1, " %", note))
    return rows


def _changes(files: PaperFiles, chosen: Mapping[str, str], direction: str, means: str) -> NDArray[np.float64] | str:
    """Changes of every persona and chosen value, or why there are none."""
    if files.test is None:
        return files.lack("test") or ""
    if not chosen:
        return "which feature is to move which value is stated nowhere in the files; name them"
    lacking = [value for value in chosen if value not in files.test.columns]
    if lacking:
        return f"the answers lack the values {', '.join(lacking)}"
    before = files.test.xs("", level="edit")
    if means == "hard prompt":
        if direction not in files.hard:
            return files.lack(direction) or ""
        after = files.hard[direction].xs("", level="edit")
        return _flat(after, before, list(chosen))
    parts = []
    edits = files.test.index.get_level_values("edit")
    for value, feature in chosen.items():
        if feature not in edits:
            return f"the test answers lack feature {feature}, chosen to move {value}"
        parts.append(_flat(files.test.xs(feature, level="edit"), before, [value]))
    return np.concatenate(parts)


def _flat(after: pd.DataFrame, before: pd.DataFrame, values: list[str]) -> NDArray[np.float64]:
    """Changes (n,) of the personas with both rows, of all the values."""
    both = before.index.intersection(after.index, sort=False)
    change: NDArray[np.float64] = (after.loc[both, values] - before.loc[both, values]).to_numpy(dtype=float)
    return change.ravel()
