"""Hub clients where something is wrong: errors, yanks, keys, writing, damage. And what is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.actor import Actor, quoted
from tests.conformance.hub_clients import Client, client
from tests.conformance.hub_shelf import YANK_REASON, Shelf, arm
from tests.journeys.running import wait_until

pytestmark = pytest.mark.timeout(300)

COMMAND = "node-data model push"


@pytest.fixture(scope="module")
def member(hub: Client, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of the same version whose token is the owner's key."""
    home = tmp_path_factory.mktemp("member")
    with client(hub.version, home, shelf.url, shelf.owner.key) as started:
        yield started


# --- the error map ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "revision", "raised"),
    [
        ("acme/none", "main", "RepositoryNotFoundError"),
        ("nobody/none", "main", "RepositoryNotFoundError"),
        ("gpt2", "main", "RepositoryNotFoundError"),
        ("acme/closed", "main", "RepositoryNotFoundError"),
        ("acme/arm", "9.9.9", "RevisionNotFoundError"),
        ("acme/arm", "^9", "RevisionNotFoundError"),
        ("acme/arm", "nonsense", "RevisionNotFoundError"),
        ("acme/arm", "../../x", "RevisionNotFoundError"),
        ("acme/arm", "a%2Fb", "RevisionNotFoundError"),
        ("acme/arm", "x" * 2000, "RevisionNotFoundError"),
        ("acme/arm", "0" * 40, "RevisionNotFoundError"),
        ("acme/arm", "0" * 64, "RevisionNotFoundError"),
        ("acme/empty", "main", "RevisionNotFoundError"),
    ],
)
def test_what_cannot_be_read_raises_what_the_hub_would(
    hub: Client, model: str, revision: str, raised: str
) -> None:
    info = hub.refusal(f"api.model_info({model!r}, revision={revision!r})")
    assert raised in info.names, info.said
    if len(revision) < 100:
        single = hub.refusal(f"hub.hf_hub_download({model!r}, 'config.json', revision={revision!r})")
        assert raised in single.names, single.said


@pytest.mark.parametrize("revision", ["main", "1.0.0"])
def test_what_was_taken_down_is_disabled_and_says_why(hub: Client, revision: str) -> None:
    refused = hub.refusal(f"api.model_info('acme/down', revision={revision!r})")
    assert "DisabledRepoError" in refused.names
    assert "a leaked key" in refused.said
    # As with the public Hub: a download says only that nothing can be had, and has the rest as its cause.
    for act in ("hub.hf_hub_download('acme/down', 'config.json', ", "hub.snapshot_download('acme/down', "):
        assert "LocalEntryNotFoundError" in hub.refusal(f"{act}revision={revision!r})").names


def test_a_revision_of_ten_kilobytes_is_refused_in_one_line(hub: Client) -> None:
    refused = hub.refusal(f"api.model_info('acme/arm', revision={'x' * 10_000!r})")
    assert "BadRequestError" in refused.names
    assert "at most 8192 are taken" in refused.said


def test_a_file_that_is_not_there_raises_and_is_remembered(hub: Client, shelf: Shelf) -> None:
    refused = hub.refusal("hub.hf_hub_download('acme/arm', 'no.json', revision='2.0.0')")
    assert "EntryNotFoundError" in refused.names
    remembered = f"models--acme--arm/.no_exist/{shelf.commit('acme/arm', '2.0.0')}/no.json"
    assert (hub.home / "hub" / "hub" / remembered).is_file()


def test_a_folder_that_is_not_there_raises(hub: Client) -> None:
    assert "EntryNotFoundError" in hub.refusal("list(api.list_repo_tree('acme/arm', 'no/such'))").names


def test_a_revision_that_is_not_found_does_not_fall_back_to_the_cache(hub: Client) -> None:
    hub.value("hub.snapshot_download('acme/arm', revision='2.0.0')")
    refused = hub.refusal("hub.snapshot_download('acme/arm', revision='^7')")
    assert "RevisionNotFoundError" in refused.names


@pytest.mark.parametrize("kind", ["dataset", "space"])
def test_other_kinds_of_repositories_do_not_exist(hub: Client, kind: str) -> None:
    refused = hub.refusal(f"api.repo_info('acme/arm', repo_type={kind!r})")
    assert "RepositoryNotFoundError" in refused.names
    assert "models only" in refused.said


def test_the_text_of_an_error_is_the_registrys_sentence(hub: Client) -> None:
    refused = hub.refusal("api.model_info('acme/arm', revision='^9')")
    assert "'^9'; its highest is 2.0.0" in refused.said
    assert "{'code'" not in refused.said
    assert "req_" in refused.said


def test_narrowing_that_is_not_offered_is_refused_rather_than_ignored(hub: Client) -> None:
    assert "not narrowed by filter" in hub.refusal("list(api.list_models(filter='text'))").said


# --- keys ---------------------------------------------------------------------------------------


def test_a_key_opens_a_private_model(member: Client) -> None:
    folder = Path(member.value("hub.snapshot_download('acme/closed')"))
    assert (folder / "model_card.md").is_file()
    assert member.value("api.model_info('acme/closed').private") is True


def test_without_a_key_a_private_model_says_how_to_send_one(hub: Client) -> None:
    assert "HF_TOKEN" in hub.refusal("api.model_info('acme/closed')").said


def test_a_key_tells_whose_it_is(member: Client) -> None:
    told = member.value("[api.whoami()['name'], [org['name'] for org in api.whoami()['orgs']]]")
    assert told == ["owner", ["acme"]]
    done = member.command("auth", "whoami")
    assert done.returncode == 0, done.stderr
    assert "owner" in done.stdout


def test_a_token_of_the_public_hub_is_no_key_here(hub: Client) -> None:
    refused = hub.refusal("api.model_info('acme/arm', token='hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')")
    assert "RepositoryNotFoundError" not in refused.names
    assert "HF_TOKEN" in refused.said


def test_a_retired_revision_is_gone_by_version_and_by_commit(member: Client, shelf: Shelf) -> None:
    listed = shelf.owner.done("GET", "/v1/models/acme/old/revisions")["items"]
    commit = next(one["commit"] for one in listed if one["version"] == "1.0.0")
    for revision in ("1.0.0", commit):
        refused = member.refusal(f"hub.snapshot_download('acme/old', revision={revision!r})")
        assert "RevisionNotFoundError" in refused.names, refused.said
        assert "too old" in refused.said
    assert member.value("[t.name for t in api.list_repo_refs('acme/old').tags]") == ["1.0.1"]


def test_a_commit_of_another_model_is_no_revision(hub: Client, shelf: Shelf) -> None:
    commit = shelf.commit("acme/leg", "1.0.0")
    assert "RevisionNotFoundError" in hub.refusal(f"api.model_info('acme/arm', revision={commit!r})").names


# --- yanks --------------------------------------------------------------------------------------


def test_a_range_passes_a_yanked_version_by_in_silence(hub: Client, shelf: Shelf) -> None:
    assert hub.value("api.model_info('acme/leg', revision='^1').sha") == shelf.commit("acme/leg", "1.0.0")
    assert hub.logged == []


def test_a_pin_on_a_yanked_version_warns_where_the_client_can(hub: Client, shelf: Shelf) -> None:
    folder = hub.value("hub.snapshot_download('acme/leg', revision='1.0.1')")
    assert Path(folder).name == shelf.commit("acme/leg", "1.0.1")
    if not hub.is_old:
        assert len(hub.logged) == 1
        assert hub.logged[0].startswith("acme/leg 1.0.1 was yanked on ")
        assert YANK_REASON in hub.logged[0]


def test_the_command_prints_the_warning(hub: Client) -> None:
    if hub.is_old:
        pytest.skip("this client shows no warnings")
    done = hub.command("download", "acme/leg", "--revision", "1.0.1")
    assert done.returncode == 0
    assert YANK_REASON in done.stderr


def test_every_answer_from_a_yanked_revision_carries_the_warning(shelf: Shelf) -> None:
    commit = shelf.commit("acme/leg", "1.0.1")
    for path in (
        f"/api/models/acme/leg/revision/{commit}",
        "/api/models/acme/leg/tree/1.0.1",
        "/acme/leg/resolve/1.0.1/config.json",
    ):
        reply = shelf.owner.get(path)
        assert reply.headers["X-HF-Warning"].startswith("yanked-acme/leg-1.0.1; acme/leg 1.0.1 was yanked")
        again = shelf.owner.get(path, if_none_match=reply.headers["ETag"])
        assert (again.status, again.headers["X-HF-Warning"]) == (304, reply.headers["X-HF-Warning"])


def test_a_yank_after_resolution_does_not_break_the_download(hub: Client, shelf: Shelf) -> None:
    model = new_model(shelf, hub, "hurried")
    commit = hub.value(f"api.model_info({model!r}, revision='^1').sha")
    shelf.owner.done("PUT", f"/v1/models/{model}/revisions/1.0.0/yank", {"reason": "too late"})
    folder = Path(hub.value(f"hub.snapshot_download({model!r}, revision={commit!r})"))
    assert (folder / "config.json").is_file()


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        "api.create_repo('acme/new')",
        "api.upload_file(path_or_fileobj=b'x', path_in_repo='x.txt', repo_id='acme/arm')",
        "api.delete_file('config.json', 'acme/arm')",
        "api.create_tag('acme/arm', tag='9.0.0')",
        "api.create_branch('acme/arm', branch='mine')",
        "api.delete_repo('acme/arm')",
        "api.update_repo_settings('acme/arm', private=True)",
    ],
)
def test_writing_is_refused_with_the_command_that_publishes(member: Client, act: str) -> None:
    assert COMMAND in member.refusal(act).said


def test_the_upload_command_names_the_right_one(member: Client) -> None:
    (member.home / "folder").mkdir(exist_ok=True)
    (member.home / "folder" / "a.txt").write_text("a")
    done = member.command("upload", "acme/arm", "folder", COLUMNS="1000")
    assert done.returncode != 0
    assert COMMAND in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/acme/arm.git/info/lfs/objects/batch"),
        ("POST", "/acme/arm.git/git-receive-pack"),
        ("PUT", "/acme/arm/resolve/main/config.json"),
        ("POST", "/api/models/acme/arm/commit/main"),
        ("POST", "/api/complete_multipart"),
    ],
)
def test_other_ways_of_writing_are_refused_too(shelf: Shelf, method: str, path: str) -> None:
    reply = shelf.owner.ask(method, path, {})
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
    assert COMMAND in reply.json["error"]


# --- damage -------------------------------------------------------------------------------------


def verified(hub: Client, model: str, revision: str) -> str:
    """Return what the client's own check says of its cache; empty if all is well."""
    found = hub.value(
        f"[m['path'] for m in api.verify_repo_checksums({model!r}, revision={revision!r}).mismatches]"
    )
    return " ".join(found)


def test_what_was_downloaded_passes_the_clients_check(hub: Client) -> None:
    if hub.is_old:
        pytest.skip("this client has no such check")
    hub.value("hub.snapshot_download('acme/arm', revision='^1')")
    assert verified(hub, "acme/arm", "^1") == ""
    done = hub.command("cache", "verify", "acme/arm", "--revision", "^1", "--fail-on-missing-files")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_clients_check_catches_a_flipped_bit_in_its_cache(hub: Client, shelf: Shelf) -> None:
    if hub.is_old:
        pytest.skip("this client has no such check")
    model = new_model(shelf, hub, "cached")
    folder = Path(hub.value(f"hub.snapshot_download({model!r}, revision='1.0.0')"))
    flip(folder / "weights" / "model.safetensors")
    assert verified(hub, model, "1.0.0") == "weights/model.safetensors"
    done = hub.command("cache", "verify", model, "--revision", "1.0.0")
    assert done.returncode != 0


def test_the_clients_check_catches_a_flipped_bit_in_the_registry(hub: Client, shelf: Shelf) -> None:
    if hub.is_old:
        pytest.skip("this client has no such check")
    model = new_model(shelf, hub, "rotten")
    plan = shelf.owner.done("GET", f"/v1/models/{model}/revisions/1.0.0/plan")
    weights = next(file for file in plan["files"] if file["path"] == "weights/model.safetensors")
    block = str(weights["blocks"][-1][0])
    (stored,) = [path for path in (shelf.data / "blobs").rglob("*") if path.name.endswith(block[4:])]
    flip(stored)
    hub.value(f"hub.snapshot_download({model!r}, revision='1.0.0')")
    assert verified(hub, model, "1.0.0") == "weights/model.safetensors"


def flip(path: Path) -> None:
    """Change one bit of a file, where it lies."""
    real = path.resolve()
    data = bytearray(real.read_bytes())
    data[len(data) // 2] ^= 1
    real.chmod(0o644)
    real.write_bytes(data)


# --- what is counted ----------------------------------------------------------------------------


def test_a_download_is_counted_once_and_looking_is_not(hub: Client, shelf: Shelf) -> None:
    model = new_model(shelf, hub, "counted")
    hub.value(f"[api.model_info({model!r}), api.list_repo_files({model!r})]")
    hub.value(f"fs.cat_file('{model}/weights/model.safetensors', start=0, end=9)")
    hub.value(f"str(api.parse_safetensors_file_metadata({model!r}, 'weights/model.safetensors'))")
    hub.value(f"hub.hf_hub_download({model!r}, 'config.json')")
    assert hub.value(f"api.model_info({model!r}).downloads") == 0
    hub.value(f"hub.snapshot_download({model!r})")
    wait_until(lambda: bool(hub.value(f"api.model_info({model!r}).downloads")))
    assert hub.value(f"api.model_info({model!r}).downloads") == 1
    hub.value(f"hub.snapshot_download({model!r})")
    assert hub.value(f"[m.downloads for m in api.list_models(search={model[5:]!r})]") == [1]


def test_the_second_run_of_the_command_needs_no_registry(hub: Client) -> None:
    assert hub.command("download", "acme/arm", "--revision", "^1").returncode == 0
    again = hub.command("download", "acme/arm", "--revision", "^1", HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr


def new_model(shelf: Shelf, hub: Client, name: str) -> str:
    """Publish a public model for one client and one test."""
    model = f"acme/{name}-{hub.version}"
    shelf.owner.done("POST", "/v1/models", {"ref": model, "visibility": "public"})
    seed = float(int(hashlib.sha256(model.encode()).hexdigest()[:6], 16))
    reply = shelf.owner.publish(model, "1.0.0", arm(seed, *(seed + one for one in range(9000))))
    assert reply.status == 201, reply.body
    return model


def test_a_key_without_the_right_to_read_is_told_of_no_private_model(shelf: Shelf) -> None:
    made = shelf.owner.done(
        "POST", "/v1/keys", {"name": "ci", "scopes": ["models:upload"], "workspace": "acme"}
    )
    reply = Actor(shelf.url, made["key"]).get(f"/api/models/acme/closed/revision/{quoted('^1')}")
    assert (reply.status, reply.headers["X-Error-Code"]) in ((404, "RepoNotFound"), (403, "GatedRepo"))
