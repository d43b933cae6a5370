"""How fast X12 files become contract tables: a synthetic clinic's claims and remittances written as 837P and 835."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

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
_ISA = "ISA*00*          *00*          *ZZ*CLINIC         *ZZ*PAYER          *260401*1200*^*00501*000000001*0*P*:~"
_CLAIMS = """
WITH line AS (
    SELECT
        "Claim #" AS claim_id, "Patient ID" AS patient_id, Payer AS payer, "Rendering NPI" AS npi, POS AS place,
        Line::INTEGER AS number, Charge::DECIMAL(12, 2) AS charge,
        replace(coalesce("Dx 1", 'M545'), '.', '') AS diagnosis,
        'LX*' || number || '~SV1*' || concat_ws(':', 'HC', CPT, "Mod 1", "Mod 2", "Mod 3", "Mod 4") || '*' || charge
        || '*UN*' || Units || '***1~DTP*472*D8*' || strftime(strptime(DOS, '%m/%d/%Y'), '%Y%m%d')
        || '~REF*6R*' || claim_id || '-$copy-' || number || '~' AS text,
        4 AS segments
    FROM read_parquet($claims)
),

claim AS (
    SELECT
        'HL*' || (1 + row_number() OVER (ORDER BY claim_id)) || '*1*22*0~SBR*P*18*******CI~NM1*IL*1*DOE*PAT****MI*'
        || any_value(patient_id) || '~N3*1 MAIN ST~N4*TOWN*OH*44101~DMG*D8*19600101*F~NM1*PR*2*'
        || any_value(payer) || '*****PI*12345~CLM*' || claim_id || '-$copy*' || sum(charge) || '***'
        || any_value(place) || ':B:1*Y*A*Y*Y~HI*ABK:' || any_value(diagnosis) || '~NM1*82*1*THERAPIST*LOU****XX*'
        || any_value(npi) || '~' || string_agg(text, '' ORDER BY number) AS text,
        10 + sum(segments) AS segments
    FROM line
    GROUP BY claim_id
)

SELECT string_agg(text, ''), sum(segments) FROM claim
"""
_REMITTANCES = """
WITH line AS (
    SELECT
        "Claim #" AS claim_id, "Patient ID" AS patient_id, "Claim Line"::INTEGER AS number,
        Charge::DECIMAL(12, 2) AS charge, Paid::DECIMAL(12, 2) AS paid,
        coalesce("Patient Responsibility", 0)::DECIMAL(12, 2) AS owed, (charge - paid - owed)::DECIMAL(12, 2) AS taken,
        'SVC*' || concat_ws(':', 'HC', CPT, replace(Modifiers, ',', ':')) || '*' || charge || '*' || paid || '**'
        || Units || '~DTM*472*' || strftime(strptime(DOS, '%m/%d/%Y'), '%Y%m%d') || '~CAS*CO*45*' || taken
        || '~CAS*PR*2*' || owed || '~REF*6R*' || claim_id || '-$copy-' || number || '~AMT*B6*' || (paid + owed)
        || '~' AS text
    FROM read_parquet($remittances)
),

claim AS (
    SELECT
        'CLP*' || claim_id || '-$copy*1*' || sum(charge) || '*' || sum(paid) || '*' || sum(owed) || '*12*ICN'
        || claim_id || '-$copy*11*1~NM1*QC*1*DOE*PAT****MI*' || any_value(patient_id) || '~'
        || string_agg(text, '' ORDER BY number) AS text,
        2 + 6 * count(*) AS segments, sum(paid) AS paid
    FROM line
    GROUP BY claim_id
)

SELECT string_agg(text, ''), sum(segments), sum(paid) FROM claim
"""


def write(folder: Path, megabytes: int, *, lines: int = _LINES, seed: int = 2026) -> dict[str, Path]:
    """Write claims.837 and remittances.835 of about so many MiB each: {kind: file}.

    Each transaction is one clinic of about `lines` claim lines; claim numbers are unique.
    """
    made = synth.write(folder / "clinic", seed=seed, lines=lines, form="parquet")
    if not made["claims"]:
        raise AuditError("bench x12: the clinic has no claims.")
    paths = {name: f"{folder}/clinic/{name}.parquet" for name in ("claims", "remittances")}
    with duckdb.connect() as con:
        ((claims, claim_segments),) = con.execute(_CLAIMS, {"claims": paths["claims"]}).fetchall()
        answers = {"remittances": paths["remittances"]}
        ((remittances, remittance_segments, paid),) = con.execute(_REMITTANCES, answers).fetchall()
    before = (
        "ST*837*{n:04}*005010X222A1~BHT*0019*00*{n}*20260401*1200*CH~NM1*41*2*CLINIC*****46*1~"
        "NM1*40*2*PAYER*****46*2~HL*1**20*1~NM1*85*2*CLINIC*****XX*1999999984~N3*1 ELM~N4*TOWN*OH*44101~"
        "REF*EI*123456789~"
    )
    header = (
        f"ST*835*{{n:04}}~BPR*I*{paid}*C*ACH*CCP*01*1*DA*1*1**01*1*DA*1*20260415~TRN*1*TRACE{{n}}*1999999999~"
        "DTM*405*20260414~N1*PR*PAYER~N3*1 OAK~N4*TOWN*OH*44101~N1*PE*CLINIC*XX*1999999984~LX*1~"
    )
    files = {"837P": folder / "claims.837", "835": folder / "remittances.835"}
    _write(files["837P"], megabytes, "GS*HC", "005010X222A1", before, claims, claim_segments)
    _write(files["835"], megabytes, "GS*HP", "005010X221A1", header, remittances, remittance_segments)
    return files


def _write(file: Path, megabytes: int, group: str, version: str, header: str, body: str, segments: int) -> None:
    with file.open("w", encoding="ascii") as out:
        size = out.write(f"{_ISA}{group}*CLINIC*PAYER*20260401*1200*1*X*{version}~")
        n = 0
        while size < megabytes * _MIB:
            n += 1
            head = header.format(n=n)
            size += out.write(head + body.replace("$copy", str(n)))
            size += out.write(f"SE*{segments + head.count('~') + 1}*{n:04}~")
        out.write(f"GE*{n}*1~IEA*1*000000001~")


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
