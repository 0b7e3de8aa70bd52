"""Texts of unknown origin, with every character spelt out that would act rather than show.

On a terminal an escape character in a name could move the cursor; on a page a character of direction could turn the
sentence around it.
"""

from __future__ import annotations

import unicodedata

#: invisible, but part of how some scripts and emoji are written
_JOINERS = "\u200c\u200d"
#: categories of Unicode that act rather than show: controls, formats, halves of pairs, ends of lines and paragraphs
HIDDEN_KINDS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(text: str, *, lines: bool = False) -> str:
    """The text with control, escape and direction characters spelt out, such as ``\\x1b``.

    Args:
        text: from anywhere.
        lines: leave line breaks and tabs as they are, for a text that is laid out in lines.
    """
    if text.isascii() and text.isprintable():  # nearly always, and 50 times as fast
        return text
    kept = _JOINERS + ("\n\t" if lines else "")
    return "".join(c if c in kept or unicodedata.category(c) not in HIDDEN_KINDS else _spelt(c) for c in text)


def printable(text: str, longest: int = 2000) -> str:
    """The same for a message: lines stay, and a long one goes without its middle.

    Args:
        text: a message, a name, a line of a table.
        longest: letters kept, half of them from the end.
    """
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half} letters more) ... {text[-half:]}"
    return visible(text, lines=True)


def _spelt(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
