"""method.html and workpaper.html: self-contained pages for paper and screen; no script runs in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from therapy_audit.sampling import book, lookback, sizes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from therapy_audit.sampling import Estimated

# What draws the same sample from frame.csv, with nothing but Python's own library.
_CODE = """\
import csv, hashlib
seed = {seed}
sizes = {sizes}
with open("frame.csv", encoding="utf-8", newline="") as file:
    frame = list(csv.DictReader(file))
for stratum, size in sizes.items():
    members = [item for item in frame if item["stratum"] == stratum]
    members.sort(key=lambda item: hashlib.sha256(f"{{seed}}|{{item['item_key']}}".encode()).hexdigest())
    for item in members[:size]:
        print(item["item_number"], item["item_key"])
"""


def redraw_code(design: Mapping[str, Any]) -> str:
    """Return a Python program that draws the sample again from frame.csv in the current folder."""
    taken = {book.neutral(item["title"]): item["sampled"] for item in design["strata"]}
    return _CODE.format(seed=design["seed"], sizes=json.dumps(taken, ensure_ascii=False))


def method(path: Path, design: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    """Write the page that lets someone else draw the same sample. It holds no patient's data."""
    drawn: dict[str, list[int]] = {}
    for item in items:
        drawn.setdefault(item["stratum"], []).append(item["item_number"])
    _write(
        path,
        "method.html",
        design=design,
        drawn=drawn,
        code=redraw_code(design),
        classes=sizes.CLASSES,
        least=sizes.LEAST_PER_STRATUM,
    )


def workpaper(path: Path, estimated: Estimated) -> None:
    """Write the page that re-derives every figure step by step."""
    from therapy_audit import sampling

    _write(
        path,
        "workpaper.html",
        design=estimated.design,
        e=estimated.result,
        estimated=estimated,
        demands=sampling.demands(estimated.result),
        cautions=sampling.cautions(estimated),
        cia=sampling.reaches_cia(estimated.result),
        clocks=lookback.summary(estimated.clocks, estimated.as_of),
        terms=lookback.citations(),
        rows=[item for item in estimated.items if item.correct is not None and item.correct != item.amount],
    )


def _write(path: Path, template: str, **content: Any) -> None:
    from therapy_audit import pages
    from therapy_audit.sampling import usd

    filters = {
        "usd": lambda value: usd(float(value) if isinstance(value, str) else value),
        "count": lambda value: f"{value:,}",
        "exact": lambda value: f"{value:,.6f}",
        "percent": lambda value: "" if value is None else f"{100 * value:.2f} %",
        "cents": lambda value: usd(value / 100),
    }
    environment = pages.templates("therapy_audit.sampling", filters)
    path.write_text(environment.get_template(template).render(**content), encoding="utf-8")
