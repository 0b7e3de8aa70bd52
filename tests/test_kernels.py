"""The fused edit against a naive loop in double precision; the Triton kernel under its interpreter or on a GPU."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the kernels need torch")

from edit_cases import LISTS, bits, edits_of, make_input, make_table, naive, rmse_ratio  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pyvalue.kernels.edit_table import NORM_NONE, NORMED, RANKED, READS, SET, EditTable  # noqa: E402
from pyvalue.kernels.sae_edit import sae_edit  # noqa: E402
from pyvalue.kernels.sae_edit_reference import sae_edit_reference  # noqa: E402
from triton_interpreter import INTERPRETED, run_under_interpreter  # noqa: E402

ROOT = Path(__file__).parent.parent
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]
# Root mean square of bfloat16's rounding error is about 2**-9 / sqrt(3) of the value where it rounds to nearest.
RMSE_RATIO = {torch.float32: 1e-6, torch.float16: 4e-4, torch.bfloat16: 2.5e-3}
SHAPES = [(1, 60, 1), (7, 63, 3), (130, 576, 8)]
# One program a token: under the interpreter, more rows of the same width run nothing else.
TRITON_SHAPES = [*SHAPES[:2], (33, 576, 8)] if INTERPRETED else SHAPES
FIELDS = [field.name for field in fields(EditTable) if field.name != "flags"]


def tensors(table: EditTable) -> dict[str, torch.Tensor]:
    return {name: getattr(table, name) for name in FIELDS}


# The reference.


@pytest.mark.parametrize("k", [0, 3], ids=["unranked", "ranked"])
@pytest.mark.parametrize("norms", [False, True], ids=["plain", "normed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows, d_model, n_edits", SHAPES)
def test_reference_equals_the_naive_loop(rows, d_model, n_edits, dtype, norms, k):
    table = make_table(n_edits, d_model, norms=norms, k=k)
    x, token_list, rank = make_input(rows, table, dtype)
    wanted = naive(x, table, token_list, rank if k else None)
    assert rmse_ratio(sae_edit(x, table, token_list, rank), wanted) < RMSE_RATIO[dtype]


def test_reference_computes_in_double_for_double_input():
    table = make_table(4, 63, norms=True)
    x, token_list, _ = make_input(9, table, torch.float64)
    assert rmse_ratio(sae_edit(x, table, token_list), naive(x, table, token_list)) < 1e-14


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(0, 12),
    d_model=st.integers(2, 40),
    n_edits=st.integers(1, 6),
    norms=st.booleans(),
    k=st.sampled_from([0, 2]),
    seed=st.integers(0, 2**31),
)
def test_any_shape_equals_the_naive_loop_and_leaves_other_tokens_alone(rows, d_model, n_edits, norms, k, seed):
    table = make_table(n_edits, d_model, seed=seed, norms=norms, k=k)
    x, token_list, rank = make_input(rows, table, torch.float32, seed=seed + 1)
    before = x.clone()
    hits = torch.zeros(n_edits, dtype=torch.int64)
    edited = sae_edit(x, table, token_list, rank, hits)
    wanted = naive(x, table, token_list, rank if k else None)
    torch.testing.assert_close(edited.double(), wanted, rtol=1e-4, atol=1e-4)
    untouched = torch.tensor([not edits_of(table, number) for number in token_list.tolist()], dtype=torch.bool)
    assert torch.equal(bits(edited[untouched]), bits(x[untouched]))
    assert torch.equal(x, before)
    made = [e for number in token_list.tolist() for e in edits_of(table, number)]
    assert hits.tolist() == [made.count(e) for e in range(n_edits)]


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_equals_its_tokens_alone(device):
    table = make_table(6, 60, norms=True, device=device)
    x, token_list, _ = make_input(40, table, torch.float32)
    together = sae_edit(x, table, token_list)
    alone = torch.cat([sae_edit(x[i : i + 1], table, token_list[i : i + 1]) for i in range(40)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_edits_read_the_incoming_residual_not_each_other(device):
    table = make_table(6, 60, device=device)
    x, token_list, _ = make_input(7, table, torch.float32)
    reverse = table.list_edit.clone()
    for number in range(LISTS):
        start, end = table.list_start[number : number + 2].tolist()
        reverse[start:end] = table.list_edit[start:end].flip(0)
    shuffled = replace(table, list_edit=reverse)
    torch.testing.assert_close(sae_edit(x, shuffled, token_list), sae_edit(x, table, token_list), rtol=1e-5, atol=1e-5)


def table_at_its_threshold(device: str) -> tuple[EditTable, torch.Tensor, torch.Tensor]:
    """One JumpReLU feature with threshold 2, set to 5, and two rows: at the threshold, and above it."""
    one, zero = torch.ones(1), torch.zeros(1, dtype=torch.int32)
    table = EditTable.of(
        encoder=torch.eye(1, 4), bias=0 * one, threshold=2 * one, gain=one, offset=0 * one, decoder=torch.eye(1, 4),
        feature=zero, op=torch.tensor([SET], dtype=torch.int32), norm=zero + NORM_NONE, strength=5 * one, k=zero,
        list_start=torch.tensor([0, 1], dtype=torch.int32), list_edit=zero,
    )  # fmt: skip
    x = torch.tensor([[2.0, 0, 0, 0], [2.5, 0, 0, 0]], device=device)
    return table.to(device), x, torch.zeros(2, dtype=torch.int32, device=device)


@pytest.mark.parametrize("device", DEVICES)
def test_threshold_is_strict(device):
    """At the threshold itself the feature is off, so that setting it adds the whole strength."""
    table, x, token_list = table_at_its_threshold(device)
    assert sae_edit(x, table, token_list)[:, 0].tolist() == [7.0, 5.0]


@pytest.mark.parametrize("device", DEVICES)
def test_negative_zero_nan_and_infinity_of_other_tokens_survive(device):
    table = make_table(2, 60, device=device)
    x, _, _ = make_input(4, table, torch.bfloat16)
    x[0, 0], x[1, 0], x[2, 0] = -0.0, float("nan"), float("inf")
    token_list = torch.tensor([-1, -1, 1, 0], dtype=torch.int32, device=device)  # list 1 is empty
    assert torch.equal(bits(sae_edit(x, table, token_list)[:3]), bits(x[:3]))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("edit", range(5))
def test_a_nan_in_an_edited_token_stays_visible(edit, device):
    """Under every operation: set, add, min, scale, max."""
    table = make_table(5, 60)
    only = replace(table, list_start=torch.tensor([0, 1], dtype=torch.int32),
                   list_edit=torch.tensor([edit], dtype=torch.int32)).to(device)  # fmt: skip
    x = torch.randn(1, 60, device=device)
    x[0, 5] = float("nan")
    assert torch.isnan(sae_edit(x, only, torch.zeros(1, dtype=torch.int32, device=device))).any()


@pytest.mark.parametrize("device", DEVICES)
def test_strided_and_batched_inputs(device):
    table = make_table(3, 63, norms=True, device=device)
    x, token_list, _ = make_input(12, table, torch.float32)
    wanted = sae_edit(x, table, token_list)
    wide = torch.zeros(12, 126, device=device)
    wide[:, ::2] = x
    assert torch.equal(sae_edit(wide[:, ::2], table, token_list), wanted)
    assert torch.equal(sae_edit(x.view(3, 4, 63), table, token_list.view(3, 4)), wanted.view(3, 4, 63))


def test_gradients_flow_through_the_edit():
    table = make_table(3, 20, norms=True)
    x, token_list, _ = make_input(4, table, torch.float64)
    assert torch.autograd.gradcheck(lambda y: sae_edit(y, table, token_list), x.requires_grad_())


# Fixed buffers.


def test_loaded_buffers_give_the_same_edits_and_keep_their_addresses():
    table, other = make_table(3, 60), make_table(5, 60, seed=4, norms=True)
    buffers = EditTable.capacity(60, features=9, edits=9, lists=6, entries=30)
    addresses = [getattr(buffers, name).data_ptr() for name in FIELDS]
    for source in (other, table):
        buffers.load(source)
        x, token_list, rank = make_input(8, source, torch.float32)
        torch.testing.assert_close(sae_edit(x, buffers, token_list, rank), sae_edit(x, source, token_list))
        # A list beyond those loaded is empty.
        assert torch.equal(sae_edit(x, buffers, torch.full_like(token_list, 5), rank), x)
    assert [getattr(buffers, name).data_ptr() for name in FIELDS] == addresses


def test_buffers_that_are_too_small_say_so_and_stay_as_they_were():
    buffers = EditTable.capacity(60, features=2, edits=3, lists=LISTS, entries=20)
    buffers.load(make_table(3, 60))
    before = [getattr(buffers, name).clone() for name in FIELDS]
    with pytest.raises(ValueError, match=r"too little for 4, 5, 4, 60.*make larger ones"):
        buffers.load(make_table(5, 60))
    assert all(torch.equal(getattr(buffers, n), b) for n, b in zip(FIELDS, before, strict=True))
    assert not EditTable.capacity(60, 9, 9, 9, 90, flags=0).fits(make_table(3, 60))


def test_flags_say_what_a_table_needs():
    assert make_table(1, 8).flags == READS
    assert make_table(3, 8, norms=True).flags == READS | NORMED
    assert make_table(3, 8, k=2).flags == READS | RANKED
    adds = tensors(make_table(2, 8)) | {"op": torch.zeros(2, dtype=torch.int32)}
    assert EditTable.of(**adds).flags == 0


# As an operator of torch.


@pytest.mark.usefixtures("fresh_compiler")
def test_it_stays_in_a_compiled_graph_and_counts():
    table = make_table(4, 60)
    x, token_list, _ = make_input(9, table, torch.float32)
    hits = torch.zeros(4, dtype=torch.int64)

    def model(y):
        return sae_edit(y * 2, table, token_list, None, hits) + 1

    with torch.no_grad():
        wanted = model(x)
        counted = hits.clone()
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), wanted)
        assert torch.equal(hits, 2 * counted)
        # The buffers are read when the graph runs, not when it is made.
        token_list.fill_(-1)
        assert torch.equal(compiled(x), x * 2 + 1)


def test_opcheck():
    table = make_table(4, 60)
    x, token_list, rank = make_input(9, table, torch.float32)
    arguments = [x, token_list, rank, torch.zeros(4, dtype=torch.int64), *tensors(table).values(), table.flags]
    torch.library.opcheck(torch.ops.pyvalue.sae_edit.default, tuple(arguments))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_captured_graph_reads_the_buffers_anew():
    table = make_table(4, 64, device="cuda")
    x, token_list, _ = make_input(9, table, torch.bfloat16)
    hits = torch.zeros(4, dtype=torch.int64, device="cuda")
    sae_edit(x, table, token_list, None, hits)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = sae_edit(x, table, token_list, None, hits)
    hits.zero_()
    for seed in (2, 3):
        new_x, new_list, _ = make_input(9, table, torch.bfloat16, seed=seed)
        x.copy_(new_x)
        token_list.copy_(new_list)
        graph.replay()
        assert torch.equal(out, sae_edit(new_x, table, new_list))
    assert int(hits.sum()) > 0


# What it refuses.


def whole(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.int32)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (lambda t: (torch.zeros(3, 8, dtype=torch.long), t, whole(3)), "floating point"),
        (lambda t: (torch.zeros(3, 9), t, whole(3)), "width 8"),
        (lambda t: (torch.zeros(3, 8), t, whole(4)), r"token_list must be torch.int32 \(3\)"),
        (lambda t: (torch.zeros(3, 8), t, torch.zeros(3)), "float32"),
        (lambda t: (torch.zeros(3, 8), t, whole(3), whole(2, 2)), r"rank must be torch.int32 \(3, m\)"),
        (lambda t: (torch.zeros(3, 8), t, whole(3), None, whole(2)), r"hits must be torch.int64 \(2\)"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        sae_edit(*arguments(make_table(2, 8)))


def test_a_topk_table_without_ranks_is_refused():
    with pytest.raises(ValueError, match="rank is missing"):
        sae_edit(torch.zeros(3, 8), make_table(2, 8, k=3), whole(3))


@pytest.mark.parametrize(
    "field, value, words",
    [
        ("bias", torch.zeros(3), r"bias has shape \(3,\), but \(1,\)"),
        ("encoder", torch.zeros(1, 9), "encoder has shape"),
        ("op", torch.tensor([0, 7]), "op must hold 0 to 4, got 0 to 7"),
        ("norm", torch.tensor([0, 3]), "norm must hold 0 to 2"),
        ("feature", torch.tensor([0, 1]), "feature must hold 0 to 0"),
        ("list_edit", torch.tensor([0, 2] * 9), "list_start must run from 0"),
        ("list_start", torch.tensor([0, 2, 1, 3]), "list_start must"),
        ("decoder", torch.zeros(8), r"decoder must be \(r, d\)"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(field, value, words):
    with pytest.raises(ValueError, match=words):
        EditTable.of(**tensors(make_table(2, 8)) | {field: value})


# The Triton kernel. These run on a GPU, or in the subprocess of the last of them.


@pytest.fixture
def launch():
    """The launcher and the device it runs on."""
    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("no CUDA device; test_triton_under_its_interpreter runs it on the CPU")
    from pyvalue.kernels.sae_edit_triton import sae_edit_triton

    return sae_edit_triton, "cpu" if INTERPRETED else "cuda"


@pytest.mark.parametrize("k", [0, 3], ids=["unranked", "ranked"])
@pytest.mark.parametrize("norms", [False, True], ids=["plain", "normed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows, d_model, n_edits", TRITON_SHAPES)
def test_triton_equals_the_naive_loop(launch, rows, d_model, n_edits, dtype, norms, k):
    run, device = launch
    table = make_table(n_edits, d_model, norms=norms, k=k, device=device)
    x, token_list, rank = make_input(rows, table, dtype)
    hits = torch.zeros(n_edits, dtype=torch.int64, device=device)
    edited = run(x, table, token_list, rank, hits)
    # Triton's interpreter cuts bfloat16 off instead of rounding to nearest; a GPU rounds.
    slack = 2 if INTERPRETED and dtype == torch.bfloat16 else 1
    assert rmse_ratio(edited, naive(x, table, token_list, rank if k else None)) < RMSE_RATIO[dtype] * slack
    untouched = torch.tensor([not edits_of(table, number) for number in token_list.tolist()], dtype=torch.bool)
    assert torch.equal(bits(edited[untouched]), bits(x[untouched]))
    counted = torch.zeros_like(hits)
    sae_edit_reference(x, table, token_list, rank, counted)
    assert torch.equal(hits, counted)


def test_triton_takes_strides_and_no_tokens(launch):
    run, device = launch
    table = make_table(3, 63, device=device)
    x, token_list, _ = make_input(7, table, torch.float32)
    hits = torch.zeros(3, dtype=torch.int64, device=device)
    wide = torch.zeros(7, 100, device=device)
    wide[:, :63] = x
    wanted = run(x, table, token_list, None, hits)
    assert torch.equal(run(wide[:, :63], table, token_list, None, hits), wanted)
    assert torch.equal(run(x.T.contiguous().T, table, token_list, None, hits), wanted)
    assert run(x[:0], table, token_list[:0], None, hits).shape == (0, 63)


def test_triton_threshold_is_strict(launch):
    run, device = launch
    table, x, token_list = table_at_its_threshold(device)
    edited = run(x, table, token_list, None, torch.zeros(1, dtype=torch.int64, device=device))
    assert edited[:, 0].tolist() == [7.0, 5.0]


@pytest.mark.parametrize("edit", range(5))
def test_triton_keeps_special_values(launch, edit):
    run, device = launch
    table = make_table(5, 60)
    only = replace(table, list_start=torch.tensor([0, 1], dtype=torch.int32),
                   list_edit=torch.tensor([edit], dtype=torch.int32)).to(device)  # fmt: skip
    x, _, _ = make_input(3, table, torch.bfloat16)
    x[0, 0], x[1, 0], x[2, 5] = -0.0, float("nan"), float("nan")
    token_list = torch.tensor([-1, -1, 0], dtype=torch.int32, device=device)
    edited = run(x.to(device), only, token_list, None, torch.zeros(5, dtype=torch.int64, device=device)).cpu()
    assert torch.equal(bits(edited[:2]), bits(x[:2]))
    assert torch.isnan(edited[2]).any()


@pytest.mark.skipif(INTERPRETED, reason="this is the subprocess")
def test_triton_under_its_interpreter():
    run_under_interpreter(__file__)


# Packaging.


def test_no_package_kernels_comes_from_the_repository():
    """transformers probes for Hugging Face's package ``kernels``; ours must only be found as ``pyvalue.kernels``."""
    if {"", str(ROOT)} & set(sys.path):
        pytest.skip("started as 'python -m pytest', which puts the repository root on sys.path; run 'pytest'")
    spec = importlib.util.find_spec("kernels")
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or [])]
    assert not [place for place in places if place and Path(place).resolve().is_relative_to(ROOT)]
