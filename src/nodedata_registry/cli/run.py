"""The outer edge of the command line: whatever happens becomes an exit code and at most one line.

0 fine · 1 refused or failed · 2 could not run, or used wrongly · 100 bump too low (`model check`)
130 Ctrl-C
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from nodedata_registry.cli.problems import FAILED, INTERRUPTED, report, report_usage
from nodedata_registry.cli.root import root
from nodedata_registry.cli.shell import Shell
from nodedata_registry.errors import NodeDataError

_TRACEBACK = "NODE_DATA_TRACEBACK"


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but Ctrl-C is left to the caller."""
    _forgive_narrow_encodings()
    # Known before parsing, so that a usage error is a JSON document, too.
    shell = Shell(as_json="--json" in arguments)
    with _warnings_as_lines(shell):
        code = _guarded(shell, lambda: _invoke(arguments, shell))
    return _flushed(code)


def _invoke(arguments: Sequence[str], shell: Shell) -> int:
    result = root.main(list(arguments), prog_name="node-data", standalone_mode=False, obj=shell)
    return result if isinstance(result, int) else 0


def _guarded(shell: Shell, work: Callable[[], int]) -> int:
    try:
        return work()
    except NodeDataError as error:
        return report(shell, error)
    except click.ClickException as error:
        return report_usage(shell, error)
    except (KeyboardInterrupt, click.Abort):
        shell.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return FAILED
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        shell.note(f"node-data: error: {error.strerror or error}{place}")
        return FAILED
    except Exception as error:  # noqa: BLE001 - the outer edge: a person gets one line, not a stack
        return _unforeseen(shell, error)


def _unforeseen(shell: Shell, error: Exception) -> int:
    if os.environ.get(_TRACEBACK):
        raise error
    name = type(error).__name__
    shell.note(f"node-data: internal: {name}: {error}; this is a defect: {_TRACEBACK}=1 shows where")
    return FAILED


@contextmanager
def _warnings_as_lines(shell: Shell) -> Iterator[None]:
    """Show this package's warnings as one line each on stderr, once a command."""
    from nodedata_registry.sdk.notices import NodeDataWarning

    with warnings.catch_warnings():
        warnings.simplefilter("always", NodeDataWarning)
        plain = warnings.showwarning
        told: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *rest: object) -> None:
            if not issubclass(category, NodeDataWarning):
                plain(message, category, *rest)  # type: ignore[arg-type]
            elif str(message) not in told:
                told.add(str(message))
                shell.warn(str(message))

        warnings.showwarning = show  # type: ignore[assignment]
        yield


def _forgive_narrow_encodings() -> None:
    """Let a terminal that lacks a character show a question mark instead of failing the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
    return code


def _forget_stdout() -> None:
    """Point stdout at nothing: the reader left, and Python's own flush at exit would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
