"""The tiled product of encoder rows and residuals that the whole-SAE kernels share. Launches nothing itself."""

# Triton is untyped, and its kernels' arguments are not Python values.
# mypy: disable-error-code="import-untyped, untyped-decorator, no-untyped-def, no-untyped-call"

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl


class TileOptions(NamedTuple):
    """How a product is cut into programs; ``constants()`` are the kernel's, the rest the launcher's."""

    block_f: int
    """Features a program."""
    block_t: int
    """Tokens a program."""
    block_d: int
    """Columns a step of the loop."""
    even: bool
    """Whether ``block_d`` divides the width, so that no load needs a mask."""
    wide: bool
    """Whether the operands are taken to float32."""
    warps: int
    stages: int

    def constants(self) -> dict[str, int | bool]:
        """Compile-time arguments of a kernel that calls ``tile_product``."""
        return {
            "BLOCK_F": self.block_f,
            "BLOCK_T": self.block_t,
            "BLOCK_D": self.block_d,
            "EVEN": self.even,
            "WIDE": self.wide,
        }


def tile_options(n_tokens: int, d_model: int, half: bool) -> TileOptions:
    """The cut for ``n_tokens`` residuals of width ``d_model``; ``half`` where both operands share a 16-bit type.

    Up to 256 tokens lie in one tile, so that the encoder, which at that size is nearly all of the traffic, is read
    from memory once; the residuals come from the L2 cache. Stages are as many as let two programs share the 227 KB
    of a Hopper multiprocessor (one at 256 tokens), with 48 KB or more on their way to it: its share of 4.8 TB/s times
    a latency of 0.7 us is 25 KB.
    """
    if not half:
        # Three passes of TF32 need the registers.
        block_t = min(64, max(16, triton.next_power_of_2(n_tokens)))
        return TileOptions(64, block_t, 32, d_model % 32 == 0, True, 4, 4)
    if d_model % 64:
        # Rows that start anywhere are loaded element by element, which needs the registers; 64 divides known widths.
        return TileOptions(64, min(32, max(16, triton.next_power_of_2(n_tokens))), 64, False, False, 4, 3)
    block_t = min(256, max(16, triton.next_power_of_2(n_tokens)))
    warps = 8 if block_t >= 128 else 4
    stages = {16: 5, 32: 5, 64: 4, 128: 3, 256: 4}[block_t]
    return TileOptions(128, block_t, 64, True, False, warps, stages)


def share_half_type(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether both operands have the same 16-bit type, so that the tensor cores multiply them as they are."""
    if not isinstance(tile_product, triton.JITFunction) and x.dtype == torch.bfloat16:
        return False  # Triton's interpreter multiplies bfloat16 by its bit patterns.
    return x.dtype == weight.dtype and x.dtype in (torch.float16, torch.bfloat16)


@triton.jit
def tile_product(
    weight_ptr,
    weight_rows,
    x_ptr,
    x_rows,
    x_stride,
    d_model,
    BLOCK_F: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_D: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
):
    """``weight[weight_rows] @ x[x_rows].T`` as (BLOCK_F, BLOCK_T), summed in float32.

    weight (f, d_model) contiguous; x (t, d_model) with unit column stride; weight_rows (BLOCK_F,) and x_rows (BLOCK_T,)
    int64, all of them inside. Features are the long side of the tensor core's instruction, whose other side goes down
    to 8, so that a few tokens waste little of it. An element's sum runs over d_model in an order that depends neither
    on its place in the tile nor on its neighbours.
    """
    column = tl.arange(0, BLOCK_D)
    weight_ptrs = weight_ptr + weight_rows[:, None] * d_model + column[None, :]
    x_ptrs = x_ptr + x_rows[None, :] * x_stride + column[:, None]
    total = tl.zeros((BLOCK_F, BLOCK_T), dtype=tl.float32)
    for start in range(0, d_model, BLOCK_D):
        if EVEN:
            weight = tl.load(weight_ptrs)
            x = tl.load(x_ptrs)
        else:
            inside = start + column < d_model
            weight = tl.load(weight_ptrs, mask=inside[None, :], other=0.0)
            x = tl.load(x_ptrs, mask=inside[:, None], other=0.0)
        if WIDE:
            # Three TF32 products carry a float32 product to within a few units of its last place.
            total = tl.dot(weight.to(tl.float32), x.to(tl.float32), total, input_precision="tf32x3")
        else:
            total = tl.dot(weight, x, total)
        weight_ptrs += BLOCK_D
        x_ptrs += BLOCK_D
    return total
