"""The command line: one sentence per error.

Exit codes: 0 clean, 1 findings, 2 bad input or usage, 3 our fault, 4 the report stands and was not delivered.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from therapy_audit import stopping, unseen
from therapy_audit.advise_command import advise
from therapy_audit.config import ENGINES, FAIL_ON, INPUTS, QUALITY
from therapy_audit.errors import AuditError
from therapy_audit.papers_command import COMMANDS as PAPERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="therapy-audit")
def cli() -> None:
    """Audit outpatient therapy claims against visit notes and remittances: cited findings, in dollars."""


def _input_options(command: Any) -> Any:
    for name in reversed(INPUTS):
        command = click.option(
            f"--{name.replace('_', '-')}",
            multiple=True,
            metavar="FILE",
            help=f"{name.replace('_', ' ').capitalize()}: a file or glob; may be given several times.",
        )(command)
    return command


@cli.command()
@click.argument("config", type=click.Path(dir_okay=False, path_type=Path), required=False)
@_input_options
@click.option(
    "--mapping", "mappings", multiple=True, type=click.Path(path_type=Path), help="Mapping YAML for unknown headers."
)
@click.option("--period", help="Service dates to report: 2026, 2026-Q1, 2026-03, 2026-01-01..2026-03-31, last-month.")
@click.option("--as-of", metavar="DATE", help="Leave out claims sent and remittances paid after this day.")
@click.option(
    "--out", "output", type=click.Path(file_okay=False, path_type=Path), help="Report folder [reports/<period>]."
)
@click.option("--fail-on", type=click.Choice(FAIL_ON), help="Exit 1 for findings of this severity or above [never].")
@click.option("--quality", type=click.Choice(QUALITY), help="On a critical quality failure stop or go on [stop].")
@click.option(
    "--data-docs",
    is_flag=True,
    default=None,
    help="Also write great-expectations' own pages (they load scripts from the net).",
)
@click.option("--with-text", is_flag=True, default=None, help="Show note text in the report.")
@click.option(
    "--deidentified", is_flag=True, default=None, help="A report to share: pseudonyms, moved dates, no text of notes."
)
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), help="Key file of the pseudonyms [pseudonyms.key]."
)
@click.option(
    "--encrypt-to",
    multiple=True,
    metavar="AGE1...",
    help="Leave the report encrypted to this public key; several times.",
)
@click.option("--report-rows", type=click.IntRange(0), help="Most findings shown in report.html [100000].")
@click.option("--workbook-rows", type=click.IntRange(0, 1_000_000), help="Most findings in findings.xlsx [10000].")
@click.option(
    "--reference",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of loaded reference tables [reference, if there is one].",
)
@click.option(
    "--lexicon",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with the clinic's own words for what notes document.",
)
@click.option("--rules", type=click.Path(file_okay=False, path_type=Path), help="Folder with rules of your own.")
@click.option(
    "--benchmarks", type=click.Path(dir_okay=False, path_type=Path), help="CSV of what clinicians elsewhere bill."
)
@click.option(
    "--previous", metavar="FOLDER", help="Earlier report to compare with, or none [the last one beside the output]."
)
@click.option("--threads", type=click.IntRange(1, 256), help="Threads to use [all].")
@click.option("--memory-limit", help="Memory for DuckDB, such as 2GB; beyond it spills to disk [80 % of the machine].")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="Build the models here, or on Dask's workers: docs/cluster.md [duckdb].",
)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler, as tcp://host:8786 [processes of this machine].")
@click.option(
    "--partitions", type=click.IntRange(1, 100_000), help="Parts for Dask [4 for each thread of its workers]."
)
@click.option("--exchange", metavar="PATH", help="Folder or fsspec address that all of Dask's workers see.")
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps what this run makes: the next one does again only what is new or changed.",
)
@click.option("--timings", is_flag=True, help="Print the seconds of each stage, model and rule.")
@click.option(
    "--catch-up/--no-catch-up",
    default=None,
    help="Run each month from the last good report up to last month, oldest first, 12 at most [catch_up of CONFIG].",
)
@click.option("--no-deliver", is_flag=True, help="Leave out what [deliver] of CONFIG asks for.")
def run(config: Path | None, timings: bool, catch_up: bool | None, no_deliver: bool, **flags: Any) -> None:  # noqa: FBT001
    """Run the audit, told by CONFIG (audit.toml) or by flags; flags win."""
    from therapy_audit import config as settings
    from therapy_audit import pipeline

    inputs = {name: files for name in INPUTS if (files := flags.pop(name))}
    if config is None and "claims" not in inputs and Path("audit.toml").exists():
        config = Path("audit.toml")
    base = settings.read(config) if config else None
    if named := flags.pop("previous"):
        flags["previous"] = settings.previous_of(named, Path())
    chosen = pipeline.from_inputs(
        base,
        inputs={**(base.inputs if base else settings.reviews_beside(Path())), **inputs},
        mappings=flags.pop("mappings") or None,
        encrypt_to=flags.pop("encrypt_to") or None,
        **flags,
    )

    def told(name: str, seconds: float) -> None:
        if timings:
            click.echo(f"{seconds:9.2f} s  {name}", err=True)
        elif sys.stderr.isatty() and " " not in name:
            click.echo(f"{name} done ({seconds:.1f} s)", err=True)

    def one(of: Any) -> int:
        return _run_one(of, told, None if no_deliver else config)

    scheduled = bool(chosen.catch_up) and chosen.period == "last-month"
    sys.exit(_caught_up(chosen, one) if catch_up or (scheduled and catch_up is None) else one(chosen))


def _run_one(chosen: Any, told: Any, deliver_by: Path | None) -> int:
    """Run, say what was found, deliver as this audit.toml says; return the exit code."""
    from therapy_audit import pipeline, progress

    with progress.shown():
        result = pipeline.run(chosen, told)
    click.echo("\n".join(_five_lines(result)))
    for notice in result.notices:
        click.echo(f"Note: {notice}", err=True)
    if result.rule_errors:
        broken = ", ".join(f"{name} ({fault})" for name, fault in result.rule_errors.items())
        click.echo(f"These rules failed and judged nothing: {broken}. Please report it.", err=True)
    delivered = _delivered(result.folder, chosen.deliver, deliver_by) if deliver_by and chosen.deliver else 0
    if chosen.encrypt_to:
        from therapy_audit import sealing

        click.echo(f"Encrypted: {_near(sealing.encrypt(result.folder, chosen.encrypt_to))}")
    return 3 if result.rule_errors else delivered or int(result.reached(chosen.fail_on))


def _caught_up(config: Any, one: Any) -> int:
    """Run the months that are owed, stop at the first that fails, and say what was done; return the exit code."""
    from therapy_audit import schedule

    with schedule.turn(config) as owed:
        if owed.gaps:
            click.echo(f"Note: no good report of {', '.join(owed.gaps)}; run each with --period.", err=True)
        if not owed.months:
            click.echo(f"Nothing to catch up: the last good report is of {owed.since}.")
            return 0
        click.echo(f"To run: {', '.join(owed.months)} (last good report: {owed.since or 'none yet'})")
        code, done = 0, 0
        try:
            for month in owed.months:
                if (found := one(schedule.of_month(config, month))) == 3:
                    code = 3
                    break
                code, done = max(code, found), done + 1
        finally:
            if done < len(owed.months):
                left = f"failed: {owed.months[done]}; not run: {', '.join(owed.months[done + 1 :]) or 'none'}"
                click.echo(f"Caught up: {', '.join(owed.months[:done]) or 'none'}; {left}.", err=True)
        if owed.later and code != 3:
            click.echo(
                f"Note: {_count(owed.later, 'later month')} left for the next run; catch_up allows more.", err=True
            )
    return code


def _delivered(folder: Path, to: Any, config: Path) -> int:
    """Deliver a report, say what was done and what was not; return 4 if something was not, else 0."""
    from therapy_audit import delivery

    told = delivery.deliver(folder, to)
    for sentence in told.done:
        click.echo(sentence)
    for sentence in told.failed:
        click.echo(sentence, err=True)
    if told.failed:
        again = f"therapy-audit deliver {_near(folder)} --config {_near(config)}"
        click.echo(f"The report stands; to try again: {again}", err=True)
    return 4 if told.failed else 0


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default="audit.toml",
    show_default=True,
    help="audit.toml with [deliver].",
)
@click.option("--show", is_flag=True, help="Print the mail, and send and copy nothing.")
def deliver(folder: Path, config: Path, show: bool) -> None:  # noqa: FBT001
    """Deliver the report in FOLDER as [deliver] of audit.toml says: copy it, mail its totals. Exit code 4: failed."""
    from therapy_audit import config as settings
    from therapy_audit import delivery

    to = settings.read(config).deliver
    if to is None or (show and to.mail is None):
        raise AuditError(
            f"{config}: there is no [deliver{'.mail' if to else ''}] in it; `therapy-audit init` shows one."
        )
    if show and to.mail:
        click.echo(delivery.shown(folder, to.mail, to.folder), nl=False)
        return
    sys.exit(_delivered(folder, to, config))


@cli.command()
@click.option("--extra", "extras", multiple=True, type=click.Choice(["encryption", "images", "notebooks"]))
@click.option("--licences", is_flag=True, help="Print a table of licences in its place.")
@click.option(
    "--advisories",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Say what this file of OSV advisories tells of what is installed; exit 1 where it does.",
)
def sbom(extras: tuple[str, ...], licences: bool, advisories: Path | None) -> None:  # noqa: FBT001
    """Print a bill of materials (CycloneDX JSON) of what is installed with therapy-audit."""
    import json

    from therapy_audit import supply

    if advisories:
        found, read = supply.advisories(advisories, extras)
        for one in found:
            mended = f"mended in {one.fixed_in}" if one.fixed_in else "not mended"
            click.echo(f"{one.package} {one.version}: {one.id} ({mended}): {one.summary}")
        click.echo(f"{len(found)} of {read:,} advisories speak of what is installed", err=True)
        sys.exit(1 if found else 0)
    click.echo(supply.licences(extras) if licences else json.dumps(supply.sbom(extras), indent=2))


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="report.key")
def keygen(file: Path) -> None:
    """Make a key pair for encrypted reports: the key in FILE, its public part told. A lost key opens nothing."""
    from therapy_audit import sealing

    click.echo(f"Public key: {sealing.make_key(file)}")
    click.echo(f"The key is in {file}; keep it, and a copy of it, where the reports are not.", err=True)


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", "recipients", multiple=True, required=True, metavar="AGE1...", help="Public key; several times.")
@click.option("--keep", is_flag=True, help="Keep the folder in plain as well.")
def encrypt(folder: Path, recipients: tuple[str, ...], keep: bool) -> None:  # noqa: FBT001
    """Encrypt the report in FOLDER to FOLDER.age, and remove the folder."""
    from therapy_audit import sealing

    click.echo(f"Encrypted: {sealing.encrypt(folder, recipients, keep=keep)}")


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), default="report.key", show_default=True, help="Key file."
)
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder [FILE without .age].")
def decrypt(file: Path, key: Path, folder: Path | None) -> None:
    """Decrypt a report, FILE.age, back into a folder."""
    from therapy_audit import sealing

    click.echo(f"Report: {sealing.decrypt(file, key, folder) / 'report.html'}")


@cli.command()
@click.argument("name", type=click.Choice(["summary"]))
def schema(name: str) -> None:
    """Print the JSON Schema of summary.json."""
    from therapy_audit import report

    click.echo(report.schema(name), nl=False)


def _five_lines(result: Any) -> list[str]:
    summary = result.summary
    severities = summary["findings_by_severity"]
    over, under = summary["overpayment_amount"], summary["underpayment_amount"]
    ranked = sorted(
        summary["rules"].items(), key=lambda item: (-item[1]["amount_at_risk"], -item[1]["findings"], item[0])
    )
    top = "; ".join(f"{result.titles[name]} ({item['findings']:,})" for name, item in ranked[:3] if item["findings"])
    checks = result.quality
    quality = (
        "passed"
        if checks["success"] and not checks["warnings"]
        else f"{_count(checks['critical_failures'], 'critical failure')}, {_count(checks['warnings'], 'warning')}"
    )
    unmapped = summary["unmapped_payers"]
    stale = summary["stale_findings"]
    doubts = [f"{summary['not_evaluable']:,} judgements could not be made"]
    if summary["unpriced_findings"]:
        doubts.append(f"{summary['unpriced_findings']:,} findings have no amount in the export to price them by")
    if unmapped:
        doubts.append(f"{_count(len(unmapped), 'payer name')} without a plan")
    if stale:
        doubts.append(f"{stale:,} findings rest on an older reference table")
    counts = ", ".join(
        f"{severities.get(name, 0):,} {plural}"
        for name, plural in (("error", "errors"), ("warning", "warnings"), ("info", "hints"))
    )
    return [
        f"{summary['lines_audited']:,} lines audited ({summary['period']}): {summary['findings']:,} findings, {counts}",
        f"At risk of repayment ${float(over):,.2f}; under-billed ${float(under):,.2f}",
        f"Largest: {top or 'nothing found'}",
        f"Not judged: {'; '.join(doubts)}",
        f"Data quality: {quality}; {summary['rows_quarantined']:,} rows in quarantine",
        *([_since(summary["comparison"])] if summary.get("comparison") else []),
        f"Report: {_near(result.folder / 'report.html')}",
    ]


def _since(comparison: dict[str, Any]) -> str:
    from therapy_audit import compare as comparing

    return f"Since {comparison['previous']}: {comparing.in_words(comparison)}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _near(path: Path) -> Path:
    """Return the path from the current folder where it lies below it."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole


def _scrub_inputs(command: Any) -> Any:
    for name in reversed(INPUTS[1:]):
        command = click.option(
            f"--{name.replace('_', '-')}", multiple=True, metavar="FILE", help=f"{name.replace('_', ' ').capitalize()}."
        )(command)
    return command


@cli.command()
@click.argument("claims", nargs=-1, required=True, metavar="CLAIMS...")
@_scrub_inputs
@click.option("--history", multiple=True, metavar="FILE", help="Claims billed before: they count, and are not judged.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="audit.toml: its payers, terms and inputs, but for its claims.",
)
@click.option(
    "--mapping", "mappings", multiple=True, type=click.Path(path_type=Path), help="Mapping YAML for unknown headers."
)
@click.option(
    "--reference", type=click.Path(file_okay=False, path_type=Path), help="Folder of loaded reference tables."
)
@click.option(
    "--lexicon",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with the clinic's own words for what notes document.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--out", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the verdicts there; print totals."
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Exit 1 for claims with findings of this severity or above.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Threads to use [all].")
@click.option("--memory-limit", help="Memory for DuckDB, such as 2GB.")
def scrub(
    claims: tuple[str, ...],
    history: tuple[str, ...],
    config: Path | None,
    as_json: bool,  # noqa: FBT001
    output: Path | None,
    fail_on: str,
    mappings: tuple[Path, ...],
    **flags: Any,
) -> None:
    """Judge CLAIMS before they are billed: block, warn or pass, with the reasons; by the same rules as a run."""
    from therapy_audit import config as settings
    from therapy_audit import pipeline
    from therapy_audit import scrub as scrubbing

    given = {name: files for name in INPUTS[1:] if (files := flags.pop(name))}
    base = settings.read(config) if config else None
    inputs = {**(base.inputs if base else {}), **given, "claims": claims}
    chosen = pipeline.from_inputs(base, inputs=inputs, mappings=mappings or None, **flags)
    result = scrubbing.scrub(chosen, history)
    for notice in result.notices:
        click.echo(f"Note: {notice}", err=True)
    text = result.as_json() if as_json else "\n".join(result.table())
    if output:
        scrubbing.write(output, text)
        click.echo(result.total())
    else:
        click.echo(text)
    if result.rule_errors:
        broken = ", ".join(f"{name} ({fault})" for name, fault in result.rule_errors.items())
        click.echo(f"These rules failed and judged nothing: {broken}. Please report it.", err=True)
        sys.exit(3)
    sys.exit(1 if result.reached(fail_on) else 0)


@cli.command()
@click.argument("pairs", nargs=-1, metavar="[CODE=MINUTES]...")
@click.option(
    "--method", type=click.Choice(["cms", "midpoint"]), default="cms", show_default=True, help="Counting method."
)
@click.option("--assistant", multiple=True, help="The assistant's own minutes, in addition: CODE=MIN[,CODE=MIN].")
@click.option(
    "--date", "service_date", type=click.DateTime(["%Y-%m-%d"]), help="Service date, for CQ and CO [latest rules]."
)
@click.option("--discipline", type=click.Choice(["PT", "OT", "SLP"]), help="For the modifiers of the lines [PT].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def units(
    pairs: tuple[str, ...],
    method: str,
    assistant: tuple[str, ...],
    service_date: datetime | None,
    discipline: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Say how many units documented minutes earn, as in `units 97110=10 97530=20`; the audit's own SQL.

    The plain minutes are the therapist's own; with --assistant, --date or --discipline the lines to bill are told too.
    """
    import json

    from therapy_audit import engine
    from therapy_audit import units as counting

    minutes = counting.parse(pairs)
    with engine.without_pandas():
        if assistant or service_date or discipline:
            by_assistant = counting.parse(tuple(pair for given in assistant for pair in given.split(",")))
            day = service_date.date() if service_date else None
            found = counting.share(minutes, by_assistant, method, day, discipline or "PT")
        else:
            found = counting.allocate(minutes, method)
    if as_json:
        click.echo(json.dumps(found))
        return
    ways = [", ".join(f"{code} x{number}" for code, number in way.items()) for way in found["allocations"]]
    click.echo(f"{found['units']} unit{'' if found['units'] == 1 else 's'}: {' or '.join(ways) or 'nothing to bill'}")
    click.echo(found["explanation"])
    for line in found.get("lines", []):
        click.echo(f"{line['hcpcs']} x{line['units']} {' '.join(line['modifiers'])}")


cli.add_command(advise)


@cli.command()
@click.argument("pairs", nargs=-1, metavar="CODE[=UNITS]...")
@click.option("--date", "service_date", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Service date.")
@click.option("--assistant", multiple=True, metavar="CODE", help="A code whose line carries CQ or CO; several times.")
@click.option("--locality", default="national", show_default=True, help="Contractor and locality number: 10112-00.")
@click.option(
    "--reference", type=click.Path(file_okay=False, path_type=Path), help="Folder of loaded reference tables."
)
def price(
    pairs: tuple[str, ...],
    service_date: datetime,
    assistant: tuple[str, ...],
    locality: str,
    reference: Path | None,
) -> None:
    """Say what Medicare allows and pays for a patient's day, as in `price 97530=2 97110 97140 --date 2025-03-03`."""
    from therapy_audit import engine
    from therapy_audit import price as pricing

    with engine.without_pandas():
        day = pricing.price(
            pricing.parse(pairs),
            service_date.date(),
            assistant=[code.strip().upper() for code in assistant],
            locality=locality,
            reference=reference or (Path("reference") if Path("reference").is_dir() else None),
        )
    click.echo("\n".join(pricing.table(day)))


@cli.command("map")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--input", "input_name", type=click.Choice(INPUTS), help="What the file holds [guessed].")
def map_file(file: Path, input_name: str | None) -> None:
    """Propose a mapping for FILE's headers and show how its first rows would load."""
    from therapy_audit import intake

    click.echo(intake.propose(file, input_name))


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file.")
def inspect(files: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001
    """Say what FILEs hold: kind, counts, totals and problems of X12; kind of input, columns and rows of tables."""
    from therapy_audit.intake import inspecting

    readable = True
    for file in files:
        try:
            found = inspecting.inspect(file)
        except AuditError as fault:
            click.echo(f"Error: {fault}", err=True)
            readable = False
            continue
        click.echo(inspecting.as_json(found) if as_json else inspecting.as_text(found))
        readable &= found["readable"]
    sys.exit(0 if readable else 2)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), default="audit.toml")
def init(file: Path) -> None:
    """Write a commented audit.toml."""
    from therapy_audit import rules
    from therapy_audit.config import TEMPLATE

    if file.exists():
        raise AuditError(f"{file}: the file exists; name another or remove it first.")
    ruleset = rules.load()
    text = TEMPLATE.replace("{plans}", ", ".join(plan.name for plan in ruleset.plans))
    text = text.replace("{parameters}", ", ".join(item.name for item in ruleset.parameters))
    try:
        file.write_text(_wrapped(text), encoding="utf-8")
    except OSError as fault:
        raise AuditError(
            f"{file}: the file cannot be written ({fault.strerror}); name one in another folder."
        ) from None
    click.echo(f"Wrote {file}; fill in [inputs], then: therapy-audit run {file}")


def _wrapped(text: str) -> str:
    import textwrap

    return (
        "\n".join(
            textwrap.fill(line, 118, subsequent_indent="# ", break_long_words=False, break_on_hyphens=False)
            if line.startswith("#")
            else line
            for line in text.splitlines()
        )
        + "\n"
    )


def _own_rules(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command see a user's own rules, named as for `run`."""
    for option in (
        click.option("--rules", "own", type=click.Path(file_okay=False, path_type=Path), help="Folder of your own."),
        click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="audit.toml that names one."),
    ):
        command = option(command)
    return command


def _ruleset(config: Path | None, own: Path | None) -> Any:
    """Return the rules, with those of `own`, else of the folder that audit.toml names."""
    from therapy_audit import config as settings
    from therapy_audit import rules

    return rules.load(own or (settings.read(config).rules if config else None))


@cli.group("rules")
def rules_group() -> None:
    """Look into the rulebook."""


@rules_group.command("list")
@_own_rules
def rules_list(config: Path | None, own: Path | None) -> None:
    """List every rule with its severity and title."""
    for rule in _ruleset(config, own).rules:
        click.echo(f"{rule.name:52} {rule.severity:8} {rule.title}")


@rules_group.command("show")
@click.argument("name")
@_own_rules
def rules_show(name: str, config: Path | None, own: Path | None) -> None:
    """Show one rule: what, why, since when, citation."""
    from therapy_audit import docs

    ruleset = _ruleset(config, own)
    click.echo(docs.rule_page(_rule(ruleset, name), ruleset))


@rules_group.command("coverage")
@click.argument("run_or_config", type=click.Path(path_type=Path), required=False, metavar="[RUN_FOLDER|AUDIT.TOML]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules_coverage(run_or_config: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Show what each rule made of the last run, and what data it would need to judge more [newest in reports/]."""
    from therapy_audit import coverage

    found = coverage.read(coverage.folder_of(run_or_config))
    click.echo(coverage.as_json(found) if as_json else coverage.as_text(found))


@cli.command()
@click.argument("finding_id")
@click.option(
    "--run", "folder", type=click.Path(file_okay=False, path_type=Path), help="Report folder [newest in reports/]."
)
@click.option("--with-text", is_flag=True, help="Show the text of the notes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(finding_id: str, folder: Path | None, with_text: bool, as_json: bool) -> None:  # noqa: FBT001
    """Explain one finding, by its id or the begin of it: seen, expected, arithmetic, citation, source rows, remedy."""
    import therapy_audit as ta
    from therapy_audit import explain as explaining

    with ta.open(folder or explaining.newest_run(), locked=True) as audit:
        found = audit.explain(finding_id, with_text=with_text)
    click.echo(explaining.as_json(found) if as_json else explaining.as_text(found))


@cli.group("reference")
def reference_group() -> None:
    """Load the official tables: NCCI edits, MUE, fee schedule, GPCI."""


_reference_folder = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of loaded tables [as audit.toml here has it, else reference].",
)


@reference_group.command("load")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@_reference_folder
@click.option("--all", "everything", is_flag=True, help="Keep every code, not only those that therapy needs.")
@click.option(
    "--setting", type=click.Choice(["practitioner", "hospital"]), help="For edits whose file name does not tell it."
)
@click.option(
    "--effective",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day in force, where the name does not tell the quarter or release, or tells it wrongly.",
)
def reference_load(
    files: tuple[Path, ...],
    folder: Path | None,
    everything: bool,  # noqa: FBT001
    setting: str | None,
    effective: datetime | None,
) -> None:
    """Load FILEs as downloaded from CMS (zip, text, CSV or XLSX), all parts of a table in one call.

    They stand in place of the tables that come with therapy-audit, and of what was loaded before of the same setting,
    release or year.
    """
    from therapy_audit import reference

    day = effective.date() if effective else None
    for one in reference.load(files, _loaded_into(folder), setting=setting, effective=day, everything=everything):
        edition, changes = one.edition, one.changes
        click.echo(f"{edition.name}: {edition.edition}, covers {edition.covers_from} to {edition.covers_to}")
        click.echo(f"  {one.rows_in:,} rows read, {edition.rows:,} kept in {edition.path}")
        counts = f"{changes.added:,} added, {changes.ended:,} ended, {changes.changed:,} changed"
        click.echo(f"  Since {changes.before}: {counts}")
        for words in changes.examples:
            click.echo(f"    {words}")
        for notice in one.notices:
            click.echo(f"Note: {notice}.", err=True)


@reference_group.command("list")
@_reference_folder
def reference_list(folder: Path | None) -> None:
    """List every reference table: edition, dates that it covers, rows, and the official file that renews it."""
    from therapy_audit import reference

    chosen = _loaded_into(folder)
    loaded = chosen if folder or chosen.is_dir() else None
    for one in reference.editions(loaded):
        dates = f"{one.covers_from} to {one.covers_to}"
        origin = "loaded" if one.path else "shipped"
        click.echo(
            f"{one.table:14}  {one.setting or '':12}  {one.edition:20}  {dates}  {one.rows:9,} rows  {origin}\n"
            f"{'':14}  to renew: {one.official_file}"
        )
    waiting = reference.unread(loaded) if loaded else []
    if waiting:
        click.echo(f"Note: not loaded, though in {loaded}: {', '.join(waiting)}.", err=True)


def _loaded_into(folder: Path | None) -> Path:
    """Return the folder of loaded tables: as given, else the one that a run here would read."""
    from therapy_audit import config as settings

    toml = Path("audit.toml")
    return folder or (settings.read(toml).reference if toml.exists() else None) or Path("reference")


@cli.command()
@click.argument("name")
@_own_rules
def sql(name: str, config: Path | None, own: Path | None) -> None:
    """Print the SQL of a rule's check."""
    click.echo(_rule(_ruleset(config, own), name).sql)


def _rule(ruleset: Any, name: str) -> Any:
    found = next((rule for rule in ruleset.rules if name in {rule.name, rule.name.rpartition(".")[2]}), None)
    if found is None:
        raise AuditError(f"There is no rule '{name}'; `therapy-audit rules list` names them all.")
    return found


_lexicon_folder = click.option(
    "--lexicon", type=click.Path(path_type=Path), help="Folder with a clinic's own words, one YAML file per concept."
)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text-column", default="text", show_default=True, help="Column that holds the notes.")
@_lexicon_folder
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per note.")
@click.option("--measures", is_flag=True, help="Add what the notes measure and what they say of progress.")
def evidence(
    file: Path,
    text_column: str,
    lexicon: Path | None,
    as_json: bool,  # noqa: FBT001
    measures: bool,  # noqa: FBT001
) -> None:
    """Show what the notes in FILE (CSV, JSONL or Parquet) document, each with the words that say so."""
    from therapy_audit.notes import files

    for line in files.lines(file, text_column, lexicon, as_json=as_json, with_measures=measures):
        click.echo(line)


@cli.command()
@click.option(
    "--out", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write."
)
@click.option("--seed", default=2026, show_default=True, help="The same seed makes the same files.")
@click.option("--lines", default=4000, show_default=True, type=click.IntRange(100), help="Claim lines, about.")
@click.option("--dirt/--no-dirt", default=False, help="Add rows that intake must cope with or refuse.")
@click.option("--x12", is_flag=True, help="Also write the claims as 837P and the remittances as 835.")
def synth(folder: Path, seed: int, lines: int, **given: Any) -> None:
    """Make a synthetic clinic: claims, notes, remittances, with planted faults and their truth table."""
    from therapy_audit import synth as making

    counts = making.write(folder, seed=seed, lines=lines, **given)
    click.echo(", ".join(f"{name} {rows:,}" for name, rows in counts.items()))


@cli.group(invoke_without_command=True)
@click.option(
    "--lines",
    multiple=True,
    default=(1_000_000,),
    show_default=True,
    type=click.IntRange(100),
    help="Claim lines, about; several sizes one after the other.",
)
@click.option("--seed", default=2026, show_default=True)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Use, or make and keep, the data here."
)
@click.option("--threads", type=click.IntRange(1), help="Threads to use [all].")
@click.option("--memory-limit", help="Memory for DuckDB, such as 4GB [80 % of the machine].")
@click.option("--remittances", is_flag=True, help="Load the remittances too, as many lines again.")
@click.option("--runs", default=1, show_default=True, type=click.IntRange(1), help="Runs, of which the median counts.")
@click.option(
    "--compare/--no-compare",
    default=True,
    help="Time five rules in pandas, and fewer threads, as well; of several sizes for the smallest.",
)
@click.option(
    "--write", type=click.Path(dir_okay=False, path_type=Path), help="Write a page as docs/performance.md is."
)
@click.option(
    "--keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Add what was measured to this file; the page tells all that it holds.",
)
@click.pass_context
def bench(
    context: click.Context,
    /,
    lines: tuple[int, ...],
    seed: int,
    folder: Path | None,
    write: Path | None,
    keep: Path | None,
    *,
    compare: bool,
    **given: Any,
) -> None:
    """Time the whole job on a synthetic clinic, against DuckDB's bare read of the same files."""
    if context.invoked_subcommand is None:
        from therapy_audit import bench_run as measuring

        found: list[measuring.Speed] = []
        for size in lines:
            data = folder / str(size) if folder and len(lines) > 1 else folder
            one = measuring.speed(size, seed, data, compare=compare and size == min(lines), **given)
            click.echo(("\n" if found else "") + measuring.table(one))
            found = measuring.keep(one, keep) if keep else [*found, one]
            if write:  # after each size: the next may take an hour
                write.write_text(measuring.page(found), encoding="utf-8")


@bench.command("rules")
@click.option("--lines", default=10_000_000, show_default=True, type=click.IntRange(100), help="Claim lines, about.")
@click.option("--seed", default=2026, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Threads to use [all].")
@click.option("--memory-limit", help="Memory for DuckDB, such as 4GB [80 % of the machine].")
def bench_rules(lines: int, seed: int, threads: int | None, memory_limit: str | None) -> None:
    """Time the models and rules alone, over a clinic and copies of it in a database on disk."""
    from therapy_audit import bench as measuring

    click.echo(measuring.rules_table(lines, seed, threads, memory_limit))


@bench.command("likeness")
@click.option("--notes", default=1_000_000, show_default=True, type=click.IntRange(10), help="Visit notes, about.")
@click.option("--threads", type=click.IntRange(1), help="Threads to use [all].")
def bench_likeness(notes: int, threads: int | None) -> None:
    """Time the rules on cloned descriptions over made-up notes, and text_likeness against DuckDB's levenshtein."""
    from therapy_audit import bench as measuring

    click.echo(measuring.likeness_table(notes, threads))


@bench.command("x12")
@click.option("--megabytes", default=200, show_default=True, type=click.IntRange(1), help="Size of each file, about.")
def bench_x12(megabytes: int) -> None:
    """Time 837P and 835 files from file to tables, and against other readers where they are installed."""
    from therapy_audit import bench_x12 as measuring

    click.echo(measuring.table(megabytes))


@bench.command("report")
@click.option("--findings", default=100_000, show_default=True, type=click.IntRange(100), help="In the page, at least.")
@click.option("--seed", default=2026, show_default=True)
def bench_report(findings: int, seed: int) -> None:
    """Time how a report of many findings is built, opens in a browser and answers to filters and sorting."""
    from therapy_audit import bench_report as measuring

    click.echo(measuring.table(measuring.measure(findings, seed)))


@bench.command("cluster")
@click.option("--lines", default=1_000_000, show_default=True, type=click.IntRange(100), help="Claim lines, about.")
@click.option("--seed", default=2026, show_default=True)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler, as tcp://host:8786 [processes of this machine].")
@click.option("--exchange", metavar="PATH", help="Folder or fsspec address that all of Dask's workers see.")
@click.option("--partitions", type=click.IntRange(1, 100_000), help="Parts [4 for each thread of the workers].")
@click.option("--hours", default=8.0, show_default=True, type=click.FloatRange(0.1), help="In which a run is to end.")
def bench_cluster(**given: Any) -> None:
    """Time a run on Dask's workers, and say how many of them larger data would take."""
    from therapy_audit import bench_cluster as measuring

    click.echo(measuring.table(**given))


@bench.command("accuracy")
@click.option("--lines", default=50_000, show_default=True, type=click.IntRange(100), help="Claim lines, about.")
@click.option("--seed", default=2027, show_default=True, help="Another clinic than that of the samples.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Also write it, as docs/accuracy.md is.")
def bench_accuracy(lines: int, seed: int, write: Path | None) -> None:
    """Print precision and recall of each rule against the planted truth of a synthetic clinic."""
    from therapy_audit import bench as measuring

    page = measuring.accuracy_page(lines, seed)
    if write:
        write.write_text(page, encoding="utf-8")
    click.echo(page)


@bench.command("evidence")
@click.argument("file", type=click.Path(path_type=Path))
@_lexicon_folder
def bench_evidence(file: Path, lexicon: Path | None) -> None:
    """Print how the evidence in labelled notes (JSONL) agrees with their labels, by halves."""
    from therapy_audit.notes import scoring

    click.echo(scoring.table(file, lexicon))


# Audit samples.


@cli.command()
@click.argument("run_folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--frame",
    type=click.Choice(["claims", "lines", "visits"]),
    default="claims",
    show_default=True,
    help="What an item is.",
)
@click.option("--size", type=click.IntRange(1), help="Items to draw.")
@click.option("--precision", metavar="USD|P%", help="Draw as many as this half width of the 90 % interval needs.")
@click.option(
    "--strata", metavar="NAMES", help="Of payer, plan, discipline, clinician, amount[:BANDS]; as in payer,amount:4."
)
@click.option("--allocation", type=click.Choice(["proportional", "neyman"]), default="proportional", show_default=True)
@click.option("--seed", type=click.IntRange(0), help="The same seed draws the same items [made at random, and told].")
@click.option(
    "--amount",
    type=click.Choice(["paid", "allowed"]),
    default="paid",
    show_default=True,
    help="The dollars of an item.",
)
@click.option("--plan", "plans", multiple=True, help="Only items of this plan; may be given several times.")
@click.option("--payer", "payers", multiple=True, help="Only items of this payer, as the claims spell it.")
@click.option("--rule", "rules", multiple=True, help="Only items with a finding of this rule.")
@click.option(
    "--probe",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A reviewed probe sample: it tells the spread, and its decisions are taken over.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="sample",
    show_default=True,
    help="New folder to write.",
)
def sample(run_folder: Path | None, folder: Path, frame: str, amount: str, precision: str | None, **given: Any) -> None:
    """Draw an audit sample from RUN_FOLDER: frame, workbook for the reviewer, and how to draw the same again."""
    from therapy_audit import sampling
    from therapy_audit.sampling.frame import Asked

    asked = Asked(frame, amount, given.pop("plans"), given.pop("payers"), given.pop("rules"))
    dollars, part = sampling.precision(precision) if precision else (None, None)
    plan = sampling.Plan(asked, precision=dollars, relative_precision=part, **given)
    for line in sampling.told(sampling.sample(run_folder or sampling.newest_run(), folder, plan), folder):
        click.echo(line)


@cli.command()
@click.argument("workbook", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--undecided", type=click.Choice(["correct", "error"]), help="What items without a decision count as.")
@click.option(
    "--quantile",
    type=click.Choice(["t", "normal"]),
    default="t",
    show_default=True,
    help="For the limits; RAT-STATS has the normal one for stratified samples.",
)
@click.option(
    "--investigation-from",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="First day of a timely good-faith investigation of related overpayments.",
)
@click.option(
    "--investigation-to", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Its last day, if it is over."
)
@click.option(
    "--findings",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A reviewed findings.xlsx: the clocks of its confirmed overpayments too.",
)
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Day on which clocks are read [today]."
)
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the workpaper [that of WORKBOOK].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def estimate(workbook: Path, folder: Path | None, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Estimate the frame's overpayment from a reviewed sample WORKBOOK, with a workpaper that shows every step."""
    from datetime import date

    from therapy_audit import sampling

    start, end, day = (given.pop(name) for name in ("investigation_from", "investigation_to", "as_of"))
    found = sampling.estimate(
        workbook,
        as_of=day.date() if day else date.today(),  # noqa: DTZ011 - the reader's own day
        investigation=sampling.investigation(start and start.date(), end and end.date()),
        **given,
    )
    written = sampling.write_workpaper(found, folder or workbook.parent)
    if as_json:
        click.echo(sampling.as_json(found))
        return
    click.echo("\n".join(sampling.lines(found)))
    click.echo(f"Workpaper: {' and '.join(str(_near(path)) for path in written)}")


@bench.command("samples")
@click.option("--samples", default=2_000, show_default=True, type=click.IntRange(10), help="Samples of each design.")
@click.option("--seed", default=2026, show_default=True)
def bench_samples(samples: int, seed: int) -> None:
    """Print how often the 90 % limits hold over many drawn samples of skewed data, design by design."""
    from therapy_audit.sampling import simulation

    click.echo(simulation.table(samples, seed))


@cli.group("review")
def review_group() -> None:
    """Take reviewers' decisions back from findings.xlsx, and see how they stand."""


_review_run = click.option(
    "--run",
    "run_folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The report to hold them against [the newest beside audit.toml's output, else in reports].",
)


@review_group.command("import")
@click.argument("workbooks", nargs=-1, required=True, metavar="WORKBOOK...")
@click.option(
    "--into", type=click.Path(path_type=Path), default="reviews.csv", show_default=True, help="File, or its folder."
)
@_review_run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def review_import(workbooks: tuple[str, ...], into: Path, run_folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Add the decisions of WORKBOOKs to reviews.csv, which runs read; none of them where a cell is at fault."""
    from therapy_audit import review

    found = review.import_workbooks(workbooks, into, run_folder or _newest_report()[0])
    click.echo(found.as_json() if as_json else "\n".join(found.lines()))


@review_group.command("status")
@click.argument("reviews", type=click.Path(dir_okay=False, path_type=Path), default="reviews.csv")
@_review_run
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def review_status(reviews: Path, run_folder: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Say per rule what was decided, how often reviewers agreed with it, and what is open."""
    import json

    from therapy_audit import review

    newest, config = _newest_report()
    found = review.status(reviews, run_folder or newest, config)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(review.lines(found)))


def _newest_report() -> tuple[Path | None, Any]:
    """Return the last report of the audit.toml in the current folder, else of reports, and that audit.toml's config."""
    from therapy_audit import config as settings
    from therapy_audit import history

    config = settings.read(Path("audit.toml")) if Path("audit.toml").exists() else None
    found = history.runs(config.output.parent if config and config.output else Path("reports"))
    return (max(found, key=lambda run: run.generated_at).folder if found else None), config


@cli.command()
@click.argument("old", type=click.Path(file_okay=False, path_type=Path))
@click.argument("new", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: totals, and each finding that is not the same.")
def compare(old: Path, new: Path, as_json: bool) -> None:  # noqa: FBT001
    """Compare two reports: findings new, persisting, reopened, resolved, or gone for another reason, with dollars."""
    from therapy_audit import compare as comparing

    found = comparing.folders(old, new)
    click.echo(comparing.as_json(found) if as_json else "\n".join(comparing.lines(found)))


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads to use [all].")
@click.option("--memory-limit", help="Memory for DuckDB, such as 2GB.")
def verify(folder: Path, as_json: bool, **given: Any) -> None:  # noqa: FBT001
    """Make the report in FOLDER again from its manifest and compare: exit code 0 the same, 1 it differs, 2 cannot."""
    from therapy_audit import verify as verifying

    found = verifying.verify(folder, **given)
    click.echo(found.as_json() if as_json else found.sentence())
    sys.exit(0 if found.same else 1)


# What goes to people.

for _command in PAPERS:
    cli.add_command(_command)


def _plain(stream: Any) -> None:
    """Leave out of all that is written to a stream what a terminal would obey or not show."""
    write = stream.write
    stream.write = lambda text: write(unseen.without(text))


def main() -> None:
    """Run the command line; an AuditError is one sentence on stderr and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        _plain(stream)
    with stopping.clean_stop() as told:
        code = _main(told)
    if told:
        stopping.leave(code)
    if code:
        sys.exit(code)


def _main(told: list[int]) -> int:
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except (Exception, KeyboardInterrupt) as fault:  # noqa: BLE001 - each is told in one sentence
        # A query that was broken off raises an error of DuckDB, or one that was made of it.
        if told or isinstance(fault, click.Abort):
            click.echo("Stopped; what was half done is taken away.", err=True)
            return stopping.killed_by(told[0] if told else signal.SIGINT)
        return _failed(fault)
    return 0


def _failed(fault: BaseException) -> int:
    """Say what went wrong in one sentence, and return the exit code."""
    import os

    if isinstance(fault, AuditError):
        click.echo(f"Error: {fault}", err=True)
        return 2
    if isinstance(fault, click.ClickException):
        fault.show()
        return 2
    if os.environ.get("THERAPY_AUDIT_DEBUG"):
        raise fault
    if type(fault).__name__ in {"MemoryError", "OutOfMemoryException"}:
        click.echo("Error: there is not enough memory; give more with --memory-limit or use fewer --threads.", err=True)
        return 2
    click.echo(
        f"Error: a fault of ours ({type(fault).__name__}). Nothing was changed. "
        "Run again with THERAPY_AUDIT_DEBUG=1 to see where, and please report it.",
        err=True,
    )
    return 3


if __name__ == "__main__":
    main()
