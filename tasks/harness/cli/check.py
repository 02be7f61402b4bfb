"""``nalu check``: the conformance tests for one task, in a process of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

import tyro

from tasks.harness.errors import UserError
from tasks.harness.registry import find_task, load_task


@dataclass(frozen=True)
class Check:
    """Run the conformance tests on one task; they train its smoke configuration for seconds."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Name of the task, as in `nalu list`."""

    def __call__(self) -> None:
        """Run pytest, and exit with its status: 0 if all tests pass, 1 if some fail."""
        task = load_task(find_task(self.name))
        if find_spec("pytest") is None:
            raise UserError("nalu check needs pytest: pip install pytest")
        # The settings and the cache of the current folder are those of another project.
        alone = ["-c", os.devnull, "-p", "no:cacheprovider", "-q"]
        options = ["-p", "tasks.harness.cli.check_plugin", "--task", task.name]
        tests = ["--pyargs", "tasks.harness.conformance"]
        done = subprocess.run([sys.executable, "-P", "-m", "pytest", *alone, *options, *tests])
        sys.exit(done.returncode)
