"""Work through the units of a run, in memory or in a run folder, alone or beside other processes.

A unit is what is asked together. Its answers make one or more numbered parts, and the table of a run is its parts in
the order of their numbers, however they came about.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from pyvalue.errors import StoreError
from pyvalue.measurement.progress import Advance, progress_bar
from pyvalue.measurement.store import RunFolder
from pyvalue.responses import Responses

Unit = TypeVar("Unit")
Ask = Callable[[Unit, Sequence[int]], Mapping[int, pd.DataFrame]]
#: from a run and the places of units that wait to those that were asked, with their questions; None where it is held
Elsewhere = Callable[[RunFolder, Sequence[int]], Iterator[tuple[int, int | None]]]

#: seconds between two looks at what other processes hold
PAUSE = 0.2
#: seconds between two counts of the parts in the manifest
RECORD_EVERY = 30.0


def run_parts(
    folder: str | Path | None,
    study: dict[str, Any],
    units: Sequence[Unit],
    numbers_of: Callable[[Unit], Sequence[int]],
    ask: Ask[Unit],
    *,
    title: str = "measuring",
    progress: bool | None = None,
    shared: bool = False,
    elsewhere: Elsewhere | None = None,
) -> Responses:
    """Ask what is missing, and return every part.

    Args:
        folder: run folder; a later call with the same study asks only what is missing. None: nothing is stored.
        study: what decides the answers, JSON-able. It must decide the units and their numbers, too.
        units: in the order in which they are asked.
        numbers_of: numbers of the parts that a unit makes; no two units share one.
        ask: from a unit and the numbers of its missing parts to their tables.
        title: of the progress bar.
        progress: see ``progress_bar``.
        shared: whether other processes that pass it may work on the folder meanwhile. Each takes units that no other
            holds, takes over those of a process that died, and returns when every part is stored.
        elsewhere: gets units asked by other processes, with ``ask_unit`` in the same folder; default asks them here.

    Returns:
        The rows of all parts, by number.

    Raises:
        StoreError: the folder belongs to another study, is in use, cannot be written, or was begun with another number
            of parts.
    """
    if folder is None:
        if shared:
            raise ValueError("shared: expected a folder to share, got shared=True and no folder")
        return _in_memory(study, units, numbers_of, ask, title, progress)
    with RunFolder(folder, study, shared=shared or elsewhere is not None) as run:
        work = _Work(run, units, numbers_of, ask, elsewhere)
        with work.recorded(), progress_bar(title, len(units), progress, done=work.units_done) as advance:
            work.finish(advance)
        return run.read(work.numbers)


def ask_unit(run: RunFolder, place: int, unit: Unit, numbers: Sequence[int], ask: Ask[Unit]) -> int | None:
    """Ask what is missing of a unit, and store it.

    Args:
        run: where the parts go.
        place: of the unit among all; what it is claimed by.
        unit: to ask.
        numbers: of its parts.
        ask: see ``run_parts``.

    Returns:
        Questions that were asked; None where another process holds the unit.
    """
    if all(run.has(number) for number in numbers):
        return 0
    with run.claim(place) as mine:
        if not mine:
            return None
        # Again: its last holder may have stored them before it let go.
        missing = [number for number in numbers if not run.has(number)]
        if not missing:
            return 0
        tables = ask(unit, missing)
        for number in missing:
            run.write_part(number, tables[number])
        return sum(len(tables[number]) for number in missing)


def _in_memory(
    study: dict[str, Any],
    units: Sequence[Unit],
    numbers_of: Callable[[Unit], Sequence[int]],
    ask: Ask[Unit],
    title: str,
    progress: bool | None,
) -> Responses:
    tables: dict[int, pd.DataFrame] = {}
    with progress_bar(title, len(units), progress) as advance:
        for unit in units:
            found = ask(unit, numbers_of(unit))
            tables |= {number: found[number] for number in numbers_of(unit)}
            advance(sum(map(len, found.values())))
    return Responses(pd.concat([tables[number] for number in sorted(tables)], ignore_index=True), {"study": study})


class _Work:
    """The units of one run in one folder."""

    def __init__(
        self,
        run: RunFolder,
        units: Sequence[Unit],
        numbers_of: Callable[[Unit], Sequence[int]],
        ask: Ask[Unit],
        elsewhere: Elsewhere | None,
    ) -> None:
        self._run, self._ask, self._elsewhere = run, ask, elsewhere or self._here
        self._units = [(unit, tuple(numbers_of(unit))) for unit in units]
        self.numbers = sorted(number for _, numbers in self._units for number in numbers)
        stored = {number for number in self.numbers if run.part(number).exists()}
        self._began = bool(stored)
        self._waiting = [i for i, (_, numbers) in enumerate(self._units) if not stored.issuperset(numbers)]
        self._recorded_at = time.monotonic()

    @property
    def units_done(self) -> int:
        """Units whose parts are all stored."""
        return len(self._units) - len(self._waiting)

    def finish(self, advance: Advance) -> None:
        """Ask what is missing, and wait for what others hold."""
        while self._waiting:
            held = []
            for i, asked in self._elsewhere(self._run, self._waiting):
                if asked is None:
                    held.append(i)
                    continue
                advance(asked)
                self._record_now_and_then()
            if len(held) == len(self._waiting):
                time.sleep(PAUSE)
            self._waiting = held

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Count the parts in the manifest before and after."""
        self._check_total()
        self._record()
        try:
            yield
        except BaseException:
            with contextlib.suppress(StoreError):  # the fault itself says more
                self._record()
            raise
        self._record()

    def _here(self, run: RunFolder, places: Sequence[int]) -> Iterator[tuple[int, int | None]]:
        for i in places:
            yield i, ask_unit(run, i, *self._units[i], self._ask)

    def _check_total(self) -> None:
        """Parts of another size have other numbers; a study that forgot what decides them must not mix the two."""
        total = self._run.total
        if self._began and total not in (None, len(self.numbers)):
            raise StoreError(
                f"run folder {self._run.path} was begun with {total} parts, and this run has {len(self.numbers)}; "
                "use another folder"
            )

    def _record(self) -> None:
        stored = sum(self._run.part(number).exists() for number in self.numbers)  # by others, too
        self._run.record(stored, len(self.numbers))
        self._recorded_at = time.monotonic()

    def _record_now_and_then(self) -> None:
        if time.monotonic() - self._recorded_at > RECORD_EVERY:
            self._record()
