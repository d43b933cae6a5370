"""YAML as users write it: nothing that grows when it is read, nothing that nests without end.

A few lines of aliases can stand for thousands of millions of values, and brackets by the thousand for a crash.
"""

from __future__ import annotations

from typing import Any

import yaml

from therapy_audit import resources

_LONGEST = 1 << 20  # characters
_DEEPEST = 20  # the deepest file of ours has five levels


class TooMuchError(yaml.MarkedYAMLError):
    """YAML that is valid and not read here; `problem` says why, in words that follow the file's name."""


def load(text: str) -> Any:
    """Return what a YAML text holds. Raises yaml.YAMLError, whose `problem_mark` names the line where it can.

    Aliases, more than a million characters and more than 20 levels are refused before any value is made.
    """
    if len(text) > _LONGEST:
        raise TooMuchError(problem=f"it is longer than {_LONGEST:,} characters")
    depth = 0
    for event in yaml.parse(text, resources.YAML_LOADER):
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise TooMuchError(problem=f"it has an alias, *{event.anchor}, which is not read here", problem_mark=mark)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise TooMuchError(problem=f"it nests more than {_DEEPEST} levels deep", problem_mark=mark)
    try:
        return resources.parsed(text)
    except (ValueError, OverflowError) as error:  # a date such as 2026-13-45, a number of too many digits
        raise TooMuchError(problem="a date or number in it cannot be read") from error
