"""The pages of docs/ that are made from what they tell of: `make docs` writes, the tests compare."""

from __future__ import annotations

import csv
import inspect
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit import engine, resources, rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

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
    if rule.good_example:
        lines.append(f"- What good looks like: {rule.good_example}")
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


def guides_page(statements: Iterable[Mapping[str, Any]]) -> str:
    """Return docs/guides.md: what published guides say, whether it holds, and what shows it, out of guides.yaml."""
    titles = {rule.name: rule.title for rule in rules.load().rules}
    lines = [
        "# What published guides say, and what this says",
        "",
        "Five published guides to billing 97530, their statements in our own words. The tests run all that is shown",
        "here (`tests/cases/guides.yaml`); `make docs` makes this page again. Audits are of claims to Medicare",
        "Part B of 2026-03-02 where they say nothing else; each rule's page has its citation.",
    ]

    def told(item: Mapping[str, Any]) -> str:
        return f"**{item['statement']}** {item['verdict'][0].upper()}{item['verdict'][1:]}. {item['right']}"

    lines += _by_heading(statements, lambda item: f"Guide {item['guide']}", told, titles)
    return "\n".join(lines) + "\n"


def cms_page(examples: Iterable[Mapping[str, Any]]) -> str:
    """Return docs/cms-examples.md: what CMS works through or puts in figures, and what is said here of the same."""
    titles = {rule.name: rule.title for rule in rules.load().rules}
    given = list(examples)
    lines = [
        "# What CMS works through, and what this says",
        "",
        "Worked examples and figures that CMS publishes, their facts in our own words. The tests run all that is",
        "shown here (`pytest tests/test_guides.py`; `tests/cases/cms_examples.yaml`), and `make docs` makes this page",
        "again. Audits are of claims to Medicare Part B of 2026-03-02 where they say nothing else; each rule's page",
        "has its citation.",
        "",
        "| | tried | agree | of these read in a copy or retelling of the text |",
        "|---|---:|---:|---:|",
    ]
    for kind, title in (("example", "Worked examples"), ("figure", "Figures, tried at their bounds")):
        mine = [item for item in given if item["kind"] == kind]
        agree = [item for item in mine if item.get("agrees", True)]
        lines.append(f"| {title} | {len(mine)} | {len(agree)} | {sum(item['read'] for item in agree)} |")
    shown = [shown for item in given for shown in item["shown"]]
    lines += [
        "",
        f"{len(shown)} commands, audits and parameters are tried for them. What was not read in such a copy is",
        "the outcome as the field knows it.",
    ]

    def told(item: Mapping[str, Any]) -> str:
        differs = "" if item.get("agrees", True) else f" Not told here: {item['why']}"
        return f"**{item['done']}.** {item['says']}.{differs}"

    lines += _by_heading(given, lambda item: item["source"], told, titles)
    return "\n".join(lines) + "\n"


def _by_heading(
    items: Iterable[Mapping[str, Any]],
    heading: Callable[[Mapping[str, Any]], str],
    told: Callable[[Mapping[str, Any]], str],
    titles: Mapping[str, str],
) -> Iterator[str]:
    """Yield the lines of items that have the same heading one after the other, each with all that shows it."""
    for title, group in groupby(items, heading):
        yield from ("", f"## {title}")
        for item in group:
            yield from ("", told(item), "", *(f"- {_shown(shown, titles)}" for shown in item["shown"]))


def api_page() -> str:
    """Return docs/api.md: what `import therapy_audit` offers, from its signatures and docstrings."""
    import therapy_audit as ta

    lines = [
        "# Python API",
        "",
        "Made from `pipelines/therapy_audit/__init__.py`; `make docs` makes it again. The package is typed.",
        "",
        "    import therapy_audit as ta",
        "",
        *inspect.cleandoc(ta.__doc__ or "").splitlines(),
    ]
    for name in sorted(ta.__all__, key=lambda item: (inspect.isclass(getattr(ta, item)), item)):
        item = getattr(ta, name)
        if not inspect.isclass(item):
            lines += _documented(f"ta.{name}", item)
            continue
        lines += ["", f"## ta.{name}", "", inspect.cleandoc(item.__doc__ or "")]
        for member, value in vars(item).items():
            if not member.startswith("_") and (callable(value) or isinstance(value, property)):
                lines += _documented(f"{name}.{member}", value, level=3)
    return "\n".join(lines) + "\n"


def _documented(name: str, item: Any, level: int = 2) -> list[str]:
    """Return a function, method or property as Markdown: heading, signature, docstring."""
    function: Any = item.fget if isinstance(item, property) else item
    signature = inspect.signature(function)
    parts = [_part(part) for part in signature.parameters.values() if part.name != "self"]
    first = next((at for at, part in enumerate(signature.parameters.values()) if part.kind is part.KEYWORD_ONLY), None)
    if first is not None:
        parts.insert(first - ("self" in signature.parameters), "*")
    given = f"({', '.join(parts)})"
    if len(name + given) > 100:
        given = "(\n" + "".join(f"    {part},\n" for part in parts) + ")"
    given = "" if isinstance(item, property) else given
    shown = f"{name}{given} -> {signature.return_annotation}"
    return ["", f"{'#' * level} {name}", "", "```python", shown, "```", "", inspect.cleandoc(function.__doc__ or "")]


def _part(part: inspect.Parameter) -> str:
    stars = "**" if part.kind is part.VAR_KEYWORD else ""
    default = "" if part.default is part.empty else f" = {part.default!r}"
    return f"{stars}{part.name}: {part.annotation}{default}"


def _shown(shown: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    if "run" in shown:
        told = "; ".join(f"“{words}”" for words in shown["tells"])
        return f"`therapy-audit {shown['run']}` says {told}"
    if "parameter" in shown:
        key = f" ({shown['key']})" if "key" in shown else ""
        return f"`{shown['parameter']}`{key} is {shown['value']:,} on {shown['on']}"
    found = [f"[{titles[name]}](rules/{name}.md)" for name in shown.get("finds", ())]
    clean = [f"[{titles[name]}](rules/{name}.md)" for name in shown.get("clean", ())]
    words = [f"found: {', '.join(found)}"] if found else []
    words += [f"not found: {', '.join(clean)}"] if clean else []
    return f"An audit of {shown['claim']}; {'; '.join(words)}"


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
    guides, cms = (
        resources.parsed(Path(f"tests/cases/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("guides", "cms_examples")
    )
    Path("docs/api.md").write_text(api_page(), encoding="utf-8")
    Path("docs/guides.md").write_text(guides_page(guides), encoding="utf-8")
    Path("docs/cms-examples.md").write_text(cms_page(cms), encoding="utf-8")
