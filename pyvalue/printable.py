"""Texts of unknown origin, as a terminal may show them: nothing moves the cursor, sets a title or turns the writing."""

from __future__ import annotations

import unicodedata

#: categories of Unicode that act rather than show: controls, formats (bidi overrides among them), halves of pairs,
#: separators of lines and paragraphs
_ACTS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
#: line ends, tabs, and the joiners with which some scripts and emoji are written
_KEPT = frozenset("\n\t\u200c\u200d")


def printable(text: str, longest: int = 2000) -> str:
    """The text with an escape such as ``\\x1b`` for whatever acts on a terminal, and without the middle of a long one.

    Args:
        text: a message, a name, a line of a table; line ends and tabs stay.
        longest: letters kept, half of them from the end.
    """
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half} letters more) ... {text[-half:]}"
    if text.isascii() and text.isprintable():  # nearly always, and 50 times as fast
        return text
    return "".join(_escaped(letter) if _acts(letter) else letter for letter in text)


def _acts(letter: str) -> bool:
    return letter not in _KEPT and unicodedata.category(letter) in _ACTS


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
