"""What stands in a run folder under a name of ours, and is not what we put there: links, pipes, devices, folders."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from fuzz import seeds

import pyvalue as pv
from pyvalue.errors import PyvalueError, StoreError
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.graph import ValueGraph
from pyvalue.measurement.manifest import Manifest
from pyvalue.measurement.store import RunFolder
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.sweep_table import load_sweep
from pyvalue.steering.text_files import read_texts
from pyvalue.wide_scores import score_rows

STUDY = {"seed": 0}


@pytest.fixture
def run(tmp_path):
    with RunFolder(tmp_path / "run", STUDY) as folder:
        folder.write_part(0, seeds.answers().table)
    return tmp_path / "run"


def wrong_files(folder: Path):
    """Of every kind that can be made here, by kind."""
    os.mkfifo(folder / "pipe")
    (folder / "a folder").mkdir()
    (folder / "passwd").symlink_to("/etc/passwd")
    return {
        "pipe": folder / "pipe",
        "folder": folder / "a folder",
        "device": Path("/dev/zero"),
        "link": folder / "passwd",
    }


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link"])
def test_a_part_is_a_plain_file(run, tmp_path, kind):
    part = run / "responses" / "part-000001.parquet"
    part.symlink_to(wrong_files(tmp_path)[kind])
    with pytest.raises(StoreError, match=r"part-000001\.parquet cannot be read .it is a symbolic link"):
        Responses.load(run)
    with RunFolder(run, STUDY) as folder, pytest.raises(StoreError, match=r"part-000001.*symbolic link"):
        folder.read()
    part.unlink()
    if kind in ("pipe", "folder"):
        (tmp_path / {"pipe": "pipe", "folder": "a folder"}[kind]).rename(part)
        with pytest.raises(StoreError, match=rf"part-000001\.parquet cannot be read .it is a (named )?{kind}"):
            Responses.load(run)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link"])
def test_a_manifest_is_a_plain_file(run, tmp_path, kind):
    manifest = run / "manifest.json"
    manifest.unlink()
    manifest.symlink_to(wrong_files(tmp_path)[kind])
    for load in (Manifest.load, Responses.load, lambda path: RunFolder(path, STUDY).__enter__()):
        with pytest.raises(StoreError, match=r"manifest .* cannot be read .it is a symbolic link"):
            load(run)


@pytest.mark.parametrize("name", [".lock", "responses", ".claims"])
def test_folders_and_locks_within_are_no_links(run, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "unit-000000").mkdir(parents=True) if name == ".claims" else elsewhere.mkdir()
    if name == "responses":
        (run / name).rename(tmp_path / "moved")
    else:
        (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    with pytest.raises(StoreError, match=r"link|cannot write"):
        RunFolder(run, STUDY, shared=True).__enter__()
    assert sorted(elsewhere.rglob("*")) == before


def test_a_folder_that_becomes_a_link_while_it_is_in_use_is_not_written_through(run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    with RunFolder(run, STUDY) as folder:
        (run / "responses").rename(tmp_path / "moved")
        (run / "responses").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreError, match="responses is a link"):
            folder.write_part(1, seeds.answers().table)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_pipe_for_a_lock_keeps_nobody_waiting(run):
    (run / ".lock").unlink()
    os.mkfifo(run / ".lock")
    with pytest.raises(StoreError, match=r"cannot write .*\.lock"):
        RunFolder(run, STUDY).__enter__()


def test_the_run_folder_itself_may_be_a_link(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    assert len(Responses.load(tmp_path / "link").table) == len(seeds.answers().table)
    with RunFolder(tmp_path / "link", STUDY) as folder:
        assert folder.has(0)


READERS = (ValueGraph.load, SteeringPlan.load, Evaluation.load, Responses.load, load_sweep, pv.load_personas,
read_texts,
           pv.load_inventory, score_rows, ValueGraph.from_graphml, ValueGraph.from_dot)  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda read: getattr(read, "__qualname__", str(read)))
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_refused_before_they_are_opened(tmp_path, read, kind):
    with pytest.raises((ValueError, PyvalueError, FileNotFoundError), match=r"named pipe|device|no such file"):
        read(wrong_files(tmp_path)[kind])


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_files_have_the_mode_that_the_umask_leaves(tmp_path, mask):
    graph, _ = seeds.graph()
    before = os.umask(mask)
    try:
        with RunFolder(tmp_path / "run", STUDY, shared=True) as folder:
            folder.write_part(0, seeds.answers().table)
            graph.save(tmp_path / "run" / "graph.json")
            graph.to_graphml(tmp_path / "run" / "graph.graphml")
            seeds.evaluation().save(tmp_path / "run" / "evaluation.json")
            files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    finally:
        os.umask(before)
    assert len(modes) >= 6 and set(modes.values()) == {0o666 & ~mask}, modes


def test_temporary_names_cannot_be_guessed(tmp_path, monkeypatch):
    """A link under a name that is known beforehand would be written through, in a folder that others can write to."""
    names: list[set[str]] = [set(), set()]
    replace = os.replace
    graph, _ = seeds.graph()
    for seen in names:
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", lambda a, b, seen=seen: (seen.add(Path(a).name), replace(a, b))[1])
            graph.save(tmp_path / "graph.json")
            seeds.answers().save(tmp_path / "answers.parquet")
    assert len(names[0]) == len(names[1]) == 2 and not names[0] & names[1]
