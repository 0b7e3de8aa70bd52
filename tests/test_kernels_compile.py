"""The kernels compile for Hopper without a GPU, and fit into its registers and shared memory."""

from __future__ import annotations

import importlib
import os

import pytest

pytest.importorskip("torch", reason="the kernels need torch")
pytest.importorskip("triton", reason="Triton is not installed on this platform")

from pyvalue.kernels.ahead_of_time import Variant
from pyvalue.kernels.compile_ahead import MODULES, CompiledKernel, ahead_of_time_variants, compile_variant, table

pytestmark = [
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="Triton's interpreter compiles nothing"),
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION"),
]
SHARED_BYTES = 227 * 1024


def chosen_variants(module: str) -> list[Variant]:
    """All but float16's, which differ from bfloat16's in the names of instructions."""
    return [variant for variant in ahead_of_time_variants((module,)) if variant.labels.get("dtype") != "fp16"]


@pytest.fixture(scope="module")
def reports() -> dict[str, tuple[CompiledKernel, ...]]:
    """Reports by module, compiled for Hopper."""
    return {module: tuple(compile_variant(v, arch=90) for v in chosen_variants(module)) for module in MODULES}


@pytest.fixture(scope="module")
def every(reports) -> list[CompiledKernel]:
    return [report for of_module in reports.values() for report in of_module]


@pytest.mark.parametrize("module", MODULES)
def test_every_kernel_of_a_module_has_variants_for_the_widths_that_matter(module):
    import triton

    kernels = {
        name.removesuffix("_kernel")
        for name, value in vars(importlib.import_module(f"pyvalue.kernels.{module}")).items()
        if isinstance(value, triton.JITFunction) and name.endswith("_kernel")
    }
    variants = ahead_of_time_variants((module,))
    assert {variant.kernel for variant in variants} == kernels
    for kernel in kernels:
        widths = {v.labels["d_model"] for v in variants if v.kernel == kernel and "d_model" in v.labels}
        assert widths >= {576, 2048, 4096} or not widths


def test_every_variant_compiles_to_a_binary(every):
    assert len(every) == sum(len(chosen_variants(module)) for module in MODULES) >= len(MODULES)
    assert all(report.cubin_bytes > 0 for report in every)


def test_nothing_spills(every):
    assert [report for report in every if report.spill_bytes] == []


def test_shared_memory_of_a_multiprocessor_suffices(every):
    assert [report for report in every if report.shared_bytes > SHARED_BYTES] == []
    assert all(report.programs_a_multiprocessor >= 1 for report in every)


def test_sixteen_warps_of_an_edit_share_a_multiprocessor(reports):
    """It has 65,536 registers; with many warps, one's loads hide behind another's sums."""
    assert min(r.programs_a_multiprocessor * r.warps for r in reports["sae_edit_triton"]) >= 16


def test_shared_memory_of_an_edit_is_only_for_sums_across_warps(reports):
    assert max(report.shared_bytes for report in reports["sae_edit_triton"]) <= 1024


def test_products_run_on_tensor_cores(every):
    products = [report for report in every if report.kernel in ("asked_pre_activation", "count_above", "encode")]
    assert {report.labels["tokens"] for report in products} >= {1, 16, 64, 128, 512}
    assert [report for report in products if "wgmma" not in report.tensor_core] == []


def test_small_batches_leave_room_for_two_programs(every):
    """Up to 64 tokens a product waits for memory, and a second program on the multiprocessor keeps it busy."""
    small = [r for r in every if r.tensor_core and r.labels["tokens"] <= 64]
    assert small
    assert min(report.programs_a_multiprocessor for report in small) >= 2


def test_a_program_of_the_sparse_decode_leaves_room_for_seven_more(every):
    """Its loads are few and scattered: many programs together keep the memory busy."""
    decodes = [report for report in every if report.kernel == "sparse_decode" and report.labels["dtype"] == "bf16"]
    assert decodes
    assert min(report.programs_a_multiprocessor for report in decodes) >= 8


def test_the_table_has_a_line_for_every_variant(reports):
    lines = table(reports["topk_rank_triton"]).splitlines()
    assert len(lines) == len(reports["topk_rank_triton"]) + 1
    assert lines[0].split()[0] == "kernel"
    assert all(line.split()[0] in ("asked_pre_activation", "count_above") for line in lines[1:])
