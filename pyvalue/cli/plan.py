"""``pyvalue plan``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyvalue.cli import completion, options
from pyvalue.cli.inputs import json_output, numbers, read_inventory, read_model, read_personas, read_responses
from pyvalue.cli.printing import note, say, say_json

if TYPE_CHECKING:
    from pyvalue.measurement.personas import Persona


#: endings of tables with a row a persona and a column a value
_TABLES = (".csv", ".tsv")


def plan(
    graph: Annotated[Path, typer.Argument(help="Graph that discover wrote, as JSON.")],
    raise_values: Annotated[
        list[str] | None, typer.Option("--raise", metavar="<value>", help="Value to raise; may be repeated.")
    ] = None,
    lower_values: Annotated[
        list[str] | None, typer.Option("--lower", metavar="<value>", help="Value to lower; may be repeated.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="<value>", help="Value that should stay; may be repeated.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            help="Unedited answers (folder or Parquet file), or a CSV of scores: predicts how far, and ranks roles."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="With --sae: try features of it in a pilot, on personas of their own.",
            autocompletion=completion.among(completion.MODELS),
        ),
    ] = None,
    sae: options.Sae = None,
    inventory: options.Inventory = "portrait",
    questionnaire: options.Questionnaire = None,
    items: options.Items = None,
    personas: Annotated[
        str, typer.Option(help="Of the pilot: a number of them, made up and none of --base; or a JSON file.")
    ] = "4",
    amount: Annotated[float | None, typer.Option(help="Intended change of the target's score.")] = None,
    reach: Annotated[float | None, typer.Option(help="Gain that the chosen means must have.")] = None,
    candidates: Annotated[int, typer.Option(help="Features tried.")] = 6,
    finalists: Annotated[int, typer.Option(help="Candidates tried on the other values, too.")] = 3,
    side_items: Annotated[int, typer.Option(help="Items of each other value asked of finalists.")] = 4,
    strengths: Annotated[str, typer.Option(help="Tried for each feature, relative to the residual.")] = "0.8,-0.8",
    positions: Annotated[
        str | None,
        typer.Option(
            help='all, prompt, generated, or a text of the prompt; default "your values".',
            autocompletion=completion.among(completion.POSITIONS),
        ),
    ] = None,
    seed: options.Seed = 0,
    dtype: options.Dtype = None,
    device: options.Device = None,
    output: Annotated[Path | None, typer.Option(help="Write the plan here as JSON.")] = None,
    json: options.Json = False,
) -> None:
    """Predict what moves with a target, and choose the edit or the role that reaches it and moves least else."""
    import pyvalue as pv

    json_output(output)
    tried = numbers("strengths", strengths)
    if (model is None) != (sae is None):
        given, lacking = ("sae", "model") if model is None else ("model", "sae")
        raise ValueError(f"{lacking}: {given} alone tries no edit; pass --{lacking} as well, or leave --{given} out")
    if not graph.is_file():
        raise ValueError(f"graph: no such file: {graph}; pyvalue discover ... --output makes one")
    structure = pv.ValueGraph.load(graph)
    answers, asked = (None, ()) if base is None else _answers(base)
    pilot: dict[str, Any] = {}
    if model is not None:
        pilot = {
            "inventory": read_inventory(inventory, questionnaire, items),
            "personas": _pilot(personas, asked, seed),
            "model": read_model(model, dtype, device, None),
            "sae": pv.load_sae(sae),
        }
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made = pv.plan(
            structure,
            raise_values or (),
            lower_values or (),
            base=answers,
            keep=keep or (),
            amount=amount,
            reach=reach,
            candidates=candidates,
            finalists=finalists,
            side_items=side_items,
            strengths=tried,
            positions=_positions(positions),
            seed=seed,
            **pilot,
        )
    for one in told:
        if str(one.message) not in made.problems:  # the plan tells those itself
            note(str(one.message))
    if output is not None:
        made.save(output)
    if json:
        say_json(made.to_dict())
        return
    say(str(made))
    if output is not None:
        note(f"next: pyvalue steer {output}" if made.edits else f"the plan is in {output}")


def _answers(base: Path) -> tuple[Any, tuple[str, ...]]:
    """Answers, or rows of scores out of a table; and who gave them."""
    if base.suffix.lower() not in _TABLES:
        answers = read_responses("base", base)
        return answers, answers.personas
    import pyvalue as pv

    if not base.is_file():
        raise ValueError(f"base: no such file: {base}")
    rows = pv.score_rows(base)
    return rows, tuple(rows.index.get_level_values("persona").unique())


def _pilot(told: str, known: tuple[str, ...], seed: int) -> tuple[Persona, ...]:
    """Personas apart from those that answered, on whom the outcome will be judged."""
    if not told.isdecimal():
        return read_personas(told, seed)
    wanted = int(told)
    if wanted < 1:
        raise ValueError(f"personas: a pilot needs at least 1, got {told}")
    import pyvalue as pv

    made = pv.make_personas(wanted + len(known), seed=seed)
    others = [one for one in made[1:] if one.name not in known]  # the first is no persona
    return tuple(others[:wanted])


def _positions(told: str | None) -> Any:
    if told is None or told in completion.POSITIONS:
        return told
    from pyvalue.models.positions import span

    return span(told)
