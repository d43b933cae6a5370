"""What is installed beside the package: pinned by hash, freely licensed, listed, held against advisories."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from therapy_audit import supply
from therapy_audit.cli import cli
from therapy_audit.errors import AuditError

ROOT = Path(__file__).parents[1]
PINNED = pytest.mark.promise("Every package that is needed to run is pinned by version and hash, and freely licensed")
FREE = re.compile(
    r"(MIT|MIT-0|Apache-2\.0|BSD-[23]-Clause|0BSD|ISC|PSF-2\.0|MPL-2\.0|Zlib|CC0-1\.0|Unlicense)"
    r"( (AND|OR) (MIT|MIT-0|Apache-2\.0|BSD-[23]-Clause|0BSD|ISC|PSF-2\.0|MPL-2\.0|Zlib|CC0-1\.0|Unlicense))*"
)


def locked() -> dict[str, tuple[str, list[str]]]:
    """Return {package: (version, hashes)} of the lock file."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    found = {}
    for entry in entries:
        head = re.match(r"([a-z0-9-]+)==(\S+)", entry)
        assert head, entry[:80]
        found[head[1]] = (head[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


LOCKED = locked()


@PINNED
@pytest.mark.parametrize("name", LOCKED)
def test_a_locked_package_has_hashes_and_the_version_of_the_constraints(name: str) -> None:
    version, hashes = LOCKED[name]
    assert hashes
    assert pins()[name] == version


@PINNED
def test_the_lock_is_in_step_with_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for need in map(Requirement, [*project["dependencies"], *project["optional-dependencies"]["encryption"]]):
        version, _ = LOCKED[canonicalize_name(need.name)]
        assert need.specifier.contains(version), need


@PINNED
def test_all_that_is_installed_to_run_it_is_locked_and_freely_licensed() -> None:
    found = supply.components(("encryption",))
    assert len(found) > 30
    for one in found:
        assert one.name in LOCKED, one.name
        assert FREE.fullmatch(one.licence), one


def test_the_page_of_licences_is_as_installed() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"(?m)^\| (\S+) \| \S+ \| (.+) \|$", page))
    for one in supply.components(("encryption",)):
        assert written[one.name] == one.licence
    assert set(written) - {"package"} <= set(LOCKED)


def test_the_bill_of_materials() -> None:
    result = CliRunner().invoke(cli, ["sbom", "--extra", "encryption"], catch_exceptions=False)
    bill = json.loads(result.output)
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    listed = {one["bom-ref"]: one for one in bill["components"]}
    assert len(listed) == len(bill["components"])
    assert f"pkg:pypi/duckdb@{LOCKED['duckdb'][0]}" in listed
    for one in listed.values():
        assert one["type"] == "library"
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}"
        assert one["licenses"]
    told = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert set(told) == {*listed, bill["metadata"]["component"]["bom-ref"]}
    assert all(set(needs) <= set(listed) for needs in told.values())
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += told[ref]
    assert reached == set(told)
    assert json.loads(CliRunner().invoke(cli, ["sbom", "--extra", "encryption"]).output) == bill


def advisory(package: str, **affected: Any) -> dict[str, Any]:
    return {
        "id": f"PYSEC-{package}", "summary": "A fault\nof it",
        "affected": [{"package": {"ecosystem": "PyPI", "name": package}, **affected}],
    }  # fmt: skip


def span(*events: dict[str, str]) -> list[dict[str, Any]]:
    return [{"type": "ECOSYSTEM", "events": list(events)}]


CLICK = LOCKED["click"][0]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (advisory("click", versions=[CLICK]), True),
        (advisory("Click", versions=["0.1"]), False),
        (advisory("click", ranges=span({"introduced": "0"})), True),
        (advisory("click", ranges=span({"introduced": "0"}, {"fixed": CLICK})), False),
        (advisory("click", ranges=span({"introduced": "0"}, {"fixed": "999"})), True),
        (advisory("click", ranges=span({"introduced": CLICK}, {"fixed": "999"})), True),
        (advisory("click", ranges=span({"introduced": "998"}, {"fixed": "999"})), False),
        (advisory("click", ranges=span({"introduced": "0"}, {"last_affected": CLICK})), True),
        (advisory("click", ranges=span({"introduced": "0"}, {"last_affected": "0.1"})), False),
        (advisory("click", ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}]), False),
        (advisory("click", versions=[CLICK]) | {"withdrawn": "2026-01-01"}, False),
        (advisory("not-installed-here", versions=[CLICK]), False),
    ],
)
def test_an_advisory_is_held_against_what_is_installed(tmp_path: Path, record: dict[str, Any], *, told: bool) -> None:
    (tmp_path / "osv.json").write_text(json.dumps(record))
    result = CliRunner().invoke(cli, ["sbom", "--advisories", str(tmp_path / "osv.json")], catch_exceptions=False)
    assert result.exit_code == int(told)
    assert result.stdout.startswith(f"click {CLICK}: PYSEC-") == told
    assert "of 1 advisories" in result.stderr


def test_forms_of_advisories_and_what_is_none(tmp_path: Path) -> None:
    one = advisory("click", versions=[CLICK])
    path = tmp_path / "osv.jsonl"
    for text in (json.dumps([one, one]), f"{json.dumps(one)}\n{json.dumps(one)}\n"):
        path.write_text(text)
        assert supply.advisories(path)[1] == 2
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as parts:
        parts.writestr("PYSEC-1.json", json.dumps(one))
        parts.writestr("readme.txt", "x")
    assert len(supply.advisories(tmp_path / "all.zip")[0]) == 1
    for text in ("", "[]", "{", '{"affected": [{"package": {"ecosystem": "npm", "name": "click"}}]}', "[1]"):
        path.write_text(text)
        with pytest.raises(AuditError, match=r"osv\.jsonl: "):
            supply.advisories(path)
