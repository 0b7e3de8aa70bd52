"""Run a test file's Triton tests on the CPU, under Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Triton reads the variable when it is first imported, hence a fresh process for the tests under the interpreter.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


def run_under_interpreter(file: str) -> None:
    """Run the tests of ``file`` whose names begin with ``test_triton`` in a process of their own; all must pass."""
    pytest.importorskip("triton", reason="Triton is not installed on this platform")
    # -P keeps the repository root off sys.path, where kernels/ would shadow Hugging Face's package of that name.
    command = [sys.executable, "-P", "-m", "pytest", file, "-q", "-k", "test_triton", "-p", "no:cacheprovider"]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    root = Path(__file__).parent.parent
    finished = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    assert " passed" in finished.stdout
