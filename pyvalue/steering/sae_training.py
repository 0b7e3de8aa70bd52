"""Train a sparse autoencoder on a model's residual stream with sae-lens' trainer. Writes no text (see ``sae_run``).

The result is sae-lens' native folder, its ``cfg.json`` completed with the training settings and the quality on
held-out text, and ``max_activations.safetensors`` beside it. The folder is there whole or not at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pyvalue.errors import ModelError
from pyvalue.measurement.progress import progress_bar
from pyvalue.models.loading import LanguageModel
from pyvalue.steering.residual_activations import residual_activations, shuffled_batches
from pyvalue.steering.sae_quality import SAEQuality, largest_activations, measure_sae

#: bytes of activations that are kept in memory; more go to a file that is mapped into it
MEMORY_LIMIT = 2**31
#: tokens on which the threshold is set; 2 million activations, far more than a quantile needs
THRESHOLD_TOKENS = 65_536
WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"


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
    batch: int = 2048
    learning_rate: float = 8e-4
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
    memory_limit: int = MEMORY_LIMIT,
    show: bool | None = None,
) -> SAEQuality:
    """Train on the residual stream over ``texts`` and write the SAE to ``folder`` in half precision.

    Args:
        model: whose residual stream is encoded; training runs on its device.
        texts: rendered prompts with answers, for example from ``write_texts``; at least 100.
        folder: created; gets ``cfg.json``, ``sae_weights.safetensors`` and ``max_activations.safetensors``.
        settings: of the training.
        memory_limit: bytes of activations kept in memory; more go to a temporary file beside ``folder``.
        show: progress bars; by default only on a terminal.

    Returns:
        Quality on the held-out texts.

    Raises:
        ModelError: sae-lens is not installed, or the activations do not fit half precision.
        ValueError: fewer than 100 texts, a layer that the model does not have, or ``folder`` holds something already.
    """
    folder = Path(folder)
    check_training(model, folder, settings)
    if len(texts) < 100:
        raise ValueError(f"texts: expected at least 100, got {len(texts)}")
    order = np.random.default_rng(settings.seed).permutation(len(texts))
    cut = max(1, int(len(texts) * settings.held_out))
    held_out, training = [texts[i] for i in order[:cut]], [texts[i] for i in order[cut:]]
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with progress_bar("reading activations", len(training), show) as advance:
            # Four characters a token at the least: an estimate that errs towards the file.
            is_large = sum(map(len, training)) / 3 * model.d_model * 2 > memory_limit
            file = scratch / "activations.npy" if is_large else None
            activations = residual_activations(model, training, settings.layer, file=file, advance=advance)
        sae = _fit(model, activations, settings, show)
        result = scratch / "sae"
        quality = _write(sae, model, activations, held_out, result, settings)
        _complete_config(result, settings, quality, len(activations), len(training))
        if folder.exists():
            folder.rmdir()  # empty, as checked
        result.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return quality


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
        raise ModelError("training an SAE needs sae-lens; run: pip install 'pyvalue[sae]'") from fault
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
        # Half the time a step on a CPU with bfloat16 and the same losses to four digits; weights stay float32.
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


def _write(
    sae: Any, model: LanguageModel, activations: Any, held_out: Sequence[str], folder: Path, settings: SAETraining
) -> SAEQuality:
    """Write the folder, then measure what was written: half precision is part of the quality."""
    import torch
    from safetensors.torch import load_file, save_file

    from pyvalue.models.sae import load_sae, save_max_activations

    sae.save_inference_model(folder)
    weights = {name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise ModelError("the trained weights do not fit half precision; train on another layer")
    _make_portable(folder)
    save_file(weights, folder / WEIGHTS)
    device = str(model.device)
    weights["threshold"] = _threshold(load_sae(folder, device=device), activations, settings)
    save_file(weights, folder / WEIGHTS)
    written = load_sae(folder, device=device)
    save_max_activations(folder, largest_activations(written, activations))
    return measure_sae(model, written, held_out)


def _threshold(sae: Any, activations: Any, settings: SAETraining) -> Any:
    """The threshold (f,), the same for all features, at which ``active`` of them are active a token.

    The trainer's own is a running mean of each batch's smallest activation, which is lower or higher by some percent.
    """
    import torch

    generator = torch.Generator().manual_seed(settings.seed)
    some = activations[torch.randperm(len(activations), generator=generator)[:THRESHOLD_TOKENS].sort().values]
    kept = []
    with torch.inference_mode():
        for chunk in some.split(2048):
            pre = (chunk.to(sae.W_enc) - sae.b_dec) @ sae.W_enc + sae.b_enc
            wanted = min(pre.numel(), 2 * settings.active * len(chunk))  # twice the mean holds the best of any chunk
            kept.append(torch.relu(pre).flatten().topk(wanted).values.cpu())
    largest = torch.cat(kept).sort(descending=True).values
    place = min(settings.active * len(some), len(largest) - 1)
    return torch.full((settings.features,), float(largest[place]), dtype=torch.float16)


def _make_portable(folder: Path) -> None:
    """Say "cpu" in the configuration, whatever the training ran on: readers put the weights there."""
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8")) | {"device": "cpu"}
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _complete_config(folder: Path, settings: SAETraining, quality: SAEQuality, tokens: int, texts: int) -> None:
    path = folder / CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config.setdefault("metadata", {}).update(
        training=asdict(settings)
        | {"distinct_tokens": tokens, "distinct_texts": texts, "trainer": "sae-lens BatchTopK"},
        quality={name: round(figure, 4) for name, figure in asdict(quality).items()},
    )
    path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
