"""Find the label that an answer follows: "Answer: yes", "**Answer** (yes or no): no"."""

from __future__ import annotations

import re

_OPTIONS = r"(?:yes|no)(?:\s{0,3}(?:/|\||,|\bor\b)\s{0,3}(?:or )?(?:yes|no|unsure))+"
# "Answer:", "**Answer** =", "Answer (yes or no):", "Answer" on a line of its own.
_LABEL = re.compile(rf"\b(?:answer|ans)\b(?:[^\w\n]{{0,9}}{_OPTIONS})?[^\w\n]{{0,9}}?(?:[:=]|\s-\s|(?P<line>\n))")
# Before a label: "my answer: no" is one; "their answer: no" and 'write "Answer: no"' are none.
_MY = re.compile(r"(?:\A|[^\w\s']\s*|\n\s*|\b(?:my|the|so|let me|i)\s+)(?:(?:final|short|honest|own)\s+)?[\s\"'*_#]*\Z")
_QUOTES = re.compile(r"\b(?:writes?|wrote|say|says|said|type|example|their|his|her|wrong|\w+'s)[ \"'*_:]*\Z")
_ONLY_OPTIONS = re.compile(rf"\W*(?:choose |either )?{_OPTIONS}\W*(?:$|\n|\(or)")
_NEXT_TURN = re.compile(r"(?:\n|[.!?\"]\s)\W{0,9}(?:question|user|human|assistant|q)\s?:")
# Letters before a label that are looked at.
_LOOK_BACK = 60


def last_label(plain: str, text: str) -> tuple[int, int, int] | None:
    """Where the last label that something follows begins and ends, and where its answer ends.

    Args:
        plain: a text as ``plain_text`` makes it.
        text: the same in its own case.

    Returns:
        Three places in the text; None without a label, or with nothing but the options after it.
    """
    labels = [match for match in _LABEL.finditer(plain) if _is_label(plain, text, match)]
    # Some models go on with a question of their own and answer that, too.
    turn = _NEXT_TURN.search(plain, labels[0].end()) if labels else None
    stop = turn.start() if turn else len(plain)
    for label in reversed(labels):
        rest = plain[label.end() : stop]
        if label.end() < stop and re.search(r"[^\W_]", rest) and not _ONLY_OPTIONS.match(rest):
            return label.start(), label.end(), stop
        if label.end() < stop:
            stop = label.start()
    return None


def _is_label(plain: str, text: str, match: re.Match[str]) -> bool:
    before = plain[max(0, match.start() - _LOOK_BACK) : match.start()]
    if match["line"]:
        return re.search(r"\w", re.sub(r"\b(?:my|final)\b", "", before.rpartition("\n")[2])) is None
    if _QUOTES.search(before):
        return False
    return text[match.start()].isupper() or _MY.search(before) is not None
