"""One thread at a time asks a model, because passes that skip layers or follow edits change it for their time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from torch import nn

from pyvalue.errors import ModelError

_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_of_locks = threading.Lock()


@contextlib.contextmanager
def alone_with(network: nn.Module) -> Iterator[None]:
    """Let other threads that ask the network wait until the block is left; blocks of one thread may nest.

    Raises:
        ModelError: the network is in training mode, where its answers are random.
    """
    with _of_locks:
        lock = _locks.setdefault(network, threading.RLock())
    with lock:
        if network.training:
            raise ModelError("the model is in training mode, where dropout makes answers random; call network.eval()")
        yield
