"""`node-data model`: everything about models; one module a command."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import LazyGroup, Place


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    sections={
        "Read": {
            "list": Place("model.list:list_", "List or search models"),
            "show": Place("model.show:show", "Show a model and its revisions, or one revision"),
            "diff": Place("model.diff:diff", "What changed between two revisions, down to the parameter"),
        },
        "Publish": {
            "create": Place("model.create:create", "Make a model"),
            "init": Place("model.init:init", "Write a starter model card"),
            "check": Place("model.check:check", "Ask for the bump verdict; publish nothing"),
            "push": Place("model.push:push", "Publish a revision"),
            "sign": Place("model.sign:sign", "Sign a version with a key of yours"),
            "verify": Place("model.verify:verify", "Check who signed a version, or a folder"),
        },
        "Mark": {
            "yank": Place("model.yank:yank", "Mark versions as not to be started with"),
            "unyank": Place("model.yank:unyank", "Take yanks back"),
            "hold": Place("model.hold:hold", "Keep a version whatever the retention policy says"),
            "unhold": Place("model.hold:unhold", "Lift a hold"),
            "retire": Place("model.retire:retire", "Remove one private version's files for ever"),
            "publish": Place("model.publish:publish", "Make a private model public, which is final"),
            "quarantine": Place("model.quarantine:quarantine", "Take a version down (operators)"),
        },
    },
)
def model() -> None:
    """Publish, show, compare and mark models.

    MODEL is `workspace/name` or an id; where a revision is meant, `acme/x@^1` names it: an exact
    version, a range, `latest` or `sha256:<digest>`.
    """
