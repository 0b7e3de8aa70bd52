"""A progress bar on the terminal, or the caller's own callback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ProgressOption = bool | Callable[[int, int], object] | None


@contextmanager
def bootstrap_progress(option: ProgressOption, total: int) -> Iterator[Callable[[int], object] | None]:
    """Yield what the search calls with the number of finished replicates, or None for silence.

    Args:
        option: None for a bar where stderr is a terminal, True or False to force it, or a callback
            ``(done, total)``. Whatever the callback raises ends the search.
        total: number of replicates.
    """
    if option is not None and not isinstance(option, bool) and not callable(option):
        raise TypeError(f"progress must be True, False, None or a callback (done, total), got {option!r}")
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


@contextmanager
def search_progress(option: ProgressOption, d: int) -> Iterator[Callable[[int], object] | None]:
    """Yield what the search on all rows calls with the number of finished sweeps, d of them an order; or None.

    Args:
        option: as in :func:`bootstrap_progress`; a callback is for replicates and is not called here.
        d: number of values.
    """
    if callable(option) or not (sys.stderr.isatty() if option is None else option):
        yield None
        return
    with _LazyBar(d) as bar:
        yield bar.update


class _LazyBar:
    """A bar that appears with its first update, because most searches end before."""

    def __init__(self, d: int) -> None:
        self._d = d
        self._bar: Any = None
        self._task: Any = None

    def update(self, done: int) -> None:
        order, values = divmod(done, self._d)
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("search, sets of {task.fields[order]}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("search", total=self._d, order=order)
        if self._bar.tasks[0].fields["order"] != order:
            self._bar.reset(self._task, total=self._d, order=order)
        self._bar.update(self._task, completed=values)

    def __enter__(self) -> _LazyBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
