"""Blocks and uploads: what is believed, what is verified, what other tenants can learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nodedata_registry.core.access import Caller, Role
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.digests import block_digest
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.errors import (
    BlockNotFound,
    BlocksMissing,
    DigestMismatch,
    InvalidPath,
    InvalidRequest,
    InvalidWeights,
    ModelNotFound,
    NodeDataError,
    RevisionNotFound,
    TooLarge,
    UploadExpired,
    UploadNotFound,
)
from nodedata_registry.server.service import fetch, fsck, marks, models, publish, resolve, sweep, workspaces
from nodedata_registry.server.service.publish import OrderFile, PublishOrder
from tests.service.worlds import CARD, World, order_file, safetensors

REF = "acme/grasp"
WEIGHTS = safetensors({"a": [1.0] * 70_000, "b": [2.0] * 70_000})
FILES = {"model_card.md": CARD, "model.safetensors": WEIGHTS}


def second_tenant(world: World) -> World:
    """Another workspace with its own owner and model, on the same registry."""
    other = world.account("omar")
    workspaces.create_workspace(world.registry, other, "other")
    other = world.again(other)
    models.create_model(world.registry, other, "other/grasp", "private")
    return replace(world, owner=other, ref="other/grasp")


def with_file(order: PublishOrder, path: str, change: OrderFile) -> PublishOrder:
    files = tuple(change if file.entry.path == path else file for file in order.files)
    return replace(order, files=files)


def nothing_is_visible(world: World) -> bool:
    return world.versions() == []


# --- blocks -------------------------------------------------------------------------------------


def test_a_block_with_another_digest_is_refused_and_not_stored(world: World) -> None:
    opened = world.open(world.order("1.0.0", FILES))
    assert opened.upload is not None
    digest = next(iter(order_file("model_card.md", CARD).blocks)).digest
    with pytest.raises(DigestMismatch):
        publish.put_block(world.registry, world.owner, REF, opened.upload.id, digest, CARD + b"!")
    assert not world.registry.blobs.has(digest)


@pytest.mark.parametrize("digest", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_a_block_under_what_is_no_digest_is_refused(world: World, digest: str) -> None:
    opened = world.open(world.order("1.0.0", FILES))
    assert opened.upload is not None
    with pytest.raises((InvalidRequest, DigestMismatch)):
        publish.put_block(world.registry, world.owner, REF, opened.upload.id, digest, b"x")


def test_a_block_of_no_bytes_or_too_many_is_refused(world: World) -> None:
    opened = world.open(world.order("1.0.0", FILES))
    assert opened.upload is not None
    for data, error in ((b"", InvalidRequest), (bytes(world.registry.limits.block_bytes + 1), TooLarge)):
        with pytest.raises(error):
            publish.put_block(world.registry, world.owner, REF, opened.upload.id, block_digest(data), data)


def test_a_missing_block_refuses_the_commit_and_names_it(world: World) -> None:
    order = world.order("1.0.0", FILES)
    opened = world.open(order)
    assert opened.upload is not None and opened.checked is not None
    world.send(opened, {"model_card.md": CARD})
    with pytest.raises(BlocksMissing) as caught:
        publish.commit(world.registry, world.owner, REF, order, opened.upload.id)
    sent = {block.digest for block in order_file("model_card.md", CARD).blocks}
    assert set(caught.value.details["missing"]) == set(opened.checked.missing) - sent
    assert nothing_is_visible(world)
    world.send(opened, FILES)
    assert publish.commit(world.registry, world.owner, REF, order, opened.upload.id).created


def test_a_commit_that_names_blocks_never_announced_is_refused(world: World) -> None:
    opened = world.open(world.order("1.0.0", FILES))
    upload = world.send(opened, FILES)
    more = {**FILES, "extra.bin": b"never sent"}
    with pytest.raises(BlocksMissing):
        publish.commit(world.registry, world.owner, REF, world.order("1.0.0", more), upload)
    assert nothing_is_visible(world)


def test_blocks_of_an_earlier_upload_count_as_present(world: World) -> None:
    order = world.order("1.0.0", FILES)
    world.send(world.open(order), FILES)
    again = world.open(order)
    assert again.checked is not None and again.checked.missing == {}
    assert again.upload is not None
    assert publish.commit(world.registry, world.owner, REF, order, again.upload.id).created


def test_only_blocks_that_changed_are_missing_in_the_next_publish(world: World) -> None:
    world.publish("1.0.0", FILES)
    changed = safetensors({"a": [1.0] * 70_000, "b": [2.0] * 69_999 + [3.0]})
    opened = world.open(world.order("1.0.1", {"model.safetensors": changed}))
    assert opened.checked is not None
    assert opened.checked.missing_bytes < len(changed) * 0.6


# --- lies ---------------------------------------------------------------------------------------


def test_sizes_that_do_not_add_up_are_refused(world: World) -> None:
    file = order_file("model.safetensors", WEIGHTS)
    longer = FileEntry(file.entry.path, file.entry.size_bytes + 1, file.entry.sha256)
    order = with_file(world.order("1.0.0", FILES), file.entry.path, replace(file, entry=longer))
    with pytest.raises(InvalidRequest, match="add up"):
        world.open(order)


def test_a_size_that_blocks_do_not_have_is_found_at_the_commit(world: World) -> None:
    data = bytes(1000)
    block = Block(block_digest(data), 1001)
    lying = OrderFile(FileEntry("n.dat", 1001, "0" * 64), (block,))
    order = replace(world.order("1.0.0", FILES), files=(*world.order("1.0.0", FILES).files, lying))
    opened = world.open(order)
    upload = world.send(opened, FILES)
    publish.put_block(world.registry, world.owner, REF, upload, block.digest, data)
    with pytest.raises(DigestMismatch):
        publish.commit(world.registry, world.owner, REF, order, upload)
    assert nothing_is_visible(world)


def test_a_sha256_that_the_bytes_do_not_have_is_found_at_the_commit(world: World) -> None:
    file = order_file("n.txt", b"true bytes")
    lying = replace(file, entry=FileEntry("n.txt", file.entry.size_bytes, "1" * 64))
    order = with_file(world.order("1.0.0", {**FILES, "n.txt": b"true bytes"}), "n.txt", lying)
    upload = world.send(world.open(order), {**FILES, "n.txt": b"true bytes"})
    with pytest.raises(DigestMismatch, match=r"n\.txt"):
        publish.commit(world.registry, world.owner, REF, order, upload)
    assert nothing_is_visible(world)


def test_a_file_cut_elsewhere_is_refused_before_a_byte_is_sent(world: World) -> None:
    file = order_file("model.safetensors", WEIGHTS)
    halves = (WEIGHTS[:1000], WEIGHTS[1000:])
    recut = replace(file, blocks=tuple(Block(block_digest(half), len(half)) for half in halves))
    with pytest.raises(InvalidRequest, match="cut"):
        world.open(with_file(world.order("1.0.0", FILES), "model.safetensors", recut))


def test_headers_sent_when_opening_are_not_believed_at_the_commit(world: World) -> None:
    """The header says 2 tensors; the bytes that are sent under its name are malformed."""
    honest = world.order("1.0.0", FILES)
    upload = world.send(world.open(honest), FILES)
    broken = WEIGHTS[:-4]
    files = {"model_card.md": CARD, "model.safetensors": broken}
    world.send_all(upload, files)
    with pytest.raises(InvalidWeights) as caught:
        publish.commit(world.registry, world.owner, REF, world.order("1.0.0", files), upload)
    assert caught.value.details["file"] == "model.safetensors"
    assert nothing_is_visible(world)


def test_malformed_weights_are_refused_when_the_upload_opens(world: World) -> None:
    with pytest.raises(InvalidWeights):
        world.open(world.order("1.0.0", {**FILES, "model.safetensors": WEIGHTS + b"\0"}))


def test_a_header_that_was_not_sent_is_asked_for(world: World) -> None:
    file = replace(order_file("model.safetensors", WEIGHTS), headers=())
    with pytest.raises(InvalidRequest) as caught:
        world.open(with_file(world.order("1.0.0", FILES), "model.safetensors", file))
    assert caught.value.field == "headers"


def test_a_manifest_digest_of_another_parent_is_refused(world: World) -> None:
    world.publish("1.0.0", FILES)
    with pytest.raises(DigestMismatch, match="parent"):
        world.publish("1.0.1", {"n.txt": b"n"}, manifest_digest="0" * 64)


@pytest.mark.parametrize("path", ["/abs", "a/../b", "nul\0", "CON", "a\\b", "e\u0301.txt", "x" * 2000])
def test_paths_that_no_manifest_may_hold_are_refused(world: World, path: str) -> None:
    with pytest.raises(InvalidPath):
        world.open(world.order("1.0.0", {**FILES, path: b"x"}))


@pytest.mark.parametrize("pair", [("a.txt", "A.txt"), ("d", "d/e")])
def test_paths_that_clash_with_inherited_ones_are_refused(world: World, pair: tuple[str, str]) -> None:
    world.publish("1.0.0", {**FILES, pair[0]: b"1"})
    with pytest.raises(InvalidPath):
        world.open(world.order("1.0.1", {pair[1]: b"2"}))


# --- other tenants ------------------------------------------------------------------------------


def test_what_others_store_is_neither_present_nor_probeable(world: World) -> None:
    other = second_tenant(world)
    before = other.open(other.order("1.0.0", FILES))
    world.publish("1.0.0", FILES)
    after = other.open(other.order("1.0.0", FILES))
    assert before.checked is not None and after.checked is not None
    assert before.checked.missing == after.checked.missing == other.order("1.0.0", FILES).block_sizes()


def test_a_commit_that_names_blocks_of_another_tenant_is_told_they_are_missing(world: World) -> None:
    world.publish("1.0.0", FILES)
    other = second_tenant(world)
    order = other.order("1.0.0", FILES)
    opened = other.open(order)
    assert opened.upload is not None
    with pytest.raises(BlocksMissing) as caught:
        publish.commit(other.registry, other.owner, other.ref, order, opened.upload.id)
    assert set(caught.value.details["missing"]) == set(order.block_sizes())


def test_sending_a_block_answers_alike_whoever_stores_it_already(world: World) -> None:
    world.publish("1.0.0", FILES)
    other = second_tenant(world)
    opened = other.open(other.order("1.0.0", FILES))
    assert opened.upload is not None
    put: Callable[..., object] = publish.put_block
    answers = {
        put(other.registry, other.owner, other.ref, opened.upload.id, block_digest(data), data)
        for data in (CARD, b"stored by nobody")
    }
    assert answers == {None}


def test_a_block_is_read_only_through_a_revision_that_has_it(world: World) -> None:
    world.publish("1.0.0", FILES)
    other = second_tenant(world)
    other.publish("1.0.0", {"model_card.md": CARD})
    digest = order_file("model.safetensors", WEIGHTS).blocks[-1].digest
    found = fetch.find_block(world.registry, world.owner, REF, "1.0.0", digest)
    assert found.size_bytes == order_file("model.safetensors", WEIGHTS).blocks[-1].size_bytes
    with pytest.raises(BlockNotFound):
        fetch.find_block(other.registry, other.owner, other.ref, "1.0.0", digest)
    with pytest.raises(ModelNotFound):
        fetch.find_block(world.registry, other.owner, REF, "1.0.0", digest)


def test_tenants_share_blocks_and_keep_theirs_when_the_other_retires(world: World) -> None:
    world.publish("1.0.0", FILES)
    other = second_tenant(world)
    other.publish("1.0.0", FILES)
    stored = {block.digest for block in world.registry.blobs.iterate()}
    assert stored == set(world.order("1.0.0", FILES).block_sizes())
    marks.retire(world.registry, world.owner, REF, "1.0.0", "gone")
    world.clock.pass_hours(25)
    sweep.sweep(world.registry, grace_seconds=0)
    assert other.read_file("1.0.0", "model.safetensors") == WEIGHTS
    assert fsck.fsck(world.registry).problems == []


def test_a_content_that_another_published_under_another_format_keeps_its_blocks(world: World) -> None:
    """Cut every 4 MiB as `.dat` and along tensors as `.safetensors`: one list is on record."""
    world.publish("1.0.0", {"model_card.md": CARD, "model.dat": WEIGHTS})
    marks.retire(world.registry, world.owner, REF, "1.0.0", "gone")
    world.clock.pass_hours(25)
    assert sweep.sweep(world.registry, grace_seconds=0).deleted > 0
    other = second_tenant(world)
    other.publish("1.0.0", FILES)
    assert other.read_file("1.0.0", "model.safetensors") == WEIGHTS
    world.clock.pass_hours(25)
    sweep.sweep(world.registry, grace_seconds=0)
    assert other.read_file("1.0.0", "model.safetensors") == WEIGHTS
    assert fsck.fsck(world.registry).problems == []


def test_one_content_at_two_paths_of_different_formats_is_served_at_both(world: World) -> None:
    world.publish("1.0.0", {**FILES, "copy.dat": WEIGHTS})
    assert world.read_file("1.0.0", "copy.dat") == world.read_file("1.0.0", "model.safetensors") == WEIGHTS


# --- uploads ------------------------------------------------------------------------------------


def test_an_upload_expires_a_day_after_its_last_use_and_use_renews_it(world: World) -> None:
    order = world.order("1.0.0", FILES)
    opened = world.open(order)
    assert opened.upload is not None
    world.clock.pass_hours(23)
    world.send(opened, {"model_card.md": CARD})
    world.clock.pass_hours(23)
    world.send(opened, FILES)
    world.clock.pass_hours(24.1)
    with pytest.raises(UploadExpired):
        publish.commit(world.registry, world.owner, REF, order, opened.upload.id)
    with pytest.raises(UploadExpired):
        world.send(opened, FILES)
    assert nothing_is_visible(world)


def test_an_expired_upload_leaves_blocks_that_a_new_one_uses_until_they_are_swept(world: World) -> None:
    order = world.order("1.0.0", FILES)
    world.send(world.open(order), FILES)
    world.clock.pass_hours(25)
    again = world.open(order)
    assert again.checked is not None and again.checked.missing == {}
    assert sweep.sweep(world.registry, grace_seconds=0).deleted == 0
    assert again.upload is not None
    assert publish.commit(world.registry, world.owner, REF, order, again.upload.id).created


def test_a_swept_block_is_missing_again(world: World) -> None:
    order = world.order("1.0.0", FILES)
    world.send(world.open(order), FILES)
    world.clock.pass_hours(25)
    assert sweep.sweep(world.registry, grace_seconds=0).deleted == len(order.block_sizes())
    again = world.open(order)
    assert again.checked is not None and again.checked.missing == order.block_sizes()


def test_a_block_that_the_store_lost_is_asked_for_again(world: World) -> None:
    world.publish("1.0.0", FILES)
    digest = order_file("model.safetensors", WEIGHTS).blocks[0].digest
    world.registry.blobs.delete(digest)
    files = {"copy.safetensors": WEIGHTS}
    opened = world.open(world.order("1.1.0", files))
    assert opened.checked is not None and set(opened.checked.missing) == {digest}
    world.publish("1.1.0", files)
    assert fsck.fsck(world.registry).problems == []


def test_an_upload_belongs_to_one_account_and_one_model(world: World) -> None:
    order = world.order("1.0.0", FILES)
    upload = world.send(world.open(order), FILES)
    publisher = world.account("pia", "publisher")
    with pytest.raises(UploadNotFound):
        publish.commit(world.registry, publisher, REF, order, upload)
    models.create_model(world.registry, world.owner, "acme/second", "private")
    with pytest.raises(UploadNotFound):
        publish.commit(world.registry, world.owner, "acme/second", order, upload)
    with pytest.raises(UploadNotFound):
        publish.put_block(world.registry, publisher, REF, upload, block_digest(b"x"), b"x")


def test_a_committed_upload_takes_no_more_blocks(world: World) -> None:
    order = world.order("1.0.0", FILES)
    upload = world.send(world.open(order), FILES)
    publish.commit(world.registry, world.owner, REF, order, upload)
    with pytest.raises(UploadExpired):
        publish.put_block(world.registry, world.owner, REF, upload, block_digest(b"x"), b"x")


def test_what_is_sent_stays_invisible_until_the_commit(world: World) -> None:
    upload = world.send(world.open(world.order("1.0.0", FILES)), FILES)
    assert upload
    with pytest.raises(RevisionNotFound):
        resolve.resolve(world.registry, world.owner, REF, "*")
    assert not [event for event in world.events() if event.revision_id]


@pytest.mark.parametrize("role", ["reader", None])
def test_losing_the_role_stops_an_upload_half_way(world: World, role: str | None) -> None:
    publisher = world.account("pia", "publisher")
    order = world.order("1.0.0", FILES)
    upload = world.send(world.open(order, publisher), FILES, publisher)
    demoted: Caller = _demoted(world, publisher, role)
    with pytest.raises(NodeDataError) as caught:
        publish.commit(world.registry, demoted, REF, order, upload)
    assert caught.value.code in ("scope_missing", "model_not_found")
    assert nothing_is_visible(world)


def _demoted(world: World, caller: Caller, role: str | None) -> Caller:
    assert caller.account_id is not None
    if role is None:
        workspaces.remove_member(world.registry, world.owner, "acme", caller.account_id)
    else:
        workspaces.put_member(world.registry, world.owner, "acme", caller.account_id, Role(role))
    return world.again(caller)
