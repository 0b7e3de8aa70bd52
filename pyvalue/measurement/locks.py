"""Locks on files (``flock``). The system frees them when their process ends, however it ends.

They hold between machines on NFS version 4, and on older versions where the lock service runs; a mount with
``local_lock`` keeps them on its own machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pyvalue.atomic_files import reason
from pyvalue.errors import StoreError


def open_lock(path: Path) -> IO[bytes]:
    """The file of a lock, not locked yet; it is made when absent and never changed.

    Raises:
        StoreError: it cannot be made, or something else than a plain file has its name: a link would lock, and a claim
            remove, what is elsewhere, and opening a pipe waits for ever.
    """
    try:
        file = open(path, "ab", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    except OSError as fault:
        raise StoreError(f"cannot write {path}: {reason(fault)}") from fault
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise StoreError(f"cannot write {path}: expected a plain file; remove it")
    return file


def _without_waiting(path: str, flags: int) -> int:
    """Opens no link, and waits for no reader of a pipe; the mode is that of any file, less what the umask takes."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def try_lock(file: IO[bytes], shared: bool = False) -> bool:
    """Whether the lock could be had at once; a lock of the other kind that was held is lost either way.

    Args:
        file: from ``open_lock``; closing it frees the lock.
        shared: beside others that share it, instead of alone.

    Raises:
        StoreError: the file system has no locks.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as fault:
        raise StoreError(
            f"cannot lock {file.name}: {reason(fault)}; use a folder on a local disk or on NFS version 4"
        ) from fault
    return True


def unlock(file: IO[bytes]) -> None:
    """Free the lock, if it is held."""
    fcntl.flock(file, fcntl.LOCK_UN)


def is_current(file: IO[bytes]) -> bool:
    """Whether the file of a lock is still there under its name: a lock on a removed file keeps nobody out."""
    try:
        return os.path.samestat(os.stat(file.name), os.fstat(file.fileno()))
    except OSError:
        return False


@contextlib.contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Hold a piece of work that several processes could take.

    The file goes when the block ends without a fault. So whoever gets a claim must look whether the work is done.

    Args:
        path: file that stands for the piece.

    Yields:
        False when another process holds it.

    Raises:
        StoreError: the file cannot be made.
    """
    with open_lock(path) as file:
        if not try_lock(file):
            yield False
            return
        yield True
        with contextlib.suppress(OSError):
            path.unlink()
