"""The report's queries (sql/reports/), the files that are nothing but their rows, and the summary."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from therapy_audit import deidentify, resources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

Row = dict[str, Any]

# What the report, the workbook and the summary all tell: one name, one query, one set of rows.
_CONTENT = (
    *("rules", "payers", "clinicians", "months", "kx_counts", "coverage_file", "not_evaluable_reasons"),
    *("unmapped_payers", "reference_editions", "intake", "quarantine_reasons", "documentation_weights"),
    *("clinician_profiles", "clinician_findings", "profile_metrics"),
)
_DENIED_BY = ("group", "category", "payer", "clinician", "code", "month")
_DENIAL_TABLES = ("ages", "payment", "crosswalk", "rules", "unmatched")
_RISKS = 10  # of each level
_DISMISSED = 100  # findings shown
_DENIED = 1000  # denials shown
_BATCH = 100_000  # rows written at once
# What a spreadsheet takes for the begin of a formula, in the wide forms of East Asian keyboards too.
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_KX_PATIENTS = 15  # on either side of the threshold
SCHEMA_VERSION = 1  # of summary.json (summary.schema.json): raised when a key goes or changes, not when one comes


def text(name: str) -> str:
    """Return a query's SQL."""
    return (resources.folder("sql") / "reports" / f"{name}.sql").read_text(encoding="utf-8")


def rows(con: duckdb.DuckDBPyConnection, query: str, *, neutral: bool = False, **bound: Any) -> list[Row]:
    """Return the rows of a query of sql/reports/, as dicts; `neutral` for a spreadsheet's cells."""
    select = _leaving(con, text(query), bound)
    result = con.execute(_neutral(con, select, bound) if neutral else select, bound or None)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def copy(con: duckdb.DuckDBPyConnection, query: str, path: Path, **bound: Any) -> None:
    """Write a query's rows as Parquet or CSV, by the file's suffix; a CSV's texts are neutral to a spreadsheet."""
    copy_select(con, text(query), path, **bound)


def copy_select(con: duckdb.DuckDBPyConnection, select: str, path: Path, **bound: Any) -> None:
    """Write the rows of any SELECT in the same way."""
    select = _leaving(con, select, bound)
    write_rows(con, _neutral(con, select, bound) if path.suffix == ".csv" else select, path, **bound)


def write_rows(con: duckdb.DuckDBPyConnection, select: str, path: Path, **bound: Any) -> None:
    """Write the rows of a SELECT as they are, as Parquet or CSV.

    They leave through Arrow: the database of a run may write no file itself (engine.lock).
    """
    described = con.execute(f"DESCRIBE\n{select}", bound or None).fetchall()
    if path.suffix == ".csv":
        _write_csv(con, select, path, [name for name, *_ in described], bound)
        return
    import pyarrow.parquet as pq

    # Arrow would make decimals of 38 digits of what are sums of counts.
    listed = ", ".join(
        f'"{name}"::DOUBLE AS "{name}"' if kind == "HUGEINT" else f'"{name}"' for name, kind, *_ in described
    )
    rows = con.execute(f"SELECT {listed} FROM (\n{select}\n)", bound or None).to_arrow_reader(_BATCH)
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as file:
        for batch in rows:
            file.write_batch(batch)


def _write_csv(
    con: duckdb.DuckDBPyConnection, select: str, path: Path, names: list[str], bound: Mapping[str, Any]
) -> None:
    """Write a CSV as DuckDB's COPY does: a missing value is empty, an empty text is quoted."""
    cells = ", ',', ".join(_csv_cell(f'"{name}"::VARCHAR') for name in names)
    rows = con.execute(f"SELECT concat({cells}) FROM (\n{select}\n)", bound or None).to_arrow_reader(_BATCH)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")  # names of ours: none needs quotes
        for batch in rows:
            file.writelines(f"{line}\n" for line in batch.column(0).to_pylist())


def _csv_cell(text: str) -> str:
    return (
        f"CASE WHEN {text} IS NULL THEN '' WHEN {text} = '' OR regexp_matches({text}, '^#|[\",\\n\\r]')"
        f" THEN '\"' || replace({text}, '\"', '\"\"') || '\"' ELSE {text} END"
    )


def content(con: duckdb.DuckDBPyConnection, *, period: str, quality: Mapping[str, Any] | None) -> Row:
    """Return {name: rows} of all that the report tells beside the findings themselves."""
    found: Row = {name: rows(con, name) for name in _CONTENT}
    return found | {
        "period": period,
        "quality": quality,
        "headline": rows(con, "headline")[0],
        "profile_least": rows(con, "profile_least")[0],
        "kx_patients": rows(con, "kx_patients", rows=_KX_PATIENTS),
        "documentation": documentation(con),
        "denials": denials(con),
        "risk": risk(con),
        "reconciliation": reconciliation(con),
        "review": {
            "rules": rows(con, "review_rules"),
            "dismissed": rows(con, "dismissed_sheet", rows=_DISMISSED),
        },
    }


def documentation(con: duckdb.DuckDBPyConnection, *, neutral: bool = False) -> dict[str, list[Row]]:
    """Return what the notes on functional activities document: one row under `all`, others under clinician, month."""
    found: dict[str, list[Row]] = {"all": [], "clinician": [], "month": []}
    for row in rows(con, "documentation", neutral=neutral):
        found[row.pop("level")].append(row)
    return found


def denials(con: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """Return what was denied: rows by all, group, category, payer, clinician, code, month; ages, payment, lines, ..."""
    found: dict[str, list[Row]] = {name: [] for name in ("all", *_DENIED_BY)}
    for row in rows(con, "denials"):
        found[row.pop("level")].append(row)
    shown = {"lines": rows(con, "denial_sheet", rows=_DENIED)}
    return found | shown | {name: rows(con, f"denial_{name}") for name in _DENIAL_TABLES}


def risk(con: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """Return where the risk is: rows by claim, patient, clinician, payer, and what the chances rest on by rule."""
    found: dict[str, list[Row]] = {"claim": [], "patient": [], "clinician": [], "payer": []}
    for row in rows(con, "risk", rows=_RISKS):
        found[row.pop("level")].append(row)
    return found | {"chance": rows(con, "risk_chance")}


def reconciliation(con: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """Return how claims stand against notes and against remittances: rows under `notes` and `remittances`."""
    found: dict[str, list[Row]] = {"notes": [], "remittances": []}
    for row in rows(con, "reconciliation"):
        found[row.pop("level")].append(row)
    return found


def summary(content: Row) -> Row:
    """Return what summary.json holds; amounts are USD, no line counted twice in the two totals."""
    headline, quality = content["headline"], content["quality"]
    evaluated = {row["rule"]: row for row in content["coverage_file"]}
    result = {
        "schema_version": SCHEMA_VERSION,
        **({"deidentified": True} if content.get("deidentified") else {}),
        "period": content["period"],
        "period_start": headline["period_start"].isoformat(),
        "period_end": headline["period_end"].isoformat(),
        **{key: headline[key] for key in ("lines_audited", "claims_audited", "patients", "findings")},
        "findings_by_severity": {
            severity: headline[column]
            for severity, column in (("error", "errors"), ("warning", "warnings"), ("info", "infos"))
        },
        **{key: headline[key] for key in ("lines_with_findings", "overpayment_amount", "underpayment_amount")},
        "unpriced_findings": headline["unpriced_findings"],
        **{key: headline[key] for key in ("in_scope", "not_evaluable", "error")},
        "rules": {
            row["rule"]: {
                **{key: row[key] for key in ("title", "severity", "direction", "findings", "amount_at_risk")},
                **{key: evaluated.get(row["rule"], {}).get(key, 0) for key in _OUTCOMES},
            }
            for row in sorted(content["rules"], key=lambda row: str(row["rule"]))
        },
        "documentation": _documented(content["documentation"]["all"][0]),
        "denials": _denied(content["denials"]),
        "reconciliation": {
            level: {row["item"]: {"services": row["services"], "amount": float(row["amount"])} for row in found}
            for level, found in content["reconciliation"].items()
        },
        "unmapped_payers": [{"payer": row["payer"], "lines": row["lines"]} for row in content["unmapped_payers"]],
        "review": _reviewed(content["review"]["rules"], headline),
        "stale_findings": headline["stale_findings"],
        "stale_references": [row["reference"] for row in content["reference_editions"] if row["stale"]],
        **{key: headline[key] for key in ("files", "rows_in", "rows_loaded", "rows_quarantined")},
        "quality": quality and {key: quality[key] for key in ("success", "critical_failures", "warnings")},
    }
    return {key: _plain(value) for key, value in result.items()}


ELEMENTS = ("specific_activity", "skilled_direction", "functional_goal", "patient_response", "time_stated")
NARRATIVES = ("functional", "impairment", "instruction", "passive", "vague", "not_told_apart")


def _documented(row: Row) -> Row:
    """Return the counts of services, of those whose notes were scored, and of what these show."""
    return {
        **{key: row[key] for key in ("services", "scored", "average_score")},
        "elements": {key: row[key] for key in ELEMENTS},
        "narratives": {key: row[key] for key in NARRATIVES},
    }


def _reviewed(rules: list[Row], headline: Row) -> Row:
    """Return what reviewers decided, in all and by rule, and what is silent for it."""
    counts = ("decided", "upheld", "dismissed", "undecided", "came_back", "changed", "expired")
    return {
        **{key: headline[key] for key in ("dismissed_findings", "dismissed_amount")},
        **{key: sum(row[key] for row in rules) for key in counts},
        "rules": {
            row["rule"]: {key: row[key] for key in (*counts, "agreement")}
            for row in sorted(rules, key=lambda row: str(row["rule"]))
        },
    }


def _denied(found: dict[str, list[Row]]) -> Row | None:
    """Return counts and dollars of denials; nothing where no remittance was given."""
    if not found["unmatched"][0]["answers"]:
        return None
    total, crosswalk = found["all"][0], found["crosswalk"][0]
    return {
        **{key: total[key] for key in ("denials", "lines_denied", "lines_answered", *DENIED_AMOUNTS)},
        "by_category": {row["item"]: row["denials"] for row in found["category"]},
        "open_by_age": {row["title"]: row["open_amount"] for row in found["ages"]},
        "rules": {key: crosswalk[key] for key in CROSSWALK},
        "unmatched_denials": found["unmatched"][0]["denials"],
        "days_to_payment": {
            key: found["payment"][0][key]
            for key in ("submission_median", "submission_ninth", "service_median", "service_ninth")
        },
    }


DENIED_AMOUNTS = ("denied_amount", "recovered_amount", "patient_amount", "written_off_amount", "open_amount")
CROSSWALK = ("flagged", "not_evaluable", "passed", "not_judged", "no_rule")
_OUTCOMES = ("in_scope", "passed", "failed", "not_evaluable", "error")


def _plain(value: Any) -> Any:
    """Turn DECIMAL amounts into JSON numbers, at any depth."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


def neutral(column: str) -> str:
    """Return SQL that puts an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"regexp_replace({column}, '{_FORMULA}', '''\\0')"


def _leaving(con: duckdb.DuckDBPyConnection, select: str, bound: Mapping[str, Any]) -> str:
    """Return the query as its rows may leave: of a report without names with the dates of patients moved."""
    return deidentify.moved(con, select, bound) if deidentify.is_on(con) else select


def _neutral(con: duckdb.DuckDBPyConnection, select: str, bound: Mapping[str, Any]) -> str:
    """Make the texts of a query neutral to a spreadsheet; numbers stay numbers."""
    columns = con.execute(f"DESCRIBE\n{select}", bound or None).fetchall()
    names = ((f'"{name}"', kind) for name, kind, *_ in columns)
    listed = ", ".join(f"{neutral(name)} AS {name}" if kind == "VARCHAR" else name for name, kind in names)
    return f"SELECT {listed} FROM (\n{select}\n)"
