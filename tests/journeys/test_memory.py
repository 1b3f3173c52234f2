"""Memory does not grow with the size of what is published or fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodedata_registry import NodeData
from tests.journeys.policies import MIB, contents, write_policy
from tests.journeys.running import OWNER_KEY, Running, python, running

ALLOWED = 200 * MIB

_CLIENT = """
import re, sys
from pathlib import Path
from nodedata_registry import NodeData

def memory(line):
    found = re.search(line + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024

base_url, key, cache, what, place = sys.argv[1:]
with NodeData(base_url, key, cache=cache) as node:
    node.models.resolve("acme/small")
    before = memory("VmRSS")
    if what == "publish":
        node.models.create_revision("acme/large", "1.0.0", place, "First")
    else:
        node.models.download("acme/large", "1.0.0", place)
    print(memory("VmHWM") - before)
"""


def growth_of_client(registry: Running, cache: Path, what: str, place: Path) -> int:
    """Publish or download in a process of its own; return by how many bytes its memory grew at most."""
    process = python(_CLIENT, [registry.url, OWNER_KEY, str(cache), what, str(place)])
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors
    return int(output)


def publish_and_download(registry: Running, work: Path, size_bytes: int) -> None:
    """Move a large file there and back; neither side may grow by more than `ALLOWED`."""
    with NodeData(registry.url, OWNER_KEY) as node:
        for name in ("small", "large"):
            node.models.create(f"acme/{name}")
        node.models.create_revision("acme/small", "1.0.0", write_policy(work / "small", MIB), "First")
    files = write_policy(work / "large", size_bytes)
    for what, place in (("publish", files), ("download", work / "dest")):
        registry.forget_peak()
        before = registry.resident_bytes()
        assert growth_of_client(registry, work / "cache", what, place) < ALLOWED
        assert registry.peak_bytes() - before < ALLOWED
    assert contents(work / "dest") == contents(files)


def test_two_hundred_megabytes_go_there_and_back_in_little_memory(registry: Running, tmp_path: Path) -> None:
    publish_and_download(registry, tmp_path, 200 * MIB)


@pytest.mark.soak
def test_a_gigabyte_goes_there_and_back_in_little_memory(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        with NodeData(server.url, OWNER_KEY) as node:
            node.workspaces.create("acme")
        publish_and_download(server, tmp_path, 1024 * MIB)
