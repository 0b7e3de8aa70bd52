"""What a study asks for, as values that cannot change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Study:
    """A study as its file says."""

    path: Path | None = None
