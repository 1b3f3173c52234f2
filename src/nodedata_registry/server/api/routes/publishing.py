"""Publishing: open an upload, send blocks, commit; or only check."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from litestar import Response
from litestar.params import JSONBody, QueryParameter

from nodedata_registry import wire
from nodedata_registry.server import render
from nodedata_registry.server.api.routing import Ask, Segment, on_model
from nodedata_registry.server.service import publish
from nodedata_registry.server.service.registry import Limits

LIMITS = Limits()
"""The documented limits: a body is refused by them before it is read."""

DryRun = Annotated[bool, QueryParameter(description="Only check: nothing is published")]


@on_model("POST", "/uploads", request_max_body_size=LIMITS.json_body_bytes)
def open_upload(call: Ask, data: JSONBody[wire.Publish]) -> Response[wire.Upload]:
    """Open a publish with manifest, card and weight headers; learn which blocks are missing."""
    opened = publish.open_upload(call.registry, call.caller, call.ref, render.order_from(data))
    answer = render.upload(opened)
    return Response(answer, status_code=201 if answer.upload is not None else 200)


@on_model("POST", "/revisions", request_max_body_size=LIMITS.json_body_bytes)
def create_revision(call: Ask, data: JSONBody[wire.Publish], dry_run: DryRun = False) -> Response[object]:
    """Commit a publish: 201 for a new revision, 200 for one that was there. Or check it (`dry_run`)."""
    order = render.order_from(data)
    if dry_run:
        checked = publish.check(call.registry, call.caller, call.ref, order)
        return Response(render.check(checked), status_code=200)
    done = publish.commit(call.registry, call.caller, call.ref, order, data.upload or "")
    return Response(render.revision(done.view), status_code=201 if done.created else 200)


@on_model(
    "PUT",
    "/uploads/{upload:str}/blocks/{digest:str}",
    status_code=201,
    request_max_body_size=LIMITS.block_bytes,
)
async def put_block(call: Ask, upload: Segment, digest: Segment) -> wire.StoredBlock:
    """Store one block, sent as it is; its BLAKE3 must be `digest`."""
    data = bytearray()
    async for piece in call.request.stream():
        data += piece
    await anyio.to_thread.run_sync(
        publish.put_block, call.registry, call.caller, call.ref, upload, digest, bytes(data)
    )
    return wire.StoredBlock(digest=digest, size_bytes=len(data))


HANDLERS = [*open_upload, *create_revision, *put_block]
