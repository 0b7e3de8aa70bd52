"""How good a sparse autoencoder is on text that it was not trained on. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyvalue.models.loading import LanguageModel
from pyvalue.models.positions import special_ids
from pyvalue.models.sae import SAE
from pyvalue.steering.residual_activations import residual_activations

#: tokens encoded at once: bounds the memory of their activations
CHUNK = 2048


@dataclass(frozen=True)
class SAEQuality:
    """Quality of an SAE on ``held_out_tokens`` tokens.

    Attributes:
        held_out_tokens: ordinary tokens (no special ones) that the first three figures rest on.
        variance_explained: 1 - squared error of the reconstruction / squared distance from the mean activation.
        l0: mean number of active features a token.
        dead_features: features active on none of the tokens.
        loss: next-token cross-entropy of the model, in nats a token.
        loss_spliced: the same with the layer's output replaced by the reconstruction.
        loss_mean_ablated: the same with the layer's output replaced by the mean activation.
        loss_recovered: share of the damage of mean ablation that the reconstruction avoids.
    """

    held_out_tokens: int
    variance_explained: float
    l0: float
    dead_features: int
    loss: float
    loss_spliced: float
    loss_mean_ablated: float
    loss_recovered: float


def measure_sae(model: LanguageModel, sae: SAE, texts: Sequence[str], *, loss_texts: int = 64) -> SAEQuality:
    """Measure an SAE on texts, special tokens and the first token of each left out.

    Args:
        model: whose residual stream it encodes; the SAE's weights are on the model's device.
        sae: on the output of a decoder layer.
        texts: rendered, template included.
        loss_texts: so many of the first texts serve for the losses, which need three passes through the whole model.

    Raises:
        ValueError: no texts, or the SAE does not read the output of a layer.
    """
    if not texts:
        raise ValueError("texts: expected at least 1 text, got none")
    if sae.hook_point != "resid_post":
        raise ValueError(f"sae: expected one on the output of a layer (resid_post), got {sae.hook_point}")
    x = residual_activations(model, texts, sae.layer)
    error, fires = reconstruction_error(sae, x)
    mean = x.double().mean(dim=0)
    variance = sum(((chunk.double() - mean) ** 2).sum().item() for chunk in x.split(CHUNK))
    some = texts[:loss_texts]
    mean = mean.float().to(model.device)
    plain = next_token_loss(model, some, sae.layer, None)
    spliced = next_token_loss(model, some, sae.layer, lambda h: sae.decode(sae.encode(h), like=h))
    ablated = next_token_loss(model, some, sae.layer, lambda h: mean.expand_as(h))
    return SAEQuality(
        held_out_tokens=len(x),
        variance_explained=1 - error / variance,
        l0=fires.sum().item() / len(x),
        dead_features=int((fires == 0).sum()),
        loss=plain,
        loss_spliced=spliced,
        loss_mean_ablated=ablated,
        loss_recovered=(ablated - spliced) / (ablated - plain),
    )


def reconstruction_error(sae: SAE, x: Any) -> tuple[float, Any]:
    """(squared error summed over ``x`` (n, d), number of tokens that each feature is active on, (f,))."""
    import torch

    error = 0.0
    fires = torch.zeros(sae.config.d_sae, dtype=torch.int64)
    with torch.inference_mode():
        for chunk in x.split(CHUNK):
            chunk = chunk.to(sae.W_enc)
            features = sae.encode(chunk)
            error += ((chunk - sae.decode(features, like=chunk)).double() ** 2).sum().item()
            fires += (features > 0).sum(dim=0).cpu()
    return error, fires


def largest_activations(sae: SAE, x: Any) -> Any:
    """The largest activation of every feature over ``x`` (n, d): float32, (f,), on the CPU."""
    import torch

    largest = torch.zeros(sae.config.d_sae)
    with torch.inference_mode():
        for chunk in x.split(CHUNK):
            largest = torch.maximum(largest, sae.encode(chunk.to(sae.W_enc)).amax(dim=0).float().cpu())
    return largest


def next_token_loss(
    model: LanguageModel, texts: Sequence[str], layer: int, replace: Callable[[Any], Any] | None
) -> float:
    """Mean cross-entropy of the ordinary tokens, in nats.

    Args:
        model: that predicts.
        texts: scored one by one.
        layer: whose output is replaced.
        replace: what stands in for the output (tokens, d_model), in float32, at ordinary tokens; None: nothing does.
    """
    import torch

    from pyvalue.models.hook_points import decoder_layers

    special = torch.tensor(sorted(special_ids(model.tokenizer)), device=model.device)
    total, count = 0.0, 0
    for text in texts:
        ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(model.device)
        ordinary = ~torch.isin(ids, special)
        ordinary[:, 0] = False

        def swap(_module: Any, _inputs: Any, output: Any, ordinary: Any = ordinary) -> Any:
            hidden = output[0] if isinstance(output, tuple) else output
            changed = hidden.clone()
            changed[ordinary] = replace(hidden[ordinary].float()).to(hidden.dtype)  # type: ignore[misc]
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handle = decoder_layers(model.network)[layer].register_forward_hook(swap) if replace else None
        try:
            with torch.inference_mode():
                logits = model.network(input_ids=ids, use_cache=False).logits[0, :-1].float()
        finally:
            if handle is not None:
                handle.remove()
        wanted = ordinary[0, 1:]
        losses = torch.nn.functional.cross_entropy(logits[wanted], ids[0, 1:][wanted], reduction="sum")
        total, count = total + losses.item(), count + int(wanted.sum())
    return total / count
