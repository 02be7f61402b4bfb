"""The agent: what it sees, what it is told, what it remembers, what it does.

An encoder turns each of the 600 pictures into features; a core, step by step, turns features and the instruction T into
a policy and a value. The ways on which T reaches the core are the experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nalu import NAC, NAU, Ensemble, LSTMCell
from nalu.functional import affine, linear
from tasks.gridworld_time.dynamics import ACTIONS, START_AGENT, START_TARGET
from tasks.gridworld_time.pictures import Observation, observations

Route = Literal["lstm", "nac", "accumulator"]
Given = Literal["every-step", "start"]
Memory = Literal["lstm", "none"]
Unit = Literal["ternary", "nac", "nau", "linear", "oracle"]
Counts = Literal["time", "actions", "state"]

SCALE = 0.1
"""Networks see T, and what was made of it, times this."""

State = tuple[Tensor, ...]
"""What the core remembers: h and c of the LSTM if it has one, then the accumulator if it has one."""


@dataclass(frozen=True)
class Design:
    """How an agent is built; the options of the same names tell more."""

    observation: Observation
    instruction_path: Route
    instruction_at: Given
    memory: Memory
    unit: Unit
    units: int
    counts: Counts
    hidden_size: int


class Affine(nn.Linear):
    """A linear layer with bias, evaluated as is fastest for many seeds; ``(..., in) -> (..., out)``."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


class Ternary(nn.Module):
    """``y = round(W) x`` with W in [-1, 1], so that weights are -1, 0 or 1; ``(..., in) -> (..., out)``.

    The gradient passes the rounding as if it were not there (straight through).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.W_hat = nn.Parameter(torch.empty(out_features, in_features).uniform_(-1, 1))

    @property
    def W(self) -> Tensor:
        """The weights that count."""
        clipped = self.W_hat.clamp(-1, 1)
        return clipped + (clipped.round() - clipped).detach()

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.W)


class Oracle(nn.Module):
    """Adds the first input and subtracts the others: given T and then a 1 at every step, T - t. Nothing is learned."""

    W: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.register_buffer("W", torch.tensor([1.0] + [-1.0] * (in_features - 1)).repeat(out_features, 1))

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.W)


class Linear(nn.Linear):
    """Without bias and without constraint: the control."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)

    @property
    def W(self) -> Tensor:
        """The weights, by the name that the units have for them."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight)


UNITS: dict[Unit, Callable[[int, int], nn.Module]] = {
    "ternary": Ternary,
    "nac": NAC,
    "nau": NAU,
    "linear": Linear,
    "oracle": Oracle,
}


class Core(nn.Module):
    """The agent but for its encoder: one step of N episodes of every seed, its parameters being those of all S.

    Shapes: ``seen (S, N, width), instruction (S, N, 1), first (S, N, 1), action (S, N)``, the state before the step and
    the limits of what is read of the accumulator, two of ``(S, 1, units)``, to ``(S, N, 5)`` logits, ``(S, N)`` value
    and the state after the step. What is seen is of :meth:`first_layer`, ``first`` is 1 on the first step of an
    episode and 0 later, ``action`` the last one, -1 before the first.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        hidden, told = design.hidden_size, {"lstm": 1, "nac": 1 + design.units, "accumulator": 0}
        self.nac = NAC(1, design.units) if design.instruction_path == "nac" else None
        self.memory = LSTMCell(hidden + told[design.instruction_path], hidden) if design.memory == "lstm" else None
        self.accumulator: nn.Module | None = None
        self.reader: nn.Module = nn.Identity()
        if design.instruction_path == "accumulator":
            counted = {"time": 1, "actions": len(ACTIONS), "state": hidden}[design.counts]
            self.accumulator = UNITS[design.unit](1 + counted, design.units)
            self.reader = nn.Sequential(Affine(hidden + design.units, hidden), nn.ReLU())
        self.heads = Affine(hidden, len(ACTIONS) + 1)
        nn.init.orthogonal_(self.heads.weight[:-1].detach(), gain=0.01)  # a uniform policy to begin with
        nn.init.zeros_(self.heads.bias)

    def forward(
        self,
        seen: Tensor,
        instruction: Tensor,
        first: Tensor,
        action: Tensor,
        state: State,
        limits: State,
    ) -> tuple[Tensor, Tensor, State]:
        x = seen
        after: State = ()
        if self.memory is not None:
            after = self._remember(self.memory, seen, self._told(instruction, first), state)
            x = after[0]
        if self.accumulator is not None:
            counted = torch.cat([instruction * first, self._counted(x, action) * (1 - first)], dim=-1)
            total = state[-1] + self.accumulator(counted)
            after = (*after, total)
            x = torch.cat([x, SCALE * torch.minimum(torch.maximum(total, limits[0]), limits[1])], dim=-1)
        out = self.heads(self.reader(x))
        return out[..., :-1], out[..., -1], after

    def first_layer(self, features: Tensor) -> Tensor:
        """What the core's first layer makes of features, ``(S, pictures, hidden) -> (S, pictures, width)``.

        That of an LSTM multiplies them for its gates, which need not be done anew whenever a picture is seen.
        """
        if self.memory is None:
            return features
        weight = self.memory.weight_ih[..., : self.design.hidden_size]
        bias = self.memory.bias_ih + self.memory.bias_hh
        # Not affine: in memory by rows, as they are looked up.
        return torch.baddbmm(bias.unsqueeze(-2), features, weight.mT)

    def _told(self, instruction: Tensor, first: Tensor) -> State:
        """What the LSTM is given besides what it sees."""
        if self.design.instruction_path == "accumulator":
            return ()
        told = SCALE * (instruction * first if self.design.instruction_at == "start" else instruction)
        return (told,) if self.nac is None else (told, self.nac(told))

    def _remember(self, memory: LSTMCell, seen: Tensor, told: State, state: State) -> State:
        """The LSTM's state after a step."""
        h, c = state[:2]
        weight = torch.cat([memory.weight_hh, memory.weight_ih[..., self.design.hidden_size :]], dim=-1)
        return memory.update(torch.baddbmm(seen, torch.cat([h, *told], dim=-1), weight.mT), c)

    def _counted(self, x: Tensor, action: Tensor) -> Tensor:
        """What the accumulator is given after the start, ``(..., N, counted)``."""
        if self.design.counts == "state":
            return x
        if self.design.counts == "time":
            return torch.ones_like(x[..., :1])
        return (action.unsqueeze(-1) == torch.arange(len(ACTIONS), device=action.device)).to(x.dtype)

    def initial_state(self, features: Tensor) -> State:
        """Zeros for features ``(..., hidden)``."""
        state: State = ()
        if self.memory is not None:
            state = self.memory.initial_state(features)
        if self.accumulator is not None:
            state = (*state, features.new_zeros(*features.shape[:-1], self.design.units))
        return state


def build_encoder(design: Design) -> nn.Module:
    """What :func:`visible` gives to features ``(600, hidden)``."""
    if design.observation == "symbolic":
        return nn.Sequential(nn.Linear(50, design.hidden_size), nn.ReLU())
    return nn.Sequential(
        nn.Conv2d(3, 16, kernel_size=8, stride=8),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(800, design.hidden_size),
        nn.LayerNorm(design.hidden_size),
        nn.ReLU(),
    )


def visible(kind: Observation) -> Tensor:
    """What is seen at each start: planes as ``(600, 50)``, or pictures as ``(600, 3, 56, 56)``, from 0 to 1."""
    seen = torch.from_numpy(observations(kind)[START_AGENT, START_TARGET]).float()
    if kind == "symbolic":
        return seen.flatten(1)
    return (seen / 255).permute(0, 3, 1, 2)  # and so in the memory layout that convolutions prefer


class Agents(nn.Module):
    """S agents, of one seed each. The encoders run one after the other, the cores are an Ensemble.

    Since there are only 600 pictures, they are encoded once per batch of episodes and looked up at every step: the same
    numbers and the same gradient as to encode what each agent sees. The first layer of the core is part of that.
    """

    seen: Tensor

    def __init__(self, design: Design, seeds: range) -> None:
        super().__init__()
        encoders = Ensemble(lambda: build_encoder(design), seeds)
        members = nn.ModuleList(encoders.member(k) for k in range(len(seeds)))
        self.encoders = members.to(memory_format=torch.channels_last)
        self.core = Ensemble(lambda: Core(design), seeds, natively_batched=True)
        self.register_buffer("seen", visible(design.observation), persistent=False)

    def __len__(self) -> int:
        return len(self.core)

    def features(self) -> Tensor:
        """What each agent makes of each start's picture, ``(S, 600, width)``."""
        return self.core.template.first_layer(torch.stack([encoder(self.seen) for encoder in self.encoders]))

    def initial_state(self, features: Tensor) -> State:
        """Zeros for features ``(S, N, hidden)``."""
        return self.core.template.initial_state(features)

    def accumulator_weights(self) -> Tensor | None:
        """Effective weights of the accumulators, ``(S, units, 1 + counted)``; None without one."""
        unit = self.core.template.accumulator
        return None if unit is None else unit.W.detach()

    def clip_grad_norm_(self, max_norm: float) -> None:
        """Scale the gradient of each seed's encoder, and of its core, to at most ``max_norm``, in place."""
        for encoder in self.encoders:
            nn.utils.clip_grad_norm_(encoder.parameters(), max_norm)
        self.core.clip_grad_norm_(max_norm)

    def finite(self) -> Tensor:
        """Whether all numbers of an agent are finite, ``(S,)``."""
        cores = torch.stack([p.flatten(1).isfinite().all(dim=1) for p in self.core.parameters()]).all(dim=0)
        eyes = [torch.stack([p.isfinite().all() for p in encoder.parameters()]).all() for encoder in self.encoders]
        return cores & torch.stack(eyes)
