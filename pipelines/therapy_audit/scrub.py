"""Before billing: a verdict on each claim by the rules of an audit, from a database that is gone when it is told."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, pipeline, rules
from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from therapy_audit.config import Config
    from therapy_audit.rules import Rule

FAIL_ON = ("error", "warning", "never")
VERDICTS = {"error": "block", "warning": "warn", "info": "pass"}  # by the worst finding of a claim
_INTAKE = "intake"  # stands for a rule where a row could not be read
_REASON = ("rule", "severity", "claim_line_number", "service_date", "hcpcs_code", "message", "remedy", "amount_at_risk")
_REFUSED_SHOWN = 20


@dataclass(frozen=True)
class Scrubbed:
    """The verdicts of one scrub.

    claims: {claim_id, verdict, reasons}, by claim_id; a reason has the keys of _REASON. totals: claims, block, warn,
    pass, held_amount (USD charged by the claims that are blocked). not_judged: {reason, rules, claims}, a reason once.
    refused_rows: {source_file, source_row, contract_table, column_name, claim_id, reason}.
    notices: sentences on how a file was read that may be wrong for a whole column.
    """

    claims: list[dict[str, Any]]
    totals: dict[str, Any]
    not_judged: list[dict[str, Any]]
    refused_rows: list[dict[str, Any]]
    rule_errors: dict[str, str]
    titles: Mapping[str, str]
    notices: list[str]

    def reached(self, fail_on: str) -> bool:
        """Return whether there are claims with the verdict that `fail_on` names, or a worse one."""
        return fail_on != "never" and bool(self.totals["block"] or (fail_on == "warning" and self.totals["warn"]))

    def as_json(self) -> str:
        """Return the verdicts as one JSON object."""
        told = {name: getattr(self, name) for name in ("claims", "totals", "not_judged", "refused_rows", "notices")}
        return json.dumps(told, indent=2, ensure_ascii=False)

    def table(self) -> list[str]:
        """Return the verdicts as lines: the claims not passing, worst first, then what is open, then the totals."""
        lines: list[str] = []
        for verdict in ("block", "warn"):
            for claim in self.claims:
                if claim["verdict"] == verdict:
                    lines.append(f"{verdict.upper():5}  {claim['claim_id']}")
                    lines += [f"       {self._reason(item)}" for item in claim["reasons"] if item["severity"] != "info"]
        refused = [row for row in self.refused_rows if row["claim_id"] is None]
        lines += [f"Refused: {row['source_file']} row {row['source_row']}: {row['reason']}" for row in refused][
            :_REFUSED_SHOWN
        ]
        if len(refused) > _REFUSED_SHOWN:
            lines.append(f"Refused: {len(refused) - _REFUSED_SHOWN:,} rows more, as --json lists them")
        lines += [f"Not judged: {_open_point(item)}" for item in self.not_judged]
        return [*lines, self.total()]

    def total(self) -> str:
        """Return the totals in one line."""
        counts = self.totals
        if not counts["claims"]:
            held = "no row could be read as a claim" if self.refused_rows else "the files hold no claims"
            return f"Nothing to judge: {held}"
        return (
            f"{counts['claims']:,} claim{'' if counts['claims'] == 1 else 's'}: {counts['block']:,} block, "
            f"{counts['warn']:,} warn, {counts['pass']:,} pass; ${counts['held_amount']:,.2f} held"
        )

    def _reason(self, item: Mapping[str, Any]) -> str:
        line = "" if item["claim_line_number"] is None else f"line {item['claim_line_number']}, "
        day = "" if item["service_date"] is None else f"{item['service_date']}, "
        title = self.titles.get(item["rule"], "Row refused")
        return f"{line}{day}{item['severity']}: {title}: {item['message']}"


def _open_point(item: Mapping[str, Any]) -> str:
    rule_count = len(item["rules"])
    of_rules = f" ({rule_count} rule{'' if rule_count == 1 else 's'})" if rule_count else ""
    return f"{item['claims']:,} claim{'' if item['claims'] == 1 else 's'}: {item['reason']}{of_rules}"


def scrub(config: Config, history: Sequence[str] = ()) -> Scrubbed:
    """Judge the claims of `config.inputs`; those of `history` (paths or globs) were billed before and only count.

    Nothing is written that stays. Raises AuditError for bad input or usage.
    """
    claims = tuple(config.inputs.get("claims", ()))
    if not claims:
        raise AuditError("No claims were given; name the files to judge.")
    ruleset = pipeline.rules_of(config)
    judging = tuple(rule for rule in ruleset.rules if rule.before_billing)
    # What was billed is read first: a row that is there again is then the new claim's fault.
    read = replace(config, inputs={**config.inputs, "claims": (*history, *claims)})
    with _private_database(config) as con:
        pipeline.take_in(con, read, ruleset)
        _split(con, claims, history)
        refused = _refused(con, config, claims)
        notices = pipeline.heard_at_once(con)
        engine.lock(con)
        errors: dict[str, str] = {}
        open_points: list[dict[str, Any]] = []
        if con.execute("SELECT 1 FROM judged_claim LIMIT 1").fetchone():
            errors = _judge(con, config, judging)
            open_points = _not_judged(con, judging)
        else:
            con.execute(
                "CREATE TEMP TABLE reason AS SELECT *, claim_id AS on_claim_id, claim_line_number AS on_line_number"
                " FROM finding"
            )
        return Scrubbed(
            *_verdicts(con, refused),
            open_points,
            refused,
            errors,
            {rule.name: rule.title for rule in ruleset.rules},
            notices,
        )


def write(path: Path, text: str) -> None:
    """Write the verdicts where only this user may read them, whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            os.close(handle)
            Path(name).write_text(text + "\n", encoding="utf-8")
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise AuditError(
            f"{path}: the file cannot be written ({fault.strerror}); name one in another folder."
        ) from None


@contextmanager
def _private_database(config: Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory, which spills into a folder that only this user may read and that goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="therapy-audit-") as folder,
        engine.connect(threads=config.threads, memory_limit=config.memory_limit) as con,
    ):
        quoted = folder.replace("'", "''")
        con.execute(f"SET temp_directory = '{quoted}'")
        yield con


def _split(con: duckdb.DuckDBPyConnection, claims: Sequence[str], history: Sequence[str]) -> None:
    """Create judged_file and judged_claim: of all that was read, what is to be judged."""
    from therapy_audit.intake.load import matching

    # Two files of one name are told by their folders, so only the content says which is which.
    hashes = [{file_hash(path) for pattern in given for path in matching(pattern)} for given in (claims, history)]
    con.execute(
        "CREATE TEMP TABLE judged_file AS SELECT source_file, sha256 FROM intake_file"
        " WHERE input = 'claims' AND NOT list_contains($1::VARCHAR[], sha256)",
        [sorted(hashes[1] - hashes[0])],
    )
    con.execute(
        "CREATE TEMP TABLE judged_claim AS"
        " SELECT DISTINCT claim_id FROM claim_line SEMI JOIN judged_file USING (source_file)"
    )


# Rows that intake refused -------------------------------------------------------------------------------------------


def _refused(con: duckdb.DuckDBPyConnection, config: Config, claims: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows that intake refused, history's apart, each with its claim where that can still be read."""
    con.execute(
        """
        CREATE TEMP TABLE refused_row AS
        -- A sum that does not agree is a fault of its claim as much as a value that cannot be read.
        WITH fault AS (
            SELECT source_file, source_row, contract_table, column_name, NULL::VARCHAR AS claim_id, reason
            FROM quarantine
            UNION ALL
            SELECT source_file, source_row, 'claim_line', NULL, NULL, sentence
            FROM x12_problem
            UNION ALL
            SELECT
                source_file, source_row, 'claim_line', NULL, claim_id,
                replace(check_name, '_', ' ') || ': ' || expected || ' expected, ' || found || ' found'
            FROM x12_imbalance
        )
        SELECT DISTINCT fault.*
        FROM fault
        LEFT JOIN intake_file USING (source_file)
        WHERE intake_file.input IS DISTINCT FROM 'claims' OR source_file IN (SELECT source_file FROM judged_file)
        """
    )
    con.execute("CREATE TEMP TABLE row_claim (source_file VARCHAR, source_row BIGINT, claim_id VARCHAR)")
    sought = con.execute(
        "SELECT DISTINCT sha256 FROM refused_row INNER JOIN judged_file USING (source_file) WHERE claim_id IS NULL"
    ).fetchall()
    if sought:
        _find_claims(con, config, claims, {digest for (digest,) in sought})
    found = con.execute(
        """
        SELECT
            refused_row.source_file, refused_row.source_row, refused_row.contract_table, refused_row.column_name,
            coalesce(refused_row.claim_id, row_claim.claim_id) AS claim_id, refused_row.reason
        FROM refused_row LEFT JOIN row_claim USING (source_file, source_row)
        ORDER BY ALL
        """
    )
    names = [item[0] for item in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _find_claims(con: duckdb.DuckDBPyConnection, config: Config, claims: Sequence[str], hashes: set[str]) -> None:
    """Fill row_claim for the files with these hashes that hold refused rows: they are read a second time."""
    from therapy_audit.intake import x12
    from therapy_audit.intake.load import matching

    names = dict(con.execute("SELECT sha256, min(source_file) FROM judged_file GROUP BY sha256").fetchall())
    for path in dict.fromkeys(path for pattern in claims for path in matching(pattern)):
        digest = file_hash(path)
        if digest in hashes:
            with path.open("rb") as file:
                is_x12 = x12.looks_like_x12(file.read(200))
            if is_x12:
                _find_x12_claims(con, path, names[digest])
            else:
                _find_table_claims(con, path, names[digest], config)


def _find_table_claims(con: duckdb.DuckDBPyConnection, path: Path, source_file: str, config: Config) -> None:
    from therapy_audit.intake.contract import contract
    from therapy_audit.intake.convert import staged
    from therapy_audit.intake.load import placed_sheets, scratch
    from therapy_audit.intake.mapping import read_mapping
    from therapy_audit.intake.read import Tally

    mappings = [read_mapping(Path(item)) for item in config.mappings]
    with scratch(con):
        placed = placed_sheets(con, path, source_file.partition("#")[0], contract("claims"), mappings)
        for one in placed:
            if "claim_id" not in one.placement.columns:
                continue  # the number is made from patient and date, and one of them may be what was refused
            con.execute("CREATE OR REPLACE TABLE intake_scratch.named (source_row BIGINT, claim_id VARCHAR)")
            for rows in staged(con, one.sheet, one.placement, Tally([], [])):
                con.register("scrub_rows", rows.select(["source_row", "claim_id"]))
                con.execute(
                    """
                    INSERT INTO intake_scratch.named
                    SELECT source_row, claim_id
                    FROM scrub_rows
                    WHERE source_row IN (SELECT source_row FROM refused_row WHERE source_file = $1)
                    """,
                    [one.sheet.source_file],
                )
                con.unregister("scrub_rows")
            con.execute(
                "INSERT INTO row_claim "
                "SELECT $1, source_row, any_value(claim_id) FROM intake_scratch.named GROUP BY source_row",
                [one.sheet.source_file],
            )


def _find_x12_claims(con: duckdb.DuckDBPyConnection, path: Path, source_file: str) -> None:
    """A segment belongs to the last CLM before it, as long as neither a subscriber nor a transaction begins between."""
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").lstrip()
    if len(text) < 106:
        return
    element, end = text[3:4], text[105:106]
    begins = (b"CLM" + element, b"HL" + element, b"ST" + element, b"SE" + element)
    segments = filter(None, map(bytes.strip, text.split(end)))  # blank ones are not numbered
    marks = [(number, segment) for number, segment in enumerate(segments, 1) if segment.startswith(begins)]
    rows = [
        (number, segment.split(element)[1].decode("utf-8", "replace").strip() if segment[:3] == b"CLM" else None)
        for number, segment in marks
    ]
    if not rows:
        return
    import pyarrow as pa

    con.register("x12_mark", pa.table({"number": [row[0] for row in rows], "claim_id": [row[1] for row in rows]}))
    con.execute(
        """
        INSERT INTO row_claim
        SELECT DISTINCT refused_row.source_file, refused_row.source_row, nullif(x12_mark.claim_id, '')
        FROM refused_row ASOF JOIN x12_mark ON refused_row.source_row >= x12_mark.number
        WHERE refused_row.source_file = $1
        """,
        [source_file],
    )
    con.unregister("x12_mark")


# The rules' judgement -----------------------------------------------------------------------------------------------


def _judge(con: duckdb.DuckDBPyConnection, config: Config, judging: Sequence[Rule]) -> dict[str, str]:
    """Run the rules on the days of the judged claims; fill `reason`: findings with the judged claim they are told on.

    Returns {rule: error} of the rules that failed.
    """
    from therapy_audit.notes import store

    first, last = con.execute(
        "SELECT min(service_date), max(service_date) FROM claim_line SEMI JOIN judged_claim USING (claim_id)"
    ).fetchall()[0]
    engine.set_period(con, first, last, today=pipeline.moment().date())
    # A year's notes may come with a day's claims: only what can bear on these is worth reading.
    con.execute(
        """
        UPDATE visit_note SET text = NULL
        WHERE
            patient_id NOT IN (SELECT patient_id FROM claim_line SEMI JOIN judged_claim USING (claim_id))
            AND service_date NOT IN (SELECT service_date FROM claim_line SEMI JOIN judged_claim USING (claim_id))
        """
    )
    con.execute(
        "UPDATE note_service SET text = NULL WHERE note_id IN (SELECT note_id FROM visit_note WHERE text IS NULL)"
        " AND patient_id NOT IN (SELECT patient_id FROM claim_line SEMI JOIN judged_claim USING (claim_id))"
        " AND service_date NOT IN (SELECT service_date FROM claim_line SEMI JOIN judged_claim USING (claim_id))"
    )
    texts = "SELECT text FROM visit_note UNION ALL SELECT text FROM note_service"
    if con.execute(f"SELECT 1 FROM ({texts}) WHERE text IS NOT NULL LIMIT 1").fetchone():
        store.fill(con, config.lexicon)  # with nothing to read, the vocabulary would be loaded in vain
    engine.build_models(con)
    con.execute("CREATE TEMP TABLE judged_line AS SELECT * FROM therapy_line SEMI JOIN judged_claim USING (claim_id)")
    errors = engine.run_rules(con, judging)
    # What review dismissed is silent here too.
    con.execute(
        "DELETE FROM finding WHERE finding_id IN"
        " (SELECT finding_id FROM finding_review WHERE review_state = 'dismissed')"
    )
    con.execute(
        f"""
        CREATE TEMP TABLE reason AS
        -- What is found on a visit, an episode or a clinician's day is told on one line of it, which may have been
        -- billed before: then it is told on the first line of the same thing that is now to be billed.
        WITH shared AS (
            SELECT finding.finding_id, min((judged_line.claim_id, judged_line.claim_line_number)) AS line
            FROM finding
            INNER JOIN rule ON finding.rule = rule.rule
            INNER JOIN judged_line
                ON finding.service_date = judged_line.service_date AND CASE rule.grain {_same_thing()} ELSE FALSE END
            WHERE finding.claim_id NOT IN (SELECT claim_id FROM judged_claim)
            GROUP BY finding.finding_id
        )
        SELECT
            finding.*,
            coalesce(shared.line[1], finding.claim_id) AS on_claim_id,
            coalesce(shared.line[2], finding.claim_line_number) AS on_line_number
        FROM finding
        LEFT JOIN shared ON finding.finding_id = shared.finding_id
        WHERE shared.line IS NOT NULL OR finding.claim_id IN (SELECT claim_id FROM judged_claim)
        """
    )
    return errors


def _same_thing() -> str:
    """Return the WHENs of a CASE on a grain: whether a judged line is of the thing that a finding is about."""
    branches = []
    for name, grain in rules.grains().grains.items():
        if "claim_id" in grain.identity:
            continue
        keys = [key for key in grain.identity if key.isidentifier()]
        if "patient_id" not in keys:
            keys.append("rendering_npi")
        same = " AND ".join(f"finding.{key} IS NOT DISTINCT FROM judged_line.{key}" for key in keys)
        branches.append(f"WHEN '{name}' THEN {same}")
    return " ".join(branches)


def _not_judged(con: duckdb.DuckDBPyConnection, judging: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return each reason for which rules could not judge, with these rules and how many claims it concerns."""
    has_notes = con.execute("SELECT 1 FROM visit_note LIMIT 1").fetchone() is not None
    by_name = {rule.name: rule for rule in judging}
    con.execute("CREATE TEMP TABLE open_point (reason VARCHAR, rule VARCHAR, claim_id VARCHAR)")
    for name, reasons in con.execute("SELECT rule, reasons FROM coverage WHERE not_evaluable > 0").fetchall():
        rule = by_name[name]
        scope = engine.scope_of(rule)
        columns = {item[0] for item in con.execute(f"SELECT * FROM {scope}($rule) LIMIT 0", {"rule": name}).description}
        keys = next(
            keys
            for keys in (["claim_id"], ["patient_id", "service_date"], ["service_date"])
            if columns.issuperset(keys)
        )
        con.execute(
            f"""
            INSERT INTO open_point
            WITH doubt AS (
                SELECT DISTINCT {engine.doubt_sql(con, rule)} AS reason, {", ".join(keys)}
                FROM {scope}($rule)
                WHERE {rule.applies_to or "TRUE"}
            )
            SELECT DISTINCT doubt.reason, $rule, judged_line.claim_id
            FROM doubt INNER JOIN judged_line USING ({", ".join(keys)})
            WHERE doubt.reason IN (SELECT unnest(json_keys($reasons::JSON)))
            """,
            {"rule": name, "reasons": reasons},
        )
    if not has_notes:
        # A reason that speaks of the notes needs no telling for each rule where there are none at all.
        con.execute(
            "UPDATE open_point SET reason = $1 WHERE regexp_matches(reason, '\\bnotes?\\b')",
            ["no notes were given, so nothing that rests on them was judged"],
        )
    con.execute(
        """
        INSERT INTO open_point
        SELECT 'the payer maps to no plan, so only the rules for every plan judged it', NULL, claim_id
        FROM judged_line
        WHERE plan IS NULL
        """
    )
    found = con.execute(
        """
        SELECT
            reason,
            list_sort(list(DISTINCT rule) FILTER (rule IS NOT NULL)) AS rules,
            count(DISTINCT claim_id) AS claims
        FROM open_point
        GROUP BY reason
        ORDER BY claims DESC, reason
        """
    ).fetchall()
    return [{"reason": reason, "rules": names or [], "claims": claims} for reason, names, claims in found]


def _verdicts(
    con: duckdb.DuckDBPyConnection, refused: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the claims with their verdicts and reasons, and the totals."""
    by_claim: dict[str, list[dict[str, Any]]] = {
        claim_id: [] for (claim_id,) in con.execute("SELECT claim_id FROM judged_claim").fetchall()
    }
    for row in refused:
        if row["claim_id"] is not None:
            place = f"{row['source_file']} row {row['source_row']}: "
            unread = (_INTAKE, "error", None, None, None, f"{place}{row['reason']}", None, 0.0)
            by_claim.setdefault(row["claim_id"], []).append(dict(zip(_REASON, unread, strict=True)))
    for claim_id, *told in con.execute(
        """
        SELECT
            on_claim_id, rule, reason.severity, on_line_number, service_date::VARCHAR, hcpcs_code, message,
            rule.remedy, amount_at_risk::DOUBLE
        FROM reason INNER JOIN rule USING (rule)
        ORDER BY on_claim_id, list_position(['error', 'warning', 'info'], reason.severity), on_line_number, finding_id
        """
    ).fetchall():
        by_claim[claim_id].append(dict(zip(_REASON, told, strict=True)))
    claims = [
        {"claim_id": claim_id, "verdict": _worst(reasons), "reasons": reasons}
        for claim_id, reasons in sorted(by_claim.items())
    ]
    counts = {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in VERDICTS.values()}
    blocked = [claim["claim_id"] for claim in claims if claim["verdict"] == "block"]
    ((held,),) = con.execute(
        """
        WITH line AS (
            -- The last version of a line is what is held, with all that was read of it.
            SELECT
                claim_id, claim_line_number,
                arg_max(coalesce(charge_amount, allowed_amount, 0), claim_version) AS amount
            FROM claim_line
            WHERE claim_id IN (SELECT unnest($1::VARCHAR[]))
            GROUP BY claim_id, claim_line_number
        )
        SELECT coalesce(sum(amount), 0)::DOUBLE FROM line
        """,
        [blocked],
    ).fetchall()
    return claims, {"claims": len(claims), **counts, "held_amount": held}


def _worst(reasons: Sequence[Mapping[str, Any]]) -> str:
    return next(
        (VERDICTS[severity] for severity in VERDICTS if any(item["severity"] == severity for item in reasons)), "pass"
    )
