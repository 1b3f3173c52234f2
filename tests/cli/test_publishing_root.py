"""`--root`: the folder below which relative paths of `model push` and `model check` begin."""

from __future__ import annotations

import pytest

from tests.cli.command import Command


def test_paths_begin_below_the_root_wherever_the_command_runs(cli: Command) -> None:
    model = cli.published("acme/rooted", "1.0.0")
    cli.revision("elsewhere", touched=5)
    options = ("--model", model, "--version", "1.0.1", "--changelog", "five", "--root", "elsewhere", "--json")
    assert cli.ok("model", "push", "model.safetensors", *options).json["file_count"] == 2


def test_the_one_folder_begins_below_the_root_too(cli: Command) -> None:
    cli.ok("model", "create", "acme/rooted-folder")
    (cli.folder / "outer").mkdir()
    cli.revision("outer/policy")
    options = ("--model", "acme/rooted-folder", "--version", "1.0.0", "--changelog", "first", "--json")
    pushed = cli.ok("model", "push", "policy", "--root", "outer", *options).json
    assert pushed["file_count"] == 2


@pytest.mark.parametrize("root", [(), ("--root", ".")])
def test_a_path_that_is_not_there_is_wrong_usage(cli: Command, root: tuple[str, ...]) -> None:
    ran = cli("model", "check", "absent.bin", "--model", "acme/x", "--version", "1.0.0", *root)
    assert ran.code == 2
    assert "absent.bin" in ran.err


def test_a_symlink_that_leads_out_is_followed_only_when_asked(cli: Command) -> None:
    cli.ok("model", "create", "acme/linked")
    folder = cli.folder / cli.revision()
    (folder / "model.safetensors").rename(cli.folder / "outside.safetensors")
    (folder / "model.safetensors").symlink_to(cli.folder / "outside.safetensors")
    options = ("--model", "acme/linked", "--version", "1.0.0", "--changelog", "first", "--json")
    refused = cli("model", "push", "policy", *options)
    assert refused.json["error"]["code"] == "path_outside_root"
    assert cli.ok("model", "push", "policy", *options, "--follow-links").json["file_count"] == 2
