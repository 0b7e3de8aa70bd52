"""A study of a tiny model with all stages, its files, and what a run of it has for results."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pyvalue as pv

STUDY = """
[model]
name = "model"
dtype = "float32"
device = "cpu"
[inventory]
name = "small.csv"
[personas]
count = 9
[measure]
min_mass = 0
[discover]
bootstrap = 20
test = "fisherz"
[plan]
raise = ["Power"]
sae = "sae"
pilot = 2
candidates = 1
strengths = [0.3]
positions = "all"
[steer]
personas = 6
[evaluate]
[audit]
permutations = 20
resamples = 100
orders = 2
"""


def write(folder: Path, model, sae, inventory, text: str = STUDY) -> Path:
    """A study with its model, autoencoder and inventory beside it."""
    from safetensors.torch import save_file

    model.network.save_pretrained(folder / "model")
    model.tokenizer.save_pretrained(folder / "model")
    (folder / "sae").mkdir()
    config = {
        "architecture": "standard", "d_in": 64, "d_sae": 32, "dtype": "float32", "apply_b_dec_to_input": False,
        "normalize_activations": "none", "metadata": {"hook_name": "blocks.1.hook_resid_post", "model_name": "tiny"},
    }  # fmt: skip
    (folder / "sae" / "cfg.json").write_text(json.dumps(config))
    save_file(
        {n: getattr(sae, n) for n in ("W_enc", "b_enc", "W_dec", "b_dec")}, folder / "sae/sae_weights.safetensors"
    )
    inventory.save(folder / "small.csv")
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def run(study, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pv.run_study(study, folder, progress=False)


def results(folder: Path) -> dict[str, object]:
    """All numbers of a run; how long the pilot took is none."""
    found: dict[str, object] = {name: json.loads((folder / name).read_text())
                                for name in ("graph.json", "plan.json", "evaluation.json", "audit.json")}  # fmt: skip
    found["plan.json"]["cost"]["pilot_seconds"] = None  # type: ignore[index]
    for kind in ("base", "steered"):
        found[kind] = {part.name: part.read_bytes() for part in sorted((folder / kind / "responses").iterdir())}
    return found


def copied(whole, folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        source = whole.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder
