"""Take over an SAE that sae-lens holds in memory or can download. Imports sae-lens only to download."""

from __future__ import annotations

from typing import Any

from pyvalue.errors import ModelError
from pyvalue.extras import how_to_install
from pyvalue.models.stored_sae import StoredSAE


def is_sae_lens(source: object) -> bool:
    """Whether ``source`` is an object of a class that derives from sae-lens', told without importing sae-lens."""
    return any(base.__module__.partition(".")[0] == "sae_lens" for base in type(source).__mro__)


def read_sae_lens(source: Any, name: str = "") -> StoredSAE:
    """Settings and a copy of the tensors of a live ``sae_lens.SAE`` or ``TrainingSAE``.

    Raises:
        TypeError: it is another object of sae-lens.
    """
    if not (hasattr(source, "cfg") and hasattr(source.cfg, "to_dict") and hasattr(source, "state_dict")):
        raise TypeError(f"source must be a sae_lens.SAE, got {type(source).__module__}.{type(source).__name__}.")
    settings = dict(source.cfg.to_dict())
    metadata = dict(settings.get("metadata") or {})
    place = "/".join(str(metadata[key]) for key in ("model_name", "hook_name") if metadata.get(key))
    # Copied: sae-lens folds in place, and this SAE must not change with it.
    tensors = {key: tensor.detach().clone() for key, tensor in source.state_dict().items()}
    where = f"the {type(source).__name__} {name or place}".rstrip()
    return StoredSAE({**settings, "metadata": metadata}, tensors, name or place, where)


def read_release(release: str, sae_id: str) -> StoredSAE:
    """Download a published SAE through sae-lens, which knows where each release lies and which factor to fold.

    Raises:
        ModelError: sae-lens is not installed, or cannot load it.
    """
    try:
        import sae_lens
    except ImportError as error:
        raise ModelError(
            f"load_sae(release={release!r}, sae_id={sae_id!r}) needs sae-lens, which cannot be imported ({error}): run "
            f"{how_to_install('sae')}. A folder that you downloaded needs it not: load_sae(folder)."
        ) from error
    try:
        loaded = sae_lens.SAE.from_pretrained(release, sae_id, device="cpu", dtype="float32")
    # Whatever a download, a foreign format or an unknown name raises there.
    except Exception as error:
        raise ModelError(
            f"sae-lens cannot load release {release!r}, sae_id {sae_id!r}: {type(error).__name__}: {error}"
        ) from error
    return read_sae_lens(loaded, f"{release}/{sae_id}")
