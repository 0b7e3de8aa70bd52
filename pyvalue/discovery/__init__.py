"""Responses to a ValueGraph: the PC algorithm and its bootstrap."""

from pyvalue.discovery.api import discover
from pyvalue.discovery.degenerate import DegenerateDataWarning

__all__ = ["DegenerateDataWarning", "discover"]
