"""Levenberg-Marquardt for many small networks at once.

For networks of at most a few hundred parameters and as many examples: the residuals r of all examples are linearised,
r(theta - d) = r - J d, and the step d solves the damped least-squares problem exactly. It follows narrow curved valleys
in tens of steps where gradient descent crawls for tens of thousands (Levenberg 1944; Marquardt 1963).

A small concave penalty, sum log(1 + (theta - theta_0)^2 / width^2) about the parameters theta_0 of a neutral network,
is part of the objective: of many parameters that fit the data equally well it prefers those of which most stay neutral.
It enters by iterative reweighting.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from nalu import Ensemble

WIDTH = 0.1
FLOOR = 1e-9
"""Added to the diagonal, so that a parameter which no example depends on stays where it is."""
Residual = Callable[[Tensor, Tensor], Tensor]


class LevenbergMarquardt:
    """Steps all members of an ensemble, each with its own damping; no member depends on another.

    Args:
        model: its members map an example to a number; stepped in place.
        residual: of a prediction and its target.
        neutral: the parameters of a neutral member, by name.
    """

    def __init__(self, model: Ensemble, residual: Residual, neutral: dict[str, Tensor]) -> None:
        self._model = model
        self._shapes = {name: tensor.shape[1:] for name, tensor in model.stacked().items()}
        first = next(iter(model.stacked().values()))
        self._neutral = torch.cat([neutral[name].flatten() for name in self._shapes]).to(first)
        self.damping = first.new_ones(len(model))

        def of_one_example(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
            return residual(functional_call(model.template, self._unflatten(theta), (x,)), y)

        over_examples = (None, 0, 0)
        self._residuals = vmap(vmap(of_one_example, over_examples))
        self._jacobian = vmap(vmap(grad(of_one_example), over_examples))

    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor, weight: Tensor, penalty: float) -> None:
        """One step; a member that would get worse stays where it is and is damped more.

        Args:
            x: examples, ``(S, B, ...)``.
            y: targets, ``(S, B)``.
            weight: of each example's residual, ``(S, B)``.
            penalty: weight of the penalty.
        """
        theta = torch.cat([tensor.reshape(len(tensor), -1) for tensor in self._model.stacked().values()], dim=1)
        away = theta - self._neutral
        r = weight * self._residuals(theta, x, y)
        J = weight.unsqueeze(-1) * self._jacobian(theta, x, y)
        pull = penalty / (away.square() + WIDTH**2)
        curvature = J.mT @ J + torch.diag_embed(pull)
        gradient = (J.mT @ r.unsqueeze(-1)).squeeze(-1) + pull * away
        scale = curvature.diagonal(dim1=-2, dim2=-1) + FLOOR
        damped = curvature + torch.diag_embed(self.damping.unsqueeze(-1) * scale)
        step, failed = torch.linalg.solve_ex(damped, gradient)
        new = theta - step
        better = (failed == 0) & (
            self._objective(new, weight * self._residuals(new, x, y), penalty) < self._objective(theta, r, penalty)
        )
        theta = torch.where(better.unsqueeze(-1), new, theta)
        self.damping = torch.where(better, self.damping / 3, self.damping * 2).clamp(1e-12, 1e12)
        for name, values in vmap(self._unflatten)(theta).items():
            self._model.stacked()[name].copy_(values)

    def _objective(self, theta: Tensor, r: Tensor, penalty: float) -> Tensor:
        away = (theta - self._neutral) / WIDTH
        return r.square().sum(dim=-1) + penalty * away.square().log1p().sum(dim=-1)

    def _unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        parts = theta.split([shape.numel() for shape in self._shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
