"""The fused edit against a naive loop in double precision; the Triton kernel under its interpreter or on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the kernels need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pyvalue.kernels.edit_table import ADD, NORM_CONSTANT, NORM_LAYER, NORM_NONE, SET, EditTable  # noqa: E402
from pyvalue.kernels.reference import sae_edit_reference  # noqa: E402
from pyvalue.kernels.sae_edit import sae_edit  # noqa: E402

ROOT = Path(__file__).parent.parent
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]
# Root mean square of bfloat16's rounding error is about 2**-9 / sqrt(3) of the value where it rounds to nearest.
RMSE_RATIO = {torch.float32: 1e-6, torch.float16: 4e-4, torch.bfloat16: 2.5e-3}


def make_table(n_edits: int, d_model: int, *, seed: int = 0, norms: bool = False, device: str = "cpu") -> EditTable:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    codes = [NORM_NONE, NORM_LAYER, NORM_CONSTANT] if norms else [NORM_NONE]
    return EditTable(
        encoder=normal(n_edits, d_model) / d_model**0.5,
        bias=normal(n_edits),
        threshold=normal(n_edits).abs() * 0.1,
        gain=normal(n_edits).abs(),
        offset=normal(n_edits) * 0.1,
        decoder=normal(n_edits, d_model),
        op=torch.tensor([(ADD, SET)[i % 2] for i in range(n_edits)], dtype=torch.int32),
        norm=torch.tensor([codes[i % len(codes)] for i in range(n_edits)], dtype=torch.int32),
        strength=normal(n_edits) * 3,
    ).to(device)


def make_input(rows: int, table: EditTable, dtype: torch.dtype, *, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, table.d_model, generator=generator).to(dtype)
    active = torch.rand(rows, table.n_edits, generator=generator) < 0.4
    device = table.decoder.device
    return x.to(device), active.to(device)


def naive(x: torch.Tensor, table: EditTable, active: torch.Tensor) -> torch.Tensor:
    """Row by row, edit by edit, in float64."""
    result = x.double().cpu().clone()
    fields = ("encoder", "bias", "threshold", "gain", "offset", "decoder", "strength")
    encoder, bias, threshold, gain, offset, decoder, strength = (getattr(table, f).double().cpu() for f in fields)
    for r in range(x.shape[0]):
        row = x[r].double().cpu()
        for e in range(table.n_edits):
            if not active[r, e]:
                continue
            read, scale = row, torch.tensor(1.0, dtype=torch.float64)
            if table.norm[e] == NORM_LAYER:
                scale = row.std()
                read = (row - row.mean()) / (scale + 1e-5)
            elif table.norm[e] == NORM_CONSTANT:
                scale = (row**2).mean().sqrt()
                read = row / scale
            u = (read * encoder[e]).sum() + bias[e]
            activation = max(float(u * gain[e] + offset[e]), 0.0) if u > threshold[e] else 0.0
            change = strength[e] - activation if table.op[e] == SET else strength[e]
            result[r] += scale * change * decoder[e]
    return result


def rmse_ratio(got: torch.Tensor, wanted: torch.Tensor) -> float:
    assert torch.isfinite(got).all()
    error = (got.double().cpu() - wanted).pow(2).mean().sqrt()
    return float(error / wanted.pow(2).mean().sqrt())


def bits(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous().view(torch.uint8)


# The reference.


@pytest.mark.parametrize("norms", [False, True], ids=["plain", "normed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows, d_model, n_edits", [(1, 60, 1), (7, 63, 3), (130, 576, 8)])
def test_reference_equals_the_naive_loop(rows, d_model, n_edits, dtype, norms):
    table = make_table(n_edits, d_model, norms=norms)
    x, active = make_input(rows, table, dtype)
    assert rmse_ratio(sae_edit(x, table, active), naive(x, table, active)) < RMSE_RATIO[dtype]


def test_reference_computes_in_double_for_double_input():
    table = make_table(4, 63, norms=True)
    x, active = make_input(7, table, torch.float64)
    assert rmse_ratio(sae_edit(x, table, active), naive(x, table, active)) < 1e-14


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(0, 9),
    d_model=st.integers(2, 40),
    n_edits=st.integers(1, 5),
    norms=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_shape_equals_the_naive_loop_and_leaves_other_rows_alone(rows, d_model, n_edits, norms, seed):
    table = make_table(n_edits, d_model, seed=seed, norms=norms)
    x, active = make_input(rows, table, torch.float32, seed=seed + 1)
    before = x.clone()
    edited = sae_edit(x, table, active)
    torch.testing.assert_close(edited.double(), naive(x, table, active), rtol=1e-4, atol=1e-4)
    untouched = ~active.any(dim=1)
    assert torch.equal(bits(edited[untouched]), bits(x[untouched]))
    assert torch.equal(x, before)


@pytest.mark.parametrize("device", DEVICES)
def test_edits_read_the_incoming_residual_not_each_other(device):
    table = make_table(6, 60, device=device)
    x, active = make_input(7, table, torch.float32)
    order = torch.tensor([3, 1, 5, 0, 4, 2], device=device)
    fields = ("encoder", "bias", "threshold", "gain", "offset", "decoder", "op", "norm", "strength")
    shuffled = EditTable(**{f: getattr(table, f)[order] for f in fields})
    torch.testing.assert_close(
        sae_edit(x, shuffled, active[:, order]), sae_edit(x, table, active), rtol=1e-5, atol=1e-5
    )


def table_at_its_threshold(device: str) -> tuple[EditTable, torch.Tensor]:
    """One JumpReLU feature with threshold 2, set to 5, and two rows: at the threshold, and above it."""
    one = torch.ones(1)
    table = EditTable(
        encoder=torch.eye(1, 4), bias=0 * one, threshold=2 * one, gain=one, offset=0 * one, decoder=torch.eye(1, 4),
        op=torch.tensor([SET], dtype=torch.int32), norm=torch.tensor([NORM_NONE], dtype=torch.int32), strength=5 * one,
    )  # fmt: skip
    return table.to(device), torch.tensor([[2.0, 0, 0, 0], [2.5, 0, 0, 0]], device=device)


@pytest.mark.parametrize("device", DEVICES)
def test_threshold_is_strict(device):
    """At the threshold itself the feature is off, so that setting it adds the whole strength."""
    table, x = table_at_its_threshold(device)
    assert sae_edit(x, table)[:, 0].tolist() == [7.0, 5.0]


@pytest.mark.parametrize("device", DEVICES)
def test_negative_zero_nan_and_infinity_of_other_rows_survive(device):
    table = make_table(2, 60, device=device)
    x, _ = make_input(4, table, torch.bfloat16)
    x[0, 0], x[1, 0], x[2, 0] = -0.0, float("nan"), float("inf")
    active = torch.zeros(4, 2, dtype=torch.bool, device=device)
    active[3] = True
    assert torch.equal(bits(sae_edit(x, table, active)[:3]), bits(x[:3]))


@pytest.mark.parametrize("device", DEVICES)
def test_a_nan_in_an_edited_row_stays_visible(device):
    table = make_table(2, 60, device=device)
    x, _ = make_input(1, table, torch.float32)
    x[0, 5] = float("nan")
    assert torch.isnan(sae_edit(x, table)).any()


@pytest.mark.parametrize("device", DEVICES)
def test_an_overflow_in_an_edit_that_is_off_does_not_leak(device):
    table = make_table(2, 60, device=device)
    table.encoder[1] = 3e38
    x, _ = make_input(3, table, torch.float32)
    active = torch.tensor([[True, False]], device=device).expand(3, 2)
    assert torch.isfinite(sae_edit(x.abs() + 1, table, active)).all()


@pytest.mark.parametrize("device", DEVICES)
def test_strided_and_batched_inputs(device):
    table = make_table(3, 63, norms=True, device=device)
    x, active = make_input(12, table, torch.float32)
    wanted = sae_edit(x, table, active)
    wide = torch.zeros(12, 126, device=device)
    wide[:, ::2] = x
    assert torch.equal(sae_edit(wide[:, ::2], table, active), wanted)
    by_edit = active.T.contiguous().view(3, 3, 4).movedim(0, -1)
    assert torch.equal(sae_edit(x.view(3, 4, 63), table, by_edit), wanted.view(3, 4, 63))


@pytest.mark.parametrize("device", DEVICES)
def test_out_receives_the_edited_rows_only(device):
    table = make_table(3, 63, device=device)
    x, active = make_input(12, table, torch.bfloat16)
    wanted, kept = sae_edit(x, table, active), torch.full_like(x, 9.0)
    assert sae_edit(x, table, active, out=kept) is not None
    touched = active.any(dim=1)
    assert torch.equal(kept[touched], wanted[touched])
    assert (kept[~touched] == 9.0).all()
    sae_edit(x, table, active, out=x)
    assert torch.equal(x, wanted)


def test_gradients_flow_through_the_edit():
    table = make_table(3, 20)
    x, active = make_input(4, table, torch.float64)
    assert torch.autograd.gradcheck(lambda y: sae_edit(y, table, active), x.requires_grad_())


@pytest.mark.parametrize(
    "arguments, words",
    [
        (lambda t: (torch.zeros(3, 8, dtype=torch.long), t), "floating point"),
        (lambda t: (torch.zeros(3, 9), t), "width 8"),
        (lambda t: (torch.zeros(3, 8), t, torch.ones(3, 3, dtype=torch.bool)), r"bool \(3, 2\)"),
        (lambda t: (torch.zeros(3, 8), t, torch.ones(3, 2)), "float32"),
        (lambda t: (torch.zeros(3, 8), t, None, torch.zeros(2, 8)), "out must be"),
        (lambda t: (torch.zeros(3, 8), t, None, torch.zeros(8, 3).T), "contiguous"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        sae_edit(*arguments(make_table(2, 8)))


@pytest.mark.parametrize(
    "field, value", [("bias", torch.zeros(3)), ("encoder", torch.zeros(2, 9)), ("op", torch.tensor([0, 7]))]
)
def test_a_table_that_does_not_fit_is_refused(field, value):
    table = make_table(2, 8)
    names = ("encoder", "bias", "threshold", "gain", "offset", "decoder", "op", "norm", "strength")
    with pytest.raises(ValueError, match=field):
        EditTable(**{name: getattr(table, name) for name in names} | {field: value})


# The Triton kernel. These run on a GPU, or in the subprocess of the last of them.


@pytest.fixture
def launch():
    """The launcher and the device it runs on."""
    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("no CUDA device; test_triton_under_its_interpreter runs it on the CPU")
    from pyvalue.kernels.sae_edit_triton import sae_edit_triton

    return sae_edit_triton, "cpu" if INTERPRETED else "cuda"


@pytest.mark.parametrize("norms", [False, True], ids=["plain", "normed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows, d_model, n_edits", [(1, 60, 1), (7, 63, 3), (130, 576, 8)])
def test_triton_equals_the_naive_loop(launch, rows, d_model, n_edits, dtype, norms):
    run, device = launch
    table = make_table(n_edits, d_model, norms=norms, device=device)
    x, active = make_input(rows, table, dtype)
    edited = run(x, table, active)
    # Triton's interpreter cuts bfloat16 off instead of rounding to nearest; a GPU rounds.
    slack = 2 if INTERPRETED and dtype == torch.bfloat16 else 1
    assert rmse_ratio(edited, naive(x, table, active)) < RMSE_RATIO[dtype] * slack
    untouched = ~active.any(dim=1)
    assert torch.equal(bits(edited[untouched]), bits(x[untouched]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_triton_without_a_mask_edits_every_row(launch, dtype):
    run, device = launch
    table = make_table(3, 63, device=device)
    x, _ = make_input(7, table, dtype)
    everywhere = torch.ones(7, 3, dtype=torch.bool, device=device)
    assert torch.equal(run(x, table), run(x, table, everywhere))
    if dtype == torch.float32:
        torch.testing.assert_close(run(x, table), sae_edit_reference(x, table), rtol=1e-5, atol=1e-5)


def test_triton_leaves_other_rows_of_out_alone(launch):
    run, device = launch
    table = make_table(3, 63, device=device)
    x, active = make_input(7, table, torch.float32)
    active[2] = False
    wanted, kept = run(x, table, active), torch.full_like(x, 9.0)
    run(x, table, active, kept)
    touched = active.any(dim=1)
    assert torch.equal(kept[touched], wanted[touched])
    assert (kept[~touched] == 9.0).all()


def test_triton_takes_strides_and_no_rows(launch):
    run, device = launch
    table = make_table(3, 63, device=device)
    x, active = make_input(7, table, torch.float32)
    wide = torch.zeros(7, 100, device=device)
    wide[:, :63] = x
    wanted = run(x, table, active)
    assert torch.equal(run(wide[:, :63], table, active.T.contiguous().T), wanted)
    assert torch.equal(run(x.T.contiguous().T, table, active), wanted)
    assert run(x[:0], table, active[:0]).shape == (0, 63)


def test_triton_threshold_is_strict(launch):
    run, device = launch
    table, x = table_at_its_threshold(device)
    assert run(x, table)[:, 0].tolist() == [7.0, 5.0]


def test_triton_keeps_special_values(launch):
    run, device = launch
    table = make_table(2, 60, device=device)
    x, _ = make_input(3, table, torch.bfloat16)
    x[0, 0], x[1, 0], x[2, 5] = -0.0, float("nan"), float("nan")
    active = torch.tensor([[False, False], [False, False], [True, True]], device=device)
    edited = run(x, table, active)
    assert torch.equal(bits(edited[:2]), bits(x[:2]))
    assert torch.isnan(edited[2]).any()


@pytest.mark.skipif(INTERPRETED, reason="this is the subprocess")
def test_triton_under_its_interpreter():
    """Triton reads TRITON_INTERPRET when it is first imported, hence a fresh process."""
    pytest.importorskip("triton", reason="Triton is not installed on this platform")
    # -P keeps the repository root off sys.path, where kernels/ would shadow Hugging Face's package of that name.
    command = [sys.executable, "-P", "-m", "pytest", __file__, "-q", "-k", "test_triton", "-p", "no:cacheprovider"]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-2000:]
    assert " passed" in finished.stdout


# Packaging.


def test_no_package_kernels_comes_from_the_repository():
    """transformers probes for Hugging Face's package ``kernels``; ours must only be found as ``pyvalue.kernels``."""
    if {"", str(ROOT)} & set(sys.path):
        pytest.skip("started as 'python -m pytest', which puts the repository root on sys.path; run 'pytest'")
    spec = importlib.util.find_spec("kernels")
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or [])]
    assert not [place for place in places if place and Path(place).resolve().is_relative_to(ROOT)]
