"""report.html: one self-contained page, readable offline, on paper and on a phone. Nothing in it calls out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from therapy_audit.report.tables import Row

_SHOWN = 25  # rows of a table by payer, clinician or reason; the rest is told as a count
_BARS = 12
_ENCODED = (
    *("rule", "severity", "direction", "claim_id", "patient_id", "service_date", "month", "discipline", "hcpcs_code"),
    *("rendering_npi", "payer", "plan", "message", "reference_state", "source_file", "note_text"),
)


def write(path: Path, content: Row, findings: Sequence[Row]) -> None:
    """Lay out the page; `findings` are those that its table holds, in the order shown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("therapy_audit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": money, "number": number, "day": day, "month": month, "share": share, "web": web, "words": words,
    }  # fmt: skip
    templates = {name: _template(environment, name) for name in ("report.css", "report.js")}
    # Both go in whole, so that the policy can name them by their hash: no other script runs, whatever the data holds.
    scripts = [get_plotlyjs(), templates["report.js"]]
    path.write_text(
        environment.get_template("report.html").render(
            **content,
            shown=len(findings),
            limit=_SHOWN,
            references={row["rule"]: json.loads(row["references"]) for row in content["rules"]},
            style=Markup(templates["report.css"]),  # noqa: S704 - our own files
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            hashes=[_hash(script) for script in scripts],
            data=Markup(_embedded({  # noqa: S704 - holds no `<`
                "charts": _charts(content),
                "rules": _rules(content["rules"]),
                "clinicians": {
                    row["rendering_npi"]: row["provider_name"] for row in content["clinicians"] if row["provider_name"]
                },
                "findings": {
                    name: _packed(name, [row[name] for row in findings]) for name in (findings[0] if findings else ())
                },
                "count": len(findings),
            })),
        ),
        encoding="utf-8",
    )  # fmt: skip


def money(value: Any) -> str:
    """1234.5 -> $1,234.50."""
    return "" if value is None else f"-${-value:,.2f}" if value < 0 else f"${value:,.2f}"


def number(value: Any) -> str:
    """1234 -> 1,234."""
    return "" if value is None else f"{value:,}"


def day(value: date | None) -> str:
    """2026-07-01 -> Jul 1, 2026."""
    return "" if value is None else f"{value:%b} {value.day}, {value.year}"


def month(value: str) -> str:
    """2026-07 -> Jul 2026."""
    return f"{date.fromisoformat(value + '-01'):%b %Y}"


def share(part: Any, whole: Any = 1) -> str:
    """Return a part of a whole in percent; neither 0 % nor 100 % unless it is just that."""
    if part is None or not whole:
        return ""
    percent = 100 * float(part) / float(whole)
    if 0 < percent < 0.1:
        return "< 0.1%"
    if 99.9 < percent < 100:
        return "> 99.9%"
    return f"{percent:.1f}%"


def words(value: str | None) -> str:
    """not_evaluable -> not evaluable."""
    return (value or "").replace("_", " ")


def web(href: str | None) -> str | None:
    """Return the address if it is a web address; anything else is no link."""
    return href if href and re.match(r"https?://", href) else None


def _template(environment: Any, name: str) -> str:
    text: str = environment.loader.get_source(environment, name)[0]
    return text


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _embedded(value: Any) -> str:
    """Return JSON that cannot end or open an element of the page it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _packed(name: str, values: list[Any]) -> Any:
    """Return a column as it is or, where values recur, as {values, at}: the distinct ones and each row's place."""
    if name not in _ENCODED:
        return values
    place = {value: at for at, value in enumerate(dict.fromkeys(values))}
    return {"values": list(place), "at": [place[value] for value in values]}


def _rules(rules: Sequence[Row]) -> Row:
    return {
        row["rule"]: {
            **{key: row[key] for key in ("title", "remedy", "exceptions")},
            "references": [
                {"title": entry["title"], "href": web(entry.get("href"))} for entry in json.loads(row["references"])
            ],
        }
        for row in rules
    }


def _charts(content: Row) -> Row:
    """Return each chart's bars; colours, sizes and wording are the page's."""
    ranked = sorted(content["rules"], key=lambda row: (-row["amount_at_risk"], row["rule"]))
    known = [row for row in content["kx_patients"] if row["share"] is not None]
    below, above = ([row for row in known if (row["left_amount"] < 0) == past][: _BARS // 2] for past in (False, True))
    return {
        "rules": [
            {
                "label": row["title"],
                "amount": float(row["amount_at_risk"]),
                **{key: row[key] for key in ("severity", "direction", "findings")},
            }
            for row in ranked[:_BARS]
            if row["amount_at_risk"] > 0
        ],
        "payers": [
            _both(row, row["payer"] or "No payer on the line") for row in content["payers"][:_BARS] if row["findings"]
        ],
        "clinicians": [
            _both(row, row["provider_name"] or row["rendering_npi"] or "No clinician on the line")
            for row in content["clinicians"][:_BARS]
            if row["overpayment_amount"] or row["underpayment_amount"]
        ],
        "months": [_both(row, month(row["month"])) for row in content["months"]],
        "kx": [
            {
                "label": f"{row['patient_id']} · {row['pool']} {row['year']} · {_standing(row)}",
                "share": float(row["share"]),
                "used": money(row["used_amount"]),
                "threshold": money(row["threshold"]),
                "without": row["lines_past_without_kx"],
                "lower": row["is_lower_bound"],
            }
            for row in sorted(below + above, key=lambda row: -row["share"])
        ],
    }


def _both(row: Row, label: str) -> Row:
    return {"label": label, **{key: float(row[key]) for key in ("overpayment_amount", "underpayment_amount")}}


def _standing(row: Row) -> str:
    """How far a patient is from the KX threshold: 95.9%, $102.58 left."""
    lower = "≥ " if row["is_lower_bound"] else ""
    if row["left_amount"] >= 0:
        return f"{lower}{share(row['share'])}, {'≤ ' if lower else ''}{money(row['left_amount'])} left"
    without = row["lines_past_without_kx"]
    return f"{lower}{share(row['share'])}" + (f", {without} without KX" if without else "")
