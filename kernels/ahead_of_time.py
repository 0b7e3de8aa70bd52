"""Describes one compiled form of a kernel, so that it can be compiled without a GPU. Compiles nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Variant(NamedTuple):
    """What ``compile_ahead`` needs to compile one form of a kernel.

    Attributes:
        kernel: name to report.
        function: the ``triton.JITFunction``.
        signature: Triton type of every argument, ``"constexpr"`` for compile-time ones.
        constants: values of the compile-time arguments.
        attrs: Triton's attributes by argument position, such as divisibility by 16.
        options: ``num_warps``, ``num_stages``.
        labels: what tells this variant from others, such as dtype and width.
    """

    kernel: str
    function: Any
    signature: dict[str, str]
    constants: dict[str, Any]
    attrs: dict[tuple[int, ...], list[list[Any]]]
    options: dict[str, int]
    labels: dict[str, object]


def variant(
    function: Any,
    constants: dict[str, Any],
    pointers: Mapping[str, str],
    *,
    aligned: tuple[str, ...] = (),
    scalars: Mapping[str, str] | None = None,
    options: dict[str, int],
    labels: dict[str, object],
) -> Variant:
    """The variant of ``function`` in which arguments have their usual types.

    Args:
        function: the kernel; its pointers' names end in ``_ptr``.
        constants: values of the compile-time arguments.
        pointers: element type by pointer, ``"fp32"`` where none is given.
        aligned: integers that are multiples of 16 besides all pointers, which Triton finds out when it launches.
        scalars: type by integer or float argument, ``"i32"`` where none is given.
        options: ``num_warps`` and ``num_stages``.
        labels: what tells this variant from others.
    """
    signature = {}
    for name in function.arg_names:
        if name in constants:
            signature[name] = "constexpr"
        elif name.endswith("_ptr"):
            signature[name] = f"*{pointers.get(name, 'fp32')}"
        else:
            signature[name] = (scalars or {}).get(name, "i32")
    attrs: dict[tuple[int, ...], list[list[Any]]] = {
        (index,): [["tt.divisibility", 16]]
        for index, name in enumerate(function.arg_names)
        if (name.endswith("_ptr") and name not in constants) or name in aligned
    }
    name = function.__name__.removesuffix("_kernel")
    return Variant(name, function, signature, constants, attrs, options, labels)
