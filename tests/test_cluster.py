"""The models built in parts, by patient and by clinician, are those of one machine, row by row."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from therapy_audit import closed, cluster, engine, pipeline, rules, shares, synth
from therapy_audit.config import Config
from therapy_audit.errors import AuditError
from therapy_audit.notes import store

distributed = pytest.importorskip("distributed")
fsspec = pytest.importorskip("fsspec")

if TYPE_CHECKING:
    from collections.abc import Iterator

_INPUTS = (
    "claims", "notes", "providers", "plans_of_care", "authorizations", "opening_balances", "remittances",
)  # fmt: skip
# All that a report or a rule reads, but for the steps of the models.
_RESULTS = ("finding", "finding_line", "coverage", "service_text", "text_evidence", "evidence_span", "text_measure")
_MOMENT = "1790000000"  # of the runs that are held against each other
# Parts are as many as files and queries: 64 of them take two minutes, whatever the data.
_PARTS = [1, 2, 7] + ([64] if "THERAPY_AUDIT_TEST_64_PARTITIONS" in os.environ else [])


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A small clinic's files."""
    folder = tmp_path_factory.mktemp("clinic")
    synth.write(folder, seed=9, lines=700, dirt=True)
    return Config(inputs={name: (str(folder / f"{name}.csv"),) for name in _INPUTS}, quality="warn")


@pytest.fixture(scope="module")
def loaded(clinic: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its contract tables, as a database."""
    database = tmp_path_factory.mktemp("loaded") / "audit.duckdb"
    with engine.connect(database) as con:
        pipeline.take_in(con, clinic, rules.load())
        engine.set_period(con)
    return database


@pytest.fixture(scope="module")
def whole(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with what one machine makes of it."""
    database = tmp_path_factory.mktemp("whole") / "audit.duckdb"
    database.write_bytes(loaded.read_bytes())
    with engine.connect(database) as con:
        store.fill(con)
        engine.build_models(con)
        engine.run_rules(con, rules.load().rules)
    return database


@pytest.fixture(scope="module")
def report(clinic: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of one machine that has memory for all at once."""
    folder = tmp_path_factory.mktemp("one") / "report"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOURCE_DATE_EPOCH", _MOMENT)
        pipeline.run(dataclasses.replace(clinic, output=folder))
    return folder


def _copied(loaded: Path, folder: Path) -> Path:
    database = folder / "audit.duckdb"
    database.write_bytes(loaded.read_bytes())
    return database


def _differences(con: duckdb.DuckDBPyConnection, whole: Path) -> list[str]:
    """Return the tables that one machine has otherwise; the rules are run first."""
    assert engine.run_rules(con, rules.load().rules) == {}
    con.execute(f"ATTACH '{whole}' AS whole (READ_ONLY)")
    return _other_tables(con)


def _other_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the tables of models and results that the attached database `whole` has otherwise."""
    models = [
        name
        for (name,) in con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'whole' AND NOT contains(sql, 'NOT NULL')"
        ).fetchall()
    ]
    assert {"therapy_line", "kx_ledger", "clinician_day"} <= set(models)
    different = []
    for name in dict.fromkeys((*models, *_RESULTS)):
        columns = con.execute(f'SELECT column_name, column_type FROM (DESCRIBE whole."{name}")').fetchall()
        assert columns == con.execute(f'SELECT column_name, column_type FROM (DESCRIBE "{name}")').fetchall(), name
        one, other = (f'SELECT * FROM {database}."{name}"' for database in ("whole.main", "main"))
        if any(con.execute(f"{a} EXCEPT ALL {b} LIMIT 1").fetchall() for a, b in ((one, other), (other, one))):
            different.append(name)
    return different


@pytest.mark.parametrize("parts", _PARTS)
def test_any_number_of_partitions_gives_the_same(loaded: Path, whole: Path, tmp_path: Path, parts: int) -> None:
    # The exchange may be any address that fsspec knows.
    with (
        cluster.exchange("memory://audits" if parts == 2 else str(tmp_path)) as root,
        engine.connect(_copied(loaded, tmp_path)) as con,
    ):
        lines = cluster.build(con, root, parts, cluster.alone)
        assert _differences(con, whole) == []
        assert len(lines) == parts
        assert [(sum(lines),)] == con.execute("SELECT count(*) FROM claim_line").fetchall()
    assert not list(tmp_path.glob("therapy-audit-*"))
    assert not fsspec.filesystem("memory").find("audits")


@pytest.mark.parametrize("in_order", [True, False])
def test_a_run_in_shares_writes_the_same_report(
    clinic: Config, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_order: bool
) -> None:
    """Also where files do not go by patient, and where memory lacks: what was added to a table of all stays single."""
    counts: list[int] = []
    works: list[Any] = []
    pressed: list[str] = []
    torn: list[str] = []
    mended: list[str] = []
    different: list[str] = []
    tried: set[tuple[str, str]] = set()
    kept: dict[str, set[str]] = {}
    needed, show, build, share_out = shares.needed, shares.Work.show, shares.build, shares.Work.share_out
    press, add_rows = shares.press, shares.Work.add_rows

    def shared_out(work: Any, con: duckdb.DuckDBPyConnection) -> list[tuple[int, int]]:
        lines = share_out(work, con)
        assert bool(lines) == in_order
        works.append(work)
        return lines

    def noted(con: duckdb.DuckDBPyConnection) -> int:
        counts.append(needed(con))
        return counts[-1]

    def lacking(work: Any, share: Any, name: str, hand: duckdb.DuckDBPyConnection) -> None:
        first = (share.name, name) not in tried and name != "treatment_day" and not (name in torn and share.number == 1)
        if work.turn[name] == share.turn and first:  # its rows have just been added
            tried.add((share.name, name))
            raise duckdb.OutOfMemoryException("not now")
        show(work, share, name, hand)

    def pressing(database: str, hand: duckdb.DuckDBPyConnection) -> None:
        pressed.append(database)
        if "text" in database or "treatment_day" in database:
            raise duckdb.OutOfMemoryException("not now")
        press(database, hand)

    class Tearing:
        """A connection on which a step's second insertion lacks memory as it is stored."""

        def __init__(self, hand: duckdb.DuckDBPyConnection, step: str) -> None:
            self.hand, self.step = hand, step

        def execute(self, sql: str) -> Any:
            if sql.startswith("INSERT") and self.step not in torn:
                torn.append(self.step)
                raise duckdb.TransactionException("Failed to commit: could not allocate block of size 256.0 KiB")
            if "ORDER BY rowid" in sql:
                mended.append(self.step)
            return self.hand.execute(sql)

    def adding(work: Any, share: Any, step: Any, hand: duckdb.DuckDBPyConnection) -> None:
        add_rows(work, share, step, cast("Any", Tearing(hand, step.name)))

    def watched(con: duckdb.DuckDBPyConnection, count: int, ruleset: Any, timed: Any) -> None:
        order = "patient_id" if in_order else "hash(claim_id)"
        con.execute("CREATE TEMP TABLE line AS FROM claim_line; DELETE FROM claim_line")
        con.execute(f"INSERT INTO claim_line FROM line ORDER BY {order}; DROP TABLE line")
        # All at once, of the same lines in the same order: then the numbers of rows are the same, too.
        engine.build_models(con, rules=ruleset)
        con.execute("ATTACH ':memory:' AS whole")
        for (table,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall():
            con.execute(f'CREATE TABLE whole.main."{table}" AS FROM "{table}"')
        build(con, count, ruleset, timed)
        different.extend(_other_tables(con))
        con.execute("DETACH whole")
        for database, table in con.execute("SELECT database_name, table_name FROM duckdb_tables()").fetchall():
            kept.setdefault(database, set()).add(table)
        steps = {step.name for step in closed.plan(con) if step.kind == "STEP"}
        kept["wanted"] = steps - engine.passing_steps(steps, rules.load().rules)

    monkeypatch.setattr(shares, "build", watched)
    monkeypatch.setattr(shares, "needed", noted)
    monkeypatch.setattr(shares, "_CROWDED", 2**20)
    monkeypatch.setattr(shares, "_LINE_BYTES", 3 * 2**19)
    monkeypatch.setattr(shares, "_FEWEST", 100)
    if not in_order:
        monkeypatch.setattr(shares, "_ROW_GROUP", 10)  # as if there were thousands of them
    monkeypatch.setattr(shares, "press", pressing)
    monkeypatch.setattr(shares.Work, "add_rows", adding)
    monkeypatch.setattr(shares.Work, "show", lacking)
    monkeypatch.setattr(shares.Work, "share_out", shared_out)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", _MOMENT)
    told: dict[str, float] = {}
    pipeline.run(dataclasses.replace(clinic, output=tmp_path / "report", memory_limit="400MiB"), told.__setitem__)
    assert different == []
    assert 5 <= counts[0] <= 8
    assert ("claim_line" in works[0].in_order) == in_order
    assert {'"service_text by share"', '"text_measure by share"', '"claim_history by share"'} <= set(pressed)
    assert len(pressed) == len(set(pressed))
    assert sorted(mended) == sorted(torn)
    assert set(torn) >= {"therapy_line", "kx_ledger"}
    assert len(tried) > 20 * counts[0]
    # What only shares and models read is gone, and the shares with it.
    assert kept.keys() == {"audit", engine.UNSAVED, "wanted"}
    assert kept[engine.UNSAVED] == kept["wanted"]
    assert told.keys() >= {"model therapy_line", "model clinician_day", "model kx_ledger_opening"}
    for name in ("findings.csv", "coverage.csv", "summary.json"):
        assert (report / name).read_bytes() == (tmp_path / "report" / name).read_bytes(), name


def test_no_memory_for_compressing_is_no_memory() -> None:
    class Hand:
        def execute(self, sql: str) -> None:
            raise duckdb.IOException(f"{sql} failed: failed to pin block")

    with pytest.raises(duckdb.OutOfMemoryException, match="CHECKPOINT one failed"):
        shares.press("one", cast("Any", Hand()))


@pytest.mark.parametrize(
    ("patient", "order", "known"),
    [
        ("'P' || lpad((i // 3)::VARCHAR, 7, '0')", "i", True),
        ("'P' || lpad((i // 3)::VARCHAR, 7, '0')", "i % 97 = 0, i", True),  # some rows stand at the end
        ("'P' || lpad((i // 3)::VARCHAR, 7, '0')", "hash(i)", False),
        ("'PATIENT-' || lpad((i // 3)::VARCHAR, 7, '0')", "i", False),  # all begin alike
    ],
)
def test_a_table_that_goes_by_patient_is_known(
    empty: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, patient: str, order: str, known: bool
) -> None:
    monkeypatch.setattr(shares, "_ROW_GROUP", 50)
    lines = _LINE.format(count=1000).replace("'P' || i // 3", patient)
    empty.execute(f"INSERT INTO claim_line BY NAME {lines} ORDER BY {order}")
    engine.attach_unsaved(empty)
    work = shares.Work(empty, shares.conditions(empty, 10), [])
    assert work.goes_by_patient("claim_line", empty) == known


def test_shares_are_as_many_as_it_takes(empty: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """One where all at once are as fast; else two at once are to fit, and none is so small that it does not pay."""
    empty.execute("INSERT INTO claim_line BY NAME " + _LINE.format(count=1000))
    empty.execute("SET memory_limit = '1GiB'")
    monkeypatch.setattr(shares, "_FEWEST", 10)
    for crowded, line_bytes, count in (
        (2**20, 2**22, 1),
        (2**30 // 1000 + 1, 2**30 // 1000, 2),
        (2**21, 2**22, 8),
        (2**21, 2**29, 100),
    ):
        monkeypatch.setattr(shares, "_CROWDED", crowded)
        monkeypatch.setattr(shares, "_LINE_BYTES", line_bytes)
        assert shares.needed(empty) == count, (crowded, line_bytes)


_LINE = """
    SELECT
        'C' || i AS claim_id, 1 AS claim_line_number, 'P' || i // 3 AS patient_id, DATE '2026-01-02' AS service_date,
        '97530' AS hcpcs_code, [] AS modifiers, [] AS diagnosis_codes, 'claims.csv' AS source_file, i AS source_row
    FROM range({count}) AS line (i)
"""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(alphabet="aB'%_0é ", max_size=3), min_size=1, max_size=8, unique=True), st.integers(1, 6))
def test_each_patient_is_in_one_share(patients: list[str], count: int) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE claim_line AS SELECT unnest(?::VARCHAR []) AS patient_id", [patients])
        conditions = shares.conditions(con, count)
        assert len(conditions) <= count
        con.execute("INSERT INTO claim_line VALUES (NULL), (''), ('zz')")  # of other tables
        for condition in conditions:
            assert con.execute(f"SELECT count(*) FROM claim_line WHERE {condition}").fetchall() > [(0,)]
        together = " UNION ALL ".join(f"SELECT patient_id FROM claim_line WHERE {one}" for one in conditions)
        rows = con.execute(f"({together}) EXCEPT ALL FROM claim_line").fetchall()
        assert rows == con.execute(f"FROM claim_line EXCEPT ALL ({together})").fetchall() == []


def test_turns_are_as_late_as_can_be(empty: duckdb.DuckDBPyConnection) -> None:
    steps = {step.name: step for step in closed.plan(empty)}
    turns = shares.turns(steps)
    for name, step in steps.items():
        assert turns[name] >= 0
        assert turns[name] % 2 == (step.key == "patient")
        readers = [turns[other.name] for other in steps.values() if name in other.needs]
        # What reads it comes no sooner, and is the reason that it is not one turn later.
        assert turns[name] <= min(readers, default=turns[name])
        assert turns[name] + 2 > min(readers, default=max(turns.values()))


# What the workers of the next tests do, in threads of this process; functions of a module need not be sent to them.
_begun: list[int] = []
_free = threading.Event()


def _slow_once(task: int) -> str:
    _begun.append(task)
    if task == 3 and _begun.count(3) == 1:
        _free.wait(60)
        return "late"
    return f"done {task}"


def _failing_once(task: int) -> str:
    _begun.append(task)
    if _begun.count(task) == 1:
        raise OSError("the share was not there")
    return f"done {task}"


@pytest.fixture
def client() -> Iterator[Any]:
    """Dask's client with two workers that are threads."""
    _begun.clear()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as local,
        distributed.Client(local) as opened,
    ):
        yield opened


@pytest.mark.filterwarnings("default")
def test_a_task_of_a_slow_worker_is_begun_again_elsewhere(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "in_worker", _slow_once)
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    tasks: Any = range(4)
    found: Any = cluster.on_client(client, tasks)
    assert found == ["done 0", "done 1", "done 2", "done 3"]
    assert _begun.count(3) == 2
    _free.set()


@pytest.mark.filterwarnings("default")
def test_a_task_that_fails_is_tried_again(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "in_worker", _failing_once)
    tasks: Any = range(2)
    found: Any = cluster.on_client(client, tasks)
    assert found == ["done 0", "done 1"]
    assert sorted(_begun) == [0, 0, 1, 1]


def test_clinicians_are_spread_by_their_rows() -> None:
    with engine.connect() as con:
        con.execute(
            "CREATE TABLE block AS SELECT 'npi' || n AS npi"
            " FROM (SELECT n, unnest(range(CASE WHEN n = 5 THEN 1000 ELSE 10 + n END)) FROM range(8) AS t(n))"
        )
        con.execute("INSERT INTO block VALUES (NULL)")
        cluster.spread(con, [("block", "npi")], 3)
        rows = con.execute("SELECT part, list(npi ORDER BY items DESC) FROM clinician_part GROUP BY part ORDER BY part")
        # By size 5, 7, 6 go there, 4, 3, 2 back, 1 and 0 there again.
        assert rows.fetchall() == [(0, ["npi5", "npi2", "npi1"]), (1, ["npi7", "npi3", "npi0"]), (2, ["npi6", "npi4"])]


@pytest.fixture
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.connect() as con:
        engine.prepare(con, rules.load())
        yield con


def _closed(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Put other keys in the place of those of rules/grains.yaml."""
    found = rules.grains()
    models = dataclasses.replace(found.models, **changes)
    monkeypatch.setattr(rules, "grains", lambda: dataclasses.replace(found, models=models))


def test_a_model_reads_only_what_its_key_allows(
    empty: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = {step.name: step for step in closed.plan(empty)}
    models = rules.grains().models
    assert {step.key for step in steps.values()} == {"patient", "clinician", "whole", "any"}
    assert all(steps[name].key == "patient" for name in models.patient)
    assert steps["therapy_line"].needs >= {"therapy_line_note_span"}
    assert "visit_note" in steps["therapy_line_note_span"].reads
    assert steps["therapy_line"].needs == {*steps["therapy_line"].needs, "therapy_line_note_span"}
    _closed(monkeypatch, patient={**models.patient, "clinician_day": ()})
    with pytest.raises(RuntimeError, match="clinician_day is closed under a patient and reads double_booking"):
        closed.plan(empty)
    _closed(monkeypatch, patient={**models.patient, "no_model": ()})
    with pytest.raises(RuntimeError, match="there is no model no_model"):
        closed.plan(empty)
    _closed(monkeypatch, patient={**models.patient, "therapy_line": ("no_part",)})
    with pytest.raises(RuntimeError, match="there is no CTE no_part to take out for therapy_line_no_part"):
        closed.plan(empty)
    _closed(monkeypatch, patient=models.patient, clinician={**models.clinician, "double_booking": {}})
    with pytest.raises(RuntimeError, match="whose is a row of time_block"):
        closed.plan(empty)
    without = {name: parts for name, parts in models.patient.items() if name != "repeated_line"}
    _closed(monkeypatch, patient=without, clinician=models.clinician)
    with pytest.raises(RuntimeError, match="repeated_line reads line_discipline, modifier_set, which means nothing"):
        closed.plan(empty)


def test_a_model_under_the_wrong_key_is_seen(
    loaded: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a partition's average price is, is not the clinic's: the comparison has to tell."""
    models = rules.grains().models
    _closed(monkeypatch, patient={**models.patient, "code_price": ()})
    with engine.connect(_copied(loaded, tmp_path)) as con:
        cluster.build(con, str(tmp_path / "exchange"), 2, cluster.alone)
        assert "finding" in _differences(con, whole)


@pytest.mark.filterwarnings("default")  # those of Dask and of what it brings
def test_a_run_whose_worker_is_killed_writes_the_same_report(
    clinic: Config, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", _MOMENT)
    one, many = report, tmp_path / "report"
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        """Kill the first worker that is seen at work."""
        while not killed and not over.wait(0.02):
            with suppress(ValueError, OSError):  # there is no client yet, or not any more
                client = distributed.default_client()
                if client.status != "running":  # it is the default before it knows its scheduler
                    continue
                busy = sorted(address for address, tasks in client.processing().items() if tasks)
                for number in client.run(os.getpid, workers=busy[:1]).values() if busy else ():
                    os.kill(number, signal.SIGKILL)
                    killed.append(number)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        pipeline.run(dataclasses.replace(clinic, output=many, engine="dask", partitions=3, threads=2))
    finally:
        over.set()
        killing.join()
    assert len(killed) == 1
    names = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(many) for path in many.rglob("*") if path.is_file()}
    for name in names - {Path("audit.duckdb"), Path("manifest.json")}:
        assert (one / name).read_bytes() == (many / name).read_bytes(), name
    mine, theirs = (json.loads((folder / "manifest.json").read_text()) for folder in (one, many))
    lines = theirs.pop("partitions")["claim_lines"]
    assert (len(lines), sum(lines)) == (3, mine["rows"]["claim_line"])
    assert mine == theirs


@pytest.mark.filterwarnings("default")
def test_workers_that_cannot_do_the_same_are_told(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.workers(client.scheduler.address) as found, cluster.exchange(str(tmp_path)) as root:
        found.look(root)
        with pytest.raises(AuditError, match="--exchange: 2 of 2 workers do not see the folder"):
            found.look(str(tmp_path / "elsewhere"))
        asked: list[str] = []

        def versioned(name: str) -> str:
            asked.append(name)
            return "1.0" if len(asked) <= 4 else "2.0"

        monkeypatch.setattr(cluster, "version", versioned)
        with pytest.raises(AuditError, match="install the same everywhere"):
            found.look(root)
    with pytest.raises(AuditError, match="no Dask scheduler answers there"), cluster.workers("tcp://127.0.0.1:1"):
        pass


def test_usage_is_told(clinic: Config, tmp_path: Path) -> None:
    config = dataclasses.replace(clinic, output=tmp_path / "report", engine="dask", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(AuditError, match="--scheduler needs --exchange"):
        pipeline.run(config)
    assert not (tmp_path / "report").exists()


def test_tables_come_back_with_their_types(tmp_path: Path) -> None:
    row = "SELECT 99999999999999999999999999999999999999::HUGEINT AS h, [1::HUGEINT] AS l, TIME '08:30' AS t,"
    row += " {'a': 1.25::DECIMAL(12, 2), 'b': NULL::DATE} AS s, 3::UTINYINT AS u"
    with engine.connect() as con:
        con.execute(f"CREATE TABLE made AS {row}")
        types = closed.types_of(con, "made")
        file = f"{tmp_path}/{uuid.uuid4().hex}/made.parquet"
        cluster.write(con, f"SELECT {cluster.written(types)} FROM made", file)
        con.execute(f"CREATE TABLE back AS {cluster.reading(cluster.Input(types, (file,)))}")
        con.execute(f"CREATE TABLE none AS {cluster.reading(cluster.Input(types, ()))}")
        assert closed.types_of(con, "back") == closed.types_of(con, "none") == types
        assert con.execute("FROM back").fetchall() == con.execute("FROM made").fetchall()
        assert con.execute("FROM none").fetchall() == []
