"""Surroundings of client tests: a server that misbehaves on demand, and nobody's own settings."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nodedata_registry import NodeData
from tests.sdk.bad_server import Misbehaving
from tests.sdk.door import Door, open_door
from tests.sdk.fleet import DETECT, GRASP, PLACE, publish


@pytest.fixture
def misbehaving() -> Iterator[Misbehaving]:
    state = Misbehaving()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            state.connections += 1
            super().setup()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            state.seen.append((self.command, self.path, body))
            behaviour = state.behaviours.pop(0) if len(state.behaviours) > 1 else state.behaviours[0]
            behaviour(self)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the caller's own settings, credentials and cache out of the tests."""
    home = tmp_path_factory.mktemp("home")
    for name in ("BASE_URL", "API_KEY", "OFFLINE", "CACHE", "OWNER_KEY"):
        monkeypatch.delenv(f"NODE_DATA_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path / "registry") as opened:
        yield opened


@pytest.fixture
def node(door: Door, tmp_path: Path) -> Iterator[NodeData]:
    """The owner's client, with the workspace `acme` and the public model `acme/grasp` made."""
    with NodeData(door.base_url, cache=tmp_path / "cache") as client:
        client.workspaces.create("acme")
        client.models.create("acme/grasp", visibility="public")
        yield client


@pytest.fixture(scope="session")
def fleet_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry folder with `acme/grasp` 1.0.0 and 1.1.0, `acme/detect` and `acme/place` 1.0.0."""
    work = tmp_path_factory.mktemp("fleet")
    with NodeData(path=work / "registry", cache=work / "cache") as client:
        client.workspaces.create("acme")
        publish(client, work, GRASP, "1.0.0", "1.1.0")
        publish(client, work, DETECT, "1.0.0")
        publish(client, work, PLACE, "1.0.0")
    return work / "registry"


@pytest.fixture
def fleet(fleet_registry: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NodeData]:
    """The owner's client of a copy of that registry, behind `door`; to be named before `door`."""
    shutil.copytree(fleet_registry, tmp_path / "registry")
    door: Door = request.getfixturevalue("door")
    with NodeData(door.base_url, cache=tmp_path / "cache") as client:
        yield client
