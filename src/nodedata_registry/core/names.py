"""Names of workspaces and models, and the two ways to refer to a model.

A name has 1 to 96 characters of `a-z 0-9 . _ -`, starts and ends with a letter or digit, holds neither `--`
nor `..`, and does not end in `.git` or `.ipynb`: stock Hub clients accept exactly such names. Reserved are
words that are routes, and whatever looks like an id. Uniqueness is judged on `fold_name`.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodedata_registry.core.ids import is_id, looks_like_id
from nodedata_registry.errors import InvalidName

MAX_NAME_CHARACTERS = 96

RESERVED_WORKSPACES = frozenset(
    (
        *("v1", "api", "static", "healthz", "readyz", "metrics", "openapi.json", "login", "logout", "search"),
        *("docs", "schema", "events", "models", "datasets", "spaces", "settings", "new", "admin", "tile"),
        *("checkpoint", "witness", "favicon.ico", "robots.txt", "well-known", "main", "latest"),
    )
)
RESERVED_MODELS = frozenset(
    ["revisions", "v", "diff", "settings", "members", "resolve", "raw", "tree", "blob", "uploads", "grants"]
)

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A reference to a model: its `id`, or else `workspace` and `name` together."""

    id: str | None = None
    workspace: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return self.id if self.id is not None else f"{self.workspace}/{self.name}"


def check_workspace_slug(text: str) -> str:
    """Return `text` if a new workspace may be called that.

    Raises `InvalidName` with the rule that it breaks.

    >>> check_workspace_slug("acme")
    'acme'
    """
    return _check_new(text, "workspace", RESERVED_WORKSPACES)


def check_model_name(text: str) -> str:
    """Return `text` if a new model may be called that, inside its workspace.

    Raises `InvalidName` with the rule that it breaks.

    >>> check_model_name("grasp-policy-v2")
    'grasp-policy-v2'
    """
    return _check_new(text, "model", RESERVED_MODELS)


def fold_name(text: str) -> str:
    """Return the form under which names that look alike are equal: `.`, `_` and `-` count as one.

    >>> fold_name("grasp_policy.v2") == fold_name("grasp-policy-v2")
    True
    """
    return text.replace(".", "-").replace("_", "-")


def parse_model_ref(text: str) -> ModelRef:
    """Return the model that `mdl_<ULID>` or `workspace/name` refers to.

    Reserved words are not judged here: a word may have become reserved after a model got it.

    Raises `InvalidName` if `text` is neither.

    >>> parse_model_ref("acme/grasp-policy-v2")
    ModelRef(id=None, workspace='acme', name='grasp-policy-v2')
    """
    if is_id(text, "mdl_"):
        return ModelRef(id=text)
    workspace, slash, name = text.partition("/")
    if not slash:
        raise InvalidName(
            f"{_shown(text)} names no model. Pass its id (mdl_ and 26 characters) or workspace/name.",
            field="model_id",
        )
    for part, what in ((workspace, "workspace"), (name, "model")):
        _check_shape(part, what, "model_id")
    return ModelRef(workspace=workspace, name=name)


def _check_new(text: str, what: str, reserved: frozenset[str]) -> str:
    """Return `text` if its shape is right and it is not reserved."""
    field = "slug" if what == "workspace" else "name"
    _check_shape(text, what, field)
    if looks_like_id(text):
        raise InvalidName(f"{_shown(text)} looks like an id, and may not name a {what}.", field=field)
    if text in reserved:
        raise InvalidName(f"{_shown(text)} is reserved, and may not name a {what}.", field=field)
    return text


def _check_shape(text: str, what: str, field: str) -> None:
    """Return if `text` has the shape of a name."""
    problem = _problem(text)
    if problem is not None:
        raise InvalidName(f"{_shown(text)} cannot name a {what}: {problem}.", field=field)


def _problem(text: str) -> str | None:
    """Return the first rule of the shape that `text` breaks, or `None`."""
    if not 1 <= len(text) <= MAX_NAME_CHARACTERS:
        return f"a name has 1 to {MAX_NAME_CHARACTERS} characters, this has {len(text)}"
    strange = next((character for character in text if character not in _ALLOWED), None)
    if strange is not None:
        return f"only a-z, 0-9, `.`, `_` and `-` are allowed, not {strange!a}"
    if not (text[0].isalnum() and text[-1].isalnum()):
        return "a name starts and ends with a letter or digit"
    if "--" in text or ".." in text:
        return "`--` and `..` are not allowed"
    if text.endswith((".git", ".ipynb")):
        return "a name may not end in .git or .ipynb"
    return None


def _shown(text: str) -> str:
    """Return `text` quoted, cut where it is long."""
    if len(text) <= _SHOWN_CHARACTERS:
        return ascii(text)
    return f"{text[:_SHOWN_CHARACTERS]!a}…"
