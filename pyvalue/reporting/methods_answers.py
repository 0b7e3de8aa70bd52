"""Sentences of the methods paragraph on how the answers were had and how they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyvalue.evaluation.circumplex import Circumplex
from pyvalue.evaluation.priorities import Priorities
from pyvalue.reporting.respondents import asked_and_rated, of_people, only_people, rating_scales, studies_of
from pyvalue.reporting.wording import count, listed
from pyvalue.responses import VALID, Responses
from pyvalue.schwartz_circle import basic_value

#: a sentence and the keys of the works that it cites
Sentence = tuple[str, tuple[str, ...]]
_MODES = {
    "score": "answers were scored as P(yes) / (P(yes) + P(no)) of the next token",
    "generate": "answers were written by the model and read as yes, no or unsure",
    "free": "answers were written by the model and rated by a judge",
}


def answer_sentences(sets: Sequence[Responses]) -> list[Sentence]:
    """Who was asked what and how, of all sets of answers together; who rated what, of those of people."""
    asked, rated = asked_and_rated(sets)
    return [*_asked([one for one in asked if len(one.table)]), *_rated(rated)]


def _rated(sets: Sequence[Responses]) -> list[Sentence]:
    """Each set has a scale of its own."""
    said: list[Sentence] = []
    for one in sets:
        basic = bool(one.values) and all(basic_value(value) for value in one.values)
        about = f"{count(len(one.values), 'value')}" + (" of Schwartz’s theory" if basic else "")
        for source, (low, high) in rating_scales(one).items():
            table = one.table[one.table["model"] == source]
            if table.empty:
                continue
            who = f"{table['persona'].nunique():,} {source}"
            text = f"{who} rated {count(table['item'].nunique(), 'item')} on {about} from {low:g} to {high:g}."
            said.append((text, ("schwartz",) if basic else ()))
            valid = int(table["status"].isin(VALID).sum())
            given = "none is missing" if valid == len(table) else (
                f"{100 * valid / len(table):.1f}% were given; the others were treated as missing"
            )  # fmt: skip
            said.append((f"Of {count(len(table), 'rating')}, {given}.", ()))
            said.append((f"A rating r was scored as k·(2(r − {low:g})/({high:g} − {low:g}) − 1), k being −1 for items "
                         "that speak against their value and 1 for the others; a value’s score is the mean over its "
                         "items.", ()))  # fmt: skip
    return said


def _asked(sets: Sequence[Responses]) -> list[Sentence]:
    if not sets:
        return []
    said: list[Sentence] = []
    studies = [study for one in sets for study in studies_of(one)]
    models = listed(dict.fromkeys(name for one in sets for name in one.table["model"].unique()))
    inventories = list(dict.fromkeys(text for study in studies if (text := _inventory(study))))
    named = f" of {listed(inventories)}" if inventories else ""
    items = len({item for one in sets for item in one.table["item"].unique()})
    values = tuple(dict.fromkeys(value for one in sets for value in one.values))
    people = len({name for one in sets for name in one.personas})
    basic = bool(values) and all(basic_value(value) for value in values)
    about = f"{count(len(values), 'value')}" + (" of Schwartz’s theory" if basic else "")
    text = f"{models} was asked {count(items, 'question')}{named} about {about} under {count(people, 'persona')}"
    if models.count(" and "):
        text = text.replace(" was asked", " were asked", 1)
    edits = len({edit for one in sets for edit in one.edits if edit})
    if edits:
        plain = any("" in one.edits for one in sets)
        text += f", {'without and with' if plain else 'under'} {count(edits, 'edit')}{_what_was_edited(studies)}"
    said.append((f"{text}.", ("schwartz",) if basic else ()))
    said += [(text, ()) for text in _how(sets)]
    said += _scores(sets)
    return said


def versions_of(responses: Responses) -> list[Mapping[str, str]]:
    """Versions of packages that each measurement recorded; none where it recorded none."""
    parts = responses.facts.get("parts", [responses.facts])
    found = [part.get("versions") for part in parts if isinstance(part, Mapping)]
    return [one for one in found if isinstance(one, Mapping) and one]


def _what_was_edited(studies: Sequence[Mapping[str, Any]]) -> str:
    """A label alone does not say what an edit is; a measurement records it."""
    known = [study.get("configurations") for study in studies]
    recorded = [one for listing in known if isinstance(listing, list) for one in listing if isinstance(one, Mapping)]
    return " of the residual stream" if any(one.get("edits") for one in recorded) else ""


def _inventory(study: Mapping[str, Any]) -> str:
    known = study.get("inventory")
    if not isinstance(known, Mapping) or not known.get("name"):
        return ""
    digest = f" (digest {known['digest']})" if known.get("digest") else ""
    return f"the inventory “{known['name']}”{digest}"


def _how(sets: Sequence[Responses]) -> list[str]:
    columns = {
        name: list(dict.fromkeys(x for one in sets for x in one.table[name].unique()))
        for name in ("mode", "wording", "order", "repeat", "kind")
    }
    modes = "; ".join(_MODES.get(mode, mode) for mode in columns["mode"])
    said = [f"{modes[:1].upper()}{modes[1:]}."]
    design = []
    if len(columns["wording"]) > 1:
        design.append(f"in {len(columns['wording'])} wordings")
    if len(columns["order"]) > 1:
        design.append("with “yes” and “no” in both orders")
    if len(columns["repeat"]) > 1:
        design.append(f"{len(columns['repeat'])} times")
    if design:
        said.append(f"Questions were asked {listed(design)}.")
    answers = sum(len(one.table) for one in sets)
    valid = sum(int(one.table["status"].isin(VALID).sum()) for one in sets)
    rest = "" if valid == answers else "; the others were treated as missing"
    said.append(f"Of {count(answers, 'answer')}, {100 * valid / answers:.1f}% were valid{rest}.")
    return said


def _scores(sets: Sequence[Responses]) -> list[Sentence]:
    if not any((one.table["keying"] != 0).any() for one in sets):
        return []
    free = [one for one in sets if (one.table["keying"] == 0).any()]
    text = "Scores were keyed to lie between −1 and 1"
    if not free:
        return [(f"{text}; no content-free items were asked, so that scores are not corrected for a bias towards yes.",
                 ())]  # fmt: skip
    items = int(max(one.table.loc[one.table["keying"] == 0, "item"].nunique() for one in free))
    what = "mean log odds of “yes”"
    if all(mode != "score" for one in free for mode in one.table["mode"].unique()):
        what = "mean answer"
    some = "" if len(free) == len(sets) else " where they were asked"
    return [
        (f"{text} after the {what} on {count(items, 'content-free item')} was taken off{some} by contextual "
         "calibration.", ("calibration",))
    ]  # fmt: skip


def reliability_sentences(sets: Sequence[Responses], assessed: bool) -> list[Sentence]:
    """How reliability and the means were computed."""
    if not any(one.values for one in sets):
        return []
    text = "Intervals of mean scores are 95% Student’s t ones over personas."
    said: list[Sentence] = [(of_people(text) if only_people(sets) else text, ())]
    if assessed:
        text = (
            "Reliability is Cronbach’s α with Feldt’s interval, split-half reliability and the intraclass correlation"
        )
        said.append((f"{text} of single items.", ("alpha", "feldt", "icc")))
    return said


def circle_sentences(found: Circumplex | None, priorities: Priorities | None) -> list[Sentence]:
    """How the circle and the ranking were tested."""
    said: list[Sentence] = []
    if found is not None:
        facts = found.facts
        rows = "Rows were centred on their own mean; " if facts["centred"] else ""
        text = (
            f"{rows}correlations over personas were compared with Schwartz’s circle by the fall of correlations with "
        )
        text += f"distance and by multidimensional scaling ({facts['level']})"
        against = ["other arrangements of the values on the circle"]
        if facts.get("simulations"):
            against.insert(0, f"{facts['simulations']:,} simulations of independent values that were centred alike")
        said.append((f"{text[:1].upper()}{text[1:]}; p is from {listed(against)} (seed {facts['seed']}).",
                     ("schwartz",)))  # fmt: skip
    if priorities is not None:
        facts = priorities.facts
        text = (
            f"Mean scores, each row about its own mean, were ranked and compared with the {facts['reference']} order "
        )
        text += "by Spearman’s and Kendall’s rank correlations"
        if np.isfinite(priorities.spearman_low):
            text += f", with intervals from {facts.get('resamples', 0):,} resamples of personas"
        said.append((f"{text}.", ("bardi",) if facts["reference"] == "pan-cultural" else ()))
    return said
