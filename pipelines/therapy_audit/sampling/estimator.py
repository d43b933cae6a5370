"""From audited differences to the total of the frame: point, limits, rates. Amounts are whole cents until the end.

The difference estimator of W. G. Cochran, Sampling Techniques, 3rd ed. (1977), §2.9, 5.3 and 5.4, which is also the
variable appraisal of OIG's RAT-STATS: d = reported - correct, overpayments positive, underpayments negative and netted.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, sqrt
from typing import TYPE_CHECKING

from therapy_audit.sampling import quantiles, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

QUANTILES = ("t", "normal")


@dataclass(frozen=True)
class Audited:
    """One stratum as audited: its items and dollars in the frame, and per sampled item reported and correct cents."""

    title: str
    items: int
    amount: Decimal
    reported: Sequence[int]
    correct: Sequence[int]
    in_error: Sequence[bool]


@dataclass(frozen=True)
class Stratum:
    """One stratum's sums, from which all else follows. Amounts and deviations are USD."""

    title: str
    items: int
    sampled: int
    amount: Decimal
    sampled_amount: Decimal
    errors: int
    overpayments: Decimal
    underpayments: Decimal
    difference: Decimal
    mean: float
    deviation: float
    total: Decimal
    variance: float


@dataclass(frozen=True)
class Estimate:
    """What a sample says of its frame, in USD. Limits below 0 are 0 (`lower_two_sided`, `lower_one_sided`).

    two_sided_t and one_sided_t are the quantiles (.95 and .90) by which the limits are reckoned. error_limits are the
    two-sided 90 % limits of the number of items in error in the frame.
    """

    strata: tuple[Stratum, ...]
    items: int
    sampled: int
    amount: Decimal
    sampled_amount: Decimal
    quantile: str
    degrees: int
    two_sided_t: float
    one_sided_t: float
    point: Decimal
    standard_error: float
    lower_two_sided: Decimal
    upper_two_sided: Decimal
    lower_one_sided: Decimal
    raw_lower_two_sided: Decimal
    raw_lower_one_sided: Decimal
    overpayments: Decimal
    underpayments: Decimal
    overpayments_projected: Decimal
    underpayments_projected: Decimal
    errors: int
    error_rate: float
    errors_projected: float
    error_limits: tuple[int, int]
    error_method: str
    net_error_rate: float | None
    net_error_rate_projected: float | None

    @property
    def precision(self) -> float | None:
        """Half the width of the two-sided interval as a part of the point estimate."""
        return None if self.point <= 0 else self.two_sided_t * self.standard_error / float(self.point)


def estimate(audited: Sequence[Audited], quantile: str = "t") -> Estimate:
    """Return the estimate of the frame's total difference. Each stratum has two audited items or all that it holds."""
    strata = tuple(_stratum(item) for item in audited)
    items, taken = [item.items for item in strata], [item.sampled for item in strata]
    deviations = [item.deviation for item in strata]
    error = sqrt(sum(item.variance for item in strata))
    degrees = sizes.degrees_of_freedom(items, taken, deviations)
    outer, inner = (1 + sizes.CONFIDENCE) / 2, sizes.CONFIDENCE
    if quantile == "t":
        two_sided, one_sided = quantiles.t_quantile(outer, degrees), quantiles.t_quantile(inner, degrees)
    else:
        two_sided, one_sided = quantiles.normal_quantile(outer), quantiles.normal_quantile(inner)
    exact = sum((_projected(item, sum(_differences(item))) for item in audited), Fraction(0))
    point = _usd(exact)
    # From the point estimate as it is told, so that a reader with a calculator comes to the same cent.
    lower, upper, lower_one = (
        _usd(Fraction(point * 100) + Fraction(100 * change))
        for change in (-two_sided * error, two_sided * error, -one_sided * error)
    )
    reported = sum(sum(item.reported) for item in audited)
    whole = sum((item.amount for item in audited), Decimal(0))
    errors = sum(item.errors for item in strata)
    low, high, method = _errors_in_frame(strata)
    projected = sum(item.items * item.errors / item.sampled for item in strata)
    return Estimate(
        strata=strata,
        items=sum(items),
        sampled=sum(taken),
        amount=whole,
        sampled_amount=_usd(reported),
        quantile=quantile,
        degrees=degrees,
        two_sided_t=two_sided,
        one_sided_t=one_sided,
        point=point,
        standard_error=error,
        lower_two_sided=max(lower, Decimal("0.00")),
        upper_two_sided=upper,
        lower_one_sided=max(lower_one, Decimal("0.00")),
        raw_lower_two_sided=lower,
        raw_lower_one_sided=lower_one,
        overpayments=sum((item.overpayments for item in strata), Decimal(0)),
        underpayments=sum((item.underpayments for item in strata), Decimal(0)),
        overpayments_projected=_usd(
            sum((_projected(item, _positive(_differences(item))) for item in audited), Fraction(0))
        ),
        underpayments_projected=_usd(
            sum(
                (_projected(item, _positive([-value for value in _differences(item)])) for item in audited), Fraction(0)
            )
        ),
        errors=errors,
        error_rate=projected / sum(items),
        errors_projected=projected,
        error_limits=(low, high),
        error_method=method,
        net_error_rate=sum(sum(_differences(item)) for item in audited) / reported if reported else None,
        net_error_rate_projected=float(exact) / float(100 * whole) if whole else None,
    )


def _stratum(item: Audited) -> Stratum:
    differences = _differences(item)
    count, total = len(differences), sum(differences)
    # Whole numbers up to the root: the same on every machine.
    spread = (
        Fraction(count * sum(value * value for value in differences) - total * total, count * (count - 1))
        if count > 1
        else Fraction(0)
    )
    deviation = sqrt(spread) / 100
    return Stratum(
        title=item.title,
        items=item.items,
        sampled=count,
        amount=item.amount,
        sampled_amount=_usd(sum(item.reported)),
        errors=sum(item.in_error),
        overpayments=_usd(_positive(differences)),
        underpayments=_usd(_positive([-value for value in differences])),
        difference=_usd(total),
        mean=total / count / 100,
        deviation=deviation,
        total=_usd(_projected(item, total)),
        variance=item.items * (item.items - count) * deviation**2 / count,
    )


def _differences(item: Audited) -> list[int]:
    return [paid - right for paid, right in zip(item.reported, item.correct, strict=True)]


def _positive(values: Sequence[int]) -> int:
    return sum(value for value in values if value > 0)


def _projected(item: Audited, cents: int) -> Fraction:
    return Fraction(item.items * cents, len(item.reported))


def _usd(cents: Fraction | int) -> Decimal:
    """Return whole cents as dollars, halves away from zero."""
    exact = Fraction(cents)
    whole = (abs(exact.numerator) * 2 + exact.denominator) // (2 * exact.denominator)
    return Decimal(whole if exact >= 0 else -whole).scaleb(-2)


def _errors_in_frame(strata: Sequence[Stratum]) -> tuple[int, int, str]:
    """Return two-sided 90 % limits of the number of items in error, and how they were reckoned."""
    if len(strata) == 1:
        only = strata[0]
        return (*error_limits(only.items, only.sampled, only.errors), "exact, hypergeometric")
    count = sum(item.items for item in strata)
    centre = sum(item.items * item.errors / item.sampled for item in strata)
    variance = sum(
        item.items * (item.items - item.sampled) * (item.errors / item.sampled) * (1 - item.errors / item.sampled)
        / (item.sampled - 1)
        for item in strata
        if item.sampled > 1
    )  # fmt: skip
    reach = quantiles.normal_quantile((1 + sizes.CONFIDENCE) / 2) * sqrt(variance)
    # Those seen are there, and those seen to be right are not in error.
    least = sum(item.errors for item in strata)
    most = count - sum(item.sampled - item.errors for item in strata)
    return max(least, ceil(centre - reach)), min(most, int(centre + reach)), "normal approximation, by strata"


def error_limits(items: int, sampled: int, errors: int) -> tuple[int, int]:
    """Return the exact two-sided 90 % limits of the number of items in error in the frame.

    The smallest and the largest number under which a sample with as many errors, or more (fewer), still has a chance
    above 5 %: J. P. Buonaccorsi, The American Statistician 41 (1987) 215-218, the attribute appraisal of RAT-STATS.
    """
    tail = (1 - sizes.CONFIDENCE) / 2 + 1e-12  # a chance of just 5 % is not above it
    least, most = errors, items - (sampled - errors)
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if quantiles.at_least(errors, items, middle, sampled) > tail:
            high = middle
        else:
            low = middle + 1
    lower, low, high = low, least, most
    while low < high:
        middle = (low + high + 1) // 2
        if quantiles.at_most(errors, items, middle, sampled) > tail:
            low = middle
        else:
            high = middle - 1
    return lower, low
