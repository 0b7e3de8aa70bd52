"""Which reader an SAE's source calls for: folder, file, live object or published release. Reads no weights itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyvalue.errors import ModelError
from pyvalue.models.from_sae_lens import is_sae_lens, read_release, read_sae_lens
from pyvalue.models.gemma_scope import PARAMS_NAMES, read_gemma_scope
from pyvalue.models.sae_config import parse_residual_hook
from pyvalue.models.sae_folder import CONFIG_NAME, WEIGHTS_NAME, read_sae_folder
from pyvalue.models.stored_sae import StoredSAE

_GIVE = "Give a folder or file, a sae_lens.SAE or 'demo', or else release= and sae_id=."


def find_sae(source: Any, release: str | None, sae_id: str | None, hook: str | None) -> StoredSAE:
    """What the source holds; the arguments are those of ``load_sae``.

    Raises:
        ModelError: nothing readable is there.
        ValueError: the arguments do not go together.
        TypeError: an argument has the wrong type.
    """
    if release is not None or sae_id is not None:
        return read_release(*_release(source, release, sae_id))
    if source is None:
        raise ValueError(f"source is missing. {_GIVE}")
    if is_sae_lens(source):
        return read_sae_lens(source)
    if not isinstance(source, str | os.PathLike) or (isinstance(source, str) and not source):
        raise TypeError(
            f"source must be a path, a sae_lens.SAE or 'demo', got {type(source).__name__} {source!r}. {_GIVE}"
        )
    return _from_path(Path(source).expanduser(), hook)


def check_hook(hook: str) -> None:
    """Raise TypeError or ValueError unless ``hook`` names a place in the residual stream."""
    if not isinstance(hook, str):
        raise TypeError(f"hook must be a string such as 'blocks.12.hook_resid_post', got {type(hook).__name__}.")
    try:
        parse_residual_hook(hook)
    except ModelError:
        raise ValueError(
            f"hook must be blocks.L.hook_resid_post or blocks.L.hook_resid_pre, with the layer L from 0, got {hook!r}."
        ) from None


def _release(source: Any, release: str | None, sae_id: str | None) -> tuple[str, str]:
    if source is not None:
        raise ValueError("source and release= name an SAE each; give one of them.")
    if release is None or sae_id is None:
        given, missing = ("sae_id", "release") if release is None else ("release", "sae_id")
        raise ValueError(f"{missing}= is missing: {given}= alone names no SAE; give both.")
    for name, value in (("release", release), ("sae_id", sae_id)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a string, got {type(value).__name__} {value!r}.")
    return release, sae_id


def _from_path(path: Path, hook: str | None) -> StoredSAE:
    if path.is_dir():
        return _from_folder(path, hook)
    if not path.is_file():
        raise ModelError(
            f'No SAE folder or file at {path}. Give "demo" for the bundled one, a folder that holds {CONFIG_NAME} and '
            f"{WEIGHTS_NAME}, or Gemma Scope's params.npz or params.safetensors; for a published SAE "
            "load_sae(release=..., sae_id=...)."
        )
    if path.name in (WEIGHTS_NAME, CONFIG_NAME):
        return read_sae_folder(path.parent)
    if path.suffix in (".npz", ".safetensors"):
        return read_gemma_scope(path, hook)
    raise ModelError(
        f"{path} is no file that is read: expected .npz or .safetensors. Pickled files (.pt, .bin, .pkl) are never "
        "loaded; convert them with sae-lens and save_model."
    )


def _from_folder(path: Path, hook: str | None) -> StoredSAE:
    if (path / CONFIG_NAME).is_file():
        return read_sae_folder(path)
    for name in PARAMS_NAMES:
        if (path / name).is_file():
            return read_gemma_scope(path / name, hook)
    inside = sorted(child.name for child in path.iterdir() if child.is_dir())
    below = f" It has the folders {', '.join(inside[:8])}{', ...' if len(inside) > 8 else ''}." if inside else ""
    raise ModelError(
        f"{path} is no SAE folder: it holds neither {CONFIG_NAME} (sae-lens, beside {WEIGHTS_NAME}) nor "
        f"{' or '.join(PARAMS_NAMES)} (Gemma Scope).{below}"
    )
