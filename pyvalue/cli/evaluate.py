"""``pyvalue evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options
from pyvalue.cli.inputs import json_output, read_responses
from pyvalue.cli.printing import say, say_json


def evaluate(
    plan: Annotated[Path, typer.Argument(help="Plan, such as pyvalue plan writes.")],
    base: Annotated[Path, typer.Argument(help="Folder or Parquet file of unedited answers.")],
    steered: Annotated[Path, typer.Argument(help="Folder or Parquet file of answers under the plan's edits.")],
    score: options.Score = "corrected",
    confidence: Annotated[float, typer.Option(help="Of the intervals, between 0 and 1.")] = 0.95,
    output: Annotated[Path | None, typer.Option(help="Write the evaluation here as JSON.")] = None,
    json: options.Json = False,
) -> None:
    """Compare what a plan predicted with what was measured, value by value, over the personas of both."""
    import pyvalue as pv

    json_output(output)
    if not plan.is_file():
        raise ValueError(f"plan: no such file: {plan}; pyvalue plan ... --output makes one")
    found = pv.evaluate(
        pv.SteeringPlan.load(plan),
        read_responses("base", base),
        read_responses("steered", steered),
        score=score,  # type: ignore[arg-type]  # checked there
        confidence=confidence,
    )
    if output is not None:
        found.save(output)
    if json:
        say_json(found.to_dict())
    else:
        say(str(found))
