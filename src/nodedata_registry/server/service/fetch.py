"""Manifest, plan, files and blocks of a revision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nodedata_registry.core.access import Caller
from nodedata_registry.core.facts import FileFacts
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.errors import BlockNotFound, FileNotFoundInRevision, ServerError
from nodedata_registry.server.ports import BlobStore, ReadTransaction
from nodedata_registry.server.rows import ContentRow, RevisionRow
from nodedata_registry.server.service.blocks import BlockSource
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.resolve import locate
from nodedata_registry.server.service.stored import file_facts_of, manifest_of
from nodedata_registry.server.service.views import Resolved, view_of


@dataclass(frozen=True, slots=True)
class Listing:
    """A revision's files with what is known of each, sorted by path."""

    resolved: Resolved
    manifest: Manifest
    facts: dict[str, FileFacts]


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """A revision's files and, by SHA-256, the blocks of each."""

    resolved: Resolved
    manifest: Manifest
    contents: dict[str, ContentRow]


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """One file of a revision, ready to be read in any order."""

    resolved: Resolved
    entry: FileEntry
    content: ContentRow
    blobs: BlobStore

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of [offset, offset + length) in order, a block at most at a time."""
        return BlockSource(self.blobs, self.content.blocks).pieces(offset, length)


def list_files(
    registry: Registry, caller: Caller, ref: str, selector: str, *, deny_yanked: bool = False
) -> Listing:
    """Return the manifest of what the selector means now, with the facts of each file.

    Raises:
        As `resolve` does.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        manifest = manifest_of(tx, row)
        facts = file_facts_of(tx, manifest.files)
        return Listing(Resolved(selector.strip(), view_of(tx, model, row)), manifest, facts)


def plan(
    registry: Registry, caller: Caller, ref: str, selector: str, *, deny_yanked: bool = False
) -> FetchPlan:
    """Return files and blocks of what the selector means now.

    Raises:
        As `resolve` does.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        manifest = manifest_of(tx, row)
        contents = tx.contents.many({entry.sha256 for entry in manifest.files})
        return FetchPlan(Resolved(selector.strip(), view_of(tx, model, row)), manifest, contents)


def open_file(
    registry: Registry, caller: Caller, ref: str, selector: str, path: str, *, deny_yanked: bool = False
) -> OpenedFile:
    """Return one file of what the selector means now.

    Raises:
        As `resolve` does, and FileNotFoundInRevision.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        entry = manifest_of(tx, row).get(path)
        if entry is None:
            raise FileNotFoundInRevision(
                f"{model.ref} {row.version} has no file {path[:200]!a}:"
                " `node-data model show` lists its files",
                field="path",
                details={"version": str(row.version), "commit": row.commit},
            )
        content = content_of(tx, entry)
        return OpenedFile(Resolved(selector.strip(), view_of(tx, model, row)), entry, content, registry.blobs)


def content_of(tx: ReadTransaction, entry: FileEntry) -> ContentRow:
    """Return the blocks of a published file."""
    content = tx.contents.get(entry.sha256)
    if content is None:
        raise ServerError(f"the catalog lacks the content {entry.sha256} of {entry.path}")
    return content


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """A block that a revision has; its bytes can be read from the store."""

    resolved: Resolved
    digest: str
    size_bytes: int


def find_block(
    registry: Registry, caller: Caller, ref: str, selector: str, digest: str, *, deny_yanked: bool = False
) -> FoundBlock:
    """Return the block if what the selector means has it; knowing a digest gives no other access.

    Raises:
        As `resolve` does, and BlockNotFound.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        sizes = registry.block_sizes.get(row.manifest_digest, lambda: _block_sizes(tx, row))
        if digest in sizes:
            resolved = Resolved(selector.strip(), view_of(tx, model, row))
            return FoundBlock(resolved, digest, sizes[digest])
    raise BlockNotFound(f"{model.ref} {row.version} has no block {digest[:80]!a}", field="digest")


def _block_sizes(tx: ReadTransaction, row: RevisionRow) -> dict[str, int]:
    contents = tx.contents.many({entry.sha256 for entry in manifest_of(tx, row).files})
    return {block.digest: block.size_bytes for content in contents.values() for block in content.blocks}
