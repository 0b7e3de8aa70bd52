"""Measure what a language model values, discover how its values hang together, and steer them with foresight.

Everything public is reached from here and imported on first use, so that ``import pyvalue`` stays fast and
``pyvalue.discover`` works without torch. The names live in the rooms listed in ``_PUBLIC``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Audit": "pyvalue.evaluation.audit_findings",
    "CITest": "pyvalue.discovery.custom_test",
    "Circumplex": "pyvalue.evaluation.circumplex",
    "ContextGraphs": "pyvalue.effects.contexts_graphs",
    "Continuation": "pyvalue.models.continuous",
    "ClusterError": "pyvalue.errors",
    "CostEstimate": "pyvalue.measurement.cost",
    "Design": "pyvalue.measurement.design",
    "DirectHits": "pyvalue.effects.direct_hits",
    "Direction": "pyvalue.models.direction",
    "DoseResponse": "pyvalue.evaluation.dose_response",
    "EdgeDifferences": "pyvalue.evaluation.edge_difference",
    "Edit": "pyvalue.models.edits",
    "Effects": "pyvalue.effects.value_effects",
    "Evaluation": "pyvalue.evaluation.prediction",
    "Finding": "pyvalue.evaluation.audit_findings",
    "GraphDistance": "pyvalue.evaluation.graph_distance",
    "GraphSoundness": "pyvalue.effects.graph_soundness",
    "Inventory": "pyvalue.measurement.inventory",
    "Item": "pyvalue.measurement.items",
    "Judge": "pyvalue.measurement.judge",
    "Knowledge": "pyvalue.knowledge",
    "LanguageModel": "pyvalue.models.loading",
    "Leakage": "pyvalue.effects.leakage",
    "ModelError": "pyvalue.errors",
    "NumericsError": "pyvalue.errors",
    "PairedChanges": "pyvalue.edit_changes",
    "PaperReproduction": "pyvalue.evaluation.paper",
    "Persona": "pyvalue.measurement.personas",
    "PredictionBenchmark": "pyvalue.evaluation.benchmark_result",
    "Priorities": "pyvalue.evaluation.priorities",
    "PromptStyle": "pyvalue.measurement.prompts",
    "PyvalueError": "pyvalue.errors",
    "Quality": "pyvalue.quality",
    "RayEngine": "pyvalue.engines",
    "RefittedEffects": "pyvalue.effects.refitted_effects",
    "RemoteModel": "pyvalue.models.remote",
    "Responses": "pyvalue.responses",
    "Run": "pyvalue.studies.run_folder",
    "SAE": "pyvalue.models.sae",
    "SideEffects": "pyvalue.evaluation.side_effects",
    "SoundGraph": "pyvalue.effects.sound_graph",
    "SteeringPlan": "pyvalue.steering.plan",
    "StoreError": "pyvalue.errors",
    "StrengthSearch": "pyvalue.steering.strength_search",
    "Study": "pyvalue.studies.study",
    "SurveyValues": "pyvalue.evaluation.ess",
    "SweepResult": "pyvalue.steering.sweep_table",
    "ValueGraph": "pyvalue.graph",
    "audit": "pyvalue.evaluation.audit",
    "benchmark_predictions": "pyvalue.evaluation.benchmark",
    "broken_rows": "pyvalue.broken_scores",
    "ci_test": "pyvalue.discovery.custom_test",
    "circumplex": "pyvalue.evaluation.circumplex",
    "compare_steering": "pyvalue.evaluation.side_effects_comparison",
    "detectable_change": "pyvalue.evaluation.detectable_change",
    "difference_of_means": "pyvalue.steering.baselines_directions",
    "direct_hits": "pyvalue.effects.direct_hits",
    "discover": "pyvalue.discovery.api",
    "discover_with_contexts": "pyvalue.effects.contexts",
    "dose_response": "pyvalue.evaluation.dose_response",
    "edge_differences": "pyvalue.evaluation.edge_difference",
    "estimate_cost": "pyvalue.measurement.cost",
    "estimate_effects": "pyvalue.effects.total_effects",
    "evaluate": "pyvalue.evaluation.prediction",
    "external_profile": "pyvalue.evaluation.circumplex_profile",
    "find_features": "pyvalue.steering.features",
    "find_strength": "pyvalue.steering.strength_search",
    "graph_distance": "pyvalue.evaluation.graph_distance",
    "graph_from_edges": "pyvalue.given_graphs",
    "graph_from_networkx": "pyvalue.given_graphs",
    "graph_soundness": "pyvalue.effects.graph_soundness",
    "indices": "pyvalue.models.edits",
    "leakage": "pyvalue.effects.leakage",
    "load_ess": "pyvalue.evaluation.ess",
    "load_inventory": "pyvalue.measurement.inventory",
    "load_model": "pyvalue.models.loading",
    "load_personas": "pyvalue.measurement.persona_files",
    "load_reference_graphs": "pyvalue.evaluation.reference_graphs",
    "load_run": "pyvalue.studies.run_folder",
    "load_sae": "pyvalue.models.sae",
    "load_study": "pyvalue.studies.study_file",
    "load_sweep": "pyvalue.steering.sweep_table",
    "make_personas": "pyvalue.measurement.personas",
    "max_activations": "pyvalue.steering.typical_maxima",
    "measure": "pyvalue.measurement.api",
    "measure_steering": "pyvalue.steering.baselines",
    "name_similarity": "pyvalue.measurement.name_similarity",
    "paired_changes": "pyvalue.edit_changes",
    "persona_table": "pyvalue.measurement.personas",
    "plan": "pyvalue.steering.plan",
    "priorities": "pyvalue.evaluation.priorities",
    "random_controls": "pyvalue.steering.controls",
    "refitted_effects": "pyvalue.effects.refitted_effects",
    "report": "pyvalue.reporting.html",
    "reproduce_paper": "pyvalue.evaluation.paper",
    "run_study": "pyvalue.studies.run",
    "save_max_activations": "pyvalue.models.sae",
    "save_personas": "pyvalue.measurement.persona_files",
    "score_rows": "pyvalue.wide_scores",
    "side_effects": "pyvalue.evaluation.side_effects",
    "sinusoid": "pyvalue.evaluation.sinusoid",
    "sound_graph": "pyvalue.effects.sound_graph",
    "span": "pyvalue.models.edits",
    "steering_baselines": "pyvalue.steering.baselines",
    "sweep": "pyvalue.steering.sweep",
    "text_costs": "pyvalue.measurement.steered_text",
    "theory_distances": "pyvalue.evaluation.reference_graphs",
    "theory_graph": "pyvalue.evaluation.reference_graphs",
    "value_effect": "pyvalue.steering.effects_of_edits",
    "write_study": "pyvalue.studies.template",
    "yes_effect": "pyvalue.steering.effects_of_edits",
}

__all__ = ["__version__", *sorted(_PUBLIC)]

if TYPE_CHECKING:
    from pyvalue.broken_scores import broken_rows as broken_rows
    from pyvalue.discovery.api import discover as discover
    from pyvalue.discovery.custom_test import CITest as CITest
    from pyvalue.discovery.custom_test import ci_test as ci_test
    from pyvalue.edit_changes import PairedChanges as PairedChanges
    from pyvalue.edit_changes import paired_changes as paired_changes
    from pyvalue.effects.contexts import discover_with_contexts as discover_with_contexts
    from pyvalue.effects.contexts_graphs import ContextGraphs as ContextGraphs
    from pyvalue.effects.direct_hits import DirectHits as DirectHits
    from pyvalue.effects.direct_hits import direct_hits as direct_hits
    from pyvalue.effects.graph_soundness import GraphSoundness as GraphSoundness
    from pyvalue.effects.graph_soundness import graph_soundness as graph_soundness
    from pyvalue.effects.leakage import Leakage as Leakage
    from pyvalue.effects.leakage import leakage as leakage
    from pyvalue.effects.refitted_effects import RefittedEffects as RefittedEffects
    from pyvalue.effects.refitted_effects import refitted_effects as refitted_effects
    from pyvalue.effects.sound_graph import SoundGraph as SoundGraph
    from pyvalue.effects.sound_graph import sound_graph as sound_graph
    from pyvalue.effects.total_effects import estimate_effects as estimate_effects
    from pyvalue.effects.value_effects import Effects as Effects
    from pyvalue.engines import RayEngine as RayEngine
    from pyvalue.errors import ClusterError as ClusterError
    from pyvalue.errors import ModelError as ModelError
    from pyvalue.errors import NumericsError as NumericsError
    from pyvalue.errors import PyvalueError as PyvalueError
    from pyvalue.errors import StoreError as StoreError
    from pyvalue.evaluation.audit import audit as audit
    from pyvalue.evaluation.audit_findings import Audit as Audit
    from pyvalue.evaluation.audit_findings import Finding as Finding
    from pyvalue.evaluation.benchmark import benchmark_predictions as benchmark_predictions
    from pyvalue.evaluation.benchmark_result import PredictionBenchmark as PredictionBenchmark
    from pyvalue.evaluation.circumplex import Circumplex as Circumplex
    from pyvalue.evaluation.circumplex import circumplex as circumplex
    from pyvalue.evaluation.circumplex_profile import external_profile as external_profile
    from pyvalue.evaluation.detectable_change import detectable_change as detectable_change
    from pyvalue.evaluation.dose_response import DoseResponse as DoseResponse
    from pyvalue.evaluation.dose_response import dose_response as dose_response
    from pyvalue.evaluation.edge_difference import EdgeDifferences as EdgeDifferences
    from pyvalue.evaluation.edge_difference import edge_differences as edge_differences
    from pyvalue.evaluation.ess import SurveyValues as SurveyValues
    from pyvalue.evaluation.ess import load_ess as load_ess
    from pyvalue.evaluation.graph_distance import GraphDistance as GraphDistance
    from pyvalue.evaluation.graph_distance import graph_distance as graph_distance
    from pyvalue.evaluation.paper import PaperReproduction as PaperReproduction
    from pyvalue.evaluation.paper import reproduce_paper as reproduce_paper
    from pyvalue.evaluation.prediction import Evaluation as Evaluation
    from pyvalue.evaluation.prediction import evaluate as evaluate
    from pyvalue.evaluation.priorities import Priorities as Priorities
    from pyvalue.evaluation.priorities import priorities as priorities
    from pyvalue.evaluation.reference_graphs import load_reference_graphs as load_reference_graphs
    from pyvalue.evaluation.reference_graphs import theory_distances as theory_distances
    from pyvalue.evaluation.reference_graphs import theory_graph as theory_graph
    from pyvalue.evaluation.side_effects import SideEffects as SideEffects
    from pyvalue.evaluation.side_effects import side_effects as side_effects
    from pyvalue.evaluation.side_effects_comparison import compare_steering as compare_steering
    from pyvalue.evaluation.sinusoid import sinusoid as sinusoid
    from pyvalue.given_graphs import graph_from_edges as graph_from_edges
    from pyvalue.given_graphs import graph_from_networkx as graph_from_networkx
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
    from pyvalue.measurement.name_similarity import name_similarity as name_similarity
    from pyvalue.measurement.persona_files import load_personas as load_personas
    from pyvalue.measurement.persona_files import save_personas as save_personas
    from pyvalue.measurement.personas import Persona as Persona
    from pyvalue.measurement.personas import make_personas as make_personas
    from pyvalue.measurement.personas import persona_table as persona_table
    from pyvalue.measurement.prompts import PromptStyle as PromptStyle
    from pyvalue.measurement.steered_text import text_costs as text_costs
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
    from pyvalue.steering.baselines import measure_steering as measure_steering
    from pyvalue.steering.baselines import steering_baselines as steering_baselines
    from pyvalue.steering.baselines_directions import difference_of_means as difference_of_means
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
    from pyvalue.studies.run import run_study as run_study
    from pyvalue.studies.run_folder import Run as Run
    from pyvalue.studies.run_folder import load_run as load_run
    from pyvalue.studies.study import Study as Study
    from pyvalue.studies.study_file import load_study as load_study
    from pyvalue.studies.template import write_study as write_study
    from pyvalue.wide_scores import score_rows as score_rows


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'pyvalue' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
