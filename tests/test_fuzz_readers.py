"""Damaged and hostile files: every reader gives an object or an error that can be shown, and nothing else.

A short run of the fuzzer (``python -m tests.fuzz`` runs it as long as one likes), and every input that a long run found
something with, small as it can be made.
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="half of the readers are of SAEs")

from fuzz import seeds
from fuzz.campaign import campaign
from fuzz.guard import Deeds, outcome
from fuzz.readers import Reader, readers

import pyvalue as pv
from pyvalue.effects.value_effects import Effects
from pyvalue.errors import ModelError, StoreError
from pyvalue.evaluation.ess import load_ess
from pyvalue.evaluation.paper_files import read_paper_files
from pyvalue.evaluation.prediction import Evaluation
from pyvalue.evaluation.reference_graphs import load_reference_graphs
from pyvalue.graph import ValueGraph
from pyvalue.measurement.manifest import Manifest
from pyvalue.responses import Responses
from pyvalue.steering.plan import SteeringPlan
from pyvalue.steering.sweep_table import load_sweep
from pyvalue.wide_scores import score_rows

DEEP = b"[" * 100_000
EVERY = {reader.name: reader for reader in readers()}
DEEDS = Deeds()


@pytest.mark.parametrize("name", EVERY)
def test_a_short_run_finds_nothing(tmp_path, name):
    reader = EVERY[name]
    tally = campaign(reader, max(20, int(60 * reader.share)), 1, tmp_path, DEEDS)
    assert tally.findings == {}, tally.outcomes
    assert tally.outcomes["refused"] > 0, "damage that nobody notices tests nothing"


@pytest.mark.parametrize("name", EVERY)
def test_undamaged_files_are_read(tmp_path, name):
    reader = EVERY[name]
    for number, content in enumerate(reader.whole):
        if content == seeds.ENTITIES:
            continue  # refused, as it should be
        tally = campaign(_undamaged(reader, content), 1, 0, tmp_path / str(number), DEEDS)
        assert tally.outcomes["read"] == 1, tally.findings


def _undamaged(reader: Reader, content: bytes) -> Reader:
    return Reader(reader.name, reader.file, (content,), lambda random, data, others: data, reader.read, reader.beside)


# -- that the fuzzer finds what it looks for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (KeyError("x"), "raised KeyError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "raised UnicodeDecodeError"),
        (pa.ArrowInvalid("x"), "raised ArrowInvalid"),
        (RecursionError("x"), "raised RecursionError"),
        (ValueError(""), "no message"),
        (ValueError("x" * 100_000), "long message"),
        (StoreError("\x1b]0;owned\x07"), "unprintable message"),
        (ValueError("\u202eevil"), "unprintable message"),
        (ValueError("column 'x' is missing"), "refused"),
    ],
)
def test_outcomes_are_told_apart(tmp_path, fault, kind):
    def read(_):
        raise fault

    assert outcome(read, tmp_path)[0] == kind


def test_writing_and_connecting_are_noticed(tmp_path):
    (tmp_path / "file").write_text("x")
    for read in (lambda p: p.write_text("y"), lambda p: p.unlink(), lambda p: os.mkdir(p.parent / "new")):
        assert outcome(read, tmp_path / "file", DEEDS)[0] == "deed"
    assert outcome(lambda p: p.parent.stat(), tmp_path / "file", DEEDS) == ("read", "")


def test_hangs_and_memory_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("fuzz.guard.SECONDS", 0.2)

    def for_ever(_):
        while True:
            pass

    assert outcome(for_ever, tmp_path)[0] == "hang"
    monkeypatch.setattr("fuzz.guard.SECONDS", 60.0)
    monkeypatch.setattr("fuzz.guard.MEGABYTES", 20)
    assert outcome(lambda _: np.ones(64 << 20, np.uint8).sum(), tmp_path)[0] == "memory"


# -- what long runs found -------------------------------------------------------------------------------------------


def parquet(columns: dict, metadata: dict | None = None) -> bytes:
    out = io.BytesIO()
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **(metadata or {})}), out)
    return out.getvalue()


def answers(**metadata: bytes) -> bytes:
    table = seeds.answers().table
    return parquet({name: table[name].tolist() for name in table.columns}, {k.encode(): v for k, v in metadata.items()})


@pytest.mark.parametrize(
    "content",
    [
        DEEP,
        b'{"names": 1, "schema_version": 1}',
        b'{"schema_version": 1, "names": ["\\ud800"], "edges": [], "settings": {"alpha": 1, "n": 1}, '
        b'"separating_sets": [], "excluded": {}, "notes": []}',
        b'{"schema_version": 1, "names": ["\\u001b]0;owned\\u0007"], "edges": [{"source": "\\u001b[2J", "target": "b", '
        b'"edge": "directed"}], "settings": {"alpha": 1, "n": 1}, "separating_sets": [], "excluded": {}, "notes": []}',
        b"\xff\xfe",
        b"",
    ],
)
@pytest.mark.parametrize("load", [ValueGraph.load, Effects.load, SteeringPlan.load, Evaluation.load])
def test_json_of_results(tmp_path, load, content):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(StoreError) as told:
        load(path)
    assert str(told.value).isprintable() and len(str(told.value)) < 2500


@pytest.mark.parametrize("count", [-1, 2**32, 10**400, "x", None, [1]])
def test_counts_of_a_bootstrap(tmp_path, count):
    graph, _ = seeds.graph()
    data = graph.to_dict()
    data["bootstrap"]["directed"][0][1] = count
    (tmp_path / "graph.json").write_text(json.dumps(data))
    with pytest.raises(StoreError, match="not a saved ValueGraph"):
        ValueGraph.load(tmp_path / "graph.json")
    data["bootstrap"] = count
    (tmp_path / "graph.json").write_text(json.dumps(data))
    if count is not None:
        with pytest.raises(StoreError, match="bootstrap must be an object"):
            ValueGraph.load(tmp_path / "graph.json")


@pytest.mark.parametrize("content", [DEEP, b"\xff", b"{", b'{"edges": {"a": [["\\u001b", "\\u001b"]]}}'])
def test_graphs_of_others(tmp_path, content):
    (tmp_path / "graphs.json").write_bytes(content)
    (tmp_path / "ans_m_train_formal.csv").write_bytes(b"steer_dim,player_name,a,b\n,A,0,1\n,B,1,0\n")
    with pytest.raises(ValueError, match=r"graphs\.json") as told:
        load_reference_graphs(tmp_path / "graphs.json")
    assert type(told.value) is ValueError and str(told.value).isprintable()
    if content[:1] != b"{" or content == b"{":
        with pytest.raises(ValueError, match=r"graphs\.json") as told:
            read_paper_files(tmp_path)
        assert type(told.value) is ValueError


@pytest.mark.parametrize(
    "content", [DEEP, b'{"schema": 2, "study": []}x', b'{"schema": 2, "study": {}, "command": 7}', b"[]"]
)
def test_manifests(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    (tmp_path / "part-000000.parquet").write_bytes(answers())
    with pytest.raises(StoreError, match=r"manifest .* cannot be read"):
        Manifest.load(tmp_path)
    if b"command" not in content:
        with pytest.raises(StoreError, match=r"manifest .* cannot be read"):
            Responses.load(tmp_path)


@pytest.mark.parametrize("metadata", [{"pandas": b"[]"}, {"pandas": b'{"columns": 7}'}, {"pandas": DEEP},
    {"pandas": b"\xff"},
                                      {"pyvalue": DEEP}, {"pyvalue": b"[]"}, {"pyvalue": b"x"}])  # fmt: skip
def test_metadata_of_parquet(tmp_path, metadata):
    path = tmp_path / "answers.parquet"
    path.write_bytes(answers(**metadata))
    for load in (Responses.load, score_rows, pv.discover, load_sweep):
        with pytest.raises((StoreError, ValueError)) as told:
            load(path)
        assert type(told.value) in (StoreError, ValueError) and str(told.value).strip()


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.dictionary(pa.int32(), pa.string()), pa.binary()])
def test_columns_of_other_types(tmp_path, kind):
    table = pa.table({name: seeds.answers().table[name].tolist() for name in seeds.answers().table.columns})
    cells = [[text] if pa.types.is_list(kind) else text for text in table["persona"].to_pylist()]
    table = table.set_column(table.column_names.index("persona"), "persona", pa.array(cells, type=kind))
    pq.write_table(table, tmp_path / "answers.parquet")
    for load in (Responses.load, score_rows, load_sweep):
        try:
            load(tmp_path / "answers.parquet")
        except (StoreError, ValueError, TypeError) as told:
            assert type(told) in (StoreError, ValueError, TypeError)


@pytest.mark.parametrize("content", [b"", b"\n\n", b'"', b"\xff\xfe", b"a,b\n\xff,1\n", b"idno\n1,2,3\n", b"\x00"])
def test_surveys(tmp_path, content):
    (tmp_path / "ess.csv").write_bytes(content)
    with pytest.raises(ValueError, match="path") as told:
        load_ess(tmp_path / "ess.csv")
    assert type(told.value) is ValueError


def test_numbers_of_a_survey_that_no_float_can_hold(tmp_path):
    table = pd.read_csv(io.BytesIO(seeds.survey())).astype(object)
    table.loc[1, "ipcrtiva"] = "9" * 400
    table.to_csv(tmp_path / "ess.csv", index=False)
    with pytest.raises(ValueError, match="too large") as told:
        load_ess(tmp_path / "ess.csv", weights="anweight")
    assert type(told.value) is ValueError


def test_names_that_are_too_long_for_a_file(tmp_path):
    with pytest.raises(ValueError, match="no such file") as told:
        pv.load_inventory("a" * 5000)
    assert type(told.value) is ValueError and len(str(told.value)) < 500
    pv.write_study(tmp_path / "study.toml")
    for key in ("inventory", "personas"):
        (tmp_path / "study.toml").write_text(
            f'[model]\nname = "{"a" * 5000}"\n[{key}]\n{NAMED[key]} = "{"b" * 5000}"\n'
        )
        with pytest.raises(ValueError, match=r"study\.toml:2"):
            pv.load_study(tmp_path / "study.toml")


NAMED = {"inventory": "name", "personas": "file"}


def test_a_contradiction_is_told_without_control_characters(tmp_path):
    (tmp_path / "own.csv").write_text(
        "questionnaire,item,value,agreement,question\na,i,\x1b[2J,1,Q?\na,j,\x1b[2J,-1,Q?\n", encoding="utf-8"
    )
    with pytest.raises(ValueError, match="both 1 and -1") as told:
        pv.load_inventory(tmp_path / "own.csv")
    assert str(told.value).isprintable()


def test_messages_and_warnings_show_no_control_characters(tmp_path):
    head = "questionnaire,item,value,agreement,question\n"
    (tmp_path / "own.csv").write_text(head + '\x1b]0;owned\x07,"",V,7,Q?\n' + "x" * 9000, encoding="utf-8")
    with pytest.raises(ValueError, match="agreement") as told:
        pv.load_inventory(tmp_path / "own.csv")
    assert str(told.value).isprintable()
    (tmp_path / "own.csv").write_text("\x1b[2J" * 5000, encoding="utf-8")
    with pytest.raises(ValueError, match="missing columns") as told:
        pv.load_inventory(tmp_path / "own.csv")
    assert str(told.value).isprintable() and len(str(told.value)) < 5000
    (tmp_path / "own.csv").write_text(head + "a,i,\x1b[31mred\u202e,1,Q?\n", encoding="utf-8")
    with pytest.warns(UserWarning) as noted:
        pv.load_inventory(tmp_path / "own.csv")
    assert all(str(one.message).isprintable() for one in noted) and "\\x1b" in str(noted[0].message)


@pytest.mark.parametrize("settings", [{"k": 10**300}, {"d_in": "x" * 50_000}, {"architecture": "\x1b[2J" * 9000}])
def test_settings_of_saes(tmp_path, settings):
    files = seeds.sae_files()
    (tmp_path / "sae_weights.safetensors").write_bytes(files["safetensors"])
    (tmp_path / "cfg.json").write_text(json.dumps(json.loads(files["cfg"]) | {"architecture": "topk"} | settings))
    with pytest.raises(ModelError) as told:
        pv.load_sae(tmp_path)
    assert str(told.value).isprintable() and len(str(told.value)) < 2500


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ("(2000000000, 2000000000)", "<f8"),
        ("(10000000000,)", "<f4"),
        ("(-1,)", "<f4"),
        ("(6, 10)", "|O"),
        ("()", "<f8"),
    ],
)
def test_headers_of_arrays_that_ask_for_more_than_there_is(tmp_path, shape, kind):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\x00" * 64
    with zipfile.ZipFile(tmp_path / "params.npz", "w") as archive:
        for name in ("W_enc", "W_dec", "b_enc", "b_dec", "threshold"):
            archive.writestr(f"{name}.npy", array)
    kind_of_outcome, what = outcome(
        lambda p: pv.load_sae(p, hook="blocks.2.hook_resid_post"), tmp_path / "params.npz", DEEDS
    )
    assert kind_of_outcome == "refused", what


def test_an_archive_that_would_fill_the_memory(tmp_path):
    with zipfile.ZipFile(io.BytesIO(seeds.sae_files()["npz"])) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (67108864,), }".ljust(117) + "\n"
    members["b_dec.npy"] = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(1 << 28)
    with zipfile.ZipFile(tmp_path / "params.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ModelError, match="would unpack to"):
        pv.load_sae(tmp_path / "params.npz", hook="blocks.2.hook_resid_post")


def test_tables_of_plans_that_cannot_be_printed(tmp_path):
    graph, table = seeds.graph()
    plan = seeds.plan(graph, None).to_dict()
    for wrong in ([{"value": "Security"}], [{"minimum": 1}], [{**plan["unit_changes"][1], "value": "Other"}]):
        (tmp_path / "plan.json").write_text(json.dumps(plan | {"unit_changes": wrong}))
        with pytest.raises(StoreError, match="plan"):
            SteeringPlan.load(tmp_path / "plan.json")
    evaluation = seeds.evaluation().to_dict()
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation | {"summary": evaluation["summary"][1:]}))
    with pytest.raises(StoreError, match="evaluation"):
        Evaluation.load(tmp_path / "evaluation.json")
    assert isinstance(table, pd.DataFrame)


@pytest.mark.parametrize("content", [b"\xff", b"digraph { \x1b]0;owned\x07 -> ", "digraph { \u202e".encode()])
def test_dot(tmp_path, content):
    (tmp_path / "graph.dot").write_bytes(content)
    with pytest.raises(ValueError, match=r"(?s).+") as told:
        ValueGraph.from_dot(tmp_path / "graph.dot")
    assert type(told.value) is ValueError and str(told.value).isprintable()


@pytest.mark.parametrize("content", [seeds.ENTITIES, seeds.GRAPHML.replace(b"UTF-8", b"x-none"), b"<a>" * 5000, b"<a"])
def test_graphml(tmp_path, content):
    (tmp_path / "graph.graphml").write_bytes(content)
    with pytest.raises(StoreError, match=r"(?s).+"):
        ValueGraph.from_graphml(tmp_path / "graph.graphml")
