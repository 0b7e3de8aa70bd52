"""The sections on the answers: the profile of the values, and how good the answers are."""

from __future__ import annotations

from collections.abc import Sequence

from pyvalue.quality import Quality
from pyvalue.reporting.effects_plot import MAX_SERIES, draw_profile, series_count
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.quality_plot import LOWEST, draw_quality
from pyvalue.reporting.quality_tables import quality_tables, quality_warnings
from pyvalue.reporting.respondents import only_people
from pyvalue.reporting.section import Picture, Section
from pyvalue.reporting.tables import profile_table
from pyvalue.reporting.wording import level, listed
from pyvalue.responses import Responses


def profile_section(given: Parts) -> Section:
    """Mean score of every value with its interval."""
    name, title = "value-profile", "What the model scores on every value"
    if not given.responses:
        return Section(name, "Scores on every value", missing="No responses were given.")
    told = readable_sets(given.responses)
    asked = [responses for responses in told if responses.values]
    pictures = []
    said: tuple[str, ...] = ()
    if told is not given.responses:
        said = (
            "There are too many edits for one picture. Shown: "
            + ("those without one." if all(one.edits == ("",) for one in told) else f"the first {MAX_SERIES} series."),
        )
    if asked:
        names = listed(dict.fromkeys(value for responses in asked for value in responses.values))
        spoken = f"Mean score with interval of {names}; the numbers are in the table that follows."
        people = only_people(given.responses)
        title = "How people score on every value" if people else title
        caption = f"Mean score over {'people' if people else 'personas'} with its 95% interval (Student’s t)."
        pictures.append(Picture("profile", draw_profile(asked), spoken, caption))
    return Section(name, title, said, pictures=tuple(pictures), tables=(profile_table(told),))


def readable_sets(sets: tuple[Responses, ...]) -> tuple[Responses, ...]:
    """All sets where a picture can tell their series apart, else their unedited answers, or the first few series."""
    if series_count(sets) <= MAX_SERIES:
        return sets
    plain = tuple(one.only(edit="") for one in sets if "" in one.edits)
    if plain and series_count(plain) <= MAX_SERIES:
        return plain
    found: list[Responses] = []
    for one in plain or sets:
        for _, table in one.table.groupby(["model", "edit", "mode"], sort=False):
            if len(found) < MAX_SERIES:
                found.append(Responses(table.reset_index(drop=True), one.facts))
    return tuple(found)


def quality_section(found: Sequence[Quality], people: frozenset[str] = frozenset()) -> Section:
    """What a psychometrician would ask about the answers.

    Args:
        found: of ``qualities``.
        people: names, in the place of a model's, of those who rated.
    """
    name, title = "quality", "How good the answers are"
    if not found:
        return Section(name, title, missing="No responses were given.")
    warnings = tuple(quality_warnings(found, people))
    said = "There is nothing to object to by the rules of thumb of psychometrics."
    if warnings:
        said = "What a psychometrician would object to:"
    return Section(name, title, (said,), warnings, tuple(_reliability(found)), tuple(quality_tables(found, people)))


def _reliability(found: Sequence[Quality]) -> list[Picture]:
    scales = [quality for quality in found if len(quality.values)]
    if not scales:
        return []
    known = [row for quality in scales for row in quality.values.dropna(subset="alpha").to_dict("records")]
    spoken = listed((f"{row['value']} {row['alpha']:.2f}" for row in known), "none can be had")
    caption = f"Reliability of every value with its {level(scales[0].facts)} interval (Feldt)."
    if any(row["alpha"] < LOWEST for row in known):
        caption += " An arrow: the number lies further left."
    return [Picture("quality", draw_quality(scales), f"Cronbach's alpha of every value: {spoken}.", caption)]
