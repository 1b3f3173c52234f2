"""Uploads that no client of ours sends: refused in the contract's shape, at a bounded cost.

Every refusal is the same: status, code, a sentence, the request's id; and the server answers the next
one. Its memory is watched from outside.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import msgspec
import pytest

from nodedata_registry import wire
from nodedata_registry.core.digests import block_digest
from tests.api.actor import CARD, Actor, Reply, announce, blocks_of, commit_body, policy_files, publish_body
from tests.journeys.running import OWNER_KEY, Running

MB = 1_000_000
MODEL = "/v1/models/acme/grasp"
SECRET = "/v1/models/rival/secret"
FILES = policy_files(1.0, 2.0, 3.0)
SECRET_FILES = policy_files(4.0, 5.0, 6.0)


@dataclass(frozen=True)
class House:
    """Two tenants of one registry: a publisher of `acme`, and one of `rival` with a private revision."""

    registry: Running
    owner: Actor
    acme: Actor
    rival: Actor


@pytest.fixture(scope="module")
def house(registry: Running) -> House:
    owner = Actor(registry.url, OWNER_KEY)
    owner.done("POST", "/v1/workspaces", {"slug": "rival"})
    people = {}
    for slug in ("acme", "rival"):
        made = owner.done("POST", "/v1/accounts", {"name": slug})
        owner.done("PUT", f"/v1/workspaces/{slug}/members/{made['id']}", {"role": "publisher"})
        people[slug] = Actor(registry.url, made["key"], made["id"])
    owner.done("POST", "/v1/models", {"ref": "acme/grasp"})
    owner.done("POST", "/v1/models", {"ref": "rival/secret"})
    assert people["rival"].publish("rival/secret", "1.0.0", SECRET_FILES).status == 201
    return House(registry, owner, people["acme"], people["rival"])


@pytest.fixture
def upload(house: House) -> str:
    """An open upload of `FILES` to `acme/grasp`; nothing was sent yet."""
    opened = house.acme.done("POST", f"{MODEL}/uploads", publish_body("1.0.0", FILES))
    return str(opened["upload"])


@pytest.fixture(autouse=True)
def _nothing_came_of_it(house: House) -> Iterator[None]:
    """After every test the server answers and nothing became visible."""
    yield
    assert house.acme.get("/healthz").status == 200
    assert house.acme.done("GET", f"{MODEL}/revisions")["items"] == []


def refused(reply: Reply, status: int, code: str) -> Reply:
    """Pass if the reply is an error in the contract's shape, with this status and code."""
    assert (reply.status, reply.code) == (status, code), reply.body[:500]
    assert reply.headers["content-type"] == "application/json"
    assert {"code", "message", "field", "request_id"} <= reply.error.keys()
    assert reply.error["message"]
    assert reply.error["request_id"] == reply.headers["x-request-id"]
    return reply


@contextmanager
def memory_within(registry: Running, size_bytes: int) -> Iterator[None]:
    """Pass if the server never needs more than `size_bytes` on top of what it has now."""
    registry.forget_peak()
    before = registry.resident_bytes()
    yield
    assert registry.peak_bytes() - before < size_bytes


def changed(order: wire.Publish, number: int, **changes: object) -> wire.Publish:
    """Return an order with one of its files changed."""
    files = list(order.files)
    files[number] = msgspec.structs.replace(files[number], **changes)
    return msgspec.structs.replace(order, files=files)


# --- what is sent is not what was announced -----------------------------------------------------


def test_a_block_with_another_digest_is_refused(house: House, upload: str) -> None:
    reply = house.acme.ask("PUT", f"{MODEL}/uploads/{upload}/blocks/{'0' * 64}", raw=b"other bytes")
    refused(reply, 400, "digest_mismatch")


def test_a_commit_without_a_block_names_it(house: House, upload: str) -> None:
    digests = {digest for path, data in FILES.items() for digest, _ in blocks_of(path, data)}
    reply = house.acme.ask("POST", f"{MODEL}/revisions", commit_body("1.0.0", FILES, upload))
    assert set(refused(reply, 409, "blocks_missing").error["missing"]) == digests


def test_a_commit_that_names_blocks_which_its_upload_never_did_is_refused(house: House, upload: str) -> None:
    others = policy_files(7.0, 8.0, 9.0)
    reply = house.acme.ask("POST", f"{MODEL}/revisions", commit_body("1.0.0", others, upload))
    refused(reply, 409, "blocks_missing")


def test_blocks_of_another_tenant_do_not_count_and_cannot_be_told_from_absent_ones(house: House) -> None:
    opened = house.acme.done("POST", f"{MODEL}/uploads", publish_body("1.0.0", SECRET_FILES))
    expected = {digest for path, data in SECRET_FILES.items() for digest, _ in blocks_of(path, data)}
    assert set(opened["missing"]) >= {
        digest
        for digest, _ in blocks_of("weights/model.safetensors", SECRET_FILES["weights/model.safetensors"])
    }
    body = commit_body("1.0.0", SECRET_FILES, opened["upload"])
    missing = refused(house.acme.ask("POST", f"{MODEL}/revisions", body), 409, "blocks_missing")
    assert set(missing.error["missing"]) == set(opened["missing"]) <= expected


def test_an_upload_of_another_tenant_takes_nothing(house: House, upload: str) -> None:
    data = b"from a rival"
    digest = block_digest(data)
    for model in (MODEL, SECRET):
        reply = house.rival.ask("PUT", f"{model}/uploads/{upload}/blocks/{digest}", raw=data)
        refused(reply, 404, "upload_not_found" if model == SECRET else "model_not_found")


@pytest.mark.parametrize("difference", [-1, 1, 2**41])
def test_sizes_that_do_not_add_up_are_refused_at_once(house: House, difference: int) -> None:
    order = publish_body("1.0.0", FILES)
    lie = changed(order, 1, size_bytes=order.files[1].size_bytes + difference)
    refused(house.acme.ask("POST", f"{MODEL}/uploads", lie), 400, "invalid_request")


def test_a_block_that_is_shorter_than_announced_is_noticed_before_the_commit(house: House) -> None:
    order = publish_body("1.0.0", {"model_card.md": CARD, "notes.dat": b"abcdef"})
    lie = changed(order, 1, size_bytes=7, blocks=[(block_digest(b"abcdef"), 7)])
    upload = house.acme.done("POST", f"{MODEL}/uploads", lie)["upload"]
    for data in (CARD, b"abcdef"):
        place = f"{MODEL}/uploads/{upload}/blocks/{block_digest(data)}"
        assert house.acme.ask("PUT", place, raw=data).status == 201
    bare = [msgspec.structs.replace(one, headers=[]) for one in lie.files]
    body = msgspec.structs.replace(lie, files=bare, upload=upload)
    refused(house.acme.ask("POST", f"{MODEL}/revisions", body), 400, "digest_mismatch")


def test_a_file_whose_bytes_have_another_sha256_is_refused_at_the_commit(house: House) -> None:
    order = publish_body("1.0.0", {"model_card.md": CARD, "notes.dat": b"abcdef"})
    lie = changed(order, 1, sha256=hashlib.sha256(b"other").hexdigest())
    upload = house.acme.done("POST", f"{MODEL}/uploads", lie)["upload"]
    for data in (CARD, b"abcdef"):
        place = f"{MODEL}/uploads/{upload}/blocks/{block_digest(data)}"
        assert house.acme.ask("PUT", place, raw=data).status == 201
    bare = [msgspec.structs.replace(one, headers=[]) for one in lie.files]
    body = msgspec.structs.replace(lie, files=bare, upload=upload)
    refused(house.acme.ask("POST", f"{MODEL}/revisions", body), 400, "digest_mismatch")


def test_a_header_that_differs_from_the_weights_behind_it_is_noticed(house: House) -> None:
    """The header that passes the checks is not the one whose blocks are sent."""
    good, bad = FILES["weights/model.safetensors"], b"\xff" * len(FILES["weights/model.safetensors"])
    shown = announce("weights/model.safetensors", good)
    sizes = [size for _, size in shown.blocks]
    pieces = [bad[sum(sizes[:n]) : sum(sizes[: n + 1])] for n in range(len(sizes))]
    lie = msgspec.structs.replace(
        shown,
        sha256=hashlib.sha256(bad).hexdigest(),
        blocks=[(block_digest(piece), len(piece)) for piece in pieces],
    )
    order = wire.Publish(version="1.0.0", files=[announce("model_card.md", CARD), lie], changelog="")
    opened = house.acme.done("POST", f"{MODEL}/uploads", order)
    for data in (CARD, *pieces):
        place = f"{MODEL}/uploads/{opened['upload']}/blocks/{block_digest(data)}"
        assert house.acme.ask("PUT", place, raw=data).status == 201
    bare = [msgspec.structs.replace(one, headers=[]) for one in order.files]
    body = msgspec.structs.replace(order, files=bare, upload=opened["upload"])
    refused(house.acme.ask("POST", f"{MODEL}/revisions", body), 422, "invalid_weights")


def raw_put(house: House, path: str, head: str, sent: bytes) -> socket.socket:
    """Send the head of a request and a part of its body."""
    parts = urlsplit(house.registry.url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    connection.sendall(
        f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.acme.key}\r\n{head}\r\n\r\n".encode()
        + sent
    )
    return connection


@pytest.mark.parametrize("head", ["Content-Length: 4000000", "Transfer-Encoding: chunked"])
def test_a_body_that_breaks_off_stores_nothing(house: House, upload: str, head: str) -> None:
    data = head.encode().ljust(4_000_000)
    digest = block_digest(data)
    sent = data[:100_000] if "Length" in head else b"3d0900\r\n" + data[:100_000]
    path = f"{MODEL}/uploads/{upload}/blocks/{digest}"
    with raw_put(house, path, head, sent):
        time.sleep(0.2)
    time.sleep(0.2)
    assert not list(house.registry.data.rglob(digest))
    reply = house.acme.ask("PUT", path, raw=data)
    assert reply.status == 201, reply.body


# --- too large ----------------------------------------------------------------------------------


def test_a_block_over_the_limit_is_413(house: House, upload: str) -> None:
    data = bytes(4 * 1024 * 1024 + 1)
    reply = house.acme.ask("PUT", f"{MODEL}/uploads/{upload}/blocks/{block_digest(data)}", raw=data)
    refused(reply, 413, "too_large")


def test_an_empty_block_is_refused(house: House, upload: str) -> None:
    reply = house.acme.ask("PUT", f"{MODEL}/uploads/{upload}/blocks/{block_digest(b'')}", raw=b"")
    refused(reply, 400, "invalid_request")


def chunks(total: int) -> Iterator[bytes]:
    """Yield spaces, which JSON allows before its value."""
    for _ in range(0, total, MB):
        yield b" " * MB


@pytest.mark.parametrize("path", ["/v1/models", f"{MODEL}/uploads", f"{MODEL}/revisions"])
def test_a_hundred_megabytes_of_json_are_413_and_not_kept(house: House, path: str) -> None:
    with memory_within(house.registry, 20 * MB):
        refused(house.acme.ask("POST", path, raw=b'"' + b"a" * 100 * MB + b'"'), 413, "too_large")


def test_a_body_that_does_not_say_its_length_is_413_at_the_limit(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.acme.key}"}
    with memory_within(house.registry, 120 * MB):
        answer = house.acme.pool.request(
            "POST", house.registry.url + f"{MODEL}/uploads", body=chunks(100 * MB), headers=headers
        )
        refused(Reply(answer.status, answer.headers, answer.data), 413, "too_large")


@pytest.mark.parametrize(
    ("begin", "item", "end"),
    [
        (b'{"version":"1.0.0","changelog":"","files":[],"remove":[', b'"a",', b'"b"]}'),
        (
            b'{"version":"1.0.0","changelog":"","files":[{"path":"a","size_bytes":1,"sha256":"","blocks":[',
            b'["a",1],',
            b'["b",1]]}]}',
        ),
    ],
    ids=["removals", "blocks"],
)
def test_millions_of_tiny_values_are_refused_before_they_are_built(
    house: House, begin: bytes, item: bytes, end: bytes
) -> None:
    body = begin + item * (45 * MB // len(item)) + end
    with memory_within(house.registry, 200 * MB):
        refused(house.acme.ask("POST", f"{MODEL}/uploads", raw=body), 413, "too_large")


@pytest.mark.parametrize("shape", ["[", '{"files":'])
def test_json_nested_a_million_deep_is_refused(house: House, shape: str) -> None:
    with memory_within(house.registry, 50 * MB):
        for path in (f"{MODEL}/uploads", f"{MODEL}/revisions"):
            body = (shape * MB)[: 900 * 1000].encode()
            refused(house.acme.ask("POST", path, raw=body), 400, "invalid_request")


def test_json_nested_where_any_value_is_allowed_is_refused(house: House) -> None:
    body = b'{"version":"1.0.0","changelog":"","files":[],"accept":' + b"[" * 500_000 + b"]" * 500_000 + b"}"
    refused(house.acme.ask("POST", f"{MODEL}/uploads", raw=body), 400, "invalid_request")


def order_with_header(header: bytes) -> wire.Publish:
    """Return an order whose weights consist of a header and one float16."""
    data = struct.pack("<Q", len(header)) + header + b"\0\0"
    block = 4 * 1024 * 1024
    # The checks come to the header before they come to the blocks, whose digests nobody computes here.
    blocks = [("0" * 64, min(block, len(data) - start)) for start in range(0, len(data), block)]
    file = wire.UploadFile(
        path="model.safetensors",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        blocks=blocks,
        headers=[(0, data)],
    )
    return wire.Publish(version="1.0.0", files=[announce("model_card.md", CARD), file], changelog="")


_TENSOR = b'"t":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}'


def test_a_header_over_twenty_five_megabytes_is_refused(house: House) -> None:
    header = b'{"__metadata__":{"a":"' + b"x" * 25 * MB + b'"},' + _TENSOR + b"}"
    with memory_within(house.registry, 250 * MB):
        refused(house.acme.ask("POST", f"{MODEL}/uploads", order_with_header(header)), 422, "invalid_weights")


def test_a_header_of_a_million_tensors_is_refused(house: House) -> None:
    entries = (f'"t{number}":{{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}' for number in range(400_000))
    header = ("{" + ",".join(entries) + "}").encode()
    with memory_within(house.registry, 250 * MB):
        reply = house.acme.ask("POST", f"{MODEL}/uploads", order_with_header(header))
        assert "tensors" in refused(reply, 422, "invalid_weights").error["message"]


def test_a_header_of_a_million_notes_is_refused(house: House) -> None:
    notes = ",".join(f'"k{number}":"v"' for number in range(MB))
    header = b'{"__metadata__":{' + notes.encode() + b"}," + _TENSOR + b"}"
    reply = house.acme.ask("POST", f"{MODEL}/uploads", order_with_header(header))
    assert "__metadata__" in refused(reply, 422, "invalid_weights").error["message"]


def test_memory_does_not_grow_with_the_number_of_hostile_uploads(house: House) -> None:
    header = b'{"__metadata__":{"a":"' + b"x" * 24 * MB + b'"},' + _TENSOR + b"}"
    body = msgspec.json.encode(order_with_header(header))
    house.acme.ask("POST", f"{MODEL}/uploads", raw=body)
    with memory_within(house.registry, 200 * MB):
        for _ in range(6):
            refused(house.acme.ask("POST", f"{MODEL}/uploads", raw=body), 400, "invalid_request")


# --- unknown ids, and keys that are none --------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/v1/models/mdl_01ARZ3NDEKTSV4RRFFQ69G5FAV", None, "model_not_found"),
        ("GET", "/v1/models/acme/absent/revisions", None, "model_not_found"),
        ("GET", f"{MODEL}/revisions/9.9.9", None, "revision_not_found"),
        ("GET", f"{MODEL}/revisions/sha256%3A{'0' * 64}", None, "revision_not_found"),
        ("GET", "/v1/workspaces/absent", None, "workspace_not_found"),
        ("DELETE", "/v1/keys/key_01ARZ3NDEKTSV4RRFFQ69G5FAV", None, "key_not_found"),
        ("GET", SECRET, None, "model_not_found"),
        ("GET", f"{SECRET}/revisions/1.0.0", None, "model_not_found"),
        ("POST", f"{SECRET}/uploads", publish_body("1.0.1", FILES), "model_not_found"),
        ("PUT", f"{SECRET}/revisions/1.0.0/yank", {"reason": "mischief"}, "model_not_found"),
    ],
)
def test_what_is_unknown_or_hidden_is_404(
    house: House, method: str, path: str, body: object, code: str
) -> None:
    refused(house.acme.ask(method, path, body), 404, code)


@pytest.mark.parametrize("upload_id", ["upl_01ARZ3NDEKTSV4RRFFQ69G5FAV", "upl_", "x" * 2000, "%00"])
def test_an_unknown_upload_takes_no_block_and_no_commit(house: House, upload_id: str) -> None:
    digest = block_digest(b"data")
    reply = house.acme.ask("PUT", f"{MODEL}/uploads/{upload_id}/blocks/{digest}", raw=b"data")
    assert (reply.status, reply.code) in {(404, "upload_not_found"), (400, "invalid_request")}
    body = commit_body("1.0.0", FILES, "upl_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    refused(house.acme.ask("POST", f"{MODEL}/revisions", body), 404, "upload_not_found")


def new_key(house: House, **wish: object) -> Actor:
    """Return the publisher of `acme` with another key."""
    made = house.acme.done("POST", "/v1/keys", wish)
    return Actor(house.registry.url, made["key"], made["id"])


def test_an_upload_dies_with_the_key_that_was_revoked(house: House) -> None:
    actor = new_key(house)
    upload = actor.done("POST", f"{MODEL}/uploads", publish_body("1.0.0", FILES))["upload"]
    house.acme.done("DELETE", f"/v1/keys/{actor.id}")
    digest = block_digest(b"data")
    reply = actor.ask("PUT", f"{MODEL}/uploads/{upload}/blocks/{digest}", raw=b"data")
    assert refused(reply, 401, "not_authenticated").headers["www-authenticate"].startswith("Bearer")


def test_an_expired_key_is_401_from_one_request_to_the_next(house: House) -> None:
    ends = datetime.now(timezone.utc) + timedelta(seconds=1.5)
    actor = new_key(house, expires_at=ends.isoformat())
    assert actor.get("/v1/me").status == 200
    time.sleep(max(0.0, (ends - datetime.now(timezone.utc)).total_seconds()) + 0.05)
    refused(actor.get("/v1/me"), 401, "not_authenticated")


@pytest.mark.parametrize("key", ["nd_live_" + "A" * 40, "nonsense", "nd_live_", "ü" * 20, "x" * 10_000])
def test_a_key_that_nobody_has_is_401(house: House, key: str) -> None:
    actor = Actor(house.registry.url)
    reply = actor.ask("GET", MODEL, headers={"Authorization": b"Bearer " + key.encode()})  # type: ignore[dict-item]
    refused(reply, 401, "not_authenticated")


def test_a_key_that_may_only_read_cannot_open_an_upload(house: House) -> None:
    reader = new_key(house, scopes=["models:read"])
    reply = reader.ask("POST", f"{MODEL}/uploads", publish_body("1.0.0", FILES))
    assert refused(reply, 403, "scope_missing").error["scope"] == "models:upload"


def test_a_head_that_is_no_http_gets_an_answer_and_harms_nobody(house: House) -> None:
    parts = urlsplit(house.registry.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(b"\x16\x03\x01 this is no HTTP at all\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        try:
            answer.begin()
        except http.client.HTTPException:
            return
        assert answer.status == 400


def test_json_that_is_none_says_where_it_breaks(house: House) -> None:
    reply = house.acme.ask("POST", f"{MODEL}/uploads", raw=b'{"version": }')
    assert "JSON" in refused(reply, 400, "invalid_request").error["message"]
    assert json.loads(reply.body)
