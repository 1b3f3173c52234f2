"""A served registry as a process of its own: `node-data serve` on a free port."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import string
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ALPHABET = string.ascii_letters + string.digits
_START_SECONDS = 60
_STOP_SECONDS = 30
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Opens addresses of this machine, past any proxy of the environment."""


class NotStarted(Exception):
    """The server did not come up; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Served:
    """A registry that answers. `owner_key` is its first key; `ready_seconds` how long the start took."""

    url: str
    owner_key: str
    data: Path
    process: subprocess.Popen[bytes]
    ready_seconds: float

    def environment(self) -> dict[str, str]:
        """Return the environment in which `node-data` commands reach this registry as its owner."""
        mine = {"NODE_DATA_BASE_URL": self.url, "NODE_DATA_API_KEY": self.owner_key}
        return {**os.environ, **mine}


@contextmanager
def served(data: Path, log: Path) -> Iterator[Served]:
    """Serve a data folder until the block ends; what the server prints goes to `log`.

    Raises:
        NotStarted: it ended, or did not answer within a minute.
    """
    port = _free_port()
    key = "nd_live_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))
    command = [command_path(), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
    started = time.monotonic()
    with log.open("wb") as output:
        environment = {**os.environ, "NODE_DATA_OWNER_KEY": key}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield Served(url, key, data, process, time.monotonic() - started)
    finally:
        _stop(process)


def command_path() -> str:
    """Return the installed `node-data` command, the one beside this Python first."""
    beside = Path(sys.executable).with_name("node-data")
    found = str(beside) if beside.exists() else shutil.which("node-data")
    if found is None:
        raise NotStarted("the command node-data is not installed: run `make demo`, which installs it")
    return found


def fetch_page(url: str) -> tuple[int, str]:
    """Return status and text of a page, as a browser without a key gets them."""
    try:
        with _DIRECT.open(url, timeout=30) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotStarted(f"node-data serve ended with {process.returncode}: {log.read_text()[-800:]}")
        try:
            with _DIRECT.open(f"{url}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise NotStarted(f"node-data serve did not answer within {_START_SECONDS} s; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
