"""sample.xlsx: one row per drawn item with columns for the reviewer's decision; written, and read back."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError
from therapy_audit.intake import expanding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DECISIONS = ("correct", "error")
REASONS = (
    "not documented", "minutes do not support the units", "not a skilled service", "not medically necessary",
    "plan of care or certification", "wrong code", "wrong modifier", "another patient or day", "billed twice", "other",
)  # fmt: skip
DECISION_COLUMNS = ("decision", "correct_amount", "reason", "reviewer", "reviewed_on", "identified_on", "note")
ITEM_COLUMNS = (
    "item_number", "draw_order", "stratum", "amount", "claim_id", "patient_id", "service_date_from", "service_date_to",
    "payer", "plan", "discipline", "clinician", "codes", "lines", "paid_date", "item_key",
)  # fmt: skip
_WIDTHS = {
    "decision": 11, "correct_amount": 16, "reason": 28, "reviewer": 14, "reviewed_on": 12, "identified_on": 13,
    "note": 30, "difference": 12, "stratum": 30, "amount": 12, "claim_id": 16, "patient_id": 14, "codes": 34,
    "service_date_from": 17, "service_date_to": 15, "payer": 26, "plan": 20, "clinician": 13, "paid_date": 12,
    "item_key": 26,
}  # fmt: skip
_PIECE = 30_000  # characters of the design in one cell
_FAULTS = 10
_FORMULA = re.compile(r"^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")


@dataclass(frozen=True)
class Item:
    """One drawn item as read back. `row` is that of the sheet; amounts are cents; correct is None where undecided.

    `stratum` is as the sheet has it: neutral to a spreadsheet.
    """

    row: int
    item_number: int
    item_key: str
    stratum: str
    amount: int
    plan: str
    decision: str | None
    correct: int | None
    reviewer: str | None
    reason: str | None
    reviewed_on: date | None
    identified_on: date | None
    note: str | None
    service_date: date | None
    paid_date: date | None


def checksum(items: Sequence[tuple[int, str, str, int]]) -> str:
    """Return the SHA-256 of the drawn items (number, key, stratum, cents), by number: rows gone or changed show."""
    lines = "".join(f"{number}|{key}|{neutral(stratum)}|{cents}\n" for number, key, stratum, cents in sorted(items))
    return hashlib.sha256(lines.encode()).hexdigest()


def write(
    path: Path, design: Mapping[str, Any], items: Sequence[Mapping[str, Any]], decided: Mapping[str, Item]
) -> None:
    """Write the sheets Read me, Sample, Strata and Design. `decided` are decisions of a probe, by item_key."""
    import xlsxwriter

    names = [*DECISION_COLUMNS, "difference", *ITEM_COLUMNS]
    place = {name: number for number, name in enumerate(names)}
    with xlsxwriter.Workbook(str(path), {"strings_to_urls": False, "strings_to_formulas": False}) as book:
        # A fixed date: the same sample gives the same bytes.
        book.set_properties({"title": "Audit sample", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
        top = {"valign": "top"}
        fill = {"valign": "top", "bg_color": "#FFFBE6", "border": 1, "border_color": "#E5DFC3"}
        styles = {
            "text": book.add_format(top),
            "wrapped": book.add_format({**top, "text_wrap": True}),
            "money": book.add_format({**top, "num_format": "$#,##0.00"}),
            "day": book.add_format({**top, "num_format": "yyyy-mm-dd"}),
            "count": book.add_format({**top, "num_format": "0"}),
            "header": book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8ECF1", **top}),
            "bold": book.add_format({"bold": True, **top}),
            "heading": book.add_format({"bold": True, "font_size": 14}),
            "fill": book.add_format(fill),
            "fill_money": book.add_format({**fill, "num_format": "$#,##0.00"}),
            "fill_day": book.add_format({**fill, "num_format": "yyyy-mm-dd"}),
        }
        sheet = book.add_worksheet("Read me")
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, 1, 100)
        for number, (label, text) in enumerate(_read_me(design)):
            sheet.write_string(number, 0, label, styles["bold" if text else "heading"])
            sheet.write_string(number, 1, text, styles["wrapped"])

        sheet = book.add_worksheet("Sample")
        for name, column in place.items():
            sheet.set_column(column, column, _WIDTHS.get(name, max(9, len(name) + 3)))
            sheet.write_string(0, column, name, styles["header"])
        for number, item in enumerate(items, start=1):
            before = decided.get(str(item["item_key"]))
            _decision_cells(sheet, number, before, styles)
            sheet.write_formula(
                number, place["difference"], _difference(number, place), styles["money"],
                "" if before is None or before.correct is None else (before.amount - before.correct) / 100,
            )  # fmt: skip
            for name in ITEM_COLUMNS:
                _cell(sheet, number, place[name], item[name], styles)
        last = len(items)
        _validate(sheet, last, place)
        sheet.autofilter(0, 0, last, len(names) - 1)
        sheet.freeze_panes(1, 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)

        sheet = book.add_worksheet("Strata")
        for column, name in enumerate(("stratum", "items", "amount", "sampled")):
            sheet.set_column(column, column, _WIDTHS.get(name, 12))
            sheet.write_string(0, column, name, styles["header"])
        for number, stratum in enumerate(design["strata"], start=1):
            sheet.write_string(number, 0, neutral(stratum["title"]), styles["text"])
            sheet.write_number(number, 1, stratum["items"], styles["count"])
            sheet.write_number(number, 2, float(stratum["amount"]), styles["money"])
            sheet.write_number(number, 3, stratum["sampled"], styles["count"])

        sheet = book.add_worksheet("Design")
        sheet.set_column(0, 0, 120)
        sheet.write_string(0, 0, "For `therapy-audit estimate`, which reads this sheet. Please leave it as it is.")
        told = json.dumps(design, ensure_ascii=True, sort_keys=True)
        for number, start in enumerate(range(0, len(told), _PIECE), start=1):
            sheet.write_string(number, 0, told[start : start + _PIECE])
        book.get_worksheet_by_name("Sample").activate()


def neutral(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _read_me(design: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Audit sample", ""),
        ("What this is", (f"{design['size']:,} of {design['items']:,} {design['frame']}, drawn with seed "
         f"{design['seed']}; method.html says how, so that someone else can draw the same.")),
        ("How to fill it in", ("Check each item of the sheet Sample against its record, without regard to the others, "
         "and fill in the yellow columns. Rows may be sorted; none may be added, removed or replaced: an item whose "
         "record cannot be found is an error with the correct amount 0.")),
        ("decision", "correct: reported as it should be. error: not so, in dollars or otherwise."),
        ("correct_amount", (f"What should have been reported ({design['amount_title']}). Needed for an error: 0 where "
         "nothing should have been, more than the amount for an underpayment, the amount itself for an error without "
         "dollars.")),
        ("reason", "One of the list, or your own words."),
        ("reviewed_on", "The day of the decision."),
        ("identified_on", ("The day on which the overpayment was identified, if not reviewed_on: the 60 days of "
         "42 CFR 401.305(b) begin with it.")),
        ("difference", "amount - correct_amount: positive is overpaid, negative underpaid."),
        ("Then", "therapy-audit estimate sample.xlsx"),
    ]  # fmt: skip


def _decision_cells(sheet: Any, number: int, before: Item | None, styles: Mapping[str, Any]) -> None:
    for column, name in enumerate(DECISION_COLUMNS):
        style = styles["fill_money" if name == "correct_amount" else "fill_day" if name.endswith("_on") else "fill"]
        value = None if before is None else getattr(before, "correct" if name == "correct_amount" else name)
        if value is None:
            sheet.write_blank(number, column, None, style)
        elif isinstance(value, date):
            sheet.write_datetime(number, column, value, style)
        elif isinstance(value, int):
            sheet.write_number(number, column, value / 100, style)
        else:
            sheet.write_string(number, column, neutral(str(value)), style)


def _difference(number: int, place: Mapping[str, int]) -> str:
    from xlsxwriter.utility import xl_rowcol_to_cell as at

    decision, correct, amount = (at(number, place[name]) for name in ("decision", "correct_amount", "amount"))
    return f'=IF({decision}="","",IF({correct}="",0,{amount}-{correct}))'


def _validate(sheet: Any, last: int, place: Mapping[str, int]) -> None:
    def column(name: str, **rule: Any) -> None:
        sheet.data_validation(1, place[name], last, place[name], rule)

    column("decision", validate="list", source=list(DECISIONS), error_title="Decision",
           error_message="Choose correct or error, or leave it empty.")  # fmt: skip
    column("correct_amount", validate="decimal", criteria=">=", value=0, error_title="Correct amount",
           error_message="Write the dollars that should have been reported, such as 34.61 or 0.")  # fmt: skip
    column("reason", validate="list", source=list(REASONS), error_type="information", error_title="Reason",
           error_message="This is none of the list; keep it if none of them fits.")  # fmt: skip
    for name in ("reviewed_on", "identified_on"):
        column(name, validate="date", criteria=">", value=date(2000, 1, 1), error_title="Date",
               error_message="Write a date, such as 2026-07-31.")  # fmt: skip


def _cell(sheet: Any, row: int, column: int, value: Any, styles: Mapping[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, Decimal):
        sheet.write_number(row, column, float(value), styles["money"])
    elif isinstance(value, date):
        sheet.write_datetime(row, column, value, styles["day"])
    elif isinstance(value, int):
        sheet.write_number(row, column, value, styles["count"])
    else:
        sheet.write_string(row, column, neutral(str(value))[:32_767], styles["text"])


def read(path: Path) -> tuple[dict[str, Any], list[Item]]:
    """Return the design and the items of a sample workbook, by item number.

    Raises AuditError for what is no such workbook, rows that were added, removed or changed, and cells that cannot be
    read; it names the rows.
    """
    sheets = _sheets(path)
    if "Design" not in sheets or "Sample" not in sheets:
        raise AuditError(f"{path}: this is no sample workbook; give the sample.xlsx that `therapy-audit sample` wrote.")
    try:
        design = dict(json.loads("".join(str(row[0]) for row in sheets["Design"][1:] if row)))
        whole = sum(stratum["sampled"] for stratum in design["strata"]) == design["size"]
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise AuditError(f"{path}: its sheet Design was changed; take that of a fresh copy of the sample.")
    header = [str(name).strip() for name in sheets["Sample"][0]] if sheets["Sample"] else []
    for name in (*DECISION_COLUMNS, *ITEM_COLUMNS):
        if name not in header:
            raise AuditError(f"{path}: its sheet Sample has no column '{name}'; put it back as it was drawn.")
    faults: list[str] = []
    items = [
        _item(number, dict(zip(header, row, strict=False)), faults)
        for number, row in enumerate(sheets["Sample"][1:], start=2)
        if any(value != "" for value in row[: len(header)])
    ]
    if faults:
        more = f"\nand {len(faults) - _FAULTS:,} more rows." if len(faults) > _FAULTS else ""
        raise AuditError("\n".join(f"{path}: {fault}" for fault in faults[:_FAULTS]) + more)
    if len(items) != design["size"]:
        raise AuditError(
            f"{path}: its sheet Sample has {len(items):,} items where {design['size']:,} were drawn; every drawn item "
            "is part of the estimate, so put it back as it was."
        )
    seen = checksum([(item.item_number, item.item_key, item.stratum, item.amount) for item in items])
    if seen != design["sample_sha256"]:
        raise AuditError(
            f"{path}: the columns item_number, item_key, stratum or amount are not as they were drawn; only the yellow "
            "columns are to be filled in."
        )
    return design, sorted(items, key=lambda item: item.item_number)


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    from python_calamine import CalamineWorkbook

    if not path.exists():
        raise AuditError(f"{path}: there is no such file.")
    expanding.check_workbook(path, str(path))
    with (
        expanding.reading(f"{path}: this cannot be read as a workbook; save it as .xlsx.", OSError),
        CalamineWorkbook.from_path(str(path)) as book,
    ):
        return {
            name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for name in book.sheet_names
            if name in ("Design", "Sample", "Findings")
        }


def _item(number: int, row: Mapping[str, Any], faults: list[str]) -> Item:
    told: list[str] = []
    decision = str(row["decision"]).strip().lower() or None
    if decision is not None and decision not in DECISIONS:
        told.append("decision is neither correct nor error")
        decision = None
    correct = _cents(row["correct_amount"], "correct_amount", told)
    amount = _cents(row["amount"], "amount", told) or 0
    if correct is not None and not told:
        if decision is None:
            told.append("there is a correct_amount and no decision; choose correct or error")
        elif correct < 0:
            told.append("correct_amount is below 0; write the dollars that should have been reported, 0 or more")
        elif decision == "correct" and correct != amount:
            told.append("the decision is correct, yet correct_amount differs from amount; choose error or empty it")
    elif decision == "error" and not told:
        told.append("the decision is error without a correct_amount; write the dollars, 0 where nothing was right")
    days = {name: _day(row[name], name, told) for name in ("reviewed_on", "identified_on")}
    dates = {name: _day(row[name], name, told) for name in ("service_date_from", "paid_date")}
    place = row["item_number"]
    if not isinstance(place, float | int):
        told.append("item_number is no number; put the row back as it was drawn")
        place = 0
    if told:
        faults.append(f"row {number} of sheet Sample: {'; '.join(told)}.")
    return Item(
        row=number,
        item_number=int(place),
        item_key=str(row["item_key"]),
        stratum=str(row["stratum"]),
        amount=amount,
        plan=str(row["plan"]),
        decision=decision,
        correct=amount if decision == "correct" else correct,
        reviewer=_text(row["reviewer"]),
        reason=_text(row["reason"]),
        note=_text(row["note"]),
        service_date=dates["service_date_from"],
        paid_date=dates["paid_date"],
        **days,
    )


def _text(value: Any) -> str | None:
    return str(value).strip() or None


def _cents(value: Any, name: str, told: list[str]) -> int | None:
    if value == "":
        return None
    try:
        plain = re.sub(r"^\$|,(?=\d{3})", "", value.strip()) if isinstance(value, str) else repr(value)
        # A spreadsheet keeps binary numbers: 0.1 + 0.2 is cents all the same.
        cents = Decimal(plain) * 100
        whole = cents.to_integral_value()
    except (InvalidOperation, ValueError):
        told.append(f"{name} is no amount; write dollars, such as 34.61 or 0")
        return None
    if not cents.is_finite() or abs(cents - whole) > Decimal("0.0001"):
        told.append(f"{name} is not in whole cents")
        return None
    return int(whole)


def _day(value: Any, name: str, told: list[str]) -> date | None:
    if value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        told.append(f"{name} is no date; write it as 2026-07-31")
        return None


def confirmed_findings(path: Path) -> list[dict[str, Any]]:
    """Return the overpayments of a findings.xlsx that a reviewer confirmed or corrected, a line's dollars once.

    Keys: row, plan, amount (Decimal), service_date, reviewed_on. AuditError for what is no such workbook.
    """
    sheets = _sheets(path)
    if not sheets.get("Findings"):
        raise AuditError(f"{path}: this is no findings workbook; give the findings.xlsx of a report.")
    header = [str(name).strip() for name in sheets["Findings"][0]]
    needed = ("disposition", "reviewed_on", "direction", "claim_id", "amount_at_risk", "service_date", "plan")
    for name in needed:
        if name not in header:
            raise AuditError(f"{path}: its sheet Findings has no column '{name}'; put it back.")
    faults: list[str] = []
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for number, cells in enumerate(sheets["Findings"][1:], start=2):
        row = dict(zip(header, cells, strict=False))
        if str(row["disposition"]).strip().lower() not in ("confirmed", "corrected"):
            continue
        if row["direction"] != "overpayment":
            continue
        told: list[str] = []
        found = {
            "row": number,
            "plan": str(row["plan"]),
            "amount": Decimal(_cents(row["amount_at_risk"], "amount_at_risk", told) or 0).scaleb(-2),
            "service_date": _day(row["service_date"], "service_date", told),
            "reviewed_on": _day(row["reviewed_on"], "reviewed_on", told),
        }
        if told:
            faults.append(f"{path}: row {number} of sheet Findings: {'; '.join(told)}.")
        key = (str(row["claim_id"]), str(row.get("claim_line_number", "")))
        if key not in best or found["amount"] > best[key]["amount"]:
            best[key] = found
    if faults:
        raise AuditError("\n".join(faults[:_FAULTS]))
    return sorted(best.values(), key=lambda item: item["row"])
