"""The plots, all in one place: each returns a matplotlib ``Figure`` and leaves pyplot alone."""

from pyvalue.reporting.audit_plot import draw_nulls, draw_personas
from pyvalue.reporting.benchmark_plot import draw_benchmark
from pyvalue.reporting.circumplex_plot import draw_circumplex, draw_external_profile, draw_sinusoids
from pyvalue.reporting.effects_plot import draw_effects, draw_profile
from pyvalue.reporting.graph_plot import draw_graph
from pyvalue.reporting.paper_bars import draw_paper_bars
from pyvalue.reporting.paper_heat_map import draw_paper_table_1
from pyvalue.reporting.paper_pies import draw_paper_pies
from pyvalue.reporting.quality_plot import draw_quality
from pyvalue.reporting.side_effects_plot import draw_dose_response, draw_side_effects

__all__ = [
    "draw_benchmark",
    "draw_circumplex",
    "draw_dose_response",
    "draw_effects",
    "draw_external_profile",
    "draw_graph",
    "draw_nulls",
    "draw_paper_bars",
    "draw_paper_pies",
    "draw_paper_table_1",
    "draw_personas",
    "draw_profile",
    "draw_quality",
    "draw_side_effects",
    "draw_sinusoids",
]
