"""All sections of the report below its summary, in the order of the page. Draws no page: see ``html.py``."""

from __future__ import annotations

from pyvalue.reporting.parts import Parts
from pyvalue.reporting.quality_tables import qualities
from pyvalue.reporting.section import Section
from pyvalue.reporting.sections_answers import profile_section, quality_section
from pyvalue.reporting.sections_graph import graph_section
from pyvalue.reporting.sections_run import limits_section, run_section
from pyvalue.reporting.sections_steering import outcome_section, plan_section


def sections(given: Parts) -> list[Section]:
    """What the report says of its parts; what was not given is said to be missing.

    Args:
        given: of ``sort_parts``.

    Returns:
        Sections with distinct names, in the order of the page.
    """
    found = qualities(given.responses)
    return [
        graph_section(given),
        profile_section(given),
        quality_section(found),
        plan_section(given.plan),
        outcome_section(given.evaluation),
        run_section(given),
        limits_section(given),
    ]
