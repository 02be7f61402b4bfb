"""What the tests of the grid world's agents share: small agents of every design, and all starts."""

import torch

from tasks.gridworld_time.agent.model import Agents
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.dynamics import DISTANCE, START_AGENT, START_TARGET, STARTS

EVERY = torch.arange(STARTS)
DISTANCES = torch.from_numpy(DISTANCE[START_AGENT, START_TARGET])
DESIGNS = (
    {},
    {"instruction_at": "start"},
    {"instruction_path": "nac", "units": 3},
    {"instruction_path": "accumulator"},
    {"instruction_path": "accumulator", "unit": "nac", "units": 2, "memory": "lstm"},
    {"instruction_path": "accumulator", "unit": "nau", "counts": "actions"},
    {"instruction_path": "accumulator", "unit": "linear", "counts": "state", "memory": "lstm"},
    {"instruction_path": "accumulator", "unit": "oracle"},
)


def agents_of(seeds: range = range(2), **options: object) -> Agents:
    return Agents(Config(hidden_size=8, **options).design, seeds)
