"""Times and durations as command lines state them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import click

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw]?)", re.ASCII)


def seconds(text: str) -> int:
    """Return the seconds of a duration; a bare number is seconds.

    >>> seconds("90"), seconds("24h"), seconds("2w")
    (90, 86400, 1209600)

    Raises:
        click.BadParameter: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 15m, 24h, 30d or 2w")
    return int(found[1]) * _SECONDS[found[2] or "s"]


def expiry(text: str) -> datetime:
    """Return when something ends: a date or time (UTC unless it says otherwise), or how long from now.

    Raises:
        click.BadParameter: it is neither.
    """
    if _DURATION.fullmatch(text.strip()):
        return datetime.now(timezone.utc) + timedelta(seconds=seconds(text))
    try:
        at = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 30d, 2030-01-31 or 2030-01-31T12:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
