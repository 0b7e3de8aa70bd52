"""Train a sparse autoencoder on a model's residual stream with sae-lens' trainer, and measure how good it is.

The activations are those of text the model wrote itself (``self_written``), special tokens left out: their residual
norms are orders of magnitude above the rest. The result is sae-lens' native folder, its ``cfg.json`` completed with
the training settings and the quality on held-out text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.models.loading import LanguageModel


@dataclass(frozen=True)
class SAETraining:
    """Settings of one training.

    Attributes:
        layer: decoder layer whose output is encoded (``blocks.<layer>.hook_resid_post``).
        features: dictionary size.
        active: mean number of active features a token (BatchTopK's k).
        tokens: token activations seen, repeats included.
        batch: tokens a step.
        learning_rate: of Adam.
        held_out: share of the texts kept for measuring quality.
        seed: of initialisation and shuffling.
    """

    layer: int = 15
    features: int = 4096
    active: int = 32
    tokens: int = 2_000_000
    batch: int = 2048
    learning_rate: float = 8e-4
    held_out: float = 0.05
    seed: int = 0


def train_sae(model: LanguageModel, texts: Sequence[str], folder: str | Path, settings: SAETraining) -> dict[str, Any]:
    """Train on the residual stream over ``texts`` and write the SAE to ``folder`` in half precision.

    Args:
        model: whose residual stream is encoded.
        texts: rendered prompts with answers, for example from ``write_texts``; at least 100.
        folder: created; gets ``cfg.json`` and ``sae_weights.safetensors``.
        settings: of the training.

    Returns:
        Quality on held-out text: variance explained, mean L0, dead features, share of the loss recovered.

    Raises:
        ModelError: sae-lens is not installed.
        ValueError: fewer than 100 texts, or a layer that the model does not have.
    """
    if len(texts) < 100:
        raise ValueError(f"texts: expected at least 100, got {len(texts)}")
    if not 0 <= settings.layer < model.n_layers:
        raise ValueError(f"layer: expected 0 to {model.n_layers - 1}, got {settings.layer}")
    n_held_out = max(1, int(len(texts) * settings.held_out))
    held_out, training = texts[:n_held_out], texts[n_held_out:]
    activations = residual_activations(model, training, settings.layer)
    sae = _fit(model, activations, settings)
    quality = _save_and_measure(sae, model, held_out, Path(folder), settings)
    _complete_config(Path(folder), settings, quality, len(activations))
    return quality


def residual_activations(model: LanguageModel, texts: Sequence[str], layer: int, batch_size: int = 32) -> Any:
    """Output of a decoder layer at every token that is not special, float16 of shape (tokens, d_model)."""
    import torch

    from pyvalue.models.hook_points import decoder_layers

    found: list[torch.Tensor] = []
    kept: list[torch.Tensor] = []

    def catch(_module: Any, _inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        found.append(hidden[kept[-1]].half())

    handle = decoder_layers(model.network)[layer].register_forward_hook(catch)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # batches of equal length waste no padding
    special = torch.tensor(model.tokenizer.all_special_ids)
    try:
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = [texts[i] for i in order[start : start + batch_size]]
                encoded = model.tokenizer(
                    batch, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False
                )
                kept.append(~torch.isin(encoded["input_ids"], special) & encoded["attention_mask"].bool())
                model.network.base_model(**encoded.to(model.device))
    finally:
        handle.remove()
    return torch.cat(found)


def _fit(model: LanguageModel, activations: Any, settings: SAETraining) -> Any:
    import torch

    try:
        from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
        from sae_lens.config import SAETrainerConfig
        from sae_lens.saes.sae import SAEMetadata
        from sae_lens.training.sae_trainer import SAETrainer
    except ImportError as fault:
        raise ModelError("training an SAE needs sae-lens; run: pip install 'pyvalue[sae]'") from fault
    torch.manual_seed(settings.seed)
    metadata = SAEMetadata(
        model_name=model.name, hook_name=f"blocks.{settings.layer}.hook_resid_post", prepend_bos=False
    )
    sae = BatchTopKTrainingSAE(
        BatchTopKTrainingSAEConfig(
            d_in=model.d_model,
            d_sae=settings.features,
            k=settings.active,
            normalize_activations="expected_average_only_in",
            metadata=metadata,
        )
    )
    steps = settings.tokens // settings.batch
    config = SAETrainerConfig(
        total_training_samples=settings.tokens,
        train_batch_size_samples=settings.batch,
        lr=settings.learning_rate,
        lr_end=settings.learning_rate / 10,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 4,
        dead_feature_window=max(50, steps // 10),
        n_batches_for_norm_estimate=20,
    )
    return SAETrainer(config, sae, _shuffled(activations, settings)).fit()


def _shuffled(activations: Any, settings: SAETraining) -> Iterator[Any]:
    import torch

    generator = torch.Generator().manual_seed(settings.seed)
    while True:
        order = torch.randperm(len(activations), generator=generator)
        for start in range(0, max(1, len(order) - settings.batch + 1), settings.batch):
            yield activations[order[start : start + settings.batch]].float()


def _save_and_measure(
    sae: Any, model: LanguageModel, held_out: Sequence[str], folder: Path, settings: SAETraining
) -> dict[str, Any]:
    """Write the folder, then measure what was written: half precision is part of the quality."""
    import torch
    from safetensors.torch import load_file, save_file

    from pyvalue.models.sae import load_sae

    sae.fold_W_dec_norm()
    sae.save_inference_model(folder)
    weights = folder / "sae_weights.safetensors"
    save_file({name: tensor.half().contiguous() for name, tensor in load_file(weights).items()}, weights)
    written = load_sae(folder)
    x = residual_activations(model, held_out, settings.layer).float()
    with torch.inference_mode():
        pairs = [(chunk, written.encode(chunk)) for chunk in x.split(4096)]
        error = sum(((chunk - written.decode(f)) ** 2).sum().item() for chunk, f in pairs)
        fires = torch.stack([(f > 0).sum(dim=0) for _, f in pairs]).sum(dim=0)
    variance = ((x - x.mean(dim=0)) ** 2).sum().item()
    return {
        "held_out_tokens": len(x),
        "variance_explained": round(1 - error / variance, 4),
        "l0": round(fires.sum().item() / len(x), 2),
        "dead_features": int((fires == 0).sum()),
        **_loss_recovered(model, written, held_out[:64], settings.layer),
    }


def _loss_recovered(model: LanguageModel, sae: Any, texts: Sequence[str], layer: int) -> dict[str, float]:
    """Next-token loss with the layer's output replaced by its reconstruction, and by the mean activation."""
    mean = residual_activations(model, texts, layer).float().mean(dim=0)
    plain = _loss(model, texts, layer, None)
    spliced = _loss(model, texts, layer, lambda x: sae.decode(sae.encode(x)))
    ablated = _loss(model, texts, layer, lambda x: mean.expand_as(x))
    return {
        "loss": round(plain, 4),
        "loss_spliced": round(spliced, 4),
        "loss_mean_ablated": round(ablated, 4),
        "loss_recovered": round((ablated - spliced) / (ablated - plain), 4),
    }


def _loss(model: LanguageModel, texts: Sequence[str], layer: int, replace: Any) -> float:
    import torch

    from pyvalue.models.hook_points import decoder_layers

    special = torch.tensor(model.tokenizer.all_special_ids, device=model.device)
    total, count = 0.0, 0
    for text in texts:
        ids = model.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"].to(model.device)
        plain = ~torch.isin(ids, special)

        def swap(_module: Any, _inputs: Any, output: Any, plain: Any = plain) -> Any:
            hidden = output[0] if isinstance(output, tuple) else output
            changed = hidden.clone()
            changed[plain] = replace(hidden[plain].float()).to(hidden.dtype)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handle = decoder_layers(model.network)[layer].register_forward_hook(swap) if replace else None
        try:
            with torch.inference_mode():
                logits = model.network(input_ids=ids).logits[0, :-1].float()
        finally:
            if handle is not None:
                handle.remove()
        wanted = plain[0, 1:]
        losses = torch.nn.functional.cross_entropy(logits[wanted], ids[0, 1:][wanted], reduction="sum")
        total, count = total + losses.item(), count + int(wanted.sum())
    return total / count


def _complete_config(folder: Path, settings: SAETraining, quality: dict[str, Any], distinct_tokens: int) -> None:
    path = folder / "cfg.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.setdefault("metadata", {}).update(
        training=asdict(settings) | {"distinct_tokens": distinct_tokens, "trainer": "sae-lens BatchTopK"},
        quality=quality,
    )
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
