"""``pyvalue report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pyvalue.cli import options
from pyvalue.cli.inputs import holds_answers
from pyvalue.cli.part_files import read_part
from pyvalue.cli.printing import note, say, say_json


def report(
    parts: Annotated[
        list[Path],
        typer.Argument(
            metavar="<path>...", help="A run folder; or answers, graph, plan, evaluation and audit, in any order."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder of the page; default report in the run folder, or here.")
    ] = None,
    reference: Annotated[Path | None, typer.Option(help="Graph to compare with, such as that of people.")] = None,
    json: options.Json = False,
) -> None:
    """Write one HTML page of what was measured, found, planned and seen; of an unfinished run what there is."""
    import pyvalue as pv

    compared = None if reference is None else pv.ValueGraph.load(reference)
    found, missing, folder = _given(parts)
    if compared is None and folder is not None:
        compared = folder.reference
    if not found:
        raise ValueError(f"parts: {parts[0]} has nothing to show yet: {_sentences(missing) or 'it is empty'}")
    where = output or (parts[0] / "report" if folder is not None else Path("report"))
    if where.is_file():
        raise ValueError(f"output: expected a folder, which may be new, got the file {where}")
    page = pv.report(found, where, reference=compared, missing=missing)
    if json:
        say_json({"page": str(page), "parts": [type(part).__name__ for part in found], "missing": list(missing)})
        return
    for told in missing:
        note(f"missing: {told}")
    say(str(page))


def _sentences(missing: tuple[str, ...]) -> str:
    return " ".join(f"{one.rstrip('. ')}." for one in missing)


def _given(paths: list[Path]) -> tuple[list[Any], tuple[str, ...], Any]:
    """Parts, what an unfinished run lacks, and the run, where a single run folder was given."""
    if len(paths) == 1 and paths[0].is_dir() and not holds_answers(paths[0]):
        from pyvalue.studies.run_folder import NO_REPORT, load_run

        run = load_run(paths[0])
        # What is written now is not missing in itself.
        return run.parts(), tuple(one for one in run.missing if not one.startswith(NO_REPORT)), run
    return [read_part(path) for path in paths], (), None
