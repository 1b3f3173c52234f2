"""What Hub clients read: each request they make, by each client, against a served registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.api.actor import quoted
from tests.conformance.hub_clients import Client
from tests.conformance.hub_shelf import Shelf

pytestmark = pytest.mark.timeout(300)

REVISIONS = ("main", "latest", "^1", "~1.0", "1.1.0", ">=1 <2", "commit", "digest", "sha256")


def meaning(shelf: Shelf, revision: str) -> tuple[str, str]:
    """Return what the client is given as revision, and the commit that it must find."""
    means = {"main": "2.0.0", "latest": "2.0.0", "~1.0": "1.0.0"}.get(revision, "1.1.0")
    found = shelf.owner.done("GET", f"/v1/models/acme/arm/revisions/{means}")
    asked = {
        "commit": found["commit"],
        "digest": found["digest"],
        "sha256": f"sha256:{found['digest']}",
    }.get(revision, revision)
    return asked, found["commit"]


# --- row 1: a model at a revision ---------------------------------------------------------------


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_kind_of_revision_finds_its_commit(hub: Client, shelf: Shelf, revision: str) -> None:
    asked, commit = meaning(shelf, revision)
    assert hub.value(f"api.model_info('acme/arm', revision={asked!r}).sha") == commit


def test_without_a_revision_the_latest_is_meant(hub: Client, shelf: Shelf) -> None:
    assert hub.value("api.model_info('acme/arm').sha") == shelf.commit("acme/arm", "latest")


def test_a_model_tells_what_its_card_states(hub: Client) -> None:
    hub.value("globals().update(info=api.model_info('acme/arm'))")
    told = hub.value("[info.id, info.author, info.private, info.gated, info.library_name, info.pipeline_tag]")
    assert told == ["acme/arm", "acme", False, False, "onnx", "robotics"]
    assert hub.value("info.tags") == ["arm", "onnx", "robotics", "license:apache-2.0"]
    assert hub.value("[info.card_data.license, info.card_data.base_model]") == [
        "apache-2.0",
        "acme/older-arm",
    ]


def test_siblings_have_sizes_and_digests_when_asked(hub: Client, shelf: Shelf) -> None:
    found = hub.value(
        "{s.rfilename: [s.size, s.lfs['sha256']] for s in"
        " api.model_info('acme/arm', files_metadata=True).siblings}"
    )
    assert found == {
        path: [len(data), hashlib.sha256(data).hexdigest()] for path, data in shelf.files.items()
    }


def test_a_model_without_revisions_exists(hub: Client) -> None:
    assert hub.value("api.repo_exists('acme/empty')") is True
    assert hub.value("api.revision_exists('acme/empty', 'main')") is False


# --- row 2: trees -------------------------------------------------------------------------------


def test_all_files_are_listed(hub: Client, shelf: Shelf) -> None:
    assert hub.value("sorted(api.list_repo_files('acme/arm', revision='^2'))") == sorted(shelf.files)


def test_a_tree_that_is_not_recursive_shows_folders(hub: Client) -> None:
    found = hub.value("[e.path for e in api.list_repo_tree('acme/arm')]")
    assert found == ["config.json", "model_card.md", "weights"]
    below = hub.value("[e.path for e in api.list_repo_tree('acme/arm', 'weights', recursive=True)]")
    assert below == ["weights/model.safetensors", "weights/notes", "weights/notes/übung 1.txt"]


def test_an_expanded_tree_names_the_commit(hub: Client, shelf: Shelf) -> None:
    found = hub.value("[e.last_commit.oid for e in api.list_repo_tree('acme/arm', expand=True)]")
    assert set(found) == {shelf.commit("acme/arm", "latest")}


# --- rows 3 and 4: files ------------------------------------------------------------------------


def test_the_head_of_a_file_names_commit_digest_and_size(hub: Client, shelf: Shelf) -> None:
    path = "weights/model.safetensors"
    told = hub.value(
        "[m.commit_hash, m.etag, m.size] if (m := hub.get_hf_file_metadata("
        f"hub.hf_hub_url('acme/arm', {path!r}, revision='^2'))) else None"
    )
    data = shelf.files[path]
    assert told == [shelf.commit("acme/arm", "2.0.0"), hashlib.sha256(data).hexdigest(), len(data)]


def test_a_file_is_there_or_not(hub: Client) -> None:
    assert hub.value("api.file_exists('acme/arm', 'weights/notes/übung 1.txt', revision='^1')") is True
    assert hub.value("api.file_exists('acme/arm', 'weights/none.txt', revision='^1')") is False


@pytest.mark.parametrize("path", ["weights/model.safetensors", "weights/notes/übung 1.txt"])
def test_a_single_file_is_downloaded(hub: Client, shelf: Shelf, path: str) -> None:
    found = hub.value(f"hub.hf_hub_download('acme/arm', {path!r}, revision='~2.0')")
    assert Path(found).read_bytes() == shelf.files[path]


def test_a_whole_revision_is_downloaded(hub: Client, shelf: Shelf) -> None:
    folder = Path(hub.value("hub.snapshot_download('acme/arm', revision='^2')"))
    assert folder.name == shelf.commit("acme/arm", "2.0.0")
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert found == shelf.files


def test_a_whole_revision_is_found_again_without_the_registry(hub: Client) -> None:
    folder = hub.value("hub.snapshot_download('acme/arm', revision='^1')")
    again = hub.value("hub.snapshot_download('acme/arm', revision='^1', local_files_only=True)")
    assert again == folder


def test_only_a_part_of_the_weights_is_read_for_their_header(hub: Client) -> None:
    found = hub.value(
        "{n: list(t.shape) for n, t in api.parse_safetensors_file_metadata("
        "'acme/arm', 'weights/model.safetensors').tensors.items()}"
    )
    assert found == {"w": [50_001]}


# --- rows 5 and 6: names and history ------------------------------------------------------------


def test_versions_are_tags_and_main_is_the_latest(hub: Client, shelf: Shelf) -> None:
    hub.value("globals().update(refs=api.list_repo_refs('acme/arm'))")
    tags = {version: shelf.commit("acme/arm", version) for version in ("1.0.0", "1.1.0", "2.0.0")}
    assert hub.value("{t.name: t.target_commit for t in refs.tags}") == tags
    assert hub.value("{b.name: b.target_commit for b in refs.branches}") == {"main": tags["2.0.0"]}


def test_the_history_follows_the_parents(hub: Client, shelf: Shelf) -> None:
    found = hub.value("[c.commit_id for c in api.list_repo_commits('acme/arm', revision='^1')]")
    assert found == [shelf.commit("acme/arm", version) for version in ("1.1.0", "1.0.0")]


# --- row 7: paths -------------------------------------------------------------------------------


def test_named_paths_are_told_and_unknown_ones_left_out(hub: Client) -> None:
    found = hub.value(
        "[type(p).__name__ + ' ' + p.path for p in"
        " api.get_paths_info('acme/arm', ['weights', 'config.json', 'none'], revision='^1', expand=True)]"
    )
    assert found == ["RepoFolder weights", "RepoFile config.json"]


# --- rows 9 and 10: lists, the command line -----------------------------------------------------


def test_models_are_listed_and_searched(hub: Client) -> None:
    everything = hub.value("sorted(m.id for m in api.list_models())")
    assert everything == ["acme/arm", "acme/down", "acme/empty", "acme/leg"]
    assert hub.value("[m.id for m in api.list_models(search='leg', author='acme')]") == ["acme/leg"]
    assert hub.value("[m.id for m in api.list_models(author='nobody')]") == []


def test_the_command_downloads_a_range(hub: Client, shelf: Shelf) -> None:
    done = hub.command("download", "acme/arm", "--revision", "^1", "--local-dir", "here")
    assert done.returncode == 0, done.stderr
    assert (hub.home / "here" / "config.json").read_bytes() == shelf.files["config.json"]
    assert hub.home.joinpath("here", "weights", "model.safetensors").is_file()


def test_the_command_lists_and_describes_models(hub: Client, shelf: Shelf) -> None:
    if hub.is_old:
        pytest.skip("this client has no such command")
    listed = hub.command("models", "ls", "--search", "leg", "--format", "json")
    assert [one["id"] for one in json.loads(listed.stdout)] == ["acme/leg"]
    told = hub.command("models", "info", "acme/arm", "--revision", "^1", "--format", "json")
    assert json.loads(told.stdout)["sha"] == shelf.commit("acme/arm", "1.1.0")


# --- HfFileSystem -------------------------------------------------------------------------------


def test_the_file_system_lists_finds_and_reads_ranges(hub: Client, shelf: Shelf) -> None:
    assert hub.value("sorted(fs.ls('acme/arm@^1', detail=False))") == [
        f"acme/arm@^1/{name}" for name in ("config.json", "model_card.md", "weights")
    ]
    assert hub.value("fs.glob('acme/arm@1.1.0/**/*.safetensors')") == [
        "acme/arm@1.1.0/weights/model.safetensors"
    ]
    weights = shelf.files["weights/model.safetensors"]
    assert hub.value("fs.info('acme/arm/weights/model.safetensors')['size']") == len(weights)
    part = hub.value("list(fs.cat_file('acme/arm/weights/model.safetensors', start=100_000, end=100_020))")
    assert bytes(part) == weights[100_000:100_020]
    assert json.loads(hub.value("fs.cat_file('acme/arm@^2/config.json').decode()")) == json.loads(
        shelf.files["config.json"]
    )


# --- as it looks on the wire --------------------------------------------------------------------


def test_long_trees_come_in_pages(shelf: Shelf) -> None:
    address = "/api/models/acme/arm/tree/main?recursive=true&limit=2"
    paths: list[str] = []
    pages = 0
    while address:
        reply = shelf.owner.get(address)
        paths += [entry["path"] for entry in reply.json]
        following = reply.headers.get("Link", "")
        address = following.partition(">")[0].removeprefix(f"<{shelf.url}")
        pages += 1
    assert pages == 3
    assert paths == sorted([*shelf.files, "weights", "weights/notes"])


def test_a_revision_is_routed_as_it_was_sent(shelf: Shelf) -> None:
    for revision in (">=1,<2", "^1 || ^3", "1.0.0/x", "../../x", "%5E1", " ^1 "):
        reply = shelf.owner.get(f"/api/models/acme/arm/revision/{quoted(revision)}")
        known = revision in ("^1 || ^3", " ^1 ")
        assert reply.status == (200 if known else 404), revision
        assert reply.headers.get("X-Error-Code") == (None if known else "RevisionNotFound"), revision


def test_an_unchanged_answer_is_not_sent_again(shelf: Shelf) -> None:
    for path in ("/api/models/acme/arm/tree/main", "/acme/arm/resolve/main/config.json"):
        first = shelf.owner.get(path)
        assert shelf.owner.get(path, if_none_match=first.headers["ETag"]).status == 304


def test_a_range_that_is_not_in_the_file_is_refused(shelf: Shelf) -> None:
    reply = shelf.owner.get("/acme/arm/resolve/main/config.json", range="bytes=5000-")
    assert reply.status == 416
    assert reply.headers["Content-Range"].startswith("bytes */")
    part = shelf.owner.get("/acme/arm/resolve/main/config.json", range="bytes=1-4")
    assert (part.status, part.body) == (206, shelf.files["config.json"][1:5])
