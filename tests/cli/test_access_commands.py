"""Login, accounts, keys, members, grants: who may do what, from the command line."""

from __future__ import annotations

import stat

import pytest

from tests.cli.command import Command


def test_login_keeps_a_key_that_only_its_owner_can_read(cli: Command) -> None:
    ran = cli(
        "login", cli.registry.url, stdin=cli.registry.key + "\n", NODE_DATA_API_KEY="", NODE_DATA_BASE_URL=""
    )
    assert ran.code == 0, ran.err
    kept = cli.folder / "home" / ".config" / "node-data" / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    whoami = cli("whoami", "--json", NODE_DATA_API_KEY="", NODE_DATA_BASE_URL="")
    assert whoami.json["account"]["operator"] is True


def test_login_with_a_wrong_key_keeps_nothing(cli: Command) -> None:
    wrong = "nd_live_" + "x" * 40
    ran = cli("login", cli.registry.url, "--key", wrong)
    assert ran.code == 1
    assert "not_authenticated" in ran.err
    assert wrong not in ran.err + ran.out
    assert not (cli.folder / "home").exists()


def test_login_forgets_a_key(cli: Command) -> None:
    cli.ok("login", cli.registry.url)
    assert cli.ok("login", cli.registry.url, "--forget", "--json").json["forgotten"] is True
    assert cli("whoami", NODE_DATA_API_KEY="", NODE_DATA_BASE_URL="").code == 2


def test_whoami_shows_account_and_scopes(cli: Command) -> None:
    ran = cli.ok("whoami")
    assert "models:upload" in ran.out
    assert "acme (owner)" in ran.out


def test_the_address_may_stand_before_or_behind_the_command(cli: Command) -> None:
    where = ("--url", cli.registry.url, "--key", cli.registry.key)
    unset = {"NODE_DATA_API_KEY": "", "NODE_DATA_BASE_URL": ""}
    assert cli.ok(*where, "whoami", **unset).out == cli.ok("whoami", *where, **unset).out
    assert cli.ok("--json", "whoami").json == cli.ok("whoami", "--json").json


def test_a_folder_is_a_registry_without_a_server(cli: Command) -> None:
    unset = {"NODE_DATA_API_KEY": "", "NODE_DATA_BASE_URL": ""}
    cli.ok("workspace", "create", "mine", "--path", "local", **unset)
    push = ("--model", "mine/x", "--version", "1.0.0", "--changelog", "c", "--create")
    cli.ok("--path", "local", "model", "push", cli.revision(), *push, **unset)
    assert cli.ok("--path", "local", "pull", "mine/x", "out", **unset).out.strip().endswith("/out")


def test_a_buyer_sees_what_was_granted_and_nothing_else(cli: Command) -> None:
    cli.published("acme/sold", "1.0.0")
    cli.published("acme/unsold", "1.0.0")
    buyer = cli.ok("account", "create", "buyer", "--json").json
    assert cli("model", "show", "acme/sold", "--key", buyer["key"]).code == 1
    cli.ok("grant", "put", "acme/sold", buyer["id"], "--expires", "30d")
    cli.ok("pull", "acme/sold@^1", "bought", "--key", buyer["key"])
    assert "model_not_found" in cli("model", "show", "acme/unsold", "--key", buyer["key"]).err
    assert buyer["id"] in cli.ok("grant", "list", "acme/sold").out
    cli.ok("grant", "revoke", "acme/sold", buyer["id"])
    assert cli("model", "show", "acme/sold", "--key", buyer["key"]).code == 1


def test_members_have_roles_that_can_be_taken_away(cli: Command) -> None:
    account = cli.ok("account", "create", "colleague", "--json").json
    cli.ok("member", "put", "acme", account["id"], "publisher")
    assert "publisher" in cli.ok("member", "list", "acme").out
    cli.ok("member", "remove", "acme", account["id"])
    members = cli.ok("member", "list", "acme", "--json").json["items"]
    assert account["id"] not in [member["account_id"] for member in members]


def test_a_narrow_key_is_shown_once_and_may_only_what_it_says(cli: Command) -> None:
    cli.published("acme/narrow", "1.0.0")
    made = cli.ok(
        "keys", "create", "--name", "robot", "--scope", "models:read", "--expires", "30d", "--json"
    ).json
    assert made["key"] not in cli.ok("keys", "list").out
    yank = ("model", "yank", "acme/narrow@1.0.0", "--reason", "r", "--key", made["key"])
    refused = cli(*yank)
    assert refused.code == 1
    assert "scope_missing" in refused.err
    cli.ok("keys", "revoke", made["id"])
    assert "not_authenticated" in cli("whoami", "--key", made["key"]).err


@pytest.mark.parametrize("when", ["soon", "30 days", "2030-13-01"])
def test_an_expiry_that_is_none_is_a_usage_error(cli: Command, when: str) -> None:
    ran = cli("keys", "create", "--expires", when)
    assert ran.code == 2
    assert "2030-01-31" in ran.err
