"""Measure what a language model values, discover how its values hang together, and steer them with foresight.

Everything public is reached from here and imported on first use, so that ``import pyvalue`` stays fast and
``pyvalue.discover`` works without torch. The names live in the rooms listed in ``_PUBLIC``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "CITest": "pyvalue.discovery.custom_test",
    "Edit": "pyvalue.models.edits",
    "Evaluation": "pyvalue.evaluation.prediction",
    "Inventory": "pyvalue.measurement.inventory",
    "Knowledge": "pyvalue.knowledge",
    "LanguageModel": "pyvalue.models.loading",
    "ModelError": "pyvalue.errors",
    "NumericsError": "pyvalue.errors",
    "Persona": "pyvalue.measurement.personas",
    "PyvalueError": "pyvalue.errors",
    "Responses": "pyvalue.responses",
    "SAE": "pyvalue.models.sae",
    "SteeringPlan": "pyvalue.steering.plan",
    "StoreError": "pyvalue.errors",
    "ValueGraph": "pyvalue.graph",
    "ci_test": "pyvalue.discovery.custom_test",
    "discover": "pyvalue.discovery.api",
    "evaluate": "pyvalue.evaluation.prediction",
    "find_features": "pyvalue.steering.features",
    "load_inventory": "pyvalue.measurement.inventory",
    "load_model": "pyvalue.models.loading",
    "load_personas": "pyvalue.measurement.personas",
    "load_sae": "pyvalue.models.sae",
    "make_personas": "pyvalue.measurement.personas",
    "measure": "pyvalue.measurement.api",
    "plan": "pyvalue.steering.plan",
    "report": "pyvalue.reporting.html",
    "span": "pyvalue.models.edits",
}

__all__ = ["__version__", *sorted(_PUBLIC)]

if TYPE_CHECKING:
    from pyvalue.discovery.api import discover as discover
    from pyvalue.discovery.custom_test import CITest as CITest
    from pyvalue.discovery.custom_test import ci_test as ci_test
    from pyvalue.errors import ModelError as ModelError
    from pyvalue.errors import NumericsError as NumericsError
    from pyvalue.errors import PyvalueError as PyvalueError
    from pyvalue.errors import StoreError as StoreError
    from pyvalue.evaluation.prediction import Evaluation as Evaluation
    from pyvalue.evaluation.prediction import evaluate as evaluate
    from pyvalue.graph import ValueGraph as ValueGraph
    from pyvalue.knowledge import Knowledge as Knowledge
    from pyvalue.measurement.api import measure as measure
    from pyvalue.measurement.inventory import Inventory as Inventory
    from pyvalue.measurement.inventory import load_inventory as load_inventory
    from pyvalue.measurement.personas import Persona as Persona
    from pyvalue.measurement.personas import load_personas as load_personas
    from pyvalue.measurement.personas import make_personas as make_personas
    from pyvalue.models.edits import Edit as Edit
    from pyvalue.models.edits import span as span
    from pyvalue.models.loading import LanguageModel as LanguageModel
    from pyvalue.models.loading import load_model as load_model
    from pyvalue.models.sae import SAE as SAE
    from pyvalue.models.sae import load_sae as load_sae
    from pyvalue.reporting.html import report as report
    from pyvalue.responses import Responses as Responses
    from pyvalue.steering.features import find_features as find_features
    from pyvalue.steering.plan import SteeringPlan as SteeringPlan
    from pyvalue.steering.plan import plan as plan


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'pyvalue' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
