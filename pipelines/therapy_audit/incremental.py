"""Models from those of the run before: built again for the patients that are touched, taken over for all others.

Contract tables are filled whole. What of them differs from the run before, by the content of rows and not by the files
that they came from, touches its patients. A model that is closed under a patient (rules/grains.yaml) is built from the
touched patients' share of what it reads, beside the rows that the others have already. A model that needs all rows is
built whole; where it came out otherwise, it touches the patients of the rows that differ, for the models that read it.
What cannot be said of one patient is built for all.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from therapy_audit import closed, engine, progress, stopping
from therapy_audit import rules as rulebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import duckdb

    from therapy_audit.rules import Rule

# Databases that are attached: the report of the run before, its steps, and the steps of this run.
LAST, LAST_STEPS, STEPS = "last", "last_steps", "steps"
_BASE = "rows of the files"  # the first of what touches patients
# Contract tables by which a patient is known. Other tables of the contract are the same for all, or named in `reached`.
_OF_PATIENTS = (
    "claim_line", "visit_note", "note_service", "plan_of_care", "authorization", "patient_opening_balance",
    "service_text",
)  # fmt: skip
# Tables that models do not read, or that are only read by models that need all rows.
_NO_SETTING = frozenset(
    {
        *_OF_PATIENTS, *closed.TEXTS, "payer_plan", "provider", "review", "remittance", "remittance_claim",
        "remittance_line", "remittance_adjustment", "remittance_remark", "remittance_provider_adjustment",
        "x12_imbalance", "x12_problem", "quarantine", "intake_file", "rule", "rule_reference", "rule_denial_reason",
        "rule_scope", "audit_period", "run_day", "finding", "finding_line", "finding_review", "coverage",
        "benchmark",
    }
)  # fmt: skip


def settings_tables(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the contract tables that come from rules/ and audit.toml and that models read; call before the models."""
    rows = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'main'"
        " AND NOT temporary ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows if name not in _NO_SETTING]


def fingerprint(con: duckdb.DuckDBPyConnection) -> str:
    """Return a hash of the rows of all settings: with others nothing that was built can be taken over."""
    parts = [
        con.execute(f"SELECT count(*) || ' ' || coalesce(sum(hash(t)), 0) FROM \"{name}\" AS t").fetchall()[0][0]
        for name in settings_tables(con)
    ]
    return " ".join(map(str, parts))


@dataclass(frozen=True)
class _Scope:
    """For whom a step is built: what touches its patients; None is for everyone."""

    touched_by: frozenset[str] | None

    def __or__(self, other: _Scope) -> _Scope:
        if self.touched_by is None or other.touched_by is None:
            return _Scope(None)
        return _Scope(self.touched_by | other.touched_by)


_NOBODY, _EVERYONE = _Scope(frozenset()), _Scope(None)


@dataclass
class _Built:
    """What is known of the steps while they are built."""

    scopes: dict[str, _Scope] = field(default_factory=dict)  # by patient: whose rows differ from the run before
    reach: dict[str, _Scope] = field(default_factory=dict)  # of other tables: whom they touch
    whole_steps: set[str] = field(default_factory=set)  # steps that nothing keeps, built for everyone


def build(
    con: duckdb.DuckDBPyConnection,
    rules: Sequence[Rule],
    *,
    take_over: bool,
    timed: Callable[[str, float], None] = lambda _name, _seconds: None,
) -> dict[str, int]:
    """Build all models of `con`, whose contract tables and notes are filled; return {step: patients built, -1: all}.

    `con` has the database STEPS attached, which is filled with what the next run needs of this one beside the tables
    of the report; to `take_over`, LAST and LAST_STEPS too, of a run with the same software, settings and words for
    notes. Steps that rules or report read are temporary views of STEPS.
    """
    with ExitStack() as opened:
        return Building(con, rules, opened, take_over=take_over, timed=timed).run()


class Building:
    """The steps of one run, and the databases that each share of the patients is built in."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        rules: Sequence[Rule],
        opened: ExitStack,
        *,
        take_over: bool,
        timed: Callable[[str, float], None],
    ) -> None:
        self.con, self.take_over, self.timed, self.opened = con, take_over, timed, opened
        self.steps = {step.name: step for step in closed.plan(con) if step.name != "notes"}
        self.models = rulebook.grains().models
        readers = {name: [step for step in self.steps.values() if name in step.needs] for name in self.steps}
        passing = engine.passing_steps([step.name for step in self.steps.values() if step.kind == "STEP"], rules)
        self.kept = {
            step.name
            for step in self.steps.values()
            if step.key == "patient"
            and (
                step.kind == "TABLE" or step.name not in passing or any(r.key != "patient" for r in readers[step.name])
            )
        }
        self.read_by_patient = {name for name in self.steps if any(r.key == "patient" for r in readers[name])}
        # Tables and steps that need all rows, as far as steps closed under a patient read them.
        self.shared = {
            name
            for step in self.steps.values()
            if step.key == "patient"
            for name in self.reads(step)
            if name not in self.steps or self.steps[name].key not in ("patient", "any")
        } - {*_OF_PATIENTS, *closed.TEXTS}
        self.settings = set(settings_tables(con))
        self.built = _Built()
        self.shares: dict[frozenset[str], _Share] = {}
        self.told: dict[str, int] = {}
        self.last = self.tables_of(LAST, LAST_STEPS) if take_over else {}

    def tables_of(self, *databases: str) -> dict[str, str]:
        """Return {table: its name with its database}."""
        rows = self.con.execute(
            "SELECT table_name, database_name FROM duckdb_tables() WHERE list_contains(?, database_name)",
            [list(databases)],
        ).fetchall()
        return {name: f'{database}.main."{name}"' for name, database in rows}

    def reads(self, step: closed.Step) -> set[str]:
        """Return all tables and steps that a step reads, those behind views with them."""
        found = set(step.reads) | {name for name in step.needs if name != "notes"}
        for name in [name for name in found if name in self.steps and self.steps[name].key == "any"]:
            found |= self.reads(self.steps[name])
        return found

    def run(self) -> dict[str, int]:
        """Build all steps in the order of what they read; tables that need all rows first."""
        engine.attach_unsaved(self.con)
        self.con.execute(
            f"CREATE TABLE {STEPS}.digest (name VARCHAR, key VARCHAR, items BIGINT, sum HUGEINT);"
            "CREATE OR REPLACE TEMP TABLE touched (source VARCHAR, patient_id VARCHAR)"
        )
        started = perf_counter()
        self.compare_inputs()
        self.timed("models: what is touched", perf_counter() - started)
        waiting = dict(self.steps)
        with progress.stage("models", len(waiting)) as done:
            while waiting:
                ready = [step for step in waiting.values() if not (step.needs - {"notes"}) & set(waiting)]
                # All that need all rows before the next by patient: they may touch more of them.
                chosen = [step for step in ready if step.key != "patient"] or ready
                if not chosen:
                    raise RuntimeError(f"models that wait for each other: {', '.join(waiting)}")
                for step in chosen:
                    stopping.check()
                    started = perf_counter()
                    del waiting[step.name]
                    if step.key == "patient":
                        self.build_by_patient(step)
                    else:
                        self.build_whole(step)
                    self.timed(f"model {step.name}", perf_counter() - started)
                    done()
                for name in self.built.whole_steps - set().union(*(self.reads(step) for step in waiting.values())):
                    self.con.execute(f'DROP TABLE {engine.UNSAVED}.main."{name}"')
                    self.built.whole_steps.remove(name)
        for table in ("touched", "line_number", "claimant"):
            self.con.execute(f"DROP TABLE IF EXISTS temp.{table}")
        engine.create_scopes(self.con)
        return self.told

    # --- what is touched

    def compare_inputs(self) -> None:
        """Note what the contract tables hold, and whom what differs from the run before touches."""
        for name in _OF_PATIENTS:
            key = (
                "note.patient_id, hash(given, note.patient_id)"
                if name == "service_text"
                else "given.patient_id, hash(given)"
            )
            note = "INNER JOIN visit_note AS note USING (note_id)" if name == "service_text" else ""
            self.digest(name, f'SELECT {key} FROM "{name}" AS given {note}')
        if self.take_over:
            self.compare_patients()
        for name in sorted(self.shared - set(self.steps) - self.settings):
            self.compare(name)

    def compare_patients(self) -> None:
        """Touch the patients whose rows differ from the run before, and tell the lines of both apart."""
        names = ", ".join(f"'{name}'" for name in _OF_PATIENTS)
        self.con.execute(f"INSERT INTO touched SELECT DISTINCT '{_BASE}', key FROM ({self.different(f'IN ({names})')})")
        for table in ("claim_line", f"{LAST}.claim_line"):
            # Lines that share their key, as with --quality warn, cannot be told apart from run to run.
            self.con.execute(
                f"""INSERT INTO touched
                WITH several AS (
                    SELECT claim_id, claim_version, claim_line_number FROM {table} GROUP BY ALL HAVING count(*) > 1
                )
                SELECT DISTINCT '{_BASE}', patient_id
                FROM {table} SEMI JOIN several USING (claim_id, claim_version, claim_line_number)"""
            )
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE line_number AS
            -- The number of each claim line in the run before, and in this one.
            SELECT old.rowid AS old_number, new.rowid AS new_number, new.patient_id
            FROM {LAST}.claim_line AS old
            INNER JOIN claim_line AS new
                ON
                    old.claim_id = new.claim_id AND old.claim_version = new.claim_version
                    AND old.claim_line_number = new.claim_line_number AND old.patient_id = new.patient_id"""
        )
        self.con.execute(
            f"""CREATE OR REPLACE TEMP TABLE claimant AS
            -- Those who share a claim's number.
            WITH given AS (
                SELECT claim_id, patient_id FROM claim_line UNION SELECT claim_id, patient_id FROM {LAST}.claim_line
            ),
            several AS (SELECT claim_id FROM given GROUP BY claim_id HAVING count(*) > 1)
            SELECT * FROM given SEMI JOIN several USING (claim_id)"""
        )
        self.close(_BASE)

    def close(self, source: str) -> None:
        """Touch those who share a claim's number with one who is touched: what names claims alone cannot part them."""
        own = f"(SELECT patient_id FROM touched WHERE source IN ('{_BASE}', '{source}'))"
        more = f"""INSERT INTO touched
            SELECT DISTINCT '{source}', patient_id
            FROM claimant
            WHERE claim_id IN (SELECT claim_id FROM claimant WHERE patient_id IN {own}) AND patient_id NOT IN {own}"""
        while self.con.execute(more).fetchall()[0][0]:
            pass

    def digest(self, name: str, keyed: str) -> None:
        """Keep what a table holds: of each key how many rows and the sum of their hashes, from (key, hash)."""
        self.con.execute(
            f"INSERT INTO {STEPS}.digest SELECT '{name}', key, count(*), sum(row_hash)"
            f" FROM ({keyed}) AS keyed (key, row_hash) GROUP BY key"
        )

    @staticmethod
    def different(names: str) -> str:
        """Return the query of the keys whose rows are not those of the run before."""
        return f"""
            SELECT key
            FROM (SELECT * FROM {STEPS}.digest WHERE name {names}) AS new
            FULL JOIN (SELECT * FROM {LAST_STEPS}.digest WHERE name {names}) AS old USING (name, key)
            WHERE new.items IS DISTINCT FROM old.items OR new.sum IS DISTINCT FROM old.sum
        """

    def compare(self, name: str) -> None:
        """Note what a table or step holds that needs all rows, and whom what differs from the run before touches."""
        types = closed.types_of(self.con, name)
        if name in self.models.spans:
            self.con.execute(f'CREATE TABLE {STEPS}."{name}" AS FROM "{name}"')
        if name in self.models.any_row:
            self.digest(name, f"SELECT '', 1 FROM (SELECT 1 FROM \"{name}\" LIMIT 1)")
            reach = self.reach_all(name)
        elif "line_id" in types:
            own = [f'given."{column}"' for column in types if column not in self.models.row_numbers]
            own += ["line.claim_id", "line.claim_version", "line.claim_line_number"]
            # What a line has is told with the line's own key: its number is another one in the next run.
            self.digest(
                name,
                f"""SELECT line.patient_id, hash({", ".join(own)})
                FROM "{name}" AS given INNER JOIN claim_line AS line ON given.line_id = line.rowid""",
            )
            reach = self.reach(name, "SELECT key FROM different")
        elif key := next((column for column in ("patient_id", "claim_id") if column in types), None):
            self.digest(name, f'SELECT {key}, hash(given) FROM "{name}" AS given')
            whose = "SELECT patient_id FROM claim_line WHERE claim_id IN (SELECT key FROM different)"
            reach = self.reach(name, "SELECT key FROM different" if key == "patient_id" else whose)
        elif name in self.models.reached:
            ((column, places),) = self.models.reached[name].items()
            self.digest(name, f'SELECT {column}::VARCHAR, hash(given) FROM "{name}" AS given')
            reach = self.reach(name, _patients(places, "{}::VARCHAR IN (SELECT key FROM different)"))
        else:
            self.digest(name, f"SELECT '', hash(given) FROM \"{name}\" AS given")
            reach = self.reach_all(name)
        self.built.reach[name] = reach

    def reach_all(self, name: str) -> _Scope:
        """Return whom a table touches that is about nobody: everyone where it differs."""
        if not self.take_over:
            return _EVERYONE
        if not self.con.execute(f"{self.different(f'''= '{name}' ''')} LIMIT 1").fetchall():
            return _NOBODY
        if name in self.models.spans and name in self.last:
            return self.reach_span(name)
        return _EVERYONE

    def reach_span(self, name: str) -> _Scope:
        """Return whom a span of dates touches that began or ended otherwise: those with a date in between."""
        first, last, *more = closed.types_of(self.con, name)
        both = f'"{name}" AS new, {self.last[name]} AS old'
        ends = self.con.execute(
            f'SELECT old."{first}", new."{first}", old."{last}", new."{last}" FROM {both}'
        ).fetchall()
        if more or len(ends) != 1 or None in ends[0]:
            return _EVERYONE
        between = " OR ".join(
            f"{{0}} BETWEEN DATE '{min(pair)}' AND DATE '{max(pair)}'"
            for pair in (ends[0][:2], ends[0][2:])
            if pair[0] != pair[1]
        )
        return self.touch(name, _patients(self.models.spans[name], between))

    def reach(self, name: str, patients: str) -> _Scope:
        """Return whom a table touches, by a query of the patients of the keys that `different` has."""
        if not self.take_over:
            return _EVERYONE
        return self.touch(name, f"WITH different AS ({self.different(f'''= '{name}' ''')}) {patients}")

    def touch(self, source: str, patients: str) -> _Scope:
        """Touch the patients of a query for the steps that read what touches them."""
        before = f"'{_BASE}'"
        ((more,),) = self.con.execute(
            f"""INSERT INTO touched
            SELECT DISTINCT '{source}', patient_id FROM ({patients}) AS found (patient_id)
            WHERE patient_id IS NOT NULL
                AND patient_id NOT IN (SELECT patient_id FROM touched WHERE source = {before})"""
        ).fetchall()
        if not more:
            return _NOBODY
        self.close(source)
        return _Scope(frozenset({source}))

    # --- steps

    def build_whole(self, step: closed.Step) -> None:
        """Build a step that needs all rows."""
        engine.make(self.con, step.kind, step.name, step.sql)
        if step.name in self.shared:
            self.compare(step.name)

    def build_by_patient(self, step: closed.Step) -> None:
        """Build a step for whom it is other than in the run before, and take over the rest; or leave it for later."""
        scope = _Scope(frozenset({_BASE}))
        for name in self.reads(step):
            scope |= self.built.scopes.get(name, _NOBODY) | self.built.reach.get(name, _NOBODY)
        if not self.take_over or (step.name in self.kept and step.name not in self.last):
            scope = _EVERYONE
        self.built.scopes[step.name] = scope
        if step.name not in self.kept:
            return  # built where it is read, for those who are asked about there
        whole = scope.touched_by is None or not self.owned(step.name)
        if whole:
            self.build_for_all(step)
            if scope.touched_by is None and step.name in self.last and step.name in self.read_by_patient:
                self.built.scopes[step.name] = self.changed(step)
            self.told[step.name] = -1
            return
        share = self.share(scope)
        share.fill(step.name, build=True)
        self.put(step, self.taken_over(step, share))
        self.told[step.name] = share.patients

    def build_for_all(self, step: closed.Step) -> None:
        """Build a step from all rows, and before it what nothing keeps and it reads."""
        for name in sorted(self.reads(step)):
            need = self.steps.get(name)
            if need and need.key == "patient" and name not in self.kept | self.built.whole_steps:
                self.build_for_all(need)
                self.built.whole_steps.add(name)
        self.put(step, step.sql)

    def put(self, step: closed.Step, sql: str) -> None:
        """Make a step's table: of the report, or of STEPS with a view of it; or a temporary one."""
        if step.name not in self.kept:
            engine.make(self.con, "STEP", step.name, sql)
        elif step.kind == "TABLE":
            engine.make(self.con, "TABLE", step.name, sql)
        else:
            self.con.execute(f'CREATE TABLE {STEPS}."{step.name}" AS {sql}')
            engine.make(self.con, "VIEW", step.name, f'FROM {STEPS}.main."{step.name}"')

    def share(self, scope: _Scope) -> _Share:
        """Return the database of the touched patients' share."""
        sources = scope.touched_by or frozenset()
        if sources not in self.shares:
            self.shares[sources] = _Share(self, sources, f"share_{len(self.shares)}")
        return self.shares[sources]

    def columns(self, name: str) -> list[str]:
        """Return the columns of a step of the run before."""
        return [column for column, *_ in self.con.execute(f"DESCRIBE {self.last[name]}").fetchall()]

    def named_by(self, name: str) -> str | None:
        """Return the column that says whose a row of a step of the run before is."""
        columns = self.columns(name)
        return next((key for key in ("patient_id", *self.models.row_numbers, "claim_id") if key in columns), None)

    def owned(self, name: str) -> bool:
        """Say whether it can be told whose a step's rows are."""
        return name in self.models.owner or self.named_by(name) is not None

    def mapped(self, name: str) -> tuple[str, str, str | None]:
        """Return of a step of the run before: its columns with today's line numbers, its FROM, and whose it is."""
        columns = self.columns(name)
        numbers = [column for column in self.models.row_numbers if column in columns]
        taken = f"{self.last[name]} AS old"
        for place, column in enumerate(numbers):
            taken += f' LEFT JOIN line_number AS n{place} ON old."{column}" = n{place}.old_number'
        values = ", ".join(
            f'n{numbers.index(column)}.new_number AS "{column}"' if column in numbers else f'old."{column}"'
            for column in columns
        )
        owner = 'old."patient_id"' if "patient_id" in columns else "n0.patient_id" if numbers else None
        return values, taken, owner

    def taken_over(self, step: closed.Step, share: _Share) -> str:
        """Return the rows of those who are not touched, of the run before, with those just built."""
        values, taken, owner = self.mapped(step.name)
        touched = f"{share.name}.main.patient"
        if owner:
            # A line that is gone had a patient who is touched.
            others = f"{owner} NOT IN (FROM {touched}) AND {owner} IS NOT NULL"
        elif step.name in self.models.owner:
            ((other, key),) = self.models.owner[step.name].items()
            others = f'old."{key}" IN (SELECT "{key}" FROM {self.last[other]} WHERE patient_id NOT IN (FROM {touched}))'
        else:
            others = (
                f"old.claim_id NOT IN (SELECT claim_id FROM {LAST}.claim_line WHERE patient_id IN (FROM {touched}))"
            )
        built = ", ".join(f'"{column}"' for column in self.columns(step.name))
        return (
            f'SELECT {values} FROM {taken} WHERE {others} UNION ALL SELECT {built} FROM {share.name}.main."{step.name}"'
        )

    def changed(self, step: closed.Step) -> _Scope:
        """Return whom a step that was built for all touches: those of its rows that came out otherwise."""
        if not self.owned(step.name) or step.name in self.models.owner:
            return _EVERYONE
        values, taken, owner = self.mapped(step.name)
        columns = self.columns(step.name)
        listed = ", ".join(f'"{column}"' for column in columns)
        old = f"SELECT {values} FROM {taken}"
        new = f'SELECT {listed} FROM "{step.name}"'
        differing = f"(({old} EXCEPT ALL {new}) UNION ALL ({new} EXCEPT ALL {old}))"
        if "patient_id" in columns:
            patients = f"SELECT patient_id FROM {differing}"
        elif owner:
            number = next(column for column in self.models.row_numbers if column in columns)
            patients = f"SELECT patient_id FROM claim_line WHERE rowid IN (SELECT {number} FROM {differing})"
        else:
            patients = f"SELECT patient_id FROM claim_line WHERE claim_id IN (SELECT claim_id FROM {differing})"
        return _Scope(frozenset({_BASE})) | self.touch(f"changed {step.name}", patients)


class _Share:
    """A database in memory with the touched patients' rows of what is read, and the steps built from them."""

    def __init__(self, building: Building, sources: Iterable[str], name: str) -> None:
        self.building, self.name, self.con = building, name, building.con
        self.con.execute(f"ATTACH ':memory:' AS {name}")
        building.opened.callback(self.con.execute, f"DETACH {name}")
        self.own = building.opened.enter_context(self.con.cursor())
        building.opened.enter_context(stopping.interruptible(self.own))
        self.own.execute(f"USE {name}")
        engine.create_tables(self.own)
        self.filled: set[str] = set()
        self.taken = {name for name in building.last if name in building.kept and building.named_by(name)}
        listed = ", ".join(f"'{source}'" for source in sources)
        self.con.execute(
            f"""
            CREATE TABLE {name}.patient AS SELECT DISTINCT patient_id FROM touched WHERE source IN ({listed});
            CREATE TABLE {name}.line AS
            SELECT rowid AS line_id, claim_id FROM claim_line WHERE patient_id IN (FROM {name}.patient)
            """
        )
        ((self.patients,),) = self.con.execute(f"SELECT count(*) FROM {name}.patient").fetchall()

    def fill(self, name: str, *, build: bool = False) -> None:
        """Take the share of a table or step that is there for all; else build the step, and before it what it reads."""
        if name in self.filled:
            return
        self.filled.add(name)
        step = self.building.steps.get(name)
        if step is None or not (build or step.key == "any" or (step.key == "patient" and name not in self.taken)):
            self.take(name)
            return
        for need in sorted((step.needs | step.reads) - {"notes"}):
            self.fill(need)
        self.own.execute(f'CREATE OR REPLACE {"VIEW" if step.key == "any" else "TABLE"} "{name}" AS {step.sql}')

    def take(self, name: str) -> None:
        """Take the touched patients' rows of a table, or all rows where it cannot be told whose they are."""
        rows = f'"{name}"'
        match closed.key_of(name, closed.types_of(self.con, name)):
            case None:
                rows += " LIMIT 1" if name in self.building.models.any_row else ""
            case "note_id":
                notes = f"SELECT note_id FROM visit_note WHERE patient_id IN (FROM {self.name}.patient)"
                rows += f" WHERE note_id IN ({notes})"
            case "text_number":
                self.fill("service_text")
                rows += f" WHERE text_number IN (SELECT text_number FROM {self.name}.service_text)"
            case "patient_id":
                rows += f" WHERE patient_id IN (FROM {self.name}.patient)"
            case column:
                known = "claim_id" if column == "claim_id" else "line_id"
                rows += f" WHERE {column} IN (SELECT {known} FROM {self.name}.line)"
        number = "rowid, " if name == "claim_line" else ""
        self.con.execute(f'CREATE OR REPLACE TABLE {self.name}.main."{name}" AS SELECT {number}* FROM {rows}')


def _patients(places: Iterable[str], condition: str) -> str:
    """Return the query of the patients of rows where one of the columns (table.column) meets a condition on it."""
    return " UNION ALL ".join(
        f'SELECT patient_id FROM "{table}" WHERE {condition.format(column)}'
        for table, _, column in (place.partition(".") for place in places)
    )
