"""The plots, all in one place: each returns a matplotlib ``Figure`` and leaves pyplot alone."""

from pyvalue.reporting.effects_plot import draw_effects, draw_profile
from pyvalue.reporting.graph_plot import draw_graph
from pyvalue.reporting.quality_plot import draw_quality

__all__ = ["draw_effects", "draw_graph", "draw_profile", "draw_quality"]
