"""Names of workspaces and models."""

from __future__ import annotations

import pytest

from nodedata_registry.core.names import (
    RESERVED_MODELS,
    RESERVED_WORKSPACES,
    ModelRef,
    check_model_name,
    check_workspace_slug,
    fold_name,
    parse_model_ref,
)
from nodedata_registry.errors import InvalidName

MODEL_ID = "mdl_01HF7YAT000000000000000000"


@pytest.mark.parametrize(
    "name", ["a", "7", "grasp-policy-v2", "g1.loco_v2", "a" * 96, "a-.b", "a_-b", "key_points"]
)
def test_good_names_are_returned(name: str) -> None:
    assert check_model_name(name) == name
    assert check_workspace_slug(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 97, id="97 characters"),
        pytest.param("Acme", id="capital"),
        pytest.param("-a", id="starts with a hyphen"),
        pytest.param("a.", id="ends with a dot"),
        pytest.param("_a", id="starts with an underscore"),
        pytest.param("a--b", id="two hyphens"),
        pytest.param("a..b", id="two dots"),
        pytest.param("a.git", id="git"),
        pytest.param("a.ipynb", id="notebook"),
        pytest.param("a b", id="space"),
        pytest.param("a/b", id="slash"),
        pytest.param("a\n", id="newline"),
        pytest.param("\u0430", id="cyrillic letter"),
        pytest.param("a\u0663", id="arabic digit"),
        pytest.param("mdl_x", id="begins like a model id"),
        pytest.param("usr_01hf7yat000000000000000000", id="an id in lower case"),
    ],
)
def test_bad_names_are_refused_for_both(name: str) -> None:
    with pytest.raises(InvalidName) as model:
        check_model_name(name)
    with pytest.raises(InvalidName) as workspace:
        check_workspace_slug(name)
    assert (model.value.field, workspace.value.field) == ("name", "slug")


@pytest.mark.parametrize("name", sorted(RESERVED_WORKSPACES))
def test_reserved_workspaces_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_workspace_slug(name)


@pytest.mark.parametrize("name", sorted(RESERVED_MODELS))
def test_reserved_models_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_model_name(name)


def test_each_list_reserves_for_its_own_kind_only() -> None:
    assert check_workspace_slug("raw") == "raw"
    assert check_model_name("latest") == "latest"


def test_look_alikes_fold_to_one() -> None:
    assert len({fold_name(name) for name in ("a-b", "a_b", "a.b")}) == 1
    assert fold_name("ab") != fold_name("a-b")


def test_a_model_is_referred_to_by_id_or_by_name() -> None:
    assert parse_model_ref(MODEL_ID) == ModelRef(id=MODEL_ID)
    assert parse_model_ref("acme/x") == ModelRef(workspace="acme", name="x")
    assert [str(parse_model_ref(text)) for text in (MODEL_ID, "acme/x")] == [MODEL_ID, "acme/x"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "/x",
        "acme/",
        "acme/x/y",
        "Acme/x",
        "mdl_1",
        MODEL_ID.lower(),
        "acme/../x",
        "usr_" + MODEL_ID[4:],
    ],
)
def test_what_refers_to_no_model_is_refused(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        parse_model_ref(text)
    assert caught.value.field == "model_id"


def test_a_word_that_became_reserved_still_refers_to_its_model() -> None:
    assert parse_model_ref("acme/diff").name == "diff"
