"""Signatures of revisions: made from the digests that the manifest has, and demanded before a download.

    sign     manifest, checked against its digest → bundle → beside the revision
    verify   one of the revision's bundles must be the trusted key's, over exactly its files

Bundles that were good are kept in the cache by manifest digest, so that a pin can be verified offline.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from nodedata_registry import wire
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.oms import Bundle, differences, digests_of
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import DigestMismatch, NotInCache, SignatureRefused
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.cache import storage_errors
from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.locate import Found, Surroundings
from nodedata_registry.sdk.signing import KeyFile, Signer, TrustedKey, folder_digests, load_trusted
from nodedata_registry.wire_attestations import Attestation


class Verified(wire.Answer, frozen=True, kw_only=True):
    """A good signature: exactly the files of this revision, by the key with this fingerprint.

    `signed_as` is what the signer called the files, `bundle` the text of the signature, `folder` the folder
    that holds exactly them.
    """

    model: str
    version: str
    digest: str
    fingerprint: str
    signed_as: str
    bundle: str
    folder: str | None = None


def sign_revision(connection: Connection, model: str, version: str, signer: Signer) -> Attestation:
    """Sign the files of an exact version and put the bundle beside it."""
    exact = str(Version.parse(calls.require_text(version, "version")))
    answer = connection.ask(calls.manifest(model, exact))
    data = signer.sign(answer.model, _digests(answer))
    return connection.ask(calls.put_attestation(model, exact, data))


def verify_revision(
    connection: Connection, model: str, revision: str, key: KeyFile, folder: KeyFile | None = None
) -> Verified:
    """Return the good signature of what a selector means, and of the folder if one is given.

    Raises:
        SignatureRefused: there is none by this key, or the folder is not what was signed.
    """
    trusted = load_trusted(key)
    answer = connection.ask(calls.manifest(model, revision))
    files = _digests(answer)
    what = f"{answer.model} {answer.resolved}"
    kept = connection.ask(calls.attestations(model, answer.resolved)).items
    bundle = trusted.first_covering([one.bundle.encode() for one in kept], files, what)
    if folder is not None:
        _check_folder(bundle, folder)
    return Verified(
        model=answer.model,
        version=answer.resolved,
        digest=answer.digest,
        fingerprint=trusted.fingerprint,
        signed_as=bundle.name,
        bundle=next(one.bundle for one in kept if trusted.covers(one.bundle.encode(), files)),
        folder=None if folder is None else os.fspath(folder),
    )


def require_signature(
    around: Surroundings, found: Found, files: Mapping[str, str], trusted: TrustedKey
) -> None:
    """Return if the trusted key signed exactly `files` ({path: SHA-256}), the whole of a revision.

    Raises:
        SignatureRefused: it did not.
        NotInCache: the registry cannot be asked, and the cache keeps no signature.
    """
    known = found.known
    what = f"{known.model} {known.version}"
    folder = around.cache.root / "signatures" / known.digest
    if around.connection is None or not found.fresh:
        kept = [path.read_bytes() for path in sorted(folder.glob("*.sig"))] if folder.is_dir() else []
        if not kept:
            raise NotInCache(f"offline, and the cache keeps no signature of {what}")
        trusted.first_covering(kept, files, what)
        return
    answer = around.connection.ask(calls.attestations(known.model_id, known.version))
    for one in answer.items:
        data = one.bundle.encode()
        if trusted.covers(data, files):
            _keep(folder, trusted.fingerprint, data)
            return
    trusted.first_covering([one.bundle.encode() for one in answer.items], files, what)


def _check_folder(bundle: Bundle, folder: KeyFile) -> None:
    """Return if a folder holds exactly the files of a bundle whose signature is good.

    Raises:
        SignatureRefused: it does not; the message names what differs.
    """
    differing = differences(bundle.files, folder_digests(folder))
    if differing:
        raise SignatureRefused(f"{os.fspath(folder)} is not what was signed: {differing}", field="folder")


def _digests(answer: wire.Manifest) -> dict[str, str]:
    manifest = Manifest.of(FileEntry(one.path, one.size_bytes, one.sha256) for one in answer.files)
    if manifest.digest != answer.digest:
        raise DigestMismatch(
            f"the files listed for {answer.model} {answer.resolved} are not those of its digest"
        )
    return digests_of(manifest)


def _keep(folder: Path, fingerprint: str, data: bytes) -> None:
    """Keep a good bundle for offline use, under the key that made it."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"{fingerprint}.{secrets.token_hex(8)}.partial"
        partial.write_bytes(data)
        partial.replace(folder / f"{fingerprint}.sig")


def demand(around: Surroundings, key: KeyFile) -> Callable[[Found, Mapping[str, str]], None]:
    """Return what refuses a download whose files the key did not sign; see `require_signature`."""
    trusted = load_trusted(key)
    return lambda found, files: require_signature(around, found, files, trusted)
