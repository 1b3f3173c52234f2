"""`/v1/models/…/revisions/…/attestations`: signatures beside a revision."""

from __future__ import annotations

import anyio.to_thread
from litestar import Response

from nodedata_registry import wire_attestations
from nodedata_registry.server import render
from nodedata_registry.server.api.caching import conditional
from nodedata_registry.server.api.routes.publishing import LIMITS
from nodedata_registry.server.api.routes.revisions import OnYanked, freshness
from nodedata_registry.server.api.routing import Ask, Segment, on_model
from nodedata_registry.server.service import attest

_AT = "/revisions/{selector:str}/attestations"


@on_model("PUT", _AT, status_code=201, request_max_body_size=LIMITS.attestation_bytes)
async def put_attestation(call: Ask, selector: Segment) -> Response[wire_attestations.Attestation]:
    """Put a signature beside an exact version: the body is the bundle, as it is. 200 if it was there."""
    data = bytearray()
    async for piece in call.request.stream():
        data += piece
    done = await anyio.to_thread.run_sync(
        attest.attach, call.registry, call.caller, call.ref, selector, bytes(data)
    )
    answer = render.attestation(done.attested, done.attestation)
    return Response(answer, status_code=201 if done.created else 200)


@on_model("GET", _AT)
def get_attestations(
    call: Ask, selector: Segment, on_yanked: OnYanked = "warn"
) -> Response[wire_attestations.Attestations]:
    """Return the signatures of what the selector means now, oldest first."""
    deny = call.deny_yanked
    resolved, found = attest.list_attestations(
        call.registry, call.caller, call.ref, selector, deny_yanked=deny
    )
    return conditional(call.request, render.attestations(found, resolved), freshness(call, resolved))


HANDLERS = [*put_attestation, *get_attestations]
