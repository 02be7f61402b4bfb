"""The core of the agent: from features and the instruction T to a policy and a value, one time step at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nalu import NAC, LSTMCell
from nalu.functional import affine
from tasks.gridworld_time.agent.accumulator import build_accumulator
from tasks.gridworld_time.design import Design
from tasks.gridworld_time.world.dynamics import ACTIONS

SCALE = 0.1
"""T and the accumulator enter the networks multiplied by this."""

RecurrentState = tuple[Tensor, ...]
"""What the core remembers: h and c of the LSTM if it has one, then the accumulator if it has one."""

Range = tuple[Tensor, Tensor]
"""The smallest and the largest value of each accumulator, each ``(S, 1, units)``."""


class Affine(nn.Linear):
    """A linear layer with bias, computed in the way that is fastest for many seeds; ``(..., in) -> (..., out)``."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


class Core(nn.Module):
    """The agent without its encoder. The parameters are those of one seed, or stacked, those of S seeds.

    ``forward`` computes one time step of N episodes of every seed. Its arguments:

    - ``encoded (S, N, width)``: the observations, encoded by the encoder and :meth:`first_layer`
    - ``instruction (S, N, 1)``: T
    - ``first (S, N, 1)``: 1 at the first step of an episode, 0 later
    - ``last_action (S, N)``: the action of the previous step, -1 at the first step
    - ``state``: the recurrent state before the step
    - ``reading_range``: the policy reads the accumulator clipped to this range, two tensors of ``(S, 1, units)``

    It returns the logits of the actions ``(S, N, 5)``, the value ``(S, N)`` and the recurrent state after the step.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        hidden, instruction_size = design.hidden_size, {"lstm": 1, "nac": 1 + design.units, "accumulator": 0}
        self.nac = NAC(1, design.units) if design.instruction_path == "nac" else None
        input_size = hidden + instruction_size[design.instruction_path]
        self.memory = LSTMCell(input_size, hidden) if design.memory == "lstm" else None
        self.accumulator: nn.Module | None = None
        self.reader: nn.Module = nn.Identity()
        if design.instruction_path == "accumulator":
            counted = {"time": 1, "actions": len(ACTIONS), "state": hidden}[design.counts]
            self.accumulator = build_accumulator(design.unit, 1 + counted, design.units)
            self.reader = nn.Sequential(Affine(hidden + design.units, hidden), nn.ReLU())
        self.heads = Affine(hidden, len(ACTIONS) + 1)
        nn.init.orthogonal_(self.heads.weight[:-1].detach(), gain=0.01)  # the initial policy is almost uniform
        nn.init.zeros_(self.heads.bias)

    def forward(
        self,
        encoded: Tensor,
        instruction: Tensor,
        first: Tensor,
        last_action: Tensor,
        state: RecurrentState,
        reading_range: Range,
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        x = encoded
        next_state: RecurrentState = ()
        if self.memory is not None:
            next_state = self._update_memory(self.memory, encoded, self._instruction_inputs(instruction, first), state)
            x = next_state[0]
        if self.accumulator is not None:
            increment = torch.cat([instruction * first, self._counted(x, last_action) * (1 - first)], dim=-1)
            total = state[-1] + self.accumulator(increment)
            next_state = (*next_state, total)
            low, high = reading_range
            x = torch.cat([x, SCALE * torch.minimum(torch.maximum(total, low), high)], dim=-1)
        out = self.heads(self.reader(x))
        return out[..., :-1], out[..., -1], next_state

    def first_layer(self, features: Tensor) -> Tensor:
        """Apply the part of the core that depends on the observation alone, ``(S, M, hidden) -> (S, M, width)``.

        With an LSTM, this is the product of the features with its input weights, plus its biases. It is computed once
        for each of the M different observations, not again at every step. Without an LSTM it is the identity.
        """
        if self.memory is None:
            return features
        weight = self.memory.weight_ih[..., : self.design.hidden_size]
        bias = self.memory.bias_ih + self.memory.bias_hh
        # Not affine(): the result must lie in memory by rows, because rows are looked up.
        return torch.baddbmm(bias.unsqueeze(-2), features, weight.mT)

    def _instruction_inputs(self, instruction: Tensor, first: Tensor) -> tuple[Tensor, ...]:
        """The inputs of the LSTM that depend on T: none, T, or T and the output of the NAC."""
        if self.design.instruction_path == "accumulator":
            return ()
        scaled = SCALE * (instruction * first if self.design.instruction_at == "start" else instruction)
        return (scaled,) if self.nac is None else (scaled, self.nac(scaled))

    def _update_memory(
        self, memory: LSTMCell, encoded: Tensor, instruction: tuple[Tensor, ...], state: RecurrentState
    ) -> RecurrentState:
        """The state of the LSTM after the step."""
        h, c = state[:2]
        weight = torch.cat([memory.weight_hh, memory.weight_ih[..., self.design.hidden_size :]], dim=-1)
        return memory.update(torch.baddbmm(encoded, torch.cat([h, *instruction], dim=-1), weight.mT), c)

    def _counted(self, x: Tensor, last_action: Tensor) -> Tensor:
        """The input of the accumulator after the first step, ``(..., N, counted)``."""
        if self.design.counts == "state":
            return x
        if self.design.counts == "time":
            return torch.ones_like(x[..., :1])
        return (last_action.unsqueeze(-1) == torch.arange(len(ACTIONS), device=last_action.device)).to(x.dtype)

    def initial_state(self, features: Tensor) -> RecurrentState:
        """The recurrent state before the first step, zeros; features are ``(..., hidden)``."""
        state: RecurrentState = ()
        if self.memory is not None:
            state = self.memory.initial_state(features)
        if self.accumulator is not None:
            state = (*state, features.new_zeros(*features.shape[:-1], self.design.units))
        return state
