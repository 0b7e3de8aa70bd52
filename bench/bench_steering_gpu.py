"""Steering on a GPU: throughput of a Gemma-2B-shaped model, and the kernels against their memory floors.

Floors: the unedited model in the same run, timed before every round; for a kernel, the bytes that it must move over the
bandwidth of the card, measured in the same run by a copy. Random weights have the right speed. Run ``make gpu``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="steering needs torch; run: pip install 'pyvalue[lm]'")

from pyvalue.kernels.sae_edit_reference import sae_edit_reference  # noqa: E402
from steering_cases import GEMMA_2B, LLAMA_8B, Shape, edits, random_model, random_sae  # noqa: E402

from pyvalue.models.edit_site import EditSite  # noqa: E402
from pyvalue.models.hook import ResidualEdits  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

BATCH, PROMPT, NEW_TOKENS = 512, 32, 65
ROUNDS = 5
CONFIGURATIONS = (0, 1, 8, 64, 256, 512)


def milliseconds(run: Callable[[], Any]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))


@lru_cache
def model() -> Any:
    return random_model(GEMMA_2B)


@lru_cache
def sae(shape: Shape) -> Any:
    return random_sae(shape, "cuda", torch.bfloat16)


@lru_cache
def bandwidth() -> float:
    """Bytes a second of a copy of 2 GB, read and written."""
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * source.numel() / 1e-3 / min(milliseconds(lambda: target.copy_(source)) for _ in range(10))


def captured(run: Callable[[], Any], repeats: int = 50) -> Callable[[], None]:
    """A CUDA graph of ``repeats`` calls, so that launch costs do not count."""
    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            run()
    return graph.replay


@pytest.mark.parametrize("op", ["add", "min"])
@pytest.mark.parametrize("distinct", CONFIGURATIONS)
def test_throughput(benchmark: Any, op: str, distinct: int) -> None:
    """Greedy decoding on a static cache, whose steps transformers compiles into CUDA graphs."""
    benchmark.group = f"Gemma-2B-shaped, batch {BATCH}, {NEW_TOKENS} new tokens, 4 features a row, op {op}"
    ids = torch.randint(2, 1000, (BATCH, PROMPT), device="cuda", generator=torch.Generator("cuda").manual_seed(0))

    def generate() -> None:
        model().generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            min_new_tokens=NEW_TOKENS,
            do_sample=False,
            cache_implementation="static",
        )

    plain: list[float] = []
    for _ in range(3):  # compiles and captures
        generate()
    rows = edits(op, distinct, BATCH, sae(GEMMA_2B))
    every = edits(op, BATCH, BATCH, sae(GEMMA_2B))
    for _ in range(ROUNDS):
        plain.append(milliseconds(generate))
    with ResidualEdits(model(), every) as steer:
        steer.choose(rows)
        for _ in range(3):
            generate()
        benchmark.pedantic(lambda: (generate(), torch.cuda.synchronize()), rounds=ROUNDS, iterations=1)
        assert steer.hits == steer.asked
    plain += [milliseconds(generate) for _ in range(ROUNDS)]
    base = statistics.median(plain) / 1e3
    benchmark.extra_info["over unedited, median"] = statistics.median(benchmark.stats.stats.data) / base
    benchmark.extra_info["tokens a second"] = BATCH * NEW_TOKENS / statistics.median(benchmark.stats.stats.data)
    benchmark.extra_info["unedited"] = BATCH * NEW_TOKENS / base


@pytest.mark.parametrize("shape", [GEMMA_2B, LLAMA_8B], ids=lambda shape: shape.name)
@pytest.mark.parametrize("batch", [1, 32, 128, 512])
@pytest.mark.parametrize("op", ["add", "min"])
def test_sae_edit_kernel(benchmark: Any, op: str, batch: int, shape: Shape) -> None:
    """Eight features a row, all different, in a captured graph."""
    benchmark.group = f"sae_edit, 8 features a row, {shape.name}, op {op}, batch {batch}, 50 calls"
    rows = edits(op, batch, batch, sae(shape), count=8)
    made = dict(enumerate(edit for row in rows for edit in row))
    site = EditSite(torch.nn.Linear(1, 1, dtype=torch.bfloat16).cuda(), (shape.layer, "resid_post"), made)
    site.load([range(8 * i, 8 * i + 8) for i in range(batch)])
    x = torch.randn(batch, 1, shape.d_model, device="cuda").bfloat16()
    lists = torch.arange(batch, dtype=torch.int32, device="cuda").unsqueeze(1)
    reference = sae_edit_reference(x.view(batch, -1), site.table, lists.view(-1))
    torch.testing.assert_close(site.change(x, lists).view(batch, -1), reference, rtol=2e-2, atol=2e-2)
    replay = captured(lambda: site.change(x, lists))
    benchmark(lambda: (replay(), torch.cuda.synchronize()))
    moved = 4 * batch * shape.d_model + (2 if op == "min" else 1) * 8 * batch * shape.d_model * 2
    each = benchmark.stats.stats.min / 50
    benchmark.extra_info["microseconds"] = each * 1e6
    benchmark.extra_info["floor, microseconds"] = moved / bandwidth() * 1e6


@pytest.mark.parametrize("shape", [GEMMA_2B, LLAMA_8B], ids=lambda shape: shape.name)
@pytest.mark.parametrize("batch", [1, 32, 128, 512])
@pytest.mark.parametrize("name", ["pyvalue", "torch hook, bf16", "torch hook, bf16, compiled", "torch hook, fp32"])
def test_splice(benchmark: Any, name: str, batch: int, shape: Shape) -> None:
    """The whole SAE in place of the residual. The torch hooks encode, decode and put the error back."""
    benchmark.group = f"splice, {shape.name}, batch {batch}, 10 calls"
    from pyvalue.kernels.sae_splice import sae_splice

    from pyvalue.models.whole_sae import splice_weights

    whole = sae(shape)
    x = torch.randn(batch, shape.d_model, device="cuda").bfloat16()
    dtype = torch.float32 if name.endswith("fp32") else torch.bfloat16
    w_enc, b_enc, w_dec, b_dec = (t.to(dtype) for t in (whole.W_enc, whole.b_enc, whole.W_dec, whole.b_dec))

    def by_hand(hidden: Any) -> Any:
        hidden = hidden.to(dtype)
        acts = torch.relu((hidden - b_dec) @ w_enc + b_enc)
        return (acts @ w_dec + b_dec).bfloat16()

    if name == "pyvalue":
        weights, share = splice_weights(whole, "cuda"), torch.ones(batch, device="cuda")
        exact = torch.relu(x.float() @ whole.W_enc.float() + whole.b_enc.float()) @ whole.W_dec.float()
        error = (sae_splice(x, weights, share).float() - exact).norm() / exact.norm()
        benchmark.extra_info["error"] = float(error)
        assert float(error) < 2e-2
        replay = captured(lambda: sae_splice(x, weights, share), 10)
    else:
        run = torch.compile(by_hand) if "compiled" in name else by_hand
        run(x)
        replay = captured(lambda: run(x), 10)
    benchmark(lambda: (replay(), torch.cuda.synchronize()))
    active = float((torch.relu(x.float() @ whole.W_enc.float() + whole.b_enc.float()) > 0).any(dim=0).sum())
    moved = 2 * shape.d_model * (shape.d_sae + active)
    benchmark.extra_info["microseconds"] = benchmark.stats.stats.min / 10 * 1e6
    benchmark.extra_info["memory floor, microseconds"] = moved / bandwidth() * 1e6
