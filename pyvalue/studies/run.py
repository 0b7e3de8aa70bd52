"""``run_study``: all stages of a study in one folder, and going on with it after whatever stopped it."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from pyvalue.atomic_files import reason, replace_file
from pyvalue.engines import Engine, RayEngine, read_engine
from pyvalue.errors import StoreError
from pyvalue.measurement.command_line import without_secrets
from pyvalue.measurement.locks import is_current, open_lock, try_lock
from pyvalue.measurement.manifest import listed
from pyvalue.ray_cluster import connected
from pyvalue.studies.materials import Materials
from pyvalue.studies.narrator import Narrator
from pyvalue.studies.run_folder import Run, load_run
from pyvalue.studies.run_manifest import RunManifest, now
from pyvalue.studies.safe_paths import FILES as RUN_FILES
from pyvalue.studies.safe_paths import FOLDERS as RUN_FOLDERS
from pyvalue.studies.safe_paths import check_run_folder
from pyvalue.studies.stage_inputs import Given, check_made, is_up_to_date, loads, made_digest, made_from
from pyvalue.studies.stages import STAGES, Work
from pyvalue.studies.study import EngineTable, Study
from pyvalue.studies.study_file import load_study

_LOCK = ".lock"
_STUDY = "study.toml"
_LEFTOVER = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")


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
    where it was stopped, and a finished run is only read. A stage whose file was deleted is made again, and so is what
    was made from another than there is now. Models, SAEs, personas and questions must be those that it was begun with.

    Args:
        study: of ``load_study``, or the path of a ``study.toml``.
        folder: of the run; default beside the study, ``NAME-run`` for ``NAME.toml``.
        engine: ``"local"``, ``"ray"`` (with the study's details, if it has any) or a ``RayEngine``; default what the
            study says. It changes no number.
        progress: True shows bars of what takes long, False nothing at all; default: stages are told on standard error,
            with bars where it is a terminal.

    Returns:
        What the folder holds now.

    Raises:
        StudyError: a ValueError; the study has faults.
        StoreError: the folder belongs to another study, or to another model, SAE and so on (names what differs), it
            holds something else, or what it holds was changed; another run uses it, or it cannot be written.
        ClusterError: the cluster cannot be used.
        ValueError: what was measured does not do for a stage; the message says why.
        ModelError: the model or an SAE cannot be had, or an edit does not fit.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    if not study.text:
        raise ValueError("study: expected one that load_study read, whose text is kept with the run, got one without")
    cluster = read_run_engine(study.engine, engine)
    folder = _default_folder(study) if folder is None else Path(folder)
    if folder.is_dir() and not os.access(folder, os.W_OK):
        return _finished(study, folder)
    with _held(folder):
        check_run_folder(folder)
        manifest = _stored_manifest(study, folder)
        run = _Run(study, folder, cluster, progress, manifest or RunManifest.begun_now(study, folder))
        run.check()
        # The folder is this study's: only from here on is anything in it changed.
        _remove_leftovers(folder)
        run.begin(is_new=manifest is None)
        with contextlib.nullcontext() if cluster is None or not run.todo() else connected(cluster):
            run.finish()
        return load_run(folder)


def _finished(study: Study, folder: Path) -> Run:
    """A run on a disk that cannot be written, which must have nothing left to do."""
    check_run_folder(folder)
    manifest = _stored_manifest(study, folder)
    if manifest is not None:
        run = _Run(study, folder, None, False, manifest)
        run.check()
        if not run.todo():
            return load_run(folder)
    left = study.stages if manifest is None else run.todo()
    raise StoreError(f"run folder {folder} cannot be written, and is not finished (left: {', '.join(left)})")


class _Run:
    """The stages of one run in one folder, which this process holds."""

    def __init__(
        self, study: Study, folder: Path, cluster: RayEngine | None, progress: bool | None, manifest: RunManifest
    ) -> None:
        self._folder, self._study, self._manifest = folder, study, manifest
        self._silent = progress is False
        self._say = Narrator(self._silent)
        materials = Materials(study)
        self._given = Given(study, materials)
        self._work = Work(study, folder, materials, cluster, progress)

    def check(self) -> None:
        """Make sure that what is there is of this study, as far as nothing has to be loaded for it."""
        check_made(self._folder, self._manifest)
        self._given.check(self._manifest, self._folder)

    def todo(self) -> list[str]:
        """Stages that are not current."""
        return [stage for stage in self._study.stages if not self._is_current(stage)]

    def finish(self) -> None:
        """Make every stage that is not current. Each is looked at when its turn comes: those before it may be new."""
        is_checked = False
        for place, stage in enumerate(self._study.stages, start=1):
            title = f"{place}  {stage}"
            if self._is_current(stage):
                self._say(title, "is done")
                continue
            if not is_checked and loads(self._study, stage):
                is_checked = True
                self._given.check(self._manifest, self._folder, loaded=True)
            self._make(stage, title)

    def begin(self, is_new: bool) -> None:
        """Keep the manifest of a new run, and the study's text as it is now."""
        if is_new:
            self._manifest.save(self._folder)
        copy = self._folder / _STUDY
        if _is_own(self._study, self._folder):
            return
        if not copy.is_file() or copy.read_text(encoding="utf-8") != self._study.text:
            replace_file(copy, lambda scratch: scratch.write_text(self._study.text, encoding="utf-8"))

    def _is_current(self, stage: str) -> bool:
        return is_up_to_date(self._study, self._folder, self._manifest, stage)

    def _make(self, stage: str, title: str) -> None:
        # What answers that are there already were given stays on record, whatever comes between.
        told: dict[str, object] = {"started": now(), "given": self._manifest.stages.get(stage, {}).get("given", {})}
        start = self._say.seconds
        try:
            with self._told_warnings() as noted:
                told["given"] = {**self._given.texts(stage), **self._given.weights(stage)}
                told["made_from"] = made_from(self._study, self._folder, stage)
                self._record(stage, status="running", **told)
                self._say.lines(title, STAGES[stage](self._work))
        except BaseException as fault:
            interrupted = not isinstance(fault, Exception)
            why = "it was interrupted" if interrupted else without_secrets(["", " ".join(str(fault).split())])[1]
            with contextlib.suppress(StoreError):  # the fault itself says more
                self._record(stage, status="interrupted" if interrupted else "failed", **told, reason=why[:1000])
            raise
        told |= {"finished": now(), "seconds": round(self._say.seconds - start, 1)}
        told["sha256"] = made_digest(self._folder, stage)
        self._record(stage, status="done", **told, **({"warnings": noted} if noted else {}))

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
        yield


def _remove_leftovers(folder: Path) -> None:
    """What kills left half-written of a run's own files, as ``atomic_files`` names it; nobody else writes here now."""
    for place, names in ((folder, RUN_FILES), (folder / "report", None), (folder / "report" / "figures", None)):
        if place.is_symlink() or not place.is_dir():
            continue
        for path in place.glob(".*.part"):
            own = _LEFTOVER.fullmatch(path.name)
            if own and (names is None or own[1] in names) and not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.unlink()


def _stored_manifest(study: Study, folder: Path) -> RunManifest | None:
    """The manifest of the folder, None where it has none.

    Raises:
        StoreError: the folder holds another study, or something else.
    """
    stored = RunManifest.load(folder)
    if stored is None:
        others = [name for name in (*RUN_FOLDERS, *RUN_FILES, "responses") if (folder / name).exists()]
        if _is_own(study, folder):
            others.remove(_STUDY)
        if others:
            raise StoreError(
                f"run folder {folder} holds {', '.join(others)}, which no run of a study wrote; use another folder"
            )
    elif changed := stored.changed(study):
        raise StoreError(
            f"run folder {folder} belongs to another study (differs in: {listed(changed)}); use another folder, or "
            "delete this one"
        )
    return stored


def _is_own(study: Study, folder: Path) -> bool:
    """Whether the study's file is the one that the run folder has."""
    copy = folder / _STUDY
    return study.path is not None and copy.exists() and copy.resolve() == study.path.resolve()


def read_run_engine(table: EngineTable, wanted: Engine | None = None) -> RayEngine | None:
    """Where a run works: as the study says, or as is wanted instead; ``"ray"`` leaves it the study's details.

    Args:
        table: of the study.
        wanted: instead.
    """
    if table.kind == "local" if wanted is None else wanted != "ray":
        return None if wanted is None else read_engine(wanted)
    return RayEngine(table.address, table.workers, table.cpus, table.gpus)


def _default_folder(study: Study) -> Path:
    if study.path is None:
        raise ValueError("folder: expected the path of a run folder, got None, and the study has no file to lie beside")
    return study.path.with_name(f"{study.path.stem}-run")
