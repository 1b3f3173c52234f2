"""What changed between two cards, as findings of the bump rules.

A licence is always a licence. Task, framework, training data and benchmarks count as changes only
where the model changed: with the same weights, configs and processors they are corrections of what
the card said (`metadata_changed`). Stating what was unstated is metadata too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from nodedata_registry.core.benchmarks import BenchmarkChange, compare_benchmarks
from nodedata_registry.core.card import Card
from nodedata_registry.core.findings import Finding, finding
from nodedata_registry.core.licenses import same_license
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.core.yaml12 import Json

_SHOWN_CHARACTERS = 60
_BENCHMARK_CODES = {
    "improved": "benchmark_improved",
    "regressed": "benchmark_regressed",
    "added": "benchmark_added",
    "removed": "benchmark_removed",
    "changed": "benchmark_changed",
    "not_comparable": "benchmark_changed",
}


def card_findings(base: Card, candidate: Card, *, corrected: bool) -> Iterator[Finding]:
    """Yield the findings about two cards, their schemas left out.

    `corrected`: no weight, config or processor file differs, so the card alone was put right.
    """
    if not same_license(base.license, candidate.license):
        message = f"the licence changed from {base.license} to {candidate.license}"
        yield finding("license_changed", message, "license")
    changes = list(_claims(base, candidate))
    if not corrected:
        yield from changes
    metadata = list(_metadata(base, candidate))
    if corrected:
        metadata = [item.message for item in changes] + metadata
    if metadata:
        yield finding("metadata_changed", f"the card was changed: {'; '.join(metadata)}", candidate.path)


def _claims(base: Card, candidate: Card) -> Iterator[Finding]:
    """Yield what the cards claim about the model and claim differently."""
    for key in ("task", "framework"):
        before, after = getattr(base, key), getattr(candidate, key)
        if before is not None and _folded(before) != _folded(after):
            yield finding(f"{key}_changed", f"the {key} changed from {_show(before)} to {_show(after)}", key)
    before, after = base.training_data, candidate.training_data
    if before is not None and not _same(before, after):
        message = f"the training data changed from {_show(before)} to {_show(after)}"
        yield finding("training_data_changed", message, "training_data")
    for change in compare_benchmarks(base.benchmarks, candidate.benchmarks):
        code = _BENCHMARK_CODES.get(change.verdict)
        if code is not None:
            yield finding(code, _benchmark_message(change), f"{change.name} {change.metric}")


def _benchmark_message(change: BenchmarkChange) -> str:
    named = f"benchmark {change.name!r}: {change.metric}"
    if change.verdict == "added":
        return f"{named} was added with {change.value_b!r}"
    if change.verdict == "removed":
        return f"{named} was removed; it was {change.value_a!r}"
    words = {
        "improved": "improved",
        "regressed": "regressed",
        "changed": "changed, in a direction nothing states,",
        "not_comparable": "is in another unit and went",
    }
    return f"{named} {words[change.verdict]} from {change.value_a!r} to {change.value_b!r}"


def _metadata(base: Card, candidate: Card) -> Iterator[str]:
    for key in ("task", "framework", "training_data"):
        if getattr(base, key) is None and getattr(candidate, key) is not None:
            yield f"{key} is stated for the first time: {_show(getattr(candidate, key))}"
    for key, before, after in _plain_keys(base, candidate):
        if not _same(before, after):
            yield f"{key} from {_show(before)} to {_show(after)}"
    if _descriptions(base.schema) != _descriptions(candidate.schema):
        yield "the descriptions of inputs and outputs"
    if base.text != candidate.text:
        yield f"the text ({len(base.text):,} characters before, {len(candidate.text):,} now)"


def _plain_keys(base: Card, candidate: Card) -> Iterator[tuple[str, Json, Json]]:
    yield "path", base.path, candidate.path
    yield "name", base.title, candidate.title
    yield "authors", ", ".join(base.authors) or None, ", ".join(candidate.authors) or None
    yield "entry", base.entry, candidate.entry
    for key in sorted(base.extra.keys() | candidate.extra.keys()):
        yield key, base.extra.get(key), candidate.extra.get(key)


def _descriptions(schema: Schema | None) -> Mapping[str, str | None]:
    if schema is None:
        return {}
    specs: tuple[TensorSpec, ...] = (*(schema.inputs or ()), *(schema.outputs or ()))
    return {spec.name: spec.description for spec in specs if spec.description is not None}


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _same(left: Json, right: Json) -> bool:
    """Compare by value, the order of keys aside; true is not 1, as Python would have it."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _show(value: Json) -> str:
    if value is None:
        return "unstated"
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _SHOWN_CHARACTERS else shown[: _SHOWN_CHARACTERS - 1] + "…"
