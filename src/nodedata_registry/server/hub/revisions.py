"""What a Hub client's revision string means: a selector of ours, or a commit."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_REVISION = "main"
"""What clients ask for when their user named no revision."""

_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Commit:
    """A revision named by its commit, 40 lower-case hex, as clients do once they have resolved one."""

    hex: str


def parse_revision(text: str) -> str | Commit:
    """Return the selector or the commit that a revision string means.

    Only spellings that no selector has are special: a commit, a bare manifest digest, `main`. All else
    is a selector, whose own rule refuses what is none.

    >>> parse_revision("main"), parse_revision("^1"), parse_revision("c" * 40).hex == "c" * 40
    ('latest', '^1', True)
    >>> parse_revision("d" * 64) == "sha256:" + "d" * 64
    True
    """
    if text == DEFAULT_REVISION:
        return "latest"
    if _COMMIT.fullmatch(text):
        return Commit(text)
    if _DIGEST.fullmatch(text):
        return f"sha256:{text}"
    return text
