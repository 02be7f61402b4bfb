"""Where and when it was measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tasks.harness.rundir.provenance import describe


def machine() -> dict[str, Any]:
    """Processor, load, versions, commit and date, as JSON values."""
    surroundings = describe(torch.device("cpu"))
    return {
        "processor": processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "cores": cores(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "versions": surroundings["versions"],
        "git_commit": surroundings["git_commit"],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The name of the processor, as well as the system tells it."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Processors that this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads(threads: int) -> None:
    """Keep this process, its libraries' own threads included, to so many processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    torch.set_num_threads(threads)
