"""What Inspect AI finds by this package's entry point: ``pyvalue/value_inventory``, ``pyvalue/value_score``."""

from __future__ import annotations

from pyvalue.harnesses.inspect_scorer import value_score as value_score
from pyvalue.harnesses.inspect_task import value_inventory as value_inventory
