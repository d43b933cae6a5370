"""Two reports compared: which findings are new, persist, came again, were resolved, or are gone for another reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from therapy_audit import engine, history, resources, rules
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from therapy_audit.rules import Rule

STATUSES = ("new", "persisting", "reopened", "resolved", "dismissed", "gone")
# Why a finding is gone without being resolved, or new without being a new fault.
REASONS = {
    "out_of_period": "outside the other run's period",
    "claim_not_given": "claim not given",
    "rule_failed": "the rule failed",
    "rule_changed": "the rule changed",
    "terms_changed": "audit.toml changed",
    "reference_changed": "a reference table changed",
    "not_evaluable": "cannot be judged any more",
    "earlier_run": "told by a run before",
    "changed": "dismissed, facts changed since",
    "expired": "dismissed, and the dismissal expired",
    "came_back": "came back after correction",
}
_TRENDS = 8  # rows of each level on the page
_TEXTS = ("title", "provider_name", "severity", "message", "discipline", "hcpcs_code", "plan", "patient_id")


@dataclass(frozen=True)
class Comparison:
    """What became of the findings, as rows of sql/compare/: totals, rules, runs and trend; `previous` is its name."""

    previous: history.Run
    new: history.Run
    totals: list[dict[str, Any]]
    by_rule: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    trend: list[dict[str, Any]]

    def summary(self) -> dict[str, Any]:
        """Return what summary.json holds: counts and USD by status, of those gone by reason."""
        found: dict[str, Any] = {
            "previous": self.previous.folder.name,
            "previous_period": self.previous.period,
            "previous_generated_at": self.previous.generated_at,
        }
        for status in STATUSES:
            found[status] = _sums([row for row in self.totals if row["status"] == status])
        found["changed"] = _sums([row for row in self.totals if row["changed"]])
        for status in ("gone", "new", "reopened"):
            found[f"{status}_by_reason"] = {
                row["reason"]: row["findings"] for row in self.totals if row["status"] == status and row["reason"]
            }
        found["rules"] = {
            row["rule"]: {key: row[key] for key in (*STATUSES, "changed")}
            for row in sorted(self.by_rule, key=lambda row: str(row["rule"]))
        }
        return found


def _sums(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = ("overpayment_before", "overpayment_after", "underpayment_before", "underpayment_after")
    return {
        "findings": sum(row["findings"] for row in rows),
        **{name: float(sum(row[name] for row in rows)) for name in names},
    }


def compare(
    con: duckdb.DuckDBPyConnection,
    new: history.Run,
    previous: history.Run,
    earlier: Sequence[history.Run] = (),
    judging: Callable[[], Sequence[Rule]] = tuple,
    name: str | None = None,
) -> Comparison:
    """Compare the run `new`, whose database `con` is, with `previous`; leave temporary tables finding_change and trend.

    `earlier` are the runs before `previous`: by them a finding is known that comes again. `judging` gives the rules
    of `new`: they are asked whether they could still judge what is not found any more. `name` is the run's folder's,
    where it is not there yet.
    """
    runs = [*(run for run in earlier if run.folder != previous.folder), previous, new]
    _insert_runs(con, runs, name or new.folder.name)
    _read_findings(con, runs)
    _insert_basis(con, previous, new)
    _old_claims(con, previous)
    con.execute(_sql("finding_change"))
    _look_again(con, judging)
    con.execute(f"CREATE OR REPLACE TEMP TABLE compare_trend AS {_sql('trend')}")
    return Comparison(
        previous=previous,
        new=new,
        totals=_rows(con, "totals"),
        by_rule=_rows(con, "by_rule"),
        runs=_rows(con, "runs"),
        trend=_rows(con, "trend_shown", rows=_TRENDS),
    )


def write(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write compare.csv and trend.csv of the last `compare` into a folder."""
    from therapy_audit.report import tables

    tables.copy_select(con, _sql("change_file"), folder / "compare.csv")
    tables.copy_select(
        con, "SELECT * FROM compare_trend ORDER BY level, item NULLS LAST, run_number", folder / "trend.csv"
    )


def folders(old: Path, new: Path) -> Comparison:
    """Compare two report folders. Raises AuditError where one is none, or the later one's database is not there."""
    before, after = history.read(old), history.read(new)
    if before.folder.resolve() == after.folder.resolve():
        raise AuditError(f"{new}: a report is not compared with itself; name an earlier one first.")
    database = new / "audit.duckdb"
    if not database.is_file():
        raise AuditError(f"{new}: there is no audit.duckdb in it, which tells what claims were given; run it again.")
    earlier = [run for run in history.before(new.resolve(), after.end, after.generated_at) if run.order < before.order]
    with engine.reading(database) as con:
        return compare(con, after, before, earlier, lambda: _rules_of(after))


def _rules_of(run: history.Run) -> list[Rule]:
    """Return the rules by which a report was made, as far as they are still the same."""
    prints = run.manifest.get("rules", {})
    return [rule for rule in rules.load().rules if prints.get(rule.name) == rule.fingerprint]


def lines(found: Comparison) -> list[str]:
    """Return a table of what became of the findings, and the runs."""
    summary = found.summary()
    told = [
        " and ".join(f"{run.folder.name} ({run.start} to {run.end})" for run in (found.previous, found.new)),
        f"{'findings':>9} {'at risk before':>15} {'now':>15}",
    ]

    def row(name: str, sums: dict[str, Any]) -> str:
        return (
            f"{sums['findings']:>9,} {_money(sums['overpayment_before']):>15} {_money(sums['overpayment_after']):>15}"
            f"  {name}"
        )

    for status in STATUSES:
        told.append(row(status, summary[status]))
        if status == "persisting":
            told.append(row("  of these changed", summary["changed"]))
        told += [
            row(f"  {REASONS[item['reason']]}", _sums([item]))
            for item in found.totals
            if item["status"] == status and item["reason"]
        ]
    return told


def in_words(summary: dict[str, Any]) -> str:
    """Return a comparison of summary.json in a line."""
    parts = [f"{summary[status]['findings']:,} {status}" for status in STATUSES[:-1] if summary[status]["findings"]]
    parts += [f"{count:,} gone ({REASONS[reason]})" for reason, count in summary["gone_by_reason"].items()]
    return ", ".join(parts) or "no findings then or now"


def as_json(found: Comparison) -> str:
    """Return the comparison for a machine."""
    return json.dumps(found.summary() | {"runs": found.runs}, indent=2, default=str)


def _money(value: float) -> str:
    return f"${value:,.2f}"


def _sql(name: str) -> str:
    return (resources.folder("sql") / "compare" / f"{name}.sql").read_text(encoding="utf-8")


def _rows(con: duckdb.DuckDBPyConnection, query: str, **bound: Any) -> list[dict[str, Any]]:
    result = con.execute(_sql(query), bound or None)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def _insert_runs(con: duckdb.DuckDBPyConnection, runs: Sequence[history.Run], last: str) -> None:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE compare_run (run_number INTEGER, role VARCHAR, name VARCHAR, period VARCHAR,"
        " period_start DATE, period_end DATE, lines_audited BIGINT)"
    )
    roles = [*(["earlier"] * (len(runs) - 2)), "old", "new"]
    names = [*(run.folder.name for run in runs[:-1]), last]
    for number, (role, name, run) in enumerate(zip(roles, names, runs, strict=True), start=1):
        con.execute(
            "INSERT INTO compare_run VALUES (?, ?, ?, ?, ?, ?, ?)",
            [number, role, name, run.period, run.start, run.end, run.summary.get("lines_audited", 0)],
        )


def _read_findings(con: duckdb.DuckDBPyConnection, runs: Sequence[history.Run]) -> None:
    """Read the findings of all runs; what a version before did not write is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Read here and handed over: the database of a run may open no file by now.
    pieces = []
    for number, run in enumerate(runs, start=1):
        rows = pq.read_table(run.folder / "findings.parquet")
        pieces.append(rows.append_column("run_number", pa.repeat(pa.scalar(number, pa.int32()), rows.num_rows)))
    told = pa.concat_tables(pieces, promote_options="permissive")
    known = set(told.column_names)
    silent = "coalesce(review_state = 'dismissed', FALSE)" if "review_state" in known else "FALSE"
    state = "review_state" if "review_state" in known else "NULL::VARCHAR"
    exposure = "coalesce(exposure_amount, amount_at_risk)" if "exposure_amount" in known else "amount_at_risk"
    con.register("compare_told", told)
    texts = ", ".join(f"CASE WHEN role <> 'earlier' THEN {name} END AS {name}" for name in _TEXTS[2:])
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE compare_finding AS
        SELECT
            run_number, finding_id, rule, title, provider_name, {texts}, direction, claim_id, claim_line_number,
            service_date, rendering_npi, payer, amount_at_risk, {exposure} AS exposure_amount, {silent} AS is_silent,
            {state} AS review_state, md5(facts) AS facts_md5, facts ->> '$.clinician_npi' AS clinician_npi
        FROM compare_told
        INNER JOIN compare_run USING (run_number)
        """
    )
    con.unregister("compare_told")


def _insert_basis(con: duckdb.DuckDBPyConnection, previous: history.Run, new: history.Run) -> None:
    """Fill what the two runs rest on: rules by fingerprint, references by edition, whether the terms are the same."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE compare_rule (role VARCHAR, rule VARCHAR, fingerprint VARCHAR, failed BOOLEAN)"
    )
    con.execute("CREATE OR REPLACE TEMP TABLE compare_reference (role VARCHAR, reference VARCHAR, edition VARCHAR)")
    for role, run in (("old", previous), ("new", new)):
        failed = run.manifest.get("rule_errors", {})
        con.execute(
            "INSERT INTO compare_rule SELECT $role, unnest($rules), unnest($prints), unnest($failed)",
            {
                "role": role,
                "rules": list(run.manifest.get("rules", {})),
                "prints": list(run.manifest.get("rules", {}).values()),
                "failed": [name in failed for name in run.manifest.get("rules", {})],
            },
        )
        editions = run.manifest.get("reference_editions", {})
        con.execute(
            "INSERT INTO compare_reference SELECT $role, unnest($names), unnest($editions)",
            {"role": role, "names": list(editions), "editions": [item["edition"] for item in editions.values()]},
        )
    terms = [_terms(run) for run in (previous, new)]
    con.execute("CREATE OR REPLACE TEMP TABLE compare_terms AS SELECT $changed AS terms_changed", {
        "changed": terms[0] != terms[1]
    })  # fmt: skip


def _terms(run: history.Run) -> dict[str, Any]:
    """Return the user's settings that decide what is found; the day that a run looks from moves on by itself."""
    given = run.manifest.get("settings", {}) | {"lexicon": run.manifest.get("lexicon")}
    return {name: value for name, value in given.items() if name != "as_of"}


def _old_claims(con: duckdb.DuckDBPyConnection, previous: history.Run) -> None:
    """Fill the claims that the earlier run was given, as far as its database is there and can be read."""
    con.execute("CREATE OR REPLACE TEMP TABLE compare_old_claim (claim_id VARCHAR)")
    path = previous.folder / "audit.duckdb"
    known = False
    if path.is_file():
        try:
            with engine.reading(path) as old:
                claims = old.execute("SELECT DISTINCT claim_id FROM claim_line").to_arrow_table()
            con.register("compare_given", claims)
            con.execute("INSERT INTO compare_old_claim FROM compare_given")
            con.unregister("compare_given")
            known = True
        except (duckdb.Error, AuditError):
            known = False  # of another version, or in use: then a claim that came in since is not told apart
    con.execute("CREATE OR REPLACE TEMP TABLE compare_old_known AS SELECT $known AS known", {"known": known})


def _look_again(con: duckdb.DuckDBPyConnection, judging: Callable[[], Sequence[Rule]]) -> None:
    """Mark as gone, not resolved, what the later run could not judge: a missing value is never a pass."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE compare_judged (rule VARCHAR, claim_id VARCHAR, claim_line_number INTEGER,"
        " reason VARCHAR)"
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE compare_resolved AS SELECT rule, claim_id, claim_line_number, patient_id,"
        " service_date, discipline, hcpcs_code, plan, rendering_npi, clinician_npi"
        " FROM finding_change WHERE status = 'resolved'"
    )
    if not con.execute("SELECT 1 FROM compare_resolved LIMIT 1").fetchone():
        return
    for rule in judging():
        try:
            engine.judge_lines(con, [rule], "compare_resolved", "compare_judged")
        except duckdb.Error:
            continue  # a report of another version, whose tables are others
    con.execute(
        "UPDATE finding_change SET status = 'gone', reason = 'not_evaluable'"
        " WHERE status = 'resolved' AND (rule, claim_id, claim_line_number) IN"
        " (SELECT (rule, claim_id, claim_line_number) FROM compare_judged WHERE reason IS NOT NULL)"
    )
