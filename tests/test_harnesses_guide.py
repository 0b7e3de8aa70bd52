"""The block of the guide that runs without a model prints what the guide says."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed: pip install 'pyvalue[harness]'")

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "harnesses.md"


def test_the_block_of_inspect_prints_what_the_guide_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (found,) = re.findall(r"```python\n(import inspect_ai\n.*?)```\n```text\n(.*?)```", GUIDE.read_text("utf-8"), re.S)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(found[0], "docs/harnesses.md", "exec"), {})
    assert printed.getvalue() == found[1]
