"""The answer of a text that says a "Should I ..." question again as a statement: "I don't think you should rest"."""

from __future__ import annotations

import re

from pyvalue.measurement.answer_words import opening
from pyvalue.measurement.plain_text import plain_text, sentences

_MODAL, _NOT = r"(?:\s+should|\s+would(?:\s+rather)?|'d\s+rather|\s+will|'ll)", r"(?P<not>n't|\s+not|\s+never)"
_STRESS = r"(?:\s+(?:just|definitely|certainly|probably|always|really|still))?"
# What may stand before the statement in its clause; whatever else does, such as "my mother says", makes it none.
_FOR = re.compile(r"(?:i (?:\w+ly |really |do )?(?:think|believe|feel|guess|suppose|would say|agree)(?: that)?\W*)?$")
_AGAINST = re.compile(
    r"(?:i (?:\w+ly |really )?(?:don't|do not) (?:\w+ly )?(?:think|believe|feel|agree|see why)"
    r"|i (?:\w+ly |really )?doubt|it(?:'s| is) (?:not true|false|untrue|not the case)|it isn't true"
    r")(?: that| if| whether)?\W*$"
)
_CLAUSE = re.compile(r"[,;:]|\b(?:but|so|and|therefore)\b")
_CONDITION = re.compile(
    r"\b(?:if|when|whether|unless|suppose|imagine|were|according to|in theory|in a dream|apparently|supposedly)\b"
)
_REPORT = re.compile(r"\b(?:says?|said|saying|tells?|told|claims?|argues?|thinks?|believes?|hears?|heard|told me)\W*$")
_MINE = re.compile(r"\bi(?:'d| would)? (?:say|think|believe)\W*$")
_TAKEN_BACK = re.compile(
    r"\"\s{1,3}is\b|\bis what (?:my|they|people|he|she)\b"
    r"|\bonly (?:if|when)\b|\bunless\b|\bif (?:i|you|he|she|it|they|we) (?:had|were|was|could|would)\b"
    r"|\b(?:but|however|yet|although)\b[^.!?\n]{0,60}\bi(?:'m not| am not|'d rather not|"
    r" (?:won't|can't|cannot|will not|don't|do not|would not|wouldn't|shouldn't|should not|refuse))\b"
)
# Letters of a sentence that are looked at before a statement: bounds the time that a text without full stops takes.
_LOOK_BACK = 300
#: words of a question that a statement must repeat
RESTATED = 4


def restated(plain: str, question: str) -> str | None:
    """``"yes"`` or ``"no"``; None where the statement is missing, somebody else's, conditional or contradicted.

    Args:
        plain: a text as ``plain_text`` makes it.
        question: that it answers.
    """
    asked = plain_text(question).strip(" ?.")
    if not asked.startswith("should i ") or _TAKEN_BACK.search(plain):
        return None
    words = asked.removeprefix("should i ").split()
    body = r"\s+".join(map(re.escape, words[:RESTATED]))
    # The first words, or none, where the sentence ends with them: "I should.", "You should help."
    short = rf"(?:(?:\s+so)?|\s+{re.escape(words[0])})\s*(?:[.!]|$)"
    statement = re.compile(rf"\b(?:i|you|we){_MODAL}{_NOT}?{_STRESS}(?:\s+{body}(?!\w)|{short})")
    found: set[str] = set()
    for sentence in sentences(plain):
        if not sentence.rstrip("\"') *").endswith("?"):
            found.update(kind for match in statement.finditer(sentence) if (kind := _polarity(sentence, match)))
    return found.pop() if len(found) == 1 else None


def _polarity(sentence: str, match: re.Match[str]) -> str | None:
    before = sentence[max(0, match.start() - _LOOK_BACK) : match.start()]
    cuts = [cut.end() for cut in _CLAUSE.finditer(before)]
    earlier, clause = before[: cuts[-1] if cuts else 0], before[cuts[-1] if cuts else 0 :]
    if _CONDITION.search(before) or (_REPORT.search(earlier.rstrip(" ,;:\"'")) and not _MINE.search(earlier)):
        return None
    clause = clause.strip(" \"'*_")
    negated = match["not"] is not None
    if _AGAINST.match(clause):
        return None if negated else "no"
    if _FOR.match(clause[_own(clause) :]):
        return "no" if negated else "yes"
    return None


def _own(clause: str) -> int:
    """Past words such as "so"; "I think" is left to the table."""
    return opening(clause) if not clause.startswith("i ") else 0
