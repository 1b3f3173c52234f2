"""A whole registry in a temporary folder, and a publisher that builds orders as a client would."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nodedata_registry.core.access import Caller, Role
from nodedata_registry.core.blocks import Block, cut
from nodedata_registry.core.digests import block_digest, sha256_hex
from nodedata_registry.core.facts import BytesSource, RecordingSource, needs_header, read_file_facts
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidWeights
from nodedata_registry.server.rows import EventRow
from nodedata_registry.server.service import accounts, fetch, publish, workspaces
from nodedata_registry.server.service.identify import caller_of, identify
from nodedata_registry.server.service.locate import find_model
from nodedata_registry.server.service.publish import OpenedUpload, OrderFile, PublishOrder
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.views import RevisionView

CARD = b"---\nlicense: apache-2.0\nname: Grasp policy\ntask: grasping\n---\n# Grasp policy\n"


class Clock:
    """A clock that stands still unless told otherwise, and starts now so that leases fit file times."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def pass_hours(self, hours: float) -> None:
        self.now += timedelta(hours=hours)


def card(text: str = "", **keys: str) -> bytes:
    """Return a card with these keys, each value spelled as YAML."""
    lines = "".join(f"{key}: {value}\n" for key, value in keys.items())
    return f"---\n{lines}---\n{text}".encode()


def safetensors(tensors: Mapping[str, Sequence[float]], **metadata: str) -> bytes:
    """Return a safetensors file of one-dimensional F32 tensors."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    body = b""
    for name, values in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {
            "dtype": "F32",
            "shape": [len(values)],
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded + body


def order_file(path: str, data: bytes) -> OrderFile:
    """Return the file as a client announces it."""
    entry = FileEntry(path, len(data), sha256_hex(data))
    source = RecordingSource(BytesSource(data))
    try:
        facts = read_file_facts(entry, source)
        spans = cut(len(data), facts.tensors)
    except InvalidWeights:
        spans = cut(len(data))
    pieces = [data[span.offset : span.end] for span in spans]
    blocks = tuple(Block(block_digest(piece), len(piece)) for piece in pieces)
    headers = source.recorded if needs_header(path) else ((0, data),) if path.endswith(".md") else ()
    return OrderFile(entry, blocks, headers)


@dataclass
class World:
    """The registry with an owner, and shorthand for what tests do over and over."""

    registry: Registry
    clock: Clock
    owner: Caller
    owner_key: str
    ref: str = "acme/grasp"
    folder: Path = Path()

    def order(
        self,
        version: str,
        files: Mapping[str, bytes],
        changelog: str = "",
        **rest: object,
    ) -> PublishOrder:
        """Return the order that publishes these files."""
        listed = tuple(order_file(path, data) for path, data in files.items())
        return PublishOrder(version=version, files=listed, changelog=changelog, **rest)  # type: ignore[arg-type]

    def open(self, order: PublishOrder, caller: Caller | None = None) -> OpenedUpload:
        """Open an upload."""
        return publish.open_upload(self.registry, caller or self.owner, self.ref, order)

    def send(self, opened: OpenedUpload, files: Mapping[str, bytes], caller: Caller | None = None) -> str:
        """Send what is missing; return the upload's id."""
        assert opened.upload is not None and opened.checked is not None
        for path, data in files.items():
            offset = 0
            for block in order_file(path, data).blocks:
                piece = data[offset : offset + block.size_bytes]
                offset += block.size_bytes
                if block.digest in opened.checked.missing:
                    publish.put_block(
                        self.registry, caller or self.owner, self.ref, opened.upload.id, block.digest, piece
                    )
        return opened.upload.id

    def publish(
        self,
        version: str,
        files: Mapping[str, bytes],
        changelog: str = "",
        caller: Caller | None = None,
        **rest: object,
    ) -> RevisionView:
        """Publish in one go and return the revision."""
        order = self.order(version, files, changelog, **rest)
        opened = self.open(order, caller)
        if opened.existing is not None:
            return opened.existing
        upload = self.send(opened, files, caller)
        return publish.commit(self.registry, caller or self.owner, self.ref, order, upload).view

    def send_all(self, upload_id: str, files: Mapping[str, bytes], caller: Caller | None = None) -> None:
        """Send every block of the files, needed or not."""
        for path, data in files.items():
            offset = 0
            for block in order_file(path, data).blocks:
                piece = data[offset : offset + block.size_bytes]
                offset += block.size_bytes
                publish.put_block(
                    self.registry, caller or self.owner, self.ref, upload_id, block.digest, piece
                )

    @staticmethod
    def version(text: str) -> Version:
        """Return the version."""
        return Version.parse(text)

    def versions(self) -> list[str]:
        """Return every version of the model, lowest first."""
        with self.registry.catalog.read() as tx:
            model = find_model(self.registry, tx, self.owner, self.ref)
            return [str(one.version) for one in tx.revisions.candidates(model.id)]

    def manifest(self, selector: str) -> Manifest:
        """Return the files of what the selector means."""
        return fetch.plan(self.registry, self.owner, self.ref, selector).manifest

    def read_file(self, selector: str, path: str) -> bytes:
        """Return a whole file."""
        opened = fetch.open_file(self.registry, self.owner, self.ref, selector, path)
        return b"".join(opened.read(0, opened.entry.size_bytes))

    def events(self) -> list[EventRow]:
        """Return every event there is, whoever may see it."""
        with self.registry.catalog.read() as tx:
            return tx.events.after(0, 100_000)

    @staticmethod
    def body(event: EventRow) -> dict[str, object]:
        """Return what an event says."""
        found: dict[str, object] = json.loads(event.canonical)["body"]
        return found

    def account(self, name: str, role: str | None = None) -> Caller:
        """Return a new account's caller, with a role in `acme` if given."""
        row, secret = accounts.create_account(self.registry, self.owner, name, operator=False)
        if role is not None:
            workspaces.put_member(self.registry, self.owner, "acme", row.id, Role(role))
        return identify(self.registry, secret)

    def again(self, caller: Caller) -> Caller:
        """Return the caller with roles and grants as they are now."""
        assert caller.account_id is not None
        with self.registry.catalog.read() as tx:
            return caller_of(tx, caller.account_id, self.clock())
