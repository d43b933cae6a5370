"""What is asked of any file: its hash, and the sentence where it cannot be read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from pathlib import Path


def file_hash(path: Path) -> str:
    """Return a file's SHA-256, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(source_file: str, error: Exception) -> AuditError:
    """Return the error for a file that the system or its codec cannot read."""
    return AuditError(
        f"{source_file}: the file cannot be read ({type(error).__name__}); "
        "check that it is whole and that you may read it."
    )
