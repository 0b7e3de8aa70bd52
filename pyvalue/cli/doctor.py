"""``pyvalue doctor``."""

from __future__ import annotations

from typing import Any

import typer

from pyvalue.cli import options
from pyvalue.cli.printing import complain, say, say_json

_WIDTH = 18
#: sections whose entries are names as others write them
_NAMED = ("base", "extras", "bundled model", "keys")


def doctor(
    json: options.Json = False,
) -> None:
    """Say what is installed: core, extras, GPU, kernels, bundled model, caches, and whether keys are set."""
    from pyvalue.cli.installation import examine

    found = examine()
    if json:
        say_json(found)
    else:
        for name, told in found.items():
            if name != "broken":
                _tell(name.replace("_", " "), told)
    for told in found["broken"]:
        complain(told)
    if found["broken"]:
        raise typer.Exit(1)


def _tell(name: str, told: Any) -> None:
    if isinstance(told, dict):
        say(name)
        width = max(_WIDTH - 2, *map(len, told))
        for key, entry in told.items():
            say(f"  {key.replace('_', ' ') if name not in _NAMED else key:{width}} {_words(entry)}")
        return
    say(f"{name:{_WIDTH}} {_words(told)}")


def _words(told: Any) -> str:
    if isinstance(told, dict) and set(told) == {"folder", "gib"}:
        return f"{told['gib']:.2f} GiB in {told['folder']}"
    if isinstance(told, dict):
        return ", ".join(f"{key} {_words(entry)}" for key, entry in told.items())
    if isinstance(told, list):
        return "; ".join(map(_words, told)) or "none"
    if isinstance(told, bool):
        return "yes" if told else "no"
    return "none" if told is None else str(told)
