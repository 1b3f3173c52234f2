"""The bare wheel in a fresh environment: it works, it is small, and it brings nothing of the server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 25_000_000
SERVER_PACKAGES = ("litestar", "granian", "sqlalchemy", "alembic", "jinja2", "nh3", "markdown_it_py", "numpy")
RICH_NEEDS = "markdown_it_py"
"""Rich itself depends on it; it is small, and nothing of ours in a light install imports it."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Build the wheel, install it without extras into a fresh environment, and give its folder."""
    work = tmp_path_factory.mktemp("light")
    _run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(work),
        str(ROOT),
        cwd=work,
    )
    (wheel,) = work.glob("*.whl")
    env = work / "env"
    _run(sys.executable, "-m", "venv", "--without-pip", str(env), cwd=work)
    python = str(env / "bin" / "python")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", str(wheel), cwd=work)
    yield env


def test_a_light_install_imports_the_package_and_its_public_names(light: Path) -> None:
    done = _in(
        light, "python", "-c", "import nodedata_registry as n; print(n.NodeData, n.select(['1.0.0'], '^1'))"
    )
    assert done.returncode == 0, done.stderr
    assert "1.0.0" in done.stdout


def test_a_light_install_shows_help(light: Path) -> None:
    done = _in(light, "node-data", "--help")
    assert done.returncode == 0, done.stderr
    assert "pull" in done.stdout


def test_a_light_install_takes_less_than_25_mb(light: Path) -> None:
    # Bytecode is left out: whether and when it is written is the installer's choice, not the wheel's.
    installed = [
        file for file in _site_packages(light).rglob("*") if file.is_file() and file.suffix != ".pyc"
    ]
    assert sum(file.stat().st_size for file in installed) < MAX_BYTES


def test_a_light_install_brings_no_server_package(light: Path) -> None:
    names = {path.name.partition("-")[0].lower() for path in _site_packages(light).glob("*.dist-info")}
    assert names & set(SERVER_PACKAGES) <= {RICH_NEEDS}


def test_a_light_install_imports_no_server_module_when_every_command_is_loaded(light: Path) -> None:
    script = """
import sys, click
from nodedata_registry.cli.root import root
def load(group):
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, name
        if isinstance(found, click.Group):
            load(found)
load(root)
import nodedata_registry
nodedata_registry.NodeData, nodedata_registry.AsyncNodeData
bad = [name for name in sys.modules if name.startswith("nodedata_registry.server")]
assert not bad, bad
"""
    done = _in(light, "python", "-c", script)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["serve", "sweep", "fsck"])
def test_without_the_server_extra_a_command_says_in_one_sentence_what_to_install(
    light: Path, command: str, tmp_path: Path
) -> None:
    done = _in(light, "node-data", command, "--data", str(tmp_path / "registry"))
    assert done.returncode != 0
    assert "pip install 'nodedata-registry[server]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "registry").exists()


def test_without_the_server_extra_a_registry_in_this_process_says_what_to_install(
    light: Path, tmp_path: Path
) -> None:
    done = _in(light, "node-data", "whoami", "--path", str(tmp_path / "registry"))
    assert done.returncode != 0
    assert "pip install 'nodedata-registry[server]'" in done.stderr


def _site_packages(env: Path) -> Path:
    (found,) = (env / "lib").glob("python*/site-packages")
    return found


def _in(env: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what the surroundings add to the path, or the checkout would be imported.
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NODE_DATA"))
    }
    return subprocess.run(
        [str(env / "bin" / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=env,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=60,
    )


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=350)
    assert done.returncode == 0, done.stdout + done.stderr
