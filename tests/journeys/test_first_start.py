"""`node-data serve`: the first start, the ways in which it cannot start, and how it stops."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from nodedata_registry import NodeData, errors
from nodedata_registry.server.config import Settings
from tests.api.actor import served
from tests.journeys.policies import MIB, contents, write_policy
from tests.journeys.running import OWNER_KEY, running, spawn, start

KEY_LINE = re.compile(r"Owner key \(shown this once\): (nd_live_[0-9A-Za-z]{32,64})")


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a server has run; tests copy it."""
    data = tmp_path_factory.mktemp("used") / "data"
    with running(data):
        pass
    return data


@pytest.fixture
def data(used: Path, tmp_path: Path) -> Path:
    """A data folder of this test in which a server has run."""
    return Path(shutil.copytree(used, tmp_path / "data"))


def fails(data: Path, *options: str, code: str, through: Sequence[str] = (), **environment: str) -> str:
    """Start a server that must end at once with a code and one sentence; return the sentence."""
    process = spawn(data, *options, environment=environment, through=through)
    output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert len(output.splitlines()) == 1, output
    assert output.startswith(f"node-data: {code}: "), output
    return output


# --- the owner's key ----------------------------------------------------------------------------


def test_the_first_start_makes_everything_and_prints_the_owners_key_once(tmp_path: Path) -> None:
    data = tmp_path / "not" / "there" / "yet"
    server = start(data, environment={})
    keys = [found[1] for found in map(KEY_LINE.fullmatch, server.lines) if found]
    assert len(keys) == 1
    with NodeData(server.url, keys[0]) as node:
        assert node.accounts.me().account.operator
    assert server.stop() == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    again = start(data, environment={})
    assert not any("nd_live_" in line for line in again.lines)
    with NodeData(again.url, keys[0]) as node:
        assert node.accounts.me().account.operator
    assert again.stop() == 0


def test_the_owners_key_is_nowhere_in_the_data_folder(tmp_path: Path) -> None:
    server = start(tmp_path / "data", environment={})
    key = next(found[1] for found in map(KEY_LINE.fullmatch, server.lines) if found)
    server.stop()
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert files
    assert not any(key.encode() in path.read_bytes() for path in files)


def test_a_key_from_the_environment_is_taken_and_not_printed(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        assert not any("nd_live_" in line for line in server.lines)
        with NodeData(server.url, OWNER_KEY) as node:
            assert node.accounts.me().account.operator


def test_another_key_at_a_later_start_is_one_warning_and_opens_nothing(data: Path) -> None:
    other = "nd_live_" + "B" * 40
    server = start(data, environment={"NODE_DATA_OWNER_KEY": other})
    warnings = [line for line in server.lines if "warning" in line.lower()]
    assert len(warnings) == 1
    assert "NODE_DATA_OWNER_KEY" in warnings[0]
    assert other not in warnings[0]
    with NodeData(server.url, other) as node, pytest.raises(errors.NotAuthenticated):
        node.accounts.me()
    with NodeData(server.url, OWNER_KEY) as node:
        assert node.accounts.me().account.operator
    assert server.stop() == 0


@pytest.mark.parametrize("key", ["secret", "nd_live_" + "A" * 65])
def test_a_key_that_is_no_key_is_refused_without_being_shown(tmp_path: Path, key: str) -> None:
    said = fails(tmp_path / "data", code="invalid_request", NODE_DATA_OWNER_KEY=key)
    assert "NODE_DATA_OWNER_KEY" in said
    assert key not in said


# --- what keeps a server from starting ----------------------------------------------------------


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert str(port) in fails(tmp_path / "data", "--port", str(port), code="port_in_use")
    assert not (tmp_path / "data").exists()


def test_a_second_server_gets_neither_the_port_nor_the_folder_of_the_first(
    data: Path, tmp_path: Path
) -> None:
    server = start(data)
    fails(tmp_path / "other", "--port", str(server.port), code="port_in_use")
    said = fails(data, code="data_folder_in_use")
    assert str(server.process.pid) in said
    with NodeData(server.url, OWNER_KEY) as node:
        assert node.accounts.me().account.operator
    # A kill frees both, for the locks end with the process.
    server.kill()
    with running(data, "--port", str(server.port)) as again:
        assert again.url == server.url


def test_an_address_that_is_not_this_machines_is_said(tmp_path: Path) -> None:
    assert "192.0.2.1" in fails(tmp_path / "data", "--host", "192.0.2.1", code="cannot_start")


def without_privileges() -> list[str]:
    """Return the command that takes from root the right to write everywhere; nothing for other users."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv to take that right away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    through = without_privileges()
    assert str(data) in fails(data, code="data_folder_not_writable", through=through)
    assert str(data) in fails(data / "inside", code="data_folder_not_writable", through=through)
    assert list(data.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    fails(tmp_path / "data", code="data_folder_not_writable")
    assert (tmp_path / "data").read_text() == "a file"


def test_a_catalog_of_a_newer_program_is_left_alone(data: Path) -> None:
    catalog = data / "registry.db"
    with closing(sqlite3.connect(catalog)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = catalog.read_bytes()
    assert "newer" in fails(data, code="catalog_too_new")
    assert catalog.read_bytes() == before


def test_a_catalog_that_is_no_catalog_is_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "registry.db").write_bytes(b"no database at all" * 1000)
    fails(data, code="cannot_start")
    assert (data / "registry.db").read_bytes() == b"no database at all" * 1000


# --- how it stops -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_within_seconds_and_comes_back_with_the_same_data(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    files = write_policy(tmp_path / "model", MIB)
    server = start(data)
    with NodeData(server.url, OWNER_KEY) as node:
        node.workspaces.create("acme")
        node.models.create("acme/grasp")
        revision = node.models.create_revision("acme/grasp", "1.0.0", files, "First")
        # The client's kept connections do not keep the server.
        started = time.monotonic()
        assert server.stop(number) == 0
        assert time.monotonic() - started < 8
    assert not (data / "registry.db-wal").exists()
    with running(data) as again, NodeData(again.url, OWNER_KEY, cache=tmp_path / "cache") as node:
        assert [one.id for one in node.models.revisions("acme/grasp").items] == [revision.id]
        assert contents(node.models.download("acme/grasp")) == contents(files)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost:",
        b"POST /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    ],
    ids=["silent", "head", "body"],
)
def test_a_client_that_never_finishes_does_not_keep_it_for_ever(
    data: Path, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.socket()) as connection:
        with served(Settings(data=data, port=0, drain_seconds=1)) as found:
            connection.connect(("127.0.0.1", found.port))
            connection.sendall(sent)
            time.sleep(0.2)
            started = time.monotonic()
        assert time.monotonic() - started < 5
    assert caplog.records == []


def test_a_request_under_way_is_finished_before_it_stops(data: Path) -> None:
    server = start(data)
    body = b'{"slug":"acme"}'
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        head = f"Host: x\r\nAuthorization: Bearer {OWNER_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(f"POST /v1/workspaces HTTP/1.1\r\n{head}".encode() + body[:5])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(body[5:])
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 201")
    assert server.stop() == 0
