"""Yank, hold, quarantine, retire: marks on revisions."""

from __future__ import annotations

from litestar.params import JSONBody

from nodedata_registry import wire
from nodedata_registry.server import render
from nodedata_registry.server.api.routing import Ask, Segment, on_model
from nodedata_registry.server.service import marks, yank

_AT = "/revisions/{selector:str}"


@on_model("PUT", _AT + "/yank")
def put_yank(call: Ask, selector: Segment, data: JSONBody[wire.Reason]) -> wire.YankResult:
    """Mark a version, or every present match of a range, as not to be started with."""
    return render.yank_result(yank.yank(call.registry, call.caller, call.ref, selector, data.reason))


@on_model("DELETE", _AT + "/yank", status_code=200)
def delete_yank(call: Ask, selector: Segment) -> wire.YankResult:
    """Take the yank off again."""
    return render.yank_result(yank.unyank(call.registry, call.caller, call.ref, selector))


@on_model("PUT", _AT + "/hold")
def put_hold(call: Ask, selector: Segment, data: JSONBody[wire.Reason]) -> wire.Revision:
    """Keep a version whatever the retention policy says."""
    return render.revision(marks.hold(call.registry, call.caller, call.ref, selector, data.reason))


@on_model("DELETE", _AT + "/hold", status_code=200)
def delete_hold(call: Ask, selector: Segment) -> wire.Revision:
    """Let the retention policy decide again."""
    return render.revision(marks.unhold(call.registry, call.caller, call.ref, selector))


@on_model("PUT", _AT + "/quarantine")
def put_quarantine(call: Ask, selector: Segment, data: JSONBody[wire.Reason]) -> wire.Revision:
    """Stop serving a version, with a reason that everyone sees. Operators only."""
    return render.revision(marks.quarantine(call.registry, call.caller, call.ref, selector, data.reason))


@on_model("DELETE", _AT + "/quarantine", status_code=200)
def delete_quarantine(call: Ask, selector: Segment) -> wire.Revision:
    """Serve a quarantined version again. Operators only."""
    return render.revision(marks.release(call.registry, call.caller, call.ref, selector))


@on_model("POST", _AT + "/retire", status_code=200)
def retire_revision(call: Ask, selector: Segment, data: JSONBody[wire.Reason]) -> wire.Revision:
    """Remove the files of one named, never public version for ever. Owners only."""
    return render.revision(marks.retire(call.registry, call.caller, call.ref, selector, data.reason))


HANDLERS = [
    *put_yank,
    *delete_yank,
    *put_hold,
    *delete_hold,
    *put_quarantine,
    *delete_quarantine,
    *retire_revision,
]
