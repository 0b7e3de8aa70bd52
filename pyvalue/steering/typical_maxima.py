"""The largest activation of every feature over a user's texts, which strengths in unit "max_act" count in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyvalue.errors import ModelError
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.residual_activations import residual_activations
from pyvalue.steering.sae_quality import largest_activations

if TYPE_CHECKING:
    from pyvalue.models.sae import SAE


def max_activations(model: LanguageModel, sae: SAE, texts: Sequence[str]) -> SAE:
    """The same SAE with ``max_activations`` measured over ``texts``, for edits such as
    ``Edit(feature=7, strength=0.5, unit="max_act", sae=sae)``.

    ``save_max_activations(folder, sae.max_activations)`` keeps them beside the weights, where ``load_sae`` finds them.

    Args:
        model: that the SAE was trained on.
        sae: of its residual stream.
        texts: rendered, a few hundred or more, of the kind that will be steered; special tokens and the first token of
            each are left out, since their norms are orders of magnitude above the rest.

    Returns:
        A copy whose ``max_activations`` (f,) are 0 for features that never fired.

    Raises:
        ValueError: no texts.
        ModelError: the SAE does not fit the model, or reads the input of its first layer.
    """
    if isinstance(texts, str) or not texts:
        raise ValueError("texts must be a non-empty sequence of texts; the maximum is taken over them.")
    layer = sae.layer if sae.hook_point == "resid_post" else sae.layer - 1
    if not 0 <= layer < model.n_layers or sae.config.d_in != model.d_model:
        raise ModelError(
            f"the SAE reads {sae.config.hook_name} of width {sae.config.d_in}, but the model has layers 0 to "
            f"{model.n_layers - 1} of width {model.d_model}; the input of layer 0 is not measured."
        )
    return sae.with_max_activations(largest_activations(sae, residual_activations(model, texts, layer)))
