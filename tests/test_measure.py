"""A run folder gives what memory gives, whatever interrupts it; a fault is named and leaves old answers alone."""

from __future__ import annotations

import errno
import fcntl
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="measuring runs a model")
pytest.importorskip("transformers", reason="measuring runs a model of transformers")

from pyvalue.errors import StoreError
from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona, make_personas
from pyvalue.measurement.store import RunFolder
from pyvalue.models.edits import Edit, span
from pyvalue.responses import Responses

PEOPLE = make_personas(5, seed=1)


@pytest.fixture
def ask(tiny_model, small_inventory):
    def run(folder=None, **changes):
        arguments = {"model": tiny_model, "inventory": small_inventory, "personas": PEOPLE, "min_mass": 0.0, **changes}
        return measure(**arguments, folder=folder, progress=False)

    return run


def parts(folder):
    return sorted((folder / "responses").glob("part-*.parquet"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_folder_gives_the_same_table_as_memory(ask, tmp_path):
    in_memory, stored, again = ask(), ask(tmp_path / "run"), ask(tmp_path / "run")
    pd.testing.assert_frame_equal(stored.table, in_memory.table, check_exact=True)
    pd.testing.assert_frame_equal(again.table, in_memory.table, check_exact=True)
    assert stored.facts == again.facts == in_memory.facts


def test_answers_stand_in_the_order_of_personas_and_items(ask, small_inventory):
    table = ask().table
    expected = [(person.name, item.id) for person in PEOPLE for item in small_inventory.items]
    assert list(zip(table["persona"], table["item"], strict=True)) == expected
    assert table["status"].isin(["yes", "no"]).all()
    keyed = table[table["keying"] != 0]
    np.testing.assert_allclose(keyed["score"], keyed["keying"] * (2 * keyed["p_yes"] - 1), atol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_batch_size_does_not_matter(ask, batch_size):
    np.testing.assert_allclose(ask(batch_size=batch_size).table["p_yes"], ask().table["p_yes"], rtol=0, atol=1e-5)


def test_a_low_mass_is_invalid_and_missing_not_zero(ask):
    mass = ask().table["mass"]
    table = ask(min_mass=float(mass.median())).table
    low = table["mass"] < mass.median()
    assert 0 < low.sum() < len(table)
    assert ((table["status"] == "invalid") == low).all()
    assert table.loc[low, ["p_yes", "score"]].isna().all(axis=None)
    assert table.loc[~low, "p_yes"].notna().all()


def test_nothing_is_asked_twice(ask, tmp_path, monkeypatch):
    ask(tmp_path)
    parts(tmp_path)[3].unlink()
    before = contents(tmp_path / "responses")
    asked = []
    import pyvalue.measurement.score_asking as api

    real = api.score_prompts
    monkeypatch.setattr(api, "score_prompts", lambda *a, **k: asked.append(1) or real(*a, **k))
    ask(tmp_path)
    assert len(asked) == 1
    assert before.items() <= contents(tmp_path / "responses").items()


KILLED = """
import os, pathlib, random, signal, sys, time
import torch
torch.set_num_threads(1)
from pyvalue.measurement.api import measure
from pyvalue.measurement.inventory import load_inventory
from pyvalue.measurement.personas import make_personas
from pyvalue.models.loading import load_model
model = load_model(sys.argv[1], dtype="float32", device="cpu")
def ask(folder):
    return measure(model, load_inventory(), make_personas(25), folder=folder, min_mass=0.0, progress=False)
random.seed(int(sys.argv[4]))
stored = {}
for _ in range(8):
    child = os.fork()
    if child == 0:
        ask(sys.argv[2])
        os._exit(0)
    time.sleep(random.uniform(0.02, 0.5))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    now = {file.name: file.stat().st_mtime_ns for file in pathlib.Path(sys.argv[2], "responses").glob("part-*")}
    assert stored.items() <= now.items(), "a stored part was lost or asked again"
    stored = now
print(len(stored))
finished, whole = ask(sys.argv[2]), ask(sys.argv[3])
import pandas
pandas.testing.assert_frame_equal(finished.table, whole.table, check_exact=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_random_moments_change_nothing(tiny_model, tmp_path):
    tiny_model.network.save_pretrained(tmp_path / "model")
    tiny_model.tokenizer.save_pretrained(tmp_path / "model")
    arguments = [tmp_path / "model", tmp_path / "killed", tmp_path / "whole", "7"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, arguments)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(parts(tmp_path / "killed")) == 26


def test_an_interrupt_leaves_a_folder_that_resumes(ask, tmp_path, monkeypatch):
    import pyvalue.measurement.score_asking as api

    real, calls = api.score_prompts, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(api, "score_prompts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ask(tmp_path)
    assert len(parts(tmp_path)) == 3
    pd.testing.assert_frame_equal(ask(tmp_path).table, ask().table, check_exact=True)


def test_a_second_process_is_refused(ask, tmp_path):
    ask(tmp_path)
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(StoreError, match="in use by another process"):
            ask(tmp_path)
        other.stdin.close()
    ask(tmp_path)


def test_the_lock_is_held_by_a_run_folder(tmp_path):
    with RunFolder(tmp_path, {"a": 1}), open(tmp_path / ".lock") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_of_another_study_is_refused_by_what_differs(ask, tiny_model, tiny_sae, small_inventory, tmp_path):
    ask(tmp_path)
    before = contents(tmp_path)
    edit = Edit(feature=1, strength=2.0, positions=span("your values"), sae=tiny_sae)
    smaller = Inventory("small", small_inventory.items[1:])
    for changes, named in [
        ({"personas": PEOPLE[:3]}, "personas.count, personas.digest"),
        ({"inventory": smaller}, "inventory.digest, inventory.items"),
        ({"edits": [edit]}, "configurations"),
        ({"min_mass": 0.5}, "min_mass"),
        ({"model": replace(tiny_model, name="other")}, "model.name"),
    ]:
        with pytest.raises(StoreError, match=rf"another study \(differs in: {named}\)"):
            ask(tmp_path, **changes)
    assert contents(tmp_path) == before


def test_other_weights_under_the_same_name_are_another_study(ask, tiny_model, tmp_path):
    import copy

    import torch

    ask(tmp_path)
    network = copy.deepcopy(tiny_model.network)
    with torch.no_grad():
        network.lm_head.weight.mul_(1.01)
    with pytest.raises(StoreError, match=r"differs in: model\.weights"):
        ask(tmp_path, model=replace(tiny_model, network=network))


def no_space(*_arguments, **_keywords):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["pyvalue.responses.os.replace", "pandas.DataFrame.to_parquet"])
def test_a_full_disk_is_a_store_error_and_leaves_old_answers(ask, tmp_path, monkeypatch, where):
    ask(tmp_path)
    parts(tmp_path)[2].unlink()
    before = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(where, no_space)
        with pytest.raises(StoreError, match="No space left"):
            ask(tmp_path)
    assert contents(tmp_path) == before
    pd.testing.assert_frame_equal(ask(tmp_path).table, ask().table, check_exact=True)


def test_a_full_disk_before_the_first_answer_is_a_store_error(ask, tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.write_text", no_space)
    with pytest.raises(StoreError, match=r"manifest\.json: No space left"):
        ask(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_store_error(ask, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        ask(tmp_path / "file" / "run")


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"junk" * 100])
def test_a_damaged_part_is_named(ask, tmp_path, damage):
    ask(tmp_path)
    bad = parts(tmp_path)[1]
    bad.write_bytes(damage(bad.read_bytes()))
    with pytest.raises(StoreError, match=r"part-000001\.parquet.*cannot be read"):
        ask(tmp_path)
    bad.unlink()
    pd.testing.assert_frame_equal(ask(tmp_path).table, ask().table, check_exact=True)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"study": 3}', '{"schema": 2}'])
def test_a_damaged_manifest_is_named(ask, tmp_path, text):
    ask(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read"):
        ask(tmp_path)


def test_leftovers_of_a_kill_are_harmless(ask, tmp_path):
    (tmp_path / "responses").mkdir()
    (tmp_path / "responses" / ".part-000001.parquet.part").write_bytes(b"half")
    (tmp_path / ".manifest.json.part").write_bytes(b"{")
    assert len(ask(tmp_path).table) == len(ask().table)
    assert len(Responses.load(tmp_path / "responses").table) == len(ask().table)


def test_bad_arguments_are_refused(ask, tiny_sae):
    with pytest.raises(ValueError, match="'Ana' occurs more than once"):
        ask(personas=[Persona("Ana", "a"), Persona("Bo", "b"), Persona("Ana", "c")])
    with pytest.raises(ValueError, match="personas: expected at least one"):
        ask(personas=[])
    with pytest.raises(ValueError, match="label: expected a name"):
        ask(edits=[Edit(feature=1, strength=2.0, sae=tiny_sae)], label="")


def test_the_manifest_records_versions(ask, tmp_path):
    ask(tmp_path)
    versions = json.loads((tmp_path / "manifest.json").read_text())["versions"]
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["torch"] == importlib.metadata.version("torch")


def test_answers_without_a_manifest_are_not_adopted(ask, tmp_path):
    ask(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"holds answers but no manifest\.json"):
        ask(tmp_path)


def test_a_folder_that_a_failed_call_left_empty_can_be_used(ask, tmp_path):
    with RunFolder(tmp_path, {"asked": "with a mistake"}):
        pass
    assert len(ask(tmp_path).table) == len(ask().table)
