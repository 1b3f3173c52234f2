"""A small registry to test catalogs with: makes rows with as little said as possible."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import block_digest
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.versions import Version
from nodedata_registry.server.ports import Catalog, WriteTransaction
from nodedata_registry.server.rows import (
    AccountRow,
    AttestationRow,
    ContentRow,
    Mark,
    ModelRow,
    ModelSummary,
    NewEvent,
    NewRevision,
    RevisionRow,
    WorkspaceRow,
)

START = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
MARK = Mark("wrong gains", START, "usr_0")
CARD = b"---\nlicense: MIT\n---\n"


@dataclass
class World:
    """A catalog and the numbers for new ids."""

    catalog: Catalog
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}{next(self.numbers):026d}"

    def account(self, name: str = "ann", *, operator: bool = False) -> AccountRow:
        row = AccountRow(self.new_id("usr_"), name, operator, START)
        with self.catalog.write() as tx:
            tx.accounts.add(row)
        return row

    def workspace(self, slug: str = "acme") -> WorkspaceRow:
        row = WorkspaceRow(self.new_id("ws_"), slug, None, START)
        with self.catalog.write() as tx:
            tx.workspaces.add(row)
        return row

    def model(self, name: str, workspace: WorkspaceRow, visibility: str = "private") -> ModelRow:
        row = ModelRow(self.new_id("mdl_"), workspace.id, workspace.slug, name, visibility, START)
        with self.catalog.write() as tx:
            tx.models.add(row)
        return row

    def publish(self, model: ModelRow, version: str, files: dict[str, bytes] | None = None) -> RevisionRow:
        with self.catalog.write() as tx:
            return self.publish_in(tx, model, version, files)

    def publish_in(
        self, tx: WriteTransaction, model: ModelRow, version: str, files: dict[str, bytes] | None = None
    ) -> RevisionRow:
        given = {"model_card.md": CARD, "model.bin": version.encode(), **(files or {})}
        manifest = Manifest.of(FileEntry(p, len(d), hashlib.sha256(d).hexdigest()) for p, d in given.items())
        for data in given.values():
            tx.contents.add(content(data))
        return tx.revisions.add(revision(self.new_id("rev_"), model, version, manifest), manifest)

    def summary(self, model: ModelRow, **said: str) -> ModelSummary:
        return ModelSummary(
            model=model,
            latest=Version(1, 0, 0),
            title=said.get("title"),
            license=said.get("license"),
            task=said.get("task"),
            framework=said.get("framework"),
            revision_count=1,
            updated_at=START + next(self.numbers) * HOUR,
        )

    def attestation(self, revision_id: str, number: int) -> AttestationRow:
        digest = f"a{number}" * 32
        return AttestationRow(self.new_id("att_"), revision_id, digest, "kind", None, START, "usr_0", b"{}")

    def event(self, kind: str = "revision.published", **body: object) -> NewEvent:
        return NewEvent(self.new_id("evt_"), kind, START, "usr_0", None, "mdl_0", None, dict(body))


def blocks_of(data: bytes) -> tuple[Block, ...]:
    """Cut into pieces of four bytes, so that small data has several blocks."""
    return tuple(
        Block(block_digest(data[at : at + 4]), len(data[at : at + 4])) for at in range(0, len(data), 4)
    )


def content(data: bytes) -> ContentRow:
    return ContentRow(hashlib.sha256(data).hexdigest(), len(data), 1, blocks_of(data))


def revision(revision_id: str, model: ModelRow, version: str, manifest: Manifest) -> NewRevision:
    return NewRevision(
        id=revision_id,
        model_id=model.id,
        version=Version.parse(version),
        parent=None,
        manifest_digest=manifest.digest,
        commit="c" * 40,
        changelog=f"what {version} brings",
        card_sha256=hashlib.sha256(CARD).hexdigest(),
        facts=b'{"schema":null}',
        verdict=b'{"rules":1}',
        size_bytes=manifest.total_bytes,
        file_count=len(manifest.files),
        parameter_count=12,
        created_at=START,
        created_by="usr_0",
    )
