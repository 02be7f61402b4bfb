"""How an agent is built: the choices, and their combination in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from nalu.units.catalogue import UNITS
from tasks.gridworld_time.world.rendering import Observation
from tasks.harness.cells import choice

InstructionPath = Literal["lstm", "nac", "accumulator"]
InstructionAt = Literal["every-step", "start"]
Memory = Literal["lstm", "none"]
OWN_UNITS = ("ternary", "nac", "nau", "linear", "oracle")
"""Units of which the accumulators of the tables consist; see ``agent/accumulator.py``."""
ACCUMULATORS = (*OWN_UNITS, *(name for name in UNITS if name not in OWN_UNITS))
Unit = Annotated[str, choice(ACCUMULATORS)]
Counts = Literal["time", "actions", "state"]


@dataclass(frozen=True)
class Design:
    """The architecture of an agent; the options of the same names describe the fields."""

    observation: Observation
    instruction_path: InstructionPath
    instruction_at: InstructionAt
    memory: Memory
    unit: str
    units: int
    counts: Counts
    hidden_size: int
