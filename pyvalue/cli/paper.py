"""``pyvalue paper``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import completion, options
from pyvalue.cli.inputs import listed
from pyvalue.cli.printing import note, say, say_json


def paper(
    folder: Annotated[Path, typer.Argument(help="Folder of the public files of Kang et al. (2025).")],
    model: Annotated[
        str | None, typer.Option(help="Name in the file names, such as gemma; needed where there are several.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Kept SAE features, such as 1025,1312; those of the published Table 1 by default."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write tables (CSV), the graph (JSON) and pictures into this folder.")
    ] = None,
    pictures: Annotated[
        str, typer.Option(help="png or svg.", autocompletion=completion.among(completion.PICTURES))
    ] = "png",
    json: options.Json = False,
) -> None:
    """Compute the paper's tables and figures from its public answers, and compare each with what is published.

    The exit code is 1 where a figure differs.
    """
    from pyvalue.evaluation.paper import reproduce_paper

    if pictures not in completion.PICTURES:
        raise ValueError(f"pictures must be png or svg, got {pictures!r}")
    found = reproduce_paper(folder, model, features=listed(features))
    if json:
        rows = [{**asdict(one), "verdict": one.verdict} for one in found.comparisons]
        say_json({"matches": found.matches, "counts": found.counts(), "comparisons": rows})
    else:
        say(str(found))
    if output is not None:
        from pyvalue.reporting.paper_folder import write_paper

        written = write_paper(found, output, "svg" if pictures == "svg" else "png")
        note(f"{len(written)} files in {output}")
    if not found.matches:
        raise typer.Exit(1)
