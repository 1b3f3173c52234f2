"""Progress bars: on a terminal only, on stderr, gone when the work is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from nodedata_registry.cli.shell import Shell
    from nodedata_registry.sdk.progress import Progress, ProgressCallback

_PHASES = {
    "scan": "Reading files",
    "send": "Sending",
    "fetch": "Fetching",
    "place": "Placing files",
    "diff": "Comparing weights",
}


@contextmanager
def progress_bars(shell: Shell) -> Iterator[ProgressCallback | None]:
    """Give a callback that draws bars in bytes, or None where no terminal shows them."""
    with drawn(shell, of_bytes=True) as bars:
        yield None if bars is None else _Phases(bars)


@contextmanager
def drawn(shell: Shell, *, of_bytes: bool) -> Iterator[RichProgress | None]:
    """Give a display of progress, or None where no terminal shows it."""
    # Rich takes FORCE_COLOR for a terminal; a log file is none.
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    rates = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(24), *rates, TimeRemainingColumn())
    with shell.bar(), Progress(*columns, console=shell.err, transient=True) as bars:
        yield bars


@contextmanager
def counted(shell: Shell, label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Give a callback (done, total) that draws a bar, or None where no terminal shows it."""
    with drawn(shell, of_bytes=False) as bars:
        if bars is None:
            yield None
            return
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


class _Phases:
    """One bar a phase, made when the phase begins."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._tasks: dict[str, object] = {}

    def __call__(self, progress: Progress) -> None:
        """Draw how far the phase is."""
        if progress.phase not in self._tasks:
            label = _PHASES.get(progress.phase, progress.phase)
            self._tasks[progress.phase] = self._bars.add_task(label, total=progress.total_bytes or None)
        self._bars.update(
            self._tasks[progress.phase],  # type: ignore[arg-type]
            completed=progress.done_bytes,
            total=progress.total_bytes or None,
        )
