"""Ask units on a Ray cluster: actors of Ray Data that hold a model each and write into the shared run folder.

Ray restarts an actor that dies and gives it its units again, on another machine if need be. What it had stored is not
asked again, since whoever takes a unit asks only what the folder lacks.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyvalue import __version__
from pyvalue.engines import RayEngine
from pyvalue.errors import ClusterError, ModelError, NumericsError, PyvalueError, StoreError
from pyvalue.measurement.asked_units import AskedUnits
from pyvalue.measurement.askers import Settings
from pyvalue.measurement.asking import Configuration
from pyvalue.measurement.design import Cell, Design
from pyvalue.measurement.personas import Persona
from pyvalue.measurement.ray_edits import portable
from pyvalue.measurement.ray_models import judge_recipe, model_recipe
from pyvalue.measurement.ray_rows import Rows
from pyvalue.measurement.ray_worker import FAILED, HELD, Job, UnitWorker
from pyvalue.measurement.run_parts import run_parts
from pyvalue.measurement.store import RunFolder
from pyvalue.models.loading import LanguageModel
from pyvalue.models.remote import RemoteModel
from pyvalue.ray_cluster import Cluster, connected, first_line
from pyvalue.ray_watch import LOOK_EVERY, Watch, WorkersNow
from pyvalue.responses import Responses

#: most blocks that Ray Data is given; above, a block holds several units
BLOCKS = 10_000
_AFTER = "What is stored is kept: the same call asks only what is missing"
_FAULTS = {
    kind.__name__: kind for kind in (ModelError, StoreError, NumericsError, ClusterError, ValueError, TypeError)
} | {"RemoteError": ModelError}


def measure_on_ray(
    engine: RayEngine,
    model: LanguageModel | RemoteModel,
    asked: AskedUnits,
    study: dict[str, Any],
    personas: Sequence[Persona],
    design: Design,
    cells: Sequence[Cell],
    configurations: Sequence[Configuration],
    settings: Settings,
    folder: str | Path,
    *,
    title: str,
    progress: bool | None,
) -> Responses:
    """What ``measure`` returns, asked on a cluster.

    Args:
        engine: the cluster.
        model: that ``asked`` asks here.
        asked: units of the run.
        study: of the run; its device becomes that of the workers.
        personas: of the run.
        design: of the questions.
        cells: what each persona is asked.
        configurations: of edits.
        settings: of asking.
        folder: of the run, which all machines see under this path.
        title: of the progress bar.
        progress: see ``progress_bar``.

    Raises:
        ClusterError: the cluster cannot be used, or a worker failed.
        ModelError: the workers cannot load the model.
        StoreError: of the run folder.
    """
    with connected(engine, needed=len(asked.units)) as cluster:
        device = "cuda" if cluster.gpus else "cpu"
        if isinstance(model, LanguageModel):
            study = study | {"model": study["model"] | {"device": device}}
        job = Job(
            __version__,
            str(Path(folder).resolve()),
            study,
            model_recipe(model, device, cluster.workers),
            judge_recipe(settings.judge, device, cluster.workers),
            portable(configurations),
            replace(settings, judge=None),
            tuple(personas),
            design,
            cells,
            cluster.threads,
        )
        pool = _Pool(cluster, job, asked)
        return run_parts(
            folder, study, asked.units, asked.numbers_of, asked.ask, title=title, progress=progress, elsewhere=pool.ask
        )


class _Pool:
    """Workers on a cluster."""

    def __init__(self, cluster: Cluster, job: Job, asked: AskedUnits) -> None:
        self._cluster, self._asked = cluster, asked
        self._job = cluster.ray.put(job)

    def ask(self, run: RunFolder, places: Sequence[int]) -> Iterator[tuple[int, int | None]]:
        """Units by their place, as they are done, with the questions that they took; None where others hold one."""
        free = []
        for place in places:
            with run.claim(place) as mine:
                if mine:
                    free.append(place)
        yield from ((place, None) for place in sorted(set(places) - set(free)))
        if not free:
            return
        try:
            for row in self._rows(free):
                if row["questions"] == FAILED:
                    raise _fault(row)
                yield int(row["place"]), None if row["questions"] == HELD else int(row["questions"])
        except (PyvalueError, ValueError, TypeError):
            raise
        except Exception as fault:  # of Ray itself
            raise ClusterError(f"engine='ray': {first_line(fault)}") from fault

    def _rows(self, places: Sequence[int]) -> Iterator[dict[str, Any]]:
        data, cluster = self._cluster.ray.data, self._cluster
        _hush(data)
        workers = min(cluster.workers, len(places))
        blocks = data.from_items([{"place": place} for place in places], override_num_blocks=min(len(places), BLOCKS))
        results = blocks.map_batches(
            UnitWorker,
            batch_size=None,
            # Ray Data lets its actors restart, and retries what they were at, without end; the watch ends that.
            compute=data.ActorPoolStrategy(
                min_size=1, max_size=workers, initial_size=workers, max_tasks_in_flight_per_actor=2
            ),
            fn_constructor_args=(self._job,),
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus or None,
        )
        watch = Watch(cluster, workers, step="part", after=_AFTER, now=self._workers_now())
        with Rows(results) as rows:
            while True:
                try:
                    row = rows.next(timeout=LOOK_EVERY)
                except queue.Empty:
                    watch.look(self._workers_now())
                    continue
                if row is None:
                    return
                watch.progress()
                yield row

    def _workers_now(self) -> WorkersNow:
        """The actors of this process's job, by the table that Ray's own tools read; it has no public name."""
        from ray._private import state

        ray = self._cluster.ray
        job = ray.JobID(bytes.fromhex(ray.get_runtime_context().get_job_id()))
        mine = [actor for actor in state.actors(job_id=job).values() if UnitWorker.__name__ in actor["ActorClassName"]]
        # One that waits for room bears no address, or that of the node's own process, which looks for room for it.
        own_ports = {node["NodeID"]: node["NodeManagerPort"] for node in ray.nodes() if node["Alive"]}
        at = [actor["Address"] for actor in mine if actor["State"] != "DEAD" and actor["Address"]["IPAddress"]]
        placed = sum(each["NodeID"] in own_ports and each["Port"] != own_ports[each["NodeID"]] for each in at)
        return WorkersNow(placed, sum(actor["NumRestarts"] for actor in mine))


def _fault(row: dict[str, Any]) -> Exception:
    kind = _FAULTS.get(row["fault"])
    return kind(row["words"]) if kind else ClusterError(f"a worker failed: {row['fault']}: {row['words']:.300}")


def _hush(data: Any) -> None:
    """Keep Ray Data's own bars and logs off the terminal."""
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
