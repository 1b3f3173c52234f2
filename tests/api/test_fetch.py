"""Fetching over HTTP: files, ranges, tags, blocks, yank headers."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from urllib.parse import unquote

import pytest

from tests.api.actor import CARD, World, policy_files, quoted, weights

REVISION = "/v1/models/acme/closed/revisions/1.0.1"
WEIGHTS = REVISION + "/files/weights/model.safetensors"
DATA = weights(1.0, 3.0)
DIGEST = hashlib.sha256(DATA).hexdigest()


def test_a_file_comes_whole_with_its_digest(world: World) -> None:
    reply = world.reader.get(WEIGHTS)
    assert (reply.status, reply.body) == (200, DATA)
    assert reply.headers["content-length"] == str(len(DATA))
    assert reply.headers["etag"] == f'"{DIGEST}"'
    assert reply.headers["repr-digest"] == f"sha-256=:{b64encode(bytes.fromhex(DIGEST)).decode()}:"


def test_no_browser_runs_what_users_published(world: World) -> None:
    headers = world.reader.get(WEIGHTS).headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''model.safetensors"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_range_is_answered_with_that_part(world: World) -> None:
    reply = world.reader.get(WEIGHTS, range="bytes=3-9")
    assert (reply.status, reply.body) == (206, DATA[3:10])
    assert reply.headers["content-range"] == f"bytes 3-9/{len(DATA)}"
    assert reply.headers["content-length"] == "7"


def test_a_suffix_range_is_answered_with_the_end(world: World) -> None:
    reply = world.reader.get(WEIGHTS, range="bytes=-4")
    assert (reply.status, reply.body) == (206, DATA[-4:])


def test_a_range_behind_the_end_names_the_size(world: World) -> None:
    reply = world.reader.get(WEIGHTS, range=f"bytes={len(DATA)}-")
    assert (reply.status, reply.code) == (416, "range_not_satisfiable")
    assert reply.headers["content-range"] == f"bytes */{len(DATA)}"


def test_several_ranges_give_the_whole_file(world: World) -> None:
    reply = world.reader.get(WEIGHTS, range="bytes=0-1,4-5")
    assert (reply.status, reply.body) == (200, DATA)


def test_if_range_with_another_tag_gives_the_whole_file(world: World) -> None:
    changed = world.reader.get(WEIGHTS, range="bytes=0-1", if_range='"other"')
    same = world.reader.get(WEIGHTS, range="bytes=0-1", if_range=f'"{DIGEST}"')
    assert (changed.status, same.status) == (200, 206)


def test_head_gives_the_headers_of_get_without_the_body(world: World) -> None:
    head = world.reader.ask("HEAD", WEIGHTS)
    get = world.reader.get(WEIGHTS)
    assert (head.status, head.body) == (200, b"")
    for name in ("content-length", "etag", "repr-digest", "content-type", "cache-control", "accept-ranges"):
        assert head.headers[name] == get.headers[name]


def test_head_of_a_json_answer_keeps_its_length(world: World) -> None:
    head = world.reader.ask("HEAD", REVISION)
    assert head.body == b""
    assert head.headers["content-length"] == str(len(world.reader.get(REVISION).body))


def test_an_absent_file_is_named(world: World) -> None:
    reply = world.reader.get(REVISION + "/files/weights/other.bin")
    assert (reply.status, reply.code) == (404, "file_not_found")


@pytest.mark.parametrize("tail", ["", "/manifest", "/plan", "/files/model_card.md"])
def test_an_unchanged_answer_is_304(world: World, tail: str) -> None:
    first = world.reader.get(REVISION + tail)
    again = world.reader.get(REVISION + tail, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "no-cache" in again.headers["cache-control"]


def test_another_tag_is_answered_in_full(world: World) -> None:
    assert world.reader.get(REVISION, if_none_match='"other"').status == 200


def test_only_blocks_are_immutable_and_private_ones_stay_private(world: World) -> None:
    def rule(model: str, tail: str) -> str:
        reply = world.reader.get(f"/v1/models/acme/{model}/revisions/1.0.1{tail}")
        assert reply.status == 200
        return str(reply.headers["cache-control"])

    block = world.reader.done("GET", REVISION + "/plan")["files"][0]["blocks"][0][0]
    assert rule("closed", "/plan") == "private, no-cache"
    assert rule("open", "/plan") == "public, no-cache"
    assert rule("closed", f"/blocks/{block}") == "private, max-age=31536000, immutable"
    assert rule("open", f"/blocks/{block}") == "public, max-age=31536000, immutable"


def test_the_blocks_of_a_plan_make_up_the_files(world: World) -> None:
    plan = world.reader.done("GET", REVISION + "/plan")
    for file in plan["files"]:
        pieces = [world.reader.get(f"{REVISION}/blocks/{digest}").body for digest, _ in file["blocks"]]
        assert [len(piece) for piece in pieces] == [size for _, size in file["blocks"]]
        assert hashlib.sha256(b"".join(pieces)).hexdigest() == file["sha256"]


def test_a_block_of_another_revision_is_not_given(world: World) -> None:
    other = world.reader.done("GET", "/v1/models/acme/closed/revisions/1.0.0/plan")["files"][1]["blocks"]
    reply = world.reader.get(f"{REVISION}/blocks/{other[-1][0]}")
    mine = {
        block[0] for file in world.reader.done("GET", REVISION + "/plan")["files"] for block in file["blocks"]
    }
    assert other[-1][0] not in mine
    assert (reply.status, reply.code) == (404, "block_not_found")


def test_every_answer_names_what_was_asked_and_what_it_means(world: World) -> None:
    for tail in ("", "/manifest", "/plan"):
        answer = world.reader.done("GET", f"/v1/models/acme/closed/revisions/{quoted(' >=1.0.0 <2 ')}{tail}")
        assert (answer["requested"], answer["resolved"]) == (">=1.0.0 <2", "1.0.1")
        assert len(answer["digest"]) == 64
        assert len(answer["commit"]) == 40


def test_a_digest_selects_too(world: World) -> None:
    digest = world.reader.done("GET", REVISION)["digest"]
    assert (
        world.reader.done("GET", f"/v1/models/acme/closed/revisions/sha256:{digest}")["resolved"] == "1.0.1"
    )


@pytest.fixture(scope="module")
def yanked(world: World) -> str:
    """Return a model with 1.0.0 yanked, 1.0.1 after it."""
    ref = "acme/slippery"
    world.owner.done("POST", "/v1/models", {"ref": ref, "visibility": "public"})
    for version, last in (("1.0.0", 2.0), ("1.0.1", 3.0)):
        assert world.publisher.publish(ref, version, policy_files(1.0, last)).status == 201
    changed = world.publisher.done(
        "PUT", f"/v1/models/{ref}/revisions/1.0.0/yank", {"reason": "Griff rutscht ab: 3 %"}
    )
    assert changed["changed"] == ["1.0.0"]
    return f"/v1/models/{ref}/revisions"


@pytest.mark.parametrize("tail", ["", "/manifest", "/plan", "/files/model_card.md", "/blocks"])
def test_every_answer_under_a_yanked_revision_says_so(world: World, yanked: str, tail: str) -> None:
    if tail == "/blocks":
        tail += "/" + world.anonymous.done("GET", yanked + "/1.0.0/plan")["files"][0]["blocks"][0][0]
    reply = world.anonymous.get(yanked + "/1.0.0" + tail)
    assert reply.status == 200
    assert reply.headers["x-node-data-yanked"] == "1"
    assert unquote(reply.headers["x-node-data-yank-reason"]) == "Griff rutscht ab: 3 %"
    assert reply.headers["x-node-data-yanked-at"].endswith("Z")
    assert reply.headers["x-node-data-suggested"] == "1.0.1"


@pytest.mark.parametrize("tail", ["", "/files/model_card.md"])
def test_the_304_of_a_yanked_revision_says_so_too(world: World, yanked: str, tail: str) -> None:
    etag = world.anonymous.get(yanked + "/1.0.0" + tail).headers["etag"]
    reply = world.anonymous.get(yanked + "/1.0.0" + tail, if_none_match=etag)
    assert reply.status == 304
    assert reply.headers["x-node-data-yanked"] == "1"
    assert reply.headers["x-node-data-suggested"] == "1.0.1"


def test_an_answer_that_is_not_yanked_has_no_such_headers(world: World, yanked: str) -> None:
    reply = world.anonymous.get(yanked + "/latest")
    assert reply.json["resolved"] == "1.0.1"
    yank_headers = ("x-node-data-yank", "x-node-data-suggested")
    assert not [name for name in reply.headers if name.lower().startswith(yank_headers)]


@pytest.mark.parametrize("tail", ["", "/manifest", "/plan", "/files/model_card.md"])
def test_yanked_answers_can_be_refused_pins_too(world: World, yanked: str, tail: str) -> None:
    reply = world.anonymous.get(f"{yanked}/1.0.0{tail}?on_yanked=error")
    assert (reply.status, reply.code) == (409, "revision_yanked")
    assert reply.error["reasons"][0]["reason"] == "Griff rutscht ab: 3 %"


def test_a_misspelt_wish_about_yanks_is_an_error(world: World, yanked: str) -> None:
    reply = world.anonymous.get(f"{yanked}/1.0.0?on_yanked=fail")
    assert (reply.status, reply.code, reply.error["field"]) == (400, "invalid_request", "on_yanked")


def test_unyanking_takes_the_headers_away(world: World) -> None:
    at = "/v1/models/acme/open/revisions/1.0.0"
    world.owner.done("PUT", at + "/yank", {"reason": "a slip"})
    assert world.owner.get(at).headers["x-node-data-yanked"] == "1"
    assert world.owner.done("DELETE", at + "/yank")["changed"] == ["1.0.0"]
    assert "x-node-data-yanked" not in world.owner.get(at).headers


def test_a_diff_is_computed_and_tagged(world: World) -> None:
    at = "/v1/models/acme/closed/revisions/1.0.0..1.0.1/diff"
    reply = world.reader.get(at)
    assert (reply.status, reply.json["parameters"]["touched"]) == (200, 1)
    assert world.reader.get(at, if_none_match=reply.headers["etag"]).status == 304


def test_a_diff_that_is_not_waited_for_shows_its_progress_or_is_there(world: World) -> None:
    reply = world.reader.get("/v1/models/acme/closed/revisions/1.0.1..1.0.0/diff?wait=0")
    assert reply.status in (200, 202)
    if reply.status == 202:
        assert reply.json["status"] == "computing"


def test_a_diff_of_any_two_selectors_splits_on_the_raw_path(world: World) -> None:
    span = f"{quoted('1.0.0')}..{quoted('^1 || ^2')}"
    assert (
        world.reader.done("GET", f"/v1/models/acme/closed/revisions/{span}/diff")["b"]["version"] == "1.0.1"
    )


def test_a_card_comes_back_byte_for_byte(world: World) -> None:
    assert world.reader.get(REVISION + "/files/model_card.md").body == CARD
