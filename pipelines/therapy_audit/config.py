"""What a run is told: audit.toml and flags, checked before anything is read."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import deidentify, delivery, fees
from therapy_audit.errors import AuditError
from therapy_audit.rules import PayerPair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INPUTS = (
    "claims", "notes", "providers", "plans_of_care", "authorizations", "opening_balances", "remittances", "reviews",
)  # fmt: skip
REVIEWS = "reviews.csv"  # where `review import` keeps decisions, beside audit.toml
FAIL_ON = ("error", "warning", "info", "never")
QUALITY = ("stop", "warn")
ENGINES = ("duckdb", "dask")
OUTPUT = "reports/{period}"

_KEYS = {
    "period": str, "output": str, "fail_on": str, "quality": str, "report_rows": int, "workbook_rows": int,
    "with_text": bool, "inputs": dict, "payers": dict, "unit_method": dict, "parameters": dict, "mappings": list,
    "required_modifiers": dict, "pairs": list, "reference": str, "locality": str, "lexicon": str, "as_of": str,
    "fees": dict, "benchmarks": str, "catch_up": int, "deliver": dict,
    "previous": str, "rules": str, "deidentified": bool, "key": str, "workspace": str,
    "encrypt_to": list,
}  # fmt: skip

# Keys that are not taken as they stand.
_OWN_FORM = {
    "inputs", "mappings", "output", "pairs", "reference", "lexicon", "fees", "benchmarks", "deliver", "previous",
    "rules", "key", "workspace",
}  # fmt: skip

TEMPLATE = """\
# therapy-audit: what is audited and how. Paths are relative to this file; globs such as claims/*.csv are fine.
# Run it with: therapy-audit run audit.toml

# Service dates to report on: "2026", "2026-Q1", "2026-03", "2026-01-01..2026-03-31" or "last-month" (the month before
# as_of, else before today). Left out: all dates of the claims. Earlier claims of the year still count toward the KX
# threshold.
# period = "2026-Q1"

# The day that the run looks from: claims sent and remittances paid after it do not count. Left out: all that is given.
# as_of = "2026-04-15"

# Folder of the report; it is replaced as a whole, and only when a run succeeds. {period} stands for the period.
# Left out: "reports/{period}", as in reports/2026-03.
# output = "reports/{period}"

# With period "last-month": also make up for the months since the last good report, at most so many at once (0: none).
# catch_up = 12

# The earlier report that this one is compared with, or "none". Left out: of the reports beside it the last one before
# its period's end.
# previous = "reports/2025-Q4"

# Exit with 1 where there are findings of this severity or above: "error", "warning", "info" or "never".
# fail_on = "never"

# What to do when the data fails a critical quality check: "stop" (exit 2) or "warn".
# quality = "stop"

# Most rows shown in report.html and findings.xlsx; findings.parquet always has all.
# report_rows = 100000
# workbook_rows = 10000

# Medicare locality by whose indices amounts are expected where the claims have no allowed amount: contractor and
# locality number. Left out: no adjustment.
# locality = "10112-00"

# Mapping files for exports whose headers are not recognised; `therapy-audit map FILE` proposes one.
# mappings = ["mapping.yaml"]

# Folder of the official tables (NCCI edits, MUE, fee schedule, GPCI) that `therapy-audit reference load` put in place
# of the shipped ones. Left out: the folder reference beside this file, or in the current folder, if there is one.
# reference = "reference"

# Folder with the clinic's own words for what notes document, one YAML file per concept (docs/evidence.md).
# lexicon = "lexicon"

# Folder with rules of your own, such as a payer's contract asks for: YAML and SQL side by side (CONTRIBUTING.md).
# rules = "rules"

# Folder with what the last run made, so that the next one reads and builds only what is new or changed
# (docs/workspace.md). It holds patients' data; keep it as safe as the exports, and out of reports.
# workspace = "workspace"

# A report to share: pseudonyms in place of the numbers of patients, claims and clinicians, dates moved by patient, no
# text of notes (docs/security.md). The key is made where there is none; keep it apart from the report.
# deidentified = true
# key = "pseudonyms.key"

# Leave the report encrypted, as one file, to these public keys (`therapy-audit keygen` makes one, `decrypt` opens it).
# encrypt_to = ["age1..."]

# What clinicians elsewhere bill, in place of the peers in the data (docs/profiles.md): a CSV with the columns
# discipline, metric, p20, p50, p80.
# benchmarks = "benchmarks.csv"

[inputs]
claims = ["claims*.csv"]
notes = ["notes*.csv"]
# providers = ["providers.csv"]
# plans_of_care = ["plans_of_care.csv"]
# authorizations = ["authorizations.csv"]
# opening_balances = ["opening_balances.csv"]
# remittances = ["remittances*.csv"]
# What reviewers decided, as `therapy-audit review import` keeps it; or reviewed workbooks as they are. Left out:
# reviews.csv beside this file, if there is one.
# reviews = ["reviews.csv"]

# Payer names (* is any text, case does not matter) and the plan whose rules judge them. These come before the shipped
# ones. Plans: {plans}.
[payers]
# "MEDICARE*" = "medicare_part_b"

# How a plan's contract counts units, where it differs from the shipped setting: "cms" (minutes pooled, 8-minute rule)
# or "midpoint" (each code on its own).
[unit_method]
# aetna = "cms"

# Modifiers that a plan asks for, where it differs from the shipped setting: "discipline" (GP, GO, GN) and
# "assistant" (CQ, CO).
[required_modifiers]
# cigna = ["discipline", "assistant"]

# Values of your own for all dates, for all keys or by key. Names: {parameters}.
[parameters]
# "clinic.episode_gap_days" = 60
# "payers.daily_timed_unit_cap" = {cigna = 4}

# Pairs of codes that a plan pays on one day only with a modifier, beyond NCCI; a plan's pairs stand in place of the
# shipped ones. The modifier belongs on column two's line; with either_line it counts on column one's as well.
# [[pairs]]
# plan = "cigna"
# column_one = "97530"
# column_two = "97140"
# modifiers = ["59", "XE", "XS", "XP", "XU"]
# either_line = true

# Fee tables of payers' contracts, by plan: CSV with the columns hcpcs_code, modifier, fee, per (unit or line),
# effective_from, effective_to (docs/prices.md). What was allowed and paid is compared with them.
[fees]
# aetna = "aetna_fees.csv"

# Where a finished report goes (docs/scheduling.md). The folder must exist; it holds patient data, as the report does.
# [deliver]
# folder = "/srv/audits"
# files = ["*"]            # what is copied, such as ["report.html", "*.csv"]
# readable_by = "owner"    # or "group"

# A mail with the totals, the largest rules and where the report is; it holds no patient data and no attachment.
# The password is never written here: it is in a variable of the environment, or in a file that only its owner reads.
# [deliver.mail]
# host = "smtp.example.org"
# security = "starttls"    # or "tls"
# port = 587               # left out: 587, with tls 465
# user = "audit"
# password_env = "SMTP_PASSWORD"
# password_file = "smtp.password"    # in place of password_env
# from = "audit@example.org"
# to = ["compliance@example.org"]
# subject = "Therapy audit {period}: {findings} findings, {at_risk} at risk"
# ca_file = "ca.pem"       # where the server's certificate is of your own authority
"""


@dataclass(frozen=True)
class Config:
    """One run's settings. Paths in `inputs` and `mappings` are absolute or relative to the current folder."""

    inputs: Mapping[str, tuple[str, ...]]
    mappings: tuple[Path, ...] = ()
    period: str | None = None
    as_of: str | None = None
    output: Path | None = None
    fail_on: str = "never"
    quality: str = "stop"
    report_rows: int = 100_000
    workbook_rows: int = 10_000
    with_text: bool = False
    data_docs: bool = False
    payers: Mapping[str, str] = field(default_factory=dict)
    unit_method: Mapping[str, str] = field(default_factory=dict)
    required_modifiers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    pairs: Sequence[PayerPair] = ()
    fees: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    reference: Path | None = None
    lexicon: Path | None = None
    rules: Path | None = None
    benchmarks: Path | None = None
    workspace: Path | None = None
    previous: Path | None = None  # the folder; Path("none") for no comparison
    locality: str = "national"
    threads: int | None = None
    memory_limit: str | None = None
    engine: str = "duckdb"
    scheduler: str | None = None
    partitions: int | None = None
    exchange: str | None = None
    catch_up: int = 0
    deliver: delivery.Deliver | None = None
    deidentified: bool = False
    key: Path | None = None  # of the pseudonyms
    encrypt_to: Sequence[str] = ()  # public keys


def read(path: Path) -> Config:
    """Read audit.toml. AuditError says the file, the key and what would be right."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise AuditError(f"{path}: there is no such file; `therapy-audit init` writes one.") from None
    except RecursionError:
        raise AuditError(f"{path.name}: not readable as TOML (it nests too deep).") from None
    except (OSError, ValueError) as fault:  # a TOMLDecodeError, no UTF-8, a number of thousands of digits
        raise AuditError(f"{path.name}: not readable as TOML ({fault}).") from None
    _check(raw, path.name)
    here = path.resolve().parent
    named = {
        name: tuple(str(here / item) for item in ([files] if isinstance(files, str) else files))
        for name, files in raw.get("inputs", {}).items()
    }
    return Config(
        inputs=reviews_beside(here) | named,
        mappings=tuple(here / item for item in raw.get("mappings", ())),
        output=here / raw.get("output", OUTPUT),
        pairs=tuple(_pair(item, path.name) for item in raw.get("pairs", ())),
        reference=here / raw["reference"] if "reference" in raw else reference_beside(here),
        fees=fees.files_of(raw.get("fees", {}), here, path.name),
        lexicon=here / raw["lexicon"] if "lexicon" in raw else None,
        rules=here / raw["rules"] if "rules" in raw else None,
        key=here / raw["key"] if "key" in raw else None,
        workspace=here / raw["workspace"] if "workspace" in raw else None,
        benchmarks=here / raw["benchmarks"] if "benchmarks" in raw else None,
        deliver=delivery.settings(raw["deliver"], here, path.name) if "deliver" in raw else None,
        previous=previous_of(raw["previous"], here) if "previous" in raw else None,
        **{key: raw[key] for key in raw if key not in _OWN_FORM},
    )


def reference_beside(folder: Path) -> Path | None:
    """Return the folder of loaded reference tables where none was named: `reference`, if there is one."""
    return folder / "reference" if (folder / "reference").is_dir() else None


def reviews_beside(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the input of reviewers' decisions where none was named: `reviews.csv`, if there is one."""
    return {"reviews": (str(folder / REVIEWS),)} if (folder / REVIEWS).is_file() else {}


def previous_of(named: str, folder: Path) -> Path:
    """Return the report to compare with; Path("none") turns the comparison off."""
    return Path(named) if named == "none" else folder / named


def settled(config: Config) -> Config:
    """Return the config with `last-month` and the output folder as what they are on this day.

    Last month is the one before `as_of`, else before today: the same settings with an `as_of` always mean one period.
    """
    period = config.period
    if period == "last-month":
        period = f"{span(period, day(config.as_of) if config.as_of else None)[0]:%Y-%m}"
    elif period:
        span(period)
    if config.as_of:
        day(config.as_of)
    named = str(config.output or OUTPUT)
    if config.deidentified and "{period}" in named:
        named += deidentify.SUFFIX  # never in place of the report with names
    return replace(config, period=period, output=Path(named.replace("{period}", period or "all")))


def today() -> date:
    """Return the day where this machine is; the variable TZ tells another time zone."""
    return datetime.now().astimezone().date()


def span(period: str, looked_from: date | None = None) -> tuple[date, date]:
    """Return the first and last service date of a period such as 2026, 2026-Q1, 2026-03 or last-month."""
    if period == "last-month":
        last = (looked_from or today()).replace(day=1) - timedelta(days=1)
        return last.replace(day=1), last
    try:
        if found := re.fullmatch(r"(\d{4})", period):
            return date(int(found[1]), 1, 1), date(int(found[1]), 12, 31)
        if found := re.fullmatch(r"(\d{4})-Q([1-4])", period, re.IGNORECASE):
            return _months(int(found[1]), int(found[2]) * 3 - 2, 3)
        if found := re.fullmatch(r"(\d{4})-(\d{2})", period):
            return _months(int(found[1]), int(found[2]), 1)
        first, dots, last_text = period.partition("..")
        if dots and date.fromisoformat(first) <= date.fromisoformat(last_text):
            return date.fromisoformat(first), date.fromisoformat(last_text)
    except ValueError:
        pass
    raise AuditError(
        f"Period '{period}' is not one; write 2026, 2026-Q1, 2026-03, 2026-01-01..2026-03-31 or last-month."
    )


def day(as_of: str) -> date:
    """Return the day that a run looks from."""
    try:
        return date.fromisoformat(as_of)
    except ValueError:
        raise AuditError(f"as_of '{as_of}' is not a date; write it as 2026-04-15.") from None


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    following = month + count
    after = date(year + (following - 1) // 12, (following - 1) % 12 + 1, 1)
    return date(year, month, 1), after - timedelta(days=1)


def _check(raw: dict[str, Any], name: str) -> None:
    for key, value in raw.items():
        if key not in _KEYS:
            raise AuditError(f"{name}: unknown key '{key}'. There are: {', '.join(_KEYS)}.")
        if not isinstance(value, _KEYS[key]):
            raise AuditError(
                f"{name}: {key} must be a {_KEYS[key].__name__}, as in the file that `therapy-audit init` writes."
            )
    for key in ("report_rows", "workbook_rows"):
        if isinstance(raw.get(key), bool) or not 0 <= raw.get(key, 0) <= 1_000_000:
            raise AuditError(f"{name}: {key} must be a whole number from 0 to 1000000.")
    if isinstance(raw.get("catch_up"), bool) or not 0 <= raw.get("catch_up", 0) <= 120:
        raise AuditError(f"{name}: catch_up must be a number of months from 0 to 120.")
    if not all(isinstance(item, str) for item in raw.get("encrypt_to", [])):
        raise AuditError(f'{name}: encrypt_to must be a list of public keys, such as ["age1..."].')
    if not all(isinstance(item, str) for item in raw.get("mappings", [])):
        raise AuditError(f'{name}: mappings must be a list of file names, such as ["mapping.yaml"].')
    for key, files in raw.get("inputs", {}).items():
        if key not in INPUTS:
            raise AuditError(f"{name}: [inputs] knows no '{key}'. There are: {', '.join(INPUTS)}.")
        if not isinstance(files, str) and not (
            isinstance(files, list) and all(isinstance(item, str) for item in files)
        ):
            raise AuditError(f'{name}: [inputs] {key} must be a file or a list of files, such as ["claims*.csv"].')
    for key, allowed in (("fail_on", FAIL_ON), ("quality", QUALITY)):
        if raw.get(key, allowed[0]) not in allowed:
            raise AuditError(f"{name}: {key} '{raw[key]}' is not one of {', '.join(allowed)}.")
    for plan, method in raw.get("unit_method", {}).items():
        if method not in ("cms", "midpoint"):
            raise AuditError(f"{name}: [unit_method] {plan} is '{method}'; it must be cms or midpoint.")
    for plan, modifiers in raw.get("required_modifiers", {}).items():
        if not isinstance(modifiers, list) or not all(item in ("discipline", "assistant") for item in modifiers):
            raise AuditError(f'{name}: [required_modifiers] {plan} must be a list of "discipline" and "assistant".')
    for parameter, given in raw.get("parameters", {}).items():
        for value in given.values() if isinstance(given, dict) else [given]:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise AuditError(
                    f"{name}: [parameters] {parameter} must be a number of 0 or more, or such numbers by key."
                )


def _pair(raw: Any, name: str) -> PayerPair:
    """Return one of [[pairs]]; AuditError shows a right one."""
    keys = {"plan", "column_one", "column_two", "modifiers"}
    if (
        isinstance(raw, dict)
        and keys <= set(raw) <= keys | {"either_line"}
        and all(isinstance(raw[key], str) for key in keys - {"modifiers"})
        and isinstance(raw["modifiers"], list)
        and raw["modifiers"]
        and all(isinstance(item, str) for item in raw["modifiers"])
        and isinstance(raw.get("either_line", False), bool)
    ):
        return PayerPair(
            raw["plan"],
            raw["column_one"].upper(),
            raw["column_two"].upper(),
            tuple(item.upper() for item in raw["modifiers"]),
            raw.get("either_line", False),
        )
    raise AuditError(
        f'{name}: each of [[pairs]] must be like plan = "cigna", column_one = "97530", column_two = "97140", '
        'modifiers = ["59"], and may have either_line = true.'
    )
