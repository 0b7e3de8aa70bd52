"""All sections of the report below its summary, in the order of the page. Draws no page: see ``html.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyvalue.quality import Quality
from pyvalue.reporting.absent import NOT_YET, awaited
from pyvalue.reporting.edit_studies import edit_studies
from pyvalue.reporting.methods import methods
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.quality_tables import qualities
from pyvalue.reporting.respondents import sources
from pyvalue.reporting.section import Section
from pyvalue.reporting.sections_answers import profile_section, quality_section
from pyvalue.reporting.sections_checks import audit_section, benchmark_section, differences_section
from pyvalue.reporting.sections_circle import circle_of, circle_sections
from pyvalue.reporting.sections_edits import dose_section, side_effects_section, sweep_section
from pyvalue.reporting.sections_graph import distance_section, graph_section
from pyvalue.reporting.sections_heat_map import heat_map_section
from pyvalue.reporting.sections_methods import methods_section
from pyvalue.reporting.sections_run import limits_section, run_section
from pyvalue.reporting.sections_steering import effects_section, outcome_section, plan_section

#: section that may be missing -> part that it is of
_FIELDS = {
    "value-graph": "graph",
    "value-profile": "responses",
    "quality": "responses",
    "steering-plan": "plan",
    "outcome": "evaluation",
}


def sections(given: Parts, found: Sequence[Quality] | None = None) -> list[Section]:
    """What the report says of its parts.

    Only of what was given; of answers, graph, plan and evaluation also where an unfinished run is still to make one.

    Args:
        given: of ``sort_parts``.
        found: of ``qualities(given.responses)``, where it is there already; it takes seconds.

    Returns:
        Sections with distinct names, in the order of the page.
    """
    found = qualities(given.responses) if found is None else found
    circle, studies = circle_of(given), edit_studies(given, found)
    changes = [study.changes for study in studies if study.changes is not None]
    content = [
        graph_section(given),
        *([distance_section(given.distance)] if given.distance else []),
        *circle_sections(given, circle),
        profile_section(given),
        quality_section(found, sources(given.responses)),
        *([heat_map_section(studies)] if studies else []),
        *([effects_section(given.effects)] if given.effects else []),
        plan_section(given.plan),
        outcome_section(given.evaluation),
        *([dose_section(given.dose_responses)] if given.dose_responses else []),
        *([side_effects_section(given.side_effects, given.leakage)] if given.side_effects or given.leakage else []),
        *([sweep_section(given.sweep)] if given.sweep else []),
        *([benchmark_section(given.benchmark)] if given.benchmark else []),
        *([audit_section(given.audit)] if given.audit else []),
        *([differences_section(given.differences)] if given.differences else []),
        methods_section(methods(given, circle=circle, changes=changes)),
        run_section(given),
        limits_section(given),
    ]
    waiting = {name for name, field in _FIELDS.items() if awaited(given, field)}
    found_or_awaited = (s for s in content if not s.missing or s.name in waiting)
    return [replace(s, missing=NOT_YET) if s.missing else s for s in found_or_awaited]
