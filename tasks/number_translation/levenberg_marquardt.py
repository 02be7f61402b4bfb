"""Levenberg-Marquardt for many small networks at once.

For networks with at most a few hundred parameters, and as many examples. The residuals r of all examples are
linearised, r(theta - d) = r - J d, and the step d solves the damped least-squares problem exactly. The method follows
narrow curved valleys in tens of steps, where gradient descent needs tens of thousands (Levenberg 1944; Marquardt 1963).

The objective includes a small concave penalty, sum log(1 + (theta - theta_0)^2 / width^2). theta_0 are the parameters
of a network that does nothing. Among parameters that fit the data equally well, the penalty prefers those of which most
stay at theta_0. It is minimised by iteratively reweighted least squares.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from nalu import Ensemble

WIDTH = 0.1
FLOOR = 1e-9
"""Added to the scale of the damping, so that a parameter that affects no example stays where it is."""
Residual = Callable[[Tensor, Tensor], Tensor]


class LevenbergMarquardt:
    """Optimises all members of an ensemble, each with its own damping; members do not affect each other.

    Args:
        model: its members map an example to a number; :meth:`step` changes it in place.
        residual: function of a prediction and its target.
        penalty_center: the parameters of one member, by name, at which the penalty is 0.
    """

    def __init__(self, model: Ensemble, residual: Residual, penalty_center: dict[str, Tensor]) -> None:
        self._model = model
        self._shapes = {name: tensor.shape[1:] for name, tensor in model.stacked().items()}
        first = next(iter(model.stacked().values()))
        self._center = torch.cat([penalty_center[name].flatten() for name in self._shapes]).to(first)
        self.damping = first.new_ones(len(model))

        def of_one_example(theta: Tensor, x: Tensor, y: Tensor) -> Tensor:
            return residual(functional_call(model.template, self._unflatten(theta), (x,)), y)

        over_examples = (None, 0, 0)
        self._residuals = vmap(vmap(of_one_example, over_examples))
        self._jacobian = vmap(vmap(grad(of_one_example), over_examples))

    @torch.no_grad()
    def step(self, x: Tensor, y: Tensor, weight: Tensor, penalty: float) -> None:
        """Do one step. A member whose objective would increase keeps its parameters and gets a larger damping.

        Args:
            x: examples, ``(S, B, ...)``.
            y: targets, ``(S, B)``.
            weight: factor of each example's residual, ``(S, B)``.
            penalty: weight of the penalty.
        """
        theta = torch.cat([tensor.reshape(len(tensor), -1) for tensor in self._model.stacked().values()], dim=1)
        offset = theta - self._center
        r = weight * self._residuals(theta, x, y)
        J = weight.unsqueeze(-1) * self._jacobian(theta, x, y)
        reweighted = penalty / (offset.square() + WIDTH**2)
        curvature = J.mT @ J + torch.diag_embed(reweighted)
        gradient = (J.mT @ r.unsqueeze(-1)).squeeze(-1) + reweighted * offset
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
        offset = (theta - self._center) / WIDTH
        return r.square().sum(dim=-1) + penalty * offset.square().log1p().sum(dim=-1)

    def _unflatten(self, theta: Tensor) -> dict[str, Tensor]:
        parts = theta.split([shape.numel() for shape in self._shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
