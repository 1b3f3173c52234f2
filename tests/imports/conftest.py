"""A registry in this process to import into, and revisions to make sources from."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodedata_registry import NodeData, wire
from nodedata_registry.sdk.imports.execute import Landed, execute, plan_import
from nodedata_registry.sdk.imports.plan import Left, Plan
from nodedata_registry.sdk.imports.release import Source
from tests.service.worlds import safetensors

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeData]:
    """The owner of a registry with the workspace `acme`."""
    folder = tmp_path_factory.mktemp("registry")
    with NodeData(path=folder / "data", cache=folder / "cache") as opened:
        opened.workspaces.create("acme")
        yield opened


@dataclass
class Importing:
    """Imports into one model of its own, and keeps what was told."""

    node: NodeData
    model: str
    staging: Path
    landed: list[Landed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def plan(self, source: Source) -> Plan:
        return plan_import(self.node.models, self.model, source)

    def run(self, source: Source, *, keep_going: bool = False) -> Plan:
        """Plan and execute; return the plan."""
        plan = self.plan(source)
        models = self.node.models
        execute(models, self.model, source, plan.steps, self.staging, self.tell, keep_going=keep_going)
        return plan

    def tell(self, one: Landed | Left) -> None:
        if isinstance(one, Landed):
            self.landed.append(one)
        else:
            self.left.append(one)

    def versions(self) -> list[str]:
        """Return the model's versions, the first published first."""
        return [one.version for one in reversed(self.node.models.revisions(self.model).items)]

    def revision(self, version: str) -> wire.Revision:
        return self.node.models.resolve(self.model, version).revision

    def files(self, version: str) -> dict[str, bytes]:
        """Return the files of a version by path, downloaded and verified."""
        place = self.node.models.download(self.model, version)
        return {
            str(one.relative_to(place)): one.read_bytes() for one in sorted(place.rglob("*")) if one.is_file()
        }


@pytest.fixture
def importing(node: NodeData, tmp_path: Path) -> Importing:
    model = f"acme/imported-{next(_NUMBERS)}"
    node.models.create(model)
    return Importing(node, model, tmp_path / "staging")


def weights(value: float) -> bytes:
    """Return a small safetensors file."""
    return safetensors({"w": [value] * 8})


CARD = b"---\nlicense: mit\ntask: grasping\n---\n# Grasp\n"


@dataclass
class Repository:
    """A git repository in a folder, written with the real command."""

    folder: Path

    def git(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            [
                "git",
                "-C",
                str(self.folder),
                "-c",
                "user.name=r",
                "-c",
                "user.email=r@example.org",
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=True,
            env={**kept, **who},
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, bytes], tag: str = "", message: str = "a change") -> str:
        """Write files, commit them, and tag the commit; return it."""
        for path, data in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "grasp-policy")
    made.folder.mkdir()
    made.git("init", "--quiet", "--initial-branch=main")
    return made
