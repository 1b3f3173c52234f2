"""The server parts, where a command needs them: present, or one sentence on how to get them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nodedata_registry.errors import CannotStart, ExtraMissing

if TYPE_CHECKING:
    from nodedata_registry.server.service.registry import Registry


@contextmanager
def server_parts(name: str) -> Iterator[None]:
    """Turn a failed import inside into `ExtraMissing`, naming the command that needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"`node-data {name}` needs the server parts, which are not installed here:"
            " pip install 'nodedata-registry[server]' (Python 3.11 or newer)"
        ) from error


@contextmanager
def registry_in(data: str, name: str) -> Iterator[Registry]:
    """Open the registry of an existing data folder for maintenance, and close it.

    Raises:
        ExtraMissing: the server parts are not installed.
        CannotStart: the folder holds no registry, or one that this account may not read; a mistyped
            folder must not become a registry.
    """
    with server_parts(name):
        from nodedata_registry.server.app import CATALOG_FILE, open_registry
    folder = Path(data)
    _check_holds(folder, CATALOG_FILE)
    opened = open_registry(folder)
    try:
        yield opened.registry
    finally:
        opened.close()


def _check_holds(folder: Path, catalog: str) -> None:
    try:
        found = (folder / catalog).is_file()
    except PermissionError:
        raise CannotStart(
            f"{folder} may not be read by this account: run as the account that serves it"
        ) from None
    if not found:
        raise CannotStart(f"{folder} holds no registry (there is no {catalog} in it): check --data")
