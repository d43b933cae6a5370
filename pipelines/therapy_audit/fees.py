"""Payers' fee tables: a CSV file per plan, checked row by row, into `contract_fee`."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError
from therapy_audit.rules import FAR_FUTURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb

COLUMNS = ("hcpcs_code", "modifier", "fee", "per", "effective_from", "effective_to")
_NEEDED = ("hcpcs_code", "fee")
_SHOWN = 20  # bad rows that are told one by one
_MOST = Decimal(100_000)  # USD; more than any therapy service costs


@dataclass(frozen=True)
class Fee:
    """One fee of a contract: USD per unit or per line, for lines with the modifier or (none) without any such."""

    hcpcs_code: str
    modifier: str | None
    fee_amount: Decimal
    per: str
    effective_from: date
    effective_to: date
    source_row: int


def load(con: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[Path]], by_schedule: Mapping[str, bool]) -> None:
    """Fill `contract_fee` from {plan: files}. AuditError: one sentence for each row that is not right.

    `by_schedule` says of each plan whether Medicare's fee schedule prices it: such a plan has no contract.
    """
    for plan, paths in files.items():
        if plan not in by_schedule:
            raise AuditError(f"audit.toml: [fees] knows no plan '{plan}'; there are {', '.join(sorted(by_schedule))}.")
        if by_schedule[plan]:
            raise AuditError(f"audit.toml: [fees] {plan} is priced by Medicare's fee schedule; leave it out.")
        found: list[tuple[str, Fee]] = []
        for path in paths:
            found += [(path.name, fee) for fee in read(path)]
        _check_overlaps(found)
        rows = [
            (
                plan, fee.hcpcs_code, fee.modifier, fee.fee_amount, fee.per, fee.effective_from, fee.effective_to,
                name, fee.source_row,
            )
            for name, fee in found
        ]  # fmt: skip
        con.execute(
            f"INSERT INTO contract_fee VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?, ?)'] * len(rows))}",
            [cell for row in rows for cell in row],
        )


def fingerprints(files: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, str]]:
    """Return {plan: {file name: SHA-256}}, for the manifest."""
    return {
        plan: {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        for plan, paths in files.items()
    }


def read(path: Path) -> list[Fee]:
    """Read one fee table: columns hcpcs_code and fee; optional modifier, per, effective_from, effective_to.

    AuditError has a sentence for each row at fault: the file, the row (1 is the header), what is wrong and what would
    be right.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            records = list(csv.reader(lines))
    except FileNotFoundError:
        raise AuditError(f"{path}: there is no such file; name the fee table under [fees] in audit.toml.") from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise AuditError(f"{path.name}: not readable as CSV in UTF-8; save it as such.") from None
    header = [cell.strip().lower() for cell in records[0]] if records else []
    for name in _NEEDED:
        if name not in header:
            raise AuditError(f"{path.name}, row 1: no column '{name}'; the columns are {', '.join(COLUMNS)}.")
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or len(set(header)) < len(header):
        told = f"column '{unknown[0]}' is not known" if unknown else "a column is there twice"
        raise AuditError(f"{path.name}, row 1: {told}; the columns are {', '.join(COLUMNS)}.")
    found, faults = [], []
    for number, record in enumerate(records[1:], 2):
        if not any(cell.strip() for cell in record):
            continue
        try:
            found.append(_fee(dict(zip(header, (cell.strip() for cell in record), strict=False)), number))
        except ValueError as fault:
            faults.append(f"{path.name}, row {number}: {fault}.")
    if faults:
        more = [f"{path.name}: {len(faults) - _SHOWN} more rows are not right."] if len(faults) > _SHOWN else []
        raise AuditError("\n".join([*faults[:_SHOWN], *more]))
    if not found:
        raise AuditError(f"{path.name}: the fee table has no rows; write one per code, such as 97530,,38.50,unit.")
    return found


def _fee(cell: Mapping[str, str], number: int) -> Fee:
    """Return one row's fee. ValueError says what is wrong and what would be right."""
    code = cell.get("hcpcs_code", "").upper()
    if not re.fullmatch(r"[0-9A-Z]{5}", code):
        raise ValueError("hcpcs_code is not a code; write five characters such as 97530")
    modifier = cell.get("modifier", "").upper()
    if modifier and not re.fullmatch(r"[0-9A-Z]{2}", modifier):
        raise ValueError("modifier is not one; write two characters such as GP, or leave it empty")
    text = cell.get("fee", "").removeprefix("$").replace(",", "")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("fee is not an amount; write dollars and cents such as 38.50") from None
    if not amount.is_finite() or not 0 <= amount <= _MOST or amount != round(amount, 2):
        raise ValueError(f"fee must lie from 0 to {_MOST:,} with at most two decimals, such as 38.50")
    per = cell.get("per", "").lower() or "unit"
    if per not in ("unit", "line"):
        raise ValueError("per is neither unit nor line; write one of them, or leave it empty for unit")
    first = _day(cell.get("effective_from", ""), "effective_from", date.min)
    last = _day(cell.get("effective_to", ""), "effective_to", FAR_FUTURE)
    if first > last:
        raise ValueError("effective_from lies after effective_to; write the first day in force and the last")
    return Fee(code, modifier or None, amount, per, first, last, number)


def _day(text: str, name: str, otherwise: date) -> date:
    for form in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    if text:
        raise ValueError(f"{name} is not a date; write it as 2026-01-01, or leave it empty")
    return otherwise


def _check_overlaps(found: Iterable[tuple[str, Fee]]) -> None:
    """Raise AuditError for two fees of one code and modifier on one day."""
    before: dict[tuple[str, str | None], tuple[str, Fee]] = {}
    for name, fee in sorted(
        found, key=lambda item: (item[1].hcpcs_code, item[1].modifier or "", item[1].effective_from, item[1].source_row)
    ):
        other = before.get((fee.hcpcs_code, fee.modifier))
        if other and fee.effective_from <= other[1].effective_to:
            raise AuditError(
                f"{name}, row {fee.source_row}: {' '.join(filter(None, (fee.hcpcs_code, fee.modifier)))} has a fee for "
                f"the same dates in {other[0]}, row {other[1].source_row}; end one (effective_to) before the other."
            )
        before[fee.hcpcs_code, fee.modifier] = (name, fee)


def files_of(raw: Mapping[str, Any], here: Path, name: str) -> dict[str, tuple[Path, ...]]:
    """Return [fees] of audit.toml as {plan: files}, relative to the folder `here`."""
    found = {}
    for plan, given in raw.items():
        files = [given] if isinstance(given, str) else given
        if not isinstance(files, list) or not files or not all(isinstance(item, str) for item in files):
            raise AuditError(f'{name}: [fees] {plan} must be a file or a list of files, such as "aetna_fees.csv".')
        found[plan] = tuple(here / item for item in files)
    return found
