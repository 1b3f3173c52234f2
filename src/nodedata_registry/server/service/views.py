"""Revisions as answers show them: the row, its card, its verdict, and where to go if yanked."""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.bump import Notice, Verdict
from nodedata_registry.core.card import Card
from nodedata_registry.core.schema import Schema
from nodedata_registry.core.selectors import suggested
from nodedata_registry.core.versions import Version
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ModelRow, RevisionRow
from nodedata_registry.server.service.stored import card_of, judgement_of, stored_facts_of


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One revision with what answers show of it. `suggested` is where to go from a yanked one."""

    row: RevisionRow
    model: ModelRow
    card: Card
    schema: Schema | None
    verdict: Verdict
    warnings: tuple[Notice, ...]
    suggested: Version | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a selector means now."""

    requested: str
    view: RevisionView


def view_of(tx: ReadTransaction, model: ModelRow, row: RevisionRow) -> RevisionView:
    """Return the revision with card, schema, verdict and, if yanked, the version to go to."""
    judgement = judgement_of(tx, row)
    return RevisionView(
        row=row,
        model=model,
        card=card_of(tx, row),
        schema=stored_facts_of(tx, row).schema,
        verdict=judgement.verdict,
        warnings=judgement.warnings,
        suggested=suggestion_of(tx, model, row),
    )


def suggestion_of(tx: ReadTransaction, model: ModelRow, row: RevisionRow) -> Version | None:
    """Return where consumers of a yanked revision should go; `None` if it is not yanked, too."""
    return suggested(tx.revisions.candidates(model.id), row.version) if row.yank is not None else None
