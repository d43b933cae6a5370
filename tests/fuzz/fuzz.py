"""Fuzzing of every reader: files made by breaking good ones; each is read, or refused with one sentence.

    python tests/fuzz/fuzz.py --minutes 5 csv x12      # no names: all targets

What counts as a fault: any exception but AuditError, a warning of Python's, a refusal of no line or several, a row that
is neither loaded nor in quarantine, a reader that hangs. hypothesis shrinks what it finds; it is printed, and kept in
--keep FOLDER. The corpus is small on purpose: one good file per form. What was found became a test
(tests/test_hostile.py).
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from therapy_audit import benchmarks, config, engine, fees, history, intake, reference, resources, rules, verify
from therapy_audit.errors import AuditError
from therapy_audit.notes import lexicon

sys.path.insert(0, str(Path(__file__).parents[1]))
from workbooks import packed

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(__file__).parent / "corpus"
# What readers look for, and what is known to break them.
TOKENS = [
    b"\0", b"\xff", b"\xfe", b"\xef\xbb\xbf", b"\xff\xfe", b'"', b"'", b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n",
    b"\x1a", b"\x1f", b"=1+1", b"@x", b"-", b"--", b"NaN", b"inf", b"-1", b"1e999", b"9999999999999999999", b"0", b"{",
    b"}", b"[", b"]", b"*", b"&a", b"*a", b"~", b":", b"^", b"ISA", b"GS", b"ST", b"SE", b"CLM", b"LX", b"HL", b"<x>",
    b"null", b"true", b"!!python/object:os.system", b"0000-00-00", b"9999-12-31", b"13/2/2026", b"2/13/2026", b"%",
    b"\\", b"\\u0000", b"\\ud800", b"\xe2\x80\xae", b"\xe2\x80\x8b", b"\xc3", b"../", b"$rule", b"{x", b"x}", b"{0}",
    b"{a.b}", b"{a[0]}", b"{a!r}", b"{a:>9999999999}", b"FROM in_scope($rule)", b"1_000", b"0x10", b".", b"#", b"?",
]  # fmt: skip
edit = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "repeat", "swap", "cut"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 40),
    st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)),
)


def broken(text: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    """Return the text with these edits made, one after the other; a place is a part of the text's length."""
    for what, place, length, token in edits:
        at = int(place * len(text))
        before, here, after = text[:at], text[at : at + length], text[at + length :]
        text = {
            "insert": before + token + here + after,
            "replace": before + token + after,
            "delete": before + after,
            "repeat": before + here * min(length, 8) + after,
            "swap": before + after[:length] + here + after[length:],
            "cut": before,
        }[what]
    return text


SUMMARY = b'{"period": "2026-03", "period_start": "2026-03-01", "period_end": "2026-03-31"}'


class Reader:
    """A target: what to do with a broken file; it raises whatever is a fault."""

    def __init__(self, folder: Path) -> None:
        """Keep a folder for the files, and one database for all of them."""
        warnings.simplefilter("error")  # it would be printed among what a user reads
        self.folder = folder
        self.connection = engine.connect(threads=1)
        self.con = self.connection.__enter__()
        engine.prepare_codes(self.con)
        empty = "SELECT table_name FROM duckdb_tables() WHERE estimated_size = 0"
        self.tables = [name for (name,) in self.con.execute(empty).fetchall()]
        self.checks = resources.texts(resources.folder("sql") / "checks", ".sql") | {"own.x": "FROM in_scope($rule)"}

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def load(self, kind: str, name: str, content: bytes, mappings: tuple[Path, ...] = ()) -> None:
        """Load one file. AuditError: refused; AssertionError: a row is missing."""
        path = self.put(name, content)
        for table in self.tables:
            self.con.execute(f'DELETE FROM "{table}"')
        intake.load(self.con, intake.Inputs({kind: (str(path),)}, mappings))
        lost = self.con.execute("FROM intake_file WHERE rows_in <> rows_loaded + rows_quarantined").fetchall()
        assert not lost, lost

    def book(self, form: str, sheet: bytes, kind: str = "claims") -> None:
        """Load a workbook whose zip is sound around a broken sheet."""
        path = packed(self.folder / f"book.{form}", form, [sheet])
        self.load(kind, f"{kind}.{form}", path.read_bytes())

    def csv(self, content: bytes) -> None:
        self.load("claims", "claims.csv", content)

    def notes(self, content: bytes) -> None:
        self.load("notes", "notes.csv", content)

    def jsonl(self, content: bytes) -> None:
        self.load("claims", "claims.jsonl", content)

    def xlsx(self, content: bytes) -> None:
        self.load("claims", "claims.xlsx", content)

    def sheet(self, content: bytes) -> None:
        self.book("xlsx", content)

    def ods(self, content: bytes) -> None:
        self.book("ods", content)

    def xlsb(self, content: bytes) -> None:
        self.book("xlsb", content)

    def x12(self, content: bytes) -> None:
        self.load("claims", "claims.837", content)

    def era(self, content: bytes) -> None:
        self.load("remittances", "remittances.835", content)

    def mapping(self, content: bytes) -> None:
        claims = b"Nr,Who,When,What,Much\nC1,P1,13/2/2026,97110,1\n"
        self.load("claims", "claims.csv", claims, (self.put("mapping.yaml", content),))

    def toml(self, content: bytes) -> None:
        found = config.settled(config.read(self.put("audit.toml", content)))
        if found.period:
            config.span(found.period)

    def rule(self, content: bytes) -> None:
        text = content.decode("utf-8", "replace")
        found = rules.rule("own.x", text, self.checks, ["aetna", "medicare_part_b"], ["own.most"], "my_rules/x.yaml")
        engine.message_sql(found.message)
        engine.bound(found)

    def parameter(self, content: bytes) -> None:
        rules.parameter("own.most", content.decode("utf-8", "replace"), "my_rules/parameters/most.yaml").rows()

    def lexicon(self, content: bytes) -> None:
        folder = self.folder / "lexicon"
        folder.mkdir(exist_ok=True)
        (folder / "functional_goal.yaml").write_bytes(content)
        lexicon.load(folder)

    def review(self, content: bytes) -> None:
        self.load("reviews", "findings.csv", content)

    def reviewed(self, content: bytes) -> None:
        self.book("xlsx", content, "reviews")

    def fees(self, content: bytes) -> None:
        fees.load(self.con, {"aetna": [self.put("aetna.csv", content)]}, {"aetna": False})

    def benchmarks(self, content: bytes) -> None:
        benchmarks.load(self.con, self.put("benchmarks.csv", content))

    def manifest(self, content: bytes) -> None:
        """Read a report from someone else as `compare` and `verify` do, as far as its manifest says."""
        for name, text in (("summary.json", SUMMARY), ("findings.parquet", b"PAR1PAR1"), ("claims.csv", b"")):
            self.put(name, text)
        self.put("aetna.csv", b"")
        self.put("mapping.yaml", b"")
        self.put("manifest.json", content)
        verify._config(history.read(self.folder))  # noqa: SLF001

    def cms(self, content: bytes) -> None:
        reference.load([self.put("file.txt", content)], self.folder / "reference", setting="practitioner")


_PATIENCE = 300  # seconds; a reader that takes longer hangs: the process ends, and its folder in /tmp has the file
_HELPERS = ("__init__", "put", "load", "book")
TARGETS = [name for name, item in vars(Reader).items() if callable(item) and name not in _HELPERS]


def strategy(target: str) -> Any:
    """Return broken files of a target's corpus, and now and then bytes that owe it nothing."""
    files = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    return st.one_of(
        st.builds(broken, st.sampled_from(files), st.lists(edit, min_size=1, max_size=6)), st.binary(max_size=60)
    )


def examples(reader: Reader, target: str, count: int, seed: int) -> Callable[[], None]:
    """Return a test of so many broken files; the same seed breaks them the same way."""
    read = getattr(reader, target)

    @hypothesis.seed(seed)
    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    @given(strategy(target))
    def test(content: bytes) -> None:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)  # also where a library holds on to Python's lock
        try:
            read(content)
        except AuditError as refused:
            # A mapping that is refused leaves its claims without one, which is said too; a fee table's rows are many.
            if not 1 <= len(str(refused).splitlines()) <= {"mapping": 2, "fees": 99}.get(target, 1):
                raise AssertionError("a refusal of no line or of several") from refused
        finally:
            faulthandler.cancel_dump_traceback_later()

    found: Callable[[], None] = test
    return found


def run(target: str, minutes: float, seed: int, keep: Path | None) -> int:
    """Fuzz a target for some minutes; print what was tried and found, return the number of faults."""
    until, tried, faults = time.monotonic() + 60 * minutes, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(Path(folder))
        while time.monotonic() < until and faults < 5:
            try:
                examples(reader, target, 200, seed)()
            except Exception as fault:  # noqa: BLE001 - that is what is sought
                faults += 1
                print(f"{target}, seed {seed}: {type(fault).__name__}: {str(fault)[:300]}", flush=True)  # noqa: T201
                print("\n".join(getattr(fault, "__notes__", []))[:1500], flush=True)  # noqa: T201
                if keep:
                    (keep / f"{target}-{seed}.txt").write_text("\n".join(getattr(fault, "__notes__", [])), "utf-8")
                import traceback

                print("".join(traceback.format_tb(fault.__traceback__)[-4:]), flush=True)  # noqa: T201
            tried, seed = tried + 200, seed + 1
    print(f"{target:10} {tried:8,} files tried, {faults} faults", flush=True)  # noqa: T201
    return faults


def main() -> None:
    """Run what the command line asks for; exit 1 where something was found."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)} [all]")
    asked.add_argument("--minutes", type=float, default=1, help="of each target [1]")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--keep", type=Path, help="folder for what was found")
    given_ = asked.parse_args()
    faults = sum(run(name, given_.minutes, given_.seed, given_.keep) for name in given_.targets or TARGETS)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
