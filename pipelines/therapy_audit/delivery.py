"""A finished report, delivered: copied whole to a folder, and told by a mail that holds no patient data.

What is delivered is read from the report folder alone, so that a delivery that failed can be tried again later.
"""

from __future__ import annotations

import json
import os
import stat
import string
from contextlib import nullcontext
from dataclasses import dataclass
from email.utils import parseaddr
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from pathlib import Path
    from ssl import SSLContext

SECURITY = {"starttls": 587, "tls": 465}
READABLE_BY = {"owner": 0o077, "group": 0o027}  # and the umask of what is copied
SUBJECT = "Therapy audit {period}: {findings} findings, {at_risk} at risk"
_ALWAYS = ("summary.json", "manifest.json")  # by these a folder is known as a report, and may be replaced by the next
_TOP_RULES = 10

_KEYS = {"folder": str, "files": list, "readable_by": str, "mail": dict}
_MAIL_KEYS = {
    "host": str, "port": int, "security": str, "user": str, "password_env": str, "password_file": str, "from": str,
    "to": list, "subject": str, "ca_file": str, "timeout": int,
}  # fmt: skip


@dataclass(frozen=True)
class Mail:
    """How a mail is sent: always over TLS. `timeout` is in seconds; no password is held here."""

    host: str
    sender: str
    to: tuple[str, ...]
    security: str = "starttls"
    port: int = 587
    user: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    subject: str = SUBJECT
    ca_file: Path | None = None
    timeout: int = 30


@dataclass(frozen=True)
class Deliver:
    """Where reports go. `files` are patterns of names in the report folder; a folder goes with all that is in it."""

    folder: Path | None = None
    files: tuple[str, ...] = ("*",)
    readable_by: str = "owner"
    mail: Mail | None = None


@dataclass(frozen=True)
class Delivered:
    """What a delivery did and what it could not do, a sentence each."""

    done: tuple[str, ...]
    failed: tuple[str, ...]


def settings(raw: Mapping[str, Any], here: Path, name: str) -> Deliver:
    """Return [deliver] of the audit.toml called `name`, paths relative to `here`; AuditError says key and cure."""
    where = f"{name}: [deliver]"
    _check(raw, _KEYS, where)
    if not {"folder", "mail"} & set(raw):
        raise AuditError(f"{where} must have a folder, or a [deliver.mail], or both.")
    files = tuple(raw.get("files", ["*"]))
    if not files or not all(isinstance(item, str) and item and "/" not in item for item in files):
        raise AuditError(f'{where} files must be names or patterns in the report folder, such as ["report.html"].')
    readable_by = raw.get("readable_by", "owner")
    if readable_by not in READABLE_BY:
        raise AuditError(f"{where} readable_by '{readable_by}' is not one of {', '.join(READABLE_BY)}.")
    return Deliver(
        folder=here / raw["folder"] if "folder" in raw else None,
        files=files,
        readable_by=readable_by,
        mail=_mail(raw["mail"], here, f"{name}: [deliver.mail]") if "mail" in raw else None,
    )


def deliver(report: Path, to: Deliver) -> Delivered:
    """Copy the report folder and send the mail, as far as each is asked for and works.

    Raises AuditError where `report` is no report; what fails on the way is told in the result, and changes nothing in
    the report. A report that is just being written is waited for, a minute at most.
    """
    from therapy_audit import pipeline

    report = report.resolve()
    done, failed = [], []
    copied: Path | None = None
    busy = f"{report}: a run is writing this report; try again."
    # Where nothing can be written no run is writing either.
    writable = os.access(report.parent, os.W_OK)
    with pipeline.locked(pipeline.lock_of(report), busy, wait=60) if writable else nullcontext():
        told = _told(report)
        if to.folder:
            try:
                copied = _copy(report, to.folder, to)
                done.append(f"Copied to {copied}")
            except AuditError as fault:
                failed.append(f"Not copied: {fault}")
    if to.mail:
        try:
            _send(message(told, to.mail, report, copied, tuple(failed)), to.mail)
            done.append(f"Mailed to {', '.join(to.mail.to)}")
        except AuditError as fault:
            failed.append(f"Not mailed: {fault}")
    return Delivered(tuple(done), tuple(failed))


def shown(report: Path, mail: Mail, folder: Path | None) -> str:
    """Return subject and text of the mail as it would be sent now."""
    report = report.resolve()
    letter = message(_told(report), mail, report, folder / report.name if folder else None, ())
    body = letter.get_body(("plain",))
    return f"To: {letter['To']}\nSubject: {letter['Subject']}\n\n{body.get_content() if body else ''}"


def message(
    told: Mapping[str, Any], mail: Mail, report: Path, copied: Path | None, failed: tuple[str, ...]
) -> EmailMessage:
    """Return the mail: text and the same as HTML. Its numbers and words are those that `_told` lets through."""
    from email.message import EmailMessage
    from email.utils import format_datetime, localtime, make_msgid

    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    pages = Environment(
        loader=PackageLoader("therapy_audit.report"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    given = {**told, "report": report, "copied": copied, "failed": failed}
    letter = EmailMessage()
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.to)
    letter["Subject"] = mail.subject.format_map(_subject_words(told))
    letter["Date"] = format_datetime(localtime())
    letter["Message-ID"] = make_msgid(domain=parseaddr(mail.sender)[1].partition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"  # so that nobody's absence notice answers it
    letter.set_content(pages.get_template("mail.txt").render(given), cte="quoted-printable")
    letter.add_alternative(pages.get_template("mail.html").render(given), subtype="html", cte="quoted-printable")
    return letter


def _told(report: Path) -> dict[str, Any]:
    """Return what a mail may tell: period, counts, dollars, rule titles. Not payers, whose names may be persons'."""
    try:
        summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
        broken = json.loads((report / "manifest.json").read_text(encoding="utf-8"))["rule_errors"]
        counts = summary["findings_by_severity"]
        rules = [
            {"title": str(rule.get("title", name)), "findings": int(rule["findings"]), "amount": _usd(rule)}
            for name, rule in sorted(
                summary["rules"].items(), key=lambda item: (-item[1]["amount_at_risk"], -item[1]["findings"], item[0])
            )
            if rule["findings"]
        ]
        quality = summary["quality"] or {}
        return {
            "period": str(summary["period"]),
            "start": str(summary["period_start"]),
            "end": str(summary["period_end"]),
            "at_risk": f"${float(summary['overpayment_amount']):,.2f}",
            "under_billed": f"${float(summary['underpayment_amount']):,.2f}",
            "severities": {name: f"{int(counts.get(key, 0)):,}" for name, key in _SEVERITIES.items()},
            "rules": rules[:_TOP_RULES],
            "more_rules": len(rules[_TOP_RULES:]),
            "broken_rules": len(broken),
            "unmapped": len(summary["unmapped_payers"]),
            "critical": int(quality.get("critical_failures", 0)),
            "quality_warnings": int(quality.get("warnings", 0)),
            **{key: f"{int(summary[key]):,}" for key in _COUNTS},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise AuditError(
            f"{report}: there is no summary.json and manifest.json of a run of this version; "
            "name a folder that `therapy-audit run` has written."
        ) from None


_SEVERITIES = {"errors": "error", "warnings": "warning", "hints": "info"}
_COUNTS = (
    *("lines_audited", "claims_audited", "findings", "unpriced_findings", "not_evaluable", "stale_findings"),
    *("rows_in", "rows_quarantined"),
)


def _usd(rule: Mapping[str, Any]) -> str:
    return f"${float(rule['amount_at_risk']):,.2f}"


def _subject_words(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        **{name: told[name] for name in ("period", "findings", "at_risk", "under_billed")},
        **{name: told["severities"][name] for name in _SEVERITIES},
    }


_SUBJECT_WORDS = ("period", "findings", "at_risk", "under_billed", *_SEVERITIES)


def _copy(report: Path, folder: Path, to: Deliver) -> Path:
    """Copy the chosen files aside, then put them in place under the report's name, as a run does."""
    import shutil

    from therapy_audit import pipeline

    if not folder.is_dir():
        # Never made: where a share is not mounted, patient data would go to the disk below.
        raise AuditError(f"{folder}: there is no such folder; make it, or mount the share that it is on.")
    target = folder.resolve() / report.name
    if target.is_relative_to(report) or report.is_relative_to(target):
        raise AuditError(f"{target}: that is the report itself; name another folder under [deliver].")
    names = sorted(path.name for path in report.iterdir())
    for pattern in to.files:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise AuditError(f"[deliver] files: the report has no '{pattern}'; it has {', '.join(names)}.")
    chosen = {name for name in names if any(fnmatchcase(name, pattern) for pattern in to.files)} | set(_ALWAYS)
    try:
        with pipeline.replaced(target, READABLE_BY[to.readable_by]) as building:
            for path in sorted(report.rglob("*")):
                inside = path.relative_to(report)
                if inside.parts[0] not in chosen:
                    continue
                if path.is_dir():
                    (building / inside).mkdir()
                else:  # without modes: the umask sets them, and some shares refuse them
                    shutil.copyfile(path, building / inside)
    except OSError as fault:
        raise AuditError(f"{target}: it cannot be written there ({fault.strerror}).") from None
    return target


def _send(letter: EmailMessage, mail: Mail) -> None:
    """Hand the mail to the server, over TLS with its certificate checked. AuditError says what failed; no server text.

    A server may repeat what it was sent, so that its own words are told by their code alone.
    """
    import smtplib
    from contextlib import suppress

    secret = _secret(mail) if mail.user else ""
    context = _context(mail)
    server = f"{mail.host}:{mail.port}"
    doing = "connecting"
    connection: smtplib.SMTP | None = None
    try:
        if mail.security == "tls":
            connection = smtplib.SMTP_SSL(mail.host, mail.port, timeout=mail.timeout, context=context)
        else:
            connection = smtplib.SMTP(mail.host, mail.port, timeout=mail.timeout)
            doing = "STARTTLS"
            connection.starttls(context=context)
        if mail.user:
            doing = "the login"
            connection.login(mail.user, secret)
        doing = "the mail"
        refused = connection.send_message(letter)
    except smtplib.SMTPNotSupportedError:
        raise AuditError(f"{server} does not offer {doing}, and nothing was sent.") from None
    except smtplib.SMTPAuthenticationError as fault:
        raise AuditError(f"{server} refused the login of '{mail.user}' ({fault.smtp_code}).") from None
    except smtplib.SMTPRecipientsRefused:
        raise AuditError(f"{server} refused all recipients.") from None
    except smtplib.SMTPResponseException as fault:
        raise AuditError(f"{server} refused {doing} ({fault.smtp_code}).") from None
    except smtplib.SMTPException:
        raise AuditError(f"{server} gave no answer in time, or broke off (at {doing}).") from None
    except UnicodeEncodeError:
        raise AuditError("user and password must be of ASCII characters for a login.") from None
    except OSError as fault:
        why = getattr(fault, "verify_message", None) or fault.strerror or str(fault) or type(fault).__name__
        raise AuditError(f"{server} cannot be reached safely: {why} (at {doing}).") from None
    finally:
        if connection:
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()
    if refused:
        raise AuditError(f"{server} took the mail, but not for {', '.join(refused)}.")


def _context(mail: Mail) -> SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=mail.ca_file)
    except OSError:
        raise AuditError(f"{mail.ca_file}: [deliver.mail] ca_file cannot be read as certificates (PEM).") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _secret(mail: Mail) -> str:
    """Return the password. AuditError says where it should be, never what it is."""
    if mail.password_env:
        if found := os.environ.get(mail.password_env):
            return found
        raise AuditError(f"the variable {mail.password_env} of the environment, with the mail's password, is not set.")
    path = mail.password_file
    try:
        with open(path or "", encoding="utf-8") as file:  # noqa: PTH123 - the open file is looked at, not its name
            if os.name != "nt" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise AuditError(f"{path}: others may read the mail's password; chmod 600 it.")
            found = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise AuditError(f"{path}: the mail's password cannot be read there.") from None
    if not found:
        raise AuditError(f"{path}: the first line, which should be the mail's password, is empty.")
    return found


def _check(raw: Mapping[str, Any], keys: Mapping[str, type], where: str) -> None:
    for key, value in raw.items():
        if key == "password":
            raise AuditError(
                f"{where} holds a password; put it in a file with mode 600 or the environment, and name that as "
                "password_file or password_env."
            )
        if key not in keys:
            raise AuditError(f"{where} knows no '{key}'. There are: {', '.join(keys)}.")
        if not isinstance(value, keys[key]) or isinstance(value, bool):
            raise AuditError(f"{where} {key} must be a {keys[key].__name__}.")


def _mail(raw: Mapping[str, Any], here: Path, where: str) -> Mail:
    _check(raw, _MAIL_KEYS, where)
    if missing := [key for key in ("host", "from", "to") if not raw.get(key)]:
        raise AuditError(f"{where} lacks {', '.join(missing)}.")
    security = raw.get("security", "starttls")
    if security not in SECURITY:
        raise AuditError(f"{where} security '{security}' is not one of {', '.join(SECURITY)}: mail goes over TLS only.")
    if not 0 < raw.get("port", 1) < 65536 or not 0 < raw.get("timeout", 1) <= 600:
        raise AuditError(f"{where} port must be from 1 to 65535, and timeout from 1 to 600 seconds.")
    for address in (raw["from"], *raw["to"]):
        if not isinstance(address, str) or not _is_address(address):
            raise AuditError(f"{where} from and to must be addresses such as audit@example.org.")
    secrets = [key for key in ("password_env", "password_file") if raw.get(key)]
    if len(secrets) != bool(raw.get("user")):
        raise AuditError(f"{where} must name a user with one of password_env and password_file, or none of the three.")
    return Mail(
        host=raw["host"],
        sender=raw["from"],
        to=tuple(raw["to"]),
        security=security,
        port=raw.get("port", SECURITY[security]),
        user=raw.get("user"),
        password_env=raw.get("password_env"),
        password_file=here / raw["password_file"] if "password_file" in raw else None,
        subject=_subject(raw.get("subject", SUBJECT), where),
        ca_file=here / raw["ca_file"] if "ca_file" in raw else None,
        timeout=raw.get("timeout", 30),
    )


def _is_address(text: str) -> bool:
    name, _, domain = parseaddr(text)[1].partition("@")
    return bool(name and domain) and text.isprintable() and f"{name}@{domain}".isascii() and "," not in text


def _subject(text: str, where: str) -> str:
    """Return the template if it has nothing but text and the words that it may have."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        parts = [("", "", None, None)]
    right = all(
        name is None or (name in _SUBJECT_WORDS and not form and not conversion) for _, name, form, conversion in parts
    )
    if not right or not text.isprintable():
        names = ", ".join(f"{{{name}}}" for name in _SUBJECT_WORDS)
        raise AuditError(f"{where} subject must be one line of text in which braces hold one of {names}.")
    return text
