"""Progress on standard error: a bar on a terminal, a line a minute in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

#: seconds between two lines in a log, and before the first
LINE_EVERY = 60.0


class Advance(Protocol):
    """Called after every step."""

    def __call__(self, questions: int = 0) -> None:
        """One step is done, in which so many questions were asked."""
        ...


class Pace:
    """How far a run is, how fast it goes and how long it has left, as text.

    Args:
        total: number of steps.
        done: steps that were done before; they say nothing of the speed.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self._total, self._before, self._questions = total, done, 0
        self._began = time.monotonic()
        self.done = done

    def step(self, questions: int = 0) -> None:
        """Count one step more."""
        self.done += 1
        self._questions += questions

    @property
    def rate(self) -> float | None:
        """Questions per second since the start; None where none were counted."""
        elapsed = time.monotonic() - self._began
        return self._questions / elapsed if self._questions and elapsed > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """At the mean speed since the start; None before the first step."""
        steps = self.done - self._before
        return (time.monotonic() - self._began) / steps * (self._total - self.done) if steps else None

    def __str__(self) -> str:
        parts = [] if self.rate is None else [f"{self.rate:.3g} questions/s"]
        if self.done >= self._total:
            parts.append(f"took {_duration(time.monotonic() - self._began)}")
        elif self.seconds_left is not None:
            parts.append(f"{_duration(self.seconds_left)} left")
        return ", ".join(parts)


@contextlib.contextmanager
def progress_bar(title: str, total: int, show: bool | None = None, done: int = 0) -> Iterator[Advance]:
    """Show steps done of ``total`` on standard error, with the time left.

    A terminal gets a bar. Anything else (a log file, CI) gets a plain line a minute, and so none for a run that takes
    less.

    Args:
        title: in front.
        total: number of steps.
        show: False: nothing. True: where it is not a terminal, a last line even after a short run.
        done: steps that were done before.

    Yields:
        A function to call after every step; from questions counted in it come questions per second.
    """
    pace = Pace(total, done)
    if show is False:
        yield pace.step
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _lines(title, total, pace, last=bool(show))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    name = TextColumn("{task.description}", markup=False)  # labels of edits may hold brackets
    columns = (name, BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, pace=pace)

        def advance(questions: int = 0) -> None:
            pace.step(questions)
            bar.update(task, completed=pace.done)

        yield advance


def _lines(title: str, total: int, pace: Pace, last: bool) -> Iterator[Advance]:
    printed = time.monotonic()

    def line() -> None:
        about = str(pace)
        print(f"{title}: {pace.done} of {total}{', ' if about else ''}{about}", file=sys.stderr, flush=True)

    def advance(questions: int = 0) -> None:
        nonlocal printed, last
        pace.step(questions)
        if pace.done < total and time.monotonic() - printed >= LINE_EVERY:
            printed, last = time.monotonic(), True
            line()

    yield advance
    if last or time.monotonic() - printed >= LINE_EVERY:
        line()


def _duration(seconds: float) -> str:
    """Such as ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
