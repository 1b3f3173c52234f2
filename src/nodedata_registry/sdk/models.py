"""Models and their revisions: publish, resolve, download, mark, compare."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from nodedata_registry import wire
from nodedata_registry.sdk import calls
from nodedata_registry.sdk.connection import Connection
from nodedata_registry.sdk.progress import Progress, ProgressCallback
from nodedata_registry.sdk.snapshot import Snapshot
from nodedata_registry.wire_attestations import Attestation, Attestations

if TYPE_CHECKING:
    from nodedata_registry.core.diff import RevisionDiff
    from nodedata_registry.sdk.attestations import Verified
    from nodedata_registry.sdk.download import Forecast, Include
    from nodedata_registry.sdk.locate import Surroundings
    from nodedata_registry.sdk.scan import Files, LocalPath
    from nodedata_registry.sdk.tensors import Tensors

Answer = TypeVar("Answer", wire.Resolution, wire.Manifest, wire.Plan, Attestations)

_DIFF_PAUSE_SECONDS = 1
_STILL_COMPUTING = 202


class Models:
    """Named lines of revisions: `node.models`.

    `model` is `mdl_…` or `workspace/name` everywhere; `revision` is a selector: an exact version, a
    range, `latest` or `sha256:<digest>`.
    """

    def __init__(self, connection: Connection, around: Callable[[], Surroundings]) -> None:
        self._connection = connection
        self._around = around

    # --- models ---

    def create(self, ref: str, visibility: str = "private") -> wire.Model:
        """Make the model `workspace/name`; `public` is final once a revision exists."""
        return self._connection.ask(calls.create_model(ref, visibility))

    def get(self, model: str) -> wire.Model:
        """Return a model with facts of its `latest` revision."""
        return self._connection.ask(calls.get_model(model))

    def search(
        self,
        q: str | None = None,
        *,
        task: str | None = None,
        framework: str | None = None,
        license: str | None = None,  # noqa: A002 - the contract's word
        workspace: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> wire.Models:
        """Return models that match every given filter, best match first."""
        found = calls.search_models(
            cursor, limit, q=q, task=task, framework=framework, license=license, workspace=workspace
        )
        return self._connection.ask(found)

    def list(
        self, workspace: str | None = None, *, cursor: str | None = None, limit: int | None = None
    ) -> wire.Models:
        """Return models, of one workspace if given, the latest changed first."""
        return self.search(workspace=workspace, cursor=cursor, limit=limit)

    def update_visibility(
        self, model: str, visibility: str, confirm: Sequence[str] | None = None
    ) -> wire.Model:
        """Make a model `public` or `private`.

        Going public is final and needs `confirm`: the versions that it publishes, as the
        `ConfirmationRequired` of a first call lists them.
        """
        versions = None if confirm is None else list(confirm)
        return self._connection.ask(calls.update_model(model, visibility, versions))

    # --- publishing ---

    def create_revision(
        self,
        model_id: str,
        version: str,
        files: Files,
        changelog: str,
        parent: str | None = None,
        *,
        root: LocalPath | None = None,
        remove: Collection[str] = (),
        allow_gap: bool = False,
        accept: Mapping[str, str] | None = None,
        follow_links: bool = False,
        imported: wire.Imported | None = None,
        progress: ProgressCallback | None = None,
    ) -> wire.Revision:
        """Publish a revision: whole and for ever, or not at all.

        `files` is a list of paths or a mapping {path in the revision: local path}, laid over the
        parent's files; or a folder, which is the whole revision. `version` may be `"auto"`. `accept`
        maps findings to written reasons (owners). `imported` says where an existing history came from:
        the bump is then judged and recorded, and not enforced. The same content and changelog again
        give the revision that exists. Warnings come as `PublishWarning`.

        Raises:
            VersionTooLow: the evidence asks for a larger bump; `details["findings"]` says why.
            VersionExists, VersionNotSuccessor, VersionGap, NothingChanged, InvalidParent,
            CardRequired, InvalidCard, InvalidWeights, SchemaMismatch, InvalidPath, PathOutsideRoot.
            TransferFailed: a file changed while it was being published, or the link broke for good.
        """
        from nodedata_registry.sdk.publish import Order, publish

        order = Order(
            version, files, changelog, parent, root, remove, allow_gap, accept, follow_links, imported
        )
        return publish(self._connection, model_id, order, progress)

    def check(
        self,
        model_id: str,
        version: str,
        files: Files,
        changelog: str = "",
        parent: str | None = None,
        *,
        root: LocalPath | None = None,
        remove: Collection[str] = (),
        allow_gap: bool = False,
        accept: Mapping[str, str] | None = None,
        follow_links: bool = False,
        progress: ProgressCallback | None = None,
    ) -> wire.Check:
        """Return the verdict that `create_revision` would come to; sends no weights, publishes nothing.

        A bump that is too low is no error here: the answer's `ok` is false and lists the findings.
        """
        from nodedata_registry.sdk.publish import Order, check

        order = Order(version, files, changelog, parent, root, remove, allow_gap, accept, follow_links)
        return check(self._connection, model_id, order, progress)

    # --- reading ---

    def resolve(self, model: str, revision: str = "latest") -> wire.Resolution:
        """Return what a selector means now; a yanked answer says so and warns."""
        return _told(self._connection.ask(calls.resolve(model, revision)))

    def revisions(self, model: str, *, cursor: str | None = None, limit: int | None = None) -> wire.Revisions:
        """Return revisions, newest first, yanked and retired ones included."""
        return self._connection.ask(calls.list_revisions(model, cursor, limit))

    def manifest(self, model: str, revision: str = "latest") -> wire.Manifest:
        """Return the files of a revision; a yanked one says so and warns."""
        return _told(self._connection.ask(calls.manifest(model, revision)))

    def plan(self, model: str, revision: str = "latest") -> wire.Plan:
        """Return the files of a revision with the blocks they are made of; a yanked one warns."""
        return _told(self._connection.ask(calls.plan(model, revision)))

    def download(
        self,
        model: str,
        revision: str = "latest",
        dest: str | os.PathLike[str] | None = None,
        *,
        include: Include = None,
        on_yanked: str = "warn",
        offline: bool | str | None = None,
        require_signature: LocalPath | None = None,
        progress: ProgressCallback | None = None,
    ) -> Snapshot:
        """Return a folder with a revision's files, every byte verified.

        Without `dest` it is a read-only snapshot in the cache; with it, that folder becomes exactly
        the revision, in one step. `include` are patterns such as `("*.safetensors",)`. `offline`:
        None asks the registry, True does not, `"fallback"` lets ranges be served from the cache when
        the registry is silent. `require_signature` is a public key (PEM): nothing is fetched unless it signed
        exactly the revision's files. Interrupted downloads resume; concurrent ones share the work.

        Warns `YankedRevisionWarning` on every call that gives a yanked revision (`on_yanked="error"`
        raises `RevisionYanked`), `RegistryUnreachableWarning` when the cache stands in.

        Raises:
            RevisionNotFound, RevisionRetired, RevisionQuarantined, ModelNotFound.
            DestNotEmpty: `dest` holds something that no download put there.
            NotInCache: offline, and something is missing.
            SignatureRefused: no signature by the required key covers exactly these files.
            DigestMismatch, TransferFailed, RegistryUnreachable, InsufficientStorage.
        """
        from nodedata_registry.sdk.download import Selection, download
        from nodedata_registry.sdk.locate import Question

        question = Question.of(model, revision, on_yanked, offline)
        around, approve = self._around(), None
        if require_signature is not None:
            from nodedata_registry.sdk.attestations import demand

            approve = demand(around, require_signature)
        return download(around, question, dest, Selection.of(include), progress, approve)

    def forecast(
        self,
        model: str,
        revision: str = "latest",
        *,
        include: Include = None,
        on_yanked: str = "warn",
        offline: bool | str | None = None,
    ) -> Forecast:
        """Return how many bytes a download would fetch, given what the cache holds. Fetches no files."""
        from nodedata_registry.sdk.download import Selection, forecast
        from nodedata_registry.sdk.locate import Question

        question = Question.of(model, revision, on_yanked, offline)
        return forecast(self._around(), question, Selection.of(include))

    def tensors(
        self,
        model: str,
        revision: str = "latest",
        *,
        weights: str | None = None,
        on_yanked: str = "warn",
        offline: bool | str | None = None,
    ) -> Tensors:
        """Return a revision's tensors by name; each is fetched, verified, when it is asked for.

        `node.models.tensors("acme/x", "^1")["encoder.weight"]` moves the header and that tensor's blocks.
        Names, dtypes and shapes come from headers alone. `weights` names one weight set (a file, or
        the name that shards have in common). Resolved once; warns of a yank as `download` does.

        Raises:
            InvalidRequest: nothing in the revision has a format of which parts can be read.
            FileNotFoundInRevision: it has no such weight set.
        """
        from nodedata_registry.sdk.locate import Question
        from nodedata_registry.sdk.tensors import open_tensors

        return open_tensors(self._around, Question.of(model, revision, on_yanked, offline), weights)

    # --- marks ---

    def yank(self, model: str, revision: str, reason: str) -> wire.YankResult:
        """Mark a version, or what a range matches now, as not to be started with; removes nothing."""
        return self._connection.ask(calls.yank(model, revision, reason))

    def unyank(self, model: str, revision: str) -> wire.YankResult:
        """Take yanks back."""
        return self._connection.ask(calls.unyank(model, revision))

    def hold(self, model: str, version: str, reason: str) -> wire.Revision:
        """Keep a version whatever the retention policy says."""
        return self._connection.ask(calls.put_mark(model, version, "hold", reason))

    def unhold(self, model: str, version: str) -> wire.Revision:
        """Lift a hold."""
        return self._connection.ask(calls.lift_mark(model, version, "hold"))

    def quarantine(self, model: str, version: str, reason: str) -> wire.Revision:
        """Take a version down: its bytes are kept and not served. Operators only."""
        return self._connection.ask(calls.put_mark(model, version, "quarantine", reason))

    def unquarantine(self, model: str, version: str) -> wire.Revision:
        """Serve a version again. Operators only."""
        return self._connection.ask(calls.lift_mark(model, version, "quarantine"))

    def retire(self, model: str, version: str, reason: str) -> wire.Revision:
        """Remove one private, never public revision's files for ever. Owners only."""
        return self._connection.ask(calls.retire(model, version, reason))

    # --- signatures ---

    def sign(self, model: str, version: str, key: LocalPath, *, password: str | None = None) -> Attestation:
        """Sign an exact version's files with a private key (PEM) and put the signature beside it.

        Made from the manifest's digests: nothing is hashed again, and the revision does not change.

        Raises:
            ExtraMissing: `cryptography` is not installed (extra `[sign]`).
            InvalidRequest: the key cannot be used.
        """
        from nodedata_registry.sdk.attestations import sign_revision
        from nodedata_registry.sdk.signing import load_signer

        return sign_revision(self._connection, model, version, load_signer(key, password))

    def attestations(self, model: str, revision: str = "latest") -> Attestations:
        """Return the signatures beside a revision; a yanked one warns. None of them is verified here."""
        return _told(self._connection.ask(calls.attestations(model, revision)))

    def verify(
        self, model: str, revision: str, key: LocalPath, *, folder: LocalPath | None = None
    ) -> Verified:
        """Return the signature by which a public key (PEM) signed exactly the revision's files.

        With `folder`, that must hold exactly these files, too.

        Raises:
            SignatureRefused: there is no such signature, or the folder differs from it.
        """
        from nodedata_registry.sdk.attestations import verify_revision

        return verify_revision(self._connection, model, revision, key, folder)

    # --- comparing ---

    def diff(self, model: str, a: str, b: str, *, progress: ProgressCallback | None = None) -> RevisionDiff:
        """Return what `b` changed against `a`, down to the single parameter; waits until it is computed."""
        from nodedata_registry.core.diff import RevisionDiff

        # With a callback short waits, so that it hears something.
        wait_seconds = _DIFF_PAUSE_SECONDS if progress is not None else None
        while True:
            status, answer = self._connection.ask_status(calls.diff(model, a, b, wait_seconds))
            if status != _STILL_COMPUTING:
                return msgspec.json.decode(answer, type=RevisionDiff)
            if progress is not None:
                far = msgspec.json.decode(answer, type=wire.DiffProgress)
                progress(Progress("diff", far.done_bytes, far.total_bytes))


def _told(answer: Answer) -> Answer:
    """Return the answer after warning of its yank."""
    from nodedata_registry.sdk.notices import YankedRevisionWarning, issue, yank_message

    if answer.yanked is not None:
        issue(YankedRevisionWarning(yank_message(answer.model, answer.resolved, answer.yanked)))
    return answer


class Grants:
    """Outside accounts that may read one private model: `node.grants`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, model: str, account_id: str, expires_at: datetime | None = None) -> wire.Grant:
        """Let an account read the model, until `expires_at` if given. Owners only."""
        return self._connection.ask(calls.put_grant(model, account_id, expires_at))

    def list(self, model: str) -> wire.Grants:
        """Return the model's grants, ended ones included. Owners only."""
        return self._connection.ask(calls.list_grants(model))

    def revoke(self, model: str, account_id: str) -> None:
        """End an account's grant. Owners only."""
        self._connection.ask(calls.revoke_grant(model, account_id))
