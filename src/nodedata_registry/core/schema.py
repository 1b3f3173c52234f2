"""What a model takes and gives: named tensors with shapes, and how card and file are joined.

    inputs:
      observation: [batch, 93]            axis symbols: any size, the same wherever the symbol stands
    outputs:
      action: {shape: [-1, 29], dtype: float32, names: [left_hip_pitch, ...]}

A shape axis is a whole number, `-1` (any size, unnamed) or a symbol. What a weight file states wins
over the card; the card adds what the file leaves open. How two schemas are compared is in
`schema_findings`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from nodedata_registry.errors import InvalidCard, SchemaMismatch

Axis = int | str
"""A size (0 or more), -1 for an unnamed dynamic axis, or the symbol of a dynamic one."""

UNNAMED = -1


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One declared input or output.

    `dtype` is a canonical name (`canonical_dtype`), None where nothing states it. `names` says what
    each element of the last axis means (joint order). `description` is prose and never compared.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str | None = None
    optional: bool = False
    names: tuple[str, ...] | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The declared inputs and outputs, in order; None where nothing states that side.

    `inputs_by_card` and `outputs_by_card` are true where only the card states that side: then a
    leading batch axis may be left out (the leading-axis rule of `same_but_for_leading_axis`).
    """

    inputs: tuple[TensorSpec, ...] | None = None
    outputs: tuple[TensorSpec, ...] | None = None
    inputs_by_card: bool = False
    outputs_by_card: bool = False


_DTYPES = {
    "bool": "BOOL boolean",
    "f64": "F64 float64 double fp64",
    "f32": "F32 float32 float fp32 single",
    "f16": "F16 float16 half fp16",
    "bf16": "BF16 bfloat16",
    "f8_e4m3": "F8_E4M3 float8_e4m3fn float8e4m3fn",
    "f8_e5m2": "F8_E5M2 float8_e5m2 float8e5m2",
    "i64": "I64 int64 long",
    "i32": "I32 int32 int",
    "i16": "I16 int16 short",
    "i8": "I8 int8",
    "u64": "U64 uint64",
    "u32": "U32 uint32",
    "u16": "U16 uint16",
    "u8": "U8 uint8 byte",
    "string": "STRING str text",
}
_DTYPE_ALIASES = {
    alias.casefold(): words.split()[0]
    for short, words in _DTYPES.items()
    for alias in (short, *words.split())
}


def canonical_dtype(text: str) -> str:
    """Return the one name used for a dtype here, the safetensors one; unknown ones in upper case.

    >>> canonical_dtype("float32"), canonical_dtype("tensor(float)"), canonical_dtype("torch.bfloat16")
    ('F32', 'F32', 'BF16')
    """
    folded = text.strip().casefold()
    if folded.startswith("tensor(") and folded.endswith(")"):
        folded = folded[len("tensor(") : -1]
    for prefix in ("torch.", "numpy.", "np."):
        folded = folded.removeprefix(prefix)
    return _DTYPE_ALIASES.get(folded, folded.upper())


def is_dynamic(axis: Axis) -> bool:
    """Return whether an axis may have any size."""
    return isinstance(axis, str) or axis == UNNAMED


def show_shape(shape: tuple[Axis, ...]) -> str:
    """Return a shape as people write it.

    >>> show_shape(("batch", 93, -1))
    '[batch, 93, -1]'
    """
    return "[" + ", ".join(str(axis) for axis in shape) + "]"


def show_tensor(spec: TensorSpec) -> str:
    """Return name, shape and, where stated, dtype in one line.

    >>> show_tensor(TensorSpec("observation", (1, 93), dtype="F32", optional=True))
    'observation [1, 93] F32 (optional)'
    """
    parts = [spec.name, show_shape(spec.shape)]
    if spec.dtype is not None:
        parts.append(spec.dtype)
    if spec.optional:
        parts.append("(optional)")
    return " ".join(parts)


def same_shape(left: tuple[Axis, ...], right: tuple[Axis, ...]) -> bool:
    """Return whether two shapes are equal, any dynamic axis equal to any other."""
    return len(left) == len(right) and all(
        a == b or (is_dynamic(a) and is_dynamic(b)) for a, b in zip(left, right, strict=True)
    )


def drops_leading_axis(card: tuple[Axis, ...], file: tuple[Axis, ...]) -> bool:
    """Return whether the card's shape is the file's without a leading axis that is 1 or dynamic.

    >>> drops_leading_axis((93,), (1, 93)), drops_leading_axis((93,), (2, 93))
    (True, False)
    """
    if not file or not (file[0] == 1 or is_dynamic(file[0])):
        return False
    return same_shape(card, file[1:])


def described_path(entry: str | None, stating: Collection[str]) -> str | None:
    """Return the path of the file that the card's inputs and outputs describe, or None.

    `stating` are the paths of the files that state a schema. The card's `entry` decides; without
    it a single such file is the one. None: the card describes no file that states a schema.
    """
    if entry is not None:
        return entry if entry in stating else None
    return next(iter(stating)) if len(stating) == 1 else None


def check_entry(entry: str | None, paths: Collection[str]) -> None:
    """Check that the file which the card names as its `entry` is in the revision.

    Raises:
        InvalidCard: it is not.
    """
    if entry is not None and entry not in paths:
        raise InvalidCard(
            f"the card's `entry` names {entry!r}, which is not among the revision's files;"
            " correct it or add the file",
            field="entry",
        )


def join(card: Schema | None, file: Schema | None, *, path: str | None = None) -> Schema | None:
    """Return the revision's schema: the file's, with what it leaves open taken from the card.

    None when neither states anything. `path` is the file's path, for messages only.

    Raises:
        SchemaMismatch: both state a side and differ there; the message and `details` show both.
    """
    card, file = card or Schema(), file or Schema()
    inputs = _join_side("inputs", card.inputs, file.inputs, path)
    outputs = _join_side("outputs", card.outputs, file.outputs, path)
    if inputs is None and outputs is None:
        return None
    return Schema(
        inputs,
        outputs,
        inputs_by_card=inputs is not None and file.inputs is None,
        outputs_by_card=outputs is not None and file.outputs is None,
    )


def _join_side(
    side: str,
    card: tuple[TensorSpec, ...] | None,
    file: tuple[TensorSpec, ...] | None,
    path: str | None,
) -> tuple[TensorSpec, ...] | None:
    if card is None or file is None:
        return card if file is None else file
    stated = {spec.name: spec for spec in card}
    if stated.keys() != {spec.name for spec in file}:
        raise _mismatch(side, "name different tensors", card, file, path)
    joined = []
    for spec in file:
        problem = _disagreement(stated[spec.name], spec)
        if problem is not None:
            raise _mismatch(side, problem, card, file, path)
        joined.append(_fill(stated[spec.name], spec))
    return tuple(joined)


def _disagreement(card: TensorSpec, file: TensorSpec) -> str | None:
    if not (same_shape(card.shape, file.shape) or drops_leading_axis(card.shape, file.shape)):
        return f"disagree on the shape of `{file.name}`"
    if card.dtype is not None and file.dtype is not None and card.dtype != file.dtype:
        return f"disagree on the dtype of `{file.name}`"
    last = file.shape[-1] if file.shape else 0
    if card.names is not None and not is_dynamic(last) and last != len(card.names):
        return f"disagree on how many elements `{file.name}` has ({len(card.names)} names)"
    return None


def _fill(card: TensorSpec, file: TensorSpec) -> TensorSpec:
    leading = len(file.shape) - len(card.shape)
    stated = (UNNAMED,) * leading + card.shape
    shape = tuple(
        theirs if own == UNNAMED and isinstance(theirs, str) else own
        for own, theirs in zip(file.shape, stated, strict=True)
    )
    return replace(
        file,
        shape=shape,
        dtype=file.dtype if file.dtype is not None else card.dtype,
        optional=file.optional or card.optional,
        # The card wins here: a file's `dof_names` holds "unless the card says otherwise".
        names=card.names if card.names is not None else file.names,
        description=card.description if card.description is not None else file.description,
    )


def _mismatch(
    side: str,
    problem: str,
    card: tuple[TensorSpec, ...],
    file: tuple[TensorSpec, ...],
    path: str | None,
) -> SchemaMismatch:
    shown_card = [show_tensor(spec) for spec in card]
    shown_file = [show_tensor(spec) for spec in file]
    named = path if path is not None else "the weight file"
    return SchemaMismatch(
        f"the card and {named} {problem}: the card's {side} are {'; '.join(shown_card) or 'none'};"
        f" the file's are {'; '.join(shown_file) or 'none'}. Correct the card, or leave {side} out of it",
        field=side,
        details={"file": path, "side": side, "card_states": shown_card, "file_states": shown_file},
    )
