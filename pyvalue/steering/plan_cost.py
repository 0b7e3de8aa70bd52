"""What the pilot took, and what steering by the plan will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyvalue.measurement.cost import estimate_cost
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import Persona


@dataclass(frozen=True)
class PlanCost:
    """Of the pilot, measured; of steering one persona, estimated.

    Attributes:
        pilot_questions: prompts that the pilot ran; 0 where there was none. Each is one answer of one persona under one
            configuration (a forward pass of its own, were nothing shared).
        pilot_seconds: that it took.
        questions: prompts of one persona under the plan.
        tokens: of these prompts.
        dollars: of one persona at the model's price; 0 for a model that runs here, None where no price is known.
        exact: the tokens were counted with the model's own tokenizer.
    """

    pilot_questions: int = 0
    pilot_seconds: float = 0.0
    questions: float = 0.0
    tokens: float = 0.0
    dollars: float | None = None
    exact: bool = False

    def steering(self, personas: int) -> dict[str, float | None]:
        """``questions, tokens, dollars, seconds`` of asking so many personas under the plan.

        Seconds are at the pilot's speed; None without one. They are no bound: its candidates shared their lower layers
        and its prompts differed in length from those of the whole inventory.
        """
        if personas < 1:
            raise ValueError(f"personas: expected at least 1, got {personas}")
        speed = self.pilot_seconds / self.pilot_questions if self.pilot_questions else None
        return {
            "questions": personas * self.questions,
            "tokens": personas * self.tokens,
            "dollars": None if self.dollars is None else personas * self.dollars,
            "seconds": None if speed is None else personas * self.questions * speed,
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    def __str__(self) -> str:
        told = []
        if self.pilot_questions:
            told.append(f"the pilot ran {self.pilot_questions:,} prompts in {self.pilot_seconds:.0f} s")
        counted = "" if self.exact else "about "
        each = f"each persona steered takes {self.questions:,.0f} prompts of {counted}{self.tokens:,.0f} tokens in all"
        seconds = self.steering(1)["seconds"]
        each += f", about {seconds:.1f} s" if seconds is not None else ""
        each += f", at most ${self.dollars:,.4f}" if self.dollars else ""
        return "; ".join([*told, each])


def plan_cost(
    model: Any, inventory: Inventory, personas: Sequence[Persona], questions: int = 0, seconds: float = 0.0
) -> PlanCost:
    """Cost of a plan, where the pilot ran so many questions in so many seconds.

    Args:
        model: to be steered.
        inventory: to be asked under the plan.
        personas: whose prompts are counted; their mean stands for any persona.
        questions: of the pilot.
        seconds: of the pilot.
    """
    one = estimate_cost(model, inventory, personas)
    n = len(personas)
    dollars = None if one.dollars is None else one.dollars / n
    return PlanCost(questions, seconds, one.requests / n, one.prompt_tokens / n, dollars, one.exact)
