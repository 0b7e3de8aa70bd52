"""Compile the kernels for a GPU that need not be there, and read registers, spills and shared memory."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import importlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .ahead_of_time import Variant

MODULES = ("sae_edit_triton", "topk_rank_triton", "sae_splice_triton")
"""Modules of this folder with kernels; each offers ``ahead_of_time_variants()``."""


@dataclass(frozen=True)
class CompiledKernel:
    """One compiled variant of a kernel.

    Attributes:
        kernel: name of the kernel.
        labels: what tells the variant from others of the kernel, such as dtype and width.
        warps: warps a program.
        registers: registers a thread.
        spill_bytes: bytes of spill stores and loads; 0 for a kernel that fits.
        shared_bytes: shared memory a program.
        cubin_bytes: size of the binary.
        tensor_core: the tensor-core instructions in the code, such as ``wgmma``; "" for none.
    """

    kernel: str
    labels: dict[str, object]
    warps: int
    registers: int
    spill_bytes: int
    shared_bytes: int
    cubin_bytes: int
    tensor_core: str

    @property
    def programs_a_multiprocessor(self) -> int:
        """How many programs fit into Hopper's 65,536 registers and 227 KB of shared memory at once."""
        # Registers are given out by the warp, 256 at a time.
        by_registers = 65_536 // (-(-self.registers // 8) * 256 * self.warps)
        return min(by_registers, 64 // self.warps, 227 * 1024 // (self.shared_bytes + 1024))


def ahead_of_time_variants(modules: tuple[str, ...] = MODULES) -> tuple[Variant, ...]:
    """Every variant that the named modules offer.

    Raises:
        ImportError: Triton is not installed.
        RuntimeError: Triton was imported under ``TRITON_INTERPRET=1``, and then compiles nothing.
    """
    import triton

    variants = []
    for name in modules:
        module = importlib.import_module(f".{name}", __package__)
        variants += [Variant(*offered) for offered in module.ahead_of_time_variants()]
    if not all(isinstance(v.function, triton.JITFunction) for v in variants):
        raise RuntimeError("TRITON_INTERPRET is set: unset it and start Python anew to compile.")
    return tuple(variants)


def compile_ahead(arch: int = 90, modules: tuple[str, ...] = MODULES) -> tuple[CompiledKernel, ...]:
    """Compile every variant of every kernel for compute capability ``arch`` (90 is Hopper).

    Args:
        arch: compute capability times ten.
        modules: which of ``MODULES``.

    Raises:
        ImportError: Triton is not installed.
        RuntimeError: ptxas refuses the code, or Triton was imported under ``TRITON_INTERPRET=1``.
    """
    return tuple(compile_variant(chosen, arch) for chosen in ahead_of_time_variants(modules))


def compile_variant(chosen: Variant, arch: int = 90) -> CompiledKernel:
    """Compile one variant; see ``compile_ahead``."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(fn=chosen.function, signature=chosen.signature, constexprs=chosen.constants, attrs=chosen.attrs)
    compiled = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=dict(chosen.options))
    registers, spill_bytes = _resource_usage(compiled.asm["ptx"], arch)
    return CompiledKernel(
        kernel=chosen.kernel,
        labels=dict(chosen.labels),
        warps=compiled.metadata.num_warps,
        registers=registers,
        spill_bytes=spill_bytes,
        shared_bytes=compiled.metadata.shared,
        cubin_bytes=len(compiled.asm["cubin"]),
        tensor_core=" ".join(sorted(set(re.findall(r"\b(wgmma|mma)\.(?:mma_async\.)?sync", compiled.asm["ptx"])))),
    )


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


def table(reports: tuple[CompiledKernel, ...]) -> str:
    """The reports as lines of text, one a variant."""
    lines = [
        f"{'kernel':<22} {'variant':<58} {'warps':>5} {'registers':>9} {'spills B':>8} {'shared B':>8} "
        f"{'programs/SM':>11} {'cubin B':>8}  tensor core"
    ]
    for r in reports:
        labels = " ".join(f"{name}={value}" for name, value in r.labels.items())
        lines.append(
            f"{r.kernel:<22} {labels:<58} {r.warps:>5} {r.registers:>9} {r.spill_bytes:>8} {r.shared_bytes:>8} "
            f"{r.programs_a_multiprocessor:>11} {r.cubin_bytes:>8}  {r.tensor_core}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(compile_ahead()))
