"""Kill runs with SIGKILL and see what is left: python tests/crash.py --times 100 (not part of the test suite).

Two clinics take turns: the report of one stands when a run of the other is killed. Afterwards the folder must hold one
of the two, whole; the next run must succeed, leave nothing of the dead one, and say what an undisturbed run says, to
the byte. Three kills of four come at a random moment of the run, the fourth at the final renames.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from therapy_audit import pipeline, quality, report, synth  # imported before the forks, which then start at once
from therapy_audit.config import Config
from therapy_audit.report import html, workbook

if TYPE_CHECKING:
    from collections.abc import Callable

_PRELOADED = (quality, report, html, workbook)
_RENAMES = 5  # moments at the end: before each rename, after the last, and amid the removal of the old report
_NAMES = ("manifest.json", "findings.csv", "summary.json")
_SLOW = 600  # seconds after which a run that was not killed hangs


def whole(folder: Path) -> dict[str, str]:
    """Return what a report says: a hash by file, and one by table of its database. AssertionError: it is not whole."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found = pipeline.hashes(folder)
    assert found == manifest["outputs"], "a file is not what the manifest says"
    with duckdb.connect(str(folder / "audit.duckdb"), read_only=True) as con:
        tables = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY ALL").fetchall()]
        for table in tables:
            rows, told = con.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{table}" AS t').fetchall()[0]
            found[f"audit.duckdb/{table}"] = f"{rows} {told}"
            assert manifest["rows"].get(table, rows) == rows, f"{table} lacks rows"
    assert "audit.duckdb/finding" in found
    return found | {"manifest.json": json.dumps({**manifest, "outputs": None})}


def forked(work: Callable[[], object]) -> int:
    """Do the work in a process of its own, quietly, and return that process's number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        work()
        code = 0
    finally:
        os._exit(code)


def ended(child: int, seconds: float = _SLOW) -> int | None:
    """Return how the process ended as waitpid tells it, or None where it goes on after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() >= until:
            return None
        time.sleep(0.002)


def killed_after(config: Config, seconds: float) -> bool:
    """Start a run and kill it after so many seconds; return whether it was still at work."""
    child = forked(lambda: pipeline.run(config))
    if ended(child, seconds) is not None:
        return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def dying_at(config: Config, moment: int) -> None:
    """Run and kill itself at one of the last moments: before rename 0, before 1, after 1, amid and after removal."""
    rename, rmtree, told = Path.rename, shutil.rmtree, [0]  # renames of the folder so far

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def renaming(self: Path, target: Any) -> Path:
        if config.output not in {self, Path(target)}:
            return rename(self, target)
        if told[0] == moment:
            die()
        told[0] += 1
        done = rename(self, target)
        if moment == told[0] == 2:
            die()
        return done

    def removing(path: Any, *given: Any, **named: Any) -> None:
        if told[0] == 2 and moment == 3:
            for file in sorted(Path(path).iterdir())[::2]:
                file.unlink() if file.is_file() else rmtree(file)
            die()
        rmtree(path, *given, **named)
        if told[0] == 2 and moment == 4:
            die()

    Path.rename, shutil.rmtree = renaming, removing  # type: ignore[assignment,method-assign]
    pipeline.run(config)


def last_good(output: Path) -> dict[str, str]:
    """Return what the report says that stands, or that the next run puts back in its place."""
    aside = output.parent / f".{output.name}.previous"
    return whole(output if output.exists() else aside)


def replacing(output: Path) -> None:
    """Replace a small report over and over, each time by files that all say the same number."""
    for number in itertools.count():
        with pipeline.replaced(output) as building:
            for name in _NAMES:
                (building / name).write_text(f"{os.getpid()}-{number}")


def replaced(times: int, chance: random.Random) -> tuple[int, int]:
    """Kill processes that do nothing but put reports in place; return how many kills left one whole report.

    And how many of them fell between the two renames, where the report that stands is the one set aside.
    """
    held = between = 0
    with tempfile.TemporaryDirectory(prefix="therapy-audit-crash-") as name:
        output = Path(name) / "report"
        with pipeline.replaced(output) as building:
            for item in _NAMES:
                (building / item).write_text("first")
        for _ in range(times):
            child = forked(partial(replacing, output))
            time.sleep(chance.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            aside = output.with_name(".report.previous")
            stands = output if output.exists() else aside
            between += stands is aside
            files = [stands / item for item in _NAMES]
            whole_one = all(map(Path.exists, files)) and len({file.read_text() for file in files}) == 1
            with contextlib.suppress(RuntimeError), pipeline.replaced(output):
                raise RuntimeError  # a run that fails: it clears up, and leaves what stood
            left = {path.name for path in output.parent.iterdir()}
            held += whole_one and left == {"report", ".report.lock"} and {*_NAMES} == set(os.listdir(output))  # noqa: PTH208
    return held, between


def main(times: int, seed: int, lines: int, replacements: int) -> int:
    """Kill so many runs and print how many held; return 1 where one did not."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    if replacements:
        kept, between = replaced(replacements, chance)
        told = f"{replacements} processes killed while they put reports in place ({between} between the renames)"
        print(f"{told}, {kept} held", flush=True)  # noqa: T201
        if kept < replacements or not times:
            return int(kept < replacements)
    os.environ["SOURCE_DATE_EPOCH"] = "1785542400"
    with tempfile.TemporaryDirectory(prefix="therapy-audit-crash-") as name:
        root = Path(name)
        (root / "tmp").mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(root / "tmp")
        output = root / "out" / "report"
        configs: list[Config] = []
        expected, seconds = [], 0.0

        def audited(turn: int) -> Callable[[], object]:
            return lambda: pipeline.run(configs[turn])

        for turn in (0, 1):
            folder = root / f"clinic{turn}"
            assert ended(forked(partial(synth.write, folder, seed=seed + turn, lines=lines))) == 0
            names = ("claims", "notes", "providers", "plans_of_care", "opening_balances", "remittances")
            inputs = {item: (str(folder / f"{item}.csv"),) for item in names}
            configs.append(Config(inputs=inputs, output=output, quality="warn", previous=Path("none")))
            for _ in (0, 1):  # the second time finds the report of the first, as all that follow do
                start = time.monotonic()
                assert ended(forked(audited(turn))) == 0
                seconds = max(seconds, time.monotonic() - start)
            expected.append(whole(output))
        assert expected[0] != expected[1]
        held, alive, standing = 0, 0, 1
        for number in range(times):
            at = chance.uniform(0, seconds)
            moment = number // 4 % _RENAMES if number % 4 == 3 else None
            told = f"kill {number + 1} ({f'after {at:.3f} s' if moment is None else f'rename, moment {moment}'})"
            turn = 1 - standing
            try:
                if moment is None:
                    alive += killed_after(configs[turn], at)
                else:
                    child = forked(partial(dying_at, configs[turn], moment))
                    assert os.WIFSIGNALED(ended(child) or 0), "it was to die"
                    alive += 1
                good = last_good(output)
                assert good["findings.parquet"] in {item["findings.parquet"] for item in expected}
                for item in expected:
                    if good["findings.parquet"] == item["findings.parquet"]:
                        assert _results(good) == _results(item), "what stands is of two runs"
                assert ended(forked(audited(turn))) == 0, "the next run failed"
                again, wanted = _results(whole(output)), _results(expected[turn])
                other = sorted(item for item in again.keys() | wanted.keys() if again.get(item) != wanted.get(item))
                assert not other, f"the next run says otherwise: {', '.join(other)}"
                left = {path.name for path in output.parent.iterdir()} - {"report", ".report.lock"}
                assert not left, f"left behind: {left}"
                held += 1
            except (AssertionError, OSError, ValueError, duckdb.Error) as fault:
                print(f"{told}: {type(fault).__name__}: {fault}", flush=True)  # noqa: T201
                shutil.rmtree(output.parent, ignore_errors=True)
                assert ended(forked(audited(turn))) == 0
            standing = turn
            print(f"{told}: {held} of {number + 1} held", flush=True)  # noqa: T201
        print(f"{times} runs killed ({alive} while at work), {held} held")  # noqa: T201
        stray = [path for path in (root / "tmp").rglob("*") if path.is_file()]
        print(f"Files left in the system's temporary folder: {len(stray)}")  # noqa: T201
        print("\n".join(str(path.relative_to(root)) for path in stray[:20]))  # noqa: T201
    return int(held < times)


def _results(found: dict[str, str]) -> dict[str, str]:
    """Return what a run says without quality/, which tells the drift of rows since the run before."""
    return {name: told for name, told in found.items() if not name.startswith("quality/")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for option, default in (("--times", 100), ("--seed", 2026), ("--lines", 300), ("--replacements", 1000)):
        parser.add_argument(option, type=int, default=default)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(**vars(parser.parse_args())))
