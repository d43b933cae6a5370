"""`therapy-audit letters`, `summary`, `workpaper` and `pictures`: what a run gives to people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import therapy_audit as ta

_run_folder = click.argument("run_folder", type=click.Path(path_type=Path), required=False, metavar="[RUN]")
_with_text = click.option("--with-text", is_flag=True, help="Show the text of the notes.")
_as_pdf = click.option("--pdf", "as_pdf", is_flag=True, help="A PDF too, by a Chromium, Chrome or Edge that is there.")


def _opened(run_folder: Path | None) -> ta.Audit:
    import therapy_audit as ta
    from therapy_audit import explain

    return ta.open(run_folder or explain.newest_run(), locked=True)


def _tell(paths: list[Path]) -> None:
    click.echo(f"Wrote {' and '.join(map(str, paths))}")


@click.command()
@_run_folder
@click.option("--clinician", "clinicians", multiple=True, metavar="NPI", help="Only theirs; several times [all].")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="letters",
    show_default=True,
    help="Folder: new, empty, or of letters, which are replaced.",
)
@_with_text
@_as_pdf
def letters(run_folder: Path | None, folder: Path, **given: Any) -> None:
    """Write a letter per clinician with findings of RUN [newest in reports/]: rule, where, what good looks like."""
    from therapy_audit.papers import letters as writing

    with _opened(run_folder) as audit:
        written = writing.write(audit, folder, **given)
    count = len(written.pages)
    click.echo(f"{count:,} letter{'' if count == 1 else 's'}: {written.index}")
    if written.unaddressed:
        click.echo(f"Note: {written.unaddressed:,} findings name no clinician and are in no letter.", err=True)


@click.command()
@_run_folder
@click.option(
    "--out",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    default="summary.html",
    show_default=True,
    help="The page; a PDF goes beside it.",
)
@_as_pdf
def summary(run_folder: Path | None, page: Path, as_pdf: bool) -> None:  # noqa: FBT001
    """Write an executive summary of RUN [newest in reports/] on one page, without a patient in it."""
    from therapy_audit.papers import summary as writing

    with _opened(run_folder) as audit:
        _tell(writing.write(audit, _html(page), as_pdf=as_pdf))


@click.command()
@click.argument("claim_id")
@_run_folder
@click.option(
    "--out",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The page; a PDF goes beside it [workpaper-<hash>.html].",
)
@_with_text
@_as_pdf
def workpaper(claim_id: str, run_folder: Path | None, page: Path | None, **given: Any) -> None:
    """Write the audit workpaper of a claim: lines, versions, notes, answers, price, findings, a decision to sign."""
    from therapy_audit.papers import workpaper as writing

    with _opened(run_folder) as audit:
        _tell(writing.write(audit, claim_id, _html(page or Path(writing.name(claim_id))), **given))


@click.command()
@_run_folder
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="pictures",
    show_default=True,
    help="Folder to write.",
)
@click.option("--format", "kind", type=click.Choice(["png", "svg"]), default="png", show_default=True)
def pictures(run_folder: Path | None, folder: Path, kind: str) -> None:
    """Write the charts of RUN's report [newest in reports/] as pictures for slides; needs Chromium, Chrome or Edge."""
    from therapy_audit import explain
    from therapy_audit.papers import pictures as drawing

    written = drawing.write(run_folder or explain.newest_run(), folder, kind)
    click.echo(f"{len(written)} pictures in {folder}: {', '.join(path.name for path in written)}")


def _html(page: Path) -> Path:
    """Return the page's path: a PDF or other ending stands for the page that it is made of."""
    return page if page.suffix in {".html", ".htm"} else page.with_suffix(".html")


COMMANDS = (letters, summary, workpaper, pictures)
