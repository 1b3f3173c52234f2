"""Who may do what: each route, each kind of caller, public and private, from the served description."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api.actor import Actor, Reply, World, policy_files, publish_body

ACTORS = ("anonymous", "stranger", "reader", "publisher", "owner", "operator")
MEMBERS = {
    "models:read": {"reader", "publisher", "owner"},
    "models:upload": {"publisher", "owner"},
    "models:yank": {"publisher", "owner"},
    "workspace:admin": {"owner"},
    "registry:operate": {"operator"},
}
INVISIBLE = {"model_not_found", "workspace_not_found"}

# What each call needs: a scope on the model or workspace that its path names, `see` for seeing it,
# `account` for any key, `operator`, or `nothing`.
NEEDS: dict[tuple[str, str], str] = {
    ("GET", "/healthz"): "nothing",
    ("GET", "/v1/me"): "account",
    ("GET", "/v1/keys"): "account",
    ("POST", "/v1/keys"): "account",
    ("DELETE", "/v1/keys/{key}"): "account",
    ("POST", "/v1/accounts"): "operator",
    ("POST", "/v1/workspaces"): "account",
    ("GET", "/v1/workspaces"): "account",
    ("GET", "/v1/workspaces/{slug}"): "see",
    ("PATCH", "/v1/workspaces/{slug}"): "workspace:admin",
    ("GET", "/v1/workspaces/{slug}/members"): "models:read",
    ("PUT", "/v1/workspaces/{slug}/members/{account}"): "workspace:admin",
    ("DELETE", "/v1/workspaces/{slug}/members/{account}"): "workspace:admin",
    ("GET", "/v1/workspaces/{slug}/retention/preview"): "workspace:admin",
    ("POST", "/v1/workspaces/{slug}/retention/apply"): "workspace:admin",
    ("POST", "/v1/models"): "models:upload",
    ("GET", "/v1/models"): "nothing",
    ("GET", "/v1/events"): "nothing",
    ("GET", "{model}"): "models:read",
    ("PATCH", "{model}"): "workspace:admin",
    ("GET", "{model}/grants"): "workspace:admin",
    ("PUT", "{model}/grants/{account}"): "workspace:admin",
    ("DELETE", "{model}/grants/{account}"): "workspace:admin",
    ("POST", "{model}/uploads"): "models:upload",
    ("PUT", "{model}/uploads/{upload}/blocks/{digest}"): "models:upload",
    ("POST", "{model}/revisions"): "models:upload",
    ("GET", "{model}/revisions"): "models:read",
    ("GET", "{model}/revisions/{selector}"): "models:read",
    ("GET", "{model}/revisions/{selector}/manifest"): "models:read",
    ("GET", "{model}/revisions/{selector}/plan"): "models:read",
    ("GET", "{model}/revisions/{selector}/files/{path}"): "models:read",
    ("GET", "{model}/revisions/{selector}/blocks/{digest}"): "models:read",
    ("PUT", "{model}/revisions/{selector}/yank"): "models:yank",
    ("DELETE", "{model}/revisions/{selector}/yank"): "models:yank",
    ("PUT", "{model}/revisions/{selector}/hold"): "workspace:admin",
    ("DELETE", "{model}/revisions/{selector}/hold"): "workspace:admin",
    ("PUT", "{model}/revisions/{selector}/quarantine"): "registry:operate",
    ("DELETE", "{model}/revisions/{selector}/quarantine"): "registry:operate",
    ("POST", "{model}/revisions/{selector}/retire"): "workspace:admin",
    ("PUT", "{model}/revisions/{selector}/attestations"): "models:upload",
    ("GET", "{model}/revisions/{selector}/attestations"): "models:read",
    ("GET", "{model}/revisions/{span}/diff"): "models:read",
}
SPELLINGS = ("/v1/models/{model}", "/v1/models/{workspace}/{name}")

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/keys"): {"name": "another"},
    ("POST", "/v1/accounts"): {"name": "newcomer"},
    ("PATCH", "/v1/workspaces/{slug}"): {"retention": None},
    ("PUT", "/v1/workspaces/{slug}/members/{account}"): {"role": "reader"},
    ("POST", "/v1/workspaces/{slug}/retention/apply"): {"preview": "0" * 64},
    ("PATCH", "{model}"): {"visibility": "public", "confirm": ["9.9.9"]},
    ("PUT", "{model}/grants/{account}"): {},
    ("POST", "{model}/uploads"): publish_body("1.0.2", policy_files(1.0, 5.0)),
    ("PUT", "{model}/uploads/{upload}/blocks/{digest}"): "block",
    ("POST", "{model}/revisions"): publish_body("1.0.2", policy_files(1.0, 5.0)),
    ("PUT", "{model}/revisions/{selector}/attestations"): "block",
    ("PUT", "{model}/revisions/{selector}/yank"): {"reason": "slips"},
    ("PUT", "{model}/revisions/{selector}/hold"): {"reason": "in a warehouse"},
    ("PUT", "{model}/revisions/{selector}/quarantine"): {"reason": "leaked"},
    ("POST", "{model}/revisions/{selector}/retire"): {"reason": "old"},
}


def _short(template: str) -> str:
    for spelling in SPELLINGS:
        if template == spelling or template.startswith(spelling + "/"):
            return "{model}" + template.removeprefix(spelling)
    return template


def _operations(world: World) -> set[tuple[str, str]]:
    paths = world.root.done("GET", "/openapi.json")["paths"]
    return {(method.upper(), _short(path)) for path, methods in paths.items() for method in methods}


def test_every_route_states_what_it_needs(world: World) -> None:
    assert _operations(world) == set(NEEDS)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("spelling", ["name", "id"])
@pytest.mark.parametrize("ref", ["acme/open", "acme/closed", "hidden/secret"])
def test_each_call_on_a_model_is_answered_as_the_roles_say(
    world: World, ref: str, spelling: str, actor: str
) -> None:
    public = ref == "acme/open"
    at = ref if spelling == "name" else world.owner.done("GET", f"/v1/models/{ref}")["id"]
    told = {
        call: _outcome(_send(world, world.people[actor], call, at))
        for call in NEEDS
        if call[1].startswith("{model}")
    }
    expected = {call: _expected(NEEDS[call], actor, visible=public) for call in told}
    assert told == expected


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("slug", ["acme", "hidden"])
def test_each_call_on_a_workspace_is_answered_as_the_roles_say(world: World, slug: str, actor: str) -> None:
    calls = [call for call in NEEDS if call[1].startswith("/v1/workspaces/{slug}")]
    told = {call: _outcome(_send(world, world.people[actor], call, slug)) for call in calls}
    expected = {
        call: _expected(NEEDS[call], actor, visible=slug == "acme", public_read=False) for call in told
    }
    assert told == expected


@pytest.mark.parametrize("actor", ACTORS)
def test_each_call_on_the_registry_is_answered_as_the_account_is(world: World, actor: str) -> None:
    person = world.people[actor]
    for call, need in NEEDS.items():
        if need in ("account", "operator", "nothing"):
            allowed = need == "nothing" or (
                actor != "anonymous" and (need == "account" or actor == "operator")
            )
            refused = "unauthenticated" if actor == "anonymous" else "scope_missing"
            assert _outcome(_send(world, person, call, "")) == ("passed" if allowed else refused), call


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("slug", ["acme", "hidden"])
def test_a_model_is_created_by_those_who_may_upload(world: World, slug: str, actor: str) -> None:
    body = {"ref": f"{slug}/{actor}-made"}
    told = _outcome(world.people[actor].ask("POST", "/v1/models", body))
    assert told == _expected("models:upload", actor, visible=slug == "acme", public_read=False)


def test_search_shows_each_caller_what_they_may_see(world: World) -> None:
    def seen(person: Actor) -> set[str]:
        refs = {item["ref"] for item in person.done("GET", "/v1/models?limit=100")["items"]}
        return refs & {"acme/open", "acme/closed", "hidden/secret"}

    everything = {"acme/open", "acme/closed", "hidden/secret"}
    assert seen(world.anonymous) == seen(world.stranger) == {"acme/open"}
    assert seen(world.reader) == seen(world.operator) == everything


def test_what_may_not_be_seen_reads_like_what_does_not_exist(world: World) -> None:
    hidden = world.stranger.get("/v1/models/hidden/secret").error
    absent = world.stranger.get("/v1/models/hidden/secreu").error
    for one in (hidden, absent):
        one.pop("request_id")
    hidden["message"] = hidden["message"].replace("secret", "secreu")
    assert hidden == absent


def test_events_show_a_stranger_nothing_of_private_models(world: World) -> None:
    page = world.stranger.done("GET", "/v1/events?limit=100")
    text = str(page)
    assert "acme/open" in text
    assert not re.search(r"closed|secret|member|grant", text)


def _send(world: World, person: Actor, call: tuple[str, str], at: str) -> Reply:
    method, template = call
    path = template.replace("{model}", f"/v1/models/{at}").replace("{slug}", at)
    blocks = world.owner.done("GET", "/v1/models/acme/open/revisions/1.0.0/plan")["files"][0]["blocks"]
    values = {
        "account": world.people["stranger"].id if "grants" in path else "usr_0",
        "selector": "9.9.9" if template.endswith(("yank", "hold", "quarantine", "retire")) else "1.0.0",
        "path": "model_card.md",
        "digest": blocks[0][0],
        "span": "1.0.0..1.0.1",
        "upload": "upl_0",
        "key": "key_0",
    }
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    body = BODIES.get(call)
    if template == "/v1/workspaces" and method == "POST":
        body = {"slug": f"w{person.id[-8:].lower()}x" if person.id else "nobody"}
    if body == "block":
        return person.ask(method, path, raw=b"block")
    return person.ask(method, path, body)


def _outcome(reply: Reply) -> str:
    assert reply.status < 500, reply.body
    if reply.status < 400:
        return "passed"
    code = reply.code
    if code in INVISIBLE:
        assert reply.status == 404
        return "invisible"
    if reply.status == 401:
        assert code == "not_authenticated"
        return "unauthenticated"
    if reply.status == 403:
        assert code == "scope_missing"
        return "scope_missing"
    return "passed"


def _expected(need: str, actor: str, *, visible: bool, public_read: bool = True) -> str:
    """Return the outcome by contract section 9; `visible` is what everyone may see."""
    member = actor in ("reader", "publisher", "owner")
    sees = visible or member or actor == "operator"
    if not sees:
        return "invisible"
    if need == "see" or (need == "models:read" and visible and public_read):
        return "passed"
    if actor in MEMBERS[need]:
        return "passed"
    return "unauthenticated" if actor == "anonymous" else "scope_missing"
