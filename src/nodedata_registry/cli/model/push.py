"""`node-data model push`: publish a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import command
from nodedata_registry.cli.publishing import Order, ensure_model, order_options, read_changelog
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.signing import check_key, sign_options
from nodedata_registry.cli.tables import facts, text
from nodedata_registry.cli.verdicts import base_line

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@command(
    "push",
    examples="""
node-data model push ./policy --model acme/grasp --version 1.0.0 --changelog "first" --create
node-data model push policy.onnx --model acme/grasp --version auto --changelog @CHANGES.md
node-data model push --model acme/grasp --version 1.4.1 --remove old.onnx --changelog "tidied"
""",
)
@click.pass_obj
@order_options
@click.option(
    "--changelog",
    required=True,
    type=read_changelog,
    metavar="TEXT|@FILE|-",
    help="What changed, and why; @FILE reads a file, - reads stdin.",
)
@click.option("--create", "create", is_flag=True, help="Make the model if it does not exist.")
@click.option(
    "--visibility", type=click.Choice(("private", "public")), help="For --create; private if absent."
)
@sign_options("--sign", required=False)
def push(
    shell: Shell,
    order: Order,
    changelog: str,
    create: bool,
    visibility: str | None,
    signing_key: str | None,
    password: str | None,
) -> None:
    """Publish a revision: whole and for ever, or not at all.

    One folder is the whole revision: what the parent has and the folder lacks is removed. Files are laid
    over the parent's. Killed or cut off, run it again: what was sent is not sent twice.
    """
    if visibility is not None and not create:
        raise click.UsageError("--visibility goes with --create; `node-data model publish` changes it later")
    if signing_key is not None:
        check_key(signing_key, password)
    with shell.node() as node, progress_bars(shell) as progress:
        if create:
            ensure_model(shell, node, order.model, visibility or "private")
        revision = node.models.create_revision(
            order.model,
            order.version,
            order.files,
            changelog,
            order.parent,
            root=order.root,
            remove=order.remove,
            allow_gap=order.allow_gap,
            accept=order.accept,
            follow_links=order.follow_links,
            progress=progress,
        )
        if signing_key is not None:
            made = node.models.sign(revision.model_id, revision.version, signing_key, password=password)
            shell.note(f"Signed by the key {made.key_hint}.")
    shell.answer(revision, lambda out: _show(out, revision))


def _show(out: Console, revision: wire.Revision) -> None:
    out.print(text(f"Published {revision.model} {revision.version}", "bold"))
    size = f"{words.size(revision.size_bytes)} in {words.plural(revision.file_count, 'file')}"
    out.print(
        facts(
            [
                ("sha256", revision.digest),
                ("commit", revision.commit),
                ("size", size),
                ("parent", revision.parent or "none: this is the first"),
                *(
                    ("bump", base_line(one.version, one.declared, one.asked))
                    for one in revision.verdict.bases
                ),
                *(("accepted", f"{one.code}: {one.reason}") for one in revision.verdict.accepted),
                ("pull it", f"node-data pull {revision.model}@{revision.version}"),
            ]
        )
    )
