"""Tell texts that broke down: they go in circles, or left the language that they were asked in. By rules only."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from pyvalue.measurement.plain_text import plain_text
from pyvalue.models.repetition import repetition

_WORD, _MARKS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?"), re.compile(r"[^\w\s']|\n")
_TOKEN = re.compile(r"[^\W_][\w']*|[^\w\s]|_+")
# Lines of dashes and rows of dots or stars decorate; as many marks as they are, they say something once.
_RUN_OF_MARKS = re.compile(r"([^\w\s]|_)(?:[^\S\n]?\1)+")
# Words of English that its neighbours do not share; in running English one word of four is among them.
_ENGLISH_WORDS = (
    "the of and to that you would should your my i it be for with are this have not but if they their "
    "because can could what it's i'm don't can't which who when from yes there will was is in "
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
#: tokens below which a text cannot be said to go in circles, and the share of repeated 3-grams above which it does
LEAST_TOKENS, MOST_REPETITION = 24, 0.5
#: longest run of letters that is still a word
_LONGEST_WORD = 45
#: share of letters in the question's script below which a text is in another
_LEAST_SCRIPT = 0.7
# Words in a row, with no mark between, from which on they are running text; the items of a list are fewer.
_RUNNING = 5
#: words of a text below which its language is not judged, and the share of function words below which it is not English
LEAST_WORDS, LEAST_ENGLISH = 12, 0.08


def is_degenerate(text: str, question: str = "") -> bool:
    """Whether a text goes in circles, or is not in the question's language.

    Circles: more than half of its 3-grams of words and marks occurred before, in a text of at least ``LEAST_TOKENS``,
    where a row of the same mark is one; a row of as many marks and nothing else; or a run of letters longer than any
    word. Language: too few letters of the question's script, where that is Latin; or, where the question is English,
    at least ``LEAST_WORDS`` with next to no function words of English among them. Terse lists have none, and are fine.
    """
    plain = plain_text(text)
    tokens = _TOKEN.findall(_RUN_OF_MARKS.sub(r"\1", plain))
    if any(len(token) > _LONGEST_WORD for token in tokens):
        return True
    if not re.search(r"[^\W_]", plain):
        return len("".join(plain.split())) >= LEAST_TOKENS
    if len(tokens) >= LEAST_TOKENS and repetition(tokens) > MOST_REPETITION:
        return True
    return _other_script(text, question) or (_english(question, 1) and not _english(text, LEAST_WORDS))


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
    """Whether running text is English; also where all words are fewer than ``least``, or too few to be running text."""
    plain = plain_text(text)
    if len(_WORD.findall(plain)) < least:
        return least > 1
    rows = (_WORD.findall(row) for row in _MARKS.split(plain))
    running = [word for row in rows if len(row) >= min(_RUNNING, least) for word in row]
    return sum(word in _ENGLISH for word in running) >= LEAST_ENGLISH * len(running)
