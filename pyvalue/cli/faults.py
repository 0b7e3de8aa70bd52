"""How a command ends that does not end well: one line on standard error, no traceback, and an exit code."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import typer
from typer.core import TyperGroup

from pyvalue.cli.printing import complain, note
from pyvalue.errors import PyvalueError

#: exit codes; 0 is a run that ended as asked
FAULT, USAGE, INTERRUPTED = 1, 2, 130

#: what follows is advice for those who call pyvalue from Python
_PYTHON = "; in Python: "

P = ParamSpec("P")


def one_line_faults(command: Callable[P, None]) -> Callable[P, None]:
    """End a command that fails, or that Ctrl-C stops, with one line; and let warnings be notes of a line."""

    options = tuple(inspect.signature(command).parameters)

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _as_note
                command(*args, **kwargs)
        except KeyboardInterrupt:
            complain("interrupted; a run folder keeps what is finished, run the same command again to go on")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # whoever read the output has gone, as with "| head"
            raise
        except RecursionError:
            complain("a file or an argument is nested too deeply to be read")
            raise typer.Exit(FAULT) from None
        except MemoryError as fault:
            complain(f"out of memory{f' ({fault})' if str(fault) else ''}; take fewer rows, personas or replicates")
            raise typer.Exit(FAULT) from None
        except (PyvalueError, ValueError, TypeError, OSError, ImportError, RuntimeError) as fault:
            # A study with several faults has a line for each.
            for line in str(fault).splitlines() if hasattr(fault, "faults") else [_words(fault)]:
                complain(as_options(line, options))
            raise typer.Exit(FAULT) from None

    return run


class OneLineGroup(TyperGroup):
    """Commands whose wrong use is told in one line, too."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command, and leave Python with its exit code."""
        call = functools.partial(
            super().main, args, prog_name, complete_var, windows_expand_args=windows_expand_args, **extra
        )
        if not standalone_mode:
            return call(standalone_mode=False)
        try:
            code = call(standalone_mode=False)
        except Exception as fault:
            # typer has its own copy of click in newer versions, and so its own kinds of usage errors.
            if not hasattr(fault, "format_message"):
                raise
            if type(fault).__name__ == "NoArgsIsHelpError":
                fault.show()  # type: ignore[attr-defined]
            else:
                complain(f"{fault.format_message()} {_where_help_is(fault)}")
            sys.exit(getattr(fault, "exit_code", USAGE))
        sys.exit(code if isinstance(code, int) else 0)


def _where_help_is(fault: Any) -> str:
    context = getattr(fault, "ctx", None)
    return f"Try: {context.command_path if context is not None else 'pyvalue'} --help"


def _as_note(message: Warning | str, *_: Any, **__: Any) -> None:
    note(str(message))


def as_options(text: str, names: Sequence[str]) -> str:
    """Advice for Python, such as ``missing='drop'``, as it is typed here: ``--missing drop``; calls are left out.

    Args:
        text: of an error.
        names: parameters of the command; no others are options.
    """
    text, _, _ = text.partition(_PYTHON)
    known = "|".join(map(re.escape, names))
    if not known:
        return text

    def typed(found: re.Match[str]) -> str:
        option = f"--{found['name'].replace('_', '-')}"
        if found["value"] is None:
            return " ".join(f"{option} {one}" for one in re.findall(r"'[^']*'", found["several"]))
        return option if found["value"] == "True" else f"{option} {found['value']}"

    value = r"(?:(?P<value>True|'[^']*'|[\d.]+)|\[(?P<several>'[^']*'(?:, '[^']*')*)\])"
    return re.sub(rf"(?<![\w.-])(?P<name>{known})={value}", typed, text)


def _words(fault: BaseException) -> str:
    """What a fault says; an error of the system names its file and not its number."""
    if isinstance(fault, OSError) and fault.strerror and not isinstance(fault, PyvalueError):
        return f"{fault.filename}: {fault.strerror}" if fault.filename is not None else fault.strerror
    return str(fault) or type(fault).__name__
