"""A folder as a source: one revision, or one sub-folder for each version."""

from __future__ import annotations

from pathlib import Path

from nodedata_registry.errors import InvalidVersion, NotFound
from nodedata_registry.sdk.imports.plan import version_of
from nodedata_registry.sdk.imports.release import Release, Stated
from nodedata_registry.sdk.progress import ProgressCallback


class FolderSource:
    """A folder of this machine. With `version` the folder is that one release.

    Without, each folder in it is one, named by its version; others are told as not mapped.
    """

    kind = "folder"

    def __init__(self, folder: Path, version: str | None = None) -> None:
        self._folder = folder.absolute()
        self._version = version

    @property
    def title(self) -> str:
        """The folder's path."""
        return str(self._folder)

    def releases(self) -> list[Release]:
        """Return the one release, or those that the folder's folders are.

        Raises:
            NotFound: there is no such folder, or nothing in it is named as a version.
        """
        if not self._folder.is_dir():
            raise NotFound(f"{self._folder} is not a folder", field="source")
        if self._version is not None:
            return [self._release(self._folder, self._version)]
        inside = sorted(one for one in self._folder.iterdir() if one.is_dir() and one.name[0] != ".")
        if not any(_is_version(one.name) for one in inside):
            raise NotFound(
                f"no folder in {self._folder} is named as a version (1.4.0 or v1.4.0);"
                " to import the folder itself, say which version it is: --version 1.0.0",
                field="source",
            )
        return [self._release(one, one.name) for one in inside]

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        """Return the folder where it lies."""
        return Path(release.revision)

    def stated(self, release: Release) -> Stated:
        """Return the folder's name as a title: a folder states nothing else."""
        return Stated(title=self._folder.name)

    def _release(self, place: Path, called: str) -> Release:
        changelog = f"Imported from the folder {place.name}."
        return Release(called, called, str(place), place.as_uri()[:500], changelog)


def _is_version(name: str) -> bool:
    try:
        version_of(name)
    except InvalidVersion:
        return False
    return True
