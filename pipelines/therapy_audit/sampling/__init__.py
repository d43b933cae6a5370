"""Audit samples and their estimates: `sample` draws from a run's database, `estimate` reads the reviewed workbook.

Both leave files from which someone else can do the same again: the frame, the method, every figure step by step.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import deidentify
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash
from therapy_audit.sampling import book, estimator, frame, lookback, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb

ALLOCATIONS = ("proportional", "neyman")
UNDECIDED = ("correct", "error")
ALGORITHM = "order of SHA-256"  # how items are drawn; another way would need another name
SELF_DISCLOSURE = 100  # the least that OIG's self-disclosure protocol takes
CIA_RATE = 0.05  # net error rate from which a corporate integrity agreement asks for more


@dataclass(frozen=True)
class Plan:
    """What is asked of a sample: the frame, its strata, and a size or a precision (USD, or a part of the total)."""

    asked: frame.Asked
    strata: str | None = None
    allocation: str = "proportional"
    size: int | None = None
    precision: Decimal | None = None
    relative_precision: Decimal | None = None
    probe: Path | None = None
    seed: int | None = None


def precision(given: str) -> tuple[Decimal | None, Decimal | None]:
    """`5000` -> (5000, None), USD; `25%` -> (None, 0.25), of the estimated total. AuditError for anything else."""
    text = given.strip().replace(",", "").removeprefix("$")
    relative = text.endswith("%")
    try:
        value = Decimal(text.removesuffix("%").strip())
    except ArithmeticError:
        value = Decimal(0)
    if not value.is_finite() or value <= 0:
        raise AuditError(f"--precision '{given}' is not understood; write dollars (5000) or a part of the total (25%).")
    return (None, value / 100) if relative else (value, None)


def sample(run: Path, folder: Path, plan: Plan) -> dict[str, Any]:
    """Draw a sample from the audit in folder `run` and write it to `folder`; return its design.

    Writes frame.csv, frame.parquet, sample.xlsx, method.html and design.json. Raises AuditError for bad usage, an empty
    frame, or a folder that holds a sample already: its workbook may hold decisions.
    """
    import therapy_audit

    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise AuditError(f"{folder}: there is something in it already; name a new folder with --out.")
    if deidentify.told(run):
        raise AuditError(f"{run}: a report without names has moved dates; draw from the report with names.")
    with therapy_audit.open(run, locked=True) as audit, _private(), _new(folder):
        return draw(audit.con, folder, plan, run=Path(run).resolve().name)


def draw(con: duckdb.DuckDBPyConnection, folder: Path, plan: Plan, run: str = "") -> dict[str, Any]:
    """Draw from an open database into an existing folder; see sample()."""
    from therapy_audit.sampling import pages

    if (plan.size is None) == (plan.precision is None and plan.relative_precision is None):
        raise AuditError("Give either --size or --precision.")
    seed = plan.seed if plan.seed is not None else int.from_bytes(os.urandom(4), "big")
    by = frame.parse_strata(plan.strata)
    left_out = frame.build(con, plan.asked)
    bands = frame.stratify(con, by)
    strata = frame.strata_of(con)
    probe = _probe(plan.probe) if plan.probe else None
    taken, reason = _sized(plan, strata, probe)
    frame.draw(con, seed, strata, taken)
    frame.write(con, folder / "frame.csv")
    frame.write(con, folder / "frame.parquet")
    columns = ", ".join(book.ITEM_COLUMNS)
    rows = con.execute(f"SELECT {columns} FROM sample_item ORDER BY item_number").fetchall()
    items = [dict(zip(book.ITEM_COLUMNS, row, strict=True)) for row in rows]
    start, end = con.execute("SELECT period_start, period_end FROM audit_period").fetchall()[0]
    design: dict[str, Any] = {
        "run": run,
        "period_start": str(start),
        "period_end": str(end),
        "frame": plan.asked.frame,
        "frame_title": frame.FRAMES[plan.asked.frame],
        "amount": plan.asked.amount,
        "amount_title": frame.AMOUNTS[plan.asked.amount],
        "plans": list(plan.asked.plans),
        "payers": list(plan.asked.payers),
        "rules": list(plan.asked.rules),
        "items": sum(item.items for item in strata),
        "frame_amount": str(sum(item.amount for item in strata)),
        "frame_amount_at_risk": str(sum(item.amount_at_risk for item in strata)),
        "left_out": [{**item, "amount": str(item["amount"])} for item in left_out],
        "frame_sha256": file_hash(folder / "frame.csv"),
        "seed": seed,
        "seed_given": plan.seed is not None,
        "algorithm": ALGORITHM,
        "strata_by": [name for name, _ in by],
        "allocation": plan.allocation if by else None,
        "bands": [{"start": str(band.start), "end": None if band.end is None else str(band.end)} for band in bands],
        "size": sum(taken),
        "size_reason": reason,
        "strata": [
            {
                "title": item.title,
                "items": item.items,
                "amount": str(item.amount),
                "amount_at_risk": str(item.amount_at_risk),
                "deviation": round(item.deviation, 4),
                "deviation_at_risk": round(item.deviation_at_risk, 4),
                "sampled": count,
            }
            for item, count in zip(strata, taken, strict=True)
        ],
        "sample_sha256": book.checksum(
            [(item["item_number"], item["item_key"], item["stratum"], int(item["amount"] * 100)) for item in items]
        ),
    }
    decided = _carried(probe, design, items)
    design["carried_over"] = len(decided)
    book.write(folder / "sample.xlsx", design, items, decided)
    pages.method(folder / "method.html", design, items)
    (folder / "design.json").write_text(json.dumps(design, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return design


def told(design: dict[str, Any], folder: Path) -> list[str]:
    """Return what was drawn, as lines to print."""
    strata = f" in {len(design['strata']):,} strata" if design["strata_by"] else ""
    left = "".join(f"; {item['items']:,} left out: {item['reason']}" for item in design["left_out"])
    lines = [
        f"Frame: {design['items']:,} {design['frame']}, {usd(float(design['frame_amount']))} {design['amount']}{left}",
        f"Drawn: {design['size']:,}{strata}, seed {design['seed']}",
        f"Size: {design['size_reason']}",
    ]
    if design["carried_over"]:
        lines.append(f"Decisions of the probe taken over: {design['carried_over']:,}")
    if design["size"] < min(sizes.PROBE, design["items"]):
        lines.append(f"Note: a probe sample has {sizes.PROBE} items or more by convention.")
    return [*lines, f"To review: {folder / 'sample.xlsx'}; how it was drawn: {folder / 'method.html'}"]


def _probe(path: Path) -> tuple[dict[str, Any], list[book.Item]]:
    design, items = book.read(path)
    _refuse_undecided(path, items)
    if len(items) < 2:
        raise AuditError(f"{path}: of one item no spread can be told; a probe has {sizes.PROBE} by convention.")
    return design, items


def _refuse_undecided(path: Path, items: Sequence[book.Item]) -> None:
    open_rows = [item.row for item in items if item.decision is None]
    if open_rows:
        shown = ", ".join(str(row) for row in sorted(open_rows)[:10])
        more = f" and {len(open_rows) - 10:,} more" if len(open_rows) > 10 else ""
        raise AuditError(
            f"{path}: {len(open_rows):,} of {len(items):,} items have no decision (rows {shown}{more} of sheet Sample);"
            " fill them in, or say with --undecided correct or --undecided error what they count as."
        )


def _carried(
    probe: tuple[dict[str, Any], list[book.Item]] | None, design: dict[str, Any], items: list[dict[str, Any]]
) -> dict[str, book.Item]:
    """Return the probe's decisions on items that are drawn again, where it was drawn from the same frame."""
    if probe is None or probe[0]["frame_sha256"] != design["frame_sha256"]:
        return {}
    drawn = {item["item_key"] for item in items}
    return {item.item_key: item for item in probe[1] if item.item_key in drawn}


def _sized(
    plan: Plan, strata: Sequence[frame.Stratum], probe: tuple[dict[str, Any], list[book.Item]] | None
) -> tuple[list[int], str]:
    """Return the size of each stratum, and in words how it was come by."""
    items = [item.items for item in strata]
    if probe is None:
        deviations = [item.deviation_at_risk for item in strata]
        total = float(sum(item.amount_at_risk for item in strata))
        source = "the audit's findings: each item's amount at risk stands for its overpayment"
    else:
        result = estimator.estimate(_audited(probe[0], probe[1]))
        found = {stratum.title: stratum.deviation for stratum in result.strata}
        titles = [item.title for item in strata]
        pooled = estimator.estimate(_pooled(probe[0], probe[1])).strata[0].deviation
        # A probe with other strata tells the spread as a whole only.
        deviations = [found[title] for title in titles] if set(titles) == set(found) else [pooled] * len(titles)
        total = float(sum(stratum.mean * stratum.items for stratum in result.strata))
        source = f"the probe sample of {len(probe[1]):,} items"
    amounts = [item.deviation for item in strata]
    spread = deviations if probe is not None and any(deviations) else amounts
    weights = (
        [count * value for count, value in zip(items, spread, strict=True)]
        if plan.allocation == "neyman"
        else [float(count) for count in items]
    )
    if plan.size is not None:
        return sizes.allocate(items, weights, plan.size), "as asked for"
    if not any(deviations):
        raise AuditError(
            f"No size can be told from {source}: there is no spread in it. Draw a probe with --size {sizes.PROBE}, "
            "review it, and give it with --probe."
        )
    target = float(plan.precision or 0)
    words = f"${target:,.2f}"
    if plan.relative_precision is not None:
        if total <= 0:
            raise AuditError(
                f"A part of the total was asked for, and by {source} there is none; write --precision in $."
            )
        target = float(plan.relative_precision) * total
        part = 100 * float(plan.relative_precision)
        words = f"{part:.4g} % of the expected total of ${total:,.2f}, that is ${target:,.2f}"
    size = sizes.size_for(items, weights, deviations, target)
    taken = sizes.allocate(items, weights, size)
    reached = sizes.half_width(items, taken, deviations)
    free = sizes.degrees_of_freedom(items, taken, deviations)
    least = f" (no fewer than {sizes.PROBE} are drawn)" if size == sizes.PROBE else ""
    return taken, (
        f"the smallest whose two-sided 90 % interval is expected to reach {words} or less to either side{least}. "
        f"Half width = t(.95; {free}) x sqrt(sum over strata of N(N-n)s²/n) = ${reached:,.2f}, with s from {source}"
    )


def _audited(
    design: dict[str, Any], items: Sequence[book.Item], undecided: str | None = None
) -> list[estimator.Audited]:
    """Return the strata as audited; an undecided item counts as `undecided` says."""
    groups: dict[str, list[book.Item]] = {}
    for item in items:
        groups.setdefault(item.stratum, []).append(item)
    return [
        estimator.Audited(
            title=stratum["title"],
            items=stratum["items"],
            amount=Decimal(stratum["amount"]),
            reported=[item.amount for item in groups[book.neutral(stratum["title"])]],
            correct=[_correct(item, undecided) for item in groups[book.neutral(stratum["title"])]],
            in_error=[
                item.decision == "error" or (item.decision is None and undecided == "error")
                for item in groups[book.neutral(stratum["title"])]
            ],
        )
        for stratum in design["strata"]
    ]


def _correct(item: book.Item, undecided: str | None) -> int:
    if item.correct is not None:
        return item.correct
    return 0 if undecided == "error" else item.amount


def _pooled(design: dict[str, Any], items: Sequence[book.Item]) -> list[estimator.Audited]:
    """Return the items as one stratum, for what does not depend on strata."""
    return [
        estimator.Audited(
            title="all",
            items=design["items"],
            amount=Decimal(design["frame_amount"]),
            reported=[item.amount for item in items],
            correct=[_correct(item, None) for item in items],
            in_error=[item.decision == "error" for item in items],
        )
    ]


@dataclass(frozen=True)
class Estimated:
    """What an estimate rests on and says: the design, the items, the figures, the clocks of what was confirmed."""

    design: dict[str, Any]
    items: list[book.Item]
    undecided: str | None
    result: estimator.Estimate
    clocks: list[lookback.Clock]
    as_of: date
    investigation: lookback.Investigation | None
    name: str


def estimate(
    path: Path,
    *,
    as_of: date,
    undecided: str | None = None,
    quantile: str = "t",
    investigation: lookback.Investigation | None = None,
    findings: Path | None = None,
) -> Estimated:
    """Return the estimate of a reviewed sample workbook, and the clocks of its confirmed overpayments.

    `undecided` says what items without a decision count as; without it they are refused. `findings` is a findings.xlsx
    whose confirmed overpayments get their clocks too. Raises AuditError for what cannot be estimated.
    """
    design, items = book.read(path)
    if undecided is None:
        _refuse_undecided(path, items)
    audited = _audited(design, items, undecided)
    confirmed = [
        lookback.Confirmed(
            where=f"sample row {item.row}",
            plan=item.plan,
            amount=Decimal(item.amount - (item.correct or 0)).scaleb(-2),
            service_date=item.service_date,
            received=item.paid_date,
            identified=item.identified_on or item.reviewed_on,
        )
        for item in items
        if item.decision == "error" and item.correct is not None and item.correct < item.amount
    ]
    confirmed += [
        lookback.Confirmed(
            where=f"findings row {row['row']}",
            plan=row["plan"],
            amount=row["amount"],
            service_date=row["service_date"],
            received=None,
            identified=row["reviewed_on"],
        )
        for row in (book.confirmed_findings(findings) if findings else [])
    ]
    return Estimated(
        design=design,
        items=items,
        undecided=undecided,
        result=estimator.estimate(audited, quantile),
        clocks=lookback.clocks(confirmed, investigation),
        as_of=as_of,
        investigation=investigation,
        name=path.name,
    )


def investigation(start: date | None, end: date | None) -> lookback.Investigation | None:
    """Return the investigation, if there is one. AuditError where its days do not fit."""
    if start is None and end is None:
        return None
    if start is None or (end is not None and end < start):
        raise AuditError("--investigation-to needs an --investigation-from that is no later.")
    return lookback.Investigation(start, end)


def write_workpaper(estimated: Estimated, folder: Path) -> list[Path]:
    """Write workpaper.html and workpaper.xlsx, in place of older ones; return their paths."""
    from therapy_audit.sampling import pages, paper

    page, workbook = folder / "workpaper.html", folder / "workpaper.xlsx"
    try:
        with _private():
            folder.mkdir(parents=True, exist_ok=True)
            pages.workpaper(page, estimated)
            paper.write(workbook, estimated)
    except OSError as fault:
        raise AuditError(f"{folder}: the workpaper cannot be written ({fault.strerror}); name another --out.") from None
    return [page, workbook]


def as_json(estimated: Estimated) -> str:
    """Return the figures as one JSON object; amounts are USD."""
    result, design = estimated.result, estimated.design
    told = {
        "frame": {key: design[key] for key in ("frame", "amount", "items", "frame_sha256", "seed")},
        "frame_amount": result.amount,
        "sampled": result.sampled,
        "undecided": {"items": sum(item.decision is None for item in estimated.items), "as": estimated.undecided},
        "point_estimate": result.point,
        "standard_error": round(result.standard_error, 2),
        "degrees_of_freedom": result.degrees,
        "quantile": result.quantile,
        "precision": result.precision,
        "two_sided_90": {
            "lower": result.lower_two_sided, "upper": result.upper_two_sided, "quantile": result.two_sided_t,
        },
        "one_sided_90": {"lower": result.lower_one_sided, "quantile": result.one_sided_t},
        "demanded": [{"by": who, "amount": amount} for who, _, amount, _ in demands(result)],
        "overpayments": {"sample": result.overpayments, "projected": result.overpayments_projected},
        "underpayments": {"sample": result.underpayments, "projected": result.underpayments_projected},
        "items_in_error": {
            "sample": result.errors,
            "rate": result.error_rate,
            "projected": result.errors_projected,
            "lower": result.error_limits[0],
            "upper": result.error_limits[1],
            "method": result.error_method,
        },
        "net_error_rate": {
            "sample": result.net_error_rate,
            "projected": result.net_error_rate_projected,
            "five_percent_or_more": reaches_cia(result),
        },
        "strata": [
            {
                "stratum": item.title, "items": item.items, "sampled": item.sampled, "errors": item.errors,
                "difference": item.difference, "mean": item.mean, "deviation": item.deviation, "total": item.total,
            }
            for item in result.strata
        ],
        "lookback": {
            **lookback.summary(estimated.clocks, estimated.as_of),
            "as_of": estimated.as_of,
            "findings": [
                {
                    "where": item.confirmed.where, "amount": item.confirmed.amount, "state": item.state,
                    "reason": item.reason, "identified": item.confirmed.identified,
                    "suspended_until": item.suspended_until, "due": item.due,
                }
                for item in estimated.clocks
            ],
        },
        "cautions": cautions(estimated),
    }  # fmt: skip
    return json.dumps(told, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def demands(result: estimator.Estimate) -> list[tuple[str, str, Decimal, str]]:
    """Return who asks for which figure: (who, which, USD, where it stands)."""
    return [
        ("OIG audits", "lower limit of the two-sided 90 % interval", result.lower_two_sided,
         "HHS-OIG, Office of Audit Services, as its reports state"),
        ("CMS contractors (UPIC, RAC, MAC)", "lower limit of the one-sided 90 % interval", result.lower_one_sided,
         "Medicare Program Integrity Manual (Pub. 100-08) ch. 8 §8.4.5"),
        ("OIG self-disclosure", "point estimate, of a sample of 100 items or more", max(result.point, Decimal("0.00")),
         "OIG Health Care Fraud Self-Disclosure Protocol"),
    ]  # fmt: skip


def reaches_cia(result: estimator.Estimate) -> bool:
    """Return whether the sample's net error rate is 5 % or more, as integrity agreements ask."""
    return result.net_error_rate is not None and result.net_error_rate >= CIA_RATE


def cautions(estimated: Estimated) -> list[str]:
    """Return what a reader should know before relying on the figures; the limits are measured in docs/sampling.md."""
    result = estimated.result
    told = []
    if result.sampled < sizes.PROBE < result.items:
        told.append(
            f"{result.sampled:,} items are fewer than the {sizes.PROBE} of a probe sample: size the next one by it."
        )
    elif result.sampled < min(SELF_DISCLOSURE, result.items):
        told.append(
            f"{result.sampled:,} items are fewer than the {SELF_DISCLOSURE} that OIG's self-disclosure asks for."
        )
    nonzero = sum(item.correct is not None and item.correct != item.amount for item in estimated.items)
    if nonzero < 15 and result.sampled < result.items:
        told.append(
            f"{nonzero:,} items differ in dollars. With so few, intervals of this kind miss the truth more often than "
            "they say, mostly by lying too low: see docs/sampling.md."
        )
    rough = [item for item in result.strata if item.sampled < min(sizes.PROBE, item.items)]
    if rough and len(result.strata) > 1:
        told.append(f"Strata with fewer than {sizes.PROBE} sampled items ({len(rough):,}) tell their spread roughly.")
    if result.raw_lower_two_sided < 0:
        told.append("A lower limit came out below 0 and is told as 0.")
    if estimated.undecided:
        count = sum(item.decision is None for item in estimated.items)
        told.append(f"{count:,} items without a decision count as {estimated.undecided}.")
    return told


def lines(estimated: Estimated) -> list[str]:
    """Return the figures as lines to print."""
    result, design = estimated.result, estimated.design
    clock = lookback.summary(estimated.clocks, estimated.as_of)
    rate = "none" if result.net_error_rate is None else f"{100 * result.net_error_rate:.2f} %"
    told = [
        f"{result.sampled:,} of {result.items:,} {design['frame']} reviewed; seed {design['seed']}",
        (
            f"In the sample: {result.errors:,} in error; overpaid ${result.overpayments:,.2f}, underpaid "
            f"${result.underpayments:,.2f}; net error rate {rate}"
            f" ({'5 % or more' if reaches_cia(result) else 'below 5 %'})"
        ),
        f"Point estimate of the overpayment: {usd(result.point)} (standard error ${result.standard_error:,.2f})",
        (
            f"Two-sided 90 %: ${result.lower_two_sided:,.2f} to {usd(result.upper_two_sided)}; "
            f"one-sided 90 %: ${result.lower_one_sided:,.2f} or more"
        ),
        *(f"  {who}: ${amount:,.2f}, the {which}" for who, which, amount, _ in demands(result)),
        (
            f"Items in error: {100 * result.error_rate:.1f} %, in the frame {result.errors_projected:,.0f} "
            f"({result.error_limits[0]:,} to {result.error_limits[1]:,}; {result.error_method})"
        ),
    ]
    if estimated.clocks:
        inside = clock[lookback.INSIDE]
        due = "" if clock["next_due"] is None else f"; next due {clock['next_due']}"
        late = "" if not clock["overdue"]["findings"] else f"; {clock['overdue']['findings']:,} overdue"
        rest = "".join(
            f"; {clock[state]['findings']:,} {words}"
            for state, words in (
                (lookback.OUTSIDE, "outside them"),
                (lookback.UNKNOWN, "not known"),
                (lookback.OTHER, "of other payers"),
            )
            if clock[state]["findings"]
        )  # fmt: skip
        told.append(
            f"To be returned within six years' lookback: {inside['findings']:,} findings, ${inside['amount']:,.2f}"
            f"{rest}{due}{late}"
        )
    return [*told, *(f"Note: {words}" for words in cautions(estimated))]


def usd(value: Decimal | float) -> str:
    """-1234.5 -> -$1,234.50."""
    return f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def newest_run(reports: Path = Path("reports")) -> Path:
    """Return the only report in folder reports/. AuditError where there is none or several."""
    found = sorted(
        path.parent for path in reports.glob("*/audit.duckdb") if not path.parent.name.endswith(deidentify.SUFFIX)
    )
    if len(found) != 1:
        named = ", ".join(str(path) for path in found)
        raise AuditError(
            f"There are several reports: {named}; name the one to draw from."
            if found
            else "There is no report in reports/; name the folder that `therapy-audit run` has written."
        )
    return found[0]


@contextmanager
def _private() -> Iterator[None]:
    """Create files that only this user may read."""
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)


@contextmanager
def _new(folder: Path) -> Iterator[None]:
    """Make the folder; where its work fails, leave nothing of it."""
    import shutil

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise AuditError(f"{folder}: the folder cannot be made ({fault.strerror}); name another --out.") from None
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
