"""Ctrl-C and SIGTERM: stop within a moment, even inside a long query, so that what is half done is taken away."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGAIN = 0.05  # seconds; an interrupt that comes just before a query begins is lost
_PATIENCE = 0.5  # seconds until it is no query that runs
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_open: list[Interruptible] = []
_told: list[int] = []


class Interruptible(Protocol):
    """A connection whose query another thread can break off."""

    def interrupt(self) -> None:
        """Break off the query that runs, if one does."""


@contextmanager
def interruptible(con: Interruptible) -> Iterator[None]:
    """Let a signal break off what this connection runs, while the block lasts."""
    _open.append(con)
    try:
        yield
    finally:
        _open.remove(con)


@contextmanager
def clean_stop() -> Iterator[list[int]]:
    """Give a list that holds the signal's number once SIGINT or SIGTERM has come.

    With no connection open the signal raises KeyboardInterrupt in the main thread, as Ctrl-C does anywhere. Inside a
    query nothing may be raised (DuckDB 1.5 and 2.0 then wait for ever for their own threads), so a thread that the
    signal wakes interrupts the connections until all is over, and DuckDB raises its InterruptException. Where it was no
    query that ran, KeyboardInterrupt follows. Signals after the first are left out of account, for what is half done
    must be taken away. Only in the main thread; elsewhere nothing is changed.
    """
    told = _told
    told.clear()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def stop(number: int, _frame: Any) -> None:
        if not told:
            told.append(number)
            if not _open:
                raise KeyboardInterrupt

    over = threading.Event()
    waking, woken = socket.socketpair()
    waking.settimeout(0)
    watching = threading.Thread(target=_watch, args=(woken, over), daemon=True)
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    watching.start()
    fd = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    try:
        yield told
    finally:
        over.set()
        signal.set_wakeup_fd(fd)
        if not told:  # else the process ends, and a later signal is to leave its exit code alone
            for number, handler in before.items():
                signal.signal(number, handler)
        waking.close()
        watching.join()
        woken.close()


def _watch(woken: socket.socket, over: threading.Event) -> None:
    # A byte is the number of a signal that came; nothing is the end.
    while (number := woken.recv(1)) and number[0] not in _SIGNALS:
        pass
    came, raised = time.monotonic(), False
    while number and not over.wait(_AGAIN):
        for con in tuple(_open):
            with suppress(Exception):  # it has been closed by now
                con.interrupt()
        if _open and not raised and time.monotonic() - came > _PATIENCE:
            _raise_in_main_thread()
            raised = True


def _raise_in_main_thread() -> None:
    """Raise KeyboardInterrupt before the main thread's next line of Python; a query goes on until it is over."""
    import ctypes

    main = ctypes.c_ulong(threading.main_thread().ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(KeyboardInterrupt))


def check() -> None:
    """Raise KeyboardInterrupt where a signal has come and what it raised was taken for a fault of a query."""
    if _told:
        raise KeyboardInterrupt


def killed_by(number: int) -> int:
    """Return the exit code that a shell gives a process that this signal ended: 130 for Ctrl-C."""
    return 128 + number if os.name == "posix" else 1


def leave(code: int) -> NoReturn:
    """End the process now: taking its libraries down one by one can take longer than a user waits for Ctrl-C."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
