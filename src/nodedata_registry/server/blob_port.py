"""What the registry needs of a block store: one protocol, kept by every adapter.

Blocks are named by the BLAKE3-256 of their bytes in lower-case hex, so a block can only ever be
absent or whole. The contract holds between all threads and all processes that share a store, and
`tests/contracts/test_blob_store.py` is its executable form.

- **Nothing partial.** A reader sees a block whole or not at all, whatever is killed when.
- **Durable.** What `put` returned for survives a power cut, also when it returned `False`.
- **Create-only.** The first put wins; a later one never touches the bytes of an undamaged block.
- **Idempotent.** `put`, `delete` and `check` may be repeated; a put that failed may be tried again.

The store knows no tenants: who may read a block, and whether it counts as present, is decided
before it is asked. It also knows no references: what may be deleted is `core.sweep`'s to say.

Besides the errors named below every call may raise `InvalidRequest` for what is no digest, and
`ServerError` when the medium fails (an I/O error, a lost mount).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nodedata_registry.core.sweep import StoredBlock

__all__ = ["BlobStore", "StoredBlock"]


class BlobStore(Protocol):
    """Blocks by digest. Safe to use from many threads at once."""

    def put(self, digest: str, data: bytes) -> bool:
        """Store a block and return whether it is new; it is durable when this returns.

        A block that is there already is compared with `data`: equal, its `stored_at` is renewed and
        the answer is `False`; damaged, it is replaced atomically and the answer is `True`. Of many
        concurrent puts of one absent digest exactly one returns `True`.

        Raises:
            DigestMismatch: the BLAKE3 of `data` is not `digest`. Nothing is stored.
            InsufficientStorage: disk or quota is full. The block is not visible, and puts succeed
                again once there is room.
        """
        ...

    def get(self, digest: str, *, verify: bool = False) -> bytes:
        """Return the whole block; with `verify` its BLAKE3 is computed again first.

        Raises:
            BlockNotFound: no such block is stored.
            DigestMismatch: `verify`, and the stored bytes are damaged; the message names the block.
        """
        ...

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset` on, unverified; reads no more than these.

        Raises:
            BlockNotFound: no such block is stored.
            InvalidRequest: the span is negative or ends behind the block.
        """
        ...

    def path(self, digest: str) -> Path | None:
        """Return a local file that holds just the block, to send without copying.

        `None` if the block is absent or the adapter has no local files: use `get` then. The file
        may be deleted at any time; an open file stays readable.
        """
        ...

    def has(self, digest: str) -> bool:
        """Tell whether the block is stored; says nothing about its bytes."""
        ...

    def size(self, digest: str) -> int:
        """Return the stored size in bytes.

        Raises:
            BlockNotFound: no such block is stored.
        """
        ...

    def delete(self, digest: str, *, stored_before: datetime | None = None) -> bool:
        """Remove the block and return whether this call did; an absent one is no error.

        With `stored_before` (UTC) a block put at that time or later stays. Judgement and removal are
        one step with regard to `put`: a put that found the block present has either kept it from
        being deleted, or stores it anew. A deletion may come undone by a power cut; sweep again.
        """
        ...

    def iterate(self) -> Iterator[StoredBlock]:
        """Yield every block in ascending order of digest, in memory that does not grow with the store.

        Blocks put or deleted meanwhile may or may not appear. `stored_at` is the last put.
        """
        ...

    def check(self) -> None:
        """Pass if blocks can be stored right now; leaves nothing behind.

        Raises:
            DataFolderNotWritable: the store cannot be written, or cannot make durable writes.
            InsufficientStorage: it is full.
        """
        ...
