"""What changed between two revisions, as one value: the JSON of contract section 7, field by field.

Counts of parameters are counts of scalars. The API, the page and the terminal all render this value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from nodedata_registry.core.benchmarks import BenchmarkChange


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two revisions: version and manifest digest."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """How one path changed: `added`, `removed`, `modified` or `renamed` (equal content, from `old_path`)."""

    path: str
    change: str
    old_path: str | None
    size_a_bytes: int | None
    size_b_bytes: int | None


@dataclass(frozen=True, slots=True)
class FilesDiff:
    """The files that changed; `transfer_bytes` is the raw size of the blocks that a holder of a lacks."""

    transfer_bytes: int
    items: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """Scalars on both sides; tensors that share one storage count once per set."""

    a: int
    b: int


@dataclass(frozen=True, slots=True)
class SetDiff:
    """Scalars of one weight set; `set` is b's name for it, or a's where b lacks it."""

    set: str
    total: Total
    touched: int
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class TensorDiff:
    """One tensor that changed.

    `change`: `modified` (same dtype and shape), `retyped`, `reshaped` (both count whole, of b, as touched),
    `added`, `removed`, `renamed` (equal content). `dtype` and `shape` are those of b, or of a where it was
    removed. `max_abs`, `rms` and `relative` are as in `ElementChange`; None where nothing was compared.
    """

    set: str
    name: str
    change: str
    dtype: str
    shape: tuple[int, ...]
    touched: int
    max_abs: float | None
    rms: float | None
    relative: float | None


@dataclass(frozen=True, slots=True)
class ParametersDiff:
    """What changed in the weights; sums first, then by set, then every tensor that changed."""

    total: Total
    touched: int
    added: int
    removed: int
    by_set: tuple[SetDiff, ...]
    tensors: tuple[TensorDiff, ...]


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding as the wire shows it; `asks` is `major`, `minor`, `patch` or `none`."""

    code: str
    asks: str
    message: str
    subject: str | None


@dataclass(frozen=True, slots=True)
class ShownAccepted:
    """A finding that an owner accepted, with the written reason."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class BumpSummary:
    """What the step from a to b declares, what the evidence asks for, and why."""

    declared: str
    asked: str
    findings: tuple[ShownFinding, ...]
    accepted: tuple[ShownAccepted, ...]


@dataclass(frozen=True, slots=True)
class LicenseDiff:
    """The licences of both sides, as canonical SPDX expressions."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class CardChange:
    """A field of the card that changed, by its YAML key; None: not stated there.

    The Markdown text is the field `text`, without its values, which may be long.
    """

    field: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Changelog:
    """One changelog on b's way back to the nearest common ancestor with a."""

    version: str
    changelog: str


@dataclass(frozen=True, slots=True)
class RevisionDiff:
    """Everything that changed from a to b, judged under rules number `rules`.

    `schema` has the findings on inputs and outputs; `bump` is None where no bump was judged.
    """

    a: Side
    b: Side
    rules: int
    files: FilesDiff
    parameters: ParametersDiff
    benchmarks: tuple[BenchmarkChange, ...]
    schema: tuple[ShownFinding, ...]
    license: LicenseDiff
    card: tuple[CardChange, ...]
    changelogs: tuple[Changelog, ...]
    bump: BumpSummary | None

    def to_json(self) -> bytes:
        """Return the diff as JSON."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(data: bytes) -> RevisionDiff:
        """Return the diff that `to_json` wrote."""
        return msgspec.json.decode(data, type=RevisionDiff)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: dicts, lists, strings, numbers, booleans and None only."""
        built: dict[str, Any] = msgspec.json.decode(self.to_json())
        return built


@dataclass(frozen=True, slots=True)
class ElementChange:
    """How the scalars of one tensor changed, element by element.

    `touched` counts the scalars whose stored bits differ. The other figures are in real units, over the
    scalars that are finite on both sides: `max_abs` the largest |b - a|, `rms` the root of the mean of
    (b - a)^2, `relative` the norm of b - a over the norm of a (None from a zero norm, unless nothing moved).
    All three are None where no scalar is finite on both sides.
    """

    touched: int
    max_abs: float | None = None
    rms: float | None = None
    relative: float | None = None


UNTOUCHED = ElementChange(0, 0.0, 0.0, 0.0)
