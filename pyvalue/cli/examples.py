"""The end of every help page: examples that can be copied, and exit codes."""

from __future__ import annotations

_EXIT = "0 done, 1 a fault in the data or the run, 2 wrong use, 130 interrupted"


def examples(*commands: str, codes: str = _EXIT) -> str:
    """An epilog, laid out as it stands.

    Args:
        commands: what to type; a line that begins with # tells what the next is for.
        codes: what the exit codes mean.
    """
    listed = "\n".join(f"  {line}" for line in commands)
    return f"\b\nExamples:\n{listed}\n\n\b\nExit codes:\n  {codes}"
