"""The guide to studies: its study is one, its faults are those told, its files and stages are those of a run."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

from pyvalue.studies.safe_paths import FILES, FOLDERS
from pyvalue.studies.study import TABLES
from pyvalue.studies.study_file import load_study, read_study
from pyvalue.studies.template import TEMPLATE

GUIDE = (Path(__file__).resolve().parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_study_of_the_guide_is_one(tmp_path):
    (text,) = blocks("toml")
    assert read_study(text, tmp_path).stages == ("measure", "discover")


def test_faults_are_told_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(blocks("python")[1], "docs/studies.md", "exec"), {"pv": __import__("pyvalue")})
    assert printed.getvalue() == blocks("text")[0]


def test_first_block_calls_what_there_is():
    import pyvalue as pv

    names = re.findall(r"pv\.(\w+)", blocks("python")[0])
    assert len(names) >= 5 and all(hasattr(pv, name) for name in names)


def test_files_of_a_run_are_named():
    for name in (*FILES, *(f"{folder}/" for folder in FOLDERS)):
        assert name in blocks("text")[1], name


def test_every_table_is_named():
    assert [name for name in TABLES if f"[{name}]" not in GUIDE] == []


def test_the_printed_run_has_the_stages_of_the_template():
    told = re.findall(r"^ *\d+ s  \d  (\w+)", blocks("text")[2], re.MULTILINE)
    assert tuple(told) == load_study(TEMPLATE).stages
