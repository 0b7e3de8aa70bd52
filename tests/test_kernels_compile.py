"""The kernels compile for Hopper without a GPU, and fit into its registers."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("torch", reason="the kernels need torch")
pytest.importorskip("triton", reason="Triton is not installed on this platform")

from pyvalue.kernels.compile_ahead import WIDTHS, compile_ahead

pytestmark = [
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="Triton's interpreter compiles nothing"),
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION"),
]


@pytest.fixture(scope="module")
def reports():
    return compile_ahead(arch=90, dtypes=("bf16", "fp32"))


def test_every_variant_compiles_to_a_binary(reports):
    assert len(reports) == len(WIDTHS) * 2 * 2
    assert all(report.cubin_bytes > 0 for report in reports)


def test_nothing_spills(reports):
    assert [report for report in reports if report.spill_bytes] == []


def test_three_programs_share_a_multiprocessor_up_to_4096_columns(reports):
    """It has 65,536 registers; with several programs, one row's loads hide behind another's sums."""
    common = [report for report in reports if report.d_model <= 4096]
    assert max(report.registers * report.warps * 32 for report in common) <= 65_536 // 3


def test_shared_memory_is_only_for_sums_across_warps(reports):
    assert max(report.shared_bytes for report in reports) <= 1024
