"""Watch a run on a Ray cluster: say that it waits for room, and end it when it cannot go on. Starts nothing.

Ray waits for room and replaces workers that die for ever, without a word. Here the measure is progress: deaths that
alternate with it are borne without end, deaths in a row are not.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from pyvalue.errors import ClusterError
from pyvalue.ray_cluster import Cluster

#: seconds between two looks; each asks the cluster's head for its nodes and for the actors of this run
LOOK_EVERY = 1.0
#: seconds without a worker before that is said; a worker's process starts in 2 to 5 s on a machine with nothing to do
ROOM_PATIENCE = 10.0
#: seconds between two lines on the same wait, as between two lines of progress
SAY_EVERY = 60.0
#: seconds for which no node may be large enough for a worker: a machine that was lost may be replaced
GRACE = 30.0
#: deaths of each worker, and of all, in a row that are borne: a lost machine takes all its workers with it once
DEATHS_A_WORKER, DEATHS = 3, 5


@dataclass(frozen=True)
class WorkersNow:
    """How the workers of a run are.

    Attributes:
        placed: have a process, which starts or works.
        deaths: since they were first started, never fewer than before.
    """

    placed: int
    deaths: int


class Watch:
    """Ends a run that cannot go on.

    Args:
        cluster: that the workers are on.
        workers: how many are wanted.
        step: what counts as progress, as ``"part"``.
        after: what becomes of finished steps when the run ends, a sentence without its full stop.
        now: before any worker starts.
    """

    def __init__(self, cluster: Cluster, workers: int, *, step: str, after: str, now: WorkersNow) -> None:
        self._cluster, self._step, self._after = cluster, step, after
        self.most_deaths = max(DEATHS, DEATHS_A_WORKER * workers)
        self._deaths: int | None = now.deaths
        self._unplaced_since = time.monotonic()
        self._said_at: float | None = None
        self._too_small_since: float | None = None

    def progress(self) -> None:
        """A step more is finished: deaths before it are forgotten."""
        self._deaths = None

    def look(self, now: WorkersNow) -> None:
        """Say what the run waits for.

        Raises:
            ClusterError: too many deaths in a row, or no node is large enough for a worker and none came for a while.
        """
        if self._deaths is None:
            self._deaths = now.deaths
        self._count(now.deaths - self._deaths)
        if now.placed:
            self._unplaced_since, self._said_at, self._too_small_since = time.monotonic(), None, None
            return
        self._await_room()

    def _count(self, deaths: int) -> None:
        if deaths < self.most_deaths:
            return
        said = self._cluster.heard.last_death
        raise ClusterError(
            f"engine='ray': workers died {deaths} times in a row without one more {self._step} finished"
            f"{f' (Ray says of the last: {said})' if said else ''}. Most often a machine runs out of memory while "
            "workers start or load the model: ask for fewer of them on a machine (RayEngine(workers=...), or more "
            f"cpus= for each), or use machines with more memory. {self._after}"
        )

    def _await_room(self) -> None:
        cluster, now = self._cluster, time.monotonic()
        if cluster.room():
            self._too_small_since = None
        elif self._too_small_since is None:
            self._too_small_since = now
        elif now - self._too_small_since >= GRACE:
            raise ClusterError(
                f"engine='ray': {cluster.too_small()}, and none came in {GRACE:.0f} s (a machine that was lost?); "
                f"start one, or ask for less. {self._after}"
            )
        waited = now - self._unplaced_since
        if waited < ROOM_PATIENCE or (self._said_at is not None and now - self._said_at < SAY_EVERY):
            return
        self._said_at = now
        free = cluster.ray.available_resources()
        print(
            f"engine='ray': waiting for room, no worker runs since {waited:.0f} s. Each takes {cluster.demand}; free "
            f"in the whole cluster are {free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} GPUs (the rest is taken "
            f"by other jobs, or by workers that start). It goes on when there is room; Ctrl-C stops it. {self._after}",
            file=sys.stderr,
            flush=True,
        )
