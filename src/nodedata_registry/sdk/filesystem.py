"""An fsspec file system: `nodedata://acme/x@^1/weights/model.safetensors`. Read-only, ranged, verified.

    nodedata://                         workspaces
    nodedata://acme                     models of a workspace
    nodedata://acme/x@^1                the revision that a selector means (none: `latest`)
    nodedata://mdl_…@sha256:…/path      a file; models go by id too

A file system object resolves each model and selector once: what is read through it, or through a file
that it opened, is of one revision. Another object, or `invalidate_cache()`, asks the registry again.
In a URL a selector may be percent-encoded, and `*` must be (`%2A`): globs read `*` as theirs.
Registered as the protocol `nodedata` by the entry point `fsspec.specs`; needs the extra `[fsspec]`.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from nodedata_registry.core.ids import is_id
from nodedata_registry.errors import (
    ExtraMissing,
    FileNotFoundInRevision,
    InvalidRequest,
    ModelNotFound,
    NodeDataError,
    NotFound,
    RevisionNotFound,
    WorkspaceNotFound,
)
from nodedata_registry.sdk.client import NodeData, surroundings_of
from nodedata_registry.sdk.locate import Question
from nodedata_registry.sdk.notices import YankedRevisionWarning, issue, yank_message
from nodedata_registry.sdk.ranges import RevisionFiles

try:
    from fsspec.spec import AbstractBufferedFile, AbstractFileSystem
except ImportError as missing:
    raise ExtraMissing("nodedata:// paths need fsspec: pip install 'nodedata-registry[fsspec]'") from missing

Entry = dict[str, Any]
"""What fsspec calls an info: `name`, `size` in bytes, `type`; for files also `sha256`, `version`, …"""

_COPY_BYTES = 32 * 1024 * 1024


class PathNotFound(NotFound, FileNotFoundError):
    """Nothing lies at a path: no such workspace, model, revision or file, or not for this caller.

    Its cause is the error that says which of them.
    """

    def __init__(self, path: object, cause: NodeDataError) -> None:
        super().__init__(cause.message, field=cause.field, request_id=cause.request_id, details=cause.details)
        self.errno, self.strerror, self.filename = errno.ENOENT, cause.message, str(path)

    def __str__(self) -> str:
        return self.message


class ReadOnlyFileSystem(InvalidRequest, OSError):
    """Something was to be written where everything is published for ever."""

    def __init__(self, path: object) -> None:
        super().__init__(
            f"nodedata:// is read-only, so {path} cannot be written: what is published never changes."
            " Publish the next version with node.models.create_revision or `node-data model push`",
            field="path",
        )
        self.errno, self.strerror, self.filename = errno.EROFS, self.message, str(path)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Address:
    """A path taken apart. `root` is the model and selector as they were spelled.

    >>> Address.parse("acme/x@%5E1/weights/m.onnx")
    Address(workspace='acme', root='acme/x@%5E1', model='acme/x', selector='^1', path='weights/m.onnx')
    >>> Address.parse("acme/x").selector, Address.parse("acme").model
    ('latest', None)
    """

    workspace: str
    root: str
    model: str | None
    selector: str
    path: str

    @classmethod
    def parse(cls, path: str) -> Address:
        """Return the parts of a path without protocol."""
        first, _, rest = path.partition("/")
        if is_id(first.partition("@")[0], "mdl_"):
            return cls._of_revision("", first, rest)
        if not rest:
            return cls(first, first, None, "", "")
        name, _, inner = rest.partition("/")
        return cls._of_revision(first, f"{first}/{name}", inner)

    @classmethod
    def _of_revision(cls, workspace: str, root: str, path: str) -> Address:
        model, at, selector = root.partition("@")
        return cls(workspace, root, model, unquote(selector) if at else "latest", path)


class NodeDataFileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The published files of a registry, as far as the caller may see them.

    Paths that do not exist raise `FileNotFoundError`, writing raises `OSError`; both are errors of this
    package too. `info` tells `sha256`, `version`, `digest` and `commit` of each file. A yanked revision
    issues `YankedRevisionWarning` when it is resolved and whenever one of its files is opened.
    """

    protocol = "nodedata"
    root_marker = ""
    cachable = False
    blocksize = _COPY_BYTES

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        cache: str | os.PathLike[str] | None = None,
        on_yanked: str = "warn",
        offline: bool | str | None = None,
        **options: Any,
    ) -> None:
        """Connect as `NodeData` does; `on_yanked` and `offline` are those of `download`."""
        super().__init__(**options)
        self._connect: Callable[[], NodeData] = partial(NodeData, base_url, api_key, path=path, cache=cache)
        self._on_yanked = on_yanked
        self._offline = offline
        self._lock = threading.RLock()
        self._pins: dict[tuple[str, str], str] = {}
        self._opened: dict[tuple[str, str], RevisionFiles] = {}
        self._clients = {os.getpid(): self._connect()}

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what selectors were found to mean: workers read the revision that their parent reads."""
        make, arguments = super().__reduce__()[:2]
        return make, arguments, self._resolved()

    def __setstate__(self, pins: dict[tuple[str, str], str]) -> None:
        self._pins = dict(pins)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        stripped = super()._strip_protocol(path)
        return stripped if isinstance(stripped, list) else stripped.strip("/")

    # --- looking ---

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Return the entries of a folder, or the entry of a file; names only unless `detail`."""
        address = Address.parse(self._strip_protocol(path))
        with _as_os_errors(path):
            if address.model is None:
                entries = self._workspaces() if not address.workspace else self._models(address.workspace)
            else:
                entries = _listed(self._files(address), address)
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_: Any) -> Entry:
        """Return the entry of one file or folder."""
        address = Address.parse(self._strip_protocol(path))
        with _as_os_errors(path):
            if address.model is None:
                if address.workspace:
                    _check_workspace(self._client(), address.workspace)
                return _folder(address.workspace)
            files = self._files(address)
            inner = {entry["name"]: entry for entry in _listed(files, address)}
        name = f"{address.root}/{address.path}".rstrip("/")
        return inner.get(name) or _folder(name)

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether something is there; a registry that cannot be asked is an error, not a no."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def ukey(self, path: str) -> str:
        """Return the file's SHA-256: it changes exactly when the content does."""
        return str(self.info(path).get("sha256") or super().ukey(path))

    def checksum(self, path: str) -> int:
        """Return the file's SHA-256 as a number."""
        return int(self.ukey(path), 16)

    def invalidate_cache(self, path: str | None = None) -> None:
        """Forget what selectors meant: the next call asks the registry. Open files stay as they are."""
        with self._lock:
            self._pins.clear()
            self._opened.clear()

    # --- reading ---

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Return the bytes [start, end) of a file; negative ones count from its end, as in a slice."""
        address = Address.parse(self._strip_protocol(path))
        with _as_os_errors(path):
            files = self._files(address, tell=True)
            size_bytes = files.file(address.path).size_bytes
            first, last, _step = slice(start, end).indices(size_bytes)
            return bytes(files.read(address.path, first, last))

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        cache_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> NodeDataFile:
        if mode != "rb":
            raise ReadOnlyFileSystem(path)
        address = Address.parse(path)
        with _as_os_errors(path):
            files = self._files(address, tell=True)
            size_bytes = files.file(address.path).size_bytes
        # No read-ahead of fsspec's by default: blocks are kept here, and more would only move more.
        options = {"cache_type": "none", **options, "size": size_bytes}
        return NodeDataFile(self, path, files, mode, block_size, cache_options=cache_options, **options)

    # --- what is not done here ---

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Raise `ReadOnlyFileSystem`, as everything below does."""
        raise ReadOnlyFileSystem(path)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path)

    def rmdir(self, path: str) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path)

    def rm_file(self, path: str) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path)

    def mv(self, path1: str, path2: str, **_: Any) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path1)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path2)

    def touch(self, path: str, truncate: bool = True, **_: Any) -> None:
        """Raise `ReadOnlyFileSystem`."""
        raise ReadOnlyFileSystem(path)

    # --- revisions ---

    def _client(self) -> NodeData:
        """Return this process's client: connections and databases do not survive a fork."""
        with self._lock:
            process = os.getpid()
            if process not in self._clients:
                self._pins = self._resolved()
                self._opened = {}
                self._clients[process] = self._connect()
            return self._clients[process]

    def _files(self, address: Address, *, tell: bool = False) -> RevisionFiles:
        """Return the revision that an address means, resolved at its first use here."""
        assert address.model is not None
        key = (address.model, address.selector)
        with self._lock:
            client = self._client()
            files = self._opened.get(key)
            if files is None:
                pinned = self._pins.get(key, address.selector)
                question = Question.of(address.model, pinned, self._on_yanked, self._offline)
                files = self._opened[key] = RevisionFiles.open(surroundings_of(client), question)
                tell = False
        yank = files.known.yanked
        if tell and yank is not None:
            issue(YankedRevisionWarning(yank_message(files.known.model, files.known.version, yank)))
        return files

    def _resolved(self) -> dict[tuple[str, str], str]:
        return {**self._pins, **{key: files.known.version for key, files in self._opened.items()}}

    def _workspaces(self) -> list[Entry]:
        return [_folder(one.slug) for one in self._client().workspaces.list().items]

    def _models(self, workspace: str) -> list[Entry]:
        client = self._client()
        _check_workspace(client, workspace)
        entries: list[Entry] = []
        cursor: str | None = None
        while True:
            page = client.models.list(workspace, cursor=cursor)
            entries += [_folder(model.ref) for model in page.items]
            cursor = page.next_cursor
            if not page.has_more:
                return sorted(entries, key=lambda entry: str(entry["name"]))


class NodeDataFile(AbstractBufferedFile):  # type: ignore[misc]
    """A file of a revision, open for reading; what was resolved when it was opened stays its content."""

    def __init__(
        self, fs: NodeDataFileSystem, path: str, files: RevisionFiles, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(fs, path, *arguments, **options)
        self._files = files

    def _fetch_range(self, start: int, end: int) -> bytes:
        return bytes(self._files.read(Address.parse(self.path).path, start, end))


def _check_workspace(client: NodeData, slug: str) -> None:
    # Public models may be seen where the workspace itself may not.
    if not client.models.list(slug, limit=1).items:
        client.workspaces.get(slug)


def _listed(files: RevisionFiles, address: Address) -> list[Entry]:
    """Return the entries of a folder in a revision, or of the file at that very path."""
    within = f"{address.path}/" if address.path else ""
    entries: dict[str, Entry] = {}
    known = files.known
    for file in files.plan.files:
        inner = file.path[len(within) :].partition("/") if file.path.startswith(within) else None
        if file.path != address.path and inner is None:
            continue
        if inner is not None and inner[1]:
            name = f"{address.root}/{within}{inner[0]}"
            entries[name] = _folder(name)
            continue
        name = f"{address.root}/{file.path}"
        entries[name] = {
            "name": name,
            "size": file.size_bytes,
            "type": "file",
            "sha256": file.sha256,
            "version": known.version,
            "digest": known.digest,
            "commit": known.commit,
        }
    if not entries:
        files.file(address.path)
    return list(entries.values())


def _folder(name: str) -> Entry:
    return {"name": name, "size": 0, "type": "directory"}


@contextmanager
def _as_os_errors(path: object) -> Iterator[None]:
    """Give what is not there the class that every file library looks for."""
    try:
        yield
    except (FileNotFoundInRevision, ModelNotFound, RevisionNotFound, WorkspaceNotFound) as error:
        raise PathNotFound(path, error) from error
