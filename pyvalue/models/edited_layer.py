"""Give a decoder layer a type of its own while it is edited, so that compiled code notices. Hooks nothing.

``torch.compile`` does not guard on hooks: code that it made before would go on without them, and nothing would be
steered. It does guard on the type of a module.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import nn

# Layer -> its own class, and how many blocks edit it.
_edited: WeakKeyDictionary[nn.Module, tuple[type[nn.Module], int]] = WeakKeyDictionary()


def begin_editing(layer: nn.Module) -> None:
    """Give ``layer`` a new type; blocks may nest and end in any order."""
    own, blocks = _edited.get(layer, (type(layer), 0))
    _set(layer, own, blocks + 1)


def end_editing(layer: nn.Module) -> None:
    """Undo one ``begin_editing``; the layer's own type comes back with the last."""
    own, blocks = _edited[layer]
    _set(layer, own, blocks - 1)


def _set(layer: nn.Module, own: type[nn.Module], blocks: int) -> None:
    if blocks == 0:
        layer.__class__ = own
        del _edited[layer]
        return
    # A new one each time: the hooks of the layer changed.
    layer.__class__ = type(own.__name__, (own,), {"__module__": own.__module__})
    _edited[layer] = own, blocks
