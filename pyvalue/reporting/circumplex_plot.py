"""Pictures of the circle: the map of the values on it, and the sinusoids of their correlations."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from pyvalue.evaluation.circumplex import Circumplex
from pyvalue.evaluation.circumplex_profile import ExternalProfile
from pyvalue.evaluation.scaling import Scaling
from pyvalue.evaluation.sinusoid import Sinusoid
from pyvalue.reporting.theme import INK, MUTED, RULE, SURFACE
from pyvalue.schwartz_circle import quadrants

#: Okabe & Ito (2008); Hedonism, which is of two quadrants, takes the colour of the first
QUADRANT_COLOURS = {
    "openness": "#0072b2",
    "self-enhancement": "#d55e00",
    "conservation": "#009e73",
    "self-transcendence": "#cc79a7",
}
#: how much farther out than its place in the theory a label is
_LABEL_GAP = 0.16
_COLUMNS = 5


def draw_circumplex(found: Circumplex, ax: Axes | None = None) -> Figure:
    """Where the data put the values (filled), where the theory does (hollow), and a line between the two.

    The map is turned, reflected and scaled to fit the theory best, so a short line is a good place. How far the fit is
    more than chance is below: the map starts from the theory and comes near it in noise, too.

    Args:
        found: with a map, so of at least 4 values.
        ax: to draw into; default a new figure.

    Raises:
        ValueError: there is no map.
    """
    scaling = found.scaling
    if scaling is None:
        raise ValueError(f"found: it has no map, which needs 4 values; it has {', '.join(found.names)}")
    if ax is None:
        ax = Figure(figsize=(6.4, 6.0), layout="constrained").add_subplot()
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=RULE, linewidth=1))
    for name, (x, y), (wanted_x, wanted_y) in zip(found.names, scaling.coordinates, scaling.theory, strict=True):
        colour = QUADRANT_COLOURS[quadrants(name)[0]]
        ax.plot([x, wanted_x], [y, wanted_y], color=colour, linewidth=1, alpha=0.6, zorder=1)
        ax.plot(
            wanted_x, wanted_y, "o", markersize=8, color=colour, markerfacecolor=SURFACE, markeredgewidth=1.4, zorder=2
        )
        ax.plot(x, y, "o", markersize=8, color=colour, zorder=3)
    for name, degrees in _label_angles(found).items():
        turn = math.radians(degrees)
        across, up = math.cos(turn), math.sin(turn)
        out = _label_radius(scaling, found.names.index(name))
        side = "center" if abs(across) < 0.3 else "left" if across > 0 else "right"
        ax.text(
            out * across, out * up, name, ha=side, va="center", size=10.5,
            color=QUADRANT_COLOURS[quadrants(name)[0]],
        )  # fmt: skip
    points = np.vstack([scaling.coordinates, scaling.theory])
    wide, high = np.abs(points).max(axis=0) + np.array([0.75, 0.25])
    ax.set_xlim(-wide, wide)
    ax.set_ylim(-high, high)
    ax.set_aspect("equal")
    ax.axis("off")
    p = found.summary().set_index("quantity")["p"]
    beyond = p["fit of the map"]
    said = f"p = {beyond:.2g}" if math.isfinite(beyond) else f"p = {scaling.fit_p:.2g}, of arrangements"
    ax.set_title(
        f"filled: data, hollow: theory\nfit {scaling.fit:.2f} ({said}), stress {scaling.stress:.2f}; "
        f"{found.order.met} of {found.order.predictions} order predictions\n{found.verdict}",
        size=9.5,
        color=MUTED,
    )
    return cast(Figure, ax.figure)


def _label_radius(scaling: Scaling, place: int) -> float:
    """Just outside of a value's place in the theory, and of its point if that is in about the same direction."""
    wanted, found = scaling.theory[place], scaling.coordinates[place]
    radius = float(np.hypot(*wanted))
    return _LABEL_GAP + (max(radius, float(np.hypot(*found))) if wanted @ found > 0 else radius)


def _label_angles(found: Circumplex) -> dict[str, float]:
    """Angles of labels: those of the theory, and 8 degrees to either side where two values share a wedge."""
    shared = {"Conformity", "Tradition"} <= set(found.names) and len(set(found.angles.tolist())) < len(found.names)
    places = dict(zip(found.names, found.angles.tolist(), strict=True))
    if shared:
        places["Conformity"] -= 8.0
        places["Tradition"] += 8.0
    return places


def draw_sinusoids(found: Circumplex) -> Figure:
    """Every value's correlations with the others along the circle, and the sinusoid through them, one panel a value.

    The dotted line is the value's own place, where the curve should be highest.

    Raises:
        ValueError: there are fewer than 4 values.
    """
    if found.profiles is None:
        raise ValueError(f"found: it has no sinusoids, which need 4 values; it has {', '.join(found.names)}")
    count = len(found.names)
    lines = math.ceil(count / _COLUMNS)
    columns = min(count, _COLUMNS)
    figure = Figure(figsize=(2.3 * columns + 0.5, 2.1 * lines + 0.6), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for number, row in enumerate(found.profiles.to_dict("records")):
        others = np.arange(count) != number
        curve = Sinusoid(row["elevation"], row["amplitude"], row["peak"], row["r_squared"], count - 1)
        ax = panels.flat[number]
        _draw_curve(ax, found.angles[others], found.correlation[number, others], curve, row["value"])
        ax.axvline(row["angle"], color=MUTED, linewidth=1, linestyle=":")
        ax.set_title(f"{row['value']}, R² = {row['r_squared']:.2f}".replace("nan", "–"), size=9, color=INK)
    for ax in panels.flat[count:]:
        ax.set_visible(False)
    figure.supxlabel("angle on the circle, degrees", size=9, color=MUTED)
    figure.supylabel("correlation", size=9, color=MUTED)
    return figure


def draw_external_profile(found: ExternalProfile, ax: Axes | None = None) -> Figure:
    """Correlations of the values with one variable, with their intervals, and the sinusoid through them."""
    if ax is None:
        ax = Figure(figsize=(7.4, 4.2), layout="constrained").add_subplot()
    table = found.table
    for row in table.to_dict("records"):
        colour = QUADRANT_COLOURS[quadrants(row["value"])[0]]
        ax.vlines(row["angle"], row["low"], row["high"], color=colour, linewidth=2)
        ax.plot(row["angle"], row["r"], "o", color=colour, markersize=7)
    along = np.linspace(-20, 340, 300)
    ax.plot(along, found.curve.at(along), color=MUTED, linewidth=1.2, zorder=0)
    _quiet(ax)
    labels = table.groupby("angle")["value"].agg("\n".join)
    ax.set_xticks(labels.index, list(labels), rotation=35, ha="right", size=9)
    ax.set_ylabel("correlation", color=MUTED)
    ax.set_title(
        f"peak at {found.curve.peak:.0f}°, amplitude {found.curve.amplitude:.2f} (p = {found.amplitude_p:.2g}), "
        f"R² = {found.curve.r_squared:.2f}; {found.personas} personas",
        size=10,
        color=MUTED,
    )
    return cast(Figure, ax.figure)


def _draw_curve(ax: Axes, angles: np.ndarray, r: np.ndarray, curve: Sinusoid, name: str) -> None:
    colour = QUADRANT_COLOURS[quadrants(name)[0]]
    along = np.linspace(-20, 360, 200)
    ax.plot(along, curve.at(along), color=colour, linewidth=1.5)
    ax.plot(angles, r, "o", color=colour, markersize=4.5)
    ax.set_xticks([0, 120, 240, 360])
    ax.set_xlim(-20, 360)
    _quiet(ax)


def _quiet(ax: Axes) -> None:
    ax.axhline(0, color=RULE, linewidth=0.8, zorder=0)
    ax.tick_params(color=RULE, labelcolor=MUTED, labelsize=8)
    ax.patch.set_visible(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(RULE)
