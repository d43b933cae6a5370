"""Quantiles of the distributions that estimates rest on, from scipy."""

from __future__ import annotations


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def normal_quantile(probability: float) -> float:
    """Return the quantile of the normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def at_most(errors: int, items: int, erroneous: int, sampled: int) -> float:
    """Return the chance of `errors` or fewer in a sample from `items` of which `erroneous` are in error."""
    from scipy.stats import hypergeom

    return float(hypergeom.cdf(errors, items, erroneous, sampled))


def at_least(errors: int, items: int, erroneous: int, sampled: int) -> float:
    """Return the chance of `errors` or more in a sample from `items` of which `erroneous` are in error."""
    from scipy.stats import hypergeom

    return float(hypergeom.sf(errors - 1, items, erroneous, sampled))
