"""X12 claims (837P, 005010X222A1 and A2) and remittances (835, 005010X221A1) to Arrow tables, in constant memory.

`batches` yields the tables of SCHEMAS; `inspect` says what a file holds. Nothing that a file says raises: what cannot
be read is a row of `problem`, and sums or counts that do not agree are rows of `imbalance`.
"""

from __future__ import annotations

from therapy_audit.intake.x12.reading import Batch, Inspection, Tally, batches, inspect, looks_like_x12, no_isa
from therapy_audit.intake.x12.tables import SCHEMAS, empty

__all__ = ["SCHEMAS", "Batch", "Inspection", "Tally", "batches", "empty", "inspect", "looks_like_x12", "no_isa"]
