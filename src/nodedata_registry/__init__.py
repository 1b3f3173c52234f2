"""A model registry with semantic versions that are checked against evidence.

    from nodedata_registry import NodeData
    node = NodeData()                      # NODE_DATA_BASE_URL, NODE_DATA_API_KEY, or arguments
    node = NodeData(path="./registry")     # the whole registry in this process

What is named here is imported when it is first used: `import nodedata_registry` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodedata_registry import errors, wire
    from nodedata_registry.core.selectors import select
    from nodedata_registry.errors import NodeDataError
    from nodedata_registry.sdk.aio import AsyncNodeData
    from nodedata_registry.sdk.client import NodeData
    from nodedata_registry.sdk.notices import (
        NodeDataWarning,
        PublishWarning,
        RegistryUnreachableWarning,
        YankedRevisionWarning,
    )
    from nodedata_registry.sdk.progress import Progress
    from nodedata_registry.sdk.project_files import LockWarning
    from nodedata_registry.sdk.snapshot import Snapshot

__all__ = [
    "AsyncNodeData",
    "LockWarning",
    "NodeData",
    "NodeDataError",
    "NodeDataWarning",
    "Progress",
    "PublishWarning",
    "RegistryUnreachableWarning",
    "Snapshot",
    "YankedRevisionWarning",
    "errors",
    "select",
    "wire",
]

_WHERE = {
    "AsyncNodeData": "sdk.aio",
    "LockWarning": "sdk.project_files",
    "NodeData": "sdk.client",
    "NodeDataError": "errors",
    "NodeDataWarning": "sdk.notices",
    "Progress": "sdk.progress",
    "PublishWarning": "sdk.notices",
    "RegistryUnreachableWarning": "sdk.notices",
    "Snapshot": "sdk.snapshot",
    "YankedRevisionWarning": "sdk.notices",
    "select": "core.selectors",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in ("errors", "wire"):
        return import_module(f"{__name__}.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
