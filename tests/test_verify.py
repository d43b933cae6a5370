"""`verify`: a report made again from its manifest says the same, or it is told in a sentence what differs and why."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from click.testing import CliRunner

from test_pipeline import CLAIMS, small
from therapy_audit import cli, engine, pipeline, synth, verify
from therapy_audit.config import Config
from therapy_audit.errors import AuditError
from therapy_audit.notes import store

if TYPE_CHECKING:
    from pathlib import Path

RULE = """\
title: Every line
severity: info
direction: compliance
grain: line
plans: ["*"]
effective_from: 2000-01-01
message: "{units:count unit} billed."
remedy: None.
references: [{title: Own policy}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report with a rule of the user's own, a fee table, terms and two files of claims of one name."""
    root = tmp_path_factory.mktemp("verify")
    config = small(root)
    (root / "more").mkdir()
    (root / "more" / "claims.csv").write_text(CLAIMS.replace("C1", "C2").replace("P1", "P2"))
    (root / "fees.csv").write_text("hcpcs_code,fee\n97530,38.50\n")
    own = root / "my_rules"
    own.mkdir()
    (own / "every_line.yaml").write_text(RULE)
    (own / "every_line.sql").write_text(
        "-- Every line is told.\nSELECT claim_id, claim_line_number, units FROM in_scope($rule)\n"
    )
    config = replace(
        config,
        inputs={**config.inputs, "claims": (*config.inputs["claims"], str(root / "more" / "claims.csv"))},
        period="2026-03",
        as_of="2026-06-30",
        fees={"aetna": (root / "fees.csv",)},
        unit_method={"aetna": "cms"},
        parameters={"clinic.episode_gap_days": 45},
        rules=root / "my_rules",
    )
    return pipeline.run(config).folder


def copied(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the whole tree's report: what it rests on is found from where the report is."""
    shutil.copytree(made.parents[1], tmp_path / "tree")
    return tmp_path / "tree" / "out" / "report"


def told(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli.cli, ["verify", str(folder)])
    return done.exit_code, done.output


def test_the_same_in_another_place_without_the_rules_folder(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    shutil.rmtree(tmp_path / "tree" / "my_rules")  # the report keeps the rules themselves
    code, sentence = told(folder)
    findings = json.loads((folder / "summary.json").read_text())["findings"]
    assert findings > 4
    assert (code, sentence) == (0, f"{folder}: the same: {findings} findings, summary and coverage, byte for byte.\n")
    assert {path.name for path in folder.parent.iterdir()} == {"report", ".report.lock"}


def test_an_input_that_changed_is_named_with_its_hashes(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    (folder.parents[1] / "claims.csv").write_text(CLAIMS.replace("97530,GP,2", "97530,GP,1"))
    code, sentence = told(folder)
    assert code == 1
    assert "it differs: findings (1 gone" in sentence
    assert "the summary (" in sentence
    assert "since claims.csv is another file now (SHA-256 " in sentence
    assert sentence.count("\n") == 1


def test_rules_and_versions_that_changed_are_told(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    kept = folder / "rules" / "every_line.yaml"
    kept.write_text(kept.read_text().replace("severity: info", "severity: warning"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["versions"]["duckdb"] = "1.0.0"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = verify.verify(folder)
    assert not found.same
    assert "rules/every_line.yaml is not what the run wrote" in found.differs
    assert any(phrase.startswith("findings (") and "changed" in phrase for phrase in found.differs)
    assert any("the rule set is another one" in phrase and "own.every_line" in phrase for phrase in found.others)
    assert any(phrase.startswith("duckdb is ") and phrase.endswith("was 1.0.0") for phrase in found.others)


def test_a_report_that_was_changed_by_hand_is_told(made: Path, tmp_path: Path) -> None:
    folder = copied(made, tmp_path)
    with duckdb.connect() as con:
        told_file, other = str(folder / "findings.parquet"), str(folder / "other.parquet")
        con.execute(
            f"COPY (SELECT * FROM read_parquet('{told_file}') WHERE rule <> 'medicare.timed_units_exceed_minutes')"
            f" TO '{other}'"
        )
    (folder / "other.parquet").replace(folder / "findings.parquet")
    (folder / "report.html").write_text("<p>Nothing was found.</p>")
    code, sentence = told(folder)
    assert code == 1
    assert "findings (1 new)" in sentence
    assert "report.html is not what the run wrote" in sentence
    assert "since files of the report were changed after the run" in sentence


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        ("missing", "fees.csv is not there; put the files back where they were"),
        ("old", "manifest.json does not say how to run it again, as an older version made it"),
        ("cut", "this is no report folder"),
    ],
)
def test_what_cannot_be_run_again_is_one_sentence(made: Path, tmp_path: Path, breaking: str, expected: str) -> None:
    folder = copied(made, tmp_path)
    manifest = (folder / "manifest.json").read_text()
    if breaking == "missing":
        (folder.parents[1] / "fees.csv").unlink()
    elif breaking == "old":
        (folder / "manifest.json").write_text(json.dumps({**json.loads(manifest), "run": None}))
    else:
        (folder / "manifest.json").write_text(manifest[: len(manifest) // 2])
    with pytest.raises(AuditError, match=expected):
        verify.verify(folder)


def judged(
    config: Config, memory_limit: str | None = None, threads: int | None = None
) -> tuple[list[Any], list[Any], list[Any]]:
    """Return findings, their lines and coverage of an audit without its report, but for the source rows."""
    ruleset = pipeline.rules_of(config)
    with engine.connect(threads=threads, memory_limit=memory_limit) as con:
        pipeline.take_in(con, config, ruleset)
        engine.set_period(con)
        store.fill(con)
        engine.build_models(con)
        assert not engine.run_rules(con, ruleset.rules)
        return (
            con.execute("SELECT * EXCLUDE (source_file, source_row) FROM finding ORDER BY ALL").fetchall(),
            con.execute("SELECT * FROM finding_line ORDER BY ALL").fetchall(),
            con.execute("SELECT * FROM coverage ORDER BY ALL").fetchall(),
        )


def test_the_order_of_rows_and_files_changes_no_finding(tmp_path: Path) -> None:
    """Rows shuffled, files in two parts in either order, little memory: only the source rows tell them apart."""
    synth.write(tmp_path / "clinic", seed=7, lines=600)
    names = ("claims", "notes", "providers", "plans_of_care", "authorizations", "opening_balances", "remittances")
    given = {name: (tmp_path / "clinic" / f"{name}.csv").read_text().splitlines() for name in names}
    chance = random.Random(7)  # noqa: S311 - an order, not a secret
    told = [judged(Config({name: (str(tmp_path / "clinic" / f"{name}.csv"),) for name in names}))]
    for number, (memory, threads) in enumerate(((None, 1), ("200MB", 2))):
        inputs = {}
        for name, (header, *rows) in given.items():
            chance.shuffle(rows)
            parts = [rows[: len(rows) // 3], rows[len(rows) // 3 :]] if number else [rows]
            files = [tmp_path / f"{name}.{number}.{part}.csv" for part in range(len(parts))]
            for file, part in zip(files, parts, strict=True):
                file.write_text("\n".join([header, *part]) + "\n")
            inputs[name] = tuple(str(file) for file in reversed(files))
        told.append(judged(Config(inputs), memory, threads))
    assert len(told[0][0]) > 60
    for other in told[1:]:
        for one, same in zip(told[0], other, strict=True):
            assert [row for row in same if row not in one] == []
            assert one == same
