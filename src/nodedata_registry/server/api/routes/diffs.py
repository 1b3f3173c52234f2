"""`…/revisions/{a}..{b}/diff`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import anyio
import anyio.to_thread
from litestar import Response
from litestar.params import QueryParameter

from nodedata_registry import wire
from nodedata_registry.core.diff import RevisionDiff
from nodedata_registry.errors import InvalidSelector
from nodedata_registry.server import render
from nodedata_registry.server.api.caching import Freshness, conditional
from nodedata_registry.server.api.routing import Ask, Segment, on_model
from nodedata_registry.server.ports import Progress
from nodedata_registry.server.service import compare

_WAITING = anyio.CapacityLimiter(32)
# Those who wait for a diff have threads of their own, so that they never take those of all other calls.

Wait = Annotated[float, QueryParameter(ge=0, description="Seconds to wait for the answer; at most 30")]


@on_model("GET", "/revisions/{span:str}/diff")
async def get_diff(call: Ask, span: Segment, wait: Wait = 30.0) -> Response[RevisionDiff]:
    """Return what `b` changed against `a`; 202 with progress if it is not computed in time."""
    a, b = split_span(span)
    seconds = min(wait, call.registry.limits.diff_wait_seconds)
    return await anyio.to_thread.run_sync(partial(_answer, call, a, b, seconds), limiter=_WAITING)


def _answer(call: Ask, a: str, b: str, seconds: float) -> Response[RevisionDiff]:
    found = compare.compare(call.registry, call.caller, call.ref, a, b, wait_seconds=seconds)
    if isinstance(found, Progress):
        return _still_computing(found)
    side = compare.yanked_side(call.registry, call.caller, call.ref, found)
    yank = None if side is None else render.yank(side)
    return conditional(call.request, found, Freshness(shared=False, yanked=yank))


def split_span(span: str) -> tuple[str, str]:
    """Return both sides of `a..b`, split at the first `..`.

    >>> split_span("^1..latest")
    ('^1', 'latest')

    Raises:
        InvalidSelector: there is no `..`.
    """
    a, dots, b = span.partition("..")
    if not dots:
        raise InvalidSelector(
            f"a diff is between two selectors, {{a}}..{{b}}, not {span[:80]!r}", field="revision"
        )
    return a, b


def _still_computing(found: Progress) -> Response[RevisionDiff]:
    answer: Response[wire.DiffProgress] = Response(
        render.progress(found), status_code=202, headers={"Cache-Control": "no-store", "Retry-After": "1"}
    )
    return answer  # type: ignore[return-value]


HANDLERS = [*get_diff]
