"""``pyvalue run``."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options
from pyvalue.cli.inputs import read_engine
from pyvalue.cli.printing import note, say, say_json


def run(
    study: Annotated[Path, typer.Argument(help="study.toml, such as pyvalue init writes.")],
    folder: Annotated[Path | None, typer.Option(help="Run folder, instead of the study's own.")] = None,
    engine: Annotated[str | None, typer.Option(help="local or ray, instead of the study's own.")] = None,
    address: options.Address = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Run a study as a whole: measure, discover, plan, steer, evaluate, report. The same command resumes it."""
    from pyvalue.studies.run import run_study

    wanted = None
    if engine is not None or address is not None or workers is not None:
        wanted = read_engine(engine or "local", address, workers)
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        done = run_study(study, folder, engine=wanted)
    page = done.folder / "report" / "index.html"
    shown = str(page) if page.is_file() else None
    if json:
        evaluation = next((part for part in done.parts() if type(part).__name__ == "Evaluation"), None)
        outcome = None if evaluation is None else evaluation.to_dict()
        missing = list(done.missing)
        say_json({"folder": str(done.folder), "report": shown, "missing": missing, "evaluation": outcome})
        return
    for told in done.missing:
        note(f"missing: {told}")
    say(shown or str(done.folder))
