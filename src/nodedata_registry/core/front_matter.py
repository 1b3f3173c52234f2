"""The two parts of a card: YAML front matter between `---` lines, and the Markdown after it."""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.yaml12 import Json, parse_yaml
from nodedata_registry.errors import InvalidCard

MAX_CARD_BYTES = 1024 * 1024
MAX_FRONT_MATTER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """A card's parts: the keys of its front matter, in order, and the Markdown text."""

    keys: dict[str, Json]
    text: str


def read_front_matter(path: str, data: bytes) -> FrontMatter:
    r"""Return the parts of the card that the bytes of `path` hold.

    A byte order mark is skipped and line ends are made `\n`. Cost: linear in the bytes.

    >>> read_front_matter("README.md", b"---\nlicense: mit\n---\n# Grasp\n")
    FrontMatter(keys={'license': 'mit'}, text='# Grasp\n')

    Raises:
        InvalidCard: too large, not UTF-8, no front matter, or YAML that `yaml12` refuses.
    """
    text = _decode(path, data)
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise _without_front_matter(path, f"starts with {lines[0][:40]!r}")
    end = next((index for index, line in enumerate(lines) if index and line.rstrip() == "---"), None)
    if end is None:
        raise _without_front_matter(path, "opens front matter that no second `---` line closes")
    front = "\n".join(lines[1:end])
    if len(front.encode()) > MAX_FRONT_MATTER_BYTES:
        raise InvalidCard(
            f"the front matter of {path} is {len(front.encode()):,} bytes; at most"
            f" {MAX_FRONT_MATTER_BYTES:,} are taken: move what is prose below it",
            field="front_matter",
        )
    keys = parse_yaml(front, first_line=2)
    if keys is not None and not isinstance(keys, dict):
        raise _without_front_matter(path, "has front matter that is not a map of keys")
    return FrontMatter(keys or {}, "\n".join(lines[end + 1 :]))


def _decode(path: str, data: bytes) -> str:
    if len(data) > MAX_CARD_BYTES:
        raise InvalidCard(
            f"the card {path} is {len(data):,} bytes; at most {MAX_CARD_BYTES:,} are taken:"
            " move images and tables into files of their own",
            field=path,
        )
    if b"\0" in data:
        raise InvalidCard(f"the card {path} holds a NUL byte; save it as UTF-8 text", field=path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidCard(
            f"the card {path} is not UTF-8 (byte {error.start}); save it as UTF-8 text", field=path
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _without_front_matter(path: str, found: str) -> InvalidCard:
    return InvalidCard(
        f"the card {path} {found}; it must start with YAML between two `---` lines, such as"
        " `license: apache-2.0` (`node-data model init` writes a starter)",
        field="front_matter",
    )
