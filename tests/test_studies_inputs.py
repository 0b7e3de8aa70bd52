"""A run goes on only with what it was begun with, and only from what it wrote itself."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from study_runs import STUDY, results, run, write

import pyvalue as pv
from pyvalue.errors import ClusterError, StoreError
from pyvalue.studies import run as runs
from pyvalue.studies import stages
from pyvalue.studies.run_manifest import RunManifest

WHO = '[personas]\nfile = "people.json"\n'


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model, tiny_sae, small_inventory) -> Path:
    """A folder with a study, everything that it names, and its finished run."""
    folder = tmp_path_factory.mktemp("inputs")
    text = STUDY.replace("[personas]\ncount = 9\n", WHO).replace("bootstrap = 20", "bootstrap = 0")
    study = write(folder, tiny_model, tiny_sae, small_inventory, text.replace("personas = 6", "personas = 4"))
    people = {one.name: one.text for one in pv.make_personas(8, seed=1) if one.text}
    (folder / "people.json").write_text(json.dumps(people))
    assert run(study, folder / "study-run").finished
    return folder


@pytest.fixture
def place(whole, tmp_path) -> Path:
    """The same, moved elsewhere."""
    return Path(shutil.copytree(whole, tmp_path / "moved"))


def again(place: Path) -> pv.Run:
    return run(place / "study.toml", place / "study-run")


def change_tensor(path: Path, name: str) -> None:
    tensors = load_file(path)
    tensors[name] = tensors[name] * 1.5
    save_file(tensors, path, {"format": "pt"})


def change_personas(place: Path) -> None:
    people = json.loads((place / "people.json").read_text())
    first = next(iter(people))
    (place / "people.json").write_text(json.dumps({**people, first: "You are somebody else."}))


CHANGES = {
    "model.weights": lambda place: change_tensor(place / "model" / "model.safetensors", "lm_head.weight"),
    "plan.sae": lambda place: change_tensor(place / "sae" / "sae_weights.safetensors", "W_dec"),
    "personas": change_personas,
    "inventory": lambda place: (place / "small.csv").write_text(
        (place / "small.csv").read_text().replace("?", " now?", 1)
    ),
}


def never(*_: object, **__: object) -> None:
    raise AssertionError("a model was asked")


@pytest.mark.parametrize("stopped", [False, True], ids=["deleted", "stopped before"])
@pytest.mark.parametrize("name", CHANGES)
def test_other_materials_are_refused_before_anything_is_asked(place, monkeypatch, name, stopped):
    folder = place / "study-run"
    shutil.rmtree(folder / "steered")
    if stopped:
        manifest = json.loads((folder / "manifest.json").read_text())
        for stage in ("steer", "evaluate", "audit"):
            del manifest["stages"][stage]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    CHANGES[name](place)
    monkeypatch.setattr(stages, "measure", never)
    with pytest.raises(StoreError, match=rf"was made with others.*differs in: {name}\b"):
        again(place)
    assert not (folder / "steered").exists()


def test_a_moved_study_goes_on_and_asks_nothing_twice(whole, place):
    folder = place / "study-run"
    asked = {part: part.stat().st_mtime_ns for part in folder.glob("base/responses/*")}
    sorted(folder.glob("steered/responses/*"))[-1].unlink()
    (folder / "audit.json").unlink()
    (folder / "base" / "responses" / "part-000002.parquet").unlink()
    assert again(place).finished
    assert results(folder) == results(whole / "study-run")
    assert [part.name for part in asked if part.stat().st_mtime_ns != asked[part]] == ["part-000002.parquet"]


def test_edited_answers_are_refused(place):
    parts = sorted(place.glob("study-run/base/responses/*"))
    shutil.copy(parts[1], parts[0])
    for read in (lambda: again(place), lambda: pv.load_run(place / "study-run")):
        with pytest.raises(StoreError, match="base is not what the run wrote"):
            read()
    (place / "study-run" / "audit.json").unlink()
    with pytest.raises(StoreError, match="base is not what the run wrote"):
        again(place)


def test_deleted_nulls_are_made_again_with_their_audit(whole, place):
    nulls = place / "study-run" / "audit-nulls.parquet"
    nulls.unlink()
    assert pv.load_run(place / "study-run").audit.nulls == {}
    assert len(again(place).audit.nulls) > 0
    assert nulls.read_bytes() == (whole / "study-run" / "audit-nulls.parquet").read_bytes()


def test_a_kill_between_stages_leaves_nothing_made_of_older_results(whole, place, monkeypatch, tmp_path):
    """The graph comes out otherwise, and the run is killed before the stage after it has begun."""
    folder, usual = place / "study-run", stages.STAGES["discover"]

    def other_graph(work):
        yield from usual(work)
        pv.discover(work.base, alpha=0.9, test="fisherz").save(work.folder / "graph.json")

    monkeypatch.setattr(stages, "STAGES", {**stages.STAGES, "discover": other_graph})
    monkeypatch.setattr(runs, "STAGES", stages.STAGES)
    other = Path(shutil.copytree(place, tmp_path / "other"))
    for one in (place, other):
        (one / "study-run" / "graph.json").unlink()
    record = runs._Run._record

    def die_before_the_plan(self, stage, **told):
        if stage == "plan":
            raise SystemExit
        record(self, stage, **told)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(runs._Run, "_record", die_before_the_plan)
        again(place)
    assert RunManifest.load(folder).stages["discover"]["status"] == "done"
    half = pv.load_run(folder)
    assert half.graph is not None and half.plan is half.steered is half.evaluation is half.audit is None
    assert "What is in plan.json was made from earlier results; run the study again." in half.missing
    assert again(place).finished and again(other).finished
    assert results(folder) == results(other / "study-run")
    assert results(folder)["graph.json"] != results(whole / "study-run")["graph.json"]


def test_a_stage_that_failed_does_not_bind(place):
    """An SAE that did not fit may be put right."""
    folder, weights = place / "study-run", place / "sae" / "sae_weights.safetensors"
    shutil.rmtree(folder)
    good = weights.read_bytes()
    tensors = load_file(weights)
    save_file({name: tensor[:, :3].contiguous() if tensor.ndim > 1 else tensor for name, tensor in tensors.items()},
              weights)  # fmt: skip
    with pytest.raises(pv.ModelError):
        again(place)
    assert RunManifest.load(folder).stages["plan"]["status"] == "failed"
    weights.write_bytes(good)
    assert again(place).finished


def test_given_edits_keep_their_autoencoder(place, monkeypatch):
    head = (place / "study.toml").read_text().split("[plan]")[0]
    edit = '[[edits]]\nop = "add"\nfeature = 1\nstrength = 0.3\nunit = "relative"\n'
    steer = '[steer]\npersonas = 3\nsae = "sae"\n'
    (place / "own.toml").write_text(f'{head}[plan]\nraise = ["Power"]\n{steer}{edit}[evaluate]\n')
    assert run(place / "own.toml", place / "own-run").finished
    shutil.copytree(place / "own-run", place / "other-run")
    shutil.rmtree(place / "own-run" / "steered")
    (place / "other-run" / "plan.json").unlink()
    CHANGES["plan.sae"](place)
    monkeypatch.setattr(stages, "measure", never)
    for folder in ("own-run", "other-run"):
        with pytest.raises(StoreError, match=r"differs in: edits\[0\]\.sae"):
            run(place / "own.toml", place / folder)


def test_a_reference_is_that_of_the_study(place, monkeypatch):
    def page(parts, folder, reference=None, **_):
        (folder / "index.html").parent.mkdir(exist_ok=True)
        (folder / "index.html").write_text("none" if reference is None else repr(reference))
        return folder / "index.html"

    monkeypatch.setattr(stages, "report", page)
    folder, text = place / "study-run", (place / "study.toml").read_text()
    base = pv.load_run(folder).base
    first, second = (pv.discover(base, alpha=alpha) for alpha in (0.01, 0.9))
    assert first != second
    first.save(place / "reference.json")
    (place / "study.toml").write_text(f'{text}[report]\nreference = "reference.json"\n')
    assert again(place).reference == first
    (folder / "report" / "index.html").write_text("edited")
    again(place)
    assert (folder / "report" / "index.html").read_text() == "edited"  # a page may be
    second.save(place / "reference.json")
    assert again(place).reference == second
    assert (folder / "report" / "index.html").read_text() == repr(second)
    (place / "study.toml").write_text(f"{text}[report]\n")
    assert again(place).reference is None and not (folder / "reference.json").exists()
    assert (folder / "report" / "index.html").read_text() == "none"


# -- what is not the run's -------------------------------------------------------------------------------------------


def test_a_refused_folder_keeps_what_is_in_it(place):
    kept = [place / "study-run" / name for name in (".notes.tmp", ".graph.json.0123abcd.part", ".x.part")]
    for path in kept:
        path.write_text("mine")
    (place / "other.toml").write_text((place / "study.toml").read_text().replace("pilot = 2", "pilot = 3"))
    with pytest.raises(StoreError, match="belongs to another study"):
        run(place / "other.toml", place / "study-run")
    assert all(path.read_text() == "mine" for path in kept)
    # Of its own run, what a kill left goes, and nothing else.
    again(place)
    assert [path.exists() for path in kept] == [True, False, True]


def test_nothing_is_deleted_through_links(place, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".index.html.0123abcd.part").write_text("mine")
    (place / "study-run" / "report").symlink_to(outside)
    with pytest.raises(StoreError, match="leads out of the folder"):
        again(place)
    assert (outside / ".index.html.0123abcd.part").exists()


def test_another_study_in_the_folder_of_a_run_is_told(place):
    copy = place / "study-run" / "study.toml"
    text = copy.read_text()
    copy.write_text(text.replace("permutations = 20", "permutations = 30"))
    with pytest.raises(StoreError, match=r"not the study that was run \(differs in: audit\.permutations\)"):
        pv.load_run(place / "study-run")
    copy.write_text(f"# a note\n{text}")
    assert pv.load_run(place / "study-run").finished


def test_a_finished_run_is_read_where_nothing_can_be_written(place, monkeypatch):
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    monkeypatch.setattr(runs, "open_lock", never)
    assert again(place).finished
    (place / "study-run" / "audit.json").unlink()
    with pytest.raises(StoreError, match=r"cannot be written, and is not finished \(left: audit\)"):
        again(place)


def test_a_cluster_that_does_not_answer_is_told_before_a_model_is_loaded(place, monkeypatch):
    def nobody(engine):
        raise ClusterError(f"nothing answers at {engine.address}")

    monkeypatch.setattr(runs, "connected", nobody)
    monkeypatch.setattr("pyvalue.studies.materials.load_model", never)
    engine = pv.RayEngine("there:1")
    assert pv.run_study(place / "study.toml", place / "study-run", engine=engine, progress=False).finished
    shutil.rmtree(place / "study-run" / "base")
    with pytest.raises(ClusterError, match="there:1"):
        pv.run_study(place / "study.toml", place / "study-run", engine=engine, progress=False)
