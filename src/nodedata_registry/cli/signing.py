"""What commands that sign share: the key and its password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def sign_options(name: str, *, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the option `name` for a private key (`signing_key` in the command) and its `password`."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        key = click.option(
            name,
            "signing_key",
            required=required,
            type=click.Path(),
            metavar="KEY.pem",
            help="Private key (P-256, P-384 or P-521) to sign with.",
        )
        password = click.option(
            "--key-password",
            "password",
            envvar="NODE_DATA_KEY_PASSWORD",
            metavar="TEXT",
            help="Of an encrypted key; better in NODE_DATA_KEY_PASSWORD.",
        )
        decorated: Callable[..., Any] = key(password(function))
        return decorated

    return wrap


def check_key(key: str, password: str | None) -> None:
    """Raise what makes the key unusable, before anything is published."""
    from nodedata_registry.sdk.signing import load_signer

    load_signer(key, password)
