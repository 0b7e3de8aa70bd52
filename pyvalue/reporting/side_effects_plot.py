"""Pictures of side effects: gain against the change of everything else, and curves of dose and response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.evaluation.dose_response import OTHERS, TARGET, DoseResponse
from pyvalue.evaluation.side_effects import SideEffects
from pyvalue.reporting.theme import INK, MUTED, RULE, SERIES, SURFACE, shown

#: leakages whose rays are drawn
_RAYS = (0.5, 1.0, 2.0)
_MOST_LABELS = 12


def draw_side_effects(found: SideEffects, ax: Axes | None = None) -> Figure:
    """Every edit's gain, with its interval, against the root mean square change of all other values.

    Rays mark equal leakage: on the one of 1 everything else moved as much as the target. Controls are hollow. Points
    left of 0 were steered the wrong way; points below 0 moved the others less than noise. The axes reach as far as the
    points.

    Args:
        found: of ``side_effects`` or ``compare_steering``.
        ax: to draw into; default a new figure.
    """
    ax = _axes(ax, (7.6, 4.8))
    table, controls = found.table, found.controls
    every = np.concatenate(
        [table["gain_low"], table["gain_high"], table["gain"], controls["gain"]] if len(table) else [np.zeros(1)]
    ).astype(float)
    every = every[np.isfinite(every)]
    left, right = _span(every)
    heights = np.concatenate([table["side_change"], controls["side_change"]] if len(table) else [np.zeros(1)])
    heights = heights.astype(float)[np.isfinite(heights.astype(float))]
    top = max(float(heights.max(initial=0)), 0.02) * 1.2
    bottom = min(float(heights.min(initial=0)), 0.0) * 1.2 - 0.03 * top
    _draw_rays(ax, right, top)
    ax.axvline(0, color=INK, linewidth=1)
    ax.axhline(0, color=RULE, linewidth=1)
    for number, row in enumerate(table.to_dict("records")):
        colour, marker = SERIES[(number + 1) % len(SERIES)]
        own = controls[controls["control_of"] == row["edit"]]
        ax.plot(
            own["gain"], own["side_change"], marker, color=colour, markerfacecolor=SURFACE, markersize=5.5, alpha=0.8,
            linestyle="none",
        )  # fmt: skip
        ends = [row["gain_low"], row["gain_high"]]
        ax.plot(ends, [row["side_change"]] * 2, color=colour, linewidth=2.2, solid_capstyle="round")
        name = shown(str(row["edit"]), 40) if number < _MOST_LABELS else None
        ax.plot(row["gain"], row["side_change"], marker, color=colour, markersize=8.5, linestyle="none", label=name)
    if len(controls):
        ax.plot([], [], "o", color=MUTED, markerfacecolor=SURFACE, linestyle="none", label="random push as large")
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    wish = ", ".join(("raise " if sign > 0 else "lower ") + value for value, sign in found.target.items())
    _finish(ax, f"gain of the target ({shown(wish, 50)})", "change of all other values (RMS, noise taken out)")
    _legend(ax)
    return cast(Figure, ax.figure)


def _span(gains: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Ends of an axis that holds 0 and all gains, with a margin."""
    low, high = min(gains.min(initial=0), 0.0), max(gains.max(initial=0), 0.0)
    if low == high:
        return -1.0, 1.0
    # Where nothing went the wrong way, a strip left of 0 is enough; rays need some room to the right.
    high = max(high, 0.25 * (high - low))
    margin = 0.08 * (high - low)
    return low - margin, high + margin


def _draw_rays(ax: Axes, right: float, top: float) -> None:
    """Lines of equal leakage, each named inside of the axes, where it leaves them."""
    for ray in _RAYS:
        ax.plot([0, right], [0, ray * right], color=RULE, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        over = ray * right > top
        at = (top / ray, top) if over else (right, ray * right)
        away = (0, -3) if over else (-3, 0)
        ax.annotate(
            f"leakage {ray:g}", at, xytext=away, textcoords="offset points", size=8, color=MUTED, zorder=1,
            ha="center" if over else "right", va="top" if over else "center",
            bbox={"facecolor": SURFACE, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def draw_dose_response(found: DoseResponse, ax: Axes | None = None, effects: Sequence[str] | None = None) -> Figure:
    """Effects against strength with their intervals, the monotone fit, the half-maximum and where the edit collapses.

    Args:
        found: of ``dose_response``.
        ax: to draw into; default a new figure.
        effects: rows of the summary; default the target and the size of all others.
    """
    ax = _axes(ax, (7.2, 4.4))
    known = list(found.summary["effect"])
    wanted = list(effects) if effects is not None else [name for name in (TARGET, OTHERS) if name in known]
    if missing := [name for name in wanted if name not in known]:
        raise ValueError(f"effects: expected some of {', '.join(known)}, got {', '.join(missing)}")
    ax.axhline(0, color=INK, linewidth=1)
    working = found.curve[~found.curve["broken"].astype(bool)]
    for number, name in enumerate(wanted):
        colour, marker = SERIES[(number + 1) % len(SERIES)]
        rows, row = working[working["effect"] == name].sort_values("strength"), found.of(name)
        x = rows["strength"].to_numpy(dtype=float)
        ax.fill_between(
            x,
            rows["low"].to_numpy(dtype=float),
            rows["high"].to_numpy(dtype=float),
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        ax.plot(x, rows["fitted"].to_numpy(dtype=float), color=colour, linewidth=1, linestyle=(0, (4, 3)))
        ax.plot(
            x,
            rows["mean"].to_numpy(dtype=float),
            marker + "-",
            color=colour,
            linewidth=1.8,
            markersize=6.5,
            label=shown(name),
        )
        if np.isfinite(row["half"]):
            ax.plot(row["half"], row["largest"] / 2, "|", color=colour, markersize=16, markeredgewidth=2)
            ax.plot([row["half_low"], row["half_high"]], [row["largest"] / 2] * 2, color=colour, linewidth=2.2)
    _mark_collapse(ax, found)
    if wanted:
        ax.plot([], [], "|-", color=MUTED, markersize=12, markeredgewidth=2, label="half of the largest, with interval")
        ax.plot([], [], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="monotone fit")
    below = "size of the strength, which is below 0" if found.facts.get("sign", 1) < 0 else "strength"
    _finish(ax, below, "change of the score, steered − unedited")
    _legend(ax)
    return cast(Figure, ax.figure)


def _mark_collapse(ax: Axes, found: DoseResponse) -> None:
    broken = sorted(float(strength) for strength in found.facts.get("broken", {}))
    for strength in broken:
        ax.plot(strength, 0, "X", color=INK, markersize=9, zorder=5)
    if broken:
        ax.plot([], [], "X", color=INK, linestyle="none", markersize=9, label="broke the model")
    row = found.of(TARGET)
    if np.isfinite(row["collapse"]) and row["collapse"] not in broken:
        ax.axvline(row["collapse"], color=MUTED, linewidth=1, linestyle=":", label="target falls back")


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    figure = Figure(figsize=size, facecolor=SURFACE, layout="constrained")
    return figure.add_subplot(facecolor=SURFACE)


def _finish(ax: Axes, below: str, beside: str) -> None:
    ax.set_xlabel(below, color=INK)
    ax.set_ylabel(beside, color=INK)
    ax.tick_params(colors=MUTED, labelcolor=INK, length=3)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(RULE)


def _legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=min(3, len(handles)),
            frameon=False, fontsize=8.5, labelcolor=INK,
        )  # fmt: skip
