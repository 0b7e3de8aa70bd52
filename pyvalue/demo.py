"""The whole pipeline on the bundled model: measure, discover, plan, steer, evaluate, report."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

import pyvalue as pv

#: of every value, so many items are asked
ITEMS = 8
#: of the items without a value, so many are asked
CONTENT_FREE = 12
#: of the personas measured, so many are asked again under the edit
STEERED_PERSONAS = 22
#: personas of their own for the trial of candidate edits, apart from those on whom the outcome is judged
PILOT_PERSONAS = 4
#: features tried in the pilot, each up and down; the best three are asked about the other values too
CANDIDATES = 5
#: relative to the residual's length, at every token: at "your values" alone this small model hardly moves
STRENGTHS = (0.3, -0.3)


def run_demo(folder: str | Path = "demo-run", personas: int = 44, seed: int = 0) -> pv.Evaluation:
    """Run the demo and write ``folder/report/index.html``.

    The target is the value from which the graph predicts the most side effects, so that there is something to check.
    The run resumes: a second call with the same arguments asks only what is missing.

    Args:
        folder: run folder.
        personas: measured, on top of "no persona"; the first 22 are asked again under the edit.
        seed: of personas, bootstrap and intervals.

    Returns:
        How the prediction held.
    """
    start = time.perf_counter()
    folder = Path(folder)
    say = _Narrator(start)

    say("1  model", "loading smollm2-135m-instruct (the first time it is unpacked, about 25 s)")
    model = pv.load_model("smollm2-135m-instruct")
    sae = pv.load_sae("demo")
    facts = model.facts()
    size = f"{facts['parameters'] / 1e6:.0f} M parameters, {facts['layers']} layers"
    say("", f"{size}, {facts['dtype']} on {facts['device']}")

    inventory = pv.load_inventory("portrait").subset(ITEMS, content_free=CONTENT_FREE)
    everyone = pv.make_personas(personas + PILOT_PERSONAS, seed=seed)
    people, pilot_people = everyone[: personas + 1], everyone[personas + 1 :]
    say("2  measure", f"{len(inventory.items)} questions x {len(people)} personas")
    base = pv.measure(model, inventory, people, folder=folder / "base")
    say("", repr(base))
    say("", f"quality: {base.quality().summary}")

    graph = pv.discover(base, backend="fast", bootstrap=1000, seed=seed)
    graph.save(folder / "graph.json")
    say("3  discover", repr(graph))
    for source, target in graph.directed_edges():
        say("", f"{source} → {target}")
    for source, target in graph.undirected_edges():
        say("", f"{source} — {target}")

    target = most_predicted(graph)
    plan = pv.plan(
        graph,
        raise_values=[target],
        base=base,
        model=model,
        sae=sae,
        inventory=inventory,
        personas=pilot_people,
        candidates=CANDIDATES,
        strengths=STRENGTHS,
        positions="all",
        seed=seed,
    )
    plan.save(folder / "plan.json")
    aim, *more = plan.lines()
    say("4  plan", aim)
    for line in more:
        say("", line)

    again = people[: STEERED_PERSONAS + 1]
    say("5  steer", f"the same questions x {len(again)} personas under the edit")
    steered = pv.measure(model, inventory, again, plan.edits, folder=folder / "steered")

    outcome = pv.evaluate(plan, base, steered)
    outcome.save(folder / "evaluation.json")
    say("6  evaluate", f"{outcome.personas} personas, 95% intervals over personas")
    for line in outcome.lines():
        say("", line)

    page = pv.report([base, graph, plan, steered, outcome], folder / "report")
    say("7  report", f"{page}  ({time.perf_counter() - start:.0f} s in all)")
    return outcome


def most_predicted(graph: pv.ValueGraph) -> str:
    """The value with the most possible descendants; the first of those that tie."""
    return max(graph.names, key=lambda value: len(graph.possible_descendants(value)))


class _Narrator:
    """Prints a step and what came of it, with the seconds since the start."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._console = Console(highlight=False, soft_wrap=True)

    def __call__(self, step: str, text: str) -> None:
        clock = f"{time.perf_counter() - self._start:5.0f} s" if step else " " * 7
        self._console.print(f"[dim]{clock}[/dim]  [bold]{step:12}[/bold] ", end="")
        self._console.print(text, markup=False)
