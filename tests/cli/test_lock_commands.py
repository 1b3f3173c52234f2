"""`lock`, `sync` and `audit` as CI and a robot type them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from nodedata_registry import NodeData
from tests.cli.command import PROGRAM, Command


def namespaces_work() -> bool:
    """Return whether this machine lets us make an empty network namespace."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0


def project(cli: Command, *wishes: str) -> None:
    """Write `node-data.toml` with wishes such as `acme/x=^1`."""
    lines = [f'"{model}" = "{revision}"' for model, _, revision in (wish.partition("=") for wish in wishes)]
    (cli.folder / "node-data.toml").write_text("\n".join(["[models]", *lines, ""]))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_lock_sync_audit_from_a_project_file_to_a_folder(cli: Command) -> None:
    cli.published("acme/fleet-a", "1.0.0", "1.0.1")
    project(cli, "acme/fleet-a=^1")
    locked = cli.ok("lock")
    assert "acme/fleet-a" in locked.out
    assert "1.0.1" in locked.out
    assert "Wrote" in locked.out
    assert "Up to date" in cli.ok("lock").out
    synced = cli.ok("sync", "models")
    assert "Restored: 1 model" in synced.out
    assert set(files(cli.folder / "models")) == {
        "acme/fleet-a/model.safetensors",
        "acme/fleet-a/model_card.md",
    }
    assert "nothing speaks against" in cli.ok("audit").out


def test_check_fails_ci_without_a_registry_and_passes_again_after_locking(cli: Command) -> None:
    cli.published("acme/fleet-b", "1.0.0")
    project(cli, "acme/fleet-b=^1")
    cli.ok("lock")
    nobody = {"NODE_DATA_BASE_URL": "", "NODE_DATA_API_KEY": ""}
    cli.ok("lock", "--check", **nobody)
    project(cli, "acme/fleet-b=~1.0")
    ran = cli("lock", "--check", **nobody)
    assert ran.code == 1
    assert "lock_outdated" in ran.err
    assert "run `node-data lock`" in ran.err
    cli.ok("lock")
    cli.ok("lock", "--check", **nobody)


def test_models_on_the_command_line_and_upgrades_by_name(cli: Command) -> None:
    cli.published("acme/fleet-c", "1.0.0", "1.0.1")
    cli.ok("lock", "acme/fleet-c@1.0.0")
    cli.ok("lock", "acme/fleet-c@~1.0")
    done = cli.ok("lock", "--upgrade", "acme/fleet-c", "--json").json
    assert [(one["change"], one["new_version"]) for one in done["changes"]] == [("upgraded", "1.0.1")]
    assert cli("lock", "--upgrade", "acme/fleet-c@^1").code == 2


def test_a_young_revision_is_refused_with_the_way_around_it(cli: Command) -> None:
    cli.published("acme/fleet-d", "1.0.0")
    project(cli, "acme/fleet-d=^1")
    ran = cli("lock", "--min-age", "7d")
    assert ran.code == 1
    assert "--allow-young" in ran.err
    cli.ok("lock", "--min-age", "7d", "--allow-young", "acme/fleet-d")
    assert cli("lock", "--min-age", "soon").code == 2


def test_rollback_returns_the_previous_state(cli: Command) -> None:
    cli.published("acme/fleet-e", "1.0.0", "1.0.1")
    project(cli, "acme/fleet-e=1.0.0")
    cli.ok("lock")
    cli.ok("sync", "models")
    good = files(cli.folder / "models")
    project(cli, "acme/fleet-e=1.0.1")
    cli.ok("lock")
    cli.ok("sync", "models")
    assert files(cli.folder / "models") != good
    back = cli.ok("sync", "models", "--rollback")
    assert "Rolled back" in back.out
    assert files(cli.folder / "models") == good


@pytest.mark.skipif(not namespaces_work(), reason="this machine forbids network namespaces")
def test_three_models_are_restored_and_rolled_back_in_an_empty_network_namespace(cli: Command) -> None:
    names = ("acme/fleet-f", "acme/fleet-g", "acme/fleet-h")
    for name in names:
        cli.published(name, "1.0.0", "1.0.1")
    for version in ("1.0.0", "1.0.1"):
        project(cli, *(f"{name}={version}" for name in names))
        cli.ok("lock")
        cli.ok("sync")
        cli.ok("sync", "models")
    newest = files(cli.folder / "models")
    shutil.rmtree(cli.folder / "models")

    def isolated(*arguments: str, **extra: str) -> None:
        done = subprocess.run(
            ["unshare", "-rn", *PROGRAM, *arguments],
            cwd=cli.folder,
            env=cli.environment(**extra),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    isolated("sync", "models")
    assert files(cli.folder / "models") == newest
    isolated("sync", "models", "--rollback", NODE_DATA_OFFLINE="1", NODE_DATA_BASE_URL="")
    assert files(cli.folder / "models") != newest
    assert len(files(cli.folder / "models")) == len(newest)


def test_audit_speaks_in_exit_codes(cli: Command) -> None:
    cli.published("acme/fleet-i", "1.0.0", "1.0.1")
    project(cli, "acme/fleet-i=1.0.0")
    cli.ok("lock")
    assert cli.ok("audit").out.startswith("newer: ")
    assert cli("audit", "--fail-on", "newer").code == 101
    with NodeData(cli.registry.url, cli.registry.key, cache=cli.folder / "unused") as node:
        node.models.yank("acme/fleet-i", "1.0.0", "memory leak on Jetson")
        yanked = cli("audit")
        assert yanked.code == 102
        assert "memory leak on Jetson (use 1.0.1)" in yanked.out.replace("\n", " ")
        assert cli("audit", "--fail-on", "quarantined").code == 0
        assert cli("sync", "models", "--deny-yanked").code == 1
        assert "memory leak on Jetson" in cli.ok("sync", "models").err
        node.models.quarantine("acme/fleet-i", "1.0.0", "leaked key")
        assert cli("audit", "--fail-on", "quarantined", "--json").code == 104
    lock = cli.folder / "node-data.lock"
    lock.write_text(lock.read_text().replace('"1.0.0"', '"1.0.9"'))
    changed = cli("audit")
    assert changed.code == 105
    assert "CHANGED" in changed.out


def test_what_could_not_run_exits_with_2_in_one_line(cli: Command) -> None:
    for command in ("sync", "audit"):
        ran = cli(command)
        assert ran.code == 2
        assert "node-data lock" in ran.err
        assert len(ran.err.splitlines()) == 1
    assert cli("lock").code == 2
    (cli.folder / "node-data.lock").write_text("<<<<<<< HEAD\nlock = 1\n")
    for command in ("lock", "sync", "audit"):
        ran = cli(command, "--json")
        assert ran.code == 2
        assert ran.json["error"]["code"] == "invalid_lock"
        assert "conflict markers" in ran.err


def test_a_robot_goes_back_when_a_sync_fails(cli: Command) -> None:
    cli.published("acme/fleet-j", "1.0.0", "1.0.1")
    project(cli, "acme/fleet-j=1.0.0")
    cli.ok("lock")
    cli.ok("sync", "models")
    good = files(cli.folder / "models")
    project(cli, "acme/fleet-j=1.0.1")
    cli.ok("lock")
    cli.ok("sync", "models")
    (cli.folder / "node-data.lock").write_text("lock = 2\n")
    gone = {"NODE_DATA_BASE_URL": ""}
    assert cli("sync", "models", "--offline", **gone).code == 2
    cli.ok("sync", "models", "--offline", "--rollback", **gone)
    assert files(cli.folder / "models") == good


def test_a_damaged_file_is_named_when_it_is_replaced(cli: Command) -> None:
    cli.published("acme/fleet-k", "1.0.0")
    cli.ok("lock", "acme/fleet-k@^1")
    cli.ok("sync", "models")
    damaged = cli.folder / "models" / "acme" / "fleet-k" / "model.safetensors"
    good, status = damaged.read_bytes(), damaged.stat()
    damaged.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    os.utime(damaged, ns=(status.st_atime_ns, status.st_mtime_ns))
    ran = cli.ok("sync", "models")
    assert "acme/fleet-k/model.safetensors was damaged" in ran.err
    assert damaged.read_bytes() == good


def test_a_sync_killed_at_any_moment_leaves_the_old_state_or_the_new(cli: Command) -> None:
    cli.published("acme/fleet-l", "1.0.0", "1.0.1")
    texts, states = [], []
    for version in ("1.0.0", "1.0.1"):
        cli.ok("lock", f"acme/fleet-l@{version}")
        texts.append((cli.folder / "node-data.lock").read_text())
        cli.ok("sync", "models")
        states.append(files(cli.folder / "models"))
    random = Random(6)
    for turn in range(4):
        (cli.folder / "node-data.lock").write_text(texts[turn % 2])
        process = subprocess.Popen(
            [*PROGRAM, "sync", "models"],
            cwd=cli.folder,
            env=cli.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(random.uniform(0.2, 0.6))
        process.kill()
        process.wait()
        assert files(cli.folder / "models") in states
    cli.ok("sync", "models")
    assert files(cli.folder / "models") == states[1]
