"""Importing the package is quick and brings nothing of the server."""

from __future__ import annotations

import subprocess
import sys

import nodedata_registry


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_import_brings_nothing_heavy() -> None:
    loaded = run("import sys, nodedata_registry; print(' '.join(sys.modules))").split()
    assert not {"urllib3", "msgspec", "yaml", "asyncio", "sqlite3", "litestar", "numpy"} & set(loaded)


def test_the_client_brings_nothing_of_the_server() -> None:
    loaded = run(
        "import sys; from nodedata_registry import NodeData, AsyncNodeData; print(' '.join(sys.modules))"
    )
    assert not {"litestar", "sqlalchemy", "numpy", "granian", "jinja2"} & set(loaded.split())


def test_the_import_takes_little_time() -> None:
    code = "import time; t = time.perf_counter(); import nodedata_registry; print(time.perf_counter() - t)"
    assert min(float(run(code)) for _ in range(3)) < 0.15


def test_every_public_name_can_be_had() -> None:
    for name in nodedata_registry.__all__:
        assert getattr(nodedata_registry, name) is not None
    assert nodedata_registry.select(["1.0.0", "1.2.0"], "^1") == "1.2.0"


def test_without_the_server_parts_one_sentence_says_what_to_install() -> None:
    code = """
import sys
sys.modules["litestar"] = None
from nodedata_registry import NodeData, errors
try:
    NodeData(path="/tmp/never-made")
except errors.ExtraMissing as error:
    print(error.message)
"""
    message = run(code)
    assert "nodedata-registry[server]" in message
    assert "\n" not in message
