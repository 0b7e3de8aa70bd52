"""A run folder: what was asked (``manifest.json``) and the results so far (``responses/part-*.parquet``).

Parts are written whole under a temporary name and then renamed, so that a kill at any moment loses at most the part
in flight. This module knows nothing of models.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd

from pyvalue.atomic_files import reason, remove_leftovers, write_json, write_table
from pyvalue.errors import StoreError
from pyvalue.file_faults import check_regular
from pyvalue.measurement import manifest as manifests
from pyvalue.measurement.locks import claim, is_current, open_lock, try_lock, unlock
from pyvalue.measurement.manifest import Manifest
from pyvalue.responses import COLUMNS, Responses, make_table

__all__ = ["RunFolder", "write_json", "write_table"]

_LOCK, _CLAIMS = ".lock", ".claims"
#: seconds to wait for another that shares, while it holds the lock alone to begin or to tidy up
_PATIENCE = 3.0


class RunFolder:
    """One study's answers on disk. Use as a context manager.

    One process holds it at a time, or several that all say ``shared``: each then claims what it asks. On NFS that
    takes locks between machines (see ``pyvalue.measurement.locks``).

    Args:
        path: created when absent; may be a symbolic link to a folder.
        study: what is asked, JSON-able; a folder that holds another study is refused.
        results: name of the folder within, where the parts go.
        shared: whether other processes that say the same may use it meanwhile.
        joins: of one who shares: whether another has begun the run and tidies up, so that this one never does. It must
            not where locks do not reach another machine, since what others are writing would look like a leftover.

    Raises:
        StoreError: the folder cannot be written, belongs to another study, was made by another version with another
            schema, or is in use.
    """

    def __init__(
        self,
        path: str | Path,
        study: dict[str, Any],
        results: str = "responses",
        shared: bool = False,
        joins: bool = False,
    ) -> None:
        self.path = Path(path)
        self.study = json.loads(json.dumps(study))
        self._results = results
        self._shared, self._joins = shared, joins
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> RunFolder:
        try:
            (self.path / self._results).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as fault:
            raise StoreError(f"run folder {self.path} cannot be written: {fault.filename} is not a folder") from fault
        except OSError as fault:
            raise StoreError(f"run folder {self.path} cannot be written: {reason(fault)}") from fault
        self._check_within(self._results)
        self._lock = open_lock(self.path / _LOCK)
        try:
            self._enter_locked(self._lock)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is None:
            return
        with self._lock as lock, contextlib.suppress(StoreError):
            self._lock = None
            if self._shared and not self._joins and is_current(lock) and try_lock(lock):  # the last one tidies up
                shutil.rmtree(self.path / _CLAIMS, ignore_errors=True)

    def part(self, group: int) -> Path:
        """Where the answers of a group of questions go."""
        return self.path / self._results / f"part-{group:06d}.parquet"

    def has(self, group: int) -> bool:
        """Whether the answers of a group are stored."""
        if self._shared:
            # NFS remembers which files were absent until somebody opens their folder.
            with contextlib.suppress(OSError):
                os.close(os.open(self.path / self._results, os.O_RDONLY))
        return self.part(group).exists()

    def parts(self) -> list[Path]:
        """What is stored so far, in the order of the groups."""
        return sorted((self.path / self._results).glob("part-*.parquet"), key=lambda path: (len(path.name), path.name))

    def write_part(self, group: int, table: pd.DataFrame) -> None:
        """Store one group's answers, whole or not at all.

        Raises:
            StoreError: they cannot be written, or the folder was removed or replaced meanwhile.
        """
        if self._lock is None or not is_current(self._lock):
            raise StoreError(f"run folder {self.path} was removed or replaced while in use; nothing was written")
        self._check_within(self._results)
        write_table(self.part(group), Responses(table).table)

    @contextlib.contextmanager
    def claim(self, unit: int) -> Iterator[bool]:
        """Hold a unit of questions while they are asked; end the block once their parts are stored.

        Yields:
            False when another process holds it.

        Raises:
            StoreError: the claim cannot be written.
        """
        if not self._shared:
            yield True
            return
        with claim(self.path / _CLAIMS / f"unit-{unit:06d}") as mine:
            yield mine

    @property
    def total(self) -> int | None:
        """Parts that the whole run has, as ``record`` was told; None where it was not."""
        total = Manifest.load(self.path, self._results).status.get("total")
        return None if total is None else int(total)

    def record(self, done: int, total: int) -> None:
        """Keep in the manifest how many parts are stored.

        Raises:
            StoreError: it cannot be written.
        """
        before = Manifest.load(self.path, self._results)
        after = before.with_status(done, total)
        if after is not before:
            after.save(self.path)

    def read(self, groups: Sequence[int] | None = None) -> Responses:
        """Stored answers, in the order of the groups.

        Args:
            groups: default every one that is stored.

        Raises:
            StoreError: there are none, or a part cannot be read.
        """
        files = self.parts() if groups is None else [self.part(group) for group in groups]
        if not files:
            raise StoreError(f"no responses in {self.path / self._results}; expected part-*.parquet")
        return Responses(_joined(files), {"study": self.study})

    def _check_within(self, name: str) -> None:
        """Refuse a link in place of a folder within: what is written there would land elsewhere."""
        if (self.path / name).is_symlink():
            raise StoreError(f"run folder {self.path}: {name} is a link; only the run folder itself may be one")

    def _enter_locked(self, lock: IO[bytes]) -> None:
        if not (self._share(lock) if self._shared else self._hold(lock)):
            beside = " that does not share it" if self._shared else ""
            raise StoreError(f"run folder {self.path} is in use by another process{beside}")
        if not is_current(lock):
            raise StoreError(f"run folder {self.path} was removed while it was opened; try again")
        stored = Manifest.load(self.path, self._results).study
        if stored != self.study:
            differs = manifests.listed(manifests.differences(stored, self.study))
            raise StoreError(
                f"run folder {self.path} belongs to another study (differs in: {differs}); "
                "use another folder, or delete this one"
            )
        if self._shared:
            try:
                (self.path / _CLAIMS).mkdir(exist_ok=True)
                self._check_within(_CLAIMS)
            except OSError as fault:
                raise StoreError(f"cannot write {self.path / _CLAIMS}: {reason(fault)}") from fault

    def _hold(self, lock: IO[bytes]) -> bool:
        if not try_lock(lock):
            return False
        self._begin()
        return True

    def _share(self, lock: IO[bytes]) -> bool:
        """The first one begins the run alone. The others wait for it, and one of them does it if the first one dies."""
        until = time.monotonic() + _PATIENCE
        while True:
            if not self._joins:
                self._hold(lock)
            if try_lock(lock, shared=True) and (self.path / manifests.NAME).exists():
                return True
            unlock(lock)
            if time.monotonic() >= until:
                return False
            time.sleep(random.uniform(0.01, 0.05))  # of two that try at once, one is first

    def _begin(self) -> None:
        """What is safe for one who is alone: to begin a manifest, and to remove what kills left."""
        remove_leftovers(self.path)
        remove_leftovers(self.path / self._results)
        shutil.rmtree(self.path / _CLAIMS, ignore_errors=True)
        answered = any(self.path.glob("*/part-*.parquet"))  # of whichever kind of study
        written = (self.path / manifests.NAME).exists()
        if answered and not written:
            raise StoreError(f"run folder {self.path} holds answers but no manifest.json; move them away")
        if not answered:  # also where an earlier call failed before its first answer
            Manifest.begun_now(self.study).save(self.path)


def _joined(files: Sequence[Path]) -> pd.DataFrame:
    """The rows of all parts. Joined before they become one pandas table, which is several times faster."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    contents = []
    for file in files:
        try:
            check_regular(file, links=False)
        except OSError as fault:
            raise StoreError(f"responses {file} cannot be read ({reason(fault)})") from fault
    try:
        for file in files:
            with pq.ParquetFile(file) as part:
                contents.append(part.read())
        if all(content.column_names == list(COLUMNS) for content in contents):
            return make_table(pa.concat_tables(contents, promote_options="permissive").to_pandas())
    except (OSError, ValueError, pa.ArrowException):
        pass  # what cannot be read is named below
    return pd.concat([Responses.load(file).table for file in files], ignore_index=True)
