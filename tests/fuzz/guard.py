"""What one call of a reader did: its outcome, and whatever a reader must not do. Runs nothing by itself."""

from __future__ import annotations

import os
import signal
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS = 5.0  # of processor time: on a busy machine anything may take long
ASLEEP = 60.0  # seconds on the clock, for what waits without working
MEGABYTES = 500
LONGEST = 8000  # letters of a message
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEEDS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile", "socket.connect",
          "socket.bind", "socket.getaddrinfo", "pickle.find_class", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
          "os.chmod", "os.chown", "os.truncate", "os.link", "os.symlink", "os.putenv", "shutil.rmtree", "shutil.move",
          "webbrowser.open", "ctypes.dlopen", "tempfile.mkstemp", "tempfile.mkdtemp")  # fmt: skip


class TooSlow(BaseException):
    """Raised in a reader that takes longer than ``SECONDS``."""


class Deeds:
    """An audit hook that notes writing, deleting, unpickling, connecting and starting processes while it is on.

    Python cannot take an audit hook away again, so there is one for a process.
    """

    def __init__(self) -> None:
        self.on = False
        self.noted: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if flags & _WRITES and str(arguments[0]) != os.devnull:
                self.noted.append(f"opened {arguments[0]!r} for writing")
        elif event in _DEEDS:
            self.noted.append(f"{event} {arguments!r:.200}")


def outcome(read: Callable[[Path], object], path: Path, deeds: Deeds | None = None) -> tuple[str, str]:
    """("read" or "refused", ""), or (kind of finding, what was found)."""
    _reset_peak()  # else growth below an earlier peak goes unseen
    if deeds is not None:
        deeds.noted.clear()
        deeds.on = True
    memory, begun = _peak(), time.process_time()
    found: tuple[str, str]
    try:
        with _limited(), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            read(path)
        odd = [str(one.message) for one in told if _odd(str(one.message)) or len(str(one.message)) > LONGEST]
        found = ("unprintable warning", f"{odd[0]!r:.300}") if odd else ("read", "")
    except TooSlow:
        found = ("hang", f"more than {SECONDS} s")
    except Exception as error:
        found = _judged(error)
    finally:
        if deeds is not None:
            deeds.on = False
    if deeds is not None and deeds.noted:
        return "deed", "; ".join(deeds.noted[:3])
    if time.process_time() - begun > SECONDS:
        return "hang", f"{time.process_time() - begun:.1f} s"
    grown = _peak() - memory
    if grown > MEGABYTES:
        _reset_peak()
        return "memory", f"{grown:.0f} MB"
    return found


def _judged(error: Exception) -> tuple[str, str]:
    allowed = type(error) in (ValueError, TypeError, FileNotFoundError) or type(error).__module__.startswith("pyvalue.")
    name = type(error).__name__
    if not allowed:
        return f"raised {name}", f"{name}: {str(error)!r:.300} at {_origin(error)}"
    message = str(error)
    if not message.strip():
        return "no message", f"{name} at {_origin(error)}"
    if len(message) > LONGEST:
        return "long message", f"{name} of {len(message)} letters at {_origin(error)}"
    if odd := _odd(message):
        return "unprintable message", f"{odd!r} in {message!r:.300} at {_origin(error)}"
    return "refused", ""


def _odd(message: str) -> list[str]:
    """What moves the cursor, turns writing round, or cannot be printed; joiners are part of some scripts."""
    acts = {letter for letter in message if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return sorted(acts - set("\n\t\u200c\u200d"))


def _origin(error: BaseException) -> str:
    """The last line of pyvalue that the error came through."""
    trace, last = error.__traceback__, "?"
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if f"{os.sep}pyvalue{os.sep}" in file:
            last = f"{file.rpartition(f'{os.sep}pyvalue{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return last


@contextmanager
def _limited() -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, ASLEEP))
    before = [signal.signal(number, stop) for _, number, _ in timers]
    rest = [signal.setitimer(timer, seconds)[0] for timer, _, seconds in timers]  # of whoever else uses them
    try:
        yield
    finally:
        for (timer, number, _), handler, seconds in zip(timers, before, rest, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
            signal.setitimer(timer, seconds)


def _peak() -> float:
    """Most memory that this process has had in use, MB. Linux only; 0 elsewhere."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
