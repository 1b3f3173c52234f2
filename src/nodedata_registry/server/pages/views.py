"""From wire structs to what the templates print. Pure: no requests, no clock, no catalog."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from nodedata_registry import wire
from nodedata_registry.server.pages.charts import sparkline
from nodedata_registry.server.pages.data import FileFigures, RevisionContent
from nodedata_registry.server.pages.figures import human_bytes
from nodedata_registry.server.pages.markdown import SHOWN_CHARS, render_card

KNOWN_METADATA = (
    *("format", "framework", "onnx.ir_version", "onnx.opset_import"),
    *("onnx.producer_name", "onnx.producer_version"),
    *("dof_names", "joint_names", "kp", "kd", "action_scale", "default_joint_pos", "command_ranges"),
    *("modelspec.title", "modelspec.architecture", "modelspec.version", "modelspec.license"),
)
"""The keys of a file's own metadata that pages show. All others may hold anything at all: home
folders, commands, tokens."""

_HOME_PATH = re.compile(r"/home/|/Users/|/root/|\\Users\\")

METADATA_CHARS = 2000


# --- addresses ----------------------------------------------------------------------------------


def model_url(ref: str) -> str:
    """Return the address of a model's listing page."""
    return f"/{quote(ref)}"


def revision_url(ref: str, version: str) -> str:
    """Return the address of a revision's own page."""
    return f"/{quote(ref)}/v/{quote(version, safe='')}"


def diff_url(ref: str, a: str, b: str) -> str:
    """Return the address of a diff page; both sides are selectors.

    >>> diff_url("acme/x", "^1", "2.0.0")
    '/acme/x/diff/%5E1..2.0.0'
    """
    return f"/{quote(ref)}/diff/{quote(a, safe='')}..{quote(b, safe='')}"


def api_url(ref: str, tail: str) -> str:
    """Return an address of the JSON API under a model; `tail` is percent-encoded already."""
    return f"/v1/models/{quote(ref)}/{tail}"


def files_url(ref: str, version: str) -> str:
    """Return the address that file paths continue; ends with a slash."""
    return api_url(ref, f"revisions/{quote(version, safe='')}/files/")


# --- banners ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Banner:
    """A mark that readers must see: `kind` is yanked, retired, quarantined or newer."""

    kind: str
    title: str
    reason: str | None = None
    at: datetime | None = None
    go_to: str | None = None
    go_url: str | None = None
    note: str | None = None


def banners(revision: wire.Revision, latest: str | None) -> tuple[Banner, ...]:
    """Return the banners of a revision, the gravest first; `latest` is what the model gives now."""
    found = [_quarantined(revision), _retired(revision), _yanked(revision)]
    shown = [banner for banner in found if banner is not None]
    if not shown and latest is not None and latest != revision.version:
        title = f"This is {revision.version}. The latest is {latest}."
        shown.append(Banner("newer", title, go_to=latest, go_url=revision_url(revision.model, latest)))
    return tuple(shown)


def yanked_beside(revisions: Iterable[wire.Revision], shown: str) -> tuple[Banner, ...]:
    """Return the banner of a listing page for yanked revisions other than the one it shows, if any."""
    found = [one for one in revisions if one.yanked is not None and one.version != shown]
    if len(found) < 2:
        return tuple(banner for one in found if (banner := _yanked(one)) is not None)
    named = ", ".join(one.version for one in found[:10]) + (", …" if len(found) > 10 else "")
    title = f"{len(found)} revisions were yanked, do not start using them: {named}."
    return (Banner("yanked", title, go_to="the revisions, with reasons", go_url="#revisions"),)


def _yanked(revision: wire.Revision) -> Banner | None:
    yank = revision.yanked
    if yank is None:
        return None
    return Banner(
        "yanked",
        f"{revision.version} was yanked: do not start using it.",
        yank.reason,
        yank.at,
        yank.suggested,
        revision_url(revision.model, yank.suggested) if yank.suggested else None,
        "Existing pins keep working."
        if yank.suggested
        else "No later version of this major replaces it yet.",
    )


def _retired(revision: wire.Revision) -> Banner | None:
    if revision.retired is None:
        return None
    note = "Its files were removed by retention policy. Number, record and card stay."
    mark = revision.retired
    return Banner("retired", f"{revision.version} is retired.", mark.reason, mark.at, note=note)


def _quarantined(revision: wire.Revision) -> Banner | None:
    if revision.quarantined is None:
        return None
    note = "An operator took it down. Its files and card are not served."
    mark = revision.quarantined
    return Banner("quarantined", f"{revision.version} is quarantined.", mark.reason, mark.at, note=note)


# --- the revisions table ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """One row of the revisions table. `marks` are pairs of kind and reason."""

    version: str
    url: str
    is_latest: bool
    at: datetime
    size_bytes: int
    parameter_count: int
    summary: str
    changelog: str | None
    marks: tuple[tuple[str, str], ...]
    parent: str | None
    compare_url: str | None


def revision_lines(revisions: Iterable[wire.Revision], latest: str | None) -> tuple[RevisionLine, ...]:
    """Return the rows of the revisions table, in the order given."""
    return tuple(_revision_line(revision, latest) for revision in revisions)


def _revision_line(revision: wire.Revision, latest: str | None) -> RevisionLine:
    changelog = "" if revision.quarantined else revision.changelog
    summary, _, rest = changelog.strip().partition("\n")
    parent = revision.parent
    return RevisionLine(
        version=revision.version,
        url=revision_url(revision.model, revision.version),
        is_latest=revision.version == latest,
        at=revision.created_at,
        size_bytes=revision.size_bytes,
        parameter_count=revision.parameter_count,
        summary=summary,
        changelog=rest.strip() or None,
        marks=_marks(revision),
        parent=parent,
        compare_url=diff_url(revision.model, parent, revision.version) if parent else None,
    )


def _marks(revision: wire.Revision) -> tuple[tuple[str, str], ...]:
    marks = {
        "quarantined": revision.quarantined,
        "retired": revision.retired,
        "yanked": revision.yanked,
        "held": revision.held,
    }
    return tuple((kind, mark.reason) for kind, mark in marks.items() if mark is not None)


def size_line(revisions: Sequence[wire.Revision]) -> Markup:
    """Return a small chart of sizes over publishing time; empty below two revisions."""
    oldest_first = sorted(revisions, key=lambda revision: revision.sequence)
    sizes = [revision.size_bytes for revision in oldest_first]
    if len(sizes) < 2:
        return Markup("")
    span = f"Size across {len(sizes)} revisions, from {human_bytes(sizes[0])} to {human_bytes(sizes[-1])}"
    return sparkline(sizes, span)


# --- one revision -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """One tab of the install snippet: a label and the lines to copy."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class FileLine:
    """One row of the file list. `url` is set where anyone may fetch it."""

    path: str
    url: str | None
    format: str
    size_bytes: int
    sha256: str
    pickled: bool
    tensor_count: int
    parameter_count: int
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AxisTable:
    """Declared inputs or outputs; `rows` is `None` where nothing states them."""

    label: str
    rows: tuple[wire.Tensor, ...] | None


@dataclass(frozen=True, slots=True)
class RevisionView:
    """Everything a page says about one revision."""

    revision: wire.Revision
    url: str
    banners: tuple[Banner, ...]
    card: Markup
    card_cut: bool
    commands: tuple[Command, ...]
    files: tuple[FileLine, ...]
    schema: tuple[AxisTable, ...]
    pickled: tuple[str, ...]
    compare_url: str | None
    served: bool


def revision_view(
    content: RevisionContent, *, latest: str | None, base_url: str, public: bool
) -> RevisionView:
    """Return a revision as its page shows it; `public` says whether links to the API work for anyone."""
    revision = content.revision
    served = revision.quarantined is None and revision.retired is None
    files_at = files_url(revision.model, revision.version) if public and served else None
    return RevisionView(
        revision=revision,
        url=revision_url(revision.model, revision.version),
        banners=banners(revision, latest),
        card=render_card(content.card, revision.title, files_at),
        card_cut=len(content.card) > SHOWN_CHARS,
        commands=install_commands(revision.model, revision.version, base_url) if served else (),
        files=tuple(_file_line(file, content.figures.get(file.path), files_at) for file in content.files),
        schema=_schema_tables(revision.schema),
        pickled=tuple(file.path for file in content.files if file.pickled),
        compare_url=_compare_url(revision),
        served=served,
    )


def _compare_url(revision: wire.Revision) -> str | None:
    return diff_url(revision.model, revision.parent, revision.version) if revision.parent else None


def install_commands(ref: str, version: str, base_url: str) -> tuple[Command, ...]:
    """Return the ways to get exactly this revision; every one is a pin."""
    cli = f"export NODE_DATA_BASE_URL={base_url}\nnode-data pull {ref}@{version}"
    python = (
        "from nodedata_registry import NodeData\n\n"
        f'node = NodeData("{base_url}")\n'
        f'folder = node.models.download("{ref}", "{version}")'
    )
    pip = f"pip install nodedata-registry\n{cli}"
    return (Command("CLI", cli), Command("Python", python), Command("pip", pip))


def _file_line(file: wire.File, figures: FileFigures | None, files_at: str | None) -> FileLine:
    figures = figures or FileFigures()
    return FileLine(
        path=file.path,
        url=files_at + quote(file.path) if files_at else None,
        format=file.format,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        pickled=file.pickled,
        tensor_count=figures.tensor_count,
        parameter_count=figures.parameter_count,
        metadata=known_metadata(figures.metadata),
    )


def known_metadata(metadata: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return those entries of a file's own metadata that pages show, long values cut.

    A known key does not vouch for its value: one with somebody's home folder in it is left out.
    """
    known = ((key, metadata[key]) for key in KNOWN_METADATA if key in metadata)
    return tuple((key, _cut(value)) for key, value in known if not _HOME_PATH.search(value))


def _cut(text: str) -> str:
    return text if len(text) <= METADATA_CHARS else text[:METADATA_CHARS] + " …"


def _schema_tables(schema: wire.Schema | None) -> tuple[AxisTable, ...]:
    if schema is None:
        return ()
    sides = (("Inputs", schema.inputs), ("Outputs", schema.outputs))
    return tuple(AxisTable(label, None if side is None else tuple(side)) for label, side in sides)


def shape_text(shape: Sequence[int | str]) -> str:
    """Return a shape as people write it; an unnamed dynamic axis is a question mark.

    >>> shape_text(["batch", 3, -1])
    '[batch, 3, ?]'
    """
    return "[" + ", ".join("?" if axis == -1 else str(axis) for axis in shape) + "]"
