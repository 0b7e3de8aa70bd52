"""Table 1 of Kang et al. (2025) as a heat map: what each SAE feature does to each value, in training and in test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from pyvalue.evaluation.paper import PaperReproduction
from pyvalue.evaluation.paper_published import LEFT_OUT_OF_TABLE_1
from pyvalue.reporting.theme import INK, MUTED, SURFACE, shown

_COLOURS = LinearSegmentedColormap.from_list("down-up", ["#d55e00", SURFACE, "#0072b2"])
_CELL = 0.47  # inches


def draw_paper_table_1(paper: PaperReproduction) -> Figure:
    """Cells are the share of personas that went up less the share that went down, in percent points.

    Values that the printed table leaves out have grey names; a note under the picture says so, and what the numbers in
    grey are: on the right the mean similarity of training and test over the other values, at the bottom the noise.

    Raises:
        ValueError: Table 1 could not be computed.
    """
    if "table1" not in paper.tables:
        raise ValueError("paper: it has no Table 1; the answers or the features that it needs were not there")
    counts = paper.tables["table1"]
    similarity, noise = paper.tables["similarity"], paper.tables["noise"]
    rows, columns = similarity.shape
    width, height = 2.0 + _CELL * (columns + 1), 5.2 + 2 * 0.8 * _CELL * (rows + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    printed = [value for value in similarity.columns if value not in LEFT_OUT_OF_TABLE_1] or list(similarity.columns)
    axes: Any = figure.subplots(2, 1)
    for ax, part, name in zip(axes, ("train", "test"), ("training", "test"), strict=True):
        people = int(counts[[f"{part} up", f"{part} down", f"{part} same"]].sum(axis=1).max())
        net = 100 * (counts[f"{part} up"] - counts[f"{part} down"]) / _people(counts, part)
        _draw_cells(ax, net.unstack().loc[similarity.index, similarity.columns], below=0.7 if part == "train" else 0.0)
        title = f"{name}, {people} personas: share that went up less share that went down, in points"
        ax.set_title(title, loc="left", fontsize=11, color=INK)
    for row, mean in enumerate(similarity[printed].mean(axis=1)):
        axes[0].text(columns + 0.15, row, f"{mean:.2f}", size=9, color=MUTED, ha="center", va="center")
    axes[0].text(columns + 0.15, -0.75, "similarity", size=9, color=MUTED, ha="center", va="bottom")
    for column, mean in enumerate(noise.mean(axis=0)):
        axes[0].text(column, rows - 0.1, f"{mean:.2f}", size=9, color=MUTED, ha="center", va="center")
    axes[0].text(-0.65, rows - 0.1, "noise", size=9, color=MUTED, ha="right", va="center")
    for ax in axes:
        _name_values(ax, list(similarity.columns), printed)
    figure.supxlabel(_note(len(printed) < columns), x=0.01, ha="left", fontsize=9, color=MUTED)
    return figure


def _name_values(ax: Axes, values: list[str], printed: list[str]) -> None:
    ax.set_xticks(range(len(values)), [shown(name) for name in values], rotation=50, ha="right")
    ax.tick_params(axis="x", labelbottom=True, labelsize=10)
    for label, value in zip(ax.get_xticklabels(), values, strict=True):
        label.set_color(INK if value in printed else MUTED)
        label.set_parse_math(False)
        label.set_rotation_mode("anchor")


def _note(some_left_out: bool) -> str:
    lines = [
        "similarity: cosine of the shares up, down and the same in training and in test, mean over the values",
        "noise: smallest of the three shares in training, mean over the features; 0 where no persona goes another way",
    ]
    if some_left_out:
        lines[0] += " with names in black"
        lines.append("names in grey: values that the table printed in the paper leaves out")
    return "\n".join(lines)


def _draw_cells(ax: Axes, net: pd.DataFrame, below: float) -> None:
    """The cells of one part, with room for so many rows below."""
    rows, columns = net.shape
    ax.imshow(net.to_numpy(), cmap=_COLOURS, vmin=-100, vmax=100, aspect="auto")
    for row in range(rows):
        for column in range(columns):
            number = net.iat[row, column]
            text = f"{number:+.0f}".replace("-", "−") if np.isfinite(number) else "–"
            text = "0" if text in ("+0", "−0") else text
            colour = SURFACE if np.isfinite(number) and abs(number) > 60 else INK
            ax.text(column, row, text, size=8.5, color=colour, ha="center", va="center")
    ax.set_yticks(range(rows), list(net.index))
    ax.set_xlim(-0.5, columns + 0.5)
    ax.set_ylim(rows - 0.5 + below, -0.5)
    ax.tick_params(axis="both", length=0, labelcolor=INK, labelsize=10, labelbottom=False)
    ax.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, color=SURFACE, linewidth=1.5)
    ax.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, color=SURFACE, linewidth=1.5)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.patch.set_visible(False)


def _people(counts: pd.DataFrame, part: str) -> pd.Series:
    total = counts[[f"{part} up", f"{part} down", f"{part} same"]].sum(axis=1)
    return total.where(total > 0)
