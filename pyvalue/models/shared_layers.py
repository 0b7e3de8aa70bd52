"""Run the layers of a model below a depth once, and go on from there in later passes. Edits nothing.

What leaves the first ``depth`` layers does not depend on edits above. ``kept`` records it in a pass; inside of
``resumed`` the layers below hand it on without computing anything, hooks of the layers included, so that edits count
their tokens as ever.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.generate_hook import ALONE
from pyvalue.models.hook_points import decoder_layers
from pyvalue.models.memory import is_memory_fault
from pyvalue.models.prefix_cache import cache_of_rows, is_plain

# Whether a model's upper layers need nothing but what leaves the lower ones, by depth, as far as it was tried.
_tried: WeakKeyDictionary[nn.Module, dict[int, bool]] = WeakKeyDictionary()
# How many things a model's layers return, 0 where it is a bare tensor; seen by ``kept``.
_returns: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


@contextlib.contextmanager
def kept(network: nn.Module, depths: Collection[int], stop: bool = False) -> Iterator[dict[int, torch.Tensor]]:
    """Keep what leaves the first layers in the forward pass inside of the block.

    Args:
        network: a ``transformers`` model of a known family.
        depths: numbers of layers, each from 1 to all of them.
        stop: let layers above the deepest do nothing; what the model returns then means nothing.

    Yields:
        depth -> (b, s, d) what left that many layers, before any edit of it; filled by the pass.
    """
    layers = decoder_layers(network)
    found: dict[int, torch.Tensor] = {}

    def keeping(depth: int, inner: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            output = inner(*args, **kwargs)
            _returns[network] = len(output) if isinstance(output, tuple) else 0
            found[depth] = output[0] if isinstance(output, tuple) else output
            return output

        return forward

    hand_on = _hand_on(network)
    with contextlib.ExitStack() as stack:
        for depth in sorted(set(depths)):
            layer: Any = layers[depth - 1]
            stack.enter_context(_replaced(layer, keeping(depth, layer.forward)))
        for idle in layers[max(depths) :] if stop else ():
            stack.enter_context(_replaced(idle, hand_on))
        yield found


@contextlib.contextmanager
def resumed(network: nn.Module, depth: int, hidden: torch.Tensor) -> Iterator[None]:
    """Let the first ``depth`` layers do nothing but hand on ``hidden`` (b, s, d), which ``kept`` recorded.

    They leave nothing in the cache: call ``hold_places`` before another pass goes on from it.
    """
    layers = decoder_layers(network)
    hand_on = _hand_on(network)
    with contextlib.ExitStack() as stack:
        for idle in layers[: depth - 1]:
            stack.enter_context(_replaced(idle, hand_on))
        stack.enter_context(_replaced(layers[depth - 1], lambda *args, **kwargs: hand_on(hidden)))
        yield


def hold_places(cache: Any, depth: int, rows: int, tokens: int) -> None:
    """Make the lower layers of a cache as long as the upper ones after a resumed pass: masks are made by their lengths.

    Nobody reads their keys and values, which are zeros of width 1.
    """
    for layer in range(depth):
        nothing = torch.zeros(rows, 1, tokens, 1)
        cache.update(nothing, nothing, layer)


def can_resume(network: nn.Module, depth: int) -> bool:
    """Whether a pass resumed at ``depth`` gives what the whole pass gives, tried once a model and depth.

    Not so where upper layers read more than what leaves the lower ones: keys and values of a lower layer (Gemma 3n),
    or a cache that holds other states. Not to be called inside of an edit block.
    """
    known = _tried.setdefault(network, {})
    if depth not in known:
        agrees = _agrees(network, depth)
        if agrees is None:  # memory ran out, which says nothing of the model
            return False
        known[depth] = agrees
    return known[depth]


@torch.inference_mode()
def _agrees(network: Any, depth: int) -> bool | None:
    """Two short rows after a shared beginning, in one go and resumed; None where memory ran out."""
    device = next(network.parameters()).device
    ids = (torch.arange(11, device=device) + 5) % network.config.get_text_config().vocab_size
    beginning, rest = ids[None, :5], ids[5:].view(2, 3)
    run = partial(network, use_cache=True, return_dict=True)
    try:
        with kept(network, [depth]) as lower:
            cache = run(input_ids=beginning).past_key_values
        if not is_plain(cache):
            return False
        with kept(network, [depth]) as later:
            whole = run(input_ids=rest, past_key_values=cache_of_rows(cache, [0, 0])).logits
        # Between the two, so that nothing that a layer left lying about in the whole pass is of use.
        with resumed(network, depth, lower[depth]):
            other = run(input_ids=beginning).past_key_values
        hold_places(other, depth, *beginning.shape)
        with resumed(network, depth, later[depth]):
            half = run(input_ids=rest, past_key_values=cache_of_rows(other, [0, 0])).logits
    except Exception as fault:  # whatever a layer of an unknown kind makes of it: it cannot be resumed
        return None if is_memory_fault(fault) else False
    slack = 4 * torch.finfo(whole.dtype).eps * max(1.0, float(whole.abs().max()))
    return half.shape == whole.shape and bool((half - whole).abs().max() <= slack)


def _hand_on(network: nn.Module) -> Callable[..., Any]:
    """A layer's ``forward`` that does nothing, and returns what layers of this model do: beside the hidden states, that
    is nothing as long as nobody asks for attention."""
    count = _returns.get(network, 0)

    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return (hidden_states, *[None] * (count - 1)) if count else hidden_states

    return forward


@contextlib.contextmanager
def _replaced(layer: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Another ``forward`` for one layer, in passes of this thread: its hooks run around it."""
    own, thread = vars(layer).get("forward"), threading.get_ident()

    def of_this_thread(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            raise ModelError(ALONE)
        return forward(*args, **kwargs)

    layer.forward = of_this_thread
    try:
        yield
    finally:
        if own is None:
            del layer.forward
        else:
            layer.forward = own
