"""`node-data model sign`: put a signature beside a version."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.signing import sign_options
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import revision_target


@command("sign", examples="node-data model sign acme/grasp@1.4.0 --signing-key key.pem")
@click.argument("model", metavar="MODEL[@VERSION]")
@click.argument("version", required=False)
@sign_options("--signing-key", required=True)
@click.pass_obj
def sign(shell: Shell, model: str, version: str | None, signing_key: str, password: str | None) -> None:
    """Sign a version's files by their digests and put the signature beside it.

    The revision does not change. The signature is an OpenSSF Model Signing bundle.
    """
    name, exact = revision_target(model, version)
    with shell.node() as node:
        made = node.models.sign(name, exact, signing_key, password=password)
    line = f"Signed {made.model} {made.version} by the key {made.key_hint}."
    shell.answer(made, lambda out: out.print(text(line)))
