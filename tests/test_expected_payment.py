"""What each line should be allowed and paid, reckoned a second time in Python with Decimal; fee tables; `price`."""

from __future__ import annotations

import csv
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from casebook import insert_rows
from therapy_audit import config, engine, fees, pipeline, resources, rules
from therapy_audit import price as pricing
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

ROOT = Path(str(resources.folder("rules"))) / "codes"
RULES = rules.load()
ZERO = Decimal("0.00")
CODES = ["97530", "97110", "97112", "97140", "97012", "G0283", "97161", "92507", "97129", "97010"]
DAYS = [
    date(2019, 6, 3), date(2020, 4, 30), date(2020, 5, 1), date(2021, 12, 31), date(2022, 1, 3), date(2022, 3, 31),
    date(2022, 4, 1), date(2022, 6, 30), date(2022, 7, 1), date(2024, 3, 8), date(2024, 3, 9), date(2025, 3, 3),
    date(2026, 3, 2),
]  # fmt: skip


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def table(name: str) -> list[dict[str, str]]:
    with (ROOT / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


VALUES = table("relative_value")
INDICES = {row["locality"]: row for row in table("gpci")}


def unit_fees(code: str, day: date, locality: str) -> tuple[Decimal, Decimal, Decimal, bool]:
    """Return practice expense, full fee, reduced fee, and whether the reduction applies."""
    (row,) = [
        row for row in VALUES if row["hcpcs_code"] == code and row["effective_from"] <= str(day) <= row["effective_to"]
    ]
    index = INDICES[locality]
    if not index["effective_from"] <= str(day) <= index["effective_to"]:
        index = INDICES["national"]
    # Bundled: never paid on its own.
    factor = ZERO if code == "97010" else Decimal(row["conversion_factor"])
    work, expense, malpractice = (
        Decimal(row[name]) * Decimal(index[name]) for name in ("work", "practice_expense", "malpractice")
    )
    return (
        Decimal(row["practice_expense"]),
        cents(factor * (work + expense + malpractice)),
        cents(factor * (work + expense / 2 + malpractice)),
        row["multiple_procedure"].lower() == "true",
    )


def sequestration(day: date) -> Decimal:
    if date(2020, 5, 1) <= day <= date(2022, 3, 31):
        return Decimal(0)
    return Decimal("0.01") if date(2022, 4, 1) <= day <= date(2022, 6, 30) else Decimal("0.02")


def reckon(lines: list[dict[str, Any]], locality: str) -> dict[int, tuple[Decimal, Decimal, Decimal]]:
    """Return allowed, patient's share and payment of each line of the day, by the line's number: unit by unit."""
    pools: dict[str, list[tuple[Any, ...]]] = {}
    for number, line in enumerate(lines):
        expense, full, reduced, listed = unit_fees(line["code"], line["day"], locality)
        for _ in range(line["units"]):
            pool = line["biller"] if listed else f"not listed {number}"
            pools.setdefault(pool, []).append((-expense, -full, line["code"], line["claim"], number, reduced, listed))
    allowed = dict.fromkeys(range(len(lines)), ZERO)
    for pool in pools.values():
        for place, (_, minus_full, _, _, number, reduced, listed) in enumerate(sorted(pool)):
            allowed[number] += reduced if listed and place else -minus_full
    found = {}
    for number, line in enumerate(lines):
        amount = min(allowed[number], line["charge"]) if line["charge"] else allowed[number]
        share = line["share"] if line["share"] is not None else cents(amount * Decimal("0.2"))
        left = amount - share
        if line["assistant"] and line["day"] >= date(2022, 1, 1):
            left -= cents(left * Decimal("0.15"))
        left -= cents(left * sequestration(line["day"]))
        found[number] = (amount, share, max(left, ZERO))
    return found


LINE = st.fixed_dictionaries({
    "code": st.sampled_from(CODES),
    "units": st.integers(1, 5),
    "claim": st.sampled_from("abc"),
    "biller": st.sampled_from("XXY"),
    "assistant": st.booleans(),
    "charge": st.sampled_from([None, None, Decimal(25), Decimal("80.5"), Decimal(500)]),
    "share": st.sampled_from([None, None, ZERO, Decimal("7.33"), Decimal(40)]),
})  # fmt: skip
DAY = st.tuples(st.sampled_from(DAYS), st.lists(LINE, min_size=1, max_size=6))


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow],
)
@given(days=st.lists(DAY, min_size=25, max_size=40), locality=st.sampled_from(["national", "02102-01", "10112-00"]))
def test_any_days_come_out_as_reckoned_by_hand(days: list[tuple[date, list[dict[str, Any]]]], locality: str) -> None:
    claim_lines, remitted, adjusted, wanted = [], [], [], {}
    for patient, (day, drawn) in enumerate(days):
        # In 2019 97129 was not a code yet.
        lines = [line | {"code": "97110"} if line["code"] == "97129" and day.year == 2019 else line for line in drawn]
        for number, amounts in reckon([line | {"day": day} for line in lines], locality).items():
            line = lines[number]
            # A claim has one biller here.
            claim = f"{patient}{line['claim']}{line['biller']}"
            wanted[claim, number + 1] = amounts
            origin = {"claim_id": claim, "claim_line_number": number + 1, "source_file": "f", "source_row": 1}
            claim_lines.append(origin | {
                "patient_id": f"p{patient}", "payer": "MEDICARE PART B", "service_date": day,
                "hcpcs_code": line["code"], "modifiers": ["GP", "CQ"] if line["assistant"] else ["GP"],
                "units": line["units"], "charge_amount": line["charge"], "billing_npi": line["biller"],
                "diagnosis_codes": [],
            })  # fmt: skip
            if line["share"] is not None:
                answer = {"remittance_id": f"r{claim}", "remittance_line_number": number + 1}
                remitted.append(origin | answer | {"paid_amount": 1, "allowed_amount": 1, "modifiers": []})
                adjusted.append(answer | {
                    "adjustment_number": 1, "group_code": "PR", "reason_code": "1", "amount": line["share"],
                    "source_file": "f", "source_row": 1,
                })  # fmt: skip
    with engine.connect() as con:
        engine.prepare(con, RULES)
        engine.set_locality(con, locality, "")
        insert_rows(con, [{"claim_line": claim_lines, "remittance_line": remitted, "remittance_adjustment": adjusted}])
        engine.map_payers(con, RULES.payer_patterns)
        engine.build_models(con, only=["expected_payment"])
        rows = con.execute(
            "SELECT claim_id, claim_line_number, expected_allowed, expected_patient_share, expected_paid, units,"
            " full_units + reduced_units, patient_share_source FROM expected_payment"
        ).fetchall()
    assert {(claim, number): tuple(amounts) for claim, number, *amounts, _, _, _ in rows} == wanted
    assert all(units == priced for *_, units, priced, _ in rows)
    assert {source for *_, source in rows} <= {"remittance", "assumed"}


def test_worked_example_to_the_cent() -> None:
    day = pricing.price({"97530": 2, "97110": 1, "97140": 1}, date(2025, 3, 3))
    assert [(line.allowed, line.full_units, line.reduced_units) for line in day.lines] == [
        (Decimal("59.19"), 1, 1), (Decimal("21.83"), 0, 1), (Decimal("20.70"), 0, 1),
    ]  # fmt: skip
    assert sum(line.allowed for line in day.lines) == Decimal("101.72")
    assert (day.lines[0].full_unit_fee, day.lines[0].reduced_unit_fee) == (Decimal("34.61"), Decimal("24.58"))


def test_an_assistant_and_sequestration() -> None:
    # 28.79: the patient's 5.76, 23.03 for Medicare; 85 % of it 19.58; less 2 % 19.19. In all 0.8664 of 28.79.
    (line,) = pricing.price({"97110": 1}, date(2025, 3, 3), assistant=["97110"]).lines
    assert (line.patient_share, line.paid) == (Decimal("5.76"), Decimal("19.19"))
    assert cents((line.patient_share + line.paid) / line.allowed) == cents(Decimal("0.8664"))
    # Reporting alone in 2021, and no sequestration.
    (line,) = pricing.price({"97110": 1}, date(2021, 3, 3), assistant=["97110"]).lines
    assert line.paid == line.allowed - line.patient_share


def test_price_command() -> None:
    told = CliRunner().invoke(cli, ["price", "97530=2", "97110", "97140", "--date", "2025-03-03"])
    assert told.exit_code == 0
    assert told.output.splitlines()[-3].split() == ["total", "101.72", "20.35", "79.74"]  # 46.40 + 17.11 + 16.23
    assert "estimate" not in told.output
    told = CliRunner().invoke(cli, ["price", "97110", "--date", "2026-03-03", "--locality", "10112-00"])
    assert "estimate" in told.output
    assert "national" not in told.output
    told = CliRunner().invoke(cli, ["price", "97110", "--date", "2025-03-03", "--locality", "10112-00"])
    assert "national prices" in told.output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["97110=x"], "'97110=x' is not a code with its units; write it as 97530=2, or 97110 for one."),
        (["97110", "97110=2"], "97110 is given twice; add its units up first."),
        (["97110=0"], "97110=0: the units of a day are a whole number from 1 to 99."),
        ([], "Name at least one code, with its units where there are several, such as 97530=2."),
        (["97799"], "97799 has no price on 2025-03-03"),
        (["97110", "--assistant", "97530"], "--assistant 97530 is none of the codes given; those are 97110."),
        (["97110", "--locality", "1"], "--locality '1' is none of the table of localities"),
    ],
)
def test_price_says_what_is_wrong(words: list[str], sentence: str) -> None:
    told = CliRunner().invoke(cli, ["price", *words, "--date", "2025-03-03"])
    assert isinstance(told.exception, AuditError)
    assert str(told.exception).startswith(sentence)


HEADER = "hcpcs_code,modifier,fee,per,effective_from,effective_to\n"


def priced(tmp_path: Path, text: str, plan: str = "aetna") -> list[Any]:
    """Return the prices of some of Aetna's lines under a fee table."""
    path = tmp_path / "aetna_fees.csv"
    path.write_text(text, encoding="utf-8")
    common = {"payer": "AETNA", "patient_id": "p", "diagnosis_codes": [], "source_file": "f", "source_row": 1}
    lines = [
        {"hcpcs_code": "97110", "units": 3, "modifiers": ["GP"], "service_date": date(2026, 3, 2)},
        {"hcpcs_code": "97110", "units": 2, "modifiers": ["GP", "CQ"], "service_date": date(2026, 3, 2)},
        {"hcpcs_code": "97161", "units": 1, "modifiers": ["GP"], "service_date": date(2025, 12, 31)},
        {"hcpcs_code": "97161", "units": 1, "modifiers": ["GP"], "service_date": date(2026, 1, 1)},
        {"hcpcs_code": "97140", "units": 1, "modifiers": ["GP"], "service_date": date(2026, 3, 2)},
        {"hcpcs_code": "97530", "units": 2, "modifiers": ["GP"], "service_date": date(2026, 3, 2),
         "charge_amount": 60},
    ]  # fmt: skip
    with engine.connect() as con:
        engine.prepare(con, RULES)
        fees.load(con, {plan: [path]}, {item.name: item.counts_toward_kx_threshold for item in RULES.plans})
        insert_rows(con, [{"claim_line": [
            common | line | {"claim_id": f"c{number}", "claim_line_number": 1} for number, line in enumerate(lines)
        ]}])  # fmt: skip
        engine.map_payers(con, RULES.payer_patterns)
        engine.build_models(con, only=["expected_payment"])
        return con.execute(
            "SELECT price_source, expected_allowed::VARCHAR FROM expected_payment ORDER BY claim_id"
        ).fetchall()


def test_fee_table(tmp_path: Path) -> None:
    text = HEADER + (
        "97110,,30.00,,,\n97110,CQ,25.50,unit,,\n97161,,80,line,,12/31/2025\n97161,,85,line,2026-01-01,\n"
        "\n97530,,$38.50,unit,2026-01-01,2026-12-31\n"
    )
    assert priced(tmp_path, text) == [
        ("contract", "90.00"), ("contract", "51.00"), ("contract", "80.00"), ("contract", "85.00"), ("none", None),
        ("contract", "60.00"),  # 77.00, but no more than was charged
    ]  # fmt: skip


BAD = {
    "97110x,,30,,,": "hcpcs_code is not a code; write five characters such as 97530",
    "97110,GPX,30,,,": "modifier is not one; write two characters such as GP, or leave it empty",
    "97110,,thirty,,,": "fee is not an amount; write dollars and cents such as 38.50",
    "97110,,30.005,,,": "fee must lie from 0 to 100,000 with at most two decimals, such as 38.50",
    "97110,,-1,,,": "fee must lie from 0 to 100,000 with at most two decimals, such as 38.50",
    "97110,,NaN,,,": "fee must lie from 0 to 100,000 with at most two decimals, such as 38.50",
    "97110,,30,visit,,": "per is neither unit nor line; write one of them, or leave it empty for unit",
    "97110,,30,,2026-13-01,": "effective_from is not a date; write it as 2026-01-01, or leave it empty",
    "97110,,30,,2026-02-01,2026-01-31": "effective_from lies after effective_to; write the first day in force and the "
    "last",
}


def test_each_bad_row_has_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuditError) as caught:
        priced(tmp_path, HEADER + "97530,,38.50,,,\n" + "\n".join(BAD) + "\n")
    assert str(caught.value).splitlines() == [
        f"aetna_fees.csv, row {number}: {sentence}." for number, sentence in enumerate(BAD.values(), 3)
    ]


@pytest.mark.parametrize(
    ("text", "plan", "sentence"),
    [
        ("code,fee\n97110,30\n", "aetna", "aetna_fees.csv, row 1: no column 'hcpcs_code'; the columns are "),
        ("hcpcs_code,fee,note\n97110,30,x\n", "aetna", "aetna_fees.csv, row 1: column 'note' is not known; the "),
        ("hcpcs_code,fee\n", "aetna", "aetna_fees.csv: the fee table has no rows; write one per code"),
        ("hcpcs_code,fee\n97110,30\n97110,31\n", "aetna", "aetna_fees.csv, row 3: 97110 has a fee for the same dates"),
        ("hcpcs_code,fee\n97110,30\n", "etna", "audit.toml: [fees] knows no plan 'etna'; there are "),
        ("hcpcs_code,fee\n97110,30\n", "medicare_part_b", "audit.toml: [fees] medicare_part_b is priced by "),
    ],
)  # fmt: skip
def test_fee_table_as_a_whole(tmp_path: Path, text: str, plan: str, sentence: str) -> None:
    with pytest.raises(AuditError) as caught:
        priced(tmp_path, text, plan)
    assert str(caught.value).startswith(sentence)


def test_fee_table_of_audit_toml(tmp_path: Path) -> None:
    (tmp_path / "aetna_fees.csv").write_text("hcpcs_code,fee\n97110,30\n")
    (tmp_path / "claims.csv").write_text(
        "Claim #,Patient ID,Payer,DOS,CPT,Units,Charge,Allowed\nC1,p,AETNA,3/2/2026,97110,2,99,60.05\n"
        "C2,p,AETNA,3/4/2026,97110,2,99,60.04\nC3,p,CIGNA,3/4/2026,97110,2,99,90\n"
    )
    toml = tmp_path / "audit.toml"
    toml.write_text('[inputs]\nclaims = "claims.csv"\n[fees]\naetna = "aetna_fees.csv"\n')
    result = pipeline.run(pipeline.from_inputs(config.read(toml), output=tmp_path / "report"))
    told = result.summary["rules"]["payers.contract.allowed_above_contract"]
    assert told["findings"] == 1
    # Its hash, and where it lies.
    assert (tmp_path / "report" / "manifest.json").read_text(encoding="utf-8").count(
        "aetna_fees.csv"
    ) == 2  # its hash, its path
    coverage = (tmp_path / "report" / "coverage.csv").read_text(encoding="utf-8")
    (row,) = [row for row in csv.DictReader(coverage.splitlines()) if row["rule"].endswith("allowed_above_contract")]
    # Cigna has no table, so it is not asked.
    assert (row["in_scope"], row["failed"], row["passed"], row["not_evaluable"]) == ("2", "1", "1", "0")
    toml.write_text('[inputs]\nclaims = "claims.csv"\n[fees]\naetna = 3\n')
    with pytest.raises(AuditError, match=r"audit.toml: \[fees\] aetna must be a file or a list of files"):
        config.read(toml)
