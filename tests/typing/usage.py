"""A user's program, which mypy reads in strict mode and nobody runs: what types come out of the public functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import pyvalue as pv
from pyvalue.graph import DiscoverySettings


def study(folder: Path) -> Path:
    """The tour of the README, step by step."""
    model = pv.load_model("smollm2-135m-instruct", device="cpu")
    assert_type(model, pv.LanguageModel)
    inventory = pv.load_inventory("portrait")
    assert_type(inventory, pv.Inventory)
    assert_type(inventory.items, tuple[pv.Item, ...])
    personas = pv.make_personas(20, seed=0)
    assert_type(personas[0], pv.Persona)

    base = pv.measure(model, inventory, personas, folder=folder / "base", mode="score", engine="local")
    assert_type(base, pv.Responses)
    assert_type(base.values, tuple[str, ...])
    assert_type(base.valid_share, float)
    assert_type(base.quality(), pv.Quality)
    assert_type(base.only(edit=""), pv.Responses)
    assert_type(base.save(folder / "base.parquet"), Path)

    graph = pv.discover(base, bootstrap=100, knowledge=pv.Knowledge(forbidden=[("Power", "Calm")]))
    assert_type(graph, pv.ValueGraph)
    assert_type(graph.directed_edges(), list[tuple[str, str]])
    assert_type(graph.definite_descendants("Power"), frozenset[str])
    assert_type(graph.separating_set("Power", "Calm"), tuple[str, ...] | None)
    assert_type(graph.settings, DiscoverySettings)
    assert_type(graph.settings.alpha, float)
    assert_type(graph.is_valid_cpdag(), bool)

    effects = pv.estimate_effects(graph, base)
    assert_type(effects, pv.Effects)
    plan = pv.plan(graph, raise_values=["Benevolence"], base=base, model=model)
    assert_type(plan, pv.SteeringPlan)
    assert_type(plan.target, Mapping[str, int])

    steered = pv.measure(model, inventory, personas, edits=plan.edits)
    outcome = pv.evaluate(plan, base, steered)
    assert_type(outcome, pv.Evaluation)
    assert_type(outcome.estimate("target gain"), tuple[float, float, float])
    assert_type(pv.side_effects([base, steered], {"Benevolence": 1}), pv.SideEffects)
    assert_type(pv.audit([base, steered]), pv.Audit)
    return pv.report([base, graph, plan, steered, outcome], folder / "report", title="Benevolence")


def steer(folder: Path) -> list[str]:
    """Edits of a model of one's own."""
    model = pv.load_model(folder)
    sae = pv.load_sae(folder / "sae")
    assert_type(sae, pv.SAE)
    edit = pv.Edit(feature=14351, strength=100.0, unit="raw", positions=pv.span("your values"), sae=sae)
    assert_type(edit, pv.Edit)
    with model.edit([edit]):
        written = model.generate(["What matters to you?"], max_new_tokens=20)
    assert_type(written, list[str])
    assert_type(model.generate_batch(["a", "b"], [[edit], []])[0], pv.Continuation)
    return written


def convert(folder: Path, frame: Any) -> pv.ValueGraph:
    """Tables and graphs of other libraries."""
    answers = pv.Responses.from_frame(frame, columns={"participant": "persona"})
    assert_type(answers, pv.Responses)
    assert_type(answers.to_csv(folder / "answers.csv"), Path)
    assert_type(pv.Responses.load(folder / "answers.parquet"), pv.Responses)
    assert_type(pv.Responses.from_ratings(frame, {"q1": ("Power", 1)}, scale=(1, 7)), pv.Responses)
    drawn = pv.graph_from_edges(["Power", "Wealth"], directed=[("Power", "Wealth")])
    assert_type(drawn, pv.ValueGraph)
    assert_type(drawn.to_dot(), str)
    assert_type(pv.ValueGraph.from_dot(drawn.to_dot()), pv.ValueGraph)
    assert_type(drawn.to_graphml(folder / "graph.graphml"), Path)
    assert_type(pv.graph_distance(drawn, drawn), pv.GraphDistance)
    return pv.ValueGraph.from_graphml(folder / "graph.graphml")


def remote() -> pv.RemoteModel:
    """A model behind an address."""
    model = pv.load_model("openai:some-model", base_url="http://127.0.0.1:8000/v1")
    assert_type(model, pv.RemoteModel)
    return model


def faults(path: Path) -> str:
    """One family of errors."""
    try:
        pv.ValueGraph.load(path)
    except pv.StoreError as fault:
        return str(fault)
    except pv.PyvalueError:
        pass
    return ""
