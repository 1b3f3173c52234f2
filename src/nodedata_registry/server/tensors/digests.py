"""Digests of tensors, filled into a table at publish so that unchanged tensors are never read again."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Tensor, shown
from nodedata_registry.errors import InvalidWeights
from nodedata_registry.server.tensors.canonical import canonical_pieces


def tensor_digests(tensors: Iterable[Tensor], source: Source, *, path: str | None = None) -> dict[str, str]:
    """Return the digest of each tensor that lies in `source`, by name; reads each of them once.

    Tensors in an external file are left out: their digest is a matter of that file's content, while the
    facts that digests are kept in are a matter of this one's. `path` is the file's, for messages.

    Raises:
        InvalidWeights: a payload is not what the table says; `details` has `file` and `tensor`.
    """
    found: dict[str, str] = {}
    for tensor in tensors:
        if tensor.external is not None:
            continue
        try:
            found[tensor.name] = tensor_digest(tensor, source)
        except InvalidWeights as error:
            where = f"{path}: " if path else ""
            details = {"file": path, "tensor": shown(tensor.name)}
            raise InvalidWeights(where + error.message, field="files", details=details) from error
    return found


def tensor_digest(tensor: Tensor, source: Source) -> str:
    """Return the BLAKE3 (64 hex) of the canonical bytes of one tensor."""
    digest = blake3()
    for piece in canonical_pieces(tensor, source):
        digest.update(piece)
    return digest.hexdigest()
