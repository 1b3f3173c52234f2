"""`Range` of RFC 9110: one span of a file, or all of it."""

from __future__ import annotations

import re

from nodedata_registry.errors import RangeNotSatisfiable

_BYTES = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII | re.IGNORECASE)


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return (offset, length) of the span asked for; `None` for the whole file.

    What is no single byte range (several spans, another unit, nonsense) counts as absent, as section
    14.2 permits.

    >>> parse_range("bytes=0-1", 10), parse_range("bytes=8-", 10), parse_range("bytes=-3", 10)
    ((0, 2), (8, 2), (7, 3))
    >>> parse_range("bytes=5-99", 10), parse_range("bytes=0-1,4-5", 10), parse_range("bytes=5-4", 10)
    ((5, 5), None, None)

    Raises:
        RangeNotSatisfiable: the span begins behind the end.
    """
    found = _BYTES.fullmatch(header.strip()) if header else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        length = min(int(found[2]), size_bytes)
        return _checked(size_bytes - length, length, size_bytes)
    first = int(found[1])
    last = int(found[2]) if found[2] else size_bytes - 1
    if found[2] and last < first:
        return None
    return _checked(first, min(last, size_bytes - 1) - first + 1, size_bytes)


def _checked(offset: int, length: int, size_bytes: int) -> tuple[int, int]:
    if offset >= size_bytes or length <= 0:
        raise RangeNotSatisfiable(
            f"the range asks for nothing that is in the file's {size_bytes} bytes",
            field="Range",
            details={"size_bytes": size_bytes},
        )
    return offset, length


def range_applies(if_range: str | None, etag: str) -> bool:
    """Tell whether `If-Range` lets the range count: absent, or exactly this strong tag (no dates)."""
    return if_range is None or if_range.strip() == etag
