"""Rows of a Ray data set, with a wait that ends. Ray's own iterator waits for the next row as long as it takes."""

from __future__ import annotations

import ctypes
import queue
import threading
from types import TracebackType
from typing import Any, Self

#: seconds that a pipeline may take to stop its workers
STOPPING = 10.0


class _Stopped(BaseException):
    """Nobody wants more rows."""


class Rows:
    """Rows as they come, read by a thread of their own. Use as a context, which stops the workers at its end.

    Args:
        data: a ``ray.data.Dataset``.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._found: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="rows of Ray", daemon=True)

    def next(self, timeout: float) -> dict[str, Any] | None:
        """The next row; None after the last.

        Raises:
            queue.Empty: none came in so many seconds.
        """
        found = self._found.get(timeout=timeout)
        if isinstance(found, BaseException):
            raise found
        return found

    def _read(self) -> None:
        try:
            for row in self._data.iter_rows():
                self._found.put(row)
            self._found.put(None)
        except _Stopped:
            pass
        except BaseException as fault:
            self._found.put(fault)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or not self._thread.is_alive():
            return
        # Ray's iterator sleeps in Python, a hundredth of a second at a time. An exception there, as of Ctrl-C, is what
        # makes it stop its workers; there is no other handle on a pipeline before its first row.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_Stopped))
        self._thread.join(STOPPING)
