"""The command that began a run, for its manifest, without secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

HIDDEN = "***"

_NAME = (
    r"(?:[\w.-]*[-_.])?(?:api|access|private|auth)?"
    r"(?:key|token|secret|password|passwd|passphrase|pass|pwd|pat|bearer|cookie|credentials?|auth|authorization|"
    r"signature|sig)"
)
_SECRET_OPTION = re.compile(rf"-+{_NAME}", re.IGNORECASE)
_SECRET_ENTRY = re.compile(rf"(?P<name>(?<![\w.-]){_NAME}\"?\s*[=:]\s*)[^&;#]+", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE)
_BEARER = re.compile(r"\b(?P<kind>bearer|basic)\s+\S+", re.IGNORECASE)
_KEY = re.compile(
    r"\b(?:sk|pk|rk)-[\w-]{8,}"  # OpenAI, and those that speak its language
    r"|\b(?:hf|gh[opsru]|github_pat|glpat|xox[abps]|gsk|r8)[_-][\w-]{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\beyJ[\w-]{10,}\.[\w.-]+"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    # any long token; a name of many short words is none, so some stretch must mix letters and digits
    r"|(?<![\w-])(?=[\w-]{32})(?=[\w-]*?(?<![A-Za-z0-9])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16})[\w-]+"
)


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line that may be kept: the program's base name, and ``***`` for what looks secret.

    Hidden are values of options named like a key, token or password; texts that look like keys; and user names and
    passwords in URLs. The rule errs on the side of hiding.

    Args:
        arguments: such as ``sys.argv``.
    """
    if not arguments:
        return []
    found, hide = [_program(arguments[0])], False
    for argument in arguments[1:]:
        if hide:
            found.append(HIDDEN)
            hide = False
            continue
        hide = bool(_SECRET_OPTION.fullmatch(argument))
        found.append(_masked(argument))
    return found


def _program(path: str) -> str:
    """``pyvalue`` for ``python -m pyvalue``, whose first argument is a file of the package."""
    program = Path(path)
    return program.parent.name if program.name == "__main__.py" else program.name


def _masked(argument: str) -> str:
    argument = _USER_IN_URL.sub(rf"\g<scheme>{HIDDEN}@", argument)
    argument = _BEARER.sub(rf"\g<kind> {HIDDEN}", argument)
    argument = _SECRET_ENTRY.sub(rf"\g<name>{HIDDEN}", argument)
    return _KEY.sub(HIDDEN, argument)
