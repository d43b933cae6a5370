"""Characters that are obeyed, not shown: they leave a text before a person or a terminal gets it."""

from __future__ import annotations

import re
from typing import Any

# Control characters but for line ends and tabs, and the marks that show what follows them in another order than it is
# stored in: what a file holds shall not move a cursor, colour a text or hide what it says.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def without(value: Any) -> Any:
    """Return a text without such characters; anything else, Markup of our own too, as it is."""
    return _UNSEEN.sub("", value) if type(value) is str else value
