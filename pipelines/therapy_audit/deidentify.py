"""A report to share: numbers of patients, claims and clinicians are keyed pseudonyms, dates are moved by patient.

Numbers are replaced as soon as files are read, so that nothing that is made of them holds one. Rules judge by the true
dates, which decide what applies; a patient's dates are moved where they leave the database, all by the same weeks.
The same key gives the same pseudonyms; without it they cannot be turned back.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

KEY = "pseudonyms.key"  # in the current folder, or beside audit.toml
SUFFIX = "-deidentified"  # of a report's folder where none was named
_BYTES = 32
_WEEKS = 26  # the most that a patient's dates are moved by, to either side
_BLOCK = 64  # bytes of SHA-256's block: RFC 2104

# Contract columns that name someone or something of a record: what they are called in a pseudonym.
_NAMES = {
    "patient_id": "P", "claim_id": "C", "original_claim_id": "C", "note_id": "N", "authorization_id": "A",
    "plan_of_care_id": "O", "remittance_id": "R", "line_control_number": "L", "prior_authorization": "A",
    "payer_claim_control_number": "I", "reference_id": "I", "provider_id": "I", "payer_id": "Y", "finding_id": "F",
}  # fmt: skip
_NPIS = ("rendering_npi", "billing_npi", "supervising_npi", "npi")
# Free text: read by the rules, in no output. What an export calls a goal or a grade may be a sentence on a patient.
_TEXTS = {"text", "goal_id", "difficulty", "note", "reviewer", "sentence"}
# A payment has many patients: beside a patient's own moved date its date would tell by how much.
_SHARED_DATES = {("remittance", "paid_date"), ("clinician_day", "service_date")}
# Up to when answers are known, the same day for all, and what is counted up to it: they would tell it as well.
_COUNTED_TO = {"known_until", "age_days", "due_date"}


def key(path: Path) -> bytes:
    """Read the key, or make one that only this user may read. AuditError: others may read it, or it is none."""
    try:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_BYTES) + "\n")
        with path.open("rb") as given:
            if os.name != "nt" and stat.S_IMODE(os.fstat(given.fileno()).st_mode) & 0o077:
                raise AuditError(f"{path}: others may read the key of the pseudonyms; chmod 600 it.")
            text = given.read(1000)
    except OSError as fault:
        raise AuditError(
            f"{path}: the key of the pseudonyms cannot be read or made there ({fault.strerror})."
        ) from None
    try:
        found = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        found = b""
    if len(found) != _BYTES:
        raise AuditError(
            f"{path}: this is no key of pseudonyms, 64 hexadecimal digits; name another file, and one is made."
        )
    return found


def fingerprint(given: bytes) -> str:
    """Return what tells one key from another, and nothing of it."""
    return hashlib.sha256(b"therapy-audit pseudonyms" + given).hexdigest()[:12]


def told(report: Path) -> bool:
    """Say whether a report is one without names."""
    try:
        return "deidentified" in json.loads((report / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def prepare(con: duckdb.DuckDBPyConnection, given: bytes) -> None:
    """Define hmac(text): HMAC-SHA256 (RFC 2104) in hexadecimal, over the connection's temporary key."""
    block = given.ljust(_BLOCK, b"\0")
    con.execute("CREATE OR REPLACE TEMP TABLE pseudonym_pad (inner_pad BLOB, outer_pad BLOB)")
    con.execute(
        "INSERT INTO pseudonym_pad VALUES (?, ?)",
        [bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)],
    )
    con.execute(
        "CREATE OR REPLACE TEMP MACRO hmac(v) AS (SELECT sha256(outer_pad || unhex(sha256(inner_pad || encode(v))))"
        " FROM pseudonym_pad)"
    )


def pseudonymise(con: duckdb.DuckDBPyConnection, given: bytes) -> None:
    """Replace in the contract tables, as intake has filled them, all that names a person, a record or a file."""
    prepare(con, given)
    columns = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() AND schema_name = 'main'"
        " AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE NOT temporary) ORDER BY ALL"
    ).fetchall()
    wanted: dict[str, list[tuple[str, str]]] = {}
    for table, column in columns:
        if column in _NAMES:
            wanted.setdefault(_NAMES[column], []).append((table, column))
        elif column in _NPIS:
            wanted.setdefault("npi", []).append((table, column))
    for name, places in wanted.items():
        _mapped(con, places, name, _NPI if name == "npi" else f"'{name}' || left(h, 16)")
    con.execute("UPDATE provider SET provider_name = 'Clinician ' || left(hmac('name|' || npi), 6)")
    payers = [(table, "payer") for table, column in columns if column == "payer"]
    _mapped(con, payers, "Y", "coalesce((SELECT plan FROM payer_plan WHERE payer = v), 'payer') || '-' || left(h, 6)")
    _files(con, [(table, column) for table, column in columns if column == "source_file"])
    con.execute("UPDATE intake_file SET notices = [], sha256 = hmac('file|' || sha256)")
    con.execute("DROP TABLE pseudonym_pad")


# Ten digits of which the last checks the others, as in the NPI given; what is none is no NPI afterwards either.
_LUHN = (
    "(10 - (24 + list_sum(list_transform(range(1, 10), lambda i: CASE WHEN i % 2 = 1"
    " THEN (2 * {n}[i]::INTEGER) // 10 + (2 * {n}[i]::INTEGER) % 10 ELSE {n}[i]::INTEGER END))) % 10) % 10"
)
_NPI = (
    "CASE WHEN regexp_full_match(v, '[12][0-9]{9}') AND v[10] = (" + _LUHN.format(n="v") + ")::VARCHAR"
    " THEN body || (" + _LUHN.format(n="body") + ")::VARCHAR ELSE 'X' || left(h, 12) END"
)


def _mapped(con: duckdb.DuckDBPyConnection, places: list[tuple[str, str]], name: str, made: str) -> None:
    """Replace the values of several columns, each distinct one once. AuditError: two would be one.

    `made` is SQL over v, the value, h, its HMAC with `name` before it, and body, nine digits of that.
    """
    union = " UNION ALL ".join(
        f'SELECT "{column}" AS v FROM "{table}" WHERE "{column}" IS NOT NULL' for table, column in places
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE pseudonym AS
        WITH hashed AS (SELECT v, hmac('{name}|' || v) AS h FROM (SELECT DISTINCT v FROM ({union}))),
        digits AS (
            SELECT *, '1' || lpad((('0x' || left(h, 12))::BIGINT % 100000000)::VARCHAR, 8, '0') AS body FROM hashed
        )
        SELECT v, {made} AS made FROM digits"""
    )
    ((all_apart,),) = con.execute("SELECT count(*) = count(DISTINCT made) FROM pseudonym").fetchall()
    if not all_apart:
        raise AuditError("Two numbers would have one pseudonym under this key; name another file with --key.")
    for table, column in places:
        con.execute(f'UPDATE "{table}" SET "{column}" = made FROM pseudonym WHERE "{table}"."{column}" = v')
    con.execute("DROP TABLE pseudonym")


def _files(con: duckdb.DuckDBPyConnection, places: list[tuple[str, str]]) -> None:
    """Replace names of files by their input and number, also in the reasons of quarantine."""
    con.execute(
        """CREATE OR REPLACE TEMP TABLE pseudonym AS
        SELECT source_file AS v, input || '-' || row_number() OVER (PARTITION BY input ORDER BY source_file)
            || regexp_extract(lower(source_file), '[.](csv|tsv|txt|parquet|xlsx|jsonl|json|837|835|x12)') AS made
        FROM intake_file"""
    )
    for name, made in con.execute("SELECT v, made FROM pseudonym ORDER BY length(v) DESC").fetchall():
        con.execute("UPDATE quarantine SET reason = replace(reason, $1, $2)", [name, made])
    for table, column in places:
        con.execute(
            f'UPDATE "{table}" SET "{column}" = coalesce('
            f'(SELECT made FROM pseudonym WHERE v = "{table}"."{column}"), \'file\')'
        )
    con.execute("DROP TABLE pseudonym")


def shift(con: duckdb.DuckDBPyConnection, given: bytes) -> None:
    """Make ready what leaves this database of findings: from here on moved() is asked for each query."""
    _shifts(con, given)
    con.execute(
        "UPDATE finding SET message = (SELECT title FROM rule WHERE rule.rule = finding.rule), facts = '{}'::JSON"
        " WHERE json_exists(facts, '$.known_until')"
    )


def _shifts(con: duckdb.DuckDBPyConnection, given: bytes) -> None:
    """Fill patient_shift, claim_shift and note_shift: by how many days dates are moved, never by none."""
    prepare(con, given)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE patient_shift AS
        WITH patient AS (
            SELECT patient_id FROM claim_line UNION SELECT patient_id FROM visit_note
            UNION SELECT patient_id FROM plan_of_care UNION SELECT patient_id FROM "authorization"
            UNION SELECT patient_id FROM remittance_line UNION SELECT patient_id FROM remittance_claim
        ),
        draw AS (
            SELECT patient_id, ('0x' || left(hmac('shift|' || patient_id), 12))::BIGINT % {2 * _WEEKS} AS n
            FROM patient
            WHERE patient_id IS NOT NULL
        )
        SELECT patient_id, (CASE WHEN n < {_WEEKS} THEN n - {_WEEKS} ELSE n - {_WEEKS} + 1 END * 7)::INTEGER AS days
        FROM draw"""
    )
    con.execute("DROP TABLE pseudonym_pad")
    con.execute(
        """CREATE OR REPLACE TEMP TABLE claim_shift AS
        SELECT claim_id, any_value(days ORDER BY patient_id) AS days
        FROM claim_line INNER JOIN patient_shift USING (patient_id)
        GROUP BY claim_id"""
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE note_shift AS SELECT note_id, days FROM visit_note INNER JOIN patient_shift"
        " USING (patient_id)"
    )
    con.execute(_SHIFTED)


# The dates within a text, each moved: the pieces between them and the dates in turn.
_SHIFTED = r"""
CREATE OR REPLACE TEMP MACRO shifted(v, days) AS
CASE
    WHEN NOT regexp_matches(v, '\d{4}-\d{2}-\d{2}') THEN v
    ELSE array_to_string(
        list_transform(
            list_zip(
                regexp_split_to_array(v, '\d{4}-\d{2}-\d{2}'), regexp_extract_all(v, '\d{4}-\d{2}-\d{2}')
            ),
            lambda pair: pair[1] || coalesce(
                CASE
                    WHEN TRY_CAST(pair[2] AS DATE) IS NULL THEN pair[2]
                    ELSE strftime(TRY_CAST(pair[2] AS DATE) + to_days(coalesce(days, 0)), '%Y-%m-%d')
                END,
                ''
            )
        ),
        ''
    )
END
"""
_KEYS = {"patient_id": "patient_shift", "claim_id": "claim_shift", "note_id": "note_shift"}


def is_on(con: duckdb.DuckDBPyConnection) -> bool:
    """Say whether what leaves this database is to be moved."""
    found = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'patient_shift' AND temporary").fetchall()
    return bool(found)


def moved(con: duckdb.DuckDBPyConnection, select: str, bound: Mapping[str, Any] | None = None, table: str = "") -> str:
    """Return the query with the dates of rows about a patient moved, in columns and in texts; in the same order."""
    columns = [(name, kind) for name, kind, *_ in con.execute(f"DESCRIBE\n{select}", bound or None).fetchall()]
    names = {name for name, _ in columns}
    by = next((key for key in _KEYS if key in names), None)
    listed = [_cell(name, kind, table, names, by=by) for name, kind in columns]
    if by is None and listed == [f'row."{name}"' for name, _ in columns]:
        return select
    joined = f' LEFT JOIN {_KEYS[by]} AS shift ON row."{by}" = shift."{by}"' if by else ""
    return (
        f"SELECT {', '.join(f'{cell} AS {_quoted(name)}' for cell, (name, _) in zip(listed, columns, strict=True))}"
        f" FROM (SELECT *, row_number() OVER () AS row_place FROM (\n{select}\n)) AS row{joined} ORDER BY row_place"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _cell(name: str, kind: str, table: str, names: set[str], *, by: str | None) -> str:
    cell = f'row."{name}"'
    if (table, name) in _SHARED_DATES or (table and name in _TEXTS and kind == "VARCHAR"):
        return f"NULL::{kind}"
    if by is None:
        return cell
    if name in _COUNTED_TO:
        return f"NULL::{kind}"
    if kind == "DATE":
        return f"({cell} + to_days(coalesce(shift.days, 0)))::DATE"
    if name == "month" and kind == "VARCHAR" and "service_date" in names:
        return "strftime(TRY_CAST(row.service_date AS DATE) + to_days(coalesce(shift.days, 0)), '%Y-%m')"
    if kind in ("VARCHAR", "JSON"):
        return f"shifted({cell}::VARCHAR, shift.days)::{kind}"
    return cell


def rewrite(database: Path, given: bytes) -> None:
    """Put in the database's place one without free text and with moved dates: nothing of the old file stays in it."""
    from therapy_audit import engine

    fresh = database.with_name("fresh.duckdb")
    quoted = str(database).replace("'", "''")
    with engine.connect(fresh) as con:
        engine.create_tables(con)
        con.execute(f"ATTACH '{quoted}' AS old (READ_ONLY)")
        con.execute("USE old")
        _shifts(con, given)
        tables = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' AND NOT temporary ORDER BY table_name"
        ).fetchall()
        for (table,) in tables:
            select = moved(con, f'SELECT * FROM old."{table}"', table=table)
            con.execute(f'CREATE OR REPLACE TABLE fresh.main."{table}" AS {select}')
        con.execute("USE fresh")
        con.execute("DETACH old")
        engine.create_scopes(con)
    fresh.replace(database)
