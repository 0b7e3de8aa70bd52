"""Where work runs: in this process, or on a Ray cluster. Says what is wanted, and starts nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RayEngine:
    """A Ray cluster that asks, or draws replicates. Needs the extra ``cluster``.

    Attributes:
        address: of a running cluster: ``"auto"`` on one of its machines, or ``"head:6379"``; None starts one here.
        workers: actors, each with its own model; default one a GPU, or one a processor where there is none.
        cpus: that each worker takes.
        gpus: that each worker takes; default 1 where the cluster has any, else 0.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and (isinstance(self.workers, bool) or self.workers < 1):
            raise ValueError(f"workers: expected a number from 1 on, got {self.workers!r}; None takes all there are")
        if self.cpus <= 0:
            raise ValueError(f"cpus: expected a number above 0, got {self.cpus!r}")
        if self.gpus is not None and self.gpus < 0:
            raise ValueError(f"gpus: expected 0 or more, got {self.gpus!r}")


Engine = str | RayEngine


def read_engine(engine: Engine) -> RayEngine | None:
    """None for this process.

    Raises:
        ValueError: an engine of another name.
        TypeError: something else.
    """
    if isinstance(engine, RayEngine):
        return engine
    if not isinstance(engine, str):
        raise TypeError(f"engine: expected 'local', 'ray' or a RayEngine, got {type(engine).__name__}")
    if engine == "local":
        return None
    if engine == "ray":
        return RayEngine()
    raise ValueError(f"engine: expected 'local', 'ray' or a RayEngine, got {engine!r}")
