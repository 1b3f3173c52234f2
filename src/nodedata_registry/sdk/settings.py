"""Where the registry is, which key to show it, and where downloads are kept.

An argument wins over the environment (`NODE_DATA_BASE_URL`, `NODE_DATA_API_KEY`, `NODE_DATA_CACHE`,
`NODE_DATA_OFFLINE`), which wins over what `node-data login` saved. Empty variables count as unset.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from nodedata_registry.errors import InvalidRequest

_FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs to know about its surroundings. `base_url` has no trailing slash."""

    base_url: str | None
    api_key: str | None
    cache: Path
    offline: bool


class Credentials(msgspec.Struct, frozen=True):
    """What `login` saved: the registry used by default, and a key per registry."""

    default: str | None = None
    keys: dict[str, str] = {}


def read_settings(
    base_url: str | None = None,
    api_key: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings in force.

    Raises:
        InvalidRequest: the base URL is not an http(s) address, or the credentials file is damaged.
    """
    environ = os.environ if environ is None else environ
    saved = read_credentials(environ)
    url = base_url or environ.get("NODE_DATA_BASE_URL") or saved.default
    url = check_base_url(url) if url else None
    key = api_key or environ.get("NODE_DATA_API_KEY") or (saved.keys.get(url) if url else None)
    folder = Path(cache) if cache is not None else default_cache(environ)
    offline = environ.get("NODE_DATA_OFFLINE", "").strip().casefold() not in _FALSE
    return Settings(url, key, folder.expanduser().absolute(), offline)


def check_base_url(text: str) -> str:
    """Return an address of a registry without trailing slash.

    >>> check_base_url("https://registry.example/")
    'https://registry.example'

    Raises:
        InvalidRequest: no http(s) scheme, no host, or a user name, query or fragment in it.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain or parts.username or parts.query or parts.fragment or not text.isascii():
        raise InvalidRequest(
            f"{text[:100]!r} is not the address of a registry; expected something like"
            " http://127.0.0.1:8765 or https://registry.example",
            field="base_url",
        )
    return text.rstrip("/")


def default_cache(environ: Mapping[str, str]) -> Path:
    """Return the folder of the download cache."""
    chosen = environ.get("NODE_DATA_CACHE")
    if chosen:
        return Path(chosen)
    return _base_folder(environ, "XDG_CACHE_HOME", ".cache") / "node-data"


def credentials_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where `login` keeps keys: a file that only its owner can read."""
    environ = os.environ if environ is None else environ
    return _base_folder(environ, "XDG_CONFIG_HOME", ".config") / "node-data" / "credentials.json"


def read_credentials(environ: Mapping[str, str] | None = None) -> Credentials:
    """Return what `login` saved; empty if nothing was.

    Raises:
        InvalidRequest: the file is there and cannot be read.
    """
    path = credentials_path(environ)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return Credentials()
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidRequest(
            f"{path} cannot be read ({error}); remove it and run `node-data login` again",
            field="credentials",
        ) from error


def save_credentials(base_url: str, api_key: str, environ: Mapping[str, str] | None = None) -> Path:
    """Keep a key for a registry and make that registry the default one; return the file's path.

    The file is written whole beside its name with mode 0600 and then renamed.
    """
    url = check_base_url(base_url)
    saved = read_credentials(environ)
    return _write_credentials(Credentials(url, {**saved.keys, url: api_key}), environ)


def forget_credentials(base_url: str, environ: Mapping[str, str] | None = None) -> bool:
    """Remove the saved key of a registry; return whether there was one."""
    url = check_base_url(base_url)
    saved = read_credentials(environ)
    if url not in saved.keys:
        return False
    rest = {known: key for known, key in saved.keys.items() if known != url}
    _write_credentials(Credentials(saved.default if saved.default in rest else None, rest), environ)
    return True


def _write_credentials(credentials: Credentials, environ: Mapping[str, str] | None) -> Path:
    path = credentials_path(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp creates with mode 0600: the key is at no moment readable by others.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(credentials)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _base_folder(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    chosen = environ.get(variable)
    if chosen:
        return Path(chosen)
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / fallback
