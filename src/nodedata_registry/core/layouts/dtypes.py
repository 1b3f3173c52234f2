"""How many bits an element of each dtype takes.

The names are those of safetensors, used for every format; ONNX adds the ones safetensors lacks
(`C128`, `I4`, `U4`, `I2`, `U2`).
"""

from __future__ import annotations

from collections.abc import Iterable

DTYPE_BITS: dict[str, int] = {
    "BOOL": 8,
    "I2": 2,
    "U2": 2,
    "F4": 4,
    "I4": 4,
    "U4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I8": 8,
    "U8": 8,
    "F8_E4M3": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
    "C128": 128,
}

MAX_ELEMENTS = 2**64 - 1


def element_count(shape: Iterable[int]) -> int:
    """Return the number of scalars of a tensor; an empty shape is a scalar and gives 1.

    Raises OverflowError where the running product leaves 64 bits, even if a later axis is 0, since
    readers of other implementations stop there.

    >>> element_count((3, 4)), element_count(()), element_count((3, 0))
    (12, 1, 0)
    """
    count = 1
    for axis in shape:
        count *= axis
        if count > MAX_ELEMENTS:
            raise OverflowError("more than 2**64 - 1 elements")
    return count


def byte_count(dtype: str, elements: int) -> int:
    """Return the bytes that `elements` packed scalars of `dtype` take, the last byte filled up.

    >>> byte_count("BF16", 3), byte_count("F4", 3)
    (6, 2)
    """
    return (elements * DTYPE_BITS[dtype] + 7) // 8
