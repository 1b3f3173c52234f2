"""Numbers, sizes and times as people read them. Pure; the templates use these as filters."""

from __future__ import annotations

from datetime import datetime, timezone

MINUS = "\N{MINUS SIGN}"

_BYTE_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_COUNT_UNITS = ("", "K", "M", "B", "T")


def exact(number: int) -> str:
    """Return a whole number with thousands separators.

    >>> exact(1234567)
    '1,234,567'
    """
    return f"{number:,}".replace("-", MINUS)


def human_bytes(size_bytes: int) -> str:
    """Return a size in the largest binary unit that keeps it at 1 or more, three digits long.

    >>> human_bytes(0), human_bytes(1023), human_bytes(1536), human_bytes(90_868_376)
    ('0 bytes', '1,023 bytes', '1.50 KiB', '86.7 MiB')
    >>> human_bytes(1)
    '1 byte'
    """
    if abs(size_bytes) < 1024:
        return f"{exact(size_bytes)} byte{'' if size_bytes == 1 else 's'}"
    scaled, unit = _scale(size_bytes, 1024, len(_BYTE_UNITS))
    return f"{_three_digits(scaled)} {_BYTE_UNITS[unit]}"


def human_count(number: int) -> str:
    """Return a count in thousands (K), millions (M), billions (B) or trillions (T).

    >>> human_count(999), human_count(22_713_216), human_count(7_000_000_000)
    ('999', '22.7 M', '7.00 B')
    """
    if abs(number) < 1000:
        return exact(number)
    scaled, unit = _scale(number, 1000, len(_COUNT_UNITS))
    return f"{_three_digits(scaled)} {_COUNT_UNITS[unit]}"


def _scale(number: int, step: int, units: int) -> tuple[float, int]:
    scaled, unit = float(number), 0
    while abs(scaled) >= step * 0.9995 and unit < units - 1:
        scaled, unit = scaled / step, unit + 1
    return scaled, unit


def _three_digits(value: float) -> str:
    size = abs(value)
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:,.0f}"


def plain(value: float) -> str:
    """Return a measured value with at most six significant digits, without an exponent where short.

    >>> plain(0.875), plain(12.0), plain(0.000012345), plain(-3.5)
    ('0.875', '12', '1.2345e-05', '−3.5')
    """
    return f"{value:.6g}".replace("-", MINUS, 1) if value < 0 else f"{value:.6g}"


def signed(value: float) -> str:
    """Return a difference with its sign.

    >>> signed(0.25), signed(-2.0), signed(0.0)
    ('+0.25', '−2', '0')
    """
    return f"+{plain(value)}" if value > 0 else plain(value) if value else "0"


def percent(ratio: float) -> str:
    """Return a ratio as a percentage that never rounds a part to nothing or to everything.

    >>> percent(0.5), percent(1e-9), percent(0.99999), percent(1.0), percent(0.0)
    ('50 %', '< 0.01 %', '> 99.9 %', '100 %', '0 %')
    """
    if 0 < ratio < 0.0001:
        return "< 0.01 %"
    if 0.999 < ratio < 1:
        return "> 99.9 %"
    return f"{ratio * 100:.3g} %".replace("-", MINUS)


def signed_percent(ratio: float) -> str:
    """Return a relative change with its sign.

    >>> signed_percent(0.042), signed_percent(-0.5)
    ('+4.2 %', '−50 %')
    """
    return ("+" if ratio > 0 else "") + f"{ratio * 100:.3g} %".replace("-", MINUS)


def stamp(at: datetime) -> str:
    """Return the machine form of a moment: RFC 3339, UTC, whole seconds."""
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: datetime) -> str:
    """Return the date as people write it, `5 March 2026`."""
    utc = at.astimezone(timezone.utc)
    return f"{utc.day} {utc:%B %Y}"


def moment(at: datetime) -> str:
    """Return date and time of day, UTC: `5 March 2026, 14:07 UTC`."""
    return f"{day(at)}, {at.astimezone(timezone.utc):%H:%M} UTC"


def short_digest(digest: str) -> str:
    """Return the first 12 characters of a digest."""
    return digest[:12]
