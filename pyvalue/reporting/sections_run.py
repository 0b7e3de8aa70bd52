"""The sections on where the numbers come from, and on what they do not say."""

from __future__ import annotations

from pyvalue.reporting.parts import Parts
from pyvalue.reporting.respondents import has_model
from pyvalue.reporting.section import Section
from pyvalue.reporting.summary import limits
from pyvalue.reporting.tables import answers_table, facts_tables, settings_table, versions_table


def run_section(given: Parts) -> Section:
    """Answers, what was recorded with them, settings of the search, versions."""
    found = [answers_table(given.responses)] if given.responses else []
    found += facts_tables(given.responses)
    found += [settings_table(given.graph)] if given.graph else []
    title = "Model and run" if has_model(given) else "Settings and versions"
    return Section("run", title, tables=(*found, versions_table()))


def limits_section(given: Parts) -> Section:
    """What the numbers do not say."""
    said = tuple(limits(given))
    return Section("limits", "What these numbers do not say", points=said)
