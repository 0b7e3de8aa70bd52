"""Heat map of what edits did: edits in rows, values in columns, the cell the mean change of the score."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyvalue.reporting.heat_map_cells import Order, cell_order, edit_effects, strongest_edits
from pyvalue.reporting.theme import INK, MUTED, RULE, shown
from pyvalue.responses import Score

#: rows of a picture; of more edits those that did the most are drawn
MAX_EDITS = 100
#: cells above which they hold no numbers: these would be too small to read
MAX_NUMBERS = 300
#: Okabe & Ito (2008); as dark as each other, so that in grey the size of a change is still seen
DOWN, UP = "#d55e00", "#0072b2"
COLOURS = LinearSegmentedColormap.from_list("down-up", [DOWN, "#fdfdfd", UP])
# Of text on cells. Not the ink of the page: that turns light in the dark, and the cells do not.
_DARK, _LIGHT = "#1c2431", "#fefefd"
_FADED = 0.22  # opacity of a cell whose interval holds zero, where the number in it tells it from a small change
# ... and where there is no number: a grey that is no change's colour
_UNCLEAR = (*to_rgb(MUTED), 0.3)


def draw_heat_map(
    source: Any, ax: Axes | None = None, *, order: Order = "clustered", score: Score = "corrected",
    confidence: float = 0.95,
) -> Figure:  # fmt: skip
    """Mean paired change of every value under every edit; missing cells are crossed out.

    With few cells the numbers stand in them, and those whose interval holds zero are faded. With many, these are grey
    whatever their size, and a stroke marks clear ones below zero, so that the sign is seen without colours, too. Cells
    of edits that broke the model count as unclear, and the edit's name says so. Of more than
    ``MAX_EDITS`` edits those with the largest mean square change are shown.

    Args:
        source: ``PairedChanges``; what ``pyvalue.paired_changes`` takes; or a table of ``edit_effects``.
        ax: to draw into; default a new figure. One that is given gets no scale of colours.
        order: "clustered", edits that do the like beside each other, or "given".
        score: of ``Responses``.
        confidence: of the intervals.

    Raises:
        ValueError: what ``edit_effects`` and ``cell_order`` refuse.
    """
    effects = _effects(source, score, confidence)
    every = effects["edit"].nunique()
    effects = strongest_edits(effects, MAX_EDITS)
    edits, values = cell_order(effects, order)
    place = effects.assign(counts=effects["clear"] & ~effects["broken"]).set_index(["edit", "value"])
    broken = set(effects.loc[effects["broken"], "edit"])
    change, clear = (
        place[name].unstack("value").loc[edits, values].to_numpy(dtype=kind)
        for name, kind in (("change", float), ("counts", bool))
    )
    numbered = change.size <= MAX_NUMBERS
    scale = None
    if ax is None:
        tall = 0.3 if len(edits) <= 40 else 0.165
        wide = 0.42 if numbered else 0.36
        beside = 1.3 + 0.07 * max((len(_edit_label(edit, broken)) for edit in edits), default=0)
        figure = Figure(
            figsize=(max(beside + wide * len(values), 6.0), 2.3 + tall * max(len(edits), 2)), layout="constrained"
        )
        figure.get_layout_engine().set(w_pad=0.1)  # type: ignore[union-attr, call-arg]
        ax = figure.add_subplot()
        scale = ax
    reach = float(np.nanmax(np.abs(change), initial=0.0)) if np.isfinite(change).any() else 0.0
    norm = Normalize(-(reach or 1.0), reach or 1.0)
    pixels = COLOURS(norm(np.nan_to_num(change)))
    if numbered:
        pixels[~clear, 3] = _FADED
    else:
        pixels[~clear] = _UNCLEAR
    pixels[~np.isfinite(change), 3] = 0.0
    image = ax.imshow(pixels, aspect="auto", interpolation="none")
    _mark_missing(ax, change)
    if numbered:
        _write_numbers(ax, change, clear, norm)
    else:
        _strike_negative(ax, change, clear, norm)
    _name(ax, edits, values, broken)
    if scale is not None:
        image.set_cmap(COLOURS)
        _add_scale(scale, norm, numbered, every, len(edits), confidence)
    return ax.figure  # type: ignore[return-value]


def _effects(source: Any, score: Score, confidence: float) -> pd.DataFrame:
    known = {"edit", "value", "change", "low", "high", "clear", "broken"}
    if isinstance(source, pd.DataFrame) and known <= set(source.columns):
        return source
    return edit_effects(source, score=score, confidence=confidence)


def _mark_missing(ax: Axes, change: NDArray[np.float64]) -> None:
    rows, columns = np.nonzero(~np.isfinite(change))
    ax.plot(columns, rows, linestyle="none", marker="x", markersize=4, color=MUTED, alpha=0.7)


def _write_numbers(ax: Axes, change: NDArray[np.float64], clear: NDArray[np.bool_], norm: Normalize) -> None:
    for row, column in np.argwhere(np.isfinite(change)):
        number = change[row, column]
        text = f"{number:+z.2f}".replace("-", "−").replace("0.", ".") if abs(number) < 1 else f"{number:+.1f}"
        colour = MUTED  # the cell is nearly the page
        if clear[row, column]:
            colour = _LIGHT if abs(number) > 0.6 * norm.vmax else _DARK  # type: ignore[operator]
        weight = "bold" if clear[row, column] else "normal"
        ax.text(column, row, text, size=7.5, color=colour, ha="center", va="center", weight=weight)


def _strike_negative(ax: Axes, change: NDArray[np.float64], clear: NDArray[np.bool_], norm: Normalize) -> None:
    """One path a colour, with gaps: thousands of markers would make the file large."""
    below = clear & (np.nan_to_num(change) < 0)
    strong = np.abs(np.nan_to_num(change)) > 0.6 * float(norm.vmax or 1.0)
    for mask, colour in ((below & strong, _LIGHT), (below & ~strong, _DARK)):
        rows, columns = np.nonzero(mask)
        x = np.stack([columns - 0.15, columns + 0.15, np.full(len(columns), np.nan)], axis=1).ravel()
        y = np.stack([rows, rows, np.full(len(rows), np.nan)], axis=1).ravel()
        ax.plot(x, y, color=colour, linewidth=1.1, solid_capstyle="butt")


def _name(ax: Axes, edits: list[str], values: list[str], broken: set[str]) -> None:
    size = 9 if len(edits) <= 40 else 7
    ax.set_yticks(range(len(edits)), [_edit_label(edit, broken) for edit in edits], size=size)
    ax.set_xticks(range(len(values)), [shown(value, 28) for value in values], size=9)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, labelcolor=INK)
    for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):  # after the labels went to the top
        label.set_parse_math(False)
    for label in ax.get_xticklabels():
        label.set(rotation=50, ha="left", va="baseline", rotation_mode="anchor", size=9)
    ax.set_xlim(-0.5, len(values) - 0.5)
    ax.set_ylim(len(edits) - 0.5, -0.5)
    ax.patch.set_visible(False)
    for spine in ax.spines.values():
        spine.set_color(RULE)


def _edit_label(edit: str, broken: set[str]) -> str:
    return f"{shown(edit, 30)} (broken)" if edit in broken else shown(edit, 40)


def _add_scale(ax: Axes, norm: Normalize, numbered: bool, every: int, drawn: int, confidence: float) -> None:
    from matplotlib.cm import ScalarMappable

    bar = ax.figure.colorbar(
        ScalarMappable(norm, COLOURS), ax=ax, location="bottom", fraction=0.05, pad=0.02, aspect=40, shrink=0.9
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelcolor=MUTED, labelsize=8.5)
    pale = "faded" if numbered else "grey"
    told = [f"mean change of the score, edited − unedited; {pale}: the cell’s own {confidence:.0%} interval holds zero"]
    if not numbered:
        told.append("a stroke: below zero; ×: no answers")
    if every > drawn:
        told.append(f"the {drawn} edits of {every} that did the most")
    bar.set_label("\n".join(told), color=MUTED, size=9)
