"""What goes wrong while a file is read, as one kind of error with a message that can be printed.

Over damaged and hostile files the libraries that read JSON, CSV, Parquet and archives raise a dozen types, and put
pieces of the file into their messages. A caller is to meet neither.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyvalue.visible_text import printable

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
}


@contextmanager
def file_faults(what: str = "file", kind: type[Exception] = ValueError) -> Iterator[None]:
    """Let errors of our own through, and make any other a ``kind``; either way with a printable message.

    Use it as a decorator, or in a ``with`` block where the function warns, which counts frames of the stack.

    Args:
        what: is read, for the message.
        kind: of error for what libraries raise.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        yield
    except ImportError:
        raise
    except Exception as fault:
        ours = type(fault) in (ValueError, TypeError) or type(fault).__module__.startswith("pyvalue.")
        missing = isinstance(fault, FileNotFoundError) and not ours
        message = str(fault)
        if not ours and not missing:
            message = f"{what} cannot be read ({type(fault).__name__}: {message})"
        shown = printable(message)
        # Tracebacks print what an error came from, too: one that cannot be shown as it is goes.
        if not _shown(fault.__cause__ or fault.__context__):
            fault.__cause__, fault.__suppress_context__ = None, True
        if shown == str(fault):
            raise
        if ours:
            fault.args = (shown,)
            raise
        raise (FileNotFoundError if missing else kind)(shown) from (fault if _shown(fault) else None)


def _shown(fault: BaseException | None) -> bool:
    """Whether the error, and whatever a traceback would print before it, can be shown as it is."""
    while fault is not None:
        if printable(str(fault)) != str(fault):
            return False
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
    return True


def check_regular(path: str | Path, links: bool = True) -> None:
    """Refuse what is no plain file before it is opened: reading a pipe waits for ever, a device never ends.

    Args:
        path: of the file.
        links: whether it may be a symbolic link to a plain file.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is something else; readers tell of it as of any file that cannot be read.
    """
    mode = (os.stat if links else os.lstat)(path).st_mode
    if not stat.S_ISREG(mode):
        found = _KINDS.get(stat.S_IFMT(mode), "no plain file")
        raise OSError(f"it is {found}; expected a plain file{'' if links else ' in the folder itself'}")
