"""The methods paragraph of a report: computed from the settings of its parts, with the works that were used."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyvalue.edit_changes import PairedChanges
from pyvalue.evaluation.circumplex import Circumplex
from pyvalue.reporting.citations import CITATIONS
from pyvalue.reporting.methods_answers import (
    Sentence,
    answer_sentences,
    circle_sentences,
    reliability_sentences,
    versions_of,
)
from pyvalue.reporting.methods_graph import distance_sentences, effect_sentences, graph_sentences
from pyvalue.reporting.methods_steering import outcome_sentences, plan_sentences, test_sentences
from pyvalue.reporting.parts import Parts
from pyvalue.reporting.respondents import of_people, only_people, studies_of
from pyvalue.reporting.wording import listed

#: packages whose versions change results, beside those that a study names
_PACKAGES = ("pyvalue", "numpy", "scipy", "pandas")


@dataclass(frozen=True)
class Methods:
    """What a paper says of a study.

    Attributes:
        paragraph: running text, with short citations in it.
        references: in full, by author.
    """

    paragraph: str
    references: tuple[str, ...]


def methods(given: Parts, *, circle: Circumplex | None = None, changes: Sequence[PairedChanges] = ()) -> Methods:
    """Write the paragraph.

    Args:
        given: parts of the report.
        circle: that the report shows.
        changes: that its heat maps show.
    """
    plan = given.plan
    effects = given.effects if given.effects is not None else plan.effects if plan is not None else None
    several = plan is not None and len(plan.target) > 1
    sentences = [
        *answer_sentences(given.responses),
        *reliability_sentences(given.responses, assessed=True),
        *_of_whom(given, circle_sentences(circle, given.priorities)),
        *graph_sentences(given.graph),
        *distance_sentences(given.distance),
        *effect_sentences(effects, several),
        *plan_sentences(plan),
        *outcome_sentences(given, changes),
        *test_sentences(given),
        (_versions(given), ()),
    ]
    used = dict.fromkeys(key for _, keys in sentences for key in keys)
    return Methods(" ".join(_cited(sentences)), tuple(sorted(CITATIONS[key][1] for key in used)))


def _of_whom(given: Parts, sentences: Sequence[Sentence]) -> list[Sentence]:
    return [(of_people(text), works) if only_people(given.responses) else (text, works) for text, works in sentences]


def _cited(sentences: Iterable[Sentence]) -> Iterable[str]:
    """Every sentence with its citations before the full stop; a work that was just cited is not cited again."""
    seen: set[str] = set()
    for text, keys in sentences:
        new = [CITATIONS[key][0] for key in keys if key not in seen]
        seen |= set(keys)
        yield f"{text.removesuffix('.')} ({'; '.join(new)})." if new else text


def _versions(given: Parts) -> str:
    """Versions: of the run where its answers recorded them, and of what wrote the report."""
    here = {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in _PACKAGES}
    recorded = [one for responses in given.responses for one in versions_of(responses)]
    # Torch and the like decide answers; what is the same in all measurements is said once.
    run = dict.fromkeys(f"{name} {version}" for one in recorded for name, version in sorted(one.items()))
    measured = f"Answers were measured with {listed(run)}. " if run else ""
    text = f"{measured}The report was computed with {listed(f'{name} {version}' for name, version in here.items())}"
    prompts = [study.get("prompts") for one in given.responses for study in studies_of(one)]
    named = dict.fromkeys(str(p["name"]) for p in prompts if isinstance(p, dict) and p.get("name"))
    return f"{text}; prompts {listed(named)}." if named else f"{text}."
