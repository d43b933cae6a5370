"""Files -> the contract tables. Every row either loads whole or goes to quarantine with its reason; the counts agree.

`load` fills claim_line, visit_note, note_service, plan_of_care, "authorization", provider, patient_opening_balance,
remittance_line, remittance_adjustment, quarantine and intake_file of sql/schema.sql. `propose` writes a mapping.
"""

from __future__ import annotations

from therapy_audit.intake.inspecting import inspect
from therapy_audit.intake.load import Inputs, load, named_files
from therapy_audit.intake.propose import propose

__all__ = ["Inputs", "inspect", "load", "named_files", "propose"]
