"""`node-data.lock`: which contents a project uses, exactly. The value, reading it, and writing it.

One `[[model]]` a model, sorted by name; files sorted by path; one fact a line, so that a diff of two
locks reads as what changed. A lock is checked when it is read: paths may stand in a manifest, the
manifest's digest is that of the files, the version is one that the request admits. So a slip of the
hand, or a merge that went wrong, is found before anything is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import msgspec

from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.ids import is_id
from nodedata_registry.core.manifest import COMMIT_CHARACTERS, FileEntry, Manifest
from nodedata_registry.core.names import parse_model_ref
from nodedata_registry.core.selectors import DIGEST_PREFIX, ByDigest, Selector, parse_selector
from nodedata_registry.core.toml import TomlProblem, TomlValue, read_toml, toml_pair, toml_value
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidLock, NodeDataError

LOCK_FORMAT = 1
LOCK_NAME = "node-data.lock"
MAX_LOCK_BYTES = 64 * 1024 * 1024

_HEAD = """\
# Written by `node-data lock`; commit it, and do not edit it. `node-data sync` restores exactly this.
"""
_COMMIT = re.compile(rf"[0-9a-f]{{{COMMIT_CHARACTERS}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class LockedYank:
    """That a revision was yanked when it was locked: since when, why, and where to go."""

    at: datetime
    reason: str
    suggested: str | None


@dataclass(frozen=True, slots=True)
class Pin:
    """One model's locked revision. `model` is `workspace/name`, `registry` its address."""

    model: str
    requested: str
    version: Version
    manifest: Manifest
    commit: str
    model_id: str
    registry: str
    yanked: LockedYank | None = None

    @property
    def digest(self) -> str:
        """The manifest's SHA-256, 64 hex."""
        return self.manifest.digest

    def is_named(self, model: str) -> bool:
        """Return whether `model` is this model's name or id."""
        return model in (self.model, self.model_id)

    def is_admitted_by(self, selector: Selector) -> bool:
        """Return whether the selector may mean this revision."""
        if isinstance(selector, ByDigest):
            return selector.digest == self.digest
        return selector.admits(self.version)


@dataclass(frozen=True, slots=True)
class Lock:
    """The pins of a project, sorted by model. Made by `Lock.of`."""

    pins: tuple[Pin, ...] = ()

    @classmethod
    def of(cls, pins: Iterable[Pin]) -> Lock:
        """Return the lock of `pins`, given in any order.

        Raises `InvalidLock` if a model is locked twice.
        """
        ordered = tuple(sorted(pins, key=lambda pin: pin.model))
        seen: set[str] = set()
        for pin in ordered:
            if not seen.isdisjoint((pin.model, pin.model_id)):
                raise _invalid(f"locks {pin.model} twice")
            seen |= {pin.model, pin.model_id}
        return cls(ordered)

    def get(self, model: str) -> Pin | None:
        """Return the pin of a model, named by name or id, or `None`."""
        return next((pin for pin in self.pins if pin.is_named(model)), None)

    @property
    def contents_digest(self) -> str:
        """A name for what the lock restores: models and manifests, whatever else it says."""
        lines = [f"{pin.model} {pin.digest}\n" for pin in self.pins]
        return sha256_hex("".join(lines).encode())

    def files(self) -> dict[str, FileEntry]:
        """Return every file under `workspace/name/path`: how the models lie in one folder."""
        return {f"{pin.model}/{entry.path}": entry for pin in self.pins for entry in pin.manifest.files}


def parse_lock(data: bytes) -> Lock:
    """Return the lock that the bytes of a lock file state.

    Raises:
        InvalidLock: from a newer program, with conflict markers, no TOML, or changed by hand into
            something that cannot be true; the message says which, and what to do.
    """
    if len(data) > MAX_LOCK_BYTES:
        raise _invalid(f"has {len(data)} bytes; at most {MAX_LOCK_BYTES} are read")
    try:
        number = read_toml(data, _AnyLock).lock
        if number != LOCK_FORMAT:
            raise _unknown_format(number)
        read = read_toml(data, _LockToml)
    except TomlProblem as error:
        raise _invalid(str(error)) from error
    return Lock.of(_pin(model) for model in read.model)


def render_lock(lock: Lock) -> str:
    r"""Return the text of the lock file: the same for equal locks, each line ending in `\n`."""
    parts = [_HEAD, toml_pair("lock", LOCK_FORMAT), "\n"]
    for pin in lock.pins:
        parts += ["\n[[model]]\n", *(toml_pair(key, value) + "\n" for key, value in _facts(pin))]
        parts += [
            "files = [\n",
            *(f"    {toml_value(_row(entry))},\n" for entry in pin.manifest.files),
            "]\n",
        ]
    return "".join(parts)


class _AnyLock(msgspec.Struct):
    """The one key that every format of the file has."""

    lock: int


class _FileToml(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    size: int
    sha256: str


class _YankToml(msgspec.Struct, forbid_unknown_fields=True):
    at: datetime
    reason: str
    suggested: str | None = None


class _ModelToml(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    requested: str
    version: str
    digest: str
    commit: str
    id: str
    registry: str
    files: list[_FileToml]
    yanked: _YankToml | None = None


class _LockToml(msgspec.Struct, forbid_unknown_fields=True):
    lock: int
    model: list[_ModelToml] = []


def _facts(pin: Pin) -> list[tuple[str, TomlValue]]:
    facts: list[tuple[str, TomlValue]] = [
        ("name", pin.model),
        ("requested", pin.requested),
        ("version", str(pin.version)),
        ("digest", DIGEST_PREFIX + pin.digest),
        ("commit", pin.commit),
        ("id", pin.model_id),
        ("registry", pin.registry),
    ]
    if pin.yanked is not None:
        facts.append(("yanked", _yank_row(pin.yanked)))
    return facts


def _row(entry: FileEntry) -> dict[str, TomlValue]:
    return {"path": entry.path, "size": entry.size_bytes, "sha256": entry.sha256}


def _yank_row(yank: LockedYank) -> dict[str, TomlValue]:
    row: dict[str, TomlValue] = {"at": yank.at, "reason": yank.reason}
    return row if yank.suggested is None else {**row, "suggested": yank.suggested}


def _pin(read: _ModelToml) -> Pin:
    try:
        pin = Pin(
            read.name,
            read.requested,
            Version.parse(read.version),
            Manifest.of(FileEntry(one.path, one.size, one.sha256) for one in read.files),
            read.commit,
            read.id,
            read.registry,
            _yank(read.yanked),
        )
        named = parse_model_ref(read.name).name is not None
        admitted = pin.is_admitted_by(parse_selector(read.requested))
    except NodeDataError as error:
        raise _by_hand(read.name, error.message) from error
    problem = _contradiction(read, pin, named=named, admitted=admitted)
    if problem is not None:
        raise _by_hand(read.name, problem)
    return pin


def _yank(read: _YankToml | None) -> LockedYank | None:
    if read is None:
        return None
    at = read.at if read.at.tzinfo is not None else read.at.replace(tzinfo=timezone.utc)
    return LockedYank(at, read.reason, read.suggested)


def _contradiction(read: _ModelToml, pin: Pin, *, named: bool, admitted: bool) -> str | None:
    """Return what in an entry cannot be true, or `None`."""
    if not named:
        return "the name is not workspace/name"
    if not is_id(read.id, "mdl_"):
        return f"{read.id!a} is no model id"
    if _COMMIT.fullmatch(read.commit) is None:
        return f"{read.commit!a} is no commit"
    if read.digest != DIGEST_PREFIX + pin.digest:
        return f"the digest of its files is {DIGEST_PREFIX}{pin.digest}, not {read.digest}"
    if not admitted:
        return f"{read.requested!a} does not admit {read.version}"
    return None


def _by_hand(model: str, problem: str) -> InvalidLock:
    return _invalid(f"was changed by hand: {model[:100]!a}: {problem}")


def _unknown_format(number: int) -> InvalidLock:
    if number > LOCK_FORMAT:
        return InvalidLock(
            f"{LOCK_NAME} was written by a newer program (lock = {number}, this one reads {LOCK_FORMAT});"
            " update nodedata-registry",
            field=LOCK_NAME,
            details={"format": number},
        )
    return _invalid(f"has the unknown format {number}")


def _invalid(problem: str) -> InvalidLock:
    return InvalidLock(
        f"{LOCK_NAME} {problem}; take the committed one back (`git checkout -- {LOCK_NAME}`) or remove it,"
        " and run `node-data lock`",
        field=LOCK_NAME,
    )
