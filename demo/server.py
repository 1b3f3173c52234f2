"""A served registry as a process of its own: `node-data serve` on a free port."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_ALPHABET = string.ascii_letters + string.digits
_READY = re.compile(r"^Serving .* at (http://\S+) \(process \d+\)$", re.MULTILINE)
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
    key = "nd_live_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))
    command = [command_path(), "serve", "--data", str(data), "--port", "0"]
    started = time.monotonic()
    with log.open("wb") as output:
        environment = {**os.environ, "NODE_DATA_OWNER_KEY": key}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        url = _wait_until_ready(process, log)
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


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the server prints once it answers there."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        printed = log.read_text()
        found = _READY.search(printed)
        if found is not None:
            return found[1]
        if ended:
            raise NotStarted(f"node-data serve ended with {process.returncode}: {printed[-800:]}")
        time.sleep(0.02)
    raise NotStarted(f"node-data serve did not answer within {_START_SECONDS} s; see {log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
