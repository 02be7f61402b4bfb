"""The lock of a run directory: only one process at a time trains there."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.harness.errors import UserError

LOCK = ".lock"
"""The file stays in the directory; the operating system releases the lock when the process ends, however it ends."""
HOLDER = ".lock-holder"
"""Names the process that holds the lock, for the error message of other processes."""
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems without locking; runs on these are not locked."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Create the directory if it is missing, and keep other processes out of it.

    Raises:
        UserError: when another process trains there; the message names it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lock, holder = FileLock(directory / LOCK), directory / HOLDER
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{directory} is in use: {_read(holder)} trains there; wait or use another --out") from None
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
    try:
        with suppress(OSError):  # only for error messages; the run itself reports a full disk
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _read(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8", errors="replace")[:1000] or "another process"
    except OSError:
        return "another process"
