"""From the `files` argument of a publish to what is sent: paths, digests, blocks, header ranges.

    a list       relative paths keep their shape below the root (the working directory, or `root=`);
                 absolute ones must lie inside it; a folder in a list is laid over with its shape
    a mapping    {path in the revision: local path}; local paths may lie anywhere
    a folder     is its own root and the whole revision

Folders are walked without `.git`, `__pycache__` and dot-files; a file that is named itself is taken
whatever it is called. Symlinks are followed inside the root only, or with `follow_links=True`.
Each file is read once: SHA-256, cut along its tensors, BLAKE3 of each block; memory stays flat.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from nodedata_registry import wire
from nodedata_registry.core.blocks import Block, cut
from nodedata_registry.core.card import CARD_PATHS
from nodedata_registry.core.digests import block_digest
from nodedata_registry.core.facts import RecordingSource, needs_header, read_file_facts
from nodedata_registry.core.layouts.table import Span, Tensor
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.paths import check_paths
from nodedata_registry.errors import (
    InvalidPath,
    InvalidRequest,
    InvalidWeights,
    PathOutsideRoot,
    TransferFailed,
)
from nodedata_registry.sdk.progress import Meter, ProgressCallback

LocalPath: TypeAlias = "str | os.PathLike[str]"
Files: TypeAlias = "LocalPath | Sequence[LocalPath] | Mapping[str, LocalPath]"
"""A list of paths, a mapping {path in the revision: local path}, or one folder."""

_CARD_SENT_BYTES = 16 * 1024 * 1024
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file looked like: if any of it differs later, the file was changed meanwhile."""

    size_bytes: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in a stat result."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to publish: its path in the revision and where it lies."""

    path: str
    local: Path


@dataclass(frozen=True, slots=True)
class Listing:
    """The files to publish, by path; `whole` when they are the entire revision."""

    files: tuple[LocalFile, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file that was read: identity, blocks in order, and the ranges that checks will read.

    `refused` is what the weight reader said of a malformed file. It is sent all the same: the
    registry judges in the documented order and says the same in its turn.
    """

    file: LocalFile
    entry: FileEntry
    blocks: tuple[Block, ...]
    headers: tuple[tuple[int, bytes], ...]
    stamp: Stamp
    refused: InvalidWeights | None = field(default=None, compare=False)

    def to_wire(self, *, headers: bool) -> wire.UploadFile:
        """Return the file as it stands in a publish, with or without header ranges."""
        return wire.UploadFile(
            path=self.entry.path,
            size_bytes=self.entry.size_bytes,
            sha256=self.entry.sha256,
            blocks=[(block.digest, block.size_bytes) for block in self.blocks],
            headers=list(self.headers) if headers else [],
        )


# --- which files ----------------------------------------------------------------------------------


def list_files(files: Files, root: LocalPath | None = None, *, follow_links: bool = False) -> Listing:
    """Return what the `files` argument names, sorted by path. Reads folders, not files.

    Raises:
        InvalidPath: nothing lies there, it is no regular file, or its path may not stand in a revision.
        PathOutsideRoot: a path or symlink leads outside the root.
        InvalidRequest: the argument is neither list, mapping nor folder.
    """
    if isinstance(files, Mapping):
        found = list(_from_mapping(files, _root_folder(root)))
        whole = False
    elif isinstance(files, str | os.PathLike):
        found = list(_Walk(_only_folder(files), follow_links).everything())
        whole = True
    else:
        found = list(_from_list(_checked_list(files), _root_folder(root), follow_links))
        whole = False
    check_paths(file.path for file in found)
    return Listing(tuple(sorted(found, key=lambda file: file.path)), whole)


def _checked_list(files: object) -> list[LocalPath]:
    if isinstance(files, Iterable) and not isinstance(files, bytes | bytearray):
        listed = list(files)
        if all(isinstance(path, str | os.PathLike) for path in listed):
            return listed
    raise InvalidRequest(
        "`files` is a list of paths, a mapping {path in the revision: local path} or a folder",
        field="files",
    )


def _root_folder(root: LocalPath | None) -> Path:
    folder = Path.cwd() if root is None else Path(root).absolute()
    if not folder.is_dir():
        raise InvalidPath(f"the root {folder} is not a folder", field="root")
    return folder


def _only_folder(files: LocalPath) -> Path:
    folder = Path(files).absolute()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InvalidRequest(
            f"{str(files)!r} is a file; a folder is the whole revision, and single files are given"
            f" as a list: [{str(files)!r}]",
            field="files",
        )
    raise _absent(files, folder)


def _from_mapping(files: Mapping[str, LocalPath], root: Path) -> Iterator[LocalFile]:
    for path, local in files.items():
        if not isinstance(path, str) or not isinstance(local, str | os.PathLike):
            raise InvalidRequest("a `files` mapping has texts as keys and paths as values", field="files")
        yield LocalFile(path, _regular(root / local, local))


def _from_list(files: Iterable[LocalPath], root: Path, follow_links: bool) -> Iterator[LocalFile]:
    walk = _Walk(root, follow_links)
    given: dict[str, LocalFile] = {}
    for path in files:
        relative = _below_root(root, path)
        for file in walk.below(relative, path):
            given.setdefault(file.path, file)
    yield from given.values()


def _below_root(root: Path, path: LocalPath) -> str:
    """Return a path's shape below the root, judged on its text; symlinks are judged by the walk."""
    text = os.fspath(path)
    lexical = Path(os.path.normpath(root / text))
    for base in (root, root.resolve()):
        if lexical.is_relative_to(base):
            return lexical.relative_to(base).as_posix()
    raise _outside(text, root)


class _Walk:
    """Finds regular files below one root, and refuses to be led out of it."""

    def __init__(self, root: Path, follow_links: bool) -> None:
        self._root = root
        self._real_root = root.resolve()
        self._follow_links = follow_links

    def everything(self) -> Iterator[LocalFile]:
        """Yield every file below the root."""
        return self._folder("", self._root, frozenset({self._real_root}))

    def below(self, relative: str, asked: LocalPath) -> Iterator[LocalFile]:
        """Yield the file at a relative path, or every file of the folder there."""
        if relative == ".":
            yield from self.everything()
            return
        local = self._root / relative
        self._check_inside(local, asked)
        if local.is_dir():
            yield from self._folder(relative + "/", local, frozenset({local.resolve()}))
        else:
            yield LocalFile(relative, _regular(local, asked))

    def _folder(self, prefix: str, folder: Path, parents: frozenset[Path]) -> Iterator[LocalFile]:
        for name in sorted(entry.name for entry in folder.iterdir()):
            if name.startswith(".") or name == "__pycache__":
                continue
            local = folder / name
            if local.is_symlink():
                self._check_inside(local, prefix + name)
            if not local.is_dir():
                yield LocalFile(prefix + name, _regular(local, prefix + name))
                continue
            real = local.resolve()
            if real in parents:
                raise InvalidPath(f"the symlink {prefix + name!r} leads in a circle", field="files")
            yield from self._folder(f"{prefix}{name}/", local, parents | {real})

    def _check_inside(self, local: Path, asked: LocalPath) -> None:
        if self._follow_links:
            return
        try:
            real = local.resolve(strict=True)
        except (OSError, RuntimeError):
            raise _absent(asked, local) from None
        if not real.is_relative_to(self._real_root):
            raise _outside(os.fspath(asked), self._root, f" (it leads to {real})")


def _regular(local: Path, asked: LocalPath) -> Path:
    try:
        mode = local.stat().st_mode
    except (OSError, ValueError):
        raise _absent(asked, local) from None
    if stat.S_ISDIR(mode):
        raise InvalidPath(f"{os.fspath(asked)!r} is a folder; name its files", field="files")
    if not stat.S_ISREG(mode):
        raise InvalidPath(f"{os.fspath(asked)!r} is not a regular file", field="files")
    return local


def _absent(asked: LocalPath, local: Path) -> InvalidPath:
    text = os.fspath(asked)
    place = "" if text == str(local) else f" (which means {local})"
    return InvalidPath(f"there is no file or folder at {text!r}{place}", field="files")


def _outside(asked: str, root: Path, leads: str = "") -> PathOutsideRoot:
    return PathOutsideRoot(
        f"{asked!r}{leads} lies outside the root {root}; pass root=, a mapping"
        " {path in the revision: local path}, or follow_links=True for symlinks",
        field="files",
    )


# --- what is in them ------------------------------------------------------------------------------


def scan(files: Iterable[LocalFile], progress: ProgressCallback | None = None) -> list[ScannedFile]:
    """Read every file once and return what a publish needs to know of it.

    Raises:
        TransferFailed: a file changed while it was read, or cannot be read.
    """
    listed = list(files)
    meter = Meter(progress, "scan", sum(_size(file) for file in listed))
    return [scan_file(file, meter) for file in listed]


def scan_file(file: LocalFile, meter: Meter | None = None) -> ScannedFile:
    """Read one file and return its identity, blocks and header ranges; memory is one block."""
    meter = meter if meter is not None else Meter(None, "scan", 0)
    try:
        with file.local.open("rb") as opened:
            before = Stamp.of(os.fstat(opened.fileno()))
            source = RecordingSource(_FileSource(opened.fileno(), before.size_bytes))
            tensors, refused = _tensors(file.path, source)
            if file.path in CARD_PATHS:
                source.read(0, min(before.size_bytes, _CARD_SENT_BYTES))
            spans = cut(before.size_bytes, tensors)
            sha256, blocks = _digests(opened.fileno(), spans, file, meter)
            after = Stamp.of(os.fstat(opened.fileno()))
    except OSError as error:
        raise TransferFailed(f"{file.local} cannot be read: {error.strerror or error}") from error
    if after != before:
        raise changed_meanwhile(file)
    entry = FileEntry(file.path, before.size_bytes, sha256)
    return ScannedFile(file, entry, blocks, source.recorded, before, refused)


def read_block(file: ScannedFile, offset: int, block: Block) -> bytes:
    """Return a block's bytes, read again and checked against what was announced.

    Raises:
        TransferFailed: the file is not what it was when it was scanned.
    """
    try:
        with file.file.local.open("rb") as opened:
            data = os.pread(opened.fileno(), block.size_bytes, offset)
    except OSError as error:
        raise TransferFailed(f"{file.file.local} cannot be read: {error.strerror or error}") from error
    if len(data) != block.size_bytes or block_digest(data) != block.digest:
        raise changed_meanwhile(file.file)
    return data


def changed_meanwhile(file: LocalFile) -> TransferFailed:
    """Return the error for a file that is being written while it is published."""
    return TransferFailed(
        f"{file.local} changed while it was being published; nothing was published."
        " Wait until it is written, then publish again",
        field="files",
        details={"file": file.path},
    )


class _FileSource:
    """The bytes of an open file, for the header readers."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        if offset < 0 or length < 0 or offset + length > self.size_bytes:
            raise InvalidWeights(
                f"The file is truncated: bytes {offset} to {offset + length} are needed,"
                f" it has {self.size_bytes}."
            )
        return b"".join(_pieces(self._descriptor, offset, length))


def _tensors(path: str, source: RecordingSource) -> tuple[tuple[Tensor, ...], InvalidWeights | None]:
    if not needs_header(path):
        return (), None
    try:
        return read_file_facts(FileEntry(path, source.size_bytes, _NO_DIGEST), source).tensors, None
    except InvalidWeights as error:
        return (), error


def _digests(
    descriptor: int, spans: Iterable[Span], file: LocalFile, meter: Meter
) -> tuple[str, tuple[Block, ...]]:
    whole = hashlib.sha256()
    blocks: list[Block] = []
    for span in spans:
        data = b"".join(_pieces(descriptor, span.offset, span.length))
        if len(data) != span.length:
            raise changed_meanwhile(file)
        whole.update(data)
        blocks.append(Block(block_digest(data), span.length))
        meter.add(span.length, file.path)
    return whole.hexdigest(), tuple(blocks)


def _pieces(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    end = offset + length
    while offset < end:
        piece = os.pread(descriptor, end - offset, offset)
        if not piece:
            return
        yield piece
        offset += len(piece)


def _size(file: LocalFile) -> int:
    try:
        return file.local.stat().st_size
    except OSError as error:
        raise TransferFailed(f"{file.local} cannot be read: {error.strerror or error}") from error
