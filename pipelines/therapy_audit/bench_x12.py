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
def processor():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime
def begin():
    return time.perf_counter(), processor()
def told(begun):
    seconds, processed = time.perf_counter() - begun[0], processor() - begun[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status")
    if status.exists():  # Linux lets ru_maxrss begin with that of the process which started this one
        peak = next((int(line.split()[1]) for line in status.open() if line.startswith("VmHWM")), peak)
    print(json.dumps({"seconds": seconds, "processor_seconds": processed, "peak_kib": peak}))
"""
_CHILDREN = {
    "read": """
from therapy_audit.intake import x12
begun = begin()
for file in given["files"]:
    for batch in x12.batches(Path(file)):
        pass
told(begun)
""",
    "load": """
from therapy_audit import engine, intake
from therapy_audit.resources import folder
with engine.connect(given["database"]) as con:
    con.execute((folder("sql") / "schema.sql").read_text(encoding="utf-8"))
    begun = begin()
    intake.load(con, intake.Inputs({given["input"]: tuple(given["files"])}))
    told(begun)
""",
    "split": """
begun = begin()
for file in given["files"]:
    for segment in Path(file).read_text().split("~"):
        segment.split("*")
told(begun)
""",
    "pyx12": """
import pyx12.x12file
begun = begin()
for file in given["files"]:
    for segment in pyx12.x12file.X12Reader(file):
        pass
told(begun)
""",
    "oxedi": """
import oxedi
begun = begin()
for file in given["files"]:
    oxedi.parse_file(file).tables
told(begun)
""",
}
# What must differ from copy to copy of a clinic: numbers of claims, of the payer's claims, and of payments.
_OWN = (b"CLM*", b"CLP*", b"*12*ICN", b"REF*F8*ICN", b"TRN*1*")


def write(folder: Path, megabytes: int, *, lines: int = _LINES, seed: int = 2026, first: int = 0) -> dict[str, Path]:
    """Write claims.837 and remittances.835 of about so many MiB each: {kind: file}.

    Each interchange is one clinic of about `lines` claim lines, as `synth.write` makes it, under numbers of its own,
    which begin with `first`, the next number, and so on.
    """
    synth.write(folder / "clinic", seed=seed, lines=lines, x12=True)
    files = {"837P": folder / "claims.837", "835": folder / "remittances.835"}
    for file in files.values():
        clinic = (folder / "clinic" / file.name).read_bytes()
        with file.open("wb") as out:
            for n in range(first, first + max(1, round(megabytes * _MIB / len(clinic)))):
                copy = clinic
                for mark in _OWN:
                    copy = copy.replace(mark, mark + b"%d-" % n)
                out.write(copy)
    return files


def table(megabytes: int = 200) -> str:
    """Return as text: how fast each kind becomes Arrow tables and contract tables, beside other readers; peak memory.

    Each row is a process of its own: MB (10^6 bytes of the files) a second and a second of processor time, from the
    first byte on; cores are processor time by the clock's; the peak is of the whole process, libraries included.
    Ratios are of processor time, which other work on the machine disturbs least.
    """
    with tempfile.TemporaryDirectory(prefix="therapy-audit-bench-") as name:
        folder = Path(name)
        files = write(folder, megabytes)
        small = write(folder / "small", min(_COMPARED, megabytes), lines=4000)
        text = [
            f"{megabytes:,} MiB of 837P and as much of 835; other readers, where they are slow, get {_COMPARED} MiB",
            f"{'MB/s':>8} {'MB/CPU s':>8} {'seconds':>8} {'CPU s':>8} {'cores':>5} {'peak MiB':>8}",
        ]

        def timed(what: str, child: str, chosen: list[Path], **more: Any) -> tuple[float, float]:
            found = _child(child, {"files": [str(file) for file in chosen], **more})
            size = sum(file.stat().st_size for file in chosen) / 1e6
            seconds, processed = found["seconds"], max(found["processor_seconds"], 1e-3)
            text.append(
                f"{size / seconds:8.1f} {size / processed:8.1f} {seconds:8.2f} {processed:8.2f} "
                f"{processed / seconds:5.1f} {found['peak_kib'] // 1024:8,}  {what}"
            )
            return size / seconds, size / processed

        def ratio(value: float, what: str) -> None:
            text.append(f"{'':8} {value:8.1f} {'':32}  times {what}")

        alone: dict[str, float] = {}
        for kind, input_name in (("837P", "claims"), ("835", "remittances")):
            file = files[kind]
            _, own = timed(f"{kind} to Arrow tables", "read", [file])
            database = f"{name}/{kind}.duckdb"
            alone[kind], _ = timed(f"{kind} to contract tables", "load", [file], input=input_name, database=database)
            _, split = timed(f"{kind} as str.split of segments and elements", "split", [small[kind]])
            ratio(own / split, f"str.split, to Arrow tables ({kind})")
            for other in ("pyx12", *(("oxedi",) if kind == "835" else ())):
                if find_spec(other):
                    _, theirs = timed(f"{kind} by {other}", other, [file if other == "oxedi" else small[kind]])
                    ratio(own / theirs, f"{other}, to Arrow tables ({kind})")
                else:
                    text.append(f"{'':50}  {kind} by {other}: not installed")
        second = write(folder / "second", megabytes, seed=2027, first=1_000_000)
        for kind, input_name in (("837P", "claims"), ("835", "remittances")):
            pair = [files[kind], second[kind].rename(folder / f"second.{kind}")]
            database = f"{name}/two-{kind}.duckdb"
            both, _ = timed(f"two {kind} at once to contract tables", "load", pair, input=input_name, database=database)
            text.append(f"{both / alone[kind]:8.1f} {'':41}  times one {kind}, by the clock")
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
