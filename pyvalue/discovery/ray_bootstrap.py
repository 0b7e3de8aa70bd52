"""Replicates over a Ray cluster, by ranges of their numbers. How one is drawn stands in ``bootstrap``.

Replicate r draws from its own random stream (seed, r), and counts are whole numbers: the sum over any ranges is what
one process counts, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyvalue import _core
from pyvalue.discovery.bootstrap import Counted, Replication, count_replicates, make_resampling
from pyvalue.discovery.choice import make_source
from pyvalue.discovery.columns import Columns
from pyvalue.discovery.effective_n import EffectiveRows
from pyvalue.discovery.options import BootstrapOptions, SearchOptions
from pyvalue.discovery.progress import ProgressOption, bootstrap_progress
from pyvalue.discovery.study import Study
from pyvalue.engines import RayEngine
from pyvalue.errors import ClusterError
from pyvalue.ray_cluster import Cluster, connected, first_line
from pyvalue.ray_watch import LOOK_EVERY, Watch, WorkersNow

#: ranges for each worker, so that a fast one does more of them and a dead one loses little
RANGES = 8
_AFTER = "Replicates are not stored: the next call counts all of them"


@dataclass(frozen=True)
class Sample:
    """What a range of replicates is drawn from, and how; kept once on every machine.

    Attributes:
        columns: of the study, without what only messages need.
        search: options of the search; its threads are those of a worker.
        options: of the replicates.
        scheme: of the draws, which a worker makes itself.
        rows: that the tests inside a replicate are told of.
        flags: forbidden and required directions (d, d), or None.
    """

    columns: Columns
    search: SearchOptions
    options: BootstrapOptions
    scheme: str
    rows: EffectiveRows
    flags: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None


def count_on_ray(
    engine: RayEngine, study: Study, search: SearchOptions, options: BootstrapOptions, progress: ProgressOption
) -> Counted:
    """The counts of all replicates, from the workers of a cluster.

    Raises:
        ClusterError: the cluster cannot be used, or a worker failed.
        _core.TestFailure: a test failed.
    """
    assert study.replication is not None
    columns = replace(study.data.columns, labels=None, notes=(), cautions=())
    with connected(engine) as cluster, bootstrap_progress(progress, options.replicates) as report:
        sample = Sample(
            columns,
            replace(search, test=study.test, knowledge=None, threads=cluster.threads),
            options,
            study.replication.scheme,
            study.replication.rows,
            study.flags,
        )
        ranges = _ranges(options.replicates, cluster.workers * RANGES)
        found: dict[int, Counted] = {}
        for i, counted in _counted(cluster, sample, ranges):
            if isinstance(counted, tuple):
                raise _core.TestFailure(*counted)
            found[i] = counted
            if report is not None:
                report(sum(ranges[done][1] for done in found))
    return Counted.joined([found[i] for i in range(len(ranges))])


def _ranges(replicates: int, most: int) -> list[tuple[int, int]]:
    """First replicate and how many, of about equal size."""
    count = min(replicates, most)
    ends = [replicates * i // count for i in range(count + 1)]
    return [(start, end - start) for start, end in pairwise(ends)]


def _counted(
    cluster: Cluster, sample: Sample, ranges: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, Counted | tuple[Any, ...]]]:
    """Ranges by their place, as they are done; the arguments of a failure for one whose test failed."""
    workers = min(cluster.workers, len(ranges))
    tasks = _Tasks(cluster, sample, ranges, workers)
    watch = Watch(cluster, workers, step="range of replicates", after=_AFTER, now=tasks.workers_now)
    try:
        while tasks.unfinished:
            for found in tasks.wait():
                watch.progress()
                yield found
            watch.look(tasks.workers_now)
    finally:
        tasks.stop()


class _Tasks:
    """Ranges as tasks of a cluster, one a worker at a time, each given out again when its worker dies.

    Deaths are counted here, since Ray's own retries have no end and tell nobody. A task is a generator, whose first
    value says that it has a worker.
    """

    def __init__(self, cluster: Cluster, sample: Sample, ranges: Sequence[tuple[int, int]], workers: int) -> None:
        self._ray, self._heard, self._ranges = cluster.ray, cluster.heard, ranges
        self._kept = self._ray.put(sample)
        self._count = self._ray.remote(_announced).options(
            num_cpus=cluster.cpus, num_gpus=cluster.gpus or None, max_retries=0, scheduling_strategy="SPREAD"
        )
        self._deaths = 0
        self._places: dict[Any, int] = {}
        self._started: set[Any] = set()
        self._waiting = list(range(len(ranges)))
        for _ in range(workers):
            self._submit()

    @property
    def unfinished(self) -> bool:
        """Whether a range is missing."""
        return bool(self._places)

    @property
    def workers_now(self) -> WorkersNow:
        """Tasks that have a worker, and deaths so far."""
        return WorkersNow(len(self._started), self._deaths)

    def wait(self) -> list[tuple[int, Counted | tuple[Any, ...]]]:
        """Ranges that were done in the next second.

        Raises:
            ClusterError: a worker failed without dying.
        """
        ready, _ = self._ray.wait(list(self._places), num_returns=1, timeout=LOOK_EVERY)
        return [found for task in ready if (found := self._take(task)) is not None]

    def stop(self) -> None:
        """End what still runs."""
        for task in self._places:
            self._ray.cancel(task, force=True)

    def _submit(self) -> None:
        if self._waiting:
            place = self._waiting.pop(0)
            self._places[self._count.remote(self._kept, *self._ranges[place])] = place

    def _take(self, task: Any) -> tuple[int, Counted | tuple[Any, ...]] | None:
        try:
            found = self._ray.get(next(task))
        except self._ray.exceptions.RayTaskError as fault:
            raise ClusterError(f"engine='ray': a worker failed: {first_line(fault)}") from fault
        except self._ray.exceptions.RayError as fault:  # the worker died, or its machine
            self._deaths += 1
            self._heard.hear(str(fault))
            self._waiting.append(self._done(task))
            self._submit()
            return None
        if found is None:
            self._started.add(task)
            return None
        place = self._done(task)
        self._submit()
        return place, found

    def _done(self, task: Any) -> int:
        self._started.discard(task)
        return self._places.pop(task)


def _announced(sample: Sample, first: int, many: int) -> Iterator[Counted | tuple[Any, ...] | None]:
    """None once a worker has the range, and then what it counts."""
    yield None
    yield _count(sample, first, many)


def _count(sample: Sample, first: int, many: int) -> Counted | tuple[Any, ...]:
    """Count a range of replicates, on a worker."""
    source = make_source(sample.search.test, sample.columns)
    resampling = make_resampling(sample.scheme, sample.columns, sample.options)
    try:
        return count_replicates(
            source,
            Replication(sample.scheme, sample.rows, resampling),
            sample.search,
            sample.options,
            sample.flags,
            first=first,
            many=many,
        )
    except _core.TestFailure as failure:
        return tuple(failure.args)
