"""Replicates: same bits for any number of threads, calibration, cancellation."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from pyvalue import _core
from pyvalue.discovery import DegenerateDataWarning, discover
from pyvalue.discovery.bootstrap import effective_sample_size

RNG = np.random.default_rng(0)
SAMPLE = RNG.standard_normal((200, 6)) @ RNG.uniform(-1, 1, (6, 6))


def interrupt_soon() -> threading.Timer:
    # Not what a shell that started the tests in the background, or another test, left.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_threads_do_not_change_a_bit() -> None:
    one = discover(SAMPLE, bootstrap=150, threads=1)
    for threads in (2, 7):
        more = discover(SAMPLE, bootstrap=150, threads=threads)
        assert more == one
        assert more.settings.threads == threads


def test_seed_changes_replicates_but_not_the_graph() -> None:
    one, two = (discover(SAMPLE, bootstrap=100, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one.marks, two.marks)
    assert one.bootstrap != two.bootstrap


def test_memory_order_and_dtype_do_not_change_a_bit() -> None:
    rounded = np.round(SAMPLE * 4)
    expected = discover(rounded, bootstrap=50)
    for same in (np.asfortranarray(rounded), np.repeat(rounded, 2, axis=0)[::2], rounded.astype(np.float32)):
        assert discover(same, bootstrap=50) == expected
    assert discover(rounded.astype(np.int16), bootstrap=50) == expected


def test_a_replicate_can_be_recomputed_alone() -> None:
    source, resampling = _core.PearsonSource(_core.Table(SAMPLE)), _core.Resampling(len(SAMPLE), seed=3)
    every = _core.bootstrap(source, resampling, 5, 100.0)
    alone = [_core.bootstrap(source, resampling, 1, 100.0, first_replicate=r) for r in range(5)]
    np.testing.assert_array_equal(every["directed"], sum(part["directed"] for part in alone))


def test_replicate_is_pc_on_the_drawn_rows() -> None:
    resampling = _core.Resampling(len(SAMPLE), seed=3)
    counts = resampling.draw(4)
    assert counts.sum() == len(SAMPLE)
    order = np.array(_core.shuffle_columns(3, 4, range(6)))
    rows = np.repeat(SAMPLE, counts, axis=0)[:, order]
    marks = np.empty((6, 6), dtype=np.int8)
    marks[np.ix_(order, order)], *_ = _core.pc(_core.fisher_z(_core.correlation(_core.Table(rows)), 100.0))
    source = _core.PearsonSource(_core.Table(SAMPLE))
    part = _core.bootstrap(source, resampling, 1, 100.0, first_replicate=4)
    np.testing.assert_array_equal(part["directed"], (marks == -1) & (marks.T == 1))


def test_calibration_on_independent_values() -> None:
    """No edge is true. The naive bootstrap finds 16.6% of them in a replicate, the calibrated one alpha = 5%.

    40 samples of 15 pairs: the mean share has a standard error of about 0.006.
    """
    rng = np.random.default_rng(5)
    share = {"naive": 0.0, "bootstrap": 0.0}
    for _ in range(40):
        x = rng.standard_normal((300, 6))
        for scheme in share:
            share[scheme] += discover(x, bootstrap=50, scheme=scheme, max_depth=0).strengths().strength.mean() / 40
    assert share["bootstrap"] == pytest.approx(0.05, abs=0.02)
    assert share["naive"] == pytest.approx(0.166, abs=0.03)


def test_effective_sample_size() -> None:
    assert effective_sample_size("bootstrap", 1111).n == 555.5
    assert effective_sample_size("naive", 1111).n == 1111.0


def test_column_constant_in_some_replicates_is_counted_and_reported() -> None:
    x = SAMPLE[:30].copy()
    x[:, 2] = 0.0
    x[0, 2] = 1.0
    with pytest.warns(DegenerateDataWarning, match="constant in some of 300 replicates.*X3"):
        graph = discover(x, bootstrap=300)
    assert graph.bootstrap is not None
    untestable = graph.bootstrap.untestable
    # Row 0 is not drawn with probability (29/30)^30 = 0.36.
    assert 70 < untestable[2, 2] < 150
    assert np.diagonal(untestable).sum() == untestable[2, 2]
    table = graph.strengths()
    with_it = (table.source == "X3") | (table.target == "X3")
    assert (table.tested[with_it] == 300 - untestable[2, 2]).all()
    assert (table.tested[~with_it] == 300).all()
    assert any("X3" in note for note in graph.notes)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_ctrl_c_ends_a_bootstrap(threads: int) -> None:
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):  # 10^9 replicates would take hours
        discover(SAMPLE, bootstrap=10**9, threads=threads)
    timer.join()


def test_ctrl_c_ends_a_single_search() -> None:
    everything_related = np.full((45, 45), 0.5) + 0.5 * np.eye(45)
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):  # about 2^45 conditioning sets
        _core.pc(_core.fisher_z(everything_related, 1e9))
    timer.join()


def test_ctrl_c_is_answered_between_slow_tests() -> None:
    """A set of this search is 11 tests of 20 ms each; none of them is waited for but the one that runs."""

    def slow(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
        time.sleep(0.02)
        return 0.0

    started = time.monotonic()
    timer = interrupt_soon()
    with pytest.raises(KeyboardInterrupt):  # every set of 12 columns would take minutes
        discover(RNG.standard_normal((50, 12)), test=slow)
    timer.join()
    assert time.monotonic() - started < 1.2  # 0.2 s until the signal, and a second


def test_progress_callback_counts_up_and_can_stop() -> None:
    class Enough(Exception):
        pass

    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if done > 0:
            raise Enough

    with pytest.raises(Enough):
        discover(SAMPLE, bootstrap=10**8, progress=progress, threads=2)
    assert seen[-1][1] == 10**8 and 0 < seen[-1][0] < 10**8

    seen.clear()
    discover(SAMPLE, bootstrap=10, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (10, 10)


def test_progress_bar_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    discover(SAMPLE, bootstrap=20, progress=True)
    out, _ = capfd.readouterr()
    assert out == ""
    discover(SAMPLE, bootstrap=20)
    assert capfd.readouterr() == ("", "")  # no terminal, no bar
