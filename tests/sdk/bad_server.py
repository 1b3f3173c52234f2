"""A small HTTP server on a real socket whose every answer a test prescribes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Misbehaving:
    """A server on a socket whose answers a test prescribes, one behaviour per request, the last for ever."""

    behaviours: list[Behaviour] = field(default_factory=list)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: int = 0
    base_url: str = ""
