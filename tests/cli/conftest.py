"""The real command in processes of its own, against a registry that is really served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.command import PROGRAM, Command, Registry

OWNER_KEY = "nd_live_" + "0wner" * 8


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A served registry with the workspace `acme`."""
    data = tmp_path_factory.mktemp("registry") / "data"
    process = start_server(data, {"NODE_DATA_OWNER_KEY": OWNER_KEY})
    assert process.stdout is not None
    started = json.loads(process.stdout.readline())
    registry = Registry(started["url"], OWNER_KEY, data)
    made = Command(registry, tmp_path_factory.mktemp("made"))("workspace", "create", "acme")
    assert made.code == 0, made.err
    yield registry
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()


@pytest.fixture
def cli(registry: Registry, tmp_path: Path) -> Command:
    """The command as the owner, in an empty folder with a home and a cache of its own."""
    return Command(registry, tmp_path)


def start_server(data: Path, extra: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start `node-data serve --json` on a free port."""
    command = [*PROGRAM, "serve", "--json", "--port", "0", "--data", str(data)]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **extra}
    )
