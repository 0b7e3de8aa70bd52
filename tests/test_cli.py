"""The command line as a whole: help, exit codes, one line for every error, nothing imported that is not needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pyvalue.cli import app
from pyvalue.cli import completion as names
from pyvalue.cli.faults import as_options

COMMANDS = (
    "demo", "init", "run", "measure", "discover", "plan", "steer", "evaluate", "report", "paper", "audit", "doctor",
    "sae train",
)  # fmt: skip
TABLE = "a,b,c\n" + "".join(f"{i},{i * 7 % 5},{i * i % 11}\n" for i in range(40))


def call(*words: object, **options: object):
    return CliRunner().invoke(app, [str(word) for word in words], **options)


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.fixture
def engine_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The engine with which a study's run is called."""
    from pyvalue.studies import run as runs
    from pyvalue.studies.run_folder import Run

    called: list[object] = []

    def run_study(study: object, folder: object, *, engine: object) -> Run:
        called.append(engine)
        return Run(tmp_path)

    monkeypatch.setattr(runs, "run_study", run_study)

    def engine(table: str, *words: object) -> object:
        (tmp_path / "s.toml").write_text(f'[model]\nname = "smollm2-135m-instruct"\n[engine]\n{table}')
        done = call("run", tmp_path / "s.toml", *words)
        return called.pop() if done.exit_code == 0 else done.stderr

    return engine


def test_engine_options_stand_in_place_of_single_entries(engine_of) -> None:
    from pyvalue.engines import RayEngine

    ray = 'kind = "ray"\naddress = "head:6379"\ncpus = 2\ngpus = 0\n'
    assert engine_of(ray) == RayEngine("head:6379", None, 2.0, 0.0)
    assert engine_of(ray, "--engine", "ray") == RayEngine("head:6379", None, 2.0, 0.0)
    assert engine_of(ray, "--workers", 3) == RayEngine("head:6379", 3, 2.0, 0.0)
    assert engine_of(ray, "--address", "auto") == RayEngine("auto", None, 2.0, 0.0)
    assert engine_of(ray, "--engine", "local") == "local" == engine_of("")
    assert engine_of("", "--engine", "ray", "--workers", 2) == RayEngine(workers=2)
    assert "add --engine ray" in engine_of("", "--workers", 2)
    assert "expected a number from 1 on, got 0" in engine_of(ray, "--workers", 0)


def test_a_study_with_several_faults_has_a_line_for_each(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[model]\nname = "nothing"\n[personas]\ncuont = 3\n[measure]\nmode = "x"\n')
    done = call("run", tmp_path / "s.toml", "--json")
    assert done.exit_code == 1 and done.stdout == ""
    told = lines(done.stderr)
    assert [re.search(r"s\.toml:(\d+): ([\w.]+):", line).groups() for line in told] == [
        ("4", "personas.cuont"),
        ("6", "measure.mode"),
    ]
    assert all(line.startswith("pyvalue: ") for line in told)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples_exit_codes_and_json(command: str) -> None:
    run = call(*command.split(), "--help")
    assert run.exit_code == 0
    _, _, after = run.stdout.partition("Examples:\n")
    shown, _, codes = after.partition("Exit codes:\n")
    assert f"pyvalue {command}" in shown
    assert "130 interrupted" in codes
    assert "--json" in run.stdout


def test_the_list_of_commands_is_whole() -> None:
    shown = call("--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in lines(shown)] == [*COMMANDS[:-1], "sae"]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "sae train"])
def test_examples_parse(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example has options that exist: parsed, and not run."""
    import shlex

    import typer

    group = typer.main.get_command(app)
    parsed = group.commands[command]
    shown = call(command, "--help").stdout.partition("Examples:\n")[2].partition("\n\n")[0]
    examples = re.sub(r"\\\n\s+", "", shown).splitlines()
    assert examples
    for example in examples:
        words = shlex.split(example.split("#")[0])
        at = words.index("pyvalue")
        for start in [i for i in range(at, len(words)) if words[i] == "pyvalue"]:
            if words[start + 1] != command:
                continue
            rest = words[start + 2 :]
            given = rest[: rest.index("&&")] if "&&" in rest else rest
            parsed.make_context(command, list(given))


def test_help_needs_no_torch_pandas_or_matplotlib() -> None:
    code = (
        "import sys\nfrom pyvalue.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'numpy', 'transformers', 'ray', 'rich'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert lines(done.stdout)[-1] == "heavy: []"


def test_version_is_that_of_the_package() -> None:
    import pyvalue

    assert call("--version").stdout == f"pyvalue {pyvalue.__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["mesure"], "Did you mean 'measure'"),
        (["discover"], "Missing argument"),
        (["discover", "x.csv", "--alpha", "much"], "--alpha"),
        (["discover", "x.csv", "--nosuch"], "--nosuch"),
        (["measure"], "--out"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(words: list[str], told: str) -> None:
    run = call(*words)
    assert run.exit_code == 2 and run.stdout == ""
    assert len(lines(run.stderr)) == 1
    assert run.stderr.startswith("pyvalue: ") and told in run.stderr and "--help" in run.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["discover", "absent.csv"], "absent.csv"),
        (["discover", "t.csv", "--output", "no/g.json"], "output: no such folder"),
        (["discover", "t.csv", "--output", "g.txt"], r"output: expected a file that ends in .json, got g.txt"),
        (["discover", "t.csv", "--averaged"], "--bootstrap"),
        (["discover", "t.csv", "--test", "nosuch"], "nosuch"),
        (["measure", "--out", "m", "--engine", "spark"], "engine: expected local or ray, got 'spark'"),
        (["measure", "--out", "m", "--workers", "2"], "add --engine ray"),
        (["measure", "--out", "m", "--engine", "ray", "--workers", "0"], "workers"),
        (["measure", "--out", "m", "--sae", "demo"], "sae: nothing is edited"),
        (["measure", "--out", "m", "--edits", "t.csv", "--plan", "p.json"], "edits, plan"),
        (["measure", "--out", "m", "--inventory", "nosuch"], "nosuch"),
        (["measure", "--out", "m", "--personas", "nosuch.json"], "personas: expected a number or a JSON file"),
        (["measure", "--out", "m", "--items", "1", "--personas", "1", "--model", "nosuch"], "unknown model 'nosuch'"),
        (["plan", "g.json", "--raise", "a"], "graph: no such file: g.json"),
        (["plan", "g.json", "--raise", "a", "--sae", "demo"], "model: sae alone tries no edit"),
        (["plan", "g.json", "--raise", "a", "--strengths", "big"], "strengths: expected numbers"),
        (["steer", "p.json"], "--out FOLDER"),
        (["steer", "p.json", "--out", "m", "--prompt", "Hi"], "one of"),
        (["steer", "p.json", "--prompt", " "], "prompt: expected a text"),
        (["steer", "p.json", "--prompt", "Hi"], "plan: no such file: p.json"),
        (["evaluate", "p.json", "a", "b"], "plan: no such file: p.json"),
        (["report", "nosuch"], "nosuch"),
        (["report", "t.csv"], "neither Parquet nor JSON"),
        (["report", "odd.json"], "but no graph, plan, evaluation, audit"),
        (["report", "."], "holds nothing of a run"),
        (["audit", "absent.csv"], "absent.csv"),
        (["run", "absent.toml"], "absent.toml"),
        (["init", "study.txt"], ".toml"),
    ],
)
def test_a_fault_is_one_line_and_code_1(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    Path("odd.json").write_text("{}")
    before = sorted(tmp_path.iterdir())
    run = call(*words)
    assert run.exit_code == 1 and run.stdout == "", run.output
    faults = [line for line in lines(run.stderr) if not line.startswith("note: ")]
    assert len(faults) == 1
    assert faults[0].startswith("pyvalue: ") and told in faults[0]
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("told", "typed"),
    [
        ("Pass missing='drop' to", "Pass --missing 'drop' to"),
        ("or drop=['Se x']", "or --drop 'Se x'"),
        ("or drop=['Se x', 'age'] where", "or --drop 'Se x' --drop 'age' where"),
        ("take it out; in Python: pv.score_rows(source, drop=['x'])", "take it out"),
        ("max_depth=3", "--max-depth 3"),
        ("averaged=True.", "--averaged."),
        ("other='x' and undrop='y' stay", "other='x' and undrop='y' stay"),
    ],
)
def test_advice_is_what_can_be_typed(told: str, typed: str) -> None:
    assert as_options(told, ("missing", "drop", "max_depth", "averaged")) == typed


def test_an_interrupt_is_130_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyvalue as pv

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pv, "discover", stopped, raising=False)
    (tmp_path / "t.csv").write_text(TABLE)
    run = call("discover", tmp_path / "t.csv")
    assert run.exit_code == 130
    assert "run the same command again" in run.stderr and len(lines(run.stderr)) == 1


def test_escape_characters_reach_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(TABLE.replace("a,b,c", "a\x1b[31m,b\u202e,c"))
    run = call("discover", file, "--alpha", "0.99", "--test", "fisherz")
    assert run.exit_code == 0, run.output
    assert "a\\x1b[31m" in run.stdout and "b\\u202e" in run.stdout
    wrong = call("discover", tmp_path / "gone\x1b[2J\n.csv")
    odd = call("no\x1b[2Jsuch")
    for text in (run.output, wrong.output, odd.output):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "gone\\x1b[2J" in wrong.stderr and len(lines(wrong.stderr)) == 1


def test_json_is_one_document_that_equals_the_file_and_the_api(tmp_path: Path) -> None:
    import pyvalue as pv

    (tmp_path / "t.csv").write_text(TABLE)
    run = call("discover", tmp_path / "t.csv", "--bootstrap", 30, "--json", "--output", tmp_path / "g.json")
    assert run.exit_code == 0 and "note: test spearman" in run.stderr
    graph = pv.discover(tmp_path / "t.csv", bootstrap=30)
    assert json.loads(run.stdout) == json.loads(json.dumps(graph.to_dict()))
    assert json.loads((tmp_path / "g.json").read_text()) == json.loads(run.stdout)


def test_plain_output_has_every_edge_of_the_api(tmp_path: Path) -> None:
    import pyvalue as pv

    (tmp_path / "t.csv").write_text(TABLE)
    run = call("discover", tmp_path / "t.csv", "--alpha", "0.9")
    graph = pv.discover(tmp_path / "t.csv", alpha=0.9)
    printed = [line.split() for line in lines(run.stdout)[1:]]
    arrows = {"directed": "->", "undirected": "--", "bidirected": "<->"}
    assert printed == [[a, arrows[kind], b] for a, b, kind in graph.edges()] and printed


def test_audit_prints_its_findings_as_json(tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    import pyvalue as pv

    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(60, 4)).round(2), columns=list("abcd"))
    rows.insert(0, "persona", [f"p{i % 20}" for i in range(60)])
    rows.insert(0, "edit", np.repeat(["", "one", "two"], 20))
    rows.to_csv(tmp_path / "t.csv", index=False)
    run = call("audit", tmp_path / "t.csv", "--permutations", 50, "--json", "--output", tmp_path / "found.json")
    assert run.exit_code == 0, run.output
    found = pv.audit(tmp_path / "t.csv", permutations=50)
    assert json.loads(run.stdout) == found.to_dict() == json.loads((tmp_path / "found.json").read_text())
    from pyvalue.cli.part_files import read_part

    assert read_part(tmp_path / "found.json").to_dict()["findings"] == found.to_dict()["findings"]


def test_init_writes_a_study_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert json.loads(call("init", path, "--json").stdout) == {"study": str(path)}
    written = path.read_bytes()
    path.write_text("# changed")
    again = call("init", path)
    assert again.exit_code == 1 and "--force" in again.stderr and path.read_text() == "# changed"
    assert call("init", path, "--force").exit_code == 0 and path.read_bytes() == written


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pyvalue dis", {"discover"}),
        ("pyvalue discover t.csv --test sp", {"spearman"}),
        ("pyvalue discover t.csv --uc-rule m", {"maxp", "majority"}),
        ("pyvalue measure --model smol", {"smollm2-135m-instruct"}),
        ("pyvalue measure --inventory ", {"portrait", "seventeen"}),
        ("pyvalue measure --engine r", {"ray"}),
        ("pyvalue plan g.json --positions g", {"generated"}),
    ],
)
def test_the_shell_completes_names(line: str, expected: set[str]) -> None:
    told = {"_PYVALUE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    run = CliRunner().invoke(app, [], prog_name="pyvalue", env=told)
    assert set(run.stdout.split()) == expected


def test_completed_names_are_those_of_the_api() -> None:
    from typing import get_args

    from pyvalue.discovery import options as search
    from pyvalue.measurement import inventory
    from pyvalue.measurement.prompts import ORDERS
    from pyvalue.models import bundled, edits
    from pyvalue.responses import Score

    assert (names.TESTS, names.SCHEMES, names.MISSING) == (search.TESTS, search.SCHEMES, search.MISSING)
    assert names.BACKENDS == search.BACKENDS and tuple(search.COLLIDER_RULES) == names.COLLIDER_RULES
    assert set(names.MODELS) >= set(bundled.BUNDLED) and tuple(inventory.BUNDLED) == names.INVENTORIES
    assert names.POSITIONS == edits.WORDS and set(names.SCORES) == set(get_args(Score))
    assert set(names.ORDERS) == set(ORDERS)


def test_output_that_nobody_reads_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "pyvalue", "discover", "t.csv"]
    done = subprocess.run(command, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr


def test_a_table_of_people_goes_through_discover_and_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [[f"p{i}", i % 5, (i * i + i % 3) % 7, (3 * i + i // 4) % 6] for i in range(40)]
    frame = pd.DataFrame(rows, columns=["person", "Power", "Security", "Hedonism"])
    frame.to_csv("people.csv", index=False)
    run = call("discover", "people.csv", "--output", "graph.json")
    assert run.exit_code == 0, run.stderr
    assert run.stderr.count("person") == 1  # what is left out needs no advice to drop it
    frame.rename(columns={"person": "persona"}).to_csv("base.csv", index=False)
    run = call("plan", "graph.json", "--raise", "Power", "--base", "base.csv")
    assert run.exit_code == 0 and "raise Power" in run.stdout and "playing" not in run.stderr, run.stderr
    run = call("plan", "graph.json", "--raise", "Power", "--base", "graph.json")
    assert run.exit_code == 1 and "expected a folder of answers" in run.stderr and "delete" not in run.stderr
