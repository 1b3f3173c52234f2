"""Every error this package raises on purpose, in one tree.

    NodeDataError
    ├── InvalidInput ............ what was passed can never be accepted
    │   ├── InvalidVersion, InvalidSelector, InvalidName, InvalidPath, PathOutsideRoot
    │   ├── CardRequired, InvalidCard, InvalidWeights, InvalidReason, InvalidRequest
    │   ├── SchemaMismatch, SchemaContradicted, InvalidLock, InvalidBundle
    │   └── MethodNotAllowed, RangeNotSatisfiable
    ├── RuleBroken .............. well formed, but the registry's rules refuse it
    │   ├── VersionExists, VersionNotSuccessor, VersionGap, VersionTooLow
    │   ├── NothingChanged, InvalidParent
    │   ├── NameTaken, PreviewChanged, ConfirmationRequired, NotAllowedNow
    │   ├── LockOutdated, OtherRegistry, TooYoung, SignatureRefused
    │   └── DestNotEmpty
    ├── NotFound ................ does not exist for this caller
    │   ├── ModelNotFound, RevisionNotFound, WorkspaceNotFound, AccountNotFound
    │   └── KeyNotFound, UploadNotFound, FileNotFoundInRevision, BlockNotFound
    ├── Gone
    │   ├── RevisionRetired, RevisionQuarantined, RevisionYanked
    ├── AccessRefused
    │   ├── NotAuthenticated, ScopeMissing
    ├── TransferFailed
    │   ├── DigestMismatch, BlocksMissing, UploadExpired, RequestTimeout
    ├── LimitReached
    │   ├── TooLarge, RateLimited, InsufficientStorage
    ├── Unavailable
    │   ├── RegistryUnreachable, NotInCache, ServerError
    └── CannotStart
        └── PortInUse, DataFolderInUse, DataFolderNotWritable, CatalogTooNew, ExtraMissing

Each class is one situation that a caller can act on and carries a stable `code`.
Nothing here knows an HTTP status: only the server's `api` package maps codes to statuses.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NodeDataError(Exception):
    """Base of all errors of this package.

    `str(error)` is the message: what was asked, what was found, what to do. `field` names the
    offending input where there is one; `details` holds further JSON values (findings, reasons).
    """

    code: ClassVar[str] = "error"
    _by_code: ClassVar[dict[str, type[NodeDataError]]] = {}

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        request_id: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.request_id = request_id
        self.details: dict[str, Any] = dict(details or {})

    def __init_subclass__(cls) -> None:
        """Register the class under its code; every code belongs to exactly one class."""
        if "code" in cls.__dict__:
            other = NodeDataError._by_code.setdefault(cls.code, cls)
            if other is not cls and other.__qualname__ != cls.__qualname__:
                raise TypeError(f"error code {cls.code!r} belongs to {other.__name__} already")

    @staticmethod
    def class_for(code: str) -> type[NodeDataError]:
        """Return the class whose `code` is the given one, or `NodeDataError` for an unknown code."""
        return NodeDataError._by_code.get(code, NodeDataError)

    @staticmethod
    def codes() -> dict[str, type[NodeDataError]]:
        """Return every stable code with its class."""
        return dict(NodeDataError._by_code)


# --- what was passed can never be accepted -----------------------------------------------------


class InvalidInput(NodeDataError):
    """The input is malformed; sending it again cannot help."""

    code = "invalid_input"


class InvalidVersion(InvalidInput):
    """Not exactly `MAJOR.MINOR.PATCH`."""

    code = "invalid_version"


class InvalidSelector(InvalidInput):
    """Neither an exact version, nor a range, nor `latest`, nor `sha256:<hex>`."""

    code = "invalid_selector"


class InvalidName(InvalidInput):
    """A workspace or model name that the naming rules refuse, reserved names included."""

    code = "invalid_name"


class InvalidPath(InvalidInput):
    """A path that may not stand in a manifest."""

    code = "invalid_path"


class PathOutsideRoot(InvalidInput):
    """A local file to publish lies outside the root folder."""

    code = "path_outside_root"


class CardRequired(InvalidInput):
    """The revision has no model card."""

    code = "card_required"


class InvalidCard(InvalidInput):
    """The model card's front matter is missing, malformed or states an unknown licence."""

    code = "invalid_card"


class InvalidWeights(InvalidInput):
    """A weight file is malformed; `details` names file and, where known, tensor."""

    code = "invalid_weights"


class SchemaMismatch(InvalidInput):
    """Card and weight file state different inputs or outputs."""

    code = "schema_mismatch"


class SchemaContradicted(InvalidInput):
    """Declared features contradict normalisation statistics, layers or joint names."""

    code = "schema_contradicted"


class InvalidReason(InvalidInput):
    """A reason is missing, longer than 500 characters or has more than one line."""

    code = "invalid_reason"


class InvalidLock(InvalidInput):
    """`node-data.lock` is missing or damaged, or says what no program wrote; nothing was done."""

    code = "invalid_lock"


class InvalidBundle(InvalidInput):
    """A signature bundle that is malformed, or over other files than those it is attached to."""

    code = "invalid_bundle"


class InvalidRequest(InvalidInput):
    """A request body or parameter that does not have the documented shape."""

    code = "invalid_request"


class MethodNotAllowed(InvalidInput):
    """The address exists, and not with this HTTP method; `details["allow"]` lists those it has."""

    code = "method_not_allowed"


class RangeNotSatisfiable(InvalidInput):
    """A `Range` that begins behind the end of the file; `details["size_bytes"]` says how long it is."""

    code = "range_not_satisfiable"


# --- well formed, but refused by a rule --------------------------------------------------------


class RuleBroken(NodeDataError):
    """The request is well formed, and a rule of the registry refuses it."""

    code = "rule_broken"


class VersionExists(RuleBroken):
    """The version is published already, with other content; `details` names what differs."""

    code = "version_exists"


class VersionNotSuccessor(RuleBroken):
    """The version is not above what its line holds."""

    code = "version_not_successor"


class VersionGap(RuleBroken):
    """The version leaves a gap, which mostly is a typo; `allow_gap=True` permits it."""

    code = "version_gap"


class VersionTooLow(RuleBroken):
    """The evidence asks for a larger bump; `details["findings"]` lists every finding."""

    code = "version_too_low"


class NothingChanged(RuleBroken):
    """The manifest equals the parent's."""

    code = "nothing_changed"


class InvalidParent(RuleBroken):
    """The parent is not lower than the version, is retired or is quarantined."""

    code = "invalid_parent"


class NameTaken(RuleBroken):
    """The name, or one that looks like it, has been used before."""

    code = "name_taken"


class PreviewChanged(RuleBroken):
    """The retention preview that should be applied is no longer what would happen."""

    code = "preview_changed"


class ConfirmationRequired(RuleBroken):
    """The act is final and needs the confirmation that `details` describes."""

    code = "confirmation_required"


class NotAllowedNow(RuleBroken):
    """The state of the thing forbids the act (retiring a public revision, say)."""

    code = "not_allowed"


class LockOutdated(RuleBroken):
    """`node-data.lock` is not what locking now would give; `details["changes"]` says how it differs."""

    code = "lock_outdated"


class OtherRegistry(RuleBroken):
    """The lock names another registry than the one that is asked; `details` names both."""

    code = "other_registry"


class TooYoung(RuleBroken):
    """What the range means now is younger than `min_age`; `details` says when it may be locked."""

    code = "too_young"


class SignatureRefused(RuleBroken):
    """No signature by the trusted key covers exactly these files."""

    code = "signature_refused"


class DestNotEmpty(RuleBroken):
    """The destination folder holds something that is not ours to replace."""

    code = "dest_not_empty"


# --- does not exist for this caller ------------------------------------------------------------


class NotFound(NodeDataError):
    """Nothing by that name exists, or the caller may not see it."""

    code = "not_found"


class ModelNotFound(NotFound):
    """No model by that id or name is visible to the caller."""

    code = "model_not_found"


class RevisionNotFound(NotFound):
    """No revision of the model matches the selector."""

    code = "revision_not_found"


class WorkspaceNotFound(NotFound):
    """No workspace by that slug is visible to the caller."""

    code = "workspace_not_found"


class AccountNotFound(NotFound):
    """No account has that id."""

    code = "account_not_found"


class KeyNotFound(NotFound):
    """The caller has no API key with that id."""

    code = "key_not_found"


class UploadNotFound(NotFound):
    """No open upload of the caller has that id."""

    code = "upload_not_found"


class FileNotFoundInRevision(NotFound):
    """The revision has no file at that path."""

    code = "file_not_found"


class BlockNotFound(NotFound):
    """The revision has no block with that digest."""

    code = "block_not_found"


class Gone(NodeDataError):
    """It exists, and is not served."""

    code = "gone"


class RevisionRetired(Gone):
    """The files of the matching revisions were removed by retention policy."""

    code = "revision_retired"


class RevisionQuarantined(Gone):
    """An operator took the revision down; `details["reason"]` says why."""

    code = "revision_quarantined"


class RevisionYanked(Gone):
    """The answer is yanked and the caller asked to refuse yanked answers."""

    code = "revision_yanked"


# --- access ------------------------------------------------------------------------------------


class AccessRefused(NodeDataError):
    """The caller is not allowed to do this."""

    code = "access_refused"


class NotAuthenticated(AccessRefused):
    """No key where one is needed, or a bad, expired or revoked one."""

    code = "not_authenticated"


class ScopeMissing(AccessRefused):
    """The caller sees the thing but lacks the scope; `details["scope"]` names it."""

    code = "scope_missing"


# --- moving bytes ------------------------------------------------------------------------------


class TransferFailed(NodeDataError):
    """Bytes did not arrive as announced."""

    code = "transfer_failed"


class DigestMismatch(TransferFailed):
    """Bytes do not have the digest or the size under which they were announced."""

    code = "digest_mismatch"


class BlocksMissing(TransferFailed):
    """A commit names blocks that were never sent; `details["missing"]` lists them."""

    code = "blocks_missing"


class UploadExpired(TransferFailed):
    """The upload's lease ran out or the upload was committed already; open a new one."""

    code = "upload_expired"


class RequestTimeout(TransferFailed):
    """The request's body stopped arriving; nothing was acknowledged."""

    code = "request_timeout"


class LimitReached(NodeDataError):
    """A documented limit was reached."""

    code = "limit_reached"


class TooLarge(LimitReached):
    """The body, header or file is larger than the documented limit."""

    code = "too_large"


class RateLimited(LimitReached):
    """Too many requests; `details["retry_after_seconds"]` says when to come back."""

    code = "rate_limited"


class InsufficientStorage(LimitReached):
    """The disk is full; nothing was acknowledged."""

    code = "insufficient_storage"


class Unavailable(NodeDataError):
    """It may work later."""

    code = "unavailable"


class RegistryUnreachable(Unavailable):
    """The registry did not answer, and the cache could not stand in."""

    code = "registry_unreachable"


class NotInCache(Unavailable):
    """Offline, and the cache lacks something; `details["missing"]` names it."""

    code = "not_in_cache"


class ServerError(Unavailable):
    """The registry failed; its log has the request id."""

    code = "internal_error"


# --- this process cannot do its work -----------------------------------------------------------


class CannotStart(NodeDataError):
    """The registry cannot start here."""

    code = "cannot_start"


class PortInUse(CannotStart):
    """Another process listens on the port."""

    code = "port_in_use"


class DataFolderInUse(CannotStart):
    """Another server works in the data folder."""

    code = "data_folder_in_use"


class DataFolderNotWritable(CannotStart):
    """The data folder cannot be created or written."""

    code = "data_folder_not_writable"


class CatalogTooNew(CannotStart):
    """The catalog was written by a newer program."""

    code = "catalog_too_new"


class ExtraMissing(CannotStart):
    """A part of the program is not installed; the message says what to install."""

    code = "extra_missing"
