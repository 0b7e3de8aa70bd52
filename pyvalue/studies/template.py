"""``write_study``: a commented ``study.toml`` to begin with."""

from __future__ import annotations

from pathlib import Path


def write_study(path: str | Path, force: bool = False) -> Path:
    """Write a commented study that runs as it stands."""
    raise NotImplementedError(f"not written yet: {path}, {force}")
