"""The commands one after another on a tiny model: what they leave in files equals what Python computes."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="language models need torch")
from sae_files import write_folder
from typer.testing import CliRunner

import pyvalue as pv
from pyvalue.cli import app
from pyvalue.errors import ModelError, StoreError
from pyvalue.models.edit_json import stored_edits


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: object):
    run = call(*words, "--json")
    assert run.exit_code == 0, run.output
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def parts(tmp_path_factory, tiny_model, tiny_sae, small_inventory):
    """A folder with a model, an SAE and questions, and the answers of 7 personas."""
    folder = tmp_path_factory.mktemp("cli")
    network = copy.deepcopy(tiny_model.network)
    network.lm_head.weight[[i for w in ("Yes", " no") for i in tiny_model.tokenizer(w).input_ids]] *= 2  # few missing
    network.save_pretrained(folder / "model")
    tiny_model.tokenizer.save_pretrained(folder / "model")
    weights = {name: getattr(tiny_sae, name) for name in ("W_enc", "b_enc", "W_dec", "b_dec")}
    place = {"hook_name": "blocks.1.hook_resid_post", "model_name": "tiny", "sae_lens_version": "6.0.0"}
    write_folder(folder / "sae", weights=weights, d_in=64, d_sae=32, metadata=place)
    small_inventory.save(folder / "questions.csv")
    told = answer(*asking(folder), "--out", folder / "base")
    return folder, told


def asking(folder: Path) -> list[object]:
    who = ["--personas", 6, "--dtype", "float32", "--device", "cpu", "--min-mass", 0]
    return ["measure", "--model", folder / "model", "--inventory", folder / "questions.csv", *who]


@pytest.fixture(scope="module")
def planned(parts):
    folder, _ = parts
    answer("discover", folder / "base", "--bootstrap", 20, "--output", folder / "graph.json")
    told = answer(
        "plan", folder / "graph.json", "--raise", "Power", "--keep", "Security", "--base", folder / "base",
        "--model", folder / "model", "--sae", folder / "sae", "--inventory", folder / "questions.csv",
        "--dtype", "float32", "--device", "cpu", "--positions", "all", "--strengths", "0.3,-0.3", "--candidates", 2,
        "--finalists", 1, "--side-items", 1, "--personas", 3, "--output", folder / "plan.json",
    )  # fmt: skip
    return folder, told


def test_measured_answers_are_those_of_python(parts) -> None:
    folder, told = parts
    model = pv.load_model(folder / "model", dtype="float32", device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        responses = pv.measure(
            model, pv.load_inventory(folder / "questions.csv"), pv.make_personas(6, seed=0), min_mass=0
        )
    kept = pv.Responses.load(folder / "base")
    assert kept.table["p_yes"].tolist() == responses.table["p_yes"].tolist()
    assert told["answers"] == len(responses.table) and told["personas"] == list(responses.personas)
    scores = responses.matrix()
    assert [row["Power"] for row in told["scores"]] == pytest.approx(scores["Power"].tolist(), abs=1e-12)


def test_a_second_call_asks_nothing_again(parts) -> None:
    folder, _ = parts
    before = {path: path.stat().st_mtime_ns for path in folder.glob("base/responses/*")}
    run = call(*asking(folder), "--out", folder / "base")
    assert run.exit_code == 0 and f"answers are in {folder / 'base'}" in run.stderr
    assert run.stdout.startswith("Responses(") and "Power" in run.stdout
    assert before == {path: path.stat().st_mtime_ns for path in folder.glob("base/responses/*")}


def test_a_graph_of_a_folder_is_that_of_its_answers(planned) -> None:
    folder, _ = planned
    own = pv.discover(pv.Responses.load(folder / "base"), bootstrap=20).to_dict()
    assert json.loads((folder / "graph.json").read_text(encoding="utf-8")) == json.loads(json.dumps(own))
    pv.Responses.load(folder / "base").save(folder / "answers.parquet")
    assert answer("discover", folder / "answers.parquet", "--bootstrap", 20) == json.loads(json.dumps(own))


def test_the_pilot_is_of_personas_who_did_not_answer(planned) -> None:
    from pyvalue.cli.plan import _pilot

    folder, told = planned
    known = pv.Responses.load(folder / "base").personas
    chosen = _pilot("3", known, 0)
    assert [one.name for one in chosen] == [one.name for one in pv.make_personas(9, seed=0)[7:]]
    assert told["target"] == {"Power": 1} and told["keep"] == ["Security"] and len(told["edits"]) == 1


def test_a_plan_comes_back_whole(planned, tiny_sae) -> None:
    folder, told = planned
    plan = pv.SteeringPlan.load(folder / "plan.json")
    assert json.loads(json.dumps(plan.to_dict())) == told
    assert plan.expected_leakage == plan.expected_leakage_on(None)
    sae = pv.load_sae(folder / "sae")
    edit = plan.edits[0].with_sae(sae)
    assert edit.to_dict() == plan.edits[0].to_dict() and edit.label == plan.edits[0].label
    with pytest.raises(ModelError, match="pass the same SAE"):
        plan.edits[0].with_sae(pv.load_sae("demo"))


def test_steered_answers_and_their_evaluation_are_those_of_python(planned) -> None:
    folder, _ = planned
    words = ["steer", folder / "plan.json", *asking(folder)[1:], "--sae", folder / "sae"]
    answer(*words, "--out", folder / "steered")
    plan = pv.SteeringPlan.load(folder / "plan.json")
    edits = [edit.with_sae(pv.load_sae(folder / "sae")) for edit in plan.edits]
    model = pv.load_model(folder / "model", dtype="float32", device="cpu")
    base, steered = (pv.Responses.load(folder / name) for name in ("base", "steered"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        questions = pv.load_inventory(folder / "questions.csv")
        own = pv.measure(model, questions, pv.make_personas(6, seed=0), edits, min_mass=0)
        outcome = pv.evaluate(plan, base, steered)
    assert steered.table["p_yes"].tolist() == own.table["p_yes"].tolist()
    assert (steered.table["p_yes"] != base.table["p_yes"]).any()
    told = answer("evaluate", folder / "plan.json", folder / "base", folder / "steered", "--output", folder / "e.json")
    assert told == json.loads(json.dumps(outcome.to_dict())) == json.loads((folder / "e.json").read_text())
    again = pv.Evaluation.load(folder / "e.json")
    assert str(again) == str(outcome) and (again.effects.dtypes == outcome.effects.dtypes).all()
    assert call("evaluate", folder / "plan.json", folder / "base", folder / "steered").stdout == f"{outcome}\n"

    parts = [folder / name for name in ("e.json", "steered", "graph.json", "plan.json", "base")]
    page = answer("report", *parts, "--output", folder / "page")
    assert page["parts"] == ["Evaluation", "Responses", "ValueGraph", "SteeringPlan", "Responses"]
    assert Path(page["page"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_an_unfinished_run_is_drawn_with_what_it_lacks(planned) -> None:
    folder, _ = planned
    run = folder / "run"
    run.mkdir()
    shutil.copytree(folder / "base", run / "base")
    drawn = call("report", run)
    assert drawn.exit_code == 0 and drawn.stdout == f"{run / 'report' / 'index.html'}\n"
    missing = pv.load_run(run).missing
    assert missing and all(f"note: missing: {one}" in drawn.stderr for one in missing)


def test_texts_are_those_of_the_model_with_and_without_edits(planned) -> None:
    folder, _ = planned
    (folder / "prompts.txt").write_text("Should I rest?\n\n  May I lie?\n", encoding="utf-8")
    told = answer(
        "steer", folder / "plan.json", "--prompts", folder / "prompts.txt", "--prompt", "Who are you?",
        "--model", folder / "model", "--sae", folder / "sae", "--dtype", "float32", "--device", "cpu",
        "--max-new-tokens", 6,
    )  # fmt: skip
    assert [row["prompt"] for row in told] == ["Who are you?", "Should I rest?", "May I lie?"]
    model = pv.load_model(folder / "model", dtype="float32", device="cpu")
    plan = pv.SteeringPlan.load(folder / "plan.json")
    edits = [edit.with_sae(pv.load_sae(folder / "sae")) for edit in plan.edits]
    for row in told:
        turns = [{"role": "user", "content": row["prompt"]}]
        prompt = model.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        assert row["unsteered"] == model.generate([prompt], max_new_tokens=6, do_sample=False)[0].strip()
        with model.edit(edits):
            assert row["steered"] == model.generate([prompt], max_new_tokens=6, do_sample=False)[0].strip()


def test_edits_of_a_file_act_together_or_apart(parts) -> None:
    folder, _ = parts
    one = {"feature": 3, "op": "add", "strength": 4.0, "positions": {"indices": [-1]}}
    other = {"feature": 5, "op": "ablate", "name": "mute"}
    (folder / "edits.json").write_text(json.dumps({"": [], "both": [one, other], "mute": [other]}))
    words = [*asking(folder), "--personas", 1, "--edits", folder / "edits.json", "--out", folder / "edited"]
    missing = call(*words)
    assert missing.exit_code == 1 and "--sae demo" in missing.stderr
    told = answer(*words, "--sae", folder / "sae")
    assert told["edits"] == ["", "both", "mute"]


def test_a_study_runs_to_what_its_folder_holds(parts) -> None:
    folder, _ = parts
    study = folder / "study.toml"
    study.write_text(
        '[model]\nname = "model"\ndtype = "float32"\ndevice = "cpu"\n[inventory]\nname = "questions.csv"\n'
        "[personas]\ncount = 6\n[measure]\nmin_mass = 0\n[discover]\nbootstrap = 0\n"
    )
    told = answer("run", study, "--folder", folder / "study-run")
    kept = pv.Responses.load(folder / "study-run" / "base")
    own = pv.Responses.load(folder / "base")
    assert kept.table["p_yes"].tolist() == own.table["p_yes"].tolist()
    assert told["folder"] == str(folder / "study-run") and told["evaluation"] is None
    assert (folder / "study-run" / "graph.json").is_file()
    study.write_text(study.read_text().replace("count", "cuont"))
    wrong = call("run", study)
    assert wrong.exit_code == 1 and "study.toml:8: personas.cuont: unknown key" in wrong.stderr


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"a": 1}, "expected a list of edits"),
        ([3], r"edits\[0\]: expected an object"),
        ([{"feature": 3, "strenght": 1}], "unknown key 'strenght'"),
    ],
)
def test_wrong_edits_are_named(entries: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        stored_edits(entries, "edits")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"target": {}, "predicted": {}, "edits": []}', "[" * 100_000])
def test_what_is_no_plan_is_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(StoreError, match=r"p\.json"):
        pv.SteeringPlan.load(tmp_path / "p.json")
    with pytest.raises(StoreError, match=r"p\.json"):
        pv.Evaluation.load(tmp_path / "p.json")


def test_ctrl_c_ends_a_run_that_goes_on_when_repeated(parts, tmp_path: Path) -> None:
    folder, _ = parts
    words = [*map(str, asking(folder)), "--out", str(tmp_path / "long")]
    words[words.index("--personas") + 1] = "400"
    command = [sys.executable, "-m", "pyvalue", *words]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("long/responses/part-*.parquet")) and time.monotonic() < deadline:
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    out, errors = run.communicate(timeout=60)
    assert run.returncode == 130 and out == ""
    assert "run the same command again" in errors and "Traceback" not in errors
    assert not list(tmp_path.rglob(".*.part"))
