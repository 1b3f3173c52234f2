"""Signing and verifying with ECDSA keys: P-256, P-384, P-521, each with its own SHA-2.

    key (PEM) + digests  →  sign          →  bundle (what `model_signing verify key` reads)
    bundle + trusted key →  check_signed  →  exactly these files were signed by that key, or one line why not

Needs `cryptography`, the extra `[sign]`; only here is it imported. The signature's JSON is `core.oms`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from nodedata_registry.core.oms import Bundle, bundle_json, differences, pae, parse_bundle, statement
from nodedata_registry.errors import ExtraMissing, InvalidBundle, InvalidRequest, SignatureRefused, TooLarge
from nodedata_registry.sdk.cache import file_sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        ECDSA,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

KeyFile: TypeAlias = "str | os.PathLike[str]"
"""Where a PEM key lies."""

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_KEY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, ready to sign."""

    key: EllipticCurvePrivateKey

    def sign(self, name: str, files: Mapping[str, str]) -> bytes:
        """Return the bundle which says that these files ({path: SHA-256}) are `name`."""
        payload = statement(name, files)
        signature = self.key.sign(pae(payload), _algorithm(self.key.curve.name))
        return bundle_json(payload, signature, fingerprint(self.key.public_key()))


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that somebody trusts; `fingerprint` is the SHA-256 of its PEM, as hints state it."""

    key: EllipticCurvePublicKey
    fingerprint: str

    def check_signed(self, bundle: Bundle) -> None:
        """Return if this key made the bundle's signature.

        Raises:
            SignatureRefused: another key did, or nobody.
        """
        from cryptography.exceptions import InvalidSignature

        if bundle.key_hint not in (None, self.fingerprint):
            raise SignatureRefused(
                f"the signature is by another key (sha256 {str(bundle.key_hint)[:16]!a}…)"
                f" than the trusted one (sha256 {self.fingerprint[:16]}…)",
                field="key",
            )
        try:
            self.key.verify(bundle.signature, bundle.signed, _algorithm(self.key.curve.name))
        except InvalidSignature:
            raise SignatureRefused(
                "the signature is not by the trusted key, or what it signs was changed", field="key"
            ) from None

    def check_covers(self, data: bytes, files: Mapping[str, str], what: str) -> Bundle:
        """Return the bundle in `data` if by it this key signed exactly `files` ({path: SHA-256}).

        `what` names the files in the error.

        Raises:
            InvalidBundle, TooLarge: the bundle is no whole one.
            SignatureRefused: it is by another key, or over other files.
        """
        bundle = parse_bundle(data)
        self.check_signed(bundle)
        differing = differences(bundle.files, files)
        if differing:
            raise SignatureRefused(f"{what} is not what was signed: {differing}", field="files")
        return bundle

    def covers(self, data: bytes, files: Mapping[str, str]) -> bool:
        """Return whether `check_covers` would pass."""
        try:
            self.check_covers(data, files, "")
        except (InvalidBundle, SignatureRefused, TooLarge):
            return False
        return True

    def first_covering(self, bundles: Iterable[bytes], files: Mapping[str, str], what: str) -> Bundle:
        """Return the first of the bundles by which this key signed exactly `files`.

        Raises:
            SignatureRefused: there is none; the message says what is wrong with the last one tried.
        """
        why = "it has no signature"
        for data in bundles:
            try:
                return self.check_covers(data, files, what)
            except (InvalidBundle, SignatureRefused, TooLarge) as error:
                why = error.message
        raise SignatureRefused(
            f"{what} is not signed by the trusted key (sha256 {self.fingerprint[:16]}…): {why}", field="key"
        )


def load_signer(key: KeyFile, password: str | None = None) -> Signer:
    """Return the private key in a PEM file, to sign with.

    Raises:
        ExtraMissing: `cryptography` is not installed.
        InvalidRequest: no such key, a wrong password, or a key of another kind.
    """
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = _read_key(key)
    try:
        found = load_pem_private_key(pem, None if password is None else password.encode())
    except TypeError as error:
        raise _unusable(
            key, "it is encrypted: pass its password" if password is None else str(error)
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(key, f"it is no PEM private key, or the password is wrong ({error})") from error
    if not isinstance(found, EllipticCurvePrivateKey) or found.curve.name not in _CURVES:
        raise _unusable(key, "signing takes an elliptic curve key on P-256, P-384 or P-521")
    return Signer(found)


def load_trusted(key: KeyFile) -> TrustedKey:
    """Return the public key in a PEM file, to verify with.

    Raises:
        ExtraMissing: `cryptography` is not installed.
        InvalidRequest: no such key, or one of another kind.
    """
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    pem = _read_key(key)
    try:
        found = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(key, f"it is no PEM public key ({error})") from error
    if not isinstance(found, EllipticCurvePublicKey) or found.curve.name not in _CURVES:
        raise _unusable(key, "verifying takes an elliptic curve key on P-256, P-384 or P-521")
    return TrustedKey(found, fingerprint(found))


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """Return the hint that a bundle carries: SHA-256 of the key as PEM (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def folder_digests(folder: KeyFile, leave_out: KeyFile | None = None) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by path; `leave_out` is the bundle, if it lies there.

    Raises:
        InvalidRequest: there is no such folder, or a file cannot be read.
        SignatureRefused: something in it is neither file nor folder; links lead out of what was signed.
    """
    root = Path(folder).absolute()
    if not root.is_dir():
        raise InvalidRequest(f"there is no folder at {os.fspath(folder)!r}", field="folder")
    skipped = None if leave_out is None else Path(leave_out).absolute()
    try:
        return {
            path.relative_to(root).as_posix(): file_sha256(path)
            for path in _regular_files(root)
            if path != skipped
        }
    except OSError as error:
        raise InvalidRequest(
            f"{error.filename or root} cannot be read: {error.strerror}", field="folder"
        ) from error


def verify_folder(folder: KeyFile, signature: KeyFile, key: KeyFile) -> Bundle:
    """Return the bundle if by it the key signed exactly the files of the folder. Asks no registry.

    Raises:
        InvalidBundle: the bundle is missing, truncated or of another kind.
        SignatureRefused: by another key, or a file differs, is missing or was not signed.
    """
    trusted = load_trusted(key)
    try:
        data = Path(signature).read_bytes()
    except OSError as error:
        raise InvalidBundle(
            f"the signature {os.fspath(signature)!r} cannot be read: {error.strerror}", field="signature"
        ) from error
    return trusted.check_covers(data, folder_digests(folder, leave_out=signature), os.fspath(folder))


def _regular_files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        mode = entry.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from _regular_files(entry)
        elif stat.S_ISREG(mode):
            yield entry
        else:
            raise SignatureRefused(
                f"{entry} is not a regular file, and only such can be signed", field="folder"
            )


def _require_cryptography() -> None:
    if importlib.util.find_spec("cryptography") is None:
        raise ExtraMissing("signatures need `cryptography`: pip install 'nodedata-registry[sign]'")


def _read_key(key: KeyFile) -> bytes:
    try:
        with Path(key).open("rb") as file:
            return file.read(_KEY_BYTES)
    except OSError as error:
        raise _unusable(key, error.strerror or str(error)) from error


def _unusable(key: KeyFile, why: str) -> InvalidRequest:
    return InvalidRequest(f"the key {os.fspath(key)!r} cannot be used: {why}", field="key")


def _algorithm(curve: str) -> ECDSA:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    chosen: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
        "secp256r1": hashes.SHA256,
        "secp384r1": hashes.SHA384,
        "secp521r1": hashes.SHA512,
    }
    return ECDSA(chosen[curve]())
