"""What the stored bits of each dtype are worth, as float64.

Small floats (4, 6 and 8 bits) are looked up in tables of at most 256 values made here from their
definition: IEEE-like with `bias`, or finite ones (`FN`, `FNUZ`) with their own rules for NaN. Sources:
OCP 8-bit floating point and OCP Microscaling specifications; ml_dtypes for the FNUZ types.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

PLAIN = {
    "BOOL": "<u1",
    "U8": "<u1",
    "I8": "<i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
    "C128": "<c16",
}


@dataclass(frozen=True, slots=True)
class SmallFloat:
    """A float of few bits: sign, `exponent` and `mantissa` bits; `nan`: which codes are not numbers.

    `nan` is `ieee` (the top exponent holds infinities and NaN), `ones` (all ones of exponent and mantissa),
    `negative_zero` (the code of -0), or `none`.
    """

    exponent: int
    mantissa: int
    bias: int
    nan: str

    def value(self, code: int) -> float:
        """Return what one code is worth."""
        mantissa = code & ((1 << self.mantissa) - 1)
        exponent = (code >> self.mantissa) & ((1 << self.exponent) - 1)
        negative = bool(code >> (self.mantissa + self.exponent))
        if self._is_nan(exponent, mantissa, negative):
            return math.nan
        if self.nan == "ieee" and exponent == (1 << self.exponent) - 1:
            return -math.inf if negative else math.inf
        lead = 0 if exponent == 0 else 1 << self.mantissa
        scale = max(exponent, 1) - self.bias - self.mantissa
        return math.copysign(math.ldexp(lead + mantissa, scale), -1.0 if negative else 1.0)

    def _is_nan(self, exponent: int, mantissa: int, negative: bool) -> bool:
        top = exponent == (1 << self.exponent) - 1
        if self.nan == "ieee":
            return top and mantissa != 0
        if self.nan == "ones":
            return top and mantissa == (1 << self.mantissa) - 1
        return self.nan == "negative_zero" and negative and exponent == mantissa == 0


SMALL_FLOATS = {
    "F4": SmallFloat(2, 1, 1, "none"),
    "F6_E2M3": SmallFloat(2, 3, 1, "none"),
    "F6_E3M2": SmallFloat(3, 2, 3, "none"),
    "F8_E4M3": SmallFloat(4, 3, 7, "ones"),
    "F8_E4M3FNUZ": SmallFloat(4, 3, 8, "negative_zero"),
    "F8_E5M2": SmallFloat(5, 2, 15, "ieee"),
    "F8_E5M2FNUZ": SmallFloat(5, 2, 16, "negative_zero"),
}


@cache
def table(dtype: str) -> NDArray[np.float64]:
    """Return the value of every code of a dtype of at most 8 bits that numpy does not have."""
    if dtype == "F8_E8M0":
        found = [math.ldexp(1.0, code - 127) for code in range(255)] + [math.nan]
    elif dtype in SMALL_FLOATS:
        small = SMALL_FLOATS[dtype]
        found = [small.value(code) for code in range(1 << (1 + small.exponent + small.mantissa))]
    else:
        bits = int(dtype[1:])
        signed = dtype.startswith("I")
        found = [
            float(code - (1 << bits) if signed and code >> (bits - 1) else code) for code in range(1 << bits)
        ]
    values = np.array(found, dtype=np.float64)
    values.flags.writeable = False
    return values


def as_numbers(codes: NDArray[np.generic], dtype: str) -> NDArray[np.float64] | NDArray[np.complex128]:
    """Return the values of codes (one unsigned integer, or packed bytes viewed, per scalar) as float64.

    Complex dtypes give complex128. Integers beyond 2**53 are rounded.
    """
    if dtype == "BF16":
        return (codes.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    if dtype in ("C64", "C128"):
        return codes.view(PLAIN[dtype]).astype(np.complex128)
    if dtype in PLAIN:
        return codes.view(PLAIN[dtype]).astype(np.float64)
    return table(dtype)[codes.astype(np.intp)]
