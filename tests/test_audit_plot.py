"""Pictures of an audit show its numbers, and say so where there are none."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from pyvalue.evaluation.audit import EDITS, PERSONAS, audit
from pyvalue.evaluation.audit_contrast_findings import PAPERS
from pyvalue.evaluation.audit_findings import Audit
from pyvalue.reporting.audit_plot import draw_nulls, draw_personas

TREE = nx.DiGraph([("A", "B"), ("B", "C"), ("D", "E")])


def found(personas: int, edits: tuple[str, ...] = ("", "one", "two")) -> Audit:
    rng = np.random.default_rng(personas)
    index = pd.MultiIndex.from_product([edits, [f"$p_{i}$" for i in range(personas)]], names=["edit", "persona"])
    rows = pd.DataFrame(rng.integers(-1, 2, (len(index), 5)).astype(float), index=index, columns=list("ABCDE"))
    return audit(
        rows,
        TREE,
        focus="$p_2$" if personas > 2 else None,
        baseline="$p_1$" if personas > 2 else None,
        permutations=120,
        resamples=100,
    )


def test_nulls_show_every_contrast() -> None:
    one = found(8)
    figure = draw_nulls(one)
    panels = np.reshape(figure.axes, (4, 2))
    for row, name in zip(panels, (EDITS[0], EDITS[1], PERSONAS[0], PERSONAS[1]), strict=True):
        for ax, key in zip(row, (PAPERS.format(name), name), strict=True):
            assert ax.get_title(loc="left") == name
            assert sum(patch.get_height() for patch in ax.patches) == len(one.nulls[key].null)
            assert one.nulls[key].observed in ax.lines[0].get_xdata()
        for ax, ends in zip(row, (("low", "high"), ("lift_low", "lift_high")), strict=True):
            if name != EDITS[0]:
                assert list(ax.lines[1].get_xdata()) == [one[name].figures[end] for end in ends]
    figure.canvas.draw()


@pytest.mark.parametrize("personas", [8, 60])
@pytest.mark.parametrize("kind", ["edits", "personas"])
def test_personas_are_in_order_and_the_chosen_one_stands_out(personas: int, kind: str) -> None:
    one = found(personas)
    figure = draw_personas(one, kind)
    others, chosen = figure.axes[0].lines[:2]
    table = one.tables["personas" if kind == "edits" else "baselines"].set_index("persona")["contrast"]
    assert list(chosen.get_xdata()) == [table["$p_2$" if kind == "edits" else "$p_1$"]]
    assert sorted([*others.get_xdata(), *chosen.get_xdata()]) == sorted(table.dropna())
    assert list(others.get_xdata()) == sorted(others.get_xdata(), reverse=True)
    figure.canvas.draw()


def test_what_cannot_be_drawn_is_named() -> None:
    unedited = found(8, edits=("",))
    with pytest.raises(ValueError, match="there are no contrasts of single personas"):
        draw_personas(unedited)
    with pytest.raises(ValueError, match="kind: expected 'edits' or 'personas', got 'all'"):
        draw_personas(unedited, "all")
    with pytest.raises(ValueError, match="no contrast could be computed"):
        draw_nulls(found(1, edits=("",)))
