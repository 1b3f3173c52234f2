"""Which private revisions go and which stay, each with the rule that says so.

A policy is a set of *keep* rules joined by OR. No policy, or an empty one, keeps everything. Whatever
the policy says, these stay: the highest version, what `latest` gives, held ones, what existed while a
grant on the model lives, what was ever public, and what is quarantined (an operator's evidence).

What exactly the rules mean:

- `keep_last: N` keeps the N published last (by time, then by version).
- `keep_days: N` keeps what is at most N times 24 hours old; exactly N days old still stays.
- `keep_latest_of: major|minor` keeps, in each major or minor line, what a range of that line gives:
  the highest not yanked, or the highest if all are yanked.
- `keep_unyanked: true` keeps what is not yanked.

Retired revisions have no files any more: they take no place in any rule and are left out of the plan.
Quarantined ones stay, but take no place in `keep_last`, `keep_latest_of` and `latest` either.

It follows, and `tests/properties` holds it: adding a rule or raising a number never removes more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from nodedata_registry.core.digests import canonical_json, sha256_hex
from nodedata_registry.core.versions import Version
from nodedata_registry.errors import InvalidRequest, NotAllowedNow, RevisionRetired

MAX_NUMBER = 1_000_000
"""The largest N of `keep_last` and `keep_days`."""


class Line(str, Enum):
    """Which line `keep_latest_of` looks at."""

    MAJOR = "major"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Policy:
    """A workspace's keep rules; `None` (or `False`) states no rule."""

    keep_last: int | None = None
    keep_days: int | None = None
    keep_latest_of: Line | None = None
    keep_unyanked: bool = False

    @property
    def empty(self) -> bool:
        """Whether no rule is stated, which keeps everything."""
        return self == Policy()

    def to_mapping(self) -> dict[str, int | str | bool]:
        """Return the stated rules, as `parse_policy` takes them."""
        line = self.keep_latest_of
        rules: dict[str, int | str | bool | None] = {
            "keep_last": self.keep_last,
            "keep_days": self.keep_days,
            "keep_latest_of": None if line is None else line.value,
            "keep_unyanked": self.keep_unyanked,
        }
        return {name: value for name, value in rules.items() if value}


@dataclass(frozen=True, slots=True)
class RevisionState:
    """A revision as retention sees it. `created_at` is in UTC.

    `under_grant`: it existed while a grant that still lives was in force. `ever_public`: it was
    readable by everyone at some time, whatever it is now.
    """

    id: str
    version: Version
    created_at: datetime
    yanked: bool = False
    held: bool = False
    retired: bool = False
    quarantined: bool = False
    under_grant: bool = False
    ever_public: bool = False


@dataclass(frozen=True, slots=True)
class RetentionItem:
    """One revision's lot: `reasons` says every rule that keeps it, or why each stated rule does not."""

    id: str
    version: Version
    keep: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What becomes of one model's unretired revisions, lowest version first."""

    items: tuple[RetentionItem, ...]

    @property
    def retire(self) -> tuple[RetentionItem, ...]:
        """The revisions that would go, lowest version first."""
        return tuple(item for item in self.items if not item.keep)

    @property
    def digest(self) -> str:
        """SHA-256 of what goes and what stays; reasons and the time of asking do not enter."""
        return sha256_hex(canonical_json(_outcome(self)))


def preview_digest(plans: Mapping[str, RetentionPlan]) -> str:
    """Return the digest of a workspace's preview: {model id: plan}, in any order.

    Models without unretired revisions do not enter.
    """
    outcomes = {model_id: _outcome(plan) for model_id, plan in plans.items() if plan.items}
    return sha256_hex(canonical_json(outcomes))


def parse_policy(mapping: Mapping[str, object]) -> Policy:
    """Return the policy that a request states; `null` and `false` state no rule.

    >>> parse_policy({"keep_last": 5, "keep_latest_of": "minor"}).to_mapping()
    {'keep_last': 5, 'keep_latest_of': 'minor'}

    Raises:
        InvalidRequest: an unknown rule, a wrong type, or a number outside 1 to 1,000,000.
    """
    known = ("keep_last", "keep_days", "keep_latest_of", "keep_unyanked")
    for name in mapping:
        if name not in known:
            raise InvalidRequest(
                f"no retention rule is called {str(name)[:40]!r}; the rules are {', '.join(known)}",
                field=f"retention.{str(name)[:40]}",
            )
    return Policy(
        keep_last=_number(mapping, "keep_last"),
        keep_days=_number(mapping, "keep_days"),
        keep_latest_of=_line(mapping.get("keep_latest_of")),
        keep_unyanked=_flag(mapping.get("keep_unyanked")),
    )


def plan(policy: Policy | None, revisions: Iterable[RevisionState], now: datetime) -> RetentionPlan:
    """Return what the policy would retire of one model's revisions, and why the others stay.

    Deterministic, whatever the order of `revisions`. No revisions give an empty plan. The cost is that
    of a sort.
    """
    present = sorted((state for state in revisions if not state.retired), key=lambda state: state.version)
    always = _always_rules(present)
    stated = _policy_rules(policy or Policy(), present, now)
    return RetentionPlan(tuple(_judged(state, always, stated) for state in present))


def check_named_retirement(state: RevisionState) -> None:
    """Pass if an owner may retire this one revision by name.

    That it is the highest, or what `latest` gives, does not protect it here: a leaked file is most
    often in the newest revision.

    Raises:
        RevisionRetired: it is retired already.
        NotAllowedNow: it was public, is held, is quarantined, or a living grant covers it.
    """
    if state.retired:
        raise RevisionRetired(f"revision {state.version} is retired already")
    obstacles = (
        (state.ever_public, "was public, and what was public is kept for ever"),
        (state.held, "is held; take the hold away first"),
        (state.quarantined, "is quarantined; an operator must lift that first"),
        (state.under_grant, "is covered by a grant that lives; revoke the grant first"),
    )
    for stands, why in obstacles:
        if stands:
            raise NotAllowedNow(f"revision {state.version} cannot be retired: it {why}")


# --- rules --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    """`keeps` judges a revision; `kept` and `not_kept` say so in words."""

    keeps: Callable[[RevisionState], bool]
    kept: Callable[[RevisionState], str]
    not_kept: Callable[[RevisionState], str]


def _judged(state: RevisionState, always: list[_Rule], stated: list[_Rule]) -> RetentionItem:
    reasons = [rule.kept(state) for rule in (*always, *stated) if rule.keeps(state)]
    if not stated:
        reasons.append("no policy")
    if reasons:
        return RetentionItem(state.id, state.version, True, tuple(reasons))
    return RetentionItem(state.id, state.version, False, tuple(rule.not_kept(state) for rule in stated))


def _always_rules(present: list[RevisionState]) -> list[_Rule]:
    highest = present[-1].id if present else None
    latest = _latest(present)
    facts: tuple[tuple[str, Callable[[RevisionState], bool]], ...] = (
        ("highest version", lambda state: state.id == highest),
        ("latest", lambda state: state.id == latest),
        ("held", lambda state: state.held),
        ("grant", lambda state: state.under_grant),
        ("was public", lambda state: state.ever_public),
        ("quarantined", lambda state: state.quarantined),
    )
    return [_Rule(keeps, _saying(name), _saying(f"not {name}")) for name, keeps in facts]


def _policy_rules(policy: Policy, present: list[RevisionState], now: datetime) -> list[_Rule]:
    rules = []
    if policy.keep_last is not None:
        rules.append(_last_rule(policy.keep_last, present))
    if policy.keep_days is not None:
        rules.append(_days_rule(policy.keep_days, now))
    if policy.keep_latest_of is not None:
        rules.append(_latest_of_rule(policy.keep_latest_of, present))
    if policy.keep_unyanked:
        rules.append(_Rule(lambda state: not state.yanked, _saying("keep_unyanked"), _saying("yanked")))
    return rules


def _last_rule(count: int, present: list[RevisionState]) -> _Rule:
    served = [state for state in present if not state.quarantined]
    newest = sorted(served, key=lambda state: (state.created_at, state.version), reverse=True)
    last = {state.id for state in newest[:count]}
    return _Rule(
        lambda state: state.id in last,
        _saying(f"keep_last: {count}"),
        _saying(f"not among the last {count} published"),
    )


def _days_rule(days: int, now: datetime) -> _Rule:
    limit = timedelta(days=days)
    return _Rule(
        lambda state: now - state.created_at <= limit,
        _saying(f"keep_days: {days}"),
        _saying(f"older than {days} days"),
    )


def _latest_of_rule(line: Line, present: list[RevisionState]) -> _Rule:
    lines: dict[str, list[RevisionState]] = {}
    for state in present:
        lines.setdefault(_line_of(state.version, line), []).append(state)
    latest = {_latest(members) for members in lines.values()}
    return _Rule(
        lambda state: state.id in latest,
        lambda state: f"keep_latest_of: {line.value} ({_line_of(state.version, line)})",
        lambda state: f"not the latest of {_line_of(state.version, line)}",
    )


def _latest(ascending: list[RevisionState]) -> str | None:
    """Return the id of what `latest` would give among revisions in ascending order of version."""
    served = [state for state in ascending if not state.quarantined]
    unyanked = [state for state in served if not state.yanked]
    best = unyanked or served
    return best[-1].id if best else None


def _line_of(version: Version, line: Line) -> str:
    return f"{version.major}.x" if line is Line.MAJOR else f"{version.major}.{version.minor}.x"


def _saying(text: str) -> Callable[[RevisionState], str]:
    return lambda _state: text


# --- values -------------------------------------------------------------------------------------


def _outcome(plan: RetentionPlan) -> dict[str, list[list[str]]]:
    outcome: dict[str, list[list[str]]] = {"keep": [], "retire": []}
    for item in plan.items:
        outcome["keep" if item.keep else "retire"].append([item.id, str(item.version)])
    return outcome


def _number(mapping: Mapping[str, object], name: str) -> int | None:
    value = mapping.get(name)
    if value is None:
        return None
    # bool is an int in Python; `keep_last: true` means nothing.
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_NUMBER:
        raise InvalidRequest(
            f"{name} is {str(value)[:40]!r}; it takes a whole number from 1 to {MAX_NUMBER:,}",
            field=f"retention.{name}",
        )
    return value


def _line(value: object) -> Line | None:
    if value is None:
        return None
    for line in Line:
        if line.value == value:
            return line
    raise InvalidRequest(
        f"keep_latest_of is {str(value)[:40]!r}; it takes 'major' or 'minor'",
        field="retention.keep_latest_of",
    )


def _flag(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InvalidRequest(
        f"keep_unyanked is {str(value)[:40]!r}; it takes true or false", field="retention.keep_unyanked"
    )
