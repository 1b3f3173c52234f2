"""`node-data model verify`: who signed a version, or a folder."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.cli.targets import target


@command(
    "verify",
    examples="""
node-data model verify acme/grasp@1.4.0 --trusted trusted.pub             # what the registry has
node-data model verify acme/grasp@1.4.0 ./policy --trusted trusted.pub    # and a folder
node-data model verify acme/grasp@1.4.0 --trusted trusted.pub --save model.sig
node-data model verify ./policy --signature model.sig --trusted trusted.pub    # without a registry
""",
)
@click.argument("what", metavar="MODEL[@REVISION]|FOLDER")
@click.argument("folder", required=False, type=click.Path(file_okay=False))
@click.option(
    "--trusted",
    "trusted",
    required=True,
    type=click.Path(),
    metavar="PUBLIC.pem",
    help="The key that you trust.",
)
@click.option(
    "--signature", type=click.Path(), metavar="FILE", help="Check a folder by this bundle, offline."
)
@click.option("--save", type=click.Path(dir_okay=False), metavar="FILE", help="Write the good bundle here.")
@click.pass_obj
def verify(
    shell: Shell, what: str, folder: str | None, trusted: str, signature: str | None, save: str | None
) -> None:
    """Check that a key signed exactly these files: none changed, missing or added."""
    if signature is None:
        _verify_revision(shell, what, folder, trusted, save)
    elif folder is None and save is None:
        _verify_folder(shell, what, signature, trusted)
    else:
        raise click.UsageError("with --signature, name the folder alone")


def _verify_revision(shell: Shell, what: str, folder: str | None, trusted: str, save: str | None) -> None:
    named = target(what)
    with shell.node() as node:
        found = node.models.verify(named.model, named.selector, trusted, folder=folder)
    if save is not None:
        _save(save, found.bundle)
    line = f"{found.model} {found.version} is signed by the key {found.fingerprint}."
    shell.answer(found, lambda out: out.print(text(line)))


def _save(place: str, bundle: str) -> None:
    try:
        with click.open_file(place, "w", encoding="utf-8") as file:
            file.write(bundle)
    except OSError as error:
        raise click.UsageError(f"{place} cannot be written: {error.strerror}") from error


def _verify_folder(shell: Shell, folder: str, signature: str, trusted: str) -> None:
    from nodedata_registry.sdk.signing import load_trusted, verify_folder

    bundle = verify_folder(folder, signature, trusted)
    fingerprint = load_trusted(trusted).fingerprint
    document = {"folder": folder, "signed_as": bundle.name, "fingerprint": fingerprint}
    line = f"{folder} is exactly what the key {fingerprint} signed as {bundle.name}."
    shell.answer(document, lambda out: out.print(text(line)))
