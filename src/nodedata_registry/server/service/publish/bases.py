"""Where a new revision stands among the others: its parent, its bases, and the version it may take.

The parent gives the files. The bump is judged from each base: the parent, and the predecessor, the
highest lower version of the same major that is not yanked (where consumers of `^1` come from). A
yanked parent is a base only if it is the only one; a quarantined revision never is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodedata_registry.core.bump import Notice, Verdict, asked_bump, judge, verdict
from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.selectors import Candidate, Latest, resolve
from nodedata_registry.core.versions import Bump, Version, declared_bump, next_versions, predecessor
from nodedata_registry.errors import (
    Gone,
    InvalidParent,
    InvalidVersion,
    RevisionNotFound,
    VersionNotSuccessor,
)
from nodedata_registry.server.ports import ReadTransaction
from nodedata_registry.server.rows import ModelRow, RevisionRow
from nodedata_registry.server.service.stored import revision_facts_of


@dataclass(frozen=True, slots=True)
class Lineage:
    """The model's revisions as they are in this transaction, lowest version first."""

    tx: ReadTransaction
    model: ModelRow
    candidates: tuple[Candidate, ...]

    @classmethod
    def read(cls, tx: ReadTransaction, model: ModelRow) -> Lineage:
        """Return the lineage of the model."""
        return cls(tx, model, tuple(tx.revisions.candidates(model.id)))

    @property
    def versions(self) -> tuple[Version, ...]:
        """Every version ever published, ascending."""
        return tuple(one.version for one in self.candidates)

    def row(self, version: Version) -> RevisionRow | None:
        """Return the revision of that version."""
        return self.tx.revisions.get(self.model.id, version)

    def parent(self, stated: str | None, version: Version | None) -> RevisionRow | None:
        """Return the parent for a new `version` (`None`: to be chosen); `None` for a first revision.

        Raises:
            InvalidVersion, RevisionNotFound, InvalidParent.
        """
        if stated is not None:
            return self._named_parent(_parse_parent(stated), version)
        if version is None:
            return self._latest()
        return self._default_parent(version)

    def _named_parent(self, named: Version, version: Version | None) -> RevisionRow:
        row = self.row(named)
        if row is None:
            raise RevisionNotFound(f"the parent {named} was never published", field="parent")
        if version is not None and named >= version:
            raise InvalidParent(f"the parent {named} is not lower than {version}", field="parent")
        if row.retirement is not None or row.quarantine is not None:
            state = "retired" if row.retirement is not None else "quarantined"
            raise InvalidParent(f"the parent {named} is {state}: name another", field="parent")
        return row

    def _latest(self) -> RevisionRow | None:
        try:
            return self.row(resolve(self.candidates, Latest()).version)
        except (RevisionNotFound, Gone):
            return None

    def _default_parent(self, version: Version) -> RevisionRow | None:
        lower = [one for one in self.candidates if one.version < version and one.is_served]
        best = max(lower, key=lambda one: (not one.yanked, one.version), default=None)
        return None if best is None else self.row(best.version)

    def predecessor(self, version: Version) -> Version | None:
        """Return where consumers of the major's range come from."""
        bases = (one.version for one in self.candidates if not one.yanked and not one.quarantined)
        return predecessor(version, bases)

    def warnings(self, parent: RevisionRow | None, version: Version) -> list[Notice]:
        """Return what the publisher should hear about the choice of parent."""
        found = []
        if parent is not None and parent.yank is not None:
            reason = parent.yank.reason
            found.append(Notice("parent_yanked", f"the parent {parent.version} is yanked: {reason}"))
        newer = None if parent is None else self._newer_in_line(parent, version)
        if parent is not None and newer is not None:
            text = f"the parent {parent.version} is not the newest of its line: {newer} is"
            found.append(Notice("parent_not_newest", text))
        return found

    def _newer_in_line(self, parent: RevisionRow, version: Version) -> Version | None:
        return max(
            (
                one.version
                for one in self.candidates
                if one.version.major == parent.version.major
                and parent.version < one.version < version
                and one.is_served
                and not one.yanked
            ),
            default=None,
        )


def _parse_parent(text: str) -> Version:
    try:
        return Version.parse(text)
    except InvalidVersion as error:
        raise InvalidVersion(f"the parent: {error.message}", field="parent", details=error.details) from error


def judge_at(
    tx: ReadTransaction,
    lineage: Lineage,
    version: Version,
    parent: RevisionRow | None,
    facts: RevisionFacts,
    accept: Mapping[str, str],
) -> tuple[Verdict, Version | None]:
    """Return the verdict on publishing `facts` as `version`, and the predecessor it was judged from."""
    bases = [(row.version, revision_facts_of(tx, row)) for row in _bases(lineage, version, parent)]
    return verdict(version, bases, facts, accept), lineage.predecessor(version)


def _bases(lineage: Lineage, version: Version, parent: RevisionRow | None) -> list[RevisionRow]:
    """Return the revisions from which the bump to `version` is judged, lowest first."""
    before = lineage.predecessor(version)
    rows = [row for row in (parent, None if before is None else lineage.row(before)) if row is not None]
    unyanked = [row for row in rows if row.yank is None]
    chosen = {row.version: row for row in (unyanked or rows) if row.quarantine is None}
    return [row for _, row in sorted(chosen.items())]


def smallest_version(
    tx: ReadTransaction,
    lineage: Lineage,
    parent: RevisionRow | None,
    facts: RevisionFacts,
    accept: Mapping[str, str],
) -> Version:
    """Return the smallest permitted version above the parent that the evidence allows.

    Each is judged from its own bases, so the answer is stable under its new predecessor.

    Raises:
        VersionNotSuccessor: the numbers are exhausted.
    """
    asked: dict[Version, Bump] = {}

    def meets(version: Version, base: RevisionRow) -> bool:
        if base.version not in asked:
            asked[base.version] = asked_bump(judge(revision_facts_of(tx, base), facts), accept)
        return asked[base.version] <= declared_bump(base.version, version)

    permitted = next_versions(lineage.versions)
    if parent is None and permitted:
        return permitted[-1]
    for version in permitted:
        above = parent is not None and version > parent.version
        if above and all(meets(version, base) for base in _bases(lineage, version, parent)):
            return version
    raise VersionNotSuccessor(
        "no version above the parent is left: the numbers are exhausted", field="version"
    )
