"""A text as rules read it: lower case, with the quotes of a keyboard, and cut into sentences."""

from __future__ import annotations

import re

# Quotes, colon and dashes of print to those of a keyboard; a dash is a pause.
_PLAINER = str.maketrans("\u2018\u2019\u201c\u201d\uff1a\u2014\u2013", "''\"\":,,")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]*]*\s+|\n+")


def plain_text(text: str) -> str:
    """Lower case, with plain quotes; as long as ``text``, so that places in one are places in the other."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text.translate(_PLAINER))


def sentences(text: str) -> list[str]:
    """Sentences and lines with a word in them; the whole text where there is none."""
    return [part for part in _SENTENCE.split(text) if re.search(r"[^\W_]", part)] or [text]


def said(text: str) -> str:
    """What is said aloud: nothing of what stands before ``</think>``, or after a ``<think>`` that nothing closes."""
    return text.rpartition("</think>")[2].partition("<think>")[0].strip()
