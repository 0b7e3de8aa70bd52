"""The splice against a naive loop in double precision and against sae-lens; the kernels interpreted or on a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the kernels need torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from pyvalue.kernels import sae_splice_reference as reference_module  # noqa: E402
from pyvalue.kernels.edit_table import NORM_CONSTANT, NORM_LAYER, NORM_NONE  # noqa: E402
from pyvalue.kernels.sae_splice import sae_splice  # noqa: E402
from pyvalue.kernels.sae_splice_reference import sae_decode, sae_encode  # noqa: E402
from pyvalue.kernels.splice_weights import SpliceWeights  # noqa: E402
from triton_interpreter import INTERPRETED, run_under_interpreter  # noqa: E402

KINDS = ("relu", "jumprelu", "gated", "topk")
NORMS = {"none": NORM_NONE, "layer_norm": NORM_LAYER, "constant_norm_rescale": NORM_CONSTANT}
# Root mean square of a rounding error is about 2**-9 / sqrt(3) of the value in bfloat16, an eighth of it in float16.
RMSE_RATIO = {torch.float32: 1e-6, torch.float16: 4e-4, torch.bfloat16: 2.5e-3}


def make_weights(kind, d_model, n_features, *, norm=NORM_NONE, dtype=torch.float32, seed=0, device="cpu"):
    """A random SAE in which a minority of features is active, its encoder and decoder exact in ``dtype``."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    extra = {}
    if kind == "jumprelu":
        extra = {"threshold": normal(n_features) * 0.5}  # some negative, so that the ReLU inside counts
    if kind == "gated":
        extra = {"gain": normal(n_features).mul(0.3).exp(), "offset": normal(n_features) * 0.3}
    if kind == "topk":
        extra = {"k": max(1, n_features // 8)}
    return SpliceWeights(
        encoder=normal(n_features, d_model) / d_model**0.5,
        bias=normal(n_features) * 0.5 - 1,
        decoder=normal(n_features, d_model) / n_features**0.5,
        decoder_bias=normal(d_model) * 0.1,
        norm=norm,
        **extra,
    ).to(device, dtype)


def make_input(n_tokens, d_model, dtype=torch.float32, *, seed=1, device="cpu"):
    """(x, strength); strengths are 0, 1, in between or beyond."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_tokens, d_model, generator=generator) * 2 + 0.3
    strength = torch.tensor([0.0, 1.0, 0.5, -0.7, 1.0])[torch.randint(0, 5, (n_tokens,), generator=generator)]
    return x.to(device, dtype), strength.to(device)


def naive(x, weights, strength):
    """Token by token, feature by feature, in float64."""
    result = x.double().cpu().clone()
    w = {n: v.double().cpu() for n, v in vars(weights).items() if isinstance(v, torch.Tensor)}
    for t in range(x.shape[0]):
        if strength[t] == 0:
            continue
        row = result[t].clone()
        read, mean, scale = row, 0.0, 1.0
        if weights.norm == NORM_LAYER:
            mean, scale = row.mean(), (row - row.mean()).pow(2).sum().div(len(row) - 1).sqrt()
            read = (row - mean) / (scale + 1e-5)
        elif weights.norm == NORM_CONSTANT:
            scale = row.pow(2).mean().sqrt()
            read = row / scale
        u = (w["encoder"] * read).sum(dim=1) + w["bias"]
        chosen = range(len(u))
        if weights.k:
            chosen = sorted(chosen, key=lambda j: -u[j])[: weights.k]
        decoded = w["decoder_bias"].clone()
        for j in chosen:
            above = u[j] * w["gain"][j] + w["offset"][j] if "gain" in w else u[j]
            if u[j] > (w["threshold"][j] if "threshold" in w else 0.0) and above > 0:
                decoded += above * w["decoder"][j]
        result[t] = row + strength[t].double().cpu() * (decoded * scale + mean - row)
    return result


def rmse_ratio(got, wanted):
    assert torch.isfinite(got).all()
    error = (got.double().cpu() - wanted).pow(2).mean().sqrt()
    return float(error / wanted.pow(2).mean().sqrt())


def bits(x):
    return x.contiguous().view(torch.uint8)


# The reference.


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 60, 63), (9, 63, 130)])
def test_reference_equals_the_naive_loop(shape, kind, norm):
    n_tokens, d_model, n_features = shape
    weights = make_weights(kind, d_model, n_features, norm=NORMS[norm])
    x, strength = make_input(n_tokens, d_model)
    strength[0] = 1
    assert rmse_ratio(sae_splice(x, weights, strength), naive(x, weights, strength)) < RMSE_RATIO[torch.float32]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_reference_sums_wide_and_rounds_once(dtype):
    weights = make_weights("jumprelu", 63, 130, dtype=dtype)
    x, strength = make_input(9, 63, dtype)
    tolerance = 1e-14 if dtype == torch.float64 else RMSE_RATIO[dtype]
    assert rmse_ratio(sae_splice(x, weights, strength), naive(x, weights, strength)) < tolerance


@settings(deadline=None, max_examples=60)
@given(
    n_tokens=st.integers(0, 6),
    d_model=st.integers(2, 20),
    n_features=st.integers(1, 25),
    kind=st.sampled_from(KINDS),
    norm=st.sampled_from(sorted(NORMS)),
    seed=st.integers(0, 2**31),
)
def test_any_sae_equals_the_naive_loop_and_leaves_other_tokens_alone(n_tokens, d_model, n_features, kind, norm, seed):
    weights = make_weights(kind, d_model, n_features, norm=NORMS[norm], seed=seed, dtype=torch.float64)
    x, strength = make_input(n_tokens, d_model, torch.float64, seed=seed + 1)
    before = x.clone()
    spliced = sae_splice(x, weights, strength)
    torch.testing.assert_close(spliced, naive(x, weights, strength), rtol=1e-9, atol=1e-9)
    assert torch.equal(bits(spliced[strength == 0]), bits(x[strength == 0]))
    assert torch.equal(x, before)
    assert spliced.data_ptr() != x.data_ptr() or n_tokens == 0


def test_chunks_do_not_change_the_result(monkeypatch):
    weights = make_weights("gated", 63, 130, norm=NORM_LAYER)
    x, strength = make_input(20, 63, torch.float64)
    wanted = sae_splice(x, weights, strength)
    monkeypatch.setattr(reference_module, "CHUNK_BYTES", 3 * 130 * 8)  # three tokens
    torch.testing.assert_close(sae_splice(x, weights, strength), wanted, rtol=1e-13, atol=1e-13)


def weights_at_their_threshold(device="cpu"):
    """One JumpReLU feature with threshold 2, and two tokens: at the threshold, and above it."""
    weights = SpliceWeights(
        encoder=torch.eye(1, 4), bias=torch.zeros(1), decoder=torch.eye(1, 4), decoder_bias=torch.zeros(4),
        threshold=torch.tensor([2.0]),
    )  # fmt: skip
    return weights.to(device), torch.tensor([[2.0, 1, 1, 1], [2.5, 1, 1, 1]], device=device)


def test_threshold_is_strict():
    weights, x = weights_at_their_threshold()
    assert sae_splice(x, weights, torch.ones(2)).tolist() == [[0.0] * 4, [2.5, 0, 0, 0]]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_flow_through_the_splice(kind):
    weights = make_weights(kind, 6, 11, norm=NORM_LAYER, dtype=torch.float64)
    x, strength = make_input(4, 6, torch.float64)
    strength[0], strength[1] = 1, 0
    assert torch.autograd.gradcheck(lambda y: sae_splice(y, weights, strength), x.requires_grad_())


def test_the_splice_is_affine_in_its_strength():
    weights = make_weights("relu", 63, 60)
    x, _ = make_input(4, 63, torch.float64)
    strength = torch.full((4,), 0.5, requires_grad=True)
    sae_splice(x, weights, strength).sum().backward()
    wanted = (sae_decode(sae_encode(x, weights), weights, x) - x).sum(dim=1)
    torch.testing.assert_close(strength.grad.double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_stays_in_a_compiled_graph(backend):
    x, strength = make_input(9, 63)
    for kind in ("gated", "topk"):
        weights = make_weights(kind, 63, 130, norm=NORM_LAYER)
        compiled = torch.compile(lambda *a, w=weights: sae_splice(a[0], w, a[1]) * 2, backend=backend, fullgraph=True)
        assert torch.equal(compiled(x, strength), sae_splice(x, weights, strength) * 2)


def test_operator_is_registered_as_torch_asks():
    w = make_weights("gated", 63, 60)
    x, strength = make_input(9, 63)
    arguments = (x, strength, w.encoder, w.bias, w.decoder, w.decoder_bias, None, w.gain, w.offset, 0, NORM_LAYER)
    torch.library.opcheck(torch.ops.pyvalue.sae_splice.default, arguments)


@pytest.mark.parametrize(
    "x, strength, words",
    [
        (torch.zeros(3, 8, dtype=torch.long), torch.ones(3), "x must be floating"),
        (torch.zeros(3, 9), torch.ones(3), r"x must be \(t, 8\)"),
        (torch.zeros(3, 8), torch.ones(2), r"strength must be float32 \(3,\)"),
        (torch.zeros(3, 8), torch.ones(3, dtype=torch.float64), "strength must be float32"),
    ],
)
def test_bad_arguments_are_named(x, strength, words):
    with pytest.raises(ValueError, match=words):
        sae_splice(x, make_weights("relu", 8, 10), strength)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"bias": torch.zeros(3)}, "bias has shape"),
        ({"decoder": torch.zeros(8, 10)}, "decoder has shape"),
        ({"decoder_bias": torch.zeros(10)}, "decoder_bias has shape"),
        ({"decoder": torch.zeros(10, 8).double()}, "give both one type"),
        ({"threshold": torch.zeros(10, dtype=torch.long)}, "threshold must be floating"),
        ({"gain": torch.zeros(10)}, "come together"),
        ({"norm": 3}, "norm must be 0"),
        ({"k": 11}, "k must be from 0"),
        ({"k": 2, "threshold": torch.zeros(10)}, "neither threshold"),
        ({"encoder": torch.zeros(10)}, r"encoder must be \(f, d\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        replace(make_weights("relu", 8, 10), **change)


# Against sae-lens.


def from_sae_lens(sae):
    """The weights of an SAE of sae-lens, laid out for the splice."""
    state = {name: value.detach().clone() for name, value in sae.state_dict().items()}
    gate = state.get("b_gate", state.get("b_enc"))
    folded = state["b_dec"] @ state["W_enc"] if sae.cfg.apply_b_dec_to_input else 0.0
    gain = state["r_mag"].exp() if "r_mag" in state else None
    return SpliceWeights(
        encoder=state["W_enc"].T,
        bias=gate - folded,
        decoder=state["W_dec"],
        decoder_bias=state["b_dec"],
        threshold=state.get("threshold"),
        gain=gain,
        offset=None if gain is None else state["b_mag"] - gate * gain,
        k=getattr(sae.cfg, "k", 0),
        norm=NORMS[sae.cfg.normalize_activations],
    )


@pytest.fixture(scope="module")
def sae_lens():
    return pytest.importorskip("sae_lens", reason="sae-lens, the oracle of these tests, is not installed")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("folded", [True, False], ids=["b_dec_in", "b_dec_out"])
@pytest.mark.parametrize("kind", ["Standard", "JumpReLU", "Gated", "TopK"])
def test_splice_equals_the_forward_pass_of_sae_lens(sae_lens, kind, folded, norm):
    extra = {"k": 9} if kind == "TopK" else {}
    config = getattr(sae_lens, f"{kind}SAEConfig")(
        d_in=63, d_sae=130, apply_b_dec_to_input=folded, normalize_activations=norm, **extra
    )
    theirs = getattr(sae_lens, f"{kind}SAE")(config)
    generator = torch.Generator().manual_seed(7)
    state = theirs.state_dict()
    theirs.load_state_dict({n: torch.randn(p.shape, generator=generator) * 0.5 for n, p in state.items()})
    weights = from_sae_lens(theirs)
    x, _ = make_input(40, 63)
    with torch.no_grad():
        features = theirs.encode(x)
        wanted = theirs(x)
        assert torch.equal(sae_encode(x, weights) != 0, features != 0)
        assert 0 < int((features != 0).sum()) < features.numel()
        torch.testing.assert_close(sae_encode(x, weights), features, rtol=1e-5, atol=1e-5)
        spliced = sae_splice(x, weights, torch.ones(40))
        half = sae_splice(x, weights, torch.full((40,), 0.5))
    assert rmse_ratio(spliced, wanted.double()) <= 1e-5
    assert rmse_ratio(half, (wanted.double() + x.double()) / 2) <= 1e-5


# The Triton kernels. These run on a GPU, or in the subprocess of the last of them.


@pytest.fixture
def launch():
    """The launcher and the device it runs on."""
    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("no CUDA device; test_triton_under_its_interpreter runs it on the CPU")
    from pyvalue.kernels.sae_splice_triton import sae_splice_triton

    return sae_splice_triton, "cpu" if INTERPRETED else "cuda"


def slack(dtype, norm=NORM_NONE):
    """How much larger than one rounding the error may be: the dense path rounds activations, a layer norm its input."""
    if dtype == torch.float32:
        return 2
    # Triton's interpreter cuts bfloat16 off instead of rounding to nearest; a GPU rounds.
    return (3 if INTERPRETED and dtype == torch.bfloat16 else 1) * (2 if norm == NORM_LAYER else 1.5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(7, 63, 300), (66, 60, 130)], ids=["sparse", "dense"])
def test_triton_equals_the_naive_loop(launch, shape, kind, norm):
    run, device = launch
    n_tokens, d_model, n_features = shape
    weights = make_weights(kind, d_model, n_features, norm=NORMS[norm], device=device)
    x, strength = make_input(n_tokens, d_model, device=device)
    spliced = run(x, weights, strength)
    assert rmse_ratio(spliced, naive(x, weights, strength)) < RMSE_RATIO[torch.float32] * slack(torch.float32)
    assert torch.equal(bits(spliced[strength == 0]), bits(x[strength == 0]))


@pytest.mark.parametrize(
    "n_tokens, d_model, kind, norm",
    [
        (1, 63, "gated", NORM_LAYER), (33, 128, "jumprelu", NORM_NONE), (33, 60, "topk", NORM_LAYER),
        (70, 64, "topk", NORM_CONSTANT), (70, 63, "gated", NORM_LAYER), (130, 64, "jumprelu", NORM_NONE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_triton_equals_the_naive_loop_in_half_precision(launch, n_tokens, d_model, kind, norm, dtype):
    run, device = launch
    weights = make_weights(kind, d_model, 150, norm=norm, dtype=dtype, device=device)
    x, strength = make_input(n_tokens, d_model, dtype, device=device)
    strength[0] = 1
    spliced = run(x, weights, strength)
    assert rmse_ratio(spliced, naive(x, weights, strength)) < RMSE_RATIO[dtype] * slack(dtype, norm)
    assert torch.equal(bits(spliced[strength == 0]), bits(x[strength == 0]))
    assert torch.equal(run(x, weights, strength), spliced)


def test_triton_threshold_is_strict(launch):
    run, device = launch
    weights, x = weights_at_their_threshold(device)
    assert run(x, weights, torch.ones(2, device=device)).tolist() == [[0.0] * 4, [2.5, 0, 0, 0]]


def test_triton_lists_features_across_blocks(launch):
    """More features than one program packs, active ones at the edges of tiles and blocks."""
    run, device = launch
    n_features = 4300
    weights = make_weights("relu", 16, n_features, device=device)
    on = torch.tensor([0, 63, 64, 127, 128, 2047, 2048, 4095, 4096, n_features - 1], device=device)
    weights.bias.fill_(-1e4)
    weights.bias[on] = 5.0
    x, _ = make_input(3, 16, device=device)
    strength = torch.tensor([1.0, 0.0, 1.0], device=device)
    u = x.double() @ weights.encoder[on].double().T + 5
    wanted = u.relu() @ weights.decoder[on].double() + weights.decoder_bias.double()
    assert int((u > 0).sum()) >= 25
    spliced = run(x, weights, strength)
    torch.testing.assert_close(spliced[::2].double(), wanted[::2], rtol=1e-5, atol=1e-5)
    assert torch.equal(spliced[1], x[1])


@pytest.mark.parametrize("n_tokens", [5, 70])
def test_triton_decodes_an_sae_that_is_not_sparse_and_one_that_is_silent(launch, n_tokens):
    run, device = launch
    weights = make_weights("relu", 63, 130, device=device)
    x, strength = make_input(n_tokens, 63, device=device)
    for bias in (100.0, -100.0):
        weights.bias.fill_(bias)
        assert rmse_ratio(run(x, weights, strength), naive(x, weights, strength)) < 3e-6


def test_triton_takes_strides_no_tokens_and_mixed_types(launch):
    run, device = launch
    weights = make_weights("jumprelu", 63, 60, norm=NORM_LAYER, dtype=torch.bfloat16, device=device)
    x, strength = make_input(7, 63, device=device)
    wanted = run(x, weights, strength)
    assert rmse_ratio(wanted, naive(x, weights, strength)) < 2e-6
    wide = torch.zeros(7, 100, device=device)
    wide[:, :63] = x
    assert torch.equal(run(wide[:, :63], weights, strength), wanted)
    assert torch.equal(run(x.T.contiguous().T, weights, strength.repeat_interleave(2)[::2]), wanted)
    assert run(x[:0], weights, strength[:0]).shape == (0, 63)


@pytest.mark.parametrize("n_tokens", [4, 70])
@pytest.mark.parametrize("kind, norm", [("jumprelu", NORM_NONE), ("topk", NORM_NONE), ("gated", NORM_LAYER)])
def test_triton_keeps_special_values(launch, kind, norm, n_tokens):
    run, device = launch
    weights = make_weights(kind, 60, 130, norm=norm, dtype=torch.bfloat16, device=device)
    x, _ = make_input(n_tokens, 60, torch.bfloat16, device=device)
    x[0, 0], x[1, 0], x[2, 5], x[3, 0] = -0.0, float("nan"), float("nan"), float("inf")
    before = bits(x).clone()
    strength = torch.zeros(n_tokens, device=device)
    strength[2] = 1
    spliced = run(x, weights, strength)
    others = torch.arange(n_tokens) != 2
    assert torch.equal(bits(spliced)[others], before[others])
    assert torch.isnan(spliced[2]).all()
    assert torch.equal(bits(x), before)
    assert torch.equal(bits(run(x, weights, torch.zeros_like(strength))), before)


def test_triton_chunks_do_not_change_the_result(launch, monkeypatch):
    run, device = launch
    from pyvalue.kernels import sae_splice_triton as module

    weights = make_weights("relu", 16, 60, device=device)
    x, strength = make_input(270, 16, device=device)
    wanted = run(x, weights, strength)
    monkeypatch.setattr(module, "ACTIVATION_BYTES", 1)  # 256 tokens, then 14
    torch.testing.assert_close(run(x, weights, strength), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_tokens", [7, 300])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_triton_runs_in_a_cuda_graph(launch, kind, n_tokens):
    weights = make_weights(kind, 64, 300, norm=NORM_LAYER, dtype=torch.bfloat16, device="cuda")
    x, strength = make_input(n_tokens, 64, torch.bfloat16, device="cuda")
    sae_splice(x, weights, strength)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        spliced = sae_splice(x, weights, strength)
    other, other_strength = make_input(n_tokens, 64, torch.bfloat16, seed=8)
    x.copy_(other)
    strength.copy_(other_strength)
    graph.replay()
    assert torch.equal(spliced, sae_splice(x, weights, strength))


@pytest.mark.skipif(INTERPRETED, reason="this is the subprocess")
def test_triton_under_its_interpreter():
    run_under_interpreter(__file__)
