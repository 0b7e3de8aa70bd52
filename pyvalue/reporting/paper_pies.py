"""The pies of Kang et al. (2025): shares of personas whose value went up, stayed and went down."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pyvalue.evaluation.paper import PaperReproduction
from pyvalue.evaluation.paper_pies import DIRECTIONS, MEANS, SLICES
from pyvalue.reporting.theme import INK, MUTED, SURFACE

_COLOURS = {"up": "#0072b2", "same": "#c9d0d9", "down": "#d55e00"}
_NAMES = {"up": "went up", "same": "stayed", "down": "went down"}
_TITLES = {"positive": "to raise a value", "negative": "to lower a value"}


def draw_paper_pies(paper: PaperReproduction) -> Figure:
    """One pie a direction and means of steering; slices clockwise from the top: up, same, down.

    Raises:
        ValueError: the pies could not be computed.
    """
    if "pies" not in paper.tables:
        raise ValueError("paper: it has no pies; the answers that they need were not there")
    table = paper.tables["pies"]
    figure = Figure(figsize=(7.4, 6.4), layout="constrained")
    for place, (direction, means) in enumerate((d, m) for d in DIRECTIONS for m in MEANS):
        ax = figure.add_subplot(2, 2, place + 1)
        ax.set_title(f"{means}, {_TITLES[direction]}", fontsize=11, color=INK)
        if (direction, means) not in table.index:
            ax.text(0, 0, "not computable", size=10, color=MUTED, ha="center", va="center")
            ax.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
            ax.set_axis_off()
            continue
        counts = table.loc[(direction, means), list(SLICES)].to_numpy(dtype=float)
        shares = counts / counts.sum()
        ax.pie(
            shares,
            colors=[_COLOURS[name] for name in SLICES],
            startangle=90,
            counterclock=False,
            wedgeprops={"edgecolor": SURFACE, "linewidth": 2},
        )
        turned = np.pi / 2 - 2 * np.pi * (np.cumsum(shares) - shares / 2)
        for share, angle in zip(shares, turned, strict=True):
            if share > 0:
                x, y = 1.09 * np.cos(angle), 1.09 * np.sin(angle)
                side = "center" if abs(x) < 0.25 else "left" if x > 0 else "right"
                rise = "center" if abs(y) < 0.8 else "bottom" if y > 0 else "top"
                ax.text(x, y, f"{share:.1%}", size=10, color=INK, ha=side, va=rise)
    entries = [Patch(color=_COLOURS[name], label=_NAMES[name]) for name in SLICES]
    drawn = figure.legend(handles=entries, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    for text in drawn.get_texts():
        text.set_color(INK)
    return figure
