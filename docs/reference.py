"""Writes the API reference out of the docstrings: ``make reference`` puts it into build/reference."""

from __future__ import annotations

import sys
from pathlib import Path

import pdoc

import pyvalue


def main(folder: Path) -> None:
    """One page for every module that holds something public, and an index."""
    modules = sorted({module for module in pyvalue._PUBLIC.values()})
    pdoc.render.configure(docformat="google", footer_text=f"pyvalue {pyvalue.__version__}")
    pdoc.pdoc(*modules, output_directory=folder)
    print(f"{len(modules)} modules with {len(pyvalue._PUBLIC)} public names: {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
