"""When a run on a cluster waits, and when it ends. Time and cluster are made up here, and real in the other tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import pyvalue as pv
from pyvalue import ray_watch
from pyvalue.ray_cluster import Cluster, Heard
from pyvalue.ray_watch import Watch, WorkersNow

KEPT = "All is kept"


class World:
    """A cluster of nodes, and a clock that is turned by hand."""

    def __init__(self, monkeypatch, *nodes, workers=2, cpus=2.0):
        self.now, self.nodes = 0.0, list(nodes)
        monkeypatch.setattr(ray_watch.time, "monotonic", lambda: self.now)
        ray = SimpleNamespace(
            nodes=lambda: [{"Alive": True, "Resources": {"CPU": cpus}} for cpus in self.nodes],
            available_resources=lambda: {"CPU": 1.0},
        )
        self.cluster = Cluster(ray, workers, cpus, 0.0)
        self.watch = Watch(self.cluster, workers, step="part", after=KEPT, now=WorkersNow(0, 0))

    def look(self, seconds, placed=0, deaths=0):
        self.now += seconds
        self.watch.look(WorkersNow(placed, deaths))


@pytest.mark.parametrize(("workers", "borne"), [(1, 4), (2, 5), (4, 11)])
def test_deaths_in_a_row_end_a_run_and_deaths_between_parts_do_not(monkeypatch, workers, borne):
    world = World(monkeypatch, 8, workers=workers)
    for deaths in range(200):
        world.look(1, placed=1, deaths=deaths)
        world.watch.progress()
    world.look(1, placed=1, deaths=deaths)
    world.look(1, placed=1, deaths=deaths + borne)
    world.cluster.heard.hear(
        "A worker died. Worker exit detail: End of file. Some common causes include: the OOM killer"
    )
    with pytest.raises(pv.ClusterError, match=rf"died {borne + 1} times in a row.*of the last: End of file\).*{KEPT}"):
        world.look(1, placed=1, deaths=deaths + borne + 1)


def test_a_wait_for_room_is_said_once_a_minute_and_never_ends(monkeypatch, capsys):
    world = World(monkeypatch, 2, 1)
    world.look(9)
    assert not capsys.readouterr().err
    world.look(2)
    said = capsys.readouterr().err
    assert said.startswith("engine='ray': waiting for room, no worker runs since 11 s. Each takes 2 CPUs and 0 GPUs")
    assert "free in the whole cluster are 1 CPUs" in said and "Ctrl-C stops it" in said and KEPT in said
    for _ in range(3600):
        world.look(1)
    assert capsys.readouterr().err.count("\n") == 60
    world.look(1, placed=1)
    world.look(9)
    assert not capsys.readouterr().err


def test_a_run_whose_only_large_node_is_lost_ends_unless_another_comes(monkeypatch):
    world = World(monkeypatch, 2, 1)
    world.look(1, placed=1)
    world.nodes.remove(2)
    world.look(1)
    world.look(29)
    world.nodes.append(4)
    world.look(2)
    world.nodes.remove(4)
    world.look(1)
    with pytest.raises(pv.ClusterError, match=rf"no node has room for a worker of 2 CPUs.*they have 1 CPUs.*{KEPT}"):
        world.look(30)


def test_a_message_about_something_else_is_no_death():
    heard = Heard()
    heard.hear("The cluster is being scaled up")
    assert heard.last_death == ""
    heard.hear("Task was killed\ndue to the node running low on memory. " + "x" * 999)
    assert heard.last_death.startswith("Task was killed due to the node running low on memory. xxx")
    assert len(heard.last_death) == 300
