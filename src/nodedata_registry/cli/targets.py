"""Models and revisions as command lines name them: `acme/x`, `acme/x@^1`, or two arguments."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Target:
    """A model and, where one was named, a selector; both unchecked, as they were typed."""

    model: str
    revision: str | None

    @property
    def selector(self) -> str:
        """The selector, `latest` where none was named."""
        return "latest" if self.revision is None else self.revision


def target(text: str, revision: str | None = None) -> Target:
    """Return what `text`, and a revision beside it, name.

    >>> target("acme/x@^1"), target("acme/x", "1.4.0")
    (Target(model='acme/x', revision='^1'), Target(model='acme/x', revision='1.4.0'))

    Raises:
        click.UsageError: the revision is named twice.
    """
    model, at, behind = text.partition("@")
    if at and revision is not None:
        raise click.UsageError(f"the revision is named twice: {text!r} and {revision!r}")
    return Target(model, behind if at else revision)


def revision_target(text: str, revision: str | None, what: str = "a version") -> tuple[str, str]:
    """Return model and selector where a revision must be named.

    Raises:
        click.UsageError: none is, or it is named twice.
    """
    found = target(text, revision)
    if found.revision is None:
        raise click.UsageError(f"name {what}: {found.model}@1.4.0, or {found.model} 1.4.0")
    return found.model, found.revision


def span(text: str, sides: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return a model and one or two selectors from `M A..B`, `M A B`, `M@A..B`, `M@A` or `M`.

    >>> span("acme/x", ("1.4.0..1.5.0",)), span("acme/x@^1", ())
    (('acme/x', ('1.4.0', '1.5.0')), ('acme/x', ('^1',)))

    Raises:
        click.UsageError: more than two are named.
    """
    model, at, behind = text.partition("@")
    given = (*((behind,) if at else ()), *sides)
    if len(given) == 1 and ".." in given[0]:
        first, _, second = given[0].partition("..")
        given = (first, second)
    if len(given) > 2:
        raise click.UsageError("name two revisions: MODEL 1.4.0..1.5.0, or MODEL 1.4.0 1.5.0")
    return model, given or ("latest",)
