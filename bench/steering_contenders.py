"""Ways to steer a batch, each as a context manager around ``generate``: ours, and what people write by hand."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from steering_cases import bundled, demo_sae, edits

from pyvalue.models.hook_points import decoder_layers

Steering = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def unedited() -> Iterator[None]:
    yield


def ours(op: str, distinct: int) -> Steering:
    """pyvalue: every row its own edits through ``model.edit``."""
    return lambda: bundled().edit(edits(op, distinct))


@contextlib.contextmanager
def _hook(change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    layer = decoder_layers(bundled().network)[demo_sae().layer]

    def after(_module: Any, _args: Any, output: Any) -> Any:
        return change(output) if isinstance(output, torch.Tensor) else (change(output[0]), *output[1:])

    handle = layer.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def index_add(compiled: bool = False) -> Steering:
    """The fastest thing by hand for op "add": every row's steering vector is summed up beforehand."""
    sae = demo_sae()
    rows = torch.stack([sum(sae.W_dec[edit.feature] for edit in row) for row in edits("add")])

    def add(hidden: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        return hidden + vectors.unsqueeze(1)

    vectors = rows.to(bundled().dtype)
    made = torch.compile(add, dynamic=True) if compiled else add
    return lambda: _hook(lambda hidden: made(hidden, vectors))


def sae_lens_hook(dtype: torch.dtype) -> Steering:
    """What SAE hooks do: encode, set the features of each row, decode, put the error back."""
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is not installed; run: pip install 'pyvalue[sae]'")
    from pyvalue.models.sae import DEMO_FOLDER

    sae = sae_lens.SAE.load_from_disk(DEMO_FOLDER).to(dtype)
    features = torch.tensor([[edit.feature for edit in row] for row in edits("min")])

    def change(hidden: torch.Tensor) -> torch.Tensor:
        x = hidden.to(dtype)
        acts = sae.encode(x)
        error = x - sae.decode(acts)
        index = features.unsqueeze(1).expand(-1, hidden.shape[1], -1)
        acts = acts.scatter(2, index, acts.gather(2, index).clamp(min=1.0))
        return (sae.decode(acts) + error).to(hidden.dtype)

    return lambda: _hook(change)


#: name -> steering; the index-add hooks can only add, the others clamp four features a row from below.
CPU: dict[str, Callable[[], Steering]] = {
    "unedited": lambda: unedited,
    "pyvalue add, 64 configurations": lambda: ours("add", 64),
    "pyvalue clamp, 1 configuration": lambda: ours("min", 1),
    "pyvalue clamp, 64 configurations": lambda: ours("min", 64),
    "index-add hook": index_add,
    "index-add hook, torch.compile": lambda: index_add(compiled=True),
    "sae-lens hook, fp32": lambda: sae_lens_hook(torch.float32),
    "sae-lens hook, bf16": lambda: sae_lens_hook(torch.bfloat16),
}
