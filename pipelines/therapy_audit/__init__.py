"""Audit outpatient therapy claims against visit notes and remittances.

`run` audits and writes a report folder, `open` reads one; both return an `Audit` with pandas frames and DuckDB.
`sample` draws an audit sample from one, `estimate` reads it back reviewed. What is wrong with input or usage raises
`AuditError`, whose text is the sentence that the command line prints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb
    import pandas as pd

from therapy_audit.errors import AuditError

__all__ = ["Audit", "AuditError", "estimate", "open", "run", "sample"]


@dataclass(frozen=True)
class Audit:
    """A finished audit: its report folder and the database in it, opened for reading. A context manager.

    Amounts in frames are floats of USD; SQL on `con` has them as DECIMAL. The tables: sql/schema.sql, sql/models/.
    """

    folder: Path
    con: duckdb.DuckDBPyConnection

    @property
    def summary(self) -> dict[str, Any]:
        """Return summary.json: findings, overpayment_amount, underpayment_amount, rules, ... as a dict."""
        import json

        return dict(json.loads((self.folder / "summary.json").read_text(encoding="utf-8")))

    def findings(self) -> pd.DataFrame:
        """Return one row per finding, the largest amount first.

        Columns: finding_id (the same next month for the same fault), rule, severity (error, warning, info), direction
        (overpayment, underpayment, compliance), claim_id, claim_line_number, patient_id, service_date, discipline,
        hcpcs_code, rendering_npi, payer, plan, amount_at_risk (USD), exposure_amount (USD of it that count in totals,
        so that no dollar counts twice), message (one sentence), facts (JSON: what was seen and expected),
        reference_state (current, stale_reference, none), source_file, source_row.
        """
        return self.sql("SELECT * FROM finding ORDER BY amount_at_risk DESC, finding_id").df()

    def finding_lines(self) -> pd.DataFrame:
        """Return one row per finding and claim line with dollars at stake.

        Columns: finding_id, claim_id, claim_line_number (both null where it is about a remittance), units_at_stake
        (null: all of the line's; below 0: units that are missing), amount_at_risk (USD), exposure_amount (USD that
        count in totals).
        """
        query = "SELECT * FROM finding_line ORDER BY finding_id, claim_id, claim_line_number"
        return self.sql(query).df()

    def coverage(self) -> pd.DataFrame:
        """Return one row per rule: how many of what it judges had which outcome. A missing value is never a pass.

        Columns: rule, grain (what it is about), in_scope, passed, failed, not_evaluable, error (its query failed),
        findings, amount_at_risk (USD), reasons (JSON: why how many could not be judged).
        """
        return self.sql("SELECT * FROM coverage ORDER BY rule").df()

    def documentation(self) -> pd.DataFrame:
        """Return one row per functional activity of a patient's day with the score of its notes, null without a text.

        Columns: claim_id, claim_line_number, patient_id, service_date, discipline, hcpcs_code, note_id, clinician_npi,
        provider_name, score (0 to 100), specific_activity_points, skilled_direction_points, functional_goal_points,
        patient_response_points, time_stated_points, narrative (what most of the text is about), assist_level.
        """
        return self._written("documentation")

    def clinician_profiles(self, *, by_month: bool = False) -> pd.DataFrame:
        """Return one row per clinician and metric (and month) against peers, small cells blank, as the CSV has them.

        Columns: clinician_npi, provider_name, credential, discipline, month, metric, title, kind (share, number,
        money), value, counted, divided_by, compared_with (peers, benchmark), peers, percentile, p20, p50, p80, outlier
        (high, low), suppressed. Tables clinician_profile and clinician_profile_month hold what is left blank;
        docs/profiles.md has the metrics.
        """
        from therapy_audit.report import tables

        which = "IS NOT NULL" if by_month else "IS NULL"
        return self.sql(f"SELECT * FROM ({tables.text('clinician_profiles')}) WHERE month {which}").df()

    def reconciliation(self) -> pd.DataFrame:
        """Return one row per billed line or charted service, with its note and its payer's answer.

        Columns: claim_id, claim_line_number, patient_id, service_date, discipline, payer, hcpcs_code, units,
        line_amount (USD), reconciliation_state (matched, billed only, documented only, ...), match_key (by what),
        confidence (0 to 1), note_id, note_date, documented_code, documented_minutes, clinician_differs,
        remittance_state, paid_amount (USD).
        """
        return self._written("reconciliation")

    def denials(self) -> pd.DataFrame:
        """Return one row per denied line of the remittances.

        Columns: claim_id, claim_line_number, patient_id, service_date, month, discipline, hcpcs_code, rendering_npi,
        provider_name, payer, plan, remittance_id, remittance_line_number, denied_date, category (own words),
        group_code, reason_code, remark_code, outcome (what became of it), age_days; charge_amount, denied_amount,
        counted_amount, recovered_amount, patient_amount, written_off_amount and open_amount (USD); codes,
        rules_flagged, rules_not_evaluable and rules_passed (what the rules that speak to it said).
        """
        return self._written("denials")

    def risk(self) -> pd.DataFrame:
        """Return claims, patients, clinicians and payers by risk, highest first within each level.

        Columns: level, place, item, provider_name, findings, money (USD), chance (that findings are upheld),
        expected_loss (USD), severity_weight, score, first_rule, first_rule_title.
        """
        return self._written("risk")

    def quarantine(self) -> pd.DataFrame:
        """Return one row per refused input row; never the value itself.

        Columns: source_file, source_row, contract_table, column_name, value_class (its shape), reason.
        """
        query = "SELECT * FROM quarantine ORDER BY source_file, source_row, column_name, reason"
        return self.sql(query).df()

    def explain(self, finding_id: str, *, with_text: bool = False) -> dict[str, Any]:
        """Return a finding in full. The begin of its id is enough where no other begins so.

        Keys: finding, rule, seen, facts, expected, arithmetic, references, reference_tables, reference_state, lines,
        lines_in_all, notes, remedy, exceptions. Note text is there only `with_text`. Raises AuditError for an id that
        there is not.
        """
        from therapy_audit import explain

        return explain.explain(self.con, finding_id, with_text=with_text)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the query's result as a DuckDB relation (`.df()` makes it a frame); sql/schema.sql has the tables."""
        return self.con.sql(query)

    def _written(self, name: str) -> pd.DataFrame:
        """Return the rows of a file that the run wrote, in its order."""
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            raise AuditError(f"{path}: there is no such file; an older version wrote this report, so run it again.")
        return self.con.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()

    def close(self) -> None:
        """Close the database."""
        self.con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, fault: BaseException | None, __: object) -> None:
        from therapy_audit import engine

        self.close()
        engine.tell_damage(fault, self.folder / "audit.duckdb")


def open(folder: str | Path, *, locked: bool = False) -> Audit:  # noqa: A001  (ta.open reads as it should)
    """Open a report folder that a run has written. Raises AuditError where there is none, or a damaged one.

    `locked` keeps all SQL on it from other files, as every command does; without it a query may read your files too.
    """
    from therapy_audit import engine

    database = Path(folder) / "audit.duckdb"
    if not database.exists():
        raise AuditError(
            f"{folder}: there is no audit.duckdb in it; name a folder that `therapy-audit run` has written."
        )
    return Audit(Path(folder), engine.opened(database, locked=locked))


def run(
    config: str | Path | None = None,
    *,
    claims: str | Path | Sequence[str | Path] | None = None,
    notes: str | Path | Sequence[str | Path] | None = None,
    **given: Any,
) -> Audit:
    """Run the audit, told by an audit.toml or by keywords named as its keys, and open the result.

    `claims`, `notes` and the other inputs are a path or glob, or a list of them; `output` is the report folder (where
    none is named, one in reports/ by the period). Keywords stand in place of what the file says. Raises AuditError for
    bad input or usage.
    """
    from therapy_audit import config as settings
    from therapy_audit import pipeline

    base = settings.read(Path(config)) if config else None
    named = {"claims": claims, "notes": notes} | {name: given.pop(name, None) for name in settings.INPUTS[2:]}
    inputs = {
        name: tuple(str(item) for item in (files if isinstance(files, list | tuple) else [files]))
        for name, files in named.items()
        if files is not None
    }
    for name in given:
        if name not in settings.Config.__dataclass_fields__:
            raise AuditError(f"ta.run knows no '{name}'; there are {', '.join(settings.Config.__dataclass_fields__)}.")
    for name in ("output", "reference", "lexicon", "benchmarks", "rules"):
        if given.get(name) is not None:
            given[name] = Path(given[name])
    chosen = pipeline.from_inputs(base, inputs={**(base.inputs if base else {}), **inputs}, **given)
    return open(pipeline.run(chosen).folder)


def sample(
    audit: Audit | str | Path,
    folder: str | Path,
    *,
    size: int | None = None,
    precision: str | None = None,
    frame: str = "claims",
    amount: str = "paid",
    strata: str | None = None,
    allocation: str = "proportional",
    plans: Sequence[str] = (),
    payers: Sequence[str] = (),
    rules: Sequence[str] = (),
    probe: str | Path | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Draw an audit sample of an audit (or its report folder) into a new folder, and return its design.

    Either `size` (items) or `precision` ("5000" USD, or "25%" of the estimated total, to either side) is given. `frame`
    is claims, lines or visits; `amount` paid or allowed; `strata` such as "payer,amount:4"; `allocation` proportional
    or neyman; `plans`, `payers`, `rules` confine the frame; `probe` is a reviewed probe sample; the same `seed` draws
    the same items. Writes sample.xlsx, frame.csv, frame.parquet, method.html and design.json. Keys of the design:
    items, frame_amount, size, size_reason, seed, strata, left_out, frame_sha256, ... as in design.json. Raises
    AuditError for bad usage, an empty frame, or a folder that is not empty.
    """
    from therapy_audit import sampling
    from therapy_audit.sampling.frame import AMOUNTS, FRAMES, Asked

    for name, given, allowed in (
        ("frame", frame, FRAMES),
        ("amount", amount, AMOUNTS),
        ("allocation", allocation, sampling.ALLOCATIONS),
    ):
        if given not in allowed:
            raise AuditError(f"{name} '{given}' is not one of {', '.join(allowed)}.")
    dollars, part = sampling.precision(precision) if precision else (None, None)
    plan = sampling.Plan(
        Asked(frame, amount, tuple(plans), tuple(payers), tuple(rules)),
        strata=strata,
        allocation=allocation,
        size=size,
        precision=dollars,
        relative_precision=part,
        probe=Path(probe) if probe else None,
        seed=seed,
    )
    return sampling.sample(audit.folder if isinstance(audit, Audit) else Path(audit), Path(folder), plan)


def estimate(
    workbook: str | Path,
    *,
    undecided: str | None = None,
    quantile: str = "t",
    findings: str | Path | None = None,
    as_of: date | None = None,
    folder: str | Path | None = None,
) -> dict[str, Any]:
    """Estimate the frame's overpayment from a reviewed sample workbook; the figures of `estimate --json`, in USD.

    `undecided` (correct or error) says what items without a decision count as; without it they are refused. `quantile`
    is t or normal; `findings` a reviewed findings.xlsx whose confirmed overpayments get their clocks too; `as_of` the
    day on which clocks are read (today). The workpaper is written to `folder`, if named. Keys: frame, frame_amount,
    sampled, point_estimate, standard_error, precision, two_sided_90, one_sided_90, demanded, overpayments,
    underpayments, items_in_error, net_error_rate, strata, lookback, cautions, ... Raises AuditError for what cannot be
    estimated.
    """
    import json
    from datetime import date as day

    from therapy_audit import sampling

    for name, given, allowed in (
        ("undecided", undecided, (*sampling.UNDECIDED, None)),
        ("quantile", quantile, ("t", "normal")),
    ):
        if given not in allowed:
            raise AuditError(f"{name} '{given}' is not one of {', '.join(item for item in allowed if item)}.")
    found = sampling.estimate(
        Path(workbook),
        as_of=as_of or day.today(),  # noqa: DTZ011 - the reader's own day
        undecided=undecided,
        quantile=quantile,
        findings=Path(findings) if findings else None,
    )
    if folder is not None:
        sampling.write_workpaper(found, Path(folder))
    return dict(json.loads(sampling.as_json(found)))
