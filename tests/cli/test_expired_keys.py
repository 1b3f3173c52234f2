"""Keys and grants that are over are not shown as if they were not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from nodedata_registry.cli.words import ends


def test_what_is_over_says_expired() -> None:
    now = datetime.now(timezone.utc)
    assert ends(now - timedelta(minutes=1)).startswith("expired ")
    assert ends(now + timedelta(days=1)).startswith("until ")
