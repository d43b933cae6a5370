"""Whatever rows a file holds, each is loaded or refused; what one form loads every form loads."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import date
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from therapy_audit import intake
from therapy_audit.errors import AuditError
from therapy_audit.resources import folder

HEADER = ["Claim", "Line", "Patient ID", "DOS", "CPT", "Mods", "Units", "Charge", "Start Time", "Minutes", "Note"]
QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCHEMA = (folder("sql") / "schema.sql").read_text(encoding="utf-8")

cell = st.one_of(
    st.sampled_from(
        [
            "", "97110", "97110;97140", "2026-01-13", "1/13/26", "13.1.2026", "GP,KX", "2", "2;1", "-1", "$1.50", "(2)",
            "9:30", "{", "x2", "\ufeff", "é", '"', "0",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
    st.from_regex(r"[0-9A-Z .,;:/x(){}-]{0,14}", fullmatch=True),
)  # fmt: skip


def loaded(text: bytes, name: str, kind: str) -> tuple[list[tuple[object, ...]], tuple[int, int, int]]:
    """Return the contract rows without their places, and (rows in, loaded, refused)."""
    table = "claim_line" if kind == "claims" else "note_service"
    with tempfile.TemporaryDirectory() as directory, duckdb.connect(config={"threads": 1}) as con:
        (Path(directory) / name).write_bytes(text)
        con.execute(SCHEMA)
        intake.load(con, intake.Inputs({kind: (str(Path(directory) / name),)}))
        rows = con.execute(
            f"SELECT * EXCLUDE (source_file, source_row) FROM {table} ORDER BY source_row, ALL".replace(
                ", ALL", ", rowid"
            )
        )
        found = rows.fetchall()
        counts = con.execute("SELECT rows_in, rows_loaded, rows_quarantined FROM intake_file").fetchall()
        quarantined = con.execute("SELECT count(*) FROM quarantine").fetchall()
    assert quarantined[0][0] == counts[0][2]
    return found, counts[0]


def delimited(delimiter: str, rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([HEADER, *rows])
    return text.getvalue().encode()


@QUICK
@given(
    rows=st.lists(st.lists(cell, min_size=len(HEADER), max_size=len(HEADER)), max_size=12),
    kind=st.sampled_from(["claims", "notes"]),
)
def test_every_row_is_loaded_or_refused(rows: list[list[str]], kind: str) -> None:
    _, (rows_in, rows_loaded, refused) = loaded(delimited(",", rows), "x.csv", kind)
    assert rows_in == rows_loaded + refused
    nothing = {"", "NULL", "null", "nan"}
    assert sum(any(value.strip() not in nothing for value in row) for row in rows) >= rows_in
    assert sum(any(value.isalnum() and value not in nothing for value in row) for row in rows) <= rows_in


@QUICK
@given(text=st.binary(max_size=200))
def test_any_bytes_below_a_header_load_or_are_told(text: bytes) -> None:
    try:
        _, (rows_in, rows_loaded, refused) = loaded(",".join(HEADER).encode() + b"\n" + text, "x.csv", "claims")
    except AuditError:
        return
    assert rows_in == rows_loaded + refused


line = st.tuples(
    st.sampled_from(["C1", "C2", "C3"]),
    st.sampled_from(["97110", "97140", "97530"]),
    st.sampled_from(["GP", "GP,KX", "GO,59", ""]),
    st.integers(0, 9),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
)


@QUICK
@given(lines=st.lists(line, min_size=1, max_size=8))
def test_every_form_loads_the_same(lines: list[tuple[str, str, str, int, date]]) -> None:
    def table(day: str) -> list[list[str]]:
        return [
            [claim, str(n), "P1", on.strftime(day), code, mods, str(units), f"{units}.50", "", str(units), "text"]
            for n, (claim, code, mods, units, on) in enumerate(lines, 1)
        ]

    objects = [dict(zip(HEADER, row, strict=True)) for row in table("%Y%m%d")]
    expected = loaded(delimited(",", table("%Y-%m-%d")), "x.csv", "claims")
    assert expected[1] == (len(lines), len(lines), 0)
    assert loaded(delimited("\t", table("%d-%b-%Y")), "x.tsv", "claims") == expected
    assert loaded("\n".join(map(json.dumps, objects)).encode(), "x.jsonl", "claims") == expected


@QUICK
@given(visits=st.lists(st.lists(line, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_row_per_visit_loads_as_a_row_per_line(visits: list[list[tuple[str, str, str, int, date]]]) -> None:
    by_line, by_visit = [], []
    for number, visit in enumerate(visits):
        day = visit[0][4].isoformat()
        codes, mods, units = ([str(one[place]) for one in visit] for place in (1, 2, 3))
        for n, (code, mod, unit) in enumerate(zip(codes, mods, units, strict=True), 1):
            by_line.append([f"V{number}", str(n), "P1", day, code, mod, unit, f"{unit}.00", "", "", ""])
        many = ";".join(mods) if len(visit) > 1 else mods[0]
        by_visit.append(
            [
                f"V{number}",
                "",
                "P1",
                day,
                "{" + ",".join(codes) + "}",
                many,
                ";".join(units),
                ";".join(f"{unit}.00" for unit in units),
                "",
                "",
                "",
            ]
        )
    assert (
        loaded(delimited(",", by_visit), "x.csv", "claims")[0] == loaded(delimited(",", by_line), "x.csv", "claims")[0]
    )
