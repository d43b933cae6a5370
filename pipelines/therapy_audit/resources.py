"""Where the bundled sql/, rules/ and data/ folders are: inside an installed package, or in the checkout."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
_CHECKOUT = Path(__file__).resolve().parents[2]


def folder(name: str) -> Traversable:
    """Return a bundled top-level folder: `sql`, `rules` or `data`; of the checkout alone `bench`."""
    bundled = files(__package__) / name
    return bundled if bundled.is_dir() else _CHECKOUT / name


def texts(root: Traversable, suffix: str, prefix: str = "") -> dict[str, str]:
    """Return {path without suffix, parts joined by '.': content} of all files below a folder, in path order."""
    found: dict[str, str] = {}
    for entry in sorted(root.iterdir(), key=lambda item: item.name):
        if entry.is_dir():
            found |= texts(entry, suffix, f"{prefix}{entry.name}.")
        elif entry.name.endswith(suffix):
            found[prefix + entry.name.removesuffix(suffix)] = entry.read_text(encoding="utf-8")
    return found


def parsed(text: str) -> Any:
    """Return what a YAML text holds: mappings, lists and plain values. yaml.YAMLError: it is not YAML."""
    return yaml.load(text, YAML_LOADER)  # noqa: S506
