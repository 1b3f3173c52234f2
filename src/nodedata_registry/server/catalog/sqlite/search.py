"""Full-text search over models with SQLite's FTS5.

The index is a table beside `model_summaries`, with the same row numbers. Any text is a valid query:
each word is quoted, so that FTS5's own syntax never shows, and matches as a prefix.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, FromClause, Select, column, select, text, true

from nodedata_registry.server.catalog.types import Whole

CREATE = (
    "CREATE VIRTUAL TABLE model_search USING fts5"
    "(title, name, workspace, card, tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
)

_MOST_WORDS = 32
_MOST_CHARACTERS = 1024
# What is named so ranks above what merely mentions it: weights of title, name, workspace, card.
_SCORE = "bm25(model_search, 10.0, 10.0, 5.0, 1.0)"

_FORGET = text("DELETE FROM model_search WHERE rowid = :number")
_INDEX = text(
    "INSERT INTO model_search (rowid, title, name, workspace, card)"
    " VALUES (:number, :title, :name, :workspace, :card)"
)
_HITS = text(
    f"SELECT rowid AS number, {_SCORE} AS score FROM model_search WHERE model_search MATCH :expression"
).columns(column("number", Whole), column("score"))


def index_model(
    connection: Connection, number: int, *, title: str, name: str, workspace: str, card: str
) -> None:
    """Make the model with this row number be found by these texts, and by no earlier ones."""
    connection.execute(_FORGET, {"number": number})
    values = {"title": title, "name": name, "workspace": workspace, "card": card}
    cleaned = {field: _storable(value) for field, value in values.items()}
    connection.execute(_INDEX, {"number": number, **cleaned})


def hits(query: str) -> FromClause | None:
    """Return a table of `number` and `score` (lower is better) of the models that match every word.

    `None` for a query of which no letter or digit is left: nothing can match it. Words beyond the
    first 32, and characters beyond the first 1024, are ignored.
    """
    expression = match_expression(query)
    if expression is None:
        return None
    return _HITS.bindparams(expression=expression).cte("hits", nesting=False)


def match_expression(query: str) -> str | None:
    """Return the FTS5 expression for a user's text; `None` when it has no letter or digit.

    >>> match_expression('g1 loco-mot "AND')
    '"g1"* "loco-mot"* "AND"*'
    >>> match_expression(' ** ') is None
    True
    """
    words = [word.replace('"', "") for word in _storable(query)[:_MOST_CHARACTERS].split()]
    usable = [word for word in words if any(character.isalnum() for character in word)]
    return " ".join(f'"{word}"*' for word in usable[:_MOST_WORDS]) or None


def behind(found: FromClause, number: int) -> ColumnElement[bool]:
    """Return the condition for hits that come after the model with this row number."""
    mark: Select[tuple[float]] = select(found.c.score).where(found.c.number == number)
    score = mark.scalar_subquery()
    return true() & ((found.c.score > score) | ((found.c.score == score) & (found.c.number > number)))


def _storable(value: str) -> str:
    # FTS5 reads a query up to its first NUL only; lone surrogates have no UTF-8.
    return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
