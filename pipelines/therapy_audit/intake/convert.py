"""Text to typed rows, in SQL: staged text of one file -> intake_scratch.typed, its faults -> intake_scratch.refused."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import pyarrow as pa

from therapy_audit.intake.contract import READ_AS, SEVERAL_HEADERS, Contract, words
from therapy_audit.intake.read import Sheet, Tally, is_clean, relations

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from therapy_audit.intake.mapping import Placement

ADJUSTMENTS = "STRUCT(group_code VARCHAR, reason_code VARCHAR, remark_code VARCHAR, amount DECIMAL(12, 2))[]"
_TYPES = {
    "date": "DATE", "money": "DECIMAL(12, 2)", "whole": "INTEGER", "number": "INTEGER",
    "year": "INTEGER", "minutes": "INTEGER",
    "time": "TIME", "modifiers": "VARCHAR[]", "list": "VARCHAR[]",
}  # fmt: skip
_JOINED = ("date", "word", "code", "modifiers")  # few distinct values: each is read once and joined back
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
_SEVERAL = "intake_scratch.raw INNER JOIN intake_scratch.code_list ON cell = hcpcs_code"
_NUMBERS = {"claims": "claim_line_number", "notes": "service_number"}


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
        "fingerprint UBIGINT, fault STRUCT(column_name VARCHAR, value_class VARCHAR, reason VARCHAR))"
    )
    con.execute(
        "CREATE OR REPLACE TABLE intake_scratch.refused "
        "(file_number INTEGER, source_row BIGINT, column_name VARCHAR, value_class VARCHAR, reason VARCHAR)"
    )


def value_columns(kind: Contract) -> list[str]:
    """Return the contract columns of a kind that hold a value of their own in the typed table."""
    return [column for column in kind.columns if READ_AS.get(column) != "side_by_side" and column != "adjustments"]


def stage(
    con: duckdb.DuckDBPyConnection, sheet: Sheet, placement: Placement, tally: Tally, most_rows: int | None = None
) -> int:
    """Read a sheet into intake_scratch.raw(source_row, part, list_fault, contract columns as text).

    Return how many rows hold anything. With most_rows only the first rows are read.
    """
    columns = placement.columns
    con.execute(
        "CREATE OR REPLACE TABLE intake_scratch.raw (source_row BIGINT, part INTEGER, list_fault VARCHAR"
        + "".join(f", {column} VARCHAR" for column in columns)
        + ")"
    )
    placed = [position for positions in columns.values() for position in positions]
    rest = [position for position in range(len(sheet.headers)) if position not in placed]
    cells = ", ".join(f"h{n}" if is_clean(sheet) else f"cell(h{n}) AS h{n}" for n in range(len(sheet.headers)))
    filled = ", ".join(f"h{position}" for position in [*placed, *rest])
    values = ", ".join(_combined(column, positions) for column, positions in columns.items())
    read = ", ".join(f"h{position}" for position in placed)
    # Some programs end a text at a NUL, so that two would read two different values.
    nul = f"CASE WHEN contains(concat_ws('', {read}), chr(0)) THEN 'nul' END" if sheet.may_hold_nul and read else "NULL"
    for relation in relations(con, sheet, tally):
        con.execute(
            f"INSERT INTO intake_scratch.raw SELECT source_row, part, {nul}, {values} "
            f"FROM (SELECT source_row, part, {cells} FROM {relation}) WHERE coalesce({filled}) IS NOT NULL"
            + (f" LIMIT {most_rows}" if most_rows else "")
        )
        if most_rows:
            break
    counted = "count(DISTINCT source_row)" if sheet.nested else "count(*)"
    ((rows,),) = con.execute(f"SELECT {counted} FROM intake_scratch.raw").fetchall()
    return int(rows) + len(tally.bad_rows)


def _combined(column: str, positions: tuple[int, ...]) -> str:
    if len(positions) == 1:
        return f"h{positions[0]}"
    separator = SEVERAL_HEADERS[READ_AS[column]]
    joined = ", ".join(
        f"coalesce(h{position}, '')" if separator == "\x1f" else f"h{position}" for position in positions
    )
    return f"nullif(concat_ws('{separator}', {joined}), '')"


def convert(
    con: duckdb.DuckDBPyConnection, kind: Contract, placement: Placement, tally: Tally, file_number: int
) -> list[str]:
    """Convert the staged text of one file; return what was assumed."""
    columns = [column for column in value_columns(kind) if column in placement.columns]
    notices = _one_row_per_code(con, kind, columns)
    notices += _read_distinct(con, columns, placement)
    _type_rows(con, kind, columns, placement, file_number)
    if tally.bad_rows:
        con.register("intake_batch", pa.table({"source_row": tally.bad_rows, "reason": tally.bad_reasons}))
        con.execute(
            "INSERT INTO intake_scratch.refused SELECT $1, source_row, NULL, 'mixed', reason FROM intake_batch",
            [file_number],
        )
        con.unregister("intake_batch")
    notices += _unknown_words(con, columns)
    con.execute("DROP TABLE intake_scratch.raw")
    return notices


def _one_row_per_code(con: duckdb.DuckDBPyConnection, kind: Contract, columns: list[str]) -> list[str]:
    """Turn a staged row that lists several codes into one staged row per code."""
    if kind.input not in _LISTED or "hcpcs_code" not in columns:
        return []
    con.execute(
        """CREATE OR REPLACE TABLE intake_scratch.code_list AS
        -- The cells that list several codes.
        SELECT cell, pieces, len(pieces) AS n
        FROM (
            SELECT hcpcs_code AS cell, code_pieces(hcpcs_code) AS pieces
            FROM intake_scratch.raw
            WHERE length(hcpcs_code) > 9
            GROUP BY hcpcs_code
        )
        WHERE len(pieces) > 1"""
    )
    if not _count(con, "FROM intake_scratch.code_list"):
        return []
    listed = {column: single for column, single in _LISTED[kind.input].items() if column in columns}
    parts = "".join(f", cell_parts({column}, n) AS {column}_parts" for column in listed)
    if "modifiers" in columns:
        parts += ", modifier_parts(modifiers, n) AS modifiers_parts"
    faults, values, notices = [], [], []
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
            values.append("NULL" if column == _NUMBERS[kind.input] else column)
    named = [*columns]
    if "minutes" in listed and "total_timed_minutes" not in columns:
        con.execute("ALTER TABLE intake_scratch.raw ADD COLUMN total_timed_minutes VARCHAR")
        columns.append("total_timed_minutes")
        named.append("total_timed_minutes")
        values.append("CASE WHEN len(minutes_parts) = 1 THEN minutes END")
    con.execute(
        f"""CREATE OR REPLACE TABLE intake_scratch.exploded AS
        -- One row per code of the rows that list several.
        WITH several AS (SELECT raw.*, pieces, n FROM {_SEVERAL}),
        listed AS (SELECT *{parts} FROM several),
        item AS (SELECT *, UNNEST(range(1, n + 1)) AS item FROM listed)
        SELECT
            source_row,
            part * 1000 + item AS part,
            coalesce(list_fault, {f"CASE {' '.join(faults)} END" if faults else "NULL"}) AS list_fault,
            {", ".join(f"{value} AS {name}" for value, name in zip(values, named, strict=True))}
        FROM item"""
    )
    for column, single in listed.items():
        if single in ("leave out", "total"):
            rows = _count(
                con,
                f"FROM {_SEVERAL} WHERE len(cell_parts({column}, n)) = 1",
            )
            become = (
                "read as the visit's total_timed_minutes"
                if single == "total"
                else "left empty, since it cannot be divided"
            )
            notices += [f"{column}: a single value for several codes in {rows} rows, {become}"] if rows else []
    if "modifiers" in columns:
        rows = _count(
            con,
            f"FROM {_SEVERAL} WHERE len(modifier_parts(modifiers, n)) = 1 AND len(modifier_tokens(modifiers)) = n",
        )
        notices += (
            [f"modifiers: as many as codes in {rows} rows, read as applying to each; part them with ; to say otherwise"]
            if rows
            else []
        )
    con.execute("DELETE FROM intake_scratch.raw WHERE hcpcs_code IN (SELECT cell FROM intake_scratch.code_list)")
    con.execute("INSERT INTO intake_scratch.raw BY NAME SELECT * FROM intake_scratch.exploded")
    con.execute("DROP TABLE intake_scratch.exploded")
    return notices


def _read_distinct(con: duckdb.DuckDBPyConnection, columns: Iterable[str], placement: Placement) -> list[str]:
    """Read each distinct date, code, modifier and wording once: intake_scratch.of_<column>(cell, value, ...)."""
    notices: list[str] = []
    dates = [column for column in columns if READ_AS.get(column) == "date"]
    orders = _date_orders(con, [column for column in dates if column not in placement.dates])
    for column in columns:
        distinct = f"(SELECT {column} AS cell FROM intake_scratch.raw WHERE {column} IS NOT NULL GROUP BY {column})"
        match READ_AS.get(column):
            case "date":
                day_first, both, told = orders.get(
                    column, (False, False, f"{column}: read as {placement.dates.get(column)}, as the mapping says")
                )
                notices += [told] if told else []
                con.execute(
                    f"""CREATE OR REPLACE TABLE intake_scratch.of_{column} AS
                    WITH day AS (
                        SELECT
                            cell,
                            CASE
                                -- Where both orders are proven, a cell that either could read is refused, not guessed.
                                WHEN
                                    $both
                                    AND TRY_CAST(numeric_day(day_text(cell)).first AS INTEGER) <= 12
                                    AND TRY_CAST(numeric_day(day_text(cell)).second AS INTEGER) <= 12
                                    AND numeric_day(day_text(cell)).first <> numeric_day(day_text(cell)).second
                                    THEN NULL
                                WHEN $form IS NULL THEN read_day(day_text(cell), $day_first)
                                ELSE coalesce(try_strptime(cell, $form), try_strptime(day_text(cell), $form))::DATE
                            END AS value
                        FROM {distinct}
                    )
                    SELECT
                        cell,
                        CASE WHEN value BETWEEN DATE '1990-01-01' AND DATE '2100-12-31' THEN value END AS value,
                        value IS NOT NULL AS is_date
                    FROM day""",
                    {"form": placement.dates.get(column), "day_first": day_first, "both": both},
                )
            case "word":
                lookup = pa.table({"wording": list(words(column)), "meaning": list(words(column).values())})
                con.register("intake_words", lookup)
                # An assistant's letters among others (BS, PTA) say enough.
                otherwise = (
                    "CASE WHEN regexp_matches(upper(cell), '\\bL?PTA\\b') THEN 'PTA'"
                    " WHEN regexp_matches(upper(cell), '\\bC?OTA\\b') THEN 'OTA' ELSE upper(cell) END"
                    if "credential" in column
                    else "NULL"
                )
                con.execute(
                    f"""CREATE OR REPLACE TABLE intake_scratch.of_{column} AS
                    SELECT cell, coalesce(whole.meaning, head.meaning, {otherwise}) AS value
                    FROM {distinct}
                    LEFT JOIN intake_words AS whole ON whole.wording = word_key(cell)
                    LEFT JOIN intake_words AS head ON head.wording = word_key(leading_words(cell))"""
                )
                con.unregister("intake_words")
            case "code":
                con.execute(
                    f"""CREATE OR REPLACE TABLE intake_scratch.of_{column} AS
                    WITH piece AS (SELECT cell, code_pieces(cell) AS pieces FROM {distinct}),
                    code AS (
                        SELECT cell, len(pieces) AS n, pieces[1] AS piece, piece_codes(pieces[1]) AS codes FROM piece
                    )
                    SELECT
                        cell,
                        CASE WHEN n = 1 AND len(codes) = 1 THEN codes[1] END AS value,
                        n > 1 OR len(codes) > 1 AS is_several,
                        tail_modifiers(piece_tail(piece)) AS modifiers,
                        tail_units(piece_tail(piece)) AS units
                    FROM code"""
                )
            case "modifiers":
                con.execute(
                    f"""CREATE OR REPLACE TABLE intake_scratch.of_{column} AS
                    WITH token AS (SELECT cell, modifier_tokens(cell) AS tokens FROM {distinct})
                    SELECT
                        cell,
                        CASE WHEN len(list_filter(tokens, lambda t: length(t) <> 2)) = 0 THEN tokens END AS value
                    FROM token"""
                )
    return notices


def _date_orders(con: duckdb.DuckDBPyConnection, columns: list[str]) -> dict[str, tuple[bool, bool, str]]:
    """Return {column: (day first, both orders proven, notice)}.

    The rows that prove an order decide; else the file's other dates; else month first (day first with dots).
    """
    proofs: dict[str, tuple[int, int, int, int]] = {}
    for column in columns:
        ((day, month, numeric, dotted),) = con.execute(
            f"""-- How many rows have a number above 12 where only a day can stand.
            WITH cell AS (
                SELECT {column} AS cell, count(*) AS n
                FROM intake_scratch.raw
                WHERE {column} IS NOT NULL
                GROUP BY {column}
            ),
            part AS (
                SELECT n, numeric_day(day_text(cell)) AS day, contains(day_text(cell), '.') AS is_dotted FROM cell
            ),
            number AS (
                SELECT n, is_dotted, TRY_CAST(day.first AS INTEGER) AS one, TRY_CAST(day.second AS INTEGER) AS two
                FROM part
                WHERE day.year <> ''
            )
            SELECT
                coalesce(sum(n) FILTER (one BETWEEN 13 AND 31 AND two <= 12), 0),
                coalesce(sum(n) FILTER (two BETWEEN 13 AND 31 AND one <= 12), 0),
                coalesce(sum(n), 0),
                coalesce(sum(n) FILTER (is_dotted), 0)
            FROM number"""
        ).fetchall()
        proofs[column] = (int(day), int(month), int(numeric), int(dotted))
    file_day, file_month = (sum(proof[n] for proof in proofs.values()) for n in (0, 1))
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


def _type_rows(
    con: duckdb.DuckDBPyConnection, kind: Contract, columns: list[str], placement: Placement, file_number: int
) -> None:
    """Fill intake_scratch.typed from the staged text, intake_scratch.refused with each bad row's first fault."""
    joins = "".join(
        f" LEFT JOIN intake_scratch.of_{column} AS {column}_of ON {column}_of.cell = raw.{column}"
        for column in columns
        if READ_AS.get(column) in _JOINED
    )
    values = {
        column: _value(column) if column in columns else f"NULL::{_TYPES.get(READ_AS.get(column, ''), 'VARCHAR')}"
        for column in value_columns(kind)
    }
    if "hcpcs_code" in columns and kind.input != "notes":
        glued = "coalesce(hcpcs_code_of.modifiers, [])"
        given = "coalesce(modifiers_of.value, [])" if "modifiers" in columns else "[]"
        values["modifiers"] = (
            f"CASE WHEN len({glued}) = 0 THEN {given} ELSE list_filter(list_concat({given}, {glued}), "
            f"lambda m, i: list_position(list_concat({given}, {glued}), m) = i) END"
        )
        cell_units = "whole(raw.units, 9999)" if "units" in columns else "NULL::INTEGER"
        values["units"] = (
            f"CASE WHEN {'raw.units' if 'units' in columns else 'NULL'} IS NULL THEN hcpcs_code_of.units "
            f"ELSE {cell_units} END"
        )
    for column in ("modifiers", "diagnosis_codes"):
        if column in kind.columns:
            values[column] = f"coalesce({values[column]}, []::VARCHAR[])"
    faults = _fault_cases(kind, columns)
    if kind.input == "remittances":
        values["adjustment"], adjustment_fault = _adjustments(placement)
        faults += adjustment_fault
    fingerprint = ", ".join(values)
    made = {
        column: f"coalesce({column}, concat_ws('-', {parts}))"
        for column, parts in _MADE_FROM.get(kind.input, {}).items()
    }
    replaced = f" REPLACE ({', '.join(f'{value} AS {column}' for column, value in made.items())})" if made else ""
    con.execute(
        f"""INSERT INTO intake_scratch.typed BY NAME
        -- Every staged row with its values, a fingerprint of them, and its first fault.
        WITH valued AS (
            SELECT raw.source_row, raw.part, {", ".join(f"{value} AS {name}" for name, value in values.items())},
                CASE {" ".join(faults)} END AS fault
            FROM intake_scratch.raw{joins}
        )
        SELECT {file_number} AS file_number, *{replaced}, hash({fingerprint}) AS fingerprint FROM valued"""
    )
    con.execute(
        """INSERT INTO intake_scratch.refused
        -- The first fault of each row that has one.
        WITH first_fault AS (
            SELECT source_row, arg_min(fault, part) AS fault
            FROM intake_scratch.typed
            WHERE file_number = $1 AND fault IS NOT NULL
            GROUP BY source_row
        )
        SELECT $1, source_row, fault.column_name, fault.value_class, fault.reason FROM first_fault""",
        [file_number],
    )


def _value(column: str) -> str:
    raw = f"raw.{column}"
    part = 2 if column == "stop_time" else 1
    return {
        "date": f"{column}_of.value",
        "word": f"{column}_of.value",
        "code": f"{column}_of.value",
        "modifiers": f"{column}_of.value",
        "money": f"money({raw})",
        "whole": f"whole({raw}, 9999)",
        "number": f"whole({raw}, 2147483647)",
        "year": f"CASE WHEN whole({raw}, 2100) >= 1990 THEN whole({raw}, 2100) END",
        "minutes": f"whole_minutes({raw})",
        "time": f"coalesce(clock(nullif(trim(clock_span({raw}, {part})), '')), clock({raw}))",
        "npi": f"npi({raw})",
        "identifier": f"identifier({raw})",
        "list": f"list_filter(regexp_split_to_array(upper(unbracketed({raw})), '[^A-Z0-9.]+'), lambda d: d <> '')",
    }.get(READ_AS.get(column, ""), raw)


def _fault(column: str, reason: str, cell: str = "") -> str:
    name = f"'{column}'" if column else "NULL"
    shape = f"value_class({cell})" if cell else "'empty'"
    return f"{{'column_name': {name}, 'value_class': {shape}, 'reason': '{reason}'}}"


def _fault_cases(kind: Contract, columns: list[str]) -> list[str]:
    """Return the WHEN branches that find a row's first fault, a required column that is empty before all others."""
    cases = [f"WHEN raw.list_fault = 'nul' THEN {_fault('', _NUL)}"]
    cases += [
        f"WHEN raw.{column} IS NULL THEN {_fault(column, f'{column} is empty; every row of {kind.input} needs one')}"
        for column in kind.required
        if column not in kind.may_be_empty
    ]
    if kind.input in _LISTED:
        for column in _LISTED[kind.input]:
            if column in columns:
                reason = f"{column} does not hold one value for each of the codes; give as many, parted by ;"
                cases.append(f"WHEN raw.list_fault = '{column}' THEN {_fault(column, reason, f'raw.{column}')}")
    for column in columns:
        raw = f"raw.{column}"
        read_as = READ_AS.get(column, "")
        if read_as == "code":
            several = _fault(
                column,
                "several procedure codes that no separator parts, or where one is expected; part them with ;",
                raw,
            )
            none = _fault(column, "no procedure code in it; give five characters such as 97110", raw)
            cases.append(f"WHEN {raw} IS NOT NULL AND {column}_of.is_several THEN {several}")
            cases.append(f"WHEN {raw} IS NOT NULL AND {column}_of.value IS NULL THEN {none}")
        elif read_as == "date":
            outside = _fault(column, "the date is outside 1990 to 2100", raw)
            cases.append(f"WHEN {raw} IS NOT NULL AND {column}_of.value IS NULL AND {column}_of.is_date THEN {outside}")
        elif read_as == "time" or (read_as == "word" and column not in kind.required):
            # Nothing hangs on it that would be worth the row: it is read as empty, with a notice.
            continue
        if read_as in _FAULTS:
            cases.append(
                f"WHEN {raw} IS NOT NULL AND {_value(column)} IS NULL THEN {_fault(column, _FAULTS[read_as], raw)}"
            )
    return cases


def _adjustments(placement: Placement) -> tuple[str, list[str]]:
    """Return the expression for a row's adjustments, from one cell or from columns side by side, and its faults."""
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
        return f"list_transform({items}, lambda a: {one})::{ADJUSTMENTS}", [
            f"WHEN raw.adjustments IS NOT NULL AND len({items}) = 0 THEN {bad}"
        ]
    side = {name: f"adjustment_{name}" for name in ("group_code", "reason_code", "remark_code", "amount")}
    given = {name: column for name, column in side.items() if column in placement.columns}
    if not given:
        return f"[]::{ADJUSTMENTS}", []
    most = max(len(placement.columns[column]) for column in given.values())
    cells = {name: f"cell(split_part(raw.{column}, chr(31), i))" for name, column in given.items()}
    group = cells.get("group_code", "NULL::VARCHAR")
    reason = cells.get("reason_code", "NULL::VARCHAR")
    fields = {
        "group_code": f"upper(coalesce({group}, nullif(regexp_extract(upper({reason}), "
        "'^(CO|PR|OA|PI|CR)[-\\s]*[A-Z]?[0-9]', 1), '')))",
        "reason_code": f"identifier(regexp_replace(upper({reason}), "
        "'^(?:CO|PR|OA|PI|CR)[-\\s]*([A-Z]{0,2}[0-9])', '\\1'))",
        "remark_code": f"upper({cells.get('remark_code', 'NULL::VARCHAR')})",
        "amount": f"money({cells['amount']})" if "amount" in cells else "NULL::DECIMAL(12, 2)",
    }
    one = "{" + ", ".join(f"'{name}': {value}" for name, value in fields.items()) + "}"
    any_cell = f"coalesce({', '.join(cells.values())}) IS NOT NULL"
    value = f"list_transform(list_filter(range(1, {most + 1}), lambda i: {any_cell}), lambda i: {one})::{ADJUSTMENTS}"
    if "amount" not in cells:
        return value, []
    bad = _fault("adjustment_amount", _FAULTS["money"], "raw.adjustment_amount")
    is_unread = f"{cells['amount']} IS NOT NULL AND money({cells['amount']}) IS NULL"
    unread = f"len(list_filter(range(1, {most + 1}), lambda i: {is_unread})) > 0"
    return value, [f"WHEN {unread} THEN {bad}"]


def _unknown_words(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[str]:
    notices = []
    for column in columns:
        if READ_AS.get(column) == "word" and column != "pool":
            rows = _count(
                con,
                f"FROM intake_scratch.raw INNER JOIN intake_scratch.of_{column} AS w ON w.cell = raw.{column} "
                "WHERE w.value IS NULL",
            )
            notices += [f"{column}: a wording that is not known in {rows} rows, read as empty"] if rows else []
        elif READ_AS.get(column) == "time":
            rows = _count(con, f"FROM intake_scratch.raw WHERE {column} IS NOT NULL AND {_value(column)} IS NULL")
            told = f"{column}: not a time of day (such as 14:05) in {rows} row{'s' if rows > 1 else ''}, read as empty"
            notices += [told] if rows else []
    return notices


def _count(con: duckdb.DuckDBPyConnection, tail: str) -> int:
    row = con.execute(f"SELECT count(*) {tail}").fetchone()
    return int(row[0]) if row else 0
