"""Models, their grants, and what lists and search show of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    false,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from nodedata_registry.core.names import fold_name
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import ModelNotFound, NameTaken, NotAllowedNow
from nodedata_registry.server.catalog.sqlite import search
from nodedata_registry.server.catalog.tables import (
    accounts,
    grants,
    model_summaries,
    models,
    revisions,
    workspaces,
)
from nodedata_registry.server.catalog.types import Moment, within_range
from nodedata_registry.server.rows import GrantRow, ModelRow, ModelSummary

_MODEL_COLUMNS = (
    models.c.id,
    models.c.workspace_id,
    workspaces.c.slug,
    models.c.name,
    models.c.visibility,
    models.c.created_at,
)
_MODELS = select(*_MODEL_COLUMNS).join(workspaces, workspaces.c.id == models.c.workspace_id)
_BY_ID = _MODELS.where(models.c.id == bindparam("wanted"))
_BY_REF = _MODELS.where(workspaces.c.slug == bindparam("workspace"), models.c.name == bindparam("name"))
_IN_WORKSPACE = _MODELS.where(models.c.workspace_id == bindparam("wanted"))
_LOOKS_LIKE = select(models.c.name).where(
    models.c.workspace_id == bindparam("place"), models.c.folded == bindparam("wanted")
)
_ADD = insert(models)
_SET_VISIBILITY = update(models).where(models.c.id == bindparam("wanted")).values(visibility=bindparam("new"))
_HAS_REVISION = select(revisions.c.id).where(revisions.c.model_id == bindparam("wanted")).limit(1)

_THE_GRANT = (grants.c.model_id == bindparam("model")) & (grants.c.account_id == bindparam("who"))
_RENEW = (
    update(grants)
    .where(_THE_GRANT)
    .values(created_at=bindparam("at"), expires_at=bindparam("until"), revoked_at=None)
)
_ADD_GRANT = insert(grants)
_LIVE = grants.c.revoked_at.is_(None) & (
    grants.c.expires_at.is_(None) | (grants.c.expires_at > bindparam("now", type_=grants.c.expires_at.type))
)
_REVOKE = update(grants).where(_THE_GRANT, _LIVE).values(revoked_at=bindparam("now"))
_GRANTS = (
    select(
        grants.c.model_id,
        grants.c.account_id,
        accounts.c.name,
        grants.c.created_at,
        grants.c.expires_at,
        grants.c.revoked_at,
    )
    .join(accounts, accounts.c.id == grants.c.account_id)
    .where(grants.c.model_id == bindparam("wanted"))
    .order_by(accounts.c.name, accounts.c.id)
)
_GRANTED_TO = select(grants.c.model_id).where(grants.c.account_id == bindparam("who"), _LIVE)

_SUMMARIES = (
    select(
        *_MODEL_COLUMNS,
        *model_summaries.c["latest", "title", "license", "task", "framework", "revision_count", "updated_at"],
    )
    .select_from(model_summaries)
    .join(models, models.c.id == model_summaries.c.model_id)
    .join(workspaces, workspaces.c.id == models.c.workspace_id)
)
_SUMMARY = _SUMMARIES.where(models.c.id == bindparam("wanted"))
_NUMBER = select(model_summaries.c.number, model_summaries.c.updated_at).where(
    model_summaries.c.model_id == bindparam("wanted")
)
_ADD_SUMMARY = insert(model_summaries)
_SET_SUMMARY = update(model_summaries).where(model_summaries.c.number == bindparam("wanted"))


class Models:
    """`ports.ModelRows` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, row: ModelRow) -> None:
        """Write a new model and its first, empty summary. Raises `NameTaken`."""
        folded = fold_name(row.name)
        key = {"place": row.workspace_id, "wanted": folded}
        taken = self._connection.execute(_LOOKS_LIKE, key).scalar()
        if taken is not None:
            raise NameTaken(
                f"the model name {row.ref!r} is taken (by {row.workspace}/{taken}): choose another"
            )
        values = {
            "id": row.id,
            "workspace_id": row.workspace_id,
            "name": row.name,
            "folded": folded,
            "visibility": row.visibility,
            "created_at": row.created_at,
        }
        self._connection.execute(_ADD, values)
        self.put_summary(ModelSummary(row, None, None, None, None, None, 0, row.created_at), "")

    def get(self, model_id: str) -> ModelRow | None:
        """Return the model, `None` if there is none by that id."""
        found = self._connection.execute(_BY_ID, {"wanted": model_id}).first()
        return None if found is None else ModelRow(*found)

    def by_ref(self, workspace: str, name: str) -> ModelRow | None:
        """Return the model of exactly that name, `None` if there is none."""
        found = self._connection.execute(_BY_REF, {"workspace": workspace, "name": name}).first()
        return None if found is None else ModelRow(*found)

    def in_workspace(self, workspace_id: str) -> list[ModelRow]:
        """Return the workspace's models by name."""
        found = [ModelRow(*row) for row in self._connection.execute(_IN_WORKSPACE, {"wanted": workspace_id})]
        return sorted(found, key=lambda row: row.name)

    def set_visibility(self, model_id: str, visibility: str) -> None:
        """Set `public` or `private`. Raises `ModelNotFound`, `NotAllowedNow`."""
        model = self.get(model_id)
        if model is None:
            raise ModelNotFound(f"there is no model {model_id}")
        has_revision = self._connection.execute(_HAS_REVISION, {"wanted": model_id}).first() is not None
        if model.visibility == "public" and visibility != "public" and has_revision:
            raise NotAllowedNow(f"{model.ref} has public revisions, so it stays public for ever")
        self._connection.execute(_SET_VISIBILITY, {"wanted": model_id, "new": visibility})

    def put_grant(self, model_id: str, account_id: str, at: datetime, expires_at: datetime | None) -> None:
        """Create or replace the account's grant; a revoked one becomes live again."""
        key = {"model": model_id, "who": account_id}
        if not self._connection.execute(_RENEW, {**key, "at": at, "until": expires_at}).rowcount:
            values = {
                "model_id": model_id,
                "account_id": account_id,
                "created_at": at,
                "expires_at": expires_at,
            }
            self._connection.execute(_ADD_GRANT, values)

    def revoke_grant(self, model_id: str, account_id: str, at: datetime) -> bool:
        """Return whether a live grant was revoked."""
        key = {"model": model_id, "who": account_id, "now": at}
        return self._connection.execute(_REVOKE, key).rowcount > 0

    def grants(self, model_id: str) -> list[GrantRow]:
        """Return the model's grants by account name, ended ones included."""
        return [GrantRow(*row) for row in self._connection.execute(_GRANTS, {"wanted": model_id})]

    def granted_to(self, account_id: str, now: datetime) -> frozenset[str]:
        """Return the ids of models on which the account has a live grant."""
        return frozenset(self._connection.execute(_GRANTED_TO, {"who": account_id, "now": now}).scalars())

    def put_summary(self, summary: ModelSummary, text: str) -> None:
        """Write what lists show and what full-text search finds (`text`)."""
        values = _summary_values(summary)
        found = self._connection.execute(_NUMBER, {"wanted": summary.model.id}).first()
        if found is None:
            self._connection.execute(_ADD_SUMMARY, {"model_id": summary.model.id, **values})
            number = self._connection.execute(_NUMBER, {"wanted": summary.model.id}).one().number
        else:
            number = found.number
            self._connection.execute(_SET_SUMMARY.values(values), {"wanted": number})
        search.index_model(
            self._connection,
            number,
            title=summary.title or "",
            name=summary.model.name,
            workspace=summary.model.workspace,
            card=text,
        )

    def summary(self, model_id: str) -> ModelSummary | None:
        """Return what lists show of the model, `None` if there is no such model."""
        found = self._connection.execute(_SUMMARY, {"wanted": model_id}).first()
        return None if found is None else _summary(found)

    def search(
        self,
        *,
        visible_workspaces: Iterable[str] | None,
        visible_models: Iterable[str],
        include_public: bool,
        query: str = "",
        task: str | None = None,
        framework: str | None = None,
        license: str | None = None,  # noqa: A002  the contract's word
        workspace_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[ModelSummary]:
        """Return up to `limit` models the caller may see, best match first, else newest change first."""
        wanted = _SUMMARIES.where(
            *_equal_folded(task=task, framework=framework, license=license),
            *([] if workspace_id is None else [models.c.workspace_id == workspace_id]),
        )
        if visible_workspaces is not None:
            wanted = wanted.where(_visible(visible_workspaces, visible_models, include_public))
        ordered = self._newest(wanted, after) if not query.strip() else self._best(wanted, query, after)
        if ordered is None:
            return []
        found = self._connection.execute(ordered.limit(max(0, within_range(limit))))
        return [_summary(row) for row in found]

    def _newest(self, wanted: Select[Any], after: str | None) -> Select[Any] | None:
        ordered = wanted.order_by(model_summaries.c.updated_at.desc(), model_summaries.c.model_id.desc())
        if after is None:
            return ordered
        mark = self._connection.execute(_NUMBER, {"wanted": after}).first()
        if mark is None:
            return None
        place = tuple_(model_summaries.c.updated_at, model_summaries.c.model_id)
        return ordered.where(place < tuple_(literal(mark.updated_at, Moment), literal(after)))

    def _best(self, wanted: Select[Any], query: str, after: str | None) -> Select[Any] | None:
        hits = search.hits(query)
        if hits is None:
            return None
        ordered = wanted.join(hits, hits.c.number == model_summaries.c.number)
        ordered = ordered.order_by(hits.c.score, hits.c.number)
        if after is None:
            return ordered
        mark = self._connection.execute(_NUMBER, {"wanted": after}).first()
        return None if mark is None else ordered.where(search.behind(hits, mark.number))


def _equal_folded(**filters: str | None) -> list[ColumnElement[bool]]:
    return [
        model_summaries.c[f"{name}_folded"] == value.casefold()
        for name, value in filters.items()
        if value is not None
    ]


def _visible(
    workspace_ids: Iterable[str], model_ids: Iterable[str], include_public: bool
) -> ColumnElement[bool]:
    return or_(
        models.c.visibility == "public" if include_public else false(),
        models.c.workspace_id.in_(list(workspace_ids)),
        models.c.id.in_(list(model_ids)),
    )


def _summary_values(summary: ModelSummary) -> dict[str, object]:
    folded = {
        f"{name}_folded": None if value is None else value.casefold()
        for name, value in (
            ("license", summary.license),
            ("task", summary.task),
            ("framework", summary.framework),
        )
    }
    return {
        "latest": None if summary.latest is None else str(summary.latest),
        "title": summary.title,
        "license": summary.license,
        "task": summary.task,
        "framework": summary.framework,
        "revision_count": summary.revision_count,
        "updated_at": summary.updated_at,
        **folded,
    }


def _summary(row: Row[Any]) -> ModelSummary:
    latest = None if row.latest is None else Version.parse(row.latest)
    return ModelSummary(
        model=ModelRow(*tuple(row)[:6]),
        latest=latest,
        title=row.title,
        license=row.license,
        task=row.task,
        framework=row.framework,
        revision_count=row.revision_count,
        updated_at=row.updated_at,
    )
