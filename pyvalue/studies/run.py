"""``run_study``: all stages of a study in one folder, and going on with it after whatever stopped it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from pyvalue.atomic_files import reason, replace_file
from pyvalue.engines import Engine, RayEngine, read_engine
from pyvalue.errors import StoreError
from pyvalue.measurement.command_line import without_secrets
from pyvalue.measurement.locks import is_current, open_lock, try_lock
from pyvalue.measurement.manifest import Manifest, listed
from pyvalue.studies.materials import Materials
from pyvalue.studies.narrator import Narrator
from pyvalue.studies.run_folder import Run, load_run
from pyvalue.studies.run_manifest import RunManifest, file_hash, now
from pyvalue.studies.safe_paths import FILES as RUN_FILES
from pyvalue.studies.safe_paths import FOLDERS as RUN_FOLDERS
from pyvalue.studies.safe_paths import check_run_folder
from pyvalue.studies.stages import FILES, STAGES, Work
from pyvalue.studies.study import EngineTable, Study
from pyvalue.studies.study_file import load_study

_LOCK = ".lock"
_STUDY = "study.toml"
#: stage of a measurement -> its folder
_MEASURED = {"measure": "base", "steer": "steered"}


def run_study(
    study: str | Path | Study,
    folder: str | Path | None = None,
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
) -> Run:
    """Run a study: measure, discover, plan, steer, evaluate, audit and report, as far as it asks for them.

    The folder holds ``study.toml``, ``manifest.json``, ``base/``, ``steered/``, ``graph.json``, ``plan.json``,
    ``evaluation.json``, ``audit.json`` and ``report/``, each written whole or not at all. Called again, it goes on
    where it was stopped, and a finished run is only read. A stage whose file was deleted is made again, with all after
    it.

    Args:
        study: of ``load_study``, or the path of a ``study.toml``.
        folder: of the run; default beside the study, ``NAME-run`` for ``NAME.toml``.
        engine: ``"local"``, ``"ray"`` or a ``RayEngine``; default what the study says. It changes no number.
        progress: True shows bars of what takes long, False nothing at all; default: stages are told on standard error,
            with bars where it is a terminal.

    Returns:
        What the folder holds now.

    Raises:
        StudyError: a ValueError; the study has faults.
        StoreError: the folder belongs to another study (names the keys that differ) or holds something else, another
            run uses it, or it cannot be written.
        ValueError: what was measured does not do for a stage; the message says why.
        ModelError: the model or an SAE cannot be had, or an edit does not fit.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    if not study.text:
        raise ValueError("study: expected one that load_study read, whose text is kept with the run, got one without")
    cluster = _engine(study.engine) if engine is None else read_engine(engine)
    folder = _default_folder(study) if folder is None else Path(folder)
    with _held(folder):
        check_run_folder(folder)
        manifest = _manifest(study, folder)
        work = _Run(study, folder, cluster, progress, manifest)
        work.finish()
        return load_run(folder)


class _Run:
    """The stages of one run in one folder, which this process holds."""

    def __init__(
        self, study: Study, folder: Path, cluster: RayEngine | None, progress: bool | None, manifest: RunManifest
    ) -> None:
        self._folder, self._study, self._manifest = folder, study, manifest
        self._silent = progress is False
        self._say = Narrator(self._silent)
        self._materials = Materials(study)
        self._work = Work(study, folder, self._materials, cluster, progress)

    def finish(self) -> None:
        """Make every stage that is not made yet, and all after one that is made now."""
        anew = False
        for place, stage in enumerate(self._study.stages, start=1):
            title = f"{place}  {stage}"
            if not anew and self._is_done(stage):
                self._say(title, "is done")
                continue
            # A measurement goes on by itself, and asks only what is missing; answers that are there stay as they are.
            anew = True
            self._make(stage, title)

    def _is_done(self, stage: str) -> bool:
        told = self._manifest.stages.get(stage, {})
        if told.get("status") != "done":
            return False
        if stage in _MEASURED:
            return self._is_measured(self._folder / _MEASURED[stage])
        path = self._folder / FILES[stage]
        if not path.is_file():
            return False
        if stage == "report":
            return bool(told.get("asked") == self._asked_of_report())
        if file_hash(path) != told.get("sha256"):
            raise StoreError(
                f"{path} is not what the run wrote (its hash differs from that in manifest.json); move it away, and it "
                "is made again with all after it"
            )
        return True

    def _is_measured(self, folder: Path) -> bool:
        if not (folder / "manifest.json").is_file():
            return False
        total = Manifest.load(folder).status.get("total")
        return total == sum(1 for _ in (folder / "responses").glob("part-*.parquet"))

    def _make(self, stage: str, title: str) -> None:
        self._record(stage, status="running", started=now())
        begun, start = self._manifest.stages[stage]["started"], self._say.seconds
        try:
            if stage == "measure":
                self._manifest = self._manifest.with_hashes(**self._materials.digests)
            with self._told_warnings() as noted:
                self._say.lines(title, STAGES[stage](self._work))
        except BaseException as fault:
            interrupted = not isinstance(fault, Exception)
            told = "it was interrupted" if interrupted else without_secrets(["", " ".join(str(fault).split())])[1]
            with contextlib.suppress(StoreError):  # the fault itself says more
                status = "interrupted" if interrupted else "failed"
                self._record(stage, status=status, started=begun, reason=f"{told[:1000]}")
            raise
        done = {"status": "done", "started": begun, "finished": now(), "seconds": round(self._say.seconds - start, 1)}
        if stage in FILES:
            done["sha256"] = file_hash(self._folder / FILES[stage])
        if stage == "report":
            done["asked"] = self._asked_of_report()
        self._record(stage, **done, **({"warnings": noted} if noted else {}))

    @contextlib.contextmanager
    def _told_warnings(self) -> Iterator[list[str]]:
        """Warnings of a stage in words: told with the stage, or as warnings where nothing is told."""
        found: list[str] = []
        if self._silent:
            yield found
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield found
        for one in caught:
            text = " ".join(str(one.message).split())
            if issubclass(one.category, UserWarning | RuntimeWarning) and text not in found:
                found.append(text)
                self._say("", f"note: {text}")

    def _asked_of_report(self) -> dict[str, str | None]:
        table = self._study.report
        assert table is not None
        return {"title": table.title, "reference": table.reference}

    def _record(self, stage: str, **told: object) -> None:
        self._manifest = self._manifest.with_stage(stage, **told)
        self._manifest.save(self._folder)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder of a run, alone.

    Raises:
        StoreError: another run holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"run folder {folder} cannot be written: {reason(fault)}") from fault
    if (folder / _LOCK).is_symlink():
        raise StoreError(f"run folder {folder}: {_LOCK} is a link; remove it")
    with open_lock(folder / _LOCK) as lock:
        if not try_lock(lock):
            raise StoreError(
                f"run folder {folder} is in use by another run; wait until it is finished, or use another folder"
            )
        if not is_current(lock):
            raise StoreError(f"run folder {folder} was removed while it was opened; try again")
        _remove_leftovers(folder)
        yield


def _remove_leftovers(folder: Path) -> None:
    """What kills left half-written; nobody else writes here now."""
    for pattern in (".*.part", ".*.tmp", "report/.*.part", "report/figures/.*.part"):
        for path in folder.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()


def _manifest(study: Study, folder: Path) -> RunManifest:
    """The manifest of the folder, begun where there is none; and the study's text beside it.

    Raises:
        StoreError: the folder holds another study, or something else.
    """
    stored = RunManifest.load(folder)
    copy = folder / _STUDY
    own = study.path is not None and copy.exists() and copy.resolve() == study.path.resolve()
    if stored is None:
        others = [name for name in (*RUN_FOLDERS, *RUN_FILES, "responses") if (folder / name).exists()]
        if own:
            others.remove(_STUDY)
        if others:
            raise StoreError(
                f"run folder {folder} holds {', '.join(others)}, which no run of a study wrote; use another folder"
            )
        stored = RunManifest.begun_now(study, folder)
        stored.save(folder)
    elif changed := stored.changed(study):
        raise StoreError(
            f"run folder {folder} belongs to another study (differs in: {listed(changed)}); use another folder, or "
            "delete this one"
        )
    if not own and (not copy.is_file() or copy.read_text(encoding="utf-8") != study.text):
        replace_file(copy, lambda scratch: scratch.write_text(study.text, encoding="utf-8"))
    return stored.with_hashes(study=file_hash(copy))


def _engine(table: EngineTable) -> RayEngine | None:
    if table.kind == "local":
        return None
    return RayEngine(table.address, table.workers, table.cpus, table.gpus)


def _default_folder(study: Study) -> Path:
    if study.path is None:
        raise ValueError("folder: expected the path of a run folder, got None, and the study has no file to lie beside")
    return study.path.with_name(f"{study.path.stem}-run")
