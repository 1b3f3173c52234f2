"""How the story looks: coloured on a terminal, plain text elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from nodedata_registry import NodeDataError, wire
from nodedata_registry.core.diff import ShownFinding

_PLAIN_COLUMNS = 100
_BUMP_STYLES = {"major": "bold red", "minor": "yellow", "patch": "green"}


class Screen:
    """Prints chapters, calls, results and tables. Texts are printed as they are: no markup in them."""

    def __init__(self) -> None:
        told = "COLUMNS" in os.environ or sys.stdout.isatty()
        self._console = Console(
            width=None if told else _PLAIN_COLUMNS, markup=False, highlight=False, emoji=False
        )
        self._chapter = 0

    def title(self, text: str, subtitle: str) -> None:
        """Open the story."""
        self._console.print()
        self._console.print(Text(text, "bold cyan"))
        self._console.print(Text(subtitle, "dim"))

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter += 1
        self._console.print()
        self._console.print(
            Rule(Text(f" {self._chapter} · {title} ", "bold cyan"), align="left", style="cyan")
        )

    def ending(self, text: str) -> None:
        """Close the story."""
        self._console.print()
        self._console.print(Rule(style="cyan"))
        self._console.print(Text(text, "bold"))

    def say(self, text: str) -> None:
        """Tell one paragraph."""
        self._console.print(Text(text))

    def call(self, code: str) -> None:
        """Show the Python that runs next."""
        self._console.print()
        if self._console.is_terminal:
            self._indented(
                Syntax(code, "python", theme="ansi_dark", background_color="default", word_wrap=True)
            )
        else:
            self._indented(Text(code))

    def shell(self, command: str) -> None:
        """Show the command that runs next."""
        self._console.print()
        self._indented(Text.assemble(("$ ", "dim"), (command, "bold")))

    def good(self, text: str) -> None:
        """Show what went well."""
        self._mark("✓", "green", Text(text))

    def note(self, text: str) -> None:
        """Show a remark under a table."""
        self._indented(Text(text, "dim"), 4)

    def warned(self, text: str) -> None:
        """Show a warning as its receiver gets it."""
        self._mark("!", "yellow", Text(text, "yellow"))

    def refused(self, error: NodeDataError) -> None:
        """Show an error as its receiver gets it."""
        message = Text.assemble((f"{type(error).__name__} ", "bold red"), (f"[{error.code}] ", "red"))
        self._mark("✗", "red", message.append(error.message))

    def findings(self, rows: Iterable[wire.Finding | ShownFinding]) -> None:
        """Show why a bump is asked for."""
        table = self._new_table(("asks", "finding", "why"))
        for row in rows:
            asks = Text(row.asks, _BUMP_STYLES.get(row.asks, ""))
            table.add_row(asks, Text(row.code), Text(row.message))
        self._indented(table, 4)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Show a table; columns whose name ends in `>` are figures, set to the right."""
        table = self._new_table(columns)
        for row in rows:
            table.add_row(*(Text(str(cell)) for cell in row))
        self._indented(table, 4)

    def _new_table(self, columns: Sequence[str]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for column in columns:
            right = column.endswith(">")
            table.add_column(column.removesuffix(">"), justify="right" if right else "left")
        return table

    def _indented(self, shown: RenderableType, columns: int = 2) -> None:
        self._console.print(Padding(shown, (0, 0, 0, columns), expand=False))

    def _mark(self, sign: str, style: str, text: Text) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_row(Text(sign, style), text)
        self._indented(grid)
