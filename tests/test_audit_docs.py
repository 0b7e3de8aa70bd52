"""Every block of the page on the paper's claims runs, and prints what the page says that it prints."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "audit.md"
PAPER = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "paper"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)


@pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's files lie beside the checkout, not in it")
def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paper").symlink_to(PAPER)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, "docs/audit.md", "exec"), namespace)
        assert printed.getvalue() == expected
    assert (tmp_path / "nulls.png").stat().st_size > 10_000
