"""Bars with the time that is left, on a terminal: of stages that last longer than two seconds."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Step(Protocol):
    """Tells that so many steps of a stage are done."""

    def __call__(self, steps: int = 1, /) -> None: ...


_DELAY = 2.0  # seconds; what is over sooner shows no bar
_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {elapsed} gone, {remaining} left"
_shown = ContextVar("shown", default=False)


@contextmanager
def shown() -> Iterator[None]:
    """Show bars on stderr while the block lasts, if that is a terminal."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def stage(name: str, steps: int) -> Iterator[Step]:
    """Give a function to call after each of so many steps of a stage, or after several at once."""
    if not _shown.get() or not sys.stderr.isatty():
        yield lambda _steps=1, /: None
        return
    from tqdm import tqdm

    over, turn = threading.Event(), threading.Lock()
    # A stage's steps differ in length: what is left is told by the mean of those so far.
    bar = tqdm(
        total=steps, desc=name, delay=_DELAY, leave=False, miniters=0, mininterval=0, smoothing=0,
        bar_format=_FORMAT, dynamic_ncols=True,
    )  # fmt: skip

    def step(steps: int = 1, /) -> None:
        with turn:
            bar.update(steps)

    def tick() -> None:
        # A step may take long; the clock goes on meanwhile.
        while not over.wait(1):
            step(0)

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield step
    finally:
        over.set()
        ticking.join()
        bar.close()
