"""Ranks against a count in double precision and against sae-lens; the Triton kernels interpreted or on a GPU."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the kernels need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pyvalue.kernels import topk_rank_reference as reference_module  # noqa: E402
from pyvalue.kernels.topk_rank import topk_rank  # noqa: E402
from triton_interpreter import INTERPRETED, run_under_interpreter  # noqa: E402


def make(n_tokens, d_model, n_features, n_slots, dtype, *, seed=0, whole=True, device="cpu"):
    """(x, weight, bias, feature); small whole numbers, whose sums are exact in float32 whatever their order."""
    generator = torch.Generator().manual_seed(seed)

    def numbers(*shape):
        if whole:
            return torch.randint(-3, 4, shape, generator=generator).float()
        return torch.randn(*shape, generator=generator)

    x, weight, bias = numbers(n_tokens, d_model), numbers(n_features, d_model), numbers(n_features)
    feature = torch.randint(-1, n_features, (n_tokens, n_slots), generator=generator, dtype=torch.int32)
    return x.to(device, dtype), weight.to(device, dtype), bias.to(device), feature.to(device)


def naive(x, weight, bias, feature):
    """Pair by pair, in float64."""
    pre = x.double().cpu() @ weight.double().cpu().T + bias.double().cpu()
    rank = torch.zeros(feature.shape, dtype=torch.int32)
    for t, row in enumerate(feature.tolist()):
        for i, j in enumerate(row):
            if j >= 0:
                rank[t, i] = sum(int(value > pre[t, j]) for k, value in enumerate(pre[t]) if k != j)
    return rank


def is_between(rank, x, weight, bias, feature, tolerance):
    """Whether each rank counts all that is clearly above, and nothing that is clearly below."""
    pre = x.double().cpu() @ weight.double().cpu().T + bias.double().cpu()
    feature = feature.cpu().long()
    asked = pre.gather(1, feature.clamp(min=0))[:, :, None]
    others = torch.arange(pre.shape[1]) != feature[:, :, None]
    fewest = ((pre[:, None] > asked + tolerance) & others).sum(-1)
    most = ((pre[:, None] > asked - tolerance) & others).sum(-1)
    there = feature >= 0
    return bool(torch.where(there, (fewest <= rank.cpu()) & (rank.cpu() <= most), rank.cpu() == 0).all())


# The reference.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 60, 1, 1), (7, 63, 60, 3), (33, 17, 130, 5)])
def test_reference_equals_the_naive_count(shape, dtype):
    arguments = make(*shape, dtype)
    rank = topk_rank(*arguments)
    assert rank.dtype == torch.int32
    assert torch.equal(rank, naive(*arguments))


@settings(deadline=None, max_examples=60)
@given(
    n_tokens=st.integers(0, 6),
    d_model=st.integers(1, 12),
    n_features=st.integers(1, 25),
    n_slots=st.integers(0, 4),
    seed=st.integers(0, 2**31),
)
def test_any_shape_equals_the_naive_count(n_tokens, d_model, n_features, n_slots, seed):
    arguments = make(n_tokens, d_model, n_features, n_slots, torch.float32, seed=seed)
    assert torch.equal(topk_rank(*arguments), naive(*arguments))


def test_ranks_of_all_features_are_a_permutation_without_ties():
    x, weight, bias, _ = make(5, 63, 60, 1, torch.float64, whole=False)
    every = torch.arange(60, dtype=torch.int32).expand(5, 60)
    rank = topk_rank(x, weight, bias, every)
    assert torch.equal(rank.sort(dim=1).values, every)


def test_chunks_do_not_change_the_result(monkeypatch):
    arguments = make(33, 17, 130, 5, torch.bfloat16)
    wanted = topk_rank(*arguments)
    monkeypatch.setattr(reference_module, "CHUNK_BYTES", 700)  # one token, ten features at a time
    assert torch.equal(topk_rank(*arguments), wanted)


def test_double_input_is_summed_in_double():
    """Differences of 1e-12, which float32 cannot see, decide the order."""
    weight = 1 + torch.arange(20, dtype=torch.float64)[:, None] * 1e-12
    feature = torch.arange(20, dtype=torch.int32)[None]
    rank = topk_rank(torch.ones(1, 1, dtype=torch.float64), weight, torch.zeros(20), feature)
    assert rank.tolist() == [list(range(19, -1, -1))]


@pytest.mark.parametrize("tied", [False, True], ids=["distinct", "tied"])
def test_rank_below_k_is_the_support_of_torch_topk(tied):
    x, weight, bias, _ = make(40, 20, 60, 1, torch.float64, whole=tied)
    pre = x @ weight.T + bias
    every = torch.arange(60, dtype=torch.int32).expand(40, 60)
    active = topk_rank(x, weight, bias, every) < 7
    chosen = torch.zeros_like(active).scatter_(1, pre.topk(7, dim=1).indices, True)
    least = pre.topk(7, dim=1).values[:, -1:]
    # Of those that tie with the last one torch takes some, the rank all.
    assert torch.equal(active, pre >= least)
    assert bool((active | ~chosen).all())
    assert torch.equal(active, chosen) is not tied


def test_active_features_equal_those_of_sae_lens():
    sae_lens = pytest.importorskip("sae_lens", reason="sae-lens, the oracle of this test, is not installed")
    sae = sae_lens.TopKSAE(sae_lens.TopKSAEConfig(d_in=63, d_sae=300, k=17, apply_b_dec_to_input=True))
    generator = torch.Generator().manual_seed(5)
    sae.load_state_dict({n: torch.randn(p.shape, generator=generator) for n, p in sae.state_dict().items()})
    x = torch.randn(50, 63, generator=generator)
    with torch.no_grad():
        wanted = sae.encode(x) > 0
        bias = sae.b_enc - sae.b_dec @ sae.W_enc
        pre = x @ sae.W_enc + bias
        every = torch.arange(300, dtype=torch.int32).expand(50, 300)
        rank = topk_rank(x, sae.W_enc.T, bias, every)
    assert torch.equal((rank < 17) & (pre > 0), wanted)
    assert 0 < int(wanted.sum()) <= 50 * 17


def test_nan_is_above_nothing():
    x, weight, bias, _ = make(3, 20, 30, 1, torch.float32)
    x[1, 4] = float("nan")
    bias[8] = float("nan")
    feature = torch.tensor([[8, 2]] * 3, dtype=torch.int32)
    rank = topk_rank(x, weight, bias, feature)
    assert rank[:, 0].tolist() == [0, 0, 0]
    assert rank[1, 1] == 0
    assert torch.equal(rank, naive(x, weight, bias, feature))


def test_strides_do_not_matter():
    x, weight, bias, feature = make(7, 63, 60, 3, torch.float32)
    wanted = topk_rank(x, weight, bias, feature)
    assert torch.equal(topk_rank(x.T.contiguous().T, weight.T.contiguous().T, bias, feature.T.contiguous().T), wanted)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_stays_in_a_compiled_graph(backend):
    arguments = make(7, 63, 60, 3, torch.float32)
    compiled = torch.compile(lambda *a: topk_rank(*a) + 1, backend=backend, fullgraph=True)
    assert torch.equal(compiled(*arguments), naive(*arguments) + 1)
    with_gradient = arguments[0].clone().requires_grad_()
    assert torch.equal(compiled(with_gradient, *arguments[1:]), naive(*arguments) + 1)


def test_operator_is_registered_as_torch_asks():
    arguments = make(7, 63, 60, 3, torch.float32)
    torch.library.opcheck(torch.ops.pyvalue.topk_rank.default, arguments)


@pytest.mark.parametrize(
    "position, value, words",
    [
        (0, torch.zeros(3, 8, dtype=torch.long), "x must be floating"),
        (0, torch.zeros(3, 9), r"x must be \(t, 8\)"),
        (1, torch.zeros(0, 8), "f >= 1"),
        (2, torch.zeros(4), r"bias must be \(5,\)"),
        (3, torch.zeros(3, 2, dtype=torch.long), r"feature must be int32 \(3, m\)"),
        (3, torch.zeros(2, 2, dtype=torch.int32), r"feature must be int32 \(3, m\)"),
        (3, torch.full((3, 2), 5, dtype=torch.int32), r"0 \.\. 4, got 5 \.\. 5"),
        (3, torch.full((3, 2), -2, dtype=torch.int32), "-1 .none."),
    ],
)
def test_bad_arguments_are_named(position, value, words):
    arguments = list(make(3, 8, 5, 2, torch.float32))
    arguments[position] = value
    with pytest.raises(ValueError, match=words):
        topk_rank(*arguments)


# The Triton kernels. These run on a GPU, or in the subprocess of the last of them.


@pytest.fixture
def launch():
    """The launcher and the device it runs on."""
    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("no CUDA device; test_triton_under_its_interpreter runs it on the CPU")
    from pyvalue.kernels.topk_rank_triton import topk_rank_triton

    return topk_rank_triton, "cpu" if INTERPRETED else "cuda"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 60, 1, 1), (7, 63, 60, 3), (65, 64, 300, 5), (270, 128, 129, 2)])
def test_triton_equals_the_naive_count(launch, shape, dtype):
    run, device = launch
    arguments = make(*shape, dtype, device=device)
    assert torch.equal(run(*arguments).cpu(), naive(*arguments))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_triton_ranks_any_numbers_up_to_rounding(launch, dtype):
    run, device = launch
    arguments = make(65, 63, 300, 4, dtype, whole=False, device=device)
    rank = run(*arguments)
    assert is_between(rank, *arguments, tolerance=1e-4)
    assert torch.equal(run(*arguments), rank)


def test_triton_ranks_equal_rows_equally(launch):
    """Both copies of every encoder row get the same rank, though their sums are made in different places of a tile."""
    run, device = launch
    if INTERPRETED:
        pytest.skip("numpy's product rounds by the place in the tile")
    x, weight, bias, _ = make(20, 576, 150, 1, torch.bfloat16, whole=False, device=device)
    every = torch.arange(300, dtype=torch.int32, device=device).expand(20, 300)
    rank = run(x, weight.repeat(2, 1), bias.repeat(2), every)
    assert torch.equal(rank[:, :150], rank[:, 150:])
    assert torch.equal(rank[:, :150].sort(dim=1).values, 2 * every[:, :150])


def test_triton_takes_mixed_types_and_strides(launch):
    run, device = launch
    x, weight, bias, feature = make(7, 63, 60, 3, torch.float32, device=device)
    wanted = naive(x, weight, bias, feature)
    assert torch.equal(run(x.bfloat16(), weight, bias.half(), feature).cpu(), wanted)
    assert torch.equal(run(x.half(), weight.bfloat16(), bias, feature).cpu(), wanted)
    wide = torch.zeros(7, 100, device=device)
    wide[:, :63] = x
    turned = feature.T.contiguous().T
    assert torch.equal(run(wide[:, :63], weight.T.contiguous().T, bias, turned).cpu(), wanted)
    assert torch.equal(run(x.T.contiguous().T, weight, bias, turned).cpu(), wanted)


def test_triton_takes_no_tokens_and_no_slots(launch):
    run, device = launch
    x, weight, bias, feature = make(7, 63, 60, 3, torch.float32, device=device)
    assert run(x[:0], weight, bias, feature[:0]).shape == (0, 3)
    assert run(x, weight, bias, feature[:, :0]).shape == (7, 0)


def test_triton_ranks_nothing_where_nothing_is_asked(launch):
    run, device = launch
    x, weight, bias, feature = make(40, 63, 60, 3, torch.float32, device=device)
    feature[3:] = -1
    feature[0, 0], feature[1, 1] = 60, -7  # no features: read as none, and not from other memory
    wanted = naive(x, weight, bias, torch.where((feature < 0) | (feature > 59), -1, feature))
    assert torch.equal(run(x, weight, bias, feature).cpu(), wanted)
    assert int(run(x, weight, bias, torch.full_like(feature, -1)).abs().sum()) == 0


def test_triton_nan_is_above_nothing(launch):
    run, device = launch
    x, weight, bias, feature = make(3, 20, 30, 2, torch.float32, device=device)
    x[1, 4] = float("nan")
    bias[8] = float("nan")
    feature[:, 0] = 8
    assert torch.equal(run(x, weight, bias, feature).cpu(), naive(x, weight, bias, feature))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_triton_runs_in_a_cuda_graph(launch):
    x, weight, bias, feature = make(65, 64, 300, 5, torch.bfloat16, device="cuda")
    topk_rank(x, weight, bias, feature)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        rank = topk_rank(x, weight, bias, feature)
    other = make(65, 64, 300, 5, torch.bfloat16, seed=1)
    x.copy_(other[0])
    feature.copy_(other[3])
    graph.replay()
    assert torch.equal(rank.cpu(), naive(x, weight, bias, feature))


@pytest.mark.skipif(INTERPRETED, reason="this is the subprocess")
def test_triton_under_its_interpreter():
    run_under_interpreter(__file__)
