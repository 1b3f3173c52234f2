"""The models that Hub clients read in these tests.

acme/arm      public   1.0.0, 1.1.0, 2.0.0: weights below a folder, a card with the Hub's keys
acme/leg      public   1.0.0, 1.0.1 (yanked)
acme/closed   private  1.0.0
acme/down     public   1.0.0 (quarantined)
acme/old      private  1.0.0 (retired), 1.0.1
acme/empty    public   nothing published
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nodedata_registry.server.serve import Started
from tests.api.actor import Actor, weights

CARD = b"""---
license: apache-2.0
name: An arm
framework: onnx
task: robotics
tags: [arm, 7]
base_model: acme/older-arm
datasets: {not: a list}
language: en
ignore_metadata_errors: true
---
# An arm
"""
YANK_REASON = "gains of joints 3 and 4 are swapped: überprüft"


@dataclass(frozen=True)
class Shelf:
    """A served registry, its owner, and what `acme/arm` 2.0.0 holds by path."""

    url: str
    data: Path
    owner: Actor
    files: dict[str, bytes]

    def commit(self, model: str, selector: str) -> str:
        """Return the commit of what a selector means."""
        found = self.owner.done("GET", f"/v1/models/{model}/revisions/{selector}")
        return str(found["commit"])


def arm(*values: float, **more: bytes) -> dict[str, bytes]:
    """Return the files of a small model."""
    config = json.dumps({"model_type": "arm", "joints": 7}).encode()
    return {
        "model_card.md": CARD,
        "config.json": config,
        "weights/model.safetensors": weights(*values),
        "weights/notes/übung 1.txt": b"space and umlaut",
        **more,
    }


def fill(started: Started, data: Path) -> Shelf:
    """Publish the models of this module in a fresh registry."""
    owner = Actor(started.url, started.owner_key)
    owner.done("POST", "/v1/workspaces", {"slug": "acme"})
    for name in ("arm", "leg", "down", "empty", "closed", "old"):
        visibility = "private" if name in ("closed", "old") else "public"
        owner.done("POST", "/v1/models", {"ref": f"acme/{name}", "visibility": visibility})
    many = tuple(float(number) for number in range(50_000))
    newest = arm(2.0, *many)
    _publish(owner, "acme/arm", "1.0.0", arm(1.0, *many))
    _publish(owner, "acme/arm", "1.1.0", arm(1.5, *many))
    _publish(owner, "acme/arm", "2.0.0", newest)
    for name, versions in (("leg", 2), ("closed", 1), ("down", 1), ("old", 2)):
        for patch in range(versions):
            _publish(owner, f"acme/{name}", f"1.0.{patch}", arm(float(patch), float(len(name))))
    owner.done("PUT", "/v1/models/acme/leg/revisions/1.0.1/yank", {"reason": YANK_REASON})
    owner.done("PUT", "/v1/models/acme/down/revisions/1.0.0/quarantine", {"reason": "a leaked key"})
    owner.done("POST", "/v1/models/acme/old/revisions/1.0.0/retire", {"reason": "too old"})
    return Shelf(started.url, data, owner, newest)


def _publish(owner: Actor, model: str, version: str, files: dict[str, bytes]) -> None:
    reply = owner.publish(model, version, files)
    assert reply.status == 201, reply.body
