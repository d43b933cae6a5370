"""X12 files -> the contract tables, batch by batch: large inserts, memory that does not grow, every row accounted for.

A row of 837P is a service line, a row of 835 a service, or a claim without any. A row that lacks what the contract
needs goes to quarantine; what else could not be read stands in x12_problem, sums that do not agree in x12_imbalance.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from therapy_audit import stopping
from therapy_audit.errors import AuditError
from therapy_audit.files import unreadable
from therapy_audit.intake import x12
from therapy_audit.intake.keeping import SCRATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from therapy_audit.intake.keeping import Keep

SUFFIXES = (".x12", ".edi", ".837", ".837p", ".835", ".era")
KINDS = {"claims": "837P", "remittances": "835"}  # of each input that may be X12
MAIN = {"claims": "claim_line", "remittances": "remittance_line"}
_BEGINS = {"claims": "claim_line", "remittances": "remittance_claim"}  # whose rows tell where a claim stands
_ROWS = 32_768  # inserted at once
_BYTES = 1 << 24
_WAITING = 8  # batches: what waits for long lies scattered in memory, which then grows around it
# While files are read, in one transaction, DuckDB compresses each row group of 122,880 rows and writes it to disk as
# soon as it is full. A second thread of it would copy each insert once more and take a core from the readers; without a
# limit it would keep in memory what it has written.
_WHILE_READING = {"threads": "1", "memory_limit": "64MiB", "write_buffer_row_group_count": "1"}

# Contract table: the reader's table, the columns that are not taken as they are, and those without which a row is of
# no use. Contract columns that the reader does not have are left to their defaults.
_INTO: dict[str, tuple[tuple[str, str, dict[str, str], tuple[str, ...]], ...]] = {
    "claims": (
        (
            "claim_line",
            "claim_line",
            {"modifiers": "coalesce(modifiers, [])", "diagnosis_codes": "coalesce(diagnosis_codes, [])"},
            ("claim_id", "patient_id", "service_date", "hcpcs_code"),
        ),
    ),
    "remittances": (
        ("remittance", "remittance", {}, ("remittance_id",)),
        ("remittance_claim", "remittance_claim", {}, ("remittance_id",)),
        (
            "remittance_line",
            "remittance_line",
            {"modifiers": "coalesce(modifiers, [])"},
            ("remittance_id", "claim_id"),
        ),
        ("remittance_adjustment", "remittance_adjustment", {}, ("remittance_id",)),
        ("remittance_remark", "remittance_remark", {}, ("remittance_id", "remark_code")),
        ("remittance_provider_adjustment", "remittance_provider_adjustment", {}, ("remittance_id",)),
    ),
}
_NEEDED = {
    "claim_id": "the claim has no number",
    "patient_id": "the subscriber has no member number, so that whose line it is cannot be said",
    "service_date": "the line has no service date that can be read",
    "hcpcs_code": "the line has no HCPCS code",
    "remittance_id": "the claim stands in no payment whose header can be read",
}
# Problems that are rows of their own: a line or claim was there, and nothing of it could be loaded.
_LOST = {
    "claims": ("line_outside_claim", "line_without_service", "claim_without_line"),
    "remittances": ("service_outside_claim",),
}
_OF_PAYMENT = (
    "remittance", "remittance_claim", "remittance_line", "remittance_adjustment", "remittance_remark",
    "remittance_provider_adjustment", "x12_imbalance",
)  # fmt: skip


@dataclass(frozen=True)
class Interchange:
    """An X12 file among the inputs. `same_as` names the file of the same content that was given before it."""

    path: Path
    source_file: str
    sha256: str
    byte_count: int
    same_as: str = ""
    key: str = ""  # by which it is kept


@dataclass
class _Read:
    """What the reading of a file has come to. `rows` counts those of the kind that was asked for."""

    tally: x12.Tally = field(default_factory=x12.Tally)
    rows: int = 0
    error: Exception | None = None
    told: Sequence[str] | None = None  # of a file that is kept: its notices


def recognised(path: Path, source_file: str, input_name: str) -> Interchange | None:
    """Return the file if its first bytes are those of X12. AuditError: X12 by its name alone, or for no such input."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            if not x12.looks_like_x12(head):
                by_name = path.name.lower().removesuffix(".gz").removesuffix(".zip").endswith(SUFFIXES)
                if by_name and not head:
                    raise AuditError(f"{source_file}: the file is empty; get it from the clearinghouse once more.")
                if by_name:
                    told = x12.no_isa(head).removesuffix(".")
                    raise AuditError(
                        f"{source_file}: {told[:1].lower()}{told[1:]}; give it as the clearinghouse sent it."
                    )
                return None
            if input_name not in KINDS:
                raise AuditError(
                    f"{source_file}: this is an X12 file, which is read for claims (837P) and remittances (835) only."
                )
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Interchange(path, source_file, digest, path.stat().st_size)
    except OSError as error:
        raise unreadable(source_file, error) from error


def repeats_told(files: Sequence[Interchange]) -> list[Interchange]:
    """Return the files, each that has the content of an earlier one with its name."""
    first: dict[str, str] = {}
    return [
        file
        if first.setdefault(file.sha256, file.source_file) == file.source_file
        else replace(file, same_as=first[file.sha256])
        for file in files
    ]


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Create what is kept of the X12 files of a run until all its files are there."""
    con.execute(
        """-- One row per claim of an 837P: where it begins, and the hash of its number.
        CREATE TABLE intake_scratch.x12_claim (
            claim_hash UBIGINT, file_number INTEGER, claim_row BIGINT, submitted_date DATE
        );
        -- One row per payment of an 835: the segments from first_row to before next_row are its own.
        CREATE TABLE intake_scratch.x12_payment (
            file_number INTEGER, transaction_number INTEGER, first_row BIGINT, has_trace BOOLEAN
        );
        CREATE TABLE intake_scratch.x12_provider (
            file_number INTEGER, npi VARCHAR, provider_name VARCHAR, taxonomy_code VARCHAR, source_row BIGINT
        );
        CREATE TABLE intake_scratch.x12_difference (
            file_number INTEGER, check_name VARCHAR, claim_id VARCHAR, expected DECIMAL(18, 2), found DECIMAL(18, 2),
            source_row BIGINT
        )"""
    )


def load(
    con: duckdb.DuckDBPyConnection, input_name: str, files: Sequence[Interchange], keep: Keep | None = None
) -> list[str]:
    """Load all X12 files of one kind, or what is kept of them; return the problems, a sentence each."""
    start = con.execute("SELECT coalesce(max(file_number), 0) + 1 FROM intake_scratch.file").fetchall()[0][0]
    numbers = {file.source_file: start + place for place, file in enumerate(files)}
    for file in files:
        con.execute("INSERT INTO intake_scratch.file VALUES ($1, $2)", [numbers[file.source_file], file.source_file])
    fresh = [file for file in files if not file.same_as]
    reads = {file.source_file: _Read() for file in fresh}
    if keep:
        for file in fresh:
            if (kept := keep.found(file.key)) is not None:
                keep.read(con, file.key, 0, numbers[file.source_file], _own_tables(input_name))
                reads[file.source_file] = _Read(rows=kept["rows"], told=kept["told"])
        fresh = [file for file in fresh if reads[file.source_file].told is None]
    inserts = _inserts(con, input_name)
    with _bulk(con) as contract:
        batches = ((source_file, _with_claims(batch, input_name)) for source_file, batch in _batches(fresh, reads))
        for source_file, name, table in _gathered(batches, _wanted(input_name)):
            reads[source_file].rows += _store(con, contract, input_name, name, table, numbers[source_file], inserts)
            del table
    problems = []
    for source_file, read in reads.items():
        if read.told is not None:
            continue
        if isinstance(read.error, AuditError):
            problems.append(str(read.error))
        elif read.error is not None:
            raise read.error
        elif sentence := _refusal(source_file, input_name, read.tally):
            problems.append(sentence)
    if problems:
        return problems
    if keep:
        for file in fresh:
            keep.write(con, file.key, 0, numbers[file.source_file], _own_tables(input_name))
            read = reads[file.source_file]
            keep.tell(file.key, file.sha256, {"rows": read.rows, "told": _told(input_name, read)})
    _place_differences(con)
    if input_name == "remittances":
        _refuse_repeated_payments(con)
        _tell_payments_apart(con)
        _drop_orphans(con)
    _account(con, input_name, files, reads)
    return []


def finish(con: duckdb.DuckDBPyConnection) -> None:
    """Number the versions of claims, when all files of claims are loaded; add the providers that no list names."""
    _number_versions(con)
    con.execute(
        """INSERT INTO provider (npi, provider_name, discipline, credential, source_file, source_row)
        -- The first name and the first known taxonomy of each NPI that the list of providers does not have.
        WITH named AS (
            SELECT
                scratch.npi, scratch.provider_name, taxonomy.discipline, taxonomy.credential, scratch.file_number,
                scratch.source_row, {'file': scratch.file_number, 'row': scratch.source_row} AS place
            FROM intake_scratch.x12_provider AS scratch
            LEFT JOIN provider_taxonomy AS taxonomy ON scratch.taxonomy_code[1:4] = taxonomy.classification
            WHERE scratch.npi NOT IN (SELECT npi FROM provider)
        ),
        first AS (
            SELECT
                npi, arg_min(provider_name, place) AS provider_name,
                arg_min(discipline, place) FILTER (credential IS NOT NULL) AS discipline,
                arg_min(credential, place) AS credential, min(place) AS place
            FROM named
            GROUP BY npi
        )
        SELECT first.npi, first.provider_name, first.discipline, first.credential, file.source_file, first.place.row
        FROM first INNER JOIN intake_scratch.file AS file ON first.place.file = file.file_number
        ORDER BY first.npi"""
    )


# --- reading


def _own_tables(input_name: str) -> tuple[str, ...]:
    """Return the tables that hold what a file gave, before anything is done with all files."""
    scratch = ("x12_claim", "x12_payment", "x12_provider", "x12_difference")
    contract = (*(target for target, *_ in _INTO[input_name]), "quarantine", "x12_problem")
    return (*contract, *(f"{SCRATCH}{table}" for table in scratch))


def _wanted(input_name: str) -> tuple[str, ...]:
    own = tuple(table for _, table, _, _ in _INTO[input_name])
    return (*own, "problem", "imbalance", *(("provider",) if input_name == "claims" else ()))


def _batches(files: Sequence[Interchange], reads: dict[str, _Read]) -> Iterator[tuple[str, x12.Batch]]:
    """Yield the batches of one file after another; a thread reads on while DuckDB stores what came before.

    One file so takes 1.2 (837P) to 1.3 (835) cores, which leaves two cores at most 1.5 times that for two files. A
    process for each file, its batches handed over as Arrow files, costs a third to a half more processor time for its
    start and for the files. A thread for each costs a quarter more (835), for they hold the interpreter two fifths of
    the time that they read, and two files were done no sooner.
    """
    found: queue.Queue[tuple[str, x12.Batch] | None] = queue.Queue(maxsize=1)
    left = threading.Event()  # nobody takes the batches any more

    def put(item: tuple[str, x12.Batch] | None) -> bool:
        while not left.is_set():
            try:
                found.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def read_all() -> None:
        for file in files:
            read = reads[file.source_file]
            try:
                for batch in x12.batches(file.path, file.source_file, read.tally):
                    if not put((file.source_file, batch)):
                        return
            except Exception as error:  # noqa: BLE001 - told or raised where the batches are taken
                read.error = error
        put(None)

    reader = threading.Thread(target=read_all, daemon=True)
    reader.start()
    try:
        while (item := found.get()) is not None:
            yield item
    finally:
        left.set()
        reader.join()


def _with_claims(batch: x12.Batch, input_name: str) -> x12.Batch:
    """Return the batch, each sum that does not agree with the claim that it is about: the batch holds all of it.

    The claim is the last that begins at or before the segment; of an 837P, whose segment is the claim's own, that of
    the first line after.
    """
    if "imbalance" not in batch:
        return batch
    differences, claims = batch["imbalance"], batch.get(_BEGINS[input_name])
    claim_ids = pa.nulls(differences.num_rows, pa.string())
    if claims is not None:
        rows, begins = differences["source_row"].to_numpy(), claims["source_row"].to_numpy()
        at = np.searchsorted(begins, rows) if input_name == "claims" else np.searchsorted(begins, rows, "right") - 1
        outside = (at < 0) | (at >= len(begins))
        claim_ids = claims["claim_id"].take(pa.array(np.where(outside, 0, at), mask=outside))
    return {**batch, "imbalance": differences.append_column("claim_id", claim_ids)}


def _gathered(batches: Iterator[tuple[str, x12.Batch]], wanted: tuple[str, ...]) -> Iterator[tuple[str, str, pa.Table]]:
    """Join small tables of one name and file: (file, name, table)."""
    waiting: dict[tuple[str, str], list[pa.Table]] = {}
    size: dict[tuple[str, str], tuple[int, int]] = {}
    for source_file, batch in batches:
        for name in wanted:
            if name not in batch:
                continue
            key = (source_file, name)
            waiting.setdefault(key, []).append(batch[name])
            rows, count = size.get(key, (0, 0))
            size[key] = rows, count = rows + batch[name].num_rows, count + batch[name].nbytes
            if rows >= _ROWS or count >= _BYTES or len(waiting[key]) >= _WAITING:
                del size[key]
                yield source_file, name, pa.concat_tables(waiting.pop(key))
    while waiting:
        (source_file, name), tables = waiting.popitem()
        yield source_file, name, pa.concat_tables(tables)


# --- storing


@contextmanager
def _bulk(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection whose inserts into the contract tables are one transaction, in memory that does not grow.

    A transaction can write to one database only: what goes to intake_scratch goes by the other connection.
    """
    with _sparing(con), con.cursor() as contract, stopping.interruptible(contract):
        contract.begin()
        yield contract
        contract.commit()


@contextmanager
def _sparing(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let DuckDB take little memory for a while; what does not fit goes to its temporary files."""
    query = "SELECT name, value FROM duckdb_settings() WHERE list_contains($1, name)"
    before = dict(con.execute(query, [list(_WHILE_READING)]).fetchall())
    on_disk = con.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
    less = _bytes(before["memory_limit"]) < _bytes(_WHILE_READING["memory_limit"])
    if less or not (on_disk and on_disk[0]):  # less is allowed, or a database in memory needs what it needs
        del before["memory_limit"]
    try:
        for name in before:
            con.execute(f"SET {name} = '{_WHILE_READING[name]}'")
        yield
    finally:
        for name, value in before.items():
            con.execute(f"SET {name} = '{value}'")


def frugally(con: duckdb.DuckDBPyConnection, statement: str, parameters: Any = None) -> None:
    """Execute a statement in little memory; in as much as is allowed where it cannot do with less."""
    try:
        with _sparing(con):
            con.execute(statement, parameters)
    except duckdb.OutOfMemoryException:
        con.execute(statement, parameters)


def _bytes(size: str) -> float:
    """Return how many bytes a size such as 1.5 GiB is, as DuckDB writes it."""
    number, unit = size.split() if " " in size else (size.rstrip("BKMGTi"), size.lstrip("0123456789."))
    return float(number) * 1024.0 ** "BKMGT".index(unit[0].upper())


def _inserts(con: duckdb.DuckDBPyConnection, input_name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return by the reader's table: the statement that stores a batch of it, and the columns that a row needs."""
    statements = {}
    for target, source, changed, needed in _INTO[input_name]:
        contract = [name for (name,) in con.execute(f"SELECT column_name FROM (DESCRIBE {target})").fetchall()]
        names = [name for name in contract if name in x12.SCHEMAS[source]]
        values = ", ".join(changed.get(name, name) for name in names)
        where = [f"{name} IS NOT NULL" for name in needed]
        if source == "remittance_adjustment":
            where.append("repeated IS NOT TRUE")
        statements[source] = (
            f"INSERT INTO {target} ({', '.join(names)}) SELECT {values} FROM intake_batch WHERE {' AND '.join(where)}",
            needed,
        )
    return statements


def _store(
    con: duckdb.DuckDBPyConnection,
    contract: duckdb.DuckDBPyConnection,
    input_name: str,
    name: str,
    intake_batch: pa.Table,
    file_number: int,
    inserts: dict[str, tuple[str, tuple[str, ...]]],
) -> int:
    """Store a table; return how many rows of the input's kind it brought, those in quarantine with them.

    The statements read `intake_batch` as it stands here: what is registered would be kept until the transaction ends.
    """
    match name:
        case "provider":
            con.execute(
                "INSERT INTO intake_scratch.x12_provider "
                "SELECT $1, npi, provider_name, taxonomy_code, source_row FROM intake_batch",
                [file_number],
            )
            return 0
        case "problem":
            contract.execute("INSERT INTO x12_problem BY NAME FROM intake_batch")
            lost = contract.execute(
                """INSERT INTO quarantine (source_file, source_row, contract_table, value_class, reason)
                SELECT source_file, source_row, $1, 'mixed', any_value(sentence)
                FROM intake_batch
                WHERE list_contains($2, code)
                GROUP BY source_file, source_row
                ORDER BY source_row""",
                [MAIN[input_name], list(_LOST[input_name])],
            ).fetchall()
            return int(lost[0][0])
        case "imbalance":
            con.execute(
                "INSERT INTO intake_scratch.x12_difference "
                'SELECT $1, "check", claim_id, expected, found, source_row FROM intake_batch',
                [file_number],
            )
            return 0
    statement, needed = inserts[name]
    contract.execute(statement)
    if name == "remittance":
        con.execute(
            "INSERT INTO intake_scratch.x12_payment SELECT $1, transaction_number, source_row, "
            "trace_number IS NOT NULL FROM intake_batch",
            [file_number],
        )
    if name == "claim_line":
        _note_claims(con, intake_batch, file_number)
    if name != MAIN[input_name]:
        return 0
    if any(intake_batch[column].null_count for column in needed):
        cases = " ".join(f"WHEN {column} IS NULL THEN '{column}'" for column in needed)
        reasons = " ".join(f"WHEN '{column}' THEN '{_NEEDED[column]}'" for column in needed)
        contract.execute(
            f"""INSERT INTO quarantine
            -- The rows without what the contract needs: the first column that they lack.
            WITH lacking AS (SELECT source_file, source_row, CASE {cases} END AS column_name FROM intake_batch)
            SELECT source_file, source_row, $1, column_name, 'empty', CASE column_name {reasons} END
            FROM lacking
            WHERE column_name IS NOT NULL
            ORDER BY source_row""",
            [MAIN[input_name]],
        )
    return int(intake_batch.num_rows)


def _note_claims(con: duckdb.DuckDBPyConnection, table: pa.Table, file_number: int) -> None:
    """Keep where each claim of a batch begins: a claim's lines follow each other."""
    row = table["claim_row"].to_numpy()
    first = pa.array(np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]])))
    intake_heads = table.select(["claim_id", "claim_row", "submitted_date"]).take(first)  # noqa: F841 - read by the SQL
    con.execute(
        "INSERT INTO intake_scratch.x12_claim "
        "SELECT hash(claim_id), $1, claim_row, submitted_date FROM intake_heads WHERE claim_id IS NOT NULL",
        [file_number],
    )


# --- when all files of a kind are read


def _refusal(source_file: str, input_name: str, tally: x12.Tally) -> str:
    """Return the sentence that refuses a file which has nothing of the kind that was asked for."""
    wanted, kinds = KINDS[input_name], tally.envelope.kinds
    other = next(name for name in KINDS if name != input_name)
    if tally.refusal:
        return f"{source_file}: {tally.refusal[:1].lower()}{tally.refusal[1:]}"
    if wanted not in kinds and KINDS[other] in kinds:
        return f"{source_file}: this file holds {other} ({KINDS[other]}); give it with --{other}."
    return ""


def _place_differences(con: duckdb.DuckDBPyConnection) -> None:
    """Fill x12_imbalance: of each sum or count that does not agree the payment and claim that it is about."""
    con.execute(
        """INSERT INTO x12_imbalance (check_name, remittance_id, claim_id, expected, found, source_file, source_row)
        WITH difference AS (
            SELECT difference.* EXCLUDE (file_number), file.source_file,
                regexp_matches(check_name, '^(claim|service)_') AS is_claim,
                is_claim OR check_name = 'payment' AS is_payment
            FROM intake_scratch.x12_difference AS difference INNER JOIN intake_scratch.file AS file USING (file_number)
        )
        SELECT
            difference.check_name,
            CASE WHEN difference.is_payment THEN remittance.remittance_id END,
            CASE WHEN difference.is_claim THEN difference.claim_id END,
            difference.expected, difference.found, difference.source_file, difference.source_row
        FROM difference
        ASOF LEFT JOIN remittance
            ON difference.source_file = remittance.source_file AND difference.source_row >= remittance.source_row
        ORDER BY difference.source_file, difference.source_row, difference.check_name"""
    )
    con.execute("DELETE FROM intake_scratch.x12_difference")


_PAYMENTS = """
    payment AS (
        SELECT
            source_file, first_row, file_number, transaction_number, has_trace,
            coalesce(
                lead(first_row) OVER (PARTITION BY file_number ORDER BY first_row), 9223372036854775807
            ) AS next_row
        FROM intake_scratch.x12_payment INNER JOIN intake_scratch.file USING (file_number)
    )
"""


def _within(table: str, payments: str) -> str:
    """Return the rows of a table (`line`) that belong to some payments (`again`): a FROM with its WHERE.

    By nearest begin, not by a range: that would compare each row with each payment of its file.
    """
    return f"""FROM (
        SELECT rowid, * FROM {table} SEMI JOIN intake_scratch.{payments} USING (source_file)
    ) AS line
    ASOF INNER JOIN intake_scratch.{payments} AS again
        ON line.source_file = again.source_file AND line.source_row >= again.first_row
    WHERE line.source_row < again.next_row"""


def _refuse_repeated_payments(con: duckdb.DuckDBPyConnection) -> None:
    """Take out each payment that an earlier one repeats: payer, trace number, amount, day and all claims."""
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.suspect_payment AS
        -- The payments whose header is that of another.
        WITH {_PAYMENTS},
        headed AS (
            SELECT
                payment.*,
                hash(
                    CASE WHEN has_trace THEN remittance_id END, remittance.payer, remittance.payer_id,
                    remittance.paid_amount, remittance.paid_date
                ) AS header_hash
            FROM payment
            INNER JOIN remittance
                ON remittance.source_file = payment.source_file AND remittance.source_row = payment.first_row
        ),
        alike AS (SELECT header_hash FROM headed GROUP BY header_hash HAVING count(*) > 1)
        SELECT headed.* FROM headed SEMI JOIN alike USING (header_hash)"""
    )
    if not con.execute("SELECT 1 FROM intake_scratch.suspect_payment LIMIT 1").fetchone():
        return
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.repeated_payment AS
        WITH claim AS (
            SELECT
                line.source_file, again.first_row,
                hash(
                    line.remittance_claim_number, line.claim_id, line.claim_status_code, line.charge_amount,
                    line.paid_amount, line.patient_responsibility_amount, line.payer_claim_control_number
                ) AS claim_hash
            {_within("remittance_claim", "suspect_payment")}
        ),
        claimed AS (
            SELECT
                suspect.file_number, suspect.first_row, any_value(suspect.source_file) AS source_file,
                any_value(suspect.next_row) AS next_row, any_value(suspect.header_hash) AS header_hash,
                any_value(suspect.has_trace) AS has_trace, count(claim.claim_hash) AS claims,
                list_sort(list(claim.claim_hash)) AS claim_hashes
            FROM intake_scratch.suspect_payment AS suspect LEFT JOIN claim USING (source_file, first_row)
            GROUP BY suspect.file_number, suspect.first_row
        ),
        ranked AS (
            SELECT
                *,
                row_number() OVER same AS place,
                first_value(source_file) OVER same AS first_file,
                first_value(first_row) OVER same AS row_of_first
            FROM claimed
            WHERE claims > 0 OR has_trace
            WINDOW same AS (PARTITION BY header_hash, claim_hashes ORDER BY file_number, first_row)
        )
        SELECT
            file_number, source_file, first_row, next_row,
            'the payment was given before: payer, trace number, amount and claims are those of ' || first_file
            || ' segment ' || row_of_first AS reason
        FROM ranked
        WHERE place > 1"""
    )
    if not con.execute("SELECT count(*) FROM intake_scratch.repeated_payment").fetchall()[0][0]:
        return
    con.execute(
        f"""INSERT INTO quarantine (source_file, source_row, contract_table, value_class, reason)
        -- Each line of such a payment; the payment itself where it has none.
        WITH line AS (
            SELECT line.source_file, line.source_row, again.first_row, again.reason
            {_within("remittance_line", "repeated_payment")}
        ),
        bare AS (
            SELECT source_file, first_row, reason
            FROM intake_scratch.repeated_payment ANTI JOIN line USING (source_file, first_row)
        )
        SELECT source_file, source_row, contract_table, 'mixed', reason
        FROM (
            SELECT source_file, source_row, 'remittance_line' AS contract_table, reason FROM line
            UNION ALL
            SELECT source_file, first_row, 'remittance', reason FROM bare
        )
        ORDER BY source_file, source_row"""
    )
    for table in _OF_PAYMENT:
        con.execute(
            f"""DELETE FROM {table} USING (SELECT line.rowid AS place {_within(table, "repeated_payment")}) AS again
            WHERE {table}.rowid = again.place"""
        )
    con.execute(
        "DELETE FROM intake_scratch.x12_payment AS payment USING intake_scratch.repeated_payment AS again "
        "WHERE payment.file_number = again.file_number AND payment.first_row = again.first_row"
    )


def _tell_payments_apart(con: duckdb.DuckDBPyConnection) -> None:
    """Give payments that share a trace number ids of their own: all but the first get file and transaction."""
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.renamed_payment AS
        WITH {_PAYMENTS},
        exported AS (
            SELECT DISTINCT remittance_id
            FROM remittance_line
            WHERE source_file NOT IN (SELECT source_file FROM payment)
        ),
        headed AS (
            SELECT
                payment.*, remittance.remittance_id,
                row_number() OVER (PARTITION BY remittance.remittance_id ORDER BY file_number, first_row)
                + (exported.remittance_id IS NOT NULL)::INTEGER AS place
            FROM payment
            INNER JOIN remittance
                ON remittance.source_file = payment.source_file AND remittance.source_row = payment.first_row
            LEFT JOIN exported ON exported.remittance_id = remittance.remittance_id
        )
        SELECT
            source_file, first_row, next_row,
            remittance_id || ' (' || source_file || ', transaction ' || transaction_number || ')' AS remittance_id
        FROM headed
        WHERE place > 1"""
    )
    if con.execute("SELECT count(*) FROM intake_scratch.renamed_payment").fetchall()[0][0]:
        for table in _OF_PAYMENT:
            con.execute(
                f"""UPDATE {table} SET remittance_id = own.remittance_id
                FROM (
                    SELECT line.rowid AS place, again.remittance_id {_within(table, "renamed_payment")}
                ) AS own
                WHERE {table}.rowid = own.place AND {table}.remittance_id IS NOT NULL"""
            )


def _drop_orphans(con: duckdb.DuckDBPyConnection) -> None:
    """Take out adjustments and remarks of lines that are in quarantine."""
    refused = "SELECT 1 FROM quarantine WHERE contract_table = 'remittance_line' AND column_name = 'claim_id' LIMIT 1"
    if con.execute(refused).fetchone():
        for table in ("remittance_adjustment", "remittance_remark"):
            con.execute(
                f"""DELETE FROM {table} WHERE remittance_line_number IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM remittance_line AS line
                    WHERE line.remittance_id = {table}.remittance_id
                        AND line.remittance_line_number = {table}.remittance_line_number
                )"""
            )


def _number_versions(con: duckdb.DuckDBPyConnection) -> None:
    """Number the versions of each claim that an 837P brings once more: in the order submitted, then files, segments."""
    if not con.execute("SELECT 1 FROM intake_scratch.x12_claim LIMIT 1").fetchone():
        return
    frugally(
        con,
        """CREATE OR REPLACE TABLE intake_scratch.repeated_claim AS
        -- The numbers that came more than once.
        WITH exported AS (
            SELECT DISTINCT hash(claim_id) AS claim_hash
            FROM claim_line
            WHERE source_file NOT IN (
                SELECT source_file
                FROM (SELECT DISTINCT file_number FROM intake_scratch.x12_claim) INNER JOIN intake_scratch.file
                    USING (file_number)
            )
        )
        SELECT claim_hash FROM intake_scratch.x12_claim GROUP BY claim_hash HAVING count(*) > 1
        UNION
        SELECT claim_hash FROM intake_scratch.x12_claim SEMI JOIN exported USING (claim_hash)""",
    )
    if not con.execute("SELECT 1 FROM intake_scratch.repeated_claim LIMIT 1").fetchone():
        return
    frugally(
        con,
        """CREATE OR REPLACE TABLE intake_scratch.claim_version AS
        -- The lines of claims that came more than once, with the version that theirs is. Claims of other exports have
        -- their versions; they count as one file before the others.
        WITH head AS (
            SELECT * FROM intake_scratch.x12_claim SEMI JOIN intake_scratch.repeated_claim USING (claim_hash)
        ),
        line AS (
            SELECT
                claim_line.rowid AS line, hash(claim_id) AS claim_hash, claim_id, claim_version, submitted_date,
                source_row, file.file_number
            FROM claim_line INNER JOIN intake_scratch.file AS file USING (source_file)
            WHERE hash(claim_id) IN (SELECT claim_hash FROM intake_scratch.repeated_claim)
        ),
        begun AS (
            SELECT line.*, head.claim_row
            FROM line
            ASOF LEFT JOIN head
                ON line.claim_hash = head.claim_hash AND line.file_number = head.file_number
                AND line.source_row >= head.claim_row
        ),
        submitted AS (
            SELECT
                line, claim_id, claim_version,
                CASE WHEN claim_row IS NULL THEN 0 ELSE file_number END AS submission_file,
                coalesce(claim_row, claim_version) AS submission_row,
                min(submitted_date) OVER (PARTITION BY claim_id, submission_file, submission_row) AS first_date
            FROM begun
        ),
        ranked AS (
            SELECT
                line, claim_version AS old_version,
                dense_rank() OVER (
                    PARTITION BY claim_id ORDER BY first_date NULLS FIRST, submission_file, submission_row
                )::INTEGER AS claim_version
            FROM submitted
        )
        SELECT line, claim_version FROM ranked WHERE claim_version <> old_version""",
    )
    frugally(
        con,
        "UPDATE claim_line SET claim_version = numbered.claim_version "
        "FROM intake_scratch.claim_version AS numbered WHERE claim_line.rowid = numbered.line",
    )


def _account(
    con: duckdb.DuckDBPyConnection, input_name: str, files: Sequence[Interchange], reads: dict[str, _Read]
) -> None:
    """Write intake_file, and the quarantine row of each file that was given twice."""
    table = MAIN[input_name]
    loaded = dict(con.execute(f"SELECT source_file, count(*) FROM {table} GROUP BY source_file").fetchall())
    refused = dict(
        con.execute(
            "SELECT source_file, count(*) FROM quarantine WHERE contract_table = $1 GROUP BY source_file", [table]
        ).fetchall()
    )
    for file in files:
        if file.same_as:
            rows = reads[file.same_as].rows
            told = f"the file is the same, byte for byte, as {file.same_as}, which was loaded"
            con.execute(
                "INSERT INTO quarantine (source_file, contract_table, value_class, reason) VALUES ($1, $2, $3, $4)",
                [file.source_file, table, "mixed", told],
            )
            counts, notices = (rows, 0, rows), [told]
        else:
            read = reads[file.source_file]
            counts = (read.rows, loaded.get(file.source_file, 0), refused.get(file.source_file, 0))
            notices = [*read.told] if read.told is not None else _told(input_name, read)
            if counts[0] != counts[1] + counts[2]:
                raise AuditError(
                    f"{file.source_file}: {counts[0]} lines came in, but {counts[1]} were loaded and {counts[2]} "
                    "refused; please report it."
                )
        con.execute(
            "INSERT INTO intake_file VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [file.source_file, input_name, file.sha256, file.byte_count, *counts, notices],
        )


def _told(input_name: str, read: _Read) -> list[str]:
    tally, state = read.tally, read.tally.envelope
    other = next(name for name in KINDS if name != input_name)
    held = ((state.interchanges, "interchange"), (state.transactions, "transaction"), (tally.claims, "claim"))
    counts = ", ".join(_counted(count, what) for count, what in held)
    notices = [f"read as X12 {'+'.join(state.kinds)} {'+'.join(state.versions)}: {counts}"]
    if KINDS[other] in state.kinds:
        notices.append(f"its {KINDS[other]} transactions are left out here; give the file with --{other} too")
    if state.refusals:
        notices += [f"left out: {sentence}" for sentence in state.refusals]
    if tally.problems:
        notices.append(f"{_counted(tally.problems, 'problem')}, told in x12_problem")
    if tally.imbalances:
        what = "sum or count that does" if tally.imbalances == 1 else "sums or counts that do"
        notices.append(f"{tally.imbalances:,} {what} not agree, told in x12_imbalance")
    if not read.rows:
        notices.append("the file holds no lines")
    return notices


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
