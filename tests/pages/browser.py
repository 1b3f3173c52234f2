"""The browser that page tests read with: the machine's, else one that is installed now.

`python -m tests.pages.browser` says in one line which one it is, and fails where none can be had.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ON_PATH = ("chromium", "chromium-browser", "google-chrome")


class NoBrowser(Exception):
    """There is none, and none could be installed."""


def find_browser() -> str | None:
    """Return the path of a Chromium, installing Debian's as root; `None` means Playwright's own.

    Raises:
        NoBrowser: there is none, and none could be installed.
    """
    with (Path(tempfile.gettempdir()) / "page-tests-browser.lock").open("w") as lock:
        # Two test processes must not run the package manager at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _on_path() or _from_debian()
        if found is None:
            _install_playwrights_own()
        return found


def _on_path() -> str | None:
    return next((path for path in map(shutil.which, _ON_PATH) if path), None)


def _from_debian() -> str | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-qy", "chromium"]):
        if subprocess.run(command, capture_output=True, check=False, timeout=900).returncode != 0:
            return None
    return _on_path()


def _install_playwrights_own() -> None:
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(command, capture_output=True, check=False, timeout=900).returncode != 0:
        raise NoBrowser("no browser for the page tests: install chromium (Debian's package, as root)")


def main() -> int:
    """Say in one line which browser the page tests use; return 1 where there is none."""
    try:
        found = find_browser()
    except NoBrowser as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    sys.stdout.write(f"Browser for the page tests: {found or 'installed by Playwright'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
