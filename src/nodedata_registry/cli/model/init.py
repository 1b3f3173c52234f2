"""`node-data model init`: write a starter model card."""

from __future__ import annotations

from pathlib import Path

import click

from nodedata_registry.cli.command import command
from nodedata_registry.cli.shell import Shell
from nodedata_registry.cli.tables import text
from nodedata_registry.errors import DestNotEmpty

_CARD = "model_card.md"
_OTHER_CARD = "README.md"
_FRONT_MATTER = b"---"


@command("init", examples="node-data model init ./policy --license apache-2.0 --name 'Grasp policy'")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False))
@click.option("--name", metavar="TITLE", help="The model's title; the folder's name if absent.")
@click.option(
    "--license", "license_", default="LicenseRef-unstated", show_default=True, help="An SPDX licence."
)
@click.pass_obj
def init(shell: Shell, folder: str, name: str | None, license_: str) -> None:
    """Write a starter card, model_card.md, into a folder; never over one that is there."""
    from nodedata_registry.core.card import starter_card

    place = Path(folder)
    card = starter_card(name or place.absolute().name, license_)
    _refuse_second_card(place)
    place.mkdir(parents=True, exist_ok=True)
    path = place / _CARD
    with path.open("x", encoding="utf-8") as file:
        file.write(card)
    shell.answer({"path": str(path)}, lambda out: out.print(text(f"Wrote {path}: state the licence in it.")))


def _refuse_second_card(place: Path) -> None:
    """Refuse where a card is: a README with front matter is one, and model_card.md would hide it."""
    path = place / _CARD
    readme = place / _OTHER_CARD
    if readme.is_file() and not path.exists():
        with readme.open("rb") as file:
            if file.read(len(_FRONT_MATTER)) == _FRONT_MATTER:
                path = readme
    if path.exists() or path.is_symlink():
        raise DestNotEmpty(f"{path} is a card already and was left as it is; edit it", field="folder")
