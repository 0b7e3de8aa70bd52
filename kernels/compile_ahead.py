"""Compile the kernels for a GPU that need not be there, and read registers, spills and shared memory."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

WIDTHS = (576, 2048, 4096, 8192)
DTYPES = ("bf16", "fp16", "fp32")

_POINTERS = {"active_ptr": "*u8", "op_ptr": "*i32", "norm_ptr": "*i32"}


@dataclass(frozen=True)
class CompiledKernel:
    """One compiled variant of a kernel.

    Attributes:
        kernel: name of the kernel.
        dtype: element type of the residual stream.
        d_model: width that the block is chosen for.
        normed: whether the variant undoes a normalisation of the SAE's input.
        warps: warps a program.
        registers: registers a thread.
        spill_bytes: bytes of spill stores and loads; 0 for a kernel that fits.
        shared_bytes: shared memory a program.
        cubin_bytes: size of the binary.
    """

    kernel: str
    dtype: str
    d_model: int
    normed: bool
    warps: int
    registers: int
    spill_bytes: int
    shared_bytes: int
    cubin_bytes: int


def compile_ahead(
    arch: int = 90, widths: tuple[int, ...] = WIDTHS, dtypes: tuple[str, ...] = DTYPES
) -> tuple[CompiledKernel, ...]:
    """Compile ``sae_edit`` for compute capability ``arch`` (90 is Hopper), one report a width, dtype and normalisation.

    Raises:
        ImportError: Triton is not installed.
        RuntimeError: ptxas refuses the code, or Triton was imported under ``TRITON_INTERPRET=1``.
    """
    return tuple(
        _compile_sae_edit(arch, width, dtype, normed)
        for width in widths
        for dtype in dtypes
        for normed in (False, True)
    )


def _compile_sae_edit(arch: int, d_model: int, dtype: str, normed: bool) -> CompiledKernel:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from .sae_edit_triton import launch_options, sae_edit_kernel

    if not isinstance(sae_edit_kernel, triton.JITFunction):
        raise RuntimeError("TRITON_INTERPRET is set: unset it and start Python anew to compile.")
    block, warps = launch_options(d_model)
    constants = {"BLOCK_D": block, "HAS_ACTIVE": True, "READS": True, "NORMED": normed, "COPY": True}
    signature = {name: _argument_type(name, dtype, constants) for name in sae_edit_kernel.arg_names}
    # Pointers, strides and widths are multiples of 16 in practice; Triton's launcher finds that out, here it is said.
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, name in enumerate(sae_edit_kernel.arg_names)
        if name.endswith("_ptr") or name in ("x_stride", "out_stride", "d_model")
    }
    source = ASTSource(fn=sae_edit_kernel, signature=signature, constexprs=constants, attrs=aligned)
    compiled = triton.compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps})
    registers, spill_bytes = _resource_usage(compiled.asm["ptx"], arch)
    return CompiledKernel(
        kernel="sae_edit",
        dtype=dtype,
        d_model=d_model,
        normed=normed,
        warps=warps,
        registers=registers,
        spill_bytes=spill_bytes,
        shared_bytes=compiled.metadata.shared,
        cubin_bytes=len(compiled.asm["cubin"]),
    )


def _argument_type(name: str, dtype: str, constants: dict[str, int | bool]) -> str:
    if name in constants:
        return "constexpr"
    if name in ("x_ptr", "out_ptr"):
        return f"*{dtype}"
    if name.endswith("_ptr"):
        return _POINTERS.get(name, "*fp32")
    return "i32"


def _resource_usage(ptx: str, arch: int) -> tuple[int, int]:
    """(registers a thread, bytes of spill stores and loads) as ptxas reports them."""
    from triton.backends.nvidia.compiler import get_ptxas

    # The architecture-specific target that Triton writes (sm_90a) stands in the PTX itself.
    named = re.search(r"^\.target\s+(\w+)", ptx, re.MULTILINE)
    target = named.group(1) if named else f"sm_{arch}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        command = [
            get_ptxas(arch).path,
            "-v",
            f"--gpu-name={target}",
            str(source),
            "-o",
            str(source.with_suffix(".cubin")),
        ]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"ptxas failed: {finished.stderr.strip()}")
    registers = re.search(r"Used (\d+) registers", finished.stderr)
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", finished.stderr)
    if registers is None or not spills:
        raise RuntimeError(f"ptxas -v reported no resource usage: {finished.stderr.strip()}")
    return int(registers.group(1)), sum(int(number) for number in spills)


if __name__ == "__main__":
    for report in compile_ahead():
        print(asdict(report))
