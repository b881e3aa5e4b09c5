"""The file that holds the key ring: read only where nobody else may read it, made once, changed whole or not at all.

Every secret in the log depends on it. So it is never overwritten by another ring, and a change of it lies on the disk
before anything is sealed with what it added.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stream.errors import VaultLocked

OTHERS = stat.S_IRWXG | stat.S_IRWXO
Look = tuple[int, int, int, int, int]
"""What tells a file from the one that was there before: device, inode, size, time of change (ns), mode."""


class RingFile:
    """missing: what to do when there is none, as the end of a sentence."""

    def __init__(self, path: Path, missing: str) -> None:
        self.path = path
        self._missing = missing
        self._seen: Look | None = None

    def read(self) -> str:
        """Its text. Raises VaultLocked when it is not there, cannot be read or is open to others."""
        path = self.path
        try:
            with path.open(encoding="ascii") as file:
                status = os.fstat(file.fileno())
                self._seen = _look(status)
                if status.st_mode & OTHERS:
                    raise VaultLocked(f"The vault key file {path} is open to other users: run `chmod 600 {path}`.")
                return file.read()
        except FileNotFoundError:
            self._seen = None
            raise VaultLocked(f"There is no vault key file {path}: {self._missing}.") from None
        except OSError as error:
            raise VaultLocked(
                f"The vault key file {path} cannot be read ({error.strerror}): make it readable."
            ) from None
        except UnicodeDecodeError:
            raise VaultLocked(f"{path} does not hold vault keys: put back the file that Rosterbook made.") from None

    def changed(self) -> str | None:
        """Its text when it is another than was read last, else None. Raises as `read` does, once for each change."""
        try:
            look = _look(self.path.stat())
        except OSError:
            look = None
        if look == self._seen:
            return None
        self._seen = look
        return self.read()

    def make(self, text: str) -> bool:
        """Write it unless it is there: whole or absent, and the first of two makers wins. Whether we made it.

        Raises VaultLocked when it cannot be made.
        """
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = False
            with _beside(path, text, None) as part, suppress(FileExistsError):
                path.hardlink_to(part)
                made = True
            with _locked(path.parent) as folder:
                os.fsync(folder)
        except OSError as error:
            raise VaultLocked(
                f"No vault key file can be made in {path.parent} ({error.strerror}): make the folder writable."
            ) from None
        return made

    def change(self, edit: Callable[[str], str]) -> str:
        """Put `edit` of its text in its place, owner and mode kept, one change at a time; returns the new text.

        The change is on the disk when this returns. Raises VaultLocked when it cannot be read or changed.
        """
        target = Path(os.path.realpath(self.path))
        self.read()  # says what is wrong with the file, rather than with its folder
        try:
            with _locked(target.parent) as folder:  # of two changes at once one would lose a key that is in use
                text = edit(self.read())
                with _beside(target, text, target.stat()) as part:
                    part.replace(target)
                os.fsync(folder)
        except OSError as error:
            raise VaultLocked(
                f"The vault key file {target} cannot be changed ({error.strerror}): run this as its owner where its "
                "folder is writable, or name a new file with --to."
            ) from None
        return text


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The folder's descriptor, locked against everybody who locks it too."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _beside(path: Path, text: str, like: os.stat_result | None) -> Iterator[Path]:
    """A file in the same folder that holds the text and is on the disk. like: whose owner and mode it gets."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            if like is not None:
                if like.st_uid != os.geteuid():
                    os.fchown(file.fileno(), like.st_uid, -1)
                os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def _look(status: os.stat_result) -> Look:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode
