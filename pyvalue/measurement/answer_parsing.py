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
import unicodedata
from collections import Counter
from dataclasses import dataclass

from pyvalue.models.repetition import repetition

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
_WAVERING = re.compile(rf"\b(?:if|whether|or) (?:i|you|we) should\b|{_DOUBT.pattern}")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]*]*\s+|\n+")
_REFUSAL = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|chatbot|assistant)\b"
    r"|\bi(?:'m| am) (?:just |only |merely )?an? (?:ai|artificial intelligence|(?:large )?language model|chatbot)\b"
    r"|\bi(?:'m| am)(?: really| truly)? (?:not able|unable|not allowed|not permitted|not equipped|not comfortable"
    r"|not qualified|not in a position)\b"
    r"|\bi (?:can't|cannot|can not|won't|will not|must) (?:answer|help|assist|provide|give|offer|advise|recommend"
    r"|comment|respond|comply|discuss|engage|fulfill?|decide|say|tell|make|choose|share|decline|refuse)\b"
    r"|\bi (?:don't|do not) (?:have|hold|possess) (?:any )?(?:personal|own|human|real) "
    r"|\bi (?:don't|do not) have (?:opinions|beliefs|feelings|values|preferences)\b"
    r"|\bi (?:decline|refuse|would rather not answer|prefer not to answer)\b"
)
_TURN = re.compile(r"\b(?:but|however|that said|still|nevertheless|nonetheless)\b")
_TOKEN = re.compile(r"[\w']+|[^\w\s]")
# Words of English that its neighbours do not share; in running English one word of four is among them.
_ENGLISH_WORDS = (
    "the of and to that you would should your my i it be for with are this have not but if they their "
    "because can could what it's i'm don't can't which who when from yes there will was is in "
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
#: tokens below which a text cannot be said to go in circles, and the share of repeated 3-grams above which it does
LEAST_TOKENS, MOST_REPETITION = 24, 0.5
# Quotes, colon and dashes of print to those of a keyboard; a dash is a pause.
_PLAINER = str.maketrans("\u2018\u2019\u201c\u201d\uff1a\u2014\u2013", "''\"\":,,")
#: words of a "Should I ..." question that a statement must repeat
_RESTATED = 4
#: longest run of letters that is still a word
_LONGEST_WORD = 45
#: share of letters in the question's script below which a text is in another
_LEAST_SCRIPT = 0.7
#: words of a text below which its language is not judged, and the share of function words below which it is not English
LEAST_WORDS, LEAST_ENGLISH = 12, 0.08


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
    plain = _plain(text)
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
    return Parsed("refused" if _REFUSAL.search(plain) else "invalid", text)


def is_degenerate(text: str, question: str = "") -> bool:
    """Whether a text goes in circles, or is not in the question's language.

    Circles: more than half of its 3-grams of words and marks occurred before, in a text of at least ``LEAST_TOKENS``;
    or a run of letters longer than any word. Language: too few letters of the question's script, where that is Latin;
    or, where the question is English, a text of at least ``LEAST_WORDS`` with next to no function words of English.
    """
    tokens = _TOKEN.findall(_plain(text))
    if any(len(token) > _LONGEST_WORD for token in tokens):
        return True
    if len(tokens) >= LEAST_TOKENS and repetition(tokens) > MOST_REPETITION:
        return True
    return _other_script(text, question) or (_english(question, 1) and not _english(text, LEAST_WORDS))


def is_refusal(text: str) -> bool:
    """Whether a free text refuses in its first sentence, with no "but" after it."""
    plain = _plain(text.rpartition("</think>")[2].strip())
    found = _REFUSAL.search(_sentences(plain)[0]) if plain else None
    return found is not None and _TURN.search(plain, found.end()) is None


def _plain(text: str) -> str:
    """Lower case, with plain quotes; as long as ``text``, so that places in one are places in the other."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text.translate(_PLAINER))


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
    return _in_sentence(_sentences(head)[0]) if head else None


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
    return _in_sentence(_sentences(plain)[-1]) if plain else None


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
    asked = _plain(question).strip(" ?.")
    if not asked.startswith("should i "):
        return None
    body = r"\s+".join(map(re.escape, asked.removeprefix("should i ").split()[:_RESTATED]))
    said = re.findall(rf"\b(?:i|you|we)(?:{_MODAL})({_NOT})?\s+{body}(?!\w)", plain)
    said += re.findall(rf"(?:^|[.!?\n]\s*)(?:i think\W+)?i should({_NOT})?\s*(?=[.!\n]|$)", plain)
    if not said or _WAVERING.search(plain) or len({bool(negation) for negation in said}) > 1:
        return None
    return "no" if said[0] else "yes"


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE.split(text) if re.search(r"\w", part)] or [text]


def _trimmed(thought: str) -> str:
    """Without the label in front and the marks around."""
    unlabelled = re.sub(r"^\W*(?:thought|reasoning|explanation)\W*[:=]\W*", "", thought, flags=re.I)
    return unlabelled.strip(" \n\t*_#`,;:.-\u2014")


def _other_script(text: str, question: str) -> bool:
    asked = Counter(map(_script, filter(str.isalpha, question)))
    wrote = Counter(map(_script, filter(str.isalpha, text)))
    # An answer to a question in another script may well be the Latin "yes" that it asks for.
    if not asked or not wrote or asked.most_common(1)[0][0] != "LATIN":
        return False
    return wrote["LATIN"] < _LEAST_SCRIPT * wrote.total()


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _english(text: str, least: int) -> bool:
    """Whether a text is English, or shorter than ``least`` words."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", _plain(text))
    if not words or len(words) < least:
        return bool(words) or least > 1
    return sum(word in _ENGLISH for word in words) >= LEAST_ENGLISH * len(words)
