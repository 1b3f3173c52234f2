"""Digests of tensors, filled into a table at publish so that unchanged tensors are never read again."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from nodedata_registry.core.layouts.source import Source
from nodedata_registry.core.layouts.table import Tensor
from nodedata_registry.server.tensors.canonical import canonical_pieces


def tensor_digests(tensors: Iterable[Tensor], source: Source) -> dict[str, str]:
    """Return the digest of each tensor that lies in `source`, by name; reads each of them once.

    Tensors in an external file are left out: their digest is a matter of that file's content, while the
    facts that digests are kept in are a matter of this one's.

    Raises:
        InvalidWeights: a payload is not what the table says; `details` names the tensor.
    """
    return {tensor.name: tensor_digest(tensor, source) for tensor in tensors if tensor.external is None}


def tensor_digest(tensor: Tensor, source: Source) -> str:
    """Return the BLAKE3 (64 hex) of the canonical bytes of one tensor."""
    digest = blake3()
    for piece in canonical_pieces(tensor, source):
        digest.update(piece)
    return digest.hexdigest()
