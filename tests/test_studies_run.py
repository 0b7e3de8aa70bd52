"""A study as a whole on a tiny model: kills at random moments, resuming, other studies, other runs, links."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from study_runs import copied, results, run, write

import pyvalue as pv
from pyvalue.errors import StoreError
from pyvalue.studies.run_manifest import RunManifest

KILLS = 6


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_model, tiny_sae, small_inventory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write(folder, tiny_model, tiny_sae, small_inventory)
    return folder


@pytest.fixture(scope="module")
def whole(place):
    """The study without interruption."""
    return run(place / "study.toml", place / "whole")


def test_a_run_leaves_its_files_and_reads_them_back(place, whole):
    assert whole.finished and whole.missing == ()
    assert [type(part).__name__ for part in whole.parts()] == [
        "Responses", "ValueGraph", "SteeringPlan", "Responses", "Evaluation", "Audit",
    ]  # fmt: skip
    assert len(whole.base.personas) == 10 and len(whole.steered.personas) == 6
    assert whole.evaluation.facts["edit"] == whole.plan.edits[0].label == whole.steered.edits[0]
    manifest = json.loads((whole.folder / "manifest.json").read_text())
    assert {stage: told["status"] for stage, told in manifest["stages"].items()} == dict.fromkeys(
        ("measure", "discover", "plan", "steer", "evaluate", "audit"), "done"
    )
    assert (whole.folder / "study.toml").read_text() == (place / "study.toml").read_text()
    # The study of the copy means the files beside the original.
    assert whole.study.resolve("model") == str((place / "model").resolve())


def test_stages_are_what_the_functions_give(whole, tiny_model):
    """Against the functions themselves, called by hand."""
    graph = pv.discover(whole.base, bootstrap=20, test="fisherz")
    assert graph == whole.graph
    evaluation = pv.evaluate(whole.plan, whole.base, whole.steered)
    pd.testing.assert_frame_equal(evaluation.effects, whole.evaluation.effects, check_dtype=False)
    audit = pv.audit(pv.Responses.concat([whole.base, whole.steered]), graph, permutations=20, resamples=100, orders=2)
    assert str(audit) == str(whole.audit)
    assert whole.audit.nulls.keys() == audit.nulls.keys()
    for name, test in audit.nulls.items():
        assert list(whole.audit.nulls[name].null) == list(test.null)


def test_a_finished_run_is_only_read(place, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*") if path.suffix in (".json", ".parquet")}
    again = run(place / "study.toml", whole.folder)
    assert again.finished
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_kills_at_random_moments_change_nothing(place, whole, tmp_path):
    """One process loads the packages; its children are killed in a write, at a moment, or end by themselves."""
    script = Path(__file__)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(script.parent)}
    command = [sys.executable, str(script), str(place / "study.toml"), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] >= KILLS // 2
    assert told["missing"] and all(isinstance(sentence, str) for one in told["missing"] for sentence in one)
    wanted, found = results(whole.folder), results(tmp_path / "run")
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == wanted[name], name
    assert [path.name for path in (tmp_path / "run").rglob(".*") if path.name.endswith((".part", ".tmp"))] == []


def test_another_study_is_refused_and_the_keys_named(place, whole):
    text = (place / "study.toml").read_text()
    other = place / "other.toml"
    other.write_text(text.replace("bootstrap = 20", "bootstrap = 30").replace("count = 9", "count = 8"))
    with pytest.raises(StoreError, match=r"differs in: discover\.bootstrap, personas\.count"):
        run(other, whole.folder)
    # What decides no number may change: comments, defaults that are written down, the engine.
    other.write_text(text + '[engine]\nkind = "local"\n# a note\n[measure.design]\nwordings = 1\n')
    assert run(other, whole.folder).finished
    (whole.folder / "study.toml").write_text(text)


def test_a_second_run_on_the_folder_is_refused(place, whole):
    from pyvalue.studies.run import _held

    with _held(whole.folder), pytest.raises(StoreError, match="in use by another run"):
        run(place / "study.toml", whole.folder)


def test_folders_that_hold_something_else_are_refused(place, whole, tmp_path):
    with pytest.raises(StoreError, match=r"holds graph\.json, which no run of a study wrote"):
        run(place / "study.toml", copied(whole, tmp_path / "a", "graph.json"))
    with pytest.raises(StoreError, match="holds nothing of a run"):
        pv.load_run(copied(whole, tmp_path / "b"))
    with pytest.raises(StoreError, match="no such folder"):
        pv.load_run(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        run(place / "study.toml", tmp_path / "file")


def test_a_file_that_was_changed_is_not_gone_on_with(place, whole, tmp_path):
    names = [path.name for path in whole.folder.iterdir() if path.name != ".lock"]
    folder = copied(whole, tmp_path / "changed", *names)
    (folder / "graph.json").write_text((folder / "graph.json").read_text() + "\n")
    with pytest.raises(StoreError, match="not what the run wrote"):
        run(place / "study.toml", folder)
    (folder / "graph.json").unlink()
    run(place / "study.toml", folder)
    assert results(folder) == results(whole.folder)


def test_half_a_run_says_what_is_missing(whole, tmp_path):
    folder = copied(whole, tmp_path / "half", "study.toml", "manifest.json", "base")
    for part in sorted((folder / "base" / "responses").iterdir())[6:]:
        part.unlink()
    half = pv.load_run(folder)
    assert len(half.base.personas) == 6 and half.graph is None and not half.finished
    assert half.missing == (
        "Questions without edits: 6 of 10 parts are answered (60%).",
        "There is no value graph yet (graph.json).",
        "There is no steering plan yet (plan.json).",
        "No questions under edits are answered yet.",
        "What was predicted is not compared with what was measured yet (evaluation.json).",
        "What the study claims is not audited yet (audit.json).",
    )


def test_a_folder_of_answers_alone_and_one_without_a_study_are_read(whole, tmp_path):
    alone = pv.load_run(whole.folder / "base")
    assert len(alone.base.table) == len(whole.base.table) and alone.missing == () and alone.study is None
    demo = pv.load_run(copied(whole, tmp_path / "demo", "base", "graph.json", "plan.json"))
    assert demo.study is None
    assert len(demo.missing) == 2


def test_a_stage_that_fails_is_told_of(place, tmp_path):
    text = (place / "study.toml").read_text()
    (place / "few.toml").write_text(text.split("[plan]")[0].replace("count = 9", "count = 0"))
    with pytest.raises(ValueError):
        run(place / "few.toml", tmp_path / "run")
    (sentence,) = pv.load_run(tmp_path / "run").missing
    assert sentence.startswith("There is no value graph yet (graph.json). It failed: ")
    assert RunManifest.load(tmp_path / "run").stages["discover"]["status"] == "failed"


@pytest.mark.parametrize("name", ["graph.json", "base", "study.toml", "manifest.json", "report", "base/responses",
                                  "base/responses/part-000003.parquet"])  # fmt: skip
def test_links_that_lead_out_are_refused(whole, tmp_path, name):
    folder = copied(whole, tmp_path / "run", "study.toml", "manifest.json", "base", "graph.json")
    own = folder / name
    outside = tmp_path / "outside"
    if own.exists():
        own.rename(outside)
    else:
        outside.mkdir()
    own.symlink_to(outside)
    with pytest.raises(StoreError, match="is a link that leads out of the folder"):
        pv.load_run(folder)
    with pytest.raises(StoreError, match="is a link that leads out of the folder"):
        run(whole.study, folder)


def test_links_within_the_folder_and_to_it_are_followed(whole, tmp_path):
    folder = copied(whole, tmp_path / "run", "study.toml", "manifest.json", "base", "graph.json")
    (folder / "graph.json").rename(folder / "graph-1.json")
    (folder / "graph.json").symlink_to("graph-1.json")
    (tmp_path / "link").symlink_to(folder)
    assert pv.load_run(tmp_path / "link").graph == whole.graph


@pytest.mark.parametrize("name", ["base/responses/part-000099.parquet", "plan.json"])
def test_pipes_and_folders_in_place_of_files_are_refused(whole, tmp_path, name):
    for kind in (os.mkfifo, os.mkdir):
        folder = copied(whole, tmp_path / kind.__name__, "study.toml", "manifest.json", "base", "graph.json")
        kind(folder / name)
        with pytest.raises(StoreError, match="is not a plain file"):
            pv.load_run(folder)


@pytest.mark.filterwarnings("ignore")
def test_edits_of_ones_own_are_several_configurations(place, tmp_path):
    text = (place / "study.toml").read_text()
    head = text.split("[plan]")[0] + '[plan]\nraise = ["Power"]\n[steer]\npersonas = 4\nsae = "sae"\n'
    edit = '[[edits]]\nop = "add"\nunit = "relative"\nstrength = {}\nfeature = {}\n{}\n'
    body = (
        edit.format(0.3, 1, 'name = "one"') + edit.format(0.2, 2, 'group = "two"') + edit.format(0.2, 3, 'group="two"')
    )
    (place / "own.toml").write_text(head + body + '[evaluate]\nedit = "two"\n')
    found = run(place / "own.toml", tmp_path / "run")
    assert found.steered.edits == ("one", "two") and len(found.steered.personas) == 4
    assert found.evaluation.facts["edit"] == "two"
    assert [edit.facts["feature"] for edit in found.plan.edits] == [2, 3]


@pytest.mark.filterwarnings("ignore")
def test_a_model_behind_a_server_is_measured_and_its_key_kept_out(place, tiny_model, tmp_path, monkeypatch):
    pytest.importorskip("openai", reason="remote models need openai; run: pip install 'pyvalue[remote]'")
    from chat_server import ChatServer

    monkeypatch.setenv("OPENAI_API_KEY", "hidden12345hidden")
    with ChatServer(tiny_model) as chat:
        text = f'[model]\nname = "openai:tiny"\nbase_url = "{chat.url}"\nprice = [1, 1]\n[measure]\nmin_mass = 0\n'
        text += 'max_cost = 10\n[inventory]\nname = "small.csv"\n[personas]\ncount = 2\n'
        (place / "remote.toml").write_text(text)
        found = run(place / "remote.toml", tmp_path / "run")
    assert len(found.base.personas) == 3 and found.finished
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or b"hidden12345" not in path.read_bytes()


# -- what the killed processes do --------------------------------------------------------------------------------------


def _die_in_a_write(chance: random.Random) -> None:
    """From now on a rename kills this process by chance, before it or after it."""
    replace = os.replace

    def deadly(source: str, target: str) -> None:
        moment = chance.random()
        if moment < 0.05:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if moment > 0.95:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = deadly  # type: ignore[assignment]


def _main(study: str, folder: str) -> None:
    import warnings

    import torch

    import pyvalue.studies.stages

    assert pyvalue.studies.stages
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    kills, missing, chance = 0, [], random.Random(7)
    for turn in range(60):
        child = os.fork()
        if not child:
            code = 1
            try:
                if turn < KILLS:
                    _die_in_a_write(random.Random(turn))
                pv.run_study(study, folder, progress=False)
                code = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(code)
        if turn < KILLS and turn % 2:
            time.sleep(chance.uniform(0.2, 2.0))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            kills += 1
            if (Path(folder) / "study.toml").exists():
                missing.append(pv.load_run(folder).missing)
            continue
        assert os.WEXITSTATUS(status) == 0
        print(json.dumps({"kills": kills, "missing": missing}))
        return
    raise AssertionError("never finished")


if __name__ == "__main__":
    _main(*sys.argv[1:])
