"""Delivery: what is copied and how, a mail that tells no patient's data, and servers that must not be trusted."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from click.testing import CliRunner

from therapy_audit import config as settings
from therapy_audit import delivery, pipeline
from therapy_audit.cli import cli
from therapy_audit.delivery import Deliver, Mail, deliver
from therapy_audit.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

CANARY = "Xanthippe-Canary"
PASSWORD = "pass-canary-7"  # noqa: S105 - the loopback server's
MAIL = """
[deliver.mail]
host = "localhost"
from = "Audit <audit@example.org>"
to = ["compliance@example.org"]
"""


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A report folder with a patient's name in every place that may hold one."""
    folder = tmp_path / "reports" / "2026-10"
    (folder / "quality").mkdir(parents=True)
    for name in ("report.html", "findings.csv", "findings.xlsx", "audit.duckdb", "quality/claim_line.json"):
        (folder / name).write_text(CANARY)
    rule: dict[str, Any] = {
        "title": "KX missing <past> the threshold",
        "findings": 3,
        "amount_at_risk": 1234.5,
        "severity": "error",
    }
    more: dict[str, Any] = {
        f"clinic.rule_{number:02}": rule | {"title": f"Rule {number}", "amount_at_risk": 1} for number in range(11)
    }
    counts = ("claims_audited", "not_evaluable", "unpriced_findings", "stale_findings", "rows_in", "rows_quarantined")
    summary = {
        "period": "2026-10",
        "period_start": "2026-10-01",
        "period_end": "2026-10-31",
        "lines_audited": 4321,
        "findings": 36,
        "overpayment_amount": 1245.5,
        "underpayment_amount": 0,
        **dict.fromkeys(counts, 7),
        "findings_by_severity": {"error": 36},
        "rules": {"medicare.kx_missing": rule, **more},
        "unmapped_payers": [{"payer": CANARY, "lines": 5}],  # one who pays for herself
        "quality": {"success": True, "critical_failures": 0, "warnings": 2},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    manifest = {"rule_errors": {}, "period": "2026-10", "inputs": [{"source_file": f"{CANARY}.csv"}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


# To a folder.


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_the_report_is_copied_whole_and_private(finished: Path, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    told = deliver(finished, Deliver(folder=share))
    assert told == delivery.Delivered((f"Copied to {share / '2026-10'}",), ())
    copied = {str(path.relative_to(share / "2026-10")) for path in share.rglob("*") if "2026-10/" in str(path)}
    assert copied == {str(path.relative_to(finished)) for path in finished.rglob("*")}
    assert set(modes(share / "2026-10").values()) == {0o700, 0o600}


def test_a_report_that_is_being_written_is_waited_for_and_one_on_a_read_only_disk_is_not_locked(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    kept, waited = pipeline.locked, []

    def impatient(path: Path, told: str, wait: float = 0) -> Any:
        waited.append(wait)
        return kept(path, told, 0)

    monkeypatch.setattr(pipeline, "locked", impatient)
    with pipeline.replaced(finished) as building:
        shutil.copytree(finished, building, dirs_exist_ok=True)
        with pytest.raises(AuditError, match="a run is writing this report; try again"):
            deliver(finished, Deliver(folder=tmp_path / "share"))
    assert waited == [0, 60]
    (finished.parent / ".2026-10.lock").unlink(missing_ok=True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert deliver(finished, Deliver(folder=tmp_path / "share")).failed == ()
    assert not (finished.parent / ".2026-10.lock").exists()


def test_files_are_a_choice_and_a_group_may_read(finished: Path, tmp_path: Path) -> None:
    to = Deliver(folder=tmp_path / "share", files=("report.html", "find*"), readable_by="group")
    (tmp_path / "share").mkdir()
    assert deliver(finished, to).failed == ()
    names = {"report.html", "findings.csv", "findings.xlsx", "summary.json", "manifest.json"}
    assert modes(tmp_path / "share" / "2026-10") == {".": 0o750, **dict.fromkeys(names, 0o640)}
    assert deliver(finished, to).failed == ()  # again: in place of the first
    (told,) = deliver(finished, replace(to, files=("report.html", "findings.pdf"))).failed
    assert "the report has no 'findings.pdf'; it has audit.duckdb, findings.csv" in told
    assert set(modes(tmp_path / "share" / "2026-10")) == {".", *names}


def test_a_folder_that_is_not_there_is_never_made(finished: Path, tmp_path: Path) -> None:
    (told,) = deliver(finished, Deliver(folder=tmp_path / "share")).failed
    assert "there is no such folder; make it, or mount the share that it is on" in told
    assert not (tmp_path / "share").exists()


def test_foreign_folders_and_the_report_itself_are_left_alone(finished: Path, tmp_path: Path) -> None:
    mine = tmp_path / "share" / "2026-10"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("mine")
    assert "holds other things than a report" in deliver(finished, Deliver(folder=tmp_path / "share")).failed[0]
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]
    for folder in (finished.parent, finished):
        assert "that is the report itself" in deliver(finished, Deliver(folder=folder)).failed[0]


def test_a_copy_that_breaks_off_leaves_the_last_one(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    deliver(finished, Deliver(folder=tmp_path / "share"))
    before = modes(tmp_path / "share" / "2026-10")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left on device" in deliver(finished, Deliver(folder=tmp_path / "share")).failed[0]
    assert modes(tmp_path / "share" / "2026-10") == before
    assert {path.name for path in (tmp_path / "share").iterdir()} <= {"2026-10", ".2026-10.lock"}


# By mail.


class Box:
    """Keeps what the server is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes]] = []
        self.logins: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if "gone" in address:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def knock(port: int) -> None:
    """Make a TLS server start to work, as the controller does for one without TLS."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain, trusting.wrap_socket(plain) as secure:
        secure.recv(64)


@contextmanager
def server(authority: trustme.CA, security: str, name: str = "localhost") -> Iterator[tuple[Box, int]]:
    """Give a mail server on loopback: security starttls, tls or none; its certificate is for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Box()
    login: dict[str, Any] = {"authenticator": box.authenticate}
    kinds: dict[str, dict[str, Any]] = {
        "starttls": {**login, "tls_context": context, "require_starttls": True, "auth_required": True},
        "tls": {**login, "ssl_context": context, "auth_require_tls": False},  # it knows of STARTTLS alone
        "none": {},
    }
    controller = Controller(box, hostname="127.0.0.1", port=port, **kinds[security])
    if security == "tls":
        controller._trigger_server = lambda: knock(port)  # type: ignore[method-assign] # noqa: SLF001 - it trusts no CA of ours
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


@pytest.fixture
def mail(authority: trustme.CA, tmp_path: Path) -> Mail:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    secret = tmp_path / "smtp.password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    return Mail(
        host="localhost",
        sender="Audit <audit@example.org>",
        to=("compliance@example.org",),
        user="audit",
        password_file=secret,
        ca_file=tmp_path / "ca.pem",
        timeout=10,
    )


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_tells_the_totals_and_no_patient(
    finished: Path, tmp_path: Path, authority: trustme.CA, mail: Mail, security: str
) -> None:
    (tmp_path / "share").mkdir()
    with server(authority, security) as (box, port):
        told = deliver(finished, Deliver(tmp_path / "share", mail=replace(mail, security=security, port=port)))
    assert told.failed == ()
    assert told.done[1] == "Mailed to compliance@example.org"
    ((recipients, raw),) = box.got
    assert (recipients, box.logins) == (["compliance@example.org"], [b"audit"])
    letter = read(raw)
    assert letter["Subject"] == "Therapy audit 2026-10: 36 findings, $1,245.50 at risk"
    assert (letter["Auto-Submitted"], letter["Message-ID"][-13:]) == ("auto-generated", "@example.org>")
    assert [part.get_content_type() for part in letter.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (part.get_content() for part in letter.iter_parts())
    for told_in in (text, html):
        assert "4,321 lines of 7 claims audited: 36 findings" in told_in
        assert "36 errors, 0 warnings, 0 hints" in told_in
        assert "1 payer name without a plan" in told_in
        assert str(tmp_path / "share" / "2026-10") in told_in
        assert "2 more rules" in told_in
        assert CANARY not in told_in
        assert PASSWORD not in told_in
    assert "$1,234.50  KX missing <past> the threshold (3)" in text
    assert "KX missing &lt;past&gt; the threshold" in html
    assert CANARY.encode() not in raw


def failing(finished: Path, mail: Mail) -> str:
    """Return the sentence of a mail that cannot be sent, after a look that it gives nothing away."""
    before = modes(finished)
    told = deliver(finished, Deliver(mail=mail))
    assert told.done == ()
    (sentence,) = told.failed
    assert modes(finished) == before
    assert PASSWORD not in sentence
    assert CANARY not in sentence
    return sentence


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_wrong_certificate_is_refused(finished: Path, authority: trustme.CA, mail: Mail, security: str) -> None:
    with server(authority, security, "mail.example.net") as (box, port):
        assert "certificate is not valid for 'localhost'" in failing(
            finished, replace(mail, security=security, port=port)
        )
    with server(trustme.CA(), security) as (other, port):  # nobody's authority
        assert "cannot be reached safely" in failing(finished, replace(mail, security=security, port=port))
        assert "certificate" in failing(finished, replace(mail, security=security, port=port, ca_file=None))
    assert box.got == other.got == []
    assert box.logins == other.logins == []


def test_a_stripped_starttls_sends_nothing(finished: Path, authority: trustme.CA, mail: Mail) -> None:
    with server(authority, "none") as (box, port):
        assert "does not offer STARTTLS, and nothing was sent" in failing(finished, replace(mail, port=port))
        plain = replace(mail, port=port, user=None, password_file=None)
        assert "does not offer STARTTLS" in failing(finished, plain)
        assert "cannot be reached safely" in failing(finished, replace(mail, port=port, security="tls"))
    assert (box.got, box.logins) == ([], [])


def test_a_wrong_password_is_told_without_it(
    finished: Path, authority: trustme.CA, mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_SECRET", "wrong-canary")
    wrong = replace(mail, password_file=None, password_env="MAIL_SECRET")  # noqa: S106 - the variable's name
    with server(authority, "starttls") as (box, port):
        told = failing(finished, replace(wrong, port=port))
        assert told.endswith("refused the login of 'audit' (535).")
        assert "wrong-canary" not in told
        monkeypatch.setenv("MAIL_SECRET", PASSWORD)
        assert deliver(finished, Deliver(mail=replace(wrong, port=port))).failed == ()
    assert len(box.got) == 1
    monkeypatch.setenv("MAIL_SECRET", "")
    assert "the variable MAIL_SECRET of the environment, with the mail's password, is not set" in failing(
        finished, wrong
    )


def test_recipients_that_are_refused_are_told(finished: Path, authority: trustme.CA, mail: Mail) -> None:
    with server(authority, "starttls") as (box, port):
        some = failing(finished, replace(mail, port=port, to=("compliance@example.org", "gone@example.org")))
        assert some.endswith("took the mail, but not for gone@example.org.")
        assert "refused all recipients" in failing(finished, replace(mail, port=port, to=("gone@example.org",)))
    assert [recipients for recipients, _ in box.got] == [["compliance@example.org"]]


def test_a_server_that_is_down_or_silent_is_told(finished: Path, mail: Mail) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert "Connection refused" in failing(finished, replace(mail, port=port))
        silent.listen()
        assert "gave no answer in time, or broke off (at connecting)" in failing(
            finished, replace(mail, port=port, timeout=1)
        )


def test_the_password_file_is_for_its_owner_alone(finished: Path, mail: Mail) -> None:
    assert mail.password_file
    mail.password_file.chmod(0o640)
    assert "others may read the mail's password; chmod 600 it" in failing(finished, mail)
    mail.password_file.chmod(0o600)
    mail.password_file.write_text("\n")
    assert "is empty" in failing(finished, mail)
    mail.password_file.unlink()
    assert "cannot be read there" in failing(finished, mail)
    assert "ca_file cannot be read as certificates" in failing(
        finished, replace(mail, user=None, ca_file=finished / "report.html")
    )


def test_a_copy_that_failed_is_told_in_the_mail(
    finished: Path, tmp_path: Path, authority: trustme.CA, mail: Mail
) -> None:
    with server(authority, "starttls") as (box, port):
        told = deliver(finished, Deliver(tmp_path / "no share", mail=replace(mail, port=port)))
    assert (len(told.done), len(told.failed)) == (1, 1)
    assert "Not copied: " in str(read(box.got[0][1]).get_body(("plain",)))


# The command line and audit.toml.


def test_deliver_tries_again_and_exits_4_where_it_fails(finished: Path, tmp_path: Path) -> None:
    toml = tmp_path / "audit.toml"
    toml.write_text('[deliver]\nfolder = "share"\n')
    again = ["deliver", str(finished), "--config", str(toml)]
    done = CliRunner().invoke(cli, again)
    assert done.exit_code == 4
    assert f"The report stands; to try again: therapy-audit deliver {finished} --config {toml}" in done.output
    (tmp_path / "share").mkdir()
    done = CliRunner().invoke(cli, again)
    assert (done.exit_code, done.output) == (0, f"Copied to {tmp_path / 'share' / '2026-10'}\n")


def test_show_prints_the_mail_and_sends_nothing(finished: Path, tmp_path: Path) -> None:
    toml = tmp_path / "audit.toml"
    toml.write_text(MAIL + 'subject = "{period}: {errors}/{warnings}/{hints}, {under_billed}"\nport = 1\n')
    done = CliRunner().invoke(cli, ["deliver", str(finished), "--config", str(toml), "--show"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("To: compliance@example.org\nSubject: 2026-10: 36/0/0, $0.00\n")
    assert CANARY not in done.output


def test_what_is_no_report_is_not_delivered(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"there is no summary\.json and manifest\.json"):
        deliver(tmp_path, Deliver(folder=tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[deliver]\n", "must have a folder, or a [deliver.mail]"),
        ('[deliver]\nfoldre = "x"\n', "[deliver] knows no 'foldre'. There are: folder"),
        ('[deliver]\nfolder = "x"\nfiles = ["../x"]\n', "files must be names or patterns"),
        ('[deliver]\nfolder = "x"\nreadable_by = "all"\n', "readable_by 'all' is not one of owner, group"),
        ('[deliver.mail]\nhost = "x"\n', "[deliver.mail] lacks from, to"),
        (MAIL + f'password = "{PASSWORD}"\n', "holds a password; put it in a file with mode 600"),
        (MAIL + 'security = "none"\n', "security 'none' is not one of starttls, tls"),
        (MAIL + 'user = "audit"\n', "must name a user with one of password_env and password_file"),
        (MAIL + 'password_env = "X"\n', "must name a user with one of"),
        (MAIL + 'user = "a"\npassword_env = "X"\npassword_file = "y"\n', "must name a user with one of"),
        (MAIL + "port = 0\n", "port must be from 1 to 65535"),
        (MAIL + 'subject = "{findings.__class__}"\n', "subject must be one line of text"),
        (MAIL + 'subject = "{findings!r}"\n', "subject must be one line of text"),
        (MAIL + 'subject = "{"\n', "subject must be one line of text"),
        (MAIL + 'subject = "a\\nBcc: x@example.org"\n', "subject must be one line of text"),
        (MAIL.replace("compliance@", "compliance"), "must be addresses such as"),
        (MAIL.replace("compliance@", "a@example.org\\nBcc: b@"), "must be addresses such as"),
    ],
)
def test_wrong_settings_are_one_sentence_without_the_password(tmp_path: Path, text: str, told: str) -> None:
    toml = tmp_path / "audit.toml"
    toml.write_text(text)
    with pytest.raises(AuditError) as fault:
        settings.read(toml)
    assert told in str(fault.value)
    assert str(fault.value).startswith("audit.toml: [deliver")
    assert PASSWORD not in str(fault.value)


def test_settings_are_read_with_their_defaults(tmp_path: Path) -> None:
    toml = tmp_path / "audit.toml"
    toml.write_text(MAIL + 'security = "tls"\nuser = "u"\npassword_file = "p"\n[deliver]\nfolder = "/srv/audits"\n')
    to = settings.read(toml).deliver
    assert to
    assert to.mail
    assert (to.folder, to.files, to.mail.port) == (Path("/srv/audits"), ("*",), 465)
    assert to.mail.password_file == tmp_path / "p"
    assert os.fspath(tmp_path) in repr(to)
