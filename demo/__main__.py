"""Run the demo: `python -m demo [--keep] [--data DIR] [--packages DIR]`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from demo.packages import NotFetched
from demo.screen import Screen
from demo.server import NotStarted, Served, served
from demo.story import OffScript, tell
from nodedata_registry import NodeDataError
from nodedata_registry.server.jobs.locks import SERVE, take_lock


def main() -> int:
    """Tell the story; return 0 if everything in it went as it is told."""
    arguments = _parser().parse_args()
    # Without this a SIGTERM would leave the server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    screen = Screen()
    run = _fresh_folder(arguments.data)
    screen.title(
        "nodedata-registry",
        "The registry at work on real policies for humanoid robots. Every figure is measured now.",
    )
    try:
        with served(run / "registry", run / "serve.log") as server:
            tell(screen, server, run, arguments.packages or arguments.data / "packages")
            _say_how_to_go_on(screen, server, time.monotonic() - started, kept=arguments.keep)
            if arguments.keep:
                with suppress(KeyboardInterrupt):
                    server.process.wait()
    except KeyboardInterrupt:
        return 130
    except (NotFetched, NotStarted, OffScript, NodeDataError) as error:
        sys.stderr.write(f"\nThe demo stopped: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole registry at work.")
    parser.add_argument(
        "--keep", action="store_true", help="keep the server running afterwards, until Ctrl-C"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("demo-data"), help="where all files go (./demo-data)"
    )
    parser.add_argument("--packages", type=Path, help="where downloaded wheels are kept (DATA/packages)")
    return parser


def _fresh_folder(data: Path) -> Path:
    """Return an empty folder: what an earlier run left is replaced, unless a server works in it."""
    for number in count(1):
        run = data / ("demo" if number == 1 else f"demo-{number}")
        registry = run / "registry"
        if registry.exists():
            lock = take_lock(registry, SERVE)
            if lock is None:
                continue
            _remove(run)
            lock.release()
        registry.mkdir(parents=True, exist_ok=True)
        return run
    raise AssertionError


def _remove(folder: Path) -> None:
    # Snapshots are read-only, folders too; what cannot be listed cannot be removed.
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


def _say_how_to_go_on(screen: Screen, server: Served, seconds: float, *, kept: bool) -> None:
    screen.ending(f"The whole story took {seconds:.1f} s.")
    page = "/acme/g1-locomotion"
    if kept:
        screen.say(f"The registry keeps running until Ctrl-C. Listing page: {server.url}{page}")
    else:
        screen.say("The registry stops now; its data stays. To look around in it:")
        screen.shell(f"make serve DATA={server.data}")
        screen.say(f"Then the listing page is http://127.0.0.1:8080{page}")
        screen.say(
            "(`make demo ARGS=--keep` tells the story again, on new data, and keeps its server running.)"
        )
    screen.say(f"The owner's key, for /login, NODE_DATA_API_KEY or `node-data login`: {server.owner_key}")


if __name__ == "__main__":
    sys.exit(main())
