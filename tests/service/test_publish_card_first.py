"""The whole of a card is judged before the weights."""

from __future__ import annotations

import pytest

from nodedata_registry.errors import InvalidCard
from tests.service.worlds import World, card, safetensors


def test_an_entry_that_names_no_file_is_told_before_malformed_weights(world: World) -> None:
    broken = safetensors({"w": [1.0]}) + b"trailing"
    stated = card(license="mit", entry="absent.onnx")
    with pytest.raises(InvalidCard) as caught:
        world.open(world.order("1.0.0", {"model_card.md": stated, "model.safetensors": broken}))
    assert caught.value.field == "entry"
