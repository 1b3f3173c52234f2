"""Figures, dates and other people's texts as a terminal shows them."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_LINE = 60
_BAR = " ▏▎▍▌▋▊▉█"


def clean(text: str) -> str:
    r"""Return a text without control and direction-override characters, line ends kept.

    What others wrote must not move the cursor, recolour the terminal or reverse the line.

    >>> clean("fine\x1b[2J\u202e\n")
    'fine�[2J�\n'
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if _acts(character) else character
        for character in text.replace("\r\n", "\n").replace("\t", "    ")
    )


def _acts(character: str) -> bool:
    if character == "\n" or character.isprintable():
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def first_line(text: str) -> str:
    """Return the first line that holds anything, cut at 60 characters; empty if none does."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


def size(size_bytes: int) -> str:
    """Return bytes in binary units with three significant digits.

    >>> size(0), size(1023), size(1536), size(90_868_376)
    ('0 B', '1,023 B', '1.50 KiB', '86.7 MiB')
    """
    if abs(size_bytes) < _STEP:
        return f"{size_bytes:,} B"
    amount = float(size_bytes)
    unit = 0
    while abs(amount) >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        amount /= _STEP
        unit += 1
    decimals = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{amount:.{decimals}f} {_UNITS[unit]}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> plural(1, "file"), plural(1200, "file")
    ('1 file', '1,200 files')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part as a percentage that is 0 or 100 only where it is exactly that.

    >>> share(0, 5), share(1, 10**7), share(147_456, 22_713_216), share(5, 5)
    ('0 %', '<0.01 %', '0.649 %', '100 %')
    >>> share(10**7 - 1, 10**7)
    '>99.99 %'
    """
    if part == 0 or whole == 0:
        return "0 %"
    if part == whole:
        return "100 %"
    percent = 100 * part / whole
    if percent < 0.01:
        return "<0.01 %"
    return ">99.99 %" if percent > 99.99 else f"{percent:.3g} %" if percent < 99 else f"{percent:.2f} %"


def bar(part: int, whole: int, width: int) -> str:
    """Return a bar of `width` cells in eighths; anything above nothing shows at least one eighth.

    >>> bar(1, 2, 4), bar(0, 2, 4), bar(1, 10**9, 2)
    ('██  ', '    ', '▏ ')
    """
    eighths = 0 if not part or not whole else max(1, round(part / whole * width * 8))
    full, rest = divmod(min(eighths, width * 8), 8)
    return ("█" * full + (_BAR[rest] if rest else "")).ljust(width)


def figure(value: float | None) -> str:
    """Return a measured value with four significant digits; an absent one as a dash.

    >>> figure(0.8600000001), figure(None), figure(12)
    ('0.86', '–', '12')
    """
    return "–" if value is None else f"{value:.4g}"


def day(at: datetime) -> str:
    """Return a date in UTC."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d}"


def ends(at: datetime) -> str:
    """Return until when something holds, or since when it does no longer."""
    return f"{'until' if at > datetime.now(timezone.utc) else 'expired'} {day(at)}"


def moment(at: datetime | None) -> str:
    """Return a time in UTC to the minute; an absent one as a dash."""
    return "–" if at is None else f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
