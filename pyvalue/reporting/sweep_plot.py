"""Picture of a sweep: what every configuration did to the texts."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyvalue.reporting.theme import INK, MUTED, RELATION_COLOURS, SURFACE
from pyvalue.reporting.value_axes import finish
from pyvalue.steering.sweep_table import SweepResult

_PANELS = {
    "changed": "texts that differ",
    "n_tokens_change": "tokens",
    "repetition_change": "repetition",
    "log_probability_change": "log-probability",
}
#: configurations that are drawn
MAX_EDITS = 60


def draw_sweep(sweep: SweepResult) -> Figure:
    """One row a configuration, one panel a measure: means over texts less those without an edit; controls hollow.

    Args:
        sweep: of ``sweep``; the first 60 configurations are drawn.
    """
    table = sweep.summary()
    table = table[table.index != ""].head(MAX_EDITS)
    figure = Figure(figsize=(10.4, 1.3 + 0.33 * max(len(table), 3)), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    control = table["control"].to_numpy(dtype=bool)
    names = [str(name) for name in table.index]
    for ax, (column, quantity) in zip(panels, _PANELS.items(), strict=True):
        _draw(ax, table[column].to_numpy(dtype=float), control)
        finish(ax, names, quantity)
    note = "means over texts, less those without an edit" + ("; hollow: random features" if control.any() else "")
    figure.supxlabel(note, size=9, color=MUTED)
    return figure


def _draw(ax: Axes, numbers: np.ndarray, control: np.ndarray) -> None:
    ax.axvline(0, color=INK, linewidth=1)
    places = np.arange(len(numbers))
    for mask, fill in ((~control, RELATION_COLOURS["definite"]), (control, SURFACE)):
        ax.plot(
            numbers[mask], places[mask], "o", color=RELATION_COLOURS["definite"], markerfacecolor=fill, markersize=7,
            markeredgewidth=1.6,
        )  # fmt: skip
