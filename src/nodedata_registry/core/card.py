"""The model card: Markdown with YAML front matter that says what a revision is.

    ---
    license: apache-2.0          required: an SPDX expression, a Hub id, or LicenseRef-<name>
    name: Grasp policy           a title
    framework: pytorch           free text, like task; both are compared case-folded
    task: grasping
    authors: [R. Example]
    training_data: {hub: acme/grasps, revision: 3}       any value, compared as such
    benchmarks: [{name: pick, metric: success_rate, value: 0.93, n: 400}]
    inputs: {observation: [batch, 93]}
    outputs: {action: [batch, 29]}
    entry: policy.onnx           the file that inputs and outputs describe
    ---
    # Grasp policy …

The card is `model_card.md` at the revision's root, else `README.md`. Unknown keys are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from nodedata_registry.core.benchmarks import Benchmark
from nodedata_registry.core.card_fields import (
    mapping,
    number,
    optional_count,
    optional_flag,
    optional_size,
    optional_text,
    refuse,
    text,
    texts,
)
from nodedata_registry.core.card_schema import read_schema
from nodedata_registry.core.front_matter import read_front_matter
from nodedata_registry.core.licenses import canonical_license, license_ref
from nodedata_registry.core.schema import Schema
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.errors import CardRequired, InvalidCard

CARD_PATHS = ("model_card.md", "README.md")

_KNOWN = frozenset(
    {
        "name",
        "license",
        "framework",
        "task",
        "authors",
        "training_data",
        "benchmarks",
        "inputs",
        "outputs",
        "entry",
    }
)


@dataclass(frozen=True, slots=True)
class Card:
    """What a card states.

    `title` is its `name`; `license` a canonical SPDX expression; `schema` its `inputs` and
    `outputs`; `extra` the unknown keys; `text` the Markdown below the front matter.
    """

    path: str
    license: str
    text: str = ""
    title: str | None = None
    framework: str | None = None
    task: str | None = None
    authors: tuple[str, ...] = ()
    training_data: Json = None
    benchmarks: tuple[Benchmark, ...] = ()
    schema: Schema | None = None
    entry: str | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


def find_card_path(paths: Iterable[str]) -> str:
    """Return the path of the revision's card: `model_card.md`, else `README.md`, at its root.

    Raises:
        CardRequired: there is neither.
    """
    present = set(paths)
    for path in CARD_PATHS:
        if path in present:
            return path
    raise CardRequired(
        "the revision has no model card: add model_card.md (or README.md) at its root;"
        " `node-data model init` writes a starter",
        field="files",
    )


def parse_card(path: str, data: bytes) -> Card:
    r"""Return the card that the bytes of `path` hold. Cost: linear in the bytes.

    >>> parse_card("README.md", b"---\nlicense: mit\ntask: Grasping\n---\n").task
    'Grasping'

    Raises:
        InvalidCard: `field` is the YAML key at fault, or `front_matter`, or the path.
    """
    parts = read_front_matter(path, data)
    keys = parts.keys
    return Card(
        path=path,
        license=_read_license(keys),
        text=parts.text,
        title=optional_text(keys.get("name"), "name"),
        framework=optional_text(keys.get("framework"), "framework"),
        task=optional_text(keys.get("task"), "task"),
        authors=texts(keys.get("authors"), "authors"),
        training_data=keys.get("training_data"),
        benchmarks=_read_benchmarks(keys.get("benchmarks")),
        schema=read_schema(keys),
        entry=optional_text(keys.get("entry"), "entry"),
        extra={key: value for key, value in keys.items() if key not in _KNOWN},
    )


def starter_card(title: str, license: str = "LicenseRef-unstated") -> str:  # noqa: A002
    """Return a card that passes every check, for the author to fill in.

    Raises:
        InvalidCard: the licence is unknown.
    """
    line = " ".join(title.split()) or "Untitled"
    quoted = yaml.dump(line, default_style='"', allow_unicode=True, width=10**9).strip()
    return f"""---
name: {quoted}
# An SPDX licence such as apache-2.0, or `other` with license_name.
license: {canonical_license(license)}
# Remove the hash where it applies; a bump is judged by what stands here.
# framework: pytorch
# task: grasping
# authors: [Your name]
# training_data: [where it comes from, which revision of it]
# inputs:
#   observation: {{shape: [batch, 93], dtype: float32}}
# outputs:
#   action: {{shape: [batch, 29], dtype: float32}}
# benchmarks:
#   - {{name: bin-picking, metric: success_rate, value: 0.9, n: 200}}
---

# {line}

What it does, how it was trained, where it fails.
"""


def _read_license(keys: Mapping[str, Json]) -> str:
    value = keys.get("license")
    if isinstance(value, list):
        if len(value) != 1:
            raise InvalidCard(
                f"`license` lists {len(value)} licences; write one expression, such as"
                " `MIT OR Apache-2.0` (either) or `MIT AND Apache-2.0` (both apply)",
                field="license",
            )
        value = value[0]
    if value is None or value == "":
        raise InvalidCard(
            "the card states no `license`; add one, such as `license: apache-2.0`, or `license: other`"
            " with `license_name`",
            field="license",
        )
    stated = text(value, "license")
    return _named_license(keys) if stated.casefold() == "other" else canonical_license(stated)


def _named_license(keys: Mapping[str, Json]) -> str:
    name = keys.get("license_name")
    if name is None:
        raise InvalidCard(
            "`license` is other, and no `license_name` says which; add `license_name: <name>`",
            field="license_name",
        )
    return license_ref(text(name, "license_name"))


def _read_benchmarks(value: Json) -> tuple[Benchmark, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise refuse("benchmarks", "a list of maps with name, metric and value", value)
    found: dict[tuple[str, str], Benchmark] = {}
    for index, item in enumerate(value):
        key = f"benchmarks[{index}]"
        benchmark = _read_benchmark(mapping(item, key), key)
        identity = (benchmark.name, benchmark.metric)
        if identity in found:
            raise InvalidCard(
                f"`{key}` states {benchmark.name!r}, {benchmark.metric!r} a second time; keep one of them",
                field=key,
            )
        found[identity] = benchmark
    return tuple(found.values())


def _read_benchmark(item: Mapping[str, Json], key: str) -> Benchmark:
    return Benchmark(
        name=text(item.get("name"), f"{key}.name"),
        metric=text(item.get("metric"), f"{key}.metric"),
        value=number(item.get("value"), f"{key}.value"),
        higher_is_better=optional_flag(item.get("higher_is_better"), f"{key}.higher_is_better"),
        unit=optional_text(item.get("unit"), f"{key}.unit"),
        n=optional_count(item.get("n"), f"{key}.n"),
        stderr=optional_size(item.get("stderr"), f"{key}.stderr"),
    )
