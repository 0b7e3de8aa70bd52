"""What a run folder does not hold yet, by the names of its parts. Reads no answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyvalue.measurement.design import Cell
from pyvalue.measurement.manifest import NAME, Manifest
from pyvalue.measurement.personas import Persona


def unasked(
    personas: Sequence[Persona],
    cells: Sequence[Cell],
    configurations: int,
    folder: str | Path | None,
    chunk: int | None,
) -> list[tuple[Persona, Sequence[Cell]]]:
    """What every persona is still to be asked, by configuration, then persona.

    Args:
        personas: of the run.
        cells: what each is asked.
        configurations: of edits; how many.
        folder: of the run; None where nothing is stored.
        chunk: most questions of a part; None for all of a persona.
    """
    everyone = list(personas) * configurations
    if folder is None:
        return [(persona, cells) for persona in everyone]
    size = chunk or len(cells)
    starts = range(0, len(cells), size)
    stored = {path.name for path in (Path(folder) / "responses").glob("part-*.parquet")}
    found: list[tuple[Persona, Sequence[Cell]]] = []
    for i, persona in enumerate(everyone):
        missing = [k for k in range(len(starts)) if f"part-{i * len(starts) + k:06d}.parquet" not in stored]
        found.append((persona, [cell for k in missing for cell in cells[starts[k] : starts[k] + size]]))
    return found


def finished_study(
    personas: Sequence[Persona],
    cells: Sequence[Cell],
    configurations: int,
    folder: str | Path | None,
    chunk: int | None,
) -> dict[str, Any] | None:
    """The study of a run of which every part is stored, None where one is missing; arguments as of ``unasked``.

    Raises:
        StoreError: the manifest is damaged, or of another schema.
    """
    if folder is None or not (Path(folder) / NAME).exists():
        return None
    if any(left for _, left in unasked(personas, cells, configurations, folder, chunk)):
        return None
    return Manifest.load(Path(folder)).study
