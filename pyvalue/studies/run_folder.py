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
from pyvalue.measurement.manifest import Manifest, listed
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.studies import stored_audit
from pyvalue.studies.run_manifest import RunManifest
from pyvalue.studies.safe_paths import check_run_folder
from pyvalue.studies.stage_inputs import FILES, MEASURED, check_made, outdated
from pyvalue.studies.study import Study
from pyvalue.studies.study_errors import StudyError
from pyvalue.studies.study_file import read_study

T = TypeVar("T")
#: of a run without a study, as the demo's is
_USUAL_STAGES = ("measure", "discover", "plan", "steer", "evaluate")
#: what is missing where nobody wrote the page
NO_REPORT = "The report is not written yet."
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
        StoreError: there is no such folder, nothing of a run is in it, a file in it is damaged or was changed, its
            study is not the one that was run, or something in it is a link that leads out of it or no plain file.
    """
    folder = Path(folder)
    check_run_folder(folder)
    manifest = RunManifest.load(folder)
    study = _study(folder, manifest)
    if manifest is not None:
        check_made(folder, manifest)
    alone = not (folder / "base").is_dir() and (folder / "responses").is_dir()
    base = folder if alone else folder / "base"
    # What was made from earlier results, as a kill may leave it, is left out.
    stale = outdated(study, folder, manifest) if study is not None and manifest is not None else ()
    run = Run(
        folder,
        study,
        _answers(base),
        None if "steer" in stale else _answers(folder / "steered"),
        None if "discover" in stale else _read(folder / "graph.json", ValueGraph.load),
        None if "plan" in stale else _read(folder / "plan.json", SteeringPlan.load),
        None if "evaluate" in stale else _read(folder / "evaluation.json", Evaluation.load),
        None if "audit" in stale else _read(folder / FILES["audit"][0], lambda p: stored_audit.load_audit(p.parent)),
        _read(folder / "reference.json", ValueGraph.load) if _compares(study) else None,
    )
    if study is None and manifest is None and not run.parts():
        raise StoreError(
            f"run folder {folder} holds nothing of a run; expected base/, graph.json or other files of run_study"
        )
    stages = ("measure",) if alone else _USUAL_STAGES if study is None else study.stages
    missing = tuple(_missing(run, base, stages, manifest, stale))
    return Run(**{**vars(run), "missing": missing})


def _study(folder: Path, manifest: RunManifest | None) -> Study | None:
    path = folder / "study.toml"
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
        start = folder if manifest is None else folder / manifest.study_folder
        study = read_study(text, start.resolve(), str(path), path=path, with_files=False)
    except (StudyError, OSError, UnicodeDecodeError) as fault:
        raise StoreError(f"{path} cannot be read: {fault}") from fault
    if manifest is not None and (changed := manifest.changed(study)):
        raise StoreError(f"{path} is not the study that was run (differs in: {listed(changed)}); put that one back")
    return study


def _compares(study: Study | None) -> bool:
    """Whether a reference that is there is of this study; one without a study is taken as it is."""
    return study is None or (study.report is not None and study.report.reference is not None)


def _read(path: Path, load: Callable[[Path], T]) -> T | None:
    return load(path) if path.is_file() else None


def _answers(folder: Path) -> Responses | None:
    if not any((folder / "responses").glob("part-*.parquet")):
        return None
    return Responses.load(folder)


def _missing(
    run: Run, base: Path, stages: tuple[str, ...], manifest: RunManifest | None, stale: tuple[str, ...]
) -> Iterator[str]:
    told = manifest.stages if manifest is not None else {}
    made = {"discover": run.graph, "plan": run.plan, "evaluate": run.evaluation, "audit": run.audit}
    for stage in stages:
        status = told.get(stage, {})
        failed = f" It failed: {status.get('reason', '')}" if status.get("status") == "failed" else ""
        if stage in stale:
            name = {**MEASURED, **{one: files[0] for one, files in FILES.items()}}[stage]
            sentence = f"What is in {name} was made from earlier results; run the study again."
        elif stage in MEASURED:
            what = "without edits" if stage == "measure" else "under edits"
            sentence = _unanswered(base if stage == "measure" else run.folder / "steered", what)
        elif stage == "report":
            sentence = "" if (run.folder / "report" / "index.html").is_file() else NO_REPORT
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
