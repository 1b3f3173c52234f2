"""Signing in with a key, and what a session may and may not do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from nodedata_registry.core.keys import hash_key
from nodedata_registry.server.pages import Sessions
from nodedata_registry.server.pages.session import COOKIE, LIFETIME
from tests.pages.conftest import make_app
from tests.pages.grasp import grasp_shelf
from tests.pages.shelf import Shelf

Client = TestClient[Litestar]

KEY = "nd_live_" + "a" * 38
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}
NOW = datetime(2026, 5, 1, tzinfo=timezone.utc)


@pytest.fixture
def shelf() -> Shelf:
    made = grasp_shelf()
    made.keys[hash_key(KEY)] = "line 4"
    return made


@pytest.fixture
def client(shelf: Shelf) -> Iterator[Client]:
    with TestClient(make_app(shelf), base_url="http://registry.test") as made:
        made.follow_redirects = False
        yield made


def sign_in(client: Client, following: str = "/", key: str = KEY) -> httpx.Response:
    answer: httpx.Response = client.post("/login", data={"key": key, "next": following}, headers=SAME_ORIGIN)
    return answer


def test_a_private_model_is_not_found_without_a_session(client: Client) -> None:
    assert client.get("/acme/secret-sauce").status_code == 404


def test_a_private_model_is_shown_after_signing_in(client: Client) -> None:
    sign_in(client)
    assert client.get("/acme/secret-sauce").status_code == 200


def test_signing_in_leads_to_where_the_visitor_wanted(client: Client) -> None:
    answer = sign_in(client, "/acme/secret-sauce?cursor=2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/acme/secret-sauce?cursor=2")


@pytest.mark.parametrize("target", ["//abroad.example", "https://abroad.example", "/\\abroad.example", "x"])
def test_signing_in_never_leads_elsewhere(client: Client, target: str) -> None:
    assert sign_in(client, target).headers["location"] == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Client) -> None:
    cookie = sign_in(client).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie


def test_the_cookie_is_secure_over_https(shelf: Shelf) -> None:
    with TestClient(make_app(shelf), base_url="https://registry.test") as client:
        client.follow_redirects = False
        assert "secure" in sign_in(client).headers["set-cookie"].lower()


def test_the_cookie_does_not_hold_the_key(client: Client) -> None:
    assert KEY not in sign_in(client).headers["set-cookie"]


@pytest.mark.parametrize("key", ["nd_live_" + "b" * 38, "", "x" * 5000, "ключ", "a\nb"])
def test_a_wrong_key_is_refused_in_one_sentence(client: Client, key: str) -> None:
    answer = sign_in(client, key=key)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_refused_key_is_not_repeated(client: Client) -> None:
    wrong = "nd_live_" + "b" * 38
    assert wrong not in sign_in(client, key=wrong).text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://abroad.example"},
        {"origin": "null"},
    ],
    ids=lambda headers: "=".join(next(iter(headers.items()))),
)
def test_a_form_of_another_site_cannot_sign_anybody_in_or_out(
    client: Client, headers: dict[str, str]
) -> None:
    assert client.post("/login", data={"key": KEY}, headers=headers).status_code == 403
    assert client.post("/logout", headers=headers).status_code == 403


def test_an_older_browser_is_known_by_its_origin(client: Client) -> None:
    answer = client.post("/login", data={"key": KEY}, headers={"origin": "http://registry.test"})
    assert answer.status_code == 303


def test_signing_out_ends_the_session(client: Client) -> None:
    sign_in(client)
    answer = client.post("/logout", headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert client.get("/acme/secret-sauce").status_code == 404


def test_signing_out_by_a_link_is_impossible(client: Client) -> None:
    sign_in(client)
    assert client.get("/logout").status_code in (404, 405)
    assert client.get("/acme/secret-sauce").status_code == 200


def test_a_revoked_key_ends_the_session_at_once(client: Client, shelf: Shelf) -> None:
    sign_in(client)
    shelf.keys.clear()
    assert client.get("/acme/secret-sauce").status_code == 404


def test_pages_of_a_session_are_kept_by_no_cache(client: Client) -> None:
    sign_in(client)
    assert client.get("/").headers["cache-control"] == "private, no-store"


def test_where_keys_are_required_a_visitor_is_asked_to_sign_in(client: Client, shelf: Shelf) -> None:
    shelf.require_key = True
    answer = client.get("/acme/grasp-policy-v2")
    assert answer.status_code == 401
    assert 'name="next" value="/acme/grasp-policy-v2"' in answer.text
    sign_in(client)
    assert client.get("/acme/grasp-policy-v2").status_code == 200


def test_an_overlong_form_is_refused(client: Client) -> None:
    assert client.post("/login", data={"key": "x" * 50_000}, headers=SAME_ORIGIN).status_code == 413


def sessions(now: datetime = NOW, secret: bytes = b"s" * 32) -> Sessions:
    return Sessions(secret, lambda: now)


def test_a_session_is_read_back_as_the_hash_of_its_key() -> None:
    assert sessions().read(sessions().issue(KEY)) == hash_key(KEY)


def test_a_session_runs_out() -> None:
    issued = sessions().issue(KEY)
    assert sessions(NOW + LIFETIME - timedelta(seconds=2)).read(issued) == hash_key(KEY)
    assert sessions(NOW + LIFETIME).read(issued) is None


def test_a_session_signed_by_another_registry_is_worth_nothing() -> None:
    assert sessions().read(sessions(secret=b"t" * 32).issue(KEY)) is None


@pytest.mark.parametrize("cookie", [None, "", ".", "..", "a.b.c", "é.1.2", "x" * 10_000])
def test_garbage_is_no_session(cookie: str | None) -> None:
    assert sessions().read(cookie) is None


def test_a_changed_expiry_is_noticed() -> None:
    digest, expires, signature = sessions().issue(KEY).split(".")
    assert sessions().read(f"{digest}.{int(expires) + 1}.{signature}") is None


def test_a_garbage_cookie_shows_the_public_page(client: Client) -> None:
    client.cookies.set(COOKIE, "a.b.c")
    assert client.get("/").status_code == 200
