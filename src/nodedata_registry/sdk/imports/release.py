"""What a source gives: releases, in its own words, and what it states about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nodedata_registry.sdk.progress import ProgressCallback


@dataclass(frozen=True, slots=True)
class Release:
    """One point of a source's history.

    `name` is what the source calls it and `called` what may be its version, as text. `revision` fixes
    the content where the source has such a thing (a commit, a run); `reference` is what gets recorded.
    """

    name: str
    called: str
    revision: str
    reference: str
    changelog: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """One measured figure that a source states."""

    name: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class Stated:
    """What a source states about a release, unchecked; empty where it says nothing.

    `license` is a licence as the source writes it. `text` is Markdown.
    """

    title: str = ""
    license: str = ""
    framework: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    text: str = ""

    def or_else(self, other: Stated) -> Stated:
        """Return this, with what it leaves out filled from the other."""
        return Stated(
            title=self.title or other.title,
            license=self.license or other.license,
            framework=self.framework or other.framework,
            task=self.task or other.task,
            tags=self.tags or other.tags,
            base_models=self.base_models or other.base_models,
            datasets=self.datasets or other.datasets,
            scores=self.scores or other.scores,
            text=self.text or other.text,
        )


class Source(Protocol):
    """Where releases come from. Nothing is fetched before it is asked for."""

    @property
    def kind(self) -> str:
        """The word that is recorded: `hf`, `git`, `mlflow`, `folder`."""
        ...

    @property
    def title(self) -> str:
        """What names the source to a person: an address or a folder."""
        ...

    def releases(self) -> list[Release]:
        """Return every release there is to choose from, in the source's order.

        Raises:
            NotFound, AccessRefused, Unavailable, InvalidRequest: the source cannot be read.
        """
        ...

    def fetch(self, release: Release, folder: Path, progress: ProgressCallback | None) -> Path:
        """Return a folder with exactly the release's files: `folder`, or one that lies there anyway.

        What an interrupted call left in `folder` is gone on with.

        Raises:
            NotFound, AccessRefused, Unavailable, TransferFailed, InvalidPath.
        """
        ...

    def stated(self, release: Release) -> Stated:
        """Return what the source states about the release beside its files."""
        ...
