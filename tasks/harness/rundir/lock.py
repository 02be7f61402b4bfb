"""One process at a time trains in a run directory."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.harness.errors import UserError

try:
    import fcntl
except ImportError:  # Windows goes without
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""In the run directory while a process trains there. What a killed one leaves holds nobody back: the kernel forgets the
lock when its process ends."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory where there is none, and keep other processes out of it.

    Raises:
        UserError: when another process trains there; it is named.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    path = directory / LOCK
    file = _hold(path)
    try:
        with suppress(OSError):  # it only tells others who we are; a full disk has worse in store
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(file)


def _hold(path: Path) -> int:
    """The descriptor of the file, locked."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(file, 1000, 0).decode(errors="replace") or "another process"
            os.close(file)
            raise UserError(f"{path.parent} is in use: {holder} trains there; wait or use another --out") from None
        except OSError:
            return file  # a file system that knows no locks
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)  # between our opening and our locking it, its holder ended and deleted it
