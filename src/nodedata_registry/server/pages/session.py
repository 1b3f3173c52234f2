"""Signing in with an API key, so that a browser sees private pages.

The cookie holds no key: it holds the SHA-256 under which the catalog finds the key, and an expiry,
both signed. The hash alone opens nothing, for only the registry can sign. A revoked or expired key
ends the session at once, since every page looks the key up again. The session is read-only twice
over: pages have no acts, the API does not look at cookies, and the caller is narrowed to
`models:read` besides.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from nodedata_registry.core.keys import hash_key

COOKIE = "nd_session"
LIFETIME = timedelta(days=7)
_MAX_KEY_CHARS = 256


@dataclass(frozen=True, slots=True)
class Sessions:
    """Makes and reads session cookies. `secret` is 32 random bytes that outlive the process."""

    secret: bytes
    now: Callable[[], datetime]

    def issue(self, key: str) -> str:
        """Return the cookie value for an API key that has just been accepted."""
        expires = int((self.now() + LIFETIME).timestamp())
        body = f"{self.key_sha256(key)}.{expires}"
        return f"{body}.{self._sign(body)}"

    @staticmethod
    def key_sha256(key: str) -> str:
        """Return what the catalog finds a key by."""
        return hash_key(key)

    def read(self, cookie: str | None) -> str | None:
        """Return the key's SHA-256 that a cookie stands for; `None` if absent, forged or run out."""
        body, _, signature = (cookie or "").rpartition(".")
        digest, _, expires = body.partition(".")
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode()):
            return None
        return digest if int(expires) > self.now().timestamp() else None

    def _sign(self, body: str) -> str:
        return hmac.new(self.secret, b"page session\0" + body.encode(), sha256).hexdigest()


def looks_like_a_key(text: str) -> bool:
    """Tell whether a submitted form field can be a key at all: printable ASCII, not overlong."""
    return 0 < len(text) <= _MAX_KEY_CHARS and text.isascii() and text.isprintable()


def same_origin(headers: Mapping[str, str]) -> bool:
    """Tell whether a form was sent by a page of this registry (or by no browser at all).

    Browsers always say where a POST comes from: `Sec-Fetch-Site`, older ones `Origin`. A client
    that sends neither holds no cookies that a foreign page could borrow.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def local_path(text: str | None) -> str:
    r"""Return `text` if it is a path on this registry, else `/`: no redirect leaves it.

    >>> local_path("/acme/x?cursor=1"), local_path("//evil.example"), local_path("/\\evil.example")
    ('/acme/x?cursor=1', '/', '/')
    """
    if text and text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable():
        return text
    return "/"
