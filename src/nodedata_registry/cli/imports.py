"""`node-data import`: bring existing histories in from a Hub, git, MLflow or folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nodedata_registry.cli import words
from nodedata_registry.cli.bars import progress_bars
from nodedata_registry.cli.command import LazyGroup, Place, command
from nodedata_registry.cli.problems import FAILED
from nodedata_registry.cli.publishing import ensure_model
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import Column, table, text
from nodedata_registry.cli.verdicts import show_bases
from nodedata_registry.errors import NodeDataError

if TYPE_CHECKING:
    from rich.console import Console

    from nodedata_registry.sdk.client import NodeData
    from nodedata_registry.sdk.imports.execute import Landed
    from nodedata_registry.sdk.imports.plan import Left, Plan, Step
    from nodedata_registry.sdk.imports.release import Source


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    sections={
        "Sources": {
            "hf": Place("imports:hf", "A repository of a Hub endpoint"),
            "git": Place("imports:git", "A git repository: its tags"),
            "mlflow": Place("imports:mlflow", "A registered model of an MLflow server"),
            "folder": Place("imports:folder", "A folder, or one for each version"),
        }
    },
)
def import_() -> None:
    """Bring in models that exist elsewhere, with their history.

    What the gate finds is printed and recorded with each revision, and not enforced. --dry-run shows
    which version each release becomes and what does not map. Interrupted, run it again: it goes on.
    """


@dataclass(frozen=True, slots=True)
class _Wish:
    """What all sources are asked with."""

    model: str
    dry_run: bool
    yes: bool
    keep_going: bool
    create: bool
    visibility: str | None


def _common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --model, --dry-run and the rest to a command, which gets them as `wish`."""
    options = (
        click.option("--model", required=True, metavar="MODEL", help="Where to: workspace/name, or an id."),
        click.option("--dry-run", is_flag=True, help="Show what would be imported; fetch nothing."),
        click.option("--yes", is_flag=True, help="Do not ask before it begins."),
        click.option(
            "--keep-going", is_flag=True, help="Leave out what is refused; its number is lost for good."
        ),
        click.option("--create", is_flag=True, help="Make the model if it does not exist."),
        click.option(
            "--visibility", type=click.Choice(("private", "public")), help="For --create; private if absent."
        ),
    )
    names = ("model", "dry_run", "yes", "keep_going", "create", "visibility")

    def with_wish(shell: Shell, **given: Any) -> Any:
        return function(shell, wish=_Wish(**{name: given.pop(name) for name in names}), **given)

    with_wish.__doc__ = function.__doc__
    with_wish.__dict__.update(function.__dict__)
    decorated: Callable[..., Any] = with_wish
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


_version = click.option("--version", metavar="X.Y.Z", help="The version that the one release becomes.")


@command(
    "hf",
    examples="""
node-data import hf acme/grasp --all-tags --model robots/grasp --create --dry-run
node-data import hf acme/grasp --revision main --version 1.0.0 --model robots/grasp
node-data import hf acme/grasp --all-tags --model robots/grasp --endpoint https://hub.example
""",
)
@click.pass_obj
@_common
@click.argument("repository", metavar="REPO")
@click.option("--revision", metavar="REV", help="A tag, branch or commit; main if absent.")
@_version
@click.option("--all-tags", is_flag=True, help="Every tag that is a version.")
@click.option("--endpoint", metavar="URL", help="Which Hub  [env: HF_ENDPOINT]")
def hf(
    shell: Shell,
    wish: _Wish,
    repository: str,
    revision: str | None,
    version: str | None,
    all_tags: bool,
    endpoint: str | None,
) -> int:
    """Import a model repository of a Hub endpoint; the token is the one that `hf` uses (HF_TOKEN)."""
    if all_tags == (version is not None) or (all_tags and revision is not None):
        raise click.UsageError("say --all-tags, or --version X.Y.Z for one --revision")
    wanted = None if all_tags else revision or "main"

    def source(_: Path) -> Source:
        from nodedata_registry.sdk.imports.hub import HubSource

        return HubSource(repository, wanted, version, endpoint=endpoint)

    return _run(shell, wish, version, source)


@command(
    "git",
    examples="""
node-data import git ./grasp-policy --model robots/grasp --create
node-data import git https://git.example/grasp.git --revision main --version 1.0.0 --model robots/grasp
""",
)
@click.pass_obj
@_common
@click.argument("repository", metavar="REPO")
@click.option("--revision", metavar="REV", help="Only this tag, branch or commit; with --version.")
@_version
def git(shell: Shell, wish: _Wish, repository: str, revision: str | None, version: str | None) -> int:
    """Import a git repository, by folder or address: every tag that is a version, or one revision."""
    if (revision is None) != (version is None):
        raise click.UsageError("--revision and --version go together; without them every tag is taken")

    def source(staging: Path) -> Source:
        from nodedata_registry.sdk.imports.git import GitSource

        return GitSource(repository, staging / "clones", revision, version)

    return _run(shell, wish, version, source)


@command(
    "mlflow",
    examples="""
node-data import mlflow grasp-policy --server http://127.0.0.1:5000 --model robots/grasp --create
node-data import mlflow grasp-policy --number 7 --version 1.0.0 --model robots/grasp
""",
)
@click.pass_obj
@_common
@click.argument("name", metavar="NAME")
@click.option("--server", metavar="URL", help="The MLflow server  [env: MLFLOW_TRACKING_URI]")
@click.option("--number", metavar="N", help="Only this model version; with --version.")
@_version
def mlflow(
    shell: Shell, wish: _Wish, name: str, server: str | None, number: str | None, version: str | None
) -> int:
    """Import a registered model: each model version tagged `version: X.Y.Z` is that, others are N.0.0."""
    if (number is None) != (version is None):
        raise click.UsageError("--number and --version go together; without them every version is taken")

    def source(_: Path) -> Source:
        from nodedata_registry.sdk.imports.mlflow import MlflowSource

        return MlflowSource(name, server, number, version)

    return _run(shell, wish, version, source)


@command(
    "folder",
    examples="""
node-data import folder ./grasp --version 1.0.0 --model robots/grasp --create
node-data import folder ./releases --model robots/grasp     # releases/1.0.0, releases/v1.1.0, …
""",
)
@click.pass_obj
@_common
@click.argument("place", metavar="DIR", type=click.Path(exists=True, file_okay=False))
@_version
def folder(shell: Shell, wish: _Wish, place: str, version: str | None) -> int:
    """Import a folder as one version, or each folder in it that is named by one."""

    def source(_: Path) -> Source:
        from nodedata_registry.sdk.imports.folder import FolderSource

        return FolderSource(Path(place), version)

    return _run(shell, wish, version, source)


# --- what all of them do ------------------------------------------------------------------------


@dataclass
class _Told:
    """What became of the releases, in the order in which it happened."""

    shell: Shell
    landed: list[Landed] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def __call__(self, one: Landed | Left) -> None:
        """Keep it, and say it on stderr at once: an import may take hours."""
        from nodedata_registry.sdk.imports.execute import Landed

        if isinstance(one, Landed):
            self.landed.append(one)
            self.shell.note(f"{one.step.release.name} is {one.revision.model} {one.revision.version}")
        else:
            self.left.append(one)
            self.shell.note(f"{one.name} is left out: {one.why}")


def _run(shell: Shell, wish: _Wish, version: str | None, make: Callable[[Path], Source]) -> int:
    from nodedata_registry.core.versions import Version
    from nodedata_registry.sdk.imports.execute import plan_import
    from nodedata_registry.sdk.settings import default_cache

    if wish.visibility is not None and not wish.create:
        raise click.UsageError("--visibility goes with --create")
    if version is not None:
        Version.parse(version)
    staging = default_cache(os.environ).expanduser().absolute() / "imports"
    with shell.node() as node:
        source = make(staging)
        plan = plan_import(node.models, wish.model, source)
        if not shell.as_json:
            _show_plan(shell.out, wish, source, plan)
        told = _Told(shell)
        if not wish.dry_run and plan.steps:
            _execute(shell, node, wish, source, plan, staging, told)
    if shell.as_json:
        shell.print_json(_document(wish, source, plan, told))
    return FAILED if any(one.refused for one in told.left) else 0


def _execute(
    shell: Shell, node: NodeData, wish: _Wish, source: Source, plan: Plan, staging: Path, told: _Told
) -> None:
    from nodedata_registry.sdk.imports.execute import execute

    if shell.can_ask and not wish.yes:
        question = f"Import {words.plural(len(plan.steps), 'revision')} into {wish.model}?"
        click.confirm(question, abort=True, err=True)
    if wish.create:
        ensure_model(shell, node, wish.model, wish.visibility or "private")
    else:
        # Heard now, and not after gigabytes were fetched.
        node.models.get(wish.model)
    try:
        with progress_bars(shell) as progress:
            execute(
                node.models,
                wish.model,
                source,
                plan.steps,
                staging,
                told,
                keep_going=wish.keep_going,
                progress=progress,
            )
    except NodeDataError as error:
        error.details["imported"] = [str(one.step.version) for one in told.landed]
        raise
    finally:
        if not shell.as_json:
            _show_landed(shell.out, wish, told)
        warnings = {one.message for landed in told.landed for one in landed.revision.warnings}
        for message in sorted(warnings):
            shell.warn(message)


def _show_plan(out: Console, wish: _Wish, source: Source, plan: Plan) -> None:
    out.print(text(f"{source.title} into {wish.model}", "bold"), soft_wrap=True)
    rows = [
        *((text(str(one.version)), one.release.name, "imported already") for one in plan.done),
        *((text(str(one.version), "bold"), one.release.name, "to import") for one in plan.steps),
    ]
    if rows:
        columns = (Column("version", whole=True), Column("from"), Column(""))
        out.print(table(columns, rows, indent=2))
    if plan.left:
        out.print(text(f"Not mapped: {words.plural(len(plan.left), 'release')}"))
        out.print(
            table((Column("from"), Column("why")), [(one.name, one.why) for one in plan.left], indent=2)
        )
    if not plan.steps:
        out.print(text("Nothing to import."))
    elif wish.dry_run:
        count = words.plural(len(plan.steps), "revision")
        out.print(text(f"A dry run: nothing was fetched or published. {count} would be.", "dim"))


def _show_landed(out: Console, wish: _Wish, told: _Told) -> None:
    for one in told.landed:
        made = " (a card was made)" if one.card_made else ""
        out.print(text(f"Imported {one.step.release.name} as {one.revision.version}{made}", "bold"))
        if one.revision.verdict.bases:
            show_bases(out, one.revision.verdict)
    low = [one for one in told.landed if not _is_enough(one)]
    if low:
        count = words.plural(len(low), "revision")
        out.print(text(f"{count} would have been refused as too low; imports record that.", "yellow"))
    out.print(text(f"{words.plural(len(told.landed), 'revision')} of {wish.model} imported."))


def _is_enough(one: Landed) -> bool:
    from nodedata_registry.cli.verdicts import is_enough

    return all(is_enough(base.declared, base.asked) for base in one.revision.verdict.bases)


def _document(wish: _Wish, source: Source, plan: Plan, told: _Told) -> dict[str, object]:
    return {
        "model": wish.model,
        "source": {"kind": source.kind, "title": source.title},
        "dry_run": wish.dry_run,
        "planned": [_step(one) for one in plan.steps],
        "done": [_step(one) for one in plan.done],
        "left": [
            {"name": one.name, "why": one.why, "refused": one.refused} for one in (*plan.left, *told.left)
        ],
        "imported": [
            {
                **_step(one.step),
                "digest": one.revision.digest,
                "commit": one.revision.commit,
                "card_made": one.card_made,
                "verdict": one.revision.verdict.to_dict(),
            }
            for one in told.landed
        ],
    }


def _step(step: Step) -> dict[str, str]:
    release = step.release
    return {"version": str(step.version), "name": release.name, "reference": release.reference}
