"""Replicates: the paper's matrix against peers, threads, and a million rows. Times are of one replicate.

Floor: as many Gram matrices by BLAS's ``syrk``, which computes half of the products of ``x.T @ x``.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pytest
from cases import ALPHA, linear, paper
from contenders import ANDREY, BNLEARN, CAUSAL_LEARN, Contender, check, require

from pyvalue import _core
from pyvalue.discovery import discover

REPLICATES = 200
MILLION = 20  # replicates a round of the large case; the goal is stated for 100


def replicates(
    x: np.ndarray, count: int, threads: int, first: int = 0, worth: float = 0.5, shuffle: bool = False
) -> dict[str, Any]:
    source, resampling = _core.PearsonSource(_core.Table(x)), _core.Resampling(len(x), seed=0)
    return _core.bootstrap(
        source,
        resampling,
        count,
        worth * len(x),
        ALPHA,
        threads=threads,
        first_replicate=first,
        shuffle_columns=shuffle,
    )


@pytest.mark.benchmark(group="one replicate: paper, 1,111 x 17")
@pytest.mark.parametrize("threads", [1, 2], ids=["pyvalue-1-thread", "pyvalue-2-threads"])
@pytest.mark.parametrize("worth", [1.0, 0.5], ids=["told-n", "told-half-n"])
def test_paper(benchmark: Any, threads: int, worth: float) -> None:
    """Told n, as the peers are, which keeps more edges and so needs more tests; and told n/2, as our default is."""
    x = paper().x
    rows = np.repeat(x, _core.Resampling(len(x), seed=0).draw(5), axis=0)
    test = _core.fisher_z(_core.correlation(_core.Table(rows)), worth * len(x), ALPHA)
    alone, *_ = _core.pc(test)
    found = replicates(x, 1, 1, 5, worth)["directed"]
    np.testing.assert_array_equal(found, (alone == -1) & (alone.T == 1))
    benchmark.extra_info["replicates"] = REPLICATES
    arguments = (x, REPLICATES, threads, 0, worth, True)
    benchmark.pedantic(replicates, arguments, rounds=20, iterations=1, warmup_rounds=1)


@pytest.mark.benchmark(group="one replicate: paper, 1,111 x 17")
@pytest.mark.parametrize("contender", [ANDREY, BNLEARN, CAUSAL_LEARN], ids=lambda contender: contender.name)
def test_paper_peers(benchmark: Any, contender: Contender) -> None:
    """The peer on gathered rows, as its users run a bootstrap, told of n rows."""
    require(contender)
    x = paper().x
    counts = _core.Resampling(len(x), seed=0).draw(5)
    expected = discover(np.repeat(x, counts, axis=0), test="fisherz").marks

    def one() -> Any:
        return contender.fit(np.repeat(x, counts, axis=0))

    marks = contender.marks(benchmark.pedantic(one, rounds=10 if contender is ANDREY else 2, iterations=1))
    check(contender, marks, expected)


@pytest.mark.benchmark(group="one replicate: paper, 1,111 x 17")
def test_paper_floor_syrk(benchmark: Any, one_blas_thread: None) -> None:
    x = np.ascontiguousarray(paper().x)
    benchmark.extra_info["replicates"] = REPLICATES
    benchmark.pedantic(_syrks, (x.T, REPLICATES), rounds=20, iterations=1, warmup_rounds=1)


@pytest.mark.parametrize("case", [(1111, 17, 5.0), (10_000, 50, 4.0)], ids=["1111x17", "10000x50"])
@pytest.mark.parametrize("threads", [1, 2], ids=["pyvalue-1-thread", "pyvalue-2-threads"])
def test_threads(benchmark: Any, case: tuple[int, int, float], threads: int) -> None:
    """Scaling: the factor between both is the efficiency of two cores."""
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip(f"{threads} threads need as many cores")
    data = linear(*case, seed=1)
    benchmark.group = f"threads: 400 replicates of {data.name}"
    one, more = replicates(data.x, 30, 1), replicates(data.x, 30, threads)
    np.testing.assert_array_equal(one["directed"], more["directed"])
    benchmark.extra_info["replicates"] = 400
    benchmark.pedantic(replicates, (data.x, 400, threads), rounds=5, iterations=1, warmup_rounds=1)


@pytest.mark.benchmark(group="one replicate: 1,000,000 x 50")
@pytest.mark.parametrize("threads", [1, 2], ids=["pyvalue-1-thread", "pyvalue-2-threads"])
def test_million_rows(benchmark: Any, threads: int) -> None:
    x = linear(1_000_000, 50).x
    with PeakMemory() as memory:
        replicates(x, MILLION, threads)
    benchmark.extra_info.update(replicates=MILLION, memory_over_data=(x.nbytes + memory.growth) / x.nbytes)
    assert benchmark.extra_info["memory_over_data"] < 1.5
    benchmark.pedantic(replicates, (x, MILLION, threads), rounds=2, iterations=1)


@pytest.mark.benchmark(group="one replicate: 1,000,000 x 50")
def test_million_rows_floor_syrk(benchmark: Any, one_blas_thread: None) -> None:
    x = linear(1_000_000, 50).x
    benchmark.pedantic(_syrks, (x.T, 1), rounds=5, iterations=1, warmup_rounds=1)


def _syrks(transposed: np.ndarray, count: int) -> None:
    from scipy.linalg.blas import dsyrk

    for _ in range(count):
        dsyrk(1.0, transposed)


class PeakMemory:
    """Growth of the resident memory, in bytes, while a block runs; sampled every millisecond."""

    def __enter__(self) -> PeakMemory:
        import psutil

        self._process = psutil.Process()
        self._start = self._peak = self._process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.001):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        return self._peak - self._start
