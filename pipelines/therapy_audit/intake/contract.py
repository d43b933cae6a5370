"""What each input kind may bring: its contract columns, how each is read, the headers that name them (rules/intake)."""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from therapy_audit.resources import folder, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

# How a column's cells are read, where it is not plain text. List kinds take several headers.
_DATES = (
    "service_date received_date submitted_date signed_date cosigned_date start_date end_date certified_date sent_date "
    "referral_date reviewed_on valid_until"
)
_MONEY = "charge_amount allowed_amount paid_amount patient_responsibility_amount amount"
_WORDS = "discipline note_type assist_level cue_level clinician_credential credential pool disposition"
_IDENTIFIERS = (
    "claim_id patient_id note_id original_claim_id claim_frequency_code place_of_service plan_of_care_id "
    "authorization_id remittance_id line_control_number prior_authorization finding_id "
    "facts_hash"
)
READ_AS: dict[str, str] = (
    dict.fromkeys([*_DATES.split(), "paid_date"], "date")
    | dict.fromkeys(_MONEY.split(), "money")
    | dict.fromkeys(_WORDS.split(), "word")
    | dict.fromkeys(_IDENTIFIERS.split(), "identifier")
    | dict.fromkeys(["rendering_npi", "billing_npi", "supervising_npi", "npi"], "npi")
    | dict.fromkeys(["units", "visits_authorized", "units_authorized"], "whole")
    | dict.fromkeys(["claim_line_number", "service_number", "remittance_line_number"], "number")
    | dict.fromkeys(["minutes", "assistant_minutes", "total_timed_minutes", "total_minutes"], "minutes")
    | {"year": "year"}
    | dict.fromkeys(["start_time", "stop_time"], "time")
    | {
        "hcpcs_code": "code",
        "modifiers": "modifiers",
        "diagnosis_codes": "list",
        "text": "lines",
        "service_text": "lines",
    }
    | dict.fromkeys(
        ["adjustment_group_code", "adjustment_reason_code", "adjustment_remark_code", "adjustment_amount"],
        "side_by_side",
    )
)
SEVERAL_HEADERS = {"modifiers": ",", "list": ",", "lines": "\n", "side_by_side": "\x1f"}

TABLES: dict[str, str] = {
    "claims": "claim_line",
    "notes": "visit_note",
    "providers": "provider",
    "plans_of_care": "plan_of_care",
    "authorizations": "authorization",
    "opening_balances": "patient_opening_balance",
    "remittances": "remittance_line",
    "reviews": "review",
}


@dataclass(frozen=True)
class Contract:
    """One input kind: `columns` gives each contract column its header synonyms as keys, the best first.

    Of the `required` columns those of `may_be_empty` need a header, and not a value in each row.
    """

    input: str
    table: str
    required: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    may_be_empty: tuple[str, ...] = ()


def header_key(header: str) -> str:
    """Return what headers are compared by: letters and digits, lower case ('#' counts as 'number' does: not at all)."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", header).lower())


def _keys(synonyms: list[object]) -> tuple[str, ...]:
    """Expand '#' at a synonym's end to numbers and letters; keep the order, drop repeats."""
    found: dict[str, None] = {}
    for synonym in map(str, synonyms):
        tails = [""]
        if "#" in synonym:
            tails = [*map(str, range(1, 13)), *(f"0{n}" for n in range(1, 10)), *string.ascii_lowercase[:5]]
        found |= dict.fromkeys(header_key(synonym.replace("#", tail)) for tail in tails)
    return tuple(found)


def _data(name: str) -> Any:
    return parsed((folder("rules") / "intake" / name).read_text(encoding="utf-8"))


@cache
def contract(input_name: str) -> Contract:
    """Return the contract of an input kind."""
    content = _data(f"{input_name}.yaml")
    columns = {name: _keys(synonyms) for name, synonyms in content["columns"].items()}
    own_names = {
        name: (header_key(name), *(key for key in keys if key != header_key(name))) for name, keys in columns.items()
    }
    return Contract(
        input_name,
        TABLES[input_name],
        tuple(content["required"]),
        own_names,
        tuple(content.get("may_be_empty", ())),
    )


@cache
def private_headers() -> frozenset[str]:
    """Return the keys of headers that carry names, birth dates and addresses."""
    content = _data("private.yaml")
    return frozenset(header_key(str(header)) for header in content["headers"])


@cache
def words(column: str) -> Mapping[str, str]:
    """Return {wording's key: contract value} of a column that is read through a word list."""
    name = "credential" if column == "clinician_credential" else column
    content = _data(f"words/{name}.yaml")
    return {header_key(str(wording)): value for value, wordings in content.items() for wording in [value, *wordings]}


@cache
def title_words() -> frozenset[str]:
    """Return the words that follow a clinician's name: those of credentials and of academic degrees."""
    content = _data("words/credential.yaml")
    wordings = [str(wording) for value, known in content.items() for wording in [value, *known]]
    return frozenset(word for wording in wordings for word in re.findall(r"[a-z]+", wording.lower()))
