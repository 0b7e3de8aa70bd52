"""Names that are code elsewhere: in pages, spreadsheets, terminals, paths, XML, DOT. They stay text everywhere."""

from __future__ import annotations

import io
import json
import struct
import unicodedata
import warnings
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from fuzz import seeds
from fuzz.hostile import BIDI, FORMULA, SCRIPT, TITLE

import pyvalue as pv
from pyvalue.errors import ModelError, PyvalueError
from pyvalue.file_faults import file_faults
from pyvalue.graph import ValueGraph
from pyvalue.measurement.store import RunFolder
from pyvalue.responses import Responses
from pyvalue.visible_text import printable

ATTRIBUTE = '" onmouseover="alert(1)" x="'
NAMES = (SCRIPT, ATTRIBUTE, FORMULA, TITLE, BIDI, "a\x00b", "two\nlines", "../../x", "x" * 100_000,
"</script><img src=x>",
         "{{ 7*7 }}", "javascript:alert(1)", "]]></svg><script>", "&lt;b&gt;")  # fmt: skip
ACTS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def acts(text: str) -> set[str]:
    return {letter for letter in text if unicodedata.category(letter) in ACTS} - set("\n\t")


# -- what is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "\ud800"])
def test_printable_acts_on_nothing(name):
    shown = printable(name)
    assert not acts(shown) and len(shown) < 12_100
    shown.encode("utf-8")


@pytest.mark.parametrize("text", ["plain", "zwei\nZeilen\t", "Ümläut → — ↔ α", "नमस्ते", "👩\u200d🚀"])
def test_printable_leaves_text_alone(text):
    assert printable(text) == text


@pytest.mark.parametrize("kind", [ValueError, TypeError, ModelError, KeyError, UnicodeError, FileNotFoundError])
def test_errors_and_what_they_came_from_are_shown(kind):
    import traceback

    with pytest.raises((ValueError, TypeError, PyvalueError, FileNotFoundError)) as told, file_faults("file"):
        try:
            raise OSError(TITLE)
        except OSError as fault:
            raise kind(TITLE) from fault
    assert not acts(
        "".join(traceback.format_exception(told.value)).replace(TITLE.encode("unicode_escape").decode(), "")
    )
    assert "owned" in str(told.value)


# -- what is written -------------------------------------------------------------------------------------------------


def hostile_answers() -> Responses:
    """Personas, values, items and a model of these names."""
    table = seeds.answers(len(NAMES)).table
    people = {f"p{i}": name for i, name in enumerate(NAMES)}
    values = {"Power": SCRIPT, "Security": ATTRIBUTE, "Hedonism": TITLE, "": ""}
    table = table.assign(persona=table["persona"].map(people), value=table["value"].map(values), model=SCRIPT)
    return Responses(table.assign(text=SCRIPT, item=table["item"] + SCRIPT), {"study": {"model": {"name": SCRIPT}}})


class Elements(HTMLParser):
    """Names of elements and attributes, and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.found: set[str] = set()
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self._in_script = tag == "script"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.handlers += [
            f"{k}={v}" for k, v in attrs if k in ("href", "src") and str(v).strip().startswith("javascript:")
        ]

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts.append(data)


def page_of(folder, answers: Responses, names: tuple[str, str, str]) -> Elements:
    graph = pv.graph_from_edges(names, [(names[0], names[1])], [(names[1], names[2])])
    pv.report([answers, graph], folder)
    page = Elements()
    page.feed((folder / "index.html").read_text(encoding="utf-8"))
    return page


@pytest.mark.filterwarnings("ignore")
def test_a_report_has_no_element_and_no_attribute_of_a_name(tmp_path):
    page = page_of(tmp_path / "report", hostile_answers(), (SCRIPT, ATTRIBUTE, TITLE))
    tame = page_of(tmp_path / "tame", seeds.answers(len(NAMES)), ("Power", "Security", "Hedonism"))
    assert page.handlers == tame.handlers
    assert page.found <= tame.found | {"p", "ul", "li", "strong", "details", "summary"}
    assert len(page.scripts) == len(tame.scripts), "a script more, or one that a name has ended"
    assert "alert(1)" not in [script.strip() for script in page.scripts]
    within = {path.name for path in (tmp_path / "report").rglob("*")}
    assert not any("script" in name or "alert" in name for name in within)
    assert {path.name for path in tmp_path.iterdir()} == {"report", "tame"}


def test_tables_give_names_back_as_they_were(tmp_path):
    answers = hostile_answers()
    whole = Responses.load(answers.save(tmp_path / "answers.parquet"))
    assert whole.personas == answers.personas and whole.facts == answers.facts
    with RunFolder(tmp_path / "run", answers.facts["study"]) as folder:
        folder.write_part(0, answers.table)
    assert Responses.load(tmp_path / "run").personas == answers.personas
    assert {path.name for path in tmp_path.iterdir()} == {"answers.parquet", "run"}


def test_formulas_stay_as_they_are_in_csv(tmp_path):
    """A changed text would be another text where it is read again; docs/security.md says how to open such files."""
    table = seeds.answers().table
    table = table.assign(persona=table["persona"].replace("p0", FORMULA))
    Responses(table).to_csv(tmp_path / "answers.csv")
    assert set(pd.read_csv(tmp_path / "answers.csv")["persona"]) == {FORMULA, "p1", "p2"}


@pytest.mark.parametrize("name", NAMES)
def test_dot_and_graphml_hold_names_as_text(tmp_path, name):
    graph = pv.graph_from_edges([name, "b"], [(name, "b")])
    assert ValueGraph.from_dot(graph.to_dot()).names == (name, "b") if "\x00" not in name else True
    try:
        graph.to_graphml(tmp_path / "graph.graphml")
    except ValueError as refusal:  # XML has no place for control characters
        assert "XML cannot" in str(refusal) and not acts(str(refusal))
        return
    root = ElementTree.parse(tmp_path / "graph.graphml").getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags <= {"graphml", "key", "graph", "node", "edge", "data", "default"}
    assert ValueGraph.from_graphml(tmp_path / "graph.graphml").names == (name, "b")


@pytest.mark.parametrize("name", NAMES)
def test_inventories_and_personas_give_names_back(tmp_path, name):
    name = name.strip()
    pv.save_personas([pv.Persona(name, "You.")], tmp_path / "people.json")
    assert pv.load_personas(tmp_path / "people.json")[0].name == name
    items = (
        pv.Item("a", name, 1, "Q?"),
        pv.Item("b", name, -1, "R?"),
        pv.Item("c", name, 1, "S?"),
        pv.Item("d", name, 1, "T?"),
    )
    for ending in ("toml", "csv"):
        if "\x00" in name and ending == "csv":
            continue  # csv of this Python refuses it, as test_fuzz_readers has it
        path = tmp_path / f"own.{ending}"
        pv.Inventory("own", items).save(path)
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            assert pv.load_inventory(path).values == (name,)
        assert not any(acts(str(one.message)) for one in noted)


# -- files of SAEs ---------------------------------------------------------------------------------------------------


def test_members_of_archives_are_neither_unpacked_nor_unpickled(tmp_path):
    torch = pytest.importorskip("torch", reason="SAEs need torch")
    assert torch is not None
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(seeds.sae_files()["npz"])) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    pickled = io.BytesIO()
    np.lib.format.write_array(pickled, np.array([print], dtype=object), allow_pickle=True)
    for extra in (
        {"../../x.npy": members["b_dec.npy"]},
        {"/tmp/owned.npy": members["b_dec.npy"]},
        {"b_dec.npy": pickled.getvalue()},
    ):
        with zipfile.ZipFile(folder / "params.npz", "w") as archive:
            for name, content in (members | extra).items():
                archive.writestr(name, content)
        if "b_dec.npy" in extra:
            with pytest.raises(ModelError, match="pickled objects are never loaded"):
                pv.load_sae(folder / "params.npz", hook="blocks.2.hook_resid_post")
        else:
            pv.load_sae(folder / "params.npz", hook="blocks.2.hook_resid_post")
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["params.npz"]


def test_metadata_and_names_of_safetensors(tmp_path):
    pytest.importorskip("torch", reason="SAEs need torch")
    data = seeds.sae_files()["safetensors"]
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = {TITLE: SCRIPT, "../../x": BIDI}
    (tmp_path / "cfg.json").write_bytes(seeds.sae_files()["cfg"].replace(b'"tiny"', json.dumps(TITLE).encode()))

    def write() -> None:
        text = json.dumps(header).encode()
        (tmp_path / "sae_weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])

    write()
    assert not acts(repr(pv.load_sae(tmp_path)))
    header[TITLE] = header.pop("W_enc")
    write()
    with pytest.raises(ModelError, match="lacks W_enc") as told:
        pv.load_sae(tmp_path)
    assert not acts(str(told.value))
