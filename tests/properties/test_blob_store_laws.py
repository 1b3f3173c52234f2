"""Any sequence of calls leaves the block store on disk holding what a dictionary would hold."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from nodedata_registry.core.digests import block_digest
from nodedata_registry.errors import BlockNotFound
from nodedata_registry.server.blobs.disk import DiskBlobStore

blocks = st.sampled_from([b"", b"a", b"b" * 1000, bytes(100_000)])


class StoreAsDictionary(RuleBasedStateMachine):
    """The store beside a dictionary {digest: bytes}."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.store = DiskBlobStore(self.root)
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(data=blocks)
    def put(self, data: bytes) -> None:
        digest = block_digest(data)
        assert self.store.put(digest, data) is (digest not in self.model)
        self.model[digest] = data

    @rule(data=blocks)
    def delete(self, data: bytes) -> None:
        digest = block_digest(data)
        assert self.store.delete(digest) is (digest in self.model)
        self.model.pop(digest, None)

    @rule(data=blocks, start=st.floats(0, 1), stop=st.floats(0, 1))
    def read(self, data: bytes, start: float, stop: float) -> None:
        digest = block_digest(data)
        offset, end = sorted((int(start * len(data)), int(stop * len(data))))
        if digest in self.model:
            assert self.store.read(digest, offset, end - offset) == data[offset:end]
        else:
            with pytest.raises(BlockNotFound):
                self.store.read(digest, offset, end - offset)

    @rule()
    def open_again(self) -> None:
        self.store = DiskBlobStore(self.root, temp_age_seconds=0)

    @invariant()
    def holds_the_same(self) -> None:
        listed = {block.digest: block.size_bytes for block in self.store.iterate()}
        assert listed == {digest: len(data) for digest, data in self.model.items()}
        for digest, data in self.model.items():
            assert self.store.get(digest, verify=True) == data


StoreAsDictionary.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
TestStoreAsDictionary = StoreAsDictionary.TestCase
