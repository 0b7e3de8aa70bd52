"""Where a Hugging Face model's residual stream can be changed, and the hook that does it. Knows nothing of edits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn

from pyvalue.errors import ModelError
from pyvalue.models.sae_config import parse_residual_hook

Change = Callable[[torch.Tensor], torch.Tensor]
"""Takes the residual stream and returns it changed, never in place."""

# Where the decoder layers of each family stand; their outputs are the residual stream.
LAYER_PATHS = {
    "model.layers": "Llama, Gemma, Qwen, Mistral, Phi, SmolLM",
    "model.language_model.layers": "Gemma 3 and Qwen-VL with images",
    "language_model.model.layers": "Gemma 3 with images before transformers 4.52",
    "transformer.h": "GPT-2",
    "gpt_neox.layers": "GPT-NeoX, Pythia",
}


POINTS = ("resid_pre", "resid_post")
"""Input and output of a decoder layer."""


class ResidualSite(NamedTuple):
    """A place in a model's residual stream."""

    layer: nn.Module
    """The decoder layer."""
    point: str
    """``"resid_post"`` for the output of the layer, ``"resid_pre"`` for its input."""
    path: str
    """Name of the layer in the model, such as ``model.layers.12``, for ``model.get_submodule``."""


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """The decoder layers of a ``transformers`` model, whose outputs are the residual stream.

    Raises:
        ModelError: the model is of no known family, or has no modules to reach into.
    """
    return _find_layers(model)[1]


def residual_site(model: nn.Module, hook_name: str) -> ResidualSite:
    """Where in a ``transformers`` model a hook of TransformerLens' name lies.

    Args:
        model: of a family listed in ``LAYER_PATHS``.
        hook_name: ``blocks.12.hook_resid_post`` or ``blocks.12.hook_resid_pre``.

    Raises:
        ModelError: the model is of no known family, the name is no place in the residual stream, or the model has no
            such layer.
    """
    path, layers = _find_layers(model)
    number, point = parse_residual_hook(hook_name)
    if number >= len(layers):
        raise ModelError(f"hook_name is {hook_name!r}, but the model has layers 0 to {len(layers) - 1}.")
    return ResidualSite(layers[number], point, f"{path}.{number}")


def _find_layers(model: nn.Module) -> tuple[str, nn.ModuleList]:
    if not isinstance(model, nn.Module):
        raise ModelError(
            "edits need open weights: expected a torch model such as load_model(...).network, got "
            f"{type(model).__name__}. A model behind an API can be asked but not edited; give it a role instead."
        )
    for path in LAYER_PATHS:
        found: Any = model
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList) and len(found) > 0:
            return path, found
    tree = "; ".join(
        f"{name} ({type(child).__name__}: {', '.join(dict(child.named_children())) or 'no children'})"
        for name, child in model.named_children()
    )
    families = ", ".join(f"{path} ({names})" for path, names in LAYER_PATHS.items())
    raise ModelError(f"{type(model).__name__} keeps its decoder layers at no known place: {families}. It has: {tree}.")


def add_change(layer: nn.Module, point: str, change: Change) -> None:
    """Apply ``change`` in every forward pass, after the changes that are there already.

    Args:
        layer: a decoder layer.
        point: ``"resid_post"`` for its output, ``"resid_pre"`` for its input.
        change: what to do; pass the same object to ``remove_change``.

    Raises:
        ValueError: an unknown ``point``.
    """
    if point not in POINTS:
        raise ValueError(f"point must be one of {', '.join(POINTS)}, got {point!r}.")
    chains = _chains.setdefault(layer, {})
    if point not in chains:
        chains[point] = _Chain(layer, point)
    chains[point].changes.append(change)


def remove_change(layer: nn.Module, point: str, change: Change) -> None:
    """Undo ``add_change``; the hook goes with the last change.

    Raises:
        ValueError: the change is not there.
    """
    chain = _chains.get(layer, {}).get(point)
    if chain is None or change not in chain.changes:
        raise ValueError(f"change is not at {point!r} of this {type(layer).__name__}; it was removed, or never added.")
    chain.changes.remove(change)
    if not chain.changes:
        chain.handle.remove()
        del _chains[layer][point]


class _Chain:
    """The one hook of a hook point, running its changes in the order they were added.

    It goes before all other hooks: transformers records ``output_hidden_states`` by a hook of its own, which stays
    installed after its first use and must see the changed residual.
    """

    def __init__(self, layer: nn.Module, point: str) -> None:
        self.changes: list[Change] = []
        if point == "resid_post":
            self.handle = layer.register_forward_hook(self._after, prepend=True)
        else:
            self.handle = layer.register_forward_pre_hook(self._before, prepend=True, with_kwargs=True)

    def _run(self, hidden: torch.Tensor) -> torch.Tensor:
        for change in self.changes:
            hidden = change(hidden)
        return hidden

    def _after(self, layer: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, torch.Tensor):
            return self._run(output)
        if isinstance(output, tuple) and output and isinstance(output[0], torch.Tensor):
            return (self._run(output[0]), *output[1:])
        raise ModelError(f"a {type(layer).__name__} returned {type(output).__name__}, expected a tensor or a tuple.")

    def _before(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args and isinstance(args[0], torch.Tensor):
            return (self._run(args[0]), *args[1:]), kwargs
        if isinstance(kwargs.get("hidden_states"), torch.Tensor):
            return args, {**kwargs, "hidden_states": self._run(kwargs["hidden_states"])}
        raise ModelError(f"a {type(layer).__name__} was called without hidden states.")


_chains: WeakKeyDictionary[nn.Module, dict[str, _Chain]] = WeakKeyDictionary()
