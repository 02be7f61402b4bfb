"""The loss, with its common mode weighted; recurrent arithmetic uses it too."""

from __future__ import annotations

from torch import Tensor


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of every seed, ``(S, B, 1) -> (S,)``."""
    return (prediction - target).square().mean(dim=(1, 2))


def centred_loss(prediction: Tensor, target: Tensor, bias_weight: float) -> Tensor:
    """Variance of the error over the batch plus ``bias_weight`` times its squared mean, ``(S, B, 1) -> (S,)``.

    With weight 1 the mean squared error. Its minimum is the same with any positive weight, but not its condition: the
    inputs have mean 1.5 and variance 1/12, so that the common part of all weights is thousands of times steeper than
    their differences, and errors of the recurrence hide behind it.
    """
    error = prediction - target
    return error.var(dim=(1, 2), correction=0) + bias_weight * error.mean(dim=(1, 2)).square()
