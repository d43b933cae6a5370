"""Files read in processes of their own: threads of one process would wait for each other more than they read."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from therapy_audit.intake.x12.reading import Batch, Tally, batches

if TYPE_CHECKING:
    from collections.abc import Iterator

Reader = subprocess.Popen[bytes]


@contextmanager
def reader() -> Iterator[Reader]:
    """Start a process that reads one file after another for `batches_of`; it is ended with the block."""
    paths = os.pathsep.join(entry for entry in sys.path if entry)
    process = subprocess.Popen(  # noqa: S603 - this Python, with a module of ours; no path is in its arguments
        [sys.executable, "-c", f"from {__name__} import main; main()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def batches_of(process: Reader, path: Path, source_file: str, tally: Tally) -> Iterator[Batch]:
    """Yield what x12.batches yields; the tally is filled at the file's end. Errors are raised as there."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("The process was started without pipes.")
    process.stdin.write(json.dumps([str(path), source_file]).encode() + b"\n")
    process.stdin.flush()
    while True:
        try:
            found: Any = pickle.load(process.stdout)  # noqa: S301 - from the process that was started here
        except EOFError:
            raise RuntimeError(f"The process that read {source_file} has ended before the file did.") from None
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Tally):
            vars(tally).update(vars(found))
            return
        yield found


def main() -> None:
    """Read the files that are named on standard input; write batches, then the tally, to standard output."""
    # Ctrl-C at the terminal reaches this process too; the one that started it ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = sys.stdout.buffer

    def give(found: Batch | Tally | Exception) -> None:
        pickle.dump(found, out, protocol=5)
        out.flush()

    for line in sys.stdin.buffer:
        path, source_file = json.loads(line)
        tally = Tally()
        try:
            for batch in batches(Path(path), source_file, tally):
                give(batch)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - raised where the batches are taken
            give(error)
        else:
            give(tally)
