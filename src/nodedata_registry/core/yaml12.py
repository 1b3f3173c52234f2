"""YAML front matter with YAML 1.2 core scalars, bounded against hostile input."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
