"""Input that no client of ours sends: paths, bodies, keys, and how it is refused."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from nodedata_registry import wire
from tests.api.actor import Actor, World, announce, policy_files, publish_body, quoted

OPEN = "/v1/models/acme/open"


def raw(world: World, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Send a path exactly as it is written, which urllib3 would tidy up."""
    parts = urlsplit(world.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.putheader("Authorization", f"Bearer {world.root.key}")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def as_json(order: wire.Publish) -> Any:
    """Return a body as plain JSON values, to spoil."""
    return json.loads(msgspec.json.encode(order))


def code_of(body: bytes) -> str:
    return str(json.loads(body)["error"]["code"])


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        f"{OPEN}/revisions/",
        f"{OPEN}//revisions",
        f"{OPEN}/revisions//manifest",
        f"{OPEN}/revisions/%2e%2e/manifest",
        f"{OPEN}/revisions/../manifest",
        f"{OPEN}/revisions/%ff",
        f"{OPEN}/revisions/%C3%28",
        f"{OPEN}/revisions/%zz",
        "/v1/me/",
        "//v1/me",
    ],
)
def test_a_path_that_could_mean_two_things_is_refused(world: World, path: str) -> None:
    status, body = raw(world, path)
    assert (status, code_of(body)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{OPEN}/revisions/latest%2Fmanifest", "invalid_selector"),
        (f"{OPEN}/revisions/latest%2Ffiles%2Fmodel_card.md", "invalid_selector"),
        (f"{OPEN}/revisions/1.0.0%2Fyank", "invalid_selector"),
        (f"{OPEN}%2Frevisions", "model_not_found"),
        ("/v1/models/acme%2Fopen", "model_not_found"),
        ("/v1/models/acme%2Fopen/revisions", "model_not_found"),
        ("/v1/workspaces/acme%2Fmembers", "workspace_not_found"),
    ],
)
def test_an_encoded_slash_never_reaches_another_route(world: World, path: str, code: str) -> None:
    _, body = raw(world, path)
    assert code_of(body) == code


def test_an_encoded_slash_in_the_prefix_is_no_call_of_the_api(world: World) -> None:
    status, body = raw(world, "/v1%2Fme")
    assert status == 404
    assert b"nd_live" not in body


@pytest.mark.parametrize(
    "selector",
    ["%20", "%00", "1.0.0%00", "1.0.0%0A", "^1%20||", "%D9%A1.0.0", "x" * 300, "%5E1%0D%0AX-Evil:%201"],
)
def test_a_selector_that_is_none_is_named_as_such(world: World, selector: str) -> None:
    status, body = raw(world, f"{OPEN}/revisions/{selector}")
    assert (status, code_of(body)) == (400, "invalid_selector")


def test_a_selector_of_ten_thousand_characters_is_refused_quickly(world: World) -> None:
    started = time.monotonic()
    status, _ = raw(world, f"{OPEN}/revisions/{'1.' * 5_000}")
    assert status == 400
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "path", ["..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "a%00b", "CON", "model_card.md%2F"]
)
def test_a_path_that_leads_outside_is_just_not_in_the_revision(world: World, path: str) -> None:
    status, body = raw(world, f"{OPEN}/revisions/1.0.0/files/{path}")
    assert (status, code_of(body)) == (404, "file_not_found")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/models/mdl_00000000000000000000000000", "model_not_found"),
        ("/v1/models/nobody/nothing", "model_not_found"),
        ("/v1/models/acme/UPPER", "model_not_found"),
        ("/v1/models/acme", "model_not_found"),
        ("/v1/workspaces/nobody", "workspace_not_found"),
        (f"{OPEN}/revisions/9.9.9", "revision_not_found"),
        (f"{OPEN}/revisions/sha256:{'0' * 64}", "revision_not_found"),
        (f"{OPEN}/revisions/1.0.0/blocks/{'0' * 64}", "block_not_found"),
        (f"{OPEN}/revisions/1.0.0/blocks/nothing", "block_not_found"),
        ("/v1/nothing", "not_found"),
    ],
)
def test_unknown_ids_are_not_found(world: World, path: str, code: str) -> None:
    reply = world.root.get(path)
    assert (reply.status, reply.code) == (404, code)


def test_a_method_that_a_route_lacks_is_405_with_the_others(world: World) -> None:
    reply = world.root.ask("POST", "/v1/me", {})
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert "GET" in reply.headers["allow"]


# --- every answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthz", "/v1/me", "/v1/nothing", "//", "/", "/openapi.json", OPEN])
def test_every_answer_has_a_request_id(world: World, path: str) -> None:
    reply = world.root.get(path)
    assert re.fullmatch(r"req_[0-9A-HJKMNP-TV-Z]{26}", reply.headers["x-request-id"])
    if reply.status >= 400 and "json" in reply.headers["content-type"]:
        assert reply.error["request_id"] == reply.headers["x-request-id"]


def test_an_error_has_the_four_members(world: World) -> None:
    error = world.root.get(f"{OPEN}/revisions/~~").error
    assert {"code", "message", "field", "request_id"} <= error.keys()
    assert error["field"] == "revision"


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"nonsense", None),
        (b"[]", None),
        (b"null", None),
        (b"{", None),
        (b'{"ref": "acme/x"', None),
        (b'{"ref": 5}', "ref"),
        (b'{"ref": null}', "ref"),
        (b'{"ref": "acme/x", "visibility": "secret"}', "visibility"),
        (b'{"ref": "acme/x", "visbility": "public"}', "visbility"),
        (b'{"visibility": "public"}', "ref"),
        (b'{"ref": "\xff"}', None),
        (b'{"ref": "\\ud800"}', None),
        (b"\xef\xbb\xbf{}", None),
        (b"[" * 100_000, None),
        (b'{"ref":' * 50_000, None),
        (b'{"ref": "acme/x", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", None),
    ],
)
def test_a_misshapen_body_is_an_invalid_request(world: World, body: bytes, field: str | None) -> None:
    reply = world.root.ask("POST", "/v1/models", raw=body)
    assert (reply.status, reply.code) == (400, "invalid_request")
    if field is not None:
        assert reply.error["field"] == field


def test_wrong_types_deep_in_a_publish_are_named_with_their_place(world: World) -> None:
    order = as_json(publish_body("1.0.5", policy_files(9.0)))
    order["files"][1]["blocks"][0][1] = "many"
    reply = world.publisher.ask("POST", f"{OPEN}/uploads", order)
    assert (reply.status, reply.error["field"]) == (400, "files[1].blocks[0][1]")


@pytest.mark.parametrize("number", [-1, 2**63, 10**30])
def test_sizes_that_no_file_has_are_refused(world: World, number: int) -> None:
    order = as_json(publish_body("1.0.5", policy_files(9.0)))
    order["files"][1]["size_bytes"] = number
    order["files"][1]["blocks"] = [["0" * 64, number]]
    order["files"][1]["headers"] = [[number, ""]]
    reply = world.publisher.ask("POST", f"{OPEN}/uploads", order)
    assert reply.status in (400, 413)


def test_a_truth_value_written_as_text_is_refused(world: World) -> None:
    order = as_json(publish_body("1.0.5", policy_files(9.0)))
    order["allow_gap"] = "true"
    reply = world.publisher.ask("POST", f"{OPEN}/uploads", order)
    assert (reply.status, reply.error["field"]) == (400, "allow_gap")


def _declare(world: World, path: str, length: int, method: str = "POST") -> tuple[int, bytes, float]:
    """Announce a large body, send a little, and return what comes back and how soon."""
    parts = urlsplit(world.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.publisher.key}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        started = time.monotonic()
        connection.sendall(head.encode() + b"{" * 1000)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read(), time.monotonic() - started


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/models", "POST"),
        (f"{OPEN}/uploads", "POST"),
        (f"{OPEN}/revisions", "POST"),
        (f"{OPEN}/uploads/upl_0/blocks/{'0' * 64}", "PUT"),
    ],
)
def test_a_hundred_megabytes_are_refused_before_they_are_read(world: World, path: str, method: str) -> None:
    status, body, seconds = _declare(world, path, 100_000_000, method)
    assert (status, code_of(body)) == (413, "too_large")
    assert seconds < 5


def test_a_body_that_grows_without_saying_so_is_refused_at_the_limit(world: World) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    reply = world.root.pool.request(
        "POST",
        world.url + "/v1/models",
        body=pieces(),
        headers={"Authorization": f"Bearer {world.root.key}", "Transfer-Encoding": "chunked"},
    )
    assert reply.status == 413


def test_a_client_that_leaves_midway_is_no_failure_of_the_registry(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(world.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        head = f"POST /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.root.key}\r\n"
        connection.sendall(f"{head}Content-Length: 5000\r\n\r\n{{".encode())
        time.sleep(0.2)
    time.sleep(0.3)
    assert world.root.get("/healthz").status == 200
    assert not caplog.records


def test_a_block_larger_than_the_limit_is_refused(world: World) -> None:
    reply = world.publisher.ask(
        "PUT", f"{OPEN}/uploads/upl_0/blocks/{'0' * 64}", raw=bytes(4 * 1024 * 1024 + 1)
    )
    assert (reply.status, reply.code) == (413, "too_large")


def test_a_block_with_another_digest_is_refused(world: World) -> None:
    opened = world.publisher.ask("POST", f"{OPEN}/uploads", publish_body("1.0.2", policy_files(1.0, 11.0)))
    upload = opened.json["upload"]
    reply = world.publisher.ask("PUT", f"{OPEN}/uploads/{upload}/blocks/{'0' * 64}", raw=b"other bytes")
    assert (reply.status, reply.code) == (400, "digest_mismatch")


def test_a_commit_without_its_blocks_names_them(world: World) -> None:
    files = policy_files(1.0, 12.0)
    opened = world.publisher.ask("POST", f"{OPEN}/uploads", publish_body("1.0.2", files))
    order = msgspec.structs.replace(publish_body("1.0.2", files), upload=opened.json["upload"])
    reply = world.publisher.ask("POST", f"{OPEN}/revisions", order)
    assert (reply.status, reply.code) == (409, "blocks_missing")
    assert reply.error["missing"] == opened.json["missing"]


def test_a_bump_too_low_lists_its_findings(world: World) -> None:
    card = b"---\nlicense: mit\n---\n"
    reply = world.publisher.publish("acme/open", "1.0.2", {"model_card.md": card})
    assert (reply.status, reply.code) == (422, "version_too_low")
    assert "license_changed" in [finding["code"] for finding in reply.error["findings"]]


def test_a_dry_run_says_the_same_without_refusing(world: World) -> None:
    order = publish_body("1.0.2", {"model_card.md": b"---\nlicense: mit\n---\n"})
    reply = world.publisher.ask("POST", f"{OPEN}/revisions?dry_run=true", order)
    assert (reply.status, reply.json["ok"]) == (200, False)


def test_a_publish_is_201_and_its_repetition_200(world: World) -> None:
    world.owner.done("POST", "/v1/models", {"ref": "acme/twice"})
    first = world.publisher.publish("acme/twice", "1.0.0", policy_files(1.0))
    again = world.publisher.publish("acme/twice", "1.0.0", policy_files(1.0))
    assert (first.status, again.status) == (201, 200)
    assert first.json["id"] == again.json["revision"]["id"]
    other = world.publisher.publish("acme/twice", "1.0.0", policy_files(2.0))
    assert (other.status, other.code) == (409, "version_exists")


def test_a_weight_file_that_is_none_is_refused_with_its_name(world: World) -> None:
    announced = announce("notes.md", b"\xff" * 64)
    bad = msgspec.structs.replace(announced, path="weights/model.safetensors", headers=[(0, b"\xff" * 64)])
    order = publish_body("1.0.6", {})
    reply = world.publisher.ask("POST", f"{OPEN}/uploads", msgspec.structs.replace(order, files=[bad]))
    assert (reply.status, reply.code) == (422, "invalid_weights")
    assert "weights/model.safetensors" in reply.error["message"]


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "Bearer nd_live_" + "0" * 38,
        "Bearer x",
        "Basic b3duZXI6eA==",
        "Bearer",
        "nd_live_" + "0" * 38,
        "Bearer \xff",
    ],
)
@pytest.mark.parametrize("path", [OPEN, "/v1/me", "/v1/models/hidden/secret"])
def test_a_key_that_is_none_is_refused_even_where_none_is_needed(
    world: World, path: str, header: str
) -> None:
    reply = world.anonymous.get(path, authorization=header)
    assert (reply.status, reply.code) == (401, "not_authenticated")
    assert reply.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    made = world.reader.done("POST", "/v1/keys", {"name": "short-lived"})
    holder = Actor(world.url, made["key"])
    assert holder.get("/v1/me").status == 200
    assert world.reader.ask("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert holder.get(OPEN).code == "not_authenticated"


def test_an_expired_key_is_refused(world: World) -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=1)
    made = world.reader.done("POST", "/v1/keys", {"expires_at": soon.isoformat()})
    holder = Actor(world.url, made["key"])
    assert holder.get("/v1/me").status == 200
    time.sleep(1.1)
    reply = holder.get(OPEN)
    assert (reply.status, reply.code) == (401, "not_authenticated")


def test_a_key_without_a_scope_is_told_which(world: World) -> None:
    made = world.publisher.done("POST", "/v1/keys", {"scopes": ["models:read"]})
    reply = Actor(world.url, made["key"]).ask("PUT", f"{OPEN}/revisions/1.0.0/yank", {"reason": "x"})
    assert (reply.status, reply.code, reply.error["scope"]) == (403, "scope_missing", "models:yank")


def test_a_key_of_one_workspace_sees_nothing_of_another(world: World) -> None:
    made = world.reader.done("POST", "/v1/keys", {"workspace": "acme"})
    holder = Actor(world.url, made["key"])
    assert holder.get("/v1/models/acme/closed").status == 200
    assert holder.get("/v1/models/hidden/secret").code == "model_not_found"


def test_a_granted_account_sees_that_model_and_nothing_else(world: World) -> None:
    grant = f"/v1/models/acme/closed/grants/{world.stranger.id}"
    world.owner.done("PUT", grant, {})
    assert world.stranger.get("/v1/models/acme/closed").status == 200
    assert world.stranger.get("/v1/models/hidden/secret").status == 404
    assert world.owner.ask("DELETE", grant).status == 204
    assert world.stranger.get("/v1/models/acme/closed").status == 404


def test_a_secret_is_shown_once(world: World) -> None:
    made = world.reader.done("POST", "/v1/keys", {"name": "once"})
    assert made["key"] not in json.dumps(world.reader.done("GET", "/v1/keys"))


def test_me_shows_account_key_and_roles(world: World) -> None:
    me = world.publisher.done("GET", "/v1/me")
    assert me["account"]["id"] == world.publisher.id
    assert {"workspace": "acme", "role": "publisher"} in me["workspaces"]
    assert me["key"]["prefix"] == (world.publisher.key or "")[:12]


# --- lists --------------------------------------------------------------------------------------


def test_lists_page_by_an_opaque_cursor(world: World) -> None:
    first = world.reader.done("GET", f"{OPEN}/revisions?limit=1")
    assert first["has_more"]
    second = world.reader.done("GET", f"{OPEN}/revisions?limit=1&cursor={quoted(first['next_cursor'])}")
    assert [first["items"][0]["version"], second["items"][0]["version"]] == ["1.0.1", "1.0.0"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", f"limit={10**30}"])
def test_a_limit_out_of_range_is_refused(world: World, query: str) -> None:
    reply = world.reader.get(f"/v1/models?{query}")
    assert (reply.status, reply.error["field"]) == (400, "limit")


@pytest.mark.parametrize("path", [f"{OPEN}/revisions", "/v1/events", "/v1/models"])
@pytest.mark.parametrize("cursor", ["nonsense", "%00", "-1", "9" * 40, "%27%20OR%201=1"])
def test_a_cursor_from_elsewhere_never_breaks_a_list(world: World, path: str, cursor: str) -> None:
    reply = world.reader.get(f"{path}?cursor={cursor}")
    assert reply.status in (200, 400, 404)


def test_search_takes_any_text(world: World) -> None:
    for text in ("grasp", '"', "a AND", "*", "(", "%", "\x00", "é" * 300):
        assert world.reader.get(f"/v1/models?q={quoted(text)}").status == 200
    assert [m["ref"] for m in world.anonymous.done("GET", "/v1/models?q=grasp&workspace=acme")["items"]] == [
        "acme/open"
    ]


def test_events_are_polled_with_the_last_cursor(world: World) -> None:
    page = world.owner.done("GET", "/v1/events?limit=5")
    assert len(page["items"]) == 5
    after = world.owner.done("GET", f"/v1/events?cursor={quoted(page['next_cursor'])}&limit=100")
    assert not {event["id"] for event in page["items"]} & {event["id"] for event in after["items"]}
