"""The model card: Markdown with YAML front matter that says what a revision is.

The card is `model_card.md` at the revision's root, else `README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nodedata_registry.core.benchmarks import Benchmark
from nodedata_registry.core.schema import Schema
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import CardRequired

CARD_PATHS = ("model_card.md", "README.md")


@dataclass(frozen=True, slots=True)
class Card:
    """What a card states. `title` is its `name`; `extra` holds unknown keys; `text` the Markdown."""

    path: str
    license: str
    text: str
    title: str | None = None
    framework: str | None = None
    task: str | None = None
    authors: tuple[str, ...] = ()
    training_data: Json = None
    benchmarks: tuple[Benchmark, ...] = ()
    schema: Schema | None = None
    entry: str | None = None
    extra: Mapping[str, Json] | None = None


def find_card_path(paths: Iterable[str]) -> str:
    """Return the path of the revision's card.

    Raises:
        CardRequired: there is none.
    """
    present = set(paths)
    for path in CARD_PATHS:
        if path in present:
            return path
    raise CardRequired(
        "the revision has no model card: add model_card.md (or README.md) at its root;"
        " `node-data model init` writes a starter",
        field="files",
    )


def parse_card(path: str, data: bytes) -> Card:
    """Return the card that the bytes of `path` hold."""
    raise NotImplementedError


def starter_card(title: str, license: str = "apache-2.0") -> str:  # noqa: A002
    """Return a card that passes every check, for the author to fill in."""
    raise NotImplementedError
