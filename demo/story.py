"""The story, chapter by chapter. What it claims it checks: a wrong figure ends it (`OffScript`)."""

from __future__ import annotations

import hashlib
import re
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import msgspec

from demo import policies
from demo.packages import HOLOSOMA, fetch
from demo.policies import Policy
from demo.screen import Screen
from demo.server import Served, command_path, fetch_page
from demo.walk import walk
from nodedata_registry import NodeData, NodeDataError, Snapshot, YankedRevisionWarning, errors, wire
from nodedata_registry.core.diff import ShownFinding

G1 = "acme/g1-locomotion"
T1 = "acme/t1-locomotion"
LAB = "acme/g1-dance-lab"


class OffScript(Exception):
    """Something did not happen as the story tells it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every chapter has at hand."""

    screen: Screen
    server: Served
    node: NodeData
    run: Path
    cast: Mapping[policies.Source, Policy]

    def folder(self, name: str) -> Path:
        """Return a folder of this run, made if it is absent."""
        made = self.run / name
        made.mkdir(parents=True, exist_ok=True)
        return made


def tell(screen: Screen, server: Served, run: Path, packages: Path) -> None:
    """Tell the whole story against a served, empty registry.

    Raises:
        OffScript: something did not happen as told.
        NotFetched: the policies could not be downloaded.
        NodeDataError: a call failed that the story needs.
    """
    cast = _introduce(screen, run, packages)
    with NodeData(server.url, server.owner_key, cache=run / "cache") as node:
        stage = Stage(screen, server, node, run, cast)
        for chapter in _CHAPTERS:
            chapter(stage)


# --- the chapters -----------------------------------------------------------------------------------


def _introduce(screen: Screen, run: Path, packages: Path) -> dict[policies.Source, Policy]:
    screen.chapter("Six policies, and what they do")
    screen.say(
        f"From the PyPI package {HOLOSOMA.requirement} (downloaded without its dependencies, never installed;"
        " only its ONNX files are read). ONNX Runtime walks each through its observation space."
    )
    kept = (packages / HOLOSOMA.file_name).exists()
    wheel = fetch(HOLOSOMA, packages)
    screen.good(f"{'kept from an earlier run' if kept else 'downloaded'}: {wheel}, SHA-256 as expected")
    folder = run / "policies"
    cast = {source: policies.unpack_policy(wheel, source, folder) for source in policies.SOURCES}
    screen.table(
        ("policy", "size>", "parameters>", "ms per step>", "mean change of action>"),
        [
            (
                policy.title,
                f"{policy.path.stat().st_size:,} B",
                f"{policy.parameter_count():,}",
                f"{policy.walked.ms_per_step:.3f}",
                f"{policy.walked.mean_action_change:.6g}",
            )
            for policy in cast.values()
        ],
    )
    return cast


def _first_revisions(stage: Stage) -> None:
    screen, server = stage.screen, stage.server
    screen.chapter("A registry, a model, two revisions")
    screen.shell(f"node-data serve --data {server.data} --port 0")
    screen.good(f"answers at {server.url} after {server.ready_seconds:.1f} s; a new, empty registry")
    screen.call(
        'node = NodeData(base_url, api_key)\nnode.workspaces.create("acme")\n'
        f'node.models.create("{G1}", visibility="public")'
    )
    stage.node.workspaces.create("acme")
    made = stage.node.models.create(G1, visibility="public")
    screen.good(f"{made.ref} is {made.id}, {made.visibility}")
    _publish(stage, G1, "1.0.0", policies.G1_PPO, "PPO walking policy")
    _publish(
        stage, G1, "1.1.0", policies.G1_SAC, "FastSAC walking policy: same inputs and outputs, new network"
    )
    _show_bump(stage, "1.0.0", "1.1.0")
    screen.say("A patch would have been honest enough; declaring more is always allowed.")


def _exact_diff(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("A few scalars change, and the diff counts them")
    screen.say("1.1.1 softens the ankles: the last layer's rows of the ankle joints, times 0.98.")
    before = stage.cast[policies.G1_SAC]
    after = _softened(stage, "ankles", lambda joint: "ankle" in joint)
    revision = _publish_policy(stage, G1, "1.1.1", after, "Soften both ankles")
    screen.call(f'd = node.models.diff("{G1}", "1.1.0", "1.1.1")')
    diff = stage.node.models.diff(G1, "1.1.0", "1.1.1")
    screen.table(
        ("tensor", "shape>", "touched>", "largest change>"),
        [(t.name, list(t.shape), f"{t.touched:,}", f"{t.max_abs:.4g}") for t in diff.parameters.tensors],
    )
    counted = policies.count_changed(before.path, after.path)
    _expect(diff.parameters.touched == counted, f"the diff says {diff.parameters.touched}, NumPy {counted}")
    screen.good(
        f"{diff.parameters.touched:,} of {diff.parameters.total.b:,} parameters touched;"
        f" NumPy, comparing both files bit by bit, counts {counted:,}"
    )
    for change in diff.benchmarks:
        screen.good(f"{change.metric}: {change.value_a:.6g} → {change.value_b:.6g} ({change.verdict})")
    screen.good(
        f"a robot that has 1.1.0 fetches {diff.files.transfer_bytes:,} B of {revision.size_bytes:,} B"
    )


def _dance(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("Dancing is no minor change")
    source = policies.DANCE_SAC
    with _refusal(stage, errors.VersionTooLow) as refused:
        _publish(stage, G1, "1.2.0", source, "It dances")
    _show_reasons(stage, refused[0])
    screen.say("Other inputs, other outputs: who follows ^1 must not get this. As 2.0.0 it may come:")
    _publish(stage, G1, "2.0.0", source, "It dances: other inputs and outputs")


def _other_robot(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("The same shapes, another robot")
    g1, t1 = stage.cast[policies.G1_SAC], stage.cast[policies.T1_SAC]
    screen.say(
        "Booster T1's policy takes [1, 100] and gives [1, 29], as G1's does. But action 0 moves"
        f" {policies.joints(t1.path)[0]!r} there and {policies.joints(g1.path)[0]!r} here."
    )
    with _refusal(stage, errors.VersionTooLow) as refused:
        _publish(stage, G1, "1.2.0", policies.T1_SAC, "Fits every shape", parent="1.1.1")
    _show_reasons(stage, refused[0])


def _selectors(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("Pin, range, latest")
    asked = ("1.1.0", "^1", "latest")
    screen.call("\n".join(f'node.models.download("{G1}", revision="{revision}")' for revision in asked))
    rows = []
    for revision in asked:
        forecast = stage.node.models.forecast(G1, revision)
        snapshot = stage.node.models.download(G1, revision)
        _check_snapshot(stage, snapshot)
        rows.append(
            (
                revision,
                snapshot.resolved,
                snapshot.digest[:16],
                f"{forecast.fetch_bytes:,} B",
                f"{forecast.total_bytes:,} B",
            )
        )
    screen.table(("asked for", "is", "digest", "fetched>", "of>"), rows)
    _expect([row[1] for row in rows] == ["1.1.0", "1.1.1", "2.0.0"], f"resolved {rows}")
    screen.good("every file has the SHA-256 of its manifest; ^1 reused what 1.1.0 had brought")
    policy = stage.node.models.download(G1, "^1") / "policy.onnx"
    stated = stage.node.models.resolve(G1, "^1").revision.benchmarks[0].value
    again = float(f"{walk(policy).mean_action_change:.6g}")
    _expect(again == stated, f"the downloaded policy gives {again}, its card says {stated}")
    screen.good(f"run again, what ^1 gave has the figure of its card: {again:.6g}")


def _yank(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("A yank warns, and breaks nothing")
    reason = "only the left ankle was meant to be softened"
    screen.call(f'node.models.yank("{G1}", "1.1.1", reason="{reason}")')
    stage.node.models.yank(G1, "1.1.1", reason)
    found = stage.node.models.resolve(G1, "^1").resolved
    _expect(found == "1.1.0", f"^1 gives {found}")
    screen.good(f"^1 now means {found}. Whoever pinned 1.1.1 still gets it, and hears why not to:")
    _pinned_and_warned(stage)
    screen.shell(f"node-data pull {G1}@1.1.1")
    screen.warned(_pull(stage, "1.1.1"))


def _back_port(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("A back-port, after 2.0.0")
    left = _softened(stage, "left-ankle", lambda joint: joint.startswith("left_ankle"))
    revision = _publish_policy(stage, G1, "1.1.2", left, "Soften the left ankle only", parent="1.1.0")
    screen.table(
        ("asked for", "is"),
        [(asked, stage.node.models.resolve(G1, asked).resolved) for asked in ("^1", "~1.1", "latest")],
    )
    found = stage.node.models.resolve(G1, "^1").resolved
    _expect(found == revision.version, f"^1 gives {found}")
    screen.say("And the warning about 1.1.1 knows where to go now:")
    _pinned_and_warned(stage)


def _buyer(stage: Stage) -> None:
    screen, node = stage.screen, stage.node
    screen.chapter("Private models, and a buyer of one")
    node.models.create(T1)
    _publish(stage, T1, "1.0.0", policies.T1_PPO, "PPO walking policy")
    _publish(stage, T1, "1.1.0", policies.T1_SAC, "FastSAC walking policy")
    node.models.create(LAB)
    _publish(stage, LAB, "1.0.0", policies.DANCE_PPO, "PPO dancing policy")
    account = node.accounts.create("buyer")
    node.grants.put(T1, account.id)
    screen.call(
        f'account = node.accounts.create("buyer")\nnode.grants.put("{T1}", account.id)\n'
        "buyer = NodeData(base_url, account.key)"
    )
    with NodeData(stage.server.url, account.key, cache=stage.run / "buyer-cache") as buyer:
        seen = sorted((model.ref, model.visibility) for model in buyer.models.list().items)
        screen.table(("the buyer sees", "which is"), seen)
        _expect([ref for ref, _ in seen] == [G1, T1], f"the buyer sees {seen}")
        snapshot = buyer.models.download(T1, "^1")
        screen.good(f"downloads {T1} ^1: {snapshot.resolved}, {snapshot.digest[:16]}")
        with _refusal(stage, errors.ModelNotFound):
            screen.call(f'buyer.models.get("{LAB}")')
            buyer.models.get(LAB)
        with _refusal(stage, errors.ScopeMissing):
            screen.call(f'buyer.models.yank("{T1}", "1.0.0", reason="because")')
            buyer.models.yank(T1, "1.0.0", "because")


def _retention(stage: Stage) -> None:
    screen, node = stage.screen, stage.node
    screen.chapter("What retention would do")
    _publish(stage, LAB, "1.1.0", policies.DANCE_SAC, "FastSAC dancing policy")
    soft = _softened(stage, "dancing", lambda joint: "ankle" in joint, policies.DANCE_SAC)
    _publish_policy(stage, LAB, "1.1.1", soft, "Soften both ankles")
    node.models.hold(LAB, "1.0.0", "what later ones are compared with")
    screen.call('node.workspaces.set_retention("acme", {"keep_last": 1})\nnode.retention.preview("acme")')
    node.workspaces.set_retention("acme", {"keep_last": 1})
    preview = node.retention.preview("acme")
    screen.table(
        ("revision", "would", "because"),
        [(f"{item.model}@{item.version}", item.action, "; ".join(item.reasons)) for item in preview.items],
    )
    going = [f"{item.model}@{item.version}" for item in preview.items if item.action == "retire"]
    _expect(going == [f"{LAB}@1.1.0"], f"would go: {going}")
    screen.good(
        f"one would go; nothing has. Apply takes the digest of just this preview: {preview.digest[:16]}…"
    )


def _listing_page(stage: Stage) -> None:
    screen = stage.screen
    screen.chapter("The listing page")
    url = f"{stage.server.url}/{G1}"
    screen.shell(f"curl {url}")
    text = _read_page(url)
    snippet = f"node-data pull {G1}@2.0.0"
    told = (snippet, "What 2.0.0 changed against 1.1.1", "1.0.0", "1.1.0", "1.1.1", "1.1.2")
    _expect(all(part in text for part in told), f"{url} lacks one of {told}")
    screen.good(f"{len(text.split()):,} words: card, benchmarks, inputs and outputs, files, five revisions")
    screen.good(f"install snippet with an exact pin: {snippet}")
    screen.good(f"{told[1]}: files, parameters, benchmarks, bump")
    (yanked,) = (item.yanked for item in stage.node.models.revisions(G1).items if item.yanked is not None)
    _expect(yanked.reason in _read_page(f"{url}/v/1.1.1"), "the page of 1.1.1 has no banner")
    screen.good(f"/{G1}/v/1.1.1 has a card of its own and the banner: {yanked.reason}")
    hidden, _ = fetch_page(f"{stage.server.url}/{LAB}")
    _expect(hidden == 404, f"a private model's page answers {hidden}")
    screen.good(f"/{LAB} is {hidden} for whoever has no key")


def _read_page(url: str) -> str:
    """Return the words of a page, tags taken out."""
    status, page = fetch_page(url)
    _expect(status == 200, f"{url} answers {status}")
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


_CHAPTERS: tuple[Callable[[Stage], None], ...] = (
    _first_revisions,
    _exact_diff,
    _dance,
    _other_robot,
    _selectors,
    _yank,
    _back_port,
    _buyer,
    _retention,
    _listing_page,
)


# --- what chapters share ----------------------------------------------------------------------------


def _publish(
    stage: Stage, model: str, version: str, source: policies.Source, changelog: str, parent: str | None = None
) -> wire.Revision:
    return _publish_policy(stage, model, version, stage.cast[source], changelog, parent)


def _publish_policy(
    stage: Stage, model: str, version: str, policy: Policy, changelog: str, parent: str | None = None
) -> wire.Revision:
    behind = f', parent="{parent}"' if parent else ""
    stage.screen.call(
        f'node.models.create_revision("{model}", "{version}", files, changelog="{changelog}"{behind})'
    )
    sent: list[int] = [0]
    revision = stage.node.models.create_revision(
        model,
        version,
        policy.files,
        changelog,
        parent,
        progress=lambda step: sent.__setitem__(0, step.done_bytes) if step.phase == "send" else None,
    )
    counted = policy.parameter_count()
    _expect(revision.parameter_count == counted, f"{revision.parameter_count} parameters, onnx {counted}")
    stage.screen.good(
        f"{revision.version} of {model} ({policy.title}): digest {revision.digest[:16]},"
        f" {sent[0]:,} of {revision.size_bytes:,} B sent"
    )
    return revision


def _softened(
    stage: Stage, name: str, concerns: Callable[[str], bool], source: policies.Source = policies.G1_SAC
) -> Policy:
    policy = stage.cast[source]
    target = stage.folder("policies") / f"{name}.onnx"
    return policies.soften(policy, concerns, policy.title, target)


def _show_bump(stage: Stage, a: str, b: str) -> None:
    bump = stage.node.models.diff(G1, a, b).bump
    _expect(bump is not None, f"no bump was judged from {a} to {b}")
    if bump is not None:
        stage.screen.good(f"declared {bump.declared}, the evidence asks for {bump.asked}:")
        stage.screen.findings(bump.findings)


def _show_reasons(stage: Stage, refused: NodeDataError) -> None:
    """Show which findings ask for a major bump, and how many ask for less."""
    found = msgspec.convert(refused.details["findings"], list[ShownFinding])
    major = [finding for finding in found if finding.asks == "major"]
    stage.screen.findings(major)
    stage.screen.note(f"and {len(found) - len(major)} that ask for less")


def _pinned_and_warned(stage: Stage) -> None:
    stage.screen.call(f'node.models.download("{G1}", revision="1.1.1")')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        snapshot = stage.node.models.download(G1, "1.1.1")
    heard = [item for item in caught if issubclass(item.category, YankedRevisionWarning)]
    _expect(snapshot.resolved == "1.1.1" and len(heard) == 1, f"{snapshot!r} with {len(heard)} warnings")
    stage.screen.warned(f"{heard[0].category.__name__}: {heard[0].message}")


def _pull(stage: Stage, version: str) -> str:
    """Run the command line's pull and return what it says on stderr."""
    target = stage.run / "pulled"
    done = subprocess.run(
        [command_path(), "pull", f"{G1}@{version}", str(target)],
        env={**stage.server.environment(), "NODE_DATA_CACHE": str(stage.run / "cache")},
        check=False,
        capture_output=True,
        text=True,
    )
    _expect(done.returncode == 0, f"pull ended with {done.returncode}: {done.stderr}")
    heard = [line for line in done.stderr.splitlines() if "yanked" in line]
    _expect(len(heard) == 1, f"pull did not warn: {done.stderr!r}")
    return heard[0]


def _check_snapshot(stage: Stage, snapshot: Snapshot) -> None:
    for file in stage.node.models.manifest(G1, snapshot.resolved).files:
        found = hashlib.sha256((snapshot / file.path).read_bytes()).hexdigest()
        _expect(found == file.sha256, f"{file.path} of {snapshot.resolved} has the digest {found}")


@contextmanager
def _refusal(stage: Stage, kind: type[NodeDataError]) -> Iterator[list[NodeDataError]]:
    """Expect the block to be refused with this error, and show it; the list then has it."""
    found: list[NodeDataError] = []
    try:
        yield found
    except kind as error:
        stage.screen.refused(error)
        found.append(error)
    else:
        raise OffScript(f"{kind.__name__} was expected, and nothing was refused")


def _expect(told: bool, otherwise: str) -> None:
    if not told:
        raise OffScript(otherwise)
