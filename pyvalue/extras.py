"""How to get the packages that only some parts need. Imports nothing."""

from __future__ import annotations


def how_to_install(extra: str) -> str:
    """The command that brings an extra, from the index or from a checkout."""
    return f"pip install 'pyvalue[{extra}]' (in a checkout: pip install '.[{extra}]')"
