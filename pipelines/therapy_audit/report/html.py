"""report.html: one self-contained page, readable offline, on paper and on a phone. Nothing in it calls out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from therapy_audit import pages, unseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from therapy_audit.report.tables import Row

_SHOWN = 25  # rows of a table by payer, clinician or reason; the rest is told as a count
_BARS = 12
_ENCODED = (
    *("rule", "severity", "direction", "claim_id", "patient_id", "service_date", "month", "discipline", "hcpcs_code"),
    *("rendering_npi", "payer", "plan", "message", "reference_state", "source_file", "grain", "points"),
)
_CLINICIANS = 40  # rows of the chart and table of what the notes say: those with the most notes
DRIFT = "activity_over_exercise"  # the metric that a profile draws by month
_MONTHS = 24  # the last
# How an element is called, marked in a text (a letter and a colour of report.css), and what earns its points.
ELEMENTS: Mapping[str, tuple[str, str, str]] = {
    "specific_activity": ("Specific activity", "A", "The note names the task and what of it the patient did."),
    "skilled_direction": ("Skilled direction", "S", "A cue, facilitation, grading or decision by the clinician."),
    "functional_goal": ("Functional goal", "G", "The activity is tied to something of this patient's life."),
    "patient_response": ("Patient's response", "R", "Tolerance, performance, or a measure such as an assist level."),
    "time_stated": ("Time", "", "Minutes or clock times of this activity, in a field or in the text."),
}
_NARRATIVES = {
    "functional": "a functional activity that the patient performs",
    "impairment": "isolated strength, motion or endurance work",
    "instruction": "explaining, demonstrating or reviewing",
    "passive": "something done to the patient",
    "vague": "none of these in particular",
    "not_told_apart": "several activities, in one text that does not keep them apart",
}


@dataclass(frozen=True)
class Shown:
    """What the page's table of findings holds, in the order shown, and what opens with a finding.

    `findings`: findings_shown.sql; `texts`: texts_shown.sql, empty where no text is asked for; `visits`: timelines.sql,
    for the first `episodes` episodes that the findings speak of; `measures`: measures.sql.
    """

    findings: Sequence[Row]
    texts: Sequence[Row] = ()
    visits: Sequence[Row] = ()
    measures: Sequence[Row] = ()
    episodes: int = 0


def write(path: Path, content: Row, shown: Shown) -> None:
    """Lay out the page."""
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    filters = {
        "money": money, "number": number, "day": day, "month": month, "share": share, "web": web, "words": words,
        "clinician": clinician, "figure": figure,
    }  # fmt: skip
    environment = pages.templates("therapy_audit.report", filters)
    templates = {name: _template(environment, name) for name in ("report.css", "report.js")}
    # Both go in whole, so that the policy can name them by their hash: no other script runs, whatever the data holds.
    scripts = [get_plotlyjs(), templates["report.js"]]
    people = profiles(content)
    path.write_text(
        environment.get_template("report.html").render(
            **content,
            shown=len(shown.findings),
            shown_clinicians={row["clinician_npi"] for row in people},
            limit=_SHOWN,
            elements=ELEMENTS,
            narratives=_NARRATIVES,
            clinician_rows=_CLINICIANS,
            months_of=_grouped(content["documentation"]["month"], "clinician_npi"),
            profiles=people,
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
                "findings": _columns(shown.findings),
                "count": len(shown.findings),
                "elements": [[title, letter] for title, letter, _ in ELEMENTS.values()],
                "weights": [
                    {"element": list(ELEMENTS).index(row["element"]), "points": round(row["points"], 1),
                     "from": str(row["effective_from"]), "to": str(row["effective_to"])}
                    for row in content["documentation_weights"] if row["element"] in ELEMENTS
                ],
                **_texts(shown.texts),
                "timelines": _timelines(shown.visits),
                "measures": {row["measure"]: [row["better"], row["words"]] for row in shown.measures},
                "episodes": shown.episodes,
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


def figure(value: Any, kind: str) -> str:
    """Return a metric of a clinician's profile: a share in percent, dollars, or a number with one decimal."""
    if value is None:
        return ""
    return share(value) if kind == "share" else money(value) if kind == "money" else f"{value:,.1f}"


def profiles(content: Row) -> list[Row]:
    """Return each clinician of the profiles with what a page of its own shows, those with the most lines first.

    Each has `metrics` {metric: row}, `drawn` (the months' rows of the metric drawn), `rules` (findings by rule) and
    `documentation` (months of scores).
    """
    least = max(content["profile_least"]["cell"] or 0, 1)
    lines = {row["rendering_npi"]: row for row in content["clinicians"]}
    found = _grouped(content["clinician_findings"], "clinician_npi")
    scores = _grouped(content["documentation"]["month"], "clinician_npi")
    listed = [
        {
            **{name: rows[0][name] for name in ("clinician_npi", "provider_name", "credential", "discipline")},
            **{
                name: lines[npi][name] if npi in lines else 0
                for name in ("lines_audited", "findings", "overpayment_amount", "underpayment_amount")
            },
            "metrics": {row["metric"]: row for row in rows if row["month"] is None},
            "drawn": [row for row in rows if row["month"] and row["metric"] == DRIFT][-_MONTHS:],
            "rules": found.get(npi, []),
            "documentation": [row for row in scores.get(npi, []) if row["scored"] >= least][-_MONTHS:],
        }
        for npi, rows in _grouped(content["clinician_profiles"], "clinician_npi").items()
    ]
    return sorted(listed, key=lambda row: (-row["lines_audited"], row["clinician_npi"]))


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
    text: str = unseen.without(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _packed(name: str, values: list[Any]) -> Any:
    """Return a column as it is or, where values recur, as {values, at}: the distinct ones and each row's place."""
    if name not in _ENCODED:
        return values
    place = {value: at for at, value in enumerate(dict.fromkeys(values))}
    return {"values": list(place), "at": [place[value] for value in values]}


def _columns(findings: Sequence[Row]) -> Row:
    """Return {name: column} of the findings shown."""
    return {name: _packed(name, [row[name] for row in findings]) for name in (findings[0] if findings else ())}


def _texts(rows: Sequence[Row]) -> Row:
    """Return `texts`, each once, and `notes`: by patient and day, what was written with the place of its text."""
    place = {text: at for at, text in enumerate(dict.fromkeys(row["text"] for row in rows))}
    notes: Row = {}
    for row in rows:
        notes.setdefault(f"{row['patient_id']}\n{row['service_date']}", []).append({
            "note": row["note_id"],
            "discipline": row["discipline"],
            "clinician": row["rendering_npi"],
            "credential": row["clinician_credential"],
            "code": row["hcpcs_code"],
            "text": place[row["text"]],
            "read": row["is_read"],
            "marks": row["marks"],
        })  # fmt: skip
    return {"texts": list(place), "notes": notes}


def _timelines(rows: Sequence[Row]) -> Row:
    """Return, by patient, discipline, code and begin of the episode, its visits: {date, number, assist, ...} lists."""
    columns = ("service_date", "number", "assist", "cues", "difficulty", "said", "score")
    found: Row = {}
    for row in rows:
        key = "\n".join(str(row[name] or "") for name in ("patient_id", "discipline", "hcpcs_code", "episode_start"))
        visits = found.setdefault(key, {name: [] for name in columns} | {"measures": {}})
        for name in columns:
            visits[name].append(row[name])
        for measure, value in (row["measures"] or {}).items():
            visits["measures"].setdefault(measure, {})[len(visits["number"]) - 1] = value
    return found


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
                "link": _link("findings", rule=row["rule"]),
                "amount": float(row["amount_at_risk"]),
                **{key: row[key] for key in ("severity", "direction", "findings")},
            }
            for row in ranked[:_BARS]
            if row["amount_at_risk"] > 0
        ],
        "payers": [
            _both(row, row["payer"] or "No payer on the line", payer=row["payer"])
            for row in content["payers"][:_BARS]
            if row["findings"]
        ],
        "clinicians": [
            _both(
                row,
                row["provider_name"] or row["rendering_npi"] or "No clinician on the line",
                rendering_npi=row["rendering_npi"],
            )
            for row in content["clinicians"][:_BARS]
            if row["overpayment_amount"] or row["underpayment_amount"]
        ],
        "months": [_both(row, month(row["month"]), month=row["month"]) for row in content["months"]],
        "documentation": _documentation(content["documentation"]),
        "denials": [
            {
                "label": row["item"].capitalize(),
                "link": _link("denied", category=row["item"]),
                **{key: float(row[key]) for key in ("open_amount", "recovered_amount", "given_up_amount")},
            }
            for row in (
                {**row, "given_up_amount": row["written_off_amount"] + row["patient_amount"]}
                for row in content["denials"]["category"][:_BARS]
            )
            if row["denied_amount"]
        ],
        "ages": [
            {
                "label": row["title"].removesuffix(" days").replace("over", ">"),
                "link": _link("denied", age=row["title"]),
                "amount": float(row["open_amount"]),
                "denials": row["denials"],
            }
            for row in content["denials"]["ages"]
            if any(one["open_amount"] for one in content["denials"]["ages"])
        ],
        "kx": [
            {
                "label": f"{row['patient_id']} · {row['pool']} {row['year']} · {_standing(row)}",
                "link": _link("findings", patient_id=row["patient_id"]),
                "share": float(row["share"]),
                "used": money(row["used_amount"]),
                "threshold": money(row["threshold"]),
                "without": row["lines_past_without_kx"],
                "lower": row["is_lower_bound"],
            }
            for row in sorted(below + above, key=lambda row: -row["share"])
        ],
    }


def _documentation(found: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the chart's rows: a clinician with the average score and number of notes of each month, lowest first."""
    months = sorted({row["month"] for row in found["month"]})[-_MONTHS:]
    by_month = {(row["clinician_npi"], row["month"]): row for row in found["month"]}
    rows = [row for row in found["clinician"] if row["scored"]][:_CLINICIANS]
    return [
        {
            "label": clinician(row),
            "link": f"#clinician-{row['clinician_npi']}",
            "scored": row["scored"],
            "score": row["average_score"],
            "months": [
                {"label": month(name), "score": cell.get("average_score"), "scored": cell.get("scored", 0)}
                for name in months
                for cell in (by_month.get((row["clinician_npi"], name), {}),)
            ],
        }
        for row in sorted(rows, key=lambda row: (row["average_score"], -row["scored"], row["clinician_npi"] or ""))
    ]


def _grouped(rows: Sequence[Row], name: str) -> dict[Any, list[Row]]:
    """Return the rows by their value of a column."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def clinician(row: Row) -> str:
    """Name the writer of notes."""
    return str(row["provider_name"] or row["clinician_npi"] or "Several clinicians, or none named")


def _both(row: Row, label: str, **found_by: str | None) -> Row:
    amounts = {key: float(row[key]) for key in ("overpayment_amount", "underpayment_amount")}
    return {"label": label, "link": _link("findings", **found_by), **amounts}


def _link(place: str, **found_by: str | None) -> str:
    """Return the address within the page of the rows that a number or a bar is made of."""
    return f"#{place}?{urlencode({name: value or '' for name, value in found_by.items()})}"


def _standing(row: Row) -> str:
    """How far a patient is from the KX threshold: 95.9%, $102.58 left."""
    lower = "≥ " if row["is_lower_bound"] else ""
    if row["left_amount"] >= 0:
        return f"{lower}{share(row['share'])}, {'≤ ' if lower else ''}{money(row['left_amount'])} left"
    without = row["lines_past_without_kx"]
    return f"{lower}{share(row['share'])}" + (f", {without} without KX" if without else "")
