"""``load_run``: what a run folder holds so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyvalue.evaluation.audit_findings import Audit
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.graph import ValueGraph
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.studies.study import Study


@dataclass(frozen=True)
class Run:
    """What a run folder holds; None for what is not there."""

    folder: Path
    study: Study | None = None
    base: Responses | None = None
    steered: Responses | None = None
    graph: ValueGraph | None = None
    plan: SteeringPlan | None = None
    evaluation: Evaluation | None = None
    audit: Audit | None = None
    reference: ValueGraph | None = None
    missing: tuple[str, ...] = ()

    def parts(self) -> list[Any]:
        """What there is, in the order of the stages, for ``pyvalue.report``."""
        made = (self.base, self.graph, self.plan, self.steered, self.evaluation, self.audit)
        return [part for part in made if part is not None]


def load_run(folder: str | Path) -> Run:
    """Read a run folder, finished or not."""
    return Run(Path(folder))
