"""Inventories inside of other people's evaluation harnesses: Inspect AI and lm-evaluation-harness.

Both are imported on first use only; they come with ``pip install 'pyvalue[harness]'``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "responses_from_inspect": "pyvalue.harnesses.inspect_log",
    "responses_from_lm_eval": "pyvalue.harnesses.lm_eval_log",
    "save_tasks": "pyvalue.harnesses.lm_eval_files",
    "value_inventory": "pyvalue.harnesses.inspect_task",
    "value_tasks": "pyvalue.harnesses.lm_eval_task",
}

__all__ = sorted(_PUBLIC)

if TYPE_CHECKING:
    from pyvalue.harnesses.inspect_log import responses_from_inspect as responses_from_inspect
    from pyvalue.harnesses.inspect_task import value_inventory as value_inventory
    from pyvalue.harnesses.lm_eval_files import save_tasks as save_tasks
    from pyvalue.harnesses.lm_eval_log import responses_from_lm_eval as responses_from_lm_eval
    from pyvalue.harnesses.lm_eval_task import value_tasks as value_tasks


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'pyvalue.harnesses' has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
