"""What changed between the files of two revisions, as findings of the bump rules.

Weight files are judged by set (`weight_sets`): a set that vanishes breaks who loads it, and
re-sharding removes nothing. Only headers are read here, never a weight: that values changed is known
from the file's SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.findings import Finding, finding
from nodedata_registry.core.weight_sets import WeightSet, weight_sets

GRAPH_FORMATS = frozenset({"onnx"})
"""Formats whose tensors are named by an exporter: their names are no architecture."""

SHOWN_FILES = 20
"""Files named one by one for each code; the rest of a code are counted in one finding."""

_PROSE_SUFFIXES = frozenset(
    {".md", ".rst", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".webm", ".cff", ".bib"}
)
_PROSE_STEMS = ("readme", "license", "licence", "notice", "changelog", "authors", "citation", "copying")


def is_prose(path: str) -> bool:
    """Return whether a file is for people only: no weight, config or processor file.

    >>> is_prose("LICENSE.txt"), is_prose("docs/plot.png"), is_prose("merges.txt")
    (True, True, False)
    """
    name = path.casefold().rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    suffix = dot + ending if stem else ""
    if suffix in _PROSE_SUFFIXES or name in {".gitattributes", ".gitignore"}:
        return True
    return suffix in {"", ".txt"} and name.startswith(_PROSE_STEMS)


def same_model(base: RevisionFacts, candidate: RevisionFacts) -> bool:
    """Return whether no weight, config or processor file differs: then the card was only corrected."""
    return _substance(base) == _substance(candidate)


def _substance(facts: RevisionFacts) -> dict[str, str]:
    return {
        file.path: file.sha256
        for file in facts.files
        if file.path != facts.card.path and not is_prose(file.path)
    }


def file_findings(base: RevisionFacts, candidate: RevisionFacts) -> Iterator[Finding]:
    """Yield the findings about weight sets and other files; the cards' own files are left out."""
    before, after = weight_sets(base.files), weight_sets(candidate.files)
    yield from _set_findings(before, after)
    known = {path for group in (before, after) for item in group.values() for path in item.paths}
    known |= {base.card.path, candidate.card.path}
    yield from _other_files(_digests(base, known), _digests(candidate, known))
    for file in candidate.files:
        if file.pickled and not _pickled(base, file.path):
            message = f"{file.path} is a pickle, which may run code when it is loaded, and was none before"
            yield finding("pickle_added", message, file.path)


def _digests(facts: RevisionFacts, without: set[str]) -> dict[str, str]:
    return {file.path: file.sha256 for file in facts.files if file.path not in without}


def _pickled(facts: RevisionFacts, path: str) -> bool:
    file = facts.get(path)
    return file is not None and file.pickled


def _set_findings(before: Mapping[str, WeightSet], after: Mapping[str, WeightSet]) -> Iterator[Finding]:
    kept = [item for name, item in before.items() if name in after]
    for name, item in before.items():
        if name not in after:
            now = ", ".join(sorted(after)) or "none"
            message = f"the weight file {name} was removed or renamed; the weight files now are: {now}"
            yield finding("weight_file_removed", message, name)
        elif item.digests != after[name].digests:
            yield from _changed_set(item, after[name])
    for name, item in after.items():
        if name not in before:
            yield _added_set(item, kept)


def _added_set(item: WeightSet, kept: Sequence[WeightSet]) -> Finding:
    shapes = item.shapes
    for other in kept:
        if shapes and other.shapes == shapes:
            message = f"{item.name} was added, a variant of {other.name} with the same tensors"
            return finding("weight_variant_added", message, item.name)
    return finding("file_added", f"the weight file {item.name} was added", item.name)


def _changed_set(base: WeightSet, candidate: WeightSet) -> Iterator[Finding]:
    name, graph = base.name, bool(base.formats & GRAPH_FORMATS)
    same_shapes = base.shapes == candidate.shapes
    readable = bool(base.shapes and candidate.shapes)
    if readable and not graph and not same_shapes:
        yield finding("architecture_changed", _architecture(base, candidate), name)
    retyped = _retyped(base, candidate) if readable and (same_shapes or not graph) else []
    if retyped:
        first = retyped[0]
        message = (
            f"{len(retyped)} of {len(base.dtypes)} tensors of {name} changed dtype, such as `{first}`"
            f" from {base.dtypes[first]} to {candidate.dtypes[first]}"
        )
        yield finding("weights_retyped", message, name)
    if retyped or (readable and not graph and not same_shapes):
        return
    if base.digests.keys() != candidate.digests.keys():
        message = f"{name} is split differently: {len(base.paths)} files before, {len(candidate.paths)} now"
        yield finding("weights_resharded", message, name)
    else:
        old, new = base.size_bytes, candidate.size_bytes
        sizes = f"{old:,} bytes before and now" if old == new else f"{old:,} bytes before, {new:,} now"
        yield finding("weights_changed", f"the weights in {name} changed ({sizes})", name)


def _retyped(base: WeightSet, candidate: WeightSet) -> list[str]:
    old, new = base.dtypes, candidate.dtypes
    return [
        name
        for name, dtype in old.items()
        if new.get(name, dtype) != dtype and base.shapes[name] == candidate.shapes[name]
    ]


def _architecture(base: WeightSet, candidate: WeightSet) -> str:
    old, new = base.shapes, candidate.shapes
    added = [name for name in new if name not in old]
    removed = [name for name in old if name not in new]
    reshaped = [name for name in old if name in new and old[name] != new[name]]
    parts = []
    if added:
        parts.append(f"{len(added)} added, such as `{added[0]}` {list(new[added[0]])}")
    if removed:
        parts.append(f"{len(removed)} removed, such as `{removed[0]}` {list(old[removed[0]])}")
    if reshaped:
        first = reshaped[0]
        parts.append(
            f"{len(reshaped)} reshaped, such as `{first}` from {list(old[first])} to {list(new[first])}"
        )
    return f"the tensors of {base.name} changed: {'; '.join(parts)}"


def _other_files(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Finding]:
    yield from _named("file_added", "was added", [path for path in after if path not in before])
    yield from _named("file_removed", "was removed", [path for path in before if path not in after])
    changed = [path for path, digest in before.items() if after.get(path, digest) != digest]
    yield from _named("file_changed", "changed", changed)


def _named(code: str, what: str, paths: Sequence[str]) -> Iterator[Finding]:
    for path in paths[:SHOWN_FILES]:
        yield finding(code, f"{path} {what}", path)
    if len(paths) > SHOWN_FILES:
        rest = len(paths) - SHOWN_FILES
        yield finding(code, f"{rest:,} more files: each {what}, the last is {paths[-1]}")
