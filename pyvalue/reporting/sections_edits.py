"""The sections on what edits did: dose and response, side effects, texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyvalue.effects.leakage import Leakage
from pyvalue.evaluation.dose_response import OTHERS, TARGET, DoseResponse
from pyvalue.evaluation.side_effects import SideEffects
from pyvalue.reporting.leakage_plot import draw_leakage
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.side_effects_plot import draw_dose_response, draw_side_effects
from pyvalue.reporting.sweep_plot import draw_sweep
from pyvalue.reporting.tables import Table, p_text, percent, two_digits
from pyvalue.reporting.wording import count, interval, level, listed, pushes, signed
from pyvalue.steering.sweep_table import SweepResult


def dose_section(found: Sequence[DoseResponse]) -> Section:
    """Curves of every edit, with what they say."""
    said, pictures, tables = [], [], []
    for number, one in enumerate(found, start=1):
        wish = listed(("raise " if sign > 0 else "lower ") + value for value, sign in one.target.items())
        name = "dose-response" if len(found) == 1 else f"dose-response-{number}"
        said.append(_dose_words(one, wish))
        caption = f"To {wish}: mean change with its interval at every strength, and a curve that never falls."
        pictures.append(Picture(name, draw_dose_response(one), f"Dose and response. {said[-1]}", caption))
        tables.append(_dose_table(one, wish))
    return Section("dose-response", "Dose and response", tuple(said), pictures=tuple(pictures), tables=tuple(tables))


def _dose_words(found: DoseResponse, wish: str) -> str:
    target, others = found.of(TARGET), found.of(OTHERS)
    text = f"To {wish} ({count(found.facts['personas'], str(found.facts['unit']).rstrip('s'))}): "
    text += f"the largest effect on the target is {signed(target['largest'])}"
    if np.isfinite(target["half"]):
        text += f", half of it at strength {two_digits(target['half'])}"
        ends = (target["half_low"], target["half_high"])
        text += f" [{two_digits(ends[0])}, {two_digits(ends[1])}]" if np.isfinite(ends).all() else ""
    text += f". All other values move by up to {signed(others['largest'])} (root mean square)."
    if np.isfinite(target["collapse"]):
        text += f" From strength {two_digits(target['collapse'])} on it collapses: {target['reason']}."
    return text


def _dose_table(found: DoseResponse, wish: str) -> Table:
    rows = [
        (
            str(row["effect"]), two_digits(row["rank"]), signed(row["largest"]), two_digits(row["half"]),
            two_digits(row["monotone_to"]), two_digits(row["collapse"]),
        )
        for row in found.summary.to_dict("records")
    ]  # fmt: skip
    caption = f"To {wish}: rank correlation with strength, largest effect, strength of half of it, last strength up to "
    caption += "which it grows, first at which it collapses"
    return Table(caption, ("effect", "rank r", "largest", "half at", "grows to", "collapse"), rows, (1, 2, 3, 4, 5))


def side_effects_section(found: SideEffects | None, leaked: Leakage | None) -> Section:
    """Gain and leakage of edits, beside random pushes of the same size."""
    said, points, pictures, tables = [], [], [], []
    if found is not None:
        beside = f", beside {pushes(len(found.controls))} of the same size" if len(found.controls) else ""
        said.append(
            f"{count(len(found.table), 'edit')}{beside}. Leakage is how far all other values move per unit that the "
            "target moves."
        )
        points = [f"{label} broke the model and is left out: {why}" for label, why in found.broken.items()]
        points += [f"{row['edit']}: {row['note']}" for row in found.table.to_dict("records") if row["note"]]
        names = listed(found.table["edit"])
        caption = "Right: the target moved as wanted; up: everything else moved, too. Hollow: random pushes."
        pictures.append(Picture("side-effects", draw_side_effects(found), f"Gain against side effects of {names}.",
                                caption))  # fmt: skip
        tables.append(_side_effects_table(found))
    if leaked is not None:
        said.append(_leakage_words(leaked))
        pictures.append(
            Picture("leakage", draw_leakage(leaked), f"Leakage by group of values. {said[-1]}",
                    "Change of each group of values per unit of the target, root mean square, noise taken out.")
        )  # fmt: skip
        tables.append(_leakage_table(leaked))
    return Section("side-effects", "Side effects and leakage", tuple(said), tuple(points), tuple(pictures),
                   tuple(tables))  # fmt: skip


def _side_effects_table(found: SideEffects) -> Table:
    rows = [
        (
            str(row["edit"]),
            interval(row["gain"], row["gain_low"], row["gain_high"]),
            two_digits(row["leakage"]) + _ends(row["leakage_low"], row["leakage_high"]),
            percent(row["wrong"]),
            p_text(row["p_gain"]),
            p_text(row["p_side"]),
        )
        for row in found.table.to_dict("records")
    ]
    sure = level(found.facts)
    caption = (
        "Gain of the target, leakage, share of personas whose target moved the wrong way; p: rank of the gain, and of "
        "the smallness of side effects, among random pushes"
    )
    header = ("edit", f"gain [{sure}]", f"leakage [{sure}]", "wrong way", "p gain", "p side")
    return Table(caption, header, rows, (1, 2, 3, 4, 5))


def _leakage_words(leaked: Leakage) -> str:
    wish = listed(("raise " if sign > 0 else "lower ") + value for value, sign in leaked.target.items())
    gain = interval(leaked.gain, leaked.low, leaked.high)
    if leaked.reason:
        return f"To {wish}: the target moved by {gain}, and leakage is undefined: {leaked.reason}."
    estimate, low, high = leaked.estimate()
    return (
        f"To {wish}: the target moved by {gain}, all other values by {two_digits(estimate)}{_ends(low, high)} per unit "
        f"of it, over {count(leaked.personas, 'persona')}."
    )


def _leakage_table(leaked: Leakage) -> Table:
    rows = [
        (
            str(row["group"]), f"{row['values']:,}", two_digits(row["leakage"]) + _ends(row["low"], row["high"]),
            two_digits(row["plain"]), two_digits(row["signed"]) + _ends(row["signed_low"], row["signed_high"]),
        )
        for row in leaked.table.to_dict("records")
    ]  # fmt: skip
    sure = level(leaked.facts)
    caption = "Leakage by group: noise taken out, with its noise, and with the sign of the changes"
    header = ("group", "values", f"leakage [{sure}]", "noise and all", f"signed [{sure}]")
    return Table(caption, header, rows, (1, 2, 3, 4))


def _ends(low: float, high: float) -> str:
    return f" [{two_digits(low)}, {two_digits(high)}]" if np.isfinite([low, high]).all() else ""


def sweep_section(sweep: SweepResult) -> Section:
    """What every configuration did to the texts."""
    table = sweep.summary()
    wanted = sweep.wanted
    said = f"{count(len(sweep.table), 'text')} on {count(len(sweep.prompts), 'prompt')} under "
    said += f"{count(sum(bool(edit) for edit in sweep.edits), 'configuration')}."
    if wanted is not None and wanted > len(sweep.table):
        said += f" The sweep was not finished: {wanted:,} texts were wanted."
    rows = [
        (
            str(edit) or "none", "yes" if row["control"] else "no", f"{row['texts']:,}", percent(row["changed"]),
            two_digits(row["n_tokens_change"]), two_digits(row["repetition_change"]),
            two_digits(row["log_probability_change"]),
        )
        for edit, row in zip(table.index, table.to_dict("records"), strict=True)
    ]  # fmt: skip
    header = ("edit", "control", "texts", "changed", "tokens", "repetition", "log p")
    shown = Table("Texts under every configuration, less those without an edit", header, rows, (2, 3, 4, 5, 6))
    if not any(sweep.edits):
        return Section("sweep", "What edits did to texts", (said,), tables=(shown,))
    picture = Picture("sweep", draw_sweep(sweep), f"What edits did to texts. {said}", "Means over texts.")
    return Section("sweep", "What edits did to texts", (said,), pictures=(picture,), tables=(shown,))
