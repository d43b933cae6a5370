"""What a file gives: the tables of a batch, with their columns."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from therapy_audit.intake.x12.slices import cents

if TYPE_CHECKING:
    from therapy_audit.intake.x12.slices import Notes

MONEY = pa.decimal128(12, 2)
TOTAL = pa.decimal128(18, 2)  # of sums and counts
_TEXT, _LIST, _DATE, _NUMBER, _ROW = pa.string(), pa.list_(pa.string()), pa.date32(), pa.int32(), pa.int64()
_SOURCE: dict[str, Any] = {"source_file": _TEXT, "source_row": _ROW}

SCHEMAS: dict[str, dict[str, Any]] = {
    # One row per SV1 of a claim.
    "claim_line": {
        "claim_id": _TEXT,  # CLM01
        "claim_line_number": _NUMBER,  # LX01, or the line's place where those do not ascend
        "patient_id": _TEXT,  # the subscriber's member number; a dependent's own, or with a hash of name and birth
        "subscriber_id": _TEXT,
        "payer": _TEXT,  # 2010BB
        "payer_id": _TEXT,
        "service_date": _DATE,
        "service_date_to": _DATE,
        "hcpcs_code": _TEXT,
        "modifiers": _LIST,
        "units": _NUMBER,  # where SV103 is UN
        "minutes": _NUMBER,  # where SV103 is MJ
        "charge_amount": MONEY,
        "rendering_npi": _TEXT,  # line, else claim, else the billing provider where that is a person
        "billing_npi": _TEXT,
        "supervising_npi": _TEXT,
        "facility_npi": _TEXT,
        "place_of_service": _TEXT,
        "diagnosis_codes": _LIST,  # those that the line points to, in that order; all of the claim without pointers
        "claim_frequency_code": _TEXT,
        "original_claim_id": _TEXT,
        "prior_authorization": _TEXT,
        "line_control_number": _TEXT,
        "claim_charge_amount": MONEY,  # CLM02
        "submitted_date": _DATE,  # BHT04 of the transaction
        "claim_row": _ROW,  # the CLM's segment: which of several claims of one number
        **_SOURCE,
    },
    # One row per NPI that the file names, where first named; a second where it is first named with a taxonomy code.
    "provider": {"npi": _TEXT, "provider_name": _TEXT, "taxonomy_code": _TEXT, **_SOURCE},
    # One row per 835 transaction: a payment.
    "remittance": {
        "transaction_number": _NUMBER,  # 1, 2, ... within the file
        "remittance_id": _TEXT,  # the trace number; made from file and transaction where there is none
        "trace_number": _TEXT,
        "payer": _TEXT,
        "payer_id": _TEXT,
        "payee_id": _TEXT,
        "payment_method": _TEXT,  # BPR04
        "handling_code": _TEXT,  # BPR01
        "paid_amount": MONEY,  # negative where BPR03 is D
        "paid_date": _DATE,
        "production_date": _DATE,
        "control_number": _TEXT,  # ST02
        **_SOURCE,
    },
    # One row per CLP.
    "remittance_claim": {
        "transaction_number": _NUMBER,
        "remittance_id": _TEXT,
        "remittance_claim_number": _NUMBER,  # unique with transaction_number
        "claim_id": _TEXT,
        "claim_status_code": _TEXT,
        "charge_amount": MONEY,
        "paid_amount": MONEY,
        "patient_responsibility_amount": MONEY,
        "claim_filing_code": _TEXT,
        "payer_claim_control_number": _TEXT,
        "place_of_service": _TEXT,
        "claim_frequency_code": _TEXT,
        "patient_id": _TEXT,
        "subscriber_id": _TEXT,
        "rendering_npi": _TEXT,
        "original_claim_id": _TEXT,  # REF*F8
        "service_date": _DATE,
        "service_date_to": _DATE,
        "received_date": _DATE,
        "coverage_amount": MONEY,  # AMT*AU
        "adjustments_repeated": pa.bool_(),  # the claim's adjustments are those of its services once more
        **_SOURCE,
    },
    # One row per SVC; one of kind 'claim' for a CLP without any.
    "remittance_line": {
        "transaction_number": _NUMBER,
        "remittance_id": _TEXT,
        "remittance_line_number": _NUMBER,  # unique with transaction_number
        "remittance_claim_number": _NUMBER,
        "line_kind": _TEXT,  # service, claim
        "claim_id": _TEXT,
        "claim_status_code": _TEXT,  # of its claim
        "payer": _TEXT,
        "patient_id": _TEXT,
        "service_date": _DATE,
        "service_date_to": _DATE,
        "hcpcs_code": _TEXT,
        "modifiers": _LIST,
        "billed_hcpcs_code": _TEXT,  # where the payer judged another code
        "billed_modifiers": _LIST,
        "units": _NUMBER,  # units paid; one where SVC05 is not given
        "billed_units": _NUMBER,  # SVC07, else the units paid
        "charge_amount": MONEY,
        "allowed_amount": MONEY,  # AMT*B6
        "paid_amount": MONEY,
        "patient_responsibility_amount": MONEY,  # adjustments of group PR, or CLP05
        "paid_date": _DATE,
        "rendering_npi": _TEXT,
        "line_control_number": _TEXT,
        **_SOURCE,
    },
    # One row per reason of a CAS.
    "remittance_adjustment": {
        "transaction_number": _NUMBER,
        "remittance_id": _TEXT,
        "remittance_claim_number": _NUMBER,
        "remittance_line_number": _NUMBER,  # null where the adjustment is one of the claim that has services
        "adjustment_number": _NUMBER,  # 1, 2, ... within the claim
        "level": _TEXT,  # claim, service
        "repeated": pa.bool_(),  # repeats those of the services: not to be counted again
        "group_code": _TEXT,
        "reason_code": _TEXT,
        "amount": MONEY,
        "quantity": pa.decimal128(12, 2),
        **_SOURCE,
    },
    # One row per adjustment of a PLB.
    "remittance_provider_adjustment": {
        "transaction_number": _NUMBER,
        "remittance_id": _TEXT,
        "adjustment_number": _NUMBER,  # 1, 2, ... within the payment
        "provider_id": _TEXT,
        "fiscal_period_date": _DATE,
        "reason_code": _TEXT,
        "reference_id": _TEXT,
        "amount": MONEY,  # positive takes from the payment
        **_SOURCE,
    },
    # One row per remark code of an LQ, MOA or MIA.
    "remittance_remark": {
        "transaction_number": _NUMBER,
        "remittance_id": _TEXT,
        "remittance_claim_number": _NUMBER,
        "remittance_line_number": _NUMBER,
        "level": _TEXT,
        "remark_code": _TEXT,
        **_SOURCE,
    },
    # One row per problem: nothing of what it names was guessed.
    "problem": {"code": _TEXT, "sentence": _TEXT, **_SOURCE},
    # One row per sum or count that does not agree.
    "imbalance": {"check": _TEXT, "place": _TEXT, "expected": TOTAL, "found": TOTAL, **_SOURCE},
}


def table(name: str, source_file: str, columns: dict[str, Any]) -> pa.Table:
    """Put a table together in its column order; source_file is added."""
    rows = len(columns["source_row"])
    complete = {**columns, "source_file": pa.repeat(pa.scalar(source_file), rows)}
    arrays = [_column(complete[column], kind) for column, kind in SCHEMAS[name].items()]
    return pa.Table.from_arrays(arrays, schema=_schema(name))


def _column(values: Any, kind: Any) -> Any:
    column = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return column if column.type == kind else column.cast(kind)


def empty(name: str) -> pa.Table:
    """Return a table without rows."""
    return _schema(name).empty_table()


@cache
def _schema(name: str) -> pa.Schema:
    return pa.schema(list(SCHEMAS[name].items()))


def noted(notes: Notes, source_file: str) -> dict[str, pa.Table]:
    """Return the tables problem and imbalance, in segment order."""
    found = {}
    if notes.problems:
        rows = np.concatenate([numbers for numbers, _, _ in notes.problems])
        order = np.argsort(rows, kind="stable")
        counts = [len(numbers) for numbers, _, _ in notes.problems]
        which = pa.array(np.repeat(np.arange(len(counts)), counts)[order])
        columns: dict[str, Any] = {
            "code": pa.array([code for _, code, _ in notes.problems]).take(which),
            "sentence": pa.array([sentence for _, _, sentence in notes.problems]).take(which),
            "source_row": rows[order],
        }
        found["problem"] = table("problem", source_file, columns)
    if notes.imbalances:
        rows = np.concatenate([numbers for numbers, *_ in notes.imbalances])
        order = np.argsort(rows, kind="stable")
        counts = [len(numbers) for numbers, *_ in notes.imbalances]
        which = pa.array(np.repeat(np.arange(len(counts)), counts)[order])
        columns = {
            "check": pa.array([check for _, check, *_ in notes.imbalances]).take(which),
            "place": pa.array([place for _, _, place, *_ in notes.imbalances]).take(which),
            "expected": cents(np.concatenate([item[3] for item in notes.imbalances])[order], kind=TOTAL),
            "found": cents(np.concatenate([item[4] for item in notes.imbalances])[order], kind=TOTAL),
            "source_row": rows[order],
        }
        found["imbalance"] = table("imbalance", source_file, columns)
    return found
