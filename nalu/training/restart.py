"""New starts for seeds that are stuck."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nalu.training.ensemble import Ensemble


class Restart:
    """The iNALU's new start of runs that are stuck, for each seed of an ensemble by itself (Schlör et al. 2020).

    Every ``every`` steps a seed begins anew, with other initial parameters, if of its last ``window`` losses the mean
    of the older half is at most the mean of the newer half plus its standard deviation, and the mean of the newer half
    is above ``limit``: the seed is far off and no longer improves.

    Two faults of public code are not repeated. The losses are those of training, which change with every step, not
    those of a validation set that is evaluated every 1000; and the seed's moments in the optimiser begin anew too.
    (Adam's count of steps is shared by all seeds and goes on, so that the first steps after a restart are about three
    times as large as those after a first start.) A seed whose loss is NaN is a failed seed and stays.

    Args:
        model: whose modules have ``reset_parameters``.
        optimizer: of the parameters of ``model``; a state tensor of a parameter's shape is reset with it.
        window: losses that are looked at; published: 5000, or 10 000 in the authors' code.
        every: steps between two looks.

    Raises:
        ValueError: when ``window`` is not a multiple of twice ``every``.
    """

    def __init__(
        self,
        model: Ensemble,
        optimizer: torch.optim.Optimizer,
        *,
        window: int = 5000,
        every: int = 10,
        limit: float = 1.0,
    ) -> None:
        if every < 1 or window < 1 or window % (2 * every):
            raise ValueError(f"window must be a multiple of twice every, got {window} and {every}")
        self.model = model
        self.optimizer = optimizer
        self.every = every
        self.limit = limit
        device = next(model.parameters()).device
        # Mean and mean square of each block of ``every`` losses, the oldest first, are all that has to be remembered.
        self.moments = torch.zeros(2, window // every, len(model), dtype=torch.float64, device=device)
        self.block = torch.zeros(every, len(model), dtype=torch.float64, device=device)
        """The losses since the last look."""
        self.steps = 0
        self.since = torch.zeros(len(model), dtype=torch.int64, device=device)
        """Whole blocks of each seed since it began."""
        self.counts = torch.zeros(len(model), dtype=torch.int64, device=device)
        """Restarts of each seed."""

    @torch.no_grad()
    def __call__(self, loss: Tensor) -> Tensor:
        """Note the training losses ``(S,)`` of a step, after the optimiser's, and restart what is stuck.

        Returns:
            Which seeds began anew, ``(S,)``.
        """
        self.block[self.steps % self.every] = loss
        self.steps += 1
        stuck = torch.zeros_like(self.since, dtype=torch.bool)
        if self.steps % self.every == 0:
            block = torch.stack([self.block.mean(dim=0), self.block.square().mean(dim=0)])
            self.moments = torch.cat([self.moments[:, 1:], block.unsqueeze(1)], dim=1)
            self.since += 1
            stuck = self._stuck() & (self.since >= self.moments.shape[1])
        for k in stuck.nonzero().flatten().tolist():
            self._restart(k)
        return stuck

    def _stuck(self) -> Tensor:
        (older, _), (newer, newer_square) = (half.mean(dim=1).unbind() for half in self.moments.chunk(2, dim=1))
        deviation = (newer_square - newer.square()).clamp(min=0).sqrt()
        return (older <= newer + deviation) & (newer > self.limit)

    def _restart(self, k: int) -> None:
        """Draw the parameters of member k anew; its n-th start depends on its seed and n alone."""
        self.since[k] = 0
        self.counts[k] += 1
        fresh = self.model.member(k)
        # The n-th number that the member's seed draws: 32 bits, which is all that torch's generator takes on the CPU.
        draws = torch.Generator().manual_seed(self.model.seeds[k])
        seed = int(torch.randint(2**32, (int(self.counts[k]),), generator=draws, device="cpu")[-1])
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for module in fresh.modules():
                if callable(reset := getattr(module, "reset_parameters", None)):
                    reset()
        tensors = {**dict(fresh.named_parameters()), **dict(fresh.named_buffers())}
        for name, tensor in self.model.stacked().items():
            tensor[k] = tensors[name]
            for moment in self.optimizer.state.get(tensor, {}).values():
                if isinstance(moment, Tensor) and moment.shape == tensor.shape:
                    moment[k] = 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {name: getattr(self, name) for name in ("moments", "block", "steps", "since", "counts")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        for name, value in state.items():
            setattr(self, name, value.to(self.since.device, copy=True) if isinstance(value, Tensor) else value)
