"""Short hashes of what makes a model answer as it does, so that a run does not go on with another. Changes nothing."""

from __future__ import annotations

import hashlib
import json
import weakref
from typing import Any

import torch

from pyvalue.models.loading import LanguageModel

# Of networks whose state is still the same.
_known: weakref.WeakKeyDictionary[Any, tuple[str, str]] = weakref.WeakKeyDictionary()
# Entries of a tensor that are summed at a time.
_CHUNK = 2**26
# Of a configuration: where it came from and how it is run, but not what it computes.
_NOT_THE_MODEL = ("transformers_version", "dtype", "torch_dtype", "quantization_config", "use_cache")


def fingerprints(model: LanguageModel) -> dict[str, str]:
    """Hashes (16 hex digits each) of ``weights``, ``config``, ``tokenizer`` and ``template``."""
    config = {
        name: value
        for name, value in model.network.config.to_dict().items()
        if not name.startswith("_") and name not in _NOT_THE_MODEL
    }
    tokenizer = json.loads(model.tokenizer.backend_tokenizer.to_str())
    tokenizer |= {"padding": None, "truncation": None}  # what the last call asked for
    return {
        "weights": weights_fingerprint(model),
        "config": _hash(json.dumps(config, sort_keys=True, default=str)),
        "tokenizer": _hash(json.dumps(tokenizer, sort_keys=True)),
        "template": _hash(str(model.tokenizer.chat_template)),
    }


def weights_fingerprint(model: LanguageModel) -> str:
    """Hash (16 hex digits) of all weights and buffers: sums of their bits by row and by column, the same anywhere."""
    network = model.network
    tensors = sorted([*network.named_parameters(), *network.named_buffers()], key=lambda pair: pair[0])
    state = _state(tensors)
    known = _known.get(network)
    if known is None or known[0] != state:
        digest = hashlib.sha256()
        for name, tensor in tensors:
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            for sums in _bit_sums(tensor.detach()):
                digest.update(sums.cpu().numpy().tobytes())
        known = _known[network] = (state, digest.hexdigest()[:16])
    return known[1]


def _state(tensors: list[tuple[str, torch.Tensor]]) -> str:
    """Changes with the tensors as far as torch can tell: where they are, how often they were written, some entries."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        flat = tensor.detach().flatten()
        sample = flat[:: max(1, -(-flat.numel() // 64))].to("cpu", torch.float64)
        version = 0 if tensor.is_inference() else tensor._version
        digest.update(f"{name} {tensor.data_ptr()} {version}".encode() + sample.numpy().tobytes())
    return digest.hexdigest()


def _bit_sums(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Sums of the bits, taken for integers, which no order of adding changes."""
    if not tensor.numel():
        return []
    width = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    if tensor.is_complex():
        tensor, width = torch.view_as_real(tensor), torch.int32
    bits: Any = tensor.contiguous().view(width).reshape(-1, tensor.shape[-1] if tensor.ndim else 1)
    rows = max(1, _CHUNK // bits.shape[1])
    parts = [bits[start : start + rows] for start in range(0, len(bits), rows)]
    by_row = torch.cat([part.sum(dim=1, dtype=torch.int64) for part in parts])
    by_column = torch.stack([part.sum(dim=0, dtype=torch.int64) for part in parts]).sum(dim=0)
    return [by_row, by_column]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
