"""The smallest honest bump: what the evidence asks for, and whether a version declares it.

    findings   = what differs between a base and the candidate, each asking for a bump
    asked      = the largest of them, those left out that an owner accepted with a reason
    declared   = the leftmost number in which the version differs from the base
    permitted  = asked <= declared, for every base

Declaring more is always allowed. The severities are the table in `findings`; this module reads
nothing but facts (headers and cards), so a client and the server reach the same verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nodedata_registry.core.card_findings import card_findings
from nodedata_registry.core.facts import RevisionFacts
from nodedata_registry.core.file_findings import file_findings, same_model
from nodedata_registry.core.findings import FINDINGS, RULES, Finding, check_code, finding
from nodedata_registry.core.imported import Imported
from nodedata_registry.core.revision_schemas import schema_findings
from nodedata_registry.core.versions import Bump, Version, declared_bump
from nodedata_registry.errors import InvalidReason, VersionTooLow

__all__ = [
    "FINDINGS",
    "RULES",
    "Accepted",
    "BaseVerdict",
    "Bump",
    "Finding",
    "Notice",
    "Verdict",
    "asked_bump",
    "check_accept",
    "check_verdict",
    "judge",
    "verdict",
]

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class BaseVerdict:
    """The judgement from one base. `asked` leaves accepted findings out; `findings` has them all."""

    version: Version
    declared: Bump
    asked: Bump
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the declared bump meets what the evidence asks for."""
        return self.asked <= self.declared


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that an owner accepted, with the written reason."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the publisher should know that refuses nothing."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on a version from all its bases, under rules number `rules`.

    `imported` says where the revision was brought in from; its bump is told and not enforced.
    """

    rules: int
    version: Version
    bases: tuple[BaseVerdict, ...]
    warnings: tuple[Notice, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    imported: Imported | None = None

    @property
    def asked(self) -> Bump:
        """The largest bump that any base asks for; NONE for a first revision."""
        return max((base.asked for base in self.bases), default=Bump.NONE)

    @property
    def ok(self) -> bool:
        """Whether every base's declared bump meets what the evidence asks for."""
        return all(base.ok for base in self.bases)


def judge(base: RevisionFacts, candidate: RevisionFacts) -> tuple[Finding, ...]:
    """Return every finding that leads from `base` to `candidate`, the largest demand first.

    Empty exactly when both have the same files. Cost: linear in files and tensors.
    """
    about_schema = schema_findings(base, candidate)
    about_card = list(card_findings(base.card, candidate.card, corrected=same_model(base, candidate)))
    if not about_card and not about_schema and _card_digest(base) != _card_digest(candidate):
        message = "the card was changed in its wording only"
        about_card = [finding("metadata_changed", message, candidate.card.path)]
    found = [*about_schema, *about_card, *file_findings(base, candidate)]
    return tuple(sorted(found, key=lambda item: -item.asks))


def asked_bump(findings: Iterable[Finding], accept: Mapping[str, str]) -> Bump:
    """Return the largest bump that findings ask for, those with an accepted code left out."""
    return max((item.asks for item in findings if item.code not in accept), default=Bump.NONE)


def verdict(
    version: Version,
    bases: Sequence[tuple[Version, RevisionFacts]],
    candidate: RevisionFacts,
    accept: Mapping[str, str],
) -> Verdict:
    """Return the judgement on `version` from each base, in their order; no base asks for nothing.

    `accept` maps codes to reasons; those that occur are recorded and their demands lifted.

    Raises:
        InvalidRequest: `accept` names a code that is not in the table.
        InvalidReason: a reason in `accept` is empty, too long or has more than one line.
    """
    check_accept(accept)
    judged = []
    for base_version, facts in bases:
        found = judge(facts, candidate)
        declared = declared_bump(base_version, version)
        judged.append(BaseVerdict(base_version, declared, asked_bump(found, accept), found))
    occurring = {item.code for base in judged for item in base.findings}
    accepted = tuple(Accepted(code, accept[code].strip()) for code in sorted(accept) if code in occurring)
    return Verdict(RULES, version, tuple(judged), _warnings(judged, candidate), accepted)


def check_accept(accept: Mapping[str, str]) -> None:
    """Check the codes and reasons with which an owner accepts findings.

    Raises:
        InvalidRequest: an unknown code.
        InvalidReason: a reason is empty, longer than 500 characters or has more than one line.
    """
    for code, reason in accept.items():
        check_code(code)
        if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS or len(reason.splitlines()) > 1:
            raise InvalidReason(
                f"the reason for accepting {code} must be one line of 1 to {MAX_REASON_CHARACTERS}"
                f" characters; it has {len(reason.strip()):,} on {len(reason.splitlines())} lines",
                field="accept",
            )


def check_verdict(judged: Verdict) -> None:
    """Check that the version declares the bump that the evidence asks for, unless it was imported.

    Raises:
        VersionTooLow: it declares less; `details` has `findings` of every base that asks for more
            (each with its `base`), `asked`, `declared` and `base`.
    """
    low = [base for base in judged.bases if not base.ok]
    if not low or judged.imported is not None:
        return
    worst = max(low, key=lambda base: base.asked)
    accepted = {item.code for item in judged.accepted}
    findings = [{**item.to_json(), "base": str(base.version)} for base in low for item in base.findings]
    raise VersionTooLow(
        _too_low(judged.version, worst, accepted),
        field="version",
        details={
            "findings": findings,
            "asked": worst.asked.name.lower(),
            "declared": worst.declared.name.lower(),
            "base": str(worst.version),
        },
    )


def _too_low(version: Version, base: BaseVerdict, accepted: set[str]) -> str:
    reasons = [
        item.message for item in base.findings if item.asks > base.declared and item.code not in accepted
    ]
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    asked = base.asked.name.lower()
    return (
        f"{version} declares a {base.declared.name.lower()} bump from {base.version}, and the evidence asks"
        f" for {asked}: {'; '.join(reasons[:3])}{more}. Publish it with a {asked} bump from"
        f" {base.version}, or have an owner accept the findings with a written reason"
    )


def _warnings(judged: Sequence[BaseVerdict], candidate: RevisionFacts) -> tuple[Notice, ...]:
    notices = [Notice(item.code, item.message) for base in judged for item in base.findings if item.warns]
    if candidate.schema is None and not candidate.schemas:
        message = (
            "nothing states what the model takes and gives: add `inputs` and `outputs` to the card, so that"
            " a change of them is noticed"
        )
        notices.append(Notice("schema_unknown", message))
    return tuple(dict.fromkeys(notices))


def _card_digest(facts: RevisionFacts) -> tuple[str, str | None]:
    file = facts.get(facts.card.path)
    return facts.card.path, None if file is None else file.sha256
