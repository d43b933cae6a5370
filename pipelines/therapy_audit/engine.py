"""Schema, models, checks: from the contract tables to findings and coverage, all of it in DuckDB."""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from collections.abc import Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import as_file
from string import Formatter
from time import perf_counter
from typing import TYPE_CHECKING, Any

import duckdb

from therapy_audit import hands, progress, resources, stopping
from therapy_audit import rules as rulebook
from therapy_audit.errors import AuditError
from therapy_audit.notes import likeness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from therapy_audit.rules import Parameter, PayerPair, Rule, RuleSet

# The database of what is not written to the file.
UNSAVED = "unsaved"


@contextmanager
def connect(
    path: Path | str = ":memory:",
    *,
    threads: int | None = None,
    memory_limit: str | None = None,
    text_functions: bool = True,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB database that never reaches for the network and spills beside itself.

    Without `text_functions` it starts sooner and knows none of notes/likeness: for models that compare no texts.
    """
    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # The first that has one compression for strings in place of two that are both tried: files fill in three
        # quarters of the time. DuckDB 1.3 and later read it.
        "storage_compatibility_version": "v1.3.0",
        # What is written is thrown away where a run dies: it goes from log to file seldom, as that writes it anew.
        "wal_autocheckpoint": "128MB",
    }
    if threads:
        settings["threads"] = threads
    if memory_limit:
        if not re.fullmatch(r"\d+(\.\d+)?\s*(MB|GB|TB|MiB|GiB|TiB)", memory_limit, re.IGNORECASE):
            raise AuditError(f"Memory limit '{memory_limit}' is not one; write it as 2GB or 800MB.")
        settings["memory_limit"] = memory_limit
    with duckdb.connect(str(path), config=settings) as con:
        try:
            with stopping.interruptible(con):
                # Row order is never relied on: every result that leaves is sorted by a unique key.
                con.execute("SET preserve_insertion_order = false")
                if text_functions:
                    likeness.register(con)
                yield con
        except BaseException:
            # As a rule the file goes too. Where it stays its log is read when it is opened: to write that into the file
            # now may take longer than a user who stopped the run would wait.
            with suppress(duckdb.Error):
                con.execute("PRAGMA disable_checkpoint_on_shutdown")
            raise


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep DuckDB from importing pandas, for a command line that asks little.

    For each bound value it looks whether that is the NaT of pandas, and imports pandas for that: half a second. Where
    pandas is in use already nothing is changed.
    """
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # as the import system has it for a module that is refused
    try:
        yield
    finally:
        del sys.modules["pandas"]


_LOCKED: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}


def opened(database: Path, *, locked: bool = True) -> duckdb.DuckDBPyConnection:
    """Open a report's database for reading; `locked` from the first, since what is in it may come from someone else.

    Where this process has it open already, it is as it was opened then: DuckDB has one setting for all connections.
    AuditError: another program writes it, or it is damaged.
    """
    first, second = (_LOCKED, {}) if locked else ({}, _LOCKED)
    try:
        try:
            return duckdb.connect(str(database), read_only=True, config=first)
        except duckdb.ConnectionException:
            return duckdb.connect(str(database), read_only=True, config=second)
    except duckdb.Error as fault:
        if "Could not set lock" in str(fault):
            raise AuditError(f"{database}: another program is writing the database; close it and try again.") from None
        raise AuditError(f"{database}: {_DAMAGED}") from None


_DAMAGED = "the database is damaged, or no database of this DuckDB; run the audit again."


def tell_damage(fault: BaseException | None, database: Path) -> None:
    """Raise AuditError where a query failed since its database is damaged: a block shows it only when it is read."""
    if isinstance(fault, duckdb.IOException) and any(
        words in str(fault) for words in ("Corrupt database file", "Could not read enough bytes")
    ):
        raise AuditError(f"{database}: {_DAMAGED}") from None


@contextmanager
def reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a report's database for reading, locked, and close it. AuditError: it is damaged, be it seen late."""
    with opened(database) as con:
        try:
            yield con
        except duckdb.Error as fault:
            tell_damage(fault, database)
            raise


def lock(con: duckdb.DuckDBPyConnection, folders: Sequence[str] = ()) -> None:
    """Keep all later SQL of this database, also a user's own rules, from files, network and settings, for good.

    What it spills still goes to its own temporary folder, and what is exported leaves through Arrow. `folders` (of this
    machine, or fsspec addresses) may still be read: those of what a run's own workers left.
    """
    if folders:
        con.execute(f"SET allowed_directories = [{', '.join('?' * len(folders))}]", list(folders))
    con.execute("SET enable_external_access = false")
    con.execute("SET allowed_configs = ['external_threads']")  # how many queries run side by side
    con.execute("SET lock_configuration = true")


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the contract tables, empty, and the functions that all SQL shares."""
    con.execute(_sql("schema"))
    con.execute(_sql("functions"))


def prepare_codes(con: duckdb.DuckDBPyConnection, reference: Path | None = None) -> None:
    """Create the contract tables and fill the code tables of rules/codes/ with their editions.

    A file is named for its table, and for the part of it that it holds where there are several: mue.hospital.csv.
    Tables loaded into the folder `reference` stand in place of those shipped. AuditError: one of them is damaged.
    """
    create_tables(con)
    codes = resources.folder("rules") / "codes"
    for entry in sorted(codes.iterdir(), key=lambda item: item.name):
        stem, _, suffix = entry.name.rpartition(".")
        table = stem.partition(".")[0]
        if suffix == "csv":
            with as_file(entry) as path, path.open(encoding="utf-8") as lines:
                # Finding out how each file is written would take longer than reading it.
                columns = dict.fromkeys(next(lines).strip().split(","), "VARCHAR")
                con.execute(
                    f"INSERT INTO {table} BY NAME FROM"
                    " read_csv(?, header = TRUE, auto_detect = FALSE, quote = '\"', columns = ?)",
                    [str(path), columns],
                )
        elif suffix == "yaml":
            twin = resources.parsed(entry.read_text(encoding="utf-8"))
            if "covers" in twin:
                covers = twin["covers"]
                _insert(
                    con,
                    "reference_edition",
                    [
                        (
                            table,
                            twin.get("setting"),
                            twin["edition"],
                            covers["from"],
                            covers["to"],
                            twin["official_file"],
                        )
                    ],
                )
    if reference is not None:
        from therapy_audit import reference as loading

        loading.put_in_place(con, loading.loaded_editions(reference))


def prepare(con: duckdb.DuckDBPyConnection, ruleset: RuleSet, reference: Path | None = None) -> None:
    """Create the contract tables and fill those that come from rules/: codes, plans, parameters, scopes, rules.

    `reference` is the folder of the reference tables that the user loaded, if any.
    """
    prepare_codes(con, reference)
    _insert(
        con,
        "plan",
        [
            (
                plan.name,
                plan.title,
                plan.unit_method,
                plan.counts_toward_kx_threshold,
                plan.discipline_modifier_required,
                plan.assistant_modifier_required,
            )
            for plan in ruleset.plans
        ],
    )
    for plan_name in {pair.plan for pair in ruleset.payer_pairs}:
        con.execute("DELETE FROM payer_pair WHERE plan = ?", [plan_name])
    _insert(
        con,
        "payer_pair",
        [
            (
                pair.plan,
                pair.column_one,
                pair.column_two,
                " ".join(pair.modifiers),
                pair.either_line,
                date.min,
                rulebook.FAR_FUTURE,
                "audit.toml",
            )
            for pair in ruleset.payer_pairs
        ],
    )
    insert_parameters(con, ruleset.parameters)
    _insert(
        con,
        "rule_scope",
        [
            (rule.name, plan, rule.effective_from, rule.effective_to)
            for rule in ruleset.rules
            for plan in plans_of(rule, ruleset)
        ],
    )
    _insert(con, "rule_reference", [(rule.name, name) for rule in ruleset.rules for name in rule.reference_tables])
    _insert(con, "rule_denial_reason", [(rule.name, code) for rule in ruleset.rules for code in rule.denial_reasons])
    _insert(
        con,
        "rule",
        [
            (
                rule.name,
                rule.title,
                rule.severity,
                rule.direction,
                rule.grain,
                rule.remedy,
                list(rule.exceptions),
                json.dumps([{"title": item.title, "href": item.href} for item in rule.references], ensure_ascii=False),
                rule.fingerprint,
            )
            for rule in ruleset.rules
        ],
    )


def insert_parameters(con: duckdb.DuckDBPyConnection, parameters: Iterable[Parameter]) -> None:
    """Add parameters to table `parameter`."""
    _insert(con, "parameter", [row for parameter in parameters for row in parameter.rows()])


def map_payers(con: duckdb.DuckDBPyConnection, patterns: Sequence[tuple[str, str | None]]) -> None:
    """Fill `payer_plan` from the payers that the claims name; the first pattern that fits wins, case ignored."""
    payers = con.execute("SELECT DISTINCT payer FROM claim_line WHERE payer IS NOT NULL ORDER BY payer").fetchall()
    plans = [
        (payer, next((plan for pattern, plan in patterns if fnmatch.fnmatchcase(payer.upper(), pattern.upper())), None))
        for (payer,) in payers
    ]
    con.execute("DELETE FROM payer_plan")
    _insert(con, "payer_plan", plans)


def set_locality(con: duckdb.DuckDBPyConnection, locality: str, where: str) -> None:
    """Fill `fee_locality`; `where` it was asked for. AuditError names the localities that look most like it."""
    ((known,),) = con.execute("SELECT count(*) FROM gpci WHERE locality = ?", [locality]).fetchall()
    if not known and locality != "national":
        near = con.execute(
            "SELECT locality || ' (' || any_value(title) || ')' FROM gpci WHERE locality <> 'national'"
            " GROUP BY locality ORDER BY jaro_winkler_similarity(locality, ?) DESC, locality LIMIT 3",
            [locality],
        ).fetchall()
        raise AuditError(
            f"{where} '{locality}' is none of the table of localities; write contractor and locality "
            f"number such as {', '.join(name for (name,) in near)}, or national."
        )
    con.execute("DELETE FROM fee_locality")
    con.execute("INSERT INTO fee_locality VALUES (?)", [locality])


def set_period(
    con: duckdb.DuckDBPyConnection,
    start: date | None = None,
    end: date | None = None,
    as_of: date | None = None,
    today: date | None = None,
) -> tuple[date, date]:
    """Set the service dates on which the run reports (default: all that the claims hold) and return them.

    Claims sent and remittances paid after `as_of` do not count; without it everything does.
    Dismissals expire by `as_of`, else by `today`; with neither none does.
    """
    span = con.execute("SELECT min(service_date), max(service_date) FROM claim_line").fetchone()
    first, last = span or (None, None)
    if first is None or last is None:
        raise AuditError("No claim line was loaded, so there is nothing to audit; see quarantine.csv for the reasons.")
    chosen = (start or first, end or last)
    if not con.execute("SELECT 1 FROM claim_line WHERE service_date BETWEEN ? AND ? LIMIT 1", chosen).fetchone():
        raise AuditError(
            f"No claim line has a service date from {chosen[0]} to {chosen[1]}; those given run from {first} to {last}."
        )
    sent = con.execute(
        "SELECT min(submitted_date) FROM claim_line WHERE service_date BETWEEN ? AND ?"
        " HAVING bool_and(coalesce(submitted_date > ?, FALSE))",
        [*chosen, as_of],
    ).fetchone()
    if sent:
        raise AuditError(f"No claim was sent by {as_of}, the day the run looks from; the first was sent on {sent[0]}.")
    con.execute("DELETE FROM audit_period")
    con.execute("INSERT INTO audit_period (period_start, period_end, as_of) VALUES (?, ?, ?)", [*chosen, as_of])
    con.execute("DELETE FROM run_day")
    con.execute("INSERT INTO run_day SELECT $day WHERE $day IS NOT NULL", {"day": as_of or today})
    return chosen


def build_models(
    con: duckdb.DuckDBPyConnection,
    timed: Callable[[str, float], None] | None = None,
    only: Iterable[str] | None = None,
    rules: Sequence[Rule] | None = None,
) -> None:
    """Create one table per sql/models/*.sql (or those named and what they read), each after the tables that it reads.

    Those of sql/models/steps/ are not written to the database file but to UNSAVED. Those of views/ hold no rows of
    their own. Where it is known which `rules` come after, a step is dropped as soon as neither a model still to be made
    nor they, nor findings and report, read it: together the steps hold more than all tables.
    """
    models = _models()
    needs: dict[str, frozenset[str]] = {}
    wanted = set(models if only is None else only)
    while wanted:
        needs |= {name: _needs(con, name) for name in sorted(wanted)}
        wanted = set().union(*(needs[name] for name in wanted)) - set(needs)
    needs = {name: needs[name] for name in models if name in needs}
    waiting = set(needs)
    steps = [name for name in waiting if models[name].kind == "STEP"]
    passing = set() if rules is None else passing_steps(steps, rules)
    attach_unsaved(con)
    with (
        progress.stage("models", len(waiting)) as done,
        closing(
            hands.in_turn(con, needs, lambda hand, name: make(hand, models[name].kind, name, models[name].sql))
        ) as made,
    ):
        for one in made:
            waiting.remove(one.name)
            for step in sorted(passing - waiting - set().union(*(needs[name] for name in waiting))):
                con.execute(f'DROP TABLE {UNSAVED}.main."{step}"')
                passing.remove(step)
            if timed:
                timed(f"model {one.name}", one.seconds)
            done()
    if only is None:
        create_scopes(con)


def create_scopes(con: duckdb.DuckDBPyConnection) -> None:
    """Create the macros through which rules read their rows."""
    con.execute(_sql("in_scope"))


@dataclass(frozen=True)
class _Model:
    """One file of sql/models/, and what it makes: TABLE, STEP or VIEW."""

    kind: str
    sql: str


@cache
def _models() -> Mapping[str, _Model]:
    """Read sql/models/ once in a process."""
    texts = resources.texts(resources.folder("sql") / "models", ".sql")
    return {path.rpartition(".")[2]: _Model(kind_of(path), sql) for path, sql in texts.items()}


def kind_of(path: str) -> str:
    """Return what a file of sql/models/ makes, by its name with points for folders: TABLE, STEP or VIEW."""
    return {"steps": "STEP", "views": "VIEW"}.get(path.partition(".")[0], "TABLE")


def attach_unsaved(con: duckdb.DuckDBPyConnection) -> None:
    """Attach the database that holds what is not written to the file, in memory and spilling to disk, if it is not yet.

    Its tables are found by their names alone, as those of the file are. Unlike temporary ones, several connections see
    them.
    """
    con.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {UNSAVED}")
    ((name,),) = con.execute("SELECT current_database()").fetchall()
    quoted = '"' + name.replace('"', '""') + '"'
    con.execute(f"SET search_path = {_text(f'{quoted}.main,{UNSAVED}.main')}")


def _text(value: str) -> str:
    """Return an SQL text: settings take no bound values."""
    return "'" + value.replace("'", "''") + "'"


def make(con: duckdb.DuckDBPyConnection, kind: str, name: str, sql: str) -> None:
    """Make the table of a model, the step or the view; `con` has the steps attached."""
    where = "" if kind == "TABLE" else f"{UNSAVED}.main."
    con.execute(f'CREATE OR REPLACE {"VIEW" if kind == "VIEW" else "TABLE"} {where}"{name}" AS {sql}')


_NEEDS: dict[str, frozenset[str]] = {}  # found out once in a process: it takes as long as running it on a small file


def _needs(con: duckdb.DuckDBPyConnection, name: str) -> frozenset[str]:
    """Return the other models that a model reads; `con` has the contract tables and the functions that it calls."""
    models = _models()
    if name not in _NEEDS:
        _NEEDS[name] = frozenset(con.get_table_names(models[name].sql)) & set(models) - {name}
    return _NEEDS[name]


def passing_steps(steps: Iterable[str], rules: Sequence[Rule]) -> set[str]:
    """Return the steps that nothing but models reads: no SQL of the rules, the findings or the report names them."""
    later = [
        *(rule.sql for rule in rules),
        *(rule.applies_to or "" for rule in rules),
        *(_sql(name) for name in ("functions", "in_scope", "findings")),
    ]
    later += [condition for rule in rules for condition in rule.requires]
    for folder in ("models/views", "reports", "compare", "review"):
        later += resources.texts(resources.folder("sql") / folder, ".sql").values()
    named = set(re.findall(r"\w+", "\n".join(later)))
    return {step for step in steps if step not in named}


def run_rules(
    con: duckdb.DuckDBPyConnection, rules: Sequence[Rule], timed: Callable[[str, float], None] | None = None
) -> dict[str, str]:
    """Fill `finding` and `coverage` and return {rule: error} of the rules whose query failed."""
    attach_unsaved(con)
    con.execute(_RAW_FINDING)
    errors: dict[str, str] = {}
    by_name = {rule.name: rule for rule in rules}
    together: dict[str, frozenset[str]] = dict.fromkeys(by_name, frozenset())

    tried: set[str] = set()

    def judge(hand: duckdb.DuckDBPyConnection, name: str) -> None:
        try:
            _check(hand, by_name[name])
        except duckdb.InterruptException:
            raise  # the run is to stop
        except duckdb.Error as fault:
            if isinstance(fault, duckdb.OutOfMemoryException) and name not in tried:
                tried.add(name)
                raise  # it is tried again alone
            # The text of a DuckDB error can quote a value of the data: only its kind leaves this function.
            errors[name] = type(fault).__name__
            hand.execute("DELETE FROM raw_finding WHERE rule = ?", [name])

    with progress.stage("rules", 2 * len(rules)) as done:
        with closing(hands.in_turn(con, together, judge)) as judged:
            for one in judged:
                if timed:
                    timed(f"rule {one.name}", one.seconds)
                done()
        started = perf_counter()
        _collect(con)
        tallies = _tally(con, rules)

        def cover(hand: duckdb.DuckDBPyConnection, name: str) -> None:
            _cover(hand, by_name[name], tallies, failed_query=name in errors)

        with closing(hands.in_turn(con, together, cover)) as covered:
            for _ in covered:
                done()
    con.execute("DROP TABLE raw_finding")
    if timed:
        timed("findings and coverage", perf_counter() - started)
    return errors


def try_own(ruleset: RuleSet) -> None:
    """Run the user's own rules on an empty database. AuditError names all that cannot run, with DuckDB's sentence."""
    own = [rule for rule in ruleset.rules if rule.name.startswith(rulebook.OWN)]
    faults = []
    with connect() as con:
        prepare(con, ruleset)
        lock(con)
        con.execute("INSERT INTO audit_period VALUES (DATE '2026-01-01', DATE '2026-12-31', NULL)")
        build_models(con)
        con.execute(_RAW_FINDING)
        for rule in own:
            try:
                if told := _not_one_query(rule):
                    faults.append(f"{rule.name}: {told}")
                    continue
                scope = scope_of(rule)
                if told := _lacks(con, rule, scope):
                    faults.append(f"{rule.name}: {told}")
                    continue
                _check(con, rule)
                con.execute(
                    f"SELECT {_cases(_doubts(con, rule))} FROM {scope}($rule) WHERE {rule.applies_to or 'TRUE'}",
                    {"rule": rule.name},
                )
            except duckdb.PermissionException:
                faults.append(f"{rule.name}: its SQL reaches for a file; a rule reads the tables of the audit only.")
            except duckdb.Error as fault:
                # Nothing but rules is in this database, so the sentence holds no patient's data.
                told = " ".join(str(fault).partition("\n\nLINE")[0].split())
                faults.append(f"{rule.name}: its SQL or a condition of its YAML cannot run. {told}")
            except RuntimeError as fault:
                faults.append(f"{fault}.")
    if faults:
        raise AuditError("\n".join(faults))


def _not_one_query(rule: Rule) -> str | None:
    """Return what is wrong where a rule's SQL, or a condition of its YAML, would not stay within its parentheses."""
    if unfit := [name for name in rule.requires if not re.fullmatch(r"\w+", str(name))]:
        return f"requires has '{unfit[0]}', which is no column."
    condition = f"SELECT ({rule.applies_to or 'TRUE'})"
    for what, text in (("its SQL must be one SELECT.", rule.sql), ("applies_to must be one condition.", condition)):
        try:
            # Parsed alone: a parenthesis that closes one of ours is an error here.
            found = duckdb.extract_statements(text)
        except duckdb.Error:
            return None if text == rule.sql else what  # of its SQL, DuckDB says more when it is tried
        if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
            return what
    return None


def _lacks(con: duckdb.DuckDBPyConnection, rule: Rule, scope: str) -> str | None:
    """Return which column a rule asks for that its SQL does not return, or its scope does not have."""
    returned = _columns(con, f"({rule.sql})", bound(rule))
    grain = rulebook.grains().grains[rule.grain]
    facts = [key.removeprefix("facts->>").strip("'") for key in grain.identity if key.startswith("facts->>")]
    needed = ["claim_id", "claim_line_number"] if grain.of_line else ["service_date", "source_file", "source_row"]
    arithmetic = "" if rule.arithmetic == "units" else rule.arithmetic or ""
    for asking, names in (
        (f"grain: {rule.grain}", [*needed, *facts]),
        ("message", _named(rule.message)),
        ("arithmetic", _named(arithmetic)),
    ):
        if missing := [name for name in names if name not in returned]:
            file = rule.name.removeprefix(rulebook.OWN).replace(".", "/")
            return f"its SQL must return {', '.join(missing)} as well, which {asking} in {file}.yaml asks for."
    if missing := sorted(rule.requires.keys() - _columns(con, f"{scope}($rule)", {"rule": rule.name})):
        return f"requires names {', '.join(missing)}, which {scope} does not have."
    return None


def _columns(con: duckdb.DuckDBPyConnection, source: str, values: Mapping[str, str]) -> set[str]:
    return {item[0] for item in con.execute(f"SELECT * FROM {source} LIMIT 0", values).description}


def _named(template: str) -> list[str]:
    """Return the facts that a message names."""
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def override(
    ruleset: RuleSet,
    parameters: Mapping[str, float | Mapping[str, float]],
    unit_methods: Mapping[str, str] | None = None,
    required_modifiers: Mapping[str, Sequence[str]] | None = None,
    pairs: Sequence[PayerPair] = (),
) -> RuleSet:
    """Return the rule set with what a user's audit.toml puts in place of the shipped settings.

    Parameters are values for all dates, for all keys or {key: value}; `unit_methods`, `required_modifiers` (of
    discipline, assistant) and `pairs` are by plan. AuditError says what there is to set.
    """
    known = {item.name for item in ruleset.parameters}
    for name in set(parameters) - known:
        raise AuditError(f"audit.toml: [parameters] knows no '{name}'; there are {', '.join(sorted(known))}.")
    methods, required = unit_methods or {}, required_modifiers or {}
    plans = {plan.name for plan in ruleset.plans}
    named = {"unit_method": methods, "required_modifiers": required, "[pairs]": [pair.plan for pair in pairs]}
    for section, names in named.items():
        for name in set(names) - plans:
            raise AuditError(f"audit.toml: [{section}] knows no plan '{name}'; there are {', '.join(sorted(plans))}.")
    return replace(
        ruleset,
        parameters=tuple(
            replace(item, values=_overridden(item, parameters[item.name], plans)) if item.name in parameters else item
            for item in ruleset.parameters
        ),
        plans=tuple(
            replace(
                plan,
                unit_method=methods.get(plan.name, plan.unit_method),
                discipline_modifier_required=(
                    "discipline" in required[plan.name] if plan.name in required else plan.discipline_modifier_required
                ),
                assistant_modifier_required=(
                    "assistant" in required[plan.name] if plan.name in required else plan.assistant_modifier_required
                ),
            )
            for plan in ruleset.plans
        ),
        payer_pairs=tuple(pairs),
    )


def _overridden(
    item: Parameter, given: float | Mapping[str, float], plans: Iterable[str]
) -> Mapping[str, Mapping[date, float]]:
    keys = sorted(plans) if item.by_plan else list(item.values)
    first = min(day for by_date in item.values.values() for day in by_date)
    if not isinstance(given, Mapping):
        return {key: dict.fromkeys(item.values.get(key, [first]), given) for key in keys}
    for key in given:
        if key not in keys:
            there_are = "has one value for everything" if keys == ["all"] else f"has the keys {', '.join(keys)}"
            raise AuditError(f"audit.toml: [parameters] {item.name} {there_are}, not '{key}'.")
    return {**item.values, **{key: {first: value} for key, value in given.items()}}


def _sql(name: str) -> str:
    return resources.folder("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def scope_of(rule: Rule) -> str:
    """Return the macro through which the rule's SQL reads its rows."""
    found = re.search(r"\b(\w*in_scope)\(\$rule\)", rule.sql)
    scopes = rulebook.grains().scopes
    if found is None or found[1] not in scopes:
        raise RuntimeError(f"{rule.name}: its SQL must read FROM one of {', '.join(scopes)} with ($rule)")
    return found[1]


def message_sql(template: str) -> str:
    """Turn a rule's message into a SQL expression over its facts.

    {name} is the value, {name:money} dollars and cents, {name:count unit} '1 unit' or '2 units'.
    """
    parts = []
    for literal, name, form, _ in Formatter().parse(template):
        if literal:
            parts.append("'" + literal.replace("'", "''") + "'")
        if name:
            column = '"' + name.replace('"', '""') + '"'
            if form == "money":
                text = f"format('${{:,.2f}}', {column}::DOUBLE)"
            elif form and form.startswith("count "):
                noun = form.removeprefix("count ").replace("'", "''")
                text = f"{column} || ' {noun}' || CASE {column} WHEN 1 THEN '' ELSE 's' END"
            else:
                text = f"{column}::VARCHAR"
            parts.append(f"coalesce({text}, 'not known')")
    return " || ".join(parts)


def plans_of(rule: Rule, ruleset: RuleSet) -> list[str]:
    """Return the plans that a rule judges: those it names, or those with the traits that it names."""
    if isinstance(rule.plans, tuple):
        return list(rule.plans)
    traits = rule.plans
    return [plan.name for plan in ruleset.plans if all(getattr(plan, key) == value for key, value in traits.items())]


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert a few rows (of rules/ and audit.toml, never claims) into a table."""
    if rows:
        # One statement for all: executemany runs it once per row, which took longer than the audit of a small file.
        row = f"({', '.join('?' * len(rows[0]))})"
        con.execute(
            f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", [cell for one in rows for cell in one]
        )


def bound(rule: Rule) -> dict[str, str]:
    """Return the values that the rule's SQL binds: its id as $rule, and the names of its parameters."""
    return {name: value for name, value in (("rule", rule.name), *rule.parameters.items()) if f"${name}" in rule.sql}


# How a check says what would not be paid: a known amount, units of lines, units of its own line; else all of its line.
_PRICED = ("amount_at_risk", "at_stake", "units_at_stake")
# The units that a finding puts at stake, by the line that they are billed on: whose is null is the finding's own.
_STAKE = "STRUCT(patient_id VARCHAR, service_date DATE, discipline VARCHAR, hcpcs_code VARCHAR, units INTEGER)[]"
_RAW_FINDING = (
    f"CREATE OR REPLACE TABLE {UNSAVED}.main.raw_finding (rule VARCHAR, claim_id VARCHAR, claim_line_number INTEGER,"
    " severity VARCHAR, amount_at_risk DECIMAL(12, 2), message VARCHAR, facts JSON, service_date DATE,"
    " patient_id VARCHAR, payer VARCHAR, plan VARCHAR, hcpcs_code VARCHAR, source_file VARCHAR, source_row BIGINT,"
    f" at_stake {_STAKE}, units_at_stake INTEGER)"
)
_TOLD_BY_LINE = ("service_date", "patient_id", "payer", "plan", "hcpcs_code", "source_file", "source_row")


def _check(con: duckdb.DuckDBPyConnection, rule: Rule) -> None:
    columns = [item[0] for item in con.execute(f"SELECT * FROM ({rule.sql}) LIMIT 0", bound(rule)).description]
    # What is not about a claim line says itself what a line would tell.
    own = () if rulebook.grains().grains[rule.grain].of_line else _TOLD_BY_LINE
    line = ["claim_id", "claim_line_number"]
    facts = [name for name in columns if name not in {*line, *own, *_PRICED, "severity"}]
    named = ", ".join(f'"{name}"' if name in columns else "NULL" for name in line)
    told = ", ".join(f'"{name}"' if name in own and name in columns else "NULL" for name in _TOLD_BY_LINE)
    # A check may judge its findings less (or more) severely than its rule, by a column of that name.
    severity = "severity" if "severity" in columns else f"'{rule.severity}'"
    amount, at_stake, units = (name if name in columns else "NULL" for name in _PRICED)
    packed = ", ".join(f'"{name}" := "{name}"' for name in facts)
    told_facts = f"to_json(struct_pack({packed}))" if facts else "'{}'::JSON"
    con.execute(
        f"""
        INSERT INTO raw_finding
        SELECT
            '{rule.name}', {named}, {severity}, {amount},
            {message_sql(rule.message)},
            {told_facts},
            {told}, {at_stake}, {units}
        FROM ({rule.sql})
        """,
        bound(rule),
    )


def _collect(con: duckdb.DuckDBPyConnection) -> None:
    """Join what the checks returned to its line, its source row, its rule and its price: `finding`, `finding_line`."""
    identity = " ".join(
        f"WHEN '{name}' THEN concat_ws('|', {', '.join(f'({key})::VARCHAR' for key in ('rule', *grain.identity))})"
        for name, grain in rulebook.grains().grains.items()
    )
    by_plan = ", ".join(f"'{name}'" for name, grain in rulebook.grains().grains.items() if "plan" in grain.identity)
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE located_finding AS
        -- Current where an edition of each table that the rule reads covers the date, for the line's setting.
        WITH dated AS (
            SELECT DISTINCT raw_finding.rule, line.setting, line.service_date
            FROM raw_finding INNER JOIN therapy_line AS line USING (claim_id, claim_line_number)
        ),
        reach AS (
            SELECT
                dated.rule, dated.setting, dated.service_date,
                count(DISTINCT edition.reference) = count(DISTINCT rule_reference.reference) AS covered
            FROM dated
            INNER JOIN rule_reference ON dated.rule = rule_reference.rule
            LEFT JOIN reference_edition AS edition
                ON
                    rule_reference.reference = edition.reference
                    AND coalesce(edition.setting, dated.setting) = dated.setting
                    AND dated.service_date BETWEEN edition.covers_from AND edition.covers_to
            GROUP BY dated.rule, dated.setting, dated.service_date
        ),
        located AS (
            SELECT
                raw_finding.rule, raw_finding.severity, raw_finding.message, raw_finding.facts,
                raw_finding.at_stake, raw_finding.units_at_stake, raw_finding.amount_at_risk AS known_amount,
                rule.direction, rule.grain, rule.grain IN ({by_plan}) AS by_plan,
                rule.direction = 'underpayment' OR (rule.direction = 'overpayment' AND raw_finding.severity <> 'info')
                    AS counts,
                line.line_id,
                coalesce(raw_finding.claim_id, '') AS claim_id,
                coalesce(raw_finding.claim_line_number, 0) AS claim_line_number,
                coalesce(line.patient_id, raw_finding.patient_id, '') AS patient_id,
                coalesce(line.service_date, raw_finding.service_date) AS service_date,
                line.discipline,
                coalesce(line.hcpcs_code, raw_finding.hcpcs_code) AS hcpcs_code,
                line.rendering_npi,
                coalesce(line.payer, raw_finding.payer) AS payer,
                coalesce(line.plan, raw_finding.plan) AS plan,
                CASE
                    WHEN reach.covered IS NULL THEN 'none'
                    WHEN reach.covered THEN 'current'
                    ELSE 'stale_reference'
                END AS reference_state,
                coalesce(current_line.source_file, raw_finding.source_file) AS source_file,
                coalesce(current_line.source_row, raw_finding.source_row) AS source_row
            FROM raw_finding
            INNER JOIN rule ON raw_finding.rule = rule.rule
            LEFT JOIN therapy_line AS line
                ON raw_finding.claim_id = line.claim_id AND raw_finding.claim_line_number = line.claim_line_number
            LEFT JOIN current_line ON line.line_id = current_line.line_id
            LEFT JOIN reach
                ON
                    raw_finding.rule = reach.rule AND line.setting = reach.setting
                    AND line.service_date = reach.service_date
            WHERE line.line_id IS NOT NULL OR raw_finding.service_date IS NOT NULL
        )
        SELECT left(md5(CASE grain {identity} END), 16) AS finding_id, * FROM located
        """
    )
    con.execute(_sql("findings"))
    for table in (
        "located_finding",
        "line_price",
        "finding_stake",
        "finding_amount",
        "judged_finding",
        "single_stake",
        "joint_stake",
    ):
        con.execute(f"DROP TABLE {table}")


@dataclass(frozen=True)
class _Tally:
    """The rows of a scope counted once for all its rules: by plan, date and the answers to the rules' conditions."""

    table: str
    flags: Mapping[str, str]  # condition: the column that holds its answer


def _tally(con: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> dict[str, _Tally]:
    """Count the rows of each scope that coverage counts by rows; one pass over the model instead of one per rule."""
    tallies = {}
    for scope, told in rulebook.grains().scopes.items():
        mine = [rule for rule in rules if scope_of(rule) == scope]
        if told.counts or not mine:
            continue
        conditions = dict.fromkeys(
            condition
            for rule in mine
            for condition in (rule.applies_to or "TRUE", *(condition for condition, _ in _doubts(con, rule)))
        )
        flags = {condition: f"flag_{number}" for number, condition in enumerate(conditions)}
        columns = ", ".join(f"({condition}) AS {flag}" for condition, flag in flags.items())
        con.execute(
            f"CREATE OR REPLACE TABLE {UNSAVED}.main.tally_{scope} AS"
            f" SELECT plan, service_date, {columns}, count(*) AS items FROM {told.model} INNER JOIN audit_period"
            " ON service_date BETWEEN audit_period.period_start AND audit_period.period_end GROUP BY ALL"
        )
        tallies[scope] = _Tally(f"tally_{scope}", flags)
    return tallies


def _cover(con: duckdb.DuckDBPyConnection, rule: Rule, tallies: Mapping[str, _Tally], *, failed_query: bool) -> None:
    """Add the rule's row to `coverage`: what was in scope, and which of the four outcomes it had."""
    scope = scope_of(rule)
    keys = rulebook.grains().scopes[scope].counts
    failed = ", ".join(f"({expression})::VARCHAR" for expression in keys.values())
    if scope in tallies:
        flags = tallies[scope].flags
        doubt = _cases((flags[condition], reason) for condition, reason in _doubts(con, rule))
        judged = f"""
            SELECT {doubt} AS reason, items
            FROM rows_in_scope($rule, '{tallies[scope].table}')
            WHERE {flags[rule.applies_to or "TRUE"]}
        """
    else:
        # A thing of several rows can be judged where one of them can, but not past the dates that are known, nor where
        # one of them leaves it open.
        names = ", ".join(keys)
        texts = ", ".join(f"{name}::VARCHAR" for name in keys)
        judged = f"""
            SELECT
                CASE
                    WHEN ({texts}) IN (SELECT ({failed}) FROM finding WHERE rule = $rule) THEN NULL
                    WHEN count(unknown) > 0 THEN min(unknown)
                    WHEN count(*) = count(missing) THEN min(missing)
                END AS reason,
                1 AS items
            FROM (
                SELECT {names}, {_cases(_missing(rule))} AS missing, {_cases(_each(con, rule))} AS unknown
                FROM {scope}($rule)
                WHERE {rule.applies_to or "TRUE"}
            )
            GROUP BY {names}
        """
    con.execute(
        f"""
        INSERT INTO coverage
        WITH judged AS (
            {judged}
        ),
        counted AS (
            SELECT reason, sum(items)::BIGINT AS items FROM judged GROUP BY reason
        ),
        outcome AS (
            SELECT
                coalesce(sum(items), 0) AS in_scope,
                coalesce(sum(items) FILTER (reason IS NOT NULL), 0) AS not_evaluable,
                coalesce(to_json(map_from_entries(
                    list({{'k': reason, 'v': items}} ORDER BY reason) FILTER (reason IS NOT NULL)
                )), '{{}}') AS reasons
            FROM counted
        ),
        found AS (
            SELECT
                {f"count(DISTINCT ({failed}))" if keys else "count(*)"} AS failed,
                count(*) FILTER (review_state IS DISTINCT FROM 'dismissed') AS findings,
                coalesce(
                    sum(amount_at_risk) FILTER (review_state IS DISTINCT FROM 'dismissed'), 0
                ) AS amount_at_risk
            FROM finding LEFT JOIN finding_review USING (finding_id)
            WHERE rule = $rule
        )
        SELECT
            $rule, $grain, in_scope,
            CASE WHEN $failed_query THEN 0 ELSE in_scope - failed - not_evaluable END,
            failed,
            CASE WHEN $failed_query THEN 0 ELSE not_evaluable END,
            CASE WHEN $failed_query THEN in_scope ELSE 0 END,
            findings, amount_at_risk,
            CASE WHEN $failed_query THEN '{{}}' ELSE reasons END
        FROM outcome CROSS JOIN found
        """,
        {"rule": rule.name, "grain": rule.grain, "failed_query": failed_query},
    )


def _missing(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield (condition, reason) for the columns without which a row cannot be judged."""
    yield from ((f"{column} IS NULL", reason) for column, reason in rule.requires.items())


def _each(con: duckdb.DuckDBPyConnection, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield (condition, reason) for what leaves a thing of several rows open where it holds for one of them."""
    yield from ((condition, reason) for condition, reason in _missing(rule) if reason in rule.requires_of_each.values())
    yield from _spans(con, rule)


def _doubts(con: duckdb.DuckDBPyConnection, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield (condition, reason) for all that keeps a row from being judged."""
    yield from _missing(rule)
    yield from _spans(con, rule)


def _spans(con: duckdb.DuckDBPyConnection, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield (condition, reason) for the dates that lie beyond what the rule's parameters and references cover."""
    for name in rule.parameters.values():
        query = "SELECT min(effective_from), max(effective_to) FROM parameter WHERE name = ?"
        ((first, last),) = con.execute(query, [name]).fetchall()
        yield f"service_date NOT BETWEEN DATE '{first}' AND DATE '{last}'", f"{name} is not known for the date"
    for name in rule.reference_tables:
        query = "SELECT setting, min(covers_from) FROM reference_edition WHERE reference = ? GROUP BY ALL ORDER BY ALL"
        for setting, first in con.execute(query, [name]).fetchall():
            of_setting = f" AND setting = '{setting}'" if setting else ""
            yield f"service_date < DATE '{first}'{of_setting}", f"{name} does not reach back to the date"


def _cases(reasons: Iterable[tuple[str, str]]) -> str:
    """Return a SQL CASE that gives the first reason whose condition holds."""
    quoted = ((condition, words.replace("'", "''")) for condition, words in reasons)
    branches = " ".join(f"WHEN {condition} THEN '{words}'" for condition, words in quoted)
    return f"CASE {branches} END" if branches else "NULL::VARCHAR"


def doubt_sql(con: duckdb.DuckDBPyConnection, rule: Rule) -> str:
    """Return a SQL expression over the rule's scope: why a row cannot be judged, null where it can."""
    return _cases(_doubts(con, rule))


def judge_lines(con: duckdb.DuckDBPyConnection, rules: Sequence[Rule], lines: str, into: str) -> None:
    """Add to table `into` (rule, claim_id, claim_line_number, reason) which of `lines` their rule looks at.

    `lines` has a row per rule and line, with the keys of lines and visits. `reason`: why the rule could not judge the
    line, or what it is part of by the rule's grain; null where it could.
    """
    asked = {name for (name,) in con.execute(f"SELECT DISTINCT rule FROM {lines}").fetchall()}
    known = {name for name, *_ in con.execute(f"DESCRIBE {lines}").fetchall()}
    by_model: dict[tuple[str, tuple[str, ...]], list[Rule]] = {}
    for rule in (rule for rule in rules if rule.name in asked):
        model = rulebook.grains().scopes[scope_of(rule)].model
        identity = [key.removeprefix("facts->>").strip("'") for key in rulebook.grains().grains[rule.grain].identity]
        if "claim_line_number" not in identity:
            identity.append("service_date")
        columns = known & {name for name, *_ in con.execute(f"DESCRIBE {model}").fetchall()}
        keys = tuple(key for key in dict.fromkeys(identity) if key in columns)
        by_model.setdefault((model, keys), []).append(rule)
    tables = con.execute(
        'SELECT table_name, format(\'"{}"."{}"."{}"\', database_name, schema_name, table_name)'
        " FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    for (model, keys), alike in by_model.items():
        with _only_of(con, model, dict(tables).get(model), keys, lines, alike):
            for rule in alike:
                _judge(con, rule, keys, lines, into)


@contextmanager
def _only_of(
    con: duckdb.DuckDBPyConnection,
    model: str,
    table: str | None,
    keys: Sequence[str],
    lines: str,
    judged: Sequence[Rule],
) -> Iterator[None]:
    """Let a model hold, while the block lasts, only what can be of `lines`, and of it what tells if it can be judged.

    Of all rows they are few. A temporary table of the model's name goes before its `table`; without one, all stay.
    """
    if table is None:
        yield
        return
    texts = [_sql("in_scope"), *keys, *(f"{doubt_sql(con, rule)} {rule.applies_to}" for rule in judged)]
    named = set(re.findall(r"\w+", "\n".join(texts)))
    columns = [name for name, *_ in con.execute(f"DESCRIBE {model}").fetchall() if name in named]
    same = " AND ".join(f"model_row.{key} IS NOT DISTINCT FROM line.{key}" for key in keys)
    con.execute(
        f'CREATE TEMP TABLE "{model}" AS SELECT {", ".join(columns)} FROM {table} AS model_row SEMI JOIN ('
        f"SELECT DISTINCT {', '.join(keys)} FROM {lines} WHERE list_contains($rules, rule)) AS line ON {same}",
        {"rules": [rule.name for rule in judged]},
    )
    try:
        yield
    finally:
        con.execute(f'DROP TABLE temp."{model}"')


def _judge(con: duckdb.DuckDBPyConnection, rule: Rule, keys: Sequence[str], lines: str, into: str) -> None:
    line = ["rule", "claim_id", "claim_line_number"]
    same = " AND ".join(f"line.{key} IS NOT DISTINCT FROM judged.{key}" for key in keys)
    con.execute(
        f"""
        INSERT INTO {into}
        SELECT
            line.rule, line.claim_id, line.claim_line_number,
            CASE WHEN count(*) = count(judged.reason) THEN min(judged.reason) END
        FROM (SELECT DISTINCT {", ".join(dict.fromkeys([*line, *keys]))} FROM {lines}) AS line
        INNER JOIN (
            SELECT {", ".join(keys)}, {doubt_sql(con, rule)} AS reason
            FROM {scope_of(rule)}($rule)
            WHERE {rule.applies_to or "TRUE"}
        ) AS judged ON {same}
        WHERE line.rule = $rule
        GROUP BY ALL
        """,
        {"rule": rule.name},
    )
