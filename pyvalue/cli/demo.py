"""``pyvalue demo``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options
from pyvalue.cli.printing import say_json


def demo(
    folder: Annotated[Path, typer.Option(help="Run folder; the same command on it resumes.")] = Path("demo-run"),
    personas: Annotated[int, typer.Option(help="Personas measured; the first 22 again under the edit.")] = 44,
    seed: Annotated[int, typer.Option(help="Of personas, bootstrap and intervals.")] = 0,
    json: options.Json = False,
) -> None:
    """Measure the bundled model, discover its value graph, steer it, check the prediction, write a report."""
    from pyvalue.demo import run_demo

    if not json:
        run_demo(folder, personas, seed)
        return
    with contextlib.redirect_stdout(sys.stderr):
        outcome = run_demo(folder, personas, seed)
    say_json({"folder": str(folder), "report": str(folder / "report" / "index.html"), "evaluation": outcome.to_dict()})
