"""Calls over a transport: the key, repeats, and how long to wait.

Repeated are: what surely never left (3 s in all), 429 as the registry asks, and for calls that
may be sent twice also lost answers, 502, 503 and 504. Waits double from 0.2 s, with jitter;
`Retry-After` is honoured up to a minute.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nodedata_registry.errors import (
    NodeDataError,
    RateLimited,
    RegistryUnreachable,
    TooLarge,
    TransferFailed,
    Unavailable,
)
from nodedata_registry.sdk.calls import Call
from nodedata_registry.sdk.refusals import refusal, retry_after_seconds
from nodedata_registry.sdk.transport import Answer, Exchange, Transport

T = TypeVar("T")

FIRST_ANSWER_SECONDS = 3.0
"""How long the registry may take before a cached pin stands in."""

_MAY_PASS = frozenset({502, 503, 504})
_BUSY_FACTOR = 5
_HURRIED_ATTEMPTS = 3
_ANSWER_BYTES = 512 * 1024 * 1024
USER_AGENT = "nodedata-registry"


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try. `attempts` counts the first one."""

    attempts: int = 6
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 60.0
    connect_seconds: float = FIRST_ANSWER_SECONDS

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after the attempt with that number (from 1)."""
        doubled = self.first_pause_seconds * 2.0 ** (attempt - 1)
        return min(self.longest_pause_seconds, doubled * random.uniform(0.75, 1.25))


@dataclass(frozen=True, slots=True)
class _Whole:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A transport with a key; what the rest of the SDK talks through. Safe from many threads."""

    def __init__(self, transport: Transport, api_key: str | None, patience: Patience | None = None) -> None:
        self._transport = transport
        self._api_key = api_key
        self.patience = patience if patience is not None else Patience()

    def ask(self, call: Call[T]) -> T:
        """Return the answer of a call.

        Raises the error that the registry named, or `RegistryUnreachable` or `TransferFailed` when
        patience ends.
        """
        return self.ask_status(call)[1]

    def ask_status(self, call: Call[T]) -> tuple[int, T]:
        """Return the answer with its HTTP status, for calls where success has two meanings."""
        return self._ask(call, self.patience.attempts)

    def _ask(self, call: Call[T], attempts: int) -> tuple[int, T]:
        whole = self._persist(call, attempts)
        return whole.status, call.read(whole.status, whole.headers, whole.body)

    def ask_within(self, call: Call[T], seconds: float) -> T:
        """Return the answer, or raise `RegistryUnreachable` when `seconds` have passed.

        Bounds everything, name resolution included; the abandoned attempt ends by itself.
        """
        # Somebody waits for the cache to stand in: a closed port is believed sooner than elsewhere.
        return _within(seconds, lambda: self._ask(call, _HURRIED_ATTEMPTS)[1])

    @contextmanager
    def stream(self, call: Call[None]) -> Iterator[Answer]:
        """Give an answer of success to be read in pieces; not repeated, callers know where to resume."""
        with self._transport.open(self._exchange(call)) as answer:
            if not 200 <= answer.status < 300:
                raise refusal(answer.status, answer.headers, _read_all(answer))
            yield answer

    def close(self) -> None:
        """Let go of the transport."""
        self._transport.close()

    def _persist(self, call: Call[T], attempts: int) -> _Whole:
        started = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                whole = self._once(call)
            except (RegistryUnreachable, TransferFailed) as error:
                passed_seconds = time.monotonic() - started
                if attempt >= attempts or not self._may_repeat(call, error, passed_seconds):
                    raise
                pause = self.patience.pause(attempt)
            else:
                asked = self._pause_after_answer(call, whole, attempt)
                if asked is None:
                    return whole
                pause = asked
            time.sleep(pause)

    def _once(self, call: Call[T]) -> _Whole:
        with self._transport.open(self._exchange(call)) as answer:
            return _Whole(answer.status, dict(answer.headers), _read_all(answer))

    def _may_repeat(self, call: Call[T], error: NodeDataError, passed_seconds: float) -> bool:
        if not is_passing(error):
            return False
        if error.details.get("sent") is False:
            return passed_seconds < self.patience.connect_seconds
        return call.idempotent

    def _pause_after_answer(self, call: Call[T], whole: _Whole, attempt: int) -> float | None:
        """Return how long to wait before asking again, or None if the answer is final."""
        busy = whole.status == 429
        if not busy and not (call.idempotent and whole.status in _MAY_PASS):
            return None
        # A long upload may be slowed down many times: that is no failure.
        if attempt >= self.patience.attempts * (_BUSY_FACTOR if busy else 1):
            return None
        asked = retry_after_seconds(whole.headers)
        if asked is not None and asked > self.patience.longest_pause_seconds:
            return None
        return max(asked or 0.0, self.patience.pause(1 if busy else attempt))

    def _exchange(self, call: Call[T]) -> Exchange:
        headers = {"accept": "*/*", "user-agent": USER_AGENT, **call.headers}
        if self._api_key is not None:
            headers["authorization"] = f"Bearer {self._api_key}"
        if call.body is not None:
            headers["content-type"] = call.content_type
        return Exchange(
            call.method,
            call.target,
            headers,
            call.body,
            self.patience.connect_seconds,
            call.patience_seconds,
        )


def is_passing(error: NodeDataError) -> bool:
    """Return whether trying again may help: a broken answer, a busy or a silent registry.

    A transport says in `details["sent"]` that it tried; without it nothing was tried, nor will be.
    """
    if isinstance(error, RegistryUnreachable):
        return "sent" in error.details
    return isinstance(error, TransferFailed | RateLimited) or error.code == Unavailable.code


def _read_all(answer: Answer) -> bytes:
    pieces: list[bytes] = []
    total_bytes = 0
    while piece := answer.read():
        total_bytes += len(piece)
        if total_bytes > _ANSWER_BYTES:
            raise TooLarge(f"the answer is larger than {_ANSWER_BYTES} bytes; nothing was read on")
        pieces.append(piece)
    return b"".join(pieces)


def _within(seconds: float, action: Callable[[], T]) -> T:
    results: queue.SimpleQueue[tuple[T, None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put((action(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            results.put((None, error))

    # A daemon: the interpreter's exit must not wait for a name server that never answers.
    threading.Thread(target=run, name="node-data-first-answer", daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise RegistryUnreachable(f"the registry did not answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
