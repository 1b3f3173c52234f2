"""Yank, hold, retire, quarantine, publish, retention, sweep, fsck, events."""

from __future__ import annotations

from tests.cli.command import Command


def test_yank_and_unyank_name_what_changed_and_what_did_not(cli: Command) -> None:
    cli.published("acme/yanked", "1.0.0", "1.0.1")
    cli.ok("model", "yank", "acme/yanked@1.0.0", "--reason", "bad")
    done = cli.ok("model", "yank", "acme/yanked", "^1", "--reason", "bad", "--json").json
    assert done["changed"] == ["1.0.1"]
    assert done["unchanged"] == ["1.0.0"]
    assert "Un-yanked acme/yanked" in cli.ok("model", "unyank", "acme/yanked@^1").out


def test_a_mark_needs_a_version(cli: Command) -> None:
    for command in (
        ("yank", "acme/x", "--reason", "r"),
        ("unyank", "acme/x"),
        ("hold", "acme/x", "--reason", "r"),
    ):
        ran = cli("model", *command)
        assert ran.code == 2
        assert "name a version" in ran.err


def test_hold_shows_until_it_is_lifted(cli: Command) -> None:
    cli.published("acme/held", "1.0.0")
    cli.ok("model", "hold", "acme/held@1.0.0", "--reason", "on line 3")
    assert "held" in cli.ok("model", "show", "acme/held@1.0.0").out
    cli.ok("model", "unhold", "acme/held@1.0.0")
    assert cli.ok("model", "show", "acme/held@1.0.0", "--json").json["revision"]["held"] is None


def test_retire_asks_first_and_removes_the_files(cli: Command) -> None:
    cli.published("acme/retired", "1.0.0", "1.0.1")
    retire = ("model", "retire", "acme/retired@1.0.0", "--reason", "withdrawn data")
    refused = cli(*retire)
    assert refused.code == 1
    assert "--yes" in refused.err
    cli.ok(*retire, "--yes")
    assert "revision_retired" in cli("pull", "acme/retired@1.0.0").err


def test_going_public_lists_what_it_publishes_and_needs_a_yes(cli: Command) -> None:
    cli.published("acme/opened", "1.0.0", "1.0.1")
    refused = cli("model", "publish", "acme/opened")
    assert refused.code == 1
    assert "1.0.1" in refused.err
    assert cli.ok("model", "publish", "acme/opened", "--confirm", "1.0.0", "--confirm", "1.0.1").code == 0
    assert (
        cli.ok("model", "show", "acme/opened", "--json", NODE_DATA_API_KEY="").json["visibility"] == "public"
    )


def test_quarantine_stops_serving_until_it_is_lifted(cli: Command) -> None:
    cli.published("acme/taken-down", "1.0.0")
    cli.ok("model", "quarantine", "acme/taken-down@1.0.0", "--reason", "leaked key")
    ran = cli("pull", "acme/taken-down@1.0.0")
    assert ran.code == 1
    assert "revision_quarantined" in ran.err
    cli.ok("model", "quarantine", "acme/taken-down@1.0.0", "--lift")
    cli.ok("pull", "acme/taken-down@1.0.0")


def test_retention_applies_only_the_preview_that_was_seen(cli: Command) -> None:
    cli.ok("workspace", "create", "tidy")
    cli.published("tidy/model", "1.0.0", "1.0.1", "1.0.2")
    cli.ok("workspace", "retention", "set", "tidy", "--keep-last", "1")
    seen = cli.ok("retention", "preview", "tidy", "--json").json
    assert cli("retention", "apply", "tidy").code == 1
    cli.ok("model", "hold", "tidy/model@1.0.0", "--reason", "still needed")
    changed = cli("retention", "apply", "tidy", "--preview", seen["digest"])
    assert "preview_changed" in changed.err
    assert "retire" in cli.ok("retention", "preview", "tidy").out
    assert cli.ok("retention", "apply", "tidy", "--yes", "--json").json["retired"] == ["tidy/model@1.0.1"]


def test_a_retention_policy_needs_rules_or_to_say_that_it_has_none(cli: Command) -> None:
    assert cli("workspace", "retention", "set", "acme").code == 2
    assert cli("workspace", "retention", "set", "acme", "--keep-everything", "--keep-last", "1").code == 2
    assert "keeps everything" in cli.ok("workspace", "retention", "set", "acme", "--keep-everything").out


def test_fsck_of_a_whole_registry_is_clean(cli: Command) -> None:
    cli.published("acme/whole", "1.0.0")
    report = cli.ok("fsck", "--data", str(cli.registry.data), "--json").json
    assert report["clean"] is True
    assert report["bytes_read"] > 0
    assert (
        cli.ok("fsck", "--data", str(cli.registry.data), "--no-read-data", "--json").json["bytes_read"] == 0
    )


def test_fsck_names_a_damaged_file_and_exits_with_1(cli: Command) -> None:
    unset = {"NODE_DATA_API_KEY": "", "NODE_DATA_BASE_URL": ""}
    cli.ok("workspace", "create", "mine", "--path", "local", **unset)
    push = ("--model", "mine/x", "--version", "1.0.0", "--changelog", "c", "--create", "--path", "local")
    cli.ok("model", "push", cli.revision(), *push, **unset)
    blocks = [path for path in (cli.folder / "local" / "blobs").rglob("*") if path.is_file()]
    largest = max(blocks, key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(b"\xff" * largest.stat().st_size)
    ran = cli("fsck", "--data", "local")
    assert ran.code == 1
    assert "mine/x@1.0.0 model.safetensors" in " ".join(ran.out.split())


def test_sweep_says_what_it_would_delete_and_keeps_what_revisions_need(cli: Command) -> None:
    cli.published("acme/swept", "1.0.0")
    report = cli.ok("sweep", "--data", str(cli.registry.data), "--dry-run", "--grace", "0", "--json").json
    assert report["dry_run"] is True
    assert report["deleted_blocks"] == 0
    cli.ok("sweep", "--data", str(cli.registry.data), "--grace", "24h")
    cli.ok("pull", "acme/swept@1.0.0")


def test_maintenance_of_a_mistyped_folder_makes_no_registry_there(cli: Command) -> None:
    for command in ("sweep", "fsck"):
        ran = cli(command, "--data", "mistyped")
        assert ran.code == 2
        assert "holds no registry" in ran.err
    assert not (cli.folder / "mistyped").exists()


def test_events_go_on_from_their_cursor(cli: Command) -> None:
    first = cli.ok("events", "--limit", "2", "--json").json
    assert len(first["items"]) == 2
    second = cli.ok("events", "--limit", "1", "--cursor", first["next_cursor"], "--json").json
    assert second["items"][0]["id"] not in [item["id"] for item in first["items"]]
    assert "workspace.created" in cli.ok("events").out
