"""``pyvalue run``."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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
    from pyvalue.studies.run import read_run_engine, run_study
    from pyvalue.studies.study_file import load_study

    asked = load_study(study)
    # What is given here stands in place of that entry of the study's [engine] alone.
    found = read_run_engine(asked.engine, engine)
    if found is None:
        read_engine("local", address, workers)
    else:
        given: dict[str, Any] = {"address": address, "workers": workers}
        found = replace(found, **{name: one for name, one in given.items() if one is not None})
    with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():
        done = run_study(asked, folder, engine=found or "local")
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
