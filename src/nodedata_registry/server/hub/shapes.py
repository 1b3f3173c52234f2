"""Domain values as Hub clients read them: pure functions, one for each kind of answer.

Every file is told as one kept by git LFS, because that is how this protocol says a SHA-256; its `oid` is
then the git object id of the LFS pointer, which anybody can compute from digest and size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

import msgspec

from nodedata_registry.core.card import Card
from nodedata_registry.core.manifest import FileEntry, Manifest
from nodedata_registry.core.yaml12 import Json
from nodedata_registry.server.hub.answers import (
    AccessToken,
    Authorised,
    CardData,
    CommitAuthor,
    CommitInfo,
    GitRef,
    LastCommit,
    ModelInfo,
    Organisation,
    Refs,
    Sibling,
    SiblingLfs,
    TreeFile,
    TreeFolder,
    TreeLfs,
    WhoAmI,
)
from nodedata_registry.server.hub.revisions import DEFAULT_REVISION
from nodedata_registry.server.rows import ModelSummary, RevisionRow
from nodedata_registry.server.service.identity import Identity
from nodedata_registry.server.service.snapshots import Named, Snapshot

_TITLE_CHARS = 120

Entry = TreeFile | TreeFolder


# --- models -------------------------------------------------------------------------------------


def model_info(snapshot: Snapshot, downloads: int, *, blobs: bool) -> ModelInfo:
    """Return a model at one revision; `blobs` adds size and digest of each file."""
    view = snapshot.resolved.view
    row, card = view.row, view.card
    seen = ModelSummary(
        view.model, row.version, card.title, card.license, card.task, card.framework, 0, row.created_at
    )
    return msgspec.structs.replace(
        listed_model(seen, downloads),
        sha=row.commit,
        used_storage=row.size_bytes,
        tags=tags_of(card.framework, card.task, card.license, card.extra),
        card_data=card_data(card),
        siblings=[_sibling(entry, blobs) for entry in snapshot.manifest.files],
    )


def listed_model(summary: ModelSummary, downloads: int) -> ModelInfo:
    """Return a model as lists show it, and as one without revisions looks."""
    model = summary.model
    return ModelInfo(
        internal_id=model.id,
        id=model.ref,
        model_id=model.ref,
        author=model.workspace,
        private=model.visibility == "private",
        gated=False,
        disabled=False,
        downloads=downloads,
        likes=0,
        created_at=moment(model.created_at),
        last_modified=moment(summary.updated_at),
        library_name=summary.framework,
        pipeline_tag=summary.task,
        tags=tags_of(summary.framework, summary.task, summary.license, {}),
        siblings=[],
    )


def tags_of(
    framework: str | None, task: str | None, license_id: str | None, extra: Mapping[str, Json]
) -> list[str]:
    """Return the tags that clients filter by: those of the card, then framework, task and licence.

    >>> tags_of("onnx", None, "MIT", {"tags": ["arm", "onnx"]})
    ['arm', 'onnx', 'license:mit']
    """
    stated = extra.get("tags")
    found = [one for one in stated if isinstance(one, str)] if isinstance(stated, list) else []
    found += [one for one in (framework, task) if one is not None]
    found += [] if license_id is None else [f"license:{license_id.lower()}"]
    return list(dict.fromkeys(found))


def card_data(card: Card) -> CardData:
    """Return what the card states under the Hub's names; a member of another type is left out.

    Clients make an object of these members, and fail on types that they do not expect.
    """
    extra = card.extra
    return CardData(
        license=card.license.lower() if not card.license.startswith("LicenseRef-") else "other",
        license_name=_text(extra.get("license_name")),
        license_link=_text(extra.get("license_link")),
        language=_text(extra.get("language")) or _texts(extra.get("language")),
        library_name=_text(extra.get("library_name")) or card.framework,
        pipeline_tag=_text(extra.get("pipeline_tag")) or card.task,
        tags=_texts(extra.get("tags")),
        datasets=_text(extra.get("datasets")) or _texts(extra.get("datasets")),
        metrics=_texts(extra.get("metrics")),
        base_model=_text(extra.get("base_model")) or _texts(extra.get("base_model")),
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Json) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [one for one in value if isinstance(one, str)]


# --- files --------------------------------------------------------------------------------------


def pointer_oid(sha256: str, size_bytes: int) -> tuple[str, int]:
    """Return git's object id of the LFS pointer to a content, and the pointer's size in bytes.

    Source: the git-lfs specification, docs/spec.md, "The Pointer".

    >>> pointer_oid("4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393", 12345)
    ('60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44', 130)
    """
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize %d\n"
    body = pointer % (sha256.encode(), size_bytes)
    object_id = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False)
    return object_id.hexdigest(), len(body)


def _sibling(entry: FileEntry, blobs: bool) -> Sibling:
    if not blobs:
        return Sibling(rfilename=entry.path)
    oid, pointer_size = pointer_oid(entry.sha256, entry.size_bytes)
    return Sibling(
        rfilename=entry.path,
        size=entry.size_bytes,
        blob_id=oid,
        lfs=SiblingLfs(sha256=entry.sha256, size=entry.size_bytes, pointer_size=pointer_size),
    )


def tree(
    manifest: Manifest, folder: str, *, recursive: bool, commit: LastCommit | None = None
) -> list[Entry] | None:
    """Return what lies in a folder (`""` is the root), by path; `None` if there is no such folder.

    `recursive` goes into the folders below it. Cost: linear in the revision's files.
    """
    inside = f"{folder}/" if folder else ""
    entries = [entry for entry in manifest.files if entry.path.startswith(inside)]
    if folder and not entries:
        return None
    found: list[Entry] = list(_folders(entries, inside, recursive, commit))
    found += [
        _tree_file(entry, commit) for entry in entries if recursive or "/" not in entry.path[len(inside) :]
    ]
    return sorted(found, key=lambda one: one.path)


def _folders(
    entries: Iterable[FileEntry], inside: str, recursive: bool, commit: LastCommit | None
) -> Iterable[TreeFolder]:
    digests: dict[str, list[str]] = {}
    for entry in entries:
        parts = entry.path[len(inside) :].split("/")[:-1]
        for depth in range(1, (len(parts) if recursive else min(1, len(parts))) + 1):
            digests.setdefault(inside + "/".join(parts[:depth]), []).append(f"{entry.path}\0{entry.sha256}")
    for path, lines in digests.items():
        yield _tree_folder(path, lines, commit)


def _tree_folder(path: str, lines: Iterable[str], commit: LastCommit | None) -> TreeFolder:
    # No git tree stands behind it: any 40 hex do that change exactly when the folder does.
    oid = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:40]
    return TreeFolder(type="directory", path=path, size=0, oid=oid, last_commit=commit)


def _tree_file(entry: FileEntry, commit: LastCommit | None) -> TreeFile:
    oid, pointer_size = pointer_oid(entry.sha256, entry.size_bytes)
    return TreeFile(
        type="file",
        path=entry.path,
        size=entry.size_bytes,
        oid=oid,
        lfs=TreeLfs(oid=entry.sha256, size=entry.size_bytes, pointer_size=pointer_size),
        last_commit=commit,
    )


def paths_info(manifest: Manifest, paths: Iterable[str], commit: LastCommit | None = None) -> list[Entry]:
    """Return those of the paths that are a file or a folder, once each, in the order asked."""
    wanted = dict.fromkeys(path.strip("/") for path in paths)
    files = {entry.path: entry for entry in manifest.files if entry.path in wanted}
    folders: dict[str, list[str]] = {}
    for entry in manifest.files:
        for path in _above(entry.path):
            if path in wanted:
                folders.setdefault(path, []).append(f"{entry.path}\0{entry.sha256}")
    found: list[Entry] = []
    for path in wanted:
        if path in files:
            found.append(_tree_file(files[path], commit))
        elif path in folders:
            found.append(_tree_folder(path, folders[path], commit))
    return found


def _above(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:depth]) for depth in range(1, len(parts)))


# --- history ------------------------------------------------------------------------------------


def last_commit(row: RevisionRow) -> LastCommit:
    """Return the revision as the commit of what is read from it."""
    return LastCommit(id=row.commit, title=_title(row), date=moment(row.created_at))


def commit_info(row: RevisionRow) -> CommitInfo:
    """Return a revision as a commit: its title is version and first line of the changelog."""
    return CommitInfo(
        id=row.commit,
        title=_title(row),
        message=row.changelog,
        date=moment(row.created_at),
        authors=[CommitAuthor(user=row.created_by)],
    )


def _title(row: RevisionRow) -> str:
    line = row.changelog.strip().partition("\n")[0]
    return f"{row.version}: {line}"[:_TITLE_CHARS] if line else str(row.version)


def refs(named: Named) -> Refs:
    """Return a model's names: the branch `main` is what `latest` gives, each version is a tag."""
    main = named.latest
    branch = None if main is None else _ref(DEFAULT_REVISION, f"refs/heads/{DEFAULT_REVISION}", main.commit)
    return Refs(
        branches=[] if branch is None else [branch],
        converts=[],
        tags=[_ref(str(row.version), f"refs/tags/{row.version}", row.commit) for row in named.served],
        pull_requests=[],
    )


def _ref(name: str, ref: str, commit: str) -> GitRef:
    return GitRef(name=name, ref=ref, target_commit=commit)


# --- the caller ---------------------------------------------------------------------------------


def who_am_i(found: Identity) -> WhoAmI:
    """Return the caller: the account as user, its workspaces as organisations, its key as token."""
    orgs = [Organisation(type="org", name=slug, role_in_org=role) for slug, role in found.roles]
    key_name = "" if found.key is None else found.key.name
    token = AccessToken(display_name=key_name, role="read")
    return WhoAmI(
        type="user",
        id=found.account.id,
        name=found.account.name,
        fullname=found.account.name,
        orgs=orgs,
        auth=Authorised(type="access_token", access_token=token),
    )


def moment(at: datetime) -> str:
    """Return a time as clients parse it: UTC, milliseconds, `Z`."""
    text = at.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
