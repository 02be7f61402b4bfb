"""Where compilers put what they need for a moment: in a folder that the next start finds, if this one is killed."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "nalu-compile-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A block in which temporary files, also those of child processes, lie in a folder that goes with the block.

    A process that is killed leaves its folder; the next one that compiles deletes the folders of processes that are no
    more. The cache of torch's compiler stays where it is.
    """
    temporary = Path(tempfile.gettempdir())
    with suppress(KeyError, OSError):  # a user without a name
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(temporary / f"torchinductor_{getpass.getuser()}"))
    for old in temporary.glob(f"{PREFIX}*"):
        if not _runs(old.name.removeprefix(PREFIX).split("-")[0]):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable
        shutil.rmtree(folder, ignore_errors=True)


def _runs(process: str) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    return True
