"""The guide to other libraries prints what it says that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_docs import check


def test_interchange_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("polars", "datasets", "pgmpy"):
        pytest.importorskip(package)
    check("interchange.md", tmp_path, monkeypatch, least=5)
