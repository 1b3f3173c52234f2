"""What crosses HTTP about signatures beside revisions; beside `wire`, by its rules."""

from __future__ import annotations

from datetime import datetime

from nodedata_registry.wire import Answer, Resolved


class Attestation(Answer, frozen=True):
    """A signature beside a revision.

    `bundle` is the Sigstore bundle as it was sent, the text of a file that `model_signing verify` reads;
    `sha256` is that of its UTF-8 bytes. `key_hint` is the SHA-256 of the signer's public key (PEM), where
    the bundle states it. The registry checked what is signed, not by whom: that takes a key you trust.
    """

    id: str
    model: str
    version: str
    digest: str
    kind: str
    sha256: str
    key_hint: str | None
    size_bytes: int
    created_at: datetime
    created_by: str
    bundle: str


class Attestations(Resolved, frozen=True):
    """The signatures of a revision, oldest first."""

    items: list[Attestation]
