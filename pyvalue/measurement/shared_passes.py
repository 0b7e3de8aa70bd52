"""Forward passes over one persona's prompts under one configuration of edits. What prompts share runs once.

The keys and values of the beginning of all prompts serve every prompt. A pass never mixes personas, so an answer does
not depend on what else is in the study.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyvalue.errors import ModelError
from pyvalue.measurement.batches import batches
from pyvalue.measurement.lower_layers import LowerLayers
from pyvalue.measurement.shared_tokens import Family, Segment, SharedTokens
from pyvalue.models.edit_lists import NO_LIST
from pyvalue.models.generate_hook import is_edited
from pyvalue.models.loading import LanguageModel
from pyvalue.models.memory import batches_that_fit
from pyvalue.models.prefix_cache import cache_of_rows

if TYPE_CHECKING:
    import torch

    from pyvalue.models.hook import ResidualEdits


@dataclass(eq=False)
class SharedPasses:
    """The passes of one configuration.

    Attributes:
        model: to run.
        shared: the prompts.
        size: most prompts in a pass; less once memory ran out.
        columns: last tokens of a prompt whose logits are wanted.
        steer: what makes the edits, entered; None for no edits.
        edits: their numbers among the rows of ``Segment.hit``.
        lower: keeps the part of the lower layers where there are no edits.
        depth: lower layers whose part is taken from there; 0 runs all.
    """

    model: LanguageModel
    shared: SharedTokens
    size: int
    columns: int
    steer: ResidualEdits | None
    edits: Sequence[int]
    lower: LowerLayers
    depth: int

    def run(self, read: Callable[[Sequence[int], torch.Tensor], None]) -> None:
        """Run all prompts.

        Args:
            read: takes the numbers of the prompts of a pass, and their logits (prompts, columns, vocabulary).

        Raises:
            ModelError: memory runs out with one prompt.
        """
        beginning = self.beginning()
        what = f"one prompt of {self.shared.longest} tokens"
        for batch in batches(self.shared, self.size, self.model.device.type):
            prompts = [(family, i) for family in batch for i in range(len(family.tails))]
            done = 0
            for part, logits in batches_that_fit(
                prompts, self.size, lambda part: self.batch(_families(part), beginning), what, 7
            ):
                if len(part) < min(self.size, len(prompts) - done):
                    self.size = len(part)  # memory ran out: later batches begin there
                done += len(part)
                read([family.numbers[i] for family, i in part], logits)

    def beginning(self) -> Any:
        """Keys and values of the beginning of all prompts, None where they share none."""
        rows = [self.shared.beginning]
        if not len(rows[0]):
            return None
        what = f"the {len(rows[0])} tokens that begin all prompts"
        [(_, output)] = batches_that_fit(rows, 1, lambda rows: self._pass(rows, None, None, True), what, 7)
        return output.past_key_values

    def batch(self, families: Sequence[Family], beginning: Any) -> torch.Tensor:
        """Logits (prompts, columns, vocabulary) of families that all have stems, or all have none."""
        import torch

        cache = cache_of_rows(beginning, [0] * len(families))
        mask = torch.ones(len(families), len(self.shared.beginning), dtype=torch.long)
        parents = [i for i, family in enumerate(families) for _ in family.tails]
        if len(families[0].stem):
            stems = [family.stem for family in families]
            mask = _longer(mask, stems)
            cache = cache_of_rows(self._pass(stems, cache, mask, True).past_key_values, parents)
        tails = [tail for family in families for tail in family.tails]
        found: torch.Tensor = self._pass(
            tails, cache, _longer(mask[parents], tails), cache is not None, self.columns
        ).logits
        return found

    def _pass(
        self, rows: Sequence[Segment], cache: Any, mask: torch.Tensor | None, use_cache: bool, columns: int = 1
    ) -> Any:
        """One forward pass over rows, padded on the left, on top of a cache; the mask is that of all their tokens."""
        import torch

        from pyvalue.models.shared_layers import hold_places

        width = max(map(len, rows))
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        lists = torch.full((len(rows), width), NO_LIST, dtype=torch.int32)
        for i, row in enumerate(rows):
            ids[i, width - len(row) :] = torch.from_numpy(row.ids)
            if self.steer is not None:
                lists[i, width - len(row) :] = torch.from_numpy(self.steer.numbers(row.hit[self.edits]))
        if self.steer is not None:
            self.steer.use(lists)
        inputs = {"input_ids": ids}
        if mask is not None and (cache is not None or not bool(mask.all())):
            inputs |= {"attention_mask": mask, "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -width:]}
        inputs = {name: tensor.to(self.model.device) for name, tensor in inputs.items()}
        with self._lower(rows):
            output = self.model.network(
                **inputs, past_key_values=cache, use_cache=use_cache, logits_to_keep=columns, return_dict=True
            )
        if self.depth and use_cache:
            hold_places(output.past_key_values, self.depth, *ids.shape)
        return output

    def _lower(self, rows: Sequence[Segment]) -> contextlib.AbstractContextManager[None]:
        if self.depth:
            return self.lower.resuming(rows, self.depth)
        return contextlib.nullcontext() if self.edits else self.lower.keeping(rows)


def check_unedited(model: LanguageModel) -> None:
    """Make sure that nobody else edits the model.

    Raises:
        ModelError: somebody does.
    """
    if is_edited(model.network):
        raise ModelError(
            "the model is inside of an edit(...) block, which cannot follow prompts that share a computed beginning: "
            "pass the edits as an argument instead (edits=...)"
        )


def _families(prompts: Sequence[tuple[Family, int]]) -> list[Family]:
    """Prompts, each the family and the number of its tail in there, as families that hold just these."""
    found = []
    for _, group in itertools.groupby(prompts, lambda prompt: id(prompt[0])):
        members = list(group)
        family = members[0][0]
        chosen = [i for _, i in members]
        numbers, tails = tuple(family.numbers[i] for i in chosen), tuple(family.tails[i] for i in chosen)
        found.append(Family(family.stem, numbers, tails))
    return found


def _longer(mask: torch.Tensor, rows: Sequence[Segment]) -> torch.Tensor:
    """The mask (rows, tokens so far) with the columns of these rows, padded on the left."""
    import torch

    width = max(map(len, rows))
    lengths = torch.tensor([len(row) for row in rows]).unsqueeze(1)
    return torch.cat([mask, (torch.arange(width) >= width - lengths).long()], dim=1)
