"""What a publisher asks for, as the service takes it, and the limits it must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import is_sha256
from nodedata_registry.core.imported import Imported
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import InvalidRequest, TooLarge
from nodedata_registry.server.service.registry import Limits

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A file to publish: identity, blocks, and the (offset, bytes) ranges that the checks read."""

    entry: FileEntry
    blocks: tuple[Block, ...]
    headers: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """A publish as asked for. `version` is a version or `auto`; `files` lie over the parent's."""

    version: str
    files: tuple[OrderFile, ...]
    changelog: str
    parent: str | None = None
    remove: tuple[str, ...] = ()
    whole: bool = False
    allow_gap: bool = False
    accept: Mapping[str, str] = field(default_factory=dict)
    manifest_digest: str | None = None
    imported: Imported | None = None

    @property
    def is_auto(self) -> bool:
        """Whether the registry chooses the version."""
        return self.version == AUTO

    def block_sizes(self) -> dict[str, int]:
        """Return the size of every block of the order's files, by digest."""
        return {block.digest: block.size_bytes for file in self.files for block in file.blocks}


def check_limits(order: PublishOrder, limits: Limits) -> None:
    """Pass if the order keeps the documented limits and its sizes add up.

    Raises:
        TooLarge: too many files or blocks, or a file, block, header or changelog over its limit.
        InvalidRequest: block sizes do not add up to a file's size, or a digest is none.
    """
    if len(order.files) + len(order.remove) > limits.files_per_revision:
        raise TooLarge(f"a revision has at most {limits.files_per_revision:,} files", field="files")
    if sum(len(file.blocks) for file in order.files) > limits.blocks_per_revision:
        raise TooLarge(f"a revision has at most {limits.blocks_per_revision:,} blocks", field="files")
    if len(order.changelog) > limits.changelog_chars:
        raise TooLarge(
            f"the changelog has {len(order.changelog):,} characters; {limits.changelog_chars:,} are allowed",
            field="changelog",
        )
    if "\x00" in order.changelog:
        raise InvalidRequest("the changelog contains a NUL character", field="changelog")
    for file in order.files:
        _check_file(file, limits)


def _check_file(file: OrderFile, limits: Limits) -> None:
    path = file.entry.path[:200]
    if file.entry.size_bytes > limits.file_bytes:
        raise TooLarge(f"{path!a} is larger than {limits.file_bytes:,} bytes", field="files")
    if sum(len(data) for _, data in file.headers) > limits.header_bytes:
        raise TooLarge(f"the header of {path!a} is larger than {limits.header_bytes:,} bytes", field="files")
    if sum(block.size_bytes for block in file.blocks) != file.entry.size_bytes:
        raise InvalidRequest(
            f"the blocks of {path!a} add up to {sum(block.size_bytes for block in file.blocks):,} bytes,"
            f" its size is {file.entry.size_bytes:,}",
            field="files",
        )
    for block in file.blocks:
        if not 0 < block.size_bytes <= limits.block_bytes or not is_sha256(block.digest):
            raise InvalidRequest(
                f"a block of {path!a} has no valid digest or size ({block.size_bytes:,} bytes)", field="files"
            )
