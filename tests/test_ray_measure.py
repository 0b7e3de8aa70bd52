"""A measurement on a Ray cluster: the table of one process bit for bit, whoever dies on the way.

One cluster of a head and three nodes on this machine serves all tests of the file. A worker that starts takes
seconds of a processor, so that what may go wrong goes wrong in one run where it can.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import pyvalue as pv
from pyvalue.measurement.inventory import Inventory, Item
from pyvalue.measurement.ray_models import model_recipe

pytestmark = pytest.mark.timeout(900)  # on a machine that is busy, every worker that starts takes half a minute

torch = pytest.importorskip("torch", reason="needs torch")
psutil = pytest.importorskip("psutil", reason="needs psutil")
pytest.importorskip("ray", reason="needs Ray; run: pip install 'pyvalue[cluster]'")

SETTINGS = {"min_mass": 0.0, "progress": False}
#: a process that starts the measurement of this file, and says nothing but what fails
DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import test_ray_measure as here
here.measured(sys.argv[2], sys.argv[3], engine=here.pv.RayEngine(address=sys.argv[4], workers=1))
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread(tmp_path_factory):
    """As many as a worker of one processor has, in a folder without the sources, from where workers import."""
    before, folder = torch.get_num_threads(), Path.cwd()
    torch.set_num_threads(1)
    os.chdir(tmp_path_factory.mktemp("driver"))
    yield
    os.chdir(folder)
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    try:
        for _ in range(3):
            made.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        yield made
    finally:
        made.shutdown()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tokenizer_of):
    """Folder of a small Llama, from which workers load it."""
    from model_families import family_model

    folder = tmp_path_factory.mktemp("model") / "tiny"
    model = family_model("llama", tokenizer_of())
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def expected(saved):
    """The table of one process with one thread."""
    return measured(saved, None)


def inventory():
    values = ("Power", "Security", "Tradition", "Hedonism", "Achievement")
    words = {1: ("seek", "praise"), -1: ("avoid", "blame")}
    items = [
        Item(f"{value}{keying:+d}{word}", value, keying, f"Should I {word} {value.lower()}, whatever others say?")
        for value in values for keying in words for word in words[keying]
    ]  # fmt: skip
    return Inventory("twenty", tuple(items))


def configurations():
    """None, a direction, two features of an SAE whose columns travel, and one that is spliced in whole."""
    from pyvalue.models.sae import SAE
    from pyvalue.models.sae_config import SAEConfig

    random = torch.Generator().manual_seed(3)
    weights = [torch.randn(*shape, generator=random) for shape in [(32, 24), (24,), (24, 32), (32,)]]
    sae = SAE(SAEConfig("standard", 32, 24, "blocks.1.hook_resid_post"), *weights, name="random")
    vector = torch.randn(32, generator=random)
    push = pv.Edit(op="direction", strength=3.0, direction=pv.Direction(vector, "blocks.1.hook_resid_post", "push"))
    features = [
        pv.Edit(feature=17, strength=4.0, sae=sae),
        pv.Edit(feature=5, op="scale", strength=0.5, sae=sae, positions=pv.span("your values")),
    ]
    return {"": [], "push": [push], "features": features, "splice": [pv.Edit(op="splice", sae=sae)]}


def measured(model, folder, **options):
    model = pv.load_model(model, dtype="float32", device="cpu")
    people = pv.make_personas(29, seed=1)
    return pv.measure(model, inventory(), people, configurations(), folder=folder, **SETTINGS, **options).table


def engine(cluster, **options):
    return pv.RayEngine(address=cluster.address, **options)


def stored(folder):
    """Parts by name, with the time of their writing."""
    return {path.name: path.stat().st_mtime_ns for path in Path(folder, "responses").glob("part-*.parquet")}


def workers():
    """Processes of this file's cluster that hold a model, or are about to."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if " ".join(process.cmdline()).startswith("ray::MapWorker(MapBatches(UnitWorker))"):
                found.append(process)
    return found


@contextlib.contextmanager
def meanwhile(*steps):
    """Do each step in another thread, once its condition holds, and see that all were done."""
    done, over = [], threading.Event()

    def work():
        for condition, do in steps:
            while not condition():
                if over.wait(0.02):
                    return
            do()
            done.append(do)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert len(done) == len(steps), f"only {len(done)} of {len(steps)} steps were done before the end"


def test_a_killed_driver_a_busy_cluster_a_killed_worker_and_a_lost_node_change_nothing(
    cluster, saved, expected, tmp_path, monkeypatch
):
    import ray

    folder = tmp_path / "run"
    # A driver is killed in the middle.
    line = [sys.executable, "-c", DRIVER, str(Path(__file__).parent), str(saved), str(folder), cluster.address]
    driver = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    until = time.monotonic() + 300
    while len(stored(folder)) < 12 and driver.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    driver.kill()
    said, complained = driver.communicate()
    before = stored(folder)
    assert len(before) >= 12, complained.decode()
    assert not said and not complained, "Ray wrote to the terminal"

    # Started again, it finds the cluster taken; then it loses a worker and a node.
    monkeypatch.setattr("pyvalue.ray_watch.ROOM_PATIENCE", 1.0)
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)

    def waits():
        return "waiting for room" in heard.getvalue()

    def kill_one():
        workers()[0].kill()

    def lose_a_node():
        cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)

    ray.init(address=cluster.address, log_to_driver=False, logging_level="FATAL")
    try:
        others = ray.util.placement_group([{"CPU": 1}] * 3)
        ray.get(others.ready(), timeout=120)
        with meanwhile(
            (waits, lambda: ray.util.remove_placement_group(others)),
            (lambda: len(stored(folder)) >= len(before) + 12, kill_one),
            (lambda: len(stored(folder)) >= len(before) + 32, lose_a_node),
        ):
            found = measured(saved, folder, engine=pv.RayEngine(workers=3))
    finally:
        ray.shutdown()
    assert "Each takes 1 CPUs and 0 GPUs; free in the whole cluster are 0 CPUs" in heard.getvalue()
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    now = stored(folder)
    assert before.items() <= now.items(), "a stored part was written again"
    assert len(now) == 120
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "manifest.json", "responses"]
    # The run is finished for one process, too.
    pd.testing.assert_frame_equal(measured(saved, folder), expected, check_exact=True)
    assert stored(folder) == now


def test_workers_that_die_whenever_they_start_end_the_run(cluster, saved, tmp_path):
    over = threading.Event()

    def kill():
        while not over.wait(0.05):
            for process in workers():
                with contextlib.suppress(psutil.Error):
                    process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(
            pv.ClusterError, match=r"workers died \d times in a row without one more part .*memory"
        ) as fault:
            measured(saved, tmp_path / "run", engine=engine(cluster, workers=1))
    finally:
        over.set()
        killer.join()
    assert "Ray says of the last: Worker unexpectedly exits" in str(fault.value)
    assert "What is stored is kept" in str(fault.value) and "\n" not in str(fault.value)
    assert not stored(tmp_path / "run")


def test_the_loss_of_the_only_node_with_room_ends_the_run(cluster, saved, tmp_path, monkeypatch):
    monkeypatch.setattr("pyvalue.ray_watch.GRACE", 2.0)
    large = cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    with (
        meanwhile((workers, lambda: cluster.remove_node(large, allow_graceful=False))),
        pytest.raises(pv.ClusterError, match=r"no node has room for a worker of 2 CPUs and 0 GPUs.*none came in 2 s"),
    ):
        measured(saved, tmp_path / "run", engine=engine(cluster, cpus=2.0))


def test_a_model_that_was_changed_in_memory_is_refused(saved):
    model = pv.load_model(saved, dtype="float32", device="cpu")
    model.network.lm_head.weight.data[0, 0] += 1.0
    with pytest.raises(pv.ModelError, match=r"another than yours \(in its weights\).*save_pretrained"):
        model_recipe(model, "cpu", workers=1).build()


def test_a_model_without_a_name_elsewhere_is_refused(cluster, tiny_model, small_inventory, tmp_path):
    with pytest.raises(pv.ModelError, match=r"'tiny' is neither bundled, nor a folder.*save_pretrained"):
        pv.measure(tiny_model, small_inventory, pv.make_personas(1), folder=tmp_path / "run", engine=engine(cluster))


def test_a_node_without_room_is_said(cluster, saved, tmp_path):
    model = pv.load_model(saved, dtype="float32", device="cpu")
    for options, need in (({"cpus": 50.0}, "50 CPUs and 0 GPUs"), ({"gpus": 1.0}, "1 CPUs and 1 GPUs")):
        with pytest.raises(pv.ClusterError, match=f"no node has room for a worker of {need}"):
            pv.measure(
                model, inventory(), pv.make_personas(1), folder=tmp_path / "run", engine=engine(cluster, **options)
            )


def test_nobody_at_the_address_is_said_soon(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("pyvalue.ray_cluster.PATIENCE", 3.0)
    model = pv.load_model(saved, dtype="float32", device="cpu")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        for listens in (False, True):
            if listens:
                deaf.listen()
            began = time.monotonic()
            with pytest.raises(pv.ClusterError, match="no Ray cluster answers at") as fault:
                pv.measure(
                    model, inventory(), pv.make_personas(1), folder=tmp_path, engine=pv.RayEngine(address=address)
                )
            assert "\n" not in str(fault.value)
            assert time.monotonic() - began < 20
    with pytest.raises(ValueError, match="expected 'auto' or the 'host:port'"):
        pv.measure(model, inventory(), pv.make_personas(1), folder=tmp_path, engine=pv.RayEngine("ray://head:10001"))


def test_no_folder_and_no_ray_are_said(saved, tmp_path, monkeypatch):
    model = pv.load_model(saved, dtype="float32", device="cpu")
    with pytest.raises(ValueError, match="folder: expected a run folder"):
        pv.measure(model, inventory(), pv.make_personas(1), engine="ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(pv.ClusterError, match=r"pip install 'pyvalue\[cluster\]'"):
        pv.measure(model, inventory(), pv.make_personas(1), folder=tmp_path, engine="ray")
