"""What every command has: --json, and the address of the registry after its name as well as before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from nodedata_registry.cli.shell import Shell


class Command(click.Command):
    """A command with the options that all have."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_options_of_all())


def command(
    name: str, *, examples: str = "", short_help: str | None = None
) -> Callable[[Callable[..., Any]], Command]:
    """Return the decorator for a command; `examples` stand, line by line, below its options."""
    epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines())
    return click.command(
        name,
        cls=Command,
        epilog=epilog if examples else None,
        short_help=short_help,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def address_options(*, hidden: bool) -> list[click.Option]:
    """Return --url, --key and --path, which set the run's address."""
    return [
        _setting(["--url"], "url", "Address of the registry  [env: NODE_DATA_BASE_URL]", "URL", hidden),
        _setting(["--key"], "key", "API key  [env: NODE_DATA_API_KEY]", "KEY", hidden),
        _setting(["--path"], "path", "Work on the registry in this folder, without a server", "DIR", hidden),
    ]


def json_option() -> click.Option:
    """Return --json, which may stand before or behind the command's name."""
    return click.Option(
        ["--json", "as_json"],
        is_flag=True,
        expose_value=False,
        callback=_set,
        help="Print one JSON document.",
    )


def _options_of_all() -> list[click.Option]:
    return [json_option(), *address_options(hidden=True)]


def _setting(names: list[str], attribute: str, text: str, metavar: str, hidden: bool) -> click.Option:
    return click.Option(
        [*names, attribute],
        metavar=metavar,
        expose_value=False,
        callback=_set,
        help=text,
        hidden=hidden,
    )


def _set(context: click.Context, option: click.Parameter, value: object) -> None:
    """Note a value that was given; the command's own place wins over the one before its name."""
    if value:
        setattr(context.ensure_object(Shell), option.name or "", value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command lives, `module:attribute` below this package, and its line in the list."""

    where: str
    line: str


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used; their list needs none of them.

    `sections` maps headings of the list to commands in the order in which they are shown.
    """

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, Place]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.places = {name: place for section in sections.values() for name, place in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*self.places, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        place = self.places.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.where.partition(":")
        found = getattr(import_module(f"nodedata_registry.cli.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list by section."""
        longest = max(len(name) for name in self.places)
        for heading, section in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(longest), place.line) for name, place in section.items()])
