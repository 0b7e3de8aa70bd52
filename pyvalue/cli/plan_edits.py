"""The edits of a plan that was saved, ready to be made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyvalue.models.edits import Edit


def edits_of_plan(path: Path, sae: str | None) -> list[Edit]:
    """The plan's edits with their SAE.

    Args:
        path: of the plan.
        sae: as ``load_sae`` takes it; default the one that the plan names.

    Raises:
        StoreError: the file holds no plan.
        ValueError: the plan has no edits.
        ModelError: the SAE is not the plan's.
    """
    from pyvalue.cli.edit_files import with_saes
    from pyvalue.steering.plan import SteeringPlan

    if not path.is_file():
        raise ValueError(f"plan: no such file: {path}; pyvalue plan ... --output makes one")
    plan = SteeringPlan.load(path)
    if not plan.edits:
        role = f" It chose the role {plan.role!r}: measure under that persona instead." if plan.role else ""
        raise ValueError(f"plan: {path} has no edits; plan again with --model and --sae, so that some are tried.{role}")
    return with_saes(plan.edits, sae)
