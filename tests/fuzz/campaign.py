"""Feed one reader damaged files and keep count. What it finds is written to a folder, one file a finding."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from .guard import Deeds, outcome
from .readers import Reader, damaged


@dataclass
class Tally:
    """Counts of outcomes of one reader, and the first input of every kind of finding."""

    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, bytes] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        """Inputs that ended otherwise than allowed."""
        return self.inputs - self.outcomes["read"] - self.outcomes["refused"]


def campaign(reader: Reader, inputs: int, seed: int, folder: Path, deeds: Deeds | None) -> Tally:
    """Read ``inputs`` damaged files, each placed in ``folder``, which holds nothing else afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (reader.beside or {}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    expected = {reader.file, *(Path(name).parts[0] for name in reader.beside or {})}
    path, tally = folder / reader.file, Tally()
    for content in islice(damaged(reader, seed), inputs):
        path.write_bytes(content)
        kind, what = outcome(reader.read, path, deeds)
        tally.inputs += 1
        tally.outcomes[kind] += 1
        if kind not in ("read", "refused"):
            tally.findings.setdefault(_signature(kind, what), content)
        if tally.inputs % 500 == 0 and {child.name for child in folder.iterdir()} != expected:
            tally.findings.setdefault(f"left files {sorted(child.name for child in folder.iterdir())}", content)
    return tally


def _signature(kind: str, what: str) -> str:
    """The same for the same fault: numbers and quoted texts differ from input to input."""
    place = what.rpartition(" at ")[2] if " at " in what else ""
    return (
        f"{kind} | {place} | {re.sub(r'[0-9]+', '#', what)[:60] if not place else what[:160]}"
        if not place
        else f"{kind} | {place}"
    )
