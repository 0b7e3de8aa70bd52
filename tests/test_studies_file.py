"""Reading a study: every fault has its file, line and key, says what was expected and what came, and never a secret."""

from __future__ import annotations

import dataclasses
import re
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyvalue as pv
from pyvalue.studies.study import EDIT_OPS, EDIT_UNITS, INNER, TABLES
from pyvalue.studies.study_errors import StudyError
from pyvalue.studies.study_file import entries_of, read_study
from pyvalue.studies.template import TEMPLATE

MODEL = '[model]\nname = "smollm2-135m-instruct"\n'
PLAN = '[discover]\n[plan]\nraise = ["Power"]\n'
SAE = PLAN + 'sae = "demo"\n'


def faults(text, tmp_path):
    """What is wrong with a study that has a good model on its first two lines."""
    file = tmp_path / "study.toml"
    file.write_text(MODEL + text, encoding="utf-8")
    with pytest.raises(ValueError) as refused:
        pv.load_study(file)
    assert isinstance(refused.value, StudyError)
    for line, fault in zip(str(refused.value).splitlines(), refused.value.faults, strict=False):
        assert line.startswith(f"{file}:{fault.line}: {fault.key}")
    return refused.value.faults


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        # names
        ("[personas]\ncuont = 3", 4, "personas.cuont", "did you mean count?"),
        ("[persona]\ncount = 3", 3, "persona", "did you mean [personas]?"),
        ("\n[measure]\n\nbootstrap = 3", 6, "measure.bootstrap", "belongs into [discover]"),
        ("[measure.desgin]\nwordings = 2", 3, "measure.desgin", "did you mean design?"),
        ("[measure]\ndesign.wordigns = 2", 4, "measure.design.wordigns", "did you mean wordings?"),
        ('[[edits]]\nop="add"\nfeature=1\nstrength=1\nsae="demo"\n[[edits]]\nop="add"\nfeatur=2', 10, "edits[1].featur",
         "did you mean feature?"),
        # kinds and ranges
        ('[personas]\ncount = "many"', 4, "personas.count", 'expected a whole number of at least 0, got "many"'),
        ("[personas]\ncount = true", 4, "personas.count", "got true"),
        ("[personas]\ncount = 3.0", 4, "personas.count", "expected a whole number"),
        ("[personas]\n# note\ncount = -1", 5, "personas.count", "got -1"),
        ('[measure]\nmode = "scores"', 4, "measure.mode", 'did you mean "score"?'),
        ("[discover]\nalpha = 1.0", 4, "discover.alpha", "above 0 and below 1"),
        ("[discover]\nalpha = nan", 4, "discover.alpha", "got nan"),
        ('[measure.design]\norders = ["yes-no", "maybe"]', 4, "measure.design.orders", 'entry 2 is "maybe"'),
        (SAE + "strengths = [0.3, 0]", 7, "plan.strengths", "entry 2 is 0"),
        (SAE + 'positions = "your values"', 7, "plan.positions", '{ span = "your values" }'),
        (SAE + "positions = { indices = [] }", 7, "plan.positions", "indices"),
        (PLAN + 'sae = { release = "x" }', 6, "plan.sae", "release and sae_id"),
        ("personas = 3", 3, "model.personas", "unknown key"),
        ('[[measure]]\nmode = "score"', 3, "measure", "expected a table"),
        ("[edits]\nfeature = 3", 3, "edits", "[[edits]]"),
        # contradictions
        ('[measure]\nmode = "score"\ntemperature = 0.7', 5, "measure.temperature", "written answers"),
        ("[measure.design]\nrepeats = 2", 4, "measure.design.repeats", "the same probabilities every time"),
        ('[measure]\nmode = "generate"\n[measure.design]\nrepeats = 2', 6, "measure.design.repeats", "temperature 0"),
        ('[measure]\nmode = "free"', 3, "measure.judge", "rates free answers"),
        ("[measure]\nmax_cost = 2", 4, "measure.max_cost", "behind a server"),
        ('[personas]\nfile = "x.json"\ncount = 3', 5, "personas.count", "read from a file"),
        ('[personas]\nkey = "bio2"', 4, "personas.key", "give file as well"),
        ("[personas]\ncount = 0\ninclude_none = false", 4, "personas.count", "nobody would be asked"),
        ('[plan]\nraise = ["Power"]', 3, "plan", "needs [discover]"),
        ("[discover]\n[plan]", 4, "plan.raise", "at least one value"),
        ('[discover]\n[plan]\nraise = ["Power"]\nlower = ["Power"]', 6, "plan.lower", "at once"),
        ('[discover]\n[plan]\nraise = ["Power"]\nkeep = ["Power"]', 6, "plan.keep", "at once"),
        ('[discover]\n[plan]\nraise = ["Pwoer"]', 5, "plan.raise", 'did you mean "Power"?'),
        (PLAN + "candidates = 3", 6, "plan.candidates", "give plan.sae"),
        (PLAN + "[steer]", 6, "steer", "needs edits"),
        (SAE + '[[edits]]\nop="ablate"\nfeature=1\nsae="demo"', 7, "edits", "contradicts plan.sae"),
        (SAE + "[steer]\npersonas = 99", 8, "steer.personas", "at most the 31"),
        ('[[edits]]\nop = "ablate"\nfeature = 1', 3, "edits[0].sae", "steer.sae"),
        ('[[edits]]\nop = "add"\nfeature = 1\nsae = "demo"', 3, "edits[0].strength", "needs"),
        ('[[edits]]\nop = "splice"\nfeature = 1\nsae = "demo"', 4, "edits[0].op", "no feature"),
        ("[evaluate]", 3, "evaluate", "needs"),
        ("[discover]\nbootstrap = 0\nscheme = 'naive'", 5, "discover.scheme", "replicates"),
        ("[discover]\nscheme = 'm-of-n'", 4, "discover.scheme", "replicate_size"),
        ("[discover.knowledge]\ntiers = [['a'], ['a']]", 3, "discover.knowledge", "twice"),
        ("[engine]\nworkers = 3", 4, "engine.workers", 'kind is "local"'),
        ("[inventory]\nper_value = 4000", 4, "inventory.per_value", "fewer than the 4000"),
        ("[inventory]\ncontent_free = 4", 4, "inventory.content_free", "per_value"),
        # what is not there
        ('[inventory]\nname = "potrait"', 4, "inventory.name", "portrait"),
        ('[inventory]\nvalues = ["Pwoer"]', 4, "inventory.values", "Power"),
        ('[personas]\nfile = "people.json"', 4, "personas.file", "which is no file"),
        ('[report]\nreference = "graf.json"', 4, "report.reference", "which is no file"),
        (PLAN + 'sae = "no-such-sae"', 6, "plan.sae", "not there"),
        # TOML itself
        ("[personas]\ncount = \n", 4, "", "is no TOML"),
        ("[personas]\ncount = 3\ncount = 4\n", 5, "", "is no TOML"),
        ("[personas", 3, "", "is no TOML"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(text, line, key, words, tmp_path):
    found = [fault for fault in faults(text, tmp_path) if fault.key == key]
    assert found, faults(text, tmp_path)
    assert found[0].line == line
    assert words in found[0].text


def test_all_faults_are_told_at_once_by_line(tmp_path):
    found = faults('[personas]\ncount = "x"\nseed = "y"\n[nonsense]\n[measure]\nmode = 3', tmp_path)
    assert [fault.line for fault in found] == [4, 5, 6, 8]


def test_a_model_is_needed_and_found(tmp_path):
    file = tmp_path / "study.toml"
    for text, words in [
        ("", "expected a table [model]"),
        ("[model]", "has no name"),
        ('[model]\nname = "smollm2-135m-instrukt"', 'did you mean "smollm2-135m-instruct"?'),
        ('[model]\nname = "openai:x"\ndtype = "float32"', "runs on a server"),
        ('[model]\nname = "openai:"', "what the server calls the model"),
        ('[model]\nname = "a/b"\nprice = [1, 2]', "behind a server"),
        ('[model]\nname = "openai:x"\nprice = [1]', "an array of 2"),
        ('[model]\nname = "openai:x"\n[measure]\nmax_cost = 1', "model.price"),
        ('[model]\nname = "openai:x"\n' + SAE, "only be steered by roles"),
    ]:
        file.write_text(text)
        with pytest.raises(StudyError, match=re.escape(words)):
            pv.load_study(file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('api_key = "sk-abcdefgh12345678abcdefgh"', 3),
        ('[measure]\nOpenAI-API-Key = "hidden12345"', 4),
        ('[measure]\nx = { token = "hidden12345" }', 4),
        ("# my key: sk-proj-hidden12345hidden12345", 3),
        ('[report]\ntitle = "hf_hidden12345hidden12345"', 4),
        ('base_url = "https://me:hidden12345@host/v1"', 3),
    ],
)
def test_secrets_are_refused_and_not_repeated(text, line, tmp_path):
    found = faults(text, tmp_path)
    assert line in [fault.line for fault in found]
    told = str(StudyError("study.toml", found))
    assert "hidden12345" not in told and "sk-abc" not in told


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(StudyError, match="no such file"):
        pv.load_study(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(MODEL.encode() + b'title = "\xe9"')
    with pytest.raises(StudyError, match=r"latin\.toml:3: expected a text in UTF-8"):
        pv.load_study(tmp_path / "latin.toml")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(StudyError, match="too many"):
        pv.load_study(tmp_path / "deep.toml")
    (tmp_path / "long.toml").write_text("#" * 1_100_000)
    with pytest.raises(StudyError, match="at most"):
        pv.load_study(tmp_path / "long.toml")
    with pytest.raises(StudyError, match="expected a file"):
        pv.load_study(tmp_path)
    (tmp_path / "mark.toml").write_text("\ufeff" + MODEL, encoding="utf-8")
    assert pv.load_study(tmp_path / "mark.toml").model.name == "smollm2-135m-instruct"


def test_messages_hold_no_control_characters(tmp_path):
    told = str(StudyError("study.toml", faults('[personas]\n"a\\u001b[31m" = 1\ncount = "\\u001b]0;x"', tmp_path)))
    assert "\x1b" not in told


def test_paths_start_from_the_folder_of_the_study(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "people.json").write_text('{"Ann": "You are Ann."}')
    (tmp_path / "deep" / "study.toml").write_text(MODEL + '[personas]\nfile = "people.json"\n')
    monkeypatch.chdir(tmp_path)
    study = pv.load_study("deep/study.toml")
    assert study.resolve("people.json") == str(tmp_path / "deep" / "people.json")


# -- template and schema -----------------------------------------------------------------------------------------------


def test_the_template_is_a_study_as_it_stands(tmp_path):
    path = pv.write_study(tmp_path / "new" / "study.toml")
    study = pv.load_study(path)
    assert study.stages == ("measure", "discover", "plan", "steer", "evaluate", "audit", "report")
    with pytest.raises(ValueError, match="is there already"):
        pv.write_study(path)
    path.write_text("x")
    assert pv.write_study(path, force=True).read_text() == TEMPLATE.read_text()
    assert pv.write_study(tmp_path) == tmp_path / "study.toml"
    with pytest.raises(ValueError, match=r"ends in \.toml"):
        pv.write_study(tmp_path / "study.json")


def every_table():
    for name, kind in TABLES.items():
        yield (name,), kind
        for inner, inner_kind in INNER.get(name, {}).items():
            yield (name, inner), inner_kind


def template_entries():
    """(table, key, as TOML, commented out, explained) of every entry of the template."""
    table, before = "", ""
    for line in TEMPLATE.read_text().splitlines():
        bare = line.removeprefix("#") if not line.startswith("# ") else ""
        if header := re.fullmatch(r"\[+([\w.]+)\]+", bare):
            table = header[1]
        elif entry := re.fullmatch(r"(\w+) = .+", bare):
            yield table, entry[1], bare, line.startswith("#"), before.startswith("# ")
        before = line


def test_every_entry_of_a_study_is_in_the_template_and_explained():
    known = {(".".join(path), name) for path, kind in every_table() for name in entries_of(kind)}
    written = [(table, key) for table, key, *_ in template_entries()]
    assert set(written) == known and len(written) == len(known)
    assert [key for _, key, _, _, explained in template_entries() if not explained] == []


def test_entries_of_the_template_are_of_their_kind_and_optional_ones_are_commented_out():
    kinds = {".".join(path): entries_of(kind) for path, kind in every_table()}
    for table, key, text, commented, _ in template_entries():
        field, kind = kinds[table][key]
        kind.read(tomllib.loads(text)[key])
        if field.default is None and not commented:
            assert (table, key) in {("inventory", "per_value"), ("inventory", "content_free"), ("plan", "sae"),
                                    ("plan", "positions"), ("steer", "personas"), ("report", "reference")}  # fmt: skip
        if field.metadata["required"] and table != "edits":
            assert not commented


def test_defaults_are_those_of_the_functions():
    """A study that says nothing is one that calls the functions without arguments."""
    import inspect

    from pyvalue.studies import study as tables

    audit, plan, measure = (inspect.signature(one).parameters for one in (pv.audit, pv.plan, pv.measure))
    discover = inspect.signature(pv.discover).parameters
    for kind, parameters, own in [
        (tables.AuditTable, audit, ()),
        (tables.PlanTable, plan, ("raise_values", "lower_values", "pilot")),
        (tables.MeasureTable, measure, ("design",)),
        (tables.DiscoverTable, discover, ("bootstrap",)),
        (tables.DesignTable, inspect.signature(pv.Design).parameters, ()),
        (tables.EvaluateTable, inspect.signature(pv.evaluate).parameters, ("edit",)),
    ]:
        for field in dataclasses.fields(kind):
            if field.name not in own:
                assert parameters[field.name].default == field.default, (kind, field.name)


def test_edits_know_the_operations_and_units_of_edits():
    edits = pytest.importorskip("pyvalue.models.edits", reason="edits need torch")
    assert set(EDIT_OPS) == set(edits.OPS) - {"direction"} and EDIT_UNITS == edits.UNITS


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_document_does_more_than_be_refused(data):
    """Any value at any entry of a study is taken or refused by its line; nothing else comes out."""
    values = st.recursive(
        st.sampled_from(['"x"', '""', "0", "-1", "1e400", "nan", "true", "1979-05-27", "'demo'", "9" * 11]),
        lambda inner: st.lists(inner, max_size=2).map(lambda found: f"[{', '.join(found)}]")
        | st.tuples(st.sampled_from(["a", "span", "indices"]), inner).map(lambda one: f"{{{one[0]} = {one[1]}}}"),
        max_leaves=4,
    )  # fmt: skip
    text = MODEL
    path, kind = data.draw(st.sampled_from([one for one in every_table() if one[0] != ("model",)]))
    text += f"[[{'.'.join(path)}]]\n" if path == ("edits",) else f"[{'.'.join(path)}]\n"
    names = data.draw(st.lists(st.sampled_from([*entries_of(kind), "other"]), unique=True, max_size=4))
    for name in names:
        text += f"{name} = {data.draw(values)}\n"
    try:
        read_study(text, TEMPLATE.parent, with_files=False)
    except StudyError as refused:
        assert all(1 <= fault.line <= text.count("\n") + 1 for fault in refused.faults)
