"""A progress bar on the terminal, or the caller's own callback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ProgressOption = bool | Callable[[int, int], object] | None


@contextmanager
def bootstrap_progress(option: ProgressOption, total: int) -> Iterator[Callable[[int], object] | None]:
    """Yield what the search calls with the number of finished replicates, or None for silence.

    Args:
        option: None for a bar where stderr is a terminal, True or False to force it, or a callback
            ``(done, total)``. Whatever the callback raises ends the search.
        total: number of replicates.
    """
    if callable(option):
        yield lambda done: option(done, total)
        option(total, total)
        return
    if not (sys.stderr.isatty() if option is None else option):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("bootstrap"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("bootstrap", total=total)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=total)
