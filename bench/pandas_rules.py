"""Five rules as one would write them in pandas, to hold the SQL ones against: the same answers, and what each takes.

All begin with what the audit's shared tables hold (frames of therapy_line, note_day, expected_payment and the code
tables), whole in memory. Amounts are in cents, since a sum of floats would not meet a threshold exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What each frame is read with.
FRAMES = {
    "line": (
        "SELECT line_id, claim_id, claim_line_number, patient_id, service_date, discipline, modifier_discipline, plan,"
        " hcpcs_code, units, timed, untimed, always_therapy, second_bill, discipline_modifier_count, setting,"
        " coalesce(billing_npi, '') AS billing_npi, ncci_bypass, has_kx, has_liability_modifier,"
        " (100 * allowed_amount)::BIGINT AS allowed_cents FROM therapy_line"
    ),
    "note_day": "SELECT patient_id, service_date, discipline, timed_minutes FROM note_day",
    "expected": "SELECT line_id, (100 * expected_allowed)::BIGINT AS expected_cents FROM expected_payment",
    "opening": "SELECT patient_id, year, pool, (100 * amount)::BIGINT AS opening_cents FROM patient_opening_balance",
    "plan": "SELECT plan FROM plan WHERE counts_toward_kx_threshold",
    "pair": "SELECT column_one, column_two, setting, modifier_indicator, effective_from, effective_to FROM ncci_pair",
    "parameter": "SELECT name, key, value, effective_from, effective_to FROM parameter",
    "scope": (
        "SELECT rule, plan, greatest(effective_from, period_start) AS first_date,"
        " least(effective_to, period_end) AS last_date FROM rule_scope CROSS JOIN audit_period"
    ),
}
# The models that the SQL of a rule needs and its pandas version works out as well; and what both tell of a finding.
MODELS: Mapping[str, tuple[str, ...]] = {
    "medicare.discipline_modifier_missing": (),
    "medicare.untimed_code_multiple_units": (),
    "medicare.ncci_pair_without_modifier": ("ncci_hit",),
    "medicare.timed_units_exceed_minutes": ("timed_visit",),
    "medicare.kx_missing": ("kx_ledger",),
}
TOLD = {
    "medicare.discipline_modifier_missing": "hcpcs_code",
    "medicare.untimed_code_multiple_units": "units",
    "medicare.ncci_pair_without_modifier": "column_one",
    "medicare.timed_units_exceed_minutes": "units_allowed",
    "medicare.kx_missing": "(100 * balance_before)::BIGINT",
}
_VISIT = ["patient_id", "service_date", "discipline", "plan"]


def in_scope(rows: pd.DataFrame, scope: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the rows of the rule's plans on its dates."""
    parts = [
        rows[
            rows["service_date"].between(one.first_date, one.last_date)
            & ((rows["plan"] == one.plan) | (one.plan == "*"))
        ]
        for one in scope[scope["rule"] == rule].itertuples()
    ]
    return pd.concat(parts)


def discipline_modifier_missing(frames: Mapping[str, pd.DataFrame], rule: str) -> pd.DataFrame:
    """Lines of always-therapy codes without GP, GO or GN."""
    line = in_scope(frames["line"], frames["scope"], rule)
    found = line[line["always_therapy"] & (line["discipline_modifier_count"] == 0)]
    return _told(found, "hcpcs_code")


def untimed_code_multiple_units(frames: Mapping[str, pd.DataFrame], rule: str) -> pd.DataFrame:
    """Lines of untimed codes with more than one unit."""
    line = in_scope(frames["line"], frames["scope"], rule)
    return _told(line[line["untimed"] & (line["units"] > 1)], "units")


def ncci_pair_without_modifier(frames: Mapping[str, pd.DataFrame], rule: str) -> pd.DataFrame:
    """Lines that an edit denies beside another line of the day, and that no modifier lets through."""
    pair = frames["pair"][frames["pair"]["modifier_indicator"] == 1]
    line = frames["line"][
        ["claim_id", "claim_line_number", "patient_id", "service_date", "plan", "setting", "billing_npi", "hcpcs_code",
         "ncci_bypass"]
    ]  # fmt: skip
    line = line[line["hcpcs_code"].isin({*pair["column_one"], *pair["column_two"]})]
    first = line.merge(pair, left_on=["hcpcs_code", "setting"], right_on=["column_one", "setting"])
    first = first[first["service_date"].between(first["effective_from"], first["effective_to"])]
    both = first.merge(
        line,
        left_on=["patient_id", "service_date", "setting", "column_two"],
        right_on=["patient_id", "service_date", "setting", "hcpcs_code"],
        suffixes=("_one", ""),
    )
    biller = (
        (both["billing_npi_one"] == both["billing_npi"]) | (both["billing_npi_one"] == "") | (both["billing_npi"] == "")
    )
    payer = (both["plan_one"] == both["plan"]) | (both["plan_one"].isna() & both["plan"].isna())
    both = both[biller & payer]
    either = frames["parameter"][frames["parameter"]["name"] == "medicare.ncci_modifier_on_either_line"]
    on_either = pd.Series(data=False, index=both.index)
    for one in either[either["value"] == 1].itertuples():
        on_either |= both["service_date"].between(one.effective_from, one.effective_to)
    found = in_scope(both[~(both["ncci_bypass"] | (both["ncci_bypass_one"] & on_either))], frames["scope"], rule)
    told = found.groupby(["claim_id", "claim_line_number"])["column_one"].agg(
        lambda codes: ", ".join(sorted(set(codes)))
    )
    return _told(told.reset_index(), "column_one")


def timed_units_exceed_minutes(frames: Mapping[str, pd.DataFrame], rule: str) -> pd.DataFrame:
    """Visits that bill more timed units than the 8-minute rule makes of the note's minutes."""
    timed = frames["line"][frames["line"]["timed"] & ~frames["line"]["second_bill"]]
    visit = (
        timed.sort_values(["claim_id", "claim_line_number"])
        .groupby(_VISIT, dropna=False, sort=False)
        .agg(
            claim_id=("claim_id", "first"),
            claim_line_number=("claim_line_number", "first"),
            lines=("claim_id", "size"),
            lines_with_units=("units", "count"),
            units=("units", "sum"),
        )
        .reset_index()
    )
    visit = visit[visit["lines"] == visit["lines_with_units"]]
    visit = visit.merge(frames["note_day"], on=["patient_id", "service_date", "discipline"])
    visit = visit[visit["timed_minutes"].notna()]
    visit["units_allowed"] = (visit["timed_minutes"] + 7) // 15
    return _told(in_scope(visit[visit["units"] > visit["units_allowed"]], frames["scope"], rule), "units_allowed")


def kx_missing(frames: Mapping[str, pd.DataFrame], rule: str) -> pd.DataFrame:
    """Lines without KX that begin at or past the year's threshold of the patient's allowed charges."""
    line = frames["line"][frames["line"]["plan"].isin(frames["plan"]["plan"])]
    line = line[line["always_therapy"] | (line["discipline_modifier_count"] > 0)]
    line = line.merge(frames["expected"], on="line_id", how="left")
    uncovered = line["allowed_cents"].isna() & line["has_liability_modifier"]
    line["cents"] = line["allowed_cents"].fillna(line["expected_cents"]).mask(uncovered, 0).fillna(0)
    line["year"] = line["service_date"].dt.year
    routed = line["modifier_discipline"].fillna(line["discipline"])
    line["pool"] = routed.map(lambda discipline: "OT" if discipline == "OT" else "PT+SLP")
    line = line.sort_values(["service_date", "claim_id", "claim_line_number"])
    pool = ["patient_id", "year", "pool"]
    opening = frames["opening"].groupby(pool)["opening_cents"].sum().reset_index()
    line = line.merge(opening, on=pool, how="left")
    line["balance"] = line.groupby(pool)["cents"].cumsum() - line["cents"] + line["opening_cents"].fillna(0)
    threshold = frames["parameter"][frames["parameter"]["name"] == "medicare.kx_threshold"]
    line = line.merge(threshold, left_on="pool", right_on="key")
    line = line[line["service_date"].between(line["effective_from"], line["effective_to"])]
    found = line[(line["balance"] >= 100 * line["value"]) & ~line["has_kx"] & ~line["has_liability_modifier"]]
    return _told(in_scope(found, frames["scope"], rule), "balance")


def _told(found: pd.DataFrame, column: str) -> pd.DataFrame:
    return found[["claim_id", "claim_line_number"]].assign(told=found[column].map(_text))


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, (int, float)) else str(value)


RULES: Mapping[str, Callable[[Mapping[str, pd.DataFrame], str], pd.DataFrame]] = {
    "medicare.discipline_modifier_missing": discipline_modifier_missing,
    "medicare.untimed_code_multiple_units": untimed_code_multiple_units,
    "medicare.ncci_pair_without_modifier": ncci_pair_without_modifier,
    "medicare.timed_units_exceed_minutes": timed_units_exceed_minutes,
    "medicare.kx_missing": kx_missing,
}
