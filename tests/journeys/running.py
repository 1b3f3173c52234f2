"""A registry in a process of its own, as people run it, that a test may stop or kill."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("node-data"))
OWNER_KEY = "nd_live_" + "OwnerKeyOfTheseTests" * 2

_URL = re.compile(r"Serving .* at (http://\S+) \(process (\d+)\)")


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of ours, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NODE_DATA_")}
    return {**kept, **more}


def run_command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `node-data` to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=clean_environment(**environment),
        timeout=100,
        check=False,
    )


@dataclass
class Running:
    """A served registry: its address, the lines it printed at its start, and its process."""

    data: Path
    url: str
    lines: list[str]
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Kill it as a power cut would (SIGKILL), and wait until it is gone."""
        self.process.kill()
        self._ended()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop and return its exit code; one that was stopped already is left alone."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(timeout=40)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def resident_bytes(self) -> int:
        """Return how much memory it holds now."""
        return memory_bytes(self.process.pid, "VmRSS")

    def peak_bytes(self) -> int:
        """Return the most memory it has held since `forget_peak`."""
        return memory_bytes(self.process.pid, "VmHWM")

    def forget_peak(self) -> None:
        """Let the peak count from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


def memory_bytes(process: int, line: str) -> int:
    """Return a size that `/proc/<process>/status` states, such as VmHWM."""
    found = re.search(rf"^{line}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def start(data: Path, *options: str, environment: Mapping[str, str] | None = None) -> Running:
    """Start `node-data serve` on a folder and return once it answers."""
    process = spawn(data, *options, environment=environment)
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        found = _URL.fullmatch(lines[-1])
        if found is not None:
            return Running(data, found[1], lines, process)
    process.stdout.close()
    raise AssertionError(f"the server ended with {process.wait()}: {lines}")


def spawn(
    data: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    through: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start `node-data serve` and return at once; both its streams come together.

    `through` is a command that runs the one behind it, such as `setpriv`.
    """
    given = {"NODE_DATA_OWNER_KEY": OWNER_KEY} if environment is None else dict(environment)
    return subprocess.Popen(
        [*through, COMMAND, "serve", "--data", str(data), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(**given),
    )


@contextmanager
def running(data: Path, *options: str) -> Iterator[Running]:
    """Serve a folder until the block ends; its owner's key is `OWNER_KEY`."""
    server = start(data, *options)
    try:
        yield server
    finally:
        server.stop()


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def python(script: str, arguments: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    """Start a Python program of a few lines, with nobody's settings."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(**environment),
    )
