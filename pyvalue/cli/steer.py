"""``pyvalue steer``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyvalue.cli import options


def steer(
    plan: Annotated[Path, typer.Argument(help="Plan with edits, such as pyvalue plan writes.")],
    out: Annotated[
        Path | None, typer.Option(help="Run folder of the steered answers; the same command on it resumes.")
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(metavar="<text>", help="Write a reply to this instead, steered and not; may be repeated."),
    ] = None,
    prompts: Annotated[Path | None, typer.Option(help="The same for a text file, one prompt a line.")] = None,
    model: options.Model = "smollm2-135m-instruct",
    sae: options.Sae = None,
    inventory: options.Inventory = "portrait",
    questionnaire: options.Questionnaire = None,
    items: options.Items = None,
    personas: options.Personas = "20",
    mode: options.Mode = "score",
    judge: options.Judge = None,
    wordings: options.Wordings = 1,
    order: options.Orders = None,
    repeats: options.Repeats = 1,
    min_mass: options.MinMass = 0.01,
    temperature: options.Temperature = 0.0,
    max_new_tokens: options.MaxNewTokens = None,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    dtype: options.Dtype = None,
    device: options.Device = None,
    engine: options.Engine = "local",
    address: options.Address = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Ask again under a plan's edits, into a folder as measure does; or write texts, steered and unsteered."""
    from pyvalue.cli.asking import ask, tell
    from pyvalue.cli.inputs import read_engine, read_inventory, read_model, read_personas
    from pyvalue.cli.plan_edits import edits_of_plan
    from pyvalue.cli.steered_texts import read_prompts, tell_texts, write_texts

    written = read_prompts(prompt, prompts)
    if (out is None) == (not written):
        raise ValueError("out, prompt: expected one of --out FOLDER, for answers, and --prompt TEXT or --prompts FILE")
    where = read_engine(engine, address, workers)
    if written and where != "local":
        raise ValueError("engine: texts are written in this process; leave --engine out")
    changes = edits_of_plan(plan, sae)
    if written:
        speaker = read_model(model, dtype, device, None)
        tell_texts(write_texts(speaker, written, changes, max_new_tokens or 60, temperature, seed), json)
        return
    assert out is not None  # for the type checker; checked above
    questions = read_inventory(inventory, questionnaire, items)
    people = read_personas(personas, seed)
    responses = ask(
        read_model(model, dtype, device, None),
        questions,
        people,
        changes,
        out,
        engine=where,
        design={"wordings": wordings, "orders": tuple(order) if order else None, "repeats": repeats},
        settings={
            "mode": mode,
            "judge": None if judge is None else read_model(judge, None, device, None),
            "min_mass": min_mass,
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
            "batch_size": batch_size,
            "seed": seed,
        },
    )
    tell(responses, out, json)
