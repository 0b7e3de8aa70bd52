"""Each feature's typical maximum, stored beside an SAE's weights: written, read, checked. Measures none."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pyvalue.atomic_files import replace_file
from pyvalue.errors import ModelError

MAX_ACTIVATIONS_NAME = "max_activations.safetensors"
_TENSOR = "max_activations"


def save_max_activations(folder: str | Path, max_activations: torch.Tensor) -> Path:
    """Write the typical maxima into the folder of an SAE, where ``load_sae`` finds them.

    Args:
        folder: of the SAE; must exist.
        max_activations: (f,) in the units of ``SAE.encode``, 0 for a feature that never fired.

    Returns:
        The file, ``max_activations.safetensors``.

    Raises:
        ValueError: no such folder, or the tensor is not (f,), not finite or negative somewhere.
        TypeError: it is no tensor of floating point numbers.
        StoreError: the disk is full or the folder cannot be written.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"folder must be the folder of an SAE, got {folder}, which is none.")
    check_max_activations(max_activations)
    target = folder / MAX_ACTIVATIONS_NAME
    tensors = {_TENSOR: max_activations.detach().to("cpu", torch.float32).contiguous()}
    replace_file(target, lambda scratch: save_file(tensors, scratch))
    return target


def read_max_activations(folder: Path) -> torch.Tensor | None:
    """(f,) of the SAE in ``folder``, or None where there is no such file.

    Raises:
        ModelError: the file is damaged.
    """
    path = folder / MAX_ACTIVATIONS_NAME
    if not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            if _TENSOR not in file.keys():  # noqa: SIM118 - no mapping
                raise ModelError(f"{path} lacks the tensor {_TENSOR}; write it with save_max_activations.")
            tensor: torch.Tensor = file.get_tensor(_TENSOR)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a readable safetensors file: {error}") from error
    return tensor


def check_max_activations(tensor: torch.Tensor, d_sae: int | None = None) -> None:
    """Raise unless ``tensor`` is (f,), finite and nowhere negative; ``d_sae`` is f where it is known."""
    if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise TypeError(f"max_activations must be a tensor of floating point numbers, got {kind}.")
    if tensor.ndim != 1 or (d_sae is not None and len(tensor) != d_sae):
        wanted = "(f,)" if d_sae is None else f"({d_sae},)"
        raise ValueError(f"max_activations has shape {tuple(tensor.shape)}, expected {wanted}, one for each feature.")
    if not bool(torch.isfinite(tensor).all()) or bool((tensor < 0).any()):
        raise ValueError("max_activations must be finite and at least 0; it holds NaN, infinity or a negative number.")
