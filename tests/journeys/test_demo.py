"""`make demo` itself: it tells its story with figures that it measured, and ends by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.packages import HOLOSOMA, fetch
from tests.journeys.running import clean_environment, running
from tests.journeys.wheels import cache_folder

pytestmark = pytest.mark.timeout(600)

_ROOT = Path(__file__).resolve().parents[2]


def run_demo(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo as `make demo` does, with its files in `data`; wheels come from the tests' cache."""
    command = [sys.executable, "-m", "demo", "--data", str(data), "--packages", str(cache_folder())]
    return subprocess.run(
        command,
        cwd=_ROOT,
        env=clean_environment(**environment),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def demo_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fetch(HOLOSOMA, cache_folder())
    return tmp_path_factory.mktemp("demo-data")


@pytest.fixture(scope="module")
def story(demo_data: Path) -> str:
    """What the demo prints, lines joined so that a wrapped sentence reads as one."""
    done = run_demo(demo_data, COLUMNS="160")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stderr == ""
    return " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "told",
    [
        "1.0.0 of acme/g1-locomotion (Unitree G1 walking, PPO)",
        "1.1.0 of acme/g1-locomotion (Unitree G1 walking, FastSAC)",
        "✗ VersionTooLow [version_too_low] 1.2.0 declares a minor bump from 1.1.1",
        "input `actor_obs` was removed",
        "2.0.0 of acme/g1-locomotion (Unitree G1 dancing, FastSAC)",
        "output_names_changed",
        "element 0 was `left_hip_pitch_joint` and is `AAHead_yaw`",
        "YankedRevisionWarning: acme/g1-locomotion 1.1.1 was yanked",
        "warning: acme/g1-locomotion 1.1.1 was yanked",
        "(use 1.1.2)",
        "acme/g1-dance-lab@1.1.0 retire",
        "✗ ModelNotFound [model_not_found]",
        "✗ ScopeMissing [scope_missing]",
        "node-data pull acme/g1-locomotion@2.0.0",
        "make serve DATA=",
    ],
)
def test_the_demo_tells_each_turn_of_its_story(story: str, told: str) -> None:
    assert told in story


def test_the_exact_count_of_the_diff_is_the_one_that_numpy_counts(story: str) -> None:
    found = re.search(r"([\d,]+) of ([\d,]+) parameters touched; NumPy, .*? counts ([\d,]+)", story)
    assert found is not None
    touched, total, counted = (int(number.replace(",", "")) for number in found.groups())
    assert touched == counted
    assert 0 < touched < total


def test_nothing_but_text_is_printed_where_no_terminal_is(story: str) -> None:
    assert "\x1b" not in story


def test_the_demo_runs_again_beside_a_server_that_still_has_its_data(demo_data: Path, story: str) -> None:
    with running(demo_data / "demo" / "registry"):
        again = run_demo(demo_data)
    assert again.returncode == 0, again.stderr
    assert (demo_data / "demo-2" / "registry" / "registry.db").exists()


def test_what_cannot_be_fetched_ends_the_demo_with_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "--data", str(tmp_path / "data")]
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env=clean_environment(PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1"),
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1
    assert "The demo stopped: pip could not download holosoma-inference==0.1.1" in done.stderr
    assert "Traceback" not in done.stderr
