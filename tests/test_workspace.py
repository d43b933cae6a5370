"""A run with a workspace says what a full run says, to the byte, and does again only what is new or changed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pytest

import crash
from therapy_audit import config as settings
from therapy_audit import engine, incremental, intake, pipeline, rules, synth, workspace
from therapy_audit.config import Config
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash
from therapy_audit.intake import x12
from therapy_audit.intake.keeping import Keep
from therapy_audit.notes import lexicon, reading, store

_BY_MONTH = ("claims", "notes", "remittances")
_OTHERS = ("providers", "plans_of_care", "authorizations", "opening_balances")
_NUMBERS = {"visit_id", "remitted_id"}  # of rows: others in every database


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small clinic's files of a quarter, those of claims, notes and remittances in three parts."""
    folder = tmp_path_factory.mktemp("clinic")
    synth.write(folder, seed=9, lines=700, dirt=True, x12=True)
    with duckdb.connect() as con:
        con.execute("SET preserve_insertion_order = true")
        for name in _BY_MONTH:
            # A row whose date is spoilt is of the first part.
            con.execute(
                "CREATE OR REPLACE TABLE given AS"
                " SELECT *, CASE WHEN day > DATE '2026-03-24' THEN 3 WHEN day > DATE '2026-02-10' THEN 2 ELSE 1 END"
                " AS of_month FROM (SELECT *, try_strptime(DOS, ['%m/%d/%Y', '%Y-%m-%d'])::DATE AS day"
                f" FROM read_csv('{folder}/{name}.csv', all_varchar = TRUE, header = TRUE))"
            )
            for month in (1, 2, 3):
                con.execute(
                    f"COPY (SELECT * EXCLUDE (of_month, day) FROM given WHERE of_month = {month})"
                    f" TO '{folder}/{name}-{month}.csv' (HEADER)"
                )
    return folder


def _config(clinic: Path, months: tuple[int, ...] = (1, 2, 3), **given: Any) -> Config:
    inputs = {name: tuple(str(clinic / f"{name}-{month}.csv") for month in months) for name in _BY_MONTH}
    inputs |= {name: (str(clinic / f"{name}.csv"),) for name in _OTHERS}
    return Config(inputs=inputs, quality="warn", previous=Path("none"), **given)


def _built(config: Config, folder: Path, database: Path) -> dict[str, int]:
    """Build the tables of a run with a workspace, without report; return for how many patients each step was built."""
    ruleset = pipeline.rules_of(config)
    with workspace.opened(folder) as kept:
        with engine.connect(database) as con:
            pipeline.take_in(con, config, ruleset, kept.files)
            engine.set_period(con)
            words = lexicon.fingerprint(config.lexicon)
            told = kept.build(con, ruleset.rules, words, config.lexicon, lambda _name, _seconds: None, lambda: None)
            engine.lock(con)
        kept.keep(database)
        kept.commit()
    return told


def _in_full(config: Config, database: Path) -> Path:
    """Build the same tables without a workspace."""
    ruleset = pipeline.rules_of(config)
    with engine.connect(database) as con:
        pipeline.take_in(con, config, ruleset)
        engine.set_period(con)
        store.fill(con, config.lexicon)
        engine.build_models(con)
        unsaved = "SELECT table_name FROM duckdb_tables() WHERE database_name = ?"
        steps = [name for (name,) in con.execute(unsaved, [engine.UNSAVED]).fetchall()]
        for name in steps:  # so that they can be compared too
            con.execute(f'CREATE TABLE "step {name}" AS FROM "{name}"')
    return database


def _told_apart(table: str, database: str, columns: list[str]) -> str:
    """Return the query of a table with the keys of claim lines in place of their numbers in a database."""
    listed, joined = [], f"{table} AS given"
    for name in columns:
        if name in {"line_id", "payable_line_id"}:
            joined += f" LEFT JOIN {database}.main.claim_line AS of_{name} ON given.{name} = of_{name}.rowid"
            listed += [f"of_{name}.{key}" for key in ("claim_id", "claim_version", "claim_line_number")]
        elif name not in _NUMBERS:
            listed.append(f'given."{name}"')
    return f"SELECT {', '.join(listed) or '1'} FROM {joined}"


def _differences(folder: Path, full: Path) -> list[str]:
    """Return the tables and steps that the last run of a workspace has otherwise than a full run."""
    run = folder / json.loads((folder / "workspace.json").read_text())["run"]
    with duckdb.connect() as con:
        for name, file in (("report", run / "audit.duckdb"), ("steps", run / "steps.duckdb"), ("whole", full)):
            con.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        found = dict(
            con.execute(
                "SELECT database_name || '.main.' || quoted, 'whole.main.'"
                " || CASE database_name WHEN 'steps' THEN '\"step ' || table_name || '\"' ELSE quoted END"
                " FROM (SELECT *, '\"' || table_name || '\"' AS quoted FROM duckdb_tables())"
                " WHERE database_name IN ('report', 'steps') AND table_name <> 'digest'"
                " AND table_name NOT LIKE '%\\_span' ESCAPE '\\' AND table_name NOT LIKE '%\\_known' ESCAPE '\\'"
            ).fetchall()
        )
        assert len(found) > 80
        different = []
        for mine, theirs in found.items():
            columns = [name for name, *_ in con.execute(f"DESCRIBE {mine}").fetchall()]
            assert columns == [name for name, *_ in con.execute(f"DESCRIBE {theirs}").fetchall()], mine
            one, other = (
                _told_apart(table, database, columns) for table, database in ((mine, "report"), (theirs, "whole"))
            )
            if any(con.execute(f"{a} EXCEPT ALL {b} LIMIT 1").fetchall() for a, b in ((one, other), (other, one))):
                different.append(mine)
    return different


@pytest.fixture(scope="module")
def two_months(clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a run of the first two months."""
    folder = tmp_path_factory.mktemp("two") / "workspace"
    told = _built(_config(clinic, (1, 2)), folder, folder.parent / "audit.duckdb")
    assert set(told.values()) == {-1}
    return folder


@pytest.fixture
def folder(two_months: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(two_months, tmp_path / "workspace"))


@pytest.fixture(scope="module")
def full(clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a full run makes of all three months."""
    return _in_full(_config(clinic), tmp_path_factory.mktemp("full") / "audit.duckdb")


def test_a_month_more(clinic: Path, folder: Path, full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    texts: list[int] = []
    loading = import_module("therapy_audit.intake.load")
    sheets, reading_of = loading.sheets, reading.read

    def opened(con: Any, path: Path, *more: Any) -> Any:
        read.append(path.name)
        return sheets(con, path, *more)

    def looked_at(given: Any, *more: Any, **how: Any) -> Any:
        texts.append(len(given))
        return reading_of(given, *more, **how)

    monkeypatch.setattr(loading, "sheets", opened)
    monkeypatch.setattr(reading, "read", looked_at)
    told = _built(_config(clinic), folder, tmp_path / "audit.duckdb")
    assert _differences(folder, full) == []
    assert sorted(read) == [f"{name}-3.csv" for name in sorted(_BY_MONTH)]
    with duckdb.connect(str(full), read_only=True) as con:
        ((new, patients, all_texts),) = con.execute(
            "SELECT count(DISTINCT patient_id) FILTER (service_date > DATE '2026-03-24'), count(DISTINCT patient_id),"
            " (SELECT count(*) FROM text_evidence) FROM claim_line"
        ).fetchall()
    assert new <= told["treatment_day"] < patients - 3
    assert 0 < sum(texts) < all_texts / 2
    # The next one has nothing to do, whatever the order of the files.
    turned = _config(clinic, (3, 1, 2))
    told = _built(turned, folder, tmp_path / "again.duckdb")
    assert (len(read), told.pop("activity_measure"), set(told.values())) == (3, -1, {0})
    assert _differences(folder, full) == []


def test_whom_a_changed_row_reaches() -> None:
    """Of tables and parts that name no patient, or whose rows are told apart by the line that they are of."""
    steps, last_steps = incremental.STEPS, incremental.LAST_STEPS
    with engine.connect() as con, ExitStack() as opened:
        engine.prepare(con, rules.load())
        con.execute(
            """INSERT INTO claim_line
                (claim_id, claim_line_number, patient_id, payer, service_date, hcpcs_code, modifiers, rendering_npi,
                diagnosis_codes, source_file, source_row)
            SELECT 'C' || patient, line, patient, 'PAYER ' || patient, day, '97530', [], 'N' || patient, [], 'f', line
            FROM (VALUES ('A', DATE '2026-01-05'), ('B', DATE '2026-03-05'), ('D', DATE '2026-05-05')) t (patient, day)
            CROSS JOIN (VALUES (1), (2)) AS line (line);
            INSERT INTO visit_note (note_id, patient_id, service_date, rendering_npi, source_file, source_row)
            SELECT 'V' || patient_id, patient_id, service_date, rendering_npi, 'n' || patient_id, 1
            FROM claim_line WHERE claim_line_number = 1;
            INSERT INTO provider (npi, credential, source_file, source_row)
            SELECT 'N' || patient, 'PT', 'p', 1 FROM (VALUES ('A'), ('B'), ('D')) AS t (patient);
            INSERT INTO payer_plan SELECT DISTINCT payer, 'medicare_part_b' FROM claim_line;
            CREATE TEMP TABLE line_payment AS
            SELECT rowid AS line_id, claim_line_number * 10 AS paid_amount FROM claim_line;
            CREATE TEMP TABLE therapy_line_note_span AS
            SELECT min(service_date) AS first_note_date, DATE '2026-03-01' AS last_note_date FROM visit_note;
            CREATE TEMP TABLE visit_practice AS SELECT TRUE AS start_stop_practised;"""
        )
        asked = ("line_payment", "therapy_line_note_span", "visit_practice")

        def compared(*, take_over: bool) -> Any:
            building = incremental.Building(con, [], opened, take_over=take_over, timed=lambda _name, _seconds: None)
            con.execute(
                f"CREATE OR REPLACE TABLE {steps}.digest (name VARCHAR, key VARCHAR, items BIGINT, sum HUGEINT)"
            )
            con.execute("CREATE OR REPLACE TEMP TABLE touched (source VARCHAR, patient_id VARCHAR)")
            building.compare_inputs()
            for name in asked:
                building.compare(name)
            return building.built.reach

        for name in (steps, last_steps, incremental.LAST):
            con.execute(f"ATTACH ':memory:' AS {name}")
        compared(take_over=False)
        con.execute(f"CREATE TABLE {incremental.LAST}.claim_line AS FROM claim_line")
        for name in ("digest", "therapy_line_note_span"):
            con.execute(f"CREATE TABLE {last_steps}.{name} AS FROM {steps}.{name}")
        con.execute(f"DROP TABLE {steps}.therapy_line_note_span")
        con.execute(
            """UPDATE provider SET credential = 'PTA' WHERE npi = 'NA';
            UPDATE payer_plan SET plan = 'aetna' WHERE payer = 'PAYER B';
            -- What the two lines of a patient were paid, the other way round.
            UPDATE line_payment SET paid_amount = 30 - paid_amount
            WHERE line_id IN (SELECT rowid FROM claim_line WHERE patient_id = 'D');
            UPDATE therapy_line_note_span SET last_note_date = DATE '2026-04-01';
            UPDATE visit_practice SET start_stop_practised = FALSE"""
        )
        reach = compared(take_over=True)
        assert set(con.execute("FROM touched").fetchall()) == {
            ("provider", "A"), ("payer_plan", "B"), ("line_payment", "D"), ("therapy_line_note_span", "B"),
        }  # fmt: skip
        assert reach["therapy_line_note_span"].touched_by == {"therapy_line_note_span"}
        assert reach["visit_practice"].touched_by is None


def test_x12_files_are_not_read_again(clinic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With lines that cannot be used, a claim file that repeats claims otherwise, and one that repeats all payments."""
    claims, paid = (clinic / name for name in ("claims.837", "remittances.835"))
    for name, content in (
        ("a.837", claims.read_bytes().replace(b"SV1*HC:97110", b"SV1*HC:", 3)),
        ("b.837", claims.read_bytes().replace(b"SV1*HC:97530", b"SV1*HC:97112", 5)),
        ("a.835", paid.read_bytes()),
        ("b.835", paid.read_bytes() + b"\n"),
    ):
        (tmp_path / name).write_bytes(content)
    inputs = intake.Inputs({"claims": (str(tmp_path / "*.837"),), "remittances": (str(tmp_path / "*.835"),)})
    found: list[dict[str, tuple[int, int]]] = []
    for old, new in ((None, None), (None, "one"), ("one", "two"), ("two", "three")):
        if new:
            (tmp_path / new).mkdir()
        keep = Keep(tmp_path / old if old else None, tmp_path / new, "") if new else None
        if old:
            monkeypatch.setattr(x12, "batches", lambda *_given: pytest.fail("a file is read again"))
        with engine.connect() as con:
            engine.create_tables(con)
            intake.load(con, inputs, keep)
            tables = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
            found.append(
                {
                    name: con.execute(f'SELECT count(*), sum(hash(t)) FROM "{name}" AS t').fetchall()[0]
                    for name in tables
                }
            )
    assert all(
        found[0][name][0] for name in ("claim_line", "remittance_line", "quarantine", "x12_imbalance", "provider")
    )
    assert found[1:] == [found[0]] * 3


def test_files_that_were_changed_or_withdrawn(clinic: Path, folder: Path, tmp_path: Path) -> None:
    changed = tmp_path / "clinic"
    shutil.copytree(clinic, changed)
    # One claim less, another day's units, a note without its signature, a plan and a clinician that are not known.
    for name, old, new in (("claims-1", ",1,", ",2,"), ("notes-2", "PT,", "PTA,")):
        lines = (changed / f"{name}.csv").read_text().splitlines(keepends=True)
        lines[5] = lines[5].replace(old, new, 1)
        del lines[9]
        (changed / f"{name}.csv").write_text("".join(lines))
    for name in ("providers", "plans_of_care", "authorizations"):
        lines = (changed / f"{name}.csv").read_text().splitlines(keepends=True)
        del lines[2]
        (changed / f"{name}.csv").write_text("".join(lines))
    config = _config(changed, (1, 2))
    without = dataclasses.replace(config, inputs={**config.inputs, "remittances": config.inputs["remittances"][1:]})
    told = _built(without, folder, tmp_path / "audit.duckdb")
    assert told["treatment_day"] > 0
    assert _differences(folder, _in_full(without, tmp_path / "full.duckdb")) == []


def _edited(folder: Path, statements: str) -> None:
    """Change the tables of a workspace's last run, as if it had left them so."""
    run = folder / json.loads((folder / "workspace.json").read_text())["run"]
    with duckdb.connect(str(run / "audit.duckdb")) as con:
        con.execute(statements)
    about = json.loads((run / "run.json").read_text())
    about["hashes"]["audit.duckdb"] = file_hash(run / "audit.duckdb")
    (run / "run.json").write_text(json.dumps(about))


# Of other software, or read by other words, a run is as good as none.
@pytest.mark.parametrize(
    "damage", ["database", "file of rows", "what is told", "mark", "software", "words", "settings"]
)
def test_what_is_damaged_is_made_anew(
    folder: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before anything is taken from it; the rest of a run is the same as without a workspace."""
    run = folder / json.loads((folder / "workspace.json").read_text())["run"]
    match damage:
        case "database":
            data = bytearray((run / "steps.duckdb").read_bytes())
            data[len(data) // 2] ^= 1
            (run / "steps.duckdb").write_bytes(data)
        case "file of rows":
            next((run / "files").glob("*.typed.parquet")).unlink()
        case "what is told":
            (run / "run.json").write_text('{"hashes": ')
        case "mark":
            (folder / "workspace.json").write_text('{"run": "../elsewhere"}')
        case "software":
            monkeypatch.setattr(workspace, "software", lambda: "another")
    taken: list[Any] = []
    monkeypatch.setattr(incremental, "build", lambda *_given, take_over, **_more: taken.append(take_over))
    monkeypatch.setattr(store, "fill", lambda *given: taken.append(given[-1]))
    with workspace.opened(folder) as kept, engine.connect(tmp_path / "audit.duckdb") as con:
        assert (kept.files.old is None) == (damage not in ("words", "settings"))
        engine.create_tables(con)
        words = "other" if damage == "words" else lexicon.fingerprint()
        kept.build(con, [], words, None, lambda _name, _seconds: None, lambda: None)
    assert taken == [incremental.LAST if damage == "settings" else None, False]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        *([run.name] if run.exists() else []),
        "workspace.json",
    ]


def test_a_run_that_is_killed_leaves_the_workspace_as_it_was(
    folder: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = json.loads((folder / "workspace.json").read_text())["run"]

    def dying() -> None:
        with workspace.opened(folder) as kept:
            shutil.copyfile(full, kept.new / "steps.duckdb")
            kept.about_new.update(words="", settings="")
            kept.keep(full)
            kept.commit()

    monkeypatch.setattr(workspace, "_point", lambda *_given: os.kill(os.getpid(), signal.SIGKILL))
    assert os.waitstatus_to_exitcode(os.waitpid(crash.forked(dying), 0)[1]) == -signal.SIGKILL
    assert json.loads((folder / "workspace.json").read_text())["run"] == before
    assert len(list(folder.iterdir())) == 4  # lock, mark, the run before and the one that died
    (folder / "workspace.json.new").write_text("{")
    with workspace.opened(folder) as kept:
        assert kept.old == folder / before
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == [before]


def test_who_is_not_touched_is_taken_over(clinic: Path, folder: Path, full: Path, tmp_path: Path) -> None:
    """A kept row that no run would make comes through, and that of a touched patient does not."""
    with duckdb.connect(str(full), read_only=True) as con:
        old, new = (
            con.execute(
                f"SELECT max(patient_id) FROM (SELECT patient_id FROM claim_line GROUP BY ALL HAVING {day})"
            ).fetchall()[0][0]
            for day in ("max(service_date) < DATE '2026-03-20'", "max(service_date) > DATE '2026-03-24'")
        )
    _edited(
        folder,
        f"UPDATE therapy_line SET billing_npi = 'kept' WHERE patient_id IN ('{old}', '{new}');"
        "UPDATE text_evidence SET narrative = 'kept' WHERE narrative = 'passive'",
    )
    _built(_config(clinic), folder, tmp_path / "audit.duckdb")
    with duckdb.connect(str(tmp_path / "audit.duckdb")) as con:
        found = con.execute("SELECT DISTINCT patient_id FROM therapy_line WHERE billing_npi = 'kept'").fetchall()
        assert found == [(old,)]
        assert con.execute("SELECT 1 FROM text_evidence WHERE narrative = 'kept' LIMIT 1").fetchall()


def test_the_report_is_that_of_a_full_run(
    clinic: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    mine, theirs = tmp_path / "mine" / "report", tmp_path / "theirs" / "report"
    pipeline.run(_config(clinic, workspace=folder, output=mine))
    pipeline.run(_config(clinic, output=theirs))
    names = {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()}
    assert names == {path.relative_to(mine) for path in mine.rglob("*") if path.is_file()}
    for name in names - {Path("audit.duckdb")}:
        assert (mine / name).read_bytes() == (theirs / name).read_bytes(), name
    for path in (folder, *folder.rglob("*")):
        assert not path.stat().st_mode & 0o077, path


def test_usage_is_told(clinic: Path, tmp_path: Path) -> None:
    given = _config(clinic, workspace=tmp_path / "workspace", output=tmp_path / "report")
    for wrong, sentence in (
        ({"workspace": tmp_path / "report"}, "beside the report's folder"),
        ({"workspace": tmp_path / "report" / "workspace"}, "beside the report's folder"),
        ({"deidentified": True}, "leave it out, or --deidentified"),
    ):
        with pytest.raises(AuditError, match=sentence):
            pipeline.run(dataclasses.replace(given, **wrong))
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "claims.csv").touch()
    with pytest.raises(AuditError, match="the folder holds other things than a workspace"):
        pipeline.run(given)
    (tmp_path / "workspace" / "claims.csv").unlink()
    with workspace.opened(tmp_path / "workspace"), pytest.raises(AuditError, match="another run has this workspace"):
        pipeline.run(given)
    assert not (tmp_path / "report").exists()
    (tmp_path / "audit.toml").write_text('workspace = "kept"\n[inputs]\nclaims = "claims.csv"\n')
    assert settings.read(tmp_path / "audit.toml").workspace == tmp_path / "kept"
