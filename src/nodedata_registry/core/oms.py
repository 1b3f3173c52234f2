"""Signatures after OpenSSF Model Signing v1.0: what is signed, and how a bundle holds it. No cryptography.

    bundle     Sigstore bundle v0.3, JSON: the key's hint and a DSSE envelope with one signature
    envelope   payload and signature in base64; signed is `DSSEv1 SP len(type) SP type SP len(body) SP body`
    payload    in-toto Statement v1 with the predicate `https://model_signing/signature/v1.0`:
               every file by name with its SHA-256, sorted by code point
    subject    SHA-256 over the raw digests in that order

All of it follows from a manifest's digests: nothing is hashed again. Of the methods that the standard
has, `files` with `sha256` is the one that says the same as a manifest; others are refused.
Sources: the OMS specification 1.0, in-toto attestation v1, DSSE v1, and `model-signing` 1.1.1.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from nodedata_registry.core.digests import JsonValue, canonical_json, is_sha256, sha256_hex
from nodedata_registry.core.manifest import Manifest
from nodedata_registry.errors import InvalidBundle, TooLarge

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

MAX_BUNDLE_BYTES = 16 * 1024 * 1024
"""A revision of 10,000 files with paths of the greatest length has a bundle just below this."""

_NAMED_FILES = 3
_SHOWN_CHARACTERS = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read: consistent in itself; whether its signature is true is not known yet.

    `files` are the signed digests by path, `name` what the signer called them, `key_hint` the SHA-256 of
    the signer's public key (PEM) where it is stated.
    """

    name: str
    files: Mapping[str, str]
    key_hint: str | None
    payload: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is over."""
        return pae(self.payload)


def digests_of(manifest: Manifest) -> dict[str, str]:
    """Return the SHA-256 of each file of a manifest, by path."""
    return {entry.path: entry.sha256 for entry in manifest.files}


def statement(name: str, files: Mapping[str, str]) -> bytes:
    """Return the payload to sign: the in-toto statement that these files ({path: SHA-256}) are `name`."""
    paths = sorted(files)
    resources: list[JsonValue] = [
        {"name": path, "algorithm": "sha256", "digest": files[path]} for path in paths
    ]
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": root_digest([files[path] for path in paths])}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
                "resources": resources,
            },
        }
    )


def root_digest(digests: Sequence[str]) -> str:
    """Return the subject's digest: SHA-256 over the raw bytes of the digests, in the order given.

    >>> root_digest([])
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return sha256_hex(b"".join(bytes.fromhex(digest) for digest in digests))


def pae(payload: bytes) -> bytes:
    """Return what a DSSE signature over an in-toto payload signs.

    >>> pae(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def bundle_json(payload: bytes, signature: bytes, key_hint: str) -> bytes:
    """Return the bundle of a payload and the signature over its `pae`."""
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": key_hint}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": b64encode(payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
            },
        }
    )


def parse_bundle(data: bytes) -> Bundle:
    """Return what a bundle states, after every check that needs no key and no files.

    Raises:
        TooLarge: more than `MAX_BUNDLE_BYTES`.
        InvalidBundle: truncated, of another kind, or its digests contradict its subject.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise TooLarge(f"a signature bundle has at most {MAX_BUNDLE_BYTES:,} bytes; this has {len(data):,}")
    read = _decode(data, _BundleJson, "it is no Sigstore bundle")
    if read.media_type != MEDIA_TYPE:
        raise _invalid(f"its media type is {_shown(read.media_type)}, not {MEDIA_TYPE}")
    envelope = read.envelope
    if envelope.payload_type != PAYLOAD_TYPE or len(envelope.signatures) != 1:
        raise _invalid(f"its envelope must hold one signature over {PAYLOAD_TYPE}")
    payload = _base64(envelope.payload, "payload")
    found = _decode(payload, _StatementJson, "its payload is no model signing statement")
    return Bundle(
        name=_subject(found).name,
        files=_signed_files(found),
        key_hint=_key_hint(read.material),
        payload=payload,
        signature=_base64(envelope.signatures[0].sig, "signature"),
    )


def check_covers(bundle: Bundle, files: Mapping[str, str], what: str) -> None:
    """Return if the bundle signs exactly these files ({path: SHA-256}); `what` names them in the error.

    Raises:
        InvalidBundle: a file differs, is missing or is not signed; `details` name the first of them.
    """
    differing = differences(bundle.files, files)
    if differing:
        raise InvalidBundle(
            f"the signature is not over {what}: {differing}; sign exactly these files", field="bundle"
        )


def differences(signed: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in words how files differ from the signed ones ({path: SHA-256}); empty if they do not.

    >>> differences({"a": "1", "b": "2"}, {"a": "3", "c": "4"})
    'a differs from what was signed, b is missing, c was not signed'
    """
    changed = sorted(path for path in signed.keys() & found.keys() if signed[path] != found[path])
    kinds = (
        (changed, "differs from what was signed", "differ from what was signed"),
        (sorted(signed.keys() - found.keys()), "is missing", "are missing"),
        (sorted(found.keys() - signed.keys()), "was not signed", "were not signed"),
    )
    return ", ".join(_listed(paths, one, many) for paths, one, many in kinds if paths)


def _listed(paths: Sequence[str], one: str, many: str) -> str:
    shown = " and ".join(_shown(path) for path in paths[:_NAMED_FILES])
    rest = len(paths) - _NAMED_FILES
    return f"{shown}{f' and {rest} more' if rest > 0 else ''} {one if len(paths) == 1 else many}"


class _PublicKeyJson(msgspec.Struct):
    hint: str | None = None


class _MaterialJson(msgspec.Struct):
    public_key: _PublicKeyJson | None = msgspec.field(default=None, name="publicKey")


class _SignatureJson(msgspec.Struct):
    sig: str


class _EnvelopeJson(msgspec.Struct):
    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[_SignatureJson]


class _BundleJson(msgspec.Struct):
    media_type: str = msgspec.field(name="mediaType")
    material: _MaterialJson = msgspec.field(name="verificationMaterial")
    envelope: _EnvelopeJson = msgspec.field(name="dsseEnvelope")


class _SubjectJson(msgspec.Struct):
    name: str
    digest: dict[str, str]


class _ResourceJson(msgspec.Struct):
    name: str
    algorithm: str
    digest: str


class _SerializationJson(msgspec.Struct):
    method: str
    hash_type: str


class _PredicateJson(msgspec.Struct):
    serialization: _SerializationJson
    resources: list[_ResourceJson]


class _StatementJson(msgspec.Struct):
    type: str = msgspec.field(name="_type")
    predicate_type: str = msgspec.field(name="predicateType")
    subject: list[_SubjectJson]
    predicate: _PredicateJson


def _decode(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(f"{what} ({str(error)[:_SHOWN_CHARACTERS]})") from error


def _base64(text: str, what: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"its {what} is not base64") from error


def _key_hint(material: _MaterialJson) -> str | None:
    hint = material.public_key.hint if material.public_key is not None else None
    if hint and not is_sha256(hint):
        raise _invalid("the hint of its key is no SHA-256")
    return hint or None


def _subject(found: _StatementJson) -> _SubjectJson:
    if found.type != STATEMENT_TYPE or found.predicate_type != PREDICATE_TYPE:
        raise _invalid(f"its statement is {_shown(found.predicate_type)}, not {PREDICATE_TYPE}")
    if len(found.subject) != 1:
        raise _invalid(f"it has {len(found.subject)} subjects, not one")
    return found.subject[0]


def _signed_files(found: _StatementJson) -> dict[str, str]:
    resources, how = found.predicate.resources, found.predicate.serialization
    if (how.method, how.hash_type) != ("files", "sha256") or any(r.algorithm != "sha256" for r in resources):
        raise _invalid(
            f"it signs by {_shown(how.method)} and {_shown(how.hash_type)}; sign whole files by sha256"
        )
    if not all(is_sha256(resource.digest) for resource in resources):
        raise _invalid("a digest in it is not 64 lower-case hexadecimal digits")
    files = {resource.name: resource.digest for resource in resources}
    if len(files) != len(resources):
        raise _invalid("it names a file twice")
    if root_digest([r.digest for r in resources]) != _subject(found).digest.get("sha256"):
        raise _invalid("its files do not give its subject's digest")
    return files


def _shown(text: str) -> str:
    """Return somebody else's text, fit for one line."""
    return text if text.isprintable() and len(text) <= _SHOWN_CHARACTERS else ascii(text[:_SHOWN_CHARACTERS])


def _invalid(why: str) -> InvalidBundle:
    return InvalidBundle(f"the signature bundle cannot be used: {why}", field="bundle")
