"""Mean split: coordinates in which a coordinatewise optimiser sees the mean of weights apart from their differences.

Inputs from [1, 2] have a mean that is large beside their spread. The sum of a hundred of them is then thousands of
times more sensitive to the mean of its weights than to their differences: E[x x^T] has one eigenvalue of 100 * 1.5^2 =
225 and ninety-nine of 1/12. Adam divides each weight's gradient by its own recent size, which the steep direction fills
for all weights alike, and the differences starve. Written as W = D - mean(D) + m the same weights have gradients that
are not mixed: that of m is all of the steep direction, that of D is free of it.

This is a change of coordinates, exact and linear: neither the network nor its loss nor its gradient changes, only the
basis in which the optimiser works. Along the other axis of a matrix it turns two hidden units into their half sum and
half difference, a rotated basis, in which what tells the two apart is not drowned by what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

INPUTS = -1
"""The axis of a weight matrix ``(..., out_features, in_features)`` along which inputs are told apart."""
OUTPUTS = -2
"""The axis along which the units of the layer are told apart."""


def with_mean(W: Tensor, mean: float | Tensor) -> Tensor:
    """``W - mean(W) + mean`` for each row: weights of a given mean, ``(..., out_features, in_features)``."""
    return W - W.mean(dim=INPUTS, keepdim=True) + mean


def parts(axes: Sequence[int]) -> list[tuple[int, ...]]:
    """The axes along which each part of :func:`split` deviates from its mean: every subset of ``axes``."""
    subsets: list[tuple[int, ...]] = [()]
    for axis in axes:
        subsets += [(*subset, axis) for subset in subsets]
    return subsets


def split(W: Tensor, axes: Sequence[int]) -> list[Tensor]:
    """A tensor as a sum of parts that broadcast to it, orthogonal to one another, in the order of :func:`parts`.

    A part is a deviation along its own axes, and a mean (of size 1) along the others.
    """
    result = [W]
    for axis in axes:
        means = [part.mean(dim=axis, keepdim=True) for part in result]
        result = [*means, *(part - mean for part, mean in zip(result, means, strict=True))]
    return result


def deviation(W: Tensor, axes: Sequence[int]) -> Tensor:
    """What is left of a tensor without its means along the axes, one after the other."""
    for axis in axes:
        W = W - W.mean(dim=axis, keepdim=True)
    return W


class MeanSplit(torch.optim.Optimizer):
    """An elementwise optimiser (Adam, SGD, ...) that works on means and deviations of the parameters.

    The optimiser holds one variable for each part of :func:`split`. These are steps, not weights: they start each step
    at 0, get the parts of the gradient, and what the optimiser makes of them, split the same way, is added to the
    parameter. The parameters themselves stay as they are, and so do clipping, snapping and saving of their units.

    It is a ``torch.optim.Optimizer`` of the parameters, with the settings of the optimiser inside: schedulers, closures
    and a GradScaler work on it.

    Args:
        parameters: each with the axes along which it is split; none: the optimiser works on it as it is.
        build: makes the optimiser of its variables, say ``lambda variables: torch.optim.Adam(variables, lr=0.01)``, in
            one parameter group. One that also moves variables with zero gradient by their size (weight decay) finds
            nothing to move.

    Example:
        >>> layer = nn.Linear(100, 2)
        >>> optimizer = MeanSplit([(layer.weight, (INPUTS,)), (layer.bias, ())], torch.optim.Adam)
        >>> layer(torch.ones(100)).sum().backward()
        >>> optimizer.step()
    """

    def __init__(
        self,
        parameters: Sequence[tuple[nn.Parameter, Sequence[int]]],
        build: Callable[[list[Tensor]], torch.optim.Optimizer],
    ) -> None:
        self._parameters = [(parameter, tuple(axes)) for parameter, axes in parameters]
        self._variables = [
            [torch.zeros_like(part) for part in split(parameter.detach(), axes)] for parameter, axes in self._parameters
        ]
        self._optimizer = build([variable for variables in self._variables for variable in variables])
        (settings,) = map(_settings, self._optimizer.param_groups)
        super().__init__([parameter for parameter, _ in self._parameters], settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on all parameters that have a gradient.

        Args:
            closure: computes the gradients, and the loss that is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for (parameter, axes), variables in zip(self._parameters, self._variables, strict=True):
            gradients = [None] * len(variables) if parameter.grad is None else split(parameter.grad, axes)
            for variable, gradient in zip(variables, gradients, strict=True):
                variable.grad = gradient
        self._optimizer.param_groups[0].update(_settings(self.param_groups[0]))
        self._optimizer.step()
        for (parameter, axes), variables in zip(self._parameters, self._variables, strict=True):
            for variable, deviating in zip(variables, parts(axes), strict=True):
                # An elementwise step on deviations has a mean of its own, which would be a step of another part.
                parameter.add_(deviation(variable, deviating))
                variable.zero_()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """What the optimiser remembers, to be saved."""
        self._optimizer.param_groups[0].update(_settings(self.param_groups[0]))
        return self._optimizer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self._optimizer.load_state_dict(state)
        self.param_groups[0].update(_settings(self._optimizer.param_groups[0]))


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
