"""The real command in processes of its own, against a registry that is really served."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import PROGRAM, Command, Registry

OWNER_KEY = "nd_live_" + "0wner" * 8


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A served registry with the workspace `acme`."""
    data = tmp_path_factory.mktemp("registry") / "data"
    with serving(data, OWNER_KEY) as started:
        registry = Registry(started["url"] or "", OWNER_KEY, data)
        Command(registry, tmp_path_factory.mktemp("made")).ok("workspace", "create", "acme")
        yield registry


@pytest.fixture
def cli(registry: Registry, tmp_path: Path) -> Command:
    """The command as the owner, in an empty folder with a home and a cache of its own."""
    return Command(registry, tmp_path)


@contextmanager
def serving(
    data: Path, owner_key: str, stop: signal.Signals = signal.SIGINT
) -> Iterator[dict[str, str | None]]:
    """Run `node-data serve --json` on a free port; give its document; stop it with a signal, cleanly."""
    command = [*PROGRAM, "serve", "--json", "--port", "0", "--data", str(data)]
    environment = {**os.environ, "NODE_DATA_OWNER_KEY": owner_key}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, f"serve ended with {process.wait(30)}"
            yield json.loads(line)
            process.send_signal(stop)
            assert process.wait(30) == 0
        finally:
            process.kill()
