"""What changed between two revisions: files, parameters, benchmarks, schema, licence, card.

    diff = files of two manifests + digest join of two tensor tables + counts of the tensors that were read
         + what the two cards say

Pure: the caller reads the tensors that `pairs` names, counts, and passes the counts in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from nodedata_registry.core.benchmarks import compare_benchmarks
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.card import Card
from nodedata_registry.core.diff_values import (
    UNTOUCHED,
    BumpSummary,
    CardChange,
    Changelog,
    ElementChange,
    FileChange,
    FilesDiff,
    LicenseDiff,
    ParametersDiff,
    RevisionDiff,
    SetDiff,
    ShownAccepted,
    ShownFinding,
    Side,
    TensorDiff,
    Total,
)
from nodedata_registry.core.facts import Entry, RevisionFacts
from nodedata_registry.core.findings import RULES, Finding
from nodedata_registry.core.revision_schemas import schema_findings
from nodedata_registry.core.tensor_pairs import Held, SetPairing, TensorPair, pair_sets, pairs
from nodedata_registry.core.versions import Bump

__all__ = [
    "BumpSummary",
    "CardChange",
    "Changelog",
    "DiffSide",
    "ElementChange",
    "FileChange",
    "FilesDiff",
    "LicenseDiff",
    "ParametersDiff",
    "RevisionDiff",
    "SetDiff",
    "ShownAccepted",
    "ShownFinding",
    "Side",
    "TensorDiff",
    "TensorPair",
    "Total",
    "bump_summary",
    "diff",
    "file_changes",
    "pairs",
    "shown_findings",
    "transfer_bytes",
]


class HasFiles(Protocol):
    """A manifest, or the facts of a revision."""

    @property
    def files(self) -> Sequence[Entry]:
        """The files, sorted by path."""
        ...


class AcceptedFinding(Protocol):
    """A finding that an owner accepted (`bump.Accepted` is one)."""

    @property
    def code(self) -> str:
        """The finding's code."""
        ...

    @property
    def reason(self) -> str:
        """Why it was accepted."""
        ...


@dataclass(frozen=True, slots=True)
class DiffSide:
    """One of the two revisions to compare: version, manifest digest and facts."""

    version: str
    digest: str
    facts: RevisionFacts


def diff(
    a: DiffSide,
    b: DiffSide,
    *,
    touched: Mapping[tuple[str, str], ElementChange],
    transfer_bytes: int,
    changelogs: Iterable[Changelog] = (),
    bump: BumpSummary | None = None,
    rules: int = RULES,
) -> RevisionDiff:
    """Return what changed from a to b.

    `touched` has the counts of every pair that `pairs(a.facts, b.facts)` gives, by `TensorPair.key`; a
    missing one is a KeyError, never a silent zero. Comparing a revision with itself gives nothing but totals.
    """
    return RevisionDiff(
        a=Side(a.version, a.digest),
        b=Side(b.version, b.digest),
        rules=rules,
        files=FilesDiff(transfer_bytes, file_changes(a.facts, b.facts)),
        parameters=_parameters(pair_sets(a.facts, b.facts), touched),
        benchmarks=compare_benchmarks(a.facts.card.benchmarks, b.facts.card.benchmarks),
        schema=shown_findings(schema_findings(a.facts, b.facts)),
        license=LicenseDiff(a.facts.card.license, b.facts.card.license),
        card=tuple(_card_changes(a.facts.card, b.facts.card)),
        changelogs=tuple(changelogs),
        bump=bump,
    )


def bump_summary(
    declared: Bump, asked: Bump, findings: Iterable[Finding], accepted: Iterable[AcceptedFinding] = ()
) -> BumpSummary:
    """Return the bump of a step as diffs show it."""
    return BumpSummary(
        declared.name.lower(),
        asked.name.lower(),
        shown_findings(findings),
        tuple(ShownAccepted(item.code, item.reason) for item in accepted),
    )


def shown_findings(findings: Iterable[Finding]) -> tuple[ShownFinding, ...]:
    """Return findings as the wire shows them."""
    return tuple(
        ShownFinding(item.code, item.asks.name.lower(), item.message, item.subject) for item in findings
    )


def transfer_bytes(a: Iterable[Block], b: Iterable[Block]) -> int:
    """Return the raw size of b's distinct blocks that a lacks."""
    held = {block.digest for block in a}
    return sum({block.digest: block.size_bytes for block in b if block.digest not in held}.values())


# --- files -------------------------------------------------------------------------------------


def file_changes(a: HasFiles | None, b: HasFiles) -> tuple[FileChange, ...]:
    """Return how the files changed, sorted by path; None stands for no files at all.

    A file that went and one that came with equal content are one `renamed` file; where several could be,
    the one with the same base name is taken, else the first by path.
    """
    before = {file.path: file for file in a.files} if a is not None else {}
    after = {file.path: file for file in b.files}
    gone: dict[str, list[str]] = defaultdict(list)
    for path, file in before.items():
        if path not in after:
            gone[file.sha256].append(path)
    changes = [
        _arrived(file, before, gone) for path, file in after.items() if _differs(file, before.get(path))
    ]
    left = chain.from_iterable(gone.values())
    changes += [FileChange(path, "removed", None, before[path].size_bytes, None) for path in left]
    return tuple(sorted(changes, key=lambda change: change.path))


def _differs(file: Entry, old: Entry | None) -> bool:
    return old is None or old.sha256 != file.sha256


def _arrived(file: Entry, before: Mapping[str, Entry], gone: Mapping[str, list[str]]) -> FileChange:
    if file.path in before:
        return FileChange(file.path, "modified", None, before[file.path].size_bytes, file.size_bytes)
    candidates = gone[file.sha256]
    if not candidates:
        return FileChange(file.path, "added", None, None, file.size_bytes)
    name = file.path.rpartition("/")[2]
    old = next((path for path in candidates if path.rpartition("/")[2] == name), candidates[0])
    candidates.remove(old)
    return FileChange(file.path, "renamed", old, file.size_bytes, file.size_bytes)


# --- parameters --------------------------------------------------------------------------------


def _parameters(
    sets: Iterable[SetPairing], touched: Mapping[tuple[str, str], ElementChange]
) -> ParametersDiff:
    by_set: list[SetDiff] = []
    rows: list[TensorDiff] = []
    for item in sets:
        rows_of_set = list(_rows(item, touched))
        by_set.append(_sum_set(item, rows_of_set))
        rows.extend(rows_of_set)
    return ParametersDiff(
        total=Total(sum(item.total.a for item in by_set), sum(item.total.b for item in by_set)),
        touched=sum(item.touched for item in by_set),
        added=sum(item.added for item in by_set),
        removed=sum(item.removed for item in by_set),
        by_set=tuple(by_set),
        tensors=tuple(rows),
    )


def _rows(item: SetPairing, touched: Mapping[tuple[str, str], ElementChange]) -> Iterator[TensorDiff]:
    for pair in item.pairs:
        row = _pair_row(pair, touched)
        if row is not None:
            yield row
    for change, group in (("renamed", item.renamed), ("added", item.added), ("removed", item.removed)):
        for name, held in group.items():
            tensor = held.tensor
            yield TensorDiff(item.name, name, change, tensor.dtype, tensor.shape, 0, None, None, None)


def _pair_row(pair: TensorPair, touched: Mapping[tuple[str, str], ElementChange]) -> TensorDiff | None:
    tensor = pair.b.tensor
    if not pair.comparable:
        change = "reshaped" if pair.a.tensor.shape != tensor.shape else "retyped"
        counted = ElementChange(tensor.elements)
    else:
        change = "modified"
        counted = touched[pair.key] if pair.must_read else UNTOUCHED
        if counted.touched == 0:
            return None
    return TensorDiff(
        pair.set,
        pair.name,
        change,
        tensor.dtype,
        tensor.shape,
        counted.touched,
        counted.max_abs,
        counted.rms,
        counted.relative,
    )


def _sum_set(item: SetPairing, rows: Iterable[TensorDiff]) -> SetDiff:
    """Return the sums of one set, each storage counted once.

    A tied tensor that came or went beside one that stays adds and removes no scalar.
    """
    counts = {"touched": 0, "added": 0, "removed": 0}
    counted: set[Hashable] = {("removed", pair.a.storage) for pair in item.pairs}
    counted |= {("added", pair.b.storage) for pair in item.pairs}
    for row in rows:
        held = item.removed[row.name] if row.change == "removed" else item.b[row.name]
        kind = row.change if row.change in counts else "touched"
        if row.change != "renamed" and (kind, held.storage) not in counted:
            counted.add((kind, held.storage))
            counts[kind] += row.touched if kind == "touched" else held.tensor.elements
    total = Total(_elements(item.a.values()), _elements(item.b.values()))
    return SetDiff(item.name, total, **counts)


def _elements(tensors: Iterable[Held]) -> int:
    return sum({held.storage: held.tensor.elements for held in tensors}.values())


# --- the card ----------------------------------------------------------------------------------


def _card_changes(a: Card, b: Card) -> Iterator[CardChange]:
    """Yield the fields that changed; licence, benchmarks and schema have sections of their own."""
    for key, before, after in (
        ("name", a.title, b.title),
        ("framework", a.framework, b.framework),
        ("task", a.task, b.task),
        ("authors", list(a.authors), list(b.authors)),
        ("training_data", a.training_data, b.training_data),
        ("entry", a.entry, b.entry),
    ):
        if before != after:
            yield CardChange(key, before, after)
    extra_a, extra_b = a.extra or {}, b.extra or {}
    for key in dict.fromkeys(chain(extra_a, extra_b)):
        if extra_a.get(key) != extra_b.get(key):
            yield CardChange(key, extra_a.get(key), extra_b.get(key))
    if a.text != b.text:
        yield CardChange("text", None, None)
