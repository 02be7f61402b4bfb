"""The agents of all seeds: an encoder of the observations, and a core.

The encoder turns each of the 600 different observations into features. The core turns, step by step, features and the
instruction T into a policy and a value. The experiment varies the path by which T reaches the core.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nalu import Ensemble
from tasks.gridworld_time.agent.core import Core, RecurrentState
from tasks.gridworld_time.design import Design
from tasks.gridworld_time.world.dynamics import START_AGENT, START_TARGET
from tasks.gridworld_time.world.rendering import Observation, observations


def build_encoder(design: Design) -> nn.Module:
    """The network from :func:`all_observations` to features ``(600, hidden)``."""
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


def all_observations(kind: Observation) -> Tensor:
    """The observation at each start, from 0 to 1: planes ``(600, 50)`` or pictures ``(600, 3, 56, 56)``."""
    observed = torch.from_numpy(observations(kind)[START_AGENT, START_TARGET]).float()
    if kind == "symbolic":
        return observed.flatten(1)
    return (observed / 255).permute(0, 3, 1, 2)  # a view: channels last, the memory layout that convolutions prefer


class Agents(nn.Module):
    """The agents of S seeds. The encoders run one after the other; the cores are an Ensemble.

    A state of the world before arrival is one of 600 (agent, target) pairs, so there are 600 different observations.
    They are encoded once for each batch of episodes and then looked up at every step. Values and gradients are the same
    as if every observation were encoded when it occurs. The first layer of the core is computed in advance, too.
    """

    observations: Tensor

    def __init__(self, design: Design, seeds: range) -> None:
        super().__init__()
        encoders = Ensemble(lambda: build_encoder(design), seeds)
        members = nn.ModuleList(encoders.member(k) for k in range(len(seeds)))
        self.encoders = members.to(memory_format=torch.channels_last)
        self.core = Ensemble(lambda: Core(design), seeds, natively_batched=True)
        self.register_buffer("observations", all_observations(design.observation), persistent=False)

    def __len__(self) -> int:
        return len(self.core)

    def features(self) -> Tensor:
        """The encoded observation of every start for every seed, ``(S, 600, width)``."""
        return self.core.template.first_layer(torch.stack([encoder(self.observations) for encoder in self.encoders]))

    def initial_state(self, features: Tensor) -> RecurrentState:
        """The recurrent state before the first step, zeros; features are ``(S, N, hidden)``."""
        return self.core.template.initial_state(features)

    def accumulator_weights(self) -> Tensor | None:
        """Effective weights of the accumulators, ``(S, units, 1 + counted)``; None for units that do not give them."""
        W = getattr(self.core.template.accumulator, "W", None)
        return None if W is None else W.detach()

    def clip_grad_norm_(self, max_norm: float) -> None:
        """Clip the gradient norm of each seed's encoder, and of its core, to ``max_norm``, in place."""
        for encoder in self.encoders:
            nn.utils.clip_grad_norm_(encoder.parameters(), max_norm)
        self.core.clip_grad_norm_(max_norm)

    def finite(self) -> Tensor:
        """Whether all parameters of an agent are finite, ``(S,)``."""
        cores = torch.stack([p.reshape(len(self), -1).isfinite().all(dim=1) for p in self.core.parameters()]).all(dim=0)
        encoders = [torch.stack([p.isfinite().all() for p in encoder.parameters()]).all() for encoder in self.encoders]
        return cores & torch.stack(encoders)
