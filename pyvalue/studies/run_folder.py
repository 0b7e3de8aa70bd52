"""``load_run``: what a run folder holds so far, and what is missing. Makes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pyvalue.errors import StoreError
from pyvalue.evaluation.audit_findings import Audit
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.graph import ValueGraph
from pyvalue.measurement.manifest import Manifest
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.studies import stored_audit
from pyvalue.studies.run_manifest import RunManifest
from pyvalue.studies.safe_paths import check_run_folder
from pyvalue.studies.study import Study
from pyvalue.studies.study_errors import StudyError
from pyvalue.studies.study_file import read_study

T = TypeVar("T")
#: of a run without a study, as the demo's is
_USUAL_STAGES = ("measure", "discover", "plan", "steer", "evaluate")
#: stage -> what is said where its file is not there
_NOT_MADE = {
    "discover": "There is no value graph yet (graph.json).",
    "plan": "There is no steering plan yet (plan.json).",
    "evaluate": "What was predicted is not compared with what was measured yet (evaluation.json).",
    "audit": "What the study claims is not audited yet (audit.json).",
}


@dataclass(frozen=True)
class Run:
    """What a run folder holds; None for what is not there.

    Attributes:
        folder: of the run.
        study: what was asked; None where the folder has no ``study.toml``, as that of the demo.
        base: unedited answers, those that are stored so far.
        steered: answers under edits, those that are stored so far.
        graph: of the values.
        plan: with its edits as ``StoredEdit``.
        evaluation: predicted against measured.
        audit: what holds.
        reference: the graph that the study compares its own with.
        missing: what the run has not made yet, a plain sentence each; empty for a finished run.
    """

    folder: Path
    study: Study | None = None
    base: Responses | None = field(default=None, repr=False)
    steered: Responses | None = field(default=None, repr=False)
    graph: ValueGraph | None = field(default=None, repr=False)
    plan: SteeringPlan | None = field(default=None, repr=False)
    evaluation: Evaluation | None = field(default=None, repr=False)
    audit: Audit | None = field(default=None, repr=False)
    reference: ValueGraph | None = field(default=None, repr=False)
    missing: tuple[str, ...] = ()

    def parts(self) -> list[Any]:
        """What there is, in the order in which it is made, for ``pyvalue.report``."""
        made = (self.base, self.graph, self.plan, self.steered, self.evaluation, self.audit)
        return [part for part in made if part is not None]

    @property
    def finished(self) -> bool:
        """Whether everything that was asked for is there."""
        return not self.missing


def load_run(folder: str | Path) -> Run:
    """Read a run folder: one of ``run_study``, finished or not, of the demo, or of ``pyvalue.measure`` alone.

    Nothing is started, written or asked, and no model is loaded. A run that goes on meanwhile is read as it is.

    Args:
        folder: of the run.

    Raises:
        StoreError: there is no such folder, nothing of a run is in it, a file in it is damaged, or something in it is a
            link that leads out of it or no plain file.
    """
    folder = Path(folder)
    check_run_folder(folder)
    manifest = RunManifest.load(folder)
    study = _study(folder, manifest)
    alone = not (folder / "base").is_dir() and (folder / "responses").is_dir()
    base = folder if alone else folder / "base"
    run = Run(
        folder,
        study,
        _answers(base),
        _answers(folder / "steered"),
        _read(folder / "graph.json", ValueGraph.load),
        _read(folder / "plan.json", SteeringPlan.load),
        _read(folder / "evaluation.json", Evaluation.load),
        _read(folder / stored_audit.FILE, lambda path: stored_audit.load_audit(path.parent)),
        _read(folder / "reference.json", ValueGraph.load),
    )
    if study is None and manifest is None and not run.parts():
        raise StoreError(
            f"run folder {folder} holds nothing of a run; expected base/, graph.json or other files of run_study"
        )
    stages = ("measure",) if alone else _USUAL_STAGES if study is None else study.stages
    missing = tuple(_missing(run, base, stages, manifest))
    return Run(**{**vars(run), "missing": missing})


def _study(folder: Path, manifest: RunManifest | None) -> Study | None:
    path = folder / "study.toml"
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        start = folder if manifest is None else folder / manifest.study_folder
        return read_study(text, start.resolve(), str(path), path=path, with_files=False)
    except (StudyError, OSError, UnicodeDecodeError) as fault:
        raise StoreError(f"{path} cannot be read: {fault}") from fault


def _read(path: Path, load: Callable[[Path], T]) -> T | None:
    return load(path) if path.is_file() else None


def _answers(folder: Path) -> Responses | None:
    if not any((folder / "responses").glob("part-*.parquet")):
        return None
    return Responses.load(folder)


def _missing(run: Run, base: Path, stages: tuple[str, ...], manifest: RunManifest | None) -> Iterator[str]:
    told = manifest.stages if manifest is not None else {}
    made = {"discover": run.graph, "plan": run.plan, "evaluate": run.evaluation, "audit": run.audit}
    for stage in stages:
        status = told.get(stage, {})
        failed = f" It failed: {status.get('reason', '')}" if status.get("status") == "failed" else ""
        if stage in ("measure", "steer"):
            what = "without edits" if stage == "measure" else "under edits"
            sentence = _unanswered(base if stage == "measure" else run.folder / "steered", what)
        elif stage == "report":
            sentence = "" if (run.folder / "report" / "index.html").is_file() else "The report is not written yet."
        else:
            sentence = "" if made[stage] is not None else _NOT_MADE[stage]
        if sentence:
            yield sentence + failed


def _unanswered(folder: Path, what: str) -> str:
    """How far a measurement is, in a sentence; empty where it is finished, as far as the folder tells."""
    stored = sum(1 for _ in (folder / "responses").glob("part-*.parquet"))
    if not stored:
        return f"No questions {what} are answered yet."
    total = Manifest.load(folder).status.get("total") if (folder / "manifest.json").is_file() else None
    if not isinstance(total, int) or stored >= total:
        return ""
    return f"Questions {what}: {stored} of {total} parts are answered ({stored / total:.0%})."
