"""Importing from a Hub endpoint, which is a second registry of ours, served for real."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nodedata_registry import NodeData
from nodedata_registry.errors import DigestMismatch, InvalidRequest, NotFound, Unavailable
from nodedata_registry.sdk.imports.hub import HubSource
from nodedata_registry.server.api.rates import RateLimits
from nodedata_registry.server.app import create_app, open_registry
from nodedata_registry.server.service.accounts import first_start
from tests.imports.conftest import Importing, weights
from tests.sdk.door import Door, door_before

OWNER_KEY = "nd_live_" + "h" * 38
README = b"""---
license: apache-2.0
library_name: pytorch
pipeline_tag: robotics
tags: [grasping]
base_model: acme/base
---
# Grasp
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A registry that holds `lab/grasp` in three versions."""
    folder = tmp_path_factory.mktemp("hub")
    opened = open_registry(folder / "data")
    first_start(opened.registry, OWNER_KEY)
    try:
        with door_before(create_app(opened, rates=RateLimits(0, 0))) as door:
            fill(door.base_url, folder)
            yield door
    finally:
        opened.close()


def fill(url: str, folder: Path) -> None:
    with NodeData(url, OWNER_KEY, cache=folder / "cache") as node:
        node.workspaces.create("lab")
        node.models.create("lab/grasp", visibility="public")
        for number, version in enumerate(("1.0.0", "1.1.0", "2.0.0")):
            place = folder / version
            (place / "sub").mkdir(parents=True)
            (place / "README.md").write_bytes(README)
            (place / "config.json").write_text(f'{{"inputs": {number}}}')
            (place / "empty.txt").touch()
            (place / "sub" / "model.safetensors").write_bytes(weights(number))
            with pytest.warns(UserWarning, match="nothing states"):
                node.models.create_revision("lab/grasp", version, place, f"what {version} brings")


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caller's own token and caches out."""
    for name in ("HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def source(door: Door, revision: str | None = None, called: str | None = None) -> HubSource:
    return HubSource("lab/grasp", revision, called, endpoint=door.base_url)


def test_every_tag_that_is_a_version_is_imported_whole(hub: Door, importing: Importing) -> None:
    importing.run(source(hub))
    assert importing.versions() == ["1.0.0", "1.1.0", "2.0.0"]
    files = importing.files("1.1.0")
    assert files == {
        "README.md": README,
        "config.json": b'{"inputs": 1}',
        "empty.txt": b"",
        "sub/model.safetensors": weights(1),
    }


def test_the_record_names_endpoint_repository_tag_and_commit(hub: Door, importing: Importing) -> None:
    importing.run(source(hub))
    with NodeData(hub.base_url) as node:
        commit = node.models.resolve("lab/grasp", "1.1.0").commit
    imported = importing.revision("1.1.0").verdict.imported
    assert imported is not None
    assert (imported.source, imported.reference) == ("hf", f"{hub.base_url}/lab/grasp@1.1.0 ({commit})")


def test_a_card_that_passes_is_left_as_it_is(hub: Door, importing: Importing) -> None:
    importing.run(source(hub, "main", "1.0.0"))
    assert not importing.landed[0].card_made
    assert importing.revision("1.0.0").license == "Apache-2.0"


def test_one_revision_becomes_the_version_that_is_named(hub: Door, importing: Importing) -> None:
    importing.run(source(hub, "1.1.0", "7.0.0"))
    assert importing.versions() == ["7.0.0"]
    assert importing.files("7.0.0")["config.json"] == b'{"inputs": 1}'


def test_importing_again_fetches_no_file(hub: Door, importing: Importing) -> None:
    importing.run(source(hub))
    before = hub.count("/resolve/")
    assert importing.run(source(hub)).steps == ()
    assert hub.count("/resolve/") == before


def test_an_interrupted_import_fetches_only_what_it_lacks(hub: Door, importing: Importing) -> None:
    class Interrupted(Exception):
        pass

    def stop(request: str) -> None:
        if request.startswith("GET") and "/resolve/" in request and "model.safetensors" in request:
            raise Interrupted

    hub.before = stop
    try:
        with pytest.raises(Unavailable):
            importing.run(source(hub, "2.0.0", "2.0.0"))
    finally:
        hub.before = None
    before = hub.count("GET /lab/grasp/resolve")
    importing.run(source(hub, "2.0.0", "2.0.0"))
    assert hub.count("GET /lab/grasp/resolve") == before + 1
    assert importing.versions() == ["2.0.0"]


@pytest.mark.parametrize(
    ("repository", "revision", "error"),
    [
        ("lab/nothing", "main", NotFound),
        ("lab/grasp", "9.9.9", NotFound),
        ("lab/grasp", "../../x", NotFound),
        ("not a repository", "main", InvalidRequest),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    hub: Door, importing: Importing, repository: str, revision: str, error: type[NotFound]
) -> None:
    with pytest.raises(error) as caught:
        importing.plan(HubSource(repository, revision, "1.0.0", endpoint=hub.base_url))
    assert "\n" not in caught.value.message


def test_an_endpoint_that_does_not_answer_is_said_in_one_line(importing: Importing) -> None:
    with pytest.raises(Unavailable) as caught:
        importing.plan(HubSource("lab/grasp", "main", "1.0.0", endpoint="http://127.0.0.1:9"))
    assert "\n" not in caught.value.message


def test_bytes_that_differ_from_what_the_endpoint_tells_are_refused(importing: Importing) -> None:
    with _lying_hub() as endpoint, pytest.raises(DigestMismatch, match=r"a\.bin"):
        importing.run(HubSource("lab/grasp", "main", "1.0.0", endpoint=endpoint))
    assert importing.versions() == []


def test_without_the_library_one_sentence_says_what_to_install() -> None:
    code = """
import sys
sys.modules["huggingface_hub"] = None
from nodedata_registry.errors import ExtraMissing
from nodedata_registry.sdk.imports.hub import HubSource
try:
    HubSource("lab/grasp")
except ExtraMissing as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("pip install 'nodedata-registry[hub]'")


class _lying_hub:  # noqa: N801 - used as a context manager
    """A Hub whose one file has another SHA-256 than it tells."""

    def __enter__(self) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._file(b"")

            def do_GET(self) -> None:
                if "/resolve/" in self.path:
                    self._file(b"evil")
                else:
                    lfs = (
                        f'{{"sha256": "{hashlib.sha256(b"good").hexdigest()}", "size": 4, "pointerSize": 9}}'
                    )
                    files = f'[{{"rfilename": "a.bin", "size": 4, "blobId": "x", "lfs": {lfs}}}]'
                    body = f'{{"id": "lab/grasp", "sha": "{"a" * 40}", "siblings": {files}}}'.encode()
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def _file(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("x-repo-commit", "a" * 40)
                self.send_header("etag", '"' + "b" * 64 + '"')
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
