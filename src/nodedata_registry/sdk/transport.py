"""Bytes to a registry and back: one protocol, and its form over HTTP.

A transport opens one exchange at a time and decides nothing: repeats, time limits and the meaning of
answers are in `connection`. Two errors leave it: `RegistryUnreachable` before an answer began
(`details["sent"]` is false if the request surely never left), `TransferFailed` when one broke off.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from nodedata_registry.errors import NodeDataError, RegistryUnreachable, TransferFailed

PIECE_BYTES = 1024 * 1024
"""How much is read at once: larger reads are no faster, smaller ones cost."""

CONNECTIONS = 4
"""How many connections carry the blocks of one call; more win nothing on a fast link."""

_KEPT_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request. Header names are lower case; `silence_seconds` bounds each wait for bytes."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    connect_seconds: float
    silence_seconds: float


class Answer(Protocol):
    """An answer whose body is read in pieces. Header names are lower case."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    def read(self, size_bytes: int = PIECE_BYTES) -> bytes:
        """Return up to `size_bytes`; empty at the end. Raises `TransferFailed` if it broke off."""
        ...


class Transport(Protocol):
    """Carries exchanges; safe for use from many threads."""

    def open(self, exchange: Exchange) -> AbstractContextManager[Answer]:
        """Send the request and give the answer once its headers are there.

        Leaving the context before the body's end abandons the rest.
        """
        ...

    def close(self) -> None:
        """Let go of connections and threads; a repeated call does nothing."""
        ...


class HttpTransport:
    """A registry behind an http(s) address: few connections, kept alive, redirects not followed."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._pool = _pool(base_url)

    @contextmanager
    def open(self, exchange: Exchange) -> Iterator[Answer]:
        """Send the request over a kept or a new connection."""
        response = self._send(exchange)
        answer = _HttpAnswer(response, self._base_url)
        try:
            yield answer
        finally:
            # What was not read would be taken for the next answer: only a finished one is kept.
            if answer.finished:
                response.release_conn()
            else:
                response.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _send(self, exchange: Exchange) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                exchange.method,
                self._base_url + exchange.target,
                body=exchange.body,
                headers=dict(exchange.headers),
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=exchange.connect_seconds, read=exchange.silence_seconds),
            )
        except (HTTPError, OSError) as error:
            raise _unreachable(self._base_url, error) from error


class _HttpAnswer:
    """A urllib3 response as an `Answer`."""

    def __init__(self, response: urllib3.BaseHTTPResponse, base_url: str) -> None:
        self._response = response
        self._base_url = base_url
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.finished = False

    def read(self, size_bytes: int = PIECE_BYTES) -> bytes:
        """Return the next piece as it came over the wire."""
        try:
            piece: bytes = self._response.read(size_bytes, decode_content=False)
        except (HTTPError, OSError) as error:
            raise TransferFailed(f"the answer of {self._base_url} broke off: {error}") from error
        self.finished = not piece
        return piece


def _unreachable(base_url: str, error: Exception) -> NodeDataError:
    unsent = isinstance(error, NewConnectionError | ConnectTimeoutError | SSLError | ProxyError)
    reason = error.args[-1] if error.args else error
    return RegistryUnreachable(
        f"the registry at {base_url} did not answer: {reason}", details={"sent": not unsent}
    )


def _pool(base_url: str) -> urllib3.PoolManager:
    context = ssl.create_default_context() if base_url.startswith("https:") else None
    proxy = _proxy_for(base_url)
    if proxy is not None:
        return urllib3.ProxyManager(
            proxy, num_pools=2, maxsize=_KEPT_CONNECTIONS, ssl_context=context, retries=False
        )
    return urllib3.PoolManager(num_pools=2, maxsize=_KEPT_CONNECTIONS, ssl_context=context, retries=False)


def _proxy_for(base_url: str) -> str | None:
    """Return the proxy that the environment asks for; never one for this machine itself."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
