"""One thread at a time asks a model, because passes that skip layers or follow edits change it for their time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from pyvalue.errors import ModelError

_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_of_locks = threading.Lock()


@contextlib.contextmanager
def alone_with(network: Any) -> Iterator[None]:
    """Let other threads that ask the network wait until the block is left; blocks of one thread may nest.

    Inside, the network returns outputs by name, whatever its config says: many models hand ``return_dict`` of a call
    to their outer part only, and cannot run without names inside.

    Raises:
        ModelError: the network is in training mode, where its answers are random.
    """
    with _of_locks:
        lock = _locks.setdefault(network, threading.RLock())
    with lock:
        if network.training:
            raise ModelError("the model is in training mode, where dropout makes answers random; call network.eval()")
        before = network.config.return_dict
        network.config.return_dict = True
        try:
            yield
        finally:
            network.config.return_dict = before
