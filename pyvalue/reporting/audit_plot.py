"""Pictures of an audit: contrasts in their null of permuted names, and the contrast of every persona alone."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.audit import EDITS, PERSONAS
from pyvalue.evaluation.audit_contrast_findings import PAPERS, p_in_words
from pyvalue.evaluation.audit_findings import Audit
from pyvalue.reporting.theme import INK, MUTED, RELATION_COLOURS, RULE, SURFACE, shown
from pyvalue.wide_scores import NO_PERSONA

_NULL, _OBSERVED = RELATION_COLOURS["unaffected"], RELATION_COLOURS["target"]
#: personas that get a row each; of more, the picture shows places alone
_NAMED = 40


def draw_nulls(audit: Audit) -> Figure:
    """One row a contrast: how it, and its lift, are spread over permuted names, where the observed ones lie.

    Args:
        audit: with at least one contrast that could be computed.

    Raises:
        ValueError: there is none.
    """
    names = [name for name, one in audit.nulls.items() if np.isfinite(one.p) and name in (*EDITS, *PERSONAS)]
    if not names:
        raise ValueError("audit: no contrast could be computed, so there is no null to draw")
    figure = Figure(figsize=(9.6, 0.9 + 1.25 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 2, sharex=True, squeeze=False)
    for row, name in zip(axes, names, strict=True):
        for ax, kind in zip(row, ("contrast", "lift"), strict=True):
            _null(ax, audit, name, kind)
    told = (
        "contrast, as in the paper:\nrate of change of expected values − of the others",
        "lift: the same, less what is due to\nhow often each value changes at all",
    )
    for ax, text in zip(axes[-1], told, strict=True):
        ax.set_xlabel(text, color=MUTED, size=9)
    figure.supxlabel(
        "grey: under permuted names; line and bar: observed, with its interval over personas", color=MUTED, size=9
    )
    return figure


def draw_personas(audit: Audit, kind: str = "edits", ax: Axes | None = None) -> Figure:
    """The contrast of every persona alone, the chosen one filled, and that of all together as a line.

    Args:
        audit: with such contrasts.
        kind: "edits" (every persona's changes) or "personas" (every persona as the baseline).
        ax: to draw into; default a new figure.

    Raises:
        ValueError: an unknown kind, or the audit has no such contrasts.
    """
    if kind not in ("edits", "personas"):
        raise ValueError(f"kind: expected 'edits' or 'personas', got {kind!r}")
    names, key = (EDITS, "personas") if kind == "edits" else (PERSONAS, "baselines")
    table = audit.tables.get(key, pd.DataFrame(columns=["persona", "contrast"])).dropna(subset="contrast")
    if table.empty:
        raise ValueError(f"audit: there are no contrasts of single personas ({audit[names[1]].sentence})")
    table = table.sort_values(["contrast", "persona"], ascending=[False, True], ignore_index=True)
    if ax is None:
        height = 1.3 + 0.2 * min(len(table), _NAMED)
        ax = Figure(figsize=(7.4, height), layout="constrained").add_subplot()
    chosen = table["persona"] == audit[names[2]].figures.get("chosen")
    places = np.arange(len(table))
    ax.hlines(places, 0, table["contrast"], color=RULE, linewidth=1.4)
    ax.plot(table["contrast"][~chosen], places[~chosen], "o", color=_NULL, markersize=5.5)
    ax.plot(table["contrast"][chosen], places[chosen], "D", color=_OBSERVED, markersize=7.5)
    ax.axvline(0, color=INK, linewidth=1)
    whole = audit[names[1]].figures
    if np.isfinite(whole.get("low", np.nan)):
        ax.axvspan(whole["low"], whole["high"], color=RELATION_COLOURS["possible"], alpha=0.2, linewidth=0)
    ax.axvline(whole["contrast"], color=RELATION_COLOURS["definite"], linewidth=1.4)
    what = "all pairs" if kind == "personas" else "all personas"
    ax.text(whole["contrast"], -1.1, what, size=9, color=RELATION_COLOURS["definite"], ha="center", va="bottom")
    if len(table) <= _NAMED:
        ax.set_yticks(places, ["no persona" if name == NO_PERSONA else shown(str(name)) for name in table["persona"]])
        for label, own in zip(ax.get_yticklabels(), chosen, strict=True):
            label.set_parse_math(False)
            label.set_color(_OBSERVED if own else INK)
    else:
        ax.set_yticks([])
        for place in places[chosen]:
            name, side = shown(str(table["persona"][place])), "right" if table["contrast"][place] > 0 else "left"
            ax.text(0, place, f"  {name}  ", size=9, color=_OBSERVED, ha=side, va="center", parse_math=False)
    ax.set_ylim(len(table) - 0.4, -0.8)
    alone = "with this persona as the baseline" if kind == "personas" else "of this persona alone"
    ax.set_xlabel(f"contrast {alone}", color=MUTED)
    _quiet(ax)
    return cast(Figure, ax.figure)


def _null(ax: Axes, audit: Audit, name: str, kind: str) -> None:
    test = audit.nulls[name if kind == "lift" else PAPERS.format(name)]
    figures = audit[name].figures
    low, high = (figures[f"lift_{end}" if kind == "lift" else end] for end in ("low", "high"))
    bins = np.linspace(min(test.null.min(), test.observed), max(test.null.max(), test.observed), 60)
    heights, _, _ = ax.hist(test.null, bins=bins.tolist(), color=_NULL, alpha=0.55)
    top = float(np.max(heights))
    ax.axvline(test.observed, color=_OBSERVED, linewidth=2)
    if np.isfinite(low):
        ax.plot([low, high], [1.12 * top] * 2, color=_OBSERVED, linewidth=2.2)
    ax.set_ylim(0, 1.25 * top)
    ax.set_yticks([])
    ax.set_title(name, loc="left", size=10, color=INK, parse_math=False)
    ax.set_title(f"{test.observed:+.3f}, p = {p_in_words(test.p)}", loc="right", size=9, color=_OBSERVED)
    _quiet(ax)


def _quiet(ax: Axes) -> None:
    ax.tick_params(axis="y", length=0, labelsize=8)
    ax.tick_params(axis="x", color=RULE, labelcolor=MUTED, labelsize=9)
    ax.grid(axis="x", color=RULE, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_facecolor(SURFACE)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(RULE)
