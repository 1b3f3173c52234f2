"""Settings of a server, from the command line and the environment. Only `app` and `serve` read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nodedata_registry.errors import InvalidRequest
from nodedata_registry.server.api.rates import RateLimits

OWNER_KEY = "NODE_DATA_OWNER_KEY"
RATE_PER_KEY = "NODE_DATA_REQUESTS_PER_MINUTE_KEY"
RATE_PER_ADDRESS = "NODE_DATA_REQUESTS_PER_MINUTE_ADDRESS"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve a data folder. Port 0 takes a free one. `public_url` is what users see outside."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    require_key: bool = False
    public_url: str | None = None
    owner_key: str | None = None
    rates: RateLimits = field(default_factory=RateLimits)
    drain_seconds: int = 30

    @property
    def secure(self) -> bool:
        """Return whether users arrive over HTTPS, so that cookies may be bound to it."""
        return (self.public_url or "").startswith("https://")


def owner_key_of(environment: Mapping[str, str]) -> str | None:
    """Return the owner key that the environment brings; an empty one counts as none."""
    return environment.get(OWNER_KEY) or None


def rates_of(environment: Mapping[str, str]) -> RateLimits:
    """Return the rate limits, those of the environment first; 0 turns one off.

    Raises:
        InvalidRequest: a limit that is no whole number.
    """
    usual = RateLimits()
    return RateLimits(
        _number(environment, RATE_PER_KEY, usual.per_key),
        _number(environment, RATE_PER_ADDRESS, usual.per_address),
    )


def _number(environment: Mapping[str, str], name: str, usual: int) -> int:
    text = environment.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidRequest(
            f"{name} must be a whole number of requests a minute, not {text[:40]!r}", field=name
        )
    return int(text)
