"""Small charts as inline SVG, drawn on the server.

Everything is presentation attributes and classes: the page's Content-Security-Policy permits no
inline styles. Colours come from the stylesheet, so that charts follow light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

BAR_WIDTH, BAR_HEIGHT = 96, 6
LINE_WIDTH, LINE_HEIGHT = 132, 28
_LEAST_VISIBLE = 1.5


def bar(part: float, whole: float, label: str) -> Markup:
    """Return a bar that is filled by `part` of `whole`; a part above 0 is always visible.

    `label` is what a screen reader says.
    """
    ratio = min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
    filled = 0.0 if ratio == 0 else max(ratio * BAR_WIDTH, _LEAST_VISIBLE)
    return Markup(
        '<svg class="bar" role="img" aria-label="{label}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '<rect class="bar-track" width="{w}" height="{h}" rx="3"/>'
        '<rect class="bar-fill" width="{filled}" height="{h}" rx="{rx}"/></svg>'
    ).format(label=label, w=BAR_WIDTH, h=BAR_HEIGHT, filled=f"{filled:.2f}", rx=f"{min(3.0, filled / 2):.2f}")


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Return a line through the values, oldest first, with a dot on the last; empty below two values."""
    if len(values) < 2:
        return Markup("")
    points = _points(values)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return Markup(
        '<svg class="spark" role="img" aria-label="{label}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '<polyline points="{path}"/><circle cx="{x}" cy="{y}" r="2.5"/></svg>'
    ).format(label=label, w=LINE_WIDTH, h=LINE_HEIGHT, path=path, x=f"{x:.1f}", y=f"{y:.1f}")


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    low, high = min(values), max(values)
    margin = 4.0
    step = (LINE_WIDTH - 2 * margin) / (len(values) - 1)
    span = (high - low) or 1.0
    flat = high == low
    inner = LINE_HEIGHT - 2 * margin
    return [
        (margin + i * step, LINE_HEIGHT / 2 if flat else LINE_HEIGHT - margin - (value - low) / span * inner)
        for i, value in enumerate(values)
    ]
