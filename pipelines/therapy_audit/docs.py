"""The pages of docs/rules/, made from rules/: `python -m therapy_audit.docs` writes them, the tests compare them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_audit import engine, resources, rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from therapy_audit.rules import Reference, Rule, RuleSet


def rule_page(rule: Rule, ruleset: RuleSet) -> str:
    """Return one rule's page as Markdown: what, for whom, since when, what it needs, the citation, what to do."""
    plans = "every plan, mapped or not" if rule.plans == ("*",) else ", ".join(engine.plans_of(rule, ruleset))
    known = {item.name: item for item in ruleset.parameters}
    lines = [
        f"# {rule.title}",
        "",
        f"`{rule.name}` · {rule.severity} · {rule.direction} · judged by {rules.grains().grains[rule.grain].title}",
        "",
        f"- Plans: {plans}",
        f"- In force: from {rule.effective_from}"
        + ("" if rule.effective_to == rules.FAR_FUTURE else f" to {rule.effective_to}"),
        f"- Says: {rule.message}",
    ]
    if rule.remedy:
        lines.append(f"- What to do: {rule.remedy}")
    lines += _listed("When a finding is fine", rule.exceptions)
    lines += _listed("Cannot be judged where", rule.requires.values())
    lines += _listed(
        "Parameters",
        [
            f"`{name}`: {known[name].title} ({known[name].unit}); {_values(known[name])}"
            for name in rule.parameters.values()
        ],
    )
    lines += _listed("Reference tables", rule.reference_tables)
    lines += _listed("References", [_linked(item) for item in rule.references])
    lines += ["", "## How it is checked", "", "```sql", rule.sql.strip(), "```", ""]
    return "\n".join(lines)


def index_page(ruleset: RuleSet) -> str:
    """Return the list of all rules and parameters as Markdown."""
    lines = [
        "# Rules",
        "",
        "Made from `rules/`; `make docs` makes it again.",
        "",
        "| rule | finds | severity | direction |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| [{rule.name}]({rule.name}.md) | {rule.title} | {rule.severity} | {rule.direction} |"
        for rule in ruleset.rules
    ]
    lines += [
        "",
        "## Parameters",
        "",
        "| parameter | what | unit | values | known until | reference |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {item.name} | {item.title} | {item.unit} | {_values(item)} | {item.known_until} | "
        f"{'; '.join(_linked(reference) for reference in item.references)} |"
        for item in ruleset.parameters
    ]
    lines += [
        "",
        "## Plans",
        "",
        "| plan | title | counts units by | asks for modifiers of | why |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {plan.name} | {plan.title} | {plan.unit_method} | {_required(plan)} | {plan.source} |"
        for plan in ruleset.plans
    ]
    lines += ["", "## Payers' pairs", "", "| plan | column one | column two | any of | on either line | since | why |"]
    lines += ["|---|---|---|---|---|---|---|"]
    pairs = resources.folder("rules").joinpath("codes", "payer_pair.csv").read_text(encoding="utf-8")
    lines += [
        f"| {pair['plan']} | {pair['column_one']} | {pair['column_two']} | {pair['modifiers']} |"
        f" {'yes' if pair['either_line'] == 'true' else 'no'} | {pair['effective_from']} | {pair['source']} |"
        for pair in csv.DictReader(pairs.splitlines())
    ]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return {file name: content} of all pages of docs/rules/."""
    ruleset = rules.load()
    return {"README.md": index_page(ruleset)} | {f"{rule.name}.md": rule_page(rule, ruleset) for rule in ruleset.rules}


def write(folder: Path) -> None:
    """Write docs/rules/ anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _required(plan: rules.Plan) -> str:
    asked = {"discipline": plan.discipline_modifier_required, "assistant": plan.assistant_modifier_required}
    return ", ".join(name for name, required in asked.items() if required) or "none"


def _listed(title: str, items: Iterable[str]) -> list[str]:
    found = list(items)
    return ["", f"## {title}", "", *(f"- {item}" for item in found)] if found else []


def _linked(reference: Reference) -> str:
    return f"[{reference.title}]({reference.href})" if reference.href else reference.title


def _values(parameter: rules.Parameter) -> str:
    keys = []
    for key, by_date in parameter.values.items():
        dated = ", ".join(f"{value:,g} from {day}" for day, value in sorted(by_date.items()))
        keys.append(dated if key == "all" else f"{key}: {dated}")
    return "; ".join(keys)


if __name__ == "__main__":
    write(Path("docs/rules"))
