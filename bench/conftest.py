"""What every bench shares: BLAS on one thread, and a table of ratios at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def one_blas_thread() -> Iterator[None]:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1):
        yield


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Results are for publication: the processor, not the host."""
    machine_info.pop("node", None)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Each group with the time of one fit or replicate, the factor over the fastest of ours, and what was noted."""
    session = getattr(config, "_benchmarksession", None)
    benches = [bench for bench in getattr(session, "benchmarks", ()) if bench.stats.rounds and bench.group]
    for group in dict.fromkeys(bench.group for bench in benches):
        members = [bench for bench in benches if bench.group == group]
        seconds = {bench.name: bench.stats.min / bench.extra_info.get("replicates", 1) for bench in members}
        ours = [time for name, time in seconds.items() if "pyvalue" in name]
        terminalreporter.write_sep("-", group)
        for bench in members:
            time = seconds[bench.name]
            factor = f"{time / min(ours):9.2f}x" if ours else " " * 10
            notes = ", ".join(f"{key} {_shown(value)}" for key, value in bench.extra_info.items())
            terminalreporter.write_line(f"{bench.name:44} {_time(time)} {factor}  {notes}".rstrip())


def _time(seconds: float) -> str:
    for unit, size in (("s ", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:9.3g} {unit}"
    return f"{seconds * 1e9:9.3g} ns"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
