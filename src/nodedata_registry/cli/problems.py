"""Errors as one line with what to do next, and the exit codes of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodedata_registry.errors import (
    CannotStart,
    InvalidLock,
    InvalidName,
    InvalidRequest,
    InvalidSelector,
    InvalidVersion,
    NodeDataError,
    OtherRegistry,
    Unavailable,
)

if TYPE_CHECKING:
    import click

    from nodedata_registry.cli.shell import Shell

FAILED = 1
COULD_NOT_RUN = 2
TOO_LOW = 100
INTERRUPTED = 130

_COULD_NOT_RUN = (
    CannotStart,
    Unavailable,
    InvalidLock,
    InvalidName,
    InvalidRequest,
    InvalidSelector,
    InvalidVersion,
    OtherRegistry,
)

_NEXT = {
    "catalog_too_new": "install a newer nodedata-registry",
    "confirmation_required": "--yes confirms all of it",
    "invalid_parent": "`node-data model show MODEL` lists the versions",
    "model_not_found": "`node-data whoami` says whose key it is",
    "not_authenticated": "run `node-data login`, or pass --key or NODE_DATA_API_KEY",
    "path_outside_root": "pass --root DIR",
    "preview_changed": "`node-data retention preview WORKSPACE` shows it, with its digest",
    "registry_unreachable": "check --url, NODE_DATA_BASE_URL and the network",
    "revision_not_found": "`node-data model show MODEL` lists the versions",
    "scope_missing": "`node-data whoami` shows what this key may do",
    "version_exists": "publish the next version: --version auto finds it",
    "version_gap": "on the command line: --allow-gap",
    "version_not_successor": "--version auto finds the next one",
    "version_too_low": "--version auto finds one that is allowed; `node-data model check` shows why",
}

_NEXT_FOR_FIELD = {
    "base_url": "on the command line: --url URL, or --path DIR",
}


def exit_code(error: NodeDataError) -> int:
    """Return 2 where the command could not run as it was called or at all, else 1."""
    return COULD_NOT_RUN if isinstance(error, _COULD_NOT_RUN) else FAILED


def report(shell: Shell, error: NodeDataError) -> int:
    """Show an error: one line on stderr, with --json also as the document; return the exit code."""
    if shell.as_json:
        shell.print_json({"error": error_document(error)})
    shell.note(error_line(error))
    return exit_code(error)


def report_usage(shell: Shell, error: click.ClickException) -> int:
    """Show that a command was called wrongly: one line, with where its help is.

    A group called without a command shows its help as it is.
    """
    context = getattr(error, "ctx", None)
    name = context.command_path if context is not None else "node-data"
    message = " ".join(error.format_message().split())
    if message.startswith("Usage: "):
        # Click's complaint about a group alone on the line is the group's whole help.
        error.show()
        return error.exit_code
    if shell.as_json:
        shell.print_json({"error": {"code": "usage", "message": message}})
    shell.note(f"node-data: usage: {message} (see `{name} --help`)")
    return error.exit_code


def error_line(error: NodeDataError) -> str:
    """Return `node-data: code: message; next step (request id)` on one line."""
    message = " ".join(error.message.split()).rstrip(".")
    step = _NEXT_FOR_FIELD.get(error.field or "") or _NEXT.get(error.code)
    line = f"node-data: {error.code}: {message}" + (f"; {step}" if step else "")
    return f"{line} (request {error.request_id})" if error.request_id else line


def error_document(error: NodeDataError) -> dict[str, object]:
    """Return the error as the HTTP API states it."""
    return {
        **error.details,
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "request_id": error.request_id,
    }
