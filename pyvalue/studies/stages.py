"""The stages of a run: each reads what those before it wrote, makes one thing, and writes it whole.

Since every stage reads its input from the disk, a run that was killed and goes on takes the same numbers as one that
nobody stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyvalue.discovery.api import discover
from pyvalue.engines import RayEngine
from pyvalue.evaluation.audit import audit
from pyvalue.evaluation.prediction import evaluate
from pyvalue.evaluation.reference_graphs import theory_graph
from pyvalue.graph import ValueGraph
from pyvalue.knowledge import Knowledge
from pyvalue.measurement.api import measure
from pyvalue.measurement.design import Design
from pyvalue.reporting.html import report
from pyvalue.responses import Responses
from pyvalue.schwartz_circle import basic_value
from pyvalue.steering.plan import SteeringPlan, plan
from pyvalue.studies import stored_audit
from pyvalue.studies.materials import Materials, arguments, as_positions
from pyvalue.studies.run_folder import load_run
from pyvalue.studies.study import Study


@dataclass(frozen=True)
class Work:
    """What a stage needs.

    Attributes:
        study: that asks for it.
        folder: of the run.
        materials: model, personas and so on.
        engine: a Ray cluster; None for this process.
        progress: of bars; see ``pyvalue.measure``.
    """

    study: Study
    folder: Path
    materials: Materials
    engine: RayEngine | None = None
    progress: bool | None = None

    @property
    def base(self) -> Responses:
        """Unedited answers."""
        return Responses.load(self.folder / "base")

    @property
    def steered(self) -> Responses:
        """Answers under edits."""
        return Responses.load(self.folder / "steered")

    @property
    def graph(self) -> ValueGraph:
        """Of the values."""
        return ValueGraph.load(self.folder / "graph.json")

    @property
    def plan(self) -> SteeringPlan:
        """The plan, with stored edits."""
        return SteeringPlan.load(self.folder / "plan.json")

    @property
    def on_engine(self) -> dict[str, Any]:
        """The keyword for where the work runs, where that is not here."""
        return {} if self.engine is None else {"engine": self.engine}


def measure_base(work: Work) -> Iterator[str]:
    """Ask every question without an edit."""
    people = work.materials.people
    yield f"{len(work.materials.inventory.items)} questions x {len(people)} personas"
    answers = measure(work.materials.model, work.materials.inventory, people, folder=work.folder / "base", **_how(work))
    yield repr(answers)
    yield f"quality: {answers.quality().summary}"


def discover_graph(work: Work) -> Iterator[str]:
    """Learn the graph between values from the unedited answers."""
    table = work.study.discover
    assert table is not None
    given = arguments(table, "knowledge")
    if table.knowledge is not None:
        given["knowledge"] = Knowledge(**arguments(table.knowledge))
    graph = discover(work.base, progress=work.progress, **given, **work.on_engine)
    graph.save(work.folder / "graph.json")
    yield repr(graph)
    signs = {"directed": "→", "undirected": "—", "bidirected": "↔"}
    for source, target, kind in graph.edges():
        yield f"{source} {signs[kind]} {target}"


def make_plan(work: Work) -> Iterator[str]:
    """Predict what moves with the target, and choose an edit by a pilot where there is an SAE."""
    table = work.study.plan
    assert table is not None
    given: dict[str, Any] = {"keep": table.keep, "amount": table.amount, "reach": table.reach, "seed": table.seed}
    materials = work.materials
    if table.sae is not None:
        given |= {
            "model": materials.model,
            "sae": materials.sae(table.sae),
            "inventory": materials.inventory,
            "personas": materials.pilot_people,
            "candidates": table.candidates,
            "strengths": table.strengths,
            "positions": None if table.positions is None else as_positions(table.positions),
            "finalists": table.finalists,
            "side_items": table.side_items,
            "progress": work.progress,
        }
    made = plan(work.graph, table.raise_values, table.lower_values, base=work.base, **given)
    if work.study.edits:
        made = replace(made, edits=_judged_edits(work), choice="the edit is given by the study", amount=table.amount)
    made.save(work.folder / "plan.json")
    yield from made.lines()


def measure_steered(work: Work) -> Iterator[str]:
    """Ask the same questions again under edits."""
    edits = configurations(work)
    again = work.materials.again
    named = next(iter(edits)) if len(edits) == 1 else f"{len(edits)} configurations"
    yield f"the same questions x {len(again)} personas under {named}"
    materials = work.materials
    answers = measure(materials.model, materials.inventory, again, edits, folder=work.folder / "steered", **_how(work))
    yield repr(answers)


def evaluate_plan(work: Work) -> Iterator[str]:
    """Compare what was predicted with what was measured."""
    table = work.study.evaluate
    assert table is not None
    steered = work.steered
    if table.edit is not None:
        if table.edit not in steered.edits:
            known = ", ".join(map(repr, steered.edits))
            raise ValueError(f"evaluate.edit: expected one of {known}, got {table.edit!r}")
        steered = steered.only(edit=table.edit)
    score: Any = table.score
    outcome = evaluate(work.plan, work.base, steered, score=score, confidence=table.confidence)
    outcome.save(work.folder / "evaluation.json")
    yield f"{outcome.personas} personas, {table.confidence:.0%} intervals over personas"
    yield from outcome.lines()


def audit_study(work: Work) -> Iterator[str]:
    """Check what the answers and the graph claim."""
    table = work.study.audit
    assert table is not None
    asked = [work.base, *([work.steered] if work.study.steers else [])]
    graph = work.graph if work.study.discover is not None else None
    found = audit(Responses.concat(asked), graph, **arguments(table))
    stored_audit.save_audit(found, work.folder)
    verdicts = [f"{one.name}: {one.verdict}" for one in found.findings]
    yield str(found).partition("\n")[0]
    yield from verdicts


def write_report(work: Work) -> Iterator[str]:
    """Write the page of what there is."""
    table = work.study.report
    assert table is not None
    reference = _reference(work)
    if reference is None:
        (work.folder / "reference.json").unlink(missing_ok=True)  # of an earlier report
    else:
        reference.save(work.folder / "reference.json")
    run = load_run(work.folder)
    page = report(run.parts(), work.folder / "report", reference=reference, title=table.title)
    yield str(page)


#: stage -> how it is made; it tells what came of it, line by line
STAGES: Mapping[str, Callable[[Work], Iterator[str]]] = {
    "measure": measure_base,
    "discover": discover_graph,
    "plan": make_plan,
    "steer": measure_steered,
    "evaluate": evaluate_plan,
    "audit": audit_study,
    "report": write_report,
}


def configurations(work: Work) -> dict[str, Any]:
    """Label -> edits that are made together: those of the study, or the plan's."""
    if work.study.edits:
        return dict(work.materials.given_edits())
    table = work.study.plan
    assert table is not None and table.sae is not None  # ``check_study`` saw to it
    sae = work.materials.sae(table.sae)
    stored: tuple[Any, ...] = work.plan.edits  # as a file has them, without weights
    edits = [edit.with_sae(sae) for edit in stored]
    return {" + ".join(edit.label for edit in edits): edits}


def _judged_edits(work: Work) -> tuple[Any, ...]:
    """The given edits that are to be judged; none where there are several and none is named."""
    given = work.materials.given_edits()
    named = work.study.evaluate.edit if work.study.evaluate is not None else None
    if named is None:
        named = next(iter(given)) if len(given) == 1 else None
    if named is not None and named not in given:
        raise ValueError(f"evaluate.edit: expected one of {', '.join(map(repr, given))}, got {named!r}")
    return () if named is None else tuple(given[named])


def _how(work: Work) -> dict[str, Any]:
    """Arguments of both measurements."""
    table = work.study.measure
    given = arguments(table, "design", "judge")
    design = Design(**arguments(table.design))
    return {**given, "design": design, "judge": work.materials.judge, "progress": work.progress, **work.on_engine}


def _reference(work: Work) -> ValueGraph | None:
    table = work.study.report
    assert table is not None
    if table.reference is None:
        return None
    if table.reference != "theory":
        return ValueGraph.load(work.study.resolve(table.reference))
    names = list(work.graph.names if work.study.discover is not None else work.base.values)
    known = [name for name in names if basic_value(name) is not None]
    return theory_graph(known) if len(known) >= 3 else None
