"""``pyvalue measure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pyvalue.cli import options


def measure(
    out: options.Out,
    model: options.Model = "smollm2-135m-instruct",
    inventory: options.Inventory = "portrait",
    questionnaire: options.Questionnaire = None,
    items: options.Items = None,
    personas: options.Personas = "20",
    edits: Annotated[
        Path | None, typer.Option(help="JSON: a list of edits, or an object of such lists by label.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="Take the edits of this plan; see also steer.")] = None,
    sae: options.Sae = None,
    label: Annotated[str | None, typer.Option(help="What to call the edits in the answers.")] = None,
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
    base_url: options.BaseURL = None,
    price: options.Price = None,
    max_cost: options.MaxCost = None,
    shared: options.Shared = False,
    engine: options.Engine = "local",
    address: options.Address = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """Ask an inventory of a model under personas, with or without edits, and keep the answers in a folder."""
    from pyvalue.cli.asking import ask, tell
    from pyvalue.cli.edit_files import read_edits
    from pyvalue.cli.inputs import read_engine, read_inventory, read_model, read_personas
    from pyvalue.cli.plan_edits import edits_of_plan

    if edits is not None and plan is not None:
        raise ValueError("edits, plan: both say what to change; pass one of them")
    if sae is not None and edits is None and plan is None:
        raise ValueError("sae: nothing is edited; pass --edits or --plan as well, or leave it out")
    where = read_engine(engine, address, workers)
    questions = read_inventory(inventory, questionnaire, items)
    people = read_personas(personas, seed)
    changes: Any = () if edits is None else read_edits(edits, sae)
    if plan is not None:
        changes = edits_of_plan(plan, sae)
    responses = ask(
        read_model(model, dtype, device, base_url, price),
        questions,
        people,
        changes,
        out,
        engine=where,
        design={"wordings": wordings, "orders": tuple(order) if order else None, "repeats": repeats},
        settings={
            "mode": mode,
            "judge": None if judge is None else read_model(judge, None, device, None),
            "label": label,
            "min_mass": min_mass,
            "temperature": temperature,
            "max_new_tokens": max_new_tokens,
            "batch_size": batch_size,
            "seed": seed,
            "max_cost": max_cost,
            "shared": shared,
        },
    )
    tell(responses, out, json)
