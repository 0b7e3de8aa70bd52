"""Types as a user's mypy sees them: of the installed package, or of the checkout where the install is editable."""

from __future__ import annotations

import ast
import importlib.resources
import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

import pyvalue as pv

PROGRAMS = Path(__file__).parent / "typing"
# Other packages are not followed: reading torch and transformers takes minutes and says nothing of ours.
CONFIGURATION = """
[mypy]
strict = true
follow_imports = skip
[mypy-pyvalue,pyvalue.*,numpy,numpy.*]
follow_imports = silent
"""
NOTE = re.compile(r"names\.py:(\d+): note: Revealed type is \"(.*)\"")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one run of mypy in strict mode says of the programs, in a folder that has nothing of the checkout."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("program")
    for program in PROGRAMS.glob("*.py"):
        shutil.copy(program, folder)
    lines = ["import pyvalue as pv", *(f"reveal_type(pv.{name})" for name in pv.__all__)]
    (folder / "names.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "MYPYPATH"}
    package = Path(str(pv.__file__)).resolve().parent
    if not any(package.is_relative_to(Path(place).resolve()) for place in site.getsitepackages()):
        environment["MYPYPATH"] = str(package.parent)  # an editable install, which mypy does not follow
    (folder / "mypy.ini").write_text(CONFIGURATION, encoding="utf-8")
    command = [
        sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", "--no-pretty",
        "--cache-dir", str(folder / "cache"), *sorted(folder.glob("*.py")),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def test_a_users_program_has_the_types_that_it_says(report: str) -> None:
    assert [line for line in report.splitlines() if "usage.py" in line] == []


def test_mistakes_are_found(report: str) -> None:
    lines = (PROGRAMS / "mistakes.py").read_text(encoding="utf-8").splitlines()
    expected = {(number, line.split("wrong: ")[1]) for number, line in enumerate(lines, 1) if "  # wrong: " in line}
    found = re.findall(r"mistakes\.py:(\d+): error: .*\[([a-z-]+)\]", report)
    assert {(int(line), code) for line, code in found} == expected


def test_no_public_name_is_any(report: str) -> None:
    types = {int(line): kind for line, kind in NOTE.findall(report)}
    assert len(types) == len(pv.__all__)
    untyped = [pv.__all__[line - 2] for line, kind in types.items() if kind == "Any" or kind.endswith("-> Any")]
    # pandas has no types of its own, so that its tables are Any to a user without stubs of it.
    assert [name for name in untyped if getattr(pv, name).__annotations__.get("return") != "pd.DataFrame"] == []


def test_names_for_type_checkers_are_those_that_are_imported_on_use() -> None:
    tree = ast.parse(Path(str(pv.__file__)).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    named = {one.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for one in node.names}
    assert named == pv._PUBLIC


def test_the_package_says_that_it_has_types() -> None:
    assert (importlib.resources.files("pyvalue") / "py.typed").is_file()
