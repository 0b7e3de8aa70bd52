"""The command line. Every command is a thin call of the public API, one file a command.

Nothing that takes time to import is imported before a command runs, so that help and completion are quick.
"""

from __future__ import annotations

from pyvalue.cli.application import app

__all__ = ["app"]
