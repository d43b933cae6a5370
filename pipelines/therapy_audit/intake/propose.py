"""`therapy-audit map FILE`."""

from __future__ import annotations

from pathlib import Path


def propose(path: Path, input_name: str | None = None) -> str:
    raise NotImplementedError
