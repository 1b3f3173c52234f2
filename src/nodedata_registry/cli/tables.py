"""Tables and lines that read well at 80 columns; every text in them is cleaned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nodedata_registry.cli.words import clean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column; a `whole` one is never wrapped: figures, versions, ids."""

    title: str
    align: Literal["left", "right"] = "left"
    whole: bool = False


def text(content: str, style: str = "") -> Text:
    """Return a cleaned text in a style."""
    from rich.text import Text

    return Text(clean(content), style=style)


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str | Text]], *, indent: int = 0, head: bool = True
) -> Padding:
    """Return a table without frame, `indent` columns in; the head, where there is one, is dim."""
    from rich.padding import Padding
    from rich.table import Table

    built = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_header=head)
    for column in columns:
        built.add_column(text(column.title), justify=column.align, no_wrap=column.whole, overflow="fold")
    for row in rows:
        built.add_row(*(text(cell) if isinstance(cell, str) else cell for cell in row))
    return Padding(built, (0, 0, 0, indent), expand=False)


def facts(pairs: Iterable[tuple[str, str | Text | None]]) -> Table:
    """Return names and values, one pair a line; what is None is left out."""
    from rich.table import Table

    built = Table.grid(padding=(0, 2, 0, 0))
    built.add_column(style="dim", no_wrap=True)
    built.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            built.add_row(text(name), text(value) if isinstance(value, str) else value)
    return built


def show_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], none: str
) -> None:
    """Print a table, or one line that says that there is nothing."""
    if rows:
        console.print(table(columns, rows))
    else:
        console.print(text(none))
