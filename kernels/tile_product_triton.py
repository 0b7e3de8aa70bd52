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
    a_ptr,
    a_rows,
    a_stride,
    b_ptr,
    b_rows,
    b_stride,
    d_model,
    BLOCK_A: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_D: tl.constexpr,
    EVEN: tl.constexpr,
    WIDE: tl.constexpr,
):
    """``a[a_rows] @ b[b_rows].T`` as (BLOCK_A, BLOCK_B), summed in float32.

    a and b have d_model columns of unit stride; a_rows (BLOCK_A,) and b_rows (BLOCK_B,) are int64, all of them inside.
    The tensor core's instruction takes 64 of a and any multiple of 8 of b, so that few rows go into b. Its threads
    hold many columns of few rows of the result. An element's sum runs over d_model in an order that depends neither
    on its place in the tile nor on its neighbours.
    """
    column = tl.arange(0, BLOCK_D)
    a_ptrs = a_ptr + a_rows[:, None] * a_stride + column[None, :]
    b_ptrs = b_ptr + b_rows[None, :] * b_stride + column[:, None]
    total = tl.zeros((BLOCK_A, BLOCK_B), dtype=tl.float32)
    for start in range(0, d_model, BLOCK_D):
        if EVEN:
            a = tl.load(a_ptrs)
            b = tl.load(b_ptrs)
        else:
            inside = start + column < d_model
            a = tl.load(a_ptrs, mask=inside[None, :], other=0.0)
            b = tl.load(b_ptrs, mask=inside[:, None], other=0.0)
        if WIDE:
            # Three TF32 products carry a float32 product to within a few units of its last place.
            total = tl.dot(a.to(tl.float32), b.to(tl.float32), total, input_precision="tf32x3")
        else:
            total = tl.dot(a, b, total)
        a_ptrs += BLOCK_D
        b_ptrs += BLOCK_D
    return total
