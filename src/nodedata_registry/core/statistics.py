"""Two-sided p-values of the two tests that decide whether a benchmark moved outside noise."""

from __future__ import annotations

import math

_TINY = 1e-300
_EPSILON = 1e-16
_MAX_STEPS = 10_000
# Above it the normal expansion is the more exact one: log-gamma loses digits to cancellation.
_LARGE_DEGREES = 1e5


def two_proportion_p(rate_a: float, n_a: int, rate_b: float, n_b: int) -> float:
    """Return the p-value of the pooled two-proportion z test.

    Rates lie in 0 to 1, `n_*` trials stand behind each. 1.0 where nothing varies.

    >>> round(two_proportion_p(0.80, 400, 0.86, 400), 4)
    0.0239
    """
    pooled = (rate_a * n_a + rate_b * n_b) / (n_a + n_b)
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_b)
    if variance <= 0:
        return 1.0
    return math.erfc(abs(rate_b - rate_a) / math.sqrt(variance) / math.sqrt(2))


def welch_p(mean_a: float, stderr_a: float, n_a: int, mean_b: float, stderr_b: float, n_b: int) -> float:
    """Return the p-value of Welch's t test for means with their standard errors; `n_*` at least 2.

    Without any error every difference is certain (0.0).

    >>> round(welch_p(10.0, 0.5, 30, 12.0, 0.7, 25), 4)
    0.0246
    """
    spread = math.hypot(stderr_a, stderr_b)
    if spread == 0:
        return 1.0 if mean_a == mean_b else 0.0
    if math.isinf(spread):
        return 1.0
    share_a, share_b = (stderr_a / spread) ** 2, (stderr_b / spread) ** 2
    degrees = 1 / (share_a**2 / (n_a - 1) + share_b**2 / (n_b - 1))
    return student_p(mean_b / spread - mean_a / spread, degrees)


def student_p(t: float, degrees: float) -> float:
    """Return the two-sided tail of Student's t distribution, within 1e-9 of exact.

    >>> round(student_p(2.0, 10), 6)
    0.073388
    """
    ratio = abs(t) / math.sqrt(degrees)
    if ratio > 1e150:  # its square would overflow; the tail is 0 long before
        return 0.0
    if degrees > _LARGE_DEGREES:
        # Abramowitz and Stegun, 26.7.8: the error falls with the square of the degrees.
        normal = abs(t) * (1 - 1 / (4 * degrees)) / math.sqrt(1 + ratio * ratio / 2)
        return math.erfc(normal / math.sqrt(2))
    squared = ratio * ratio
    return incomplete_beta(degrees / 2, 0.5, 1 / (1 + squared), squared / (1 + squared))


def incomplete_beta(a: float, b: float, x: float, complement: float) -> float:
    """Return the regularised incomplete beta function; a and b above 0, x in 0 to 1.

    `complement` is 1 - x, passed because near 1 that difference would lose its digits.
    Continued fraction by Lentz's method (Numerical Recipes, 6.4), on the side where it converges.
    """
    if x <= 0 or complement <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, complement, x)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(complement)
    )
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for step in range(1, _MAX_STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < _EPSILON * 10:
            break
    return fraction


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
