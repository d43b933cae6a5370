"""A report encrypted at rest: one file in the age format, opened by a key that is kept elsewhere.

age (age-encryption.org) has an X25519 key pair, ChaCha20-Poly1305 in pieces of 64 KiB, and other programs that read it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
import threading
from typing import TYPE_CHECKING, Any

from therapy_audit.errors import AuditError
from therapy_audit.files import file_hash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUFFIX = ".age"
KEY = "report.key"


def make_key(path: Path) -> str:
    """Write a new key that only this user may read, and return its public part. AuditError: the file is there."""
    identity = _age().x25519.Identity.generate()
    public = str(identity.to_public())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise AuditError(
            f"{path}: the file exists; a key that is lost opens nothing any more, so name another."
        ) from None
    except OSError as fault:
        raise AuditError(f"{path}: the key cannot be written there ({fault.strerror}).") from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"# public key: {public}\n{identity}\n")
    return public


def check(recipients: Sequence[str]) -> None:
    """Raise AuditError where a public key is none."""
    _recipients(recipients)


def encrypt(folder: Path, recipients: Sequence[str], *, keep: bool = False) -> Path:
    """Encrypt a report folder to <folder>.age for these public keys, and remove the folder unless it is to be kept.

    Beside it <folder>.age.sha256 tells damage from a wrong key. Raises AuditError for what is no report or no key.
    """
    from therapy_audit import pipeline

    keys = _recipients(recipients)
    if folder.is_symlink() or not (folder / "manifest.json").is_file():
        raise AuditError(f"{folder}: this is no report folder; name one that `therapy-audit run` has written.")
    sealed = folder.with_name(folder.name + SUFFIX)
    part = folder.with_name(f".{sealed.name}.part")
    before = os.umask(0o077)
    try:
        with pipeline.locked(pipeline.lock_of(folder), f"{folder}: a run is writing this report; try again after it."):
            _packed(folder, part, keys)
            digest = file_hash(part)
            part.replace(sealed)
            sealed.with_name(sealed.name + ".sha256").write_text(f"{digest}  {sealed.name}\n", encoding="ascii")
            if not keep:
                import shutil

                shutil.rmtree(folder)
    except OSError as fault:
        raise AuditError(f"{sealed}: it cannot be written ({fault.strerror}).") from None
    finally:
        part.unlink(missing_ok=True)
        os.umask(before)
    return sealed


def decrypt(sealed: Path, key: Path, output: Path | None = None) -> Path:
    """Put the report of an encrypted file into `output` (the file's name without .age), whole or not at all.

    AuditError tells a key that does not fit from a file that is damaged.
    """
    from therapy_audit import pipeline

    identities = _identities(key)
    if not sealed.is_file():
        raise AuditError(f"{sealed}: there is no such file.")
    folder = output or sealed.with_name(sealed.name.removesuffix(SUFFIX))
    if folder == sealed:
        raise AuditError(f"{sealed}: its name does not end with {SUFFIX}; name the folder to write with --out.")
    told = sealed.with_name(sealed.name + ".sha256")
    whole = told.is_file() and told.read_text(encoding="ascii", errors="replace").split()[:1] == [file_hash(sealed)]
    if told.is_file() and not whole:
        raise AuditError(f"{sealed}: the file is damaged, as {told.name} tells; get it from where it was copied from.")
    with pipeline.replaced(folder) as building:
        packed = building / "packed.tar"
        try:
            _age().decrypt_file(str(sealed), str(packed), identities)
        except _age().DecryptError as fault:
            if "No matching keys" in str(fault):
                doubt = "" if whole else ", or the first lines of the file are damaged"
                raise AuditError(f"{key}: this key does not open {sealed.name}{doubt}.") from None
            raise _damaged(sealed) from None
        except OSError as fault:
            if fault.errno is not None:
                raise
            raise _damaged(sealed) from None  # as pyrage tells a piece that does not decrypt
        try:
            with tarfile.open(packed) as parts:
                parts.extractall(building, filter="data")  # no path outside, no link, no device
        except (tarfile.TarError, OSError) as fault:
            raise AuditError(f"{sealed}: what is in it is no report ({type(fault).__name__}).") from None
        packed.unlink()
        if not (building / "manifest.json").is_file():
            raise AuditError(f"{sealed}: what is in it is no report.")
    return folder


def _damaged(sealed: Path) -> AuditError:
    return AuditError(f"{sealed}: the file is damaged; get it from where it was copied from.")


def _packed(folder: Path, part: Path, keys: Sequence[Any]) -> None:
    """Write the folder's files, packed and encrypted in one go: nothing of it is on the disk in plain once more."""
    reading, writing = os.pipe()

    def pack() -> None:
        with (
            os.fdopen(writing, "wb") as pipe,
            contextlib.suppress(BrokenPipeError),
            tarfile.open(fileobj=pipe, mode="w|") as parts,
        ):
            for path in sorted(folder.rglob("*")):
                parts.add(path, path.relative_to(folder), recursive=False)

    packing = threading.Thread(target=pack)
    packing.start()
    try:
        with os.fdopen(reading, "rb") as pipe, part.open("wb") as file:
            _age().encrypt_io(pipe, file, keys)
    finally:
        packing.join()


def _recipients(given: Sequence[str]) -> list[Any]:
    if not given:
        raise AuditError("No public key was given; `therapy-audit keygen` makes a key and tells its public part.")
    found = []
    for text in given:
        try:
            found.append(_age().x25519.Recipient.from_str(text.strip()))
        except _age().RecipientError:
            raise AuditError(
                f"'{text[:20]}' is no public key; it begins with age1, as `therapy-audit keygen` tells it."
            ) from None
    return found


def _identities(path: Path) -> list[Any]:
    try:
        with path.open("rb") as file:
            if os.name != "nt" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise AuditError(f"{path}: others may read this key; chmod 600 it.")
            lines = file.read(10_000).decode("ascii").splitlines()
        keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        found = [_age().x25519.Identity.from_str(line) for line in keys]
    except OSError as fault:
        raise AuditError(f"{path}: the key cannot be read ({fault.strerror}).") from None
    except (UnicodeDecodeError, _age().IdentityError):
        found = []
    if not found:
        raise AuditError(f"{path}: this is no key; it holds a line that begins with AGE-SECRET-KEY-1.")
    return found


def _age() -> Any:
    try:
        import pyrage
    except ImportError:
        raise AuditError("Encryption needs pyrage: pip install 'therapy-audit[encryption]'.") from None
    return pyrage
