"""How many items: allocation to strata, the size that a precision needs, and the bands that amounts are cut into.

Pure functions over counts and spreads; W. G. Cochran, Sampling Techniques, 3rd ed. (1977) is cited by section.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from therapy_audit.errors import AuditError
from therapy_audit.sampling.quantiles import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.90
LEAST_PER_STRATUM = 2  # of one item no spread can be told
PROBE = 30  # the least that a probe sample holds, by the convention of RAT-STATS
CLASSES = 100


def allocate(items: Sequence[int], weights: Sequence[float], size: int) -> list[int]:
    """Return the sizes of the strata: in proportion to `weights`, between two (or all) and all of a stratum's items.

    What a full stratum cannot take goes to the others; fractions go to the largest remainders, the first of equals.
    Proportional allocation has the items as weights, Neyman's the items times their standard deviation (Cochran §5.5).
    Raises AuditError where `size` is too small or too large for the strata.
    """
    least = [min(LEAST_PER_STRATUM, count) for count in items]
    if size < sum(least):
        raise AuditError(
            f"A sample of {size:,} cannot hold {LEAST_PER_STRATUM} items of each of the {len(items):,} strata; "
            f"give --size {sum(least):,} or more, or fewer strata."
        )
    if size > sum(items):
        raise AuditError(f"The frame has {sum(items):,} items; a sample of {size:,} cannot be drawn from it.")
    whole = sum(weights)
    # A stratum without weight takes part once those with weight are full, by its items.
    shares = [
        (weight / whole if whole else 0.0) + 1e-9 * count / sum(items)
        for weight, count in zip(weights, items, strict=True)
    ]
    low, high = 0.0, max(count / share for count, share in zip(items, shares, strict=True))
    for _ in range(200):
        middle = (low + high) / 2
        held = _held(middle, shares, least, items)
        low, high = (middle, high) if sum(held) < size else (low, middle)
    exact = _held(high, shares, least, items)
    sizes = [int(value + 1e-6) for value in exact]
    by_remainder = sorted(range(len(items)), key=lambda place: (round(sizes[place] - exact[place], 6), place))
    for place in [*by_remainder, *by_remainder]:
        if sum(sizes) < size and sizes[place] < items[place]:
            sizes[place] += 1
    return sizes


def _held(scale: float, shares: Sequence[float], least: Sequence[int], items: Sequence[int]) -> list[float]:
    return [min(max(scale * share, few), count) for share, few, count in zip(shares, least, items, strict=True)]


def standard_error(items: Sequence[int], sizes: Sequence[int], deviations: Sequence[float]) -> float:
    """Return the standard error of an estimated total, with the finite population correction (Cochran §5.4)."""
    return sqrt(sum(_variances(items, sizes, deviations)))


def degrees_of_freedom(items: Sequence[int], sizes: Sequence[int], deviations: Sequence[float]) -> int:
    """Return n - 1, or of several strata Satterthwaite's effective number (Cochran §5.4, eq. 5.16), rounded down.

    A stratum that is looked at as a whole has no part in it.
    """
    parts = [
        (variance, taken - 1)
        for variance, taken in zip(_variances(items, sizes, deviations), sizes, strict=True)
        if variance > 0
    ]
    if not parts:
        return max(1, sum(sizes) - len(sizes))
    return max(1, int(sum(part for part, _ in parts) ** 2 / sum(part**2 / free for part, free in parts) + 1e-9))


def _variances(items: Sequence[int], sizes: Sequence[int], deviations: Sequence[float]) -> list[float]:
    return [
        count * (count - taken) * deviation**2 / taken
        for count, taken, deviation in zip(items, sizes, deviations, strict=True)
    ]


def half_width(items: Sequence[int], sizes: Sequence[int], deviations: Sequence[float]) -> float:
    """Return half the width of the two-sided 90 % interval that such a sample would have."""
    free = degrees_of_freedom(items, sizes, deviations)
    return t_quantile((1 + CONFIDENCE) / 2, free) * standard_error(items, sizes, deviations)


def size_for(items: Sequence[int], weights: Sequence[float], deviations: Sequence[float], target: float) -> int:
    """Return the smallest size (of at least PROBE) whose two-sided 90 % interval is `target` or less to either side."""
    low = min(sum(items), max(PROBE, sum(min(LEAST_PER_STRATUM, count) for count in items)))
    high = sum(items)
    while low < high:
        middle = (low + high) // 2
        if half_width(items, allocate(items, weights, middle), deviations) <= target:
            high = middle
        else:
            low = middle + 1
    return low


def bands(counts: Sequence[int], number: int) -> list[int]:
    """Return the classes at whose upper end a band ends, the last left out: Dalenius and Hodges (Cochran §5A.7).

    `counts` are the items in classes of equal width. The cumulative square roots of the counts are cut into `number`
    equal parts, each at the class end nearest to it; bands that fall together are one.
    """
    roots = [sqrt(count) for count in counts]
    ends = [sum(roots[: place + 1]) for place in range(len(roots))]
    cuts: list[int] = []
    for part in range(1, number):
        aim = ends[-1] * part / number
        nearest = min(range(len(ends)), key=lambda place: (abs(ends[place] - aim), place))
        if nearest < len(ends) - 1 and nearest not in cuts:
            cuts.append(nearest)
    return cuts
