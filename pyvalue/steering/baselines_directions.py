"""Difference of means: the direction from prompts in which a value is agreed with to the same ones without.

Marks & Tegmark (2023), "The geometry of truth"; Rimsky et al. (2024), "Steering Llama 2 via contrastive activation
addition", section 3. Steers nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyvalue.errors import ModelError
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import NO_PERSONA, Persona
from pyvalue.measurement.prompts import YES_NO, PromptStyle, render_prompt
from pyvalue.models.direction import Direction
from pyvalue.models.edits import Edit
from pyvalue.models.hook_points import add_change, decoder_layers, remove_change
from pyvalue.models.loading import LanguageModel

if TYPE_CHECKING:
    import torch


def difference_of_means(
    model: LanguageModel,
    inventory: Inventory,
    value: str,
    personas: Sequence[Persona] = (NO_PERSONA,),
    layer: int | None = None,
    *,
    point: str = "resid_post",
    answers: tuple[str, str] = ("Yes", "No"),
    prompts: PromptStyle = YES_NO,
    batch_size: int = 16,
) -> Direction:
    """Mean residual at answers for a value less that at answers against it.

    Every item of the value is asked of every persona and answered both ways; the residual is read at the last token of
    the answer. "Yes" is for the value in one half of the items and against it in the other: the two kinds are averaged
    apart and then weigh the same, so that the direction is not that from "no" to "yes".

    The tokens of the prompt stand before any answer, so that only at the answer's own token the two sides differ. The
    direction is read there and pushed along where an edit acts (its ``positions``), as in contrastive activation
    addition: a weak effect may be the fault of this step and not of the value's direction.

    Ask other items, or other personas, of the edits that it is compared with: on its own items it looks better than it
    is.

    Args:
        model: to read.
        inventory: has the items.
        value: to agree with.
        personas: who answers.
        layer: decoder layer, from 0; default the one in the middle.
        point: ``"resid_post"``, the output of the layer, or ``"resid_pre"``, its input.
        answers: how the model would begin to agree and to disagree with a question.
        prompts: wording.
        batch_size: prompts in one forward pass.

    Returns:
        A direction of the length of the difference, named after the value.

    Raises:
        ValueError: the inventory asks nothing about the value, no personas, or no such layer.
        ModelError: the two means do not differ.

    Warns:
        UserWarning: all items are of one sign, so that the direction holds that from "no" to "yes", too.
    """
    items = [item for item in inventory.items if item.value == value and item.keying]
    if not items:
        raise ValueError(f"value: expected one of {', '.join(inventory.values)}, got {value!r}")
    if not personas:
        raise ValueError("personas: expected at least one, got none")
    layer = model.n_layers // 2 if layer is None else layer
    if not 0 <= layer < model.n_layers:
        raise ValueError(f"layer: expected one from 0 to {model.n_layers - 1}, got {layer}")
    signs = sorted({item.keying for item in items})
    if len(signs) == 1:
        answer = "yes" if signs[0] > 0 else "no"
        warnings.warn(
            f"all items on {value} have the keying {signs[0]:+d}, so that the direction holds the word {answer!r} as "
            "much as the value; add items of the other sign",
            stacklevel=2,
        )
    halves = []
    for sign in signs:
        asked = [render_prompt(model.tokenizer, p, i.question, prompts) for p in personas for i in items
                 if i.keying == sign]  # fmt: skip
        agreed, denied = (
            last_residuals(model, [text + answer for text in asked], layer, point, batch_size).mean(dim=0)
            for answer in (answers if sign > 0 else answers[::-1])
        )
        halves.append(agreed - denied)
    vector = sum(halves[1:], halves[0]) / len(halves)
    if not bool(vector.any()):
        raise ModelError(f"answers for and against {value} leave the same residual in layer {layer}; take a later one")
    return Direction(vector, f"blocks.{layer}.hook_{point}", f"difference of means {value}")


def last_residuals(
    model: LanguageModel, texts: Sequence[str], layer: int, point: str = "resid_post", batch_size: int = 16
) -> torch.Tensor:
    """Residual stream (texts, d_model) in float64 at the last token of every text.

    Args:
        model: to read.
        texts: rendered, special tokens written out.
        layer: decoder layer, from 0.
        point: ``"resid_post"`` or ``"resid_pre"``.
        batch_size: texts in one forward pass.
    """
    import torch

    found = []
    rows = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        hidden = _hidden(model, batch, layer, point, [])[-1]
        found.append(torch.stack([hidden[i, len(row) - 1] for i, row in enumerate(batch)]).double().cpu())
    return torch.cat(found)


def change_norm(model: LanguageModel, prompts: Sequence[str], edit: Edit, batch_size: int = 16) -> float:
    """Mean length of what an edit adds to the residual, over the tokens that it changes.

    Args:
        model: to read.
        prompts: rendered.
        edit: to weigh, on prompts only.
        batch_size: prompts in one forward pass.

    Raises:
        ModelError: the edit changes no token of the prompts.
    """
    lengths = []
    layer, point = edit.place
    rows = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        before, after = _hidden(model, batch, layer, point, [edit])
        for i, row in enumerate(batch):
            length = (after[i, : len(row)].double() - before[i, : len(row)].double()).norm(dim=-1)
            lengths += length[length > 0].tolist()
    if not lengths:
        raise ModelError(f"the edit {edit.label!r} changes no token of the prompts, so nothing can be as large as it")
    return float(sum(lengths) / len(lengths))


def as_large(model: LanguageModel, edit: Edit, direction: Direction, prompts: Sequence[str]) -> Edit:
    """An edit along a direction that changes the residual by as much as another edit, at the same positions.

    A relative ``add`` or ``direction`` pushes every token by a share of its residual, and so does the new edit. Any
    other is matched in the mean length of its change over the prompts' tokens.

    Args:
        model: that both are for.
        edit: whose size is taken; of its strength the size only, so that the new edit pushes along the direction.
        direction: to push along.
        prompts: rendered; used where the size has to be measured.
    """
    if edit.unit == "relative":
        strength, unit = abs(edit.amount), "relative"
    else:
        strength, unit = change_norm(model, prompts, edit), "unit"
    return Edit(op="direction", direction=direction, strength=strength, unit=unit, positions=edit.positions)  # type: ignore[arg-type]


def _hidden(
    model: LanguageModel, rows: Sequence[Sequence[int]], layer: int, point: str, edits: Sequence[Edit]
) -> list[torch.Tensor]:
    """Hidden states (rows, longest, d_model) of right-padded rows, before the edits of this place and after them."""
    import torch

    from pyvalue.models.one_thread import alone_with

    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=model.device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=model.device)
    module = decoder_layers(model.network)[layer]
    seen: list[torch.Tensor] = []

    def look(hidden: torch.Tensor) -> torch.Tensor:
        seen.append(hidden)
        return hidden

    def look_again(hidden: torch.Tensor) -> torch.Tensor:
        return look(hidden)

    with alone_with(model.network), torch.inference_mode():
        # Changes run in the order in which they were added: one look before the edit, one after it.
        add_change(module, point, look)
        try:
            with model.edit(list(edits)):
                add_change(module, point, look_again)
                try:
                    model.network.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
                finally:
                    remove_change(module, point, look_again)
        finally:
            remove_change(module, point, look)
    return seen
