"""``write_study``: a commented ``study.toml`` to begin with."""

from __future__ import annotations

from pathlib import Path

from pyvalue.atomic_files import reason, replace_file
from pyvalue.errors import StoreError

#: the template; it is a study as it stands, and a test holds it to the entries that a study may have
TEMPLATE = Path(__file__).resolve().parents[1] / "data" / "study.toml"


def write_study(path: str | Path, force: bool = False) -> Path:
    """Write a commented study that runs as it stands: the bundled model and its autoencoder, a few minutes on a CPU.

    Every entry that a study may have is in it, with what it means; those that are optional are commented out.

    Args:
        path: of the file, such as ``"study.toml"``; or of a folder, where it is called so.
        force: write over a file that is there.

    Returns:
        Path of the file; ``pyvalue.run_study`` runs it.

    Raises:
        ValueError: the file is there already, or its name does not end in ``.toml``.
        StoreError: it cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.toml"
    if path.suffix != ".toml":
        raise ValueError(f"path: expected a file that ends in .toml, got {path}")
    if path.exists() and not force:
        raise ValueError(f"path: {path} is there already; give another name, or force=True to write over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"cannot write {path}: {reason(fault)}") from fault
    text = TEMPLATE.read_text(encoding="utf-8")
    replace_file(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))
    return path
