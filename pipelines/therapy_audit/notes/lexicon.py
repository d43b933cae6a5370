"""The vocabulary as read from rules/lexicon/: one concept per file, checked on loading, and a clinic's own words."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from therapy_audit import plain_yaml, resources, rules
from therapy_audit.errors import AuditError
from therapy_audit.notes import english

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ELEMENTS = ("specific_activity", "skilled_direction", "functional_goal", "patient_response")
NARRATIVES = ("functional", "impairment", "instruction", "passive", "vague")
LEVELS = (
    "independent", "modified_independent", "supervision", "contact_guard", "minimal", "moderate", "maximal",
    "dependent",
)  # fmt: skip
BUILT_IN = ("number", "past", "ing", "unknown", "word", "opening")  # by a word's shape or place, not from a file
_REACHES = ("forward", "backward", "both", "section")
_SEGMENTS = ("phrase", "clause", "sentence")
_LISTS = ("terms", "verbs", "nouns", "patterns")
_KEYS = {"title", "scope", "cancelled_by", "unless_within", "examples", *_LISTS}
_WEIGHT = "clinic.documentation_weight"  # the parameter that holds the points of the score
_SAME = {"&": "and", "+": "and", "@": "at"}
_CODE = 5  # a number of five digits is a billing code, and a word of its own
_WORDS = re.compile(r"#|\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]")
_GAP = re.compile(r"~(\d)")
_GROUP = re.compile(r"\(([^()]*)\)")
_ITEM = re.compile(r"\{(\w+)\}|~(\d)|([^{}~]+)")


Item = str | int | frozenset[tuple[str, ...]]  # of a pattern: a concept's name, a gap, alternatives of phrases


@dataclass(frozen=True)
class Scope:
    """How far a concept's words reach: to which side, to the end of which segment, over how many words (0: all).

    A reach forward ends before the words of the concepts `ends_at`, if they come earlier.
    """

    reach: str
    until: str = "sentence"
    words: int = 0
    ends_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Concept:
    """One file of the lexicon.

    `phrases` are tuples of words, "#" stands for any number; `patterns` are tuples of items, each a concept's name, an
    alternative of phrases, or the number of words that may lie between.
    """

    name: str
    title: str
    phrases: frozenset[tuple[str, ...]]
    patterns: tuple[tuple[Item, ...], ...] = ()
    scope: Scope | None = None
    cancelled_by: tuple[str, ...] = ()
    unless_within: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lexicon:
    """All concepts by name, in the order in which their patterns can be matched, and the weights of the score."""

    concepts: Mapping[str, Concept]
    weights: Mapping[str, float] = field(default_factory=dict)


def tokens(text: str) -> tuple[str, ...]:
    """Return a phrase's words as the matcher cuts a note: lower case, hyphens and apostrophes in words are gaps."""
    joined = re.sub(r"(?<=[^\W\d_])['\u2019-](?=[^\W\d_])", " ", text.lower())
    found = (_SAME.get(word, word) for word in _WORDS.findall(joined))
    return tuple("#" if word[0].isdigit() and len(word) < _CODE else word for word in found)


def load(folder: Path | None = None) -> Lexicon:
    """Return the shipped lexicon with the words of a clinic's folder added; AuditError says what is wrong in a file."""
    return _shipped() if folder is None else _with_folder(folder)


def fingerprint(folder: Path | None = None) -> str:
    """Return a hash of the shipped lexicon and a clinic's folder: the same words give the same evidence."""
    words = resources.folder("rules")
    texts = dict(resources.texts(words / "lexicon", ".yaml"))
    texts["measures"] = words.joinpath("measures.yaml").read_text(encoding="utf-8")
    if folder is not None:
        texts |= {f"own {path.name}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
    told = hashlib.sha256()
    for name, text in sorted(texts.items()):
        told.update(f"{name}\0{text}\0".encode())
    return told.hexdigest()[:16]


def made_of(raw: Mapping[str, dict[str, Any]]) -> Lexicon:
    """Return a lexicon of these concepts by name, each as a file of rules/lexicon/ has it; AuditError as load()."""
    return _lexicon(raw)


@cache
def _shipped() -> Lexicon:
    files = resources.texts(resources.folder("rules") / "lexicon", ".yaml")
    return _lexicon({name: _read(f"rules/lexicon/{name}.yaml", text) for name, text in files.items()})


def _with_folder(folder: Path) -> Lexicon:
    if not folder.is_dir():
        raise AuditError(f"{folder}: there is no such folder; --lexicon names a folder with YAML files of words.")
    files = resources.texts(resources.folder("rules") / "lexicon", ".yaml")
    raw = {name: _read(f"rules/lexicon/{name}.yaml", text) for name, text in files.items()}
    added = sorted(folder.glob("*.yaml"))
    if not added:
        raise AuditError(
            f"{folder}: the folder holds no .yaml file; see docs/evidence.md for what a file of words holds."
        )
    for path in added:
        try:
            own = _read(str(path), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise AuditError(f"{path}: the file cannot be read as UTF-8 text.") from None
        if path.stem not in raw:
            raise AuditError(f"{path}: there is no concept '{path.stem}'; the concepts are {', '.join(sorted(raw))}.")
        if unfit := sorted(set(own) - {*_LISTS, "title", "examples"}):
            raise AuditError(f"{path}: {unfit[0]} is not a clinic's to set; a clinic adds {', '.join(_LISTS)}.")
        base = raw[path.stem]
        raw[path.stem] = {**base, **{key: [*base.get(key, ()), *own[key]] for key in _LISTS if key in own}}
    return _lexicon(raw)


def _read(name: str, text: str) -> dict[str, Any]:
    try:
        found = plain_yaml.load(text)
    except yaml.YAMLError as fault:
        where = getattr(fault, "problem_mark", None)
        if isinstance(fault, plain_yaml.TooMuchError):
            raise AuditError(f"{name}: not read, since {fault.problem}.") from None
        raise AuditError(f"{name}: not YAML{f' at line {where.line + 1}' if where else ''}.") from None
    if not isinstance(found, dict):
        raise AuditError(f"{name}: holds no mapping; a concept has title and terms.")
    for key in _LISTS:
        words = found.get(key, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise AuditError(f"{name}: {key} is not a list of words; quote numbers and yes, no, on, off.")
    return found


def _lexicon(raw: Mapping[str, dict[str, Any]]) -> Lexicon:
    concepts = {name: _concept(name, item) for name, item in raw.items()}
    for concept in concepts.values():
        used = {item for pattern in concept.patterns for item in pattern if isinstance(item, str)}
        stops = concept.scope.ends_at if concept.scope else ()
        for other in sorted({*used, *stops, *concept.unless_within, *concept.cancelled_by}):
            if other not in concepts and other not in BUILT_IN:
                raise AuditError(f"rules/lexicon/{concept.name}.yaml: there is no concept '{other}'.")
        for other in concept.cancelled_by:
            if concepts[other].scope is None:
                raise AuditError(f"rules/lexicon/{concept.name}.yaml: '{other}' has no scope, so it cancels nothing.")
    return Lexicon(_ordered(concepts), _weights())


def _weights() -> dict[str, float]:
    """Return the points of each element in the score that hold today."""
    found = next(item for item in rules.load().parameters if item.name == _WEIGHT)
    return {key: by_date[max(by_date)] for key, by_date in found.values.items()}


def _ordered(concepts: Mapping[str, Concept]) -> dict[str, Concept]:
    """Put each concept after those that it is made of or looks at."""
    done: dict[str, Concept] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in done or name in BUILT_IN:
            return
        if name in above:
            raise AuditError(f"rules/lexicon/{name}.yaml: the concept is made of itself: {' > '.join((*above, name))}.")
        concept = concepts[name]
        parts = {item for pattern in concept.patterns for item in pattern if isinstance(item, str)}
        stops = concept.scope.ends_at if concept.scope else ()
        for part in sorted({*parts, *concept.unless_within, *stops} - {name}):
            add(part, (*above, name))
        done[name] = concept

    for name in sorted(concepts):
        add(name, ())
    return done


def _concept(name: str, raw: Mapping[str, Any]) -> Concept:
    where = f"rules/lexicon/{name}.yaml"
    if unknown := sorted(set(raw) - _KEYS):
        raise AuditError(f"{where}: unknown key '{unknown[0]}'; the keys are {', '.join(sorted(_KEYS))}.")
    if not raw.get("title"):
        raise AuditError(f"{where}: has no title.")
    phrases = {tokens(text) for text in raw.get("terms", ())}
    phrases |= {tokens(form) for verb in raw.get("verbs", ()) for form in english.verb_forms(verb)}
    phrases |= {tokens(form) for noun in raw.get("nouns", ()) for form in english.noun_forms(noun)}
    patterns: list[tuple[Item, ...]] = []
    for text in raw.get("patterns", ()):
        for pattern in _patterns(where, text):
            if len(pattern) == 1 and isinstance(pattern[0], frozenset):
                phrases |= pattern[0]
            else:
                patterns.append(pattern)
    examples = raw.get("examples", {})
    concept = Concept(
        name=name,
        title=str(raw["title"]),
        phrases=frozenset(phrase for phrase in phrases if phrase),
        patterns=tuple(patterns),
        cancelled_by=tuple(raw.get("cancelled_by", ())),
        unless_within=tuple(raw.get("unless_within", ())),
        found=tuple(examples.get("found", ())),
        not_found=tuple(examples.get("not_found", ())),
    )
    if "scope" not in raw:
        return concept
    scope = Scope(**{**raw["scope"], "ends_at": tuple(raw["scope"].get("ends_at", ()))})
    if scope.reach not in _REACHES or scope.until not in _SEGMENTS:
        raise AuditError(f"{where}: scope needs reach ({', '.join(_REACHES)}) and until ({', '.join(_SEGMENTS)}).")
    return replace(concept, scope=scope)


def _patterns(where: str, text: str) -> list[tuple[Item, ...]]:
    """Return a pattern's items: `{concept}`, `~n` (up to n words between), and literal words with (a|b|) alternatives.

    Where an alternative is empty the pattern is returned with and without the item.
    """
    found: list[tuple[Item, ...]] = [()]
    for concept, gap, literal in _ITEM.findall(text):
        if concept:
            found = [(*items, concept) for items in found]
        elif gap:
            found = [(*items, int(gap)) for items in found]
        elif literal.strip():
            choices = [tokens(choice) for choice in _expanded(literal)]
            words = frozenset(filter(None, choices))
            found = [(*items, words) for items in found] + (list(found) if () in choices else [])
    if any(not items or isinstance(items[0], int) or isinstance(items[-1], int) for items in found):
        raise AuditError(f"{where}: the pattern '{text}' must begin and end with a word or a concept.")
    return found


def _expanded(literal: str) -> list[str]:
    parts = _GROUP.split(literal)  # words outside of groups at even places, a group's inside at odd ones
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return [" ".join(choice) for choice in itertools.product(*choices)]
