"""What runs on a worker: a model, its edits, and the units that it is given, stored in the run folder.

Whatever fails here is told as a row of the result, by the name of its class and its words: exceptions that cross
machines arrive in pages of traces.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pyvalue import __version__
from pyvalue.errors import ClusterError
from pyvalue.measurement.asked_units import AskedUnits
from pyvalue.measurement.askers import Settings, make_asker
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.ray_edits import PortableEdits
from pyvalue.measurement.ray_models import JudgeRecipe, LocalRecipe, RemoteRecipe
from pyvalue.measurement.run_parts import ask_unit
from pyvalue.measurement.store import RunFolder

#: questions of a unit that another process holds, and of one that failed
HELD, FAILED = -1, -2
Batch = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know; small, and without keys.

    Attributes:
        version: of pyvalue.
        folder: of the run, by its full path.
        study: of the run.
        model: to load.
        judge: to load, or None.
        edits: of the configurations.
        settings: of asking, without their judge.
        personas: of the run.
        design: of the questions.
        cells: what each persona is asked.
        threads: of torch.
    """

    version: str
    folder: str
    study: dict[str, Any]
    model: LocalRecipe | RemoteRecipe
    judge: JudgeRecipe | None
    edits: PortableEdits
    settings: Settings
    personas: tuple[Persona, ...]
    design: Design
    cells: Sequence[Cell]
    threads: int

    def open(self) -> AskedUnits:
        """What asks the units of the run, on this machine.

        Raises:
            ClusterError: another version of pyvalue, or no such folder here.
            ModelError: the model cannot be loaded here, or is another.
        """
        import torch

        if self.version != __version__:
            raise ClusterError(f"a worker has pyvalue {__version__} and you have {self.version}; install the same")
        if not os.path.isdir(self.folder):
            raise ClusterError(f"run folder {self.folder} is not there on a worker; use one that all machines share")
        torch.set_num_threads(self.threads)
        model = self.model.build()
        settings = replace(self.settings, judge=None if self.judge is None else self.judge.build())
        asker = make_asker(model, self.personas, self.design, settings, self.study)
        return AskedUnits(model.name, settings.mode, asker, self.personas, self.cells, self.edits.unpacked())


class UnitWorker:
    """An actor of Ray Data: from the places of units to how many questions each took.

    Args:
        job: what to do; a reference to a ``Job`` that Ray keeps.
    """

    def __init__(self, job: Any) -> None:
        import ray

        self._fault: Exception | None = None
        try:
            self._job: Job = ray.get(job)
            self._asked = self._job.open()
        except Exception as fault:
            self._fault = fault

    def __call__(self, batch: Batch) -> Batch:
        """Ask units, and store their parts."""
        rows = [self._row(int(place)) for place in batch["place"]]
        questions, faults, words = zip(*rows, strict=True)
        return {
            "place": batch["place"],
            "questions": np.array(questions, dtype=np.int64),
            "fault": np.array(faults, dtype=object),
            "words": np.array(words, dtype=object),
        }

    def _row(self, place: int) -> tuple[int, str, str]:
        if self._fault is not None:
            return FAILED, type(self._fault).__name__, str(self._fault)
        try:
            unit = self._asked.units[place]
            with RunFolder(self._job.folder, self._job.study, shared=True, joins=True) as run:
                asked = ask_unit(run, place, unit, self._asked.numbers_of(unit), self._asked.ask)
        except Exception as fault:
            return FAILED, type(fault).__name__, str(fault)
        return (HELD if asked is None else asked), "", ""
