"""Overlaps of time blocks as the models find them, against counting minute by minute."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pytest

from therapy_audit import engine, rules

if TYPE_CHECKING:
    from collections.abc import Callable


class Block(NamedTuple):
    """A service between two minutes of one day; `minutes` are fewer than the block's where it was given in turns."""

    day: int
    clinician: str
    patient: str
    discipline: str
    start: int
    stop: int
    minutes: int


def blocks(seed: int, turns: bool) -> list[Block]:
    """Return random blocks of 300 days: two clinicians of two disciplines, three patients, in three hours."""
    draw = random.Random(seed)  # noqa: S311
    found = []
    for day in range(300):
        for _ in range(draw.randint(1, 7)):
            discipline = draw.choice(("PT", "OT"))
            start = 540 + draw.randint(0, 180)
            length = draw.randint(5, 40)
            minutes = draw.randint(1, length) if turns and draw.random() < 0.5 else length
            patient = f"{draw.choice('abc')}{day}"
            found.append(Block(day, f"{discipline}{day}", patient, discipline, start, start + length, minutes))
    return found


def models(given: list[Block], query: str) -> dict[str, int]:
    """Build the models over a claim line and a note per block and return {key: minutes}."""
    frame = pd.DataFrame(given).reset_index(names="number")  # noqa: F841  (read by DuckDB)
    common = (
        "patient AS patient_id, DATE '2026-01-01' + day::INTEGER AS service_date, '' AS source_file, 1 AS source_row"
    )
    with engine.connect() as con:
        engine.prepare(con, rules.load())
        con.execute(
            f"INSERT INTO visit_note BY NAME SELECT 'n' || number AS note_id, discipline, clinician AS rendering_npi,"
            f" 'daily' AS note_type, discipline AS clinician_credential, {common} FROM frame"
        )
        con.execute(
            f"INSERT INTO note_service BY NAME SELECT 'n' || number AS note_id, 1 AS service_number, '97110' AS"
            f" hcpcs_code, minutes, TIME '00:00' + to_minutes(start) AS start_time,"
            f" TIME '00:00' + to_minutes(stop) AS stop_time, {common} FROM frame"
        )
        con.execute(
            f"INSERT INTO claim_line BY NAME SELECT 'c' || number AS claim_id, 1 AS claim_line_number, '97110' AS"
            f" hcpcs_code, ['GP'] AS modifiers, 1 + number AS units, [] AS diagnosis_codes, discipline, {common}"
            " FROM frame"
        )
        engine.set_period(con)
        engine.build_models(con)
        return dict(con.execute(query).fetchall())


def minutes_taken(given: list[Block]) -> Counter[int]:
    """Count for each minute of the clock how many blocks hold it."""
    return Counter(minute for block in given for minute in range(block.start, block.stop))


def counted_twice(given: list[Block]) -> int:
    """Return the minutes that lie in a second block, a third ..."""
    return sum(times - 1 for times in minutes_taken(given).values())


def merged(given: list[Block], by: Callable[[Block], str]) -> list[set[int]]:
    """Return the minutes of the clock that each one's blocks cover."""
    covered: dict[str, set[int]] = {}
    for block in given:
        covered.setdefault(by(block), set()).update(range(block.start, block.stop))
    return list(covered.values())


def between_owners(given: list[Block], by: Callable[[Block], str]) -> int:
    """Return the minutes that a second owner's blocks hold as well, a third's ..."""
    covered = merged(given, by)
    return sum(map(len, covered)) - len(set().union(*covered))


@pytest.mark.parametrize("seed", [1, 2])
def test_blocks_of_one_visit(seed: int) -> None:
    given = blocks(seed, turns=False)
    found = models(given, "SELECT patient_id || discipline, overlap_minutes FROM visit WHERE overlap_minutes > 0")
    wanted = {
        patient + discipline: minutes
        for patient, discipline in {(block.patient, block.discipline) for block in given}
        if (minutes := counted_twice([b for b in given if (b.patient, b.discipline) == (patient, discipline)]))
    }
    assert found == wanted
    assert len(wanted) > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_one_patient_with_two_clinicians(seed: int) -> None:
    given = blocks(seed, turns=False)
    found = models(given, "SELECT patient_id, joint_minutes FROM cotreatment")
    wanted = {
        patient: minutes
        for patient in {block.patient for block in given}
        if (minutes := between_owners([b for b in given if b.patient == patient], lambda block: block.clinician))
    }
    assert found == wanted
    assert len(wanted) > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_one_clinician_with_two_patients(seed: int) -> None:
    given = blocks(seed, turns=False)
    query = "SELECT clinician_npi, double_booked_minutes FROM clinician_day WHERE double_booked_minutes > 0"
    found = models(given, query)
    wanted = {
        clinician: minutes
        for clinician in {block.clinician for block in given}
        if (minutes := between_owners([b for b in given if b.clinician == clinician], lambda block: block.patient))
    }
    assert found == wanted
    assert len(wanted) > 50


def test_turns_that_fit_the_clock_are_never_double_booked_and_all_that_do_not_are() -> None:
    given = blocks(3, turns=True)
    query = "SELECT clinician_npi, double_booked_minutes FROM clinician_day WHERE double_booked_minutes > 0"
    found = models(given, query)
    for clinician in {block.clinician for block in given}:
        mine = [block for block in given if block.clinician == clinician]
        solid = [block for block in mine if block.minutes == block.stop - block.start]
        sure = between_owners(solid, lambda block: block.patient) if solid else 0
        assert found.get(clinician, 0) >= sure
        if clinician in found and not sure:
            # Some stretch of the clock holds more minutes than it is long.
            assert any(
                sum(block.minutes for block in mine if begin <= block.start and block.stop <= end) > end - begin
                for begin in {block.start for block in mine}
                for end in {block.stop for block in mine}
            )
