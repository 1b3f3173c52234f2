"""A card for a release that has none that passes, made from what its source states. Pure.

What stands in a card's front matter wins over what the source states beside it. Nothing is guessed: a
licence that nobody names is `LicenseRef-unstated`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

from nodedata_registry.core.card import parse_card
from nodedata_registry.core.front_matter import MAX_CARD_BYTES, read_front_matter
from nodedata_registry.core.imported import Imported
from nodedata_registry.core.licenses import canonical_license, license_ref
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import InvalidCard
from nodedata_registry.sdk.imports.release import Score, Stated

UNSTATED = "LicenseRef-unstated"
MAX_LISTED = 100
"""Tags, datasets and scores of a card: a source may list thousands."""

_LINE_CHARACTERS = 300
_TEXT_BYTES = MAX_CARD_BYTES // 2


def passes(path: str, data: bytes) -> bool:
    """Tell whether the bytes are a card that a publish would take."""
    try:
        parse_card(path, data)
    except InvalidCard:
        return False
    return True


def card_text(stated: Stated, imported: Imported) -> str:
    """Return a card that passes, with what the source states and where the release came from."""
    title = _line(stated.title) or "Untitled"
    keys: dict[str, object] = {
        "name": title,
        "license": license_of(stated.license),
        "framework": _line(stated.framework),
        "task": _line(stated.task),
        "tags": _lines(stated.tags),
        "base_model": _lines(stated.base_models),
        "training_data": _lines(stated.datasets),
        "benchmarks": _benchmarks(stated.scores),
        "imported_from": {"source": imported.source, "reference": imported.reference},
    }
    # A JSON value is YAML, and is read the same under every version of it.
    front = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items() if value
    )
    return f"---\n{front}---\n\n{_body(stated.text, title)}"


def license_of(text: str) -> str:
    """Return a licence as a card may state it: SPDX where it is one, else a `LicenseRef-`.

    >>> license_of("apache-2.0"), license_of("Acme Research v2"), license_of("")
    ('Apache-2.0', 'LicenseRef-Acme-Research-v2', 'LicenseRef-unstated')
    """
    for read in (canonical_license, license_ref):
        try:
            return read(text[:_LINE_CHARACTERS])
        except InvalidCard:
            continue
    return UNSTATED


def stated_in_card(path: str, data: bytes) -> Stated:
    """Return what a card says that does not pass: its keys where they can be read, and its text."""
    try:
        parts = read_front_matter(path, data)
    except InvalidCard:
        return Stated(text=data.decode("utf-8", errors="replace"))
    keys = parts.keys
    return Stated(
        title=_text(keys.get("name") or keys.get("model_name")),
        license=_license(keys),
        framework=_text(keys.get("framework") or keys.get("library_name")),
        task=_text(keys.get("task") or keys.get("pipeline_tag")),
        tags=_texts(keys.get("tags")),
        base_models=_texts(keys.get("base_model")),
        datasets=_texts(keys.get("training_data") or keys.get("datasets")),
        scores=tuple(scores_of(keys.get("model-index"))),
        text=parts.text,
    )


def scores_of(index: Json) -> Iterable[Score]:
    """Yield the figures of a Hub `model-index`: name of the dataset (or task), type of metric, value."""
    for model in _maps(index):
        for result in _maps(model.get("results")):
            about = next((one for key in ("dataset", "task") for one in _maps([result.get(key)])), {})
            name = _text(about.get("name")) or _text(about.get("type")) or "unnamed"
            for metric in _maps(result.get("metrics")):
                value = metric.get("value")
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    yield Score(name, _text(metric.get("type")) or _text(metric.get("name")), float(value))


def _license(keys: Mapping[str, Json]) -> str:
    stated = _texts(keys.get("license"))
    if len(stated) != 1:
        # Several, and nothing says whether all of them apply or one may be chosen.
        return ""
    named = _text(keys.get("license_name"))
    return named if stated[0].casefold() == "other" and named else stated[0]


def _maps(value: Json) -> list[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Json) -> str:
    return _line(value) if isinstance(value, str) else ""


def _texts(value: Json) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(one for one in map(_text, listed) if one)


def _line(text: str) -> str:
    """Return text as one line without characters that a front matter may not hold."""
    printable = "".join(one if one.isprintable() else " " for one in text[: 4 * _LINE_CHARACTERS])
    return " ".join(printable.split())[:_LINE_CHARACTERS].strip()


def _lines(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(line for line in map(_line, texts) if line))[:MAX_LISTED]


def _benchmarks(scores: Iterable[Score]) -> list[dict[str, str | float]]:
    """Return figures once each by (name, metric), those that are numbers."""
    found: dict[tuple[str, str], float] = {}
    for score in scores:
        key = (_line(score.name) or "unnamed", _line(score.metric))
        if key[1] and math.isfinite(score.value):
            found.setdefault(key, score.value)
    kept = list(found.items())[:MAX_LISTED]
    return [{"name": name, "metric": metric, "value": value} for (name, metric), value in kept]


def _body(text: str, title: str) -> str:
    clean = text.replace("\0", "").strip()
    if not clean or len(clean.encode("utf-8", "replace")) > _TEXT_BYTES:
        return f"# {title}\n"
    return clean.encode("utf-8", "replace").decode() + "\n"
