"""Many clients publish one version at once: one content wins, whoever asks gets the same answer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.actor import Actor, Reply, blocks_of, commit_body, policy_files, publish_body
from tests.journeys.running import OWNER_KEY, Running

Files = dict[str, bytes]


def new_model(registry: Running, name: str) -> str:
    """Make a public model and return the path of its calls."""
    Actor(registry.url, OWNER_KEY).done("POST", "/v1/models", {"ref": f"acme/{name}", "visibility": "public"})
    return f"/v1/models/acme/{name}"


def send(actor: Actor, model: str, files: Files) -> str:
    """Open an upload of version 1.0.0 and send what is missing; return the upload's id."""
    opened = actor.done("POST", f"{model}/uploads", publish_body("1.0.0", files))
    pieces = dict(piece for path, data in files.items() for piece in blocks_of(path, data))
    for digest in opened["missing"]:
        reply = actor.ask("PUT", f"{model}/uploads/{opened['upload']}/blocks/{digest}", raw=pieces[digest])
        assert reply.status == 201, reply.body
    return str(opened["upload"])


def race(registry: Running, model: str, contents: Sequence[Files]) -> list[Reply]:
    """Publish 1.0.0 with each content from a client of its own; all commit at one moment."""
    line = threading.Barrier(len(contents))

    def publish(files: Files) -> Reply:
        actor = Actor(registry.url, OWNER_KEY)
        upload = send(actor, model, files)
        body = commit_body("1.0.0", files, upload)
        line.wait(60)
        return actor.ask("POST", f"{model}/revisions", body)

    with ThreadPoolExecutor(len(contents)) as clients:
        return list(clients.map(publish, contents))


def race_with_different_content(registry: Running, name: str, clients: int) -> None:
    """One wins, the others are told what differs, and what stands is the winner's."""
    model = new_model(registry, name)
    contents = [policy_files(1.0, float(number)) for number in range(clients)]
    replies = race(registry, model, contents)
    assert Counter(reply.status for reply in replies) == {201: 1, 409: clients - 1}
    assert {reply.code for reply in replies if reply.status == 409} == {"version_exists"}
    winner = next(number for number, reply in enumerate(replies) if reply.status == 201)
    reader = Actor(registry.url)
    served = reader.get(f"{model}/revisions/1.0.0/files/weights/model.safetensors")
    assert served.body == contents[winner]["weights/model.safetensors"]
    assert [one["id"] for one in reader.done("GET", f"{model}/revisions")["items"]] == [
        replies[winner].json["id"]
    ]


def race_with_the_same_content(registry: Running, name: str, clients: int) -> None:
    """All get the same revision, and it was made once."""
    model = new_model(registry, name)
    replies = race(registry, model, [policy_files(1.0, 2.0)] * clients)
    assert Counter(reply.status for reply in replies) == {201: 1, 200: clients - 1}
    assert len({reply.json["id"] for reply in replies}) == 1
    events = Actor(registry.url, OWNER_KEY).done("GET", "/v1/events?limit=100")["items"]
    ref = model.removeprefix("/v1/models/")
    assert [one["kind"] for one in events if one["model"] == ref].count("revision.published") == 1


def test_one_of_sixteen_different_contents_gets_the_version(registry: Running) -> None:
    race_with_different_content(registry, "different", 16)


def test_sixteen_clients_with_the_same_content_get_one_revision(registry: Running) -> None:
    race_with_the_same_content(registry, "same", 16)


@pytest.mark.soak
def test_one_of_sixty_four_different_contents_gets_the_version(registry: Running) -> None:
    for number in range(10):
        race_with_different_content(registry, f"different{number}", 64)


@pytest.mark.soak
def test_sixty_four_clients_with_the_same_content_get_one_revision(registry: Running) -> None:
    for number in range(10):
        race_with_the_same_content(registry, f"same{number}", 64)


def test_versions_published_at_once_get_numbers_without_a_gap(registry: Running) -> None:
    model = new_model(registry, "automatic")
    actor = Actor(registry.url, OWNER_KEY)
    assert actor.publish("acme/automatic", "1.0.0", policy_files(0.0, 0.0)).status == 201

    def publish(number: int) -> Reply:
        own = Actor(registry.url, OWNER_KEY)
        return own.publish("acme/automatic", "auto", policy_files(1.0, float(number)))

    with ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(publish, range(8)))
    assert [reply.status for reply in replies] == [201] * 8
    found = actor.done("GET", f"{model}/revisions")["items"]
    assert [one["version"] for one in found] == [f"1.0.{number}" for number in range(8, -1, -1)]
    numbers = [one["sequence"] for one in found]
    assert numbers == sorted(numbers, reverse=True)
    assert len({one["digest"] for one in found}) == 9
