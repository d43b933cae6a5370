"""X12 claims and remittances: every loop and element that is read, balances, damage, and the public sample files."""

from __future__ import annotations

import datetime as dt
import gzip
import random
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from therapy_audit.intake import x12

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = Path(__file__).parents[2] / "shared" / "x12"
ROWS = ("source_row", "claim_row")

# --- making files


def isa(number: int = 1, marks: str = "*:^~") -> str:
    element, component, repetition = marks[0], marks[1], marks[2]
    parts = ["ISA", "00", " " * 10, "00", " " * 10, "ZZ", f"{'SENDER':15}", "ZZ", f"{'RECEIVER':15}", "260101", "1200"]
    return element.join([*parts, repetition, "00501", f"{number:09}", "0", "P", component])


def interchange(
    transactions: list[list[str]], number: int = 1, version: str = "005010X222A1", code: str = "HC"
) -> list[str]:
    """Wrap transactions (segments between ST and SE) in their headers and trailers."""
    kind = "835" if code == "HP" else "837"
    body: list[str] = []
    for n, transaction in enumerate(transactions, 1):
        header = f"ST*{kind}*{n:04}" + (f"*{version}" if kind == "837" else "")
        body += [header, *transaction, f"SE*{len(transaction) + 2}*{n:04}"]
    group = [f"GS*{code}*SENDER*RECEIVER*20260101*1200*{number}*X*{version}", *body]
    return [isa(number), *group, f"GE*{len(transactions)}*{number}", f"IEA*1*{number:09}"]


def text(segments: list[str], marks: str = "*:^~", after: str = "") -> bytes:
    """Render segments written with * and : with other marks, and something after each terminator."""
    element, component, terminator = marks[0], marks[1], marks[3]
    table = str.maketrans({"*": element, ":": component})
    if marks == "*:^~":
        return "".join(segment + terminator + after for segment in segments).encode()
    lines = [isa(int(s.split("*")[13]), marks) if s.startswith("ISA") else s.translate(table) for s in segments]
    return "".join(line + terminator + after for line in lines).encode()


BILLING = [
    "HL*1**20*1", "NM1*85*2*CLINIC*****XX*1999999999", "N3*1 ELM", "N4*TOWN*OH*44101", "REF*EI*123456789",
]  # fmt: skip
START = ["BHT*0019*00*1*20260101*1200*CH", "NM1*41*2*SUB*****46*1", "NM1*40*2*REC*****46*2", *BILLING]


def subscriber(member: str = "M1", payer: str = "PLAN", level: str = "HL*2*1*22*0") -> list[str]:
    return [
        level,
        "SBR*P*18*******MB",
        f"NM1*IL*1*DOE*ANN****MI*{member}",
        "DMG*D8*19500101*F",
        f"NM1*PR*2*{payer}*****PI*99",
    ]


def service(n: int, code: str = "HC:97110:GP", charge: str = "50.00", *more: str, quantity: str = "UN*2") -> list[str]:
    return [f"LX*{n}", f"SV1*{code}*{charge}*{quantity}***1", "DTP*472*D8*20260105", *more, f"REF*6R*L{n}"]


def claim(claim_id: str, *services: list[str], total: str = "", more: tuple[str, ...] = ()) -> list[str]:
    charges = [line.split("*")[2] for part in services for line in part if line.startswith("SV1")]
    total = total or str(sum(map(Decimal, charges), Decimal(0)))
    head = [f"CLM*{claim_id}*{total}***11:B:1*Y*A*Y*Y", *more, "HI*ABK:M5416*ABF:M79641"]
    return head + [line for part in services for line in part]


def remitted(claim_id: str, *services: list[str], charge: str, paid: str, more: tuple[str, ...] = ()) -> list[str]:
    head = [f"CLP*{claim_id}*1*{charge}*{paid}**MB*ICN{claim_id}*11*1", *more, f"NM1*QC*1*DOE*ANN****MI*M{claim_id}"]
    return head + [line for part in services for line in part]


def paid_service(n: int, charge: str = "50.00", paid: str = "40.00") -> list[str]:
    left = Decimal(charge) - Decimal(paid)
    return [
        f"SVC*HC:97110:GP*{charge}*{paid}**2",
        "DTM*472*20260105",
        f"CAS*CO*45*{left}",
        f"REF*6R*L{n}",
        f"AMT*B6*{paid}",
    ]


def payment(amount: str, trace: str = "TRACE1") -> list[str]:
    return [
        f"BPR*I*{amount}*C*ACH*CCP*01*1*DA*1*1**01*1*DA*1*20260120",
        f"TRN*1*{trace}*1999999999",
        "DTM*405*20260119",
        "N1*PR*PAYER*XV*88",
        "N1*PE*CLINIC*XX*1999999999",
        "LX*1",
    ]


def read(path: Path, content: bytes, chunk_bytes: int = 1 << 20) -> dict[str, list[dict[str, Any]]]:
    """Return every table's rows."""
    file = path / "file.x12"
    file.write_bytes(content)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in x12.SCHEMAS}
    for batch in x12.batches(file, chunk_bytes=chunk_bytes):
        for name, table in batch.items():
            assert table.schema == x12.empty(name).schema
            table.validate(full=True)
            rows[name].extend(table.to_pylist())
    return rows


def codes(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [row["code"] for row in rows["problem"]]


def checks(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [row["check"] for row in rows["imbalance"]]


# --- 837P


def test_a_claim_line_has_all_that_its_loops_say(tmp_path: Path) -> None:
    line = [
        "LX*1", "SV1*HC:97530:GP:KX:59:XS*120.5*UN*3*12**2:1", "DTP*472*RD8*20260105-20260107", "REF*G1*AUTHLINE",
        "REF*6R*CONTROL", "NM1*82*1*THER*LOU****XX*1222222222", "NM1*DQ*1*SUPER*VI****XX*1333333333",
    ]  # fmt: skip
    timed = service(2, "HC:97110:GP", "60", quantity="MJ*45")
    more = (
        "DTP*431*D8*20251201", "REF*F8*ORIGINAL", "REF*G1*AUTHCLAIM", "NM1*82*1*CLAIM*THER****XX*1444444444",
        "NM1*77*2*SITE*****XX*1555555555",
    )  # fmt: skip
    body = claim("C1", line, timed)
    body = [body[0].replace("11:B:1", "11:B:7"), *more[:3], body[1], *more[3:], *body[2:]]
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *body]])))
    assert rows["problem"] == rows["imbalance"] == []
    first, second = rows["claim_line"]
    assert first == {
        "claim_id": "C1", "claim_line_number": 1, "patient_id": "M1", "subscriber_id": "M1", "payer": "PLAN",
        "payer_id": "99", "service_date": dt.date(2026, 1, 5), "service_date_to": dt.date(2026, 1, 7),
        "hcpcs_code": "97530", "modifiers": ["GP", "KX", "59", "XS"], "units": 3, "minutes": None,
        "charge_amount": Decimal("120.50"), "rendering_npi": "1222222222", "billing_npi": "1999999999",
        "supervising_npi": "1333333333", "facility_npi": "1555555555", "place_of_service": "12",
        "diagnosis_codes": ["M79641", "M5416"], "claim_frequency_code": "7", "original_claim_id": "ORIGINAL",
        "prior_authorization": "AUTHLINE", "line_control_number": "CONTROL",
        "claim_charge_amount": Decimal("180.50"), "submitted_date": dt.date(2026, 1, 1), "claim_row": 17,
        "source_file": "file.x12", "source_row": 25,
    }  # fmt: skip
    assert (second["minutes"], second["units"]) == (45, None)
    assert (second["rendering_npi"], second["supervising_npi"]) == ("1444444444", None)
    assert (second["place_of_service"], second["prior_authorization"]) == ("11", "AUTHCLAIM")
    names = {row["npi"]: row["provider_name"] for row in rows["provider"]}
    assert names["1222222222"] == "LOU THER"
    assert names["1999999999"] == "CLINIC"
    assert len(names) == 5


def test_other_payers_loops_are_not_the_claims_own(tmp_path: Path) -> None:
    other = [
        "SBR*S*18*******CI", "CAS*CO*45*10", "AMT*D*5", "NM1*IL*1*OTHER*SUB****MI*OTHERMEMBER", "REF*G1*OTHERAUTH",
        "NM1*PR*2*OTHERPAYER*****PI*77", "DTP*573*D8*20260101", "REF*F8*OTHERREF", "NM1*82*1******XX*1777777777",
    ]  # fmt: skip
    line = [*service(1), "SVD*77*5*HC:97110**1", "CAS*CO*45*45", "DTP*573*D8*20260301", "AMT*EAF*1"]
    body = claim("C1", line)
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *body[:2], *other, *body[2:]]])))
    assert rows["problem"] == []
    found = rows["claim_line"][0]
    assert (found["patient_id"], found["payer"], found["payer_id"]) == ("M1", "PLAN", "99")
    assert found["original_claim_id"] is found["prior_authorization"] is found["rendering_npi"] is None
    assert found["service_date"] == dt.date(2026, 1, 5)


def test_dependents_of_one_subscriber_are_told_apart(tmp_path: Path) -> None:
    def dependent(name: str, birth: str) -> list[str]:
        return ["HL*3*2*23*0", "PAT*19", f"NM1*QC*1*DOE*{name}", f"DMG*D8*{birth}*M"]

    body = [
        *START,
        *subscriber("M1"),
        *claim("OWN", service(1)),
        *dependent("TIM", "20150101"),
        *claim("TIM1", service(1)),
        *claim("TIM2", service(1)),
        *dependent("TOM", "20150101"),
        *claim("TOM1", service(1)),
        *subscriber("M2", level="HL*2*1*22*0"),  # HL numbers may repeat
        *claim("NEXT", service(1)),
    ]
    rows = read(tmp_path, text(interchange([body])))
    who = {row["claim_id"]: row["patient_id"] for row in rows["claim_line"]}
    assert who["OWN"] == "M1"
    assert who["TIM1"] == who["TIM2"] != who["TOM1"]
    assert who["TIM1"].startswith("M1-")
    assert who["NEXT"] == "M2"
    assert {row["subscriber_id"] for row in rows["claim_line"]} == {"M1", "M2"}


def test_the_billing_provider_renders_where_it_is_a_person(tmp_path: Path) -> None:
    start = [s.replace("NM1*85*2*CLINIC*", "NM1*85*1*THER*ANN") for s in START]
    rows = read(tmp_path, text(interchange([[*start, *subscriber(), *claim("C1", service(1))]])))
    assert rows["claim_line"][0]["rendering_npi"] == "1999999999"


def test_a_provider_named_without_an_npi_is_not_taken_for_another(tmp_path: Path) -> None:
    unnumbered, numbered = "NM1*82*1*X*Y****34*1", "NM1*82*1*X*Y****XX*1222222222"
    first = claim("C1", service(1, "HC:97110:GP", "50", unnumbered), service(2), more=(numbered,))
    second = claim("C2", service(1), service(2, "HC:97110:GP", "50", numbered), more=(unnumbered,))
    start = [s.replace("NM1*85*2*CLINIC*", "NM1*85*1*THER*ANN") for s in START]
    rows = read(tmp_path, text(interchange([[*start, *subscriber(), *first, *second, *claim("C3", service(1))]])))
    found = [row["rendering_npi"] for row in rows["claim_line"]]
    assert found == [None, "1222222222", None, "1222222222", "1999999999"]


def test_identifiers_in_lower_case_lose_nothing(tmp_path: Path) -> None:
    segments = two_kinds()
    lower = [isa if isa.startswith("ISA") else f"{isa.partition('*')[0].lower()}*{isa.partition('*')[2]}"
             for isa in segments]  # fmt: skip
    assert read(tmp_path, text(lower)) == read(tmp_path, text(segments))


def test_a_segment_of_many_bytes_is_read_over(tmp_path: Path) -> None:
    long = f"NTE*ADD*{'X' * (5 << 20)}"
    plain = claim("C1", service(1, "HC:97110:GP", "50.00", "NTE*ADD*X"))
    large = [long if s == "NTE*ADD*X" else s for s in plain]
    expected, found = (read(tmp_path, text(interchange([[*START, *subscriber(), *body]]))) for body in (plain, large))
    assert found == expected
    assert len(found["claim_line"]) == 1


def test_lines_are_numbered_by_place_where_lx_does_not_ascend(tmp_path: Path) -> None:
    claims = [*claim("C1", service(1), service(1)), *claim("C2", service(3), service(7))]
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *claims]])))
    numbers = [(row["claim_id"], row["claim_line_number"]) for row in rows["claim_line"]]
    assert numbers == [("C1", 1), ("C1", 2), ("C2", 3), ("C2", 7)]


@pytest.mark.parametrize(
    ("old", "new", "code", "column"),
    [
        ("DTP*472*D8*20260105", "DTP*472*D8*20260231", "service_date", "service_date"),
        ("DTP*472*D8*20260105", "DTP*472*RD8*20260105-20260104", "service_date", "service_date_to"),
        ("DTP*472*D8*20260105", "DTP*431*D8*20260105", "no_service_date", "service_date"),
        ("*50.00*UN*2", "*5O.00*UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "*50.001*UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "*99999999999*UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "**UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "*50.00*UN*TWO", "units", "units"),
        ("*50.00*UN*2", "*50.00*UN*2.5", "units", "units"),
        ("*50.00*UN*2", "*50.00*F2*2", "unit", "units"),
        ("HC:97110:GP", "ZZ:97110:GP", "procedure", "hcpcs_code"),
        ("HC:97110:GP", "HC:9711:GP", "procedure", "hcpcs_code"),
        ("HC:97110:GP", "HC:971100:GP", "procedure", "hcpcs_code"),
        ("HC:97110:GP", "HC:97\x00110:GP", "procedure", "hcpcs_code"),
        ("HC:97110:GP", "HC:9711/:GP", "procedure", "hcpcs_code"),
        ("*50.00*UN*2", "*50.00*MJ*22.5", "units", "minutes"),
        ("*50.00*UN*2", "*50.00*UN*1E5", "units", "units"),
        ("*50.00*UN*2", "*50.00*UN*1000000000000000000", "units", "units"),
        ("*50.00*UN*2", "*1,000.00*UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "*1E5*UN*2", "charge", "charge_amount"),
        ("*50.00*UN*2", "*+50.00*UN*2", "charge", "charge_amount"),
        ("DTP*472*D8*20260105", "DTP*472*D8*00000000", "service_date", "service_date"),
        ("DTP*472*D8*20260105", "DTP*472*DT*202601051200", "service_date", "service_date"),
        ("***1~DTP", "***9~DTP", "diagnosis_pointer", None),
        ("CLM*C1*50.00", "CLM**50.00", "claim_id", "claim_id"),
        ("CLM*C1*50.00", "CLM*C1*X", "claim_charge", "claim_charge_amount"),
        ("MI*M1~", "MI*~", "patient_id", "patient_id"),
        ("XX*1999999999", "XX*", "billing_npi", "billing_npi"),
        ("ABF:M79641", "ABF", "diagnosis", None),
    ],
)
def test_what_cannot_be_read_is_a_problem_and_a_null(
    tmp_path: Path, old: str, new: str, code: str, column: str | None
) -> None:
    content = text(interchange([[*START, *subscriber(), *claim("C1", service(1)), *claim("C2", service(1))]]))
    assert old.encode() in content
    rows = read(tmp_path, content.replace(old.encode(), new.encode(), 1))
    assert code in codes(rows)
    assert len(rows["claim_line"]) == 2
    if column:
        assert rows["claim_line"][0][column] is None
    if column not in ("patient_id", "billing_npi"):  # which both claims share
        assert rows["claim_line"][1]["claim_id"] == "C2"
        assert codes(rows) == [code]


@pytest.mark.parametrize(
    ("written", "amount"),
    [("50", "50"), (".5", "0.5"), ("-12.3", "-12.3"), ("0012.30", "12.3"), ("605.0000", "605"), ("123456789.01", None),
     ("1234567.89", "1234567.89"), ("0", "0"), ("7.", "7"), (" 7.25 ", "7.25")],
)  # fmt: skip
def test_amounts_are_read_exactly(tmp_path: Path, written: str, amount: str | None) -> None:
    body = claim("C1", service(1, charge=written), total=written)
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *body]])))
    assert rows["claim_line"][0]["charge_amount"] == Decimal(amount or written)
    assert rows["problem"] == rows["imbalance"] == []


def test_a_claim_that_does_not_add_up_is_told(tmp_path: Path) -> None:
    body = [*claim("C1", service(1), service(2), total="99.99"), *claim("C2", service(1))]
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *body]])))
    (found,) = rows["imbalance"]
    assert (found["check"], found["expected"], found["found"]) == ("claim_charge", Decimal("99.99"), Decimal(100))
    assert found["source_row"] == 17


def test_a_lost_hl_or_clm_does_not_move_lines_to_another_claim(tmp_path: Path) -> None:
    one, two = claim("C1", service(1)), claim("C2", service(1), service(2))
    rows = read(tmp_path, text(interchange([[*START, *subscriber(), *one, *two[1:]]])))
    assert [row["claim_id"] for row in rows["claim_line"]] == ["C1"]
    assert codes(rows) == ["line_outside_claim"] * 2
    lost = [*START, *subscriber("M1"), *one, *subscriber("M2")[1:], *two]
    rows = read(tmp_path, text(interchange([lost])))
    assert [row["patient_id"] for row in rows["claim_line"]] == ["M1", "M2", "M2"]
    assert codes(rows) == ["missing_hl"]


# --- 835


def test_a_remittance_has_all_that_it_says(tmp_path: Path) -> None:
    body = [
        *payment("104.00"),
        "CLP*C1*1*200.00*110.00*50*MB*ICN1*11*1",
        "CAS*CO*45*10.00**253*5*2",
        "NM1*QC*1*DOE*ANN****MI*M1", "NM1*82*1*THER*LOU****XX*1222222222",
        "MOA***MA01*MA18", "REF*F8*EARLIER", "DTM*232*20260105", "DTM*233*20260106", "DTM*050*20260110",
        "AMT*AU*190",
        "SVC*HC:97530:GP:KX*120.00*80.00**2*HC:97110:GP*3", "DTM*472*20260105", "CAS*PR*1*20**2*15", "CAS*CO*45*5",
        "REF*6R*LINE1", "REF*HPI*1333333333", "AMT*B6*115", "LQ*HE*N851", "LQ*HE*M51",
        "SVC*HC:97112:GP*80.00*45.00", "DTM*150*20260105", "DTM*151*20260106", "CAS*PR*3*35.00",
        "PLB*1999999999*20261231*WO:C0*5.00*72*-14",
    ]  # fmt: skip
    rows = read(tmp_path, text(interchange([body], version="005010X221A1", code="HP")))
    assert codes(rows) == []
    # the charge of the claim is the services' less nothing; 15 of the claim's own reduce what was paid
    assert checks(rows) == ["payment"]
    (header,) = rows["remittance"]
    assert header["trace_number"] == header["remittance_id"] == "TRACE1"
    assert (header["payer"], header["payer_id"], header["payment_method"]) == ("PAYER", "88", "ACH")
    assert (header["paid_amount"], header["paid_date"]) == (Decimal(104), dt.date(2026, 1, 20))
    (found,) = rows["remittance_claim"]
    assert (found["claim_id"], found["claim_status_code"], found["claim_frequency_code"]) == ("C1", "1", "1")
    assert (found["patient_id"], found["original_claim_id"]) == ("M1", "EARLIER")
    assert found["received_date"] == dt.date(2026, 1, 10)
    assert found["coverage_amount"] == Decimal(190)
    one, two = rows["remittance_line"]
    assert (one["hcpcs_code"], one["modifiers"]) == ("97530", ["GP", "KX"])
    assert (one["billed_hcpcs_code"], one["billed_modifiers"]) == ("97110", ["GP"])
    assert (one["units"], one["billed_units"], two["units"], two["billed_units"]) == (2, 3, 1, 1)
    assert (one["allowed_amount"], two["allowed_amount"]) == (Decimal(115), None)
    assert (one["patient_responsibility_amount"], two["patient_responsibility_amount"]) == (Decimal(35), Decimal(35))
    assert (one["rendering_npi"], two["rendering_npi"]) == ("1333333333", "1222222222")
    assert (one["service_date"], one["service_date_to"]) == (dt.date(2026, 1, 5), dt.date(2026, 1, 5))
    assert (two["service_date"], two["service_date_to"]) == (dt.date(2026, 1, 5), dt.date(2026, 1, 6))
    adjustments = [
        (row["remittance_line_number"], row["level"], row["group_code"], row["reason_code"], row["amount"])
        for row in rows["remittance_adjustment"]
    ]
    assert adjustments == [
        (None, "claim", "CO", "45", Decimal(10)), (None, "claim", "CO", "253", Decimal(5)),
        (1, "service", "PR", "1", Decimal(20)), (1, "service", "PR", "2", Decimal(15)),
        (1, "service", "CO", "45", Decimal(5)), (2, "service", "PR", "3", Decimal(35)),
    ]  # fmt: skip
    assert rows["remittance_adjustment"][1]["quantity"] == Decimal(2)
    remarks = [(row["remittance_line_number"], row["remark_code"]) for row in rows["remittance_remark"]]
    assert remarks == [(None, "MA01"), (None, "MA18"), (1, "N851"), (1, "M51")]
    taken = [(row["reason_code"], row["reference_id"], row["amount"]) for row in rows["remittance_provider_adjustment"]]
    assert taken == [("WO", "C0", Decimal(5)), ("72", None, Decimal(-14))]


def test_reasons_and_provider_adjustments_in_all_their_repetitions(tmp_path: Path) -> None:
    reasons = "CAS*CO*1*1**2*2**3*3**4*4**5*5*7*6*-5"
    gaps = "CAS*PR*1*1*****2*-1"
    lines = ["SVC*HC:97110:GP:KX:59:CQ:DESCRIPTION*50.00*40.00**2", "DTM*472*20260105", reasons, gaps]
    body = [
        *payment("44.00"),
        *remitted("C1", lines, charge="50.00", paid="40.00"),
        "PLB*1*20261231*WO:A*1*72:B*2*L6*3*FB:C*4*CS*-5*50*-6", "PLB*2*20261231***WO:D*-3",
    ]  # fmt: skip
    rows = read(tmp_path, text(interchange([body], version="005010X221A1", code="HP")))
    assert rows["problem"] == rows["imbalance"] == []
    assert rows["remittance_line"][0]["modifiers"] == ["GP", "KX", "59", "CQ"]
    found = [(row["reason_code"], row["amount"], row["quantity"]) for row in rows["remittance_adjustment"]]
    assert found == [
        ("1", 1, None), ("2", 2, None), ("3", 3, None), ("4", 4, None), ("5", 5, 7), ("6", -5, None),
        ("1", 1, None), ("2", -1, None),
    ]  # fmt: skip
    numbered = [(row["adjustment_number"], row["amount"]) for row in rows["remittance_provider_adjustment"]]
    assert numbered == [(1, 1), (2, 2), (3, 3), (4, 4), (5, -5), (6, -6), (7, -3)]  # unique within the payment


def test_reversal_correction_and_claims_without_services(tmp_path: Path) -> None:
    def reversed_sign(segments: list[str]) -> list[str]:
        return [s.replace("*50.00*40.00", "*-50.00*-40.00").replace("*10.00", "*-10.00") for s in segments]

    reversal = reversed_sign(remitted("C1", paid_service(1), charge="50.00", paid="40.00"))
    reversal[0] = reversal[0].replace("*1*", "*22*", 1)
    body = [
        *payment("30.00"),
        *reversal,
        *remitted("C1", paid_service(1), charge="50.00", paid="40.00"),
        *remitted("C2", charge="100.00", paid="30.00", more=("CAS*CO*45*70.00",)),
    ]
    rows = read(tmp_path, text(interchange([body], version="005010X221A1", code="HP")))
    assert rows["problem"] == rows["imbalance"] == []
    assert [row["claim_status_code"] for row in rows["remittance_claim"]] == ["22", "1", "1"]
    assert [row["line_kind"] for row in rows["remittance_line"]] == ["service", "service", "claim"]
    assert [row["paid_amount"] for row in rows["remittance_line"]] == [Decimal(-40), Decimal(40), Decimal(30)]
    assert [row["remittance_line_number"] for row in rows["remittance_adjustment"]] == [1, 2, 3]


def test_adjustments_that_a_claim_repeats_count_once(tmp_path: Path) -> None:
    body = [*payment("40.00"), *remitted("C1", paid_service(1), charge="50.00", paid="40.00", more=("CAS*CO*45*10",))]
    rows = read(tmp_path, text(interchange([body], version="005010X221A1", code="HP")))
    assert rows["imbalance"] == []
    assert codes(rows) == ["adjustments_repeated"]
    assert [row["repeated"] for row in rows["remittance_adjustment"]] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SVC*HC:97110:GP*50.00*40.00", "SVC*HC:97110:GP*50.00*41.00", ["service_paid", "claim_services_paid"]),
        ("CLP*C1*1*50.00*40.00", "CLP*C1*1*50.00*39.00", ["payment", "claim_paid", "claim_services_paid"]),
        ("CLP*C1*1*50.00*40.00", "CLP*C1*1*51.00*40.00", ["claim_paid", "claim_charge"]),
        ("BPR*I*80.00", "BPR*I*80.01", ["payment"]),
    ],
)
def test_a_remittance_that_does_not_balance_is_told(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    claims = [remitted(name, paid_service(1), charge="50.00", paid="40.00") for name in ("C1", "C2")]
    content = text(interchange([[*payment("80.00"), *claims[0], *claims[1]]], version="005010X221A1", code="HP"))
    assert read(tmp_path, content)["imbalance"] == []
    rows = read(tmp_path, content.replace(old.encode(), new.encode(), 1))
    assert sorted(checks(rows)) == sorted(expected)


# --- the envelope


def two_kinds() -> list[str]:
    first = interchange([[*START, *subscriber(), *claim("C1", service(1))]] * 2, 1)
    second = interchange(
        [[*payment("40.00"), *remitted("C1", paid_service(1), charge="50.00", paid="40.00")]] * 2,
        2, version="005010X221A1", code="HP",
    )  # fmt: skip
    return first + second


@pytest.mark.parametrize("marks", ["*:^~", "|>^~", "*:^\n", "~^|_", "\x1d\x1f\x1e\x1c", "*<^'", "*:^\r"])
@pytest.mark.parametrize("after", ["", "\n", "\r\n", "  \r\n"])
def test_marks_come_from_the_isa_and_lines_may_break(tmp_path: Path, marks: str, after: str) -> None:
    expected = read(tmp_path, text(two_kinds()))
    assert read(tmp_path, b"\xef\xbb\xbf" + text(two_kinds(), marks, after) + b"\r\n\r\n") == expected
    assert expected["problem"] == []
    assert len(expected["claim_line"]) == len(expected["remittance_claim"]) == 2
    wrapped = text(two_kinds())
    lines = b"\r\n".join(wrapped[at : at + 80] for at in range(0, len(wrapped), 80))
    assert read(tmp_path, lines) == expected


def test_interchanges_may_differ_in_their_marks(tmp_path: Path) -> None:
    parts = [
        (two_kinds(), "*:^~", ""),
        (two_kinds(), "|>^'", "\n"),
        (two_kinds(), "*:^\n", ""),
        (two_kinds(), "*:^~", ""),
    ]
    content = b"".join(text(*part) for part in parts)
    rows = read(tmp_path, content)
    assert rows["problem"] == rows["imbalance"] == []
    assert len(rows["claim_line"]) == 8
    for size in (1, 37, 300, 1000):
        assert read(tmp_path, content, size) == rows


@pytest.mark.parametrize(
    ("old", "new", "code", "check"),
    [
        ("SE*21*0001", "SE*22*0001", None, "transaction_segments"),
        ("SE*21*0001", "SE*X*0001", "count_se", None),
        ("SE*21*0001", "SE*21*0009", "control_se", None),
        ("SE*21*0001~", "", "missing_se", None),
        ("GE*2*1~", "GE*1*1~", None, "group_transactions"),
        ("GE*2*1~", "GE*2*7~", "control_ge", None),
        ("GE*2*1~", "", "missing_ge", None),
        ("IEA*1*000000001~", "IEA*2*000000001~", None, "interchange_groups"),
        ("IEA*1*000000001~", "IEA*1*000000003~", "control_iea", None),
        ("IEA*1*000000001~", "", "missing_iea", None),
        ("IEA*1*000000001~", "IEA*1*000000001", None, None),
        ("IEA*1*000000001~", "IEA*1*000000001~IEA*1*1~", "stray_iea", None),
        ("IEA*1*000000001~", "IEA*1*000000001~NM1*IL*1*DO", "cut_segment", None),
    ],
)
def test_trailers_are_checked(tmp_path: Path, old: str, new: str, code: str | None, check: str | None) -> None:
    content = text(interchange([[*START, *subscriber(), *claim("C1", service(1))]] * 2))
    assert old.encode() in content
    rows = read(tmp_path, content.replace(old.encode(), new.encode(), 1))
    assert codes(rows) == ([code] if code else [])
    assert checks(rows) == ([check] if check else [])
    assert len(rows["claim_line"]) == 2


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (text(interchange([START], version="004010X098A1")), "837P", "837P of version 004010X098A1"),
        (text(interchange([START], version="005010X223A2")), "837I", "837I of version 005010X223A2"),
        (text([s.replace("ST*837", "ST*270") for s in interchange([START], version="005010X279A1")]), "270", "a 270"),
        (b"bad file", "", "does not begin with an ISA"),
        (gzip.compress(text(interchange([START]))), "", "is compressed"),
        (text(interchange([START])).decode().encode("utf-16"), "", "UTF-16"),
        (b"", "", "does not begin with an ISA"),
        (text(interchange([START]))[:60], "", "cut or garbled"),
        (text(interchange([START])).replace(b"*00501*", b"*", 1), "", "cut or garbled"),
        ((isa() + "~").encode(), "", "no transaction"),
    ],
)
def test_what_is_not_read_is_refused_with_a_sentence(tmp_path: Path, content: bytes, kind: str, says: str) -> None:
    file = tmp_path / "file.x12"
    file.write_bytes(content)
    found = x12.inspect(file)
    assert found.kind == kind
    assert says in found.refusal
    assert found.refusal.endswith(".")
    assert found.claims == 0


def test_a_file_of_several_kinds_gives_what_is_read(tmp_path: Path) -> None:
    old = interchange([START], 1, version="004010X098A1")
    rows = read(tmp_path, text(old + two_kinds()))
    assert codes(rows) == ["not_read"]
    assert len(rows["claim_line"]) == 2
    found = x12.inspect(tmp_path / "file.x12")
    assert (found.refusal, found.interchanges, found.transactions) == ("", 3, 4)


def test_inspect_counts(tmp_path: Path) -> None:
    file = tmp_path / "file.x12"
    file.write_bytes(text(two_kinds()))
    found = x12.inspect(file)
    assert (found.kind, found.version) == ("837P+835", "005010X222A1+005010X221A1")
    assert (found.sender, found.receiver) == ("SENDER", "RECEIVER")
    assert (found.claims, found.lines, found.services, found.adjustments, found.plb) == (4, 2, 2, 2, 0)
    assert (found.charge_total, found.paid_total) == (Decimal(200), Decimal(80))
    assert found.segments == len(two_kinds())
    assert found.as_dict()["problems"] == ()


def test_letters_beyond_ascii_are_read_in_either_encoding(tmp_path: Path) -> None:
    segments = interchange([[*START, *subscriber(payer="CAJÓN"), *claim("C1", service(1))]])
    plain = text(segments)
    for content in (plain, plain.decode().encode("cp1252")):
        for size in (10, 1 << 20):
            assert read(tmp_path, content, size)["claim_line"][0]["payer"] == "CAJÓN"


def test_bytes_without_an_end_are_not_waited_for(tmp_path: Path) -> None:
    content = text(two_kinds())
    rows = read(tmp_path, content + b"A" * (70 << 20), 1 << 24)
    assert "no_terminator" in codes(rows)
    assert len(rows["claim_line"]) == 2


# --- borders of what is read at once


def many(count: int = 12, seed: int = 1) -> list[str]:
    """Claims of several billing providers, subscribers and dependents, and remittances, of random length."""
    rng = random.Random(seed)  # noqa: S311
    body: list[str] = list(START)
    for n in range(count):
        elsewhere = rng.random() < 0.2
        if elsewhere:
            body += [s.replace("1999999999", f"188888888{n % 10}") for s in BILLING]
        if n == 0 or elsewhere or rng.random() < 0.6:
            body += subscriber(f"M{n}")
            if rng.random() < 0.4:
                body += ["HL*3*2*23*0", "PAT*19", f"NM1*QC*1*DOE*T{n}", "DMG*D8*20150101*M"]
        lines = [service(k, charge=f"{rng.randrange(1, 9999) / 100:.2f}") for k in range(1, rng.randint(2, 5))]
        body += claim(f"C{n}", *lines, more=("REF*G1*A",) if rng.random() < 0.5 else ())
    answers: list[str] = []
    half = 0
    for n in range(count):
        services = [paid_service(k, "50.00", "40.00") for k in range(1, rng.randint(1, 4))]
        total = len(services) or 1
        more = ("CAS*CO*45*10",) if not services else ()
        half = half or (n == count // 2 and len(answers))
        answers += remitted(f"C{n}", *services, charge=f"{50 * total}.00", paid=f"{40 * total}.00", more=more)
    first = [*payment("0.00"), *answers, "PLB*1999999999*20261231*WO:X*5"]
    second = [*payment("0.00", "TRACE2"), *answers[:half], *(f"PLB*{n}*20261231*WO:X*1*72:Y*-1" for n in range(9))]
    remittances = interchange([first, second], 2, version="005010X221A1", code="HP")
    return interchange([body, body]) + remittances + interchange([body], 3)


@pytest.mark.parametrize("size", [1, 64, 333, 1024, 4096])
def test_pieces_of_any_size_give_the_same_tables(tmp_path: Path, size: int) -> None:
    content = text(many())
    expected = read(tmp_path, content)
    found = read(tmp_path, content, size)
    for name in x12.SCHEMAS:
        key: Callable[[dict[str, Any]], str] = lambda row: f"{row['source_row']:9}{row}"  # noqa: E731
        assert sorted(found[name], key=key) == sorted(expected[name], key=key), name
    assert len(expected["claim_line"]) > 60
    assert checks(expected) == ["payment", "payment"]


# --- other readers and the public files


@pytest.mark.parametrize("seed", range(5))
def test_an_835_reads_as_another_library_reads_it(tmp_path: Path, seed: int) -> None:
    oxedi = pytest.importorskip("oxedi")
    file = tmp_path / "file.835"
    body = [*payment("0.00"), *(s for s in many(9, seed) if s[:3] in ("CLP", "CAS", "NM1", "SVC", "DTM", "AMT", "PLB"))]
    body = [s for s in body if not s.startswith(("NM1*4", "NM1*85", "NM1*IL", "NM1*PR"))]
    file.write_bytes(text(interchange([body], version="005010X221A1", code="HP")))
    _agrees(oxedi, file)


@pytest.mark.parametrize("file", sorted(PUBLIC.rglob("*835*")) + sorted(PUBLIC.rglob("X221*")), ids=lambda f: f.name)
def test_a_public_835_reads_as_another_library_reads_it(file: Path) -> None:
    oxedi = pytest.importorskip("oxedi")
    if not file.is_file() or x12.inspect(file).kind != "835" or x12.inspect(file).refusal:
        pytest.skip("no 835 of the version that is read")
    _agrees(oxedi, file)


def _agrees(oxedi: Any, file: Path) -> None:
    tables = oxedi.parse_file(str(file)).tables
    other = {name: pa.table(tables[name]).to_pylist() for name in tables}
    own: dict[str, list[dict[str, Any]]] = {name: [] for name in x12.SCHEMAS}
    for batch in x12.batches(file):
        for name, table in batch.items():
            own[name].extend(table.to_pylist())

    def plain(value: Any) -> Any:
        value = value.decode() if isinstance(value, bytes) else value
        value = Decimal(str(value)) if isinstance(value, (int, float, Decimal)) else value
        return value or None  # an empty value and none, zero and none

    def both(table: str, names: dict[str, str], rows: list[dict[str, Any]]) -> None:
        left = [{name: plain(row[name]) for name in names} for row in rows]
        right = [{name: plain(row[theirs]) for name, theirs in names.items()} for row in other[table]]
        assert left == right, table

    claim_names = {
        "claim_id": "claim_id", "claim_status_code": "claim_status", "charge_amount": "charge_amount",
        "paid_amount": "payment_amount", "patient_responsibility_amount": "patient_responsibility",
        "payer_claim_control_number": "payer_control_number", "claim_frequency_code": "frequency_code",
    }  # fmt: skip
    both("claims", claim_names, own["remittance_claim"])
    services = [row for row in own["remittance_line"] if row["line_kind"] == "service"]
    names = {"charge_amount": "charge_amount", "paid_amount": "payment_amount", "allowed_amount": "allowed_amount",
             "line_control_number": "line_item_control_number"}  # fmt: skip
    both("services", names, services)
    names = {"group_code": "group_code", "reason_code": "reason_code", "amount": "amount"}
    both("adjustments", names, own["remittance_adjustment"])
    names = {"provider_id": "provider_id", "amount": "amount"}
    both("provider_adjustments", names, own["remittance_provider_adjustment"])
    both("payments", {"trace_number": "trace_number", "paid_amount": "total_payment_amount"}, own["remittance"])


@pytest.mark.parametrize("seed", range(3))
def test_what_a_generator_made_is_what_is_loaded(tmp_path: Path, seed: int) -> None:
    generate = pytest.importorskip("x12sdk.generate")
    made = generate.generate_837p(seed=seed, claims=40)
    rows = read(tmp_path, made.encode())
    assert rows["problem"] == rows["imbalance"] == []
    lines = [line.split("*") for line in made.replace("\n", "").split("~")]
    claims = {line[1]: Decimal(line[2]) for line in lines if line[0] == "CLM"}
    assert {row["claim_id"]: row["claim_charge_amount"] for row in rows["claim_line"]} == claims
    services = [(line[1].split(":")[1], Decimal(line[2]), int(line[4])) for line in lines if line[0] == "SV1"]
    assert [(row["hcpcs_code"], row["charge_amount"], row["units"]) for row in rows["claim_line"]] == services
    dates = [line[3] for line in lines if line[:2] == ["DTP", "472"]]
    assert [f"{row['service_date']:%Y%m%d}" for row in rows["claim_line"]] == dates

    made = generate.generate_835(seed=seed, claims=40)
    rows = read(tmp_path, made.encode())
    assert rows["problem"] == rows["imbalance"] == []
    lines = [line.split("*") for line in made.replace("\n", "").split("~")]
    claimed = [(line[1], Decimal(line[3]), Decimal(line[4])) for line in lines if line[0] == "CLP"]
    assert [(row["claim_id"], row["charge_amount"], row["paid_amount"]) for row in rows["remittance_claim"]] == claimed
    adjusted = [(line[1], line[2], Decimal(line[3])) for line in lines if line[0] == "CAS"]
    found = [(row["group_code"], row["reason_code"], row["amount"]) for row in rows["remittance_adjustment"]]
    assert found == adjusted


KNOWN = {  # claims, lines, services, adjustments
    "837P_PT_2000.edi": (2000, 5079, 0, 0),
    "837P_PT_5_pretty.edi": (5, 13, 0, 0),
    "835_PT_200.edi": (200, 0, 396, 596),
    "835_OT_200.edi": (200, 0, 391, 591),
    "835_DC_200.edi": (200, 0, 402, 602),
    "X221-multiple-claims-single-check.edi": (9, 0, 33, 39),
    "x12_many_claims.txt": (820, 820, 0, 0),
    "x12_multiple_transactions.txt": (624, 624, 0, 0),
    "x12_valid_different_separators.txt": (2, 2, 0, 0),
    "demo.cob.example3.C.837": (1, 3, 0, 0),
    "demo.drug.example10.2.837": (1, 6, 0, 0),
    "medicare-part-a.835": (2, 0, 0, 2),
    "835_mult_loops.txt": (1, 0, 3, 3),
}


@pytest.mark.parametrize(
    "file", [f for f in sorted(PUBLIC.rglob("*")) if f.is_file() and f.suffix not in (".md", ".res997")],
    ids=lambda f: f.name,
)  # fmt: skip
def test_a_public_file_loads_or_is_refused_with_a_sentence(file: Path) -> None:
    found = x12.inspect(file)
    if found.refusal:
        assert found.refusal.endswith(".")
        assert found.problem_count
        assert found.claims == 0
        return
    segments = file.read_bytes()
    mark = segments.lstrip()[3:4]
    begins = {name: segments.count(name.encode() + mark) for name in ("CLM", "SV1", "CLP", "SVC")}
    assert found.claims == begins["CLM"] + begins["CLP"]
    assert (found.lines, found.services) == (begins["SV1"], begins["SVC"])
    if file.name in KNOWN:
        assert (found.claims, found.lines, found.services, found.adjustments) == KNOWN[file.name]
    if file.name.startswith("835_") and file.name.endswith("_200.edi"):
        assert "payment" in [row["check"] for row in found.imbalances]


# --- damage


def damaged(segments: list[str], rng: random.Random) -> list[str]:
    """Cut, double, move or garble some of the segments."""
    segments = list(segments)
    at = rng.randrange(len(segments))
    match rng.choice(["cut", "double", "shuffle", "garble", "lengthen"]):
        case "cut":
            del segments[at : at + rng.randint(1, 3)]
        case "double":
            segments[at:at] = segments[at : at + rng.randint(1, 3)]
        case "shuffle":
            segments.insert(rng.randrange(len(segments)), segments.pop(at))
        case "garble":
            letters = list(segments[at])
            for _ in range(rng.randint(1, 4)):
                letters[rng.randrange(len(letters))] = rng.choice("*:^ A9.-\n\x00é")
            segments[at] = "".join(letters)
        case _:
            segments[at] += rng.choice(["*", "*X", ":", "***1*2*3*4*5*6*7*8*9*10*11*12", "~", "~~", "~A", " "])
    return segments


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), times=st.integers(1, 6), size=st.sampled_from([100, 1 << 20]))
def test_damage_anywhere_never_raises(tmp_path: Path, seed: int, times: int, size: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    segments = many(4, seed % 5)
    for _ in range(times):
        segments = damaged(segments, rng)
    content = text(segments)
    if rng.random() < 0.3:
        content = content[: rng.randrange(len(content))]
    if rng.random() < 0.3:
        at = rng.randrange(len(content) or 1)
        content = content[:at] + bytes(rng.randrange(256) for _ in range(rng.randint(1, 9))) + content[at + 3 :]
    rows = read(tmp_path, content, size)
    assert all(row["sentence"].endswith(".") for row in rows["problem"])


def joined(parts: list[list[str]]) -> list[str]:
    return [segment for part in parts for segment in part]


def by_claim(rows: dict[str, list[dict[str, Any]]], tables: tuple[str, ...]) -> dict[str, Any]:
    """Return each claim's rows without their places in the file."""
    owner = {row["remittance_claim_number"]: row["claim_id"] for row in rows["remittance_claim"]}
    places = {*ROWS, "remittance_line_number", "remittance_claim_number"}
    found: dict[str, Any] = {}
    for name in tables:
        for row in rows[name]:
            claim_id = row["claim_id"] if "claim_id" in row else owner[row["remittance_claim_number"]]
            kept = {key: value for key, value in row.items() if key not in places}
            found.setdefault(claim_id, []).append((name, kept))
    return found


def attached(before: list[str], segments: list[str], kept: list[str]) -> bool:
    """Whether damage at a claim's begin leaves what nothing tells from the end of the claim before."""
    if not kept or kept[0] == segments[0]:
        return False
    if before[0].startswith("CLP") and not any(segment.startswith("SVC") for segment in before):
        return True  # a claim without services has nothing that says where it ends
    return kept[0][:3] in ("DTP", "REF", "AMT", "LQ*", "DTM", "NM1")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), own_subscriber=st.booleans())
def test_damage_to_a_claim_changes_no_other(tmp_path: Path, seed: int, own_subscriber: bool) -> None:
    rng = random.Random(seed)  # noqa: S311
    claims = []
    for n in range(5):
        lines = [service(k, charge=f"{rng.randrange(1, 9999) / 100:.2f}") for k in range(1, rng.randint(2, 4))]
        body = claim(f"C{n}", *lines, more=("REF*G1*A",) if rng.random() < 0.5 else ())
        claims.append([*subscriber(f"M{n}"), *body] if own_subscriber or n == 0 else body)
    at = rng.randrange(0 if own_subscriber else 1, 5)
    hurt = damaged(claims[at], rng)
    if attached(claims[at - 1], claims[at], hurt):
        return
    expected = by_claim(read(tmp_path, text(interchange([joined([START, *claims])]))), ("claim_line",))
    rows = read(tmp_path, text(interchange([joined([START, *claims[:at], hurt, *claims[at + 1 :]])])))
    found = by_claim(rows, ("claim_line",))
    for n in range(5):
        if n != at:
            assert found[f"C{n}"] == expected[f"C{n}"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_damage_to_a_remitted_claim_changes_no_other(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    claims = []
    for n in range(5):
        services = [paid_service(k, "50.00", f"{rng.randrange(1, 49)}.00") for k in range(1, rng.randint(1, 4))]
        paid = sum((Decimal(s[0].split("*")[3]) for s in services), Decimal(0))
        charge = Decimal(50 * len(services))
        more: tuple[str, ...] = ()
        if rng.random() < 0.5 or not services:
            charge, more = charge if services else Decimal(50), ("CAS*CO*253*1.00",)
            paid = paid - 1 if services else charge - 1
        claims.append(remitted(f"C{n}", *services, charge=f"{charge}", paid=f"{paid}", more=more))
    at = rng.randrange(5)
    hurt = damaged(claims[at], rng)
    if attached(claims[at - 1], claims[at], hurt):
        return
    tables = ("remittance_claim", "remittance_line", "remittance_adjustment", "remittance_remark")

    def wrap(parts: list[list[str]]) -> bytes:
        return text(interchange([joined([payment("1.00"), *parts])], version="005010X221A1", code="HP"))

    expected = by_claim(read(tmp_path, wrap(claims)), tables)
    found = by_claim(read(tmp_path, wrap([*claims[:at], hurt, *claims[at + 1 :]])), tables)
    for n in range(5):
        if n != at:
            assert found[f"C{n}"] == expected[f"C{n}"]


def test_a_taxonomy_code_is_its_own_providers(tmp_path: Path) -> None:
    start = [*START[:3], BILLING[0], "PRV*BI*PXC*261QP2000X", *BILLING[1:]]
    rendering = ("NM1*82*1*THER*LOU****XX*1222222222", "PRV*PE*PXC*2251X0800X", "NM1*DQ*1*SUPER*ANN****XX*1333333333")
    line = service(1, "HC:97110:GP", "50.00", "NM1*82*1*ROE*SAM****XX*1444444444", "PRV*PE*PXC*225x00000x")
    later = claim("C2", service(1), more=("NM1*82*1*SUPER*ANN****XX*1333333333", "PRV*PE*PXC*225200000X"))
    other = claim("C3", service(1), more=("NM1*82*1*DOE*KIM****XX*1555555555", "PRV*PE*ZZ*225200000X"))
    body = [*start, *subscriber(), *claim("C1", line, more=rendering), *later, *other]
    rows = read(tmp_path, text(interchange([body])))
    assert rows["problem"] == rows["imbalance"] == []
    assert {row["npi"]: row["taxonomy_code"] for row in rows["provider"]} == {
        "1999999999": "261QP2000X", "1222222222": "2251X0800X", "1444444444": "225X00000X", "1333333333": "225200000X",
        "1555555555": None,
    }  # fmt: skip
