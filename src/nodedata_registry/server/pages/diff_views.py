"""A revision diff as the listing and diff pages print it. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from markupsafe import Markup

from nodedata_registry.core.benchmarks import BenchmarkChange
from nodedata_registry.core.diff_values import (
    CardChange,
    Changelog,
    FileChange,
    RevisionDiff,
    ShownAccepted,
    ShownFinding,
    TensorDiff,
)
from nodedata_registry.server.pages.charts import bar
from nodedata_registry.server.pages.figures import exact, percent, plain, signed, signed_percent
from nodedata_registry.server.pages.views import api_url, diff_url, revision_url

OPEN_ROWS = 25
"""How many rows of a long table are open; the others are behind a click."""

MOST_ROWS = 500
"""How many rows a table prints at all; the JSON has every one."""

CARD_LINES = 1500
"""Cards longer than this are not compared line by line: the comparison is quadratic at worst."""

_SHOWN_VALUE_CHARS = 400

_ONE_SIDED = ("added", "removed", "renamed")
"""Changes of tensors in which no scalar is touched: the page counts the tensor instead."""

_VERDICTS = {
    "improved": ("▲", "improved"),
    "regressed": ("▼", "regressed"),
    "unchanged": ("=", "unchanged"),
    "within_noise": ("≈", "within noise"),
    "changed": ("◆", "changed"),
    "added": ("+", "added"),
    "removed": ("\N{MINUS SIGN}", "removed"),
    "not_comparable": ("≠", "not comparable"),
}


@dataclass(frozen=True, slots=True)
class TensorLine:
    """One row of the tensor table; `share` is the touched part as a bar, `None` where nothing is shared."""

    set: str
    name: str
    change: str
    dtype: str
    shape: str
    touched: int
    count: int
    ratio: str
    share: Markup | None
    largest: str | None
    rms: str | None


@dataclass(frozen=True, slots=True)
class BenchmarkLine:
    """One row of the benchmark table, with an arrow whose meaning the words repeat."""

    name: str
    metric: str
    before: str | None
    after: str | None
    delta: str | None
    relative: str | None
    arrow: str
    verdict: str
    kind: str


@dataclass(frozen=True, slots=True)
class CardLine:
    """One changed key of the card; `None` where a side has no such key."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of the card's text comparison: `plus`, `minus`, `same` or `hunk`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DiffSummary:
    """What a listing page says about a diff, and the head of the diff page."""

    a: str
    b: str
    url: str
    a_url: str
    b_url: str
    json_url: str | None
    declared: str | None
    asked: str | None
    transfer_bytes: int
    file_count: int
    file_counts: str
    touched: int
    total_a: int
    total_b: int
    added: int
    removed: int
    touched_share: str
    touched_bar: Markup
    benchmarks: tuple[BenchmarkLine, ...]
    license: tuple[str, str] | None
    findings: tuple[ShownFinding, ...]
    accepted: tuple[ShownAccepted, ...]

    @property
    def benchmark_counts(self) -> str:
        """Return how many benchmarks went which way, in words."""
        return _tally([line.verdict for line in self.benchmarks])


@dataclass(frozen=True, slots=True)
class DiffView:
    """Everything on a diff page. The lists hold at most `MOST_ROWS`; the counts say how many there are."""

    head: DiffSummary
    files: tuple[FileChange, ...]
    file_count: int
    tensors: tuple[TensorLine, ...]
    tensor_count: int
    several_sets: bool
    schema: tuple[ShownFinding, ...]
    card: tuple[CardLine, ...]
    text: tuple[TextLine, ...] | None
    changelogs: tuple[Changelog, ...]


def diff_summary(ref: str, diff: RevisionDiff, *, public: bool) -> DiffSummary:
    """Return what a listing page says about a diff; `public` says whether anyone may fetch its JSON."""
    a, b = diff.a.version, diff.b.version
    url = diff_url(ref, a, b)
    totals, bump = diff.parameters, diff.bump
    whole = totals.total.b
    share = percent(totals.touched / whole) if whole else "0 %"
    return DiffSummary(
        a=a,
        b=b,
        url=url,
        a_url=revision_url(ref, a),
        b_url=revision_url(ref, b),
        json_url=api_url(ref, "revisions/" + url.rpartition("/")[2] + "/diff") if public else None,
        declared=bump.declared if bump else None,
        asked=bump.asked if bump else None,
        transfer_bytes=diff.files.transfer_bytes,
        file_count=len(diff.files.items),
        file_counts=_tally([item.change for item in diff.files.items]) or "none changed",
        touched=totals.touched,
        total_a=totals.total.a,
        total_b=whole,
        added=totals.added,
        removed=totals.removed,
        touched_share=share,
        touched_bar=bar(totals.touched, whole, f"{share} of the parameters touched"),
        benchmarks=tuple(_benchmark_line(item) for item in diff.benchmarks),
        license=None if diff.license.a == diff.license.b else (diff.license.a, diff.license.b),
        findings=bump.findings if bump else (),
        accepted=bump.accepted if bump else (),
    )


def diff_view(ref: str, diff: RevisionDiff, cards: tuple[str, str] | None, *, public: bool) -> DiffView:
    """Return a whole diff page; `cards` is the card text of both sides, where both may be shown."""
    ordered = sorted(diff.parameters.tensors, key=lambda item: (item.set, -item.touched, item.name))
    return DiffView(
        head=diff_summary(ref, diff, public=public),
        files=diff.files.items[:MOST_ROWS],
        file_count=len(diff.files.items),
        tensors=tuple(_tensor_line(item) for item in ordered[:MOST_ROWS]),
        tensor_count=len(ordered),
        several_sets=len({item.set for item in ordered}) > 1,
        schema=diff.schema,
        card=tuple(_card_line(item) for item in diff.card if item.field != "text"),
        text=None if cards is None else text_lines(*cards),
        changelogs=diff.changelogs,
    )


def _tensor_line(item: TensorDiff) -> TensorLine:
    count = prod(item.shape)
    ratio = percent(item.touched / count) if count else "0 %"
    return TensorLine(
        set=item.set,
        name=item.name,
        change=item.change,
        dtype=item.dtype,
        shape="[" + ", ".join(exact(axis) for axis in item.shape) + "]",
        touched=item.touched,
        count=count,
        ratio=ratio,
        share=None if item.change in _ONE_SIDED else bar(item.touched, count, _touched_label(item, count)),
        largest=None if item.max_abs is None else f"{item.max_abs:.3g}",
        rms=None if item.rms is None else f"{item.rms:.3g}",
    )


def _touched_label(item: TensorDiff, count: int) -> str:
    return f"{exact(item.touched)} of {exact(count)} touched"


def _benchmark_line(item: BenchmarkChange) -> BenchmarkLine:
    arrow, words = _VERDICTS.get(item.verdict, ("", item.verdict))
    return BenchmarkLine(
        name=item.name,
        metric=item.metric,
        before=None if item.value_a is None else plain(item.value_a),
        after=None if item.value_b is None else plain(item.value_b),
        delta=None if item.delta is None else signed(item.delta),
        relative=None if item.relative_delta is None else signed_percent(item.relative_delta),
        arrow=arrow,
        verdict=words,
        kind=item.verdict,
    )


def _card_line(item: CardChange) -> CardLine:
    return CardLine(item.field, _value_text(item.a), _value_text(item.b))


def _value_text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_VALUE_CHARS else text[:_SHOWN_VALUE_CHARS] + " …"


def text_lines(before: str, after: str) -> tuple[TextLine, ...] | None:
    """Return how the card's text changed, three lines of context; empty if equal, `None` if too long."""
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return ()
    if max(len(old), len(new)) > CARD_LINES:
        return None
    compared = list(difflib.unified_diff(old, new, n=3, lineterm=""))[2:]
    return tuple(_text_line(line) for line in compared[:MOST_ROWS])


def _text_line(line: str) -> TextLine:
    kind = {"+": "plus", "-": "minus", "@": "hunk"}.get(line[:1], "same")
    return TextLine(kind, line)


def _tally(words: Sequence[str]) -> str:
    """Return counts in words, in order of first appearance: `2 modified, 1 added`."""
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
