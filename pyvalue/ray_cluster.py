"""A connection to a Ray cluster, started here or found at an address. Runs nothing on it."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pyvalue.engines import RayEngine
from pyvalue.errors import ClusterError
from pyvalue.extras import how_to_install

#: seconds to wait for an answer at an address
PATIENCE = 15.0
#: bytes of shared memory of a cluster started here: what crosses to the workers is small
OBJECT_STORE = 200 * 2**20
_PORT = 6379
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Heard:
    """What Ray said of workers that died."""

    def __init__(self) -> None:
        self.last_death = ""

    def hear(self, message: str) -> None:
        """Keep the part that says how a worker ended, at most 300 characters, if it is about that."""
        words = " ".join(message.split())
        if "died" not in words and "killed" not in words:
            return
        ended = words.partition("Worker exit detail: ")[2] or words
        self.last_death = ended.partition(" Some common causes")[0][:300].rstrip(". ")


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        ray: the module.
        workers: that it has room for, or as many as were asked for.
        cpus: of each.
        gpus: of each.
        heard: what Ray said since then.
    """

    ray: Any
    workers: int
    cpus: float
    gpus: float
    heard: Heard = field(default_factory=Heard)

    @property
    def threads(self) -> int:
        """Of a worker: one a processor that it takes."""
        return max(1, int(self.cpus))

    @property
    def demand(self) -> str:
        """Of a worker, in words."""
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"

    def room(self) -> int:
        """Workers that its nodes could hold if nothing else ran there."""
        return sum(_room(node, self.cpus, self.gpus) for node in _alive(self.ray))

    def too_small(self) -> str:
        """That no node could hold one, in words."""
        most = ", ".join(
            f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in _alive(self.ray)[:3]
        )
        return f"no node has room for a worker of {self.demand}; they have {most or 'nothing'}"


def import_ray() -> Any:
    """Ray, told to be quiet and to report nothing.

    Raises:
        ClusterError: it is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as fault:
        raise ClusterError(
            f"engine='ray' needs Ray with its data library ({fault.name} is missing); run: {how_to_install('cluster')}"
        ) from fault
    return ray


@contextlib.contextmanager
def connected(engine: RayEngine, needed: int | None = None) -> Iterator[Cluster]:
    """A cluster for the time of the block.

    One that the caller has connected to before (``ray.init``) is used as it is and left running. Else what was started
    here is stopped at the end, with everything that runs on it, and a cluster elsewhere is left.

    Args:
        engine: which, and how many workers.
        needed: most workers that have something to do; default any number.

    Raises:
        ClusterError: Ray is missing, nothing answers at the address, or no node has room for a worker.
        ValueError: an address of the Ray client.
    """
    ray = import_ray()
    heard = Heard()
    if ray.is_initialized():
        with _listening(heard, quiet=False):
            yield _sized(ray, engine, needed, heard)
        return
    with _quiet_backend():
        _connect(ray, engine)
    try:
        with _listening(heard, quiet=True):
            yield _sized(ray, engine, needed, heard)
    finally:
        ray.shutdown()


def _connect(ray: Any, engine: RayEngine) -> None:
    from ray.job_config import JobConfig

    class InstalledOnly(JobConfig):
        """Workers import what is installed, and not what lies in this process's folder beside it."""

        def _runtime_env_has_working_dir(self) -> bool:
            return True

    options: dict[str, Any] = {
        "job_config": InstalledOnly(),
        "logging_level": logging.FATAL,
        "log_to_driver": False,
        "configure_logging": True,
    }
    if engine.address is None:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = math.ceil((engine.workers or 1) * engine.cpus)
        options |= {
            "address": "local",
            "num_cpus": max(processors, wanted),
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE,
        }
    else:
        options["address"] = _reachable(engine.address)
    try:
        ray.init(**options)
    except Exception as fault:  # Ray raises many kinds, with texts of many lines
        where = "on this machine" if engine.address is None else f"at {engine.address!r}"
        raise ClusterError(f"engine: no Ray cluster could be used {where}: {first_line(fault)}") from fault


@contextlib.contextmanager
def _quiet_backend() -> Iterator[None]:
    """Start Ray without what its C++ part writes to the terminal, past Python; its log files keep what is fatal."""
    name = "RAY_BACKEND_LOG_LEVEL"
    before = os.environ.get(name)
    if before is not None:  # somebody wants to see it
        yield
        return
    os.environ[name] = "fatal"
    sys.stderr.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # it says that its level was set, before it obeys
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
        os.environ.pop(name)


@contextlib.contextmanager
def _listening(heard: Heard, *, quiet: bool) -> Iterator[None]:
    """Hear what Ray prints of workers that died, and keep it off the terminal if quiet. Ray has no option for either.

    A worker that dies is replaced, and the run goes on; when it does not, the last message says why.
    """
    from ray._private import worker

    before = getattr(worker, "print_to_stdstream", None)
    if before is None:
        yield
        return

    def hear(data: Any, *args: Any, **options: Any) -> None:
        with contextlib.suppress(Exception):  # of another version of Ray: nothing is heard
            heard.hear(" ".join(data["lines"]))
        if not quiet:
            before(data, *args, **options)

    setattr(worker, "print_to_stdstream", hear)  # noqa: B010
    try:
        yield
    finally:
        setattr(worker, "print_to_stdstream", before)  # noqa: B010


def _reachable(address: str) -> str:
    """The address, once a cluster answered there: Ray itself tries for two minutes, and then ends the process."""
    if "://" in address:
        raise ValueError(
            f"address: expected 'auto' or the 'host:port' of a cluster's head, got {address!r}; run on a machine of "
            "the cluster, which sees the run folder as well (the Ray client does not)"
        )
    if address == "auto":
        return address  # a look into a file, or $RAY_ADDRESS; fails at once
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(_PORT))
    problem = f"engine: no Ray cluster answers at {address!r}"
    advice = "start one there with: ray start --head"
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE / 3).close()
    except (OSError, ValueError, OverflowError) as fault:
        raise ClusterError(f"{problem} ({fault}); {advice}") from fault
    # Something listens. Whether it is Ray is asked by another process, since the answer may never come.
    check = [sys.executable, "-P", "-m", "ray.scripts.scripts", "health-check", "--address", f"{host}:{port}"]
    try:
        found = subprocess.run(check, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as fault:
        raise ClusterError(f"{problem} (something listens, and says nothing in {PATIENCE:.0f} s); {advice}") from fault
    if found.returncode:
        raise ClusterError(f"{problem} (what listens there is no Ray, or one of another version); {advice}")
    return f"{host}:{port}"


def _sized(ray: Any, engine: RayEngine, needed: int | None, heard: Heard) -> Cluster:
    """Workers that fit on the nodes if nothing else runs there, and what each takes."""
    has_gpus = any(node.get("GPU", 0) >= 1 for node in _alive(ray))
    gpus = engine.gpus if engine.gpus is not None else float(has_gpus)
    cluster = Cluster(ray, 1, engine.cpus, gpus, heard)
    room = cluster.room()
    if not room:
        raise ClusterError(f"engine: {cluster.too_small()}")
    workers = engine.workers or room
    return replace(cluster, workers=max(1, workers if needed is None else min(workers, needed)))


def _alive(ray: Any) -> list[dict[str, float]]:
    """What each node has in all."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(node: dict[str, float], cpus: float, gpus: float) -> int:
    room = node.get("CPU", 0) / cpus
    return int(min(room, node.get("GPU", 0) / gpus) if gpus else room)


def first_line(fault: BaseException) -> str:
    """What an exception of Ray says, in one line of at most 300 characters."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return (lines[0] if lines else type(fault).__name__)[:300]
