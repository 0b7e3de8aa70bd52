"""Read a written answer: yes, no or unsure, or why it is none. By rules only; the same text always reads alike.

A wrong answer is worse than a missing one. An answer counts where the text gives it plainly, at the beginning of a
clause of its own (``answer_words``); what somebody else says, what is denied, supposed or taken back does not.

Rules, in this order:

1. A text that goes in circles, or is not in the question's language, is ``degenerate``, whatever else it says.
2. What follows the last label "Answer:" decides alone, where anything but a list of the options follows it.
3. An answer counts at the beginning of the first or the last sentence, or as the last clause of the last. So does "I am
   not sure" in the last sentence, and the question said again as a statement (``restated_question``).
4. A text that gives two different answers is ``invalid``, also where one of them is in the middle.
5. Words of refusal make a text without an answer ``refused``; anything else is ``invalid``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyvalue.measurement.answer_label import last_label
from pyvalue.measurement.answer_words import UNSURE, Spoken, opening, spoken
from pyvalue.measurement.degenerate_text import is_degenerate
from pyvalue.measurement.plain_text import plain_text, said, sentences
from pyvalue.measurement.refusals import refuses
from pyvalue.measurement.restated_question import restated

# The prompt's own words after the option that was chosen.
_ECHO = re.compile(r"\(or (?:unsure|yes|no)\b[^)\n]{0,60}\)?")
_LIST = re.compile(r"(?:^|[\s(])(?:\d|[a-d])[.)]\s{0,3}(yes|no|unsure)\b")
_TAKEN_BACK = re.compile(
    r"\b(?:just |only )?(?:kidding|joking)\b|\bscratch that\b|\bon second thought|\bchanged my mind\b"
    r"|\btake that back\b|\blet me (?:rethink|reconsider)\b|\b(?:no|yes|yeah|nope)\W{1,3}wait\b"
    r"|\bwait,? no\b|\bsarcas|\bcorrection:"
    r"|\b(?:that|this)(?:'s| is| was) (?:a lie|not true|a joke)\b|[.,!] not[.!]"
    r"|\bor (?:maybe|perhaps) (?:yes|no|not)\b"
    # somebody else's word after all, another world, or sarcasm
    r"|\bthat's what (?:they|people|he|she)\b|\b(?:they|people) (?:say|claim)\s{0,3}(?:[.,!]|$)|\bi disagree\b"
    r"|\bif (?:i|you|he|she|they|we) (?:were|was|had)\b(?! (?:to|you)\b)|\byeah,? right\b|\bpigs\b.{0,9}\bfly\b"
    # a box to tick, or words struck out
    r"|\[[x ]\]|[\u2610-\u2612]|~~"
)
# "Sure! Here is my sentence", "Of course it is hard, but ...": the adverb grants something else than the question.
_GRANTS = re.compile(
    r"\W*(?:here|i can|i could|i'd be|i'll|i will|i'm|i am|i think|let me|thought|happy|glad|this is|to answer)\b"
    r"|(?s:.*)\b(?:but|however|although|though|yet|still|nevertheless)\b"
)
# A question before an answer is another one, unless it is the one that was asked.
_ASKED_AGAIN = re.compile(
    r"\b(?:should (?:i|you|we)|(?:i|you|we) should|yes\W{1,3}(?:or )?no|no\W{1,3}(?:or )?yes|why not"
    r"|(?:do|would) i (?:say|do|think))\b"
)
_CLAUSE = re.compile(r"[,;:]|\s-\s|\b(?:but|so|and|then|because)\b")
_DOUBT = re.compile(
    rf"\b(?:i'm|i am|i feel|i remain)\s+(?:still\s+|just\s+|really\s+)?{UNSURE}"
    r"(?=\W*$|\s*[,;]|\s+(?:if|whether|about|that(?!')|at all|yet|(?:what|how) to \w+)\b"
    r"|\s+(?:i|you|we) (?:should|would|could|can|want)\b)"
)
_OTHERS = re.compile(
    r"\b(?:if|when|unless|suppose|imagine|not|never|says?|said|tells?|told|thinks?|he|she|they|people)\b|n't\b"
)
_CONDITION = re.compile(
    r"\b(?:if|unless|suppose|imagine|were)\b"
    r"(?! you ask me| i (?:had|have|were) to\b| to (?:choose|answer|decide|pick)\b)"
)
# Before a last clause that is an answer: somebody else's word, or another option.
_REPORT = re.compile(
    r"\b(?:says?|said|tells?|told|told me|answers?|answered|repl(?:y|ies|ied)|thinks?|hears?|heard"
    r"|shout(?:s|ed)|cri(?:es|ed)|call(?:s|ed)|whisper(?:s|ed)|wrote|reads)\W*$"
)
_MINE = re.compile(r"\b(?:i(?:'d| would)? (?:say|think|choose)|(?:my|the) answer|answer is)\W*$")
_OPTION = re.compile(r"\b(?:yes|yeah|yep|no|nope|unsure|maybe)\W*$")
# "My answer is": it stands for itself, also in the middle of a text.
_OWN_WORD = re.compile(
    r"\W*(?:(?:so|but|and|then|overall|i think|i believe)\W+)*"
    r"(?:(?:my|the)(?: (?:final|short|honest|simple|only))? answer (?:is|would be)|i(?:'d| would)? (?:say|choose))\b"
)
_VERDICT = re.compile(
    r"\b(?:(?:my|the) answer(?: is| would be)?|verdict|conclusion|decision|choice|summary|short|opinion|view"
    r"|simple|clear|easy|obvious|i(?:'d| would)? (?:say|think|choose))\W*$"
)

# Letters at the end of a sentence in which its last clause begins.
_LOOK_BACK = 60
#: version of the rules, for manifests
RULES = "rules-2"
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
        text: what the model wrote. What it thinks between ``<think>`` and ``</think>`` is left out, closed or not.
        question: that it answers; without it neither language nor restatement is looked at.
    """
    text = said(text)
    if is_degenerate(text, question):
        return Parsed("degenerate", text)
    plain = plain_text(text)
    label = last_label(plain, text)
    if label:
        start, end, stop = label
        kind = _given(plain[end:stop], question, labelled=True)
        return Parsed(kind, _trimmed(text[:start])) if kind else _unread(plain[end:], text)
    kind = _given(plain, question, labelled=False)
    if kind is None:
        return _unread(plain, text)
    first = spoken(plain)
    return Parsed(kind, _trimmed(text[first.end :]) if first and first.kind == kind else text)


def _unread(passage: str, text: str) -> Parsed:
    return Parsed("refused" if refuses(passage) else "invalid", text)


def _given(passage: str, question: str, *, labelled: bool) -> str | None:
    """The one answer that a passage gives."""
    passage = _ECHO.sub("", passage)
    if _TAKEN_BACK.search(passage) or len(set(_LIST.findall(passage))) > 1:
        return None
    parts = sentences(passage)
    found = [_begins(parts, i) for i in range(len(parts))]
    first = found[0]
    if first and not first.plain and not labelled and _GRANTS.match(" ".join(parts[:3]), first.end):
        found[0] = None
    last = len(parts) - 1
    gives = {one.kind for i, one in enumerate(found) if one and (i in (0, last) or _OWN_WORD.match(parts[i]))}
    gives |= {kind for kind in (_ends(parts[-1]), restated(passage, question)) if kind}
    if labelled and not gives and (kind := _ends(parts[0])):
        gives = {kind}
    if _doubts(parts[-1]):
        gives.add("unsure")
    return gives.pop() if len(gives) == 1 and len(gives | {one.kind for one in found if one}) == 1 else None


def _begins(parts: list[str], i: int) -> Spoken | None:
    """The answer that a sentence begins with; an adverb must be all of it, unless the text begins with it."""
    found = spoken(parts[i])
    if found is None or i == 0:
        return found
    if not found.plain and re.search(r"[^\W_]", parts[i][found.end :]):
        return None
    asks = parts[i - 1].rstrip("\"') *").endswith("?")
    return None if asks and not _ASKED_AGAIN.search(parts[i - 1]) else found


def _ends(sentence: str) -> str | None:
    """The answer that is the last clause of a sentence: "They are kind, so yes."."""
    cuts = [cut for cut in _CLAUSE.finditer(sentence) if cut.start() >= len(sentence) - _LOOK_BACK]
    for cut in reversed(cuts):
        found, before = spoken(sentence[cut.end() :]), sentence[: cut.start()]
        if found is None or not found.plain or re.search(r"[\w?]", sentence[cut.end() + found.end :]):
            continue
        if _CONDITION.search(before) or (_REPORT.search(before) and not _MINE.search(before)):
            return None
        if cut.group() in (",", "and") and _OPTION.search(before) and not ((first := spoken(sentence)) and first.plain):
            return None
        own = cut.group() != ":" or _VERDICT.search(before) or _OWN_WORD.match(sentence, cut.end())
        return found.kind if own else None
    return None


def _doubts(sentence: str) -> bool:
    doubt = _DOUBT.search(sentence)
    return doubt is not None and not _OTHERS.search(sentence, opening(sentence), doubt.start())


def _trimmed(thought: str) -> str:
    """Without the label in front and the marks around."""
    unlabelled = re.sub(r"^\W*(?:thought|reasoning|explanation)\W*[:=]\W*", "", thought, flags=re.I)
    return unlabelled.strip(" \n\t*_#`,;:.-\u2014")
