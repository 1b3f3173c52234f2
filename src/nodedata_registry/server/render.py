"""From what services return to what crosses HTTP: used by the API and by the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodedata_registry import wire, wire_attestations
from nodedata_registry.core.benchmarks import Benchmark
from nodedata_registry.core.blocks import Block
from nodedata_registry.core.bump import Notice, Verdict
from nodedata_registry.core.diff import FileChange
from nodedata_registry.core.facts import FileFacts
from nodedata_registry.core.findings import Finding
from nodedata_registry.core.imported import Imported
from nodedata_registry.core.manifest import FileEntry
from nodedata_registry.core.retention import Policy, parse_policy
from nodedata_registry.core.schema import Schema, TensorSpec
from nodedata_registry.server.ports import Progress
from nodedata_registry.server.rows import (
    AccountRow,
    AttestationRow,
    ContentRow,
    GrantRow,
    KeyRow,
    Mark,
    MemberRow,
    ModelSummary,
    WorkspaceRow,
)
from nodedata_registry.server.service.accounts import IssuedKey
from nodedata_registry.server.service.attest import Attested
from nodedata_registry.server.service.events import EventView
from nodedata_registry.server.service.fetch import FetchPlan, Listing
from nodedata_registry.server.service.identity import Identity
from nodedata_registry.server.service.publish import Checked, OpenedUpload, OrderFile, PublishOrder
from nodedata_registry.server.service.retain import Preview
from nodedata_registry.server.service.views import Resolved, RevisionView
from nodedata_registry.server.service.yank import YankOutcome

# --- accounts, keys, workspaces ----------------------------------------------------------------


def account(row: AccountRow) -> wire.Account:
    """Return an account."""
    return wire.Account(id=row.id, name=row.name, operator=row.operator, created_at=row.created_at)


def new_account(row: AccountRow, secret: str) -> wire.NewAccount:
    """Return an account just made, with the secret of its first key."""
    return wire.NewAccount(
        id=row.id, name=row.name, operator=row.operator, created_at=row.created_at, key=secret
    )


def key(row: KeyRow, slugs: Mapping[str, str]) -> wire.Key:
    """Return a key without its secret; `slugs` has the slug of the workspace it is bound to."""
    return wire.Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=sorted(scope.value for scope in row.scopes),
        workspace=slugs.get(row.workspace_id or ""),
        model=row.model_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def new_key(issued: IssuedKey, slugs: Mapping[str, str]) -> wire.NewKey:
    """Return a key just made, with its secret."""
    row = issued.row
    return wire.NewKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=sorted(scope.value for scope in row.scopes),
        workspace=slugs.get(row.workspace_id or ""),
        model=row.model_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        key=issued.secret,
    )


def me(identity: Identity) -> wire.Me:
    """Return the caller as they see themselves."""
    shown = identity.key
    slugs = {} if shown is None else {shown.workspace_id or "": identity.key_workspace or ""}
    return wire.Me(
        account=account(identity.account),
        key=None if shown is None else key(shown, slugs if shown.workspace_id else {}),
        scopes=list(identity.scopes),
        workspaces=[wire.Membership(workspace=slug, role=role) for slug, role in identity.roles],
        granted_models=list(identity.granted_models),
    )


def workspace(row: WorkspaceRow, role: str | None) -> wire.Workspace:
    """Return a workspace with the caller's role in it."""
    return wire.Workspace(
        id=row.id, slug=row.slug, retention=policy(row.policy), role=role, created_at=row.created_at
    )


def policy(rules: Policy | None) -> wire.RetentionPolicy | None:
    """Return a retention policy; `None` where none is set."""
    if rules is None:
        return None
    line = rules.keep_latest_of
    return wire.RetentionPolicy(
        keep_last=rules.keep_last,
        keep_days=rules.keep_days,
        keep_latest_of=None if line is None else line.value,
        keep_unyanked=rules.keep_unyanked or None,
    )


def policy_from(given: wire.RetentionPolicy | None) -> Policy | None:
    """Return the policy that a request states.

    Raises:
        InvalidRequest: a number out of range.
    """
    return None if given is None else parse_policy(given.to_dict())


def member(row: MemberRow, slug: str) -> wire.Member:
    """Return one account's role in the workspace `slug`."""
    return wire.Member(workspace=slug, account_id=row.account_id, name=row.account_name, role=row.role.value)


# --- models ------------------------------------------------------------------------------------


def model(summary: ModelSummary) -> wire.Model:
    """Return a model as lists show it."""
    row = summary.model
    return wire.Model(
        id=row.id,
        ref=row.ref,
        workspace=row.workspace,
        name=row.name,
        visibility="public" if row.visibility == "public" else "private",
        title=summary.title,
        license=summary.license,
        task=summary.task,
        framework=summary.framework,
        latest=None if summary.latest is None else str(summary.latest),
        revision_count=summary.revision_count,
        created_at=row.created_at,
        updated_at=summary.updated_at,
    )


def grant(row: GrantRow) -> wire.Grant:
    """Return an outside account's right to read a model."""
    return wire.Grant(
        model_id=row.model_id,
        account_id=row.account_id,
        name=row.account_name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


# --- revisions ---------------------------------------------------------------------------------


def revision(view: RevisionView) -> wire.Revision:
    """Return a revision with its present marks."""
    row, card = view.row, view.card
    return wire.Revision(
        id=row.id,
        model_id=row.model_id,
        model=view.model.ref,
        version=str(row.version),
        sequence=row.sequence,
        parent=None if row.parent is None else str(row.parent),
        digest=row.manifest_digest,
        commit=row.commit,
        changelog=row.changelog,
        title=card.title,
        license=card.license,
        task=card.task,
        framework=card.framework,
        size_bytes=row.size_bytes,
        file_count=row.file_count,
        parameter_count=row.parameter_count,
        created_at=row.created_at,
        created_by=row.created_by,
        schema=schema(view.schema),
        benchmarks=[benchmark(one) for one in card.benchmarks],
        verdict=verdict(view.verdict),
        warnings=notices(view.warnings),
        yanked=yank(view),
        held=mark(row.hold),
        quarantined=mark(row.quarantine),
        retired=mark(row.retirement),
    )


def yank(view: RevisionView) -> wire.Yank | None:
    """Return the yank of a revision, `None` if it is not yanked."""
    found = view.row.yank
    if found is None:
        return None
    suggested = None if view.suggested is None else str(view.suggested)
    return wire.Yank(reason=found.reason, at=found.at, suggested=suggested)


def mark(found: Mark | None) -> wire.Mark | None:
    """Return a mark, `None` for none."""
    return None if found is None else wire.Mark(reason=found.reason, at=found.at, by=found.by)


def notices(found: Iterable[Notice]) -> list[wire.Notice]:
    """Return what should be heard."""
    return [wire.Notice(code=one.code, message=one.message) for one in found]


def schema(found: Schema | None) -> wire.Schema | None:
    """Return declared inputs and outputs; `None` where nothing states them."""
    if found is None:
        return None
    return wire.Schema(inputs=_tensors(found.inputs), outputs=_tensors(found.outputs))


def _tensors(specs: tuple[TensorSpec, ...] | None) -> list[wire.Tensor] | None:
    if specs is None:
        return None
    return [
        wire.Tensor(
            name=spec.name,
            shape=list(spec.shape),
            dtype=spec.dtype,
            optional=spec.optional,
            names=None if spec.names is None else list(spec.names),
            description=spec.description,
        )
        for spec in specs
    ]


def benchmark(found: Benchmark) -> wire.Benchmark:
    """Return one measured figure of a card."""
    return wire.Benchmark(
        name=found.name,
        metric=found.metric,
        value=found.value,
        higher_is_better=found.higher_is_better,
        unit=found.unit,
        n=found.n,
        stderr=found.stderr,
    )


def resolution(resolved: Resolved) -> wire.Resolution:
    """Return what a selector means now."""
    view = resolved.view
    return wire.Resolution(
        requested=resolved.requested,
        resolved=str(view.row.version),
        digest=view.row.manifest_digest,
        commit=view.row.commit,
        model_id=view.model.id,
        model=view.model.ref,
        yanked=yank(view),
        revision=revision(view),
    )


def manifest(listing: Listing) -> wire.Manifest:
    """Return a revision's files."""
    view = listing.resolved.view
    return wire.Manifest(
        requested=listing.resolved.requested,
        resolved=str(view.row.version),
        digest=view.row.manifest_digest,
        commit=view.row.commit,
        model_id=view.model.id,
        model=view.model.ref,
        yanked=yank(view),
        files=[file(entry, listing.facts[entry.path]) for entry in listing.manifest.files],
    )


def attestation(attested: Attested, row: AttestationRow) -> wire_attestations.Attestation:
    """Return a signature beside a revision."""
    return wire_attestations.Attestation(
        id=row.id,
        model=attested.model.ref,
        version=str(attested.row.version),
        digest=attested.row.manifest_digest,
        kind=row.kind,
        sha256=row.sha256,
        key_hint=row.key_hint,
        size_bytes=len(row.bundle),
        created_at=row.created_at,
        created_by=row.created_by,
        bundle=row.bundle.decode(),
    )


def attestations(found: Attested, resolved: Resolved) -> wire_attestations.Attestations:
    """Return the signatures of what a selector means now."""
    view = resolved.view
    return wire_attestations.Attestations(
        requested=resolved.requested,
        resolved=str(view.row.version),
        digest=view.row.manifest_digest,
        commit=view.row.commit,
        model_id=view.model.id,
        model=view.model.ref,
        yanked=yank(view),
        items=[attestation(found, row) for row in found.items],
    )


def file(entry: FileEntry, facts: FileFacts) -> wire.File:
    """Return one file of a revision."""
    return wire.File(
        path=entry.path,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
        format=facts.format,
        pickled=facts.pickled,
    )


def plan(found: FetchPlan) -> wire.Plan:
    """Return everything needed to fetch a revision."""
    view = found.resolved.view
    cuts = {content.cut for content in found.contents.values()}
    return wire.Plan(
        requested=found.resolved.requested,
        resolved=str(view.row.version),
        digest=view.row.manifest_digest,
        commit=view.row.commit,
        model_id=view.model.id,
        model=view.model.ref,
        yanked=yank(view),
        cut=max(cuts, default=1),
        files=[_planned(entry, found.contents[entry.sha256]) for entry in found.manifest.files],
    )


def _planned(entry: FileEntry, content: ContentRow) -> wire.PlannedFile:
    return wire.PlannedFile(
        path=entry.path,
        size_bytes=entry.size_bytes,
        sha256=entry.sha256,
        blocks=[(block.digest, block.size_bytes) for block in content.blocks],
    )


# --- verdicts and yanks ------------------------------------------------------------------------


def verdict(found: Verdict) -> wire.Verdict:
    """Return the bump verdict as it was judged."""
    where = found.imported
    return wire.Verdict(
        rules=found.rules,
        asked=found.asked.name.lower(),
        bases=[
            wire.BaseVerdict(
                version=str(base.version),
                declared=base.declared.name.lower(),
                asked=base.asked.name.lower(),
                findings=[finding(one) for one in base.findings],
            )
            for base in found.bases
        ],
        accepted=[wire.Accepted(code=one.code, reason=one.reason) for one in found.accepted],
        imported=None if where is None else wire.Imported(source=where.source, reference=where.reference),
    )


def finding(found: Finding) -> wire.Finding:
    """Return one reason for a bump."""
    return wire.Finding(
        code=found.code, asks=found.asks.name.lower(), message=found.message, subject=found.subject
    )


def yank_result(outcome: YankOutcome) -> wire.YankResult:
    """Return which versions a yank or un-yank changed."""
    return wire.YankResult(
        model_id=outcome.model.id,
        requested=outcome.requested,
        changed=[str(version) for version in outcome.changed],
        unchanged=[str(version) for version in outcome.unchanged],
    )


# --- publishing --------------------------------------------------------------------------------


def order_from(given: wire.Publish) -> PublishOrder:
    """Return what a publisher asks for, as services take it."""
    where = given.imported
    return PublishOrder(
        version=given.version,
        files=tuple(_order_file(one) for one in given.files),
        changelog=given.changelog,
        parent=given.parent,
        remove=tuple(given.remove),
        whole=given.whole,
        allow_gap=given.allow_gap,
        accept=given.accept,
        manifest_digest=given.manifest_digest,
        imported=None if where is None else Imported(where.source, where.reference),
    )


def _order_file(given: wire.UploadFile) -> OrderFile:
    return OrderFile(
        entry=FileEntry(given.path, given.size_bytes, given.sha256),
        blocks=tuple(Block(digest, size) for digest, size in given.blocks),
        headers=tuple(given.headers),
    )


def check(found: Checked | RevisionView) -> wire.Check:
    """Return the verdict on a publish; that of the very revision if it exists already."""
    if isinstance(found, RevisionView):
        return _check_of_existing(found)
    examined = found.examined
    return wire.Check(
        ok=examined.verdict.ok,
        version=str(examined.version),
        parent=None if examined.parent is None else str(examined.parent.version),
        predecessor=None if examined.predecessor is None else str(examined.predecessor),
        verdict=verdict(examined.verdict),
        warnings=notices(examined.warnings),
        manifest_digest=examined.manifest.digest,
        changes=[file_change(one) for one in found.changes],
        missing_bytes=found.missing_bytes,
    )


def _check_of_existing(view: RevisionView) -> wire.Check:
    row = view.row
    return wire.Check(
        ok=True,
        version=str(row.version),
        parent=None if row.parent is None else str(row.parent),
        predecessor=None,
        verdict=verdict(view.verdict),
        warnings=notices(view.warnings),
        manifest_digest=row.manifest_digest,
        changes=[],
        missing_bytes=0,
    )


def file_change(found: FileChange) -> wire.FileChange:
    """Return how one path differs from the parent."""
    return wire.FileChange(
        path=found.path,
        change=found.change,
        old_path=found.old_path,
        size_a_bytes=found.size_a_bytes,
        size_b_bytes=found.size_b_bytes,
    )


def upload(opened: OpenedUpload) -> wire.Upload:
    """Return an open upload, or the revision that exists already."""
    checked = opened.checked
    row = opened.upload
    return wire.Upload(
        upload=None if row is None else row.id,
        missing=[] if checked is None else sorted(checked.missing),
        missing_bytes=0 if checked is None else checked.missing_bytes,
        expires_at=None if row is None else row.lease_until,
        check=None if checked is None else check(checked),
        revision=None if opened.existing is None else revision(opened.existing),
    )


# --- diffs, retention, events ------------------------------------------------------------------


def progress(found: Progress) -> wire.DiffProgress:
    """Return how far a diff has come."""
    return wire.DiffProgress(status="computing", done_bytes=found.done_bytes, total_bytes=found.total_bytes)


def preview(found: Preview) -> wire.RetentionPreview:
    """Return what applying a policy would do, with every reason."""
    return wire.RetentionPreview(
        workspace=found.workspace.slug,
        policy=policy(found.policy),
        digest=found.digest,
        items=[
            wire.RetentionItem(
                model=planned.model.ref,
                revision_id=item.id,
                version=str(item.version),
                action="keep" if item.keep else "retire",
                reasons=list(item.reasons),
                size_bytes=planned.sizes[item.id],
            )
            for planned in found.models
            for item in planned.plan.items
        ],
    )


def event(found: EventView) -> wire.Event:
    """Return one entry of the record; its number in the sequence stays inside."""
    return wire.Event(
        id=found.row.id,
        kind=found.row.kind,
        at=found.row.at,
        account_id=found.row.account_id,
        workspace=found.workspace,
        model_id=found.row.model_id,
        model=found.model,
        version=found.version,
        body=dict(found.body),
    )
