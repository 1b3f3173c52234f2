"""How many requests a key or an address may make: token buckets, kept in memory.

| who | bucket | requests a minute | at once |
|---|---|---|---|
| a request with a key | the key | 60,000 | 60,000 |
| a request without one | the address | 12,000 | 12,000 |

Generous on purpose: they stop a loop gone wild, not a fleet that starts together. `/healthz` is not
counted. 0 turns a limit off.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_BUCKETS = 20_000
"""Buckets kept; the one not used for longest is forgotten first, which only ever gives back tokens."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests a minute per key and per address; 0 is no limit."""

    per_key: int = 60_000
    per_address: int = 12_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a bucket answers: may this request pass, how many are left, seconds until full and until one."""

    allowed: bool
    limit: int
    remaining: int
    full_after_seconds: float
    retry_after_seconds: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class TokenBuckets:
    """Buckets by name, safe from many threads. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, per_minute: int) -> Allowance:
        """Take one token from the bucket, which refills at `per_minute` and holds as many."""
        rate = per_minute / 60
        with self._lock:
            bucket = self._refilled(name, per_minute, rate)
            allowed = bucket.tokens >= 1
            if allowed:
                bucket.tokens -= 1
            tokens = bucket.tokens
        return Allowance(
            allowed=allowed,
            limit=per_minute,
            remaining=int(tokens),
            full_after_seconds=(per_minute - tokens) / rate,
            retry_after_seconds=max(0.0, (1 - tokens) / rate),
        )

    def _refilled(self, name: str, per_minute: int, rate: float) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.pop(name, None) or _Bucket(float(per_minute), now)
        bucket.tokens = min(float(per_minute), bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        self._buckets[name] = bucket
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
