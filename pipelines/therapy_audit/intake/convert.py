"""Text to typed rows: the text of one file, in batches -> intake_scratch.typed, its faults -> intake_scratch.refused.

A cell that is not free text or a number of its own is read once in a file, in SQL, however many rows hold it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from therapy_audit.intake.contract import READ_AS, SEVERAL_HEADERS, Contract, words
from therapy_audit.intake.read import Sheet, Tally, filled, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import numpy.typing as npt

    from therapy_audit.intake.mapping import Placement

ADJUSTMENTS = "STRUCT(group_code VARCHAR, reason_code VARCHAR, remark_code VARCHAR, amount DECIMAL(12, 2))[]"
_TYPES = {
    "date": "DATE", "money": "DECIMAL(12, 2)", "whole": "INTEGER", "number": "INTEGER",
    "year": "INTEGER", "minutes": "INTEGER",
    "time": "TIME", "modifiers": "VARCHAR[]", "list": "VARCHAR[]",
}  # fmt: skip
_AS_IT_STANDS = ("", "identifier", "lines", "side_by_side")  # what is not read cell by distinct cell
_FAULT = "STRUCT(column_name VARCHAR, value_class VARCHAR, reason VARCHAR)"
_NUL = "a NUL character stands in the row, so that part of it may be lost; export the file again"
_FAULTS = {
    "date": "no date that can be read; give one such as 2026-01-31, in one order of day and month per column",
    "money": "not an amount in dollars; give one such as 1234.50",
    "whole": "not a whole number from 0 to 9999",
    "number": "not a whole number",
    "year": "not a year of four digits; give one such as 2026",
    "minutes": "not whole minutes from 0 to 1440",
    "modifiers": "a modifier is not two characters; give them as GP,KX",
    "word": "not a wording that is known for this column",
}
# Lists beside a list of codes: what becomes of a single value that stands beside several codes.
_LISTED = {
    "claims": {
        "units": "refuse",
        "charge_amount": "leave out",
        "allowed_amount": "leave out",
        "paid_amount": "leave out",
    },
    "notes": {
        "minutes": "total",
        "assistant_minutes": "leave out",
        "start_time": "leave out",
        "stop_time": "leave out",
    },
}
# What an id is made of where the export has none.
_MADE_FROM = {
    "claims": {"claim_id": "patient_id, strftime(service_date, '%Y%m%d')"},
    "notes": {"note_id": "patient_id, strftime(service_date, '%Y%m%d'), discipline, rendering_npi"},
    "plans_of_care": {"plan_of_care_id": "patient_id, discipline, strftime(start_date, '%Y%m%d')"},
    "authorizations": {"authorization_id": "patient_id, payer, strftime(start_date, '%Y%m%d')"},
}
_NUMBERS = {"claims": "claim_line_number", "notes": "service_number"}
_FIRST, _LAST = pa.scalar(dt.date(1990, 1, 1)), pa.scalar(dt.date(2100, 12, 31))


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Define the macros of values.sql for this connection."""
    con.execute((files("therapy_audit.intake") / "values.sql").read_text(encoding="utf-8"))


def create_typed(con: duckdb.DuckDBPyConnection, kind: Contract) -> None:
    """Create the empty tables that the files of one kind are converted into."""
    columns = ", ".join(f"{column} {_TYPES.get(READ_AS.get(column, ''), 'VARCHAR')}" for column in value_columns(kind))
    own = {"remittances": f", adjustment {ADJUSTMENTS}", "claims": ", claim_version INTEGER DEFAULT 1"}
    con.execute(
        "CREATE OR REPLACE TABLE intake_scratch.typed "
        f"(file_number INTEGER, source_row BIGINT, part INTEGER, {columns}{own.get(kind.input, '')}, "
        "fingerprint UBIGINT)"
    )
    con.execute(
        "CREATE OR REPLACE TABLE intake_scratch.refused "
        "(file_number INTEGER, source_row BIGINT, column_name VARCHAR, value_class VARCHAR, reason VARCHAR)"
    )


def value_columns(kind: Contract) -> list[str]:
    """Return the contract columns of a kind that hold a value of their own in the typed table."""
    return [column for column in kind.columns if READ_AS.get(column) != "side_by_side" and column != "adjustments"]


def staged(con: duckdb.DuckDBPyConnection, sheet: Sheet, placement: Placement, tally: Tally) -> Iterator[pa.Table]:
    """Yield the rows that hold anything as tables of source_row, part, list_fault and the contract columns as text."""
    placed = [position for positions in placement.columns.values() for position in positions]
    for rows in filled(tables(con, sheet, tally)):
        columns = {
            "source_row": rows.column("source_row"),
            "part": rows.column("part"),
            "list_fault": _nul_faults(rows, placed) if sheet.may_hold_nul else pa.nulls(rows.num_rows, pa.string()),
        }
        columns |= {
            column: _combined(column, [rows.column(position + 2) for position in positions])
            for column, positions in placement.columns.items()
        }
        yield pa.table(columns)


def _nul_faults(rows: pa.Table, placed: Sequence[int]) -> pa.Array:
    """Say 'nul' of each row with a NUL: some programs end a text there, so that two would read two different values."""
    found = np.zeros(rows.num_rows, dtype=bool)
    for position in placed:
        holds = pc.match_substring(_text(rows.column(position + 2)), "\0")
        if pc.any(holds).as_py():
            found |= pc.fill_null(holds, fill_value=False).to_numpy()
    return pc.if_else(pa.array(found), pa.scalar("nul"), pa.scalar(None, pa.string()))


def _combined(column: str, cells: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return one text of the cells that several headers give a contract column; null where it is empty."""
    if len(cells) == 1:
        return cells[0]
    separator = SEVERAL_HEADERS[READ_AS[column]]
    if not all(pa.types.is_dictionary(cell.type) for cell in cells):
        return _joined([_text(cell) for cell in cells], separator)
    # Each set of cells once: they are few.
    encoded = [_encoded(cell) for cell in cells]
    sets = np.zeros(len(encoded[0]), dtype=np.int64)
    for cell in encoded:
        width = len(cell.dictionary) + 1
        codes = sets * width + pc.fill_null(cell.indices, width - 1).to_numpy()
        sets = pa.array(codes).dictionary_encode().indices.to_numpy().astype(np.int64)
    _, firsts = np.unique(sets, return_index=True)
    joined = _joined([cell.take(pa.array(firsts)).cast(pa.string()) for cell in encoded], separator).dictionary_encode()
    return pa.chunked_array([pa.DictionaryArray.from_arrays(joined.indices.take(pa.array(sets)), joined.dictionary)])


def _joined(texts: list[pa.ChunkedArray | pa.Array], separator: str) -> pa.ChunkedArray | pa.Array:
    if separator == "\x1f":
        return pc.binary_join_element_wise(*(pc.fill_null(text, "") for text in texts), separator)
    # A separator before each cell that holds something; the function's own way to skip nulls loses rows of nulls.
    parts = [pc.fill_null(pc.binary_join_element_wise(separator, text, ""), "") for text in texts]
    joined = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*parts, ""), 1)
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), joined)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = column.combine_chunks()
    return whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()


@dataclass
class _Met:
    """What the rows of a file held so far."""

    known: dict[str, pa.Table] = field(default_factory=dict)  # column: its distinct cells, and what each is read as
    proofs: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)  # date column: rows, by _DATE_PROOFS
    orders: list[dict[str, tuple[bool, bool]]] = field(default_factory=list)  # by which each batch's dates were read
    single: Counter[str] = field(default_factory=Counter)  # column: rows with one value for several codes
    unread: Counter[str] = field(default_factory=Counter)  # column: rows with a wording that is not known


def convert(
    con: duckdb.DuckDBPyConnection,
    kind: Contract,
    sheet: Sheet,
    placement: Placement,
    file_number: int,
    most_rows: int | None = None,
) -> tuple[int, list[str]]:
    """Read a sheet into intake_scratch.typed and .refused.

    Return how many rows hold anything, and what was assumed. With most_rows only the first rows are read.
    """
    settled: dict[str, tuple[bool, bool, str]] | None = None
    while True:
        met, tally = _Met(), Tally([], [])
        con.execute(f"CREATE OR REPLACE TABLE intake_scratch.fault (source_row BIGINT, part BIGINT, fault {_FAULT})")
        rows_in, records = 0, [np.empty(0, dtype=np.int64)]
        for table in staged(con, sheet, placement, tally):
            rows = table.slice(0, most_rows) if most_rows else table
            rows_in += rows.num_rows
            if sheet.nested:
                records.append(np.unique(rows.column("source_row").to_numpy()))
            _convert_rows(con, kind, rows, placement, met, file_number, settled)
            if most_rows:
                break
        orders = _date_orders(met.proofs)
        if all(used == _order(orders) for used in met.orders):
            break
        # Later rows prove another order of day and month than the first ones did: all are read again by it.
        settled = orders
        con.execute("DELETE FROM intake_scratch.typed WHERE file_number = $1", [file_number])
    con.execute(
        """INSERT INTO intake_scratch.refused
        -- The first fault of each row that has one.
        WITH first_fault AS (
            SELECT source_row, arg_min(fault, part) AS fault FROM intake_scratch.fault GROUP BY source_row
        )
        SELECT $1, source_row, fault.column_name, fault.value_class, fault.reason FROM first_fault""",
        [file_number],
    )
    if tally.bad_rows:
        con.register("intake_batch", pa.table({"source_row": tally.bad_rows, "reason": tally.bad_reasons}))
        con.execute(
            "INSERT INTO intake_scratch.refused SELECT $1, source_row, NULL, 'mixed', reason FROM intake_batch",
            [file_number],
        )
        con.unregister("intake_batch")
    notices = [*_told_of_lists(kind, met), *_told_of_dates(kind, placement, orders), *_told_of_words(kind, met)]
    if sheet.nested:
        rows_in = len(np.unique(np.concatenate(records)))
    return rows_in + len(tally.bad_rows), notices


def _one_row_per_code(
    con: duckdb.DuckDBPyConnection, kind: Contract, rows: pa.Table, columns: list[str], met: _Met
) -> pa.Table:
    """Turn each row that lists several codes into one row per code."""
    if kind.input not in _LISTED or "hcpcs_code" not in columns:
        return rows
    read, indices = _read_cells(con, kind, "hcpcs_code", rows.column("hcpcs_code"), None, met)
    if not pc.any(read.column("is_list")).as_py():
        return rows
    is_list = read.column("is_list").take(indices).fill_null(fill_value=False)
    rows = pa.table([_text(column) for column in rows.columns], names=rows.column_names)
    listed = {column: single for column, single in _LISTED[kind.input].items() if column in columns}
    parts = "".join(f", cell_parts({column}, n) AS {column}_parts" for column in listed)
    if "modifiers" in columns:
        parts += ", modifier_parts(modifiers, n) AS modifiers_parts"
    faults, values = [], []
    for column in columns:
        if column in listed:
            single_too = "" if listed[column] == "refuse" else ", 1"
            faults.append(f"WHEN len({column}_parts) NOT IN (n{single_too}) THEN '{column}'")
            single_is = "" if listed[column] == "refuse" else f"WHEN len({column}_parts) = 1 THEN NULL "
            values.append(f"CASE WHEN len({column}_parts) = n THEN {column}_parts[item] {single_is}ELSE {column} END")
        elif column == "modifiers":
            values.append("CASE WHEN len(modifiers_parts) = n THEN modifiers_parts[item] ELSE modifiers END")
        elif column == "total_timed_minutes" and "minutes" in listed:
            values.append("coalesce(total_timed_minutes, CASE WHEN len(minutes_parts) = 1 THEN minutes END)")
        elif column == "hcpcs_code":
            values.append("pieces[item]")
        else:
            values.append("NULL::VARCHAR" if column == _NUMBERS[kind.input] else column)
    named = [*columns]
    if "minutes" in listed and "total_timed_minutes" not in columns:
        named.append("total_timed_minutes")
        values.append("CASE WHEN len(minutes_parts) = 1 THEN minutes END")
    several = f"""several AS (
            SELECT *, code_pieces(hcpcs_code) AS pieces, len(code_pieces(hcpcs_code)) AS n FROM intake_batch
        ),
        listed AS (SELECT *{parts} FROM several)"""
    con.register("intake_batch", rows.filter(is_list))
    exploded = con.execute(
        f"""-- One row per code of the rows that list several.
        WITH {several},
        item AS (SELECT *, UNNEST(range(1, n + 1)) AS item FROM listed)
        SELECT
            source_row,
            part * 1000 + item AS part,
            coalesce(list_fault, {f"CASE {' '.join(faults)} END" if faults else "NULL"})::VARCHAR AS list_fault,
            {", ".join(f"{value} AS {name}" for value, name in zip(values, named, strict=True))}
        FROM item"""
    ).to_arrow_table()
    told = {column: f"len({column}_parts) = 1" for column, single in listed.items() if single != "refuse"}
    if "modifiers" in columns:
        told["modifiers"] = "len(modifiers_parts) = 1 AND len(modifier_tokens(modifiers)) = n"
    if told:
        counts = ", ".join(f"count(*) FILTER ({condition}) AS {column}" for column, condition in told.items())
        (found,) = con.execute(f"WITH {several} SELECT {counts} FROM listed").fetchall()
        met.single.update(dict(zip(told, found, strict=True)))
    con.unregister("intake_batch")
    return pa.concat_tables([rows.filter(pc.invert(is_list)), exploded], promote_options="default")


def _told_of_lists(kind: Contract, met: _Met) -> list[str]:
    notices = []
    for column, single in _LISTED.get(kind.input, {}).items():
        become = (
            "read as the visit's total_timed_minutes" if single == "total" else "left empty, since it cannot be divided"
        )
        if rows := met.single[column]:
            notices.append(f"{column}: a single value for several codes in {rows} rows, {become}")
    if rows := met.single["modifiers"]:
        notices.append(
            f"modifiers: as many as codes in {rows} rows, read as applying to each; part them with ; to say otherwise"
        )
    return notices


def _read_cells(
    con: duckdb.DuckDBPyConnection, kind: Contract, column: str, cells: pa.ChunkedArray, form: str | None, met: _Met
) -> tuple[pa.Table, pa.Array]:
    """Return what the distinct cells among those of a column are read as, and each row's place among them.

    Only those that the file's rows did not hold before are read now.
    """
    encoded = _encoded(cells)
    known = met.known.get(column)
    new = encoded.dictionary
    if known is not None:
        new = new.filter(pc.is_null(pc.index_in(new, value_set=known.column("cell"))))
    if known is None or len(new):
        con.register("intake_cells", pa.table({"place": np.arange(len(new)), "cell": new}))
        read = _read_distinct(con, kind, column, form)
        con.unregister("intake_cells")
        known = read if known is None else pa.concat_tables([known, read]).combine_chunks()
        met.known[column] = known
    return known.take(pc.index_in(encoded.dictionary, value_set=known.column("cell"))), encoded.indices


_DATE_PROOFS = ("is_day_first", "is_month_first", "is_numeric", "is_dotted")


def _read_distinct(con: duckdb.DuckDBPyConnection, kind: Contract, column: str, form: str | None) -> pa.Table:
    """Read the cells of intake_cells(place, cell): a row for each, in their order, with `cell` and what it is read as.

    `value` is null where the cell cannot be read; `reason` says why its row is refused for it, `shape` what it held.
    """
    read_as = READ_AS[column]
    fault = f"CASE WHEN value IS NULL THEN '{_FAULTS[read_as]}' END" if read_as in _FAULTS else "NULL::VARCHAR"
    shape = "CASE WHEN reason IS NOT NULL THEN value_class(cell) END AS shape"
    bound: dict[str, str] = {}
    match read_as:
        case "date":
            # How a date reads in either order: which one holds is known when all rows are.
            in_form = "coalesce(try_strptime(cell, $form), try_strptime(day, $form))::DATE"
            bound = {"form": form} if form else {}
            query = f"""
                WITH trimmed AS (SELECT place, cell, day_text(cell) AS day FROM intake_cells),
                part AS (SELECT *, numeric_day(day) AS part FROM trimmed),
                number AS (
                    SELECT
                        *, part.year <> '' AS is_numeric, TRY_CAST(part.first AS INTEGER) AS one,
                        TRY_CAST(part.second AS INTEGER) AS two
                    FROM part
                )
                SELECT
                    cell,
                    {in_form if form else "read_day(day, FALSE)"} AS value,
                    {in_form if form else "read_day(day, TRUE)"} AS day_first_value,
                    one <= 12 AND two <= 12 AND part.first <> part.second AS is_ambiguous,
                    -- Whether a number above 12 stands where only a day can.
                    is_numeric AND one BETWEEN 13 AND 31 AND two <= 12 AS is_day_first,
                    is_numeric AND two BETWEEN 13 AND 31 AND one <= 12 AS is_month_first,
                    is_numeric,
                    is_numeric AND contains(day, '.') AS is_dotted,
                    value_class(cell) AS shape
                FROM number
                ORDER BY place"""
        case "word":
            lookup = pa.table({"wording": list(words(column)), "meaning": list(words(column).values())})
            con.register("intake_words", lookup)
            # An assistant's letters among others (BS, PTA) say enough.
            otherwise = (
                "CASE WHEN regexp_matches(upper(cell), '\\bL?PTA\\b') THEN 'PTA'"
                " WHEN regexp_matches(upper(cell), '\\bC?OTA\\b') THEN 'OTA' ELSE upper(cell) END"
                if "credential" in column
                else "NULL::VARCHAR"
            )
            # Nothing hangs on a word that need not be there that would be worth the row: it is read as empty.
            query = f"""
                SELECT
                    cell, coalesce(whole.meaning, head.meaning, {otherwise}) AS value,
                    {fault if column in kind.required else "NULL::VARCHAR"} AS reason, {shape}
                FROM intake_cells
                LEFT JOIN intake_words AS whole ON whole.wording = word_key(cell)
                LEFT JOIN intake_words AS head ON head.wording = word_key(leading_words(cell))
                ORDER BY place"""
        case "code":
            query = """
                WITH piece AS (SELECT place, cell, code_pieces(cell) AS pieces FROM intake_cells),
                code AS (
                    SELECT place, cell, len(pieces) AS n, pieces[1] AS piece, piece_codes(pieces[1]) AS codes FROM piece
                )
                SELECT
                    cell,
                    CASE WHEN n = 1 AND len(codes) = 1 THEN codes[1] END AS value,
                    length(cell) > 9 AND n > 1 AS is_list,
                    tail_modifiers(piece_tail(piece)) AS modifiers,
                    tail_units(piece_tail(piece)) AS units,
                    CASE
                        WHEN n > 1 OR len(codes) > 1
                            THEN 'several procedure codes that no separator parts, or where one is expected; '
                            || 'part them with ;'
                        WHEN value IS NULL THEN 'no procedure code in it; give five characters such as 97110'
                    END AS reason,
                    CASE WHEN reason IS NOT NULL THEN value_class(cell) END AS shape
                FROM code
                ORDER BY place"""
        case _:
            value = {
                # Nothing hangs on a time that would be worth the row, either.
                "time": f"coalesce(clock(nullif(trim(clock_span(cell, {2 if column == 'stop_time' else 1})), '')), "
                "clock(cell))",
                "modifiers": "CASE WHEN len(list_filter(modifier_tokens(cell), lambda t: length(t) <> 2)) = 0 "
                "THEN modifier_tokens(cell) END",
                "money": "money(cell)",
                "whole": "whole(cell, 9999)",
                "number": "whole(cell, 2147483647)",
                "year": "CASE WHEN whole(cell, 2100) >= 1990 THEN whole(cell, 2100) END",
                "minutes": "whole_minutes(cell)",
                "npi": "npi(cell)",
                "list": "list_filter(regexp_split_to_array(upper(unbracketed(cell)), '[^A-Z0-9.]+'), "
                "lambda d: d <> '')",
            }[read_as]
            query = f"SELECT cell, {value} AS value, {fault} AS reason, {shape} FROM intake_cells ORDER BY place"
    read = con.execute(query, bound or None).to_arrow_table()
    if read_as == "word":
        con.unregister("intake_words")
    return read.combine_chunks()


def _date_orders(proofs: dict[str, npt.NDArray[np.int64]]) -> dict[str, tuple[bool, bool, str]]:
    """Return {column: (day first, both orders proven, notice)} by how many rows prove what (_DATE_PROOFS).

    The rows that prove an order decide; else the file's other dates; else month first (day first with dots).
    """
    file_day, file_month = (sum(int(proof[n]) for proof in proofs.values()) for n in (0, 1))
    orders: dict[str, tuple[bool, bool, str]] = {}
    for column, (day, month, numeric, dotted) in proofs.items():
        override = f"a mapping's dates: {{{column}: '%d/%m/%Y'}} says otherwise"
        if not numeric:
            orders[column] = (False, False, "")
        elif day or month:
            other = (
                f"; {min(day, month)} rows in the other order were refused, and those that either order could read"
                if min(day, month)
                else ""
            )
            orders[column] = (
                day > month,
                bool(day and month),
                f"{column}: read {'day' if day > month else 'month'} first, as {max(day, month)} rows prove{other}",
            )
        elif file_day or file_month:
            orders[column] = (
                file_day > file_month,
                False,
                f"{column}: read {'day' if file_day > file_month else 'month'} first, as the file's other dates",
            )
        elif dotted == numeric:
            orders[column] = (
                True,
                False,
                f"{column}: read day first, as dates with dots are written; no row proves it; {override}",
            )
        else:
            orders[column] = (False, False, f"{column}: read month first; no row proves it; {override}")
    return orders


def _order(orders: dict[str, tuple[bool, bool, str]]) -> dict[str, tuple[bool, bool]]:
    return {column: (day_first, both) for column, (day_first, both, _) in orders.items()}


def _told_of_dates(kind: Contract, placement: Placement, orders: dict[str, tuple[bool, bool, str]]) -> list[str]:
    notices = []
    for column in value_columns(kind):
        if READ_AS.get(column) == "date" and column in placement.columns:
            form = placement.dates.get(column)
            told = f"{column}: read as {form}, as the mapping says" if form else orders.get(column, ("", "", ""))[2]
            notices += [told] if told else []
    return notices


def _told_of_words(kind: Contract, met: _Met) -> list[str]:
    return [
        f"{column}: a wording that is not known in {rows} rows, read as empty"
        if READ_AS[column] == "word"
        else f"{column}: not a time of day (such as 14:05) in {rows} row{'s' if rows > 1 else ''}, read as empty"
        for column in value_columns(kind)
        if (rows := met.unread[column])
    ]


def _convert_rows(
    con: duckdb.DuckDBPyConnection,
    kind: Contract,
    rows: pa.Table,
    placement: Placement,
    met: _Met,
    file_number: int,
    settled: dict[str, tuple[bool, bool, str]] | None,
) -> None:
    """Put a batch of staged rows into intake_scratch.typed, and what is wrong with them into intake_scratch.fault.

    Its dates are read by the orders that are settled, or else that the rows up to here prove.
    """
    columns = [column for column in value_columns(kind) if column in placement.columns]
    rows = _one_row_per_code(con, kind, rows, columns, met)
    columns += [column for column in rows.column_names[3:] if column not in placement.columns]
    forms = placement.dates
    cells_read = {
        column: _read_cells(con, kind, column, rows.column(column), forms.get(column), met)
        for column in columns
        if READ_AS.get(column, "") not in _AS_IT_STANDS
    }
    dates = [column for column in cells_read if READ_AS[column] == "date"]
    for column in dates:
        if column not in forms:
            proof = met.proofs.setdefault(column, np.zeros(len(_DATE_PROOFS), dtype=np.int64))
            read, indices = cells_read[column]
            held = np.bincount(indices.drop_null().to_numpy(), minlength=len(read))
            for n, name in enumerate(_DATE_PROOFS):
                proves = read.column(name).fill_null(fill_value=False).to_numpy()
                proof[n] += held[proves].sum()
    orders = _order(settled or _date_orders(met.proofs))
    met.orders.append(orders)
    # What is given to DuckDB: columns that hold anything, as they were read, and what their faults are told by.
    given: dict[str, pa.ChunkedArray | pa.Array] = {name: rows.column(name) for name in ("source_row", "part")}
    values = {column: f"NULL::{_TYPES.get(READ_AS.get(column, ''), 'VARCHAR')}" for column in value_columns(kind)}
    faults: dict[str, str] = {}
    for column in columns:
        cells = rows.column(column)
        if cells.null_count and (column in kind.required or column == "units"):
            given[f"empty_{column}"] = cells.is_null()
        if cells.null_count == len(cells):
            continue
        if column not in cells_read:
            given[column] = _text(cells)
            values[column] = f"identifier(raw.{column})" if READ_AS.get(column) == "identifier" else f"raw.{column}"
            continue
        read, indices = cells_read[column]
        if column in dates:
            read = _dates(read, *orders.get(column, (False, False)))
        given[column] = read.column("value").take(indices)
        values[column] = f"raw.{column}"
        if column != "pool" and READ_AS[column] in ("word", "time"):
            met.unread[column] += given[column].null_count - cells.null_count
        if read.column("reason").null_count < len(read):
            reasons = read.column("reason").take(indices)
            if reasons.null_count < len(reasons):
                given[f"reason_{column}"] = reasons
                given[f"shape_{column}"] = read.column("shape").take(indices)
                faults[column] = (
                    f"WHEN raw.reason_{column} IS NOT NULL THEN {{'column_name': '{column}', "
                    f"'value_class': raw.shape_{column}, 'reason': raw.reason_{column}}}"
                )
    if "hcpcs_code" in cells_read and kind.input != "notes":
        _put_glued(values, given, *cells_read["hcpcs_code"])
    for column in ("modifiers", "diagnosis_codes"):
        if column in kind.columns:
            values[column] = f"coalesce({values[column]}, []::VARCHAR[])"
    cases = _row_faults(kind, rows, columns, given) + [faults[column] for column in columns if column in faults]
    if kind.input == "remittances":
        given |= {name: _text(rows.column(name)) for name in placement.columns if name.startswith("adjustment")}
    con.register("intake_batch", pa.table(given))
    relation = "intake_batch"
    if kind.input == "remittances":
        relation, adjustment_cases = _adjusted(con, placement)
        values["adjustment"] = "raw.adjustment"
        cases += adjustment_cases
    made = {
        column: f"coalesce({column}, concat_ws('-', {parts}))"
        for column, parts in _MADE_FROM.get(kind.input, {}).items()
    }
    kept = ", ".join(f"{made[column]} AS {column}" if column in made else column for column in values)
    con.execute(
        f"""INSERT INTO intake_scratch.typed BY NAME
        -- Every row with its values and a fingerprint of them.
        WITH valued AS (
            SELECT raw.source_row, raw.part, {", ".join(f"{value} AS {name}" for name, value in values.items())}
            FROM {relation} AS raw
        )
        SELECT {file_number} AS file_number, source_row, part, {kept}, hash({", ".join(values)}) AS fingerprint
        FROM valued"""
    )
    if cases:
        con.execute(
            f"""INSERT INTO intake_scratch.fault
            WITH found AS (SELECT source_row, part, CASE {" ".join(cases)} END AS fault FROM {relation} AS raw)
            SELECT source_row, part, fault FROM found WHERE fault IS NOT NULL"""
        )
    con.unregister("intake_batch")


def _dates(known: pa.Table, day_first: bool, both: bool) -> pa.Table:  # noqa: FBT001
    """Return the `value`, `reason` and `shape` of date cells in an order of day and month."""
    read = known.column("day_first_value" if day_first else "value")
    nothing = pa.scalar(None, pa.date32())
    if both:
        # Where both orders are proven, a cell that either could read is refused, not guessed.
        read = pc.if_else(known.column("is_ambiguous").fill_null(fill_value=False), nothing, read)
    within = pc.and_(pc.greater_equal(read, _FIRST), pc.less_equal(read, _LAST))
    reason = pc.if_else(
        pc.is_null(read),
        pa.scalar(_FAULTS["date"]),
        pc.if_else(within, pa.scalar(None, pa.string()), pa.scalar("the date is outside 1990 to 2100")),
    )
    value = pc.if_else(within, read, nothing)
    return pa.table({"value": value, "reason": reason, "shape": known.column("shape")})


def _put_glued(
    values: dict[str, str], given: dict[str, pa.ChunkedArray | pa.Array], codes: pa.Table, indices: pa.Array
) -> None:
    """Add the modifiers and units that stand in the code's cell to those of their own columns."""
    if pc.any(pc.greater(pc.list_value_length(codes.column("modifiers")), 0)).as_py():
        given["glued_modifiers"] = codes.column("modifiers").take(indices)
        glued, own = "coalesce(raw.glued_modifiers, [])", f"coalesce({values['modifiers']}, [])"
        values["modifiers"] = (
            f"CASE WHEN len({glued}) = 0 THEN {own} ELSE list_filter(list_concat({own}, {glued}), "
            f"lambda m, i: list_position(list_concat({own}, {glued}), m) = i) END"
        )
    if codes.column("units").null_count < len(codes):
        given["glued_units"] = codes.column("units").take(indices)
        is_empty = "raw.empty_units" if "empty_units" in given else ("FALSE" if "units" in given else "TRUE")
        values["units"] = f"CASE WHEN {is_empty} THEN raw.glued_units ELSE {values['units']} END"


def _fault(column: str, reason: str, cell: str = "") -> str:
    name = f"'{column}'" if column else "NULL"
    shape = f"value_class({cell})" if cell else "'empty'"
    return f"{{'column_name': {name}, 'value_class': {shape}, 'reason': '{reason}'}}"


def _row_faults(
    kind: Contract, rows: pa.Table, columns: list[str], given: dict[str, pa.ChunkedArray | pa.Array]
) -> list[str]:
    """Return the WHEN branches of what comes before a cell that cannot be read: a NUL, an empty cell, an odd list.

    Only what the rows hold: a branch costs time in each row. What it is told by is put into `given`.
    """
    cases = []
    has_list_fault = rows.column("list_fault").null_count < rows.num_rows
    if has_list_fault:
        given["list_fault"] = rows.column("list_fault")
        cases.append(f"WHEN raw.list_fault = 'nul' THEN {_fault('', _NUL)}")
    cases += [
        f"WHEN raw.empty_{column} THEN {_fault(column, f'{column} is empty; every row of {kind.input} needs one')}"
        for column in kind.required
        if column not in kind.may_be_empty and f"empty_{column}" in given
    ]
    for column in _LISTED.get(kind.input, ()):
        if has_list_fault and column in columns:
            given[f"cell_{column}"] = _text(rows.column(column))
            reason = f"{column} does not hold one value for each of the codes; give as many, parted by ;"
            cases.append(f"WHEN raw.list_fault = '{column}' THEN {_fault(column, reason, f'raw.cell_{column}')}")
    return cases


def _adjusted(con: duckdb.DuckDBPyConnection, placement: Placement) -> tuple[str, list[str]]:
    """Read the adjustments of the rows in intake_batch, from one cell or from columns side by side.

    Return the relation of the rows with their `adjustment`, and the WHEN branches of its faults.
    """
    if "adjustments" in placement.columns:
        items = (
            "regexp_extract_all(upper(raw.adjustments), '(?:(?:CO|PR|OA|PI|CR)[\\s:-]*)?[A-Z]{0,2}[0-9]{1,3}"
            "\\s*[:=\\s(]\\s*[$]?-?[$]?[0-9][0-9,]*(?:[.][0-9]+)?')"
        )
        one = (
            "{'group_code': nullif(regexp_extract(a, '^(CO|PR|OA|PI|CR)', 1), ''), "
            "'reason_code': regexp_extract(a, '^(?:CO|PR|OA|PI|CR)?[\\s:-]*([A-Z]{0,2}[0-9]{1,3})', 1), "
            "'remark_code': NULL::VARCHAR, "
            "'amount': money(regexp_extract(a, '[:=\\s(]\\s*([$]?-?[$]?[0-9][0-9,.]*)$', 1))}"
        )
        bad = _fault(
            "adjustments", "no adjustments that can be read; give them as CO-45:12.00;PR-2:20.00", "raw.adjustments"
        )
        con.execute(
            f"""CREATE OR REPLACE TABLE intake_scratch.adjusted AS
            SELECT *, list_transform({items}, lambda a: {one})::{ADJUSTMENTS} AS adjustment FROM intake_batch AS raw"""
        )
        return "intake_scratch.adjusted", [f"WHEN raw.adjustments IS NOT NULL AND len(raw.adjustment) = 0 THEN {bad}"]
    side = {name: f"adjustment_{name}" for name in ("group_code", "reason_code", "remark_code", "amount")}
    given = {name: column for name, column in side.items() if column in placement.columns}
    if not given:
        return f"(SELECT *, []::{ADJUSTMENTS} AS adjustment FROM intake_batch)", []
    most = max(len(placement.columns[column]) for column in given.values())
    labels = {name: column for name, column in given.items() if name != "amount"}
    # Codes differ little from row to row: each set of them is read once and joined back.
    key = "concat_ws(chr(30), ''" + "".join(f", coalesce({column}, '')" for column in labels.values()) + ")"
    cells = {name: f"cell(split_part({column}, chr(31), i))" for name, column in labels.items()}
    group = cells.get("group_code", "NULL::VARCHAR")
    reason = cells.get("reason_code", "NULL::VARCHAR")
    fields = {
        "group_code": f"upper(coalesce({group}, nullif(regexp_extract(upper({reason}), "
        "'^(CO|PR|OA|PI|CR)[-\\s]*[A-Z]?[0-9]', 1), '')))",
        "reason_code": f"identifier(regexp_replace(upper({reason}), "
        "'^(?:CO|PR|OA|PI|CR)[-\\s]*([A-Z]{0,2}[0-9])', '\\1'))",
        "remark_code": f"upper({cells.get('remark_code', 'NULL::VARCHAR')})",
        "is_given": f"coalesce({', '.join(cells.values()) or 'NULL'}) IS NOT NULL",
    }
    one = "{" + ", ".join(f"'{name}': {value}" for name, value in fields.items()) + "}"
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.of_adjustment AS
        SELECT
            {key} AS cells,
            list_transform(range(1, {most + 1}), lambda i: {one}) AS codes
        FROM (SELECT DISTINCT {", ".join(labels.values()) or "1"} FROM intake_batch)"""
    )
    amounts = "string_split(adjustment_amount, chr(31))" if "amount" in given else "NULL::VARCHAR[]"
    value = (
        f"list_transform(list_filter(range(1, {most + 1}), "
        "lambda i: adjustment_of.codes[i].is_given OR raw.amount_cells[i] <> ''), "
        "lambda i: {'group_code': adjustment_of.codes[i].group_code, "
        "'reason_code': adjustment_of.codes[i].reason_code, 'remark_code': adjustment_of.codes[i].remark_code, "
        f"'amount': raw.amounts[i]}})::{ADJUSTMENTS}"
    )
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.adjusted AS
        WITH cell AS (SELECT *, {key} AS codes_key, {amounts} AS amount_cells FROM intake_batch),
        amount AS (SELECT *, list_transform(amount_cells, lambda a: money(nullif(a, ''))) AS amounts FROM cell)
        SELECT
            raw.* EXCLUDE (codes_key, amount_cells, amounts),
            list_count(amounts) < list_count(list_filter(amount_cells, lambda a: a <> '')) AS unread_amounts,
            {value} AS adjustment
        FROM amount AS raw
        LEFT JOIN intake_scratch.of_adjustment AS adjustment_of ON adjustment_of.cells = raw.codes_key"""
    )
    bad = _fault("adjustment_amount", _FAULTS["money"], "raw.adjustment_amount")
    return "intake_scratch.adjusted", [f"WHEN raw.unread_amounts THEN {bad}"] if "amount" in given else []
