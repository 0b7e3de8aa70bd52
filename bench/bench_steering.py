"""Steering on a CPU: the bundled model generates for 64 rows, each with its own edits, against steering by hand.

Floor: the unedited model in the same run. It is timed before every round of every contender, so that a drift of the
machine cancels in the ratio. The bench checks that the edits ran, and that the outputs of ours and of sae-lens agree.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="steering needs torch; run: pip install 'pyvalue[lm]'")

from steering_cases import FEATURES_A_ROW, NEW_TOKENS, ROWS, bundled, demo_sae, edits, inputs  # noqa: E402
from steering_contenders import CPU  # noqa: E402

from pyvalue.models.edit_site import EditSite  # noqa: E402

ROUNDS = 5


def generate(tokens: int = NEW_TOKENS) -> torch.Tensor:
    with torch.inference_mode():
        written: torch.Tensor = bundled().network.generate(
            **inputs(), max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False
        )
    return written


def _seconds() -> float:
    start = time.perf_counter()
    generate()
    return time.perf_counter() - start


@pytest.mark.parametrize("name", CPU)
def test_generation(benchmark: Any, name: str) -> None:
    steering = CPU[name]()
    benchmark.group = f"SmolLM2-135M, {ROWS} rows, {NEW_TOKENS} new tokens, CPU"
    generate(2)
    plain: list[float] = []
    with steering() as steer:
        generate(2)

    def unedited_first() -> None:
        plain.append(_seconds())

    def steered() -> Any:
        with steering() as steer:
            generate()
        return steer

    steer = benchmark.pedantic(steered, setup=unedited_first, rounds=ROUNDS, iterations=1)
    ratios = [mine / base for mine, base in zip(benchmark.stats.stats.data, plain, strict=True)]
    benchmark.extra_info["over unedited, median"] = statistics.median(ratios)
    benchmark.extra_info["spread"] = f"{min(ratios):.3f} to {max(ratios):.3f}"
    if "pyvalue" in name:
        assert min(steer.hits) > 0 and steer.hits == steer.asked


@pytest.mark.parametrize("tokens", [1, 35], ids=["step", "prefill"])
@pytest.mark.parametrize("name", ["pyvalue", "sae-lens, fp32", "sae-lens, bf16"])
def test_the_edit_alone(benchmark: Any, name: str, tokens: int) -> None:
    """Four clamped features a row, without the model around them."""
    benchmark.group = f"the edit alone: {ROWS} rows x {tokens} tokens, {FEATURES_A_ROW} clamped features each, CPU"
    sae, rows = demo_sae(), edits("min")
    x = torch.randn(ROWS, tokens, sae.config.d_in, generator=torch.Generator().manual_seed(0)) * 10
    features = torch.tensor([[edit.feature for edit in row] for row in rows])
    index = features.unsqueeze(1).expand(-1, tokens, -1)

    def by_hand(theirs: Any, hidden: torch.Tensor) -> torch.Tensor:
        acts = theirs.encode(hidden)
        error = hidden - theirs.decode(acts)
        acts = acts.scatter(2, index, acts.gather(2, index).clamp(min=1.0))
        return theirs.decode(acts) + error

    site = EditSite(torch.nn.Linear(1, 1), (sae.layer, "resid_post"), dict(enumerate(e for row in rows for e in row)))
    site.load([range(4 * i, 4 * i + 4) for i in range(ROWS)])
    lists = torch.arange(ROWS, dtype=torch.int32).unsqueeze(1).expand(-1, tokens).contiguous()
    with torch.inference_mode():
        if name == "pyvalue":
            hidden = x.bfloat16()
            benchmark(site.change, hidden, lists)
            sae_lens = pytest.importorskip("sae_lens", reason="sae-lens, which checks the answer, is not installed")
            from pyvalue.models.sae import DEMO_FOLDER

            theirs = sae_lens.SAE.load_from_disk(DEMO_FOLDER)
            wanted, got = by_hand(theirs, x), site.change(x, lists)
            benchmark.extra_info["error, fp32"] = float((got - wanted).norm() / (wanted - x).norm())
            drift = site.change(hidden, lists).float() - by_hand(theirs, hidden.float())
            benchmark.extra_info["drift, bf16"] = float(drift.norm() / x.norm())
            assert benchmark.extra_info["error, fp32"] < 1e-4
            return
        sae_lens = pytest.importorskip("sae_lens", reason="sae-lens is not installed; run: pip install 'pyvalue[sae]'")
        from pyvalue.models.sae import DEMO_FOLDER

        dtype = torch.float32 if name.endswith("fp32") else torch.bfloat16
        theirs = sae_lens.SAE.load_from_disk(DEMO_FOLDER).to(dtype)
        benchmark(lambda hidden: by_hand(theirs, hidden.to(dtype)).bfloat16(), x.bfloat16())
