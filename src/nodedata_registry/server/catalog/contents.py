"""File contents, their blocks, facts and texts; and which workspace holds which block."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, tuple_, update

from nodedata_registry.core.blocks import Block
from nodedata_registry.server.catalog.tables import (
    file_contents,
    file_facts,
    manifest_files,
    models,
    revision_marks,
    revisions,
    texts,
    workspace_blocks,
)
from nodedata_registry.server.rows import ContentRow

T = TypeVar("T")

_AT_ONCE = 500  # values in one statement: every database takes as many
_ROWS_HELD = 64  # contents read ahead while streaming
_BLOCK = struct.Struct(">32sI")

_CONTENTS = select(*file_contents.c["sha256", "size_bytes", "cut", "blocks"])
_CONTENT = _CONTENTS.where(file_contents.c.sha256 == bindparam("wanted"))
_MANY = _CONTENTS.where(file_contents.c.sha256.in_(bindparam("wanted", expanding=True)))
_ADD = insert(file_contents)

_FACT_KEY = tuple_(file_facts.c.sha256, file_facts.c.format)
_FACTS = select(*file_facts.c["sha256", "format", "facts"]).where(
    _FACT_KEY.in_(bindparam("wanted", expanding=True))
)
_HAS_FACTS = select(file_facts.c.sha256).where(
    file_facts.c.sha256 == bindparam("wanted"), file_facts.c.format == bindparam("as_format")
)
_ADD_FACTS = insert(file_facts)
_TEXT = select(texts.c.data).where(texts.c.sha256 == bindparam("wanted"))
_ADD_TEXT = insert(texts)

_HELD = select(workspace_blocks.c.digest).where(
    workspace_blocks.c.workspace_id == bindparam("place"),
    workspace_blocks.c.digest.in_(bindparam("wanted", expanding=True)),
)
_HOLD = insert(workspace_blocks)
_EXTEND = (
    update(workspace_blocks)
    .where(
        workspace_blocks.c.workspace_id == bindparam("place"),
        workspace_blocks.c.digest.in_(bindparam("wanted", expanding=True)),
        workspace_blocks.c.lease_until < bindparam("until"),
    )
    .values(lease_until=bindparam("until"))
)
_FORGET = delete(workspace_blocks).where(workspace_blocks.c.digest.in_(bindparam("wanted", expanding=True)))
_LEASED = (
    select(workspace_blocks.c.digest)
    .where(workspace_blocks.c.lease_until > bindparam("now"))
    .execution_options(yield_per=1000)
)
_LEASED_OF = select(workspace_blocks.c.digest).where(
    workspace_blocks.c.digest.in_(bindparam("wanted", expanding=True)),
    workspace_blocks.c.lease_until > bindparam("now"),
)

_IN_SERVICE = (
    select(manifest_files.c.sha256)
    .join(revisions, revisions.c.manifest_digest == manifest_files.c.manifest_digest)
    .join(revision_marks, revision_marks.c.revision_id == revisions.c.id)
    .where(revision_marks.c.retirement_at.is_(None))
)
_REFERENCED = (
    select(file_contents.c.blocks)
    .where(exists(_IN_SERVICE.where(manifest_files.c.sha256 == file_contents.c.sha256)))
    .execution_options(yield_per=_ROWS_HELD)
)
_IN_SERVICE_OF = (
    _IN_SERVICE.join(models, models.c.id == revisions.c.model_id)
    .where(
        models.c.workspace_id == bindparam("place"),
        manifest_files.c.sha256.in_(bindparam("wanted", expanding=True)),
    )
    .distinct()
)


def pack(blocks: Iterable[Block]) -> bytes:
    r"""Return the blocks as the catalog keeps them: 32 bytes of digest, 4 of size (big-endian) each.

    >>> pack([Block("ab" * 32, 258)])[-4:]
    b'\x00\x00\x01\x02'
    """
    return b"".join(_BLOCK.pack(bytes.fromhex(block.digest), block.size_bytes) for block in blocks)


def unpack(packed: bytes) -> tuple[Block, ...]:
    """Return the blocks that `pack` packed, in their order."""
    return tuple(Block(digest.hex(), size_bytes) for digest, size_bytes in _BLOCK.iter_unpack(packed))


class Contents:
    """`ports.ContentRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: ContentRow) -> None:
        """Write a content once; a repeated call changes nothing."""
        if self._connection.execute(_CONTENT, {"wanted": row.sha256}).first() is None:
            values = {"sha256": row.sha256, "size_bytes": row.size_bytes, "cut": row.cut}
            self._connection.execute(_ADD, {**values, "blocks": pack(row.blocks)})

    def get(self, sha256: str) -> ContentRow | None:
        """Return the content, `None` if it is unknown."""
        return self.many([sha256]).get(sha256)

    def many(self, sha256s: Iterable[str]) -> dict[str, ContentRow]:
        """Return the known ones of the contents by SHA-256."""
        found: dict[str, ContentRow] = {}
        for part in _parts(sha256s):
            for sha256, size_bytes, cut, blocks in self._connection.execute(_MANY, {"wanted": part}):
                found[sha256] = ContentRow(sha256, size_bytes, cut, unpack(blocks))
        return found

    def put_facts(self, sha256: str, format: str, facts: bytes) -> None:  # noqa: A002  the port's word
        """Write a file's facts once per (content, format); a repeated call changes nothing."""
        key = {"wanted": sha256, "as_format": format}
        if self._connection.execute(_HAS_FACTS, key).first() is None:
            self._connection.execute(_ADD_FACTS, {"sha256": sha256, "format": format, "facts": facts})

    def facts(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """Return the kept facts by (sha256, format)."""
        found: dict[tuple[str, str], bytes] = {}
        for part in _parts(wanted):
            for sha256, format_, facts in self._connection.execute(_FACTS, {"wanted": part}):
                found[sha256, format_] = facts
        return found

    def put_text(self, sha256: str, data: bytes) -> None:
        """Keep a small text for ever; a repeated call changes nothing."""
        if self.text(sha256) is None:
            self._connection.execute(_ADD_TEXT, {"sha256": sha256, "data": data})

    def text(self, sha256: str) -> bytes | None:
        """Return the kept text, `None` if there is none."""
        data: bytes | None = self._connection.execute(_TEXT, {"wanted": sha256}).scalar()
        return data

    def held_by(self, workspace_id: str, digests: Iterable[str]) -> set[str]:
        """Return those of the blocks that the workspace holds."""
        held: set[str] = set()
        for part in _parts(digests):
            held.update(self._connection.execute(_HELD, {"place": workspace_id, "wanted": part}).scalars())
        return held

    def lease(self, workspace_id: str, blocks: Mapping[str, int], until: datetime) -> None:
        """Record that the workspace holds the blocks, leased at least `until`."""
        for part in _parts(blocks):
            key = {"place": workspace_id, "wanted": part}
            held = set(self._connection.execute(_HELD, key).scalars())
            self._connection.execute(_EXTEND, {**key, "until": until})
            fresh = [
                {"workspace_id": workspace_id, "digest": d, "size_bytes": blocks[d], "lease_until": until}
                for d in part
                if d not in held
            ]
            if fresh:
                self._connection.execute(_HOLD, fresh)

    def referenced_blocks(self) -> Iterator[str]:
        """Yield the digest of every block that an unretired revision needs (repeats possible)."""
        for packed in self._connection.execute(_REFERENCED).scalars():
            for digest, _ in _BLOCK.iter_unpack(packed):
                yield digest.hex()

    def contents_of_workspace(self, workspace_id: str, sha256s: Iterable[str]) -> set[str]:
        """Return those of the contents that an unretired revision of the workspace has."""
        found: set[str] = set()
        for part in _parts(sha256s):
            key = {"place": workspace_id, "wanted": part}
            found.update(self._connection.execute(_IN_SERVICE_OF, key).scalars())
        return found

    def leased_blocks(self, now: datetime) -> Iterator[str]:
        """Yield the digest of every block under a lease that still runs at `now` (repeats possible)."""
        yield from self._connection.execute(_LEASED, {"now": now}).scalars()

    def forget(self, digests: Iterable[str], now: datetime) -> set[str]:
        """Forget who holds those of the blocks that no lease covers at `now`; return just these."""
        free: set[str] = set()
        for part in _parts(digests):
            leased = self._connection.execute(_LEASED_OF, {"wanted": part, "now": now}).scalars()
            chosen = sorted(set(part).difference(leased))
            self._connection.execute(_FORGET, {"wanted": chosen})
            free.update(chosen)
        return free


def _parts(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values, each once, in lists short enough for one statement."""
    remaining = iter(dict.fromkeys(values))
    while part := list(islice(remaining, _AT_ONCE)):
        yield part
