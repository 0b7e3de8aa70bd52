"""Train a sparse autoencoder on a model's residual stream with sae-lens' trainer. Writes no text (see ``sae_run``).

The result is sae-lens' native folder, its ``cfg.json`` completed with the training settings and the quality on
held-out text, and ``max_activations.safetensors`` beside it. The folder is there whole or not at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pyvalue.errors import ModelError
from pyvalue.extras import how_to_install
from pyvalue.measurement.progress import progress_bar
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.residual_activations import residual_activations, shuffled_batches
from pyvalue.steering.sae_quality import SAEQuality
from pyvalue.steering.sae_writing import complete_config, write_sae

#: bytes of activations that are kept in memory; more go to a file that is mapped into it
MEMORY_LIMIT = 2**31


@dataclass(frozen=True)
class SAETraining:
    """Settings of one training.

    Attributes:
        layer: decoder layer whose output is encoded (``blocks.<layer>.hook_resid_post``).
        features: dictionary size.
        active: mean number of active features a token (BatchTopK's k).
        tokens: token activations seen, repeats included.
        batch: tokens a step.
        learning_rate: of Adam; rises over the first twentieth of the steps and falls to a tenth over the last third.
        held_out: share of the texts kept for measuring quality.
        seed: of the split, of initialisation and of shuffling.

    Raises:
        ValueError: a setting is out of range; names it.
    """

    layer: int = 15
    features: int = 4096
    active: int = 32
    tokens: int = 4_000_000
    batch: int = 1024
    learning_rate: float = 2e-3
    held_out: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("layer", 0), ("features", 1), ("active", 1), ("batch", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected {least} or more, got {getattr(self, name)}")
        if self.active > self.features:
            raise ValueError(f"active: expected at most features ({self.features}), got {self.active}")
        if self.tokens < self.batch:
            raise ValueError(f"tokens: expected at least one batch ({self.batch}), got {self.tokens}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: expected more than 0, got {self.learning_rate}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out: expected a share between 0 and 1, got {self.held_out}")


def train_sae(
    model: LanguageModel,
    texts: Sequence[str],
    folder: str | Path,
    settings: SAETraining,
    *,
    held_out: Sequence[str] | None = None,
    memory_limit: int = MEMORY_LIMIT,
    show: bool | None = None,
) -> SAEQuality:
    """Train on the residual stream over ``texts`` and write the SAE to ``folder`` in half precision.

    Args:
        model: whose residual stream is encoded; training runs on its device.
        texts: rendered prompts with answers, for example from ``write_texts``; at least 100.
        folder: created; gets ``cfg.json``, ``sae_weights.safetensors`` and ``max_activations.safetensors``.
        settings: of the training.
        held_out: texts to measure the quality on; by default a share of ``texts`` is kept for that.
        memory_limit: bytes of activations kept in memory; more go to a file beside ``folder``, removed at
            the end.
        show: progress bars; by default only on a terminal.

    Returns:
        Quality on the held-out texts.

    Raises:
        ModelError: sae-lens is not installed, or the activations do not fit half precision.
        ValueError: fewer than 100 texts, no held-out text, a layer that the model does not have, or ``folder`` holds
            something already.
    """
    folder = Path(folder)
    check_training(model, folder, settings)
    if len(texts) < 100:
        raise ValueError(f"texts: expected at least 100, got {len(texts)}")
    if held_out is not None and not held_out:
        raise ValueError("held_out: expected at least 1 text, got none; leave it out to keep a share of texts")
    training: Sequence[str] = texts
    facts: dict[str, Any] = asdict(settings)
    if held_out is None:
        held_out, training = _split(texts, settings)
    else:
        facts["held_out"] = 0.0  # no share of the texts was kept back
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)  # what a killed run left
    scratch.mkdir()
    try:
        with progress_bar("reading activations", len(training), show) as advance:
            activations = residual_activations(
                model,
                training,
                settings.layer,
                file=scratch / "activations.npy",
                memory_limit=memory_limit,
                advance=advance,
            )
        sae = _fit(model, activations, settings, show)
        result = scratch / "sae"
        quality = write_sae(sae, model, activations, held_out, result, settings.active)
        facts |= {
            "distinct_texts": len(training),
            "distinct_tokens": len(activations),
            "held_out_texts": len(held_out),
        }
        complete_config(result, facts, quality)
        if folder.exists():
            folder.rmdir()  # empty, as checked
        result.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return quality


def _split(texts: Sequence[str], settings: SAETraining) -> tuple[list[str], list[str]]:
    """(held out, training): drawn, because texts written one after another are of one kind."""
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    cut = max(1, int(len(texts) * settings.held_out))
    return [texts[i] for i in order[:cut]], [texts[i] for i in order[cut:]]


def check_training(model: LanguageModel, folder: Path, settings: SAETraining) -> None:
    """Raise what ``train_sae`` would raise, before any work is done."""
    if settings.layer >= model.n_layers:
        raise ValueError(f"layer: expected 0 to {model.n_layers - 1} for {model.name}, got {settings.layer}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"folder: {folder} is not empty; delete it or name another")
    _sae_lens()


def _sae_lens() -> Any:
    try:
        import sae_lens
    except ImportError as fault:
        raise ModelError(f"training an SAE needs sae-lens; run: {how_to_install('sae')}") from fault
    return sae_lens


def _fit(model: LanguageModel, activations: Any, settings: SAETraining, show: bool | None) -> Any:
    """sae-lens' trainer, stepped here: its own loop prints, and estimates the scale that is known exactly."""
    import torch

    sae_lens = _sae_lens()
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.sae import SAEMetadata
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(settings.seed)
    device = str(model.device)
    mean, scale = _mean_and_scale(activations)
    sae = sae_lens.BatchTopKTrainingSAE(
        sae_lens.BatchTopKTrainingSAEConfig(
            d_in=model.d_model,
            d_sae=settings.features,
            k=settings.active,
            device=device,
            metadata=SAEMetadata(
                model_name=Path(model.name).name if Path(model.name).exists() else model.name,
                hook_name=f"blocks.{settings.layer}.hook_resid_post",
                prepend_bos=False,
            ),
        )
    )
    with torch.no_grad():
        sae.b_dec.copy_(mean * scale)
    steps = settings.tokens // settings.batch
    config = SAETrainerConfig(
        total_training_samples=steps * settings.batch,
        train_batch_size_samples=settings.batch,
        lr=settings.learning_rate,
        lr_end=settings.learning_rate / 10,
        lr_warm_up_steps=steps // 20,
        lr_decay_steps=steps // 3,
        dead_feature_window=max(10, min(1000, steps // 10)),
        device=device,
        # On a CPU with bfloat16 a step takes two thirds of the time, at the same losses to four digits; weights
        # stay in float32.
        autocast=model.dtype == torch.bfloat16,
    )
    trainer = SAETrainer(config, sae, iter(()))
    batches = shuffled_batches(activations, settings.batch, settings.seed)
    with progress_bar("training", steps, show) as advance:
        for batch in islice(batches, steps):
            trainer.step(batch * scale)
            trainer.n_training_steps += 1
            advance()
    sae.fold_activation_norm_scaling_factor(scale)
    sae.fold_W_dec_norm()
    return sae


def _mean_and_scale(activations: Any) -> tuple[Any, float]:
    """(mean activation, the factor that makes their mean norm the square root of the width)."""
    mean = sum(chunk.double().sum(dim=0) for chunk in activations.split(65_536)) / len(activations)
    norm = sum(chunk.float().norm(dim=1).double().sum().item() for chunk in activations.split(65_536))
    return mean.float(), activations.shape[1] ** 0.5 / (norm / len(activations))
