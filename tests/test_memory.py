"""How many rows are taken to fit into a GPU's memory, without a GPU."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="asks torch for its memory")

from pyvalue.models.memory import CPU_BATCH, LARGEST_BATCH, automatic_batch  # noqa: E402


def on_a_gpu(model) -> SimpleNamespace:
    return SimpleNamespace(device=torch.device("cuda"), network=model.network, dtype=model.dtype)


def test_what_torch_keeps_for_later_counts_as_free(tiny_model, monkeypatch):
    """As after the first batch, whose memory torch does not give back to the driver."""
    kept = {"reserved": 0, "allocated": 0}
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: kept["reserved"])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: kept["allocated"])
    total = 40 * 2**20
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (total - kept["reserved"], total))
    first = automatic_batch(on_a_gpu(tiny_model), 100)
    assert 1 < first < LARGEST_BATCH
    kept["reserved"] = total - 2**20
    assert automatic_batch(on_a_gpu(tiny_model), 100) == first
    kept["allocated"] = total // 2  # and what is in use does not
    assert automatic_batch(on_a_gpu(tiny_model), 100) <= first // 2


def test_a_cpu_batch_does_not_depend_on_memory(tiny_model):
    assert automatic_batch(replace(tiny_model), 10**6) == CPU_BATCH
