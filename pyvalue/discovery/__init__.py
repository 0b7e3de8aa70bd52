"""Responses to a ValueGraph: the PC algorithm and its bootstrap."""

from pyvalue.discovery.api import discover
from pyvalue.discovery.degenerate import DegenerateDataWarning
from pyvalue.knowledge import Knowledge

__all__ = ["DegenerateDataWarning", "Knowledge", "discover"]
