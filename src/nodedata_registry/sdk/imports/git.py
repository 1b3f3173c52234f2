"""A git repository as a source: its tags, read with the git command.

Files are written from git's objects byte for byte, so no line ends and no attributes change them.
Git LFS pointers are replaced by their objects where the repository holds these, and refused where it
does not: a pointer is not the weights.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nodedata_registry.core.paths import check_path
from nodedata_registry.errors import CannotStart, NotFound, TransferFailed, Unavailable
from nodedata_registry.sdk.imports.release import Release, Stated
from nodedata_registry.sdk.progress import Meter, ProgressCallback

_PIECE_BYTES = 1024 * 1024
_POINTER_BYTES = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[^\n]*\n)*?oid sha256:([0-9a-f]{64})\n"
)
_LINK = "120000"
_TAG_FIELDS = (
    "%(refname:strip=2)%00%(objectname)%00%(*objectname)%00%(contents:subject)%00%(contents:body)%01"
)
# Nothing of the caller's own settings may change what is read, and nothing may ask a question.
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class _Object:
    """A file of a commit, as `git ls-tree` lists it."""

    mode: str
    name: str
    size_bytes: int
    path: str


class GitSource:
    """A repository, by its folder or its address; addresses are cloned into `clones` and kept there.

    With `revision` (a tag, branch or commit) that is the one release.
    """

    kind = "git"

    def __init__(
        self, repository: str, clones: Path, revision: str | None = None, called: str | None = None
    ) -> None:
        self._repository = repository
        self._clones = clones
        self._revision = revision
        self._called = called
        self._place: Path | None = None

    @property
    def title(self) -> str:
        """The repository's address; a folder's as `file://…`."""
        place = Path(self._repository)
        return place.absolute().as_uri() if place.is_dir() else self._repository

    def releases(self) -> list[Release]:
        """Return the tags, or the one revision.

        Raises:
            NotFound: there is no repository, or no such revision in it.
            Unavailable: the address does not answer. CannotStart: there is no git command.
        """
        if self._revision is None:
            return [self._release(*fields) for fields in self._tags()]
        if self._revision.startswith("-"):
            raise NotFound(f"{self._revision!r} is no revision", field="source")
        commit = self._ask("rev-parse", "--verify", self._revision + "^{commit}").strip()
        changelog = self._ask("show", "--no-patch", "--format=%B", commit)
        return [self._release(self._revision, commit, changelog)]

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        """Write the commit's files into `folder`; submodules are no files of it and stay out."""
        files = [one for one in self._files(release.revision) if one.mode != "160000"]
        links = [one for one in files if one.mode == _LINK]
        meter = Meter(progress, "fetch", sum(one.size_bytes for one in files))
        for path, data in self._read([one for one in files if one.mode != _LINK], meter):
            _write(folder / path, data)
        for one in links:
            self._follow(one, folder, {file.path for file in files})
        for one in files:
            self._replace_pointer(folder / one.path, one.path)
        return folder

    def stated(self, release: Release) -> Stated:
        """Return the repository's name as a title; licence and card are files of it."""
        return Stated(title=PurePosixPath(self.title.rstrip("/").removesuffix("/.git")).stem)

    # --- reading the repository ---

    def _release(self, name: str, commit: str, changelog: str) -> Release:
        reference = f"{self.title}@{name} ({commit})"[:500]
        return Release(name, self._called or name, commit, reference, changelog.strip())

    def _tags(self) -> Iterator[tuple[str, str, str]]:
        listed = self._ask("for-each-ref", f"--format={_TAG_FIELDS}", "--sort=refname", "refs/tags")
        for record in listed.split("\x01"):
            if record.strip():
                name, object_name, peeled, subject, body = record.lstrip("\n").split("\0")
                yield name, peeled or object_name, f"{subject}\n\n{body}"

    def _files(self, commit: str) -> list[_Object]:
        listed = self._ask("ls-tree", "-r", "-z", "--long", commit)
        found = []
        for record in filter(None, listed.split("\0")):
            facts, _, path = record.partition("\t")
            mode, _kind, name, size = facts.split()
            found.append(_Object(mode, name, 0 if size == "-" else int(size), check_path(path)))
        return found

    def _read(self, files: list[_Object], meter: Meter) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each file's path and bytes; the bytes must be drawn before the next file is."""
        command = self._command("cat-file", "--batch")
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            for one in files:
                process.stdin.write(one.name.encode() + b"\n")
                process.stdin.flush()
                if process.stdout.readline().split()[1:] != [b"blob", str(one.size_bytes).encode()]:
                    raise TransferFailed(f"git gives no object {one.name} for {one.path}: run `git fsck`")

                def pieces(size: int = one.size_bytes, path: str = one.path) -> Iterator[bytes]:
                    assert process.stdout is not None
                    while size:
                        piece = process.stdout.read(min(size, _PIECE_BYTES))
                        if not piece:
                            raise TransferFailed(f"git ended in the middle of {path}: run `git fsck`")
                        size -= len(piece)
                        meter.add(len(piece), path)
                        yield piece

                yield one.path, pieces()
                process.stdout.read(1)
            process.stdin.close()

    def _follow(self, link: _Object, folder: Path, paths: set[str]) -> None:
        """Put the file that a symbolic link names in its place, if it is one of the commit's."""
        target = self._ask("cat-file", "blob", link.name)
        inside = os.path.normpath(f"{PurePosixPath(link.path).parent}/{target}")
        if target.startswith("/") or inside not in paths or not (folder / inside).is_file():
            raise NotFound(
                f"{link.path} is a symbolic link to {target[:100]!a}, which is no file of the commit",
                field="source",
            )
        _place(folder / inside, folder / link.path)

    def _replace_pointer(self, place: Path, path: str) -> None:
        if place.stat().st_size > _POINTER_BYTES:
            return
        found = _POINTER.match(place.read_bytes())
        if found is None:
            return
        oid = found[1].decode()
        common = Path(self._ask("rev-parse", "--git-common-dir").strip())
        stored = self._repository_folder() / common / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        if not stored.is_file() or _sha256(stored) != oid:
            raise NotFound(
                f"{path} is a Git LFS pointer and the repository does not hold its object {oid}: run"
                " `git lfs fetch --all` in a clone of it, and import that folder",
                field="source",
            )
        place.unlink()
        _place(stored, place)

    # --- the command ---

    def _ask(self, *arguments: str) -> str:
        return _run(self._command(*arguments)).decode("utf-8", "surrogateescape")

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self._repository_folder()), *arguments]

    def _repository_folder(self) -> Path:
        if self._place is None:
            local = Path(self._repository)
            self._place = local.absolute() if local.is_dir() else self._clone()
        return self._place

    def _clone(self) -> Path:
        """Return a bare clone of the address, made or brought up to date."""
        # `host:path` and `scheme://…`; a `-` at the start would be an option of git's.
        if self._repository.startswith("-") or ":" not in self._repository:
            raise NotFound(f"{self._repository!r} is neither a folder nor an address", field="source")
        place = self._clones / hashlib.sha256(self._repository.encode()).hexdigest()[:24]
        if not (place / "HEAD").is_file():
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            made = place.with_suffix(f".{os.getpid()}")
            try:
                _run(["git", "clone", "--quiet", "--bare", "--", self._repository, str(made)])
                made.replace(place)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        else:
            refs = ("+refs/tags/*:refs/tags/*", "+refs/heads/*:refs/heads/*")
            _run(["git", "-C", str(place), "fetch", "--quiet", "--prune", "origin", *refs])
        return place


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    return {**kept, **_ENVIRONMENT}


def _run(command: list[str]) -> bytes:
    """Return what a git command prints.

    Raises:
        CannotStart: there is no git command. NotFound: no such repository or revision.
        Unavailable: the address does not answer.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=_environment()
        )
    except FileNotFoundError as error:
        raise CannotStart("there is no `git` command here: install git") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    reason = said[-1] if said else f"{' '.join(command[3:])} gives nothing"
    if "unable to access" in reason or "Could not r" in reason:
        raise Unavailable(f"the repository does not answer: {reason}")
    raise NotFound(f"git cannot read it: {reason}", field="source")


def _write(place: Path, pieces: Iterator[bytes]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    with place.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _place(source: Path, place: Path) -> None:
    """Give a file another name, as a hard link where that can be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
