"""``pyvalue init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options
from pyvalue.cli.printing import note, say, say_json


def init(
    path: Annotated[Path, typer.Argument(help="Where the study goes.")] = Path("study.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: options.Json = False,
) -> None:
    """Write a commented study, which runs as it stands, to begin with."""
    from pyvalue.studies.template import write_study

    target = path / "study.toml" if path.is_dir() else path
    if target.exists() and not force:
        raise ValueError(f"path: {target} is there already; give another name, or --force to write over it")
    written = write_study(path, force=force)
    if json:
        say_json({"study": str(written)})
        return
    say(str(written))
    note(f"edit it, then: pyvalue run {written}")
