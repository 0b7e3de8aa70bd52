"""The plots, all in one place: each returns a matplotlib ``Figure`` and leaves pyplot alone."""

from pyvalue.reporting.audit_plot import draw_nulls, draw_personas
from pyvalue.reporting.benchmark_plot import draw_benchmark
from pyvalue.reporting.circumplex_plot import draw_circumplex, draw_external_profile, draw_sinusoids
from pyvalue.reporting.edge_difference_plot import draw_edge_differences
from pyvalue.reporting.effect_ranges_plot import draw_effect_ranges
from pyvalue.reporting.effects_plot import draw_effects, draw_profile
from pyvalue.reporting.graph_distance_plot import draw_graph_distance
from pyvalue.reporting.graph_plot import draw_graph
from pyvalue.reporting.heat_map_plot import draw_heat_map
from pyvalue.reporting.leakage_plot import draw_leakage
from pyvalue.reporting.paper_bars import draw_paper_bars
from pyvalue.reporting.paper_heat_map import draw_paper_table_1
from pyvalue.reporting.paper_pies import draw_paper_pies
from pyvalue.reporting.plan_plot import draw_plan
from pyvalue.reporting.prediction_plot import draw_prediction
from pyvalue.reporting.priorities_plot import draw_priorities
from pyvalue.reporting.quality_plot import draw_quality
from pyvalue.reporting.side_effects_plot import draw_dose_response, draw_side_effects
from pyvalue.reporting.sweep_plot import draw_sweep

__all__ = [
    "draw_benchmark",
    "draw_circumplex",
    "draw_dose_response",
    "draw_edge_differences",
    "draw_effect_ranges",
    "draw_effects",
    "draw_external_profile",
    "draw_graph",
    "draw_graph_distance",
    "draw_heat_map",
    "draw_leakage",
    "draw_nulls",
    "draw_paper_bars",
    "draw_paper_pies",
    "draw_paper_table_1",
    "draw_personas",
    "draw_plan",
    "draw_prediction",
    "draw_priorities",
    "draw_profile",
    "draw_quality",
    "draw_side_effects",
    "draw_sinusoids",
    "draw_sweep",
]
