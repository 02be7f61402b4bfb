"""The provenance of a run: versions, commit, machine."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "numpy", "scipy", "nalu-suite")


def describe(device: torch.device) -> dict[str, Any]:
    """Device, versions and git commit, as JSON values."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """The commit of the source tree, with ``-dirty`` when tracked files differ; None if git does not track it."""
    git = shutil.which("git")
    if git is None:
        return None
    here = [git, "-C", str(Path(__file__).parent)]
    # An installed package may be in an environment inside an unrelated repository.
    if subprocess.run([*here, "ls-files", "--error-unmatch", __file__], capture_output=True, check=False).returncode:
        return None
    command = [*here, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    return done.stdout.strip() or None
