"""The pages that are written, all of them: templates that escape what they are given and miss nothing silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from therapy_audit import unseen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment


def templates(package: str, filters: Mapping[str, Any]) -> Environment:
    """Return the templates/ of a package of therapy_audit, with filters of their own.

    Text is escaped, loses what a reader cannot see, and a name that nothing was given for is an error.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=unseen.without,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= filters
    return found
