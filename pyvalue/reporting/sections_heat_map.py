"""The section with the heat maps: what every edit did to every value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pyvalue.reporting.edit_studies import EditStudy
from pyvalue.reporting.heat_map_cells import edit_effects
from pyvalue.reporting.heat_map_plot import MAX_EDITS, MAX_NUMBERS, draw_heat_map
from pyvalue.reporting.section import File, Picture, Section
from pyvalue.reporting.tables import Table
from pyvalue.reporting.wording import count, interval, listed, signed

#: cells of the table beside the heat map; all are in a file
STRONGEST = 20
#: broken edits that are told of with their reasons
_TOLD = 10


def heat_map_section(studies: Sequence[EditStudy]) -> Section:
    """A picture of all cells, the strongest as a table and all as a file, for every study."""
    name, title = "heat-map", "What every edit did to every value"
    said: list[str] = []
    points: list[str] = []
    pictures, tables, files = [], [], []
    for number, study in enumerate(studies, start=1):
        about = f"{study.label}: " if study.label else ""
        if study.changes is None:
            said.append(f"{about}No heat map: {study.why_none.rstrip('.')}.")
            continue
        effects = edit_effects(study.changes, broken=study.broken)
        own = name if number == 1 else f"{name}-{number}"
        said.append(about + _words(effects, len(study.changes.personas)))
        points += [f"{about}{point}" for point in _broken_words(effects, study)]
        pictures.append(_picture(own, about, effects))
        tables.append(_table(about, effects))
        content = effects.to_csv(index=False, lineterminator="\n").encode("utf-8", errors="replace")
        files.append(File(f"{own}.csv", content, f"{about}all {count(len(effects), 'cell')}"))
    return Section(name, title, tuple(said), tuple(points), tuple(pictures), tuple(tables), files=tuple(files))


def _words(effects: pd.DataFrame, personas: int) -> str:
    judged = effects[~effects["broken"]].dropna(subset="low")
    clear = int(judged["clear"].sum())
    return (
        f"Mean change of {count(effects['value'].nunique(), 'value')} under {count(effects['edit'].nunique(), 'edit')} "
        f"over {count(personas, 'persona')}. The 95% interval leaves out zero in {clear:,} of "
        f"{count(len(judged), 'cell')}; if no edit did anything, about {0.05 * len(judged):,.0f} would all the same."
    )


def _broken_words(effects: pd.DataFrame, study: EditStudy) -> list[str]:
    shown = dict.fromkeys(effects.loc[effects["broken"], "edit"])
    told = [f"“{edit}” broke the model and is not counted: {study.broken[edit]}." for edit in list(shown)[:_TOLD]]
    if len(shown) > _TOLD:
        told.append(f"{count(len(shown) - _TOLD, 'other edit')} broke the model, too, and count as little.")
    return told


def _picture(name: str, about: str, effects: pd.DataFrame) -> Picture:
    known = effects.dropna(subset="change")
    spoken = f"{about}Mean change of every value under every edit. The largest: " + listed(
        (f"{row['value']} {signed(row['change'])} under {row['edit']}" for row in _strongest(known, 5)), "none"
    )
    edits, values = effects["edit"].nunique(), effects["value"].nunique()
    pale = "faded" if min(edits, MAX_EDITS) * values <= MAX_NUMBERS else "grey"
    caption = (
        f"{about}Blue: up; orange: down; {pale}: the 95% interval holds zero{_or_broken(effects)}; crossed out: no "
        "answers. Every interval is of its cell alone, without a correction for how many there are."
    )
    if edits > MAX_EDITS:
        caption += f" The {MAX_EDITS} edits that did the most are drawn."
    return Picture(name, draw_heat_map(effects), f"{spoken}.", caption)


def _or_broken(effects: pd.DataFrame) -> str:
    return " or the edit broke the model" if effects["broken"].any() else ""


def _table(about: str, effects: pd.DataFrame) -> Table:
    rows = [
        (
            f"{row['edit']} (broke the model)" if row["broken"] else row["edit"], row["value"],
            interval(row["change"], row["low"], row["high"]), f"{row['personas']:,}",
        )
        for row in _strongest(effects.dropna(subset="change"), STRONGEST)
    ]  # fmt: skip
    title = f"{about}The {len(rows)} largest mean changes [95% over personas, each on its own]"
    return Table(title, ("edit", "value", "change", "personas"), rows, (2, 3))


def _strongest(known: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """Clear cells first, the largest first; those of broken edits last."""
    order = known.assign(size=known["change"].abs()).sort_values(
        ["broken", "clear", "size"], ascending=[True, False, False], kind="stable"
    )
    return [{str(k): v for k, v in row.items()} for row in order.head(most).to_dict("records")]
