"""workpaper.xlsx: the estimate with live formulas, from the items up; the values beside them are ours."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from therapy_audit.sampling import book, sizes

if TYPE_CHECKING:
    from pathlib import Path

    from therapy_audit.sampling import Estimated

_ITEMS = (
    "item_number",
    "stratum_number",
    "amount",
    "correct_amount",
    "d",
    "d_squared",
    "in_error",
    "decision",
    "reason",
)
_STRATA = (
    "stratum_number", "stratum", "N", "frame_amount", "n", "in_error", "sampled_amount", "sum_d", "sum_d_squared",
    "mean", "s_squared", "total", "variance", "variance_squared_by_df", "rate_variance",
)  # fmt: skip
_CLOCKS = ("finding", "amount", "received", "identified", "six_years", "suspended_until", "due", "why")


def write(path: Path, estimated: Estimated) -> None:
    """Write the sheets Estimate, Strata, Items and Clocks."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path), {"strings_to_urls": False, "strings_to_formulas": False}) as workbook:
        workbook.set_properties({"title": "Workpaper", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
        styles = {
            "header": workbook.add_format({"bold": True, "bottom": 1, "bg_color": "#E8ECF1"}),
            "money": workbook.add_format({"num_format": "$#,##0.00"}),
            "number": workbook.add_format({"num_format": "#,##0.000000"}),
            "count": workbook.add_format({"num_format": "#,##0"}),
            "percent": workbook.add_format({"num_format": "0.00%"}),
            "day": workbook.add_format({"num_format": "yyyy-mm-dd"}),
            "text": workbook.add_format({}),
        }
        sheets = {name: workbook.add_worksheet(name) for name in ("Estimate", "Strata", "Items", "Clocks")}
        _items(sheets["Items"], estimated, styles)
        _strata(sheets["Strata"], estimated, styles)
        _estimate(sheets["Estimate"], estimated, styles)
        _clocks(sheets["Clocks"], estimated, styles)


def _header(sheet: Any, names: tuple[str, ...], styles: dict[str, Any]) -> None:
    for column, name in enumerate(names):
        sheet.set_column(column, column, max(12, len(name) + 3))
        sheet.write_string(0, column, name, styles["header"])
    sheet.freeze_panes(1, 0)


def _items(sheet: Any, estimated: Estimated, styles: dict[str, Any]) -> None:
    _header(sheet, _ITEMS, styles)
    numbers = {book.neutral(item["title"]): place for place, item in enumerate(estimated.design["strata"], start=1)}
    for row, item in enumerate(estimated.items, start=1):
        erroneous = item.decision == "error" or (item.decision is None and estimated.undecided == "error")
        correct = item.correct if item.correct is not None else 0 if erroneous else item.amount
        difference = (item.amount - correct) / 100
        sheet.write_number(row, 0, item.item_number, styles["count"])
        sheet.write_number(row, 1, numbers[item.stratum], styles["count"])
        sheet.write_number(row, 2, item.amount / 100, styles["money"])
        sheet.write_number(row, 3, correct / 100, styles["money"])
        sheet.write_formula(row, 4, f"=ROUND(C{row + 1}-D{row + 1},2)", styles["money"], difference)
        sheet.write_formula(row, 5, f"=E{row + 1}*E{row + 1}", styles["number"], difference**2)
        sheet.write_number(row, 6, int(erroneous), styles["count"])
        sheet.write_string(row, 7, item.decision or f"none, counts as {estimated.undecided}")
        if item.reason:
            sheet.write_string(row, 8, book.neutral(item.reason))


def _strata(sheet: Any, estimated: Estimated, styles: dict[str, Any]) -> None:
    _header(sheet, _STRATA, styles)
    last = len(estimated.items) + 1
    group = f"Items!$B$2:$B${last}"
    for row, stratum in enumerate(estimated.result.strata, start=1):
        at = row + 1
        mine = f"{group},$A{at}"
        squares = stratum.deviation**2 * (stratum.sampled - 1) + stratum.sampled * stratum.mean**2
        free = stratum.sampled - 1
        rate = stratum.errors / stratum.sampled
        sheet.write_number(row, 0, row, styles["count"])
        sheet.write_string(row, 1, book.neutral(stratum.title))
        sheet.write_number(row, 2, stratum.items, styles["count"])
        sheet.write_number(row, 3, float(stratum.amount), styles["money"])
        for column, formula, style, value in (
            (4, f"=COUNTIF({mine})", "count", stratum.sampled),
            (5, f"=SUMIF({mine},Items!$G$2:$G${last})", "count", stratum.errors),
            (6, f"=SUMIF({mine},Items!$C$2:$C${last})", "money", float(stratum.sampled_amount)),
            (7, f"=SUMIF({mine},Items!$E$2:$E${last})", "money", float(stratum.difference)),
            (8, f"=SUMIF({mine},Items!$F$2:$F${last})", "number", squares),
            (9, f"=H{at}/E{at}", "number", stratum.mean),
            (10, f"=IF(E{at}>1,MAX(0,I{at}-H{at}*H{at}/E{at})/(E{at}-1),0)", "number", stratum.deviation**2),
            (11, f"=C{at}*J{at}", "number", stratum.items * stratum.mean),
            (12, f"=C{at}*(C{at}-E{at})*K{at}/E{at}", "number", stratum.variance),
            (13, f"=IF(M{at}=0,0,M{at}*M{at}/(E{at}-1))", "number", stratum.variance**2 / free if free else 0.0),
            (14, f"=IF(E{at}>1,C{at}*(C{at}-E{at})*(F{at}/E{at})*(1-F{at}/E{at})/(E{at}-1),0)", "number",
             stratum.items * (stratum.items - stratum.sampled) * rate * (1 - rate) / free if free else 0.0),
        ):  # fmt: skip
            sheet.write_formula(row, column, formula, styles[style], value)


def _estimate(sheet: Any, estimated: Estimated, styles: dict[str, Any]) -> None:
    result = estimated.result
    _header(sheet, ("figure", "value", "how"), styles)
    sheet.set_column(0, 0, 44)
    sheet.set_column(1, 1, 18)
    sheet.set_column(2, 2, 90)
    end = len(result.strata) + 1

    def column(letter: str) -> str:
        return f"Strata!${letter}$2:${letter}${end}"

    t = result.quantile == "t"
    tail, one_tail = round(1 - sizes.CONFIDENCE, 6), round(2 * (1 - sizes.CONFIDENCE), 6)
    upper = (1 + sizes.CONFIDENCE) / 2
    rows: list[tuple[str, str, str, Any, str]] = [
        ("Items in the frame", f"=SUM({column('C')})", "count", result.items, "sum of N"),
        ("Items sampled", f"=SUM({column('E')})", "count", result.sampled, "sum of n"),
        ("Amount of the frame", f"=SUM({column('D')})", "money", result.amount, "USD"),
        ("Amount of the sample", f"=SUM({column('G')})", "money", result.sampled_amount, "USD"),
        ("Point estimate", f"=ROUND(SUM({column('L')}),2)", "money", result.point, "sum of N x mean"),
        ("Standard error", f"=SQRT(SUM({column('M')}))", "number", result.standard_error,
         "square root of the sum of N (N - n) s_squared / n"),
        ("Degrees of freedom",
         (f"=IF(SUM({column('M')})=0,MAX(1,SUM({column('E')})-COUNT({column('E')})),"
         f"MAX(1,INT(SUM({column('M')})^2/SUM({column('N')})+0.000000001)))"), "count", result.degrees,
         "n - 1; of several strata Satterthwaite's (Cochran 1977, eq. 5.16), rounded down"),
        ("Quantile, two-sided 90 %", f"=TINV({tail},B8)" if t else f"=NORMSINV({upper})", "number", result.two_sided_t,
         "Student's t at .95" if t else "normal at .95"),
        ("Quantile, one-sided 90 %", f"=TINV({one_tail},B8)" if t else f"=NORMSINV({sizes.CONFIDENCE})", "number",
         result.one_sided_t, "Student's t at .90" if t else "normal at .90"),
        ("Two-sided 90 %, lower limit", "=MAX(0,ROUND(B6-B9*B7,2))", "money", result.lower_two_sided,
         "OIG audits ask for it; below 0 is 0"),
        ("Two-sided 90 %, upper limit", "=ROUND(B6+B9*B7,2)", "money", result.upper_two_sided, ""),
        ("One-sided 90 %, lower limit", "=MAX(0,ROUND(B6-B10*B7,2))", "money", result.lower_one_sided,
         "CMS contractors ask for it (Pub. 100-08 ch. 8 §8.4.5); below 0 is 0"),
        ("Overpaid in the sample", f'=SUMIF(Items!$E$2:$E${len(estimated.items) + 1},">0")', "money",
         result.overpayments, "sum of positive d"),
        ("Underpaid in the sample", f'=-SUMIF(Items!$E$2:$E${len(estimated.items) + 1},"<0")', "money",
         result.underpayments, "sum of negative d, its sign turned"),
        ("Net error rate of the sample", "=IF(B5=0,0,(B14-B15)/B5)", "percent", result.net_error_rate or 0.0,
         "5 % or more is a corporate integrity agreement's threshold"),
        ("5 % or more", '=IF(B16>=0.05,"yes","no")', "text",
         "yes" if (result.net_error_rate or 0) >= 0.05 else "no", ""),
        ("Net error rate of the frame", "=IF(B4=0,0,B6/B4)", "percent", result.net_error_rate_projected or 0.0, ""),
        ("Items in error, rate", f"=SUMPRODUCT({column('C')},{column('F')}/{column('E')})/B2", "percent",
         result.error_rate, "weighted by stratum"),
        ("Items in error in the frame", "=B2*B19", "number", result.errors_projected, ""),
    ]  # fmt: skip
    for row, (label, formula, style, value, how) in enumerate(rows, start=1):
        sheet.write_string(row, 0, label)
        shown = float(value) if isinstance(value, Decimal) else value
        sheet.write_formula(row, 1, formula, styles[style], shown)
        sheet.write_string(row, 2, how)
    for row, (label, number) in enumerate(
        (
            ("Items in error, lower limit", result.error_limits[0]),
            ("Items in error, upper limit", result.error_limits[1]),
        ),
        start=len(rows) + 1,
    ):
        sheet.write_string(row, 0, label)
        sheet.write_number(row, 1, number, styles["count"])
        sheet.write_string(row, 2, f"two-sided 90 %: {result.error_method}; no formula of a spreadsheet gives it")


def _clocks(sheet: Any, estimated: Estimated, styles: dict[str, Any]) -> None:
    _header(sheet, _CLOCKS, styles)
    for row, clock in enumerate(estimated.clocks, start=1):
        told = clock.confirmed
        cells = (
            told.where, told.amount, told.received, told.identified, clock.state, clock.suspended_until, clock.due,
            clock.reason,
        )  # fmt: skip
        for column, value in enumerate(cells):
            if isinstance(value, Decimal):
                sheet.write_number(row, column, float(value), styles["money"])
            elif isinstance(value, date):
                sheet.write_datetime(row, column, value, styles["day"])
            elif value is not None:
                sheet.write_string(row, column, value)
