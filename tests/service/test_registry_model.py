"""A registry under any sequence of acts, against a plain model of what it must hold, and fsck."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nodedata_registry.core.versions import Version
from nodedata_registry.errors import Gone, NodeDataError, NotAllowedNow
from nodedata_registry.server.service import accounts, fsck, marks, models, resolve, sweep, workspaces, yank
from nodedata_registry.server.service.identify import identify
from tests.service.conftest import closed, opened
from tests.service.worlds import CARD, World, safetensors

REF = "acme/grasp"
WEIGHTS = [safetensors({"a": [float(n)] * 10, "b": [1.0] * 10}) for n in range(4)]
STARTED = Path(tempfile.mkdtemp(prefix="started-"))


def start() -> str:
    """Make the folder from which every run begins, once; return the owner's key."""
    registry, _ = opened(STARTED)
    key = accounts.first_start(registry, None).owner_key
    if key is not None:
        (STARTED / "key").write_text(key)
        workspaces.create_workspace(registry, identify(registry, key), "acme")
        models.create_model(registry, identify(registry, key), REF, "private")
    closed(registry)
    return (STARTED / "key").read_text()


class Life(RuleBasedStateMachine):
    """Publishes, yanks, retirements, sweeps, jumps of the clock and restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        key = start()
        shutil.copytree(STARTED, self.folder, dirs_exist_ok=True)
        registry, clock = opened(self.folder)
        self.world = World(registry, clock, identify(registry, key), key)
        self.files: dict[Version, dict[str, bytes]] = {}
        self.yanked: set[Version] = set()
        self.retired: set[Version] = set()

    def teardown(self) -> None:
        closed(self.world.registry)
        shutil.rmtree(self.folder)

    def latest(self) -> Version | None:
        served = self.files.keys() - self.retired
        return max(served - self.yanked or served, default=None)

    @rule(content=st.integers(0, 3), note=st.integers(0, 2))
    def publish(self, content: int, note: int) -> None:
        files = {"model_card.md": CARD, "model.safetensors": WEIGHTS[content], "n.txt": b"%d" % note}
        parent = self.latest()
        try:
            found = self.world.publish("auto", files, f"{content}{note}")
        except NodeDataError as error:
            assert error.code == "nothing_changed"
            assert parent is not None and self.files[parent] == files
            return
        if found.row.version in self.files:
            assert found.row.version == parent and self.files[parent] == files
        else:
            assert not self.files or found.row.version > min(self.files)
            self.files[found.row.version] = files

    @rule(content=st.integers(0, 3))
    def leave_an_upload_half_sent(self, content: int) -> None:
        files = {"model_card.md": CARD, "model.safetensors": WEIGHTS[content], "n.txt": b"half"}
        found = self.world.open(self.world.order("auto", files, "half"))
        if found.upload is not None:
            self.world.send(found, {"model.safetensors": WEIGHTS[content]})

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def yank_or_unyank(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.files)))
        if version in self.yanked:
            yank.unyank(self.world.registry, self.world.owner, REF, str(version))
            self.yanked.remove(version)
        else:
            yank.yank(self.world.registry, self.world.owner, REF, str(version), "bad")
            self.yanked.add(version)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.files)))
        try:
            marks.retire(self.world.registry, self.world.owner, REF, str(version), "space")
        except NotAllowedNow:
            raise AssertionError("nothing here is held, public or granted") from None
        self.retired.add(version)

    @rule(grace=st.sampled_from([0, 3600]))
    def sweep(self, grace: int) -> None:
        sweep.sweep(self.world.registry, grace_seconds=grace)

    @rule(hours=st.sampled_from([1, 23, 25]))
    def let_time_pass(self, hours: int) -> None:
        self.world.clock.pass_hours(hours)

    @rule()
    def reopen(self) -> None:
        now, key = self.world.clock.now, self.world.owner_key
        closed(self.world.registry)
        registry, clock = opened(self.folder)
        clock.now = now
        self.world = World(registry, clock, identify(registry, key), key)

    @invariant()
    def what_was_published_is_whole(self) -> None:
        assert fsck.fsck(self.world.registry).problems == []

    @invariant()
    def latest_is_the_highest_served_that_is_not_yanked(self) -> None:
        latest = self.latest()
        try:
            found = resolve.resolve(self.world.registry, self.world.owner, REF, "latest").view.row
        except Gone:
            assert latest is None and self.files
        except NodeDataError:
            assert not self.files
        else:
            assert found.version == latest
            assert (found.yank is not None) == (found.version in self.yanked)

    @invariant()
    def files_read_as_they_were_published(self) -> None:
        for version in sorted(self.files.keys() - self.retired)[-2:]:
            for path, data in self.files[version].items():
                assert self.world.read_file(str(version), path) == data


Life.TestCase.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnyLife = Life.TestCase
