"""`node-data serve`: run a registry on a data folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.extra import server_parts
from nodedata_registry.cli.shell import Shell

if TYPE_CHECKING:
    from nodedata_registry.server.config import Settings
    from nodedata_registry.server.serve import Started


@command(
    "serve",
    examples="""
node-data serve --data ./registry
node-data serve --data /srv/registry --host 0.0.0.0 --port 8080 --require-key
NODE_DATA_OWNER_KEY=nd_live_… node-data serve --data ./registry
""",
)
@click.option("--data", required=True, metavar="DIR", help="The data folder; made if it is absent.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--require-key", is_flag=True, help="Ask for a key even to read public models.")
@click.option(
    "--public-url", metavar="URL", help="The address that users see, where a proxy stands in front."
)
@click.pass_obj
def serve(shell: Shell, data: str, host: str, port: int, require_key: bool, public_url: str | None) -> None:
    """Run a registry until Ctrl-C or SIGTERM.

    The first start creates everything and prints the owner key once, unless NODE_DATA_OWNER_KEY brings
    one. A later start migrates the catalog if need be. With --json one document says what was started.
    """
    with server_parts("serve"):
        from nodedata_registry.server.config import Settings, owner_key_of, rates_of
        from nodedata_registry.server.serve import serve as run_server
    settings = Settings(
        data=Path(data),
        host=host,
        port=port,
        require_key=require_key,
        public_url=public_url,
        owner_key=owner_key_of(os.environ),
        rates=rates_of(os.environ),
    )
    run_server(settings, on_started=lambda started: _announce(shell, started, settings))


def _announce(shell: Shell, started: Started, settings: Settings) -> None:
    from nodedata_registry.server.serve import describe_start

    if not shell.as_json:
        click.echo("\n".join(describe_start(started, settings)))
        return
    if started.warning is not None:
        shell.warn(started.warning)
    document = {
        "url": started.url,
        "port": started.port,
        "data": str(settings.data),
        "process": os.getpid(),
        "owner_key": started.owner_key if settings.owner_key is None else None,
    }
    # On one line: whoever reads it must know where it ends while the server goes on running.
    shell.print_json(document, one_line=True)
    sys.stdout.flush()
