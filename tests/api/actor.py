"""Users of a served registry: what each may do is what the tests ask about."""

from __future__ import annotations

import hashlib
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3

from nodedata_registry import wire
from nodedata_registry.core.blocks import cut
from nodedata_registry.core.digests import block_digest
from nodedata_registry.core.facts import BytesSource, RecordingSource, needs_header, read_file_facts
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import InvalidWeights
from nodedata_registry.server.config import Settings
from nodedata_registry.server.serve import Started, Stopper, serve

CARD = b"---\nlicense: apache-2.0\nname: Grasp policy\n---\n# Grasp policy\n"

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers (any case), body."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        found: Json = self.json["error"]
        return found

    @property
    def code(self) -> str:
        """Return the error's code; empty for a success."""
        return str(self.error["code"]) if self.status >= 400 else ""


@dataclass
class Actor:
    """Somebody with a key, or nobody in particular."""

    url: str
    key: str | None = None
    id: str = ""
    pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30.0)
    )

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; `body` as JSON, or `raw` as it is."""
        sent = dict(headers or {})
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        data = raw if raw is not None else (None if body is None else msgspec.json.encode(body))
        answer = self.pool.request(method, self.url + path, body=data, headers=sent)
        return Reply(answer.status, answer.headers, answer.data)

    def get(self, path: str, **headers: str) -> Reply:
        """GET with headers given as `if_none_match="…"`."""
        return self.ask(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def done(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that must succeed; return its JSON."""
        reply = self.ask(method, path, body)
        assert reply.status < 300, reply.body
        return reply.json if reply.body else None

    def publish(self, model: str, version: str, files: Mapping[str, bytes], **extra: Any) -> Reply:
        """Publish files as a client does: open, send what is missing, commit."""
        order = publish_body(version, files, **extra)
        opened = self.ask("POST", f"/v1/models/{model}/uploads", order)
        if opened.status >= 300 or opened.json["upload"] is None:
            return opened
        upload = opened.json["upload"]
        pieces = {digest: piece for data, path in _swap(files) for digest, piece in blocks_of(path, data)}
        for digest in opened.json["missing"]:
            sent = self.ask("PUT", f"/v1/models/{model}/uploads/{upload}/blocks/{digest}", raw=pieces[digest])
            assert sent.status == 201, sent.body
        return self.ask("POST", f"/v1/models/{model}/revisions", commit_body(version, files, upload, **extra))


def _swap(files: Mapping[str, bytes]) -> list[tuple[bytes, str]]:
    return [(data, path) for path, data in files.items()]


def publish_body(version: str, files: Mapping[str, bytes], **extra: Any) -> wire.Publish:
    """Return the body that opens an upload or asks for a check."""
    announced = [announce(path, data) for path, data in files.items()]
    return wire.Publish(version=version, files=announced, changelog=extra.pop("changelog", version), **extra)


def commit_body(version: str, files: Mapping[str, bytes], upload: str, **extra: Any) -> wire.Publish:
    """Return the body that commits an upload: the same without headers."""
    order = publish_body(version, files, **extra)
    bare = [msgspec.structs.replace(one, headers=[]) for one in order.files]
    return msgspec.structs.replace(order, files=bare, upload=upload)


def announce(path: str, data: bytes) -> wire.UploadFile:
    """Return a file as a client announces it."""
    entry = FileEntry(path, len(data), hashlib.sha256(data).hexdigest())
    source = RecordingSource(BytesSource(data))
    if needs_header(path):
        read_file_facts(entry, source)
    headers = list(source.recorded) if needs_header(path) else []
    if path.endswith(".md"):
        headers = [(0, data)]
    blocks = [(digest, len(piece)) for digest, piece in blocks_of(path, data)]
    return wire.UploadFile(
        path=path, size_bytes=len(data), sha256=entry.sha256, blocks=blocks, headers=headers
    )


def blocks_of(path: str, data: bytes) -> list[tuple[str, bytes]]:
    """Return the file's blocks as (digest, bytes)."""
    entry = FileEntry(path, len(data), hashlib.sha256(data).hexdigest())
    try:
        spans = cut(len(data), read_file_facts(entry, BytesSource(data)).tensors)
    except InvalidWeights:
        spans = cut(len(data))
    pieces = [data[span.offset : span.end] for span in spans]
    return [(block_digest(piece), piece) for piece in pieces]


def weights(*values: float) -> bytes:
    """Return a safetensors file with one tensor."""
    data = struct.pack(f"<{len(values)}f", *values)
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]}}
    ).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data


def policy_files(*values: float) -> dict[str, bytes]:
    """Return a small revision: a card and weights."""
    return {"model_card.md": CARD, "weights/model.safetensors": weights(*values)}


def quoted(selector: str) -> str:
    """Return a selector as one path segment."""
    return quote(selector, safe="")


@contextmanager
def served(settings: Settings) -> Iterator[Started]:
    """Serve a folder in a thread of this process until the block ends."""
    stopper = Stopper()
    started: list[Started] = []
    failed: list[BaseException] = []
    ready = threading.Event()

    def tell(found: Started) -> None:
        started.append(found)
        ready.set()

    def run() -> None:
        try:
            serve(settings, on_started=tell, stopper=stopper)
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="served")
    thread.start()
    ready.wait(60)
    if failed:
        raise failed[0]
    try:
        yield started[0]
    finally:
        stopper.stop()
        thread.join(60)
    if failed:
        raise failed[0]


@dataclass(frozen=True)
class World:
    """A served registry with people in it.

    Workspace `acme` has the public model `acme/open` and the private `acme/closed`; workspace `hidden`
    has only `hidden/secret`. Reader, publisher and owner are members of both; the operator and the
    stranger of none. `root` made everything.
    """

    url: str
    data: Path
    root: Actor
    people: dict[str, Actor]

    def __getattr__(self, name: str) -> Actor:
        return self.people[name]


def populate(started: Started, data: Path) -> World:
    """Fill a fresh registry with the people and models of `World`."""
    root = Actor(started.url, started.owner_key)
    people = {"anonymous": Actor(started.url)}
    for name in ("stranger", "reader", "publisher", "owner", "operator"):
        made = root.done("POST", "/v1/accounts", {"name": name, "operator": name == "operator"})
        people[name] = Actor(started.url, made["key"], made["id"])
    for slug in ("acme", "hidden"):
        root.done("POST", "/v1/workspaces", {"slug": slug})
        for role in ("reader", "publisher", "owner"):
            root.done("PUT", f"/v1/workspaces/{slug}/members/{people[role].id}", {"role": role})
    for ref, visibility in (
        ("acme/open", "public"),
        ("acme/closed", "private"),
        ("hidden/secret", "private"),
    ):
        root.done("POST", "/v1/models", {"ref": ref, "visibility": visibility})
        for version, values in (("1.0.0", (1.0, 2.0)), ("1.0.1", (1.0, 3.0))):
            reply = root.publish(ref, version, policy_files(*values))
            assert reply.status == 201, reply.body
    return World(started.url, data, root, people)
