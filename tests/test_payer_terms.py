"""A payer's terms as a user sets them in audit.toml: counting method, cap, pairs, modifiers asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import therapy_audit as ta
from therapy_audit import config
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path

CLAIMS = """\
Claim #,Line,Patient ID,Payer,DOS,CPT,Mod 1,Units,Allowed
C1,1,P1,CIGNA,2026-03-02,97530,,3,90
C1,2,P1,CIGNA,2026-03-02,97140,,1,30
C2,1,P2,AETNA,2026-03-02,97530,,2,60
C2,2,P2,AETNA,2026-03-02,97110,,3,90
"""
NOTES = """\
Note ID,Patient ID,DOS,Discipline,Credential,Total Timed Minutes,CPT,Minutes,Assistant Minutes
N1,P1,2026-03-02,PT,PT,60,97530,40,40
N1,P1,2026-03-02,PT,PT,60,97140,20,0
N2,P2,2026-03-02,PT,PT,75,97530,30,0
N2,P2,2026-03-02,PT,PT,75,97110,45,0
"""


def findings(tmp_path: Path, settings: str) -> set[tuple[str, str]]:
    (tmp_path / "claims.csv").write_text(CLAIMS, encoding="utf-8")
    (tmp_path / "notes.csv").write_text(NOTES, encoding="utf-8")
    toml = tmp_path / "audit.toml"
    toml.write_text(
        f'quality = "warn"\noutput = "report"\n{settings}\n[inputs]\nclaims = "claims.csv"\nnotes = "notes.csv"\n',
        encoding="utf-8",
    )
    with ta.run(toml) as audit:
        return set(audit.sql("SELECT rule, claim_id FROM finding").fetchall())


CAP = "payers.unit_cap.daily_timed_units_exceeded"
PAIR = "payers.pair_rules.pair_without_modifier"


def test_as_shipped(tmp_path: Path) -> None:
    assert findings(tmp_path, "") == {(CAP, "C2"), (PAIR, "C1")}


@pytest.mark.parametrize(
    ("settings", "more", "less"),
    [
        ("[parameters]\n'payers.daily_timed_unit_cap' = {cigna = 3}", {(CAP, "C1")}, set()),
        ("[parameters]\n'payers.daily_timed_unit_cap' = {aetna = 5}", set(), {(CAP, "C2")}),
        ("[parameters]\n'payers.daily_timed_unit_cap' = 6", set(), {(CAP, "C2")}),
        (
            "[required_modifiers]\ncigna = ['discipline']",
            {("medicare.discipline_modifier_missing", "C1")},
            set(),
        ),
        ("[required_modifiers]\ncigna = ['assistant']", {("medicare.assistant_modifier_missing", "C1")}, set()),
        (
            "[[pairs]]\nplan = 'aetna'\ncolumn_one = '97530'\ncolumn_two = '97110'\nmodifiers = ['59']",
            {(PAIR, "C2")},
            set(),
        ),
        (
            "[[pairs]]\nplan = 'cigna'\ncolumn_one = '97535'\ncolumn_two = '97110'\nmodifiers = ['59']",
            set(),
            {(PAIR, "C1")},
        ),
    ],
)
def test_a_users_terms_stand_in_place_of_the_shipped_ones(
    tmp_path: Path, settings: str, more: set[tuple[str, str]], less: set[tuple[str, str]]
) -> None:
    assert findings(tmp_path, settings) == ({(CAP, "C2"), (PAIR, "C1")} | more) - less


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[required_modifiers]\ncigna = ['KX']", 'must be a list of "discipline" and "assistant"'),
        ("[required_modifiers]\nacme = ['discipline']", "[required_modifiers] knows no plan 'acme'"),
        ("[[pairs]]\nplan = 'cigna'", 'each of [[pairs]] must be like plan = "cigna"'),
        (
            "[[pairs]]\nplan = 'acme'\ncolumn_one = '97530'\ncolumn_two = '97140'\nmodifiers = ['59']",
            "[[pairs]] knows no plan 'acme'",
        ),
        ("[parameters]\n'payers.daily_timed_unit_cap' = {cigna = 'four'}", "must be a number of 0 or more, or such"),
    ],
)
def test_wrong_terms_are_told(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(AuditError) as caught:
        findings(tmp_path, settings)
    assert words in str(caught.value)


def test_template_can_be_uncommented(tmp_path: Path) -> None:
    lines = config.TEMPLATE.replace("{plans}", "x").replace("{parameters}", "y").splitlines()
    examples = [
        line[2:] if line.startswith(("# [[pairs]]", "# plan =", "# column_", "# modifiers =", "# either_")) else line
        for line in lines
    ]
    toml = tmp_path / "audit.toml"
    toml.write_text("\n".join(examples), encoding="utf-8")
    assert config.read(toml).pairs[0].modifiers == ("59", "XE", "XS", "XP", "XU")
