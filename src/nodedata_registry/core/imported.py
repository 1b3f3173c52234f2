"""Where a revision was brought in from, as it is recorded for ever beside its verdict.

A history that exists is not made honest by refusing it: what the gate finds in an imported revision
is kept in the verdict and not enforced. Every other rule holds, that of successors too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nodedata_registry.errors import InvalidRequest

MAX_REFERENCE_CHARACTERS = 500

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True, slots=True)
class Imported:
    """The kind of a source (`hf`, `git`, `mlflow`, `folder`) and what names the revision there."""

    source: str
    reference: str


def check_imported(imported: Imported) -> None:
    """Pass if both parts can stand in the record.

    >>> check_imported(Imported("git", "https://git.example/acme/x.git@v1.0.0"))

    Raises:
        InvalidRequest: field `imported`; the source is no short word, or the reference is no line.
    """
    if _SOURCE.fullmatch(imported.source) is None:
        raise InvalidRequest(
            f"the source of an import is a word such as hf or git, not {imported.source[:40]!a}",
            field="imported",
        )
    reference = imported.reference
    if not reference.strip() or len(reference) > MAX_REFERENCE_CHARACTERS or not reference.isprintable():
        raise InvalidRequest(
            "the reference of an import is one line of 1 to"
            f" {MAX_REFERENCE_CHARACTERS} printable characters; it has {len(reference):,}",
            field="imported",
        )
