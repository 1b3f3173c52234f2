"""The folder that a download gives: a `pathlib.Path` that knows which revision it holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodedata_registry import wire

if TYPE_CHECKING:
    _Plain = Path
else:
    # The platform's own path class: before Python 3.12 only it can be derived from.
    _Plain = type(Path())


class Snapshot(_Plain):
    """A folder with a revision's files.

    A path in every respect; what is derived from it (`snapshot / "model.safetensors"`, `.parent`)
    is a plain path.

    Attributes:
        requested: the selector that was asked for.
        resolved: the version it meant.
        digest: the SHA-256 of the revision's manifest.
        commit: the revision's commit, 40 hex.
        yanked: why and since when it is yanked, else `None`.
    """

    requested: str
    resolved: str
    digest: str
    commit: str
    yanked: wire.Yank | None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        requested: str,
        resolved: str,
        digest: str,
        commit: str,
        yanked: wire.Yank | None = None,
    ) -> None:
        if sys.version_info >= (3, 12):
            super().__init__(path)
        self.requested = requested
        self.resolved = resolved
        self.digest = digest
        self.commit = commit
        self.yanked = yanked

    def with_segments(self, *segments: str | os.PathLike[str]) -> Path:
        """Return a plain path: a file inside a snapshot is no snapshot (Python 3.12 and later)."""
        return _Plain(*segments)

    if sys.version_info < (3, 12):
        # There paths are made by these class methods, and made from others by the second and third.
        def __new__(cls, path: str | os.PathLike[str], **known: Any) -> Snapshot:
            """Make a path object of this class."""
            made: Snapshot = _Plain._from_parts.__func__(cls, (path,))  # type: ignore[attr-defined]
            return made

        @classmethod
        def _from_parts(cls, *arguments: Any) -> Path:
            return _Plain._from_parts(*arguments)  # type: ignore[attr-defined, no-any-return]

        @classmethod
        def _from_parsed_parts(cls, *arguments: Any) -> Path:
            return _Plain._from_parsed_parts(*arguments)  # type: ignore[attr-defined, no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep what is known of the revision when pickled or copied."""
        known = (str(self), self.requested, self.resolved, self.digest, self.commit, self.yanked)
        return _rebuild, known

    def __repr__(self) -> str:
        return f"Snapshot({str(self)!r}, resolved={self.resolved!r}, requested={self.requested!r})"


def _rebuild(
    path: str, requested: str, resolved: str, digest: str, commit: str, yanked: wire.Yank | None
) -> Snapshot:
    return Snapshot(path, requested=requested, resolved=resolved, digest=digest, commit=commit, yanked=yanked)
