"""Which schemas of two revisions are compared with which.

The file that the card describes (its `entry`, or the only one that states a schema) is compared with
the base's described file, wherever that lies. Every other file that states a schema is compared with
its own predecessor by path.
"""

from __future__ import annotations

from dataclasses import replace

from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.findings import Finding, finding
from nodedata_registry.core.schema import Schema, described_path, join
from nodedata_registry.core.schema_findings import compare
from nodedata_registry.errors import SchemaMismatch


def schema_findings(base: RevisionFacts, candidate: RevisionFacts) -> list[Finding]:
    """Return what changed about the inputs and outputs that two revisions state."""
    base_entry = described_path(base.card.entry, base.schemas)
    candidate_entry = described_path(candidate.card.entry, candidate.schemas)
    # Where only one side has a described file, that path's own predecessor or successor is its match.
    path = base_entry if candidate_entry is None else candidate_entry
    before = _stated(base, base_entry, path)
    after = _stated(candidate, candidate_entry, path)
    found = compare(before, after)
    handled = {base_entry, candidate_entry}
    for other in sorted(base.schemas.keys() - handled):
        if other in candidate.schemas:
            changes = compare(base.schemas[other], candidate.schemas[other])
            found += [_in_file(other, item) for item in changes]
        elif not _is_weight_file(base, other):
            message = f"{other} stated inputs and outputs before and does not now"
            found.append(finding("schema_withdrawn", message, other))
    return found


def _stated(facts: RevisionFacts, entry: str | None, path: str | None) -> Schema | None:
    """Return the schema to compare: the revision's own, else that of `path` with what the card adds."""
    if entry is not None or path is None or path not in facts.schemas:
        return facts.schema
    try:
        return join(facts.card.schema, facts.schemas[path], path=path)
    except SchemaMismatch:  # the card describes another of the files then
        return facts.schemas[path]


def _is_weight_file(facts: RevisionFacts, path: str) -> bool:
    file = facts.get(path)
    return file is not None and file.weights


def _in_file(path: str, item: Finding) -> Finding:
    return replace(item, message=f"{path}: {item.message}", subject=path)
