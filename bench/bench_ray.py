"""The bundled model asked by one process and by Ray workers on the same cores; answers must be equal to the bit.

Starting a cluster and loading the model on each worker takes seconds that a long run does not notice. So two overheads
are printed and noted: of all of it (what is timed), and of the seconds a persona from the moment when every worker has
stored its first, by the times of the parts. Two workers of one thread are compared with one process of two threads for
time, and with one process of one thread for answers.
"""

from __future__ import annotations

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
#: few, so that all four runs take less than four minutes
PERSONAS = 7
#: threads of the one process -> its table, and its seconds in all and a persona; of the same session
_of_one: dict[int, tuple[pd.DataFrame, float, float]] = {}


def _measured(threads: int, folder: Path, engine: str | pv.RayEngine) -> pd.DataFrame:
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


def _run(benchmark: Any, folder: Path, threads: int, workers: int | None) -> None:
    """Time a run into a fresh folder, and note its pace once it goes."""
    bundled()  # loaded before the clock starts
    engine = "local" if workers is None else pv.RayEngine(workers=workers, cpus=float(threads))
    table = benchmark.pedantic(_measured, args=(threads, folder, engine), rounds=1, iterations=1)
    benchmark.group = f"{PERSONAS} personas x {len(table) // PERSONAS} questions of the bundled model on {CORES} cores"
    seconds, pace = benchmark.stats.stats.min, _pace(folder, workers or 1)
    benchmark.extra_info["seconds_a_persona"] = pace
    if workers is None:
        _of_one[threads] = table, seconds, pace
        return
    if threads in _of_one:
        pd.testing.assert_frame_equal(table, _of_one[threads][0], check_exact=True)
    if CORES in _of_one:
        _, all_of_one, pace_of_one = _of_one[CORES]
        found = {"overhead": pace / pace_of_one - 1, "overhead_with_start_up": seconds / all_of_one - 1}
        benchmark.extra_info |= {name: f"{100 * share:+.1f}%" for name, share in found.items()}
        print(f"{workers} workers x {threads} threads:", benchmark.extra_info)


@pytest.mark.parametrize("threads", [1, CORES])
def test_one_process(benchmark: Any, tmp_path: Path, threads: int) -> None:
    _run(benchmark, tmp_path / "run", threads, None)


def test_ray_one_worker_two_threads_pyvalue(benchmark: Any, tmp_path: Path) -> None:
    _run(benchmark, tmp_path / "run", CORES, 1)


def test_ray_two_workers_one_thread_pyvalue(benchmark: Any, tmp_path: Path) -> None:
    _run(benchmark, tmp_path / "run", 1, CORES)
