"""How an agent is built: the choices, and their combination in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tasks.gridworld_time.world.rendering import Observation

InstructionPath = Literal["lstm", "nac", "accumulator"]
InstructionAt = Literal["every-step", "start"]
Memory = Literal["lstm", "none"]
Unit = Literal["ternary", "nac", "nau", "linear", "oracle"]
Counts = Literal["time", "actions", "state"]


@dataclass(frozen=True)
class Design:
    """The architecture of an agent; the options of the same names describe the fields."""

    observation: Observation
    instruction_path: InstructionPath
    instruction_at: InstructionAt
    memory: Memory
    unit: Unit
    units: int
    counts: Counts
    hidden_size: int
