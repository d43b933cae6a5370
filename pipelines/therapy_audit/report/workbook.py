"""findings.xlsx: the workbook that a reviewer works through, one row per finding, with a decision for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from therapy_audit.report import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

DISPOSITIONS = ("confirmed", "dismissed", "corrected", "refunded")
REVIEW_COLUMNS = ("disposition", "reviewer", "reviewed_on", "note", "valid_until")
_HIDDEN = "facts_hash"  # what a decision rests on: how it is known next month that the facts have changed
_LAST_ROW = 1_048_575  # of a sheet, below its header
_CELL = 32_767  # characters
_WIDTHS = {
    "disposition": 13, "reviewer": 14, "reviewed_on": 12, "note": 26, "finding_id": 20, "service_date": 12,
    "amount_at_risk": 15, "title": 40, "message": 70, "remedy": 50, "citation": 50, "facts": 40, "reasons": 70,
    "exposure_amount": 15,
    "payer": 26, "provider_name": 24, "source_file": 26, "rule": 36, "reason": 70, "direction": 14, "claim_id": 16,
    "category": 26, "flagged_by": 60, "outcome": 14, "valid_until": 12, "decided_before": 40,
}  # fmt: skip
_FINE = ("value", "p20", "p50", "p80")  # shares among them
_COLOURS = {"error": "#F9DEDC", "warning": "#FFEBC2", "info": "#DCE9F9"}


@dataclass(frozen=True)
class Sheets:
    """The rows of the sheets, as a spreadsheet may hold them; of the long ones up to `most`."""

    most: int
    findings: Sequence[tables.Row]
    dismissed: Sequence[tables.Row]
    quarantine: Sequence[tables.Row]
    coverage: Sequence[tables.Row]
    documentation: Sequence[tables.Row]
    denials: Sequence[tables.Row]
    profiles: Sequence[tables.Row]


def sheets(con: duckdb.DuckDBPyConnection, rows: int) -> Sheets:
    """Ask for what the sheets hold."""
    rows = min(rows, _LAST_ROW)
    return Sheets(
        most=rows,
        findings=tables.rows(con, "finding_sheet", neutral=True, rows=rows),
        dismissed=tables.rows(con, "dismissed_sheet", neutral=True, rows=rows),
        quarantine=tables.rows(con, "quarantine_file", neutral=True, rows=rows),
        coverage=tables.rows(con, "coverage_file", neutral=True),
        documentation=tables.documentation(con, neutral=True)["month"][:rows],
        denials=tables.rows(con, "denial_sheet", neutral=True, rows=rows),
        profiles=tables.profile_sheet(con, rows),
    )


def write(path: Path, content: tables.Row, shown: Sheets) -> None:
    """Write Read me, Findings, Dismissed, Documentation, Clinicians, Denials, Coverage and Quarantine."""
    import xlsxwriter

    findings, quarantine, documentation = shown.findings, shown.quarantine, shown.documentation
    denials, profiles = shown.denials, shown.profiles
    with xlsxwriter.Workbook(str(path), {"strings_to_urls": False}) as book:
        # A fixed date: the same findings give the same bytes.
        book.set_properties({"title": "Therapy audit findings", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
        plain, wrapped = book.add_format({"valign": "top"}), book.add_format({"valign": "top", "text_wrap": True})
        fill_in = {"valign": "top", "bg_color": "#FFFBE6", "border": 1, "border_color": "#E5DFC3"}
        formats: dict[Any, Format] = {
            Decimal: book.add_format({"valign": "top", "num_format": "$#,##0.00"}),
            date: book.add_format({"valign": "top", "num_format": "yyyy-mm-dd"}),
            int: book.add_format({"valign": "top", "num_format": "#,##0"}),
            float: book.add_format({"valign": "top", "num_format": "0.0"}),
            "fine": book.add_format({"valign": "top", "num_format": "0.0###"}),
            "identifier": book.add_format({"valign": "top", "num_format": "0"}),
            "header": book.add_format({"bold": True, "bottom": 1, "bg_color": "#E8ECF1", "valign": "top"}),
            "fill_in": book.add_format(fill_in),
            **{
                name: book.add_format({**fill_in, "num_format": "yyyy-mm-dd"})
                for name in ("reviewed_on", "valid_until")
            },
            str: plain,
            "wrapped": wrapped,
        }
        heading = book.add_format({"bold": True, "font_size": 14})
        bold = book.add_format({"bold": True, "valign": "top"})

        sheet = book.add_worksheet("Read me")
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 100)
        for number, (label, value) in enumerate(
            _read_me(
                content,
                len(findings),
                len(quarantine),
                len(denials),
                len(documentation),
                is_cut=len(profiles) == shown.most,
            )
        ):
            if value is None:
                sheet.write_string(number, 0, label, heading)
                continue
            sheet.write_string(number, 0, label, bold)
            _cell(sheet, number, 1, value, {**formats, str: wrapped})

        sheet = book.add_worksheet("Findings")
        names = list(findings[0] if findings else (*REVIEW_COLUMNS, "amount_at_risk", "message", "finding_id", _HIDDEN))
        _header(sheet, names, len(findings), formats["header"], frozen=1)
        for column, name in enumerate(REVIEW_COLUMNS):  # the whole column, so that no empty cell has to be written
            sheet.set_column(column, column, _WIDTHS[name], formats.get(name, formats["fill_in"]))
        _hide(sheet, names)
        filled_in = {**formats, str: formats["fill_in"], date: formats["reviewed_on"]}
        for number, finding in enumerate(findings, start=1):
            cells = list(finding.items())
            _row(sheet, number, cells[: len(REVIEW_COLUMNS)], filled_in)
            _row(sheet, number, cells[len(REVIEW_COLUMNS) :], formats, first=len(REVIEW_COLUMNS))
        if findings:
            last = len(findings)
            sheet.data_validation(1, 0, last, 0, {
                "validate": "list", "source": list(DISPOSITIONS), "error_title": "Disposition",
                "error_message": "Choose " + ", ".join(DISPOSITIONS) + ", or leave it empty.",
            })  # fmt: skip
            for place in (REVIEW_COLUMNS.index("reviewed_on"), REVIEW_COLUMNS.index("valid_until")):
                sheet.data_validation(1, place, last, place, {
                    "validate": "date", "criteria": ">", "value": date(2000, 1, 1), "error_title": "Date",
                    "error_message": "Write a date, such as 2026-07-31.",
                })  # fmt: skip
            column = names.index("severity")
            for severity, colour in _COLOURS.items():
                sheet.conditional_format(1, column, last, column, {
                    "type": "cell", "criteria": "==", "value": f'"{severity}"',
                    "format": book.add_format({"bg_color": colour}),
                })  # fmt: skip
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)

        for title, listed, empty in (
            ("Dismissed", shown.dismissed, ("disposition", "reviewer", "reviewed_on", "note", "finding_id", _HIDDEN)),
            ("Documentation", documentation, ("clinician_npi", "month", "average_score")),
            ("Clinicians", profiles, ("clinician_npi", "metric", "value")),
            ("Denials", denials, ("outcome", "open_amount", "category")),
            ("Coverage", shown.coverage, ("rule", "title")),
            ("Quarantine", quarantine, ("source_file", "source_row", "reason")),
        ):
            sheet = book.add_worksheet(title)
            _header(sheet, list(listed[0] if listed else empty), len(listed), formats["header"])
            _hide(sheet, list(listed[0] if listed else empty))
            for number, row in enumerate(listed, start=1):
                _row(sheet, number, row.items(), formats)


def _read_me(
    content: tables.Row, findings: int, quarantined: int, denials: int, documented: int, *, is_cut: bool
) -> list[tuple[str, Any]]:
    """Return the first sheet's lines, (label, value); a heading where the value is None."""
    headline, notes = content["headline"], content["documentation"]["all"][0]
    stale = [row for row in content["reference_editions"] if row["stale"]]
    refused = sum(row["rows_refused"] for row in content["quarantine_reasons"])
    capped = findings < headline["findings"]
    months = len(content["documentation"]["month"])
    first_months = f" The first {documented:,} of {months:,} rows." if documented < months else ""
    first_figures = " Of many clinicians the first are here, by discipline and number." if is_cut else ""
    denied = sum(row["denials"] for row in content["denials"]["all"])
    return [
        ("Therapy audit findings", None),
        ("Period", f"{content['period']} (service dates {headline['period_start']} to {headline['period_end']})"),
        *_unnamed(content),
        ("What this is", ("Claim lines that may not survive an audit, one row per finding, the largest amounts first. "
         "A finding is a question to check against the record, not a verdict.")),
        ("Totals", None),
        ("At risk of repayment", headline["overpayment_amount"]),
        ("Under-billed", headline["underpayment_amount"]),
        ("How totals count", ("Each unit of a claim line counts once, with the finding that puts most of it at risk. "
         "So the column amount_at_risk adds up to more where a line has several findings, and exposure_amount, "
         "by direction, to the totals.")),
        ("Lines audited", headline["lines_audited"]),
        ("Findings", headline["findings"]),
        ("Errors", headline["errors"]),
        ("Warnings", headline["warnings"]),
        ("For information", headline["infos"]),
        ("Checks not evaluable", headline["not_evaluable"]),
        ("Rows refused at intake", headline["rows_quarantined"]),
        ("Documentation score, average", notes["average_score"] if notes["scored"] else "No note could be scored."),
        ("On this workbook", None),
        ("Findings sheet", f"The {findings:,} largest of {headline['findings']:,} findings; "
         "all are in findings.parquet and findings.csv." if capped else f"All {findings:,} findings."),
        ("Quarantine sheet", f"The first {quarantined:,} of {refused:,} refused rows; all are in quarantine.csv."
         if quarantined < refused else f"All {refused:,} refused rows."),
        ("Documentation sheet", ("What the notes on functional activities document, by clinician and month. The score "
         f"is made of {_weights(content)}; length earns nothing. Columns from specific_activity on count the notes, of "
         f"those scored, that show it. Each service is in documentation.csv.{first_months}")),
        ("Clinicians sheet", ("Each clinician's figures against peers of the discipline: high is at or above the 80th "
         "percentile, low at or below the 20th. Figures that rest on few cases are left blank. Months are in "
         f"clinician_profiles.csv.{first_figures}")),
        ("Denials sheet", "No remittances were given." if not content["denials"]["unmatched"][0]["answers"] else
         (f"{f'The first {denials:,} of {denied:,}' if denials < denied else f'All {denied:,}'} answers that deny, "
          "what is open first. denied_amount is what the answer denies; the others count each dollar once.")),
        ("How to work through it", ("Filter the Findings sheet by rule or payer. For each row, check the record, then "
         "choose a disposition and write reviewer, reviewed_on and, where it helps, a note (the yellow columns). "
         "Leave the other columns as they are: finding_id is how the decision is found again next month. "
         "Then: therapy-audit review import findings.xlsx. Decisions that still hold are filled in; decided_before "
         "tells of those that do not.")),
        ("Dismissed sheet", ("Findings that review dismissed: silent until their facts change or valid_until has "
         "passed. To take one back, choose another disposition there, with its reviewer and reviewed_on.")),
        ("confirmed", "The finding is right; what to do about it is still open."),
        ("dismissed", "The finding is legitimately fine; say why in the note, and in valid_until how long."),
        ("corrected", "A corrected claim was sent."),
        ("refunded", "The money was returned."),
        ("Legend", None),
        ("error", "The line breaks a rule that is cited."),
        ("warning", "The line may break a rule: someone has to look."),
        ("info", "Good to know; no fault in itself."),
        ("overpayment", "Paid, or to be paid, more than the record supports."),
        ("underpayment", "Billed less than the record supports, or not paid what was billed."),
        ("compliance", "No dollars of its own, but an auditor would ask."),
        ("not_evaluable", "Something was missing, so the rule could not be judged. This is never a pass."),
        ("stale_reference", "Judged with a reference table that is older than the service date."),
        ("An apostrophe at the start", "Put before texts that a spreadsheet would take for a formula."),
        *(("Reference to renew", (f"{row['reference']}, edition {row['edition']}, covers up to {row['covers_to']} "
           f"({row['findings']:,} findings after it). Load {row['official_file']}.")) for row in stale),
    ]  # fmt: skip


def _unnamed(content: tables.Row) -> list[tuple[str, Any]]:
    if not content.get("deidentified"):
        return []
    told = (
        "Numbers of patients, claims, notes and payments, clinicians and payers are pseudonyms "
        f"(key {content['deidentified']}), dates are moved by patient, and no text of a note is here."
    )
    return [("Without names", told)]


def _weights(content: tables.Row) -> str:
    """Return the points of the score in words: specific activity 25 points, ..."""
    latest = max((row["effective_from"] for row in content["documentation_weights"]), default=None)
    told = [row for row in content["documentation_weights"] if row["effective_from"] == latest]
    return ", ".join(f"{row['element'].replace('_', ' ')} {row['points']:.3g} points" for row in told)


def _header(sheet: Worksheet, names: Sequence[str], count: int, style: Format, frozen: int = 0) -> None:
    """Write the header, with a filter, widths, and the header (and first columns) kept in view."""
    for column, name in enumerate(names):
        sheet.set_column(column, column, _WIDTHS.get(name, max(10, len(name) + 3)))
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, style)
    sheet.autofilter(0, 0, max(count, 1), len(names) - 1)
    sheet.freeze_panes(1, frozen)


def _hide(sheet: Worksheet, names: Sequence[str]) -> None:
    """Hide the column that only the next run reads."""
    if _HIDDEN in names:
        sheet.set_column(names.index(_HIDDEN), names.index(_HIDDEN), None, None, {"hidden": True})


def _row(
    sheet: Worksheet, number: int, cells: Iterable[tuple[str, Any]], formats: dict[Any, Format], first: int = 0
) -> None:
    for column, (name, value) in enumerate(cells, start=first):
        if name in _FINE and isinstance(value, float):
            sheet.write_number(number, column, value, formats["fine"])
        elif name in ("claim_line_number", "source_row") and value is not None:
            sheet.write_number(number, column, value, formats["identifier"])  # no thousands separator
        elif value is not None:
            _cell(sheet, number, column, value, formats)


def _cell(sheet: Worksheet, row: int, column: int, value: Any, formats: dict[Any, Format]) -> None:
    kind = type(value)
    if kind is bool:
        sheet.write_boolean(row, column, value, formats[str])
    elif kind is str:
        sheet.write_string(row, column, value[:_CELL], formats[str])
    elif kind is date:
        sheet.write_datetime(row, column, value, formats[date])
    else:
        sheet.write_number(row, column, value, formats[kind])
