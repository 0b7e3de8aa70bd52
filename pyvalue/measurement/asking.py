"""What asking a model means: questions of one persona in, answers out, for every configuration of edits.

How it is done differs by mode and by where the model runs: see the modules that implement ``Asker``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pyvalue.measurement.design import Cell
from pyvalue.measurement.personas import Persona

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit

#: what an answer can be; the first three are valid
STATUSES = ("yes", "no", "unsure", "invalid", "refused", "degenerate")


@dataclass(frozen=True)
class Configuration:
    """Edits made together, and the name that their answers carry in the column ``edit``; empty for no edit."""

    label: str
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: one of ``STATUSES``.
        p_yes: 1 for yes, 0 for no, 0.5 for unsure, or a probability between; NaN where the status is no valid one.
        mass: P(yes) + P(no) where the model was scored, else NaN.
        text: what the model wrote, empty where it was scored.
        perplexity: of the question's own tokens under the edits; NaN where it was not computed.
    """

    status: str
    p_yes: float
    mass: float = float("nan")
    text: str = ""
    perplexity: float = float("nan")


class Asker(Protocol):
    """Asks all questions of one persona."""

    #: most questions of one call, None for all of a persona; what a kill can lose
    chunk: int | None

    def ask(
        self, persona: Persona, cells: Sequence[Cell], configurations: Sequence[Configuration]
    ) -> list[list[Answer]]:
        """Answers by configuration, then question. An answer depends on nothing else that is asked beside it."""
        ...

    def facts(self) -> dict[str, Any]:
        """What decides the answers (prompts, settings), for the manifest; JSON-able, no secrets."""
        ...
