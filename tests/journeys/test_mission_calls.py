"""The calls that the registry is for, against a served registry and against one in this process."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from safetensors.numpy import save_file

from nodedata_registry import NodeData, YankedRevisionWarning, wire
from tests.journeys.running import OWNER_KEY, running

REF = "acme/grasp-policy-v2"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_CARD = """---
license: apache-2.0
task: grasping
inputs:
  observation: [batch, 8]
outputs:
  action: [batch, 4]
benchmarks:
  - {{name: bin, metric: success_rate, value: {rate}}}
---
# Grasp policy
"""


@dataclass(frozen=True)
class Way:
    """A registry, one way or the other, and how a diff is asked for there."""

    node: NodeData
    get_diff: Callable[[str, str], dict[str, Any]]
    model_id: str


def get_diff_with_urllib(url: str, model_id: str, a: str, b: str) -> dict[str, Any]:
    """Ask as anybody may: one GET with a key."""
    address = f"{url}/v1/models/{model_id}/revisions/{quote(a, safe='')}..{quote(b, safe='')}/diff"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {OWNER_KEY}"})
    with OPENER.open(request, timeout=60) as answer:
        assert answer.status == 200
        read: dict[str, Any] = json.load(answer)
    return read


@pytest.fixture(scope="module", params=["served", "in this process"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("mission")
    with ExitStack() as stack:
        if request.param == "served":
            url = stack.enter_context(running(folder / "data")).url
            node = stack.enter_context(NodeData(url, OWNER_KEY, cache=folder / "cache"))
        else:
            node = stack.enter_context(NodeData(path=folder / "data", cache=folder / "cache"))
        node.workspaces.create("acme")
        model_id = node.models.create(REF).id

        def get_diff(a: str, b: str) -> dict[str, Any]:
            if request.param == "served":
                return get_diff_with_urllib(url, model_id, a, b)
            return node.models.diff(model_id, a, b).to_dict()

        yield Way(node, get_diff, model_id)


@pytest.fixture(scope="module")
def published(way: Way, tmp_path_factory: pytest.TempPathFactory) -> Iterator[wire.Revision]:
    """1.3.2 with everything, then 1.4.0 with changed weights and card, from a project's folder."""
    project = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        write(project, rate=0.81, changed=0)
        (project / "processor.json").write_text('{"resize": 224}')
        way.node.models.create_revision(
            model_id=way.model_id,
            version="1.3.2",
            files=["./weights/model.safetensors", "./model_card.md", "./processor.json"],
            changelog="First release here",
        )
        write(project, rate=0.86, changed=1234)
        yield way.node.models.create_revision(
            model_id=way.model_id,
            version="1.4.0",
            files=["./weights/model.safetensors", "./model_card.md"],
            changelog="Trained on twice the grasps",
            parent="1.3.2",
        )


def write(project: Path, *, rate: float, changed: int) -> None:
    """Write weights, `changed` scalars of them moved, and a card with the success rate."""
    random = np.random.default_rng(5)
    weights = {"body": random.standard_normal((64, 64), "f4"), "head": random.standard_normal((4, 64), "f4")}
    weights["body"].reshape(-1)[:changed] += 1
    (project / "weights").mkdir(exist_ok=True)
    save_file(weights, project / "weights" / "model.safetensors")
    (project / "model_card.md").write_text(_CARD.format(rate=rate))


@pytest.mark.usefixtures("published")
class TestTheCallsOfTheMission:
    """In the order of the mission; the yank comes last, for it changes what others see."""

    def test_create_revision_gives_the_version_with_its_parent_and_digest(
        self, published: wire.Revision
    ) -> None:
        assert (published.version, published.parent, published.model) == ("1.4.0", "1.3.2", REF)
        assert len(published.digest) == 64
        assert len(published.commit) == 40
        assert published.verdict.asked == "minor"

    def test_a_list_keeps_the_shape_of_its_paths_and_lies_over_the_parent(self, way: Way) -> None:
        paths = [file.path for file in way.node.models.manifest(REF, "1.4.0").files]
        assert paths == ["model_card.md", "processor.json", "weights/model.safetensors"]

    @pytest.mark.parametrize("revision", ["1.4.0", "^1", "latest"])
    def test_a_download_gives_the_revision_that_the_selector_means(
        self, way: Way, published: wire.Revision, revision: str
    ) -> None:
        policy = way.node.models.download(REF, revision=revision)
        assert (policy.requested, policy.resolved) == (revision, "1.4.0")
        assert (policy.digest, policy.commit) == (published.digest, published.commit)
        assert (policy / "weights" / "model.safetensors").stat().st_size > 4 * 64 * 68
        assert (policy / "processor.json").read_text() == '{"resize": 224}'

    def test_the_diff_counts_parameters_and_judges_benchmarks(self, way: Way) -> None:
        diff = way.get_diff("1.3.2", "1.4.0")
        assert (diff["a"]["version"], diff["b"]["version"]) == ("1.3.2", "1.4.0")
        assert diff["parameters"]["touched"] == 1234
        assert diff["parameters"]["total"] == {"a": 64 * 68, "b": 64 * 68}
        assert [row["name"] for row in diff["parameters"]["tensors"]] == ["body"]
        (benchmark,) = diff["benchmarks"]
        assert (benchmark["value_a"], benchmark["value_b"], benchmark["verdict"]) == (0.81, 0.86, "improved")
        assert (diff["bump"]["declared"], diff["bump"]["asked"]) == ("minor", "minor")
        assert diff["changelogs"] == [{"version": "1.4.0", "changelog": "Trained on twice the grasps"}]

    def test_either_side_of_a_diff_may_be_any_selector(self, way: Way) -> None:
        assert way.get_diff("~1.3", "latest") == way.get_diff("1.3.2", "1.4.0")

    def test_a_yank_warns_whoever_pinned_and_names_where_to_go(self, way: Way) -> None:
        done = way.node.models.yank(REF, "1.3.2", reason="memory leak on Jetson")
        assert (done.changed, done.unchanged) == (["1.3.2"], [])
        with pytest.warns(
            YankedRevisionWarning, match=r"1\.3\.2 was yanked .*memory leak on Jetson.*1\.4\.0"
        ):
            policy = way.node.models.download(REF, revision="1.3.2")
        assert policy.resolved == "1.3.2"
        assert policy.yanked is not None
        assert policy.yanked.suggested == "1.4.0"
        assert way.node.models.download(REF, revision="^1").resolved == "1.4.0"
