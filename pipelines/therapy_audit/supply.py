"""What is installed beside therapy-audit: licences, a bill of materials, and known faults, all without the network."""

from __future__ import annotations

import json
import re
import uuid
import zipfile
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXTRAS = ("encryption", "images", "notebooks")
_ROOT = "therapy-audit"
_SHORT = 60  # characters; a longer line is no name
# Names that say the same as an SPDX expression.
_SPDX = {
    "apache software license": "Apache-2.0", "apache license 2.0": "Apache-2.0", "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0", "bsd license": "BSD-3-Clause", "the mit license (mit)": "MIT",
    "mit license": "MIT", "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC", "the unlicense (unlicense)": "Unlicense", "bsd": "BSD-3-Clause",
}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """An installed distribution: its licence as SPDX has it where its metadata says so, and what it needs."""

    name: str
    version: str
    licence: str
    homepage: str | None
    needs: tuple[str, ...]


def components(extras: tuple[str, ...] = ()) -> list[Component]:
    """Return what therapy-audit needs here, and what that needs, by name; of `extras` what is installed."""
    found: dict[str, Component] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(_ROOT, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, asked = waiting.pop()
        if (name, asked) in seen:
            continue
        seen.add((name, asked))
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # of an extra that is not installed
        needs = [
            (canonicalize_name(need.name), frozenset(need.extras))
            for need in map(Requirement, one.requires or ())
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *asked))
        ]
        waiting += needs
        known = found[name].needs if name in found else ()
        found[name] = Component(
            name,
            one.version,
            _licence(one),
            _homepage(one.metadata),
            tuple(sorted({*known, *(n for n, _ in needs)})),
        )
    return sorted((one for one in found.values() if one.name != _ROOT), key=lambda one: one.name)


def _licence(one: metadata.Distribution) -> str:
    """Return what the metadata tells, at last the first line of the licence file."""
    told: Any = one.metadata
    if expression := told.get("License-Expression"):
        return str(expression)
    classified = [
        line.rpartition(" :: ")[2] for line in told.get_all("Classifier") or () if line.startswith("License :: ")
    ]
    field = (told.get("License") or "").strip()
    files = (
        one.read_text(f"{folder}{name}") for name in told.get_all("License-File") or () for folder in ("licenses/", "")
    )
    lines = [next(iter((text or "").strip().splitlines()), "").strip() for text in (field, *files)]
    names = [name for name in (*classified, *lines) if name and name != "OSI Approved" and len(name) < _SHORT]
    return next((_SPDX.get(name.lower(), name) for name in names), "not told")


def _homepage(told: Any) -> str | None:
    urls = dict(line.split(", ", 1) for line in told.get_all("Project-URL") or () if ", " in line)
    found = told.get("Home-page") or next(
        (urls[key] for key in urls if key.lower() in ("homepage", "repository", "source")), None
    )
    return str(found) if found and re.match(r"https?://", str(found)) else None


def licences(extras: tuple[str, ...] = ()) -> str:
    """Return a page of the licences, one row per distribution."""
    rows = [f"| {one.name} | {one.version} | {one.licence} |" for one in components(extras)]
    head = ["| package | version | licence |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def sbom(extras: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a software bill of materials in CycloneDX 1.6; the same installation gives the same one."""
    listed = components(extras)
    root = f"pkg:pypi/{_ROOT}@{metadata.version(_ROOT)}"
    purls = {one.name: f"pkg:pypi/{one.name}@{one.version}" for one in listed}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join([root, *purls.values()]))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": root, "name": _ROOT, "version": metadata.version(_ROOT), "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [
            {
                "type": "library", "bom-ref": purls[one.name], "name": one.name, "version": one.version,
                "purl": purls[one.name], "licenses": [_licensed(one.licence)],
                **({"externalReferences": [{"type": "website", "url": one.homepage}]} if one.homepage else {}),
            }
            for one in listed
        ],
        "dependencies": [
            {"ref": root, "dependsOn": sorted(purls[name] for name in _direct(extras) if name in purls)},
            *(
                {"ref": purls[one.name], "dependsOn": sorted(purls[name] for name in one.needs if name in purls)}
                for one in listed
            ),
        ],
    }  # fmt: skip


def _licensed(text: str) -> dict[str, Any]:
    if re.search(r" (OR|AND|WITH) ", text):
        return {"expression": text}
    return {
        "license": {"id": text} if re.fullmatch(r"[A-Za-z0-9.+-]+", text) and text != "not told" else {"name": text}
    }


def _direct(extras: tuple[str, ...]) -> set[str]:
    needs = map(Requirement, metadata.distribution(_ROOT).requires or ())
    return {
        canonicalize_name(need.name)
        for need in needs
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    }


@dataclass(frozen=True)
class Advisory:
    """A known fault of an installed distribution, as a file of advisories tells it."""

    package: str
    version: str
    id: str
    summary: str
    fixed_in: str | None


def advisories(path: Path, extras: tuple[str, ...] = ()) -> tuple[list[Advisory], int]:
    """Return what a file of advisories says of what is installed, and how many advisories on Python it holds.

    `path` is OSV (ossf.github.io/osv-schema): one record, a list, one per line, or a zip of records, such as
    that of all Python packages. It is the user's to get and to keep fresh. AuditError: it is none.
    """
    installed = {one.name: one.version for one in components(extras)} | {_ROOT: metadata.version(_ROOT)}
    found, read = [], 0
    for record in _records(path):
        affected = [
            item
            for item in record.get("affected") or ()
            if isinstance(item, dict) and (item.get("package") or {}).get("ecosystem") == "PyPI"
        ]
        read += bool(affected)
        if record.get("withdrawn"):
            continue
        for item in affected:
            name = canonicalize_name(str(item["package"].get("name", "")))
            if name in installed and _is_affected(installed[name], item):
                fixed = [
                    str(event["fixed"])
                    for span in item.get("ranges") or ()
                    for event in span.get("events") or ()
                    if "fixed" in event
                ]
                summary = " ".join(str(record.get("summary") or "").split())[:200]
                found.append(
                    Advisory(name, installed[name], str(record.get("id")), summary, fixed[-1] if fixed else None)
                )
    if not read:
        raise AuditError(
            f"{path}: there is no advisory on a Python package in it; give records of OSV on such packages."
        )
    return sorted(found, key=lambda one: (one.package, one.id)), read


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                for part in parts.infolist():
                    if part.filename.endswith(".json") and part.file_size < 1 << 24:
                        yield from _objects(json.loads(parts.read(part)))
            return
        text = path.read_text(encoding="utf-8")
        try:
            content = json.loads(text)
        except json.JSONDecodeError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
        raise AuditError(
            f"{path}: this cannot be read as advisories; give JSON records of OSV, or a zip of them."
        ) from None
    yield from _objects(content)


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    for one in content if isinstance(content, list) else [content]:
        if isinstance(one, dict):
            yield one


def _is_affected(version: str, item: dict[str, Any]) -> bool:
    if version in map(str, item.get("versions") or ()):
        return True
    try:
        here = Version(version)
        for span in item.get("ranges") or ():
            if span.get("type") != "ECOSYSTEM":
                continue
            inside = False
            for event in span.get("events") or ():
                if "introduced" in event:
                    inside |= event["introduced"] == "0" or here >= Version(event["introduced"])
                elif "fixed" in event:
                    inside &= here < Version(event["fixed"])
                elif "last_affected" in event:
                    inside &= here <= Version(event["last_affected"])
            if inside:
                return True
    except InvalidVersion:
        return False
    return False
