"""What a user has after ``pip install pyvalue`` alone: no model, no torch. A script, run in such an environment.

It lies beside the tests but imports none of them, and it is run from another folder, so that it sees the wheel.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

import pyvalue as pv

HEAVY = ("torch", "transformers", "triton", "sae_lens", "ray", "causallearn", "openai")


def installed_beside() -> list[str]:
    """Packages of the extras that were installed all the same."""
    return [name for name in HEAVY if find_spec(name) is not None]


def a_graph_from_a_file(folder: Path) -> None:
    """Draws, learns, saves and reports, with what the wheel brings."""
    random = np.random.default_rng(0)
    security = random.normal(size=400)
    power = random.normal(size=400)
    tradition = security + power + random.normal(size=400)
    table = pd.DataFrame({"Security": security, "Power": power, "Tradition": tradition})
    table.to_csv(folder / "answers.csv", index=False)
    graph = pv.discover(folder / "answers.csv", backend="fast", bootstrap=50)
    assert set(graph.directed_edges()) == {("Security", "Tradition"), ("Power", "Tradition")}, graph.edges()
    page = pv.report([graph], folder / "report")
    assert "Security" in page.read_text(encoding="utf-8")
    command = [Path(sysconfig.get_path("scripts")) / "pyvalue", "discover", folder / "answers.csv"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Security -> Tradition" in said, said


def main() -> None:
    package = Path(pv.__file__).parent
    assert package.is_relative_to(sys.prefix), f"this is not the installed package: {package}"
    assert (package / "py.typed").is_file()
    assert find_spec("kernels") is None, "the wheel must not bring a top-level package 'kernels'"
    assert not installed_beside(), f"the base install brought {installed_beside()}"
    assert metadata.version("pyvalue") == pv.__version__
    folder = Path("tried")
    folder.mkdir(exist_ok=True)
    a_graph_from_a_file(folder)
    print(f"pyvalue {pv.__version__}: the wheel works alone")


if __name__ == "__main__":
    main()
