"""Pictures of numbers a value: what changed under steering, and how the model scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pyvalue.evaluation.prediction import Evaluation
from pyvalue.reporting.respondents import rating_scales
from pyvalue.reporting.theme import (
    INK,
    MUTED,
    RELATION_COLOURS,
    RELATION_MARKERS,
    RELATION_NAMES,
    RULE,
    SERIES,
    SURFACE,
    schwartz_order,
    shown,
)
from pyvalue.reporting.value_axes import finish, legend, value_axes
from pyvalue.responses import Responses, Score

#: series of a profile: more have no marks of their own, and no room
MAX_SERIES = len(SERIES)
_SERIES_KEYS = ["model", "edit", "mode"]
_PALE = 0.28  # opacity of a predicted interval
_BAR = 0.56  # height of a predicted interval, in rows: clear of its neighbours, and wider than a mark


def draw_effects(evaluation: Evaluation, ax: Axes | None = None) -> Figure:
    """Every value's change with its interval, by predicted relation; filled where the interval leaves out zero.

    A pale bar behind is the predicted interval, for the change that the target was measured to make.

    Args:
        evaluation: whose effects to show.
        ax: to draw into; default a new figure.
    """
    table = effects_in_order(evaluation)
    ax = value_axes(ax, len(table))
    barred = False
    for row, effect in enumerate(table.to_dict("records")):
        colour = RELATION_COLOURS[effect["predicted"]]
        barred |= _draw_prediction(ax, row, effect, colour)
        if not np.isfinite(effect["change"]):
            ax.text(0, row, "  no answers", size=9, color=MUTED, va="center")
            continue
        ax.plot([effect["low"], effect["high"]], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
        ax.plot(
            effect["change"], row, RELATION_MARKERS[effect["predicted"]], markersize=8.5, color=colour,
            markerfacecolor=colour if effect["changed"] else SURFACE, markeredgewidth=1.8,
        )  # fmt: skip
    groups = table["predicted"].ne(table["predicted"].shift()).to_numpy()
    for row in np.flatnonzero(groups)[1:]:
        ax.axhline(row - 0.5, color=RULE, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.axvline(0, color=INK, linewidth=1)
    finish(ax, list(table["value"]), "change of the score, steered − unedited")
    entries: list[Artist] = [
        Line2D([], [], linestyle="none", marker=RELATION_MARKERS[r], color=RELATION_COLOURS[r], label=name)
        for r, name in RELATION_NAMES.items()
        if r in set(table["predicted"])
    ]
    hollow: dict[str, Any] = {"markerfacecolor": SURFACE, "markeredgewidth": 1.5, "color": MUTED}
    entries.append(Line2D([], [], linestyle="none", marker="o", label="hollow: interval holds zero", **hollow))
    if barred:
        entries.append(Patch(color=MUTED, alpha=_PALE, linewidth=0, label="bar: predicted interval"))
    legend(ax, entries)
    return cast(Figure, ax.figure)


def _draw_prediction(ax: Axes, row: int, effect: dict[str, Any], colour: str) -> bool:
    """The predicted interval as a pale bar; a prediction of no change at all is a line, else it would not be seen."""
    low, high = (effect.get(name, np.nan) for name in ("predicted_low", "predicted_high"))
    if not np.isfinite([low, high]).all():
        return False
    if high > low:
        ax.barh(row, high - low, left=low, height=_BAR, color=colour, alpha=_PALE, linewidth=0, zorder=0.5)
    else:
        ax.plot([low, low], [row - _BAR / 2, row + _BAR / 2], color=colour, alpha=_PALE, linewidth=6, zorder=0.5)
    return True


def draw_profile(
    responses: Responses | Sequence[Responses], ax: Axes | None = None, *, score: Score = "corrected"
) -> Figure:
    """Mean score of every value with its 95% interval over personas, one series a set, model, edit and mode.

    Of more than ``MAX_SERIES`` series the first are drawn, and how many there are is told.

    Args:
        responses: one set of answers or several.
        ax: to draw into; default a new figure.
        score: see ``Responses.answers``.
    """
    sets = [responses] if isinstance(responses, Responses) else list(responses)
    table = profile(sets, score, most=MAX_SERIES)
    every = series_count(sets)
    names = list(dict.fromkeys(table["value"]))
    names = schwartz_order(names) or names
    series = list(dict.fromkeys(table["series"]))
    ax = value_axes(ax, len(names) * max(1.0, 0.55 * len(series)))
    offsets = np.linspace(-0.22, 0.22, len(series)) if len(series) > 1 else [0.0]
    for index, (label, offset) in enumerate(zip(series, offsets, strict=True)):
        colour, marker = SERIES[index]
        own = table[table["series"] == label]
        rows = np.array([names.index(value) for value in own["value"]]) + offset
        ax.hlines(rows, own["low"], own["high"], color=colour, linewidth=2)
        ax.plot(own["mean"], rows, marker, color=colour, markersize=7, label=shown(label, 60))
    ax.axvline(0, color=INK, linewidth=1)
    more = f"\nthe first {len(series)} of {every:,} series are drawn" if every > len(series) else ""
    finish(ax, names, f"mean score (−1 against, +1 for){more}")
    if len(series) > 1:
        handles, _ = ax.get_legend_handles_labels()
        legend(ax, handles, columns=1)
    return cast(Figure, ax.figure)


def profile(sets: Sequence[Responses], score: Score = "corrected", most: int | None = None) -> pd.DataFrame:
    """Mean score of every value in every series, with its 95% Student's t interval over personas.

    A series is the answers of one set by one model under one edit in one mode. Where two sets have these in common,
    their series are told apart by the number of personas, or by their place.

    Args:
        sets: of answers.
        score: see ``Responses.answers``.
        most: series that are computed, the first ones; default all.

    Returns:
        Columns ``series, value, mean, low, high, personas``; the interval is missing with fewer than 2 personas.
    """
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    frames = []
    for label, responses in islice(_series(sets), most):
        rows = responses.matrix(score)
        count = rows.notna().sum().to_numpy()
        enough = count >= 2
        reach = np.where(enough, stdtrit(np.where(enough, count - 1, 1), 0.975), np.nan) * rows.sem().to_numpy()
        mean = rows.mean().to_numpy()
        frames.append(
            pd.DataFrame(
                {
                    "series": label, "value": list(rows.columns), "mean": mean, "low": mean - reach,
                    "high": mean + reach, "personas": count,
                }
            )
        )  # fmt: skip
    columns = ["series", "value", "mean", "low", "high", "personas"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def series_count(sets: Sequence[Responses]) -> int:
    """Number of series of a profile."""
    return sum(len(one.table[_SERIES_KEYS].drop_duplicates()) for one in sets)


def _series(sets: Sequence[Responses]) -> Iterator[tuple[str, Responses]]:
    """(label, answers) of every series; no two labels are the same."""
    keys = [list(one.table[_SERIES_KEYS].drop_duplicates().itertuples(index=False, name=None)) for one in sets]
    models, modes = ({key[place] for own in keys for key in own} for place in (0, 2))
    holders: dict[tuple[str, str, str], list[int]] = {}
    for number, own in enumerate(keys):
        for key in own:
            holders.setdefault(key, []).append(number)
    for number, one in enumerate(sets):
        for (model, edit, mode), table in one.table.groupby(_SERIES_KEYS, sort=False):
            plain = "answers" if model in rating_scales(one) else "unedited"
            name = [*([model] if len(models) > 1 else []), edit or plain, *([mode] if len(modes) > 1 else [])]
            alike = holders[(model, edit, mode)]
            if len(alike) > 1:
                sizes = [len(sets[other].personas) for other in alike]
                name.append(f"set {alike.index(number) + 1}" if len(set(sizes)) < len(sizes) else
                            f"{len(one.personas)} personas")  # fmt: skip
            yield ", ".join(name), Responses(table.reset_index(drop=True), one.facts)


def effects_in_order(evaluation: Evaluation) -> pd.DataFrame:
    """The effects by predicted relation (target first), the largest change first within one."""
    rank = {relation: place for place, relation in enumerate(RELATION_COLOURS)}
    table = evaluation.effects.assign(rank=evaluation.effects["predicted"].map(rank))
    return table.sort_values(["rank", "change"], ascending=[True, False], kind="stable", ignore_index=True)
