"""Who may see and do what, told as the people who ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

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
    parse_role,
    require,
    require_account,
    require_operator,
    require_workspace,
    scopes_on,
    scopes_on_workspace,
)
from nodedata_registry.errors import (
    InvalidRequest,
    ModelNotFound,
    NodeDataError,
    NotAuthenticated,
    ScopeMissing,
    WorkspaceNotFound,
)

PRIVATE = ModelTarget("ws_acme", "mdl_private", public=False)
SIBLING = ModelTarget("ws_acme", "mdl_sibling", public=False)
PUBLIC = ModelTarget("ws_acme", "mdl_public", public=True)
FOREIGN = ModelTarget("ws_other", "mdl_foreign", public=False)
FOREIGN_PUBLIC = ModelTarget("ws_other", "mdl_open", public=True)
ACME = WorkspaceTarget("ws_acme")
OTHER = WorkspaceTarget("ws_other")

READER = Caller("usr_reader", roles={"ws_acme": Role.READER})
PUBLISHER = Caller("usr_publisher", roles={"ws_acme": Role.PUBLISHER})
OWNER = Caller("usr_owner", roles={"ws_acme": Role.OWNER})
BUYER = Caller("usr_buyer", granted_models=frozenset({"mdl_private"}))
STRANGER = Caller("usr_stranger")
OPERATOR = Caller("usr_operator", operator=True)


# --- roles --------------------------------------------------------------------------------------


def test_a_reader_reads() -> None:
    assert scopes_on(READER, PRIVATE) == {Scope.MODELS_READ}


def test_a_publisher_reads_uploads_and_yanks() -> None:
    assert scopes_on(PUBLISHER, PRIVATE) == {Scope.MODELS_READ, Scope.MODELS_UPLOAD, Scope.MODELS_YANK}


def test_an_owner_also_administers_the_workspace_but_not_the_registry() -> None:
    assert scopes_on(OWNER, PRIVATE) == ALL_SCOPES - {Scope.REGISTRY_OPERATE}
    assert scopes_on_workspace(OWNER, ACME) == ALL_SCOPES - {Scope.REGISTRY_OPERATE}


def test_a_role_counts_in_its_own_workspace_only() -> None:
    assert not may_see(OWNER, FOREIGN)
    assert scopes_on(OWNER, FOREIGN) == frozenset()
    assert scopes_on(OWNER, FOREIGN_PUBLIC) == {Scope.MODELS_READ}
    assert not may_see_workspace(OWNER, OTHER)


def test_a_role_is_read_by_its_name() -> None:
    assert [parse_role(text) for text in ("reader", "publisher", "owner")] == list(Role)


@pytest.mark.parametrize("text", ["", "Owner", "admin", "owner ", "x" * 10_000])
def test_another_word_is_no_role(text: str) -> None:
    with pytest.raises(InvalidRequest, match="the roles are reader, publisher, owner") as caught:
        parse_role(text)
    assert caught.value.field == "role"
    assert len(caught.value.message) < 200


# --- buyers -------------------------------------------------------------------------------------


def test_a_buyer_reads_what_was_granted_and_nothing_else() -> None:
    assert scopes_on(BUYER, PRIVATE) == {Scope.MODELS_READ}
    assert not may_see(BUYER, SIBLING)
    assert scopes_on_workspace(BUYER, ACME) == frozenset()


def test_a_buyer_who_publishes_is_told_which_scope_is_missing() -> None:
    with pytest.raises(ScopeMissing, match="models:upload") as caught:
        require(BUYER, PRIVATE, Scope.MODELS_UPLOAD)
    assert caught.value.details == {"scope": "models:upload"}


def test_whoever_sees_a_model_sees_the_workspace_it_is_in() -> None:
    assert not may_see_workspace(BUYER, ACME)
    assert may_see_workspace(BUYER, replace(ACME, has_visible_model=True))


# --- nobody and strangers -----------------------------------------------------------------------


def test_nobody_reads_public_models_and_no_others() -> None:
    assert require(ANONYMOUS, PUBLIC, Scope.MODELS_READ) is PUBLIC
    with pytest.raises(ModelNotFound):
        require(ANONYMOUS, PRIVATE, Scope.MODELS_READ)


def test_nobody_who_acts_on_a_public_model_is_asked_for_a_key() -> None:
    with pytest.raises(NotAuthenticated):
        require(ANONYMOUS, PUBLIC, Scope.MODELS_UPLOAD)


def test_a_stranger_who_acts_on_a_public_model_lacks_the_scope() -> None:
    with pytest.raises(ScopeMissing):
        require(STRANGER, PUBLIC, Scope.MODELS_YANK)


@pytest.mark.parametrize("caller", [ANONYMOUS, STRANGER, BUYER])
def test_a_hidden_model_and_an_absent_one_give_the_same_words(caller: Caller) -> None:
    def refusal(target: ModelTarget | None) -> str:
        with pytest.raises(ModelNotFound) as caught:
            require(caller, target, Scope.MODELS_UPLOAD, asked="acme/secret")
        return caught.value.message

    assert refusal(SIBLING) == refusal(None)
    assert "acme/secret" in refusal(None)


@pytest.mark.parametrize("caller", [ANONYMOUS, STRANGER, BUYER])
def test_a_hidden_workspace_and_an_absent_one_give_the_same_words(caller: Caller) -> None:
    def refusal(target: WorkspaceTarget | None) -> str:
        with pytest.raises(WorkspaceNotFound) as caught:
            require_workspace(caller, target, Scope.WORKSPACE_ADMIN, asked="acme")
        return caught.value.message

    assert refusal(ACME) == refusal(None)


def test_the_message_names_nothing_that_was_found() -> None:
    with pytest.raises(ModelNotFound) as caught:
        require(STRANGER, PRIVATE, Scope.MODELS_READ)
    assert "mdl_" not in caught.value.message
    assert "ws_" not in caught.value.message


# --- a registry that requires keys --------------------------------------------------------------


@pytest.mark.parametrize("target", [PUBLIC, PRIVATE, None])
def test_where_keys_are_required_nobody_is_asked_for_one_whatever_they_ask(
    target: ModelTarget | None,
) -> None:
    with pytest.raises(NotAuthenticated, match="only with an API key"):
        require(ANONYMOUS, target, Scope.MODELS_READ, require_key=True)


def test_where_keys_are_required_nobody_sees_public_models() -> None:
    assert not may_see(ANONYMOUS, PUBLIC, require_key=True)
    assert scopes_on(ANONYMOUS, PUBLIC, require_key=True) == frozenset()


def test_where_keys_are_required_any_key_reads_public_models() -> None:
    assert require(STRANGER, PUBLIC, Scope.MODELS_READ, require_key=True) is PUBLIC


# --- narrowed keys ------------------------------------------------------------------------------


def test_a_key_narrowed_to_reading_still_sees_but_cannot_publish() -> None:
    key = replace(OWNER, key_scopes=frozenset({Scope.MODELS_READ}))
    assert scopes_on(key, PRIVATE) == {Scope.MODELS_READ}
    with pytest.raises(ScopeMissing):
        require(key, PRIVATE, Scope.MODELS_UPLOAD)


def test_a_key_without_the_scope_to_read_is_refused_not_told_that_nothing_is_there() -> None:
    key = replace(OWNER, key_scopes=frozenset({Scope.MODELS_UPLOAD}))
    with pytest.raises(ScopeMissing):
        require(key, PRIVATE, Scope.MODELS_READ)


def test_a_key_for_one_model_does_not_see_its_siblings() -> None:
    key = replace(OWNER, key_model_id="mdl_private")
    assert scopes_on(key, PRIVATE) == scopes_on(OWNER, PRIVATE)
    assert not may_see(key, SIBLING)


def test_a_key_for_one_model_does_nothing_to_the_workspace() -> None:
    key = replace(OWNER, key_model_id="mdl_private")
    assert scopes_on_workspace(key, ACME) == frozenset()
    assert not may_see_workspace(key, ACME)
    with pytest.raises(ScopeMissing):
        require_workspace(key, replace(ACME, has_visible_model=True), Scope.WORKSPACE_ADMIN)


def test_a_key_for_one_workspace_is_worth_nothing_in_another() -> None:
    both = replace(OWNER, roles={"ws_acme": Role.OWNER, "ws_other": Role.OWNER})
    key = replace(both, key_workspace_id="ws_acme")
    assert may_see(both, FOREIGN)
    assert not may_see(key, FOREIGN)
    assert may_see(key, PRIVATE)
    assert scopes_on_workspace(key, OTHER) == frozenset()


def test_a_narrowed_key_reads_what_everybody_reads() -> None:
    key = replace(OWNER, key_model_id="mdl_private", key_scopes=frozenset({Scope.MODELS_UPLOAD}))
    assert require(key, FOREIGN_PUBLIC, Scope.MODELS_READ) is FOREIGN_PUBLIC


# --- operators ----------------------------------------------------------------------------------


def test_an_operator_sees_every_model_and_operates_but_does_not_read_private_files() -> None:
    assert may_see(OPERATOR, PRIVATE)
    assert may_see_workspace(OPERATOR, ACME)
    assert require(OPERATOR, PRIVATE, Scope.REGISTRY_OPERATE) is PRIVATE
    assert scopes_on(OPERATOR, PRIVATE) == {Scope.REGISTRY_OPERATE}


def test_an_operator_operates_the_registry() -> None:
    assert require_operator(OPERATOR) == "usr_operator"


def test_an_owner_is_no_operator() -> None:
    with pytest.raises(ScopeMissing, match="registry:operate"):
        require_operator(OWNER)


@pytest.mark.parametrize(
    "key",
    [
        replace(OPERATOR, key_scopes=ALL_SCOPES - {Scope.REGISTRY_OPERATE}),
        replace(OPERATOR, key_workspace_id="ws_acme"),
        replace(OPERATOR, key_model_id="mdl_private"),
    ],
    ids=["scopes", "workspace", "model"],
)
def test_a_narrowed_key_of_an_operator_does_not_operate_the_registry(key: Caller) -> None:
    with pytest.raises(ScopeMissing):
        require_operator(key)
    assert not may_see(key, FOREIGN)


@pytest.mark.parametrize("act", [require_account, require_operator])
def test_without_a_key_there_is_neither_account_nor_operator(act: Callable[[Caller], str]) -> None:
    with pytest.raises(NotAuthenticated):
        act(ANONYMOUS)


def test_refusals_say_what_to_do() -> None:
    refusals: list[NodeDataError] = []
    for caller, target in ((ANONYMOUS, PUBLIC), (STRANGER, PUBLIC), (STRANGER, PRIVATE)):
        with pytest.raises(NodeDataError) as caught:
            require(caller, target, Scope.MODELS_UPLOAD)
        refusals.append(caught.value)
    assert "send `Authorization: Bearer" in refusals[0].message
    assert "ask an owner for a role" in refusals[1].message
    assert "check the spelling and the key" in refusals[2].message
