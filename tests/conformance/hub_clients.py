"""Real Hub clients, each in an environment of its own, kept outside the tree and made once a machine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.journeys.wheels import cache_folder

VERSIONS = ("0.36.2", "1.33.0", "2.4.0")
_DRIVER = Path(__file__).with_name("hub_driver.py")


@dataclass(frozen=True)
class Refused:
    """What a client raised: the names of its class and of those above it, and the text."""

    names: tuple[str, ...]
    said: str


@dataclass
class Client:
    """A client in a process of its own, with an empty cache. `logged` is what it showed at its last call."""

    version: str
    environment: Path
    home: Path
    url: str
    token: str | None
    process: subprocess.Popen[str]
    logged: Sequence[str] = ()

    @property
    def is_old(self) -> bool:
        """Return whether it is of the line that has neither warnings nor verification."""
        return self.version.startswith("0.")

    def value(self, expression: str) -> Any:
        """Return what the expression gives, as JSON; `hub`, `api`, `fs` and `errors` are known in it."""
        answer = self._ask(expression)
        assert "value" in answer, f"{expression}: {answer.get('raised')} {answer.get('said')}"
        return answer["value"]

    def refusal(self, expression: str) -> Refused:
        """Return what the expression raises."""
        answer = self._ask(expression)
        assert "raised" in answer, f"{expression} gave {answer.get('value')}"
        return Refused(tuple(answer["raised"]), answer["said"])

    def _ask(self, expression: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(expression) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the client's process ended"
        answer: dict[str, Any] = json.loads(line)
        self.logged = answer["logged"]
        return answer

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `hf` in the same environment and cache; `more` are further environment variables."""
        return subprocess.run(
            [str(self.environment / "bin" / "hf"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            cwd=self.home,
            env={**surroundings(self.home, self.url, self.token), **more},
        )


def surroundings(home: Path, url: str, token: str | None) -> dict[str, str]:
    """Return the environment variables of a user whose Hub is the registry."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "NODE_DATA_", "PYTHON", "COV_"))
    }
    return {
        **kept,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home / "hub"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONUTF8": "1",
        **({} if token is None else {"HF_TOKEN": token}),
    }


@contextmanager
def client(version: str, home: Path, url: str, token: str | None = None) -> Iterator[Client]:
    """Start a client of that version until the block ends."""
    environment = environment_of(version)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "stderr.txt").open("w") as stderr:
        process = subprocess.Popen(
            [str(environment / "bin" / "python"), str(_DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=home,
            env=surroundings(home, url, token),
        )
    try:
        yield Client(version, environment, home, url, token, process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def environment_of(version: str) -> Path:
    """Return the environment of a client's version, made if it is not there yet."""
    return environment_with(f"hub-{version}", (f"huggingface_hub=={version}",))


def environment_with(name: str, requirements: Sequence[str]) -> Path:
    """Return an environment that has the requirements. Safe beside other processes that want the same."""
    folder = cache_folder() / name
    ready = folder / "ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.is_file() and ready.read_text() == " ".join(requirements):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        _run("-m", "venv", "--without-pip", str(folder))
        python = str(folder / "bin" / "python")
        _run(
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
            python,
            "install",
            *requirements,
        )
        ready.write_text(" ".join(requirements))
    return folder


def _run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
