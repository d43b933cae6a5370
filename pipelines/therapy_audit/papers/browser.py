"""A browser that is installed, used without a window: it prints pages and draws the report's charts.

Nothing but an installed Chromium, Chrome or Edge is needed: the libraries that make PDFs without one need others of the
system. What a browser is given is a file of ours; its profile is a private folder that is removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from therapy_audit.errors import AuditError
from therapy_audit.papers import private, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"),
    *("microsoft-edge-stable", "msedge", "brave-browser"),
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# It fetches nothing of its own: no updates, no lists, no translations; and no name is looked up.
_QUIET = (
    *("--headless=new", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions"),
    *("--disable-sync", "--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-domain-reliability", "--disable-client-side-phishing-detection", "--metrics-recording-only"),
    *("--disable-features=Translate,OptimizationHints,MediaRouter", "--host-resolver-rules=MAP * ~NOTFOUND"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"),
)
_SECONDS = 180


def find(purpose: str) -> str:
    """Return the browser's path: that of BROWSER_PATH, else one of the usual names. AuditError: there is none."""
    if given := os.environ.get("BROWSER_PATH"):
        if found := shutil.which(given):
            return found
        raise AuditError(f"BROWSER_PATH is '{given}', where there is no program; name Chromium, Chrome or Edge.")
    for name in (*_NAMES, *_PLACES):
        if found := shutil.which(name):
            return found
    raise AuditError(
        f"{purpose} need Chromium, Chrome or Edge, and none is installed; install one or name it in BROWSER_PATH."
    )


def pdf(browser: str, page: Path, target: Path) -> None:
    """Print a page of ours as a private PDF. AuditError where the browser fails."""
    with _working(target.parent) as folder:
        printed = folder / "page.pdf"
        _run(browser, folder, f"--print-to-pdf={printed}", "--no-pdf-header-footer", page.resolve().as_uri())
        if not printed.exists() or not printed.read_bytes().startswith(b"%PDF"):
            raise AuditError(f"{browser} printed nothing; try another browser, named in BROWSER_PATH.")
        put(target, printed.read_bytes())


def text_of(browser: str, document: str, folder: Path) -> str:
    """Return the text of a page after its scripts have run, as HTML. `folder` is where the page may lie meanwhile."""
    with _working(folder) as working:
        page = working / "page.html"
        page.write_text(document, encoding="utf-8")
        return _run(
            browser, working, "--window-size=1280,900", "--virtual-time-budget=60000", "--dump-dom", page.as_uri()
        )


@contextmanager
def _working(parent: Path) -> Iterator[Path]:
    """Give a private folder, beside the output since a confined browser may read no other, and remove it."""
    try:
        with private():
            parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="printing-", dir=parent, ignore_cleanup_errors=True) as name:
                yield Path(name).resolve()
    except OSError as fault:
        raise AuditError(f"{parent}: the folder cannot be written ({fault.strerror}); name another --out.") from None


def _run(browser: str, folder: Path, *arguments: str) -> str:
    flags: Sequence[str] = (*_QUIET, f"--user-data-dir={folder / 'profile'}")
    if sys.platform == "linux" and os.geteuid() == 0:
        flags = (*flags, "--no-sandbox")  # Chromium does not start for root with one
    try:
        done = subprocess.run(  # noqa: S603 - the browser found above, and arguments of ours
            [browser, *flags, *arguments], capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise AuditError(f"{browser} did not finish in {_SECONDS} seconds; try again, or another browser.") from None
    if done.returncode:
        raise AuditError(f"{browser} ended with code {done.returncode}; name another browser in BROWSER_PATH.")
    return done.stdout.decode("utf-8", "replace")
