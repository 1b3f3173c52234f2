"""Column types that keep what the catalog promises: UTC times in order, and no number too large."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import BigInteger, Dialect, Integer, String
from sqlalchemy.types import TypeDecorator

from nodedata_registry.errors import InvalidRequest

LARGEST = 2**63 - 1
SMALLEST = -(2**63)


def within_range(number: int) -> int:
    """Return `number`, or the nearest one that a 64-bit column can hold.

    For limits and page positions only: no row lies beyond, so the answer stays right.

    >>> within_range(5), within_range(10**30) == LARGEST
    (5, True)
    """
    return max(SMALLEST, min(LARGEST, number))


def to_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC with microseconds, 27 characters: text order is time order.

    Raises `TypeError` for a datetime without a timezone.

    >>> to_text(datetime(2025, 1, 2, 3, 4, 5, 6, timezone.utc))
    '2025-01-02T03:04:05.000006Z'
    """
    if moment.tzinfo is None:
        raise TypeError("the catalog keeps timezone-aware times only")
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_text(text: str) -> datetime:
    """Return the UTC datetime that `to_text` wrote.

    >>> from_text('2025-01-02T03:04:05.000006Z').microsecond
    6
    """
    return datetime.fromisoformat(text)


class Moment(TypeDecorator[datetime]):
    """A UTC time, kept as text so that it reads well and sorts by time on every database."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text to store."""
        return None if value is None else to_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the time read."""
        return None if value is None else from_text(value)


class Whole(TypeDecorator[int]):
    """A 64-bit whole number; a larger one is `InvalidRequest`, not an error of the driver."""

    # SQLite gives its rowid only to a column declared INTEGER.
    impl = BigInteger().with_variant(Integer(), "sqlite")
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """Return the number, which fits. Raises `InvalidRequest`."""
        if value is not None and not SMALLEST <= value <= LARGEST:
            raise InvalidRequest(f"a number of {value.bit_length()} bits is too large; 64 bits are the most")
        return value
