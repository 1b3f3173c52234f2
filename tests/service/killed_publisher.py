"""A process that publishes until it is killed: `python killed_publisher.py`, orders on stdin.

    stdin    <folder> <key> <number>     publish 1.0.<number>, 1.0.<number + 1>, … in a fork
    stdout   started <pid>               just before the first publish
             acknowledged <number> <revision id>
             dead                        the fork was killed

The imports are paid for once; every order is one fork.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from nodedata_registry.server.service.identify import identify
from tests.service.conftest import opened
from tests.service.worlds import CARD, World, safetensors


def content(number: int) -> dict[str, bytes]:
    """Return the files of 1.0.<number>: several blocks of which some are new each time."""
    weights = safetensors({"a": [float(number)] * 80_000, "b": [1.0] * 80_000})
    return {"model_card.md": CARD, "model.safetensors": weights, "n.txt": b"%d" % number}


def publish_for_ever(folder: Path, key: str, first: int) -> None:
    """Publish number after number."""
    registry, clock = opened(folder)
    world = World(registry, clock, identify(registry, key), key)
    say(f"started {os.getpid()}")
    for number in count(first):
        found = world.publish(f"1.0.{number}", content(number), f"number {number}")
        say(f"acknowledged {number} {found.row.id}")


def say(line: str) -> None:
    """Write a line in one system call."""
    os.write(1, line.encode() + b"\n")


def main() -> None:
    """Serve orders until stdin ends."""
    for line in sys.stdin:
        folder, key, number = line.split()
        child = os.fork()
        if child == 0:
            publish_for_ever(Path(folder), key, int(number))
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
