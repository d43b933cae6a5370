"""Rules, parameters and plans as read from rules/: data, checked on loading, never code."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING, Any

import yaml

from therapy_audit import plain_yaml, resources
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SEVERITIES = ("error", "warning", "info")
DIRECTIONS = ("overpayment", "underpayment", "compliance")
UNIT_METHODS = ("cms", "midpoint")
OWN = "own."  # how the ids of a user's own rules and parameters begin
FAR_FUTURE = date(9999, 12, 31)
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)  # of a user's file, a part of a rule's id

_RULE_KEYS = {
    "title": True, "severity": True, "direction": True, "grain": True, "plans": True, "effective_from": True,
    "message": True, "references": True, "effective_to": False, "applies_to": False, "requires": False,
    "requires_of_each": False, "parameters": False, "reference_tables": False, "query": False, "remedy": False,
    "exceptions": False, "status": False, "before_billing": False, "denial_reasons": False, "arithmetic": False,
    "good_example": False,
}  # fmt: skip
_RULE_TYPES = {
    **dict.fromkeys(("title", "message", "applies_to", "remedy", "query", "arithmetic"), (str, "a text")),
    **dict.fromkeys(("effective_from", "effective_to"), (date, "a date such as 2026-01-01")),
    **dict.fromkeys(("requires", "requires_of_each", "parameters"), (dict, "a mapping")),
    **dict.fromkeys(("references", "exceptions", "denial_reasons", "reference_tables"), (list, "a list")),
    "before_billing": (bool, "true or false"),
}
_PARAMETER_KEYS = {
    "title": True, "unit": True, "values": True, "known_until": True, "references": True, "keys": False, "notes": False,
}  # fmt: skip
_TRAITS = (
    "unit_method", "counts_toward_kx_threshold", "discipline_modifier_required", "assistant_modifier_required",
)  # fmt: skip
_PLAN_KEYS = dict.fromkeys(("title", *_TRAITS, "source"), True)


@dataclass(frozen=True)
class Grain:
    """What a finding is about: its name in words, and the SQL expressions over table `finding` that identify it.

    `before_billing` says whether a claim that is not yet billed can be judged by it, `of_line` whether it is about
    claim lines at all: what is about a remittance has none, and its check says the rest itself. `lines` is a condition
    over `line` (therapy_line) and `finding`: which lines a finding is about.
    """

    title: str
    identity: tuple[str, ...]
    before_billing: bool = True
    of_line: bool = True
    lines: str = "line.claim_id = finding.claim_id AND line.claim_line_number = finding.claim_line_number"


@dataclass(frozen=True)
class Scope:
    """A macro of sql/in_scope.sql: its model, and what coverage counts: {column: expression over table `finding`}.

    There are no columns where it counts the model's rows. `needs` names the input without which it is empty.
    """

    model: str
    counts: Mapping[str, str]
    needs: str | None = None


@dataclass(frozen=True)
class Models:
    """Under which key models are closed; those in neither mapping need all rows.

    patient: {model: its CTEs that need all rows}; clinician: {model: {model that it reads: column with the number}};
    any_row: models of which it is only asked whether they have a row; inner: those that number or repeat rows in each
    partition; row_numbers: columns that hold the number of a claim line; owner: {model without a patient: {model with
    one: column of both}}; reached and spans: whom a changed row of a table without a patient reaches, by the columns
    (table.column) that hold its value, or a date of its span.
    """

    patient: Mapping[str, tuple[str, ...]]
    clinician: Mapping[str, Mapping[str, str]]
    any_row: tuple[str, ...]
    inner: tuple[str, ...]
    row_numbers: tuple[str, ...]
    owner: Mapping[str, Mapping[str, str]]
    reached: Mapping[str, Mapping[str, Sequence[str]]]
    spans: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Grains:
    """What rules/grains.yaml holds."""

    grains: Mapping[str, Grain]
    scopes: Mapping[str, Scope]
    models: Models


@dataclass(frozen=True)
class Reference:
    """Where a rule or value stands: a title with its section, and an address where there is one."""

    title: str
    href: str | None = None


@dataclass(frozen=True)
class Rule:
    """One rule: what it finds (rules/<path>.yaml) and how (sql/checks/<query>.sql)."""

    name: str
    title: str
    severity: str
    direction: str
    grain: str
    plans: tuple[str, ...] | Mapping[str, str]  # plan names, ("*",) for every plan, or {trait: value} of plans.yaml
    effective_from: date
    message: str
    references: tuple[Reference, ...]
    sql: str
    fingerprint: str
    effective_to: date = FAR_FUTURE
    applies_to: str | None = None  # a condition over the scope's columns: the rows that the rule is about
    requires: Mapping[str, str] = field(default_factory=dict)  # column: reason when it is null
    # Of these, what each row of a thing of several rows needs: one that lacks it leaves the whole open.
    requires_of_each: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)  # name in the SQL: parameter
    reference_tables: tuple[str, ...] = ()
    remedy: str | None = None
    exceptions: tuple[str, ...] = ()
    status: str = "stable"
    denial_reasons: tuple[str, ...] = ()  # reason and remark codes of the denials that the rule speaks to
    before_billing: bool = True  # false where it looks at what comes after billing, or at more than a claim's patient
    arithmetic: str | None = None  # how the facts were reckoned, worded as the message is; `units`: as units.allocate
    good_example: str | None = None  # what good looks like: a made-up note or claim that the rule would pass


@dataclass(frozen=True)
class Parameter:
    """A value by key and date. The last value of a key holds until `known_until` and not a day longer."""

    name: str
    title: str
    unit: str
    values: Mapping[str, Mapping[date, float]]
    known_until: date
    references: tuple[Reference, ...]
    by_plan: bool = False  # its keys are plans; a plan without a value has none

    def rows(self) -> list[tuple[str, str, date, date, float]]:
        """Return the rows of table `parameter`: name, key, effective_from, effective_to, value."""
        found = []
        for key, by_date in self.values.items():
            starts = sorted(by_date)
            ends = [date.fromordinal(following.toordinal() - 1) for following in starts[1:]] + [self.known_until]
            found += [(self.name, key, start, end, by_date[start]) for start, end in zip(starts, ends, strict=True)]
        return found


@dataclass(frozen=True)
class Plan:
    """A plan that rules speak of, with the traits that rules may select by."""

    name: str
    title: str
    unit_method: str
    counts_toward_kx_threshold: bool
    discipline_modifier_required: bool
    assistant_modifier_required: bool
    source: str


@dataclass(frozen=True)
class PayerPair:
    """Two codes that a plan pays on one day only with one of the modifiers on column two's line, or on either."""

    plan: str
    column_one: str
    column_two: str
    modifiers: tuple[str, ...]
    either_line: bool


@dataclass(frozen=True)
class RuleSet:
    """All that rules/ holds. `payer_patterns` are (pattern, plan or none) in order; the first that fits wins.

    `payer_pairs` are a user's own; those of a plan stand in place of the shipped ones (rules/codes/payer_pair.csv).
    """

    rules: tuple[Rule, ...]
    parameters: tuple[Parameter, ...]
    plans: tuple[Plan, ...]
    payer_patterns: tuple[tuple[str, str | None], ...]
    payer_pairs: tuple[PayerPair, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Return one hash over all rules, for the manifest."""
        return _digest(*(rule.fingerprint for rule in self.rules))


@cache
def grains() -> Grains:
    """Read rules/grains.yaml."""
    raw = resources.parsed((resources.folder("rules") / "grains.yaml").read_text(encoding="utf-8"))

    def expression(key: str) -> str:
        return f"facts->>'{key.removeprefix('facts.')}'" if key.startswith("facts.") else key

    return Grains(
        {
            name: Grain(
                item["title"],
                tuple(map(expression, item["identity"])),
                item.get("before_billing", True),
                item.get("of_line", True),
                item.get("lines", Grain.lines),
            )
            for name, item in raw["grains"].items()
        },
        {
            name: Scope(
                item["model"],
                {key.removeprefix("facts."): expression(key) for key in item["counts"]},
                item.get("needs"),
            )
            for name, item in raw["scopes"].items()
        },
        Models(
            {name: tuple(parts) for name, parts in raw["models"]["patient"].items()},
            raw["models"]["clinician"],
            tuple(raw["models"]["any_row"]),
            tuple(raw["models"]["inner"]),
            tuple(raw["models"]["row_numbers"]),
            *(raw["models"][name] for name in ("owner", "reached", "spans")),
        ),
    )


def load(own: Path | None = None) -> RuleSet:
    """Read rules/, and the folder of a user's `own` rules; AuditError names all that is wrong, file by file.

    An own rule is <path>.yaml with <path>.sql beside it, a parameter parameters/<path>.yaml; their ids begin with own.
    """
    shipped = _shipped()
    if own is None:
        return shipped
    checks = resources.texts(resources.folder("sql") / "checks", ".sql")
    faults: list[str] = []
    plan_names, parameter_names = [plan.name for plan in shipped.plans], {item.name for item in shipped.parameters}
    added, values = _own(own, checks, plan_names, parameter_names, faults)
    if faults:
        raise AuditError("\n".join(faults))
    return replace(
        shipped,
        rules=tuple(sorted([*shipped.rules, *added], key=lambda item: item.name)),
        parameters=(*shipped.parameters, *values),
    )


@cache
def _shipped() -> RuleSet:
    """Read rules/ once in a process; nothing of a rule set is ever changed in place."""
    folder = resources.folder("rules")
    checks = resources.texts(resources.folder("sql") / "checks", ".sql")
    plans, patterns = _plans((folder / "plans.yaml").read_text(encoding="utf-8"))
    parameters = tuple(parameter(name, text) for name, text in resources.texts(folder / "parameters", ".yaml").items())
    known_parameters = {item.name for item in parameters}
    found: list[Rule] = []
    faults: list[str] = []
    for authority in ("clinic", "medicare", "payers"):
        for name, text in resources.texts(folder / authority, ".yaml", f"{authority}.").items():
            try:
                found.append(rule(name, text, checks, {plan.name for plan in plans}, known_parameters))
            except AuditError as fault:
                faults.append(str(fault))
    if faults:
        raise AuditError("\n".join(faults))
    return RuleSet(tuple(sorted(found, key=lambda item: item.name)), parameters, plans, patterns)


def kept(report_folder: Path) -> Path | None:
    """Return the folder of the user's own rules that a run kept in its report, if it had any."""
    return report_folder / "rules" if (report_folder / "rules").is_dir() else None


def _own(
    folder: Path,
    shipped: Mapping[str, str],
    plan_names: Iterable[str],
    parameter_names: Iterable[str],
    faults: list[str],
) -> tuple[list[Rule], list[Parameter]]:
    """Read a user's own rules and parameters; what is wrong with them is added to `faults`."""
    if not folder.is_dir():
        raise AuditError(f"{folder}: there is no such folder; `rules` names the folder of your own rules.")
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise AuditError(f"{path}: this is a symbolic link; put the file itself into the folder of your rules.")
        if path.suffix in {".yaml", ".sql"} and not all(
            map(_NAME.fullmatch, path.relative_to(folder).with_suffix("").parts)
        ):
            raise AuditError(f"{path}: a rule's id is made of its path; name it with letters, digits, _ and - only.")
    try:
        texts = resources.texts(folder, ".yaml")
        checks = {**shipped, **{OWN + name: text for name, text in resources.texts(folder, ".sql").items()}}
    except UnicodeDecodeError:
        raise AuditError(f"{folder}: a YAML or SQL file in it is not UTF-8; save it so.") from None
    found: list[Rule] = []
    values: list[Parameter] = []
    # Parameters come first: rules name them.
    for name, text in sorted(texts.items(), key=lambda item: not item[0].startswith("parameters.")):
        where = f"{folder.name}/{name.replace('.', '/')}.yaml"
        try:
            if name.startswith("parameters."):
                values.append(parameter(OWN + name.removeprefix("parameters."), text, where))
            else:
                known = {*parameter_names, *(item.name for item in values)}
                found.append(rule(OWN + name, text, checks, plan_names, known, where))
        except AuditError as fault:
            faults.append(str(fault))
    if not texts:
        faults.append(f"{folder}: there is no rule in it; a rule is a YAML file with its SQL beside it.")
    return found, values


def rule(
    name: str,
    text: str,
    checks: Mapping[str, str],
    plan_names: Iterable[str],
    parameter_names: Iterable[str],
    own_file: str | None = None,
) -> Rule:
    """Read one rule's YAML; `own_file` names that of a user's own. AuditError: the file, the key, what would be right.

    `checks` are {name: SQL}: the shipped ones by name, a user's own by id.
    """
    where = own_file or f"rules/{name.replace('.', '/')}.yaml"
    raw = _mapping(text, where, _RULE_KEYS, "A rule")
    for key, (kind, words) in _RULE_TYPES.items():
        if key in raw and not isinstance(raw[key], kind):
            raise AuditError(f"{where}: {key} must be {words}.")
    for key in ("message", "arithmetic"):
        try:
            list(Formatter().parse(raw.get(key, "")))
        except ValueError:
            raise AuditError(f"{where}: a brace of {key} stands alone; write facts as {{units}}.") from None
    for key, allowed in (("severity", SEVERITIES), ("direction", DIRECTIONS), ("grain", tuple(grains().grains))):
        if raw[key] not in allowed:
            raise AuditError(f"{where}: {key} '{raw[key]}' is not one of {', '.join(allowed)}.")
    plans = raw["plans"]
    if isinstance(plans, list):
        unknown = set(plans) - set(plan_names) - {"*"}
        if unknown or not plans:
            raise AuditError(
                f"{where}: plans {sorted(unknown)} are not in rules/plans.yaml, which knows {', '.join(plan_names)}."
            )
        plans = tuple(plans)
    elif not (isinstance(plans, dict) and set(plans) <= set(_TRAITS)):
        raise AuditError(f"{where}: plans is either a list of plan names ('*' for all) or a trait such as unit_method.")
    parameters = raw.get("parameters", {})
    for parameter_name in parameters.values():
        if parameter_name not in parameter_names:
            place = f"{own_file.partition('/')[0]}/parameters/" if own_file else "rules/parameters/"
            raise AuditError(f"{where}: parameter '{parameter_name}' has no file in {place}.")
    for code in raw.get("denial_reasons", ()):
        if not (isinstance(code, str) and re.fullmatch(r"[A-Z]{0,2}\d{1,4}", code)):
            raise AuditError(f"{where}: denial_reasons holds '{code}'; write reason and remark codes in quotes: '97'.")
    if not all(isinstance(text, str) for text in raw.get("exceptions", ())):
        raise AuditError(f"{where}: exceptions must be a list of texts; put one that holds a colon under >-.")
    query = raw.get("query", name.removeprefix(OWN) if own_file else name.rpartition(".")[2])
    if own_file and (OWN + query in checks or "query" not in raw):
        query = OWN + query
    if query not in checks:
        place = own_file.removesuffix(".yaml") if own_file else f"sql/checks/{query}"
        raise AuditError(f"{where}: there is no {place}.sql; write it, or name another rule's with query:.")
    return Rule(
        name=name,
        plans=plans,
        sql=checks[query],
        fingerprint=_digest(text, checks[query]),
        references=_references(raw["references"], where),
        reference_tables=tuple(raw.get("reference_tables", ())),
        exceptions=tuple(raw.get("exceptions", ())),
        denial_reasons=tuple(raw.get("denial_reasons", ())),
        requires={**raw.get("requires", {}), **raw.get("requires_of_each", {})},
        before_billing=raw.get("before_billing", grains().grains[raw["grain"]].before_billing),
        **{key: raw[key] for key in ("title", "severity", "direction", "grain", "effective_from", "message")},
        **{
            key: raw[key]
            for key in (
                "effective_to",
                "applies_to",
                "requires_of_each",
                "parameters",
                "remedy",
                "status",
                "arithmetic",
                "good_example",
            )
            if key in raw
        },
    )


def parameter(name: str, text: str, own_file: str | None = None) -> Parameter:
    """Read one parameter's YAML: values by key and date. AuditError says the file, the key and what would be right."""
    where = own_file or f"rules/parameters/{name.replace('.', '/')}.yaml"
    raw = _mapping(text, where, _PARAMETER_KEYS, "A parameter")
    if not isinstance(raw["values"], dict) or not isinstance(raw["known_until"], date):
        raise AuditError(f"{where}: values must be by key and date, and known_until a date such as 2026-12-31.")
    for key, by_date in raw["values"].items():
        if not isinstance(by_date, dict) or not by_date or not all(isinstance(day, date) for day in by_date):
            raise AuditError(f"{where}: the values of '{key}' must be by date, such as {{2026-01-01: 2480}}.")
        if not all(_is_value(value) for value in by_date.values()):
            raise AuditError(f"{where}: the values of '{key}' must be numbers below 10^14.")
        if max(by_date) > raw["known_until"]:
            raise AuditError(f"{where}: known_until {raw['known_until']} lies before the last value of '{key}'.")
    if raw.get("keys", "plan") != "plan":
        raise AuditError(f"{where}: keys can only be 'plan'; without it the keys are those of values.")
    return Parameter(
        name,
        raw["title"],
        raw["unit"],
        raw["values"],
        raw["known_until"],
        _references(raw["references"], where),
        by_plan="keys" in raw,
    )


def _is_value(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e14  # not NaN either


def _plans(text: str) -> tuple[tuple[Plan, ...], tuple[tuple[str, str | None], ...]]:
    where = "rules/plans.yaml"
    raw = _mapping(text, where, {"plans": True, "payers": True}, "The file")
    plans = []
    for name, traits in raw["plans"].items():
        _check_keys(traits, f"{where}, plan {name}", _PLAN_KEYS, "A plan")
        if traits["unit_method"] not in UNIT_METHODS:
            raise AuditError(f"{where}: unit_method of {name} is not one of {', '.join(UNIT_METHODS)}.")
        plans.append(Plan(name, **traits))
    return tuple(plans), tuple((payer["pattern"], payer["plan"]) for payer in raw["payers"])


def _references(raw: Any, where: str) -> tuple[Reference, ...]:
    if not raw:
        raise AuditError(f"{where}: references is empty. Name the title with its section, and href where there is one.")
    if not all(isinstance(item, dict) and "title" in item and set(item) <= {"title", "href"} for item in raw):
        raise AuditError(
            f"{where}: each of references must be like {{title: Contract 2026 section 4, href: https://}}."
        )
    return tuple(Reference(**item) for item in raw)


def _mapping(text: str, where: str, keys: Mapping[str, bool], what: str) -> dict[str, Any]:
    try:
        raw = plain_yaml.load(text)
    except yaml.YAMLError as fault:
        told = fault.problem if isinstance(fault, plain_yaml.TooMuchError) else str(fault).partition("\n")[0]
        raise AuditError(f"{where}: not readable as YAML ({told}).") from None
    _check_keys(raw, where, keys, what)
    return dict(raw)


def _check_keys(raw: Any, where: str, keys: Mapping[str, bool], what: str) -> None:
    if not isinstance(raw, dict):
        raise AuditError(f"{where}: {what} must be a mapping with the keys {', '.join(keys)}.")
    for key in raw:
        if key not in keys:
            raise AuditError(f"{where}: unknown key '{key}'. {what} may have: {', '.join(keys)}.")
    for key, needed in keys.items():
        if needed and key not in raw:
            raise AuditError(
                f"{where}: key '{key}' is missing. {what} must have: {', '.join(k for k in keys if keys[k])}."
            )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
