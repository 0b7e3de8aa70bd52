"""Read a written answer: yes, no or unsure, or why it is none. By rules only; the same text always reads alike.

Rules, the first that finds something decides:

1. A text that goes in circles, or is not in the question's language, is ``degenerate``, whatever else it says.
2. What follows the last "Answer:" that is followed by an answer. One that lists the options ("yes or no") is none.
3. An answer at the very beginning ("I am not sure." is one), or in the last sentence: at its beginning or its end, or
   "I am not sure" anywhere in it. Where beginning and last sentence differ, the text is ``invalid``.
4. The question said again as a statement: "Should I rest?" and "I should not rest", or "I should".
5. Words of refusal make it ``refused``.
6. Anything else is ``invalid``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyvalue.measurement.degenerate_text import is_degenerate
from pyvalue.measurement.plain_text import plain_text, sentences
from pyvalue.measurement.refusals import refuses

# "No" is an answer before a pause or a new clause; in "no reason" and "no-one" it is not.
_CLAUSES = (
    "i i'm i'd i'll i've you you're we it it's that that's this these they he she there my because since as unless but "
    "not don't never please absolutely definitely thanks thank sorry sir"
)
_YES = r"yes|yeah|yep|yup|i think so"
_NO = (
    rf"(?:no(?=\s*(?:[^\w\s]|$)|\s+(?:{'|'.join(_CLAUSES.split())})\b)"
    r"|nope|nah|(?<=i think )not(?=\s*(?:[.!]|$))|i (?:don't|do not) think so)"
)
_UNSURE = r"unsure|uncertain|undecided|not\s+(?:\w+ly\s+|so\s+|quite\s+|yet\s+|too\s+|that\s+)?(?:sure|certain)"
_WORD = re.compile(rf"(?<!\w)(?<!\w['-])(?:(?P<yes>{_YES})|(?P<no>{_NO})|(?P<unsure>{_UNSURE}))(?!\w|['-]\w)")
_MARK = re.compile(r"\banswer\b(?:[^\w\n]*(?:[:=]|\n)|\s+(?:is|would be)\b)")
# A comma makes a list where another option ends it, not in "yes, no trouble".
_ANOTHER = re.compile(
    r"\W*?(?:/|\||\bor\b|\band\b|,\s*(?=(?:yes|no|unsure)\s*(?:$|[,.;)\]]|or\b)))\W*(?:yes|no|unsure)\b"
)
_OPENING = re.compile(
    r"\W*(?:(?:so|therefore|thus|hence|overall|and|but|well|then|honestly|finally|oh|in (?:conclusion|short)"
    r"|i (?:think|believe|guess|would say)(?! (?:so|not)\b)|i'd say)\b\W*)*"
)
_NEGATION = re.compile(r"\b(?:not|never|without|neither|nor|instead|rather)\b|n't\b")
# Before a "yes" that is spoken of and not said.
_MENTION = re.compile(r"\b(?:a|an|the|avoid|to say|that says?|or|of)\W*$")
_DOUBT = re.compile(rf"\b(?:i'm|i am|i feel|i remain)\s+(?:still\s+|just\s+|really\s+)?(?:{_UNSURE})\b")
_MODAL, _NOT = r"\s+should|\s+would(?:\s+rather)?|'d\s+rather|\s+will|'ll", r"n't|\s+not|\s+never"
_STRESS = r"(?:\s+(?:just|definitely|certainly|probably|always|really|still))?"
_WAVERING = re.compile(rf"\b(?:if|whether|or) (?:i|you|we) should\b|{_DOUBT.pattern}")
#: words of a "Should I ..." question that a statement must repeat
_RESTATED = 4

#: version of the rules, for manifests
RULES = "rules-1"
#: what a written answer counts as
P_YES = {"yes": 1.0, "unsure": 0.5, "no": 0.0}


@dataclass(frozen=True)
class Parsed:
    """What a written answer says.

    Attributes:
        status: one of ``pyvalue.measurement.asking.STATUSES``.
        thought: what stands beside the answer; the whole text where there is none.
    """

    status: str
    thought: str


def parse(text: str, question: str = "") -> Parsed:
    """Read a written answer by the rules above.

    Args:
        text: what the model wrote. What stands before a closing ``</think>`` is left out.
        question: that it answers; without it neither language nor restatement is looked at.
    """
    text = text.rpartition("</think>")[2].strip()
    if is_degenerate(text, question):
        return Parsed("degenerate", text)
    plain = plain_text(text)
    for mark in reversed(list(_MARK.finditer(plain))):
        if status := _after_mark(plain[mark.end() :]):
            return Parsed(status, _trimmed(text[: mark.start()]))
    first, last = _leading(plain), _closing(plain)
    if first and last and first != last:
        return Parsed("invalid", text)
    if first:
        return Parsed(first, _trimmed(text[_answer_end(plain) :]))
    if status := last or _restated(plain, question):
        return Parsed(status, text)
    return Parsed("refused" if refuses(plain) else "invalid", text)


def _kind(match: re.Match[str]) -> str:
    return str(match.lastgroup)


def _listed(text: str, match: re.Match[str]) -> bool:
    """Whether the answer is one of several options that are named together."""
    return _ANOTHER.match(text, match.end()) is not None


def _after_mark(rest: str) -> str | None:
    """The answer that follows "Answer:", at once or in the first sentence."""
    start = len(rest) - len(rest.lstrip("\"'`*_ \n\t.:([{<-#>~\\$"))
    match = _WORD.match(rest, start)
    if match:
        return None if _listed(rest, match) else _kind(match)
    head = rest[start:]
    return _in_sentence(sentences(head)[0]) if head else None


def _leading(plain: str) -> str | None:
    match = _WORD.match(plain, _begin(plain))
    if match:
        return None if _listed(plain, match) else _kind(match)
    doubt = _DOUBT.match(plain, _begin(plain))
    return "unsure" if doubt and re.match(r"(?: yet| at all)?\s*[.!\n]", plain[doubt.end() :]) else None


def _answer_end(plain: str) -> int:
    match = _WORD.match(plain, _begin(plain))
    return match.end() if match else 0


def _begin(plain: str) -> int:
    """Where a text begins, past marks and words such as "so"."""
    match = _OPENING.match(plain)
    return match.end() if match else 0


def _closing(plain: str) -> str | None:
    return _in_sentence(sentences(plain)[-1]) if plain else None


def _in_sentence(sentence: str) -> str | None:
    """The answer that a sentence gives at its beginning or its end, where it names no other."""
    found = list(_WORD.finditer(sentence))
    if len({_kind(match) for match in found}) != 1:
        return None
    one = found[-1]
    if found[0].start() == _begin(sentence):
        return _kind(one)
    if _DOUBT.search(sentence):
        return "unsure"
    before, after = sentence[: one.start()], sentence[one.end() :]
    ends = not re.search(r"[\w?]", after)
    return _kind(one) if ends and not _NEGATION.search(before) and not _MENTION.search(before) else None


def _restated(plain: str, question: str) -> str | None:
    """The answer of a text that says a "Should I ..." question again as a statement, with or without "not"."""
    asked = plain_text(question).strip(" ?.")
    if not asked.startswith("should i "):
        return None
    body = r"\s+".join(map(re.escape, asked.removeprefix("should i ").split()[:_RESTATED]))
    said = re.findall(rf"\b(?:i|you|we)(?:{_MODAL})({_NOT})?{_STRESS}\s+{body}(?!\w)", plain)
    said += re.findall(rf"(?:^|[.!?\n]\s*)(?:i think\W+)?i(?:{_MODAL})({_NOT})?\s*(?=[.!\n]|$)", plain)
    if not said or _WAVERING.search(plain) or len({bool(negation) for negation in said}) > 1:
        return None
    return "no" if said[0] else "yes"


def _trimmed(thought: str) -> str:
    """Without the label in front and the marks around."""
    unlabelled = re.sub(r"^\W*(?:thought|reasoning|explanation)\W*[:=]\W*", "", thought, flags=re.I)
    return unlabelled.strip(" \n\t*_#`,;:.-\u2014")
