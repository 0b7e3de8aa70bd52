"""Read Gemma Scope's ``params.npz`` and ``params.safetensors``, JumpReLU SAEs of Gemma. Never unpickles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyvalue.errors import ModelError
from pyvalue.models.max_activations import read_max_activations
from pyvalue.models.sae_folder import read_json_object, read_safetensors
from pyvalue.models.stored_sae import StoredSAE

PARAMS_NAMES = ("params.safetensors", "params.npz")

_TENSORS = ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")
# Repositories: gemma-scope-2b-pt-res, gemma-scope-9b-it-res (Gemma 2); gemma-scope-2-1b-it (Gemma 3).
_GEMMA_2 = re.compile(r"gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)")
_GEMMA_3 = re.compile(r"gemma-scope-2-(\d+[mb])-(pt|it)")
_LAYER = re.compile(r"layer_(\d+)(?:_.*)?")
_LAYER_OUTPUT = re.compile(r"model\.(?:language_model\.)?layers\.(\d+)\.output")
# Bytes that a byte of an archive may become.
_MOST_UNPACKED = 100
# Folders between the repository and the file, at most.
_DEPTH = 4


def read_gemma_scope(path: Path, hook: str | None) -> StoredSAE:
    """Settings and tensors of one parameter file.

    The layer comes from the folders above, such as ``layer_12/width_16k/average_l0_82``, or from ``config.json`` beside
    the file. Folders that do not say otherwise mean the output of the layer, as in the repositories ``...-res``.

    Args:
        path: the ``.npz`` or ``.safetensors`` file.
        hook: where the SAE reads, for folders that do not say it.

    Raises:
        ModelError: the file is damaged or holds something else, or the place is unknown.
    """
    raw = _read_npz(path) if path.suffix == ".npz" else read_safetensors(path)
    # Gemma Scope 2 writes w_enc and w_dec.
    tensors = {"W_" + name[2:] if name.startswith("w_") else name: tensor for name, tensor in raw.items()}
    missing = [name for name in _TENSORS if name not in tensors]
    if missing:
        raise ModelError(
            f"{path} lacks {', '.join(missing)}, which a parameter file of Gemma Scope holds; it holds "
            f"{', '.join(sorted(raw)) or 'nothing'}. SAEs of sae-lens are folders with cfg.json."
        )
    encoder, decoder = tensors["W_enc"], tensors["W_dec"]
    if "affine_skip_connection" in tensors or (decoder.ndim == 2 and encoder.ndim == 2 and _reshapes(encoder, decoder)):
        raise _refusal(path, "a transcoder, which reads one place and writes another")
    if decoder.ndim == 3:
        raise _refusal(path, "a cross-layer transcoder, which writes at other layers than it reads")
    if encoder.ndim != 2:
        raise ModelError(f"{path}: W_enc has shape {tuple(encoder.shape)}, expected (d_in, d_sae).")
    settings = {
        "architecture": "jumprelu",
        "d_in": encoder.shape[0],
        "d_sae": encoder.shape[1],
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "metadata": {"hook_name": hook or _hook(path), "model_name": _model_name(path), "format": "Gemma Scope"},
    }
    return StoredSAE(settings, tensors, _name(path), str(path), read_max_activations(path.parent))


def _reshapes(encoder: torch.Tensor, decoder: torch.Tensor) -> bool:
    """Whether the output has another width than the input, the features being the same."""
    return encoder.shape[1] == decoder.shape[0] and encoder.shape[0] != decoder.shape[1]


def _read_npz(path: Path) -> dict[str, torch.Tensor]:
    try:
        data = np.load(path, allow_pickle=False)
        if not isinstance(data, np.lib.npyio.NpzFile):
            raise ModelError(f"{path} holds one array, expected an .npz archive of several.")
        with data:
            members = data.zip.infolist() if data.zip is not None else []
            _check_size(path, sum(int(member.file_size) for member in members))
            arrays = {name: data[name] for name in data.files}
    except ModelError:
        raise
    # Over damaged or hostile archives zipfile, zlib and numpy's parser of headers raise a dozen types.
    except Exception as error:
        raise ModelError(
            f"{path} is not a readable .npz file of plain arrays (pickled objects are never loaded): {error}"
        ) from error
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise ModelError(f"{path}: {name} holds {array.dtype}, expected floating point numbers.")
    # Also turns a foreign byte order into this machine's. What overflows becomes infinity, which is refused by name.
    with np.errstate(over="ignore"):
        return {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in arrays.items()}


def _check_size(path: Path, unpacked: int) -> None:
    """Refuse an archive that was packed to fill the memory: weights shrink to a half at best, not to a hundredth."""
    packed = path.stat().st_size
    if unpacked > max(_MOST_UNPACKED * packed, 1 << 24):
        raise ModelError(
            f"{path} would unpack to {unpacked:,} bytes from {packed:,}; weights never shrink so far."
        )


def _folders(path: Path) -> list[str]:
    """Names of the folders above the file, nearest first, no further than Gemma Scope nests them."""
    return [parent.name for parent in path.absolute().parents][:_DEPTH]


def _repository(path: Path, pattern: re.Pattern[str]) -> re.Match[str] | None:
    found = (pattern.search(parent.name) for parent in path.absolute().parents)
    return next((match for match in found if match is not None), None)


def _hook(path: Path) -> str:
    config = path.parent / "config.json"
    if config.is_file():
        return _hook_of_config(path, read_json_object(config))
    folders = _folders(path)
    repository = _repository(path, _GEMMA_2)
    kind = repository.group(3) if repository is not None else ""
    if kind == "transcoders" or any(name.startswith(("transcoder", "clt")) for name in folders):
        raise _refusal(path, "a transcoder, which reads one place and writes another")
    if kind == "att" or any(name.startswith("attn_out") for name in folders):
        raise _refusal(path, "an SAE of attention heads")
    if "embedding" in folders:
        raise _refusal(path, "an SAE of the embedding, which has a scale of its own")
    layer = next((match.group(1) for match in map(_LAYER.fullmatch, folders) if match is not None), None)
    if layer is None:
        raise ModelError(
            f"{path} does not say which layer it reads: no folder above it is named like layer_12. Pass "
            "hook='blocks.12.hook_resid_post' with the right layer."
        )
    if kind == "mlp" or any(name.startswith("mlp_out") for name in folders):
        return f"blocks.{layer}.hook_mlp_out"
    return f"blocks.{layer}.hook_resid_post"


def _hook_of_config(path: Path, config: dict[str, Any]) -> str:
    if config.get("hf_hook_point_out") is not None:
        raise _refusal(path, "a transcoder, which reads one place and writes another")
    place = str(config.get("hf_hook_point_in"))
    found = _LAYER_OUTPUT.fullmatch(place)
    if found is None:
        raise _refusal(path, f"an SAE of {place!r} (hf_hook_point_in of config.json), no output of a layer")
    return f"blocks.{found.group(1)}.hook_resid_post"


def _refusal(path: Path, what: str) -> ModelError:
    return ModelError(f"{path} is {what}; not supported. Only SAEs of the residual stream between layers are.")


def _model_name(path: Path) -> str:
    found = _repository(path, _GEMMA_2)
    if found is not None:
        return f"gemma-2-{found.group(1)}" + ("-it" if found.group(2) == "it" else "")
    found = _repository(path, _GEMMA_3)
    return f"gemma-3-{found.group(1)}-{found.group(2)}" if found is not None else ""


def _name(path: Path) -> str:
    """``layer_12/width_16k/average_l0_82``, or the name of the folder or file where it is not nested so."""
    folders = _folders(path)
    depth = next((i for i, name in enumerate(folders) if _LAYER.fullmatch(name)), None)
    if depth is not None:
        return "/".join(reversed(folders[: depth + 1]))
    return path.parent.name if path.name in PARAMS_NAMES else path.stem
