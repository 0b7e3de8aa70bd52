"""Triton kernels of ``sae_splice`` and their launcher. Imported only where Triton runs; use ``sae_splice.sae_splice``.

Up to ``SPARSE_TOKENS`` tokens, and for a TopK SAE always: encode, list each token's active features, and sum their
decoder rows, so that the decoder's other rows are never read. Beyond, the sums of a dense product cost less than the
rows that so many tokens read: encode, multiply by the whole decoder in cuBLAS, and finish. The lists hold any number of
active features; of an SAE that is not sparse, sparse decoding is slow but right.
"""

# Triton is untyped, and its kernels' arguments are not Python values.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .ahead_of_time import Variant, variant
from .edit_table import LAYER_NORM_EPS, NORM_LAYER, NORM_NONE
from .splice_weights import SpliceWeights
from .tile_product_triton import TileOptions, share_half_type, tile_options, tile_product

SPARSE_TOKENS = 64
"""Largest number of tokens that are decoded sparsely."""
ACTIVATION_BYTES = 256 * 2**20
"""Activations of at most this many bytes are held at a time, of 256 tokens at least."""

_EPS = tl.constexpr(LAYER_NORM_EPS)
_PACK_FEATURES = 2048
_DECODE_COLUMNS, _DECODE_ROWS = 128, 32
_FINISH_COLUMNS = 1024


@triton.jit
def normalise_kernel(
    x_ptr,
    strength_ptr,
    read_ptr,
    divisor_ptr,
    mean_ptr,
    scale_ptr,
    x_stride,
    d_model,
    BLOCK_D: tl.constexpr,
    LAYER: tl.constexpr,
):
    """``(read / divisor, mean, scale)`` are what ``sae_splice_reference._normalise`` gives; one program a token.

    Pointers: x (t, d_model) with unit column stride; read (t, d_model) contiguous float, written only where LAYER (the
    other normalisation reads x itself); strength, divisor, mean, scale (t,) float32. Nothing is written for a token of
    strength 0.
    """
    token = tl.program_id(0).to(tl.int64)
    if tl.load(strength_ptr + token) == 0.0:
        return
    column = tl.arange(0, BLOCK_D)
    inside = column < d_model
    x = tl.load(x_ptr + token * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    if LAYER:
        mean = tl.sum(x, axis=0) / d_model
        centred = tl.where(inside, x - mean, 0.0)
        std = tl.sqrt(tl.sum(centred * centred, axis=0) / (d_model - 1))
        tl.store(read_ptr + token * d_model + column, centred.to(read_ptr.dtype.element_ty), mask=inside)
        tl.store(divisor_ptr + token, std + _EPS)
        tl.store(mean_ptr + token, mean)
        tl.store(scale_ptr + token, std)
    else:
        root_mean_square = tl.sqrt(tl.sum(x * x, axis=0) / d_model)
        tl.store(divisor_ptr + token, root_mean_square)
        tl.store(mean_ptr + token, 0.0)
        tl.store(scale_ptr + token, root_mean_square)


@triton.jit
def encode_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    threshold_ptr,
    gain_ptr,
    offset_ptr,
    strength_ptr,
    divisor_ptr,
    activation_ptr,
    count_ptr,
    x_stride,
    n_tokens,
    n_features,
    d_model,
    BLOCK_F: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
    NORMED: tl.constexpr,
    RELU: tl.constexpr,
    HAS_THRESHOLD: tl.constexpr,
    GATED: tl.constexpr,
    COUNT: tl.constexpr,
):
    """``activation = act(x / divisor @ weight.T + bias)``; one program per BLOCK_T tokens and BLOCK_F features.

    Pointers: x (n_tokens, d_model) with unit column stride; weight (n_features, d_model) contiguous; bias, threshold,
    gain, offset (n_features,) float; strength, divisor (n_tokens,) float32; activation (n_tokens, n_features)
    contiguous float; count (n_tokens, programs of features) int32, the number of activations that are not 0. Without
    RELU the pre-activation itself is written. Nothing is written for tokens all of strength 0. Programs of the same
    features are neighbours: they find the encoder's rows in the L2 cache.
    """
    token = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    exists = token < n_tokens
    strength = tl.load(strength_ptr + token, mask=exists, other=0.0)
    if tl.sum((strength != 0.0).to(tl.int32), axis=0) == 0:
        return
    candidate = tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)
    inside = candidate < n_features
    x_rows = tl.minimum(token, n_tokens - 1).to(tl.int64)
    weight_rows = tl.minimum(candidate, n_features - 1).to(tl.int64)
    u = tile_product(
        weight_ptr, weight_rows, d_model, x_ptr, x_rows, x_stride, d_model, BLOCK_F, BLOCK_T, BLOCK_D, EVEN, WIDE
    )
    if NORMED:
        u = u / tl.load(divisor_ptr + token, mask=exists, other=1.0)[None, :]
    u += tl.load(bias_ptr + weight_rows).to(tl.float32)[:, None]
    activation = u
    if RELU:
        if GATED:
            gain = tl.load(gain_ptr + weight_rows).to(tl.float32)
            activation = u * gain[:, None] + tl.load(offset_ptr + weight_rows).to(tl.float32)[:, None]
        # "Off where <=" twice, so that a NaN in the residual stays visible.
        activation = tl.where(activation <= 0.0, 0.0, activation)
        if HAS_THRESHOLD:
            threshold = tl.load(threshold_ptr + weight_rows).to(tl.float32)
            activation = tl.where(u <= threshold[:, None], 0.0, activation)
        elif GATED:
            activation = tl.where(u <= 0.0, 0.0, activation)
    # One wide offset for the tile, narrow ones within it: wide ones for every element would not fit into registers.
    tile_ptr = activation_ptr + (tl.program_id(0) * BLOCK_T).to(tl.int64) * n_features
    at = tl.arange(0, BLOCK_T)[None, :] * n_features + candidate[:, None]
    tl.store(tile_ptr + at, activation.to(activation_ptr.dtype.element_ty), mask=inside[:, None] & exists[None, :])
    if COUNT:
        active = (activation != 0.0) & inside[:, None]
        count = tl.sum(active.to(tl.int32), axis=0)
        tl.store(count_ptr + x_rows * tl.num_programs(1) + tl.program_id(1), count, mask=exists)


@triton.jit
def pack_kernel(
    activation_ptr,
    count_ptr,
    strength_ptr,
    index_ptr,
    value_ptr,
    total_ptr,
    n_features,
    n_counts,
    counts_a_block,
    BLOCK: tl.constexpr,
    BLOCK_COUNTS: tl.constexpr,
):
    """``index[t, :total[t]], value[t, :total[t]]`` are the activations of token t that are not 0, in their order.

    One program a token and BLOCK features, which are ``counts_a_block`` entries of count. Each knows from the counts
    before it where its features go, so that the lists are the same on every call. Pointers: activation (t, n_features)
    float32; count (t, n_counts), index (t, n_features) and total (t,) int32; value (t, n_features) float32, all
    contiguous; strength (t,) float32. A token of strength 0 gets an empty list.
    """
    token = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    if tl.load(strength_ptr + token) == 0.0:
        if block == 0:
            tl.store(total_ptr + token, 0)
        return
    tile = tl.arange(0, BLOCK_COUNTS)
    count = tl.load(count_ptr + token * n_counts + tile, mask=tile < n_counts, other=0)
    if block == 0:
        tl.store(total_ptr + token, tl.sum(count, axis=0))
    before = tl.sum(tl.where(tile < block * counts_a_block, count, 0), axis=0)
    through = tl.sum(tl.where(tile < (block + 1) * counts_a_block, count, 0), axis=0)
    if before == through:
        return
    feature = block * BLOCK + tl.arange(0, BLOCK)
    row = token * n_features
    value = tl.load(activation_ptr + row + feature, mask=feature < n_features, other=0.0)
    active = value != 0.0
    place = row + before + tl.cumsum(active.to(tl.int32), axis=0) - 1
    tl.store(index_ptr + place, feature, mask=active)
    tl.store(value_ptr + place, value, mask=active)


@triton.jit
def _blend(
    decoded,
    x_ptr,
    out_ptr,
    decoder_bias_ptr,
    strength,
    mean_ptr,
    scale_ptr,
    token,
    column,
    x_stride,
    d_model,
    NORMED: tl.constexpr,
):
    """Store ``x + strength * ((decoded + decoder_bias) * scale + mean - x)``, or the bits of x for strength 0."""
    inside = column < d_model
    stored = tl.load(x_ptr + token * x_stride + column, mask=inside, other=0.0)
    x = stored.to(tl.float32)
    decoded += tl.load(decoder_bias_ptr + column, mask=inside, other=0.0).to(tl.float32)
    if NORMED:
        decoded = decoded * tl.load(scale_ptr + token) + tl.load(mean_ptr + token)
    spliced = (x + strength * (decoded - x)).to(out_ptr.dtype.element_ty)
    # The stored bits, not a round trip through x + 0, which would turn -0 into +0.
    tl.store(out_ptr + token * d_model + column, tl.where(strength != 0.0, spliced, stored), mask=inside)


@triton.jit
def sparse_decode_kernel(
    x_ptr,
    out_ptr,
    decoder_ptr,
    decoder_bias_ptr,
    index_ptr,
    value_ptr,
    total_ptr,
    strength_ptr,
    mean_ptr,
    scale_ptr,
    x_stride,
    capacity,
    d_model,
    BLOCK_D: tl.constexpr,
    ROWS: tl.constexpr,
    NORMED: tl.constexpr,
    FULL: tl.constexpr,
):
    """Splice in ``(value[:, None] * decoder[index]).sum(0)``; one program a token and BLOCK_D columns.

    Pointers: x (t, d_model) with unit column stride and out (t, d_model) contiguous, of one float type; decoder (f,
    d_model) contiguous; decoder_bias (d_model,) float; index (t, capacity) integer and value (t, capacity) float32, of
    which the first total (t,) int32 count, or all where FULL; strength, mean, scale (t,) float32. Values below 0 count
    as 0. ROWS rows are on their way at once.
    """
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    strength = tl.load(strength_ptr + token)
    length = 0
    if strength != 0.0:
        length = capacity
        if not FULL:
            length = tl.load(total_ptr + token)
    decoded = tl.zeros((ROWS, BLOCK_D), dtype=tl.float32)
    for start in range(0, length, ROWS):
        slot = start + tl.arange(0, ROWS)
        listed = slot < length
        index = tl.load(index_ptr + token * capacity + slot, mask=listed, other=0).to(tl.int64)
        value = tl.load(value_ptr + token * capacity + slot, mask=listed, other=0.0)
        value = tl.where(value <= 0.0, 0.0, value)
        needed = (value != 0.0)[:, None] & (column < d_model)[None, :]
        rows = tl.load(decoder_ptr + index[:, None] * d_model + column[None, :], mask=needed, other=0.0)
        decoded += value[:, None] * rows.to(tl.float32)
    _blend(
        tl.sum(decoded, axis=0), x_ptr, out_ptr, decoder_bias_ptr, strength, mean_ptr, scale_ptr, token, column,
        x_stride, d_model, NORMED,
    )  # fmt: skip


@triton.jit
def finish_kernel(
    x_ptr,
    out_ptr,
    decoded_ptr,
    decoder_bias_ptr,
    strength_ptr,
    mean_ptr,
    scale_ptr,
    x_stride,
    d_model,
    BLOCK_D: tl.constexpr,
    NORMED: tl.constexpr,
):
    """Splice in decoded (t, d_model) contiguous float32; other pointers and programs as ``sparse_decode_kernel``."""
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    strength = tl.load(strength_ptr + token)
    decoded = tl.load(decoded_ptr + token * d_model + column, mask=column < d_model, other=0.0)
    _blend(
        decoded, x_ptr, out_ptr, decoder_bias_ptr, strength, mean_ptr, scale_ptr, token, column, x_stride, d_model,
        NORMED,
    )  # fmt: skip


def sae_splice_triton(x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor) -> torch.Tensor:
    """Launch the kernels; arguments and result as ``sae_splice.sae_splice``, ``x`` and weights of at most 32 bits.

    Nothing is read back to the host and all shapes are fixed, so that a CUDA graph can hold it.
    """
    if x.stride(-1) != 1:
        x = x.contiguous()
    strength = strength.contiguous()
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    item_bytes = 4 if weights.k or x.shape[0] <= SPARSE_TOKENS else weights.decoder.itemsize
    tokens_a_chunk = max(256, ACTIVATION_BYTES // (weights.n_features * item_bytes) // 256 * 256)
    for start in range(0, x.shape[0], tokens_a_chunk):
        rows = slice(start, start + tokens_a_chunk)
        _splice(x[rows], weights, strength[rows], out[rows], sparse=x.shape[0] <= SPARSE_TOKENS)
    return out


def _splice(
    x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor, out: torch.Tensor, *, sparse: bool
) -> None:
    n_tokens, d_model = x.shape
    half = share_half_type(x, weights.encoder)
    options = tile_options(n_tokens, d_model, half)
    read, divisor, mean, scale = _normalise(x, weights, strength, half)
    if weights.k:
        pre, _ = _encode(read, weights, strength, divisor, options, torch.float32, count=False)
        value, index = pre.topk(weights.k, dim=-1, sorted=False)
        total = index
    elif sparse:
        activation, count = _encode(read, weights, strength, divisor, options, torch.float32, count=True)
        index, value, total = _pack(activation, count, strength, options.block_f)
    else:
        activation, _ = _encode(read, weights, strength, divisor, options, weights.decoder.dtype, count=False)
        decoded = _dense_product(activation, weights.decoder)
        finish_kernel[(n_tokens, triton.cdiv(d_model, _FINISH_COLUMNS))](
            x, out, decoded, weights.decoder_bias, strength, mean, scale, x.stride(0), d_model,
            BLOCK_D=_FINISH_COLUMNS, NORMED=weights.norm != NORM_NONE, num_warps=4,
        )  # fmt: skip
        return
    sparse_decode_kernel[(n_tokens, triton.cdiv(d_model, _DECODE_COLUMNS))](
        x, out, weights.decoder, weights.decoder_bias, index, value, total, strength, mean, scale, x.stride(0),
        index.shape[1], d_model,
        BLOCK_D=_DECODE_COLUMNS, ROWS=_DECODE_ROWS, NORMED=weights.norm != NORM_NONE, FULL=weights.k > 0, num_warps=4,
    )  # fmt: skip


def _normalise(
    x: torch.Tensor, weights: SpliceWeights, strength: torch.Tensor, half: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(what the encoder reads, divisor, mean, scale); without a normalisation the last three are not to be read."""
    if weights.norm == NORM_NONE:
        return x, strength, strength, strength
    layer = weights.norm == NORM_LAYER
    read = torch.empty(x.shape, dtype=x.dtype if half else torch.float32, device=x.device) if layer else x
    divisor, mean, scale = torch.empty(3, x.shape[0], dtype=torch.float32, device=x.device).unbind()
    block = triton.next_power_of_2(x.shape[1])
    normalise_kernel[(x.shape[0],)](
        x, strength, read, divisor, mean, scale, x.stride(0), x.shape[1],
        BLOCK_D=block, LAYER=layer, num_warps=_normalise_warps(block),
    )  # fmt: skip
    return read, divisor, mean, scale


def _normalise_warps(block: int) -> int:
    return max(1, min(16, block // 512))


def _encode(
    read: torch.Tensor,
    weights: SpliceWeights,
    strength: torch.Tensor,
    divisor: torch.Tensor,
    options: TileOptions,
    dtype: torch.dtype,
    *,
    count: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(activations (t, f) in ``dtype``, of a TopK SAE pre-activations; where asked for, counts by tile of features)."""
    n_tokens, n_features = read.shape[0], weights.n_features
    grid = (triton.cdiv(n_tokens, options.block_t), triton.cdiv(n_features, options.block_f))
    activation = torch.empty(n_tokens, n_features, dtype=dtype, device=read.device)
    counts = torch.empty(n_tokens, grid[1] if count else 1, dtype=torch.int32, device=read.device)
    encode_kernel[grid](
        read,
        weights.encoder,
        weights.bias,
        # What is absent is not read.
        weights.bias if weights.threshold is None else weights.threshold,
        weights.bias if weights.gain is None else weights.gain,
        weights.bias if weights.offset is None else weights.offset,
        strength,
        divisor,
        activation,
        counts,
        read.stride(0),
        n_tokens,
        n_features,
        weights.d_model,
        **options.constants(),
        NORMED=weights.norm != NORM_NONE,
        RELU=weights.k == 0,
        HAS_THRESHOLD=weights.threshold is not None,
        GATED=weights.gain is not None,
        COUNT=count,
        num_warps=options.warps,
        num_stages=options.stages,
    )
    return activation, counts


def _pack(
    activation: torch.Tensor, count: torch.Tensor, strength: torch.Tensor, features_a_count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(index, value, total) of the activations that are not 0, token by token."""
    n_tokens, n_features = activation.shape
    n_counts = count.shape[1]
    index = torch.empty(n_tokens, n_features, dtype=torch.int32, device=activation.device)
    value = torch.empty_like(activation)
    total = torch.empty(n_tokens, dtype=torch.int32, device=activation.device)
    pack_kernel[(n_tokens, triton.cdiv(n_features, _PACK_FEATURES))](
        activation, count, strength, index, value, total, n_features, n_counts, _PACK_FEATURES // features_a_count,
        BLOCK=_PACK_FEATURES, BLOCK_COUNTS=triton.next_power_of_2(n_counts), num_warps=4,
    )  # fmt: skip
    return index, value, total


def _dense_product(activation: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
    """(t, d) float32 ``activation @ decoder``."""
    if activation.dtype == torch.float32:
        return activation @ decoder
    if activation.is_cuda and "dtype" in torch.ops.aten.mm.overloads():  # torch 2.8 or newer
        return torch.mm(activation, decoder, out_dtype=torch.float32)
    return activation.float() @ decoder.float()


def ahead_of_time_variants() -> list[Variant]:
    """Every kernel at the widths and batch sizes that matter, with all that an SAE can need, for ``compile_ahead``."""
    variants = []
    for dtype, d_model in (("bf16", 576), ("bf16", 2048), ("fp32", 2048), ("bf16", 4096)):
        for n_tokens in {576: (1, 64), 2048: (64, 128, 512), 4096: (16, 512)}[d_model]:
            variants.append(_encode_variant(dtype, d_model, n_tokens, {"topk": False}))
        variants.append(_encode_variant(dtype, d_model, 128, {"topk": True}))
        types = {"x_ptr": dtype, "read_ptr": dtype, "out_ptr": dtype, "decoder_ptr": dtype}
        types |= {"count_ptr": "i32", "total_ptr": "i32"}
        block = triton.next_power_of_2(d_model)
        for kernel, constants, warps, labels in (
            (normalise_kernel, {"BLOCK_D": block, "LAYER": True}, _normalise_warps(block), {}),
            (normalise_kernel, {"BLOCK_D": block, "LAYER": False}, _normalise_warps(block), {"norm": "constant"}),
            (sparse_decode_kernel, _decode_constants(full=False), 4, {"topk": False}),
            (sparse_decode_kernel, _decode_constants(full=True), 4, {"topk": True}),
            (finish_kernel, {"BLOCK_D": _FINISH_COLUMNS, "NORMED": True}, 4, {}),
        ):
            index = {"index_ptr": "i64" if constants.get("FULL") else "i32"}
            variants.append(
                variant(
                    kernel,
                    constants,
                    types | index,
                    aligned=("x_stride", "d_model"),
                    options={"num_warps": warps},
                    labels={"dtype": dtype, "d_model": d_model, **labels},
                )
            )
    for n_features in (16_384, 65_536):
        variants.append(
            variant(
                pack_kernel,
                {"BLOCK": _PACK_FEATURES, "BLOCK_COUNTS": n_features // 128},
                {"count_ptr": "i32", "index_ptr": "i32", "total_ptr": "i32"},
                aligned=("n_features", "n_counts"),
                options={"num_warps": 4},
                labels={"features": n_features},
            )
        )
    return variants


def _decode_constants(*, full: bool) -> dict[str, int | bool]:
    return {"BLOCK_D": _DECODE_COLUMNS, "ROWS": _DECODE_ROWS, "NORMED": True, "FULL": full}


def _encode_variant(dtype: str, d_model: int, n_tokens: int, labels: dict[str, bool]) -> Variant:
    options = tile_options(n_tokens, d_model, dtype != "fp32")
    relu = not labels["topk"]
    flags = {"RELU": relu, "HAS_THRESHOLD": relu, "GATED": relu, "COUNT": relu and n_tokens <= SPARSE_TOKENS}
    constants: dict[str, int | bool] = {**options.constants(), "NORMED": True, **flags}
    if n_tokens == 1:
        constants["n_tokens"] = 1  # Triton takes a 1 for a constant.
    activation = "fp32" if flags["COUNT"] or not relu else dtype
    return variant(
        encode_kernel,
        constants,
        {"x_ptr": dtype, "weight_ptr": dtype, "activation_ptr": activation, "count_ptr": "i32"},
        aligned=("x_stride", "n_features", "d_model"),
        options={"num_warps": options.warps, "num_stages": options.stages},
        labels={"dtype": dtype, "d_model": d_model, "tokens": n_tokens, **labels},
    )
