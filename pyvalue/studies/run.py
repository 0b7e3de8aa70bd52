"""``run_study``: all stages of a study, in one folder."""

from __future__ import annotations

from pathlib import Path

from pyvalue.engines import Engine
from pyvalue.studies.run_folder import Run
from pyvalue.studies.study import Study


def run_study(
    study: str | Path | Study,
    folder: str | Path | None = None,
    *,
    engine: Engine | None = None,
    progress: bool | None = None,
) -> Run:
    """Run a study, or go on with it."""
    raise NotImplementedError(f"not written yet: {study}, {folder}, {engine}, {progress}")
