"""``.plot()`` of the value objects. Imports no room: the drawing room is looked up by its name when it is called."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: the module that draws; its ``draw`` chooses by the type
DRAWING_ROOM = "pyvalue.reporting.figures"


class Plotted:
    """Gives a value object its picture."""

    def plot(self, path: str | Path | None = None, **options: Any) -> Figure:
        """Draw with matplotlib.

        Args:
            path: also write it to this file; .png, .svg or .pdf.
            options: of the picture, see ``pyvalue.reporting.figures``.

        Returns:
            A matplotlib ``Figure``, which pyplot does not know of.

        Raises:
            ValueError: the file's ending is another, or an option does not fit.
            StoreError: the file cannot be written.
        """
        figure: Figure = importlib.import_module(DRAWING_ROOM).draw(self, path, **options)
        return figure
