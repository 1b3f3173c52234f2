"""What every catalog keeps: the contract of `server.ports.Catalog`, in executable form."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from nodedata_registry.core.access import Role, Scope
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.retention import Line, Policy
from nodedata_registry.core.versions import MAX_NUMBER, Version
from nodedata_registry.errors import (
    DigestMismatch,
    InvalidRequest,
    ModelNotFound,
    NameTaken,
    NotAllowedNow,
    RevisionNotFound,
    Unavailable,
    VersionExists,
    WorkspaceNotFound,
)
from nodedata_registry.server.ports import Catalog
from nodedata_registry.server.rows import ContentRow, KeyRow, Mark, UploadRow, WorkspaceRow
from tests.contracts.catalog_world import CARD, HOUR, MARK, START, World, blocks_of, content, revision

HEX = "ab" * 32


# --- transactions ------------------------------------------------------------------------------


def test_what_a_failed_write_wrote_is_gone(world: World) -> None:
    with pytest.raises(ZeroDivisionError), world.catalog.write() as tx:
        tx.meta.set("registry", "r1")
        raise ZeroDivisionError
    with world.catalog.read() as tx:
        assert tx.meta.get("registry") is None


def test_a_write_after_a_failed_one_works(world: World) -> None:
    with pytest.raises(ZeroDivisionError), world.catalog.write():
        raise ZeroDivisionError
    with world.catalog.write() as tx:
        tx.meta.set("registry", "r1")
    with world.catalog.read() as tx:
        assert tx.meta.get("registry") == "r1"


def test_a_write_is_invisible_until_it_ends(world: World) -> None:
    with world.catalog.write() as tx:
        tx.meta.set("registry", "r1")
        with world.catalog.read() as other:
            assert other.meta.get("registry") is None
    with world.catalog.read() as after:
        assert after.meta.get("registry") == "r1"


def test_a_reader_keeps_its_snapshot_while_others_write(world: World) -> None:
    with world.catalog.read() as tx:
        assert tx.meta.get("registry") is None
        with world.catalog.write() as other:
            other.meta.set("registry", "r1")
        assert tx.meta.get("registry") is None


def test_a_write_inside_a_write_is_refused_rather_than_waiting_for_itself(catalog: Catalog) -> None:
    with catalog.write(), pytest.raises(RuntimeError, match="inside"), catalog.write():
        pass


def test_a_closed_catalog_says_so(catalog: Catalog) -> None:
    catalog.close()
    with pytest.raises(Unavailable, match="closed"), catalog.read():
        pass


def test_a_value_of_the_registry_is_replaced(world: World) -> None:
    with world.catalog.write() as tx:
        tx.meta.set("registry", "r1")
        tx.meta.set("registry", "r2")
        assert tx.meta.get("registry") == "r2"


# --- accounts and keys -------------------------------------------------------------------------


def test_accounts_exist_after_the_first(world: World) -> None:
    with world.catalog.read() as tx:
        assert not tx.accounts.any()
    ann = world.account(operator=True)
    with world.catalog.read() as tx:
        assert tx.accounts.any()
        assert tx.accounts.get(ann.id) == ann
        assert tx.accounts.get("usr_nobody") is None


def key_of(world: World, account_id: str, secret: str, **more: str) -> KeyRow:
    scopes = frozenset({Scope.MODELS_READ, Scope.MODELS_YANK})
    return KeyRow(
        world.new_id("key_"), account_id, "ci", secret, "nd_live_ab", scopes, None, None, START, START + HOUR
    )


def test_a_key_is_found_by_its_secret_and_by_its_id(world: World) -> None:
    key = key_of(world, world.account().id, HEX)
    with world.catalog.write() as tx:
        tx.accounts.add_key(key)
    with world.catalog.read() as tx:
        assert tx.accounts.key_by_secret(HEX) == key
        assert tx.accounts.key(key.id) == key
        assert tx.accounts.key_by_secret("cd" * 32) is None


def test_revoking_again_keeps_the_first_time(world: World) -> None:
    ann = world.account()
    with world.catalog.write() as tx:
        tx.accounts.add_key(key := key_of(world, ann.id, HEX))
        tx.accounts.revoke_key(key.id, START + HOUR)
        tx.accounts.revoke_key(key.id, START + 2 * HOUR)
    with world.catalog.read() as tx:
        assert [kept.revoked_at for kept in tx.accounts.keys_of(ann.id)] == [START + HOUR]


# --- workspaces --------------------------------------------------------------------------------


def test_a_workspace_is_found_by_name_and_id(world: World) -> None:
    acme = world.workspace("acme")
    other = world.workspace("abc")
    with world.catalog.read() as tx:
        assert tx.workspaces.by_slug("acme") == tx.workspaces.get(acme.id) == acme
        assert tx.workspaces.all() == [other, acme]
        assert tx.workspaces.by_slug("none") is None


@pytest.mark.parametrize("slug", ["my-team", "my.team", "my_team"])
def test_a_workspace_name_that_looks_like_a_used_one_is_taken(world: World, slug: str) -> None:
    world.workspace("my-team")
    with pytest.raises(NameTaken), world.catalog.write() as tx:
        tx.workspaces.add(WorkspaceRow("ws_2", slug, None, START))


@pytest.mark.parametrize("policy", [Policy(3, 90, Line.MINOR, True), Policy(), None])
def test_a_policy_comes_back_as_it_was_set(world: World, policy: Policy | None) -> None:
    acme = world.workspace()
    with world.catalog.write() as tx:
        tx.workspaces.set_policy(acme.id, policy)
    with world.catalog.read() as tx:
        assert tx.workspaces.get(acme.id) == WorkspaceRow(acme.id, "acme", policy, START)


def test_a_policy_of_no_workspace_is_refused(catalog: Catalog) -> None:
    with pytest.raises(WorkspaceNotFound), catalog.write() as tx:
        tx.workspaces.set_policy("ws_none", None)


def test_members_have_the_role_given_last(world: World) -> None:
    acme, ann, bob = world.workspace(), world.account("ann"), world.account("bob")
    with world.catalog.write() as tx:
        tx.workspaces.put_member(acme.id, bob.id, Role.READER)
        tx.workspaces.put_member(acme.id, ann.id, Role.READER)
        tx.workspaces.put_member(acme.id, ann.id, Role.OWNER)
    with world.catalog.read() as tx:
        found = [(member.account_name, member.role) for member in tx.workspaces.members(acme.id)]
        assert found == [("ann", Role.OWNER), ("bob", Role.READER)]
        assert tx.workspaces.roles_of(ann.id) == {acme.id: Role.OWNER}


def test_a_removed_member_is_no_member(world: World) -> None:
    acme, ann = world.workspace(), world.account()
    with world.catalog.write() as tx:
        tx.workspaces.put_member(acme.id, ann.id, Role.OWNER)
        assert tx.workspaces.remove_member(acme.id, ann.id)
        assert not tx.workspaces.remove_member(acme.id, ann.id)
        assert tx.workspaces.roles_of(ann.id) == {}


# --- models ------------------------------------------------------------------------------------


def test_a_model_is_found_by_id_and_by_name(world: World) -> None:
    acme = world.workspace()
    walk = world.model("walk", acme)
    with world.catalog.read() as tx:
        assert tx.models.get(walk.id) == tx.models.by_ref("acme", "walk") == walk
        assert tx.models.in_workspace(acme.id) == [walk]
        assert tx.models.by_ref("acme", "run") is None


def test_a_model_name_that_looks_like_a_used_one_is_taken(world: World) -> None:
    acme = world.workspace()
    world.model("g1-walk", acme)
    with pytest.raises(NameTaken, match="g1-walk"):
        world.model("g1_walk", acme)


def test_two_workspaces_may_use_one_model_name(world: World) -> None:
    models = [world.model("walk", world.workspace(slug)) for slug in ("acme", "bolt")]
    with world.catalog.read() as tx:
        assert [tx.models.by_ref(slug, "walk") for slug in ("acme", "bolt")] == models


def test_a_private_model_becomes_public(world: World) -> None:
    walk = world.model("walk", world.workspace())
    world.publish(walk, "1.0.0")
    with world.catalog.write() as tx:
        tx.models.set_visibility(walk.id, "public")
        found = tx.models.get(walk.id)
        assert found is not None and found.visibility == "public"


def test_a_public_model_with_a_revision_stays_public(world: World) -> None:
    walk = world.model("walk", world.workspace(), "public")
    with world.catalog.write() as tx:
        tx.models.set_visibility(walk.id, "private")
        tx.models.set_visibility(walk.id, "public")
    world.publish(walk, "1.0.0")
    with pytest.raises(NotAllowedNow), world.catalog.write() as tx:
        tx.models.set_visibility(walk.id, "private")


def test_the_visibility_of_no_model_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ModelNotFound), catalog.write() as tx:
        tx.models.set_visibility("mdl_none", "public")


def test_a_grant_lives_until_it_expires(world: World) -> None:
    walk, buyer = world.model("walk", world.workspace()), world.account("buyer")
    with world.catalog.write() as tx:
        tx.models.put_grant(walk.id, buyer.id, START, START + HOUR)
    with world.catalog.read() as tx:
        assert tx.models.granted_to(buyer.id, START) == {walk.id}
        assert tx.models.granted_to(buyer.id, START + HOUR) == frozenset()


def test_a_revoked_grant_can_be_given_again(world: World) -> None:
    walk, buyer = world.model("walk", world.workspace()), world.account("buyer")
    with world.catalog.write() as tx:
        assert not tx.models.revoke_grant(walk.id, buyer.id, START)
        tx.models.put_grant(walk.id, buyer.id, START, None)
        assert tx.models.revoke_grant(walk.id, buyer.id, START + HOUR)
        assert not tx.models.revoke_grant(walk.id, buyer.id, START + HOUR)
        assert tx.models.granted_to(buyer.id, START + HOUR) == frozenset()
        assert [grant.revoked_at for grant in tx.models.grants(walk.id)] == [START + HOUR]
        tx.models.put_grant(walk.id, buyer.id, START + 2 * HOUR, None)
        assert tx.models.granted_to(buyer.id, START + 2 * HOUR) == {walk.id}


# --- revisions ---------------------------------------------------------------------------------


def test_a_revision_comes_back_as_it_was_written(world: World) -> None:
    walk = world.model("walk", world.workspace())
    written = world.publish(walk, "1.0.0")
    with world.catalog.read() as tx:
        assert tx.revisions.get(walk.id, Version(1, 0, 0)) == tx.revisions.by_id(written.id) == written
        assert written.sequence == 1
        assert tx.revisions.facts(written.id) == b'{"schema":null}'
        assert tx.revisions.verdict(written.id) == b'{"rules":1}'


def test_a_revision_is_found_by_its_commit_in_its_own_model_only(world: World) -> None:
    acme = world.workspace()
    arm, leg = world.model("arm", acme), world.model("leg", acme)
    published = world.publish(arm, "1.0.0")
    with world.catalog.read() as tx:
        assert tx.revisions.by_commit(arm.id, published.commit) == published
        assert tx.revisions.by_commit(leg.id, published.commit) is None
        assert tx.revisions.by_commit(arm.id, "0" * 40) is None


def test_downloads_are_counted_by_model(world: World) -> None:
    acme = world.workspace()
    arm, leg = world.model("arm", acme), world.model("leg", acme)
    revisions = [world.publish(arm, "1.0.0"), world.publish(arm, "1.0.1")]
    for published in (*revisions, *revisions[:1]):
        with world.catalog.write() as tx:
            tx.downloads.add(arm.id, published.id)
    with world.catalog.read() as tx:
        assert tx.downloads.of([arm.id, leg.id]) == {arm.id: 3}
        assert tx.downloads.of([]) == {}


def test_a_version_is_used_once(world: World) -> None:
    walk = world.model("walk", world.workspace())
    world.publish(walk, "1.0.0")
    with pytest.raises(VersionExists):
        world.publish(walk, "1.0.0")


def test_the_largest_numbers_are_kept_and_ordered(world: World) -> None:
    walk = world.model("walk", world.workspace())
    versions = ["10.0.0", f"{MAX_NUMBER}.{MAX_NUMBER}.{MAX_NUMBER}", "9.0.0", "9.0.11", "9.0.2"]
    for version in versions:
        world.publish(walk, version)
    with world.catalog.read() as tx:
        found = [str(candidate.version) for candidate in tx.revisions.candidates(walk.id)]
        assert found == ["9.0.0", "9.0.2", "9.0.11", "10.0.0", versions[1]]
        assert [str(row.version) for row in tx.revisions.list(walk.id)] == found[::-1]


def test_pages_of_revisions_run_from_the_newest_back(world: World) -> None:
    walk = world.model("walk", world.workspace())
    for version in ("1.0.0", "2.0.0", "1.0.1"):
        world.publish(walk, version)
    with world.catalog.read() as tx:
        first = tx.revisions.list(walk.id, limit=2)
        assert [(str(row.version), row.sequence) for row in first] == [("1.0.1", 3), ("2.0.0", 2)]
        rest = tx.revisions.list(walk.id, before=first[-1].sequence, limit=2)
        assert [str(row.version) for row in rest] == ["1.0.0"]


def test_a_manifest_comes_back_with_its_digest(world: World) -> None:
    walk = world.model("walk", world.workspace())
    files = {"Zebra.txt": b"1", "é.txt": b"2", "a/b.txt": b"3", "\U0001f916.txt": b"4", "empty": b""}
    written = world.publish(walk, "1.0.0", files)
    with world.catalog.read() as tx:
        manifest = tx.revisions.manifest(written.manifest_digest)
        assert manifest is not None and manifest.digest == written.manifest_digest
        assert set(files) < {entry.path for entry in manifest.files}
        assert tx.revisions.manifest(HEX) is None


def test_versions_may_share_a_manifest(world: World) -> None:
    walk = world.model("walk", world.workspace())
    one = world.publish(walk, "1.0.0", {"model.bin": b"same"})
    two = world.publish(walk, "1.0.1", {"model.bin": b"same"})
    assert one.manifest_digest == two.manifest_digest


def test_a_manifest_under_another_digest_is_refused(world: World) -> None:
    walk = world.model("walk", world.workspace())
    manifest = Manifest.of([FileEntry("a", 0, HEX)])
    wrong = revision("rev_1", walk, "1.0.0", Manifest.of([FileEntry("b", 0, HEX)]))
    with pytest.raises(DigestMismatch), world.catalog.write() as tx:
        tx.revisions.add(wrong, manifest)


def test_marks_are_set_replaced_and_taken_away(world: World) -> None:
    walk = world.model("walk", world.workspace())
    written = world.publish(walk, "1.0.0")
    again = Mark("wrong licence", START + HOUR, "usr_1")
    with world.catalog.write() as tx:
        for put in (tx.revisions.set_yank, tx.revisions.set_hold, tx.revisions.set_quarantine):
            put(written.id, MARK)
        tx.revisions.set_yank(written.id, again)
        tx.revisions.set_hold(written.id, None)
    with world.catalog.read() as tx:
        found = tx.revisions.by_id(written.id)
        assert found is not None
        assert (found.yank, found.hold, found.quarantine, found.retirement) == (again, None, MARK, None)


def test_retiring_again_keeps_the_first_mark(world: World) -> None:
    written = world.publish(world.model("walk", world.workspace()), "1.0.0")
    with world.catalog.write() as tx:
        tx.revisions.retire(written.id, MARK)
        tx.revisions.retire(written.id, Mark("again", START + HOUR, "usr_1"))
        found = tx.revisions.by_id(written.id)
        assert found is not None and found.retirement == MARK


def test_what_does_not_exist_cannot_be_marked(catalog: Catalog) -> None:
    with catalog.write() as tx:
        for put in (tx.revisions.set_yank, tx.revisions.set_hold, tx.revisions.set_quarantine):
            with pytest.raises(RevisionNotFound):
                put("rev_none", MARK)
        with pytest.raises(RevisionNotFound):
            tx.revisions.retire("rev_none", MARK)
        with pytest.raises(RevisionNotFound):
            tx.revisions.facts("rev_none")


def test_candidates_follow_every_change(world: World) -> None:
    walk = world.model("walk", world.workspace())
    one = world.publish(walk, "1.0.0")
    two = world.publish(walk, "1.1.0")

    def states() -> list[tuple[bool, bool, bool]]:
        with world.catalog.read() as tx:
            return [(c.yanked, c.quarantined, c.retired) for c in tx.revisions.candidates(walk.id)]

    assert states() == [(False, False, False), (False, False, False)]
    with world.catalog.write() as tx:
        tx.revisions.set_yank(one.id, MARK)
        assert [c.yanked for c in tx.revisions.candidates(walk.id)] == [True, False]
    assert states() == [(True, False, False), (False, False, False)]
    with world.catalog.write() as tx:
        tx.revisions.set_yank(one.id, None)
        tx.revisions.set_quarantine(one.id, MARK)
        tx.revisions.retire(two.id, MARK)
    assert states() == [(False, True, False), (False, False, True)]


def test_candidates_seen_in_a_failed_write_are_not_remembered(world: World) -> None:
    walk = world.model("walk", world.workspace())
    with pytest.raises(ZeroDivisionError), world.catalog.write() as tx:
        world.publish_in(tx, walk, "1.0.0")
        assert len(tx.revisions.candidates(walk.id)) == 1
        raise ZeroDivisionError
    world.publish(walk, "2.0.0")
    with world.catalog.read() as tx:
        assert [str(c.version) for c in tx.revisions.candidates(walk.id)] == ["2.0.0"]


def test_a_model_without_revisions_and_no_model_have_no_candidates(world: World) -> None:
    walk = world.model("walk", world.workspace())
    with world.catalog.read() as tx:
        assert len(tx.revisions.candidates(walk.id)) == len(tx.revisions.candidates("mdl_none")) == 0


def test_one_of_many_publishers_of_a_version_wins(world: World) -> None:
    walk = world.model("walk", world.workspace())

    def publish(_: int) -> bool:
        try:
            world.publish(walk, "1.0.0")
        except VersionExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(publish, range(16))) == 1


# --- contents and blocks -----------------------------------------------------------------------


def test_a_content_keeps_its_blocks_in_order(world: World) -> None:
    large = ContentRow(HEX, 2**40, 1, (Block("ff" * 32, 2**32 - 1), Block("00" * 32, 1), Block("ff" * 32, 9)))
    empty = ContentRow("cd" * 32, 0, 1, ())
    with world.catalog.write() as tx:
        tx.contents.add(large)
        tx.contents.add(empty)
        tx.contents.add(large)
    with world.catalog.read() as tx:
        assert tx.contents.get(HEX) == large
        assert tx.contents.many([HEX, "ef" * 32, empty.sha256]) == {HEX: large, empty.sha256: empty}
        assert tx.contents.get("ef" * 32) is None


def test_facts_and_texts_are_written_once(catalog: Catalog) -> None:
    with catalog.write() as tx:
        for said in (b"first", b"second"):
            tx.contents.put_facts(HEX, "onnx", said)
            tx.contents.put_text(HEX, said)
        tx.contents.put_facts(HEX, "text", b"other")
        wanted = [(HEX, "onnx"), (HEX, "text"), (HEX, "card")]
        assert tx.contents.facts(wanted) == {(HEX, "onnx"): b"first", (HEX, "text"): b"other"}
        assert tx.contents.text(HEX) == b"first"
        assert tx.contents.text("cd" * 32) is None


def test_a_lease_gives_the_blocks_to_one_workspace_only(world: World) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    with world.catalog.write() as tx:
        tx.contents.lease(acme.id, {HEX: 7}, START)
        assert tx.contents.held_by(acme.id, [HEX, "cd" * 32]) == {HEX}
        assert tx.contents.held_by(bolt.id, [HEX]) == set()


def test_a_lease_grows_and_never_shrinks(world: World) -> None:
    acme = world.workspace()
    with world.catalog.write() as tx:
        for hours in (2, 5, 1):
            tx.contents.lease(acme.id, {HEX: 7}, START + hours * HOUR)
        assert list(tx.contents.leased_blocks(START + 4 * HOUR)) == [HEX]
        assert list(tx.contents.leased_blocks(START + 5 * HOUR)) == []


def test_blocks_are_forgotten_only_after_their_lease(world: World) -> None:
    acme = world.workspace()
    with world.catalog.write() as tx:
        tx.contents.lease(acme.id, {HEX: 7}, START)
        tx.contents.lease(acme.id, {"cd" * 32: 7}, START + 2 * HOUR)
        asked = [HEX, "cd" * 32, "ef" * 32]
        assert tx.contents.forget(asked, START + HOUR) == {HEX, "ef" * 32}
        assert tx.contents.held_by(acme.id, asked) == {"cd" * 32}


def test_thousands_of_blocks_are_leased_at_once(world: World) -> None:
    acme = world.workspace()
    digests = [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(3000)]
    with world.catalog.write() as tx:
        tx.contents.lease(acme.id, dict.fromkeys(digests, 4), START)
        assert tx.contents.held_by(acme.id, digests) == set(digests)


def test_referenced_are_the_blocks_of_what_is_not_retired(world: World) -> None:
    walk = world.model("walk", world.workspace())
    one = world.publish(walk, "1.0.0", {"model.bin": b"first weights"})
    world.publish(walk, "1.1.0", {"model.bin": b"other weights"})
    with world.catalog.write() as tx:
        tx.contents.add(content(b"never published"))
        tx.revisions.retire(one.id, MARK)
        found = set(tx.contents.referenced_blocks())
    kept = [*blocks_of(CARD), *blocks_of(b"other weights")]
    assert found == {block.digest for block in kept}


def test_a_workspace_has_the_contents_of_its_own_unretired_revisions(world: World) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    one = world.publish(world.model("walk", acme), "1.0.0", {"model.bin": b"mine"})
    world.publish(world.model("walk", bolt), "1.0.0", {"model.bin": b"theirs"})
    wanted = {data: hashlib.sha256(data).hexdigest() for data in (b"mine", b"theirs", b"nobody's")}
    with world.catalog.write() as tx:
        assert tx.contents.contents_of_workspace(acme.id, wanted.values()) == {wanted[b"mine"]}
        tx.revisions.retire(one.id, MARK)
        assert tx.contents.contents_of_workspace(acme.id, wanted.values()) == set()


# --- uploads and diffs -------------------------------------------------------------------------


def upload_of(world: World) -> UploadRow:
    acme = world.workspace()
    ids = world.model("walk", acme).id, acme.id, world.account().id
    return UploadRow(world.new_id("upl_"), *ids, opened_at=START, lease_until=START + HOUR)


def test_an_upload_is_renewed_and_closed_once(world: World) -> None:
    upload = upload_of(world)
    with world.catalog.write() as tx:
        tx.uploads.add(upload)
        assert tx.uploads.get(upload.id) == upload
        for hours in (3, 2):
            tx.uploads.renew(upload.id, START + hours * HOUR)
            tx.uploads.close(upload.id, START + hours * HOUR)
        found = tx.uploads.get(upload.id)
        assert found is not None
        assert (found.lease_until, found.committed_at) == (START + 3 * HOUR, START + 3 * HOUR)


def test_uploads_are_dropped_after_their_lease(world: World) -> None:
    upload = upload_of(world)
    with world.catalog.write() as tx:
        tx.uploads.add(upload)
        assert tx.uploads.drop_expired(upload.lease_until) == 0
        assert tx.uploads.drop_expired(upload.lease_until + timedelta(microseconds=1)) == 1
        assert tx.uploads.get(upload.id) is None


def test_a_diff_is_kept_once_per_rules(catalog: Catalog) -> None:
    with catalog.write() as tx:
        tx.diffs.put("rev_a", "rev_b", 1, b"first")
        tx.diffs.put("rev_a", "rev_b", 1, b"second")
        tx.diffs.put("rev_a", "rev_b", 2, b"by new rules")
    with catalog.read() as tx:
        assert tx.diffs.get("rev_a", "rev_b", 1) == b"first"
        assert tx.diffs.get("rev_a", "rev_b", 2) == b"by new rules"
        assert tx.diffs.get("rev_b", "rev_a", 1) is None


# --- events ------------------------------------------------------------------------------------


def test_events_are_numbered_from_one_and_read_in_order(world: World) -> None:
    with world.catalog.write() as tx:
        written = [tx.events.append(world.event()) for _ in range(3)]
        assert [event.sequence for event in written] == [1, 2, 3]
    with world.catalog.read() as tx:
        assert tx.events.after(0, 10) == written
        assert tx.events.after(1, 1) == written[1:2]
        assert tx.events.after(3, 10) == []


def test_the_canonical_bytes_of_an_event_are_these(world: World) -> None:
    with world.catalog.write() as tx:
        written = tx.events.append(world.event("revision.yanked", version="1.0.0", reason="größer\n"))
    assert (
        written.canonical
        == (
            '{"account_id":"usr_0","at":"2025-03-01T12:00:00.123456Z",'
            '"body":{"reason":"größer\\n","version":"1.0.0"},"event":1,'
            '"id":"evt_00000000000000000000000000","kind":"revision.yanked","model_id":"mdl_0",'
            '"revision_id":null,"sequence":1,"workspace_id":null}'
        ).encode()
    )


def test_a_failed_write_leaves_no_gap_in_the_events(world: World) -> None:
    with world.catalog.write() as tx:
        tx.events.append(world.event())
    with pytest.raises(ZeroDivisionError), world.catalog.write() as tx:
        tx.events.append(world.event())
        raise ZeroDivisionError
    with pytest.raises(InvalidRequest), world.catalog.write() as tx:
        tx.events.append(world.event(too_large=2**60))
    with world.catalog.write() as tx:
        assert tx.events.append(world.event()).sequence == 2


def test_many_threads_append_without_gaps(world: World) -> None:
    ids = [world.new_id("evt_") for _ in range(80)]
    start = threading.Barrier(8)

    def append(part: int) -> None:
        start.wait()
        for number in range(part, 80, 8):
            with world.catalog.write() as tx:
                event = world.event()
                tx.events.append(type(event)(ids[number], "x", START, None, None, None, None, {}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(8)))
    with world.catalog.read() as tx:
        found = tx.events.after(0, 100)
    assert [event.sequence for event in found] == list(range(1, 81))
    assert [json.loads(event.canonical)["sequence"] for event in found] == list(range(1, 81))
    assert {event.id for event in found} == set(ids)
