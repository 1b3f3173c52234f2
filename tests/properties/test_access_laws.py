"""Laws of access: narrowing never gives more, and no key never gives more than a key."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from nodedata_registry.core.access import (
    ALL_SCOPES,
    ANONYMOUS,
    Caller,
    ModelTarget,
    Role,
    Scope,
    WorkspaceTarget,
    may_see,
    may_see_workspace,
    require,
    scopes_on,
    scopes_on_workspace,
)
from nodedata_registry.core.keys import KeyBounds, check_new_key, has_key_checksum, looks_like_key, make_key
from nodedata_registry.errors import ModelNotFound, NotAuthenticated, ScopeMissing

workspaces = st.sampled_from(["ws_a", "ws_b"])
models = st.sampled_from(["mdl_a", "mdl_b"])
scope_sets = st.frozensets(st.sampled_from(Scope))
targets = st.builds(ModelTarget, workspaces, models, st.booleans())
callers = st.just(ANONYMOUS) | st.builds(
    Caller,
    account_id=st.just("usr_x"),
    operator=st.booleans(),
    key_scopes=scope_sets,
    key_workspace_id=st.none() | workspaces,
    key_model_id=st.none() | models,
    roles=st.dictionaries(workspaces, st.sampled_from(Role)),
    granted_models=st.frozensets(models),
)


@given(callers, targets, st.booleans())
def test_whoever_may_do_something_sees_the_model(caller: Caller, target: ModelTarget, locked: bool) -> None:
    if scopes_on(caller, target, require_key=locked):
        assert may_see(caller, target, require_key=locked)


@given(callers, targets, scope_sets, st.booleans())
def test_narrowing_a_key_never_gives_more(
    caller: Caller, target: ModelTarget, scopes: frozenset[Scope], locked: bool
) -> None:
    narrowed = replace(caller, key_scopes=caller.key_scopes & scopes)
    if caller.key_model_id is None and caller.account_id is not None:
        narrowed = replace(narrowed, key_model_id="mdl_a")
    assert scopes_on(narrowed, target, require_key=locked) <= scopes_on(caller, target, require_key=locked)
    assert may_see(narrowed, target, require_key=locked) <= may_see(caller, target, require_key=locked)
    workspace = WorkspaceTarget(target.workspace_id)
    assert scopes_on_workspace(narrowed, workspace) <= scopes_on_workspace(caller, workspace)
    assert may_see_workspace(narrowed, workspace) <= may_see_workspace(caller, workspace)


@given(callers, targets, st.booleans())
def test_leaving_the_key_away_never_gives_more(caller: Caller, target: ModelTarget, locked: bool) -> None:
    assert scopes_on(ANONYMOUS, target, require_key=locked) <= scopes_on(caller, target, require_key=locked)
    assert may_see(ANONYMOUS, target, require_key=locked) <= may_see(caller, target, require_key=locked)


@given(callers, targets)
def test_a_higher_role_never_gives_less(caller: Caller, target: ModelTarget) -> None:
    held = [
        scopes_on(replace(caller, roles={target.workspace_id: role}), target)
        for role in (Role.READER, Role.PUBLISHER, Role.OWNER)
    ]
    assert held[0] <= held[1] <= held[2]


@given(callers, targets)
def test_only_operators_operate(caller: Caller, target: ModelTarget) -> None:
    held = scopes_on(caller, target) | scopes_on_workspace(caller, WorkspaceTarget(target.workspace_id))
    assert Scope.REGISTRY_OPERATE not in held or caller.operator


@given(callers, targets)
def test_nobody_without_role_or_grant_reads_a_private_model(caller: Caller, target: ModelTarget) -> None:
    assume(not target.public)
    assume(target.workspace_id not in caller.roles and target.model_id not in caller.granted_models)
    assert Scope.MODELS_READ not in scopes_on(caller, target)


def verdict(caller: Caller, target: ModelTarget | None, scope: Scope, *, locked: bool) -> str:
    try:
        require(caller, target, scope, require_key=locked)
    except (ModelNotFound, NotAuthenticated, ScopeMissing) as refusal:
        return refusal.code
    return "allowed"


@given(callers, targets, st.sampled_from(Scope), st.booleans())
def test_every_request_is_allowed_or_refused_in_the_one_right_way(
    caller: Caller, target: ModelTarget, scope: Scope, locked: bool
) -> None:
    if caller.account_id is None and locked:
        expected = "not_authenticated"
    elif not may_see(caller, target, require_key=locked):
        expected = "model_not_found"
    elif scope in scopes_on(caller, target, require_key=locked):
        expected = "allowed"
    else:
        expected = "not_authenticated" if caller.account_id is None else "scope_missing"
    assert verdict(caller, target, scope, locked=locked) == expected


@given(callers, targets, st.sampled_from(Scope), st.booleans())
def test_a_hidden_model_is_refused_as_an_absent_one(
    caller: Caller, target: ModelTarget, scope: Scope, locked: bool
) -> None:
    if not may_see(caller, target, require_key=locked):
        assert verdict(caller, target, scope, locked=locked) == verdict(caller, None, scope, locked=locked)


bounds = st.builds(
    KeyBounds,
    scopes=scope_sets,
    workspace_id=st.none() | workspaces,
    model_id=st.none() | models,
)


@given(callers, bounds, targets)
def test_a_key_never_makes_a_key_that_can_do_more(
    caller: Caller, wanted: KeyBounds, target: ModelTarget
) -> None:
    try:
        check_new_key(caller, wanted)
    except (ScopeMissing, NotAuthenticated):
        return
    made = replace(
        caller,
        key_scopes=wanted.scopes,
        key_workspace_id=wanted.workspace_id,
        key_model_id=wanted.model_id,
    )
    assert scopes_on(made, target) <= scopes_on(caller, target)
    assert may_see(made, target) <= may_see(caller, target)


@given(st.binary(min_size=32, max_size=32))
def test_every_made_key_is_a_key_with_its_checksum(random: bytes) -> None:
    assert looks_like_key(make_key(random))
    assert has_key_checksum(make_key(random))


@given(st.binary(min_size=32, max_size=32), st.integers(8, 45), st.sampled_from("09AZaz"))
def test_one_wrong_character_breaks_the_checksum(random: bytes, place: int, character: str) -> None:
    key = make_key(random)
    assume(key[place] != character)
    assert not has_key_checksum(key[:place] + character + key[place + 1 :])


def test_the_scopes_of_the_roles_are_scopes_of_a_whole_key() -> None:
    assert frozenset(Scope) == ALL_SCOPES
