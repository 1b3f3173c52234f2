"""What changed between two schemas, as findings of the bump rules.

    inputs    removed, renamed, reordered, reshaped, retyped, made required, required added,
              element names changed            MAJOR
              optional added, made optional, axis freed (fixed to dynamic)            MINOR
    outputs   every change                     MAJOR
    stated for the first time                  PATCH      stated before, not now      MAJOR

Axis symbols are compared up to consistent renaming: `-1` and any symbol are equal, unless a symbol
ties two axes together. Where exactly one side is stated by a card alone, one leading axis that is 1
or dynamic on the file's side may be missing there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nodedata_registry.core.findings import Finding, finding
from nodedata_registry.core.schema import (
    Axis,
    Schema,
    TensorSpec,
    is_dynamic,
    same_shape,
    show_shape,
    show_tensor,
)
from nodedata_registry.core.schema_ties import TiedAxis, tie_findings


@dataclass(frozen=True, slots=True)
class _Side:
    """The inputs or the outputs of both schemas. `noun` is input or output."""

    noun: str
    base: tuple[TensorSpec, ...]
    candidate: tuple[TensorSpec, ...]
    base_by_card: bool
    candidate_by_card: bool

    def aligned(self, base: tuple[Axis, ...], candidate: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], ...]:
        """Return both shapes, the file's without a leading axis that the card alone leaves out."""
        if self.base_by_card == self.candidate_by_card:
            return base, candidate
        card, file = (base, candidate) if self.base_by_card else (candidate, base)
        if len(file) == len(card) + 1 and (file[0] == 1 or is_dynamic(file[0])):
            file = file[1:]
        return (card, file) if self.base_by_card else (file, card)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Which tensors of both sides are the same one; positions count from 0."""

    matched: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    added: tuple[int, ...]


def compare(base: Schema | None, candidate: Schema | None) -> list[Finding]:
    """Return the findings that lead from one schema to the other; none for equal ones.

    >>> before = Schema(inputs=(TensorSpec("observation", (1, 93)),))
    >>> after = Schema(inputs=(TensorSpec("observation", (1, 100)),))
    >>> [(found.code, found.message) for found in compare(before, after)]
    [('input_shape_changed', 'input `observation` changed shape from [1, 93] to [1, 100]')]
    """
    base, candidate = base or Schema(), candidate or Schema()
    found: list[Finding] = []
    ties: list[TiedAxis] = []
    for noun, before, after, base_by_card, candidate_by_card in (
        ("input", base.inputs, candidate.inputs, base.inputs_by_card, candidate.inputs_by_card),
        ("output", base.outputs, candidate.outputs, base.outputs_by_card, candidate.outputs_by_card),
    ):
        if before is None or after is None:
            found += _stated_or_withdrawn(noun, before, after)
            continue
        side = _Side(noun, before, after, base_by_card, candidate_by_card)
        pairs = _pair(side)
        found += _side_findings(side, pairs)
        ties += _dynamic_axes(side, pairs)
    known = {(item.code, item.subject) for item in found}
    return found + [item for item in tie_findings(ties) if (item.code, item.subject) not in known]


def _stated_or_withdrawn(
    noun: str, before: tuple[TensorSpec, ...] | None, after: tuple[TensorSpec, ...] | None
) -> Iterator[Finding]:
    if after is not None:
        yield finding(
            "schema_stated",
            f"the {noun}s are stated for the first time, where the base states nothing: {_list(after)}",
            f"{noun}s",
        )
    elif before is not None:
        yield finding(
            "schema_withdrawn",
            f"the {noun}s were stated before ({_list(before)}) and are not now",
            f"{noun}s",
        )


def _pair(side: _Side) -> _Pairs:
    positions = {spec.name: index for index, spec in enumerate(side.candidate)}
    matched = {index: positions[spec.name] for index, spec in enumerate(side.base) if spec.name in positions}
    taken = set(matched.values())
    for index in range(min(len(side.base), len(side.candidate))):
        if index not in matched and index not in taken and _only_renamed(side, index):
            matched[index] = index
    taken = set(matched.values())
    return _Pairs(
        tuple(sorted(matched.items())),
        tuple(index for index in range(len(side.base)) if index not in matched),
        tuple(index for index in range(len(side.candidate)) if index not in taken),
    )


def _only_renamed(side: _Side, index: int) -> bool:
    base, candidate = side.base[index], side.candidate[index]
    before, after = side.aligned(base.shape, candidate.shape)
    return same_shape(before, after) and (
        base.dtype == candidate.dtype or None in (base.dtype, candidate.dtype)
    )


def _side_findings(side: _Side, pairs: _Pairs) -> Iterator[Finding]:
    for index in pairs.removed:
        spec = side.base[index]
        yield finding(
            f"{side.noun}_removed", f"{side.noun} `{spec.name}` was removed: {show_tensor(spec)}", spec.name
        )
    for index in pairs.added:
        yield _added(side.noun, side.candidate[index])
    for before, after in pairs.matched:
        yield from _tensor_findings(side, side.base[before], side.candidate[after])
    if _moved(side, pairs):
        order_before = ", ".join(side.base[before].name for before, _ in pairs.matched)
        by_position = sorted(pairs.matched, key=lambda pair: pair[1])
        order_after = ", ".join(spec.name for spec in side.candidate[: by_position[-1][1] + 1])
        yield finding(
            f"{side.noun}s_reordered",
            f"the {side.noun}s changed order from {order_before} to {order_after}",
            f"{side.noun}s",
        )


def _added(noun: str, spec: TensorSpec) -> Finding:
    if noun == "output":
        return finding("output_added", f"output `{spec.name}` was added: {show_tensor(spec)}", spec.name)
    kind = "optional" if spec.optional else "required"
    return finding(
        f"{kind}_input_added", f"{kind} input `{spec.name}` was added: {show_tensor(spec)}", spec.name
    )


def _moved(side: _Side, pairs: _Pairs) -> bool:
    """Return whether an input that both sides have stands elsewhere for a caller by position."""
    order = [after for _, after in pairs.matched]
    if order != sorted(order):
        return True
    # A required one asks for MAJOR by itself; an optional one in the middle shifts those behind it.
    optional = [index for index in pairs.added if side.candidate[index].optional]
    return bool(optional and order and min(optional) < max(order))


def _tensor_findings(side: _Side, base: TensorSpec, candidate: TensorSpec) -> Iterator[Finding]:
    noun, name = side.noun, candidate.name
    if base.name != name:
        yield finding(f"{noun}_renamed", f"{noun} `{base.name}` was renamed to `{name}`", name)
    yield from _shape_findings(side, base, candidate)
    if base.dtype is not None and candidate.dtype is not None and base.dtype != candidate.dtype:
        yield finding(
            f"{noun}_dtype_changed",
            f"{noun} `{name}` changed dtype from {base.dtype} to {candidate.dtype}",
            name,
        )
    if base.optional != candidate.optional:
        made, was = ("optional", "required") if candidate.optional else ("required", "optional")
        yield finding(f"{noun}_made_{made}", f"{noun} `{name}` was {was} and is {made}", name)
    if base.names is not None and candidate.names is not None and base.names != candidate.names:
        yield finding(f"{noun}_names_changed", _names_message(noun, name, base.names, candidate.names), name)
    yield from _detail_stated(noun, name, "dtype", base.dtype, candidate.dtype)
    yield from _detail_stated(noun, name, "element names", base.names, candidate.names)


def _shape_findings(side: _Side, base: TensorSpec, candidate: TensorSpec) -> Iterator[Finding]:
    before, after = side.aligned(base.shape, candidate.shape)
    if same_shape(before, after):
        return
    shown = f"from {show_shape(base.shape)} to {show_shape(candidate.shape)}"
    freed = len(before) == len(after) and all(
        is_dynamic(new) or old == new for old, new in zip(before, after, strict=True)
    )
    if freed:
        message = f"{side.noun} `{candidate.name}` takes any size on an axis that was fixed: {shown}"
        yield finding(f"{side.noun}_axis_freed", message, candidate.name)
    else:
        message = f"{side.noun} `{candidate.name}` changed shape {shown}"
        yield finding(f"{side.noun}_shape_changed", message, candidate.name)


def _names_message(noun: str, name: str, base: tuple[str, ...], candidate: tuple[str, ...]) -> str:
    start = f"the elements of {noun} `{name}` changed their meaning"
    if len(base) != len(candidate):
        return f"{start}: {len(base)} names before, {len(candidate)} now"
    different = [index for index, pair in enumerate(zip(base, candidate, strict=True)) if pair[0] != pair[1]]
    first = different[0]
    return (
        f"{start}: element {first} was `{base[first]}` and is `{candidate[first]}`"
        f" ({len(different)} of {len(base)} differ)"
    )


def _detail_stated(noun: str, name: str, what: str, before: object, after: object) -> Iterator[Finding]:
    if before is None and after is not None:
        yield finding(
            "schema_stated", f"the {what} of {noun} `{name}`, unstated before, is now {_show(after)}", name
        )
    elif before is not None and after is None:
        yield finding(
            "schema_withdrawn", f"the {what} of {noun} `{name}` was {_show(before)} and is unstated now", name
        )


def _show(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    more = f", … ({len(value)})" if len(value) > 3 else ""
    return ", ".join(map(str, value[:3])) + more


def _dynamic_axes(side: _Side, pairs: _Pairs) -> Iterator[TiedAxis]:
    for before, after in pairs.matched:
        base, candidate = side.base[before], side.candidate[after]
        axes = zip(*side.aligned(base.shape, candidate.shape), strict=False)
        for old, new in axes:
            if is_dynamic(old) and is_dynamic(new):
                yield TiedAxis(side.noun, candidate.name, old, new)


def _list(specs: tuple[TensorSpec, ...]) -> str:
    return "; ".join(show_tensor(spec) for spec in specs) or "none"
