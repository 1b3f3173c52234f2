"""Cards that are made where a source has none that passes: what it states, and nothing guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodedata_registry.core.card import Card, parse_card
from nodedata_registry.core.imported import Imported
from nodedata_registry.sdk.imports.release import Score, Stated
from nodedata_registry.sdk.imports.starter import card_text, license_of, passes, stated_in_card

HERE = Imported("hf", "https://hub.example/acme/x@v1 (abc)")

README = b"""---
license: other
license_name: acme research
library_name: pytorch
pipeline_tag: robotics
tags: [grasping, arm]
base_model: acme/base
datasets: [acme/picks]
inputs: no
model-index:
- name: x
  results:
  - task: {type: robotics}
    dataset: {name: Bin picking, type: picks}
    metrics:
    - {type: success_rate, value: 0.9}
    - {type: success_rate, value: 0.8}
    - {type: time, value: "fast"}
---
# The policy
It grasps.
"""


def made(stated: Stated) -> Card:
    text = card_text(stated, HERE)
    return parse_card("model_card.md", text.encode())


def test_what_the_front_matter_states_is_taken_over() -> None:
    assert not passes("README.md", README)
    card = made(stated_in_card("README.md", README))
    assert card.license == "LicenseRef-acme-research"
    assert (card.framework, card.task) == ("pytorch", "robotics")
    assert card.extra["tags"] == ["grasping", "arm"]
    assert card.extra["base_model"] == ["acme/base"]
    assert card.training_data == ["acme/picks"]
    assert [(one.name, one.metric, one.value) for one in card.benchmarks] == [
        ("Bin picking", "success_rate", 0.9)
    ]
    assert card.text.strip() == "# The policy\nIt grasps."


def test_the_card_says_where_the_release_came_from() -> None:
    assert made(Stated()).extra["imported_from"] == {"source": "hf", "reference": HERE.reference}


def test_a_source_that_states_nothing_gets_no_licence_guessed() -> None:
    card = made(Stated(title="grasp"))
    assert (card.title, card.license) == ("grasp", "LicenseRef-unstated")


@pytest.mark.parametrize(
    ("stated", "license_"),
    [
        ("mit", "MIT"),
        ("llama3", "LicenseRef-llama3"),
        ("Acme licence, 2nd", "LicenseRef-Acme-licence-2nd"),
        ("…", "LicenseRef-unstated"),
    ],
)
def test_a_licence_is_spdx_or_a_reference(stated: str, license_: str) -> None:
    assert license_of(stated) == license_


def test_several_licences_are_not_made_one() -> None:
    stated = stated_in_card("README.md", b"---\nlicense: [mit, apache-2.0]\ninputs: 3\n---\n")
    assert made(stated).license == "LicenseRef-unstated"


def test_a_readme_without_front_matter_becomes_the_cards_text() -> None:
    assert (
        made(stated_in_card("README.md", b"# Grasp\n\nHow to use it.\n")).text.strip().startswith("# Grasp")
    )


def test_figures_that_are_no_numbers_are_left_out() -> None:
    scores = (Score("a", "loss", math.nan), Score("a", "reward", math.inf), Score("a", "auc", 1e-7))
    assert [one.metric for one in made(Stated(scores=scores)).benchmarks] == ["auc"]


def test_a_text_too_long_for_a_card_is_left_out() -> None:
    assert made(Stated(title="x", text="a" * 2_000_000)).text.strip() == "# x"


texts = st.text(max_size=400)


@given(
    st.builds(
        Stated,
        title=texts,
        license=texts,
        framework=texts,
        task=texts,
        tags=st.lists(texts, max_size=4).map(tuple),
        base_models=st.lists(texts, max_size=2).map(tuple),
        datasets=st.lists(texts, max_size=2).map(tuple),
        scores=st.lists(st.builds(Score, texts, texts, st.floats()), max_size=4).map(tuple),
        text=texts,
    )
)
def test_whatever_a_source_states_the_card_passes(stated: Stated) -> None:
    made(stated)


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_readme_the_card_passes(data: bytes) -> None:
    made(stated_in_card("README.md", b"---\n" + data))
