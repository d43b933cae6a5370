"""The report's queries (sql/reports/), the files that are nothing but their rows, and the summary."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from therapy_audit import deidentify, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import duckdb

Row = dict[str, Any]

# What the report, the workbook and the summary all tell: one name, one query, one set of rows.
_CONTENT = (
    *("rules", "payers", "clinicians", "months", "kx_counts", "coverage_file", "not_evaluable_reasons"),
    *("unmapped_payers", "reference_editions", "intake", "quarantine_reasons", "documentation_weights"),
    "profile_metrics",
)
_DENIED_BY = ("group", "category", "payer", "clinician", "code", "month")
_DENIAL_TABLES = ("ages", "payment", "crosswalk", "rules", "unmatched")
_RISKS = 10  # of each level
_DISMISSED = 100  # findings shown
_DENIED = 1000  # denials shown
_BATCH = 100_000  # rows written at once
# What a spreadsheet takes for the begin of a formula, in the wide forms of East Asian keyboards too.
_FORMULA = r"^[=+\-@\t\r\n\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
# Of texts with a unit separator before each: one that begins with other than a digit, a letter or the like, which a
# spreadsheet might take for the begin of a formula; and what is quoted.
_NEEDS_CARE = r'[",\n\r]|\x1F[^\x1F0-9A-\x{FF0A}]'
_NEEDS_NO_QUOTES = {"BOOLEAN", "DATE", "DOUBLE", "BIGINT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT"}
PROFILES = 200  # clinicians who have a page of their own: those with the most lines
_KX_PATIENTS = 15  # on either side of the threshold
SCHEMA_VERSION = 1  # of summary.json (summary.schema.json): raised when a key goes or changes, not when one comes


def text(name: str) -> str:
    """Return a query's SQL."""
    return (resources.folder("sql") / "reports" / f"{name}.sql").read_text(encoding="utf-8")


def rows(con: duckdb.DuckDBPyConnection, query: str, *, neutral: bool = False, **bound: Any) -> list[Row]:
    """Return the rows of a query of sql/reports/, as dicts; `neutral` for a spreadsheet's cells."""
    return _rows(con, text(query), neutral=neutral, **bound)


def _rows(con: duckdb.DuckDBPyConnection, select: str, *, neutral: bool = False, **bound: Any) -> list[Row]:
    select = _leaving(con, select, bound)
    result = con.execute(_neutral(con, select, bound) if neutral else select, bound or None)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def copy(con: duckdb.DuckDBPyConnection, query: str, path: Path, **bound: Any) -> None:
    """Write a query's rows as Parquet or CSV, by the file's suffix; a CSV's texts are neutral to a spreadsheet."""
    copy_select(con, text(query), path, **bound)


def copy_both(con: duckdb.DuckDBPyConnection, query: str, stem: Path, **bound: Any) -> None:
    """Write a query's rows as `<stem>.parquet` and `<stem>.csv`, as `copy` would; the query runs once for both."""
    select = _leaving(con, text(query), bound)
    _write(con, select, bound, stem.with_name(f"{stem.name}.parquet"), stem.with_name(f"{stem.name}.csv"), neutral)


def copy_select(con: duckdb.DuckDBPyConnection, select: str, path: Path, **bound: Any) -> None:
    """Write the rows of any SELECT in the same way."""
    parquet, plain = (None, path) if path.suffix == ".csv" else (path, None)
    _write(con, _leaving(con, select, bound), bound, parquet, plain, neutral)


def write_rows(con: duckdb.DuckDBPyConnection, select: str, path: Path, **bound: Any) -> None:
    """Write the rows of a SELECT as they are, as Parquet or CSV."""
    _write(con, select, bound, *((None, path) if path.suffix == ".csv" else (path, None)))


def _write(
    con: duckdb.DuckDBPyConnection,
    select: str,
    bound: Mapping[str, Any],
    parquet: Path | None,
    plain: Path | None,
    shown: Callable[[str], str] = str,
) -> None:
    """Write a query's rows as Parquet, as CSV (its texts as `shown` has them), or both at once.

    They leave through Arrow: the database of a run may write no file itself (engine.lock). A CSV is as DuckDB's COPY
    writes it: a missing value is empty, an empty text is quoted.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = con.execute(f"DESCRIBE\n{select}", bound or None).fetchall()
    columns = [(f'"{name}"', kind) for name, kind, *_ in described]
    # Arrow would make decimals of 38 digits of what are sums of counts.
    listed = [f"{name}::DOUBLE AS {name}" if kind == "HUGEINT" else name for name, kind in columns] if parquet else []
    asked = [*listed, *([f"{_csv_line(columns, shown)} AS csv_line"] if plain else [])]
    rows = con.execute(f"SELECT {', '.join(asked)} FROM (\n{select}\n)", bound or None).to_arrow_reader(_BATCH)
    of_parquet = [field.name for field in rows.schema][: len(listed)]
    with ExitStack() as files:
        table = parquet and files.enter_context(
            pq.ParquetWriter(parquet, pa.schema([rows.schema.field(name) for name in of_parquet]), compression="zstd")
        )
        lines = plain and files.enter_context(plain.open("wb"))
        if lines:
            lines.write((",".join(name for name, *_ in described) + "\n").encode())  # names of ours: none needs quotes

        def write(batch: Any) -> None:
            if table:
                table.write_batch(batch.select(of_parquet))
            if lines:
                lines.write(_joined(batch.column("csv_line")))

        # A batch is written while DuckDB reckons the next.
        writer = files.enter_context(ThreadPoolExecutor(1))
        written = None
        for batch in rows:
            if written:
                written.result()
            written = writer.submit(write, batch)
        if written:
            written.result()


def _csv_line(columns: Sequence[tuple[str, str]], shown: Callable[[str], str]) -> str:
    """Return SQL of a row's line. Few rows need care in a cell, and which do is asked of all their texts at once."""

    def line(cell: Callable[[str, str], str]) -> str:
        cells = ", ',', ".join(cell(name, kind) for name, kind in columns)
        return f"concat({cells}, chr(10))"

    careful = line(lambda name, kind: _csv_cell(name, kind, shown))
    texts = [name for name, kind in columns if not _is_plain(kind)]
    if not texts or any(kind != "VARCHAR" for name, kind in columns if name in texts):
        return careful
    together = ", ".join(f"chr(31), {name}" for name in texts)
    any_empty = " OR ".join(f"{name} = ''" for name in texts)
    care = f"regexp_matches(concat({together}), '{_NEEDS_CARE}') OR coalesce({any_empty}, FALSE)"
    return f"CASE WHEN {care} THEN {careful} ELSE {line(lambda name, _: f'{name}::VARCHAR')} END"


def _is_plain(kind: str) -> bool:
    return kind in _NEEDS_NO_QUOTES or bool(re.fullmatch(r"DECIMAL\(\d+,\d+\)", kind))


def _csv_cell(name: str, kind: str, shown: Callable[[str], str]) -> str:
    """Return SQL of a column's cell. Most need no care, and are told by comparisons, not by regular expressions."""
    if _is_plain(kind):
        return f"{name}::VARCHAR"  # concat() makes nothing of what is missing
    text = shown(name) if kind == "VARCHAR" else f"{name}::VARCHAR"
    careful = (
        f"CASE WHEN {text} IS NULL THEN '' WHEN {text} = '' OR regexp_matches({text}, '^#|[\",\\n\\r]')"
        f" THEN '\"' || replace({text}, '\"', '\"\"') || '\"' ELSE {text} END"
    )
    if kind != "VARCHAR":
        return careful
    special = " OR ".join(f"contains({name}, {mark})" for mark in ("','", "'\"'", "chr(10)", "chr(13)"))
    begins = f"({name} >= '0' AND {name} < ':' OR {name} >= 'A' AND {name} < '\uff0b')"
    return f"CASE WHEN {begins} AND NOT ({special}) THEN {name} ELSE {careful} END"


def _joined(lines: Any) -> memoryview:
    """Return the bytes of an Arrow array of texts, none of them null, one behind the other."""
    import numpy as np
    import pyarrow as pa

    lines = lines.cast(pa.large_string())
    edges = np.frombuffer(lines.buffers()[1], np.int64)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(lines.buffers()[2])[edges[0] : edges[-1]] if len(lines) else memoryview(b"")


def content(con: duckdb.DuckDBPyConnection, *, period: str, quality: Mapping[str, Any] | None) -> Row:
    """Return {name: rows} of all that the report tells beside the findings themselves."""
    found: Row = {name: rows(con, name) for name in _CONTENT}
    shown = most_lines(con, found["clinicians"])
    return found | {
        "clinician_profiles": _rows(
            con,
            f"{_of_clinicians('clinician_profiles')} ORDER BY discipline, clinician_npi, month NULLS FIRST, {_PLACE}",
            clinicians=shown,
        ),
        "clinician_findings": _rows(
            con,
            f"{_of_clinicians('clinician_findings')} ORDER BY clinician_npi, amount_at_risk DESC, findings DESC, rule",
            clinicians=shown,
        ),
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


def profile_sheet(con: duckdb.DuckDBPyConnection, most: int) -> list[Row]:
    """Return the clinicians' figures of the whole period, `most` rows of them, for a spreadsheet's cells."""
    return _rows(
        con,
        f"SELECT * FROM (\n{text('clinician_profiles')}\n) AS figure WHERE month IS NULL"
        f" ORDER BY discipline, clinician_npi, {_PLACE} LIMIT {int(most)}",
        neutral=True,
    )


def most_lines(con: duckdb.DuckDBPyConnection, clinicians: Sequence[Row]) -> list[str]:
    """Return the clinicians whose profiles the page holds: of a large group a page of all would hold too much."""
    lines = {row["rendering_npi"]: row["lines_audited"] for row in clinicians}
    profiled = con.execute(
        "SELECT clinician_npi FROM clinician_profile UNION SELECT clinician_npi FROM clinician_profile_month"
    ).fetchall()
    return sorted((npi for (npi,) in profiled), key=lambda npi: (-lines.get(npi, 0), npi))[:PROFILES]


def _of_clinicians(query: str) -> str:
    return f"SELECT * FROM (\n{text(query)}\n) AS figure WHERE list_contains($clinicians, clinician_npi)"


_PLACE = "(SELECT max(place) FROM profile_metric WHERE profile_metric.metric = figure.metric)"


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
