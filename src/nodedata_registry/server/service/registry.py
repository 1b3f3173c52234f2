"""What every service works with: the catalog, the blocks, the clock and the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from nodedata_registry.core.ids import Prefix, make_id
from nodedata_registry.core.oms import MAX_BUNDLE_BYTES
from nodedata_registry.server.ports import BlobStore, Catalog, DiffRunner
from nodedata_registry.server.service.memo import Memo

T = TypeVar("T")

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of the registry, in one place. Sizes are bytes, both ends included."""

    block_bytes: int = 4 * MIB
    header_bytes: int = 32 * MIB
    json_body_bytes: int = 48 * MIB
    small_json_bytes: int = 1 * MIB
    file_bytes: int = 1 << 42
    files_per_revision: int = 10_000
    blocks_per_revision: int = 1_000_000
    changelog_chars: int = 65_536
    reason_chars: int = 500
    name_chars: int = 96
    page_items: int = 100
    attestation_bytes: int = MAX_BUNDLE_BYTES
    attestations_per_revision: int = 16
    upload_lease: timedelta = timedelta(hours=24)
    sweep_grace: timedelta = timedelta(hours=24)
    diff_wait_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts that services work with. `random(n)` gives n random bytes; `now()` is UTC."""

    catalog: Catalog
    blobs: BlobStore
    diffs: DiffRunner
    now: Callable[[], datetime]
    random: Callable[[int], bytes]
    require_key: bool = False
    limits: Limits = field(default_factory=Limits)
    block_sizes: Memo[str, Mapping[str, int]] = field(
        default_factory=lambda: Memo(1_000_000, len), repr=False, compare=False
    )
    """The blocks of manifests that were read last: {manifest digest: {block digest: size}}."""

    def new_id(self, prefix: Prefix) -> str:
        """Return a fresh id, `<prefix><ULID>`; `prefix` ends with an underscore."""
        return make_id(prefix, int(self.now().timestamp() * 1000), self.random(10))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list. `next_cursor` continues behind it."""

    items: list[T]
    next_cursor: str | None
    has_more: bool
