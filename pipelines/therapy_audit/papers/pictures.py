"""The report's charts as pictures for slides: drawn by the report's own page, so that there is one way to draw them."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import TYPE_CHECKING

from therapy_audit.errors import AuditError
from therapy_audit.papers import browser, put

if TYPE_CHECKING:
    from pathlib import Path

_LEFT_OUT = ("chart-kx",)  # its labels are patients; a slide goes where a report does not
_ROOM = 40  # pixels, for the question as a title
_DRAW = """
document.addEventListener("DOMContentLoaded", async () => {
  window.dispatchEvent(new Event("beforeprint")); // the report draws the charts of every page, in the light scheme
  const found = {};
  for (const node of document.querySelectorAll(".chart.js-plotly-plot")) {
    if (LEFT_OUT.includes(node.id)) continue;
    const { width, height, margin } = node._fullLayout;
    const tall = height + ROOM;
    const title = {
      text: (node.getAttribute("aria-label") || "").match(/^[^?]*\\??/)[0], font: { size: 16 }, x: 0, xanchor: "left",
      xref: "container", pad: { l: 4 }, y: 1 - 20 / tall, yanchor: "middle",
    };
    await Plotly.relayout(node, {
      paper_bgcolor: "#fff", plot_bgcolor: "#fff", title, height: tall, "margin.t": margin.t + ROOM,
    });
    found[node.id] = await Plotly.toImage(node, { format: FORMAT, width, height: tall, scale: 2 });
  }
  const told = document.createElement("pre");
  told.id = "pictures";
  told.textContent = JSON.stringify(found);
  document.body.replaceChildren(told);
});
"""


def write(run: Path, folder: Path, kind: str = "png") -> list[Path]:
    """Write each chart of a run's report.html as <chart>.png (twice its size on screen) or .svg; return the paths.

    The charts' question is their title, the scheme is the light one. The chart that names patients is left out.
    AuditError: no report, no browser, or a report without charts.
    """
    page = run / "report.html"
    if not page.exists():
        raise AuditError(f"{run}: there is no report.html in it; name a folder that `therapy-audit run` has written.")
    program = browser.find("Pictures")
    told = {"FORMAT": kind, "LEFT_OUT": _LEFT_OUT, "ROOM": _ROOM}
    script = _DRAW
    for name, value in told.items():
        script = script.replace(name, json.dumps(value))
    # The report's policy lets only its own scripts run; this copy is given one more, and no policy.
    document = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    begin, end, rest = document.rpartition("</body>")
    dumped = browser.text_of(program, f"{begin}<script>{script}</script>{end}{rest}", folder)
    found = re.search(r'<pre id="pictures">(.*?)</pre>', dumped, re.DOTALL)
    pictures = json.loads(html.unescape(found[1])) if found else {}
    if not pictures:
        raise AuditError(f"{run}: its report has no charts to draw, or {program} could not draw them.")
    written = []
    for name, address in sorted(pictures.items()):
        path = folder / f"{name.removeprefix('chart-')}.{kind}"
        put(path, _bytes(address))
        written.append(path)
    return written


def _bytes(address: str) -> bytes:
    """Return what a data: address holds."""
    from urllib.parse import unquote_to_bytes

    head, _, body = address.partition(",")
    try:
        return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
    except binascii.Error:
        raise AuditError("The browser returned a picture that cannot be read; try another browser.") from None
