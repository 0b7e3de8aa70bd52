"""Imports go one way: a room may import the rooms before it, never one after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "pyvalue"

ROOMS = (
    "models",
    "measurement",
    "discovery",
    "effects",
    "steering",
    "evaluation",
    "reporting",
    "studies",
    "harnesses",
    "cli",
)

# Package data and its loaders, and the kernels, stand before all rooms.
FOUNDATIONS = ("kernels", "data", "_core")

# They may reach every room; nothing imports them from inside.
FRONT_DOORS = (("__init__",), ("__main__",))


def imports_of(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in a file, also inside functions; ``from x import y`` gives x.y."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def room_of(module: str) -> str | None:
    """The room of an absolute module name; None for a module at the package root or of another package."""
    parts = module.split(".")
    if parts[0] != "pyvalue" or len(parts) < 2:
        return None
    return parts[1] if parts[1] in (*ROOMS, *FOUNDATIONS) else None


def allowed(importer: str | None, imported: str | None) -> bool:
    """Whether a file of one room may import another; None is the package root, which imports no room."""
    if imported is None or imported == importer or imported in FOUNDATIONS:
        return importer != "kernels" or imported in (None, "kernels")
    if importer is None or importer in FOUNDATIONS:
        return False
    return ROOMS.index(imported) < ROOMS.index(importer)


def violations(root: Path, package: str) -> list[str]:
    found = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).with_suffix("").parts
        if package == "pyvalue" and inside in FRONT_DOORS:
            continue
        own = ".".join([package, *inside[:-1]])
        importer = room_of(".".join([package, *inside]))
        for line, module in imports_of(path, own):
            imported = room_of(module)
            outside = package == "pyvalue.kernels" and module.split(".")[0] == "pyvalue" and imported != "kernels"
            if outside or not allowed(importer, imported):
                found.append(f"{path.relative_to(REPOSITORY)}:{line}: {importer or 'root'} imports {module}")
    return found


def test_no_import_against_the_order_of_rooms() -> None:
    assert violations(PACKAGE, "pyvalue") == []


def test_kernels_import_nothing_of_pyvalue() -> None:
    assert violations(REPOSITORY / "kernels", "pyvalue.kernels") == []


def test_every_folder_is_a_known_room() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert folders <= {*ROOMS, *FOUNDATIONS}


@pytest.mark.parametrize("headers", ["include/pyvalue", "src"])
def test_algorithms_know_no_python(headers: str) -> None:
    files = [path for path in (REPOSITORY / "csrc" / headers).iterdir() if path.suffix in (".hpp", ".cpp")]
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "pybind11" not in text and "Python.h" not in text, path.name


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("steering", "discovery", True),
        ("discovery", "steering", False),
        ("steering", "effects", True),
        ("effects", "evaluation", False),
        ("models", "measurement", False),
        ("cli", "reporting", True),
        ("discovery", None, True),
        (None, "discovery", False),
        ("models", "kernels", True),
        ("kernels", "models", False),
        ("kernels", "_core", False),
        ("discovery", "_core", True),
    ],
)
def test_the_order_itself(importer: str | None, imported: str | None, expected: bool) -> None:
    assert allowed(importer, imported) is expected


def test_relative_and_nested_imports_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("def f():\n    from ..steering import plan\n    import pyvalue.cli\n")
    assert list(imports_of(file, "pyvalue.discovery")) == [(2, "pyvalue.steering.plan"), (3, "pyvalue.cli")]


def test_no_public_name_is_a_module_of_the_package() -> None:
    """Importing ``pyvalue.x`` sets the attribute ``x`` of the package, and would hide a public ``x``."""
    import pyvalue

    modules = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert not modules & set(pyvalue.__all__)
