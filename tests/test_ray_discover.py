"""Replicates on a Ray cluster: what one process counts, for any number of workers, and when one of them dies.

One cluster of three processors serves all tests of the file.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pyvalue as pv

psutil = pytest.importorskip("psutil", reason="needs psutil")
ray = pytest.importorskip("ray", reason="needs Ray; run: pip install 'pyvalue[cluster]'")


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    """Three processors, which every test finds running and leaves running."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("driver"))  # workers import from where the driver is: not from the sources
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="FATAL",
        object_store_memory=80 * 2**20,
    )  # fmt: skip
    yield
    ray.shutdown()
    os.chdir(before)


def numbers(n=240, d=6):
    random = np.random.default_rng(0)
    x = random.normal(size=(n, d))
    x[:, 2] += x[:, 0]
    x[:, 3] += x[:, 2] - x[:, 1]
    return x


def people():
    """Ordered levels, four rows a person."""
    frame = pd.DataFrame(np.clip(np.round(numbers() * 1.2), -3, 3).astype(int), columns=list("abcdef"))
    return frame.assign(person=np.repeat(np.arange(60), 4))


CASES = {
    "numbers": (numbers(), {}),
    "every other row of a wider array": (np.asfortranarray(numbers(480, 9))[::2, 1:8], {"test": "fisherz"}),
    "clusters": (people(), {"cluster": "person"}),
    "pairs without a row in common": (people().drop(columns="person"), {"scheme": "complementary-pairs"}),
    "counts": (people().drop(columns="person"), {"test": "gsq"}),
    "knowledge": (numbers(), {"knowledge": pv.Knowledge(forbidden=[("X1", "X3")]), "uc_rule": "majority"}),
}


def content(graph):
    return (
        graph.to_frame().to_dict("records"),
        graph.notes,
        {
            name: getattr(graph.bootstrap, name).tolist()
            for name in ("directed", "undirected", "bidirected", "absent", "untestable")
        }
        | {"singular": graph.bootstrap.singular_tests},
    )


@pytest.mark.parametrize("name", CASES)
def test_the_graph_is_that_of_one_process(name):
    data, options = CASES[name]
    options = {"bootstrap": 37, "seed": 5, "keep_replicates": True, **options}
    alone = pv.discover(data, **options)
    for workers in (1, 3):
        found = pv.discover(data, engine=pv.RayEngine(workers=workers), **options)
        assert content(found) == content(alone)
        np.testing.assert_array_equal(found.replicate_graphs.codes, alone.replicate_graphs.codes)
    assert ray.is_initialized()


def test_fewer_replicates_than_workers():
    alone, found = (pv.discover(numbers(), bootstrap=2, engine=engine) for engine in ("local", "ray"))
    assert content(found) == content(alone)


def long_enough_to_kill():
    """Data and options of replicates that take some seconds."""
    data = np.random.default_rng(1).normal(size=(4000, 24)).cumsum(axis=1)
    return data, {"bootstrap": 150, "seed": 3, "alpha": 0.2}


class Killer(threading.Thread):
    """Kills workers of this process's cluster while they count."""

    def __init__(self, most):
        super().__init__()
        self.most, self.killed, self.done = most, [], threading.Event()

    def run(self):
        while len(self.killed) < self.most and not self.done.wait(0.03):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if len(self.killed) < self.most and " ".join(process.cmdline()).startswith("ray::_announced"):
                        process.kill()
                        self.killed.append(process.pid)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def test_a_killed_worker_is_replaced():
    data, options = long_enough_to_kill()
    with Killer(most=2) as killer:
        found = pv.discover(data, engine=pv.RayEngine(workers=3), **options)
    assert len(killer.killed) == 2, "the replicates were counted before workers could be killed; give them more to do"
    assert content(found) == content(pv.discover(data, **options))


def test_workers_that_always_die_end_the_search():
    data, options = long_enough_to_kill()
    began = r"workers died 5 times in a row without one more range of replicates finished \(Ray says of the last: .+\)"
    with Killer(most=100) as killer, pytest.raises(pv.ClusterError, match=began) as fault:
        pv.discover(data, engine=pv.RayEngine(workers=1), **options | {"bootstrap": 2000})
    assert len(killer.killed) >= 5
    assert "memory" in str(fault.value) and "\n" not in str(fault.value)


def test_a_busy_cluster_is_waited_for_and_said(monkeypatch, capsys):
    monkeypatch.setattr("pyvalue.ray_watch.ROOM_PATIENCE", 1.0)
    others = ray.util.placement_group([{"CPU": 1}] * 3)
    ray.get(others.ready())
    threading.Timer(4.0, ray.util.remove_placement_group, [others]).start()
    found = pv.discover(numbers(), bootstrap=5, engine="ray")
    said = capsys.readouterr().err
    assert "waiting for room" in said and "Each takes 1 CPUs and 0 GPUs; free in the whole cluster are 0 CPUs" in said
    assert said.count("\n") == 1
    assert content(found) == content(pv.discover(numbers(), bootstrap=5))


def test_progress_counts_replicates_and_may_end_the_search():
    seen = []
    pv.discover(numbers(), bootstrap=40, engine="ray", progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and seen[-1] == (40, 40) and len(seen) > 3

    def stop(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        pv.discover(numbers(), bootstrap=40, engine="ray", progress=stop)


def test_what_a_cluster_cannot_do_is_said():
    with pytest.raises(ValueError, match="pass bootstrap=1000"):
        pv.discover(numbers(), engine="ray")
    with pytest.raises(ValueError, match="backend='fast', got backend='causal-learn'"):
        pv.discover(numbers(), bootstrap=5, engine="ray", backend="causal-learn")
    with pytest.raises(ValueError, match="'mine' lives in this process"):
        pv.discover(numbers(), bootstrap=5, engine="ray", test=pv.ci_test(mine))
    with pytest.raises(ValueError, match="expected 'local', 'ray' or a RayEngine, got 'spark'"):
        pv.discover(numbers(), bootstrap=5, engine="spark")


def mine(x, y, z):
    return 1.0
