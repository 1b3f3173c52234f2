"""What `model push` and `model check` share: the files, the changelog, the accepted findings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nodedata_registry.cli.shell import Shell
from nodedata_registry.errors import ModelNotFound

if TYPE_CHECKING:
    from nodedata_registry.sdk.client import NodeData
    from nodedata_registry.sdk.scan import Files


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be published, as it stands on the command line."""

    model: str
    version: str
    files: Files
    parent: str | None
    root: str | None
    remove: tuple[str, ...]
    allow_gap: bool
    accept: dict[str, str]
    follow_links: bool


def order_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add PATHS, --model, --version and the rest to a command, which gets them as `order`."""
    options = (
        click.argument("paths", nargs=-1, type=click.Path(), metavar="PATHS…"),
        click.option("--model", required=True, metavar="MODEL", help="workspace/name, or an id."),
        click.option("--version", required=True, metavar="X.Y.Z|auto", help="auto: the smallest allowed."),
        click.option("--parent", metavar="VERSION", help="The revision to lay the files over."),
        click.option(
            "--root", type=click.Path(exists=True, file_okay=False), help="Where relative paths begin."
        ),
        click.option("--follow-links", is_flag=True, help="Follow symlinks that lead out of there, too."),
        click.option("--remove", multiple=True, metavar="PATH", help="Take away a file of the parent."),
        click.option("--allow-gap", is_flag=True, help="Allow a version that leaves numbers out."),
        click.option("--accept", multiple=True, metavar="CODE=REASON", help="Accept a finding (owners)."),
    )

    def with_order(shell: Shell, **given: Any) -> Any:
        parts = {name: given.pop(name) for name in _NAMES}
        return function(shell, order=_order(**parts), **given)

    with_order.__doc__ = function.__doc__
    with_order.__dict__.update(function.__dict__)
    decorated: Callable[..., Any] = with_order
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


_NAMES = ("paths", "model", "version", "parent", "root", "remove", "allow_gap", "accept", "follow_links")


def _order(
    paths: tuple[str, ...],
    model: str,
    version: str,
    parent: str | None,
    root: str | None,
    remove: tuple[str, ...],
    allow_gap: bool,
    accept: tuple[str, ...],
    follow_links: bool,
) -> Order:
    if not paths and not remove:
        raise click.UsageError("name the files or the one folder to publish, or --remove a file")
    accepted = dict(_accepted(one) for one in accept)
    files = _files(paths, Path(root or ""))
    return Order(model, version, files, parent, root, remove, allow_gap, accepted, follow_links)


def _files(paths: tuple[str, ...], root: Path) -> Files:
    """Return one folder as the whole revision, anything else as a list laid over the parent's files."""
    for path in paths:
        if not (root / path).exists():
            raise click.UsageError(f"there is nothing at {root / path}")
    return root / paths[0] if len(paths) == 1 and (root / paths[0]).is_dir() else list(paths)


def _accepted(text: str) -> tuple[str, str]:
    code, equals, reason = text.partition("=")
    if not equals or not code.strip() or not reason.strip():
        raise click.UsageError(f"--accept {text!r}: write CODE=REASON, such as input_renamed='same joint'")
    return code.strip(), reason.strip()


def ensure_model(shell: Shell, node: NodeData, model: str, visibility: str) -> None:
    """Make the model if the caller sees none of that name."""
    try:
        node.models.get(model)
    except ModelNotFound:
        made = node.models.create(model, visibility)
        shell.note(f"Made the {made.visibility} model {made.ref}.")


def read_changelog(text: str) -> str:
    """Return a changelog: the text itself, `@file` for a file's content, `-` for stdin.

    Raises:
        click.BadParameter: the file cannot be read as UTF-8 text.
    """
    if text == "-":
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{text[1:]} cannot be read: {error}") from error
