"""Which features of a sparse autoencoder are active where a prompt says "your values". Steers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from pyvalue.errors import ModelError
from pyvalue.measurement.inventory import Inventory
from pyvalue.measurement.personas import NO_PERSONA, Persona
from pyvalue.measurement.prompts import YES_NO, PromptStyle, render_prompt
from pyvalue.models.edits import span, special_ids, token_positions
from pyvalue.models.hook_points import add_change, decoder_layers, remove_change
from pyvalue.models.loading import LanguageModel
from pyvalue.models.sae import SAE

if TYPE_CHECKING:
    import torch


def find_features(
    model: LanguageModel,
    sae: SAE,
    inventory: Inventory,
    personas: Sequence[Persona] = (NO_PERSONA,),
    *,
    text: str = "your values",
    count: int = 20,
    prompts: PromptStyle = YES_NO,
) -> pd.DataFrame:
    """The features most active on the tokens of a piece of the prompt, as the source paper chooses them.

    The text stands in front of the question, so a decoder-only model gives its tokens the same activations for every
    item of a persona; one prompt a persona is read.

    Args:
        model: to read.
        sae: trained on the residual stream of ``model``.
        inventory: its first question completes the prompts.
        personas: the activations are averaged over them.
        text: the tokens that overlap it are read.
        count: features returned.
        prompts: wording; its system message must hold ``text``.

    Returns:
        Columns ``feature``, ``activation`` (mean over tokens and personas) and ``share`` (of those tokens on which it
        is active), most active first.

    Raises:
        ValueError: ``text`` is not in the prompt, no personas, or ``count`` < 1.
        ModelError: the SAE does not fit the model.
    """
    import torch

    if count < 1:
        raise ValueError(f"count: expected at least 1, got {count}")
    if not personas:
        raise ValueError("personas: expected at least one, got none")
    rows: list[torch.Tensor] = []
    for persona in personas:
        prompt = render_prompt(model.tokenizer, persona, inventory.items[0].question, prompts)
        encoded = model.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
        special = [token in special_ids(model.tokenizer) for token in encoded["input_ids"]]
        wanted = token_positions(prompt, encoded["offset_mapping"], special, span(text))
        rows.append(_residual(model, sae, encoded["input_ids"])[wanted])
    with torch.inference_mode():
        active = sae.encode(torch.cat(rows).float())
    mean, share = active.mean(dim=0), (active > 0).float().mean(dim=0)
    top = torch.topk(mean, min(count, len(mean))).indices
    return pd.DataFrame(
        {"feature": top.tolist(), "activation": mean[top].tolist(), "share": share[top].tolist()}
    ).query("activation > 0")


def _residual(model: LanguageModel, sae: SAE, ids: list[int]) -> torch.Tensor:
    """Residual stream (tokens, d_model) at the SAE's hook point, seen where an edit would act."""
    import torch

    layers = decoder_layers(model.network)
    if sae.layer >= len(layers) or sae.config.d_in != model.d_model:
        raise ModelError(
            f"the SAE reads {sae.config.hook_name} of width {sae.config.d_in}, but the model has {len(layers)} layers "
            f"of width {model.d_model}"
        )
    seen: list[torch.Tensor] = []

    def look(hidden: torch.Tensor) -> torch.Tensor:
        seen.append(hidden)
        return hidden

    add_change(layers[sae.layer], sae.hook_point, look)
    try:
        with torch.inference_mode():
            model.network.base_model(input_ids=torch.tensor([ids], device=model.device), use_cache=False)
    finally:
        remove_change(layers[sae.layer], sae.hook_point, look)
    return seen[0][0]
