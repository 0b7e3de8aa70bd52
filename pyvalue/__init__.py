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
    "Continuation": "pyvalue.models.continuous",
    "CostEstimate": "pyvalue.measurement.cost",
    "Design": "pyvalue.measurement.design",
    "Direction": "pyvalue.models.direction",
    "Edit": "pyvalue.models.edits",
    "Evaluation": "pyvalue.evaluation.prediction",
    "Inventory": "pyvalue.measurement.inventory",
    "Item": "pyvalue.measurement.items",
    "Judge": "pyvalue.measurement.judge",
    "Knowledge": "pyvalue.knowledge",
    "LanguageModel": "pyvalue.models.loading",
    "ModelError": "pyvalue.errors",
    "NumericsError": "pyvalue.errors",
    "Persona": "pyvalue.measurement.personas",
    "PromptStyle": "pyvalue.measurement.prompts",
    "PyvalueError": "pyvalue.errors",
    "Quality": "pyvalue.quality",
    "RemoteModel": "pyvalue.models.remote",
    "Responses": "pyvalue.responses",
    "SAE": "pyvalue.models.sae",
    "SteeringPlan": "pyvalue.steering.plan",
    "StoreError": "pyvalue.errors",
    "StrengthSearch": "pyvalue.steering.strength_search",
    "SweepResult": "pyvalue.steering.sweep_table",
    "ValueGraph": "pyvalue.graph",
    "ci_test": "pyvalue.discovery.custom_test",
    "discover": "pyvalue.discovery.api",
    "estimate_cost": "pyvalue.measurement.cost",
    "evaluate": "pyvalue.evaluation.prediction",
    "find_features": "pyvalue.steering.features",
    "find_strength": "pyvalue.steering.strength_search",
    "indices": "pyvalue.models.edits",
    "load_inventory": "pyvalue.measurement.inventory",
    "load_model": "pyvalue.models.loading",
    "load_personas": "pyvalue.measurement.persona_files",
    "load_sae": "pyvalue.models.sae",
    "load_sweep": "pyvalue.steering.sweep_table",
    "make_personas": "pyvalue.measurement.personas",
    "max_activations": "pyvalue.steering.typical_maxima",
    "measure": "pyvalue.measurement.api",
    "persona_table": "pyvalue.measurement.personas",
    "plan": "pyvalue.steering.plan",
    "random_controls": "pyvalue.steering.controls",
    "report": "pyvalue.reporting.html",
    "save_max_activations": "pyvalue.models.sae",
    "save_personas": "pyvalue.measurement.persona_files",
    "span": "pyvalue.models.edits",
    "sweep": "pyvalue.steering.sweep",
    "value_effect": "pyvalue.steering.effects_of_edits",
    "yes_effect": "pyvalue.steering.effects_of_edits",
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
    from pyvalue.measurement.cost import CostEstimate as CostEstimate
    from pyvalue.measurement.cost import estimate_cost as estimate_cost
    from pyvalue.measurement.design import Design as Design
    from pyvalue.measurement.inventory import Inventory as Inventory
    from pyvalue.measurement.inventory import load_inventory as load_inventory
    from pyvalue.measurement.items import Item as Item
    from pyvalue.measurement.judge import Judge as Judge
    from pyvalue.measurement.persona_files import load_personas as load_personas
    from pyvalue.measurement.persona_files import save_personas as save_personas
    from pyvalue.measurement.personas import Persona as Persona
    from pyvalue.measurement.personas import make_personas as make_personas
    from pyvalue.measurement.personas import persona_table as persona_table
    from pyvalue.measurement.prompts import PromptStyle as PromptStyle
    from pyvalue.models.continuous import Continuation as Continuation
    from pyvalue.models.direction import Direction as Direction
    from pyvalue.models.edits import Edit as Edit
    from pyvalue.models.edits import indices as indices
    from pyvalue.models.edits import span as span
    from pyvalue.models.loading import LanguageModel as LanguageModel
    from pyvalue.models.loading import load_model as load_model
    from pyvalue.models.remote import RemoteModel as RemoteModel
    from pyvalue.models.sae import SAE as SAE
    from pyvalue.models.sae import load_sae as load_sae
    from pyvalue.models.sae import save_max_activations as save_max_activations
    from pyvalue.quality import Quality as Quality
    from pyvalue.reporting.html import report as report
    from pyvalue.responses import Responses as Responses
    from pyvalue.steering.controls import random_controls as random_controls
    from pyvalue.steering.effects_of_edits import value_effect as value_effect
    from pyvalue.steering.effects_of_edits import yes_effect as yes_effect
    from pyvalue.steering.features import find_features as find_features
    from pyvalue.steering.plan import SteeringPlan as SteeringPlan
    from pyvalue.steering.plan import plan as plan
    from pyvalue.steering.strength_search import StrengthSearch as StrengthSearch
    from pyvalue.steering.strength_search import find_strength as find_strength
    from pyvalue.steering.sweep import sweep as sweep
    from pyvalue.steering.sweep_table import SweepResult as SweepResult
    from pyvalue.steering.sweep_table import load_sweep as load_sweep
    from pyvalue.steering.typical_maxima import max_activations as max_activations


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'pyvalue' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
