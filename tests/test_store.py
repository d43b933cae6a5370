"""What the evidence stage puts into its tables: places in the texts, what is read and what is not, in any order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from therapy_audit import engine
from therapy_audit.errors import AuditError
from therapy_audit.notes import reading, store
from therapy_audit.notes.lexicon import ELEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

TASK = (
    "Practised getting in and out of the bathtub over a bench, verbal cues for hand placement, contact guard, so that"
    " she can bathe at home without her daughter. Tolerated well, pain 2/10."
)
TABLES = ("service_text", "text_evidence", "evidence_span", "text_measure")
# A service's own text without the spaces around it, or its note's; a note without services is service 0.
PLACES = """
    SELECT
        note_service.hcpcs_code,
        coalesce(nullif(trim(note_service.text), ''), visit_note.text) AS text,
        place.*
    FROM (
        SELECT text_number, element AS kind, span_start, span_end FROM evidence_span
        UNION ALL
        SELECT text_number, 'measure', span_start, span_end FROM text_measure
    ) AS place
    JOIN service_text ON place.text_number = service_text.text_number
    JOIN visit_note ON service_text.note_id = visit_note.note_id
    LEFT JOIN note_service
        ON service_text.note_id = note_service.note_id AND service_text.service_number = note_service.service_number
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the contract tables and the codes, for all tests."""
    with engine.connect() as database:
        engine.prepare_codes(database)
        yield database


@pytest.fixture
def con(shared: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The database without notes."""
    return emptied(shared)


def emptied(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    for table in (*TABLES, "visit_note", "note_service"):
        con.execute(f"DELETE FROM {table}")
    return con


def add(
    con: duckdb.DuckDBPyConnection, note_id: str, *services: tuple[str | None, str | None], text: str | None = None
) -> None:
    """Add a note with services, each a code and a text."""
    con.execute(
        "INSERT INTO visit_note (note_id, patient_id, service_date, text, source_file, source_row)"
        " VALUES (?, 'p', DATE '2026-03-02', ?, 'notes.csv', 2)",
        [note_id, text],
    )
    for number, (code, own) in enumerate(services, 1):
        con.execute(
            "INSERT INTO note_service (note_id, service_number, patient_id, service_date, hcpcs_code, minutes, text,"
            " source_file, source_row) VALUES (?, ?, 'p', DATE '2026-03-02', ?, 15, ?, 'notes.csv', 2)",
            [note_id, number, code, own],
        )


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    ((rows,),) = con.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)


def places(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = con.execute(PLACES).to_arrow_table().to_pylist()
    return found


def evidence(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return the only row of text_evidence."""
    (row,) = con.execute("FROM text_evidence").to_arrow_table().to_pylist()
    return dict(row)


def test_a_text_is_read_with_its_elements_level_and_time(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "n", ("97530", f"{TASK} 9:05-9:30, 25 min."))
    assert store.fill(con) == 1
    row = evidence(con)
    assert {name for name in ELEMENTS if row[name]} == set(ELEMENTS)
    assert (row["narrative"], row["assist_level"], row["minutes"]) == ("functional", "contact_guard", 25)
    assert (str(row["start_time"]), str(row["stop_time"])) == ("09:05:00", "09:30:00")


@pytest.mark.parametrize(
    "before",
    [
        "",
        "Größe geprüft, naïve ½ € ",
        "\N{AUTOMOBILE}\N{GRINNING FACE}\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-6} ",
        "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL} ",
        "Cafe\N{COMBINING ACUTE ACCENT} \N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE} ",
        "日本語のメモ。\r\n\t",
        "\N{BYTE ORDER MARK}",
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_spans_are_characters_of_the_text(con: duckdb.DuckDBPyConnection, before: str, whole: bool) -> None:
    text = before + TASK
    add(con, "n", *([] if whole else [("97530", text)]), text=text if whole else None)
    store.fill(con)
    found = {
        (one["kind"], one["text"][one["span_start"] : one["span_end"]])
        for one in places(con)
        if one["kind"] != "measure"
    }
    # The reader cuts the words out of the bytes, the table holds characters: both must be the same words.
    (answer,) = reading.read([text], [None if whole else "97530"]).to_pylist()
    assert found == {(name, part["text"]) for name, one in answer["elements"].items() for part in one["evidence"]}
    assert {"verbal cues", "Tolerated well"} <= {words for _, words in found}


def test_spans_are_there_where_the_element_is(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "a", ("97530", TASK))
    add(con, "b", ("97530", "Ther act 15 min."))
    store.fill(con)
    for name in ELEMENTS:
        told = con.execute(
            f"SELECT {name} FROM text_evidence AS read ORDER BY text_number IN"
            " (SELECT text_number FROM evidence_span WHERE element = ?)",
            [name],
        ).fetchall()
        assert told == [(False,), (True,)]


def test_the_same_text_under_one_code_is_read_once(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "a", ("97530", TASK), ("97530", TASK))
    add(con, "b", ("97530", TASK))
    assert store.fill(con) == 1
    assert (count(con, "service_text"), count(con, "text_evidence")) == (3, 1)
    assert count(con, "evidence_span") == count(con, "(FROM evidence_span SELECT DISTINCT *)")


def test_the_same_text_under_two_codes_is_read_for_each(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "a", ("97530", "97530: 15 min, 97535: 10 min."), ("97535", "97530: 15 min, 97535: 10 min."))
    assert store.fill(con) == 2
    minutes = con.execute(
        "SELECT service_number, minutes FROM service_text JOIN text_evidence USING (text_number) ORDER BY ALL"
    ).fetchall()
    assert minutes == [(1, 15), (2, 10)]


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_no_text_leaves_no_row(con: duckdb.DuckDBPyConnection, nothing: str | None) -> None:
    add(con, "a", ("97530", nothing), text=nothing)
    add(con, "b", text=nothing)
    assert store.fill(con) == 0
    assert [count(con, table) for table in TABLES] == [0, 0, 0, 0]


def test_no_notes(con: duckdb.DuckDBPyConnection) -> None:
    assert store.fill(con) == 0


def test_which_text_a_service_has(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "none", text=TASK)
    add(con, "own", ("97530", "Made the bed."), text=TASK)
    add(con, "shared", ("97530", None), ("97535", "Shaved at the sink."), ("97110", " "), text=TASK)
    add(con, "uncoded", (None, "Made tea."), text=TASK)
    store.fill(con)
    told = con.execute("SELECT note_id, service_number, text_source FROM service_text ORDER BY ALL").fetchall()
    assert told == [
        ("none", 0, "note"),
        ("own", 1, "service"),
        ("shared", 1, "note"),
        ("shared", 2, "service"),
        ("shared", 3, "note"),
        ("uncoded", 1, "service"),
    ]


def test_what_is_no_skilled_activity_is_not_read(con: duckdb.DuckDBPyConnection) -> None:
    add(con, "a", ("97140", TASK), ("97035", TASK), text=TASK)
    assert store.fill(con) == 0
    # Without minutes in a field the text may state them.
    con.execute("UPDATE note_service SET minutes = NULL WHERE hcpcs_code = '97140'")
    assert store.fill(con) == 1


def test_a_clinics_own_words_are_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    add(con, "a", ("97530", "Zorbed the patient at the pelvis while pt flimbed the grotch and grundled snibs."))
    (tmp_path / "cue.yaml").write_text("terms: [zorbed]\n", encoding="utf-8")
    store.fill(con, tmp_path)
    assert evidence(con)["skilled_direction"]
    assert [one["text"][one["span_start"] : one["span_end"]] for one in places(con)] == ["Zorbed"]
    for table in TABLES:
        con.execute(f"DELETE FROM {table}")
    store.fill(con)
    assert not evidence(con)["skilled_direction"]


def test_a_folder_of_words_that_is_not_there(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    add(con, "a", ("97530", TASK))
    with pytest.raises(AuditError, match="no such folder"):
        store.fill(con, tmp_path / "none")


def contents(threads: int, monkeypatch: pytest.MonkeyPatch, batch: int, at_once: int) -> dict[str, list[Any]]:
    """Return the four tables' rows over 300 texts, read by so many threads, so many texts at a time."""
    pools: list[int] = []

    def pool(size: int) -> ThreadPoolExecutor:
        pools.append(size)
        return ThreadPoolExecutor(size)

    monkeypatch.setattr(store, "ThreadPoolExecutor", pool)
    monkeypatch.setattr(reading, "BATCH", batch)
    monkeypatch.setattr(store, "_AT_ONCE", at_once)
    tasks = ("Car transfers, sit first then legs in", "Made tea: filled the kettle", "LAQ 3 x 10", "STM R UT")
    levels = ("min A", "SBA", "mod I", "\N{AUTOMOBILE} CGA", "")
    with engine.connect(threads=threads) as con:
        engine.prepare_codes(con)
        for number in range(300):
            text = f"{tasks[number % 4]} x {number % 75}, verbal cues, {levels[number % 5]}. Pain {number % 7}/10."
            add(con, f"n{number}", (("97530", "97110")[number % 2], text))
            # As many say a text again, with the whole note for it.
            add(con, f"again n{number}", (("97530", "97110")[number % 2], None), text=text)
        assert store.fill(con) == 300
        assert pools == [threads]
        return {table: con.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in TABLES}


def test_texts_that_only_whole_notes_state_are_read_in_portions(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_AT_ONCE", 3)
    con.execute("BEGIN")  # also of rows that nobody else can see yet
    for number in range(20):
        add(con, f"a{number}", ("97530", f"{TASK} {number} ft"))
        add(con, f"b{number}", text=f"  {TASK} {number} ft")
    assert store.fill(con) == 40
    assert (count(con, "text_evidence"), count(con, "service_text")) == (40, 40)
    con.execute("COMMIT")


def test_threads_and_portions_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    one = contents(1, monkeypatch, 4_000, 200_000)
    assert all(one[table] for table in ("service_text", "text_evidence", "evidence_span"))
    assert contents(4, monkeypatch, 16, 200_000) == one
    assert contents(4, monkeypatch, 7, 40) == one


PHRASES = [
    "97530:", "pt performed car transfer x 4", "with verbal cues", "min A", "so that she can drive to work",
    "sit to stand", "tolerated well", "pain 2/10", "TUG 14 s", "9:05-9:30", "25 min", "LTG #2", "no", "another patient",
    "O:", "P: next", "-", "*", ".", "\n", "\r\n", "\t", "\0", "\x1b", "\N{AUTOMOBILE}", "é", "日本", "½",
    "____", "LAQ 3 x 10",
]  # fmt: skip
# Surrogates alone are no text that a file or a database could hold.
# What the database trims: the space separators of Unicode, not line breaks.
BLANKS = " \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=2_000)
BITS = st.sampled_from(PHRASES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
CHARTED = st.lists(BITS, max_size=150)
TEXTS = st.lists(ANY | CHARTED.map(lambda words: " ".join(words)[:2_000]), min_size=1, max_size=5)


@example(texts=["9223372036854775296", "1e400", "9" * 400], whole=False)  # more than any number that is asked for
@given(texts=TEXTS, whole=st.booleans())
@settings(max_examples=80, deadline=None)
def test_any_text_is_read(shared: duckdb.DuckDBPyConnection, texts: list[str], whole: bool) -> None:
    con = emptied(shared)
    for number, text in enumerate(texts):
        add(con, str(number), *([] if whole else [("97530", text)]), text=text if whole else None)
    assert store.fill(con) == count(con, "text_evidence") <= len(set(texts))
    assert count(con, "service_text") == sum(text.strip(BLANKS) != "" for text in texts)
    seen = places(con)
    for one in seen:
        assert 0 <= one["span_start"] < one["span_end"] <= len(one["text"])
    read = [text if whole else text.strip(BLANKS) for text in texts]
    answers = reading.read(read, [None if whole else "97530"] * len(read)).to_pylist()
    assert {
        (one["text"], one["kind"], one["text"][one["span_start"] : one["span_end"]])
        for one in seen
        if one["kind"] != "measure"
    } == {
        (text, name, part["text"])
        for text, answer in zip(read, answers, strict=True)
        for name, one in answer["elements"].items()
        for part in one["evidence"]
    }
