"""Where the registry is and which key to show it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from nodedata_registry import NodeData
from nodedata_registry.errors import InvalidRequest
from nodedata_registry.sdk.settings import (
    check_base_url,
    credentials_path,
    forget_credentials,
    read_credentials,
    read_settings,
    save_credentials,
)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def test_an_argument_wins_over_the_environment(home: dict[str, str]) -> None:
    environ = {**home, "NODE_DATA_BASE_URL": "http://env:1", "NODE_DATA_API_KEY": "from-env"}
    found = read_settings("http://argument:2", "argument", environ=environ)
    assert (found.base_url, found.api_key) == ("http://argument:2", "argument")


def test_the_environment_wins_over_a_saved_login(home: dict[str, str]) -> None:
    save_credentials("http://saved:1", "saved", home)
    found = read_settings(environ={**home, "NODE_DATA_BASE_URL": "http://env:1", "NODE_DATA_API_KEY": "key"})
    assert (found.base_url, found.api_key) == ("http://env:1", "key")


def test_a_saved_login_is_used_when_nothing_else_is_said(home: dict[str, str]) -> None:
    save_credentials("http://saved:1/", "saved", home)
    found = read_settings(environ=home)
    assert (found.base_url, found.api_key) == ("http://saved:1", "saved")


def test_a_saved_key_is_shown_to_its_own_registry_only(home: dict[str, str]) -> None:
    save_credentials("http://saved:1", "saved", home)
    assert read_settings("http://other:1", environ=home).api_key is None


def test_empty_variables_count_as_unset(home: dict[str, str]) -> None:
    environ = {**home, "NODE_DATA_BASE_URL": "", "NODE_DATA_API_KEY": "", "NODE_DATA_CACHE": ""}
    found = read_settings(environ=environ)
    assert (found.base_url, found.api_key, found.cache) == (
        None,
        None,
        Path(home["HOME"]) / ".cache" / "node-data",
    )


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("0", False), ("no", False)])
def test_offline_is_read_from_the_environment(home: dict[str, str], value: str, offline: bool) -> None:
    assert read_settings(environ={**home, "NODE_DATA_OFFLINE": value}).offline is offline


def test_only_its_owner_can_read_the_credentials_file(home: dict[str, str]) -> None:
    path = save_credentials("http://saved:1", "secret", home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path == credentials_path(home)


def test_a_second_login_keeps_the_first_key(home: dict[str, str]) -> None:
    save_credentials("http://one:1", "first", home)
    save_credentials("http://two:1", "second", home)
    saved = read_credentials(home)
    assert saved.default == "http://two:1"
    assert saved.keys == {"http://one:1": "first", "http://two:1": "second"}


def test_a_forgotten_login_leaves_no_key_behind(home: dict[str, str]) -> None:
    path = save_credentials("http://one:1", "hidden-text", home)
    assert forget_credentials("http://one:1", home)
    assert not forget_credentials("http://one:1", home)
    assert b"hidden-text" not in path.read_bytes()


def test_a_damaged_credentials_file_is_named(home: dict[str, str]) -> None:
    path = save_credentials("http://one:1", "key", home)
    path.write_bytes(b"{")
    with pytest.raises(InvalidRequest, match="login"):
        read_settings(environ=home)


@pytest.mark.parametrize(
    "text",
    ["", "registry", "ftp://registry", "http://", "http://u:p@host", "http://host?x=1", "http://ho st:x"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_base_url(text)
    assert caught.value.field == "base_url"


def test_a_client_without_any_address_says_how_to_give_one(
    home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home["HOME"])
    for name in ("NODE_DATA_BASE_URL", "NODE_DATA_API_KEY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidRequest, match="NODE_DATA_BASE_URL"):
        NodeData()
