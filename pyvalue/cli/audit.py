"""``pyvalue audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options
from pyvalue.cli.inputs import json_output, listed
from pyvalue.cli.printing import say, say_json


def audit(
    responses: Annotated[Path, typer.Argument(help="CSV or Parquet: columns edit and persona, and one a value.")],
    graph: Annotated[
        Path | None, typer.Option(help="Graph that discover wrote, as JSON; learnt from the responses by default.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Held-out rows of the same kind, to judge the graph on.")] = None,
    edits: Annotated[str | None, typer.Option(help="Edits to look at, such as 1025,1312; all by default.")] = None,
    focus: Annotated[str | None, typer.Option(help="Persona whose changes the study reports, if it is one.")] = None,
    baseline: Annotated[str | None, typer.Option(help="Persona that others are compared with.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="A value changed where its score did by more than this; chosen by default.")
    ] = None,
    permutations: Annotated[int, typer.Option(help="Of the names of values.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of permutations and bootstraps.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write findings and tables here as JSON.")] = None,
    json: options.Json = False,
) -> None:
    """Check a study and its causal graph: nulls, personas, broken edits, cycles, correlations, effective n."""
    import pyvalue as pv

    json_output(output)
    found = pv.audit(
        responses,
        None if graph is None else pv.ValueGraph.load(graph),
        test=test,
        edits=listed(edits),
        focus=focus,
        baseline=baseline,
        threshold=threshold,
        permutations=permutations,
        seed=seed,
    )
    if output is not None:
        found.save(output)
    if json:
        say_json(found.to_dict())
    else:
        say(str(found))
