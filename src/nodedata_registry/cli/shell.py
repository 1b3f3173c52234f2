"""What a command works with: where the registry is, and the two streams.

stdout carries the answer and nothing else: one JSON document with --json. stderr carries warnings,
errors, questions and, on a terminal, progress.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nodedata_registry.cli.words import clean

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.sdk.client import NodeData

_PIPE_COLUMNS = 100
"""Line width where nobody looks: wide enough for most tables, narrow enough for a log."""


@dataclass
class Shell:
    """One run of the command line. `url`, `key` and `path` are what was passed, if anything was."""

    url: str | None = None
    key: str | None = None
    path: str | None = None
    as_json: bool = False
    _bar_shown: bool = field(default=False, repr=False)

    @contextmanager
    def node(self) -> Iterator[NodeData]:
        """Open the registry that was named, and close it."""
        from nodedata_registry.sdk.client import NodeData

        with NodeData(self.url, self.key, path=self.path) as node:
            yield node

    def answer(self, document: object, show: Callable[[Console], None]) -> None:
        """Give the answer: the document with --json, else what `show` prints."""
        if self.as_json:
            self.print_json(document)
        else:
            show(self.out)

    def print_json(self, document: object, *, one_line: bool = False) -> None:
        """Print one JSON document; structs and dataclasses of ours are allowed in it."""
        import msgspec

        encoded = msgspec.json.encode(_builtins(document))
        if not one_line:
            encoded = msgspec.json.format(encoded, indent=2)
        sys.stdout.write(encoded.decode() + "\n")

    def note(self, text: str) -> None:
        """Print one line on stderr."""
        line = " ".join(clean(text).split("\n"))
        if self._bar_shown:
            self.err.print(line, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def warn(self, text: str) -> None:
        """Print a warning as one line on stderr."""
        self.note(f"warning: {text}")

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Say that a progress bar owns the terminal's last line, so that lines go above it."""
        self._bar_shown = True
        try:
            yield
        finally:
            self._bar_shown = False

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not self.as_json

    @cached_property
    def out(self) -> Console:
        """The console on stdout."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """The console on stderr."""
        return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    told = "COLUMNS" in os.environ or stream.isatty()
    # Texts come from other people: no markup, no emoji codes, no guessing what a number is.
    return Console(
        stderr=stderr,
        width=None if told else _PIPE_COLUMNS,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _builtins(document: object) -> Any:
    import msgspec

    if isinstance(document, Mapping):
        return {key: _builtins(value) for key, value in document.items()}
    return msgspec.to_builtins(document)
