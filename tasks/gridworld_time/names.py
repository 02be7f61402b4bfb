"""The names of agents in tables and figures, and the order in which they appear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.gridworld_time.design import ACCUMULATORS
from tasks.gridworld_time.options import Config
from tasks.harness.finished_run import FinishedRun

OBSERVATIONS = ("symbolic", "pixels")


def name(options: Mapping[str, Any]) -> str:
    """The agent of a run in words."""
    words = ["pixels"] if options["observation"] == "pixels" else []
    if options["instruction_path"] == "accumulator":
        words.append(f"accumulator, {options['unit']}" + (f" x {options['units']}" if options["units"] > 1 else ""))
        if options["counts"] != "time":
            words.append(f"counts {options['counts']}")
        if options["memory"] == "lstm":
            words.append("LSTM")
    else:
        words.append({"lstm": "T to the LSTM", "nac": "T also through a NAC"}[options["instruction_path"]])
        if options["instruction_at"] == "start":
            words.append("told once")
    if options["hidden_size"] != Config.hidden_size:
        words.append(f"hidden size {options['hidden_size']}")
    return ", ".join(words)


def ordered(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Sort runs: symbolic before pixels; within each, the baseline first, units of other packages last."""

    def key(run: FinishedRun) -> tuple[int, int, bool, str]:
        options = run.options
        rank = ("lstm", "nac", "accumulator").index(options["instruction_path"])
        is_own = options["unit"] not in ACCUMULATORS
        return OBSERVATIONS.index(options["observation"]), rank, is_own, name(options)

    return sorted(runs, key=key)
