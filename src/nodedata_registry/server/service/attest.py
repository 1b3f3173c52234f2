"""Signatures beside revisions: checked to be over the very files, kept for ever, changing nothing."""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.access import Caller, Scope, require_account
from nodedata_registry.core.digests import sha256_hex
from nodedata_registry.core.oms import PREDICATE_TYPE, Bundle, check_covers, digests_of, parse_bundle
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidBundle, NotAllowedNow
from nodedata_registry.server.ports import WriteTransaction
from nodedata_registry.server.rows import AttestationRow, ModelRow, RevisionRow
from nodedata_registry.server.service.locate import find_model, find_revision
from nodedata_registry.server.service.record import record
from nodedata_registry.server.service.registry import Registry
from nodedata_registry.server.service.resolve import locate
from nodedata_registry.server.service.stored import manifest_of
from nodedata_registry.server.service.views import Resolved, view_of


@dataclass(frozen=True, slots=True)
class Attested:
    """A revision with signatures of it."""

    model: ModelRow
    row: RevisionRow
    items: tuple[AttestationRow, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A signature that is beside its revision now; `created` unless it was there before."""

    attested: Attested
    created: bool

    @property
    def attestation(self) -> AttestationRow:
        """The one signature that this is about."""
        return self.attested.items[0]


def attach(registry: Registry, caller: Caller, ref: str, version: str, data: bytes) -> Attachment:
    """Put a signature bundle beside a revision; the same bundle again changes nothing. Publishers.

    What is signed is checked here. By whom is for those to judge who hold a key that they trust.

    Raises:
        ModelNotFound, ScopeMissing, InvalidVersion, RevisionNotFound, RevisionRetired, RevisionQuarantined.
        InvalidBundle: malformed, or not over exactly the revision's files.
        NotAllowedNow: the revision has as many signatures as it may have.
        TooLarge: more bytes than a bundle may have.
    """
    with registry.catalog.read() as tx:
        find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
    exact = str(Version.parse(version))
    bundle = _parsed(data)
    with registry.catalog.write() as tx:
        model = find_model(registry, tx, caller, ref, Scope.MODELS_UPLOAD)
        row = find_revision(tx, model, exact)
        check_covers(bundle, digests_of(manifest_of(tx, row)), f"the files of {model.ref} {row.version}")
        kept = tx.attestations.find(row.id, sha256_hex(data))
        if kept is not None:
            return Attachment(Attested(model, row, (kept,)), created=False)
        made = _add(registry, tx, caller, (model, row), bundle, data)
        return Attachment(Attested(model, row, (made,)), created=True)


def list_attestations(
    registry: Registry, caller: Caller, ref: str, selector: str, *, deny_yanked: bool = False
) -> tuple[Resolved, Attested]:
    """Return the signatures of what the selector means now, oldest first.

    Raises:
        As `resolve` does.
    """
    with registry.catalog.read() as tx:
        model, row = locate(registry, tx, caller, ref, selector, deny_yanked=deny_yanked)
        found = Attested(model, row, tuple(tx.attestations.of(row.id)))
        return Resolved(selector.strip(), view_of(tx, model, row)), found


def _parsed(data: bytes) -> Bundle:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidBundle("the signature bundle is no UTF-8 text", field="bundle") from error
    return parse_bundle(data)


def _add(
    registry: Registry,
    tx: WriteTransaction,
    caller: Caller,
    where: tuple[ModelRow, RevisionRow],
    bundle: Bundle,
    data: bytes,
) -> AttestationRow:
    model, revision = where
    most = registry.limits.attestations_per_revision
    if tx.attestations.count(revision.id) >= most:
        raise NotAllowedNow(f"{model.ref} {revision.version} has {most} signatures, which is the limit")
    row = AttestationRow(
        id=registry.new_id("att_"),
        revision_id=revision.id,
        sha256=sha256_hex(data),
        kind=PREDICATE_TYPE,
        key_hint=bundle.key_hint,
        created_at=registry.now(),
        created_by=require_account(caller),
        bundle=data,
    )
    tx.attestations.add(row)
    body = {
        "version": str(revision.version),
        "attestation": row.id,
        "sha256": row.sha256,
        "key_hint": row.key_hint,
    }
    record(registry, tx, "revision.attested", row.created_by, model=model, revision_id=revision.id, body=body)
    return row
