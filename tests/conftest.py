"""What holds for every test: the longest files start first, so that two workers end together."""

from __future__ import annotations

import pytest

_LONGEST_FIRST = ("conformance", "journeys", "pages", "sdk", "api", "service", "cli", "contracts")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by how long their folder takes; inside a file nothing moves."""
    rank = {folder: index for index, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))
