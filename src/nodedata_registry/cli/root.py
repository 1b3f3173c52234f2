"""The tree of commands: names, order, and one line each; nothing of them is imported here."""

from __future__ import annotations

import click

from nodedata_registry.cli.command import LazyGroup, Place, address_options, json_option

_EXAMPLES = """\b
Examples:
  node-data serve --data ./registry
  node-data login http://127.0.0.1:8080
  node-data model push ./policy --model acme/grasp --version 1.0.0 \\
      --changelog "first release" --create
  node-data pull acme/grasp@^1 ./policy
  node-data model diff acme/grasp 1.0.0..1.1.0
"""


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"node-data {version('nodedata-registry')}")
        context.exit()


@click.group(
    cls=LazyGroup,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        *address_options(hidden=False),
        json_option(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Print the version and exit.",
        ),
    ],
    sections={
        "Models": {
            "pull": Place("pull:pull", "Download a revision, every byte verified"),
            "lock": Place("lock:lock", "Pin what a project's models mean now, in node-data.lock"),
            "sync": Place("sync:sync", "Restore exactly what the lock says, or what was there before"),
            "audit": Place("audit:audit", "Say what speaks against the locked revisions"),
            "import": Place("imports:import_", "Bring models in from a Hub, git, MLflow or folders"),
            "model": Place("model:model", "Publish, show, compare, yank: everything about models"),
        },
        "Access": {
            "login": Place("login:login", "Save the address of a registry and a key for it"),
            "whoami": Place("whoami:whoami", "Show the account, what its key may do, and where"),
            "account": Place("account:account", "Make accounts (operators)"),
            "workspace": Place("workspace:workspace", "Make and show workspaces, set their retention policy"),
            "member": Place("member:member", "Who may do what in a workspace"),
            "grant": Place("grant:grant", "Let an outside account read one private model"),
            "keys": Place("keys:keys", "Make, list and revoke API keys"),
            "events": Place("events:events", "Show the append-only record"),
        },
        "Operation": {
            "serve": Place("serve:serve", "Run a registry on a data folder"),
            "retention": Place("retention:retention", "Preview and apply a workspace's retention policy"),
            "sweep": Place("sweep:sweep", "Delete stored blocks that nothing needs any more"),
            "fsck": Place("fsck:fsck", "Check that a data folder holds what it promises"),
        },
    },
)
def root() -> None:
    """Publish, pin, download, compare and yank model revisions.

    Exit codes: 0 fine, 1 refused or failed, 2 could not run or used wrongly, 100 bump too low
    (`model check`), 101 to 105 findings (`audit`), 130 Ctrl-C.
    """
