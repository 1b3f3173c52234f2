"""The wire between a client and a registry, which a test may count, cut, hold or damage.

Bytes pass both ways untouched except as told. `down` is from the registry to the client.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_PIECE_BYTES = 65_536
_BODY_PIECE_BYTES = 4096
"""A piece at least so large is one of a body, for heads are smaller."""


@dataclass
class Cable:
    """What happens on the wire.

    `cuts` are counts of bytes down at which every connection is cut, each once. `hold_after`: bytes
    down from which nothing passes any more. `flips_after`: bytes down from which one bit is turned in
    every large piece, `flips` times. `deaf_to`: a request with these bytes is passed on, and its answer
    is not.
    """

    target: tuple[str, int]
    url: str = ""
    up_bytes: int = 0
    down_bytes: int = 0
    connections: int = 0
    cuts: list[int] = field(default_factory=list)
    hold_after: int | None = None
    flips_after: int = 0
    flips: int = 0
    deaf_to: bytes | None = None
    answers_kept: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def carry(self, client: socket.socket) -> None:
        """Connect a client through to the registry, in threads of its own."""
        self.connections += 1
        try:
            registry = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()
            return
        registry.settimeout(None)
        with self._lock:
            self._open |= {client, registry}
        deaf = threading.Event()
        for work in (self._up, self._down):
            threading.Thread(target=work, args=(client, registry, deaf), daemon=True).start()

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            ended, self._open = self._open, set()
        for one in ended:
            _end(one)

    def close(self) -> None:
        """Let go of everything."""
        self._released.set()
        self.cut()

    def _up(self, client: socket.socket, registry: socket.socket, deaf: threading.Event) -> None:
        while piece := _receive(client):
            if self.deaf_to is not None and self.deaf_to in piece:
                deaf.set()
            self.up_bytes += len(piece)
            if not _send(registry, piece):
                break
        self._hang_up(client, registry)

    def _down(self, client: socket.socket, registry: socket.socket, deaf: threading.Event) -> None:
        while piece := _receive(registry):
            if deaf.is_set():
                self.answers_kept += 1
                break
            if self.hold_after is not None and self.down_bytes >= self.hold_after:
                self._released.wait()
                break
            with self._lock:
                piece = self._damaged(piece)
                self.down_bytes += len(piece)
                due = bool(self.cuts) and self.down_bytes >= self.cuts[0]
                if due:
                    self.cuts.pop(0)
            if due:
                self.cut()
                break
            if not _send(client, piece):
                break
        self._hang_up(client, registry)

    def _damaged(self, piece: bytes) -> bytes:
        due = self.flips > 0 and self.down_bytes >= self.flips_after
        if not due or len(piece) < _BODY_PIECE_BYTES:
            return piece
        self.flips -= 1
        middle = len(piece) // 2
        return piece[:middle] + bytes([piece[middle] ^ 1]) + piece[middle + 1 :]

    def _hang_up(self, client: socket.socket, registry: socket.socket) -> None:
        with self._lock:
            self._open -= {client, registry}
        _end(client)
        _end(registry)


@contextmanager
def cable_to(url: str) -> Iterator[Cable]:
    """Lay a cable to the registry at `url`; clients use the cable's `url`."""
    parts = urlsplit(url)
    cable = Cable((parts.hostname or "", parts.port or 0))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as plug:
        cable.url = f"http://127.0.0.1:{plug.getsockname()[1]}"
        thread = threading.Thread(target=_accept, args=(plug, cable))
        thread.start()
        try:
            yield cable
        finally:
            plug.shutdown(socket.SHUT_RDWR)
            thread.join()
            cable.close()


def _accept(plug: socket.socket, cable: Cable) -> None:
    with contextlib.suppress(OSError):
        while True:
            cable.carry(plug.accept()[0])


def _receive(sender: socket.socket) -> bytes:
    try:
        return sender.recv(_PIECE_BYTES)
    except OSError:
        return b""


def _send(receiver: socket.socket, piece: bytes) -> bool:
    try:
        receiver.sendall(piece)
    except OSError:
        return False
    return True


def _end(one: socket.socket) -> None:
    # Shut down first: a thread that waits in `recv` on a closed socket would wait for ever.
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
