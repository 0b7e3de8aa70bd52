"""Who answered: models that were asked, or people who rated items; and what the report calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyvalue.reporting.parts import Parts
from pyvalue.reporting.wording import listed
from pyvalue.responses import Responses

#: parts that there are of models only
_OF_MODELS = ("plan", "evaluation", "changes", "leakage", "side_effects", "benchmark", "audit", "sweep")
_WORDS = {"personas": "people", "persona": "person", "questions": "items", "question": "item"}
#: what concerns those who are asked by prompts alone
_ASKED_ONLY = re.compile(r"content-free|towards yes|p\(yes\)|judge|model|prompt|saying yes")


def studies_of(responses: Responses) -> list[Mapping[str, Any]]:
    """What each measurement recorded of itself; none where it recorded nothing."""
    parts = responses.facts.get("parts", [responses.facts])
    found = [part.get("study", part) for part in parts if isinstance(part, Mapping)]
    return [study for study in found if isinstance(study, Mapping)]


def rating_scales(responses: Responses) -> dict[str, tuple[float, float]]:
    """Source -> first and last rating of its scale, of what ``Responses.from_ratings`` made."""
    found = {}
    for study in studies_of(responses):
        scale = study.get("scale")
        if study.get("source") and isinstance(scale, Sequence) and len(scale) == 2:
            found[str(study["source"])] = (float(scale[0]), float(scale[1]))
    return found


def asked_and_rated(sets: Sequence[Responses]) -> tuple[list[Responses], list[Responses]]:
    """Answers of models, and ratings of people; a set of both is taken apart."""
    asked: list[Responses] = []
    rated: list[Responses] = []
    for one in sets:
        by_people = one.table["model"].isin(list(rating_scales(one)))
        for found, rows in ((rated, by_people), (asked, ~by_people)):
            if rows.all() and len(rows):
                found.append(one)
            elif rows.any():
                found.append(Responses(one.table[rows].reset_index(drop=True), one.facts))
        if not len(one.table):
            asked.append(one)
    return asked, rated


def sources(sets: Sequence[Responses]) -> frozenset[str]:
    """Names that ratings carry in the place of a model's."""
    return frozenset(name for one in sets for name in rating_scales(one))


def only_people(sets: Sequence[Responses]) -> bool:
    """Whether all of some answers are ratings."""
    asked, rated = asked_and_rated(sets)
    return bool(rated) and not asked


def has_model(given: Parts) -> bool:
    """Whether anything in the report is of a model."""
    return bool(asked_and_rated(given.responses)[0]) or any(getattr(given, name) is not None for name in _OF_MODELS)


def owner(given: Parts) -> str:
    """What the report's graph is called beside another one."""
    asked, rated = asked_and_rated(given.responses)
    if rated and not asked:
        return "these answers"
    return "the model" if has_model(given) and not rated else "this graph"


def title_of(given: Parts) -> str:
    """Title of a page that was given none."""
    models = listed(dict.fromkeys(m for responses in given.responses for m in responses.table["model"].unique()), "")
    if models:
        return f"Values of {models}"
    if has_model(given):
        return "Values of a language model"
    return "A graph of values" if given.graph is not None else "Values"


def of_people(text: str) -> str:
    """A text of the report with people and items in the place of personas and questions."""
    return re.sub(r"\b(personas?|questions?)\b", lambda found: _WORDS[found[0]], text)


def concerns_people(text: str) -> bool:
    """Whether an objection can be made to ratings, too."""
    return _ASKED_ONLY.search(text) is None
