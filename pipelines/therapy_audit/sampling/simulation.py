"""How often the limits hold: thousands of samples drawn from made-up frames whose true total is known.

The frames are like claims under audit: most differences are 0, those in error are paid in part or whole, amounts are
skewed. Items are drawn as `therapy-audit sample` draws them, by the SHA-256 of seed and key, with seeds 1, 2, ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from therapy_audit.sampling import quantiles, sizes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Places = npt.NDArray[np.int64]

ITEMS = 4_000
SIZES = (30, 100, 300)

# Share of items in error, and whether an error takes the whole amount or a part of it.
POPULATIONS = (
    ("2 % in error, in part", 0.02, False),
    ("5 % in error, in part", 0.05, False),
    ("10 % in error, in part", 0.10, False),
    ("30 % in error, in part", 0.30, False),
    ("30 % in error, the whole amount", 0.30, True),
    ("60 % in error, the whole amount", 0.60, True),
)


@dataclass(frozen=True)
class Population:
    """A made-up frame: amounts (USD, in cents' steps), what is wrong with each, and the band of its amount."""

    title: str
    amounts: Floats
    differences: Floats

    @property
    def truth(self) -> float:
        """The true total difference, USD."""
        return float(self.differences.sum())


@dataclass(frozen=True)
class Held:
    """Shares of samples: the two-sided interval holds the truth; its lower limit, and the one-sided, lie below it."""

    title: str
    size: int
    two_sided: float
    above_lower: float
    above_one_sided: float
    differing: float  # items that differ in dollars, on average
    bias: float  # mean of the point estimates by the truth, less 1


def population(title: str, rate: float, whole: bool, seed: int, items: int = ITEMS) -> Population:  # noqa: FBT001
    """Make a frame: amounts log-normal with a median of $60; of twenty errors one is an underpayment."""
    import numpy as np

    random = np.random.default_rng([seed, int(1000 * rate), int(whole)])
    amounts = np.round(np.exp(random.normal(np.log(60), 0.9, items)), 2) + 0.01
    wrong = random.random(items) < rate
    part = np.ones(items) if whole else random.uniform(0.1, 1.0, items)
    sign = np.where(random.random(items) < 0.05, -1.0, 1.0)
    differences = np.round(np.where(wrong, amounts * part * sign, 0.0), 2)
    return Population(title, amounts.astype(np.float64), differences.astype(np.float64))


def orders(items: int, samples: int, longest: int) -> Places:
    """Return which items (from 0) each of seeds 1 to `samples` draws first: an array of samples x longest."""
    import numpy as np

    from therapy_audit import engine
    from therapy_audit.sampling import frame

    found = np.empty((samples, longest), dtype=np.int64)
    with engine.connect() as con:
        con.execute(
            "CREATE TEMP TABLE sample_frame AS SELECT range AS item_number, 'all' AS stratum,"
            " 'claim:' || lpad((range + 1)::VARCHAR, 6, '0') AS item_key FROM range(?)",
            [items],
        )
        for seed in range(1, samples + 1):
            drawn = con.execute(
                f"SELECT item_number FROM ({frame.sql('draw')}) WHERE draw_order <= $longest ORDER BY draw_order",
                {"seed": str(seed), "longest": longest},
            ).fetchnumpy()
            found[seed - 1] = drawn["item_number"]
    return found


def held(frame: Population, drawn: Places, size: int) -> Held:
    """Return how often the limits of simple samples of `size` hold; `drawn` is what orders() returned."""
    import numpy as np

    values = frame.differences[drawn[:, :size]]
    count = len(frame.differences)
    points = count * values.mean(axis=1)
    errors = np.sqrt(count * (count - size) * values.var(axis=1, ddof=1) / size)
    outer = quantiles.t_quantile((1 + sizes.CONFIDENCE) / 2, size - 1)
    inner = quantiles.t_quantile(sizes.CONFIDENCE, size - 1)
    # A hair's breadth for sums of binary numbers.
    lower, upper = np.maximum(0, points - outer * errors) - 1e-6, points + outer * errors + 1e-6
    one_sided = np.maximum(0, points - inner * errors) - 1e-6
    return Held(
        title=frame.title,
        size=size,
        two_sided=float(((lower <= frame.truth) & (frame.truth <= upper)).mean()),
        above_lower=float((lower <= frame.truth).mean()),
        above_one_sided=float((one_sided <= frame.truth).mean()),
        differing=float((values != 0).sum(axis=1).mean()),
        bias=float(points.mean()) / frame.truth - 1,
    )


def stratified(frame: Population, samples: int, size: int, bands: int, allocation: str) -> Held:
    """Return how often the limits of samples stratified by amount hold, as estimator.estimate() reckons them."""
    import numpy as np

    from therapy_audit import engine
    from therapy_audit.sampling import frame as framing
    from therapy_audit.sampling.estimator import Audited, estimate

    reported = np.round(100 * frame.amounts).astype(int)
    correct = reported - np.round(100 * frame.differences).astype(int)
    inside = above = above_one = differing = 0
    total = 0.0
    with engine.connect() as con:
        con.execute(
            "CREATE TEMP TABLE sample_frame AS SELECT place AS item_number, NULL AS left_out,"
            " (cents / 100)::DECIMAL(12, 2) AS amount, 0.00::DECIMAL(12, 2) AS amount_at_risk,"
            " 'claim:' || lpad((place + 1)::VARCHAR, 6, '0') AS item_key"
            " FROM (SELECT unnest(range(len($cents))) AS place, unnest($cents) AS cents)",
            {"cents": reported.tolist()},
        )
        framing.stratify(con, [("amount", bands)])
        strata = framing.strata_of(con)
        counts = [item.items for item in strata]
        weights = [item.items * (item.deviation if allocation == "neyman" else 1.0) for item in strata]
        taken = dict(zip((item.title for item in strata), sizes.allocate(counts, weights, size), strict=True))
        for seed in range(1, samples + 1):
            rows = con.execute(
                f"SELECT stratum, list(item_number ORDER BY draw_order) FROM ({framing.sql('draw')}) GROUP BY stratum",
                {"seed": str(seed)},
            ).fetchall()
            chosen = {stratum: np.array(places[: taken[stratum]]) for stratum, places in rows}
            found = estimate([
                Audited(
                    item.title, item.items, item.amount, reported[chosen[item.title]].tolist(),
                    correct[chosen[item.title]].tolist(), (frame.differences[chosen[item.title]] != 0).tolist(),
                )
                for item in strata
            ])  # fmt: skip
            truth = round(frame.truth, 2)
            inside += float(found.lower_two_sided) <= truth <= float(found.upper_two_sided)
            above += float(found.lower_two_sided) <= truth
            above_one += float(found.lower_one_sided) <= truth
            differing += found.errors
            total += float(found.point)
    return Held(
        f"{frame.title}; {bands} bands, {allocation}",
        size,
        inside / samples,
        above / samples,
        above_one / samples,
        differing / samples,
        total / samples / frame.truth - 1,
    )


def table(samples: int = 2_000, seed: int = 2026) -> str:
    """Return the measured shares as a Markdown table: simple samples, then samples stratified by amount."""
    drawn = orders(ITEMS, samples, max(SIZES))
    frames = [population(*item, seed=seed) for item in POPULATIONS]
    rows = [held(frame, drawn, size) for frame in frames for size in SIZES]
    rows += [
        stratified(frame, samples, 100, 4, allocation)
        for frame in (frames[1], frames[3])
        for allocation in ("proportional", "neyman")
    ]
    head = (
        "| frame | n | differing items | two-sided 90 % holds | its lower limit is below the truth | one-sided 90 % is"
        " | bias |"
    )
    told = f"{samples:,} samples of each design from {ITEMS:,} items; nominal are 90 %, 95 % and 90 %."
    return "\n".join([told, "", head, "|---|---:|---:|---:|---:|---:|---:|", *map(_row, rows)])


def _row(item: Held) -> str:
    cells: list[Any] = [
        item.title, item.size, f"{item.differing:.1f}", f"{100 * item.two_sided:.1f} %",
        f"{100 * item.above_lower:.1f} %", f"{100 * item.above_one_sided:.1f} %", f"{100 * item.bias:+.1f} %",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"
