"""The sections on Schwartz's circle: whether the values lie on it, and which of them matter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pyvalue.evaluation.circumplex import Circumplex, circumplex
from pyvalue.evaluation.circumplex_quantities import INDEX, MAP, QUANTITIES
from pyvalue.evaluation.priorities import Priorities
from pyvalue.reporting.circumplex_plot import draw_circumplex
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.priorities_plot import draw_priorities
from pyvalue.reporting.respondents import of_people, only_people
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.tables import Table, p_text, two_digits
from pyvalue.reporting.wording import count, interval, level, listed
from pyvalue.responses import Responses
from pyvalue.schwartz_circle import CIRCLE, basic_value

#: unedited personas below which the circle is not tested unasked: fewer say nothing of correlations
MIN_PERSONAS = 30
#: of the circle that was not asked for: enough for a verdict at .05, in about two seconds
_SIMULATIONS, _MAPS, _RESAMPLES = 999, 99, 0


def circle_of(given: Parts) -> Circumplex | None:
    """The circle that was given; else that of the first unedited answers about all ten basic values, of one model and
    one mode, by ``MIN_PERSONAS`` personas or more; else None."""
    if given.circumplex is not None:
        return given.circumplex
    own = next((one for one in given.responses if _testable(one)), None)
    if own is None:
        return None
    try:
        return circumplex(own, simulations=_SIMULATIONS, map_permutations=_MAPS, resamples=_RESAMPLES)
    except (ValueError, np.linalg.LinAlgError):  # values that do not vary, or too many missing answers
        return None


def _testable(responses: Responses) -> bool:
    table = responses.table
    if table["model"].nunique() != 1 or table["mode"].nunique() != 1 or "" not in responses.edits:
        return False
    values = [basic_value(name) for name in responses.values]
    return set(CIRCLE) == set(values) - {None} and len(responses.only(edit="").personas) >= MIN_PERSONAS


def circle_section(found: Circumplex, asked: bool) -> Section:
    """Map, fit and verdict.

    Args:
        found: the circle.
        asked: whether it was given; one that was not is said to be computed for the report.
    """
    said = [circle_verdict(found)]
    if not asked:
        said.append(
            "It was computed for this report from the unedited answers, because they are about all ten basic values."
        )
    if found.left_out:
        said.append("Left out: " + listed(f"{name} ({why})" for name, why in found.left_out.items()) + ".")
    pictures = []
    if found.scaling is not None:
        spoken = f"Map of {listed(found.names)} and their places in the theory. {found.verdict}."
        caption = (
            "Filled: where the answers put a value; hollow: where Schwartz’s theory does. Neighbours should go "
            "together, opposites exclude each other. A map comes near the theory by chance, too; read it with its p."
        )
        pictures.append(Picture("circumplex", draw_circumplex(found), spoken, caption))
    return Section(
        "circumplex", "Do the values lie on Schwartz’s circle?", tuple(said), tuple(found.notes), tuple(pictures),
        (_fit_table(found),),
    )  # fmt: skip


def circle_verdict(found: Circumplex) -> str:
    """Whether the circle is there, in plain words."""
    order, p = found.order.correlation_p, found.independence_p.get(QUANTITIES[2])
    met = f"{found.order.met} of {count(found.order.predictions, 'comparison')} of correlations come out as the circle "
    met += "says"
    worst = order if p is None else max(p, order)
    if p is None and order <= 0.05:
        told = f"The order of the circle fits better than other orders do (p {p_text(order)}): {met}."
        return f"{told} How far centring alone makes such an order is not known of these data."
    if worst <= 0.05:
        told = (
            f"Yes: correlations fall along Schwartz’s circle, more than chance and centring explain (p {p_text(worst)})"
        )
        return f"{told}; {met}."
    if p is not None and p > 0.05 >= order:
        told = "Not shown: there is no more of the circle’s order than taking every row’s mean off makes by itself"
        return f"{told} (p {p_text(p)}); {met}."
    told = f"Not shown: these answers give no sign of the circle’s order (p {p_text(worst)})"
    return f"{told}; {met}, and half would by chance."


def _fit_table(found: Circumplex) -> Table:
    spoken = {
        QUANTITIES[0]: "slope of correlations on distance: twin less opposite",
        QUANTITIES[1]: "height of the mean sinusoid where the theory puts the value",
        QUANTITIES[2]: "correlation of correlations with closeness on the circle",
        QUANTITIES[INDEX]: "order predictions met, less those not met, by their number",
        QUANTITIES[MAP]: "congruence of the map with the theory",
    }
    rows = [
        (
            str(row["quantity"]),
            interval(row["estimate"], row["low"], row["high"]),
            p_text(row["p"]),
            p_text(row["arrangement_p"]),
            spoken.get(row["quantity"], ""),
        )
        for row in found.summary().to_dict("records")
    ]
    caption = "Fit of the circle. p: of independent values; order: of other arrangements of the same correlations"
    return Table(caption, ("quantity", f"estimate [{level(found.facts)}]", "p", "order", "meaning"), rows, (1, 2, 3))


def priorities_section(found: Priorities) -> Section:
    """The ranking beside the reference's."""
    first, last = (listed(table["value"]) for table in (found.table.head(3), found.table.tail(3)))
    rho = interval(found.spearman, found.spearman_low, found.spearman_high)
    reference = found.facts["reference"]
    agrees = "is more than chance" if found.spearman_p <= 0.05 else "may be chance"
    turned = ", and turned around" if found.spearman < 0 and found.spearman_p <= 0.05 else ""
    said = (
        f"Most important: {first}. Least: {last}. Rank correlation with the {reference} order: {rho}, which {agrees}"
        f"{turned} (p {p_text(found.spearman_p)}, of all orders of the values; the interval is over personas)."
    )
    rows = [
        (
            str(row["value"]),
            interval(row["mean"], row["low"], row["high"]),
            _rank(row["rank"], row["rank_low"], row["rank_high"]),
            f"{row['reference']:g}",
        )
        for row in found.table.to_dict("records")
    ]
    sure = level(found.facts)
    caption = "Values by importance; means are less the mean of all values"
    return Section(
        "priorities", "Which values matter most", (said,),
        pictures=(
            Picture(
                "priorities", draw_priorities(found), f"Values by importance: {listed(found.table['value'])}.",
                f"Mean of every value with its interval over personas; right: rank in the {reference} order.",
            ),
        ),
        tables=(Table(caption, ("value", f"mean [{sure}]", f"rank [{sure}]", "reference"), rows, (1, 2, 3)),),
    )  # fmt: skip


def _rank(rank: float, low: float, high: float) -> str:
    return f"{rank:g} [{low:g}, {high:g}]" if np.isfinite([low, high]).all() else two_digits(rank)


def circle_sections(given: Parts, found: Circumplex | None) -> Sequence[Section]:
    """Those that there is something for."""
    sections = [] if found is None else [circle_section(found, given.circumplex is not None)]
    sections += [] if given.priorities is None else [priorities_section(given.priorities)]
    return [_of_people(section) for section in sections] if only_people(given.responses) else sections


def _of_people(section: Section) -> Section:
    return replace(
        section,
        paragraphs=tuple(of_people(text).replace("unedited answers", "answers") for text in section.paragraphs),
        points=tuple(map(of_people, section.points)),
        pictures=tuple(replace(one, caption=of_people(one.caption)) for one in section.pictures),
    )
