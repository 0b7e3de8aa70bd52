"""One persona's prompts under several configurations of edits: layers below the edits run once for all of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pyvalue.measurement.batches import rows_of_a_batch
from pyvalue.measurement.lower_layers import LowerLayers
from pyvalue.measurement.shared_passes import SharedPasses, check_unedited
from pyvalue.measurement.shared_tokens import Family, SharedTokens
from pyvalue.models.edits import Edit
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    import torch

# Most bytes of hidden states that are kept for the configurations at a time.
_KEPT_BYTES = 256 * 2**20


def run_configurations(
    model: LanguageModel,
    shared: SharedTokens,
    edits: Sequence[Edit],
    configurations: Sequence[Sequence[Edit]],
    read: Callable[[int, Sequence[int], torch.Tensor], None],
    batch_size: int | None = None,
    columns: int = 1,
) -> None:
    """Run all prompts under every configuration; one that acts on none of their tokens is as good as none.

    Args:
        model: to run.
        shared: the prompts.
        edits: of all configurations, in the order of the rows of ``Segment.hit``.
        configurations: edits made together.
        read: takes the number of a configuration, the numbers of the prompts of a pass, and their logits (prompts,
            columns, vocabulary).
        batch_size: most prompts in one pass; default what fits into memory.
        columns: last tokens of every prompt whose logits are wanted.

    Raises:
        ValueError: ``batch_size`` < 1.
        ModelError: the model is inside of an edit block or in training mode, or memory runs out with one prompt.
    """
    import torch

    from pyvalue.models.hook import ResidualEdits
    from pyvalue.models.one_thread import alone_with

    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    numbers = {edit: i for i, edit in enumerate(edits)}
    with alone_with(model.network), torch.inference_mode():
        check_unedited(model)
        idle = [not shared.hit_by([numbers[edit] for edit in together]) for together in configurations]
        for together in itertools.compress(configurations, idle):
            ResidualEdits(model.network, together, model.tokenizer)  # raises where an edit does not fit the model
        configurations = [() if rests else together for rests, together in zip(idle, configurations, strict=True)]
        depths = [_depth(model, together) if len(configurations) > 1 else 0 for together in configurations]
        kept = sorted(set(depths) - {0})
        # Passes without edits come first: the others go on from what they leave.
        order = sorted(range(len(configurations)), key=lambda c: len(configurations[c]) > 0)
        for part in _parts(shared, model.d_model * model.dtype.itemsize * len(kept)):
            lower = LowerLayers(model.network, kept, stop=all(configurations))
            size = batch_size or rows_of_a_batch(model, part)
            if kept and all(configurations):
                passes = SharedPasses(model, part, size, 1, None, [], lower, 0)
                passes.run(lambda prompts, logits: None)
                size = passes.size
            for c in order:
                own = [numbers[edit] for edit in configurations[c]]
                with model.edit(configurations[c]) as steer:
                    passes = SharedPasses(model, part, size, columns, steer, own, lower, depths[c])
                    passes.run(partial(read, c))
                    size = passes.size


def _depth(model: LanguageModel, edits: Sequence[Edit]) -> int:
    """Number of layers that no edit reaches; 0 where there are none, or where the model cannot go on from there."""
    from pyvalue.models.shared_layers import can_resume

    places = [edit.place for edit in edits]
    depth = min((layer + (point == "resid_post") for layer, point in places), default=0)
    return depth if 0 < depth <= model.n_layers and can_resume(model.network, depth) else 0


def _parts(shared: SharedTokens, bytes_a_token: int) -> Iterator[SharedTokens]:
    """The prompts in parts whose kept hidden states stay small."""
    part: list[Family] = []
    tokens = 0
    for family in shared.families:
        more = len(family.stem) + sum(map(len, family.tails))
        if part and (tokens + more) * bytes_a_token > _KEPT_BYTES:
            yield SharedTokens(shared.beginning, tuple(part), shared.padding)
            part, tokens = [], 0
        part.append(family)
        tokens += more
    yield SharedTokens(shared.beginning, tuple(part), shared.padding)
