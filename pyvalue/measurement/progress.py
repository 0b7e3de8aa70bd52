"""A progress bar with the time left, on a terminal only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(title: str, total: int, show: bool | None = None) -> Iterator[Callable[[], None]]:
    """Show steps done of ``total`` on standard error.

    Args:
        title: in front of the bar.
        total: number of steps.
        show: default only when standard error is a terminal.

    Yields:
        A function to call after every step.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    disabled = not (console.is_terminal if show is None else show)
    with Progress(*columns, console=console, disable=disabled) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
