"""The one exception that users see."""

from __future__ import annotations


class AuditError(Exception):
    """Bad input or usage. Its text is one sentence that says what is wrong and what would be right.

    The command line prints the sentence and exits with 2. It never holds a value from a patient's record.
    """
