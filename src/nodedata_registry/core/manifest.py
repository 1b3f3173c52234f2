"""What a revision is made of (manifest) and what it says of itself (revision record), with their digests.

    manifest   {"files":[{"path":…,"sha256":…,"size":…},…],"manifest":1}
    record     {"changelog":…,"manifest":<64 hex>,"model":…,"parent":<version or null>,"record":1,"version":…}

Both are canonical JSON (RFC 8785). Files are ordered by path, Unicode code point by code point (the order of
their UTF-8 bytes). The manifest's SHA-256 is the content's digest; the first 40 hex digits of the record's
SHA-256 are the commit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from nodedata_registry.core.digests import JsonValue, canonical_json, is_sha256, sha256_hex
from nodedata_registry.core.paths import check_paths
from nodedata_registry.core.versions import MAX_NUMBER, Version
from nodedata_registry.errors import InvalidPath, InvalidRequest

COMMIT_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a revision; `sha256` is that of its bytes, 64 lower-case hex digits."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a revision, sorted by path. Made by `Manifest.of`, which checks them."""

    files: tuple[FileEntry, ...]
    _encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        files: list[JsonValue] = [
            {"path": f.path, "sha256": f.sha256, "size": f.size_bytes} for f in self.files
        ]
        object.__setattr__(self, "_encoded", canonical_json({"files": files, "manifest": 1}))

    @classmethod
    def of(cls, entries: Iterable[FileEntry]) -> Manifest:
        """Return the manifest of `entries`, given in any order.

        Raises `InvalidPath` for a path that may not stand there or clashes with another, `InvalidRequest` for
        a size below 0 or beyond 2^53-1 or a digest that is none.
        """
        files = tuple(sorted(entries, key=lambda entry: entry.path))
        check_paths(entry.path for entry in files)
        for entry in files:
            _check_entry(entry)
        return cls(files)

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Return the manifest that `data` encodes canonically, and so with the digest that `data` has.

        Raises `InvalidRequest` if `data` is anything else, `InvalidPath` as `of` does.
        """
        try:
            read = msgspec.json.decode(data, type=_ManifestJson)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"the manifest cannot be read: {error}.", field="manifest") from error
        manifest = cls.of(FileEntry(f.path, f.size, f.sha256) for f in read.files)
        if manifest.to_bytes() != data:
            raise InvalidRequest("the manifest is not in canonical form (RFC 8785).", field="manifest")
        return manifest

    def to_bytes(self) -> bytes:
        """Return the canonical JSON, whose SHA-256 is the digest."""
        return self._encoded

    @property
    def digest(self) -> str:
        """The content's public identity: 64 hex digits of SHA-256."""
        return sha256_hex(self._encoded)

    @property
    def total_bytes(self) -> int:
        """The sum of the files' sizes."""
        return sum(entry.size_bytes for entry in self.files)

    def get(self, path: str) -> FileEntry | None:
        """Return the file at `path`, or `None`; logarithmic in the number of files."""
        at = bisect_left(self.files, path, key=lambda entry: entry.path)
        found = self.files[at : at + 1]
        return found[0] if found and found[0].path == path else None


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """What is said of one revision for ever; `parent` is a version, `None` for a first one."""

    model_id: str
    version: Version
    parent: str | None
    manifest_digest: str
    changelog: str

    def to_bytes(self) -> bytes:
        """Return the canonical JSON of the record.

        Raises `InvalidRequest` if the changelog holds half a surrogate pair.
        """
        return canonical_json(
            {
                "changelog": self.changelog,
                "manifest": self.manifest_digest,
                "model": self.model_id,
                "parent": self.parent,
                "record": 1,
                "version": str(self.version),
            }
        )

    @property
    def commit(self) -> str:
        """The first 40 hex digits of the record's SHA-256."""
        return sha256_hex(self.to_bytes())[:COMMIT_CHARACTERS]


def overlay(
    parent: Manifest | None,
    files: Iterable[FileEntry],
    remove: Iterable[str],
    *,
    whole: bool,
    missing_ok: bool = False,
) -> Manifest:
    """Return the manifest of a new revision: `files` laid over the parent's, less what `remove` names.

    With `whole`, `files` are all of it and the parent's other files are gone. `missing_ok` lets `remove`
    name what the parent lacks.

    Raises `InvalidPath`: field `remove` for a path that the parent lacks or that is also in `files`; field
    `files` for a path given twice or one that clashes with another.
    """
    given = list(files)
    kept = {entry.path: entry for entry in parent.files} if parent is not None else {}
    _take_away(kept, remove, {entry.path for entry in given}, missing_ok=missing_ok)
    fresh = {entry.path for entry in given}
    base = [] if whole else [entry for path, entry in kept.items() if path not in fresh]
    return Manifest.of([*base, *given])


class _FileJson(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    sha256: str
    size: int


class _ManifestJson(msgspec.Struct, forbid_unknown_fields=True):
    files: list[_FileJson]
    manifest: int


def _take_away(
    kept: dict[str, FileEntry], remove: Iterable[str], given: set[str], *, missing_ok: bool
) -> None:
    """Remove the named files from `kept`."""
    known: Mapping[str, FileEntry] = dict(kept)
    for path in remove:
        if path in given:
            raise InvalidPath(f"{path!a} is both given and removed; do one of them.", field="remove")
        if path not in known and not missing_ok:
            raise InvalidPath(f"{path!a} cannot be removed: the parent has no such file.", field="remove")
        kept.pop(path, None)


def _check_entry(entry: FileEntry) -> None:
    """Return if size and digest can be true."""
    if not 0 <= entry.size_bytes <= MAX_NUMBER:
        raise InvalidRequest(f"the size of {entry.path!a} is {entry.size_bytes} bytes.", field="manifest")
    if not is_sha256(entry.sha256):
        raise InvalidRequest(
            f"the digest of {entry.path!a} is not 64 lower-case hexadecimal digits.", field="manifest"
        )
