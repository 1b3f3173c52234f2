"""Starting and stopping a server: first start, refusals in one sentence, draining."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodedata_registry.errors import (
    CannotStart,
    CatalogTooNew,
    DataFolderInUse,
    DataFolderNotWritable,
    InvalidRequest,
    NodeDataError,
    PortInUse,
)
from nodedata_registry.server.api.edge import Pace
from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.app import create_app, open_local, open_registry
from nodedata_registry.server.config import Settings, owner_key_of, rates_of
from nodedata_registry.server.jobs.locks import JOBS, SERVE, take_lock
from nodedata_registry.server.serve import claim_port, describe_start
from tests.api.actor import Actor, policy_files, served

SCRIPT = """
import sys
from pathlib import Path
from nodedata_registry.errors import NodeDataError
from nodedata_registry.server.config import Settings
from nodedata_registry.server.serve import describe_start, serve
settings = Settings(data=Path(sys.argv[1]), port=int(sys.argv[2]))
try:
    serve(settings, on_started=lambda s: print("\\n".join(describe_start(s, settings)), flush=True))
except NodeDataError as error:
    sys.exit(str(error))
print("stopped", flush=True)
"""


@dataclass
class Process:
    """A server in a process of its own."""

    handle: subprocess.Popen[str]
    url: str
    key: str


@contextmanager
def running(data: Path, port: int = 0) -> Iterator[Process]:
    handle = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(data), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        key = ""
        url = ""
        assert handle.stdout is not None
        for line in handle.stdout:
            if line.startswith("Owner key"):
                key = line.rpartition(" ")[2].strip()
            if line.startswith("Serving"):
                url = line.split(" at ")[1].split(" ")[0]
                break
        yield Process(handle, url, key)
    finally:
        if handle.poll() is None:
            handle.kill()
        handle.communicate()


def test_a_first_start_creates_everything_and_shows_the_key_once(tmp_path: Path) -> None:
    data = tmp_path / "new" / "registry"
    with served(Settings(data=data, port=0)) as started:
        assert started.owner_key is not None
        assert Actor(started.url, started.owner_key).done("GET", "/v1/me")["account"]["operator"]
        lines = describe_start(started, Settings(data=data))
        assert sum(started.owner_key in line for line in lines) == 1
    with served(Settings(data=data, port=0)) as again:
        assert again.owner_key is None
        assert Actor(again.url, started.owner_key).get("/v1/me").status == 200
    assert data.stat().st_mode & 0o077 == 0


def test_an_owner_key_from_outside_is_taken_at_the_first_start_only(tmp_path: Path) -> None:
    brought, other = "nd_live_" + "a" * 32, "nd_live_" + "b" * 32
    with served(Settings(data=tmp_path, port=0, owner_key=brought)) as started:
        assert Actor(started.url, brought).get("/v1/me").status == 200
        assert not any(
            brought in line for line in describe_start(started, Settings(tmp_path, owner_key=brought))
        )
    with served(Settings(data=tmp_path, port=0, owner_key=other)) as started:
        assert "first start only" in (started.warning or "")
        assert Actor(started.url, other).get("/v1/me").status == 401


def test_an_owner_key_of_the_wrong_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest), served(Settings(data=tmp_path, port=0, owner_key="hunter2")):
        pass


def test_sigterm_stops_cleanly_and_the_data_are_there_afterwards(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        owner = Actor(process.url, process.key)
        owner.done("POST", "/v1/workspaces", {"slug": "acme"})
        owner.done("POST", "/v1/models", {"ref": "acme/x"})
        assert owner.publish("acme/x", "1.0.0", policy_files(1.0)).status == 201
        process.handle.send_signal(signal.SIGTERM)
        out, err = process.handle.communicate(timeout=30)
        assert (process.handle.returncode, out.strip(), err) == (0, "stopped", "")
    with running(tmp_path) as process:
        found = Actor(process.url, owner.key).done("GET", "/v1/models/acme/x/revisions/latest")
        assert found["resolved"] == "1.0.0"
        process.handle.send_signal(signal.SIGINT)
        process.handle.communicate(timeout=30)
        assert process.handle.returncode == 0


def test_what_is_being_answered_is_finished_before_the_server_stops(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        port = int(process.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
            body = b'{"slug": "late"}'
            head = (
                f"POST /v1/workspaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {process.key}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            slow.sendall(head.encode() + body[:4])
            time.sleep(0.3)
            process.handle.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            slow.sendall(body[4:])
            assert slow.recv(64).startswith(b"HTTP/1.1 201")
        process.handle.communicate(timeout=30)
        assert process.handle.returncode == 0


def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    with served(Settings(data=tmp_path, port=0)):
        with pytest.raises(DataFolderInUse) as refused, served(Settings(data=tmp_path, port=0)):
            pass
        assert str(os.getpid()) in str(refused.value)


def test_a_taken_port_is_refused_before_anything_is_created(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        with pytest.raises(PortInUse), served(Settings(data=tmp_path / "d", port=other.getsockname()[1])):
            pass
    assert not (tmp_path / "d").exists()


def test_a_port_is_not_shared_with_another_server_of_ours(tmp_path: Path) -> None:
    with (
        served(Settings(data=tmp_path / "a", port=0)) as started,
        pytest.raises(PortInUse),
        served(Settings(data=tmp_path / "b", port=started.port)),
    ):
        pass


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_is_not_ours_is_refused(host: str, port: int) -> None:
    with pytest.raises(CannotStart), claim_port(host, port):
        pass


def test_a_host_may_be_a_name(tmp_path: Path) -> None:
    with served(Settings(data=tmp_path, host="localhost", port=0)) as started:
        assert started.url == f"http://localhost:{started.port}"
        assert Actor(started.url).get("/healthz").status == 200


def test_a_name_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart), served(Settings(data=tmp_path, host="no.such.host.invalid", port=0)):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for data in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/registry")):
        with pytest.raises(DataFolderNotWritable), served(Settings(data=data, port=0)):
            pass


def test_a_catalog_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    open_registry(tmp_path).close()
    with sqlite3.connect(tmp_path / "registry.db") as catalog:
        catalog.execute("UPDATE alembic_version SET version_num = '9999_from_the_future'")
    catalog.close()
    with pytest.raises(CatalogTooNew), served(Settings(data=tmp_path, port=0)):
        pass


def test_every_refusal_to_start_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    handle = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "file"), "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert handle.returncode != 0
    assert len(handle.stderr.strip().splitlines()) == 1


def test_a_killed_server_leaves_no_lock_behind(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        process.handle.kill()
        process.handle.wait(30)
    lock = take_lock(tmp_path, SERVE)
    assert lock is not None
    lock.release()


def test_one_process_works_ahead_in_a_folder_and_the_next_takes_over(tmp_path: Path) -> None:
    first, second = open_registry(tmp_path), open_registry(tmp_path)
    assert first.registry.diffs.works_ahead()
    assert not second.registry.diffs.works_ahead()
    first.close()
    assert second.registry.diffs.works_ahead()
    second.close()
    lock = take_lock(tmp_path, JOBS)
    assert lock is not None
    lock.release()


def test_a_local_registry_acts_as_owner_only_without_a_key(tmp_path: Path) -> None:
    for key in (None, "nd_live_" + "x" * 32):
        local = open_local(tmp_path, key)
        state = getattr(local.app.inner, "state")  # noqa: B009 - the framework's
        assert (state.default_caller is not None) is (key is None)
        local.close()
        local.close()


def test_a_key_is_required_everywhere_if_the_operator_says_so(tmp_path: Path) -> None:
    with served(Settings(data=tmp_path, port=0, require_key=True)) as started:
        owner = Actor(started.url, started.owner_key)
        owner.done("POST", "/v1/workspaces", {"slug": "acme"})
        owner.done("POST", "/v1/models", {"ref": "acme/x", "visibility": "public"})
        for path in ("/v1/models/acme/x", "/v1/models/acme/y", "/v1/models", "/v1/events"):
            assert Actor(started.url).get(path).status == 401
        assert owner.get("/v1/models/acme/x").status == 200
        assert Actor(started.url).get("/healthz").status == 200
        assert owner.publish("acme/x", "1.0.0", policy_files(1.0)).status == 201
        assert owner.get("/v1/models/acme/x/revisions/1.0.0").headers["cache-control"] == "private, no-cache"


def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    limits = RateLimits(per_key=1000, per_address=3)
    with served(Settings(data=tmp_path, port=0, rates=limits)) as started:
        nobody = Actor(started.url)
        replies = [nobody.get("/v1/models") for _ in range(4)]
        assert [reply.status for reply in replies] == [200, 200, 200, 429]
        assert [int(reply.headers["x-ratelimit-remaining"]) for reply in replies] == [2, 1, 0, 0]
        assert replies[-1].code == "rate_limited"
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 20
        assert abs(int(replies[-1].headers["x-ratelimit-reset"]) - time.time()) <= 61
        assert nobody.get("/healthz").status == 200
        assert Actor(started.url, started.owner_key).get("/v1/me").status == 200


def test_limits_come_from_the_environment() -> None:
    assert rates_of({}) == RateLimits()
    assert rates_of({"NODE_DATA_REQUESTS_PER_MINUTE_ADDRESS": "0"}) == RateLimits(per_address=0)
    with pytest.raises(InvalidRequest):
        rates_of({"NODE_DATA_REQUESTS_PER_MINUTE_KEY": "many"})
    assert owner_key_of({"NODE_DATA_OWNER_KEY": ""}) is None


def test_a_body_that_stalls_or_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace(idle_seconds=0.5, grace_seconds=1.0, bytes_per_second=1000)
    monkeypatch.setattr(
        "nodedata_registry.server.serve.create_app", lambda opened, **rest: create_app(opened, pace=pace)
    )
    with served(Settings(data=tmp_path, port=0)) as started:
        assert _dripped(started.port, started.owner_key or "", pieces=1, pause=0) == 408
        assert _dripped(started.port, started.owner_key or "", pieces=100, pause=0.1) == 408


def _dripped(port: int, key: str, *, pieces: int, pause: float) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"POST /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            "Content-Length: 5000\r\n\r\n".encode()
        )
        stop = threading.Event()

        def drip() -> None:
            for _ in range(pieces):
                if stop.wait(pause):
                    return
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        status = int(connection.recv(64).split()[1])
        stop.set()
        dripping.join()
        return status


def test_errors_of_starting_derive_from_one_class() -> None:
    for kind in (PortInUse, DataFolderInUse, DataFolderNotWritable, CatalogTooNew):
        assert issubclass(kind, CannotStart)
        assert issubclass(kind, NodeDataError)
