"""A short hash of a model's weights, so that a run does not go on with others. Reads the model only."""

from __future__ import annotations

import hashlib

import torch

from pyvalue.models.loading import LanguageModel


def weights_fingerprint(model: LanguageModel) -> str:
    """Hash (16 hex digits) of up to 64 evenly spaced weights of every tensor."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.network.named_parameters()):
        flat = tensor.detach().flatten()
        sample = flat[:: max(1, -(-flat.numel() // 64))]
        digest.update(name.encode() + sample.to("cpu", torch.float32).numpy().tobytes())
    return digest.hexdigest()[:16]
