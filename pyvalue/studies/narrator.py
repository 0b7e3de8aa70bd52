"""Tells on standard error what a run does, stage by stage, with the seconds since its start."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console

from pyvalue.visible_text import visible


class Narrator:
    """Prints a stage and what came of it.

    Args:
        silent: print nothing.
    """

    def __init__(self, silent: bool = False) -> None:
        self._start = time.perf_counter()
        self._silent = silent
        # Standard output is for results, which other programs may read.
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._start

    def __call__(self, stage: str, text: str) -> None:
        """One line; an empty stage goes on with the one before."""
        if self._silent:
            return
        clock = f"{self.seconds:5.0f} s" if stage else " " * 7
        self._console.print(f"[dim]{clock}[/dim]  [bold]{stage:12}[/bold] ", end="")
        # Names of personas and models are other people's text: no control characters reach the terminal.
        self._console.print(visible(text), markup=False, emoji=False)

    def lines(self, stage: str, texts: Iterable[str]) -> None:
        """Several lines, the first with the stage."""
        for place, text in enumerate(texts):
            self(stage if place == 0 else "", text)
