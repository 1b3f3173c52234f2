"""`node-data model show`: a model with its revisions, or one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.command import command
from nodedata_registry.cli.lists import gather
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, facts, show_table, table, text
from nodedata_registry.cli.targets import target
from nodedata_registry.cli.verdicts import imported_line, show_bases

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nodedata_registry import wire

_SHOWN_HEX = 16


@command(
    "show",
    examples="node-data model show acme/grasp\nnode-data model show acme/grasp@^1",
)
@click.argument("model", metavar="MODEL[@REVISION]")
@click.argument("revision", required=False)
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1), help="How many revisions at most."
)
@click.pass_obj
def show(shell: Shell, model: str, revision: str | None, limit: int) -> None:
    """Show a model and its revisions, newest first; or, where a revision is named, all about that one."""
    named = target(model, revision)
    if named.revision is None:
        _show_model(shell, named.model, limit)
    else:
        _show_revision(shell, named.model, named.revision)


def _show_model(shell: Shell, name: str, limit: int) -> None:
    with shell.node() as node:
        model = node.models.get(name)
        revisions = gather(
            lambda cursor, items: node.models.revisions(name, cursor=cursor, limit=items), limit
        )
    document = {**model.to_dict(), "revisions": revisions.to_dict()}
    shell.answer(document, lambda out: _print_model(out, model, revisions))


def _print_model(out: Console, model: wire.Model, revisions: wire.Revisions) -> None:
    out.print(
        facts(
            [
                ("model", text(model.ref, "bold")),
                ("id", model.id),
                ("title", model.title),
                ("latest", model.latest or "none yet"),
                ("licence", model.license),
                ("task", model.task),
                ("framework", model.framework),
                ("visibility", model.visibility),
            ]
        )
    )
    out.print()
    columns = (
        Column("version", whole=True),
        Column("published", whole=True),
        Column("size", "right", whole=True),
        Column("state"),
        Column("changelog"),
    )
    rows = [
        (
            text(one.version, "bold"),
            words.day(one.created_at),
            words.size(one.size_bytes),
            _state(one),
            words.first_line(one.changelog),
        )
        for one in revisions.items
    ]
    show_table(out, columns, rows, "No revisions yet. `node-data model push` publishes the first.")
    if revisions.has_more:
        out.print(text(f"Shown are {len(rows):,} of {model.revision_count:,}; --limit shows more", "dim"))


def _state(revision: wire.Revision) -> Text:
    if revision.quarantined is not None:
        return text("quarantined", "bold red")
    if revision.retired is not None:
        return text("retired", "dim")
    if revision.yanked is not None:
        return text("yanked", "yellow")
    return text("held", "cyan") if revision.held is not None else text("")


def _show_revision(shell: Shell, name: str, selector: str) -> None:
    with shell.node() as node:
        found = node.models.resolve(name, selector)
        served = found.revision.retired is None and found.revision.quarantined is None
        files = node.models.manifest(name, found.resolved).files if served else []
    document = {**found.to_dict(), "files": [file.to_dict() for file in files]}
    shell.answer(document, lambda out: _print_revision(out, found, files))


def _print_revision(out: Console, found: wire.Resolution, files: list[wire.File]) -> None:
    one = found.revision
    out.print(
        facts(
            [
                ("revision", text(f"{found.model} {found.resolved}", "bold")),
                ("title", one.title),
                *_marks(one),
                ("parent", one.parent or "none"),
                ("sha256", one.digest),
                ("commit", one.commit),
                ("published", f"{words.moment(one.created_at)} by {one.created_by}"),
                ("imported", imported_line(one.verdict)),
                ("size", f"{words.size(one.size_bytes)} in {words.plural(one.file_count, 'file')}"),
                ("parameters", f"{one.parameter_count:,}" if one.parameter_count else None),
                ("licence", one.license),
                ("task", one.task),
                ("framework", one.framework),
                ("inputs", _tensors(one.schema.inputs if one.schema else None)),
                ("outputs", _tensors(one.schema.outputs if one.schema else None)),
                ("benchmarks", _benchmarks(one.benchmarks)),
                ("changelog", one.changelog.strip() or None),
            ]
        )
    )
    _print_files(out, files)
    out.print()
    show_bases(out, one.verdict)
    out.print(text(f"Pin it: node-data pull {found.model}@{found.resolved}", "dim"), soft_wrap=True)


def _marks(one: wire.Revision) -> list[tuple[str, Text]]:
    marks = []
    if one.yanked is not None:
        where = f"; use {one.yanked.suggested}" if one.yanked.suggested else ""
        marks.append(("yanked", text(f"{words.day(one.yanked.at)}: {one.yanked.reason}{where}", "yellow")))
    for name, mark, style in (
        ("quarantined", one.quarantined, "bold red"),
        ("retired", one.retired, "dim"),
        ("held", one.held, "cyan"),
    ):
        if mark is not None:
            marks.append((name, text(f"{words.day(mark.at)}: {mark.reason}", style)))
    return marks


def _tensors(tensors: list[wire.Tensor] | None) -> str | None:
    if tensors is None:
        return None
    return "\n".join(
        f"{one.name} [{', '.join(str(axis) for axis in one.shape)}]"
        f"{' ' + one.dtype if one.dtype else ''}{' optional' if one.optional else ''}"
        for one in tensors
    )


def _benchmarks(benchmarks: list[wire.Benchmark]) -> str | None:
    lines = [
        f"{one.name} {one.metric} {words.figure(one.value)}{' ' + one.unit if one.unit else ''}"
        for one in benchmarks
    ]
    return "\n".join(lines) or None


def _print_files(out: Console, files: list[wire.File]) -> None:
    if not files:
        return
    out.print()
    columns = (Column("file"), Column("size", "right", whole=True), Column("format"), Column("sha256"))
    rows = [
        (one.path, words.size(one.size_bytes), _format(one), text(f"{one.sha256[:_SHOWN_HEX]}…", "dim"))
        for one in files
    ]
    out.print(table(columns, rows))


def _format(one: wire.File) -> Text:
    return text(f"{one.format}, pickled", "yellow") if one.pickled else text(one.format)
