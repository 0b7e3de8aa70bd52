"""What a measurement asks, cut into units, and the numbers of the parts that they make. Keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pyvalue.measurement.answer_table import answer_table
from pyvalue.measurement.asking import Asker, Configuration
from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona

#: numbers of a persona and of a chunk of its questions
Unit = tuple[int, int]


class AskedUnits:
    """A persona and a chunk of questions are asked together under all configurations.

    Args:
        model: name of the model, for the answers.
        mode: of asking, for the answers.
        asker: asks.
        personas: who to be.
        cells: what each is asked.
        configurations: of edits.
    """

    def __init__(
        self,
        model: str,
        mode: Any,
        asker: Asker,
        personas: Sequence[Persona],
        cells: Sequence[Cell],
        configurations: Sequence[Configuration],
    ) -> None:
        self._model, self._mode, self._asker = model, mode, asker
        self._personas, self._configurations = personas, configurations
        size = asker.chunk or len(cells)
        self._chunks = [cells[start : start + size] for start in range(0, len(cells), size)]
        self.units: list[Unit] = [(p, k) for p in range(len(personas)) for k in range(len(self._chunks))]

    def numbers_of(self, unit: Unit) -> list[int]:
        """Parts stand by configuration, then persona, then chunk."""
        p, k = unit
        people, chunks = len(self._personas), len(self._chunks)
        return [(c * people + p) * chunks + k for c in range(len(self._configurations))]

    def ask(self, unit: Unit, missing: Sequence[int]) -> dict[int, pd.DataFrame]:
        """The tables of the missing parts of a unit."""
        p, k = unit
        a_configuration = len(self._personas) * len(self._chunks)
        wanted = [self._configurations[number // a_configuration] for number in missing]
        persona, chunk = self._personas[p], self._chunks[k]
        found = self._asker.ask(persona, chunk, wanted)
        return {
            number: answer_table(self._model, configuration.label, persona.name, self._mode, chunk, answers)
            for number, configuration, answers in zip(missing, wanted, found, strict=True)
        }
