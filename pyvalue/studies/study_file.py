"""Read ``study.toml``."""

from __future__ import annotations

from pathlib import Path

from pyvalue.studies.study import Study


def load_study(path: str | Path) -> Study:
    """Read a study and check all of it."""
    return Study(Path(path))
