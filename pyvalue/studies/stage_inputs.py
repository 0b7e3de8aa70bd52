"""What every stage of a run makes, and what it is made from, in digests.

A stage is current while what it was made from is what is there today. What earlier stages make may change with them,
and then later ones are made again. What the user gives (model, inventory, personas, SAEs) may not: answers of two
models in one folder could be told apart by nobody, so that such a run is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pyvalue.errors import StoreError
from pyvalue.measurement.manifest import Manifest
from pyvalue.measurement.personas import Persona
from pyvalue.models.loading import LanguageModel
from pyvalue.studies.kinds import SAESource
from pyvalue.studies.materials import Materials
from pyvalue.studies.run_manifest import RunManifest, file_hash
from pyvalue.studies.stored_audit import FILE, NULLS
from pyvalue.studies.study import Study

if TYPE_CHECKING:
    from pyvalue.models.sae import SAE

#: stage of a measurement -> its folder
MEASURED = {"measure": "base", "steer": "steered"}
#: stage -> the files that it makes, the first one last
FILES = {
    "discover": ("graph.json",),
    "plan": ("plan.json",),
    "evaluate": ("evaluation.json",),
    "audit": (FILE, NULLS),
    "report": ("report/index.html",),
}
#: a page may be edited: nothing is made from it
_FREE = ("report",)


def made_digest(folder: Path, stage: str) -> str | None:
    """SHA-256 of what a stage made; None where it, or a part of it, is not there."""
    if stage in MEASURED:
        return _answers_digest(folder / MEASURED[stage])
    paths = [folder / name for name in FILES[stage]]
    if not all(path.is_file() for path in paths):
        return None
    return file_hash(paths[0]) if len(paths) == 1 else _digest(file_hash(path) for path in paths)


def check_made(folder: Path, manifest: RunManifest) -> None:
    """Make sure that what finished stages made is what the run wrote, as far as it is there.

    Raises:
        StoreError: a file, or answers, were changed.
    """
    for stage, told in manifest.stages.items():
        if told.get("status") != "done" or stage in _FREE or stage not in (*MEASURED, *FILES):
            continue
        if (found := made_digest(folder, stage)) is not None and found != told.get("sha256"):
            path = folder / (MEASURED[stage] if stage in MEASURED else FILES[stage][0])
            raise StoreError(
                f"{path} is not what the run wrote (its hash differs from that in manifest.json); move it away, and it "
                "is made again with all that is made from it"
            )


def is_up_to_date(study: Study, folder: Path, manifest: RunManifest, stage: str) -> bool:
    """Whether what a stage made is there, and made from what is there today."""
    told = manifest.stages.get(stage, {})
    return (
        told.get("status") == "done"
        and made_digest(folder, stage) is not None
        and told.get("made_from") == made_from(study, folder, stage)
    )


def outdated(study: Study, folder: Path, manifest: RunManifest) -> tuple[str, ...]:
    """Finished stages that were made from other than what is there now, and those that were made from them."""
    found: list[str] = []
    for stage in study.stages:
        told = manifest.stages.get(stage, {})
        if told.get("status") != "done":
            continue
        before = told.get("made_from") or {}
        now = {one: made_digest(folder, one) for one in sources(study, stage)}
        # What was deleted contradicts nothing.
        if any(one in found or (digest is not None and before.get(one) != digest) for one, digest in now.items()):
            found.append(stage)
    return tuple(found)


def made_from(study: Study, folder: Path, stage: str) -> dict[str, str | None]:
    """What earlier stages made, by name -> digest; of a report also what it was asked to show."""
    found = {one: made_digest(folder, one) for one in sources(study, stage)}
    if stage == "report" and study.report is not None:
        reference = study.report.reference
        found |= {"report.title": study.report.title, "report.reference": reference}
        if reference not in (None, "theory"):
            with contextlib.suppress(OSError):
                found["report.reference"] = file_hash(Path(study.resolve(str(reference))))
    return found


def sources(study: Study, stage: str) -> tuple[str, ...]:
    """The earlier stages that a stage reads from."""
    if stage == "report":
        return study.stages[:-1]
    wanted = {
        "measure": (),
        "discover": ("measure",),
        "plan": ("measure", "discover"),
        "steer": () if study.edits else ("plan",),
        "evaluate": ("measure", "plan", "steer"),
        "audit": ("measure", "discover", "steer"),
    }
    return tuple(one for one in wanted[stage] if one in study.stages)


def asks(study: Study, stage: str) -> bool:
    """Whether a stage asks the model."""
    return stage in MEASURED or (stage == "plan" and study.plan is not None and study.plan.sae is not None)


def loads(study: Study, stage: str) -> bool:
    """Whether a stage needs a model or an SAE: one that asks, or a plan that takes edits of the study's own."""
    return asks(study, stage) or (stage == "plan" and bool(study.edits))


class Given:
    """What the user gives to every stage, by keys of the study -> digests.

    Args:
        study: of the run.
        materials: loaded when they are needed.
    """

    def __init__(self, study: Study, materials: Materials) -> None:
        self._study, self._materials = study, materials

    def texts(self, stage: str) -> dict[str, str]:
        """What is asked of whom; nothing is loaded for it."""
        if not asks(self._study, stage):
            return {}
        found = {"inventory": self._materials.inventory.digest}
        if stage == "plan":
            return found | {"personas (pilot)": _people_digest(self._materials.pilot_people)}
        who = self._materials.people if stage == "measure" else self._materials.again
        return found | {"personas": _people_digest(who)}

    def weights(self, stage: str) -> dict[str, str]:
        """Models and SAEs, which this loads. An engine may change, and with it the device, which is left out."""
        found: dict[str, str] = {}
        if asks(self._study, stage):
            found |= _model_digests("model", self._materials.model)
        if stage in MEASURED and self._materials.judge is not None:
            found |= _model_digests("measure.judge", self._materials.judge)
        return found | {name: _sae_digest(self._materials.sae(source)) for name, source in self._saes(stage)}

    def check(self, manifest: RunManifest, folder: Path, loaded: bool = False) -> None:
        """Make sure that what stages were given is what is given today.

        Args:
            manifest: of the run.
            folder: of the run.
            loaded: compare models and SAEs as well.

        Raises:
            StoreError: something else is given; names it.
        """
        differs: dict[str, None] = {}
        for stage in self._study.stages:
            told = manifest.stages.get(stage, {})
            binds = told.get("status") == "done" or (stage in MEASURED and _parts(folder / MEASURED[stage]))
            if not binds:  # whatever it was given, nothing came of it
                continue
            before = told.get("given") or {}
            today = {**self.texts(stage), **(self.weights(stage) if loaded else {})}
            differs |= dict.fromkeys(name for name, digest in today.items() if before.get(name) != digest)
        if differs:
            raise StoreError(
                f"run folder {folder} was made with others than are there now (differs in: {', '.join(differs)}); put "
                "back those that it was made with, use another folder, or delete this one"
            )

    def _saes(self, stage: str) -> Iterator[tuple[str, SAESource]]:
        study = self._study
        if stage in ("plan", "steer") and study.plan is not None and study.plan.sae is not None:
            yield "plan.sae", study.plan.sae
        if stage in ("plan", "steer"):
            for place, edit in enumerate(study.edits):
                source = edit.sae or (None if study.steer is None else study.steer.sae)
                if source is not None:
                    yield f"edits[{place}].sae", source


def _model_digests(name: str, model: object) -> dict[str, str]:
    """Of a model that runs here; one behind a server is known by its name only, which the study has."""
    if not isinstance(model, LanguageModel):
        return {}
    from pyvalue.models.fingerprint import fingerprints

    found = {"dtype": str(model.dtype).removeprefix("torch."), **fingerprints(model)}
    return {f"{name}.{what}": digest for what, digest in found.items()}


def _sae_digest(sae: SAE) -> str:
    """Of what an SAE computes, and of the activations that strengths may count in."""
    maxima = sae.max_activations
    return sae.content_hash if maxima is None else _digest([sae.content_hash, repr(maxima.tolist())])


def _people_digest(people: Iterable[Persona]) -> str:
    return _digest([json.dumps([[person.name, person.text] for person in people])])


def _answers_digest(folder: Path) -> str | None:
    """Of what was asked, and of all parts with the answers; None while some are missing."""
    parts = _parts(folder)
    if not parts or not (folder / "manifest.json").is_file():
        return None
    manifest = Manifest.load(folder)
    total = manifest.status.get("total")
    if not isinstance(total, int) or len(parts) < total:
        return None
    asked = json.dumps(manifest.study, sort_keys=True)
    return _digest([asked, *(f"{part.name} {file_hash(part)}" for part in parts)])


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / "responses").glob("part-*.parquet"))


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
