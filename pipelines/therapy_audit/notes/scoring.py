"""How well the evidence agrees with labelled notes: precision, recall and F1 by element, the narrative's confusions."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError
from therapy_audit.notes import reading
from therapy_audit.notes.lexicon import ELEMENTS, NARRATIVES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

HALVES = ("development", "held out")


@dataclass(frozen=True)
class Agreement:
    """True and false positives, false negatives and positives' F1, of an element or a narrative."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / both if both else 1.0


@dataclass(frozen=True)
class Result:
    """The agreement of one set of notes: by element, by narrative, and (label, answer) counts of the narratives.

    `exact` is the share of notes whose help, minutes, and pair of times agree with the labels.
    """

    notes: int
    elements: Mapping[str, Agreement]
    narratives: Mapping[str, Agreement]
    confusion: Mapping[tuple[str, str], int]
    exact: Mapping[str, float]

    @property
    def macro_f1(self) -> float:
        return sum(one.f1 for one in self.narratives.values()) / len(self.narratives)


def half(identity: str) -> str:
    """Return which half a note belongs to, by a hash of its id: the vocabulary was written with the first only."""
    return HALVES[int(hashlib.sha256(identity.encode()).hexdigest(), 16) % 2]


def labelled(path: Path) -> list[dict[str, Any]]:
    """Read a JSONL file of notes with id, text, hcpcs and labels; AuditError where it is not one."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError:
        raise AuditError(f"{path}: the file cannot be read; is the name right?") from None
    except ValueError:
        raise AuditError(f"{path}: not JSONL in UTF-8; each line holds one note with id, text and labels.") from None
    wanted = {"specific_activity", "skilled_direction", "functional_goal", "patient_response", "narrative"}
    if not rows or any(
        not isinstance(row, dict) or not {"id", "text", "labels"} <= set(row) or not wanted <= set(row["labels"])
        for row in rows
    ):
        raise AuditError(f"{path}: every line needs id, text and labels with {', '.join(sorted(wanted))}.")
    return rows


def compare(rows: Sequence[Mapping[str, Any]], folder: Path | None = None) -> Result:
    """Compare the answers on labelled notes with their labels."""
    answers = reading.read([row["text"] for row in rows], [row.get("hcpcs") for row in rows], folder).to_pylist()
    labels = [row["labels"] for row in rows]
    by_element = {
        name: _agreement(
            (label[name], answer["elements"][name]["present"]) for label, answer in _pairs(labels, answers)
        )
        for name in ELEMENTS
    }
    confusion = Counter((label["narrative"], answer["narrative"]) for label, answer in _pairs(labels, answers))
    by_narrative = {
        name: _agreement(
            (label["narrative"] == name, answer["narrative"] == name) for label, answer in _pairs(labels, answers)
        )
        for name in NARRATIVES
    }
    exact = {
        "assist_level": [one.get("assist_level") == two["assist_level"] for one, two in _pairs(labels, answers)],
        "minutes": [one.get("minutes_in_text") == two["minutes"] for one, two in _pairs(labels, answers)],
        "start and stop": [
            bool(one.get("start_stop_in_text")) == (two["start"] is not None) for one, two in _pairs(labels, answers)
        ],
    }
    shares = {name: sum(same) / len(same) for name, same in exact.items()}
    return Result(len(rows), by_element, by_narrative, confusion, shares)


def table(path: Path, folder: Path | None = None) -> str:
    """Return the whole comparison of a file as text: both halves, and all notes."""
    rows = labelled(path)
    parts = {name: [row for row in rows if half(str(row["id"])) == name] for name in HALVES} | {"all": rows}
    return "\n\n".join(_shown(name, compare(own, folder)) for name, own in parts.items() if own)


def _pairs(labels: Sequence[Any], answers: Sequence[Any]) -> Iterable[tuple[Any, Any]]:
    return zip(labels, answers, strict=True)


def _agreement(pairs: Iterable[tuple[bool, bool]]) -> Agreement:
    counts = Counter(pairs)
    return Agreement(counts[True, True], counts[False, True], counts[True, False])


def _shown(name: str, result: Result) -> str:
    lines = [f"{name}: {result.notes} notes", f"{'':20}{'precision':>10}{'recall':>8}{'F1':>7}"]
    both = [*result.elements.items(), *result.narratives.items()]
    lines += [f"{title:20}{one.precision:10.3f}{one.recall:8.3f}{one.f1:7.3f}" for title, one in both]
    lines += [f"{'narrative, macro':20}{result.macro_f1:25.3f}"]
    lines += [f"{title:20}{share:25.3f} agree" for title, share in result.exact.items()]
    lines += [f"{'label / answer':16}" + "".join(f"{answer:>12}" for answer in NARRATIVES)]
    lines += [
        f"{label:16}" + "".join(f"{result.confusion.get((label, answer), 0):12}" for answer in NARRATIVES)
        for label in NARRATIVES
    ]
    return "\n".join(lines)
