"""`node-data login`: save the address of a registry and a key for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry import wire


@command(
    "login",
    examples="""
node-data login http://127.0.0.1:8080
printenv KEY | node-data login https://registry.example
node-data login https://registry.example --forget
""",
)
@click.argument("address", metavar="[URL]", required=False)
@click.option("--forget", is_flag=True, help="Remove the saved key of this registry instead.")
@click.pass_obj
def login(shell: Shell, address: str | None, forget: bool) -> None:
    """Save the address of a registry and a key for it, after trying both.

    The key comes from --key, NODE_DATA_API_KEY, a hidden prompt, or stdin where that is no terminal. It
    is kept in a file that only you can read, and the registry becomes the default one.
    """
    url = _address(shell, address)
    if forget:
        _forget(shell, url)
        return
    key = shell.key or _key_from_surroundings(url)
    me = _tried(url, key)
    from nodedata_registry.sdk.settings import save_credentials

    path = save_credentials(url, key)
    document = {"url": url, "account": me.account, "credentials": str(path)}
    shell.answer(document, lambda out: _show(out, url, me, str(path)))


def _address(shell: Shell, address: str | None) -> str:
    from nodedata_registry.sdk.settings import check_base_url, read_settings

    url = address or shell.url
    found = check_base_url(url) if url else read_settings().base_url
    if found is None:
        raise click.UsageError("name the registry's address: node-data login http://127.0.0.1:8080")
    return found


def _key_from_surroundings(url: str) -> str:
    import os

    key = os.environ.get("NODE_DATA_API_KEY") or ""
    if not key and sys.stdin.isatty():
        key = click.prompt(f"API key for {url}", hide_input=True, err=True)
    elif not key:
        key = sys.stdin.readline()
    if not key.strip():
        raise InvalidRequest("no key was given: pass --key, set NODE_DATA_API_KEY or pipe it in", field="key")
    return key.strip()


def _tried(url: str, key: str) -> wire.Me:
    from nodedata_registry.sdk.client import NodeData

    with NodeData(url, key) as node:
        return node.accounts.me()


def _forget(shell: Shell, url: str) -> None:
    from nodedata_registry.sdk.settings import forget_credentials

    forgotten = forget_credentials(url)
    line = f"Forgot the key for {url}." if forgotten else f"No key was saved for {url}."
    shell.answer({"url": url, "forgotten": forgotten}, lambda out: out.print(text(line)))


def _show(out: Console, url: str, me: wire.Me, path: str) -> None:
    out.print(text(f"Logged in at {url} as {me.account.name} ({me.account.id})."))
    out.print(text(f"The key is kept in {path}.", "dim"))
