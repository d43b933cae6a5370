"""Great Expectations suites (rules/quality/) over the contract tables, run where the data is: in DuckDB.

A suite is `rules/quality/<table>.yaml`: `checks`, each an expectation by its snake-case name with its arguments, a
`severity` and a `why`; `optional: true` where an empty table only means that it was not given; `rows`, a query, where
the rows to check are not a contract table's.
"""

from __future__ import annotations

import json
import math
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from therapy_audit import resources, stopping
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from great_expectations.execution_engine.execution_engine import ExecutionEngine
    from great_expectations.expectations.expectation import Expectation
    from sqlalchemy import Connection

SEVERITIES = ("critical", "warning", "info")
SUITE_KEYS = ("optional", "rows", "checks")
# What Great Expectations adds to each expectation and a suite has no use for.
_GX_ONLY = {
    *("batch_id", "catch_exceptions", "condition_parser", "description", "id", "meta", "notes", "rendered_content"),
    *("result_format", "row_condition", "windows"),
}
# Counts and shares. Everything else in a result may hold a patient's value.
_COUNTS = (
    *("observed_value", "element_count", "unexpected_count", "unexpected_percent", "missing_count", "missing_percent"),
    *("unexpected_percent_total", "unexpected_percent_nonmissing"),
)
_RESULT_FORMAT = {
    "result_format": "BASIC",
    "exclude_unexpected_values": True,
    "include_unexpected_rows": False,
    "partial_unexpected_count": 0,
}
_DRIFT = (0.5, 2)  # of the previous run's rows
_DRIFT_WHY = "A table below half or above twice the previous run's rows is more often an incomplete or repeated export."


@dataclass(frozen=True)
class Suite:
    """The checks of one table, or of the rows of a query; a check is a mapping as in the YAML file."""

    table: str
    checks: tuple[dict[str, Any], ...]
    optional: bool = False
    rows: str | None = None


def check(
    database: Path, *, previous: Mapping[str, int] | None = None, data_docs: Path | None = None
) -> dict[str, Any]:
    """Run all suites on a closed audit.duckdb, read-only.

    `previous` holds the previous run's row count of each table. `data_docs` is a folder for Great Expectations' own
    pages; they load scripts from the net, so they are made only where asked for.

    Returns `success` (no critical check failed), `critical_failures`, `warnings`, `not_given` (tables), `checks` (one
    per check: table, check, column, severity, success, observed, unexpected_count, row_count, why) and `results`
    ({table: Great Expectations' result}); counts only, never a value of the data.
    """
    with _opened(database) as (context, source, con):
        suites = [replace(suite, rows=_kept(con, suite)) if suite.rows else suite for suite in load()]
        row_counts = {suite.table: _row_count(con, suite) for suite in suites}
        planned = [
            replace(suite, checks=_planned(suite, row_counts[suite.table], (previous or {}).get(suite.table, 0)))
            for suite in suites
        ]
        results = _validate(context, source, [suite for suite in planned if suite.checks], data_docs)
    checks = [
        _check(suite.table, entry, result, row_counts[suite.table])
        for suite in planned
        for entry, result in zip(suite.checks, results.get(suite.table, {}).get("results", []), strict=True)
    ]
    failed = [row["severity"] for row in checks if not row["success"]]
    return {
        "success": "critical" not in failed,
        "critical_failures": failed.count("critical"),
        "warnings": failed.count("warning"),
        "not_given": [suite.table for suite in planned if not suite.checks],
        "checks": checks,
        "results": results,
    }


def write(result: Mapping[str, Any], folder: Path) -> None:
    """Write `<table>.json` for each table and `summary.json`; the same result gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    summary = {key: value for key, value in result.items() if key != "results"}
    for name, content in {**result["results"], "summary": summary}.items():
        text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def load() -> list[Suite]:
    """Read rules/quality/, in the order of the file names; AuditError names the file and the check at fault."""
    texts = resources.texts(resources.folder("rules") / "quality", ".yaml")
    return [parse(table, text) for table, text in texts.items()]


def parse(table: str, text: str) -> Suite:
    """Read one suite; what its checks ask of Great Expectations is looked at by `expectation`."""
    place = f"rules/quality/{table}.yaml"
    document = resources.parsed(text)
    if not isinstance(document, dict) or not isinstance(document.get("checks"), list):
        raise AuditError(f"{place}: a suite is a mapping with a list of `checks`.")
    _only_known(place, document, SUITE_KEYS)
    for number, entry in enumerate(document["checks"], start=1):
        if not isinstance(entry, dict) or not {"expect", "severity", "why"} <= entry.keys():
            raise AuditError(f"{place}, check {number}: a check has at least the keys expect, severity and why.")
        if entry["severity"] not in SEVERITIES:
            raise AuditError(f"{place}, check {number}: severity is one of {', '.join(SEVERITIES)}.")
    return Suite(table, tuple(document["checks"]), document.get("optional", False), document.get("rows"))


def expectation(place: str, entry: Mapping[str, Any], position: int = 0) -> Expectation:
    """Turn a check into a Great Expectations object; `place` begins the message where it cannot be.

    `name` and, for expectations that take no column, `column` are labels: they say what a query looks at.
    """
    import great_expectations.expectations as gxe
    from pydantic.v1 import ValidationError

    kind = getattr(gxe, entry["expect"].title().replace("_", ""), None)
    if entry["expect"] == "unexpected_rows_expectation":
        kind = _duckdb_support()
    if kind is None:
        raise AuditError(f"{place}: Great Expectations has no expectation {entry['expect']!r}.")
    arguments = set(kind.__fields__) - _GX_ONLY
    _only_known(place, entry, ("expect", "name", "column", "why", *sorted(arguments)))
    try:
        return kind(  # type: ignore[no-any-return]
            meta={"position": position, "why": entry["why"]},
            **{key: value for key, value in entry.items() if key in arguments},
        )
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise AuditError(f"{place}: {wrong}.") from error


def _only_known(place: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(given.keys() - set(known)):
        raise AuditError(f"{place}: unknown key {', '.join(unknown)}; the known ones are {', '.join(known)}.")


def _kept(con: Any, suite: Suite) -> str:
    """Return a query of a suite's rows, which are asked for once: Great Expectations asks several times."""
    con.execute("ATTACH IF NOT EXISTS ':memory:' AS quality (READ_WRITE)")
    con.execute(f'CREATE TABLE quality."rows of {suite.table}" AS {suite.rows}')
    return f'SELECT * FROM quality."rows of {suite.table}"'


def _row_count(con: Any, suite: Suite) -> int:
    source = f"({suite.rows})" if suite.rows else f'"{suite.table}"'
    return int(con.execute(f"SELECT count(*) FROM {source}").fetchone()[0])


def _planned(suite: Suite, row_count: int, previous: int) -> tuple[dict[str, Any], ...]:
    """Return the checks to run: none of an optional table that was not given; the drift where there is a past."""
    drift = {
        "expect": "expect_table_row_count_to_be_between",
        "name": "row_count_drift",
        "min_value": math.ceil(previous * _DRIFT[0]),
        "max_value": math.floor(previous * _DRIFT[1]),
        "severity": "warning",
        "why": _DRIFT_WHY,
    }
    return (*(() if suite.optional and not row_count else suite.checks), *((drift,) if previous else ()))


_OPENED: list[Connection] = []


def _native(connection: Connection) -> Any:
    """Return DuckDB's own connection under SQLAlchemy's."""
    return connection.connection.driver_connection


@cache
def _duckdb_support() -> type[Expectation]:
    """Teach Great Expectations `add_duckdb`, once (its own `add_sql` fails every expectation on DuckDB).

    Returns the expectation that stands for `unexpected_rows_expectation`.
    """
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

    class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
        # GX fetches after its `with get_connection()` block; DuckDB drops a result whose connection has closed.
        @contextmanager
        def get_connection(self) -> Iterator[Connection]:
            if self._connection is None or self._connection.closed:
                self._connection = self.engine.connect()
                _OPENED.append(self._connection)
            with stopping.interruptible(_native(self._connection)):
                yield self._connection

    class DuckDBDatasource(SQLDatasource):
        type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]
        execution_engine_override: ClassVar = DuckDBExecutionEngine

    class UnexpectedRowCount(UnexpectedRowsExpectation):
        # GX's own runs each query twice and fetches the rows; here they are counted, and none leaves DuckDB.
        metric_dependencies: ClassVar = ("unexpected_rows_query.row_count",)

        def _validate(
            self,
            metrics: dict[str, Any],
            runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002 - GX's signature
            execution_engine: ExecutionEngine[Any] | None = None,  # noqa: ARG002
        ) -> dict[str, Any]:
            count = metrics["unexpected_rows_query.row_count"]
            return {"success": count == 0, "result": {"observed_value": count}}

    return UnexpectedRowCount


@contextmanager
def _opened(database: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Give Great Expectations' context, its source of a database, and DuckDB's own connection to the same."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    _duckdb_support()
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_duckdb(
        "audit", connection_string=f"duckdb:///{database.resolve()}?access_mode=read_only", create_temp_table=False
    )
    try:
        with source.get_engine().connect() as connection, stopping.interruptible(_native(connection)):
            yield context, source, _native(connection)
    finally:
        # GX makes execution engines of its own; a connection that one leaves open would bar the next writer.
        while _OPENED:
            opened = _OPENED.pop()
            opened.close()
            opened.engine.dispose()
        source.get_engine().dispose()


def _validate(context: Any, source: Any, suites: Sequence[Suite], data_docs: Path | None) -> dict[str, dict[str, Any]]:
    """Return {table: result as JSON can hold it}, each result's `results` in the order of the suite's checks."""
    import great_expectations as gx

    results = {}
    for suite in suites:
        place = f"rules/quality/{suite.table}.yaml, check"
        expectations = [expectation(f"{place} {i + 1}", entry, i) for i, entry in enumerate(suite.checks)]
        asset = (
            source.add_query_asset(suite.table, query=suite.rows)
            if suite.rows
            else source.add_table_asset(suite.table, table_name=suite.table)
        )
        definition = gx.ValidationDefinition(
            name=suite.table,
            data=asset.add_batch_definition_whole_table("all"),
            suite=context.suites.add(gx.ExpectationSuite(suite.table, expectations=expectations)),
        )
        outcome: Any = definition.run(result_format=_RESULT_FORMAT)
        results[suite.table] = _counts_only(outcome.to_json_dict())
    if data_docs:
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(data_docs.resolve())}
        context.add_data_docs_site("audit", {"class_name": "SiteBuilder", "store_backend": store})
        context.build_data_docs(["audit"])
    return results


def _counts_only(outcome: dict[str, Any]) -> dict[str, Any]:
    """Keep what is the same on every run of the same data, and no value of the data (error texts quote them)."""
    results = sorted(outcome["results"], key=lambda result: result["expectation_config"]["meta"]["position"])
    for result in results:
        result["expectation_config"].pop("id", None)
        result["expectation_config"]["kwargs"].pop("batch_id", None)
        result["exception_info"] = {"raised_exception": _raised(result["exception_info"])}
        counts = {key: result["result"].get(key) for key in _COUNTS}
        result["result"] = {key: value for key, value in counts.items() if isinstance(value, int | float)}
    return {
        "success": outcome["success"],
        "suite_name": outcome["suite_name"],
        "statistics": outcome["statistics"],
        "results": results,
        "meta": {"great_expectations_version": outcome["meta"]["great_expectations_version"]},
    }


def _raised(info: dict[str, Any]) -> bool:
    """Tell whether a check could not be run; Great Expectations nests one entry per metric where several failed."""
    return bool(info["raised_exception"]) if "raised_exception" in info else bool(info)


def _check(table: str, entry: Mapping[str, Any], result: Mapping[str, Any], row_count: int) -> dict[str, Any]:
    counts = result["result"]
    unexpected: int | None = None
    if result["exception_info"]["raised_exception"]:
        observed = "could not be run"
    elif entry["expect"] == "unexpected_rows_expectation":
        unexpected = counts["observed_value"]
        observed = f"{unexpected:,} found"
    elif "observed_value" in counts:
        observed = f"{counts['observed_value']:,}"
    else:  # GX leaves the count out where a table is empty
        unexpected = counts.get("unexpected_count", 0)
        observed = f"{unexpected:,} of {counts['element_count'] - counts.get('missing_count', 0):,}"
    return {
        "table": table,
        "check": entry.get("name", entry["expect"]),
        "column": entry.get("column") or ", ".join(entry.get("column_list", ())) or None,
        "severity": entry["severity"],
        "success": result["success"],
        "observed": observed,
        "unexpected_count": unexpected,
        "row_count": row_count,
        "why": entry["why"],
    }
