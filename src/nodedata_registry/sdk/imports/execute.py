"""Carrying out a plan: one release after the other, each whole or not at all.

What a release's files are, is fetched into a folder of its own below the staging folder and removed
once the revision exists. An interrupted import is gone on with by planning and executing again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nodedata_registry import wire
from nodedata_registry.core.card import CARD_PATHS
from nodedata_registry.core.front_matter import MAX_CARD_BYTES
from nodedata_registry.core.imported import Imported
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import (
    AccessRefused,
    LimitReached,
    ModelNotFound,
    NodeDataError,
    NothingChanged,
    Unavailable,
)
from nodedata_registry.sdk.imports.plan import Left, Plan, Step, plan
from nodedata_registry.sdk.imports.release import Source, Stated
from nodedata_registry.sdk.imports.starter import card_text, passes, stated_in_card
from nodedata_registry.sdk.notices import collecting
from nodedata_registry.sdk.progress import ProgressCallback

_CHANGELOG_CHARACTERS = 60_000
_LICENSE_BYTES = 64 * 1024
_LICENSE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
# Only texts that name themselves and mean one licence, whatever follows.
_LICENSE_TITLES = (("apache license version 2.0, january 2004", "Apache-2.0"), ("mit license", "MIT"))


class Publisher(Protocol):
    """What is needed of `node.models`."""

    def create_revision(
        self,
        model_id: str,
        version: str,
        files: Path,
        changelog: str,
        *,
        allow_gap: bool = False,
        imported: wire.Imported | None = None,
        progress: ProgressCallback | None = None,
    ) -> wire.Revision:
        """Publish a revision."""
        ...

    def revisions(self, model: str, *, cursor: str | None = None, limit: int | None = None) -> wire.Revisions:
        """Return a page of revisions."""
        ...


@dataclass(frozen=True, slots=True)
class Landed:
    """A release that is a revision now; `card_made` if the source had no card that passes.

    Warnings of the publish are in `revision.warnings`; none was issued.
    """

    step: Step
    revision: wire.Revision
    card_made: bool


Told = Callable[["Landed | Left"], None]


def plan_import(models: Publisher, model: str, source: Source) -> Plan:
    """Return what importing the source into a model would do; a model not made yet has nothing.

    Raises every error of the source, and those of reading the model.
    """
    releases = source.releases()
    return plan(releases, _published(models, model))


def execute(
    models: Publisher,
    model: str,
    source: Source,
    steps: Iterable[Step],
    staging: Path,
    told: Told,
    *,
    keep_going: bool = False,
    progress: ProgressCallback | None = None,
) -> None:
    """Publish each step and tell of it as soon as its revision exists.

    A release whose files equal those of its predecessor is left and told. With `keep_going` so is
    what the registry or the source refuses; its version number then stays behind for good.

    Raises:
        The error of the first release that is refused; its message names the release.
    """
    for step in steps:
        try:
            told(_one(models, model, source, step, staging, progress))
        except NothingChanged as error:
            told(Left(step.release.name, error.message))
            shutil.rmtree(_place_of(source, step, staging), ignore_errors=True)
        except (Unavailable, AccessRefused, LimitReached):
            # None of these is about this one release: the next would fail as well.
            raise
        except NodeDataError as error:
            error.message = f"{step.release.name} as {step.version}: {error.message}"
            error.args = (error.message,)
            if not keep_going:
                raise
            told(Left(step.release.name, error.message, refused=True))
            shutil.rmtree(_place_of(source, step, staging), ignore_errors=True)


def _one(
    models: Publisher,
    model: str,
    source: Source,
    step: Step,
    staging: Path,
    progress: ProgressCallback | None,
) -> Landed:
    release = step.release
    imported = Imported(source.kind, release.reference)
    own = _place_of(source, step, staging)
    fetched = own / "files"
    fetched.mkdir(parents=True, exist_ok=True)
    folder = source.fetch(release, fetched, progress)
    card = _missing_card(folder, source.stated(release), imported)
    if card is not None:
        folder = _with_card(folder, own / "carded", card)
    # A history has a warning for every revision, which holds it: none is worth stopping at.
    revision = collecting(
        [],
        models.create_revision,
        model,
        str(step.version),
        folder,
        release.changelog.replace("\0", "")[:_CHANGELOG_CHARACTERS],
        allow_gap=True,
        imported=wire.Imported(source=imported.source, reference=imported.reference),
        progress=progress,
    )
    shutil.rmtree(own, ignore_errors=True)
    return Landed(step, revision, card is not None)


def _place_of(source: Source, step: Step, staging: Path) -> Path:
    """Return the folder in which a release is made ready, the same one in every run."""
    named = f"{source.kind} {step.release.reference}"
    return staging / hashlib.sha256(named.encode()).hexdigest()[:24]


def _missing_card(folder: Path, stated: Stated, imported: Imported) -> str | None:
    """Return the card to make, or None where the release has one that passes."""
    path = next((one for one in CARD_PATHS if (folder / one).is_file()), None)
    if path is not None:
        # One byte more than is taken, so that what is too large does not pass.
        with (folder / path).open("rb") as file:
            data = file.read(MAX_CARD_BYTES + 1)
        if passes(path, data):
            return None
        stated = stated_in_card(path, data).or_else(stated)
    return card_text(stated.or_else(Stated(license=_license_in(folder))), imported)


def _license_in(folder: Path) -> str:
    for name in _LICENSE_FILES:
        place = folder / name
        if place.is_file() and place.stat().st_size <= _LICENSE_BYTES:
            text = " ".join(place.read_text("utf-8", errors="replace").casefold().split())
            found = next((spdx for title, spdx in _LICENSE_TITLES if text.startswith(title)), None)
            if found is not None:
                return found
    return ""


def _with_card(folder: Path, carded: Path, card: str) -> Path:
    """Return a folder with the same files, by hard link where that can be, and the card beside them.

    The files are another's: nothing is written where they lie.
    """
    shutil.rmtree(carded, ignore_errors=True)
    shutil.copytree(folder, carded, copy_function=_link_or_copy, ignore=shutil.ignore_patterns(".*"))
    path = carded / CARD_PATHS[0]
    path.unlink(missing_ok=True)
    path.write_text(card, encoding="utf-8")
    return carded


def _link_or_copy(source: str, place: str) -> None:
    try:
        os.link(source, place)
    except OSError:
        shutil.copyfile(source, place)


def _published(models: Publisher, model: str) -> dict[Version, str | None]:
    found: dict[Version, str | None] = {}
    cursor = None
    while True:
        try:
            page = models.revisions(model, cursor=cursor)
        except ModelNotFound:
            return found
        for one in page.items:
            imported = one.verdict.imported
            found[Version.parse(one.version)] = None if imported is None else imported.reference
        cursor = page.next_cursor
        if not page.has_more:
            return found
