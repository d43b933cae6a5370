"""How fast X12 files become contract tables: a synthetic clinic's claims and remittances, as 837P and 835."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from therapy_audit import synth
from therapy_audit.errors import AuditError

_MIB = 1 << 20
_LINES = 40_000  # claim lines of the clinic that is written over and over
_COMPARED = 8  # MiB that pyx12 is given: it takes minutes for more
# What a child process runs: its argument is a JSON object; its last line of output is one too.
_HEAD = """
import json, resource, sys, time
from pathlib import Path
given = json.loads(sys.argv[1])
def told(seconds):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    if status.exists():  # Linux lets ru_maxrss begin with that of the process which started this one
        peak = next((int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")), peak)
    print(json.dumps({"seconds": seconds, "peak_kib": peak}))
"""
_CHILDREN = {
    "read": """
from therapy_audit.intake import x12
started = time.perf_counter()
for file in given["files"]:
    for batch in x12.batches(Path(file)):
        pass
told(time.perf_counter() - started)
""",
    "load": """
import duckdb
from therapy_audit import intake
from therapy_audit.resources import folder
with duckdb.connect(given["database"]) as con:
    con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
    started = time.perf_counter()
    intake.load(con, intake.Inputs({given["input"]: tuple(given["files"])}))
    told(time.perf_counter() - started)
""",
    "split": """
started = time.perf_counter()
for file in given["files"]:
    for segment in Path(file).read_text().split("~"):
        segment.split("*")
told(time.perf_counter() - started)
""",
    "pyx12": """
import pyx12.x12file
started = time.perf_counter()
for file in given["files"]:
    for segment in pyx12.x12file.X12Reader(file):
        pass
told(time.perf_counter() - started)
""",
    "oxedi": """
import oxedi
started = time.perf_counter()
for file in given["files"]:
    oxedi.parse_file(file).tables
told(time.perf_counter() - started)
""",
}
# What must differ from copy to copy of a clinic: numbers of claims, of the payer's claims, and of payments.
_OWN = (b"CLM*", b"CLP*", b"*12*ICN", b"REF*F8*ICN", b"TRN*1*")


def write(folder: Path, megabytes: int, *, lines: int = _LINES, seed: int = 2026) -> dict[str, Path]:
    """Write claims.837 and remittances.835 of about so many MiB each: {kind: file}.

    Each interchange is one clinic of about `lines` claim lines, as `synth.write` makes it, under numbers of its own.
    """
    synth.write(folder / "clinic", seed=seed, lines=lines, x12=True)
    files = {"837P": folder / "claims.837", "835": folder / "remittances.835"}
    for file in files.values():
        clinic = (folder / "clinic" / file.name).read_bytes()
        with file.open("wb") as out:
            for n in range(max(1, round(megabytes * _MIB / len(clinic)))):
                copy = clinic
                for mark in _OWN:
                    copy = copy.replace(mark, mark + b"%d-" % n)
                out.write(copy)
    return files


def table(megabytes: int = 200) -> str:
    """Return as text: MB a second from file to Arrow and to DuckDB, of each kind, peak memory, and other readers."""
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        folder = Path(name)
        files = write(folder, megabytes)
        small = write(folder / "small", min(_COMPARED, megabytes), lines=4000)
        text = [f"{'MB/s':>8} {'seconds':>8} {'peak MiB':>9}"]

        def timed(what: str, child: str, chosen: list[Path], **more: Any) -> float:
            found = _child(child, {"files": [str(file) for file in chosen], **more})
            speed: float = sum(file.stat().st_size for file in chosen) / 1e6 / found["seconds"]
            text.append(f"{speed:8.1f} {found['seconds']:8.2f} {found['peak_kib'] // 1024:9,}  {what}")
            return speed

        for kind, input_name in (("837P", "claims"), ("835", "remittances")):
            file = files[kind]
            own = timed(f"{kind}: file to Arrow", "read", [file])
            timed(f"{kind}: file to DuckDB", "load", [file], input=input_name, database=f"{name}/{kind}.duckdb")
            split = timed(f"{kind}: str.split of segments and elements", "split", [small[kind]])
            text.append(f"{own / split:8.1f}  times str.split")
            for other in ("pyx12", *(("oxedi",) if kind == "835" else ())):
                if find_spec(other):
                    chosen = file if other == "oxedi" else small[kind]
                    theirs = timed(f"{kind}: {other}", other, [chosen])
                    text.append(f"{own / theirs:8.1f}  times {other}")
        second = write(folder / "second", megabytes, seed=2027)
        database = f"{name}/two.duckdb"
        pair = [files["837P"], second["837P"].rename(folder / "second.837")]
        timed("two 837P files to DuckDB", "load", pair, input="claims", database=database)
    return "\n".join(text)


def _child(which: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run a script in a process of its own and return what it prints last."""
    done = subprocess.run(  # noqa: S603 - this Python, with a script of ours
        [sys.executable, "-c", _HEAD + _CHILDREN[which], json.dumps(given)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AuditError(f"bench x12: {which} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
