"""X12 files among the inputs of a run: what is loaded, versions, duplicates, quarantine, one sentence per bad file."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

from test_x12 import (
    PUBLIC,
    START,
    claim,
    interchange,
    isa,
    paid_service,
    payment,
    remitted,
    service,
    subscriber,
    text,
)
from therapy_audit import intake
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError
from therapy_audit.intake import interchange as interchange_module
from therapy_audit.intake import x12
from therapy_audit.resources import folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADERS = "Claim #,Line,Patient ID,Payer,DOS,CPT,Mod 1,Units,Charge,Claim Frequency,Submitted Date\n"


def sent(*claims: list[str], day: str = "20260110", member: str = "M1") -> bytes:
    """Return an 837P of these claims, sent on a day."""
    start = [START[0].replace("20260101", day), *START[1:]]
    return text(interchange([[*start, *subscriber(member), *(line for one in claims for line in one)]]))


def paid(*claims: list[str], amount: str = "40.00", trace: str = "TRACE1", more: tuple[str, ...] = ()) -> bytes:
    body = [*payment(amount, trace), *(line for one in claims for line in one), *more]
    return text(interchange([body], version="005010X221A1", code="HP"))


def of_frequency(frequency: str, lines: list[str], original: str = "") -> list[str]:
    head = lines[0].replace("11:B:1", f"11:B:{frequency}")
    return [head, *([f"REF*F8*{original}"] if original else []), *lines[1:]]


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(tmp_path / "audit.duckdb", config={"threads": 1}) as connection:
        connection.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
        yield connection


def load(con: duckdb.DuckDBPyConnection, tmp_path: Path, **files: dict[str, bytes | str]) -> None:
    """Load files by input kind, each by its name."""
    names: dict[str, tuple[str, ...]] = {}
    for kind, contents in files.items():
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        names[kind] = tuple(str(tmp_path / name) for name in contents)
    intake.load(con, intake.Inputs(names))


def rows(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return con.execute(query).fetchall()


def counts(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int, int]]:
    query = "SELECT source_file, rows_in, rows_loaded, rows_quarantined FROM intake_file"
    found = {name: numbers for name, *numbers in rows(con, query)}
    assert all(came == kept + refused for came, kept, refused in found.values())
    return {name: (numbers[0], numbers[1], numbers[2]) for name, numbers in found.items()}


def error(con: duckdb.DuckDBPyConnection, tmp_path: Path, **files: dict[str, Any]) -> str:
    with pytest.raises(AuditError) as caught:
        load(con, tmp_path, **files)
    return str(caught.value)


# --- what is loaded


@pytest.mark.parametrize("name", ["x.837", "x.edi", "x.txt", "x.x12", "x", "x.csv"])
def test_x12_is_known_by_its_first_bytes(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    load(con, tmp_path, claims={name: sent(claim("C1", service(1), service(2)))})
    assert counts(con) == {name: (2, 2, 0)}
    columns = (
        "claim_id, claim_version, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers, units, "
        "charge_amount, billing_npi, discipline, submitted_date, line_control_number, source_row"
    )
    day = dt.date(2026, 1, 5)
    first = ("C1", 1, 1, "M1", "PLAN", day, "97110", ["GP"], 2, Decimal("50.00"), "1999999999", None)
    assert rows(con, f"SELECT {columns} FROM claim_line")[0] == (*first, dt.date(2026, 1, 10), "L1", 20)
    assert rows(con, "SELECT npi, provider_name, credential FROM provider") == [("1999999999", "CLINIC", None)]


def test_a_taxonomy_code_tells_discipline_and_credential(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute(
        "INSERT INTO provider_taxonomy VALUES ('2251', 'PT', 'PT'), ('224Z', 'OT', 'OTA'), ('363L', NULL, 'NP')"
    )

    def by(npi: str, taxonomy: str) -> tuple[str, str]:
        return f"NM1*82*1*THER*LOU****XX*{npi}", f"PRV*PE*PXC*{taxonomy}"

    sent_claims = [
        claim("C1", service(1), more=by("1222222222", "225100000X")),
        claim("C2", service(1), more=by("1333333333", "2251X0800X")),
        claim("C3", service(1), more=by("1444444444", "224Z00000X")),
        claim("C4", service(1), more=by("1555555555", "363LF0000X")),
        claim("C5", service(1), more=by("1666666666", "207Q00000X")),
        # The first code that is named counts, if it tells something or not.
        claim("C6", service(1), more=by("1666666666", "225100000X")),
    ]
    listed = "NPI,Name,Discipline,Credential\n1222222222,Own name,SLP,SLP\n"
    load(con, tmp_path, claims={"x.837": sent(*sent_claims)}, providers={"providers.csv": listed})
    assert rows(con, "SELECT npi, discipline, credential FROM provider ORDER BY npi") == [
        ("1222222222", "SLP", "SLP"), ("1333333333", "PT", "PT"), ("1444444444", "OT", "OTA"),
        ("1555555555", None, "NP"), ("1666666666", None, None), ("1999999999", None, None),
    ]  # fmt: skip


def test_a_list_of_providers_is_never_overridden(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    listed = "NPI,Name,Credential\n1999999999,Own name,PT\n"
    load(con, tmp_path, claims={"x.837": sent(claim("C1", service(1)))}, providers={"providers.csv": listed})
    assert rows(con, "SELECT npi, provider_name, credential FROM provider") == [("1999999999", "Own name", "PT")]


def test_a_remittance_fills_its_tables(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    body = remitted("C1", [*paid_service(1), "LQ*HE*N640"], charge="50.00", paid="40.00")
    plb = "PLB*1999999999*20261231*WO:OLD*5.00"
    load(con, tmp_path, remittances={"y.835": paid(body, amount="30.00", more=(plb,))})
    assert counts(con) == {"y.835": (1, 1, 0)}
    assert rows(con, "SELECT remittance_id, payer, payment_method, paid_amount, paid_date FROM remittance") == [
        ("TRACE1", "PAYER", "ACH", Decimal("30.00"), dt.date(2026, 1, 20))
    ]
    query = "SELECT remittance_claim_number, claim_id, claim_status_code, payer_claim_control_number FROM"
    assert rows(con, f"{query} remittance_claim") == [(1, "C1", "1", "ICNC1")]
    query = "SELECT remittance_line_number, line_kind, claim_status_code, line_control_number, paid_amount FROM"
    assert rows(con, f"{query} remittance_line") == [(1, "service", "1", "L1", Decimal("40.00"))]
    query = "SELECT remittance_claim_number, remittance_line_number, group_code, reason_code, amount FROM"
    assert rows(con, f"{query} remittance_adjustment") == [(1, 1, "CO", "45", Decimal("10.00"))]
    query = "SELECT remittance_claim_number, remittance_line_number, remark_code FROM remittance_remark"
    assert rows(con, query) == [(1, 1, "N640")]
    query = "SELECT reason_code, reference_id, amount FROM remittance_provider_adjustment"
    assert rows(con, query) == [("WO", "OLD", Decimal("5.00"))]
    query = "SELECT check_name, remittance_id, claim_id, expected, found FROM x12_imbalance"
    assert rows(con, query) == [("payment", "TRACE1", None, Decimal("35.00"), Decimal("30.00"))]


def test_imbalances_name_their_claim(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    bad = remitted("C2", paid_service(1), charge="50.00", paid="41.00")
    good = remitted("C1", paid_service(1), charge="50.00", paid="40.00")
    claims = sent(claim("A", service(1)), claim("B", service(1), total="60"), claim("C", service(1)))
    load(con, tmp_path, claims={"x.837": claims}, remittances={"y.835": paid(good, bad, amount="81.00")})
    found = rows(con, "SELECT source_file, check_name, remittance_id, claim_id FROM x12_imbalance ORDER BY ALL")
    assert found[0] == ("x.837", "claim_charge", None, "B")
    assert {(row[0], row[2], row[3]) for row in found[1:]} == {("y.835", "TRACE1", "C2")}


def test_rows_that_lack_what_is_needed_are_in_quarantine(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    undated = [line for line in service(1) if not line.startswith("DTP")]
    claims = [
        claim("C1", service(1), service(2, "ER:X")),
        claim("C2", undated),
        claim("", service(1)),
        claim("C4", service(1)),
        claim("C5"),
    ]
    load(con, tmp_path, claims={"x.837": sent(*claims)})
    assert counts(con) == {"x.837": (6, 2, 4)}
    refused = rows(con, "SELECT column_name, value_class, contract_table FROM quarantine ORDER BY source_row")
    assert [row[0] for row in refused] == ["hcpcs_code", "service_date", "claim_id", None]
    assert {row[2] for row in refused} == {"claim_line"}
    assert {"procedure", "no_service_date", "claim_id"} <= {
        code for (code,) in rows(con, "SELECT code FROM x12_problem")
    }


def test_adjustments_of_refused_lines_are_not_left_behind(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    nameless = remitted("", paid_service(1), charge="50.00", paid="40.00")
    named = remitted("C1", paid_service(1), charge="50.00", paid="40.00")
    load(con, tmp_path, remittances={"y.835": paid(nameless, named, amount="80.00")})
    assert counts(con) == {"y.835": (2, 1, 1)}
    assert rows(con, "SELECT remittance_line_number FROM remittance_adjustment") == [(2,)]


# --- versions


def versions(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return rows(
        con,
        "SELECT claim_id, claim_version, claim_line_number, claim_frequency_code, source_file FROM claim_line "
        "ORDER BY ALL",
    )


def test_a_claim_sent_again_is_a_new_version(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    first, again = claim("C1", service(1), service(2)), claim("C1", service(1))
    replaced = of_frequency("7", again, "ICN1")
    # Given in another order than they were sent in.
    late, early = sent(replaced, day="20260301"), sent(first, claim("C2", service(1)), day="20260110")
    load(con, tmp_path, claims={"a.837": late, "b.837": early, "c.837": sent(again, day="20260201")})
    assert versions(con) == [
        ("C1", 1, 1, "1", "b.837"),
        ("C1", 1, 2, "1", "b.837"),
        ("C1", 2, 1, "1", "c.837"),
        ("C1", 3, 1, "7", "a.837"),
        ("C2", 1, 1, "1", "b.837"),
    ]
    assert rows(con, "SELECT DISTINCT original_claim_id FROM claim_line WHERE claim_version = 3") == [("ICN1",)]


def test_versions_within_a_file_are_in_its_order(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(*(of_frequency(f, claim("C1", service(1))) for f in "178"))})
    assert [row[1:4] for row in versions(con)] == [(1, 1, "1"), (2, 1, "7"), (3, 1, "8")]


def test_rows_of_an_export_that_differ_in_frequency_are_versions(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    export = HEADERS + (
        "C1,1,P1,AETNA,2026-01-05,97110,GP,2,90,7,\n"
        "C1,1,P1,AETNA,2026-01-05,97110,GP,1,45,1,\n"
        "C1,2,P1,AETNA,2026-01-05,97140,GP,1,45,1,\n"
        "C2,1,P1,AETNA,2026-01-05,97110,GP,1,45,1,2026-01-09\n"
        "C2,1,P1,AETNA,2026-01-05,97110,GP,1,45,1,2026-02-09\n"
        "C3,1,P1,AETNA,2026-01-06,97110,GP,1,45,1,\n"
        "C3,1,P1,AETNA,2026-01-06,97112,GP,1,45,1,\n"
    )
    load(con, tmp_path, claims={"claims.csv": export})
    assert [row[:4] for row in versions(con)] == [
        ("C1", 1, 1, "1"), ("C1", 1, 2, "1"), ("C1", 2, 1, "7"), ("C2", 1, 1, "1"), ("C2", 2, 1, "1"),
        ("C3", 1, 1, "1"),
    ]  # fmt: skip
    assert "already used by claims.csv row 7" in rows(con, "SELECT reason FROM quarantine")[0][0]


def test_an_export_without_line_numbers_has_versions_by_frequency(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    export = "Claim #,Patient ID,DOS,CPT,Units,Claim Frequency\n" + "".join(
        f"C1,P1,2026-01-05,{code},1,{frequency}\n" for frequency in "17" for code in ("97110", "97140")
    )
    load(con, tmp_path, claims={"claims.csv": export})
    assert [row[1:4] for row in versions(con)] == [(1, 1, "1"), (1, 2, "1"), (2, 1, "7"), (2, 2, "7")]


def test_an_export_and_an_837_of_one_claim(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    export = HEADERS + "C1,1,P1,AETNA,2026-01-05,97110,GP,2,90,1,\n"
    load(con, tmp_path, claims={"x.837": sent(claim("C1", service(1))), "claims.csv": export})
    assert [(row[1], row[4]) for row in versions(con)] == [(1, "claims.csv"), (2, "x.837")]


# --- given twice


def test_a_file_given_twice_is_refused_the_second_time(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    content = sent(claim("C1", service(1), service(2)))
    load(con, tmp_path, claims={"x.837": content, "x (1).837": content})
    assert counts(con) == {"x.837": (2, 2, 0), "x (1).837": (2, 0, 2)}
    told = "the file is the same, byte for byte, as x.837, which was loaded"
    assert rows(con, "SELECT source_file, source_row, reason FROM quarantine") == [("x (1).837", None, told)]
    assert rows(con, "SELECT count(*), max(claim_version) FROM claim_line") == [(2, 1)]


def test_a_payment_given_twice_is_refused_the_second_time(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    body = remitted("C1", paid_service(1), charge="50.00", paid="40.00")
    other = remitted("C2", paid_service(1), charge="50.00", paid="40.00")
    both = [[*payment("40.00"), *body], [*payment("40.00", "TRACE2"), *other]]
    again = text(interchange(both, number=2, version="005010X221A1", code="HP"))
    load(con, tmp_path, remittances={"a.835": paid(body), "b.835": again})
    assert counts(con) == {"a.835": (1, 1, 0), "b.835": (2, 1, 1)}
    assert rows(con, "SELECT remittance_id, source_file FROM remittance ORDER BY ALL") == [
        ("TRACE1", "a.835"), ("TRACE2", "b.835"),
    ]  # fmt: skip
    for table in ("remittance_claim", "remittance_line", "remittance_adjustment"):
        assert rows(con, f"SELECT remittance_id FROM {table} ORDER BY ALL") == [("TRACE1",), ("TRACE2",)]
    ((reason,),) = rows(con, "SELECT reason FROM quarantine")
    assert reason.startswith("the payment was given before: payer, trace number, amount and claims are those of a.835")


def test_payments_that_share_a_trace_number_stay_apart(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    one = remitted("C1", paid_service(1), charge="50.00", paid="40.00")
    other = remitted("C2", paid_service(1), charge="50.00", paid="40.00")
    file = text(interchange([[*payment("40.00"), *c] for c in (one, other)], version="005010X221A1", code="HP"))
    load(con, tmp_path, remittances={"a.835": file})
    found = rows(con, "SELECT remittance_id, claim_id FROM remittance_line ORDER BY source_row")
    assert found == [("TRACE1", "C1"), ("TRACE1 (a.835, transaction 2)", "C2")]
    assert rows(con, "SELECT count(*) FROM remittance_line SEMI JOIN remittance USING (remittance_id)") == [(2,)]


# --- many files, and what the reading leaves as it was


def test_one_of_many_files_that_cannot_be_read_refuses_all(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    files = {f"{n}.837": sent(*(claim(f"C{n}-{k}", service(1)) for k in range(n + 1))) for n in range(5)}
    files["5.837"] = b"ISA*00*cut"
    assert error(con, tmp_path, claims=files).startswith("5.837: the ISA segment is cut")
    assert rows(con, "SELECT count(*) FROM claim_line") == [(15,)]
    assert rows(con, "SELECT rows_in FROM intake_file") == []


def test_settings_are_as_before(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    query = "SELECT current_setting('threads'), current_setting('memory_limit')"
    con.execute("SET threads = 2; SET memory_limit = '300MiB'")
    before = rows(con, query)
    load(con, tmp_path, claims={"x.837": sent(claim("C1", service(1)))})
    assert rows(con, query) == before
    undated = [line for line in service(1) if not line.startswith("DTP")]
    error(con, tmp_path, remittances={"y.837": sent(claim("C1", undated))})
    assert rows(con, query) == before
    assert [interchange_module._bytes(size) for size in ("64MiB", "1.5 GiB", "0 bytes")] == [  # noqa: SLF001
        64 << 20, 3 << 29, 0,
    ]  # fmt: skip


def test_a_statement_gets_more_memory_where_little_does_not_do(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(interchange_module._WHILE_READING, "memory_limit", "16MiB")  # noqa: SLF001
    con.execute("SET memory_limit = '300MiB'")
    before = rows(con, "SELECT current_setting('memory_limit')")
    statement = "CREATE OR REPLACE TEMP TABLE kept AS SELECT list(range) AS numbers FROM range(3_000_000)"
    with pytest.raises(duckdb.OutOfMemoryException), interchange_module._sparing(con):  # noqa: SLF001
        con.execute(statement)
    interchange_module.frugally(con, statement)
    assert rows(con, "SELECT len(numbers) FROM kept") == [(3_000_000,)]
    assert rows(con, "SELECT current_setting('memory_limit')") == before


def test_no_table_waits_for_long_and_none_is_lost() -> None:
    table = pa.table({"source_row": [1]})
    batches = ((f"{n % 2}.835", {"remittance": table, "other": table}) for n in range(2 * 8 * 3 + 2))
    found = list(interchange_module._gathered(batches, ("remittance",)))  # noqa: SLF001
    assert [(file, name, len(rows)) for file, name, rows in found[:6]] == [
        (f"{n % 2}.835", "remittance", 8) for n in range(6)
    ]
    assert sorted((file, len(rows)) for file, _, rows in found[6:]) == [("0.835", 1), ("1.835", 1)]


# --- files that are refused


BAD = {
    "remittances among claims": (
        "claims", paid(remitted("C1", paid_service(1), charge="50", paid="40")),
        "bad.edi: this file holds remittances (835); give it with --remittances.",
    ),
    "claims among remittances": (
        "remittances", sent(claim("C1", service(1))),
        "bad.edi: this file holds claims (837P); give it with --claims.",
    ),
    "4010": (
        "claims", sent(claim("C1", service(1))).replace(b"005010X222A1", b"004010X098A1"),
        "bad.edi: this is an 837P of version 004010X098A1; 837P 005010X222A1 or A2 and 835 005010X221A1 are read.",
    ),
    "institutional": (
        "claims", sent(claim("C1", service(1))).replace(b"005010X222A1", b"005010X223A2"),
        "bad.edi: this is an 837I of version 005010X223A2; 837P",
    ),
    "acknowledgement": (
        "claims", text([isa(), "GS*FA*A*B*20260101*1200*1*X*005010X231A1", "ST*999*0001*005010X231A1", "AK9*A*1*1*1",
                        "SE*3*0001", "GE*1*1", "IEA*1*000000001"]),
        "bad.edi: this is a 999 of version 005010X231A1; 837P",
    ),
    "eligibility": (
        "claims", text([isa(), "GS*HS*A*B*20260101*1200*1*X*005010X279A1", "ST*270*0001*005010X279A1",
                        "SE*2*0001", "GE*1*1", "IEA*1*000000001"]),
        "bad.edi: this is a 270 of version 005010X279A1; 837P",
    ),
    "not X12 inside": (
        "claims", b"Claim,Patient\nC1,P1\n", "bad.edi: the file does not begin with an ISA segment: it is no X12",
    ),
    "compressed": (
        "claims", gzip.compress(sent(claim("C1", service(1)))),
        "bad.edi: the file is compressed; unpack it first; give it as the clearinghouse sent it.",
    ),
    "garbled ISA": ("claims", b"ISA*00*cut", "bad.edi: the ISA segment is cut or garbled"),
    "empty": ("claims", b"", "bad.edi: the file is empty; get it from the clearinghouse once more"),
    "notes": ("notes", sent(claim("C1", service(1))), "bad.edi: this is an X12 file, which is read for claims (837P)"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_refused_gives_one_sentence(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    kind, content, sentence = BAD[name]
    said = error(con, tmp_path, **{kind: {"bad.edi": content}})
    assert said.startswith(sentence)
    assert "\n" not in said


def test_every_refused_file_is_told(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    _, old, first = BAD["4010"]
    _, other, second = BAD["remittances among claims"]
    good = sent(claim("C1", service(1)))
    said = error(con, tmp_path, claims={"a.837": good, "bad.edi": old, "b.edi": other}).splitlines()
    assert said == [first, second.replace("bad.edi", "b.edi")]


# --- the command line


def test_a_run_from_837_and_835(tmp_path: Path) -> None:
    claims = [claim(f"C{n}", service(1), service(2, "HC:97140:GP")) for n in range(3)]
    answers = [remitted(f"C{n}", paid_service(1), charge="50.00", paid="40.00") for n in range(3)]
    (tmp_path / "x.837").write_bytes(sent(*claims))
    (tmp_path / "y.835").write_bytes(paid(*answers, amount="120.00"))
    notes = "Note ID,Patient ID,DOS,CPT,Minutes,Discipline\nN1,M1,2026-01-05,97110,30,PT\n"
    (tmp_path / "notes.csv").write_text(notes)
    given = [
        part for name, file in (("claims", "x.837"), ("remittances", "y.835"), ("notes", "notes.csv"))
        for part in (f"--{name}", str(tmp_path / file))
    ]  # fmt: skip
    done = CliRunner().invoke(cli, ["run", *given, "--out", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output + str(done.exception)
    manifest = json.loads((tmp_path / "report" / "manifest.json").read_text())
    assert manifest["rows"]["claim_line"] == 6
    assert manifest["rows"]["remittance_line"] == 3
    assert {one["source_file"]: one["rows_loaded"] for one in manifest["inputs"]} == {
        "x.837": 6, "y.835": 3, "notes.csv": 1,
    }  # fmt: skip


def test_inspect_tells_what_files_hold(tmp_path: Path) -> None:
    (tmp_path / "x.837").write_bytes(sent(claim("C1", service(1, "HC:97110:GP", "50.50"), total="60")))
    (tmp_path / "y.835").write_bytes(paid(remitted("C1", paid_service(1), charge="50.00", paid="40.00")))
    (tmp_path / "claims.csv").write_text("Claim;Patient ID;DOS;CPT;Colour\nC1;P1;2026-01-05;97110;red\n")
    names = [str(tmp_path / name) for name in ("x.837", "y.835", "claims.csv")]
    done = CliRunner().invoke(cli, ["inspect", "--json", *names])
    assert done.exit_code == 0, done.output
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert list(first) == [
        "file", "kind", "version", "sender", "receiver", "interchanges", "transactions", "claims", "lines", "services",
        "adjustments", "plb", "charge_total", "paid_total", "problems",
    ]  # fmt: skip
    assert (first["kind"], first["version"], first["sender"]) == ("837P", "005010X222A1", "SENDER")
    assert (first["claims"], first["lines"], first["charge_total"]) == (1, 1, 60)
    assert '"charge_total": 60.00' in done.stdout
    said = {"row": 17, "code": "claim_charge", "sentence": "CLM02, SV102: 60.00 expected, 50.50 found."}
    assert first["problems"] == [said]
    assert (second["kind"], second["services"], second["adjustments"], second["paid_total"]) == ("835", 1, 1, 40)
    (table,) = third["tables"]
    assert (third["kind"], third["problems"], table["rows"], table["delimiter"]) == ("claims", [], 1, ";")
    assert table["columns"]["DOS"] == "service_date"
    assert table["columns"]["Colour"] is None
    plain = CliRunner().invoke(cli, ["inspect", *names])
    assert plain.exit_code == 0
    assert "row 17: CLM02, SV102: 60.00 expected, 50.50 found." in plain.output


def test_inspect_fails_where_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "old.837").write_bytes(BAD["4010"][1])
    done = CliRunner().invoke(cli, ["inspect", "--json", str(tmp_path / "old.837")])
    assert done.exit_code == 2
    assert "004010X098A1" in json.loads(done.stdout)["problems"][0]["sentence"]
    assert CliRunner().invoke(cli, ["inspect", str(tmp_path / "none.837")]).exit_code == 2
    done = CliRunner().invoke(cli, ["inspect", str(tmp_path)])
    assert (done.exit_code, done.stderr) == (2, f"Error: {tmp_path.name!r} is a folder; name the files in it.\n")


def test_one_of_a_kind_is_told_in_the_singular(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    load(con, tmp_path, claims={"x.837": sent(claim("C1", service(1)))})
    assert rows(con, "SELECT notices[1] FROM intake_file") == [
        ("read as X12 837P 005010X222A1: 1 interchange, 1 transaction, 1 claim",)
    ]


def test_differences_name_their_claim_in_whatever_batch(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x12.batches, "__defaults__", (None, None, 512))
    wrong = [claim(f"C{n}", service(1), total="99.00") if n % 7 == 3 else claim(f"C{n}", service(1)) for n in range(40)]
    load(con, tmp_path, claims={"x.837": sent(*wrong)})
    found = rows(con, "SELECT claim_id FROM x12_imbalance WHERE check_name = 'claim_charge' ORDER BY source_row")
    assert found == [(f"C{n}",) for n in range(3, 40, 7)]


@pytest.mark.skipif(not (PUBLIC / "edi_generator_PT").is_dir(), reason="the public files are not here")
def test_public_files_load_with_their_counts(con: duckdb.DuckDBPyConnection) -> None:
    files = PUBLIC / "edi_generator_PT"
    inputs = {"claims": (str(files / "837P_PT_2000.edi"),), "remittances": (str(files / "835_*.edi"),)}
    intake.load(con, intake.Inputs(inputs))
    assert counts(con)["837P_PT_2000.edi"] == (5079, 5079, 0)
    assert counts(con)["835_PT_200.edi"] == (396, 396, 0)
    assert rows(con, "SELECT count(*) FROM (SELECT DISTINCT remittance_id FROM remittance)") == [(3,)]
