"""Memory that is free goes back to the system."""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import pytest

from therapy_audit import memory

STATM = Path("/proc/self/statm")


@pytest.mark.skipif(not STATM.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="no /proc, or no glibc")
def test_what_is_free_between_what_is_used_goes_back() -> None:
    blocks = [bytearray(50_000) for _ in range(4_000)]
    del blocks[:-1]  # the last keeps the C library from giving the rest back by itself
    held = resident()
    memory.give_back()
    assert held - resident() > 100_000_000
    assert len(blocks) == 1


def test_without_such_a_c_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    memory.give_back()


def resident() -> int:
    pages = STATM.read_text(encoding="ascii").split()[1]
    return int(pages) * mmap.PAGESIZE
