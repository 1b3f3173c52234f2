"""The reference command `model_signing`, in an environment of its own, made once a machine."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from tests.journeys.wheels import cache_folder

REQUIREMENTS = ("model-signing==1.1.1", "pyOpenSSL")


def reference_python() -> Path:
    """Return the interpreter of the environment; it is made, or made again, if it is not whole."""
    folder = cache_folder() / "model-signing-1.1.1"
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(folder / "bin" / "pip"), "install", "--quiet", *REQUIREMENTS]
            subprocess.run(pip, check=True, capture_output=True, timeout=300)
            (folder / "whole").touch()
    return folder / "bin" / "python"


def reference_verifies(python: Path, folder: Path, signature: Path, key: Path) -> bool:
    """Return whether the reference command accepts a folder and a bundle."""
    command = [str(python), "-m", "model_signing", "verify", "key", str(folder)]
    options = ["--signature", str(signature), "--public_key", str(key)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0 or "Verification failed" in done.stderr + done.stdout, done.stderr
    return done.returncode == 0
