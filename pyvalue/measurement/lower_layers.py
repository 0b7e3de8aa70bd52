"""What the layers below all edits make of a persona's prompts, kept from a pass without edits for those with some."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyvalue.measurement.shared_tokens import Segment

if TYPE_CHECKING:
    import torch


class LowerLayers:
    """Keeps hidden states in passes without edits, and puts them back in passes under edits.

    Args:
        network: whose layers.
        depths: numbers of lower layers after which to keep; none keeps nothing.
        stop: nobody reads what the passes without edits return, so that layers above the deepest need not run.
    """

    def __init__(self, network: Any, depths: Sequence[int], stop: bool) -> None:
        self._network, self._depths, self._stop = network, depths, stop
        self._hidden: dict[tuple[int, Segment], torch.Tensor] = {}

    @contextlib.contextmanager
    def keeping(self, rows: Sequence[Segment]) -> Iterator[None]:
        """Keep what the pass inside of the block makes of these rows, which it pads on the left."""
        from pyvalue.models.shared_layers import kept

        if not self._depths:
            yield
            return
        with kept(self._network, self._depths, self._stop) as found:
            yield
        for depth, states in found.items():
            for state, row in zip(states, rows, strict=True):
                self._hidden[depth, row] = state[state.shape[0] - len(row) :]

    @contextlib.contextmanager
    def resuming(self, rows: Sequence[Segment], depth: int) -> Iterator[None]:
        """Let the pass inside of the block, over these rows padded on the left, begin above ``depth`` layers."""
        import torch

        from pyvalue.models.shared_layers import resumed

        width = max(map(len, rows))
        states = [torch.nn.functional.pad(self._hidden[depth, row], (0, 0, width - len(row), 0)) for row in rows]
        with resumed(self._network, depth, torch.stack(states)):
            yield
