"""The bundled model asked by one process and by Ray workers on the same cores; answers must be equal to the bit.

Starting a cluster and loading the model on each worker takes seconds that a long run does not notice. So two times are
noted: all of it (what is timed), and seconds a persona from the moment when every worker has stored its first, by the
times of the parts. The overhead is that of the latter over one process.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="measurement needs torch; run: pip install 'pyvalue[lm]'")
pytest.importorskip("ray", reason="needs Ray; run: pip install 'pyvalue[cluster]'")

from measurement_cases import bundled  # noqa: E402

import pyvalue as pv  # noqa: E402

pytestmark = pytest.mark.timeout(1800)

CORES = 2
PERSONAS = 16
#: threads of the one process -> its pace in seconds a persona, of the same session
_pace_of_one: dict[int, float] = {}


@cache
def expected(threads: int) -> pd.DataFrame:
    """Answers of one process."""
    return _measured(threads, None, "local")


def _measured(threads: int, folder: Path | None, engine: str | pv.RayEngine) -> pd.DataFrame:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        people = pv.make_personas(PERSONAS - 1, seed=0)
        inventory = pv.load_inventory("portrait")
        return pv.measure(bundled(), inventory, people, folder=folder, progress=False, engine=engine).table
    finally:
        torch.set_num_threads(before)


def _pace(folder: Path, workers: int) -> float:
    """Seconds a persona, once every worker has stored one."""
    times = sorted(path.stat().st_mtime_ns / 1e9 for path in (folder / "responses").glob("part-*.parquet"))
    return (times[-1] - times[workers - 1]) / (len(times) - workers)


def _compare(benchmark: Any, tmp_path: Path, threads: int, workers: int | None) -> None:
    """Time a run into a fresh folder, and note its pace once it goes."""
    benchmark.group = f"{PERSONAS} personas x 92 questions of the bundled model on {CORES} cores"
    engine: str | pv.RayEngine = "local"
    if workers is not None:
        engine = pv.RayEngine(workers=workers, cpus=float(threads))
    table = expected(threads)
    found = benchmark.pedantic(_measured, args=(threads, tmp_path / "run", engine), rounds=1, iterations=1)
    pd.testing.assert_frame_equal(found, table, check_exact=True)
    pace = _pace(tmp_path / "run", workers or 1)
    benchmark.extra_info["seconds_a_persona"] = pace
    if workers is None:
        _pace_of_one[threads] = pace
        return
    benchmark.extra_info["start_up_seconds"] = benchmark.stats.stats.min - pace * PERSONAS
    if CORES in _pace_of_one:
        benchmark.extra_info["overhead"] = f"{100 * (pace / _pace_of_one[CORES] - 1):+.1f}%"


def test_one_process_two_threads(benchmark: Any, tmp_path: Path) -> None:
    _compare(benchmark, tmp_path, CORES, None)


def test_ray_one_worker_two_threads_pyvalue(benchmark: Any, tmp_path: Path) -> None:
    _compare(benchmark, tmp_path, CORES, 1)


def test_ray_two_workers_one_thread_pyvalue(benchmark: Any, tmp_path: Path) -> None:
    _compare(benchmark, tmp_path, 1, CORES)
