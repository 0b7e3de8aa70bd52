"""The commands of the guide run, and print what the guide says that they print."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pyvalue.cli import app

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "command-line.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
#: lines of a document that the guide shows; the rest is "..."
SHOWN = 8


def write_answers(folder: Path) -> None:
    """The people of the tutorial: four rows of each of 150."""
    random = np.random.default_rng(2)
    person = np.repeat(np.arange(150), 4)
    noise = {name: random.normal(size=150)[person] + random.normal(size=600) for name in ("s", "t", "m", "p", "a")}
    security, power = noise["s"], noise["p"]
    tradition, stimulation = 0.7 * security + noise["t"], noise["m"] - 0.7 * security
    achievement = 0.6 * stimulation + 0.6 * power + noise["a"]
    columns = {"person": [f"p{i:03d}" for i in person], "Security": security, "Tradition": tradition}
    columns |= {"Stimulation": stimulation, "Power": power, "Achievement": achievement}
    pd.DataFrame(columns).round(3).to_csv(folder / "answers.csv", index=False)


def printed(line: str) -> str:
    """What one command prints, standard output first; of long documents the beginning."""
    run = CliRunner().invoke(app, shlex.split(line.removeprefix("$ pyvalue ")), prog_name="pyvalue")
    shown = run.stdout.splitlines()
    shown = [*shown[:SHOWN], "..."] if "--json" in line else shown
    return "\n".join([line, *shown, *run.stderr.splitlines()]) + "\n"


def replayed(text: str) -> str:
    """The guide with what its commands print now."""

    def block(found: re.Match[str]) -> str:
        commands = [line for line in found[1].splitlines() if line.startswith("$ ")]
        return f"```console\n{''.join(map(printed, commands))}```"

    return BLOCK.sub(block, text)


def test_the_guide_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_answers(tmp_path)
    text = GUIDE.read_text(encoding="utf-8")
    assert len(BLOCK.findall(text)) >= 4
    assert replayed(text) == text


def test_the_guide_has_every_command() -> None:
    import typer

    text = GUIDE.read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands
    assert all(f"`pyvalue {name}" in text for name in commands)


if __name__ == "__main__":  # writes the guide anew; run in an empty folder
    write_answers(Path.cwd())
    sys.stdout.write(replayed(GUIDE.read_text(encoding="utf-8")))
