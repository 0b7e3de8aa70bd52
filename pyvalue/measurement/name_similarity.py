"""How alike the names of values are to a language model: cosines of its own hidden states.

It says what words suggest, not what the model values; predictions of side effects must do better than this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from pyvalue.models.loading import LanguageModel

# What the name is read after. A name at the very start would have the first token's state, which is large and much the
# same whatever the token is (Xiao et al. 2024, "Efficient streaming language models with attention sinks").
_BEFORE = "One of the values that people have is "


def name_similarity(model: LanguageModel, values: Sequence[str], *, layer: int | None = None) -> pd.DataFrame:
    """Cosine of the mean hidden states of every two names, less the mean over all names.

    States of different words share a large common part, so that plain cosines are all close to 1 (Ethayarajh 2019,
    "How contextual are contextualized word representations?"); that part is taken off.

    Args:
        model: a local model.
        values: at least 3 different names; of two, what is left without the mean is always opposite.
        layer: of the residual stream: 0 for the embeddings, 1 ... ``model.n_layers`` for what follows a layer. Default:
            half of the layers.

    Returns:
        A DataFrame, values by values, in [-1, 1] and 1 on the diagonal.

    Raises:
        ValueError: fewer than 3 names, a repeated or empty one, or a layer that the model does not have.
        TypeError: ``model`` runs behind a server, or the names are a single text.
    """
    names = _checked(values)
    if not hasattr(model, "network"):
        raise TypeError(f"model: expected a LanguageModel that runs here (load_model), got {type(model).__name__}")
    layer = model.n_layers // 2 if layer is None else layer
    if not 0 <= layer <= model.n_layers:
        raise ValueError(f"layer: expected 0 to {model.n_layers}, got {layer}")
    states = np.stack([_mean_state(model, name, layer) for name in names])
    states = states - states.mean(axis=0)
    length = np.linalg.norm(states, axis=1, keepdims=True)
    unit = states / np.where(length > 0, length, 1.0)
    cosine = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(cosine, 1.0)
    return pd.DataFrame(cosine, index=names, columns=names)


def _checked(values: Sequence[str]) -> list[str]:
    if isinstance(values, str):
        raise TypeError(f"values: expected a list of names, got the text {values!r}")
    names = list(values)
    if len(names) < 3 or len(set(names)) < len(names) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(f"values: expected at least 3 different names, got {names}")
    return names


def _mean_state(model: LanguageModel, name: str, layer: int) -> npt.NDArray[np.float64]:
    """Mean over the tokens of the name."""
    import torch

    coded = model.tokenizer(_BEFORE + name, return_offsets_mapping=True, return_tensors="pt")
    ends = coded.pop("offset_mapping")[0, :, 1]
    with torch.no_grad():
        ids = {key: coded[key].to(model.device) for key in ("input_ids", "attention_mask")}
        states = model.network(**ids, output_hidden_states=True, use_cache=False).hidden_states[layer][0]
    own = (ends > len(_BEFORE)).to(states.device)
    mean: npt.NDArray[np.float64] = states[own].double().mean(dim=0).cpu().numpy()
    return mean
